/* Records: one padded, sealed document each. A document is a run of named fields; docs/FORMAT.md, section 5,
 * has the bytes. */
#ifndef STEPVAULT_RECORD_H
#define STEPVAULT_RECORD_H

#include "base/name.h"
#include "base/secret.h"
#include "base/status.h"
#include "crypto/seal.h"
#include "store/store.h"
#include "vault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
    RECORD_PATH,
    RECORD_VARIABLE,
    RECORD_BINDING,
    RECORD_ACCOUNT,
    RECORD_KEY,
    RECORD_PAST_VARIABLE, /* the old values of a variable; past.h */
    RECORD_PAST_ACCOUNT,  /* the old properties of an account */
    RECORD_CLIENT,        /* an OAuth client of the user's own; registration.h */
    RECORD_KIND_COUNT
};

/* An opened record. Field values and names are NUL-terminated in place and valid until record_reset. */
struct record {
    enum record_kind kind;
    uint8_t id[STORE_ID_SIZE];
    uint64_t version;
    const char *where; /* the path; an account's or a client's app; "" of a key and of an account's past */
    const char *name;  /* variable, alias, label or key name; an account's id of its past; "" of a path */
    uint8_t *document; /* secret memory */
    size_t size;       /* of the fields */
    size_t finals_size;
};

void record_reset(struct record *record);

/* A list of opened records. */
struct records {
    struct record *items;
    size_t count;
    size_t capacity;
};
void records_reset(struct records *records);
/* `where:name` of each, for a sentence: as many as there is room for. */
void records_name(const struct records *records, char destination[FAILURE_SENTENCE_MAX]);

#define RECORD_FIELD_OVERHEAD 8u /* of a field, besides its name and value: u16 and u32 lengths, two NULs */

/* Value of the field `name`, NULL if absent; `ret_size` may be NULL. */
const char *record_field(const struct record *record, const char *name, size_t *ret_size);
/* True if the field is there (its value does not matter). */
bool record_has(const struct record *record, const char *name);
/* Walks the fields whose name begins with `prefix`: `*position` starts at 0; `ret_rest` is the name after the
 * prefix. */
bool record_next(const struct record *record, const char *prefix, size_t *position, const char **ret_rest,
                 const char **ret_value, size_t *ret_size);

/* A decimal field, such as milliseconds since 1970; 0 if absent. */
uint64_t record_number(const struct record *record, const char *field);
/* True if the bytes of a document are fields and nothing else. */
bool record_fields_are_sound(const uint8_t *bytes, size_t size);

/* The one record of this kind, place and name; `*ret_found` false if there is none. */
enum status record_find(struct vault *vault, enum record_kind kind, const char *where, const char *name,
                        struct failure *failure, struct record *ret_record, bool *ret_found);
enum status record_find_by_id(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                              struct record *ret_record, bool *ret_found);

/* Everything placed exactly at a path, its path record included. */
enum status record_list_placed(struct vault *vault, const char *path, struct failure *failure,
                               struct records *ret_records);
/* The pasts of the variables that are, or were, placed exactly at a path; they are nothing that is placed. */
enum status record_list_past(struct vault *vault, const char *path, struct failure *failure,
                             struct records *ret_records);
/* All accounts; all clients. */
enum status record_list_accounts(struct vault *vault, struct failure *failure, struct records *ret_records);
enum status record_list_clients(struct vault *vault, struct failure *failure, struct records *ret_records);

/* What a record belongs to besides its place; each kind has one sort of link. */
enum record_link {
    RECORD_LINK_CHILDREN, /* paths, by their parent; the root's is "" */
    RECORD_LINK_NAMED,    /* variables, by name */
    RECORD_LINK_BOUND,    /* bindings, by account id in hexadecimal */
    RECORD_LINK_APP,      /* accounts, by app */
    RECORD_LINK_KEY,      /* keys, all */
    RECORD_LINK_PAST,     /* pasts, by variable name or account id */
    RECORD_LINK_CLIENT,   /* clients, by app */
    RECORD_LINK_COUNT
};
enum status record_list_linked(struct vault *vault, enum record_link link, const char *target,
                               struct failure *failure, struct records *ret_records);

/* What the link of the record looks up; `parent` may be used for it. NULL of a binding without an account,
 * which no vault writes. */
const char *record_link_target(const struct record *record, char parent[NAME_PATH_MAX + 1]);

/* The same one by one, in no order that means anything, for what may be too many to be opened all: goes on
 * while `visit` returns true. The record is wiped behind it; `visit` itself looks nothing up. */
typedef bool record_visit(const struct record *record, void *context);
enum status record_visit_placed(struct vault *vault, const char *path, record_visit *visit, void *context,
                                struct failure *failure);
enum status record_visit_past(struct vault *vault, const char *path, record_visit *visit, void *context,
                              struct failure *failure);
