/* Appending to the log, its tiles and checkpoints, and reading it back. */
#include "log.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "interior.h"
#include "tile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_HEAD_SIZE 4u
#define LINE_SEALED_MAX (SEAL_OVERHEAD + 131072u)
#define MS_PER_DAY 86400000u

void log_close(struct vault *vault)
{
    segment_forget(vault, 0);
    free(vault->log.eras);
    secret_free(vault->log.keys);
    cleanup_free(&vault->log.tails);
    memset(&vault->log, 0, sizeof vault->log);
}

uint64_t log_size(const struct vault *vault)
{
    return vault->log.edge.size;
}

const char *log_head(const struct vault *vault)
{
    return vault->log.head;
}

void log_verifier(const struct vault *vault, char destination[NOTE_VERIFIER_MAX])
{
    note_verifier(destination, &vault->log.keys->signer);
}

void log_sign(const struct vault *vault, char note[NOTE_MAX])
{
    uint8_t root[MERKLE_HASH_SIZE];

    merkle_root(root, &vault->log.edge);
    note_sign_checkpoint(note, &vault->log.keys->signer, vault->log.edge.size, root);
}

void log_associate(const struct vault *vault, const char *purpose, uint64_t first, uint64_t second,
                   struct seal_input *input)
{
    seal_input_text(input, purpose);
    seal_input_u32(input, STORE_FORMAT);
    seal_input_bytes(input, vault->id, sizeof vault->id);
    seal_input_u64(input, first);
    seal_input_u64(input, second);
}

enum status log_corrupt(const char *what, struct failure *failure)
{
    return failure_set(failure, STATUS_CORRUPT, "the access log is not what the vault wrote (%s)", what);
}

enum status log_corrupt_leaf(uint64_t index, const char *what, struct failure *failure)
{
    return failure_set(failure, STATUS_CORRUPT,
                       "entry %" PRIu64 " of the access log is not what the vault wrote (%s)", index, what);
}

/* Opens the sealed body of leaf `index` into `line` and hashes it. */
enum status log_open_leaf(const struct vault *vault, uint64_t index, const struct store_blob *blob,
                          struct failure *failure, struct secret *line, uint8_t ret_hash[MERKLE_HASH_SIZE])
{
    const struct segment *segment = segment_find(vault, index);
    uint8_t bytes[96];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    if (blob->number != index)
        return log_corrupt_leaf(index, "it is missing", failure);
    if (blob->size < SEAL_OVERHEAD + LINE_HEAD_SIZE || blob->size > LINE_SEALED_MAX)
        return log_corrupt_leaf(index, "its size", failure);
    size_t padded = blob->size - SEAL_OVERHEAD;
    secret_clear(line);
    if (!secret_reserve(line, padded))
        return failure_set_no_memory(failure);
    log_associate(vault, "stepvault/v1/leaf", index, segment->first, &input);
    if (!seal_open(line->bytes, segment->key, blob->bytes, blob->size, input.bytes, input.size))
        return log_corrupt_leaf(index, "its seal", failure);
    size_t size = seal_load_u32(line->bytes);
    if (size > padded - LINE_HEAD_SIZE || size > LEAF_LINE_MAX)
        return log_corrupt_leaf(index, "its length", failure);
    memmove(line->bytes, line->bytes + LINE_HEAD_SIZE, size);
    line->size = size;
    line->bytes[size] = 0;
    merkle_hash_leaf(ret_hash, line->bytes, size);
    return STATUS_OK;
}

enum status log_read(struct vault *vault, uint64_t index, struct failure *failure, struct secret *ret_line,
                     uint8_t ret_hash[MERKLE_HASH_SIZE])
{
    if (log_is_pruned(vault, index))
        return failure_set(failure, STATUS_NOT_FOUND,
                           "entry %" PRIu64 " of the access log was pruned: only its hash is left", index);
    enum status status = store_list_blobs(vault->store, STORE_LEAVES, index, 1, failure, &vault->rows);
    if (status != STATUS_OK)
        return status;
    if (vault->rows.count != 1)
        return log_corrupt_leaf(index, "it is missing", failure);
    return log_open_leaf(vault, index, &vault->rows.blobs[0], failure, ret_line, ret_hash);
}

static enum status seal_body(struct vault *vault, uint64_t index, const struct secret *line,
                             struct failure *failure)
{
    CLEANUP(secret_reset) struct secret plain = {0};
    CLEANUP(secret_reset) struct secret body = {0};
    const struct segment *segment = segment_find(vault, index);
    uint8_t bytes[96];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    size_t padded = seal_padded_size(LINE_HEAD_SIZE + line->size);
    uint8_t head[LINE_HEAD_SIZE];

