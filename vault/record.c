/* Sealing, opening, finding and writing records. */
#include "record.h"

#include "base/cleanup.h"
#include "interior.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIT_PAGE 64u      /* rows */
#define RECORD_HEAD_SIZE 4u /* the length before the fields */
#define RECORD_BODY_MAX (1024u * 1024u)
#define RECORD_ASSOCIATED_MAX 192u

/* A kind's word in look-ups and in the document, what its place look-up says, and its sort of link. */
static const struct {
    const char *word;
    const char *place;
    bool by_path; /* its place is one of each path, else one for all */
    enum record_link link;
} kinds[RECORD_KIND_COUNT] = {
    [RECORD_PATH] = {"path",          "place",         true,  RECORD_LINK_CHILDREN},
    [RECORD_VARIABLE] = {"variable",      "place",         true,  RECORD_LINK_NAMED   },
    [RECORD_BINDING] = {"binding",       "place",         true,  RECORD_LINK_BOUND   },
    [RECORD_ACCOUNT] = {"account",       "accounts",      false, RECORD_LINK_APP     },
    [RECORD_KEY] = {"key",           "keys",          false, RECORD_LINK_KEY     },
 /* Not where the live ones are: a projection opens all that a place has. */
    [RECORD_PAST_VARIABLE] = {"past-variable", "past",          true,  RECORD_LINK_PAST    },
    [RECORD_PAST_ACCOUNT] = {"past-account",  "past-accounts", false, RECORD_LINK_PAST    },
    [RECORD_CLIENT] = {"client",        "clients",       false, RECORD_LINK_CLIENT  },
};

static const char *const link_words[RECORD_LINK_COUNT] = {
    [RECORD_LINK_CHILDREN] = "children", [RECORD_LINK_NAMED] = "named", [RECORD_LINK_BOUND] = "bound",
    [RECORD_LINK_APP] = "app",           [RECORD_LINK_KEY] = "keys",    [RECORD_LINK_PAST] = "past-of",
    [RECORD_LINK_CLIENT] = "clients-of",
};

const char *record_kind_word(enum record_kind kind)
{
    return kinds[kind].word;
}

static void look_up(const struct vault *vault, const char *word, const char *first, const char *second,
                    uint8_t destination[STORE_LOOKUP_SIZE])
{
    uint8_t bytes[768];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    seal_input_text(&input, word);
    seal_input_text(&input, first);
    seal_input_text(&input, second);
    seal_hash(destination, STORE_LOOKUP_SIZE, vault->keys->lookup, input.bytes, input.size);
}

static void look_up_name(const struct vault *vault, enum record_kind kind, const char *where,
                         const char *name, uint8_t destination[STORE_LOOKUP_SIZE])
{
    look_up(vault, kinds[kind].word, where, name, destination);
}

/* An import asks for one path thousands of times. */
void record_look_up_place(struct vault *vault, enum record_kind kind, const char *where,
                          uint8_t destination[STORE_LOOKUP_SIZE])
{
    struct vault_place *last = &vault->last_place;
    const char *first = kinds[kind].by_path ? where : "";

    if (last->word != kinds[kind].place || strcmp(last->first, first) != 0) {
        look_up(vault, kinds[kind].place, first, "", last->hash);
        last->word = kinds[kind].place;
        snprintf(last->first, sizeof last->first, "%s", first);
    }
    memcpy(destination, last->hash, STORE_LOOKUP_SIZE);
}

void record_look_up_link(const struct vault *vault, enum record_kind kind, const char *target,
                         uint8_t ret_hash[STORE_LOOKUP_SIZE])
{
    look_up(vault, link_words[kinds[kind].link], target, "", ret_hash);
}

void record_hash_final(const struct vault *vault, const char *name, uint8_t ret_hash[STORE_LOOKUP_SIZE])
{
    look_up(vault, "final", name, "", ret_hash);
}

