/* A copy of the vault's file as one commit left it, taken in parts between the turns of a vault that goes on
 * being written: what a turn commits meanwhile waits in the write-ahead log, which is not folded into the
 * file until the copy is whole. The copy has no name, so whatever happens, nothing of it stays. */
#ifndef STEPVAULT_STORE_SNAPSHOT_H
#define STEPVAULT_STORE_SNAPSHOT_H

#include "base/status.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_snapshot;

/* Folds, and makes room for the copy in the vault's folder, mode 0600. Not within a batch. STATUS_BUSY while
 * another copy is being taken; STATUS_LOG_UNWRITABLE where the disk has no room for it and DISK_SPARE
 * (disk.h) besides. */
enum status store_snapshot_start(struct store *store, struct failure *failure,
                                 struct store_snapshot **ret_snapshot);

/* True while one is not whole. */
bool store_snapshot_is_under_way(const struct store *store);

/* Copies at most `size` bytes more, not within a batch. Once it is done the snapshot needs its store no more.
 */
enum status store_snapshot_copy(struct store_snapshot *snapshot, size_t size, struct failure *failure,
                                bool *ret_done);
uint64_t store_snapshot_size(const struct store_snapshot *snapshot);
uint64_t store_snapshot_copied(const struct store_snapshot *snapshot);

/* Reads what was copied: `size` bytes from `offset`, all of them. */
enum status store_snapshot_read(const struct store_snapshot *snapshot, uint64_t offset, void *bytes,
                                size_t size, struct failure *failure);

/* Before its store is closed, if the copy is not whole. NULL inside does nothing. */
void store_snapshot_freep(struct store_snapshot **snapshot);

#endif
