/* Setting, removing, blocking and listing variables. Values leave only through projection.c. */
#include "variable.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/text.h"
#include "names.h"
#include "past.h"
#include "placement.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_VALUE "value"
#define FIELD_ALLOWED "allowed"
#define FIELD_BLOCKED "blocked"

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
    return STATUS_OK;
}

static bool has_value(const struct record *record, const struct variable_change *change)
{
    size_t size;
    const char *value = record_field(record, FIELD_VALUE, &size);

    return value != NULL && size == change->size && memcmp(value, change->value, size) == 0;
}

void variable_add_finals(struct vault *vault, struct record_draft *draft)
{
    record_draft_add_final(vault, draft, draft->name);
}

void variable_draft(struct vault *vault, const struct variable_change *change, const struct record *previous,
                    struct record_draft *ret_draft)
{
    struct remark remark = change->remark;

    if (previous != NULL && !has_value(previous, change))
        remark.has_expiry = true;
    record_draft_start(ret_draft, RECORD_VARIABLE, change->path, change->name, change->name, previous);
    record_draft_add(ret_draft, FIELD_VALUE, change->value, change->size);
    if (change->allow_dangerous_name)
        record_draft_add_text(ret_draft, FIELD_ALLOWED, "");
    remark_add(ret_draft, &remark, previous);
    variable_add_finals(vault, ret_draft);
}

enum status variable_keep(struct vault *vault, const struct record *previous,
                          const struct variable_change *next, struct failure *failure)
{
    struct past_owner owner;

    if (!record_has(previous, FIELD_VALUE) || (next != NULL && has_value(previous, next)))
        return STATUS_OK;
    past_of_variable(&owner, previous->where, previous->name);
    return past_keep(vault, &owner, previous, next == NULL, failure);
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
    if (status == STATUS_OK && found)
        status = variable_keep(vault, &previous, change, failure);
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
    CLEANUP(record_reset) struct record past = {0};
    struct past_owner owner;
    uint64_t number;
    char places[FAILURE_SENTENCE_MAX];
    size_t at = 0;

    past_of_variable(&owner, path, name);
    enum status status = past_find(vault, &owner, failure, &past);
    if (status != STATUS_OK)
        return status;
    if (past_choose(&past, &owner, 0, failure, &number) == STATUS_OK)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "no variable %s is placed at %s any more (stepvault env restore %s --at %s sets "
                           "its last value again)",
                           name, path, name, path);
    status = record_list_linked(vault, RECORD_LINK_NAMED, name, failure, &named);
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

/* What is placed under the name at the path itself; STATUS_NOT_FOUND says where else it is. */
static enum status find_placed(struct vault *vault, const char *path, const char *name,
                               struct failure *failure, struct record *ret_record)
{
    bool found;

    enum status status = check_place(path, name, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_VARIABLE, path, name, failure, ret_record, &found);
    return status == STATUS_OK && !found ? variable_missing(vault, path, name, failure) : status;
}

enum status variable_unset(struct vault *vault, const char *path, const char *name, struct failure *failure)
{
    CLEANUP(record_reset) struct record record = {0};

    enum status status = find_placed(vault, path, name, failure, &record);
    if (status == STATUS_OK)
        status = variable_keep(vault, &record, NULL, failure);
    return status == STATUS_OK ? record_remove(vault, &record, failure) : status;
}

enum status variable_annotate(struct vault *vault, const char *path, const char *name,
                              const struct remark *remark, struct failure *failure)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    enum status status = find_placed(vault, path, name, failure, &previous);
    if (status != STATUS_OK)
        return status;
    if (record_has(&previous, FIELD_BLOCKED) && remark->expires_ms != 0)
        return failure_set(failure, STATUS_INVALID, "%s is blocked at %s and has no value that could expire",
                           name, path);
    record_draft_resume(&draft, RECORD_VARIABLE, path, name, name, &previous);
    record_draft_copy(&draft, &previous, FIELD_VALUE);
    record_draft_copy(&draft, &previous, FIELD_ALLOWED);
    record_draft_copy(&draft, &previous, FIELD_BLOCKED);
    remark_add(&draft, remark, &previous);
    variable_add_finals(vault, &draft);
    return record_write(vault, &draft, failure, NULL);
}

/* What is set when revision `number` is restored; it borrows from `past`. */
static struct variable_change change_from(const struct record *past, uint64_t number, bool has_note)
{
    const char *expires = past_field(past, number, REMARK_FIELD_EXPIRES, NULL);
    struct variable_change change = {.remark = {.has_expiry = true}};

    change.value = past_field(past, number, FIELD_VALUE, &change.size);
    if (expires != NULL)
        (void)text_to_number(expires, UINT64_MAX, &change.remark.expires_ms);
    if (!has_note)
        change.remark.note = past_field(past, number, REMARK_FIELD_NOTE, NULL);
    return change;
}