void record_reset(struct record *record)
{
    secret_free(record->document);
    memset(record, 0, sizeof *record);
}

void records_reset(struct records *records)
{
    for (size_t i = 0; i < records->count; i++)
        record_reset(&records->items[i]);
    free(records->items);
    memset(records, 0, sizeof *records);
}

void records_name(const struct records *records, char destination[FAILURE_SENTENCE_MAX])
{
    size_t at = 0;

    destination[0] = '\0';
    for (size_t i = 0; i < records->count && at < FAILURE_SENTENCE_MAX; i++)
        at += (size_t)snprintf(destination + at, FAILURE_SENTENCE_MAX - at, "%s%s:%s", i == 0 ? "" : ", ",
                               records->items[i].where, records->items[i].name);
}

static void associate(const struct vault *vault, const struct store_record *row, struct seal_input *input)
{
    seal_input_text(input, "stepvault/v1/record");
    seal_input_u32(input, STORE_FORMAT);
    seal_input_bytes(input, vault->id, sizeof vault->id);
    seal_input_u32(input, row->epoch);
    seal_input_bytes(input, row->id, sizeof row->id);
    seal_input_u64(input, row->version);
    seal_input_bytes(input, row->place, sizeof row->place);
    seal_input_bytes(input, row->name, sizeof row->name);
    seal_input_bytes(input, row->link, sizeof row->link);
}

/* Associated data ends with the finals, which have no fixed length; most records have at most a few. */
struct associated {
    uint8_t some[RECORD_ASSOCIATED_MAX];
    struct secret all; /* where `some` is too small */
    const uint8_t *bytes;
    size_t size;
};

static void associated_reset(struct associated *associated)
{
    secret_reset(&associated->all);
}

static bool associate_all(const struct vault *vault, const struct store_record *row,
                          struct associated *associated)
{
    struct seal_input input = {.bytes = associated->some, .capacity = sizeof associated->some};

    associate(vault, row, &input);
    seal_input_run(&input, row->finals, row->finals_size);
    associated->bytes = input.bytes;
    associated->size = input.size;
    if (!input.overflow)
        return true;
    input = (struct seal_input){.bytes = associated->some, .capacity = sizeof associated->some};
    associate(vault, row, &input);
    seal_input_u32(&input, (uint32_t)row->finals_size);
    if (!secret_append(&associated->all, input.bytes, input.size) ||
        !secret_append(&associated->all, row->finals, row->finals_size))
        return false;
    associated->bytes = associated->all.bytes;
    associated->size = associated->all.size;
    return true;
}

static enum status changed(const char *what, struct failure *failure)
{
    return failure_set(failure, STATUS_CORRUPT, "a record of the vault is not what the vault wrote (%s)",
                       what);
}

static bool kind_from_word(const char *word, enum record_kind *ret_kind)
{
    for (size_t kind = 0; word != NULL && kind < RECORD_KIND_COUNT; kind++)
        if (strcmp(word, kinds[kind].word) == 0) {
            *ret_kind = (enum record_kind)kind;
            return true;
        }
    return false;
}

/* The document must be of the kind, place and name under which its row was looked up: the row's name hash is
 * in the associated data. */
static bool document_is_asked_for(const struct vault *vault, const struct store_record *row,
                                  struct record *record)
{
    uint8_t name[STORE_LOOKUP_SIZE];

    if (!kind_from_word(record_field(record, "kind", NULL), &record->kind))
        return false;
    record->where = record_field(record, "where", NULL);
    record->name = record_field(record, "name", NULL);
    if (record->where == NULL || record->name == NULL || strlen(record->where) > 255 ||
        strlen(record->name) > 255)
        return false;
    look_up_name(vault, record->kind, record->where, record->name, name);
    return memcmp(name, row->name, sizeof name) == 0;
}

