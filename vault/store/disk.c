/* Trust in a vault's file, and the making of a new one under another name. */
#include "store/disk.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What SQLite may keep beside a database and believes when it opens it. */
static const char *const companions[] = {"-wal", "-journal"};

static const uint32_t remote_magics[] = {
    0x00006969, /* NFS */
    0x0000517b, /* SMB */
    0xfe534d42, /* SMB 2 and later */
    0xff534d42, /* CIFS */
    0x65735546, /* FUSE */
    0x01021997, /* 9P */
    0x5346414f, /* OpenAFS */
    0x6b414653, /* kAFS */
    0x73757245, /* Coda */
    0x0000564c, /* NCP */
    0x00c36400, /* Ceph */
    0x0bd00bd0, /* Lustre */
    0x47504653, /* GPFS */
    0x20030528, /* OrangeFS */
    0x19830326, /* BeeGFS */
    0x786f4256, /* VirtualBox shared folder */
    0xbacbacbc, /* VMware shared folder */
};

bool disk_is_remote(uint64_t magic)
{
    for (size_t i = 0; i < sizeof(remote_magics) / sizeof(remote_magics[0]); i++) {
        if (remote_magics[i] == (uint32_t)magic)
            return true;
    }
    return false;
}

enum status disk_write_status(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EROFS || error == EFBIG ? STATUS_LOG_UNWRITABLE
                                                                                  : STATUS_FAILED;
}

static enum status check_length(const char *path, struct failure *failure)
{
    if (path[0] != '/')
        return failure_set(failure, STATUS_INVALID, "the vault's path %s is not absolute", path);
    if (strlen(path) > DISK_PATH_MAX)
        return failure_set(failure, STATUS_INVALID, "the vault's path is longer than %d bytes: %s",
                           DISK_PATH_MAX, path);
    return STATUS_OK;
}

static enum status check_trusted(const char *path, const struct stat *facts, struct failure *failure)
{
    if (!S_ISREG(facts->st_mode))
        return failure_set(failure, STATUS_FOREIGN, "%s is %s, not a regular file", path,
                           S_ISLNK(facts->st_mode) ? "a symbolic link" : "something special");
    if (facts->st_uid != geteuid())
        return failure_set(failure, STATUS_FOREIGN, "%s belongs to uid %u, not to uid %u", path,
                           facts->st_uid, geteuid());
    if ((facts->st_mode & 077) != 0)
        return failure_set(failure, STATUS_FOREIGN, "%s is open to group or others (mode %04o)", path,
                           facts->st_mode & 07777);
    if (facts->st_nlink != 1)
        return failure_set(failure, STATUS_FOREIGN, "%s has %u names (hard links) instead of one", path,
                           (unsigned)facts->st_nlink);
    return STATUS_OK;
}

static enum status check_local(int descriptor, const char *path, struct failure *failure)
{
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "the file system of %s cannot be read", path);
    if (disk_is_remote((uint64_t)system.f_type))
        return failure_set(failure, STATUS_FOREIGN, "%s is on a network or user-space file system", path);
    return STATUS_OK;
}

/* Whether the file may be written and beside it a write-ahead log be made. */
static bool is_writable(const char *path)
{
    char folder[DISK_PATH_MAX + 1];
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path + 1), path);
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 &&
           faccessat(AT_FDCWD, folder, W_OK, AT_EACCESS) == 0;
}

static enum status check_companions(const char *path, struct failure *failure, bool *ret_unrecovered)
{
    bool unrecovered = false;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        char companion[DISK_LOG_PATH_SIZE];
        struct stat facts;
        (void)snprintf(companion, sizeof(companion), "%s%s", path, companions[i]);
        if (lstat(companion, &facts) != 0) {
            if (errno == ENOENT)
                continue;
            return failure_set_errno(failure, STATUS_FAILED, errno, "%s cannot be looked at", companion);
        }
        enum status status = check_trusted(companion, &facts, failure);
        if (status != STATUS_OK)
            return status;
        unrecovered = unrecovered || facts.st_size > 0;
    }
    *ret_unrecovered = unrecovered;
    return STATUS_OK;
}

enum status disk_check(const char *path, struct failure *failure, struct disk_file *ret_file)
{
    enum status status = check_length(path, failure);
    if (status != STATUS_OK)
        return status;
    CLEANUP(cleanup_close) int descriptor = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat facts;
    if (descriptor < 0 || fstat(descriptor, &facts) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return failure_set(failure, STATUS_NO_VAULT, "there is no vault at %s", path);
        return failure_set_errno(failure, STATUS_FAILED, errno, "the vault %s cannot be opened", path);
    }
    status = check_trusted(path, &facts, failure);
    if (status == STATUS_OK)
        status = check_local(descriptor, path, failure);
    if (status == STATUS_OK && facts.st_size == 0)
        status = failure_set(failure, STATUS_FOREIGN, "%s is empty, not a stepvault vault", path);
    bool unrecovered = false;
    if (status == STATUS_OK)
        status = check_companions(path, failure, &unrecovered);
    if (status != STATUS_OK)
        return status;
    *ret_file = (struct disk_file){
        .device = facts.st_dev,
        .inode = facts.st_ino,
        .writable = is_writable(path),
        .unrecovered = unrecovered,
    };
    return STATUS_OK;
}

