/* Writing beside a file, and renaming over it. */
#include "replacement.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE (S_IRUSR | S_IWUSR)

static enum status failed(const struct replacement *replacement, int error, struct failure *failure)
{
    return failure_set_errno(failure, STATUS_FAILED, error, "cannot write %s", replacement->path);
}

static enum status check_target(const struct replacement *replacement, struct failure *failure)
{
    struct stat facts;

    if (fstatat(replacement->folder, replacement->name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? STATUS_OK : failed(replacement, errno, failure);
    if (S_ISLNK(facts.st_mode))
        return failure_set(failure, STATUS_REFUSED, "%s is a symbolic link, and none is written to",
                           replacement->path);
    if (!S_ISREG(facts.st_mode))
        return failure_set(failure, STATUS_REFUSED, "%s is no regular file, so nothing can take its place",
                           replacement->path);
    return STATUS_OK;
}

enum status replacement_check_new(const struct replacement *replacement, struct failure *failure)
{
    struct stat facts;

    if (fstatat(replacement->folder, replacement->name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
        return failure_set(failure, STATUS_EXISTS, "there is a file at %s already (--replace replaces it)",
                           replacement->path);
    return STATUS_OK;
}

enum status replacement_prepare(const char *path, struct failure *failure,
                                struct replacement *ret_replacement)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    struct replacement replacement = REPLACEMENT_NONE;
    enum status status;

    replacement.path = path;
    replacement.name = slash != NULL ? slash + 1 : path;
    if (replacement.name[0] == '\0' || strlen(path) >= sizeof(folder))
        return failure_set(failure, STATUS_INVALID, "%.64s is not the path of a file", path);
    if (slash != NULL)
        snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    replacement.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (replacement.folder == -1)
        return failed(&replacement, errno, failure);
    status = check_target(&replacement, failure);
    if (status != STATUS_OK) {
        replacement_reset(&replacement);
        return status;
    }
    *ret_replacement = replacement;
    return STATUS_OK;
}

static bool choose_draft(struct replacement *replacement)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
        return false;
    snprintf(replacement->draft, sizeof(replacement->draft), ".stepvault-%016llx",
             (unsigned long long)number);
    return true;
}

enum status replacement_open(struct replacement *replacement, struct failure *failure)
{
    replacement->descriptor = openat(replacement->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, MODE);
    /* What a file system answers that makes no file without a name; an old kernel takes `.` for the file. */
    if (replacement->descriptor == -1 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        if (!choose_draft(replacement))
            return failed(replacement, errno, failure);
        replacement->descriptor = openat(replacement->folder, replacement->draft,
                                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
        if (replacement->descriptor == -1)
            replacement->draft[0] = '\0';
    }
    if (replacement->descriptor == -1 || fchmod(replacement->descriptor, MODE) != 0)
        return failed(replacement, errno, failure);
    return STATUS_OK;
}

/* Gives a file without a name one that is free. */
static bool give_name(const struct replacement *replacement, const char *name)
{
    char open_file[64];

    snprintf(open_file, sizeof(open_file), "/proc/self/fd/%d", replacement->descriptor);
    return linkat(AT_FDCWD, open_file, replacement->folder, name, AT_SYMLINK_FOLLOW) == 0;
}

/* A name is given without replacing anything, and only a name can replace another. */
static bool give_draft(struct replacement *replacement)
{
    if (replacement->draft[0] != '\0')
        return true;
    if (!choose_draft(replacement))
        return false;
    if (give_name(replacement, replacement->draft))
        return true;
    replacement->draft[0] = '\0';
    return false;
}

enum status replacement_finish(struct replacement *replacement, struct failure *failure)
{
    if (fsync(replacement->descriptor) != 0 || !give_draft(replacement) ||
        renameat(replacement->folder, replacement->draft, replacement->folder, replacement->name) != 0)
        return failed(replacement, errno, failure);
    replacement->draft[0] = '\0';
    if (fsync(replacement->folder) != 0)
        return failed(replacement, errno, failure);
    return STATUS_OK;
}

/* Not every file system can rename without replacing; one that makes files with names only has links. */
static bool rename_new(struct replacement *replacement)
{
    int folder = replacement->folder;

    if (renameat2(folder, replacement->draft, folder, replacement->name, RENAME_NOREPLACE) == 0) {
        replacement->draft[0] = '\0';
        return true;
    }
    return errno == EINVAL && linkat(folder, replacement->draft, folder, replacement->name, 0) == 0;
}

enum status replacement_finish_new(struct replacement *replacement, struct failure *failure)
{
    if (fsync(replacement->descriptor) != 0)
        return failed(replacement, errno, failure);
    if (!(replacement->draft[0] != '\0' ? rename_new(replacement)
                                        : give_name(replacement, replacement->name))) {
        if (errno == EEXIST)
            return replacement_check_new(replacement, failure);
        return failed(replacement, errno, failure);
    }
    if (fsync(replacement->folder) != 0)
        return failed(replacement, errno, failure);
    return STATUS_OK;
}

void replacement_reset(struct replacement *replacement)
{
    if (replacement->draft[0] != '\0')
        unlinkat(replacement->folder, replacement->draft, 0);
    replacement->draft[0] = '\0';
    cleanup_close(&replacement->descriptor);
    cleanup_close(&replacement->folder);
}
