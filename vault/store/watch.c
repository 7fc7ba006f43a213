/* Noticing what others do to the vault's files while they are open. */
#include "store/frames.h"
#include "store/interior.h"

#include <unistd.h>

static void read_marks(const struct store *store, struct disk_mark *ret_file, struct disk_mark *ret_log)
{
    char log[DISK_LOG_PATH_SIZE];
    disk_read_mark(store->sqlite->path, ret_file);
    disk_format_log(store->sqlite->path, log);
    disk_read_mark(log, ret_log);
}

enum status store_watch(struct store *store, const struct disk_file *file, struct failure *failure)
{
    struct watch *watch = &store->watch;
    read_marks(store, &watch->file, &watch->log);
    if (watch->file.device != file->device || watch->file.inode != file->inode)
        return disk_check_same(store->sqlite->path, file, failure);
    watch->begun = true;
    return STATUS_OK;
}

void store_mark(struct store *store, bool folded)
{
    struct watch *watch = &store->watch;
    struct disk_mark now;
    char log[DISK_LOG_PATH_SIZE];
    if (!watch->begun || watch->left)
        return;
    /* Only of what is still ours: a look must find what came in between. */
    disk_format_log(store->sqlite->path, log);
    disk_read_mark(log, &now);
    if (disk_is_same_file(&now, &watch->log))
        watch->log = now;
    if (!folded)
        return;
    disk_read_mark(store->sqlite->path, &now);
    if (disk_is_same_file(&now, &watch->file))
        watch->file = now;
}

static enum status foreign_name(const char *what, const struct store *store, const struct disk_mark *now,
                                struct failure *failure)
{
    return failure_set(failure, STATUS_FOREIGN, "%s%s was %s while it was open", what, store->sqlite->path,
                       now->inode == 0 ? "moved or removed" : "replaced by another file");
}

static enum status foreign_size(const char *what, const struct store *store, const struct disk_mark *now,
                                const struct disk_mark *left, struct failure *failure)
{
    return failure_set(
        failure, STATUS_FOREIGN,
        "%s%s was written by something else while it was open: it has %lld bytes, and was left with %lld",
        what, store->sqlite->path, (long long)now->size, (long long)left->size);
}

enum status store_look(struct store *store, struct failure *failure, bool *ret_touched)
{
    static const char of_log[] = "the write-ahead log of ";
    struct watch *watch = &store->watch;
    struct disk_mark *file = &watch->seen_file;
    struct disk_mark *log = &watch->seen_log;
    *ret_touched = false;
    if (!watch->begun)
        return STATUS_OK;
    read_marks(store, file, log);
    watch->moved = true;
    if (!disk_is_same_file(file, &watch->file))
        return foreign_name("", store, file, failure);
    if (!disk_is_same_file(log, &watch->log))
        return foreign_name(of_log, store, log, failure);
    watch->moved = false;
    if (file->size != watch->file.size)
        return foreign_size("", store, file, &watch->file, failure);
    if (log->size != watch->log.size)
        return foreign_size(of_log, store, log, &watch->log, failure);
    *ret_touched = !disk_has_same_times(file, &watch->file) || !disk_has_same_times(log, &watch->log);
    return STATUS_OK;
}

void store_accept(struct store *store)
{
    store->watch.file = store->watch.seen_file;
    store->watch.log = store->watch.seen_log;
}

enum status store_refresh(struct store *store, struct failure *failure)
{
    struct frames frames;
    enum status status = sqlite_forget(store->sqlite, failure);
    if (status == STATUS_OK)
        status = sqlite_identify(store->sqlite, failure);
    if (status == STATUS_OK)
        status = frames_load(store->sqlite, failure, &frames);
    if (status == STATUS_OK)
        frames_reset(&frames);
    return status;
}

void store_leave(struct store *store)
{
    store->watch.left = true;
}

enum status store_retire(struct store *store, struct failure *failure)
{
    struct failure ignored;
    bool touched = false;
    enum status status = STATUS_OK;
    store_rollback(store);
    if (!store->sqlite->immutable && store_look(store, &ignored, &touched) == STATUS_OK)
        status = sqlite_fold(store->sqlite, failure);
    if (status != STATUS_OK && status != STATUS_CORRUPT)
        return status;
    store_mark(store, true);
    store_leave(store);
    return STATUS_OK;
}

void store_resume(struct store *store)
{
    store->watch.left = false;
    store_mark(store, true);
}

/* Whether what SQLite has open, whatever its name is now, has the size that we left it with. */
static bool is_as_left(const struct store *store, int which, const struct disk_mark *mark)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    return sqlite3_file_control(store->sqlite->handle, "main", which, (void *)&file) == SQLITE_OK &&
           (file->pMethods == NULL ||
            (file->pMethods->xFileSize(file, &size) == SQLITE_OK && size == mark->size));
}

/* Our log beside somebody else's file would be played into that when it is opened, so ours is brought to its
 * end, which goes by what is open and not by name. */
static void fold_moved(struct store *store)
{
    struct failure ignored;
    if (is_as_left(store, SQLITE_FCNTL_FILE_POINTER, &store->watch.file) &&
        is_as_left(store, SQLITE_FCNTL_JOURNAL_POINTER, &store->watch.log) &&
        sqlite_fold(store->sqlite, &ignored) == STATUS_OK)
        store->watch.log.size = 0;
}

static void remove_empty_log(const char *path, const struct disk_mark *left)
{
    struct disk_mark now;
    disk_read_mark(path, &now);
    if (now.inode != 0 && disk_is_same_file(&now, left) && now.size == 0 && left->size == 0)
        (void)unlink(path);
}

void store_release(struct store *store)
{
    char log[DISK_LOG_PATH_SIZE];
    struct failure ignored;
    bool touched = false;
    if (store->sqlite == NULL)
        return;
    if (!store->watch.left && store_look(store, &ignored, &touched) != STATUS_OK)
        store->watch.left = true;
    if (!store->watch.left) {
        sqlite_freep(&store->sqlite);
        return;
    }
    store_rollback(store);
    if (store->watch.moved)
        fold_moved(store);
    sqlite_keep_files(store->sqlite);
    disk_format_log(store->sqlite->path, log);
    sqlite_freep(&store->sqlite);
    remove_empty_log(log, &store->watch.log);
}
