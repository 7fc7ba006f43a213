/* Growing, reading back and looking up the log's tiles. */
#include "tile.h"

#include "base/cleanup.h"
#include "interior.h"
#include "log.h"

#include <string.h>

uint64_t tile_number(unsigned level, uint64_t index)
{
    return (uint64_t)level << 56 | index;
}

/* Adds one hash to each level's unfinished tile as far as the one below fills up. Level 0 is stored when
 * full: its hashes can be had from the leaves; the levels above are stored at each step, so that the edge is
 * read back in O(log n). */
enum status tile_grow(struct vault *vault, const uint8_t leaf_hash[MERKLE_HASH_SIZE], struct failure *failure)
{
    uint64_t index = vault->log.edge.size;
    uint8_t hash[MERKLE_HASH_SIZE];

    memcpy(hash, leaf_hash, sizeof hash);
    for (unsigned level = 0; level < LOG_LEVELS; level++, index /= LOG_TILE_WIDTH) {
        uint8_t(*tail)[MERKLE_HASH_SIZE] = vault->log.tails[level];
        size_t width = index % LOG_TILE_WIDTH + 1;
        bool full = width == LOG_TILE_WIDTH;

        memcpy(tail[width - 1], hash, sizeof hash);
        if (level > 0 || full) {
            enum status status =
                store_put_blob(vault->store, STORE_TILES, tile_number(level, index / LOG_TILE_WIDTH), tail,
                               width * sizeof hash, failure);
            if (status != STATUS_OK)
                return status;
        }
        if (!full)
            break;
        merkle_tile_root(hash, (const uint8_t(*)[MERKLE_HASH_SIZE])tail, LOG_TILE_WIDTH);
    }
    return STATUS_OK;
}