    seal_store_u32(head, (uint32_t)line->size);
    if (!secret_reserve(&plain, padded) || !secret_append(&plain, head, sizeof head) ||
        !secret_append(&plain, line->bytes, line->size) || !secret_reserve(&body, padded + SEAL_OVERHEAD))
        return failure_set_no_memory(failure);
    memset(plain.bytes + plain.size, 0, padded - plain.size);
    log_associate(vault, "stepvault/v1/leaf", index, segment->first, &input);
    seal_close(body.bytes, segment->key, plain.bytes, padded, input.bytes, input.size);
    return store_put_blob(vault->store, STORE_LEAVES, index, body.bytes, padded + SEAL_OVERHEAD, failure);
}

enum status log_put_checkpoint(struct vault *vault, uint64_t size, uint64_t time_ms, const char *note,
                               struct failure *failure)
{
    uint8_t plain[8 + NOTE_MAX] = {0}, sealed[sizeof plain + SEAL_OVERHEAD], bytes[96];
    uint8_t key[STATE_KEY_SIZE], term[SEAL_HASH_SIZE];
    struct seal_input head = {.bytes = plain, .capacity = 8};
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    seal_input_u64(&head, time_ms);
    memcpy(plain + 8, note, strlen(note));
    log_associate(vault, "stepvault/v1/checkpoint", size, vault->epoch, &input);
    seal_close(sealed, vault->keys->checkpoint, plain, sizeof plain, input.bytes, input.size);
    state_blob_key(STORE_CHECKPOINTS, size, key);
    state_term_blob(vault->keys->accumulator, STORE_CHECKPOINTS, size, sealed, sizeof sealed, term);
    enum status status =
        state_change(&vault->state, key, term)
            ? store_put_blob(vault->store, STORE_CHECKPOINTS, size, sealed, sizeof sealed, failure)
            : failure_set_no_memory(failure);
    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

enum status log_open_checkpoint(const struct vault *vault, const struct store_blob *blob,
                                struct failure *failure, uint64_t *ret_time_ms, char ret_note[NOTE_MAX])
{
    uint8_t plain[8 + NOTE_MAX], bytes[96];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    log_associate(vault, "stepvault/v1/checkpoint", blob->number, vault->epoch, &input);
    if (blob->size != sizeof plain + SEAL_OVERHEAD ||
        !seal_open(plain, vault->keys->checkpoint, blob->bytes, blob->size, input.bytes, input.size) ||
        plain[sizeof plain - 1] != 0)
        return failure_set(failure, STATUS_CORRUPT,
                           "the kept checkpoint of size %" PRIu64 " is not what the vault wrote",
                           blob->number);
    *ret_time_ms = seal_load_u64(plain);
    memcpy(ret_note, plain + 8, NOTE_MAX);
    return STATUS_OK;
}

enum status log_keep_head(struct vault *vault, struct failure *failure)
{
    uint8_t key[STATE_KEY_SIZE];

    state_blob_key(STORE_CHECKPOINTS, vault->log.head_size, key);
    if (vault->log.head_size == 0 || state_remembers(&vault->state, key))
        return STATUS_OK;
    return log_put_checkpoint(vault, vault->log.head_size, clock_wall_ms(), vault->log.head, failure);
}

enum status log_read_checkpoint(struct vault *vault, uint64_t size, struct failure *failure,
                                char ret_note[NOTE_MAX])
{
    uint64_t time_ms;

    if (size == vault->log.head_size) {
        memcpy(ret_note, vault->log.head, NOTE_MAX);
        return STATUS_OK;
    }
    enum status status = store_list_blobs(vault->store, STORE_CHECKPOINTS, size, 1, failure, &vault->rows);
    if (status != STATUS_OK)
        return status;
    if (vault->rows.count != 1 || vault->rows.blobs[0].number != size)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "the vault keeps no checkpoint of %" PRIu64
                           " entries: it has its head, one a day, and those that were handed out",
                           size);
    return log_open_checkpoint(vault, &vault->rows.blobs[0], failure, &time_ms, ret_note);
}

/* The first leaf of a day keeps the head that the day before ended with. */
static enum status keep_daily(struct vault *vault, uint64_t now_ms, struct failure *failure)
{
    uint64_t day = now_ms / MS_PER_DAY;

    if (day == vault->log.kept_day || vault->log.head_size == 0)
        return STATUS_OK;
    enum status status = log_keep_head(vault, failure);
    if (status == STATUS_OK)
        vault->log.kept_day = day;
    return status;
}

