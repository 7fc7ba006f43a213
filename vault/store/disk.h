/* The vault's file as the file system has it: is it ours to trust, and how does a new one appear all at once.
 *
 * Nothing here opens an existing vault for reading: a process that closes any descriptor of a file loses all
 * its POSIX locks on it, SQLite's too. O_PATH descriptors are exempt. */
#ifndef STEPVAULT_STORE_DISK_H
#define STEPVAULT_STORE_DISK_H

#include "base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* SQLite takes 511 bytes of path, its suffixes included. */
#define DISK_PATH_MAX 480
#define DISK_LOG_PATH_SIZE (DISK_PATH_MAX + sizeof(".new-journal"))

/* One file, told from another that later stands under its name. */
struct disk_file {
    dev_t device;
    ino_t inode;
    bool writable;    /* it and its folder */
    bool unrecovered; /* a write-ahead log with content lies beside it */
};

/* Checks that `path` and the files SQLite keeps beside it are regular, ours, closed to group and others, of
 * one link, on a local file system. STATUS_NO_VAULT if there is no file, STATUS_FOREIGN names what is wrong.
 */
enum status disk_check(const char *path, struct failure *failure, struct disk_file *ret_file);

/* STATUS_OK if `path` still is the file that was checked; else STATUS_FOREIGN. */
enum status disk_check_same(const char *path, const struct disk_file *file, struct failure *failure);

/* What tells that a file was replaced or written. Times are those of the kernel's clock tick, some
 * milliseconds. */
struct disk_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

/* Of the file at `path` itself, no symbolic link followed; all zero where there is none or it cannot be told.
 */
void disk_read_mark(const char *path, struct disk_mark *ret_mark);
bool disk_is_same_file(const struct disk_mark *a, const struct disk_mark *b);
bool disk_has_same_times(const struct disk_mark *a, const struct disk_mark *b);

/* The name of the write-ahead log beside the file at `path`. */
void disk_format_log(const char *path, char destination[DISK_LOG_PATH_SIZE]);

/* Whether this magic number of statfs(2) stands for a file system whose locks and syncs reach over a network
 * or through another program. */
bool disk_is_remote(uint64_t magic);

/* A vault in the making, under another name in the same folder, which is locked against other makers
 * meanwhile. */
struct disk_draft {
    char path[DISK_PATH_MAX + sizeof(".new")];
    int folder; /* -1: there is no draft */
};

/* Makes and locks the folder of `path`, removes what an interrupted maker left, and makes the empty draft,
 * 0600. STATUS_BUSY while another process makes a vault there. */
enum status disk_draft_begin(const char *path, struct failure *failure, struct disk_draft *ret_draft);

/* Syncs the draft, which nobody has open, gives it the name `path` if that is free (STATUS_EXISTS) and syncs
 * the folder. The draft is then empty of content and only holds the folder's lock. */
enum status disk_draft_publish(struct disk_draft *draft, const char *path, struct failure *failure);

/* The same in the place of whatever file is at `path`, whose write-ahead log is removed first, for good, so
 * that it is never beside the draft. Whatever the log had and the file had not is lost with it, so it is to
 * be folded before. `*ret_gone` is set once the file at `path` may not be the old one any more, or not all of
 * it. */
enum status disk_draft_replace(struct disk_draft *draft, const char *path, struct failure *failure,
                               bool *ret_gone);

/* STATUS_FOREIGN if something is at `path` that a draft may not replace: no regular file, or not ours.
 * `*ret_exists` says whether there is anything. */
enum status disk_check_replaceable(const char *path, struct failure *failure, bool *ret_exists);

/* Room that what is written beside the vault leaves on the disk, for what is committed meanwhile. */
#define DISK_SPARE (16u << 20)
/* STATUS_LOG_UNWRITABLE unless the disk of the open file has room for `size` bytes and DISK_SPARE besides.
 * `what` begins a sentence: "a copy of the vault". */
enum status disk_check_room(int descriptor, uint64_t size, const char *what, const char *path,
                            struct failure *failure);

/* STATUS_LOG_UNWRITABLE for an errno that means that the disk takes no more, else STATUS_FAILED. */
enum status disk_write_status(int error);

/* Removes the draft's files, if they are still there, and unlocks the folder. */
void disk_draft_drop(struct disk_draft *draft);

/* Whether there is something at `path`, and whether it is only an empty regular file of ours. */
bool disk_exists(const char *path, bool *ret_empty);

/* Opens a new file without a name in the folder of `path`, 0600, for reading and writing. False with errno
 * set. */
bool disk_open_nameless(const char *path, int *ret_descriptor);

/* Removes a vault's file and what SQLite keeps beside it, as far as they exist. */
void disk_remove(const char *path);

#endif
