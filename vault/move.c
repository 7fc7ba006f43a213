/* Moving paths, and what they inherit here and there. */
#include "move.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "placement.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

struct move {
    const struct move_change *change;
    bool counted; /* all of it passed the checks, and is moved now */
    size_t paths;
    size_t variables;
    size_t bindings;
    size_t records; /* old values, too */
};

/* Where a path at or below the old one goes. */
static enum status new_path(const struct move_change *change, const char *path, struct failure *failure,
                            char destination[NAME_PATH_MAX + 1])
{
    const char *rest = path + strlen(change->path);
    size_t size = strlen(change->to) + strlen(rest);

    if (size > NAME_PATH_MAX)
        return failure_set(failure, STATUS_INVALID, "%s would become a path of %zu bytes, and %u is the most",
                           path, size, NAME_PATH_MAX);
    memcpy(destination, change->to, strlen(change->to));
    memcpy(destination + strlen(change->to), rest, strlen(rest) + 1);
    return name_check_path(destination, failure);
}

static void count(struct move *move, enum record_kind kind)
{
    move->records++;
    if (kind == RECORD_PATH)
        move->paths++;
    if (kind == RECORD_VARIABLE)
        move->variables++;
    if (kind == RECORD_BINDING)
        move->bindings++;
}

static enum status move_record(struct vault *vault, const struct record *record, const char *where,
                               struct failure *failure)
{
    struct record moved = *record;
    char parent[NAME_PATH_MAX + 1];

    moved.where = where;
    return record_move(vault, record, where, record_link_target(&moved, parent), failure);
}

static enum status take(struct vault *vault, const struct records *records, const char *where,
                        struct move *move, struct failure *failure)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < records->count; i++)
        if (move->counted)
            status = move_record(vault, &records->items[i], where, failure);
        else
            count(move, records->items[i].kind);
    return status;
}

static enum status visit(struct vault *vault, const struct record *path, void *context,
                         struct failure *failure)
{
    CLEANUP(records_reset) struct records placed = {0};
    CLEANUP(records_reset) struct records pasts = {0};
    struct move *move = context;
    char where[NAME_PATH_MAX + 1];

    enum status status = new_path(move->change, path->where, failure, where);
    if (status == STATUS_OK)
        status = record_list_placed(vault, path->where, failure, &placed);
    if (status == STATUS_OK)
        status = record_list_past(vault, path->where, failure, &pasts);
    if (status == STATUS_OK)
        status = take(vault, &placed, where, move, failure);
    if (status == STATUS_OK)
        status = take(vault, &pasts, where, move, failure);
    if (status == STATUS_OK && move->records > MOVE_RECORDS_MAX)
        status = failure_set(
            failure, STATUS_TOO_LARGE,
            "more than %u things lie at %s and below it, which is the most that are moved at once; "
            "move the paths below it one by one",
            MOVE_RECORDS_MAX, move->change->path);
    return status;
}

static enum status refuse_used(struct vault *vault, const char *to, struct failure *failure)
{
    CLEANUP(records_reset) struct records placed = {0};
    CLEANUP(records_reset) struct records children = {0};
    char names[FAILURE_SENTENCE_MAX];

    enum status status = record_list_placed(vault, to, failure, &placed);
    if (status == STATUS_OK)
        status = record_list_linked(vault, RECORD_LINK_CHILDREN, to, failure, &children);
    if (status != STATUS_OK)
        return status;
    placement_name_placed(&placed, names, sizeof names);
    if (names[0] != '\0')
        return failure_set(failure, STATUS_IN_USE, "%s is in use, with placed at it: %s", to, names);
    if (children.count > 0)
        return failure_set(failure, STATUS_IN_USE, "%s is in use, with %s below it", to,
                           children.items[0].where);
    return failure_set(failure, STATUS_IN_USE,
                       "%s is a step already (stepvault step remove %s makes it none)", to, to);
}

static enum status check(struct vault *vault, const struct move_change *change, struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found;

    enum status status = name_check_path(change->path, failure);
    if (status == STATUS_OK)
        status = name_check_path(change->to, failure);
    if (status != STATUS_OK)
        return status;
    if (strcmp(change->path, "/") == 0)
        return failure_set(failure, STATUS_INVALID, "/ stays where it is");
    if (name_path_is_under(change->to, change->path))
        return failure_set(failure, STATUS_INVALID, "%s is at or below %s and cannot take it up", change->to,
                           change->path);
    status = record_find(vault, RECORD_PATH, change->to, "", failure, &record, &found);
    return status == STATUS_OK && found ? refuse_used(vault, change->to, failure) : status;
}

/* ---- what is inherited ---- */

/* A name as a path gets it: the nearest placing. */
struct heir {
    unsigned level;
    bool blocked;
    uint8_t id[STORE_ID_SIZE];
    char name[NAME_VARIABLE_MAX + 2]; /* its kind's letter before it */
};

struct heirs {
    struct heir *items;
    size_t count;
    size_t capacity;
};

static void heirs_reset(struct heirs *heirs)
{
    free(heirs->items);
}

static int compare_heirs(const void *left, const void *right)
{
    const struct heir *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : (int)a->level - (int)b->level;
}