enum status variable_restore(struct vault *vault, const char *path, const char *name, uint64_t revision,
                             bool allow_dangerous_name, struct failure *failure, uint64_t *ret_revision)
{
    CLEANUP(record_reset) struct record past = {0};
    CLEANUP(record_reset) struct record live = {0};
    struct past_owner owner;
    uint64_t number;
    bool found, replaced;

    enum status status = check_place(path, name, failure);
    if (status != STATUS_OK)
        return status;
    past_of_variable(&owner, path, name);
    status = past_find(vault, &owner, failure, &past);
    if (status == STATUS_OK)
        status = past_choose(&past, &owner, revision, failure, &number);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_VARIABLE, path, name, failure, &live, &found);
    if (status != STATUS_OK)
        return status;
    struct variable_change change = change_from(&past, number, record_has(&live, REMARK_FIELD_NOTE));
    change.path = path;
    change.name = name;
    change.allow_dangerous_name = allow_dangerous_name;
    if (change.value == NULL)
        return failure_set(failure, STATUS_CORRUPT, "an old revision of %s has no value", name);
    status = variable_set(vault, &change, failure, &replaced);
    if (status == STATUS_OK)
        *ret_revision = number;
    return status;
}

enum status variable_forget(struct vault *vault, const char *path, const char *name, uint64_t revision,
                            struct failure *failure, uint64_t *ret_count)
{
    struct past_owner owner;

    enum status status = check_place(path, name, failure);
    if (status != STATUS_OK)
        return status;
    past_of_variable(&owner, path, name);
    return past_forget(vault, &owner, revision, failure, ret_count);
}

static enum status write_history(struct vault *vault, const struct record *past, const char *path,
                                 const char *name, struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record live = {0};
    bool found;

    enum status status = record_find(vault, RECORD_VARIABLE, path, name, failure, &live, &found);
    if (status != STATUS_OK)
        return status;
    if (!found && past->document == NULL)
        return variable_missing(vault, path, name, failure);
    past_write(past, found ? &live : NULL, path, name, writer);
    return STATUS_OK;
}

static int compare_name(const void *left, const void *right)
{
    return strcmp(((const struct record *)left)->name, ((const struct record *)right)->name);
}

static enum status history_of(struct vault *vault, const char *path, const char *name,
                              struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record past = {0};
    struct past_owner owner;

    enum status status = check_place(path, name, failure);
    if (status != STATUS_OK)
        return status;
    past_of_variable(&owner, path, name);
    status = past_find(vault, &owner, failure, &past);
    return status == STATUS_OK ? write_history(vault, &past, path, name, failure, writer) : status;
}

static enum status histories_at(struct vault *vault, const char *path, struct failure *failure,
                                struct json_writer *writer)
{
    CLEANUP(records_reset) struct records pasts = {0};

    enum status status = name_check_path(path, failure);
    if (status == STATUS_OK)
        status = record_list_past(vault, path, failure, &pasts);
    if (status == STATUS_OK && pasts.count > 1)
        qsort(pasts.items, pasts.count, sizeof pasts.items[0], compare_name);
    for (size_t i = 0; status == STATUS_OK && i < pasts.count; i++)
        status = write_history(vault, &pasts.items[i], path, pasts.items[i].name, failure, writer);
    return status;
}

enum status variable_history(struct vault *vault, const char *path, const char *name, struct failure *failure,
                             struct json_writer *writer)
{
    json_open_array(writer, "revisions");
    enum status status = name != NULL ? history_of(vault, path, name, failure, writer)
                                      : histories_at(vault, path, failure, writer);
    json_close_array(writer);
    return status;
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
    if (found && !record_has(&previous, FIELD_BLOCKED))
        return failure_set(failure, STATUS_EXISTS,
                           "%s is placed at %s itself; unset it there before blocking it", name, path);
    if (found)
        return STATUS_OK;
    status = placement_use(vault, path, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_VARIABLE, path, name, name, NULL);
    record_draft_add_text(&draft, FIELD_BLOCKED, "");
    variable_add_finals(vault, &draft);
    return record_write(vault, &draft, failure, NULL);
}

struct listing {
    const struct remark_filter *filter;
    struct json_writer *writer;
};

static enum status list_at(struct vault *vault, const char *path, const struct listing *listing,
                           struct failure *failure)
{
    struct json_writer *writer = listing->writer;
    CLEANUP(records_reset) struct records placed = {0};
    char updated[CLOCK_TEXT_SIZE];

    enum status status = record_list_placed(vault, path, failure, &placed);
    if (status != STATUS_OK)
        return status;
    if (placed.count > 1)
        qsort(placed.items, placed.count, sizeof placed.items[0], compare_name);
    for (size_t i = 0; i < placed.count; i++) {
        const struct record *record = &placed.items[i];
        if (record->kind != RECORD_VARIABLE || !remark_passes(listing->filter, record))
            continue;
        clock_format(updated, record_number(record, "updated"));
        json_open_object(writer, NULL);
        json_add_text(writer, "path", record->where);
        json_add_text(writer, "name", record->name);
        json_add_boolean(writer, "blocked", record_has(record, FIELD_BLOCKED));
        json_add_text(writer, "updated", updated);
        remark_write(record, writer);
        json_close_object(writer);
    }
    return STATUS_OK;
}

static enum status list_visited(struct vault *vault, const struct record *path, void *context,
                                struct failure *failure)
{
    return list_at(vault, path->where, context, failure);
}

enum status variable_list(struct vault *vault, const char *path, const struct remark_filter *filter,
                          struct failure *failure, struct json_writer *writer)
{
    struct listing listing = {.filter = filter, .writer = writer};
    enum status status = path == NULL ? STATUS_OK : name_check_path(path, failure);

    if (status != STATUS_OK)
        return status;
    json_open_array(writer, "variables");
    status = path == NULL ? placement_walk(vault, "/", list_visited, &listing, failure)
                          : list_at(vault, path, &listing, failure);
    json_close_array(writer);
    return status;
}
