/* From the process in which sshd asks by keyboard-interactive to the one that opens the session. Only PAM's
 * environment crosses between them, which sshd writes into its log when it is told to, so what crosses is
 * half of what is needed: the keys that the password gives, not the password, are combined with as many
 * random bytes. The bytes cross; the rest waits in a file of root's until the session is opened, for two
 * minutes at most. */
#include "shim.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <security/pam_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VARIABLE "STEPVAULT_BRIDGE"
#define ID_SIZE (SHIM_BRIDGE_DIGITS / 2)
#define LIFETIME_S 120
#define TEXT_SIZE (sizeof(VARIABLE) + SHIM_BRIDGE_DIGITS + 1 + 2 * MESSAGE_TEXT_MAX + 1)

/* sshd says so in its title, and nothing else does. */
bool shim_title_asks(const char *title, size_t size)
{
    static const char end[] = "[pam]";
    const size_t length = strnlen(title, size);

    return length >= sizeof(end) - 1 && memcmp(title + length - (sizeof(end) - 1), end, sizeof(end) - 1) == 0;
}

bool shim_bridge_is_needed(const char *service)
{
    char title[1024];
    int descriptor = strcmp(service, "sshd") == 0 ? open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC) : -1;
    ssize_t size = descriptor >= 0 ? read(descriptor, title, sizeof(title)) : 0;

    if (descriptor >= 0)
        close(descriptor);
    return size > 0 && shim_title_asks(title, (size_t)size);
}

/* Only what root started has to do with it. */
static int open_folder(bool makes)
{
    return getuid() == 0 ? shim_folder_open(makes) : -1;
}

static bool is_over(const struct stat *facts)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return facts->st_mtime > now.tv_sec || now.tv_sec - facts->st_mtime > LIFETIME_S;
}

/* Sessions that were never opened leave theirs. */
static void sweep(int folder)
{
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry;
    struct stat facts;

    if (list == NULL) {
        if (again >= 0)
            close(again);
        return;
    }
    while ((entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.' && fstatat(folder, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
            is_over(&facts))
            (void)unlinkat(folder, entry->d_name, 0);
    closedir(list);
}

static bool write_file(int folder, const char *name, uid_t uid, const uint8_t *bytes, size_t size)
{
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool written = file >= 0 && write(file, &uid, sizeof(uid)) == (ssize_t)sizeof(uid) &&
                   write(file, bytes, size) == (ssize_t)size;

    if (file >= 0)
        close(file);
    if (!written)
        (void)unlinkat(folder, name, 0);
    return written;
}

/* What is needed of one call. */
struct bridge {
    char text[TEXT_SIZE];
    uint8_t id[ID_SIZE];
    uint8_t random[MESSAGE_TEXT_MAX];
    uint8_t mixed[MESSAGE_TEXT_MAX];
    char name[SHIM_BRIDGE_DIGITS + 1];
};

bool shim_bridge_put(pam_handle_t *pamh, uid_t uid, const uint8_t *keys, size_t size)
{
    struct bridge *bridge =
        size > 0 && size <= MESSAGE_TEXT_MAX ? shim_memory_allocate(sizeof(*bridge)) : NULL;
    int folder = bridge != NULL ? open_folder(true) : -1;
    bool done = false;

    if (folder >= 0 && getrandom(bridge->id, ID_SIZE, 0) == (ssize_t)ID_SIZE &&
        getrandom(bridge->random, size, 0) == (ssize_t)size) {
        sweep(folder);
        for (size_t i = 0; i < size; i++)
            bridge->mixed[i] = keys[i] ^ bridge->random[i];
        text_to_hex(bridge->name, bridge->id, ID_SIZE);
        memcpy(bridge->text, VARIABLE "=", sizeof(VARIABLE));
        memcpy(bridge->text + sizeof(VARIABLE), bridge->name, SHIM_BRIDGE_DIGITS);
        bridge->text[sizeof(VARIABLE) + SHIM_BRIDGE_DIGITS] = '.';
        text_to_hex(bridge->text + sizeof(VARIABLE) + SHIM_BRIDGE_DIGITS + 1, bridge->random, size);
        done = write_file(folder, bridge->name, uid, bridge->mixed, size) &&
               pam_putenv(pamh, bridge->text) == PAM_SUCCESS;
        if (!done)
            (void)unlinkat(folder, bridge->name, 0);
    }
    if (folder >= 0)
        close(folder);
    shim_memory_free(bridge, sizeof(*bridge));
    return done;
}

/* The file's bytes, of which it says that they are this user's; 0 where there are none. It is gone then. */
static size_t read_file(int folder, const char *name, uid_t uid, uint8_t *bytes, size_t maximum)
{
    int file = folder >= 0 ? openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    struct stat facts;
    uid_t owner;
    ssize_t size = -1;

    if (file >= 0 && fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && !is_over(&facts) &&
        read(file, &owner, sizeof(owner)) == (ssize_t)sizeof(owner) && owner == uid)
        size = read(file, bytes, maximum);
    if (file >= 0)
        close(file);
    if (folder >= 0)
        (void)unlinkat(folder, name, 0);
    return size > 0 ? (size_t)size : 0;
}

size_t shim_bridge_read(const char *text, char name[SHIM_BRIDGE_DIGITS + 1], uint8_t random[MESSAGE_TEXT_MAX])
{
    const size_t digits = strnlen(text, TEXT_SIZE);
    const size_t size = digits > SHIM_BRIDGE_DIGITS + 1 ? (digits - SHIM_BRIDGE_DIGITS - 1) / 2 : 0;
    uint8_t id[ID_SIZE];

    if (size == 0 || size > MESSAGE_TEXT_MAX || text[SHIM_BRIDGE_DIGITS] != '.')
        return 0;
    memcpy(name, text, SHIM_BRIDGE_DIGITS);
    name[SHIM_BRIDGE_DIGITS] = '\0';
    /* The name has nothing but digits, or the file of another folder could be meant. */
    return text_from_hex(id, ID_SIZE, name) && text_from_hex(random, size, text + SHIM_BRIDGE_DIGITS + 1)
               ? size
               : 0;
}

size_t shim_bridge_take(pam_handle_t *pamh, uid_t uid, uint8_t *keys)
{
    const char *text = pam_getenv(pamh, VARIABLE);
    struct bridge *bridge = text != NULL && keys != NULL ? shim_memory_allocate(sizeof(*bridge)) : NULL;
    int folder = open_folder(false);
    size_t size = 0;

    if (folder >= 0)
        sweep(folder);
    if (bridge != NULL)
        size = shim_bridge_read(text, bridge->name, bridge->random);
    if (size > 0 && read_file(folder, bridge->name, uid, bridge->mixed, MESSAGE_TEXT_MAX) != size)
        size = 0;
    for (size_t i = 0; i < size; i++)
        keys[i] = bridge->mixed[i] ^ bridge->random[i];
    if (text != NULL)
        (void)pam_putenv(pamh, VARIABLE);
    if (folder >= 0)
        close(folder);
    shim_memory_free(bridge, sizeof(*bridge));
    return size;
}
