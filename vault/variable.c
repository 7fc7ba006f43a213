/* Setting, removing, blocking and listing variables. Values leave only through projection.c. */
#include "variable.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "names.h"
#include "placement.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

static enum status check_place(const char *path, const char *name, struct failure *failure)
{
    enum status status = name_check_path(path, failure);

    return status == STATUS_OK ? name_check_variable(name, failure) : status;
}

enum status variable_check(const struct variable_change *change, struct failure *failure)
{
    enum status status = check_place(change->path, change->name, failure);

    if (status != STATUS_OK)
        return status;
    if (name_is_dangerous(change->name) && !change->allow_dangerous_name)
        return failure_set(failure, STATUS_REFUSED,
                           "%s steers the loader, a shell or an interpreter of every program that gets it; "
                           "--allow-dangerous-name sets it all the same",
                           change->name);
    if (change->size > NAME_VALUE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the value of %s has %zu bytes, and %u is the most",
                           change->name, change->size, NAME_VALUE_MAX);
    if (change->size > 0 && memchr(change->value, 0, change->size) != NULL)
        return failure_set(failure, STATUS_INVALID,
                           "the value of %s has a NUL byte, which no environment can hold", change->name);
    return change->note == NULL ? STATUS_OK : name_check_note(change->note, failure);
}

void variable_draft(struct vault *vault, const struct variable_change *change, const struct record *previous,
                    struct record_draft *ret_draft)
{
    record_draft_start(ret_draft, RECORD_VARIABLE, change->path, change->name, change->name, previous);
    record_draft_add(ret_draft, "value", change->value, change->size);
    if (change->allow_dangerous_name)
        record_draft_add_text(ret_draft, "allowed", "");
    if (change->note != NULL)
        record_draft_add_text(ret_draft, "note", change->note);
    else if (previous != NULL)
        record_draft_copy(ret_draft, previous, "note");
    record_draft_add_final(vault, ret_draft, change->name);
}

enum status variable_set(struct vault *vault, const struct variable_change *change, struct failure *failure,
                         bool *ret_replaced)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    bool found;

    enum status status = variable_check(change, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_VARIABLE, change->path, change->name, failure, &previous, &found);
    if (status == STATUS_OK)
        status = placement_use(vault, change->path, failure);
    if (status != STATUS_OK)
        return status;
    variable_draft(vault, change, found ? &previous : NULL, &draft);
    status = record_write(vault, &draft, failure, NULL);
    if (status == STATUS_OK)
        *ret_replaced = found;
    return status;
}

static enum status missing_everywhere(struct vault *vault, const char *path, const char *name,
                                      struct failure *failure)
{
    char near[NAMES_NEAR_SIZE];

    enum status status = names_near(vault, NAMES_VARIABLE, path, name, failure, near);
    if (status != STATUS_OK)
        return status;
    if (near[0] != '\0')
        return failure_set(failure, STATUS_NOT_FOUND,
                           "no variable %s is placed at %s, or anywhere else; did you mean %s?", name, path,
                           near);
    return failure_set(failure, STATUS_NOT_FOUND, "no variable %s is placed at %s, or anywhere else", name,
                       path);
}

enum status variable_missing(struct vault *vault, const char *path, const char *name, struct failure *failure)
{
    CLEANUP(records_reset) struct records named = {0};
    char places[FAILURE_SENTENCE_MAX];
    size_t at = 0;

    enum status status = record_list_linked(vault, RECORD_LINK_NAMED, name, failure, &named);
    if (status != STATUS_OK)
        return status;
    if (named.count == 0)
        return missing_everywhere(vault, path, name, failure);
    for (size_t i = 0; i < named.count && at < sizeof places; i++)
        at += (size_t)snprintf(places + at, sizeof places - at, "%s%s", i == 0 ? "" : ", ",
                               named.items[i].where);
    return failure_set(failure, STATUS_NOT_FOUND, "no variable %s is placed at %s; it is placed at %s", name,
                       path, places);
}

enum status variable_unset(struct vault *vault, const char *path, const char *name, struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found;

    enum status status = check_place(path, name, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_VARIABLE, path, name, failure, &record, &found);
    if (status != STATUS_OK)
        return status;
    return found ? record_remove(vault, &record, failure) : variable_missing(vault, path, name, failure);
}

enum status variable_block(struct vault *vault, const char *path, const char *name, struct failure *failure)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    bool found;

    enum status status = check_place(path, name, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_VARIABLE, path, name, failure, &previous, &found);
    if (status != STATUS_OK)
        return status;
    if (found && !record_has(&previous, "blocked"))
        return failure_set(failure, STATUS_EXISTS,
                           "%s is placed at %s itself; unset it there before blocking it", name, path);
    if (found)
        return STATUS_OK;
    status = placement_use(vault, path, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_VARIABLE, path, name, name, NULL);
    record_draft_add_text(&draft, "blocked", "");
    record_draft_add_final(vault, &draft, name);
    return record_write(vault, &draft, failure, NULL);
}

static int compare_name(const void *left, const void *right)
{
    return strcmp(((const struct record *)left)->name, ((const struct record *)right)->name);
}

static enum status list_at(struct vault *vault, const char *path, struct json_writer *writer,
                           struct failure *failure)
{
    CLEANUP(records_reset) struct records placed = {0};
    char updated[CLOCK_TEXT_SIZE];

    enum status status = record_list_placed(vault, path, failure, &placed);
    if (status != STATUS_OK)
        return status;
    if (placed.count > 1)
        qsort(placed.items, placed.count, sizeof placed.items[0], compare_name);
    for (size_t i = 0; i < placed.count; i++) {
        const struct record *record = &placed.items[i];
        if (record->kind != RECORD_VARIABLE)
            continue;
        clock_format(updated, record_time(record, "updated"));
        json_open_object(writer, NULL);
        json_add_text(writer, "path", record->where);
        json_add_text(writer, "name", record->name);
        json_add_boolean(writer, "blocked", record_has(record, "blocked"));
        json_add_text(writer, "updated", updated);
        json_close_object(writer);
    }
    return STATUS_OK;
}

static enum status list_visited(struct vault *vault, const struct record *path, void *context,
                                struct failure *failure)
{
    return list_at(vault, path->where, context, failure);
}

enum status variable_list(struct vault *vault, const char *path, struct failure *failure,
                          struct json_writer *writer)
{
    enum status status = path == NULL ? STATUS_OK : name_check_path(path, failure);

    if (status != STATUS_OK)
        return status;
    json_open_array(writer, "variables");
    status = path == NULL ? placement_walk(vault, "/", list_visited, writer, failure)
                          : list_at(vault, path, writer, failure);
    json_close_array(writer);
    return status;
}
