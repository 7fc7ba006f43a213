/* Staging, deciding and putting. */
#include "import.h"

#include "account.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "binding.h"
#include "import_interior.h"
#include "interior.h"
#include "placement.h"

#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MANY 1000u /* writes, from which on the store makes room for them */

/* Items by one of their look-ups, which are as good as random: open addressing. */
struct table {
    size_t column;     /* of the look-up in a row */
    uint32_t *numbers; /* of an item, plus 1; 0: a free place */
    size_t capacity;
    size_t count;
};

struct import {
    struct import_item *items;
    size_t count;
    size_t capacity;
    size_t bytes;
    struct table names; /* each of them once */
    struct table paths; /* the first item of each */
    struct arena arena;
    struct secret body;             /* of the item being sealed */
    struct import_rank *named;      /* of import_commit: variables before accounts, by path */
    struct import_rank *identified; /* and by id, as the table of records takes them best */
    struct import_counts counts;
};

enum status import_start(struct failure *failure, struct import **ret_import)
{
    struct import *import = calloc(1, sizeof *import);

    if (import == NULL)
        return failure_set_no_memory(failure);
    import->names.column = offsetof(struct store_record, name);
    import->paths.column = offsetof(struct store_record, place);
    *ret_import = import;
    return STATUS_OK;
}

void import_freep(struct import **import)
{
    if (*import == NULL)
        return;
    arena_reset(&(*import)->arena);
    secret_reset(&(*import)->body);
    free((*import)->items);
    free((*import)->names.numbers);
    free((*import)->paths.numbers);
    free((*import)->named);
    free((*import)->identified);
    free(*import);
    *import = NULL;
}

void import_rest(struct import *import)
{
    secret_reset(&import->body);
}

size_t import_count(const struct import *import)
{
    return import->count;
}

size_t import_bytes(const struct import *import)
{
    return import->bytes;
}

static struct import_item *make_item(struct import *import)
{
    if (import->count == import->capacity) {
        size_t capacity = import->capacity == 0 ? 64 : 2 * import->capacity;
        struct import_item *larger = reallocarray(import->items, capacity, sizeof *larger);
        if (larger == NULL)
            return NULL;
        import->items = larger;
        import->capacity = capacity;
    }
    return &import->items[import->count];
}

static const uint8_t *look_up_of(const struct import *import, const struct table *table, uint32_t number)
{
    return (const uint8_t *)&import->items[number].sealed.row + table->column;
}

/* The place of this look-up in the table, or the free place where it would go. */
static uint32_t *table_find(const struct import *import, const struct table *table,
                            const uint8_t look_up[STORE_LOOKUP_SIZE])
{
    uint64_t place;

    memcpy(&place, look_up, sizeof place);
    for (;; place++) {
        uint32_t *number = &table->numbers[place & (table->capacity - 1)];
        if (*number == 0 || memcmp(look_up_of(import, table, *number - 1), look_up, STORE_LOOKUP_SIZE) == 0)
            return number;
    }
}

static bool table_make_room(const struct import *import, struct table *table)
{
    struct table larger = *table;

    if (table->count < table->capacity / 2)
        return true;
    larger.capacity = table->capacity == 0 ? 256 : 2 * table->capacity;
    larger.numbers = calloc(larger.capacity, sizeof *larger.numbers);
    if (larger.numbers == NULL)
        return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->numbers[i] != 0)
            *table_find(import, &larger, look_up_of(import, table, table->numbers[i] - 1)) =
                table->numbers[i];
    free(table->numbers);
    *table = larger;
    return true;
}

/* The number of the item that has this look-up: the one at hand if none had it before. */
static uint32_t table_enter(struct import *import, struct table *table, uint32_t number)
{
    uint32_t *found = table_find(import, table, look_up_of(import, table, number));

    if (*found == 0) {
        *found = number + 1;
        table->count++;
    }
    return *found - 1;
}

static enum status refuse_double(const struct record_draft *draft, struct failure *failure)
{
    if (draft->kind == RECORD_ACCOUNT)
        return failure_set(failure, STATUS_INVALID, "the account %s:%s is in the import twice", draft->where,
                           draft->name);
    return failure_set(failure, STATUS_INVALID, "%s at %s is in the import twice", draft->name, draft->where);
}