enum status record_visit_accounts(struct vault *vault, record_visit *visit, void *context,
                                  struct failure *failure);
enum status record_visit_linked(struct vault *vault, enum record_link link, const char *target,
                                record_visit *visit, void *context, struct failure *failure);

/* A kind's word in look-ups and documents. */
const char *record_kind_word(enum record_kind kind);

/* A record to be written. Zero, then record_draft_start; fields are added in any order, each name once. */
struct record_draft {
    enum record_kind kind;
    const char *where;
    const char *name;
    const char *link_target;
    bool exists;
    uint8_t id[STORE_ID_SIZE];
    uint64_t version;
    struct secret fields;
    struct secret finals;
    bool failed;
};

/* Begins a record that replaces `previous` (same id, next version), or a new one if `previous` is NULL. Adds
 * the fields kind, where, name and updated (milliseconds, decimal), and `created`. Strings are borrowed until
 * record_write. */
void record_draft_start(struct record_draft *draft, enum record_kind kind, const char *where,
                        const char *name, const char *link_target, const struct record *previous);
/* The same for a change that leaves the value of `previous` as it was: `updated` stays. */
void record_draft_resume(struct record_draft *draft, enum record_kind kind, const char *where,
                         const char *name, const char *link_target, const struct record *previous);
/* The same with all fields as they are: for a record whose row alone is to be another one. */
void record_draft_repeat(struct record_draft *draft, const struct record *record, const char *link_target);
void record_draft_add(struct record_draft *draft, const char *field, const void *value, size_t size);
void record_draft_add_text(struct record_draft *draft, const char *field, const char *value);
/* A number, or a time in milliseconds, in decimal. */
void record_draft_add_number(struct record_draft *draft, const char *field, uint64_t number);
/* Copies the fields of `record` whose name begins with `prefix`; or all of a name that the draft has not. */
void record_draft_copy(struct record_draft *draft, const struct record *record, const char *prefix);
void record_draft_copy_rest(struct record_draft *draft, const struct record *record);
/* One more final environment name of the record. */
void record_draft_add_final(struct vault *vault, struct record_draft *draft, const char *name);
/* The draft seen as a record, so that its fields can be walked before it is written; valid until the draft
 * changes. */
struct record record_draft_preview(const struct record_draft *draft);
void record_draft_reset(struct record_draft *draft);

/* Seals and puts it; marks the vault broken if that fails. `ret_id` may be NULL. */
enum status record_write(struct vault *vault, const struct record_draft *draft, struct failure *failure,
                         uint8_t ret_id[STORE_ID_SIZE]);
enum status record_remove(struct vault *vault, const struct record *record, struct failure *failure);
/* Puts the record, with all its fields and final names, to the path `where`, where none of its name may be.
 */
enum status record_move(struct vault *vault, const struct record *record, const char *where,
                        const char *link_target, struct failure *failure);

/* A record sealed and not yet in the store: look-ups and ciphertext, nothing that is secret. */
struct record_sealed {
    struct store_record row; /* its finals lie in the draft, its body where record_seal put it */
    uint8_t term[SEAL_HASH_SIZE];
    bool exists; /* replaces the row of its id */
};

/* The two halves of record_write. Sealing needs no turn; `body` is cleared first. */
enum status record_seal(struct vault *vault, const struct record_draft *draft, struct failure *failure,
                        struct secret *body, struct record_sealed *ret_sealed);
enum status record_put(struct vault *vault, const struct record_sealed *sealed, struct failure *failure);
/* Opens a row that the store gave; STATUS_CORRUPT unless it is the one that was written last. */
enum status record_open(struct vault *vault, const struct store_record *row, struct failure *failure,
                        struct record *ret_record);
/* Opens what record_seal gave; nothing of it need be in the store. */
enum status record_open_sealed(struct vault *vault, const struct store_record *row, struct failure *failure,
                               struct record *ret_record);

/* For whoever opens all of them (check.c): the document lies in `buffer`, secret memory of the caller that it
 * shares with the next one, and is not to be reset; `failure` says what of it is not as FORMAT.md, section 5,
 * has any record's: its epoch, its padding. Whether all of it are fields is left to who walks them. */
enum status record_open_whole(struct vault *vault, const struct store_record *row, struct secret *buffer,
                              struct failure *failure, struct record *ret_record);
/* The look-ups of a row, besides its name, which was compared when it was opened: of the place `where`, and
 * of record_link_target.
 */
void record_look_up_place(struct vault *vault, enum record_kind kind, const char *where,
                          uint8_t ret_hash[STORE_LOOKUP_SIZE]);
void record_look_up_link(const struct vault *vault, enum record_kind kind, const char *target,
                         uint8_t ret_hash[STORE_LOOKUP_SIZE]);

/* The hash of a final environment name. */
void record_hash_final(const struct vault *vault, const char *name, uint8_t ret_hash[STORE_LOOKUP_SIZE]);

#endif
