/* Path records: which paths are in use, which are steps, and where inheriting stops. */
#include "placement.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "names.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_STEP "step"
#define FIELD_BOUNDARY "boundary"

static const struct remark no_change;

bool placement_is_step(const struct record *path)
{
    return record_has(path, FIELD_STEP);
}

bool placement_is_boundary(const struct record *path)
{
    return record_has(path, FIELD_BOUNDARY);
}

void placement_write(const struct record *path, const char *key, struct json_writer *writer)
{
    json_open_object(writer, key);
    json_add_text(writer, "path", path->where);
    json_add_boolean(writer, "step", placement_is_step(path));
    json_add_boolean(writer, "inherits", !placement_is_boundary(path));
    remark_write(path, writer);
    json_close_object(writer);
}

static enum status write_path(struct vault *vault, const char *path, bool step, bool boundary,
                              const struct remark *remark, const struct record *previous,
                              struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft;
    char parent[NAME_PATH_MAX + 1];

    if (!name_path_parent(parent, path))
        parent[0] = '\0';
    record_draft_start(&draft, RECORD_PATH, path, "", parent, previous);
    if (step)
        record_draft_add_text(&draft, FIELD_STEP, "");
    if (boundary)
        record_draft_add_text(&draft, FIELD_BOUNDARY, "");
    remark_add(&draft, remark, previous);
    return record_write(vault, &draft, failure, NULL);
}

enum status placement_use_ancestors(struct vault *vault, const char *path, struct failure *failure)
{
    char parent[NAME_PATH_MAX + 1];

    while (name_path_parent(parent, path)) {
        CLEANUP(record_reset) struct record record = {0};
        bool found;
        enum status status = record_find(vault, RECORD_PATH, parent, "", failure, &record, &found);
        if (status != STATUS_OK || found)
            return status;
        status = write_path(vault, parent, false, false, &no_change, NULL, failure);
        if (status != STATUS_OK)
            return status;
        path = parent;
    }
    return STATUS_OK;
}

static bool has_note(const struct record *path, const char *note)
{
    const char *theirs = record_field(path, REMARK_FIELD_NOTE, NULL);

    return note == NULL || strcmp(note, theirs == NULL ? "" : theirs) == 0;
}

static enum status make_step(struct vault *vault, const char *path, bool boundary,
                             const struct remark *remark, struct failure *failure, bool *ret_changed)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found;

    enum status status = record_find(vault, RECORD_PATH, path, "", failure, &record, &found);
    if (status != STATUS_OK)
        return status;
    if (found && placement_is_step(&record) && (!boundary || placement_is_boundary(&record)) &&
        has_note(&record, remark->note)) {
        *ret_changed = false;
        return STATUS_OK;
    }
    if (!found)
        status = placement_use_ancestors(vault, path, failure);
    if (status == STATUS_OK)
        status = write_path(vault, path, true, boundary || (found && placement_is_boundary(&record)), remark,
                            found ? &record : NULL, failure);
    if (status == STATUS_OK)
        *ret_changed = true;
    return status;
}

enum status placement_use(struct vault *vault, const char *path, struct failure *failure)
{
    bool changed;

    return make_step(vault, path, false, &no_change, failure, &changed);
}

enum status placement_add_step(struct vault *vault, const char *path, bool no_inherit,
                               const struct remark *remark, struct failure *failure, bool *ret_changed)
{
    enum status status = name_check_path(path, failure);

    if (status != STATUS_OK)
        return status;
    if (no_inherit && strcmp(path, "/") == 0)
        return failure_set(failure, STATUS_INVALID, "/ has nothing above it that it could inherit");
    return make_step(vault, path, no_inherit, remark, failure, ret_changed);
}

enum status placement_annotate(struct vault *vault, const char *path, const struct remark *remark,
                               struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found;

    enum status status = name_check_path(path, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_PATH, path, "", failure, &record, &found);
    if (status != STATUS_OK)
        return status;
    if (!found)
        return placement_missing(vault, path, failure);
    return write_path(vault, path, placement_is_step(&record), placement_is_boundary(&record), remark,
                      &record, failure);
}

static int compare_where(const void *left, const void *right)
{
    return strcmp(((const struct record *)left)->where, ((const struct record *)right)->where);
}

static enum status list_children(struct vault *vault, const char *path, struct failure *failure,
                                 struct records *ret_children)
{
    enum status status = record_list_linked(vault, RECORD_LINK_CHILDREN, path, failure, ret_children);

    if (status == STATUS_OK && ret_children->count > 1)
        qsort(ret_children->items, ret_children->count, sizeof ret_children->items[0], compare_where);
    return status;
}

static enum status walk_from(struct vault *vault, const struct record *path, placement_visit *visit,
                             void *context, struct failure *failure)
{
    CLEANUP(records_reset) struct records children = {0};

    enum status status = visit(vault, path, context, failure);
    if (status == STATUS_OK)
        status = list_children(vault, path->where, failure, &children);
    for (size_t i = 0; status == STATUS_OK && i < children.count; i++)
        status = walk_from(vault, &children.items[i], visit, context, failure);
    return status;
}

