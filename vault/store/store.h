/* The store: where ciphertext and public headers lie. It knows rows, never what is in them; nothing above it
 * writes SQL.
 *
 * A turn is one batch: store_begin, puts and removals, store_commit. Rows come out whole, copied, never as a
 * cursor, so that another store (PostgreSQL, in a process of its own) can stand behind the same calls. Every
 * failing call fills `failure`; STATUS_LOG_UNWRITABLE when the disk is full or read-only, STATUS_CORRUPT when
 * SQLite finds the file damaged or a row breaks its form, STATUS_BUSY when another process holds the file. */
#ifndef STEPVAULT_STORE_STORE_H
#define STEPVAULT_STORE_STORE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_ID_SIZE 16u
#define STORE_LOOKUP_SIZE 16u
#define STORE_FORMAT 1u
#define STORE_SLOTS_MAX 256u

struct store;

/* One row of `records`. The pointers of a row that came out of the store point into its struct store_rows. */
struct store_record {
    uint8_t id[STORE_ID_SIZE];
    uint8_t place[STORE_LOOKUP_SIZE]; /* not unique: what is placed together */
    uint8_t name[STORE_LOOKUP_SIZE];  /* unique: the one record of this kind, path and name */
    uint8_t link[STORE_LOOKUP_SIZE];  /* not unique: what it belongs to */
    const uint8_t *finals;            /* concatenated 16-byte hashes of final environment names */
    size_t finals_size;
    uint64_t version;
    uint32_t epoch;
    const uint8_t *body; /* nonce, ciphertext, tag */
    size_t body_size;
};

/* One row of `slots`, as crypto/slot.h has it. */
struct store_slot {
    uint8_t id[STORE_ID_SIZE];
    uint32_t kind;
    uint32_t memory_kib;
    uint32_t passes;
    uint32_t lanes;
    uint8_t salt[16];
    uint64_t created_ms;
    uint8_t commitment[32];
    uint8_t wrapped[72];
};

/* A numbered blob: leaves (by index), segments (by first leaf), checkpoints (by size), tiles (level << 56 |
 * index). */
struct store_blob {
    uint64_t number;
    const uint8_t *bytes;
    size_t size;
};

/* What the store says of itself in clear. */
struct store_header {
    uint8_t vault_id[STORE_ID_SIZE];
    uint32_t epoch;
};

/* Rows that came out; owned by the caller, reusable; freed with store_rows_reset. All zero is empty. Row
 * pointers hold until the next call that fills the same struct. */
struct store_rows {
    struct store_record *records; /* or blobs, by the call that filled it */
    struct store_blob *blobs;
    size_t count;
    /* Of the store: what the rows point into, and for how many rows there is room. */
    uint8_t *memory;
    size_t capacity;
    size_t used;
    size_t records_allocated;
    size_t blobs_allocated;
};
void store_rows_reset(struct store_rows *rows);

/* Makes a new vault file for `path` (canonical; 0600, its folder is made) with the schema and header; it is
 * open and locked, but has a name of its own until store_publish; store_freep before that removes it.
 * STATUS_EXISTS if there is a file, unless it is empty. STATUS_BUSY while another process makes a vault in
 * the same folder. */
enum status store_create(const char *path, const struct store_header *header, struct failure *failure,
                         struct store **ret_store);

/* Before another file takes the place of this one (disk_draft_replace): all that was committed is folded into
 * the file, unless it was changed by somebody else or is damaged, and closing will touch neither. */
enum status store_retire(struct store *store, struct failure *failure);
/* No other file took its place: what is written from now on is ours again. */
void store_resume(struct store *store);

/* Gives the made file its name, durably, and leaves it open and locked. Not within a batch. */
enum status store_publish(struct store *store, struct failure *failure);

/* Opens and locks the file, waiting at most `wait_ms` for another process's lock (STATUS_BUSY then,
 * and after a second where that process called store_reserve). Checks:
 * a regular file of ours, no symbolic link, no access for group or others, one link, a local file system
 * (STATUS_FOREIGN); application id (STATUS_FOREIGN: not a vault), format (STATUS_FORMAT), exact schema
 * (STATUS_CORRUPT). A file on a read-only disk opens read-only if it was closed cleanly (else
 * STATUS_LOG_UNWRITABLE); store_begin then gives STATUS_LOG_UNWRITABLE. STATUS_NO_VAULT if there is no file.
 * While it is open, nothing else in this process may open the file and close it again: that drops the lock,
 * as POSIX has it. */