/* Seals the draft and keeps it; `bytes` are the names and values that it counts for. */
static enum status stage(struct import *import, struct vault *vault, const struct record_draft *draft,
                         size_t bytes, struct failure *failure)
{
    struct import_item *item = make_item(import);
    uint32_t number = (uint32_t)import->count;

    if (item == NULL || !table_make_room(import, &import->names) || !table_make_room(import, &import->paths))
        return failure_set_no_memory(failure);
    *item = (struct import_item){.kind = draft->kind};
    enum status status = record_seal(vault, draft, failure, &import->body, &item->sealed);
    if (status != STATUS_OK)
        return status;
    if (table_enter(import, &import->names, number) != number)
        return refuse_double(draft, failure);
    struct store_record *row = &item->sealed.row;
    item->group = table_enter(import, &import->paths, number);
    if (import->paths.count > IMPORT_PATHS_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "an import has at most %u paths", IMPORT_PATHS_MAX);
    /* Accounts have one place together, whatever their apps. */
    item->where = item->group != number && draft->kind == RECORD_VARIABLE
                      ? import->items[item->group].where
                      : arena_hold(&import->arena, draft->where, strlen(draft->where) + 1);
    item->name = arena_hold(&import->arena, draft->name, strlen(draft->name) + 1);
    row->finals = arena_hold(&import->arena, row->finals, row->finals_size);
    row->body = arena_hold(&import->arena, row->body, row->body_size);
    if (item->where == NULL || item->name == NULL || row->finals == NULL || row->body == NULL)
        return failure_set_no_memory(failure);
    memcpy(item->id, row->id, sizeof item->id);
    import->count++;
    import->bytes += bytes;
    return STATUS_OK;
}

enum status import_stage_variable(struct import *import, struct vault *vault,
                                  const struct variable_change *change, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    enum status status = variable_check(change, failure);
    if (status != STATUS_OK)
        return status;
    variable_draft(vault, change, NULL, &draft);
    return stage(import, vault, &draft, strlen(change->path) + strlen(change->name) + change->size, failure);
}

enum status import_stage_account(struct import *import, struct vault *vault, const char *app,
                                 const char *label, const struct json *properties,
                                 const struct remark *remark, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    enum status status = account_draft(vault, app, label, properties, remark, failure, &draft);
    return status == STATUS_OK ? stage(import, vault, &draft, draft.fields.size, failure) : status;
}

/* ---- what each of them is to the vault ---- */

static int compare_ranks(const void *left, const void *right)
{
    const struct import_rank *a = left, *b = right;

    return (a->key > b->key) - (a->key < b->key);
}

/* Variables before accounts, by path in the order in which the paths came; within it as they came. */
static uint64_t rank_by_name(const struct import *import, const struct import_item *item)
{
    return (uint64_t)(item->kind == RECORD_ACCOUNT) << 63 | (uint64_t)item->group << 32 |
           (uint64_t)(item - import->items);
}

static uint64_t rank_by_id(const struct import *import, const struct import_item *item)
{
    uint64_t key;

    (void)import;
    memcpy(&key, item->sealed.row.id, sizeof key);
    return be64toh(key);
}

static struct import_rank *rank_items(const struct import *import,
                                      uint64_t (*key)(const struct import *, const struct import_item *))
{
    struct import_rank *ranks = calloc(import->count + 1, sizeof *ranks);

    for (size_t i = 0; ranks != NULL && i < import->count; i++)
        ranks[i] = (struct import_rank){.key = key(import, &import->items[i]), .item = &import->items[i]};
    if (ranks != NULL)
        qsort(ranks, import->count, sizeof *ranks, compare_ranks);
    return ranks;
}

static enum status rank_all(struct import *import, struct failure *failure)
{
    import->named = rank_items(import, rank_by_name);
    import->identified = rank_items(import, rank_by_id);
    return import->named != NULL && import->identified != NULL ? STATUS_OK : failure_set_no_memory(failure);
}

static bool value_is_same(const struct record *a, const struct record *b)
{
    size_t a_size, b_size;
    const char *left = record_field(a, "value", &a_size);
    const char *right = record_field(b, "value", &b_size);

    if (left == NULL || right == NULL)
        return left == right;
    return a_size == b_size && secret_equal(left, right, a_size);
}

/* What the staged variable would be in place of `previous`. */
static struct variable_change change_of(const struct record *staged)
{
    struct variable_change change = {
        .path = staged->where, .name = staged->name, .allow_dangerous_name = record_has(staged, "allowed")};

    change.value = record_field(staged, "value", &change.size);
    return change;
}

/* The record that the item meets, and the item opened; `*ret_found` false if it meets none. */
static enum status open_both(struct vault *vault, const struct import_item *item, struct failure *failure,
                             struct record *ret_previous, struct record *ret_staged, bool *ret_found)
{
    enum status status =
        record_find(vault, item->kind, item->where, item->name, failure, ret_previous, ret_found);

    if (status != STATUS_OK || !*ret_found)
        return status;
    return record_open_sealed(vault, &item->sealed.row, failure, ret_staged);
}

static enum status decide(struct vault *vault, struct import_item *item, struct failure *failure)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_reset) struct record staged = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    bool found, differs;

    /* A variable's row gives its own name: where nothing gives that name, there is no such row. */
    if (item->kind == RECORD_VARIABLE && !state_knows_name(&vault->state, item->sealed.row.finals))
        return STATUS_OK;
    enum status status = open_both(vault, item, failure, &previous, &staged, &found);
    if (status != STATUS_OK || !found)
        return status;
    if (item->kind == RECORD_VARIABLE)
        differs = !value_is_same(&previous, &staged);
    else
        status = account_merge(vault, &previous, &staged, failure, &draft, &differs);
    if (status != STATUS_OK)
        return status;
    item->outcome = differs ? IMPORT_REPLACED : IMPORT_UNCHANGED;
    memcpy(item->id, previous.id, sizeof item->id);
    return STATUS_OK;
}