/* Opens the document of a row whose body has the `size` of `document` when it is open. */
static enum status open_document(const struct vault *vault, const struct store_record *row, uint8_t *document,
                                 size_t size, struct failure *failure, struct record *ret_record)
{
    CLEANUP(associated_reset) struct associated associated = {.size = 0};

    if (!associate_all(vault, row, &associated))
        return failure_set_no_memory(failure);
    if (!seal_open(document, vault->keys->record, row->body, row->body_size, associated.bytes,
                   associated.size))
        return changed("its seal", failure);
    ret_record->size = seal_load_u32(document);
    if (ret_record->size > size - RECORD_HEAD_SIZE)
        return changed("its length", failure);
    memcpy(ret_record->id, row->id, sizeof ret_record->id);
    ret_record->version = row->version;
    ret_record->finals_size = row->finals_size;
    return STATUS_OK;
}

static bool body_has_size(const struct store_record *row)
{
    return row->body_size >= SEAL_OVERHEAD + RECORD_HEAD_SIZE && row->body_size <= RECORD_BODY_MAX;
}

enum status record_open_sealed(struct vault *vault, const struct store_record *row, struct failure *failure,
                               struct record *ret_record)
{
    CLEANUP(record_reset) struct record record = {0};
    size_t size = row->body_size - SEAL_OVERHEAD;

    if (!body_has_size(row))
        return changed("its size", failure);
    record.document = secret_allocate(size);
    if (record.document == NULL)
        return failure_set_no_memory(failure);
    enum status status = open_document(vault, row, record.document, size, failure, &record);
    if (status != STATUS_OK)
        return status;
    memmove(record.document, record.document + RECORD_HEAD_SIZE, record.size);
    if (!record_fields_are_sound(record.document, record.size) || !document_is_asked_for(vault, row, &record))
        return changed("its document", failure);
    *ret_record = record;
    memset(&record, 0, sizeof record);
    return STATUS_OK;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

enum status record_open_whole(struct vault *vault, const struct store_record *row, struct secret *buffer,
                              struct failure *failure, struct record *ret_record)
{
    struct record record = {0};
    size_t size = row->body_size - SEAL_OVERHEAD;

    if (!body_has_size(row))
        return changed("its size", failure);
    if (row->epoch != vault->epoch)
        return changed("its epoch", failure);
    buffer->size = 0;
    if (!secret_reserve(buffer, size))
        return failure_set_no_memory(failure);
    enum status status = open_document(vault, row, buffer->bytes, size, failure, &record);
    if (status != STATUS_OK)
        return status;
    record.document = buffer->bytes + RECORD_HEAD_SIZE;
    if (size != seal_padded_size(RECORD_HEAD_SIZE + record.size) ||
        !is_zero(record.document + record.size, size - RECORD_HEAD_SIZE - record.size))
        return changed("its padding", failure);
    if (!document_is_asked_for(vault, row, &record))
        return changed("its document", failure);
    *ret_record = record;
    return STATUS_OK;
}

/* The row is the one that was written last. */
static enum status check_version(const struct vault *vault, const struct store_record *row,
                                 struct failure *failure)
{
    uint8_t term[SEAL_HASH_SIZE];

    state_term_record(vault->keys->accumulator, row, term);
    return state_matches(&vault->state, row->id, term) ? STATUS_OK
                                                       : changed("another version of a row", failure);
}

enum status record_open(struct vault *vault, const struct store_record *row, struct failure *failure,
                        struct record *ret_record)
{
    enum status status = check_version(vault, row, failure);

    return status == STATUS_OK ? record_open_sealed(vault, row, failure, ret_record) : status;
}

static enum status open_rows(struct vault *vault, const struct store_rows *rows, struct failure *failure,
                             struct records *ret_records)
{
    CLEANUP(records_reset) struct records records = {0};