enum status store_open(const char *path, unsigned wait_ms, struct failure *failure, struct store **ret_store);

/* Looks at the file and its write-ahead log from outside, which takes 2 µs. STATUS_FOREIGN if another file
 * has its name, none has, or one has another size than we left it with. `*ret_touched`: its times are not
 * those we left, so something else may have written to it; store_accept says that this was found harmless. */
enum status store_look(struct store *store, struct failure *failure, bool *ret_touched);
/* What the last look found is how the files are to be. */
void store_accept(struct store *store);

/* Forgets what is in memory of the file, so that reading reads it again. Not within a batch. STATUS_CORRUPT
 * if the schema or the write-ahead log is not what it was. */
enum status store_refresh(struct store *store, struct failure *failure);

/* From now on nothing may be written, and store_freep leaves the files as they lie, as a crash would. */
void store_leave(struct store *store);

/* Rolls back what is open, closes the file (SQLite folds its WAL into it) and frees. Where another file has
 * its name by now, nothing of that is touched: ours is folded, as far as it still is what we left, and an
 * empty write-ahead log of ours is removed. NULL pointer inside is fine. */
void store_freep(struct store **store);

/* A file's slots and header, for a locked vault: store_open, with its checks and statuses, and closed again;
 * no lock is kept.
 * `*ret_slots` is malloc'ed; the caller frees it. STATUS_BUSY after `wait_ms`. */
enum status store_read_slots(const char *path, unsigned wait_ms, struct failure *failure,
                             struct store_header *ret_header, struct store_slot **ret_slots,
                             size_t *ret_count);

enum status store_get_header(struct store *store, struct failure *failure, struct store_header *ret_header);

/* Visits every record in order of id; a record and what it points to hold for the visit, which must not call
 * the store and ends the scan by failing. Then STATUS_CORRUPT unless the indices list exactly those records,
 * each where a search finds it, and no table has a row that the schema forbids: look-ups trust the indices,
 * and no seal covers them, so without this whoever edits the file could hide a record from look-ups that a
 * walk still finds. For unlock; `visit` may be NULL. 4 µs a record without the visit, and a third of a
 * microsecond more where the file has free pages; nothing for the log (but where SQLite has no dbstat). */
typedef enum status store_visit(void *context, const struct store_record *record, struct failure *failure);
enum status store_scan(struct store *store, store_visit *visit, void *context, struct failure *failure);

/* The same in slices of about `limit` rows and entries; the last looks at all pages at once. A batch that
 * begins in between makes the scan stale, and it cannot go on: whoever wants all rows starts another one. It
 * is freed before the store is. */
struct store_scan;
enum status store_scan_start(struct store *store, store_visit *visit, void *context, struct failure *failure,
                             struct store_scan **ret_scan);
enum status store_scan_continue(struct store_scan *scan, size_t limit, struct failure *failure,
                                bool *ret_done);
bool store_scan_is_stale(const struct store_scan *scan);
/* Whether every record was visited. */
bool store_scan_has_records(const struct store_scan *scan);
void store_scan_freep(struct store_scan **scan);

/* For an agent that stays: whoever waits for the vault learns that (queue.h), and the room that commits need
 * is written out (4.5 MiB beside the file, until it is closed), so that they overwrite instead of making a
 * file grow, which costs twice as much. About 10 ms. A disk too full for it is no error. */
void store_reserve(struct store *store);

/* Everything that writes stands between store_begin and store_commit or store_rollback; outside it is
 * STATUS_FAILED. After STATUS_EXISTS, STATUS_INVALID or STATUS_TOO_LARGE the batch goes on without what
 * failed; after anything else it cannot be committed. */
enum status store_begin(struct store *store, struct failure *failure);
/* Durable when it returns STATUS_OK (WAL, synchronous=FULL: one fdatasync). On failure the batch is rolled
 * back. */
enum status store_commit(struct store *store, struct failure *failure);
void store_rollback(struct store *store);

/* In an open batch that is to write thousands of records (an import). Until it ends, SQLite may hold 96 MiB
 * of pages, so that none is written more than once, and its commit does not fold the write-ahead log into the
 * file. */