enum status disk_check_same(const char *path, const struct disk_file *file, struct failure *failure)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || facts.st_dev != file->device || facts.st_ino != file->inode)
        return failure_set(failure, STATUS_FOREIGN, "%s was replaced by another file while it was opened",
                           path);
    return STATUS_OK;
}

void disk_read_mark(const char *path, struct disk_mark *ret_mark)
{
    struct stat facts;
    *ret_mark = (struct disk_mark){0};
    if (lstat(path, &facts) == 0)
        *ret_mark = (struct disk_mark){
            .device = facts.st_dev,
            .inode = facts.st_ino,
            .size = facts.st_size,
            .modified = facts.st_mtim,
            .changed = facts.st_ctim,
        };
}

bool disk_is_same_file(const struct disk_mark *a, const struct disk_mark *b)
{
    return a->device == b->device && a->inode == b->inode;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool disk_has_same_times(const struct disk_mark *a, const struct disk_mark *b)
{
    return is_same_time(&a->modified, &b->modified) && is_same_time(&a->changed, &b->changed);
}

void disk_format_log(const char *path, char destination[DISK_LOG_PATH_SIZE])
{
    (void)snprintf(destination, DISK_LOG_PATH_SIZE, "%s%s", path, companions[0]);
}

bool disk_exists(const char *path, bool *ret_empty)
{
    struct stat facts;
    struct failure ignored;
    if (lstat(path, &facts) != 0) {
        *ret_empty = false;
        return errno != ENOENT;
    }
    *ret_empty = facts.st_size == 0 && check_trusted(path, &facts, &ignored) == STATUS_OK;
    return true;
}

void disk_remove(const char *path)
{
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        char companion[DISK_LOG_PATH_SIZE];
        (void)snprintf(companion, sizeof(companion), "%s%s", path, companions[i]);
        (void)unlink(companion);
    }
    (void)unlink(path);
}

/* The folder of `path`, without a slash at its end unless it is the root. */
static void folder_of(const char *path, char destination[DISK_PATH_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    (void)snprintf(destination, DISK_PATH_MAX + 1, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

bool disk_open_nameless(const char *path, int *ret_descriptor)
{
    char folder[DISK_PATH_MAX + 1];
    folder_of(path, folder);
    CLEANUP(cleanup_close) int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    /* What a file system answers that makes no file without a name; an old kernel takes the folder for the
     * file. */
    if (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char name[DISK_PATH_MAX + sizeof(".copy")];
        (void)snprintf(name, sizeof(name), "%s.copy", path);
        (void)unlink(name);
        descriptor = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (descriptor >= 0 && unlink(name) != 0)
            return false;
    }
    /* The umask may have taken bits of ours away. */
    if (descriptor < 0 || fchmod(descriptor, 0600) != 0)
        return false;
    *ret_descriptor = cleanup_take_descriptor(&descriptor);
    return true;
}

static enum status lock_folder(const char *path, struct failure *failure, int *ret_descriptor)
{
    char folder[DISK_PATH_MAX + 1];
    folder_of(path, folder);
    enum status status = file_make_folder(folder, failure);
    if (status != STATUS_OK)
        return status;
    CLEANUP(cleanup_close) int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "the folder %s cannot be opened", folder);
    status = check_local(descriptor, folder, failure);
    if (status != STATUS_OK)
        return status;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return failure_set(failure, STATUS_BUSY, "another process is making or restoring a vault in %s",
                               folder);
        return failure_set_errno(failure, STATUS_FAILED, errno, "the folder %s cannot be locked", folder);
    }
    *ret_descriptor = cleanup_take_descriptor(&descriptor);
    return STATUS_OK;
}

enum status disk_draft_begin(const char *path, struct failure *failure, struct disk_draft *ret_draft)
{
    enum status status = check_length(path, failure);
    if (status != STATUS_OK)
        return status;
    CLEANUP(disk_draft_drop) struct disk_draft draft = {.folder = -1};
    (void)snprintf(draft.path, sizeof(draft.path), "%s.new", path);
    status = lock_folder(path, failure, &draft.folder);
    if (status != STATUS_OK)
        return status;
    disk_remove(draft.path);
    CLEANUP(cleanup_close)
    int descriptor = open(draft.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* The umask may have taken bits of ours away. */
    if (descriptor < 0 || fchmod(descriptor, 0600) != 0)
        return failure_set_errno(failure, disk_write_status(errno), errno, "the vault %s cannot be made",
                                 path);
    *ret_draft = draft;
    draft.folder = -1;
    return STATUS_OK;
}

/* Never replaces a file. Not link(): a crash between it and unlink() would leave two names, which nobody
 * trusts. */
static int rename_new(const char *from, const char *to)
{
    int result = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
        struct stat facts;
        if (lstat(to, &facts) == 0) {
            errno = EEXIST;
            return -1;
        }
        result = rename(from, to);
    }
    return result;
}

static enum status sync_draft(const char *path, struct failure *failure)
{
    CLEANUP(cleanup_close) int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) != 0)
        return failure_set_errno(failure, disk_write_status(errno), errno,
                                 "the new vault %s cannot be synced", path);
    return STATUS_OK;
}

