/* The vault's file is read through SQLite's own descriptor: to close any other one of the same file would
 * drop the locks that keep others away from it. */
#include "store/snapshot.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "store/interior.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PART 65536u

struct store_snapshot {
    struct store *store; /* NULL once the copy is whole */
    sqlite3_file *file;
    int copy;
    uint64_t size;
    uint64_t copied;
};

uint64_t store_snapshot_size(const struct store_snapshot *snapshot)
{
    return snapshot->size;
}

uint64_t store_snapshot_copied(const struct store_snapshot *snapshot)
{
    return snapshot->copied;
}

static void let_fold(struct store_snapshot *snapshot)
{
    if (snapshot->store != NULL)
        snapshot->store->sqlite->held = false;
    snapshot->store = NULL;
}

void store_snapshot_freep(struct store_snapshot **snapshot)
{
    if (*snapshot == NULL)
        return;
    let_fold(*snapshot);
    cleanup_close(&(*snapshot)->copy);
    free(*snapshot);
    *snapshot = NULL;
}

static enum status fail_copy(const char *path, int error, struct failure *failure)
{
    return failure_set_errno(failure, disk_write_status(error), error,
                             "no copy of the vault %s can be written beside it", path);
}

static enum status find_file(struct store_snapshot *snapshot, struct failure *failure)
{
    struct sqlite *sqlite = snapshot->store->sqlite;
    sqlite3_int64 size = 0;
    int code =
        sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&snapshot->file);
    if (code == SQLITE_OK)
        code = snapshot->file->pMethods->xFileSize(snapshot->file, &size);
    if (code != SQLITE_OK)
        return sqlite_fail(sqlite, code, failure);
    snapshot->size = (uint64_t)size;
    return STATUS_OK;
}

bool store_snapshot_is_under_way(const struct store *store)
{
    return store->sqlite->held;
}

enum status store_snapshot_start(struct store *store, struct failure *failure,
                                 struct store_snapshot **ret_snapshot)
{
    const char *path = store->sqlite->path;
    if (store->in_batch)
        return failure_set(failure, STATUS_FAILED, "a batch is open on the vault %s", path);
    if (store->sqlite->held)
        return failure_set(failure, STATUS_BUSY, "the vault %s is being copied already", path);
    CLEANUP(store_snapshot_freep) struct store_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return failure_set_no_memory(failure);
    snapshot->copy = -1;
    enum status status = sqlite_fold_in_place(store->sqlite, failure);
    if (status != STATUS_OK)
        return status;
    store_mark(store, true);
    snapshot->store = store;
    store->sqlite->held = true;
    status = find_file(snapshot, failure);
    if (status == STATUS_OK && !disk_open_nameless(path, &snapshot->copy))
        status = fail_copy(path, errno, failure);
    if (status == STATUS_OK)
        status = disk_check_room(snapshot->copy, snapshot->size, "a copy of the vault", path, failure);
    if (status == STATUS_OK)
        *ret_snapshot = TAKE(snapshot);
    return status;
}

enum status store_snapshot_copy(struct store_snapshot *snapshot, size_t size, struct failure *failure,
                                bool *ret_done)
{
    static uint8_t part[PART]; /* ciphertext */
    const uint64_t end = snapshot->size - snapshot->copied > size ? snapshot->copied + size : snapshot->size;
    while (snapshot->copied < end) {
        const struct sqlite *sqlite = snapshot->store->sqlite;
        const int count = (int)(end - snapshot->copied > PART ? PART : end - snapshot->copied);
        int code =
            snapshot->file->pMethods->xRead(snapshot->file, part, count, (sqlite3_int64)snapshot->copied);
        if (code != SQLITE_OK)
            return sqlite_fail(sqlite, code, failure);
        if (!file_write_all(snapshot->copy, part, (size_t)count))
            return fail_copy(sqlite->path, errno, failure);
        snapshot->copied += (uint64_t)count;
    }
    *ret_done = snapshot->copied == snapshot->size;
    if (*ret_done)
        let_fold(snapshot);
    return STATUS_OK;
}

enum status store_snapshot_read(const struct store_snapshot *snapshot, uint64_t offset, void *bytes,
                                size_t size, struct failure *failure)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(snapshot->copy, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return failure_set_errno(failure, STATUS_FAILED, count < 0 ? errno : EIO,
                                     "the copy of the vault cannot be read");
        done += (size_t)count;
    }
    return STATUS_OK;
}
