/* Making the folder, and removing those that nobody needs any more.
 *
 * A folder is named <pid>-<start time>-<PID namespace>: the process whose descriptors it links to, in a way
 * that no later process of the same number shares. Whoever makes one removes those of dead processes before.
 * A folder of another PID namespace (a container that shares the runtime folder) is not ours to judge. */
#include "launch/credentials.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "launch/sealed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWNER_SIZE 72    /* three numbers of up to 20 digits */
#define SWEPT_MAX 65536u /* entries looked at; more than processes at once */

/* The process that a folder belongs to. */
struct owner {
    uint64_t pid;
    uint64_t start; /* clock ticks after boot */
    uint64_t namespace;
};

static void closedirp(DIR **stream)
{
    if (*stream != NULL)
        closedir(*stream);
}

static DIR *folder_open(int parent, const char *name)
{
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = descriptor < 0 ? NULL : fdopendir(descriptor);

    if (stream == NULL && descriptor >= 0)
        close(descriptor);
    return stream;
}

static const char *folder_next(DIR *stream)
{
    const struct dirent *entry;

    while ((entry = readdir(stream)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry->d_name;
    }
    return NULL;
}

/* ---- processes ---- */

/* Field 22 of /proc/<pid>/stat; the second, the program's name, may hold anything, but no later field a `)`.
 */
static bool process_start(uint64_t pid, uint64_t *ret_start)
{
    char text[1024];
    const char *at;
    char *end;
    ssize_t size;

    snprintf(text, sizeof(text), "/proc/%" PRIu64 "/stat", pid);
    CLEANUP(cleanup_close) int descriptor = open(text, O_RDONLY | O_CLOEXEC);
    size = descriptor < 0 ? -1 : read(descriptor, text, sizeof(text) - 1);
    if (size <= 0)
        return false;
    text[size] = '\0';
    at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return false;
    *ret_start = strtoull(at + 1, &end, 10);
    return *end == ' ';
}

static bool owner_is_self(struct owner *ret_owner)
{
    struct stat facts;

    ret_owner->pid = (uint64_t)getpid();
    if (stat("/proc/self/ns/pid", &facts) != 0 || !process_start(ret_owner->pid, &ret_owner->start))
        return false;
    ret_owner->namespace = facts.st_ino;
    return true;
}

static void owner_format(const struct owner *owner, char destination[OWNER_SIZE])
{
    snprintf(destination, OWNER_SIZE, "%" PRIu64 "-%" PRIu64 "-%" PRIu64, owner->pid, owner->start,
             owner->namespace);
}

static bool owner_parse(const char *name, struct owner *ret_owner)
{
    char text[OWNER_SIZE];
    char *start;
    char *namespace;

    if (strlen(name) >= sizeof(text))
        return false;
    memcpy(text, name, strlen(name) + 1);
    start = strchr(text, '-');
    namespace = start != NULL ? strchr(start + 1, '-') : NULL;
    if (namespace == NULL)
        return false;
    *start = *namespace = '\0';
    return text_to_number(text, INT_MAX, &ret_owner->pid) && ret_owner->pid > 0 &&
           text_to_number(start + 1, UINT64_MAX, &ret_owner->start) &&
           text_to_number(namespace + 1, UINT64_MAX, &ret_owner->namespace);
}

/* What cannot be known counts as alive. */
static bool owner_is_gone(const struct owner *owner)
{
    uint64_t start;

    if (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH)
        return true;
    return process_start(owner->pid, &start) && start != owner->start;
}

/* ---- removing ---- */

static void folder_remove(int parent, const char *name)
{
    CLEANUP(closedirp) DIR *stream = folder_open(parent, name);
    const char *file;

    while (stream != NULL && (file = folder_next(stream)) != NULL)
        unlinkat(dirfd(stream), file, 0);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static void sweep(const char *parent, const struct owner *self)
{
    CLEANUP(closedirp) DIR *stream = folder_open(AT_FDCWD, parent);
    const char *name;

    for (unsigned seen = 0; stream != NULL && seen < SWEPT_MAX && (name = folder_next(stream)) != NULL;
         seen++) {
        struct owner owner;

        if (owner_parse(name, &owner) && owner.namespace == self->namespace && owner_is_gone(&owner))
            folder_remove(dirfd(stream), name);
    }
}

void credentials_remove(struct credentials *credentials)
{
    if (credentials->made)
        folder_remove(AT_FDCWD, credentials->path);
    credentials->made = false;
}

void credentials_remove_outer(const char *path)
{
    const char *name = strrchr(path, '/');
    struct owner self;
    struct owner owner;

    if (name == NULL || !owner_parse(name + 1, &owner))
        return;
    if (owner.pid == (uint64_t)getpid() && owner_is_self(&self) && memcmp(&owner, &self, sizeof(self)) == 0)
        folder_remove(AT_FDCWD, path);
}

/* ---- making ---- */

/* Room was made sure of. */
static void path_append(char path[PATH_MAX], const char *text)
{
    const size_t length = strlen(path);

    snprintf(path + length, PATH_MAX - length, "%s", text);
}

/* The folder that all folders are in: it and the one above it are ours alone. */
static enum status parent_make(struct failure *failure, char destination[PATH_MAX])
{
    static const char stepvault[] = "/stepvault";
    static const char credentials[] = "/credentials";
    size_t length;
    enum status status;

    if (!file_runtime_folder(destination))
        return failure_set(failure, STATUS_FAILED,
                           "credentials need a runtime folder: XDG_RUNTIME_DIR is not set to an absolute "
                           "path, and /run/user/%u is "
                           "not a private folder of ours",
                           (unsigned)geteuid());
    length = strlen(destination);
    if (length + sizeof(stepvault) + sizeof(credentials) + OWNER_SIZE >= PATH_MAX)
        return failure_set(failure, STATUS_INVALID, "the path of the runtime folder is too long");
    status = file_check_folder(destination, false, failure);
    for (size_t i = 0; status == STATUS_OK && i < 2; i++) {
        path_append(destination, i == 0 ? stepvault : credentials);
        status = file_make_folder(destination, failure);
        if (status == STATUS_OK)
            status = file_check_folder(destination, true, failure);
    }
    return status;
}

enum status credentials_prepare(struct failure *failure, struct credentials *ret_credentials)
{
    char name[OWNER_SIZE];
    struct owner self;
    enum status status = parent_make(failure, ret_credentials->path);

    ret_credentials->made = false;
    if (status != STATUS_OK)
        return status;
    if (!owner_is_self(&self))
        return failure_set(failure, STATUS_FAILED, "/proc does not tell when this process started");
    sweep(ret_credentials->path, &self);
    owner_format(&self, name);
    path_append(ret_credentials->path, "/");
    path_append(ret_credentials->path, name);
    return STATUS_OK;
}

/* What lies there is this process's own, from an outer run whose folder was kept. */
static DIR *folder_make(const char *path)
{
    if (mkdir(path, S_IRWXU) != 0) {
        if (errno != EEXIST)
            return NULL;
        folder_remove(AT_FDCWD, path);
        if (mkdir(path, S_IRWXU) != 0)
            return NULL;
    }
    return folder_open(AT_FDCWD, path);
}

/* 0, or an errno. */
static int file_add(int folder, const char *entry)
{
    const char *value = strchr(entry, '=') + 1;
    char name[RECEIVED_CREDENTIAL_MAX + 1];
    char path[SEALED_PATH_SIZE];
    int descriptor = sealed_keep(CREDENTIALS_MEMFD, value, strlen(value));

    if (descriptor < 0)
        return errno;
    memcpy(name, entry, (size_t)(value - 1 - entry));
    name[value - 1 - entry] = '\0';
    sealed_path(descriptor, path);
    return symlinkat(path, folder, name) == 0 ? 0 : errno;
}

enum status credentials_deliver(const struct received *received, struct failure *failure,
                                struct credentials *credentials)
{
    CLEANUP(closedirp) DIR *stream = NULL;

    if (received_variable(received, CREDENTIALS_VARIABLE) != NULL)
        return failure_set(failure, STATUS_REFUSED,
                           "the step would get " CREDENTIALS_VARIABLE
                           " both as a variable and as the folder of its credentials");
    stream = folder_make(credentials->path);
    credentials->made = true;
    if (stream == NULL)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make the folder %s",
                                 credentials->path);
    for (size_t i = 0; i < received->credential_count; i++) {
        int error = file_add(dirfd(stream), received->credentials[i]);

        if (error == EMFILE)
            return failure_set(
                failure, STATUS_TOO_LARGE,
                "each of the step's %zu credentials is an open file, and that is more than the "
                "limit of open files allows (ulimit -n)",
                received->credential_count);
        if (error != 0)
            return failure_set_errno(failure, STATUS_FAILED, error, "cannot make the credentials");
    }
    return STATUS_OK;
}