/* The unfinished tile of level 0 from the leaves themselves. */
static enum status load_last_leaves(struct vault *vault, uint64_t size, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint64_t first = size - size % LOG_TILE_WIDTH;

    enum status status =
        store_list_blobs(vault->store, STORE_LEAVES, first, LOG_TILE_WIDTH, failure, &vault->rows);
    if (status != STATUS_OK)
        return status;
    if (vault->rows.count != size - first)
        return log_corrupt(vault->rows.count < size - first ? "entries are missing"
                                                            : "there are more entries than it wrote",
                           failure);
    for (uint64_t i = 0; i < vault->rows.count; i++) {
        status =
            log_open_leaf(vault, first + i, &vault->rows.blobs[i], failure, &line, vault->log.tails[0][i]);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status load_tile(struct vault *vault, unsigned level, uint64_t index, size_t width,
                             struct failure *failure)
{
    uint64_t number = tile_number(level, index);

    enum status status = store_list_blobs(vault->store, STORE_TILES, number, 1, failure, &vault->rows);
    if (status != STATUS_OK)
        return status;
    if (vault->rows.count != 1 || vault->rows.blobs[0].number != number ||
        vault->rows.blobs[0].size != width * MERKLE_HASH_SIZE)
        return log_corrupt("its tiles", failure);
    memcpy(vault->log.tails[level], vault->rows.blobs[0].bytes, width * MERKLE_HASH_SIZE);
    return STATUS_OK;
}

/* The peaks are the full subtrees within each level's unfinished tile, the highest level first. */
static void rebuild_edge(struct vault *vault, uint64_t size)
{
    struct merkle_edge edge = {0};
    uint8_t root[MERKLE_HASH_SIZE];

    for (unsigned level = LOG_LEVELS; level-- > 0;) {
        size_t width = size >> (8 * level) & (LOG_TILE_WIDTH - 1);
        size_t at = 0;
        for (unsigned height = 8; height-- > 0;) {
            if ((width >> height & 1) == 0)
                continue;
            merkle_tile_root(root, (const uint8_t(*)[MERKLE_HASH_SIZE]) & vault->log.tails[level][at],
                             (size_t)1 << height);
            merkle_append_subtree(&edge, root, 8 * level + height);
            at += (size_t)1 << height;
        }
    }
    vault->log.edge = edge;
}

static enum status load_last_position(struct vault *vault, uint64_t size, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};

    vault->log.sequence = size - log_instance_first(vault, vault->log.era_count - 1);
    return size == 0 ? STATUS_OK : log_read(vault, size - 1, failure, &line, vault->log.previous);
}

/* There must be no tile that the log did not write: each level's ends where its hashes do, and the next
 * begins. */
static enum status check_no_more_tiles(struct vault *vault, uint64_t size, struct failure *failure)
{
    for (unsigned level = 0; level < LOG_LEVELS; level++) {
        uint64_t hashes = size >> (8 * level);
        uint64_t end = level == 0 ? hashes / LOG_TILE_WIDTH : (hashes + LOG_TILE_WIDTH - 1) / LOG_TILE_WIDTH;
        enum status status =
            store_list_blobs(vault->store, STORE_TILES, tile_number(level, end), 1, failure, &vault->rows);
        if (status != STATUS_OK)
            return status;
        if (vault->rows.count > 0 &&
            (level + 1 == LOG_LEVELS || vault->rows.blobs[0].number < tile_number(level + 1, 0)))
            return log_corrupt("there are more tiles than it wrote", failure);
    }
    return STATUS_OK;
}

enum status tile_load_edge(struct vault *vault, uint64_t size, struct failure *failure)
{
    enum status status = load_last_leaves(vault, size, failure);

    for (unsigned level = 1; status == STATUS_OK && level < LOG_LEVELS; level++) {
        size_t width = size >> (8 * level) & (LOG_TILE_WIDTH - 1);
        if (width > 0)
            status = load_tile(vault, level, size >> (8 * (level + 1)), width, failure);
    }
    if (status == STATUS_OK)
        status = check_no_more_tiles(vault, size, failure);
    if (status == STATUS_OK)
        status = size == 0 ? STATUS_OK : log_check_pruned(vault, failure);
    if (status == STATUS_OK)
        status = load_last_position(vault, size, failure);
    if (status == STATUS_OK)
        rebuild_edge(vault, size);
    return status;
}

/* Hashes `from` to `from + count` of a tile, which are the roots of 256^level leaves each. */
static enum status read_hashes(const struct vault *vault, unsigned level, uint64_t tile, size_t from,
                               size_t count, struct failure *failure, uint8_t (*hashes)[MERKLE_HASH_SIZE])
{
    CLEANUP(store_rows_reset) struct store_rows rows = {0};

    if (tile == vault->log.edge.size >> (8 * (level + 1))) {
        memcpy(hashes, vault->log.tails[level][from], count * MERKLE_HASH_SIZE);
        return STATUS_OK;
    }
    enum status status =
        store_list_blobs(vault->store, STORE_TILES, tile_number(level, tile), 1, failure, &rows);
    if (status != STATUS_OK)
        return status;
    if (rows.count != 1 || rows.blobs[0].number != tile_number(level, tile) ||
        rows.blobs[0].size != LOG_TILE_WIDTH * MERKLE_HASH_SIZE)
        return log_corrupt("its tiles", failure);
    memcpy(hashes, rows.blobs[0].bytes + from * MERKLE_HASH_SIZE, count * MERKLE_HASH_SIZE);
    return STATUS_OK;
}

enum status tile_hash(const struct vault *vault, unsigned height, uint64_t index, struct failure *failure,
                      uint8_t ret_hash[MERKLE_HASH_SIZE])
{
    uint8_t hashes[LOG_TILE_WIDTH / 2][MERKLE_HASH_SIZE];
    unsigned level = height / 8;
    size_t count = (size_t)1 << height % 8;
    uint64_t first = index * count;

    enum status status =
        read_hashes(vault, level, first / LOG_TILE_WIDTH, first % LOG_TILE_WIDTH, count, failure, hashes);
    if (status == STATUS_OK)
        merkle_tile_root(ret_hash, (const uint8_t(*)[MERKLE_HASH_SIZE])hashes, count);
    return status;
}
