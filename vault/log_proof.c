/* Proofs of RFC 9162 out of the log's tiles. */
#include "log.h"

#include "base/cleanup.h"
#include "interior.h"
#include "tile.h"

#include <inttypes.h>
#include <string.h>

/* The root over the leaves from `start`, which no full subtree of them crosses, to `start + count`. */
static enum status range_root(const struct vault *vault, uint64_t start, uint64_t count,
                              struct failure *failure, uint8_t ret_root[MERKLE_HASH_SIZE])
{
    struct merkle_edge edge = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    for (unsigned height = 64; height-- > 0;) {
        if ((count >> height & 1) == 0)
            continue;
        enum status status = tile_hash(vault, height, (start + edge.size) >> height, failure, hash);
        if (status != STATUS_OK)
            return status;
        merkle_append_subtree(&edge, hash, height);
    }
    merkle_root(ret_root, &edge);
    return STATUS_OK;
}

static enum status push(const struct vault *vault, uint64_t start, uint64_t count, struct failure *failure,
                        struct merkle_proof *proof)
{
    return range_root(vault, start, count, failure, proof->hashes[proof->count++]);
}

/* The largest power of two below n, which is at least 2. */
static uint64_t split(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

/* Collected from the root down; proofs are given from the leaf up. */
static void reverse(struct merkle_proof *proof)
{
    uint8_t hash[MERKLE_HASH_SIZE];

    for (size_t low = 0, high = proof->count; low + 1 < high; low++, high--) {
        memcpy(hash, proof->hashes[low], sizeof hash);
        memcpy(proof->hashes[low], proof->hashes[high - 1], sizeof hash);
        memcpy(proof->hashes[high - 1], hash, sizeof hash);
    }
}

static enum status check_size(const struct vault *vault, uint64_t size, struct failure *failure)
{
    if (size <= vault->log.edge.size)
        return STATUS_OK;
    return failure_set(failure, STATUS_NOT_FOUND, "the log has %" PRIu64 " entries, not %" PRIu64,
                       vault->log.edge.size, size);
}

enum status log_prove_inclusion(const struct vault *vault, uint64_t index, uint64_t size,
                                struct failure *failure, struct merkle_proof *ret_proof)
{
    uint64_t start = 0, left = index, count = size;
    enum status status = check_size(vault, size, failure);

    if (status == STATUS_OK && index >= size)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "there is no entry %" PRIu64 " among the first %" PRIu64, index, size);
    ret_proof->count = 0;
    while (status == STATUS_OK && count > 1) {
        uint64_t half = split(count);
        bool right = left >= half;
        status = right ? push(vault, start, half, failure, ret_proof)
                       : push(vault, start + half, count - half, failure, ret_proof);
        start += right ? half : 0;
        left -= right ? half : 0;
        count = right ? count - half : half;
    }
    reverse(ret_proof);
    return status;
}

enum status log_prove_consistency(const struct vault *vault, uint64_t first, uint64_t second,
                                  struct failure *failure, struct merkle_proof *ret_proof)
{
    uint64_t start = 0, left = first, count = second;
    enum status status = check_size(vault, second, failure);

    if (status == STATUS_OK && (first == 0 || first > second))
        return failure_set(failure, STATUS_INVALID,
                           "there is no proof from %" PRIu64 " to %" PRIu64 " entries", first, second);
    ret_proof->count = 0;
    while (status == STATUS_OK && left != count) {
        uint64_t half = split(count);
        bool right = left > half;
        status = right ? push(vault, start, half, failure, ret_proof)
                       : push(vault, start + half, count - half, failure, ret_proof);
        start += right ? half : 0;
        left -= right ? half : 0;
        count = right ? count - half : half;
    }
    /* The part that both trees have whole needs no hash where it is all of the first tree. */
    if (status == STATUS_OK && start > 0)
        status = push(vault, start, count, failure, ret_proof);
    reverse(ret_proof);
    return status;
}

enum status log_read_hash(const struct vault *vault, uint64_t index, struct failure *failure,
                          uint8_t ret_hash[MERKLE_HASH_SIZE])
{
    if (index >= vault->log.edge.size)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "the log has %" PRIu64 " entries, and so no entry %" PRIu64, vault->log.edge.size,
                           index);
    return tile_hash(vault, 0, index, failure, ret_hash);
}