void log_tag_state(const struct vault *vault, uint64_t index, uint8_t ret_tag[LOG_TAG_SIZE])
{
    uint8_t bytes[64];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    seal_input_u64(&input, index);
    seal_input_u64(&input, vault->state.count);
    seal_input_bytes(&input, vault->state.sum, sizeof vault->state.sum);
    seal_hash(ret_tag, LOG_TAG_SIZE, vault->keys->tag, input.bytes, input.size);
}

/* What a leaf says of the state after the changes before it: a keyed tag, never the sum itself. NULL if
 * nothing changed since the last leaf that had one. */
static const uint8_t *tag_change(struct vault *vault, uint64_t index, uint8_t tag[LOG_TAG_SIZE])
{
    if (memcmp(vault->state.sum, vault->state.tagged_sum, sizeof vault->state.sum) == 0)
        return NULL;
    log_tag_state(vault, index, tag);
    memcpy(vault->state.tagged_sum, vault->state.sum, sizeof vault->state.sum);
    return tag;
}

static enum status append_line(struct vault *vault, const struct secret *line, struct failure *failure)
{
    uint8_t hash[MERKLE_HASH_SIZE];
    uint64_t index = vault->log.edge.size;

    merkle_hash_leaf(hash, line->bytes, line->size);
    enum status status = seal_body(vault, index, line, failure);
    if (status == STATUS_OK)
        status = tile_grow(vault, hash, failure);
    if (status != STATUS_OK) {
        vault->broken = true;
        return status;
    }
    merkle_append(&vault->log.edge, hash);
    memcpy(vault->log.previous, hash, sizeof hash);
    vault->log.sequence++;
    return STATUS_OK;
}

enum status log_append(struct vault *vault, struct leaf *leaf, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct leaf_position position = {.time_ms = clock_wall_ms(),
                                     .writer = vault->log.instance,
                                     .sequence = vault->log.sequence,
                                     .previous = vault->log.sequence > 0 ? vault->log.previous : NULL,
                                     .epoch = vault->epoch};
    uint8_t tag[LOG_TAG_SIZE];

    enum status status = keep_daily(vault, position.time_ms, failure);
    if (status != STATUS_OK)
        return status;
    position.state_tag = tag_change(vault, vault->log.edge.size, tag);
    (void)leaf_find_caller(leaf);
    status = leaf_render(leaf, &position, failure, &line);
    if (status != STATUS_OK) {
        /* The tag above is not in any leaf now. */
        vault->broken = vault->broken || position.state_tag != NULL;
        return status;
    }
    status = append_line(vault, &line, failure);
    if (status == STATUS_OK)
        leaf->appended = true;
    return status;
}

static enum status read_kept_day(struct vault *vault, struct failure *failure)
{
    char note[NOTE_MAX];
    uint64_t next = 0, time_ms;

    vault->log.kept_day = 0;
    for (;;) {
        enum status status =
            store_list_blobs(vault->store, STORE_CHECKPOINTS, next, 64, failure, &vault->rows);
        if (status != STATUS_OK || vault->rows.count == 0)
            return status;
        const struct store_blob *last = &vault->rows.blobs[vault->rows.count - 1];
        status = log_open_checkpoint(vault, last, failure, &time_ms, note);
        if (status != STATUS_OK)
            return status;
        vault->log.kept_day = time_ms / MS_PER_DAY;
        next = last->number + 1;
    }
}

enum status log_reload(struct vault *vault, struct failure *failure)
{
    enum status status = tile_load_edge(vault, vault->log.head_size, failure);

    return status == STATUS_OK ? read_kept_day(vault, failure) : status;
}

enum status log_open(struct vault *vault, uint64_t size, const char *head, struct failure *failure)
{
    char verifier[NOTE_VERIFIER_MAX];
    struct note_checkpoint checkpoint;
    uint8_t root[MERKLE_HASH_SIZE];

    enum status status = era_open(vault, size, failure);
    if (status == STATUS_OK)
        status = read_kept_day(vault, failure);
    if (status == STATUS_OK)
        status = tile_load_edge(vault, size, failure);
    if (status != STATUS_OK)
        return status;
    log_verifier(vault, verifier);
    status = note_verify_checkpoint(head, verifier, failure, &checkpoint);
    if (status != STATUS_OK)
        return status;
    merkle_root(root, &vault->log.edge);
    if (checkpoint.size != size || memcmp(checkpoint.root, root, sizeof root) != 0)
        return log_corrupt("its root differs from the signed head", failure);
    memcpy(vault->log.head, head, sizeof vault->log.head);
    vault->log.head_size = size;
    return STATUS_OK;
}
