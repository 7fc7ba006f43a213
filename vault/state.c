/* The accumulator over all rows, and the memory of each row's term. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

enum undo_kind { UNDO_ROW, UNDO_NAME };

struct state_undo {
    enum undo_kind kind;
    bool existed; /* a row: had `term` before */
    uint8_t key[STATE_KEY_SIZE];
    uint8_t term[SEAL_HASH_SIZE];
    int delta; /* a name: was counted by this much */
};

static const uint8_t free_key[STATE_KEY_SIZE];

/* Keys are random ids, or a table's number that differs in its last bytes: both halves count. */
static size_t key_home(const uint8_t key[STATE_KEY_SIZE], size_t capacity)
{
    uint64_t high, low;
    memcpy(&high, key, sizeof high);
    memcpy(&low, key + sizeof high, sizeof low);
    high ^= low;
    high ^= high >> 32; /* a number's low bytes are the highest here, and a product carries upwards only */
    return (size_t)((high * 0x9e3779b97f4a7c15u) >> 32) & (capacity - 1);
}

void state_reset(struct state *state)
{
    free(state->rows);
    free(state->names);
    free(state->undo);
    memset(state, 0, sizeof *state);
}

void state_term_record(const uint8_t key[SEAL_KEY_SIZE], const struct store_record *record,
                       uint8_t ret_term[SEAL_HASH_SIZE])
{
    uint8_t bytes[160];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    struct seal_hasher hasher;

    seal_input_text(&input, "record");
    seal_input_bytes(&input, record->id, sizeof record->id);
    seal_input_bytes(&input, record->place, sizeof record->place);
    seal_input_bytes(&input, record->name, sizeof record->name);
    seal_input_bytes(&input, record->link, sizeof record->link);
    seal_input_u64(&input, record->version);
    seal_input_u32(&input, record->epoch);
    seal_input_u32(&input, (uint32_t)record->finals_size);
    seal_input_u32(&input, (uint32_t)record->body_size);
    seal_hasher_start(&hasher, SEAL_HASH_SIZE, key);
    seal_hasher_add(&hasher, input.bytes, input.size);
    seal_hasher_add(&hasher, record->finals, record->finals_size);
    seal_hasher_add(&hasher, record->body, record->body_size);
    seal_hasher_end(&hasher, ret_term, SEAL_HASH_SIZE);
}

void state_term_slot(const uint8_t key[SEAL_KEY_SIZE], const struct store_slot *slot,
                     uint8_t ret_term[SEAL_HASH_SIZE])
{
    uint8_t bytes[256];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    seal_input_text(&input, "slot");
    seal_input_bytes(&input, slot->id, sizeof slot->id);
    seal_input_u32(&input, slot->kind);
    seal_input_u32(&input, slot->memory_kib);
    seal_input_u32(&input, slot->passes);
    seal_input_u32(&input, slot->lanes);
    seal_input_bytes(&input, slot->salt, sizeof slot->salt);
    seal_input_u64(&input, slot->created_ms);
    seal_input_bytes(&input, slot->commitment, sizeof slot->commitment);
    seal_input_bytes(&input, slot->wrapped, sizeof slot->wrapped);
    seal_hash(ret_term, SEAL_HASH_SIZE, key, input.bytes, input.size);
}

void state_term_blob(const uint8_t key[SEAL_KEY_SIZE], enum store_table table, uint64_t number,
                     const void *bytes, size_t size, uint8_t ret_term[SEAL_HASH_SIZE])
{
    static const char *const names[STORE_TABLE_COUNT] = {
        [STORE_LEAVES] = "leaf",
        [STORE_TILES] = "tile",
        [STORE_SEGMENTS] = "segment",
        [STORE_CHECKPOINTS] = "checkpoint",
    };
    uint8_t head[64];
    struct seal_input input = {.bytes = head, .capacity = sizeof head};
    struct seal_hasher hasher;

    seal_input_text(&input, names[table]);
    seal_input_u64(&input, number);
    seal_input_u32(&input, (uint32_t)size);
    seal_hasher_start(&hasher, SEAL_HASH_SIZE, key);
    seal_hasher_add(&hasher, input.bytes, input.size);
    seal_hasher_add(&hasher, bytes, size);
    seal_hasher_end(&hasher, ret_term, SEAL_HASH_SIZE);
}

void state_blob_key(enum store_table table, uint64_t number, uint8_t ret_key[STATE_KEY_SIZE])
{
    struct seal_input input = {.bytes = ret_key, .capacity = STATE_KEY_SIZE};

    seal_input_u32(&input, (uint32_t)table + 1); /* never the all-zero key of a free place */
    seal_input_u32(&input, 0);
    seal_input_u64(&input, number);
}

