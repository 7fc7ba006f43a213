/* Records held to their documents: form, look-ups, final names, and what bindings name. */
#include "check_rows.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"
#include "check_form.h"
#include "interior.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 8192u /* a power of two; a vault has fewer paths, or most of its rows at few of them */

struct check_binding {
    uint8_t id[STORE_ID_SIZE];
    uint8_t account[STORE_ID_SIZE];
};

/* The look-up of a place is that of many rows, which do not stand together. */
struct check_place {
    bool known;
    enum record_kind kind;
    uint8_t hash[STORE_LOOKUP_SIZE];
    char where[NAME_PATH_MAX + 1];
};

void check_rows_reset(struct check_rows *rows)
{
    state_reset(&rows->found);
    secret_reset(&rows->document);
    free(rows->bindings);
    free(rows->places);
    *rows = (struct check_rows){0};
}

enum status check_rows_start(struct check_rows *rows, struct vault *vault, bool remember,
                             struct failure *failure)
{
    struct state *state = remember ? &vault->state : &rows->found;

    *rows = (struct check_rows){.vault = vault, .remember = remember};
    rows->places = calloc(PLACES, sizeof *rows->places);
    if (rows->places == NULL)
        return failure_set_no_memory(failure);
    if (remember)
        state_reset(state);
    enum status status = vault_scan_few(vault, state, failure);
    state_keep(state);
    memcpy(rows->found.sum, state->sum, sizeof rows->found.sum);
    rows->found.count = state->count;
    return status;
}

static void note_wrong(struct check_rows *rows, const struct failure *failure)
{
    if (rows->wrong++ == 0)
        rows->first_wrong = *failure;
}

static enum status wrong(const struct record *record, const char *what, struct failure *failure)
{
    char subject[CHECK_FORM_SUBJECT];

    return failure_set(failure, STATUS_CORRUPT, "%s is not what a vault writes (%s)",
                       check_form_subject(record, subject), what);
}

/* Of what cannot be opened only the id can be said. */
static enum status add_id(const struct store_record *row, struct failure *failure)
{
    char id[2 * STORE_ID_SIZE + 1];
    struct failure bare = *failure;

    text_to_hex(id, row->id, sizeof row->id);
    return failure_set(failure, bare.status, "%s, id %s", bare.sentence, id);
}

static bool finals_are(const struct store_record *row, const struct record_draft *draft)
{
    return !draft->failed && draft->finals.size == row->finals_size &&
           (row->finals_size == 0 || memcmp(draft->finals.bytes, row->finals, row->finals_size) == 0);
}

/* A binding's hang on its account, which is looked at later. */
static bool finals_are_its_own(struct vault *vault, const struct store_record *row,
                               const struct record *record)
{
    struct record_draft draft = {
        .kind = record->kind,
        .where = record->where,
        .name = record->name,
        .fields = {.bytes = record->document, .size = record->size}
    };
    uint8_t hash[STORE_LOOKUP_SIZE];

    if (record->kind == RECORD_BINDING)
        return true;
    if (record->kind == RECORD_VARIABLE) { /* nearly all of them: without a draft's memory */
        record_hash_final(vault, record->name, hash);
        return row->finals_size == sizeof hash && memcmp(row->finals, hash, sizeof hash) == 0;
    }
    if (record->kind == RECORD_ACCOUNT)
        account_add_finals(vault, &draft);
    bool same = finals_are(row, &draft);
    secret_reset(&draft.finals);
    return same;
}

static const uint8_t *look_up_place(struct check_rows *rows, const struct record *record)
{
    uint64_t number = text_fnv1a(record->where, strlen(record->where)) + record->kind;
    struct check_place *place = &rows->places[number & (PLACES - 1)];

    if (!place->known || place->kind != record->kind || strcmp(place->where, record->where) != 0) {
        record_look_up_place(rows->vault, record->kind, record->where, place->hash);
        place->known = true;
        place->kind = record->kind;
        memcpy(place->where, record->where, strlen(record->where) + 1);
    }
    return place->hash;
}

static bool look_ups_are_its_own(struct check_rows *rows, const struct store_record *row,
                                 const struct record *record)
{
    char parent[NAME_PATH_MAX + 1];
    const char *target = record_link_target(record, parent);
    uint8_t link[STORE_LOOKUP_SIZE];

    if (target == NULL)
        return false;
    record_look_up_link(rows->vault, record->kind, target, link);
    return memcmp(link, row->link, sizeof link) == 0 &&
           memcmp(look_up_place(rows, record), row->place, sizeof row->place) == 0;
}

