/* The state of all rows in one number (P4): a keyed additive multiset hash over every row but leaves, tiles
 * and the state row itself, with the term of each row remembered, so that a row that was swapped, replayed,
 * edited, removed or doubled is noticed. docs/FORMAT.md, section 6. Also the set of final environment names
 * that the vault knows. */
#ifndef STEPVAULT_STATE_H
#define STEPVAULT_STATE_H

#include "base/status.h"
#include "crypto/seal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_KEY_SIZE 16u

/* What summary.c saw of a row. All zero: it has not looked at it since it was written. */
struct state_seen {
    bool looked_at;
    bool has_value; /* a variable's or an account's; the times are of it */
    uint32_t updated_minute;
    uint32_t expires_minute; /* 0: no expiry */
};

struct state_row {
    uint8_t key[STATE_KEY_SIZE];
    uint8_t term[SEAL_HASH_SIZE];
    struct state_seen seen;
};

struct state_name {
    uint8_t hash[STORE_LOOKUP_SIZE];
    uint32_t count; /* 0: a free place */
};

struct state_undo;

struct state {
    uint8_t sum[SEAL_HASH_SIZE];
    uint64_t count;         /* rows in the sum */
    struct state_row *rows; /* open addressing; an all-zero key is a free place */
    size_t row_capacity;
    struct state_name *names;
    size_t name_capacity;
    size_t name_count;
    uint8_t tagged_sum[SEAL_HASH_SIZE]; /* as the last tagged leaf saw it */
    struct state_undo *undo;            /* changes of the turn */
    size_t undo_count;
    size_t undo_capacity;
    uint8_t saved_tagged_sum[SEAL_HASH_SIZE];
};

void state_reset(struct state *state);

/* Terms: keyed hashes of whole rows. */
void state_term_record(const uint8_t key[SEAL_KEY_SIZE], const struct store_record *record,
                       uint8_t ret_term[SEAL_HASH_SIZE]);
void state_term_slot(const uint8_t key[SEAL_KEY_SIZE], const struct store_slot *slot,
                     uint8_t ret_term[SEAL_HASH_SIZE]);
void state_term_blob(const uint8_t key[SEAL_KEY_SIZE], enum store_table table, uint64_t number,
                     const void *bytes, size_t size, uint8_t ret_term[SEAL_HASH_SIZE]);

/* The key under which a numbered row is remembered; records and slots use their id. */
void state_blob_key(enum store_table table, uint64_t number, uint8_t ret_key[STATE_KEY_SIZE]);

/* Room for so many more rows, with a name each, so that the tables grow once. False when memory is out. */
bool state_make_room(struct state *state, size_t more);

/* The row now has `term` (NULL: is gone). Undone by state_rollback. False when memory is out; nothing changed
 * then. */
bool state_change(struct state *state, const uint8_t key[STATE_KEY_SIZE], const uint8_t *term);

/* True if the row is remembered with exactly this term. */
bool state_matches(const struct state *state, const uint8_t key[STATE_KEY_SIZE],
                   const uint8_t term[SEAL_HASH_SIZE]);

/* True if there is such a row at all. */
bool state_remembers(const struct state *state, const uint8_t key[STATE_KEY_SIZE]);

/* Walks the rows in no order that means anything: `*position` starts at 0; NULL at the end. No row may change
 * meanwhile but in what was seen of it. */
struct state_row *state_next(struct state *state, size_t *position);

/* Counts the concatenated name hashes in or out. Undone by state_rollback. False when memory is out. */
bool state_add_names(struct state *state, const uint8_t *hashes, size_t size);
bool state_remove_names(struct state *state, const uint8_t *hashes, size_t size);
bool state_knows_name(const struct state *state, const uint8_t hash[STORE_LOOKUP_SIZE]);

/* A turn: from begin on, changes are remembered until kept or rolled back. */
void state_begin(struct state *state);
void state_keep(struct state *state);
void state_rollback(struct state *state);

/* True if something changed within the turn. */
bool state_is_changed(const struct state *state);

#endif