enum status placement_walk(struct vault *vault, const char *under, placement_visit *visit, void *context,
                           struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found;

    enum status status = name_check_path(under, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_PATH, under, "", failure, &record, &found);
    if (status != STATUS_OK)
        return status;
    if (!found)
        return placement_missing(vault, under, failure);
    return walk_from(vault, &record, visit, context, failure);
}

static enum status write_visited(struct vault *vault, const struct record *path, void *context,
                                 struct failure *failure)
{
    (void)vault;
    (void)failure;
    placement_write(path, NULL, context);
    return STATUS_OK;
}

enum status placement_list_steps(struct vault *vault, const char *under, struct failure *failure,
                                 struct json_writer *writer)
{
    json_open_array(writer, "steps");
    enum status status = placement_walk(vault, under, write_visited, writer, failure);
    json_close_array(writer);
    return status;
}

enum status placement_missing(struct vault *vault, const char *path, struct failure *failure)
{
    char near[NAMES_NEAR_SIZE];
    char parent[NAME_PATH_MAX + 1] = "/";

    (void)name_path_parent(parent, path);
    enum status status = names_near(vault, NAMES_PATH, parent, path, failure, near);
    if (status != STATUS_OK)
        return status;
    if (near[0] != '\0')
        return failure_set(failure, STATUS_NOT_FOUND,
                           "there is no step %s; did you mean %s? (stepvault step add %s makes it one)", path,
                           near, path);
    return failure_set(failure, STATUS_NOT_FOUND, "there is no step %s (stepvault step add %s makes it one)",
                       path, path);
}

void placement_name_placed(const struct records *placed, char *destination, size_t size)
{
    size_t at = 0;

    destination[0] = '\0';
    for (size_t i = 0; i < placed->count && at < size; i++) {
        const struct record *record = &placed->items[i];
        if (record->kind == RECORD_PATH)
            continue;
        at += (size_t)snprintf(destination + at, size - at, "%s%s %s", at == 0 ? "" : ", ",
                               record->kind == RECORD_VARIABLE ? "variable" : "account", record->name);
    }
}

static enum status remove_placed(struct vault *vault, const char *path, const struct records *placed,
                                 struct failure *failure)
{
    CLEANUP(records_reset) struct records pasts = {0};

    enum status status = record_list_past(vault, path, failure, &pasts);
    for (size_t i = 0; status == STATUS_OK && i < pasts.count; i++)
        status = record_remove(vault, &pasts.items[i], failure);

    for (size_t i = 0; status == STATUS_OK && i < placed->count; i++)
        if (placed->items[i].kind != RECORD_PATH)
            status = record_remove(vault, &placed->items[i], failure);
    return status;
}

enum status placement_prune(struct vault *vault, const char *path, struct failure *failure)
{
    char current[NAME_PATH_MAX + 1], parent[NAME_PATH_MAX + 1];

    memcpy(current, path, strlen(path) + 1);
    while (strcmp(current, "/") != 0) {
        CLEANUP(record_reset) struct record record = {0};
        CLEANUP(records_reset) struct records children = {0};
        bool found;
        enum status status = record_find(vault, RECORD_PATH, current, "", failure, &record, &found);
        if (status == STATUS_OK)
            status = list_children(vault, current, failure, &children);
        if (status != STATUS_OK || !found || placement_is_step(&record) || children.count > 0)
            return status;
        status = record_remove(vault, &record, failure);
        if (status != STATUS_OK)
            return status;
        (void)name_path_parent(parent, current);
        memcpy(current, parent, sizeof current);
    }
    return STATUS_OK;
}

enum status placement_remove_step(struct vault *vault, const char *path, bool force, struct failure *failure)
{
    CLEANUP(records_reset) struct records placed = {0};
    const struct remark no_note = {.note = ""};
    const struct record *record = NULL;
    char names[FAILURE_SENTENCE_MAX];

    enum status status = name_check_path(path, failure);
    if (status == STATUS_OK && strcmp(path, "/") == 0)
        status = failure_set(failure, STATUS_REFUSED, "/ always exists");
    if (status == STATUS_OK)
        status = record_list_placed(vault, path, failure, &placed);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < placed.count; i++)
        if (placed.items[i].kind == RECORD_PATH)
            record = &placed.items[i];
    if (record == NULL || !placement_is_step(record))
        return placement_missing(vault, path, failure);
    if (placed.count > 1 && !force) {
        placement_name_placed(&placed, names, sizeof names);
        return failure_set(failure, STATUS_IN_USE,
                           "the step %s has placed at it: %s (--force removes them with it)", path, names);
    }
    status = remove_placed(vault, path, &placed, failure);
    /* A boundary holds as long as the path is in use: what lies below must not begin to inherit by this. */
    if (status == STATUS_OK)
        status = write_path(vault, path, false, placement_is_boundary(record), &no_note, record, failure);
    return status == STATUS_OK ? placement_prune(vault, path, failure) : status;
}
