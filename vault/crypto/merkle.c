/* The Merkle tree of the log. */
#include "crypto/merkle.h"

#include <sodium.h>
#include <string.h>

#define TILE_WIDTH 256

void merkle_hash_leaf(uint8_t destination[MERKLE_HASH_SIZE], const void *leaf, size_t size)
{
    static const uint8_t prefix = 0x00;
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, &prefix, 1);
    crypto_hash_sha256_update(&state, leaf, size);
    crypto_hash_sha256_final(&state, destination);
}

void merkle_hash_node(uint8_t destination[MERKLE_HASH_SIZE], const uint8_t left[MERKLE_HASH_SIZE],
                      const uint8_t right[MERKLE_HASH_SIZE])
{
    uint8_t node[1 + 2 * MERKLE_HASH_SIZE];

    node[0] = 0x01;
    memcpy(node + 1, left, MERKLE_HASH_SIZE);
    memcpy(node + 1 + MERKLE_HASH_SIZE, right, MERKLE_HASH_SIZE);
    crypto_hash_sha256(destination, node, sizeof(node));
}

void merkle_append(struct merkle_edge *edge, const uint8_t leaf_hash[MERKLE_HASH_SIZE])
{
    merkle_append_subtree(edge, leaf_hash, 0);
}

void merkle_append_subtree(struct merkle_edge *edge, const uint8_t root[MERKLE_HASH_SIZE], unsigned height)
{
    uint8_t hash[MERKLE_HASH_SIZE];

    memcpy(hash, root, sizeof(hash));
    /* As adding 1 carries through the set bits of a number, a subtree joins the peaks of its own height
     * upwards. */
    for (uint64_t bits = edge->size >> height; (bits & 1) != 0; bits >>= 1)
        merkle_hash_node(hash, edge->peaks[--edge->peak_count], hash);
    memcpy(edge->peaks[edge->peak_count++], hash, sizeof(hash));
    edge->size += UINT64_C(1) << height;
}

void merkle_root(uint8_t destination[MERKLE_HASH_SIZE], const struct merkle_edge *edge)
{
    unsigned left = edge->peak_count;

    if (left == 0) {
        crypto_hash_sha256(destination, NULL, 0);
        return;
    }
    memcpy(destination, edge->peaks[--left], MERKLE_HASH_SIZE);
    while (left > 0)
        merkle_hash_node(destination, edge->peaks[--left], destination);
}

void merkle_tile_root(uint8_t destination[MERKLE_HASH_SIZE], const uint8_t (*hashes)[MERKLE_HASH_SIZE],
                      size_t count)
{
    uint8_t level[TILE_WIDTH][MERKLE_HASH_SIZE];

    memcpy(level, hashes, count * MERKLE_HASH_SIZE);
    for (; count > 1; count /= 2) {
        for (size_t at = 0; at < count / 2; at++)
            merkle_hash_node(level[at], level[2 * at], level[2 * at + 1]);
    }
    memcpy(destination, level[0], MERKLE_HASH_SIZE);
}

/* The climb from a leaf, or from a complete subtree, to the root: the position at the present level, and the
 * last position of that level. */
struct climb {
    uint64_t at;
    uint64_t last;
};

static void climb_up(struct climb *climb)
{
    climb->at >>= 1;
    climb->last >>= 1;
}

/* Takes one step; true if the proof's hash stands to the left there, false if to the right. */
static bool climb_step(struct climb *climb)
{
    bool left = (climb->at & 1) != 0 || climb->at == climb->last;

    /* The last node of a level that has no sibling is carried up unchanged until it is a right child. */
    while (left && (climb->at & 1) == 0 && climb->at != 0)
        climb_up(climb);
    climb_up(climb);
    return left;
}

bool merkle_verify_inclusion(const uint8_t leaf_hash[MERKLE_HASH_SIZE], uint64_t index, uint64_t size,
                             const uint8_t (*proof)[MERKLE_HASH_SIZE], size_t count,
                             const uint8_t root[MERKLE_HASH_SIZE])
{
    struct climb climb = {.at = index, .last = size - 1};
    uint8_t hash[MERKLE_HASH_SIZE];

    if (index >= size || count > MERKLE_PROOF_MAX)
        return false;
    memcpy(hash, leaf_hash, sizeof(hash));
    for (size_t at = 0; at < count; at++) {
        if (climb.last == 0)
            return false;
        if (climb_step(&climb))
            merkle_hash_node(hash, proof[at], hash);
        else
            merkle_hash_node(hash, hash, proof[at]);
    }
    return climb.last == 0 && memcmp(hash, root, sizeof(hash)) == 0;
}

bool merkle_verify_consistency(uint64_t first, uint64_t second, const uint8_t (*proof)[MERKLE_HASH_SIZE],
                               size_t count, const uint8_t first_root[MERKLE_HASH_SIZE],
                               const uint8_t second_root[MERKLE_HASH_SIZE])
{
    struct climb climb = {.at = first - 1, .last = second - 1};
    uint8_t old[MERKLE_HASH_SIZE];
    uint8_t new[MERKLE_HASH_SIZE];
    size_t at = 0;

    if (first == 0 || first > second || count > MERKLE_PROOF_MAX)
        return false;
    if (first == second)
        return count == 0 && memcmp(first_root, second_root, MERKLE_HASH_SIZE) == 0;
    if (count == 0)
        return false;
    while ((climb.at & 1) != 0)
        climb_up(&climb);
    /* A tree of a power of two leaves is a subtree of the second, and its root the start of the climb. */
    memcpy(old, (first & (first - 1)) == 0 ? first_root : proof[at++], sizeof(old));
    memcpy(new, old, sizeof(new));
    for (; at < count; at++) {
        if (climb.last == 0)
            return false;
        if (climb_step(&climb)) {
            merkle_hash_node(old, proof[at], old);
            merkle_hash_node(new, proof[at], new);
        } else {
            merkle_hash_node(new, new, proof[at]);
        }
    }
    return climb.last == 0 && memcmp(old, first_root, sizeof(old)) == 0 &&
           memcmp(new, second_root, sizeof(new)) == 0;
}