static enum status refuse_other_value(const struct import_item *item, struct failure *failure)
{
    if (item->kind == RECORD_ACCOUNT)
        return failure_set(failure, STATUS_EXISTS,
                           "the account %s:%s is there with other properties (--replace replaces them)",
                           item->where, item->name);
    return failure_set(failure, STATUS_EXISTS,
                       "%s is placed at %s with another value (--replace replaces it)", item->name,
                       item->where);
}

static enum status decide_all(struct import *import, struct vault *vault, bool replace,
                              struct failure *failure)
{
    size_t *const counts[IMPORT_OUTCOMES] = {&import->counts.added, &import->counts.replaced,
                                             &import->counts.unchanged};

    for (size_t i = 0; i < import->count; i++) {
        struct import_item *item = import->named[i].item;
        enum status status = decide(vault, item, failure);
        if (status != STATUS_OK)
            return status;
        if (item->outcome == IMPORT_REPLACED && !replace)
            return refuse_other_value(item, failure);
        ++*counts[item->outcome];
    }
    return STATUS_OK;
}

/* ---- into the vault ---- */

static enum status use_paths(struct import *import, struct vault *vault, struct failure *failure)
{
    const char *last = NULL;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < import->count; i++) {
        const struct import_item *item = import->named[i].item;
        if (item->kind != RECORD_VARIABLE || item->outcome == IMPORT_UNCHANGED || item->where == last)
            continue;
        last = item->where;
        status = placement_use(vault, item->where, failure);
    }
    return status;
}

static enum status replace(struct vault *vault, const struct import_item *item, struct failure *failure)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_reset) struct record staged = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    bool found, changed;

    enum status status = open_both(vault, item, failure, &previous, &staged, &found);
    if (status == STATUS_OK && !found)
        status = failure_set(failure, STATUS_CORRUPT, "a record that was there is gone");
    if (status != STATUS_OK)
        return status;
    if (item->kind == RECORD_VARIABLE) {
        struct variable_change change = change_of(&staged);
        variable_draft(vault, &change, &previous, &draft);
        status = variable_keep(vault, &previous, &change, failure);
        return status == STATUS_OK ? record_write(vault, &draft, failure, NULL) : status;
    }
    status = account_merge(vault, &previous, &staged, failure, &draft, &changed);
    if (status == STATUS_OK)
        status = account_keep(vault, &previous, &draft, failure);
    if (status == STATUS_OK)
        status = record_write(vault, &draft, failure, NULL);
    if (status != STATUS_OK)
        return status;
    struct record next = record_draft_preview(&draft);
    return binding_renew_names(vault, &next, failure);
}

static enum status put_new(struct import *import, struct vault *vault, struct failure *failure)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < import->count; i++) {
        const struct import_item *item = import->identified[i].item;
        if (item->outcome == IMPORT_ADDED)
            status = record_put(vault, &item->sealed, failure);
    }
    return status;
}

/* New records come last: while many are loaded there is no look-up. */
static enum status put_all(struct import *import, struct vault *vault, struct failure *failure)
{
    bool many = import->counts.added + import->counts.replaced >= MANY;

    if (many)
        store_widen(vault->store);
    enum status status = use_paths(import, vault, failure);
    for (size_t i = 0; status == STATUS_OK && i < import->count && import->counts.replaced > 0; i++)
        if (import->named[i].item->outcome == IMPORT_REPLACED)
            status = replace(vault, import->named[i].item, failure);
    bool load = many && import->counts.added > vault->state.count;
    if (status == STATUS_OK && !state_make_room(&vault->state, import->counts.added))
        status = failure_set_no_memory(failure);
    if (status == STATUS_OK && load)
        status = store_load_begin(vault->store, failure);
    if (status == STATUS_OK)
        status = put_new(import, vault, failure);
    if (status == STATUS_OK && load)
        status = store_load_end(vault->store, failure);
    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

enum status import_commit(struct import *import, struct vault *vault, const struct import_options *options,
                          struct leaf *leaf, struct failure *failure, struct import_counts *ret_counts)
{
    enum status status = rank_all(import, failure);
    if (status == STATUS_OK)
        status = decide_all(import, vault, options->replace || options->dry_run, failure);
    if (status == STATUS_OK && !options->dry_run)
        status = put_all(import, vault, failure);
    if (status == STATUS_OK)
        status = import_append_leaves(import->named, import->count, &import->counts, vault, options->dry_run,
                                      leaf, failure);
    if (status != STATUS_OK) {
        leaf->granted = false;
        secret_reset(&leaf->details);
        return status;
    }
    *ret_counts = import->counts;
    return STATUS_OK;
}

bool import_list_changes(const struct import *import, struct secret *destination)
{
    bool appended = true;

    for (size_t i = 0; appended && i < import->count; i++)
        appended =
            secret_append_byte(destination, (uint8_t)import_outcome_words[import->items[i].outcome][0]);
    return appended;
}
