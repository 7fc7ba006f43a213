/* Verifying the whole log in slices: every leaf, the writer's chain, tiles, kept checkpoints, root, rows. */
#include "log.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "interior.h"
#include "tile.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    uint64_t size;
    bool given; /* by the caller, not kept by the vault */
    uint8_t root[MERKLE_HASH_SIZE];
    bool met; /* by the tree of that size */
};

struct log_verification {
    struct vault *vault;
    bool alone;    /* neither rows nor kept checkpoints end it */
    uint64_t size; /* the log's when the verification began */
    uint8_t root[MERKLE_HASH_SIZE];
    struct merkle_edge edge; /* what was read so far */
    uint64_t pruned;         /* of that without a line */
    uint8_t (*tails)[LOG_TILE_WIDTH][MERKLE_HASH_SIZE];
    uint8_t previous[MERKLE_HASH_SIZE];
    size_t era;                     /* of the next leaf */
    char tag[2 * LOG_TAG_SIZE + 1]; /* what the last leaf with one says of the state */
    uint64_t tag_index;
    struct kept *kept; /* in order of size */
    size_t kept_count;
    size_t kept_next;
    struct store_rows rows;
    struct secret line;
};

void log_verification_freep(struct log_verification **verification)
{
    if (*verification == NULL)
        return;
    free((*verification)->tails);
    free((*verification)->kept);
    store_rows_reset(&(*verification)->rows);
    secret_reset(&(*verification)->line);
    free(*verification);
    *verification = NULL;
}

/* Every kept checkpoint must carry our signature; its root is compared when the reading gets there. */
static enum status load_checkpoints(struct log_verification *verification, struct failure *failure)
{
    char note[NOTE_MAX];
    uint64_t next = 0, time_ms;
    size_t era;

    for (;;) {
        enum status status = store_list_blobs(verification->vault->store, STORE_CHECKPOINTS, next,
                                              LOG_TILE_WIDTH, failure, &verification->rows);
        if (status != STATUS_OK || verification->rows.count == 0)
            return status;
        struct kept *kept = reallocarray(verification->kept,
                                         verification->kept_count + verification->rows.count, sizeof *kept);
        if (kept == NULL)
            return failure_set_no_memory(failure);
        verification->kept = kept;
        for (size_t i = 0; i < verification->rows.count; i++) {
            const struct store_blob *blob = &verification->rows.blobs[i];
            struct note_checkpoint checkpoint;
            status = log_open_checkpoint(verification->vault, blob, failure, &time_ms, note);
            if (status == STATUS_OK)
                status = log_verify_note(verification->vault, note, failure, &checkpoint, &era);
            if (status == STATUS_NO_MEMORY)
                return status;
            if (status != STATUS_OK || checkpoint.size != blob->number)
                return failure_set(failure, STATUS_CORRUPT,
                                   "the checkpoint kept at size %" PRIu64 " is not one of this log",
                                   blob->number);
            kept[verification->kept_count] = (struct kept){.size = checkpoint.size};
            memcpy(kept[verification->kept_count++].root, checkpoint.root, MERKLE_HASH_SIZE);
        }
        next = verification->rows.blobs[verification->rows.count - 1].number + 1;
    }
}

static enum status start(struct vault *vault, struct failure *failure,
                         struct log_verification **ret_verification)
{
    CLEANUP(log_verification_freep) struct log_verification *verification = calloc(1, sizeof *verification);

    if (verification == NULL)
        return failure_set_no_memory(failure);
    verification->vault = vault;
    verification->tails = calloc(LOG_LEVELS, sizeof *verification->tails);
    if (verification->tails == NULL)
        return failure_set_no_memory(failure);
    *ret_verification = TAKE(verification);
    return STATUS_OK;
}

enum status log_verification_start(struct vault *vault, struct failure *failure,
                                   struct log_verification **ret_verification)
{
    CLEANUP(log_verification_freep) struct log_verification *verification = NULL;

    enum status status = store_refresh(vault->store, failure);
    if (status == STATUS_OK)
        status = start(vault, failure, &verification);
    if (status != STATUS_OK)
        return status;
    verification->size = vault->log.edge.size;
    merkle_root(verification->root, &vault->log.edge);
    status = load_checkpoints(verification, failure);
    if (status == STATUS_OK)
        *ret_verification = TAKE(verification);
    return status;
}

