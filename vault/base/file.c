/* Files, folders and descriptors, and where the vault, its socket and its key lie.
 *
 * Linked into a static program: nothing here asks the user database. */
#include "base/file.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

bool file_write_all(int descriptor, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (size > 0) {
        ssize_t written = write(descriptor, at, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static ssize_t read_some(int descriptor, void *bytes, size_t size)
{
    ssize_t count;

    do {
        count = read(descriptor, bytes, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

/* Undoes what a failed read appended. */
static void secret_cut(struct secret *secret, size_t size)
{
    if (secret->bytes != NULL)
        secret_wipe(secret->bytes + size, secret->size - size);
    secret->size = size;
}

enum status file_read_all(int descriptor, size_t maximum, const char *what, struct failure *failure,
                          struct secret *destination)
{
    const size_t before = destination->size;

    for (;;) {
        size_t left = maximum - (destination->size - before);
        ssize_t count;

        /* One byte more than is allowed, so that too much is seen to be too much. */
        if (!secret_reserve(destination, left < 4096 ? left + 1 : 4096)) {
            secret_cut(destination, before);
            return failure_set(failure, STATUS_NO_MEMORY, "out of memory while reading %s", what);
        }
        count = read_some(descriptor, destination->bytes + destination->size,
                          destination->capacity - destination->size);
        if (count < 0) {
            int error = errno;

            secret_cut(destination, before);
            return failure_set_errno(failure, STATUS_FAILED, error, "cannot read %s", what);
        }
        destination->size += (size_t)count;
        if (destination->size - before > maximum) {
            secret_cut(destination, before);
            return failure_set(failure, STATUS_TOO_LARGE, "%s is larger than %zu bytes", what, maximum);
        }
        if (count == 0) {
            destination->bytes[destination->size] = '\0';
            return STATUS_OK;
        }
    }
}

enum status file_read_line(int descriptor, size_t maximum, const char *what, struct failure *failure,
                           struct secret *destination)
{
    const size_t before = destination->size;
    enum status status;
    uint8_t byte = 0;

    for (;;) {
        ssize_t count = read_some(descriptor, &byte, 1);

        if (count < 0) {
            status = failure_set_errno(failure, STATUS_FAILED, errno, "cannot read %s", what);
            break;
        }
        if (count == 0 && destination->size == before) {
            status = failure_set(failure, STATUS_INVALID, "there is nothing to read from %s", what);
            break;
        }
        if (count == 0 || byte == '\n') {
            secret_wipe(&byte, 1);
            return STATUS_OK;
        }
        if (destination->size - before == maximum) {
            status = failure_set(failure, STATUS_TOO_LARGE, "%s is longer than %zu bytes", what, maximum);
            break;
        }
        if (!secret_append_byte(destination, byte)) {
            status = failure_set(failure, STATUS_NO_MEMORY, "out of memory while reading %s", what);
            break;
        }
    }
    secret_wipe(&byte, 1);
    secret_cut(destination, before);
    return status;
}

/* systemd gives a credential mode 0440 with root as the owner where an access list names the unit's user;
 * else what the group can read is not a key. */
static enum status key_check(const char *path, const struct stat *facts, struct failure *failure)
{
    const mode_t forbidden = facts->st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;

    if (!S_ISREG(facts->st_mode))
        return failure_set(failure, STATUS_FOREIGN, "the key file %s is not a regular file", path);
    if (facts->st_uid != 0 && facts->st_uid != geteuid())
        return failure_set(failure, STATUS_FOREIGN, "the key file %s belongs to another user", path);
    if ((facts->st_mode & forbidden) != 0)
        return failure_set(failure, STATUS_FOREIGN, "the key file %s is open to others (mode %04o)", path,
                           (unsigned)(facts->st_mode & 07777));
    return STATUS_OK;
}

enum status file_read_key(const char *path, struct failure *failure, uint8_t key[FILE_KEY_SIZE])
{
    CLEANUP(cleanup_close)
    int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    CLEANUP(secret_reset) struct secret content = {0};
    struct stat facts;
    enum status status;

    if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR))
        return failure_set(failure, STATUS_NOT_FOUND, "there is no key file %s", path);
    if (descriptor < 0 && errno == ELOOP)
        return failure_set(failure, STATUS_FOREIGN, "the key file %s is a symbolic link", path);
    if (descriptor < 0 || fstat(descriptor, &facts) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot open the key file %s", path);
    status = key_check(path, &facts, failure);
    if (status != STATUS_OK)
        return status;
    status = file_read_all(descriptor, FILE_KEY_SIZE, "the key file", failure, &content);
    if (status == STATUS_TOO_LARGE || (status == STATUS_OK && content.size != FILE_KEY_SIZE))
        return failure_set(failure, STATUS_INVALID, "the key file %s does not hold exactly %d bytes", path,
                           FILE_KEY_SIZE);
    if (status == STATUS_OK)
        memcpy(key, content.bytes, FILE_KEY_SIZE);
    return status;
}

enum status file_read_settings(const char *path, size_t maximum, struct failure *failure,
                               struct secret *destination)
{
    CLEANUP(cleanup_close) int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat facts;

    if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR))
        return failure_set(failure, STATUS_NOT_FOUND, "there is no file %s", path);
    if (descriptor < 0 || fstat(descriptor, &facts) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot open %s", path);
    if (!S_ISREG(facts.st_mode))
        return failure_set(failure, STATUS_FOREIGN, "%s is not a regular file", path);
    if (facts.st_uid != 0 && facts.st_uid != geteuid())
        return failure_set(failure, STATUS_FOREIGN, "%s belongs to another user", path);
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return failure_set(failure, STATUS_FOREIGN, "%s can be written by others (mode %04o)", path,
                           (unsigned)(facts.st_mode & 07777));
    return file_read_all(descriptor, maximum, path, failure, destination);
}

static bool path_copy(char destination[PATH_MAX], const char *path)
{
    size_t length = strlen(path);

    if (length >= PATH_MAX)
        return false;
    memcpy(destination, path, length + 1);
    return true;
}

/* 0, or an errno. What is there already, as a folder, is left as it is. */
static int folder_make_one(const char *path)
{
    struct stat facts;

    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    if (stat(path, &facts) != 0)
        return errno;
    return S_ISDIR(facts.st_mode) ? 0 : ENOTDIR;
}

void file_close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
#endif
    for (int descriptor = first, end = (int)sysconf(_SC_OPEN_MAX); descriptor < end; descriptor++)
        close(descriptor);
}

enum status file_make_folder(const char *path, struct failure *failure)
{
    char folder[PATH_MAX];
    int error;

    if (!path_copy(folder, path))
        return failure_set(failure, STATUS_INVALID, "the path of the folder is longer than %d bytes",
                           PATH_MAX - 1);
    /* Mostly it is there. */
    if (folder_make_one(folder) == 0)
        return STATUS_OK;
    for (char *slash = strchr(folder + (folder[0] == '/'), '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        error = folder_make_one(folder);
        if (error != 0)
            return failure_set_errno(failure, STATUS_FAILED, error, "cannot make the folder %s", folder);
        *slash = '/';
    }
    error = folder_make_one(folder);
    if (error != 0)
        return failure_set_errno(failure, STATUS_FAILED, error, "cannot make the folder %s", folder);
    return STATUS_OK;
}

enum status file_make_parents(const char *path, struct failure *failure)
{
    char folder[PATH_MAX];
    char *slash;

    if (!path_copy(folder, path))
        return failure_set(failure, STATUS_INVALID, "the path is longer than %d bytes", PATH_MAX - 1);
    slash = strrchr(folder, '/');
    if (slash == NULL || slash == folder)
        return STATUS_OK;
    *slash = '\0';
    return file_make_folder(folder, failure);
}

enum status file_check_folder(const char *path, bool owner_only, struct failure *failure)
{
    const mode_t forbidden = owner_only ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH;
    struct stat facts;

    if (lstat(path, &facts) != 0)
        return failure_set_errno(failure, STATUS_FOREIGN, errno, "cannot look at the folder %s", path);
    if (!S_ISDIR(facts.st_mode))
        return failure_set(failure, STATUS_FOREIGN, "%s is not a folder", path);
    if (facts.st_uid != geteuid())
        return failure_set(failure, STATUS_FOREIGN, "the folder %s belongs to another user", path);
    if ((facts.st_mode & forbidden) != 0)
        return failure_set(failure, STATUS_FOREIGN, "the folder %s is open to others (mode %04o)", path,
                           (unsigned)(facts.st_mode & 07777));
    return STATUS_OK;
}

/* A variable of the environment that says something. */
static const char *environment_get(const char *name)
{
    const char *value = secure_getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The same for the XDG variables, where the specification has relative paths ignored. */
static const char *environment_folder(const char *name)
{
    const char *value = environment_get(name);

    return value != NULL && value[0] == '/' ? value : NULL;
}

static bool path_absolute(const char *path, char destination[PATH_MAX])
{
    size_t length;

    if (path[0] == '/')
        return path_copy(destination, path);
    if (getcwd(destination, PATH_MAX) == NULL || destination[0] != '/')
        return false;
    length = strlen(destination);
    if (length + 1 + strlen(path) >= PATH_MAX)
        return false;
    destination[length] = '/';
    memcpy(destination + length + 1, path, strlen(path) + 1);
    return true;
}

/* Appends the words of `rest` to the resolved `destination`; `..` goes back, as nothing there can be a link.
 */
static bool path_append(char destination[PATH_MAX], const char *rest)
{
    size_t length = strcmp(destination, "/") == 0 ? 0 : strlen(destination);

    while (*rest != '\0') {
        size_t word = strcspn(rest, "/");

        if (word == 2 && memcmp(rest, "..", 2) == 0) {
            while (length > 0 && destination[--length] != '/')
                continue;
        } else if (word > 0 && !(word == 1 && rest[0] == '.')) {
            if (length + 1 + word >= PATH_MAX)
                return false;
            destination[length++] = '/';
            memcpy(destination + length, rest, word);
            length += word;
        }
        rest += word + (rest[word] == '/');
    }
    if (length == 0)
        destination[length++] = '/';
    destination[length] = '\0';
    return true;
}

/* Resolves as much of the absolute `folder` as exists; the rest is taken as it is written. */
static bool folder_resolve(const char *folder, char destination[PATH_MAX])
{
    char existing[PATH_MAX];

    if (!path_copy(existing, folder))
        return false;
    while (realpath(existing, destination) == NULL) {
        char *slash = strrchr(existing, '/');

        if (slash == NULL || strcmp(existing, "/") == 0)
            return false;
        slash[slash == existing ? 1 : 0] = '\0';
    }
    return path_append(destination, folder + strlen(existing));
}

/* The canonical form of a vault's path (see file_vault_path). */
static enum status vault_canonical(const char *path, struct failure *failure, char destination[PATH_MAX])
{
    char absolute[PATH_MAX];
    char canonical[PATH_MAX];
    char *name;

    if (!path_absolute(path, absolute))
        return failure_set(failure, STATUS_INVALID,
                           "the path of the vault is longer than %d bytes, or has no folder", PATH_MAX - 1);
    name = strrchr(absolute, '/');
    *name++ = '\0';
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return failure_set(failure, STATUS_INVALID, "\"%s\" is not the path of a vault file", path);
    if (!folder_resolve(absolute[0] == '\0' ? "/" : absolute, canonical) || !path_append(canonical, name))
        return failure_set(failure, STATUS_INVALID, "the path of the vault %s is too long", path);
    path_copy(destination, canonical);
    return STATUS_OK;
}

/* The vault of a user who says nothing of vaults, as the environment spells it. */
static enum status vault_default(struct failure *failure, char destination[PATH_MAX])
{
    const char *data = environment_folder("XDG_DATA_HOME");
    const char *home = environment_folder("HOME");
    int length;

    if (data == NULL && home == NULL)
        return failure_set(failure, STATUS_INVALID,
                           "no vault is named (--vault, STEPVAULT_VAULT), and HOME is not set");
    length = data != NULL ? snprintf(destination, PATH_MAX, "%s/stepvault/vault.db", data)
                          : snprintf(destination, PATH_MAX, "%s/.local/share/stepvault/vault.db", home);
    if (length < 0 || length >= PATH_MAX)
        return failure_set(failure, STATUS_INVALID, "the path of the vault is longer than %d bytes",
                           PATH_MAX - 1);
    return STATUS_OK;
}

enum status file_vault_path(const char *option, struct failure *failure, char destination[PATH_MAX])
{
    const char *path = option != NULL ? option : environment_get("STEPVAULT_VAULT");
    char usual[PATH_MAX];

    if (path == NULL) {
        enum status status = vault_default(failure, usual);
        if (status != STATUS_OK)
            return status;
        path = usual;
    }
    return vault_canonical(path, failure, destination);
}

bool file_runtime_folder(char destination[PATH_MAX])
{
    const char *runtime = environment_folder("XDG_RUNTIME_DIR");
    struct failure ignored;

    if (runtime != NULL)
        return path_copy(destination, runtime);
    snprintf(destination, PATH_MAX, "/run/user/%u", (unsigned)geteuid());
    return file_check_folder(destination, true, &ignored) == STATUS_OK;
}

/* Mostly the two are spelled alike, and a launch is spared from resolving the folder a second time. */
static bool vault_is_default(const char *vault)
{
    char usual[PATH_MAX];
    char canonical[PATH_MAX];
    struct failure ignored;

    if (vault_default(&ignored, usual) != STATUS_OK)
        return false;
    return strcmp(vault, usual) == 0 ||
           (vault_canonical(usual, &ignored, canonical) == STATUS_OK && strcmp(vault, canonical) == 0);
}

enum status file_socket_path(const char *vault, struct failure *failure, char destination[PATH_MAX])
{
    const size_t longest = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    const char *named = environment_get("STEPVAULT_SOCKET");
    char folder[PATH_MAX];
    char path[PATH_MAX + 64];
    int length;

    if (named != NULL) {
        length = snprintf(path, sizeof(path), "%s", named);
    } else if (!file_runtime_folder(folder)) {
        return failure_set(failure, STATUS_NO_AGENT,
                           "XDG_RUNTIME_DIR is not set to an absolute path, and /run/user/%u is not a "
                           "private folder of ours",
                           (unsigned)geteuid());
    } else if (vault_is_default(vault)) {
        length = snprintf(path, sizeof(path), "%s/stepvault/agent.sock", folder);
    } else {
        length = snprintf(path, sizeof(path), "%s/stepvault/agent-%016" PRIx64 ".sock", folder,
                          text_fnv1a(vault, strlen(vault)));
    }
    if (length < 0 || (size_t)length > longest)
        return failure_set(failure, STATUS_INVALID, "the path of the agent's socket is longer than %zu bytes",
                           longest);
    memcpy(destination, path, (size_t)length + 1);
    return STATUS_OK;
}

bool file_settings_path(const char *name, char destination[PATH_MAX])
{
    const char *settings = environment_folder("XDG_CONFIG_HOME");
    const char *home = environment_folder("HOME");
    int length = -1;

    if (settings != NULL)
        length = snprintf(destination, PATH_MAX, "%s/stepvault/%s", settings, name);
    else if (home != NULL)
        length = snprintf(destination, PATH_MAX, "%s/.config/stepvault/%s", home, name);
    return length > 0 && length < PATH_MAX;
}

bool file_state_path(const char *name, char destination[PATH_MAX])
{
    const char *state = environment_folder("XDG_STATE_HOME");
    const char *home = environment_folder("HOME");
    int length = -1;

    if (state == NULL && geteuid() == 0)
        state = "/var/lib";
    if (state != NULL)
        length = snprintf(destination, PATH_MAX, "%s/stepvault/%s", state, name);
    else if (home != NULL)
        length = snprintf(destination, PATH_MAX, "%s/.local/state/stepvault/%s", home, name);
    return length > 0 && length < PATH_MAX;
}

bool file_key_path(const char *option, char destination[PATH_MAX])
{
    const char *named = option != NULL ? option : environment_get("STEPVAULT_KEY_FILE");
    const char *credentials = environment_folder("CREDENTIALS_DIRECTORY");
    struct stat facts;
    int length;

    if (named != NULL) {
        /* What is too long for a path is a file that is not there, as no path at all is. */
        if (!path_copy(destination, named))
            destination[0] = '\0';
        return true;
    }
    if (credentials == NULL)
        return false;
    length = snprintf(destination, PATH_MAX, "%s/stepvault.key", credentials);
    return length > 0 && length < PATH_MAX && lstat(destination, &facts) == 0;
}
