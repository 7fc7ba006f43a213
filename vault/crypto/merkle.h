/* Merkle tree of the log: RFC 6962, section 2.1 (SHA-256), with the proofs of RFC 9162, sections 2.1.3.2
 * and 2.1.4.2. */
#ifndef STEPVAULT_CRYPTO_MERKLE_H
#define STEPVAULT_CRYPTO_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERKLE_HASH_SIZE 32u
#define MERKLE_PROOF_MAX 64u

/* The right edge of a tree: enough to append and to know the root. All zero is the empty tree. */
struct merkle_edge {
    uint64_t size;       /* leaves */
    unsigned peak_count; /* set bits of size */
    uint8_t peaks[64][MERKLE_HASH_SIZE];
};

/* An audit path or a consistency proof, in the order of RFC 9162 (from the leaf up). */
struct merkle_proof {
    size_t count;
    uint8_t hashes[MERKLE_PROOF_MAX][MERKLE_HASH_SIZE];
};

/* Streaming SHA-256 of 0x00 || leaf, and of 0x01 || left || right. */
void merkle_hash_leaf(uint8_t destination[MERKLE_HASH_SIZE], const void *leaf, size_t size);
void merkle_hash_node(uint8_t destination[MERKLE_HASH_SIZE], const uint8_t left[MERKLE_HASH_SIZE],
                      const uint8_t right[MERKLE_HASH_SIZE]);

/* Appends a leaf hash: amortised O(1). */
void merkle_append(struct merkle_edge *edge, const uint8_t leaf_hash[MERKLE_HASH_SIZE]);

/* Appends the root of a full subtree of 2^height leaves; edge->size must be a multiple of 2^height. */
void merkle_append_subtree(struct merkle_edge *edge, const uint8_t root[MERKLE_HASH_SIZE], unsigned height);

/* The root; SHA-256 of nothing for the empty tree. */
void merkle_root(uint8_t destination[MERKLE_HASH_SIZE], const struct merkle_edge *edge);

/* Root of `count` (a power of two, at most 256) consecutive hashes of one level. */
void merkle_tile_root(uint8_t destination[MERKLE_HASH_SIZE], const uint8_t (*hashes)[MERKLE_HASH_SIZE],
                      size_t count);

/* Verify proofs; every element is 32 bytes, `count` at most MERKLE_PROOF_MAX. */
bool merkle_verify_inclusion(const uint8_t leaf_hash[MERKLE_HASH_SIZE], uint64_t index, uint64_t size,
                             const uint8_t (*proof)[MERKLE_HASH_SIZE], size_t count,
                             const uint8_t root[MERKLE_HASH_SIZE]);
bool merkle_verify_consistency(uint64_t first, uint64_t second, const uint8_t (*proof)[MERKLE_HASH_SIZE],
                               size_t count, const uint8_t first_root[MERKLE_HASH_SIZE],
                               const uint8_t second_root[MERKLE_HASH_SIZE]);

#endif