enum status log_verification_start_alone(struct vault *vault, const struct note_checkpoint *head,
                                         struct failure *failure, struct log_verification **ret_verification)
{
    enum status status = start(vault, failure, ret_verification);

    if (status != STATUS_OK)
        return status;
    (*ret_verification)->alone = true;
    (*ret_verification)->size = head->size;
    memcpy((*ret_verification)->root, head->root, MERKLE_HASH_SIZE);
    return STATUS_OK;
}

enum status log_verification_against(struct log_verification *verification,
                                     const struct note_checkpoint *checkpoint, struct failure *failure)
{
    struct kept *kept = reallocarray(verification->kept, verification->kept_count + 1, sizeof *kept);
    size_t at = verification->kept_count;

    if (kept == NULL)
        return failure_set_no_memory(failure);
    verification->kept = kept;
    while (at > 0 && kept[at - 1].size > checkpoint->size) {
        kept[at] = kept[at - 1];
        at--;
    }
    kept[at] = (struct kept){.size = checkpoint->size, .given = true};
    memcpy(kept[at].root, checkpoint->root, sizeof kept[at].root);
    verification->kept_count++;
    return STATUS_OK;
}

/* The first line of an era announces its key. */
static enum status check_first(struct log_verification *verification, struct failure *failure)
{
    CLEANUP(json_freep) struct json *json = NULL;

    enum status status = json_parse(verification->line.bytes, verification->line.size,
                                    "an entry of the access log", failure, &json);
    return status == STATUS_OK ? era_check_first(verification->vault, verification->era, json, failure)
                               : status;
}

/* The line names its place in the writer's chain, and its era. */
static enum status check_chain(struct log_verification *verification, uint64_t index, struct failure *failure)
{
    const struct vault *vault = verification->vault;
    const struct log_era *era = &vault->log.eras[verification->era];
    uint64_t sequence = index - log_instance_first(vault, verification->era);
    char previous[2 * MERKLE_HASH_SIZE + 1];
    struct leaf_stated stated;

    text_to_hex(previous, verification->previous, sizeof verification->previous);
    if (!leaf_read_position(secret_text(&verification->line), &stated))
        return log_corrupt_leaf(index, "its beginning", failure);
    if (strncmp(stated.writer, era->instance, strlen(era->instance)) != 0)
        return log_corrupt_leaf(index, "its writer", failure);
    if (stated.sequence != sequence)
        return log_corrupt_leaf(index, "its number", failure);
    if (stated.epoch != era->epoch)
        return log_corrupt_leaf(index, "its epoch", failure);
    if (stated.state_tag != NULL) {
        snprintf(verification->tag, sizeof verification->tag, "%s", stated.state_tag);
        verification->tag_index = index;
    }
    if (sequence == 0 ? stated.previous != NULL
                      : stated.previous == NULL || strncmp(stated.previous, previous, strlen(previous)) != 0)
        return log_corrupt_leaf(index, "the entry before it", failure);
    return verification->era > 0 && index == era->first ? check_first(verification, failure) : STATUS_OK;
}

/* How many hashes the tile has by now; it may have grown since the verification began. */
static size_t current_width(const struct vault *vault, unsigned level, uint64_t index)
{
    uint64_t hashes = (vault->log.edge.size >> (8 * level)) - index * LOG_TILE_WIDTH;

    return hashes < LOG_TILE_WIDTH ? (size_t)hashes : LOG_TILE_WIDTH;
}

static enum status check_tile(struct log_verification *verification, unsigned level, uint64_t index,
                              size_t width, struct failure *failure)
{
    uint64_t number = tile_number(level, index);
    size_t size = current_width(verification->vault, level, index) * MERKLE_HASH_SIZE;
    struct store_rows rows = {0};

    enum status status = store_list_blobs(verification->vault->store, STORE_TILES, number, 1, failure, &rows);
    if (status == STATUS_OK &&
        (rows.count != 1 || rows.blobs[0].number != number || rows.blobs[0].size != size ||
         memcmp(rows.blobs[0].bytes, verification->tails[level], width * MERKLE_HASH_SIZE) != 0))
        status = failure_set(failure, STATUS_CORRUPT,
                             "tile %" PRIu64 " of level %u of the access log is not what the vault wrote",
                             index, level);
    store_rows_reset(&rows);
    return status;
}

