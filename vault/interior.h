/* What the nouns of this folder see of an open vault; nobody outside it includes this. */
#ifndef STEPVAULT_INTERIOR_H
#define STEPVAULT_INTERIOR_H

#include "base/name.h"
#include "borrow.h"
#include "crypto/merkle.h"
#include "crypto/note.h"
#include "crypto/seal.h"
#include "era.h"
#include "segment.h"
#include "state.h"
#include "store/store.h"
#include "vault.h"

#include <limits.h>

/* The vault key and the purpose keys derived from it; in secret memory. */
struct vault_keys {
    uint8_t vault[SEAL_KEY_SIZE];
    uint8_t record[SEAL_KEY_SIZE];
    uint8_t lookup[SEAL_KEY_SIZE];
    uint8_t accumulator[SEAL_KEY_SIZE];
    uint8_t state[SEAL_KEY_SIZE];
    uint8_t tag[SEAL_KEY_SIZE];
    uint8_t checkpoint[SEAL_KEY_SIZE];
};

#define LOG_TILE_WIDTH 256u
#define LOG_TAG_SIZE 16u
#define LOG_LEVELS 6u /* 256^6 leaves: more than a store can number */

/* Secrets of the log; in secret memory. */
struct log_keys {
    uint8_t reading[SEAL_KEY_SIZE];
    struct note_key signer;
    uint8_t saved_reading[SEAL_KEY_SIZE]; /* these two as the turn found them, while it changes them */
    struct note_key saved_signer;
};

/* The log's right edge, the turn included. */
struct log {
    struct log_keys *keys;
    struct merkle_edge edge;
    struct merkle_edge committed; /* the edge as the turn found it */
    uint8_t (*tails)[LOG_TILE_WIDTH]
                    [MERKLE_HASH_SIZE]; /* LOG_LEVELS unfinished tiles; level L holds (size >> 8L) & 255 */
    struct segment *segments;           /* in order; in secret memory */
    size_t segment_count;
    struct log_era *eras; /* in order */
    size_t era_count;
    uint64_t pruned; /* leaves below this one have no body any more */
    bool succession; /* the turn began an era, */
    bool renewal;    /* or changed the reading key or began a segment, */
    bool pruning;    /* or pruned: what was before is saved */
    size_t saved_eras;
    size_t saved_segments;
    uint64_t saved_pruned;
    char saved_instance[ERA_INSTANCE_SIZE];
    char instance[ERA_INSTANCE_SIZE];
    uint64_t sequence; /* of our next leaf */
    uint8_t previous[MERKLE_HASH_SIZE];
    char head[NOTE_MAX]; /* of the last commit */
    uint64_t head_size;
    uint64_t kept_day; /* days since 1970 of the newest kept checkpoint */
};

/* The last look-up of a place. */
struct vault_place {
    const char *word; /* NULL: none yet */
    char first[NAME_PATH_MAX + 1];
    uint8_t hash[STORE_LOOKUP_SIZE];
};

/* What a turn that gives the vault new keys takes back if it is rolled back. */
struct vault_former {
    struct vault_keys *keys;
    struct state state;
    uint32_t epoch;
};

struct vault {
    struct store *store;
    char path[PATH_MAX];
    uint8_t id[SEAL_ID_SIZE];
    uint32_t epoch;
    uint8_t opened_by[SLOT_ID_SIZE]; /* a slot; zeros for a vault that was made */
    struct vault_keys *keys;
    struct state state;
    struct log log;
    struct store_rows rows;  /* what the last look-up gave; nothing keeps pointers into it across calls */
    struct borrow *borrowed; /* opened in this turn; borrow.c */
    size_t borrowed_lists;
    size_t borrowed_bytes;
    bool borrow_expired;
    struct borrow_rows *remembered; /* sealed rows; borrow.c */
    size_t remembered_lists;
    size_t remembered_bytes;
    struct vault_place last_place;
    struct vault_former *former; /* NULL but in a turn that renewed the keys */
    bool in_turn;
    bool broken;
    bool rolled_back; /* the log's edge must be read again before the next turn */
};