void store_widen(struct store *store);

/* Around the puts of more new records than there were, in order of id, in an open batch: the indices of
 * records are taken away first and made again from the rows, which costs two thirds of keeping them. Between
 * the two there is no look-up but by id. A batch in which either fails cannot be committed. */
enum status store_load_begin(struct store *store, struct failure *failure);
enum status store_load_end(struct store *store, struct failure *failure);

/* In an open batch: removes every row but those of header, leaves and tiles, so that nothing of it stays in
 * the file once the batch is folded, and sets the header's epoch. */
enum status store_begin_epoch(struct store *store, uint32_t epoch, struct failure *failure);

/* Folds what a widened batch wrote, about 2 µs a record; there is nothing to do after any other. Outside of a
 * batch. What it cannot do, and says so by false, a later commit will. */
bool store_fold(struct store *store);

/* Inserts or replaces the record with this id. A `name` taken by another id is STATUS_EXISTS. Numbers over
 * INT64_MAX are STATUS_INVALID, here and below. Removing what is not there is STATUS_OK. */
enum status store_put_record(struct store *store, const struct store_record *record, struct failure *failure);
enum status store_remove_record(struct store *store, const uint8_t id[STORE_ID_SIZE],
                                struct failure *failure);

/* Look-ups fill rows->records, in order of id; a count of 0 is STATUS_OK. More than 256 MiB at once is
 * STATUS_TOO_LARGE. */
enum status store_find_by_id(struct store *store, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                             struct store_rows *rows);
enum status store_find_by_name(struct store *store, const uint8_t name[STORE_LOOKUP_SIZE],
                               struct failure *failure, struct store_rows *rows);
enum status store_find_by_place(struct store *store, const uint8_t place[STORE_LOOKUP_SIZE],
                                struct failure *failure, struct store_rows *rows);
enum status store_find_by_link(struct store *store, const uint8_t link[STORE_LOOKUP_SIZE],
                               struct failure *failure, struct store_rows *rows);
/* The same in pages, so that a caller can stop: at most `limit` records with an id greater than `after`
 * (NULL: from the first), in order of id. */
enum status store_page_by_id(struct store *store, const uint8_t *after, size_t limit, struct failure *failure,
                             struct store_rows *rows);
enum status store_page_by_place(struct store *store, const uint8_t place[STORE_LOOKUP_SIZE],
                                const uint8_t *after, size_t limit, struct failure *failure,
                                struct store_rows *rows);
enum status store_page_by_link(struct store *store, const uint8_t link[STORE_LOOKUP_SIZE],
                               const uint8_t *after, size_t limit, struct failure *failure,
                               struct store_rows *rows);
/* `put` inserts or replaces; one more than STORE_SLOTS_MAX is STATUS_TOO_LARGE. */
enum status store_put_slot(struct store *store, const struct store_slot *slot, struct failure *failure);
enum status store_remove_slot(struct store *store, const uint8_t id[STORE_ID_SIZE], struct failure *failure);
enum status store_list_slots(struct store *store, struct failure *failure, struct store_slot **ret_slots,
                             size_t *ret_count);

/* Numbered blobs. `put` inserts or replaces; `list` gives at most `limit` with number >= first, in order. */
enum store_table { STORE_LEAVES, STORE_TILES, STORE_SEGMENTS, STORE_CHECKPOINTS, STORE_TABLE_COUNT };
enum status store_put_blob(struct store *store, enum store_table table, uint64_t number, const void *bytes,
                           size_t size, struct failure *failure);
enum status store_remove_blob(struct store *store, enum store_table table, uint64_t number,
                              struct failure *failure);
enum status store_list_blobs(struct store *store, enum store_table table, uint64_t first, size_t limit,
                             struct failure *failure, struct store_rows *rows);

/* The one state row: sizes in clear, the rest sealed. `get` allocates `*ret_sealed` (malloc);
 * STATUS_NOT_FOUND if none was ever put. */
enum status store_put_state(struct store *store, uint64_t log_size, uint64_t record_count, const void *sealed,
                            size_t size, struct failure *failure);
enum status store_get_state(struct store *store, struct failure *failure, uint64_t *ret_log_size,
                            uint64_t *ret_record_count, uint8_t **ret_sealed, size_t *ret_size);

#endif
