/* Appending to the log, its tiles and checkpoints, and reading it back. */
#include "log.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "interior.h"
#include "record.h"
#include "json/json.h"

#include <inttypes.h>
#include <string.h>

#define LINE_HEAD_SIZE 4u
#define LINE_SEALED_MAX (SEAL_OVERHEAD + 131072u)
#define MS_PER_DAY 86400000u
#define KEY_READING "log-reading"
#define KEY_SIGNING "log-signing"

void log_close(struct vault *vault)
{
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

static uint64_t tile_number(unsigned level, uint64_t index)
{
    return (uint64_t)level << 56 | index;
}

/* Associated data of whatever the log seals: a purpose, the vault, and the numbers that place it. */
static void associate(const struct vault *vault, const char *purpose, uint64_t first, uint64_t second,
                      struct seal_input *input)
{
    seal_input_text(input, purpose);
    seal_input_u32(input, STORE_FORMAT);
    seal_input_bytes(input, vault->id, sizeof vault->id);
    seal_input_u64(input, first);
    seal_input_u64(input, second);
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
    associate(vault, "stepvault/v1/leaf", index, vault->log.segment_first, &input);
    if (!seal_open(line->bytes, vault->log.keys->segment, blob->bytes, blob->size, input.bytes, input.size))
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
    uint8_t bytes[96];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    size_t padded = seal_padded_size(LINE_HEAD_SIZE + line->size);
    uint8_t head[LINE_HEAD_SIZE];

    seal_store_u32(head, (uint32_t)line->size);
    if (!secret_reserve(&plain, padded) || !secret_append(&plain, head, sizeof head) ||
        !secret_append(&plain, line->bytes, line->size) || !secret_reserve(&body, padded + SEAL_OVERHEAD))
        return failure_set_no_memory(failure);
    memset(plain.bytes + plain.size, 0, padded - plain.size);
    associate(vault, "stepvault/v1/leaf", index, vault->log.segment_first, &input);
    seal_close(body.bytes, vault->log.keys->segment, plain.bytes, padded, input.bytes, input.size);
    return store_put_blob(vault->store, STORE_LEAVES, index, body.bytes, padded + SEAL_OVERHEAD, failure);
}

/* Adds one hash to each level's unfinished tile as far as the one below fills up. Level 0 is stored when
 * full: its hashes can be had from the leaves; the levels above are stored at each step, so that the edge is
 * read back in O(log n). */
static enum status grow_tiles(struct vault *vault, const uint8_t leaf_hash[MERKLE_HASH_SIZE],
                              struct failure *failure)
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

static enum status put_checkpoint(struct vault *vault, struct failure *failure)
{
    uint8_t plain[8 + NOTE_MAX] = {0}, sealed[sizeof plain + SEAL_OVERHEAD], bytes[96];
    uint8_t key[STATE_KEY_SIZE], term[SEAL_HASH_SIZE];
    struct seal_input head = {.bytes = plain, .capacity = 8};
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    uint64_t size = vault->log.head_size;

    seal_input_u64(&head, clock_wall_ms());
    memcpy(plain + 8, vault->log.head, strlen(vault->log.head));
    associate(vault, "stepvault/v1/checkpoint", size, vault->epoch, &input);
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

    associate(vault, "stepvault/v1/checkpoint", blob->number, vault->epoch, &input);
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
    return put_checkpoint(vault, failure);
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
        status = grow_tiles(vault, hash, failure);
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

static enum status put_segment(struct vault *vault, struct failure *failure)
{
    uint8_t sealed[SEAL_KEY_SIZE + SEAL_OVERHEAD], bytes[96], key[STATE_KEY_SIZE], term[SEAL_HASH_SIZE];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    uint64_t first = vault->log.segment_first;

    associate(vault, "stepvault/v1/segment", first, 0, &input);
    seal_close(sealed, vault->log.keys->reading, vault->log.keys->segment, SEAL_KEY_SIZE, input.bytes,
               input.size);
    state_blob_key(STORE_SEGMENTS, first, key);
    state_term_blob(vault->keys->accumulator, STORE_SEGMENTS, first, sealed, sizeof sealed, term);
    if (!state_change(&vault->state, key, term))
        return failure_set_no_memory(failure);
    return store_put_blob(vault->store, STORE_SEGMENTS, first, sealed, sizeof sealed, failure);
}

static enum status write_key(struct vault *vault, const char *name, const uint8_t *key, const char *instance,
                             struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft;

    record_draft_start(&draft, RECORD_KEY, "", name, "", NULL);
    record_draft_add(&draft, "key", key, SEAL_KEY_SIZE);
    if (instance != NULL)
        record_draft_add_text(&draft, "instance", instance);
    return record_write(vault, &draft, failure, NULL);
}

static enum status start_signer(struct vault *vault, const uint8_t seed[NOTE_SEED_SIZE],
                                struct failure *failure)
{
    char origin[NOTE_ORIGIN_MAX + 1], id[2 * SEAL_ID_SIZE + 1];

    text_to_hex(id, vault->id, sizeof vault->id);
    snprintf(origin, sizeof origin, "stepvault/v1/%s/%s", id, vault->log.instance);
    return note_key_from_seed(&vault->log.keys->signer, seed, origin, failure);
}

enum status log_create(struct vault *vault, struct failure *failure)
{
    uint8_t instance[8], *seed = secret_allocate(NOTE_SEED_SIZE);

    if (seed == NULL)
        return failure_set_no_memory(failure);
    seal_random(instance, sizeof instance);
    text_to_hex(vault->log.instance, instance, sizeof instance);
    seal_random(seed, NOTE_SEED_SIZE);
    seal_random(vault->log.keys->reading, SEAL_KEY_SIZE);
    seal_random(vault->log.keys->segment, SEAL_KEY_SIZE);
    enum status status = start_signer(vault, seed, failure);
    if (status == STATUS_OK)
        status = write_key(vault, KEY_READING, vault->log.keys->reading, NULL, failure);
    if (status == STATUS_OK)
        status = write_key(vault, KEY_SIGNING, seed, vault->log.instance, failure);
    if (status == STATUS_OK)
        status = put_segment(vault, failure);
    secret_free(seed);
    return status;
}

static enum status corrupt_log(const char *what, struct failure *failure)
{
    return failure_set(failure, STATUS_CORRUPT, "the access log is not what the vault wrote (%s)", what);
}

static enum status find_key(struct vault *vault, const char *name, struct failure *failure,
                            struct record *ret_record, const char **ret_key)
{
    size_t size;
    bool found;

    enum status status = record_find(vault, RECORD_KEY, "", name, failure, ret_record, &found);
    if (status != STATUS_OK)
        return status;
    *ret_key = found ? record_field(ret_record, "key", &size) : NULL;
    return *ret_key != NULL && size == SEAL_KEY_SIZE ? STATUS_OK
                                                     : corrupt_log("a key of it is missing", failure);
}

static enum status open_log_keys(struct vault *vault, struct failure *failure)
{
    CLEANUP(record_reset) struct record reading = {0};
    CLEANUP(record_reset) struct record signing = {0};
    const char *key, *seed, *instance;

    enum status status = find_key(vault, KEY_READING, failure, &reading, &key);
    if (status == STATUS_OK)
        status = find_key(vault, KEY_SIGNING, failure, &signing, &seed);
    if (status != STATUS_OK)
        return status;
    instance = record_field(&signing, "instance", NULL);
    if (instance == NULL || strlen(instance) != sizeof vault->log.instance - 1)
        return corrupt_log("its instance", failure);
    memcpy(vault->log.keys->reading, key, SEAL_KEY_SIZE);
    memcpy(vault->log.instance, instance, sizeof vault->log.instance);
    return start_signer(vault, (const uint8_t *)seed, failure);
}

/* Format 1 as made today has one segment; the last one is where appending goes on. */
static enum status open_segment(struct vault *vault, struct failure *failure)
{
    uint8_t bytes[96];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    enum status status = store_list_blobs(vault->store, STORE_SEGMENTS, 0, 2, failure, &vault->rows);
    if (status != STATUS_OK)
        return status;
    if (vault->rows.count != 1)
        return corrupt_log("its segments", failure);
    const struct store_blob *blob = &vault->rows.blobs[0];
    vault->log.segment_first = blob->number;
    associate(vault, "stepvault/v1/segment", blob->number, 0, &input);
    if (blob->size != SEAL_KEY_SIZE + SEAL_OVERHEAD ||
        !seal_open(vault->log.keys->segment, vault->log.keys->reading, blob->bytes, blob->size, input.bytes,
                   input.size))
        return corrupt_log("its segment key", failure);
    return STATUS_OK;
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
        return corrupt_log(vault->rows.count < size - first ? "entries are missing"
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
        return corrupt_log("its tiles", failure);
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
    CLEANUP(json_freep) struct json *json = NULL;

    vault->log.sequence = 0;
    if (size == 0)
        return STATUS_OK;
    enum status status = log_read(vault, size - 1, failure, &line, vault->log.previous);
    if (status == STATUS_OK)
        status = json_parse(line.bytes, line.size, "the last log entry", failure, &json);
    if (status != STATUS_OK)
        return status;
    vault->log.sequence = (uint64_t)json_member_number(json, "writer_seq", 0) + 1;
    return STATUS_OK;
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
            return corrupt_log("there are more tiles than it wrote", failure);
    }
    return STATUS_OK;
}

static enum status load_edge(struct vault *vault, uint64_t size, struct failure *failure)
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
        status = load_last_position(vault, size, failure);
    if (status == STATUS_OK)
        rebuild_edge(vault, size);
    return status;
}

enum status log_reload(struct vault *vault, struct failure *failure)
{
    enum status status = load_edge(vault, vault->log.head_size, failure);

    return status == STATUS_OK ? read_kept_day(vault, failure) : status;
}

enum status log_open(struct vault *vault, uint64_t size, const char *head, struct failure *failure)
{
    char verifier[NOTE_VERIFIER_MAX];
    struct note_checkpoint checkpoint;
    uint8_t root[MERKLE_HASH_SIZE];

    enum status status = open_log_keys(vault, failure);
    if (status == STATUS_OK)
        status = open_segment(vault, failure);
    if (status == STATUS_OK)
        status = read_kept_day(vault, failure);
    if (status == STATUS_OK)
        status = load_edge(vault, size, failure);
    if (status != STATUS_OK)
        return status;
    log_verifier(vault, verifier);
    status = note_verify_checkpoint(head, verifier, failure, &checkpoint);
    if (status != STATUS_OK)
        return status;
    merkle_root(root, &vault->log.edge);
    if (checkpoint.size != size || memcmp(checkpoint.root, root, sizeof root) != 0)
        return corrupt_log("its root differs from the signed head", failure);
    memcpy(vault->log.head, head, sizeof vault->log.head);
    vault->log.head_size = size;
    return STATUS_OK;
}