    if (rows->count > 0) {
        records.items = calloc(rows->count, sizeof *records.items);
        if (records.items == NULL)
            return failure_set_no_memory(failure);
        records.capacity = rows->count;
    }
    for (size_t i = 0; i < rows->count; i++) {
        enum status status = record_open(vault, &rows->records[i], failure, &records.items[i]);
        if (status != STATUS_OK)
            return status;
        records.count++;
    }
    *ret_records = records;
    memset(&records, 0, sizeof records);
    return STATUS_OK;
}

static enum status open_single(struct vault *vault, const struct store_rows *rows, struct failure *failure,
                               struct record *ret_record, bool *ret_found)
{
    if (rows->count > 1)
        return changed("two where one can be", failure);
    if (rows->count == 1) {
        enum status status = record_open(vault, &rows->records[0], failure, ret_record);
        if (status != STATUS_OK)
            return status;
    }
    *ret_found = rows->count == 1;
    return STATUS_OK;
}

/* An index of the file could list a row under a look-up that is not the row's own. */
static enum status check_asked_for(const struct store_rows *rows, size_t column, const uint8_t *hash,
                                   struct failure *failure)
{
    for (size_t i = 0; i < rows->count; i++)
        if (memcmp((const uint8_t *)&rows->records[i] + column, hash, STORE_LOOKUP_SIZE) != 0)
            return changed("its place in an index", failure);
    return STATUS_OK;
}

#define CHECK_ASKED_FOR(vault, column, hash, failure)                                                        \
    check_asked_for(&(vault)->rows, offsetof(struct store_record, column), hash, failure)

enum status record_find(struct vault *vault, enum record_kind kind, const char *where, const char *name,
                        struct failure *failure, struct record *ret_record, bool *ret_found)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    look_up_name(vault, kind, where, name, hash);
    enum status status = store_find_by_name(vault->store, hash, failure, &vault->rows);
    if (status == STATUS_OK)
        status = CHECK_ASKED_FOR(vault, name, hash, failure);
    return status == STATUS_OK ? open_single(vault, &vault->rows, failure, ret_record, ret_found) : status;
}

enum status record_find_by_id(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                              struct record *ret_record, bool *ret_found)
{
    enum status status = store_find_by_id(vault->store, id, failure, &vault->rows);
    if (status == STATUS_OK)
        status = CHECK_ASKED_FOR(vault, id, id, failure);
    return status == STATUS_OK ? open_single(vault, &vault->rows, failure, ret_record, ret_found) : status;
}

static enum status list_place(struct vault *vault, enum record_kind kind, const char *where,
                              struct failure *failure, struct records *ret_records)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    record_look_up_place(vault, kind, where, hash);
    enum status status = store_find_by_place(vault->store, hash, failure, &vault->rows);
    if (status == STATUS_OK)
        status = CHECK_ASKED_FOR(vault, place, hash, failure);
    return status == STATUS_OK ? open_rows(vault, &vault->rows, failure, ret_records) : status;
}

enum status record_list_placed(struct vault *vault, const char *path, struct failure *failure,
                               struct records *ret_records)
{
    return list_place(vault, RECORD_PATH, path, failure, ret_records);
}

enum status record_list_past(struct vault *vault, const char *path, struct failure *failure,
                             struct records *ret_records)
{
    return list_place(vault, RECORD_PAST_VARIABLE, path, failure, ret_records);
}

enum status record_list_accounts(struct vault *vault, struct failure *failure, struct records *ret_records)
{
    return list_place(vault, RECORD_ACCOUNT, "", failure, ret_records);
}

enum status record_list_clients(struct vault *vault, struct failure *failure, struct records *ret_records)
{
    return list_place(vault, RECORD_CLIENT, "", failure, ret_records);
}

enum status record_list_linked(struct vault *vault, enum record_link link, const char *target,
                               struct failure *failure, struct records *ret_records)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    look_up(vault, link_words[link], target, "", hash);
    enum status status = store_find_by_link(vault->store, hash, failure, &vault->rows);
    if (status == STATUS_OK)
        status = CHECK_ASKED_FOR(vault, link, hash, failure);
    return status == STATUS_OK ? open_rows(vault, &vault->rows, failure, ret_records) : status;
}