/* Fills `keys` from its vault key. */
void vault_derive_keys(struct vault_keys *keys, const uint8_t id[SEAL_ID_SIZE], uint32_t epoch);

/* Within a turn: from now on the vault has these keys, which become its own, the next epoch, and a state of
 * no rows. The first thing that vault_rollback takes back. */
enum status vault_renew_keys(struct vault *vault, struct vault_keys **keys, struct failure *failure);

/* Log keys and edge of a vault whose state row said `size` leaves and head note `head`; verifies the root. */
enum status log_open(struct vault *vault, uint64_t size, const char *head, struct failure *failure);

/* Reads the right edge of the committed log again. */
enum status log_reload(struct vault *vault, struct failure *failure);

/* Signs the edge into `note`. */
void log_sign(const struct vault *vault, char note[NOTE_MAX]);

/* Associated data of whatever the log seals: a purpose, the vault, and the numbers that place it. */
void log_associate(const struct vault *vault, const char *purpose, uint64_t first, uint64_t second,
                   struct seal_input *input);

/* STATUS_CORRUPT: `what` of the log is not what the vault wrote. */
enum status log_corrupt(const char *what, struct failure *failure);

/* STATUS_CORRUPT: leaf `index` is not what the vault wrote, as `what` of it shows. */
enum status log_corrupt_leaf(uint64_t index, const char *what, struct failure *failure);

/* Opens the sealed body of leaf `index` into `ret_line` and hashes it. */
enum status log_open_leaf(const struct vault *vault, uint64_t index, const struct store_blob *blob,
                          struct failure *failure, struct secret *ret_line,
                          uint8_t ret_hash[MERKLE_HASH_SIZE]);

/* STATUS_CORRUPT unless the log, which is not empty, has a row for the first leaf that was not pruned and for
 * those that kept theirs, and none besides before it. */
enum status log_check_pruned(struct vault *vault, struct failure *failure);

/* The keyed tag of the state that leaf `index` carries: of the index, the count of rows and their sum. */
void log_tag_state(const struct vault *vault, uint64_t index, uint8_t ret_tag[LOG_TAG_SIZE]);

/* Keeps the note of a head of that size, within a turn. */
enum status log_put_checkpoint(struct vault *vault, uint64_t size, uint64_t time_ms, const char *note,
                               struct failure *failure);

/* Opens a kept checkpoint: when it was kept, and the note. */
enum status log_open_checkpoint(const struct vault *vault, const struct store_blob *blob,
                                struct failure *failure, uint64_t *ret_time_ms, char ret_note[NOTE_MAX]);

void log_close(struct vault *vault);

/* The parts of vault_open, for whoever goes on where it stops (check.c). A vault of vault_open_file alone has
 * no key, and one without its log opened is good for nothing else. */
enum status vault_open_file(const char *path, unsigned wait_ms, struct failure *failure,
                            struct vault **ret_vault);
enum status vault_open_keys(struct vault *vault, const struct vault_key *key, struct failure *failure);
/* Adds the terms of all rows but records to `state`. */
enum status vault_scan_few(struct vault *vault, struct state *state, struct failure *failure);

/* What the state row says. */
struct vault_state {
    uint8_t sum[SEAL_HASH_SIZE];
    uint64_t count;
    uint64_t log_size;
    char head[NOTE_MAX];
};
enum status vault_read_state(struct vault *vault, struct failure *failure, struct vault_state *ret_state);
/* STATUS_CORRUPT if that is not the sum and count of the rows `found`, or not the head last written. */
enum status vault_compare_state(const struct vault *vault, const struct state *found,
                                const struct vault_state *stored, struct failure *failure);
enum status vault_compare_head(const struct vault *vault, const struct vault_state *stored,
                               struct failure *failure);

/* Reads all rows anew and compares them with the stored state. Not within a turn. */
enum status vault_verify_rows(struct vault *vault, struct failure *failure);

#endif