/* The place of `key`, or the free place where it would go. */
static struct state_row *row_find(const struct state *state, const uint8_t key[STATE_KEY_SIZE])
{
    size_t place = key_home(key, state->row_capacity);

    while (memcmp(state->rows[place].key, free_key, STATE_KEY_SIZE) != 0 &&
           memcmp(state->rows[place].key, key, STATE_KEY_SIZE) != 0)
        place = (place + 1) & (state->row_capacity - 1);
    return &state->rows[place];
}

static bool row_is_free(const struct state_row *row)
{
    return memcmp(row->key, free_key, STATE_KEY_SIZE) == 0;
}

/* The capacity that keeps a quarter of the places free with so many of them taken. */
static size_t capacity_for(size_t capacity, uint64_t taken)
{
    if (capacity == 0)
        capacity = 64;
    while (taken >= capacity / 4 * 3)
        capacity *= 2;
    return capacity;
}

static bool rows_make_room(struct state *state, size_t more)
{
    struct state larger = {.row_capacity = capacity_for(state->row_capacity, state->count + more)};

    if (larger.row_capacity == state->row_capacity)
        return true;
    larger.rows = calloc(larger.row_capacity, sizeof *larger.rows);
    if (larger.rows == NULL)
        return false;
    for (size_t i = 0; i < state->row_capacity; i++)
        if (!row_is_free(&state->rows[i]))
            *row_find(&larger, state->rows[i].key) = state->rows[i];
    free(state->rows);
    state->rows = larger.rows;
    state->row_capacity = larger.row_capacity;
    return true;
}

/* Linear probing needs the run behind a removed row closed up. */
static void row_erase(struct state *state, struct state_row *row)
{
    size_t mask = state->row_capacity - 1;
    size_t hole = (size_t)(row - state->rows);
    size_t next = hole;

    for (;;) {
        next = (next + 1) & mask;
        if (row_is_free(&state->rows[next]))
            break;
        size_t home = key_home(state->rows[next].key, state->row_capacity);
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            state->rows[hole] = state->rows[next];
            hole = next;
        }
    }
    memset(&state->rows[hole], 0, sizeof state->rows[hole]);
}

static bool undo_push(struct state *state, const struct state_undo *entry)
{
    if (state->undo_count == state->undo_capacity) {
        size_t capacity = state->undo_capacity == 0 ? 16 : state->undo_capacity * 2;
        struct state_undo *larger = reallocarray(state->undo, capacity, sizeof *larger);
        if (larger == NULL)
            return false;
        state->undo = larger;
        state->undo_capacity = capacity;
    }
    state->undo[state->undo_count++] = *entry;
    return true;
}

static void row_set(struct state *state, const uint8_t key[STATE_KEY_SIZE], const uint8_t *term)
{
    struct state_row *row = row_find(state, key);

    if (!row_is_free(row)) {
        seal_sum_subtract(state->sum, row->term);
        state->count--;
    }
    if (term == NULL) {
        if (!row_is_free(row))
            row_erase(state, row);
        return;
    }
    seal_sum_add(state->sum, term);
    state->count++;
    memcpy(row->key, key, STATE_KEY_SIZE);
    memcpy(row->term, term, SEAL_HASH_SIZE);
    row->seen = (struct state_seen){0};
}

struct state_row *state_next(struct state *state, size_t *position)
{
    while (*position < state->row_capacity) {
        struct state_row *row = &state->rows[(*position)++];
        if (!row_is_free(row))
            return row;
    }
    return NULL;
}

bool state_change(struct state *state, const uint8_t key[STATE_KEY_SIZE], const uint8_t *term)
{
    struct state_undo entry = {.kind = UNDO_ROW};

    if (!rows_make_room(state, 1))
        return false;
    const struct state_row *row = row_find(state, key);
    entry.existed = !row_is_free(row);
    memcpy(entry.key, key, STATE_KEY_SIZE);
    if (entry.existed)
        memcpy(entry.term, row->term, SEAL_HASH_SIZE);
    if (!undo_push(state, &entry))
        return false;
    row_set(state, key, term);
    return true;
}

bool state_matches(const struct state *state, const uint8_t key[STATE_KEY_SIZE],
                   const uint8_t term[SEAL_HASH_SIZE])
{
    if (state->row_capacity == 0)
        return false;
    const struct state_row *row = row_find(state, key);
    return !row_is_free(row) && memcmp(row->term, term, SEAL_HASH_SIZE) == 0;
}