/* What is visited: rows of one look-up. */
struct visited {
    enum status (*page)(struct store *store, const uint8_t hash[STORE_LOOKUP_SIZE], const uint8_t *after,
                        size_t limit, struct failure *failure, struct store_rows *rows);
    size_t column;
    uint8_t hash[STORE_LOOKUP_SIZE];
};

static enum status visit_rows(struct vault *vault, const struct visited *visited, record_visit *visit,
                              void *context, struct failure *failure)
{
    uint8_t last[STORE_ID_SIZE];
    const uint8_t *after = NULL;

    do {
        enum status status =
            visited->page(vault->store, visited->hash, after, VISIT_PAGE, failure, &vault->rows);
        if (status == STATUS_OK)
            status = check_asked_for(&vault->rows, visited->column, visited->hash, failure);
        for (size_t i = 0; status == STATUS_OK && i < vault->rows.count; i++) {
            CLEANUP(record_reset) struct record record = {0};

            memcpy(last, vault->rows.records[i].id, sizeof last);
            status = record_open(vault, &vault->rows.records[i], failure, &record);
            if (status == STATUS_OK && !visit(&record, context))
                return STATUS_OK;
        }
        if (status != STATUS_OK)
            return status;
        after = last;
    } while (vault->rows.count == VISIT_PAGE);
    return STATUS_OK;
}

static enum status visit_place(struct vault *vault, enum record_kind kind, const char *where,
                               record_visit *visit, void *context, struct failure *failure)
{
    struct visited visited = {store_page_by_place, offsetof(struct store_record, place), {0}};

    record_look_up_place(vault, kind, where, visited.hash);
    return visit_rows(vault, &visited, visit, context, failure);
}

enum status record_visit_placed(struct vault *vault, const char *path, record_visit *visit, void *context,
                                struct failure *failure)
{
    return visit_place(vault, RECORD_PATH, path, visit, context, failure);
}

enum status record_visit_past(struct vault *vault, const char *path, record_visit *visit, void *context,
                              struct failure *failure)
{
    return visit_place(vault, RECORD_PAST_VARIABLE, path, visit, context, failure);
}

enum status record_visit_accounts(struct vault *vault, record_visit *visit, void *context,
                                  struct failure *failure)
{
    return visit_place(vault, RECORD_ACCOUNT, "", visit, context, failure);
}

enum status record_visit_linked(struct vault *vault, enum record_link link, const char *target,
                                record_visit *visit, void *context, struct failure *failure)
{
    struct visited visited = {store_page_by_link, offsetof(struct store_record, link), {0}};

    look_up(vault, link_words[link], target, "", visited.hash);
    return visit_rows(vault, &visited, visit, context, failure);
}

enum status record_seal(struct vault *vault, const struct record_draft *draft, struct failure *failure,
                        struct secret *body, struct record_sealed *ret_sealed)
{
    CLEANUP(secret_reset) struct secret plain = {0};
    CLEANUP(associated_reset) struct associated associated = {.size = 0};
    struct record_sealed sealed = {.exists = draft->exists};
    struct store_record *row = &sealed.row;
    size_t size = draft->fields.size;
    size_t padded = seal_padded_size(RECORD_HEAD_SIZE + size);
    uint8_t head[RECORD_HEAD_SIZE];