static enum status sync_folder(const struct disk_draft *draft, const char *path, struct failure *failure)
{
    if (fsync(draft->folder) == 0)
        return STATUS_OK;
    return failure_set_errno(failure, disk_write_status(errno), errno, "the folder of %s cannot be synced",
                             path);
}

static enum status check_closed(const struct disk_draft *draft, struct failure *failure)
{
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        char companion[DISK_LOG_PATH_SIZE];
        struct stat facts;
        (void)snprintf(companion, sizeof(companion), "%s%s", draft->path, companions[i]);
        if (lstat(companion, &facts) == 0)
            return failure_set(failure, STATUS_FAILED, "the new vault %s was not closed cleanly",
                               draft->path);
    }
    return STATUS_OK;
}

enum status disk_draft_publish(struct disk_draft *draft, const char *path, struct failure *failure)
{
    enum status status = check_closed(draft, failure);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        char companion[DISK_LOG_PATH_SIZE];
        struct stat facts;
        /* SQLite would play what a removed vault left there into the new one. */
        (void)snprintf(companion, sizeof(companion), "%s%s", path, companions[i]);
        if (lstat(companion, &facts) == 0)
            return failure_set(failure, STATUS_EXISTS, "%s is left of an earlier vault", companion);
    }
    status = sync_draft(draft->path, failure);
    /* That the draft's own companions are gone must not come after its new name. */
    if (status == STATUS_OK)
        status = sync_folder(draft, path, failure);
    if (status != STATUS_OK)
        return status;
    if (rename_new(draft->path, path) != 0) {
        if (errno == EEXIST)
            return failure_set(failure, STATUS_EXISTS, "there is a file at %s already", path);
        return failure_set_errno(failure, disk_write_status(errno), errno, "the vault %s cannot be made",
                                 path);
    }
    status = sync_folder(draft, path, failure);
    if (status != STATUS_OK)
        disk_remove(path);
    return status;
}

enum status disk_draft_replace(struct disk_draft *draft, const char *path, struct failure *failure,
                               bool *ret_gone)
{
    bool removed = false;
    enum status status = check_closed(draft, failure);
    if (status == STATUS_OK)
        status = sync_draft(draft->path, failure);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        char companion[DISK_LOG_PATH_SIZE];
        (void)snprintf(companion, sizeof(companion), "%s%s", path, companions[i]);
        if (unlink(companion) == 0)
            *ret_gone = removed = true;
        else if (errno != ENOENT)
            return failure_set_errno(failure, disk_write_status(errno), errno, "%s cannot be removed",
                                     companion);
    }
    if (removed)
        status = sync_folder(draft, path, failure);
    if (status != STATUS_OK)
        return status;
    *ret_gone = true;
    if (rename(draft->path, path) != 0)
        return failure_set_errno(failure, disk_write_status(errno), errno, "the vault %s cannot be replaced",
                                 path);
    return sync_folder(draft, path, failure);
}

enum status disk_check_replaceable(const char *path, struct failure *failure, bool *ret_exists)
{
    struct stat facts;
    *ret_exists = lstat(path, &facts) == 0;
    if (!*ret_exists && errno != ENOENT)
        return failure_set_errno(failure, STATUS_FAILED, errno, "%s cannot be looked at", path);
    if (*ret_exists && (!S_ISREG(facts.st_mode) || facts.st_uid != geteuid()))
        return failure_set(failure, STATUS_FOREIGN, "what is at %s is no regular file of ours", path);
    return STATUS_OK;
}

enum status disk_check_room(int descriptor, uint64_t size, const char *what, const char *path,
                            struct failure *failure)
{
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "the file system of %s cannot be read", path);
    const uint64_t room = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
    if (room >= size + DISK_SPARE)
        return STATUS_OK;
    return failure_set(failure, STATUS_LOG_UNWRITABLE,
                       "%s %s needs %llu MiB beside it, and the disk has room for %llu MiB", what, path,
                       (unsigned long long)((size + DISK_SPARE) >> 20), (unsigned long long)(room >> 20));
}

void disk_draft_drop(struct disk_draft *draft)
{
    if (draft->folder >= 0) {
        disk_remove(draft->path);
        cleanup_close(&draft->folder);
    }
}