/* Puts the hash into the tiles and compares each tile that is thereby complete with the stored one. */
static enum status grow(struct log_verification *verification, const uint8_t leaf_hash[MERKLE_HASH_SIZE],
                        struct failure *failure)
{
    uint64_t index = verification->edge.size;
    uint8_t hash[MERKLE_HASH_SIZE];

    memcpy(hash, leaf_hash, sizeof hash);
    for (unsigned level = 0; level < LOG_LEVELS; level++, index /= LOG_TILE_WIDTH) {
        uint8_t(*tail)[MERKLE_HASH_SIZE] = verification->tails[level];
        memcpy(tail[index % LOG_TILE_WIDTH], hash, sizeof hash);
        if (index % LOG_TILE_WIDTH + 1 < LOG_TILE_WIDTH)
            break;
        enum status status = check_tile(verification, level, index / LOG_TILE_WIDTH, LOG_TILE_WIDTH, failure);
        if (status != STATUS_OK)
            return status;
        merkle_tile_root(hash, (const uint8_t(*)[MERKLE_HASH_SIZE])tail, LOG_TILE_WIDTH);
    }
    merkle_append(&verification->edge, leaf_hash);
    return STATUS_OK;
}

static enum status check_kept(struct log_verification *verification, struct failure *failure)
{
    uint8_t root[MERKLE_HASH_SIZE];

    while (verification->kept_next < verification->kept_count &&
           verification->kept[verification->kept_next].size == verification->edge.size) {
        struct kept *kept = &verification->kept[verification->kept_next++];
        merkle_root(root, &verification->edge);
        kept->met = memcmp(root, kept->root, sizeof root) == 0;
        if (kept->met || verification->alone)
            continue;
        if (kept->given)
            return failure_set(failure, STATUS_ROLLED_BACK,
                               "the log did not grow from the checkpoint: its first %" PRIu64
                               " entries have another root, so one of the two is of a branch",
                               kept->size);
        return failure_set(failure, STATUS_CORRUPT,
                           "the log differs from the checkpoint kept at size %" PRIu64, kept->size);
    }
    return STATUS_OK;
}

/* One more leaf, by its hash. */
static enum status advance(struct log_verification *verification, const uint8_t hash[MERKLE_HASH_SIZE],
                           struct failure *failure)
{
    const struct log *log = &verification->vault->log;

    enum status status = grow(verification, hash, failure);
    if (status != STATUS_OK)
        return status;
    memcpy(verification->previous, hash, sizeof verification->previous);
    if (verification->era + 1 < log->era_count &&
        log->eras[verification->era + 1].first == verification->edge.size)
        verification->era++;
    return check_kept(verification, failure);
}

static enum status check_leaf(struct log_verification *verification, const struct store_blob *blob,
                              struct failure *failure)
{
    uint64_t index = verification->edge.size;
    uint8_t hash[MERKLE_HASH_SIZE];

    enum status status = log_open_leaf(verification->vault, index, blob, failure, &verification->line, hash);
    if (status == STATUS_OK)
        status = check_chain(verification, index, failure);
    return status == STATUS_OK ? advance(verification, hash, failure) : status;
}

/* One that kept its line among those that were pruned. */
static enum status check_kept_leaf(struct log_verification *verification, struct failure *failure)
{
    CLEANUP(store_rows_reset) struct store_rows rows = {0};
    uint64_t index = verification->edge.size;

    enum status status = store_list_blobs(verification->vault->store, STORE_LEAVES, index, 1, failure, &rows);
    if (status == STATUS_OK && rows.count == 0)
        status = log_corrupt_leaf(index, "it is missing", failure);
    return status == STATUS_OK ? check_leaf(verification, &rows.blobs[0], failure) : status;
}

/* Leaves whose lines are gone, from the beginning of their tile: its hashes are held to the root by the tiles
 * above it. `count` is less than the tile has where the log has grown, and was pruned, since the beginning.
 */
static enum status check_pruned(struct log_verification *verification, size_t count, struct failure *failure)
{
    uint64_t number = tile_number(0, verification->edge.size / LOG_TILE_WIDTH);
    struct store_rows *rows = &verification->rows;

    enum status status = store_list_blobs(verification->vault->store, STORE_TILES, number, 1, failure, rows);
    if (status != STATUS_OK)
        return status;
    if (rows->count != 1 || rows->blobs[0].number != number ||
        rows->blobs[0].size != LOG_TILE_WIDTH * MERKLE_HASH_SIZE)
        return log_corrupt("its tiles", failure);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        bool pruned = log_is_pruned(verification->vault, verification->edge.size);