static enum status add_level(struct heirs *heirs, const struct records *placed, unsigned level,
                             struct failure *failure)
{
    for (size_t i = 0; i < placed->count; i++) {
        const struct record *record = &placed->items[i];
        if (record->kind == RECORD_PATH)
            continue;
        if (heirs->count == heirs->capacity) {
            size_t capacity = heirs->capacity == 0 ? 64 : 2 * heirs->capacity;
            struct heir *larger = reallocarray(heirs->items, capacity, sizeof *larger);
            if (larger == NULL)
                return failure_set_no_memory(failure);
            heirs->items = larger;
            heirs->capacity = capacity;
        }
        struct heir *heir = &heirs->items[heirs->count++];
        *heir = (struct heir){.level = level, .blocked = record_has(record, "blocked")};
        memcpy(heir->id, record->id, sizeof heir->id);
        snprintf(heir->name, sizeof heir->name, "%c%s", record->kind == RECORD_VARIABLE ? 'v' : 'a',
                 record->name);
    }
    return STATUS_OK;
}

static bool has_boundary(const struct records *placed)
{
    for (size_t i = 0; i < placed->count; i++)
        if (placed->items[i].kind == RECORD_PATH && placement_is_boundary(&placed->items[i]))
            return true;
    return false;
}

/* The names that `path` has itself, and those that it would inherit if it were at `place`, each once. */
static enum status find_heirs(struct vault *vault, const char *path, const char *place,
                              struct failure *failure, struct heirs *ret_heirs)
{
    CLEANUP(heirs_reset) struct heirs heirs = {0};
    char at[NAME_PATH_MAX + 1], above[NAME_PATH_MAX + 1];
    size_t kept = 0;
    bool more = true;

    memcpy(above, path, strlen(path) + 1);
    memcpy(at, place, strlen(place) + 1);
    for (unsigned level = 0; more; level++) {
        CLEANUP(records_reset) struct records placed = {0};
        enum status status = record_list_placed(vault, above, failure, &placed);
        if (status == STATUS_OK)
            status = add_level(&heirs, &placed, level, failure);
        if (status != STATUS_OK)
            return status;
        more = !has_boundary(&placed) && name_path_parent(above, at);
        memcpy(at, above, sizeof at);
    }
    if (heirs.count > 1)
        qsort(heirs.items, heirs.count, sizeof heirs.items[0], compare_heirs);
    for (size_t i = 0; i < heirs.count; i++)
        if (kept == 0 || strcmp(heirs.items[kept - 1].name, heirs.items[i].name) != 0)
            heirs.items[kept++] = heirs.items[i];
    heirs.count = kept;
    *ret_heirs = heirs;
    heirs.items = NULL;
    return STATUS_OK;
}

static const struct heir *find_heir(const struct heirs *heirs, const struct heir *wanted)
{
    size_t low = 0, high = heirs->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(heirs->items[middle].name, wanted->name);
        if (order == 0)
            return heirs->items[middle].blocked ? NULL : &heirs->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The names of `from` that are not in `other`, or, for `changed`, that come from another placing there. */
static void write_heirs(const struct heirs *from, const struct heirs *other, const char *key, bool changed,
                        struct json_writer *writer)
{
    json_open_array(writer, key);
    for (size_t i = 0; i < from->count; i++) {
        const struct heir *heir = &from->items[i];
        const struct heir *theirs = find_heir(other, heir);
        bool differs = theirs != NULL && memcmp(theirs->id, heir->id, sizeof heir->id) != 0;
        if (!heir->blocked && (changed ? differs : theirs == NULL))
            json_add_text(writer, NULL, heir->name + 1);
    }
    json_close_array(writer);
}

static enum status write_inheritance(struct vault *vault, const struct move_change *change,
                                     struct failure *failure, struct json_writer *writer)
{
    CLEANUP(heirs_reset) struct heirs before = {0};
    CLEANUP(heirs_reset) struct heirs after = {0};

    enum status status = find_heirs(vault, change->path, change->path, failure, &before);
    if (status == STATUS_OK)
        status = find_heirs(vault, change->path, change->to, failure, &after);
    if (status != STATUS_OK)
        return status;
    write_heirs(&after, &before, "gained", false, writer);
    write_heirs(&before, &after, "lost", false, writer);
    write_heirs(&before, &after, "changed", true, writer);
    return STATUS_OK;
}

enum status move_path(struct vault *vault, const struct move_change *change, struct failure *failure,
                      struct json_writer *writer)
{
    struct move move = {.change = change};
    char parent[NAME_PATH_MAX + 1];

    enum status status = check(vault, change, failure);
    if (status == STATUS_OK)
        status = placement_walk(vault, change->path, visit, &move, failure);
    if (status == STATUS_OK)
        status = write_inheritance(vault, change, failure, writer);
    move.counted = true;
    if (status == STATUS_OK && !change->dry_run)
        status = placement_use_ancestors(vault, change->to, failure);
    if (status == STATUS_OK && !change->dry_run)
        status = placement_walk(vault, change->path, visit, &move, failure);
    if (status == STATUS_OK && !change->dry_run && name_path_parent(parent, change->path))
        status = placement_prune(vault, parent, failure);
    if (status != STATUS_OK)
        return status;
    json_add_number(writer, "paths", move.paths);
    json_add_number(writer, "variables", move.variables);
    json_add_number(writer, "accounts", move.bindings);
    return STATUS_OK;
}
