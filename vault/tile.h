/* The interior hashes of the log, in tiles of 256: docs/FORMAT.md, section 8. For vault/ alone. */
#ifndef STEPVAULT_TILE_H
#define STEPVAULT_TILE_H

#include "base/status.h"
#include "crypto/merkle.h"
#include "vault.h"

#include <stdint.h>

/* The number of a tile's row. */
uint64_t tile_number(unsigned level, uint64_t index);

/* Adds the hash of the next leaf to the tiles, within a turn. */
enum status tile_grow(struct vault *vault, const uint8_t leaf_hash[MERKLE_HASH_SIZE],
                      struct failure *failure);

/* Reads the right edge of a log of `size` leaves, and that there is nothing beyond it. */
enum status tile_load_edge(struct vault *vault, uint64_t size, struct failure *failure);

/* The root of the full subtree of 2^height leaves from leaf index * 2^height on, of the committed log. It
 * comes from the tiles as they are stored, which a proof made of it puts to the test. */
enum status tile_hash(const struct vault *vault, unsigned height, uint64_t index, struct failure *failure,
                      uint8_t ret_hash[MERKLE_HASH_SIZE]);

#endif