    if (padded + SEAL_OVERHEAD > RECORD_BODY_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the record is over %u bytes", RECORD_BODY_MAX);
    seal_store_u32(head, (uint32_t)size);
    row->version = draft->version + 1;
    row->epoch = vault->epoch;
    memcpy(row->id, draft->id, sizeof row->id);
    record_look_up_place(vault, draft->kind, draft->where, row->place);
    look_up_name(vault, draft->kind, draft->where, draft->name, row->name);
    record_look_up_link(vault, draft->kind, draft->link_target, row->link);
    row->finals = draft->finals.bytes;
    row->finals_size = draft->finals.size;
    secret_clear(body);
    if (draft->failed || !secret_reserve(&plain, padded) || !secret_append(&plain, head, sizeof head) ||
        !secret_append(&plain, draft->fields.bytes, size) || !associate_all(vault, row, &associated) ||
        !secret_reserve(body, padded + SEAL_OVERHEAD))
        return failure_set_no_memory(failure);
    memset(plain.bytes + plain.size, 0, padded - plain.size);
    seal_close(body->bytes, vault->keys->record, plain.bytes, padded, associated.bytes, associated.size);
    body->size = padded + SEAL_OVERHEAD;
    row->body = body->bytes;
    row->body_size = body->size;
    state_term_record(vault->keys->accumulator, row, sealed.term);
    *ret_sealed = sealed;
    return STATUS_OK;
}

/* The names that the row of this id gives now go out of the vault's set. */
static enum status forget_names(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure)
{
    enum status status = store_find_by_id(vault->store, id, failure, &vault->rows);

    for (size_t i = 0; status == STATUS_OK && i < vault->rows.count; i++)
        if (!state_remove_names(&vault->state, vault->rows.records[i].finals,
                                vault->rows.records[i].finals_size))
            status = failure_set_no_memory(failure);
    return status;
}

enum status record_put(struct vault *vault, const struct record_sealed *sealed, struct failure *failure)
{
    const struct store_record *row = &sealed->row;

    borrow_expire(vault);
    enum status status = sealed->exists ? forget_names(vault, row->id, failure) : STATUS_OK;
    if (status == STATUS_OK && (!state_add_names(&vault->state, row->finals, row->finals_size) ||
                                !state_change(&vault->state, row->id, sealed->term)))
        status = failure_set_no_memory(failure);
    if (status == STATUS_OK)
        status = store_put_record(vault->store, row, failure);
    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

enum status record_write(struct vault *vault, const struct record_draft *draft, struct failure *failure,
                         uint8_t ret_id[STORE_ID_SIZE])
{
    CLEANUP(secret_reset) struct secret body = {0};
    struct record_sealed sealed;

    enum status status = record_seal(vault, draft, failure, &body, &sealed);
    if (status == STATUS_OK)
        status = record_put(vault, &sealed, failure);
    if (status != STATUS_OK)
        return status;
    if (ret_id != NULL)
        memcpy(ret_id, draft->id, STORE_ID_SIZE);
    return STATUS_OK;
}

enum status record_remove(struct vault *vault, const struct record *record, struct failure *failure)
{
    borrow_expire(vault);
    enum status status = forget_names(vault, record->id, failure);
    if (status == STATUS_OK && state_remembers(&vault->state, record->id) &&
        !state_change(&vault->state, record->id, NULL))
        status = failure_set_no_memory(failure);
    if (status == STATUS_OK)
        status = store_remove_record(vault->store, record->id, failure);
    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

enum status record_move(struct vault *vault, const struct record *record, const char *where,
                        const char *link_target, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    enum status status = store_find_by_id(vault->store, record->id, failure, &vault->rows);
    if (status == STATUS_OK && vault->rows.count != 1)
        status = changed("a row is gone", failure);
    if (status == STATUS_OK)
        status = check_version(vault, &vault->rows.records[0], failure);
    if (status != STATUS_OK)
        return status;
    record_draft_resume(&draft, record->kind, where, record->name, link_target, record);
    record_draft_copy_rest(&draft, record);
    if (!secret_append(&draft.finals, vault->rows.records[0].finals, vault->rows.records[0].finals_size))
        return failure_set_no_memory(failure);
    return record_write(vault, &draft, failure, NULL);
}
