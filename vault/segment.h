/* Segments of the access log: runs of leaves that are sealed under one key. The keys are wrapped by the log
 * reading key, so that an exchange of that key (rekey) re-seals no leaf. docs/FORMAT.md, section 7. */
#ifndef STEPVAULT_SEGMENT_H
#define STEPVAULT_SEGMENT_H

#include "base/status.h"
#include "crypto/seal.h"
#include "vault.h"

#include <stddef.h>
#include <stdint.h>

/* Opened; in secret memory. */
struct segment {
    uint64_t first; /* leaf */
    uint8_t key[SEAL_KEY_SIZE];
};

/* Opens the keys of all segments of the log, which has `size` leaves. STATUS_CORRUPT unless the first one
 * begins with leaf 0 and none beyond the log. */
enum status segment_open_all(struct vault *vault, uint64_t size, struct failure *failure);

/* The segment of leaf `index`; lives until a segment is begun or the vault closed. */
const struct segment *segment_find(const struct vault *vault, uint64_t index);

/* Begins a segment at the log's size, within a turn. */
enum status segment_begin(struct vault *vault, struct failure *failure);

/* Wraps the keys of all segments anew, under the log reading key as it is now, within a turn. */
enum status segment_rewrap(struct vault *vault, struct failure *failure);

/* Forgets the segments that were begun beyond the first `count`. */
void segment_forget(struct vault *vault, size_t count);

#endif