static enum status check_record(struct check_rows *rows, const struct store_record *row,
                                const struct record *record, struct failure *failure)
{
    enum status status = check_form(record, failure);

    if (status != STATUS_OK)
        return status;
    if (row->version == 0)
        return wrong(record, "its version", failure);
    if (!look_ups_are_its_own(rows, row, record))
        return wrong(record, "its place or link", failure);
    if (!finals_are_its_own(rows->vault, row, record))
        return wrong(record, "its final names", failure);
    return STATUS_OK;
}

static enum status remember_binding(struct check_rows *rows, const struct record *binding,
                                    struct failure *failure)
{
    if (rows->binding_count == rows->binding_capacity) {
        size_t capacity = rows->binding_capacity == 0 ? 64 : 2 * rows->binding_capacity;
        struct check_binding *larger = reallocarray(rows->bindings, capacity, sizeof *larger);
        if (larger == NULL)
            return failure_set_no_memory(failure);
        rows->bindings = larger;
        rows->binding_capacity = capacity;
    }
    struct check_binding *kept = &rows->bindings[rows->binding_count];
    memcpy(kept->id, binding->id, sizeof kept->id);
    if (binding_account_id(binding, kept->account))
        rows->binding_count++;
    return STATUS_OK;
}

/* What is looked up later on: log keys, and what bindings name. A vault that remembers nothing is to check
 * each row that is looked up, but it would take as long to remember all of them as to open them. */
static enum status remember(struct check_rows *rows, const struct record *record,
                            const uint8_t term[SEAL_HASH_SIZE], struct failure *failure)
{
    struct state *state = &rows->vault->state;

    if (record->kind == RECORD_BINDING) {
        enum status status = remember_binding(rows, record, failure);
        if (status != STATUS_OK)
            return status;
    }
    if (!rows->remember ||
        (record->kind != RECORD_KEY && record->kind != RECORD_BINDING && record->kind != RECORD_ACCOUNT))
        return STATUS_OK;
    bool changed = state_change(state, record->id, term);
    state_keep(state);
    return changed ? STATUS_OK : failure_set_no_memory(failure);
}

static enum status open_row(struct check_rows *rows, const struct store_record *row,
                            const uint8_t term[SEAL_HASH_SIZE], struct failure *failure,
                            struct record *ret_record)
{
    enum status status = STATUS_OK;

    if (!rows->remember && !state_matches(&rows->vault->state, row->id, term))
        status = failure_set(failure, STATUS_CORRUPT, "a record is another version of itself");
    if (status == STATUS_OK)
        status = record_open_whole(rows->vault, row, &rows->document, failure, ret_record);
    return status == STATUS_CORRUPT ? add_id(row, failure) : status;
}

enum status check_rows_visit(void *context, const struct store_record *row, struct failure *failure)
{
    struct check_rows *rows = context;
    uint8_t term[SEAL_HASH_SIZE];
    struct record record;

    state_term_record(rows->vault->keys->accumulator, row, term);
    seal_sum_add(rows->found.sum, term);
    rows->found.count++;
    rows->records++;
    enum status status = open_row(rows, row, term, failure, &record);
    if (status == STATUS_OK)
        status = check_record(rows, row, &record, failure);
    if (status == STATUS_OK)
        status = remember(rows, &record, term, failure);
    if (status == STATUS_NO_MEMORY)
        return status;
    if (status != STATUS_OK)
        note_wrong(rows, failure);
    return STATUS_OK;
}

static enum status check_binding(struct check_rows *rows, const struct check_binding *kept,
                                 struct failure *failure)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_reset) struct record binding = {0};
    struct vault *vault = rows->vault;
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    bool found = false;

    enum status status = record_find_by_id(vault, kept->account, failure, &account, &found);
    bool bound = status == STATUS_OK && found && account.kind == RECORD_ACCOUNT;
    if (status == STATUS_OK)
        status = record_find_by_id(vault, kept->id, failure, &binding, &found);
    if (status != STATUS_OK || !found)
        return status;
    if (!bound)
        return wrong(&binding, "there is no account that it binds", failure);
    binding_add_finals(vault, &draft, &binding, &account);
    return finals_are(&vault->rows.records[0], &draft) ? STATUS_OK
                                                       : wrong(&binding, "its final names", failure);
}

enum status check_rows_bindings(struct check_rows *rows, size_t limit, struct failure *failure,
                                bool *ret_done)
{
    while (limit-- > 0 && rows->binding_next < rows->binding_count) {
        enum status status = check_binding(rows, &rows->bindings[rows->binding_next++], failure);
        if (status == STATUS_NO_MEMORY)
            return status;
        if (status != STATUS_OK)
            note_wrong(rows, failure);
    }
    *ret_done = rows->binding_next == rows->binding_count;
    return STATUS_OK;
}
