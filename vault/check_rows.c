/* Records held to their documents: form, look-ups, final names, and what bindings name. */
#include "check_rows.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"
#include "check_form.h"
#include "interior.h"
#include "record.h"
#include "variable.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_CHANGES 512u

struct check_binding {
    uint8_t id[STORE_ID_SIZE];
    uint8_t account[STORE_ID_SIZE];
};

void check_rows_reset(struct check_rows *rows)
{
    state_reset(&rows->found);
    secret_reset(&rows->document);
    free(rows->bindings);
    *rows = (struct check_rows){0};
}

enum status check_rows_start(struct check_rows *rows, struct vault *vault, bool remember,
                             struct failure *failure)
{
    struct state *state = remember ? &vault->state : &rows->found;

    *rows = (struct check_rows){.vault = vault, .remember = remember};
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

    if (record->kind == RECORD_BINDING)
        return true;
    if (record->kind == RECORD_VARIABLE)
        variable_add_finals(vault, &draft);
    if (record->kind == RECORD_ACCOUNT)
        account_add_finals(vault, &draft);
    bool same = finals_are(row, &draft);
    secret_reset(&draft.finals);
    return same;
}

static enum status check_record(struct check_rows *rows, const struct store_record *row,
                                const struct record *record, struct failure *failure)
{
    char parent[NAME_PATH_MAX + 1];

    enum status status = check_form(record, failure);
    if (status != STATUS_OK)
        return status;
    if (row->version == 0)
        return wrong(record, "its version", failure);
    if (!record_has_look_ups(rows->vault, row, record, record_link_target(record, parent)))
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

/* The row's term goes into the sum, and is the one that the vault remembers. */
static enum status count_row(struct check_rows *rows, const struct store_record *row, struct failure *failure,
                             bool *ret_known)
{
    struct state *state = &rows->vault->state;
    uint8_t term[SEAL_HASH_SIZE];

    state_term_record(rows->vault->keys->accumulator, row, term);
    seal_sum_add(rows->found.sum, term);
    rows->found.count++;
    rows->records++;
    *ret_known = rows->remember || state_matches(state, row->id, term);
    if (!rows->remember)
        return STATUS_OK;
    if (!state_change(state, row->id, term))
        return failure_set_no_memory(failure);
    if (state->undo_count > KEPT_CHANGES)
        state_keep(state);
    return STATUS_OK;
}

enum status check_rows_visit(void *context, const struct store_record *row, struct failure *failure)
{
    struct check_rows *rows = context;
    struct record record;
    bool known;

    enum status status = count_row(rows, row, failure, &known);
    if (status != STATUS_OK)
        return status;
    if (!known)
        status = failure_set(failure, STATUS_CORRUPT, "a record is another version of itself");
    if (status == STATUS_OK)
        status = record_open_whole(rows->vault, row, &rows->document, failure, &record);
    if (status == STATUS_CORRUPT)
        status = add_id(row, failure);
    if (status == STATUS_OK)
        status = check_record(rows, row, &record, failure);
    if (status == STATUS_OK && record.kind == RECORD_BINDING)
        status = remember_binding(rows, &record, failure);
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