        status = pruned ? advance(verification, rows->blobs[0].bytes + i * MERKLE_HASH_SIZE, failure)
                        : check_kept_leaf(verification, failure);
        verification->pruned += pruned;
    }
    return status;
}

/* The leaves from here to the end of their tile, or of the log. */
static enum status check_leaves(struct log_verification *verification, size_t count, struct failure *failure)
{
    struct store_rows *rows = &verification->rows;

    enum status status = store_list_blobs(verification->vault->store, STORE_LEAVES, verification->edge.size,
                                          count, failure, rows);
    for (size_t i = 0; status == STATUS_OK && i < rows->count; i++)
        status = check_leaf(verification, &rows->blobs[i], failure);
    if (status == STATUS_OK && rows->count != count)
        status = log_corrupt_leaf(verification->edge.size, "it is missing", failure);
    return status;
}

/* The last tag in the log must be that of the rows as they are, if nothing was written since. */
static enum status check_tag(const struct log_verification *verification, struct failure *failure)
{
    uint8_t tag[LOG_TAG_SIZE];
    char expected[2 * LOG_TAG_SIZE + 1];

    if (verification->vault->log.edge.size != verification->size)
        return STATUS_OK;
    log_tag_state(verification->vault, verification->tag_index, tag);
    text_to_hex(expected, tag, sizeof tag);
    if (strcmp(expected, verification->tag) != 0)
        return log_corrupt_leaf(verification->tag_index, "the state it tells of", failure);
    return STATUS_OK;
}

/* Unfinished tiles above the leaves are stored, too; they may have grown since. */
static enum status check_end(struct log_verification *verification, struct failure *failure)
{
    uint8_t found[MERKLE_HASH_SIZE];
    uint64_t size = verification->edge.size;

    for (unsigned level = 1; level < LOG_LEVELS; level++) {
        size_t width = size >> (8 * level) & (LOG_TILE_WIDTH - 1);
        enum status status = width == 0
                                 ? STATUS_OK
                                 : check_tile(verification, level, size >> (8 * (level + 1)), width, failure);
        if (status != STATUS_OK)
            return status;
    }
    merkle_root(found, &verification->edge);
    if (memcmp(found, verification->root, sizeof found) != 0)
        return failure_set(failure, STATUS_CORRUPT, "the log's root differs from the signed head");
    enum status status = check_tag(verification, failure);
    if (status == STATUS_OK)
        status = log_check_pruned(verification->vault, failure);
    return status == STATUS_OK && !verification->alone ? vault_verify_rows(verification->vault, failure)
                                                       : status;
}

enum status log_verification_continue(struct log_verification *verification, uint64_t leaves,
                                      struct failure *failure, bool *ret_done)
{
    uint64_t left = verification->size - verification->edge.size;

    while (leaves > 0 && left > 0) {
        bool pruned = verification->edge.size < verification->vault->log.pruned;
        size_t batch = left < LOG_TILE_WIDTH ? (size_t)left : LOG_TILE_WIDTH;
        enum status status =
            pruned ? check_pruned(verification, batch, failure) : check_leaves(verification, batch, failure);
        if (status != STATUS_OK)
            return status;
        left -= batch;
        leaves -= leaves < batch ? leaves : batch;
    }
    *ret_done = left == 0;
    return left == 0 ? check_end(verification, failure) : STATUS_OK;
}

uint64_t log_verification_position(const struct log_verification *verification)
{
    return verification->edge.size;
}

uint64_t log_verification_total(const struct log_verification *verification)
{
    return verification->size;
}

uint64_t log_verification_pruned(const struct log_verification *verification)
{
    return verification->pruned;
}

void log_verification_root(const struct log_verification *verification, uint8_t destination[MERKLE_HASH_SIZE])
{
    merkle_root(destination, &verification->edge);
}

unsigned log_verification_checkpoints(const struct log_verification *verification)
{
    unsigned count = 0;

    for (size_t i = 0; i < verification->kept_count; i++)
        count += !verification->kept[i].given;
    return count;
}

bool log_verification_differs(const struct log_verification *verification, uint64_t *ret_size)
{
    for (size_t i = 0; i < verification->kept_next; i++)
        if (!verification->kept[i].met) {
            *ret_size = verification->kept[i].size;
            return true;
        }
    return false;
}