bool state_remembers(const struct state *state, const uint8_t key[STATE_KEY_SIZE])
{
    return state->row_capacity != 0 && !row_is_free(row_find(state, key));
}

static struct state_name *name_find(const struct state *state, const uint8_t hash[STORE_LOOKUP_SIZE])
{
    size_t place = key_home(hash, state->name_capacity);

    while (state->names[place].count != 0 && memcmp(state->names[place].hash, hash, STORE_LOOKUP_SIZE) != 0)
        place = (place + 1) & (state->name_capacity - 1);
    return &state->names[place];
}

static bool names_make_room(struct state *state, size_t more)
{
    struct state larger = {.name_capacity = capacity_for(state->name_capacity, state->name_count + more)};

    if (larger.name_capacity == state->name_capacity)
        return true;
    larger.names = calloc(larger.name_capacity, sizeof *larger.names);
    if (larger.names == NULL)
        return false;
    for (size_t i = 0; i < state->name_capacity; i++)
        if (state->names[i].count != 0)
            *name_find(&larger, state->names[i].hash) = state->names[i];
    free(state->names);
    state->names = larger.names;
    state->name_capacity = larger.name_capacity;
    return true;
}

bool state_make_room(struct state *state, size_t more)
{
    return rows_make_room(state, more) && names_make_room(state, more);
}

static void name_erase(struct state *state, struct state_name *name)
{
    size_t mask = state->name_capacity - 1;
    size_t hole = (size_t)(name - state->names);
    size_t next = hole;

    for (;;) {
        next = (next + 1) & mask;
        if (state->names[next].count == 0)
            break;
        size_t home = key_home(state->names[next].hash, state->name_capacity);
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            state->names[hole] = state->names[next];
            hole = next;
        }
    }
    memset(&state->names[hole], 0, sizeof state->names[hole]);
    state->name_count--;
}

static void name_count(struct state *state, const uint8_t hash[STORE_LOOKUP_SIZE], int delta)
{
    struct state_name *name = name_find(state, hash);

    if (name->count == 0) {
        memcpy(name->hash, hash, STORE_LOOKUP_SIZE);
        state->name_count++;
    }
    name->count += (uint32_t)delta;
    if (name->count == 0)
        name_erase(state, name);
}

static bool names_change(struct state *state, const uint8_t *hashes, size_t size, int delta)
{
    for (size_t at = 0; at + STORE_LOOKUP_SIZE <= size; at += STORE_LOOKUP_SIZE) {
        struct state_undo entry = {.kind = UNDO_NAME, .delta = delta};

        /* What is not counted cannot be counted out, and undoing it would count it in. */
        if (delta < 0 && !state_knows_name(state, hashes + at))
            continue;
        memcpy(entry.key, hashes + at, STORE_LOOKUP_SIZE);
        if (!names_make_room(state, 1) || !undo_push(state, &entry))
            return false;
        name_count(state, hashes + at, delta);
    }
    return true;
}

bool state_add_names(struct state *state, const uint8_t *hashes, size_t size)
{
    return names_change(state, hashes, size, 1);
}

bool state_remove_names(struct state *state, const uint8_t *hashes, size_t size)
{
    return names_change(state, hashes, size, -1);
}

bool state_knows_name(const struct state *state, const uint8_t hash[STORE_LOOKUP_SIZE])
{
    return state->name_capacity != 0 && name_find(state, hash)->count != 0;
}

void state_begin(struct state *state)
{
    state->undo_count = 0;
    memcpy(state->saved_tagged_sum, state->tagged_sum, sizeof state->tagged_sum);
}

/* An import can grow the list to megabytes; the next turns do not need it. */
static void undo_shrink(struct state *state)
{
    state->undo_count = 0;
    if (state->undo_capacity > 1024) {
        free(state->undo);
        state->undo = NULL;
        state->undo_capacity = 0;
    }
}

void state_keep(struct state *state)
{
    undo_shrink(state);
}

void state_rollback(struct state *state)
{
    while (state->undo_count > 0) {
        const struct state_undo *entry = &state->undo[--state->undo_count];
        if (entry->kind == UNDO_ROW)
            row_set(state, entry->key, entry->existed ? entry->term : NULL);
        else
            name_count(state, entry->key, -entry->delta);
    }
    memcpy(state->tagged_sum, state->saved_tagged_sum, sizeof state->tagged_sum);
    undo_shrink(state);
}

bool state_is_changed(const struct state *state)
{
    return state->undo_count > 0;
}
