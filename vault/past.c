/* The records of old values: docs/FORMAT.md, section 5, has their fields. */
#include "past.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "remark.h"
#include "token.h"

#include <inttypes.h>
#include <string.h>

#define FIELD_LAST "last"
#define FIELD_REPLACED "replaced"
#define FIELD_UNSET "unset"
#define NUMBER_SIZE 24u
#define FIELD_SIZE (NUMBER_SIZE + sizeof "property/" + NAME_PROPERTY_MAX)

/* What of a live record is kept; the rest belongs to the name and not to the value. */
static const char *const kept[] = {"value", "property/", "updated", REMARK_FIELD_EXPIRES, REMARK_FIELD_NOTE};

void past_of_variable(struct past_owner *owner, const char *path, const char *name)
{
    *owner = (struct past_owner){.kind = RECORD_PAST_VARIABLE, .where = path, .subject = name};
    snprintf(owner->name, sizeof owner->name, "%s", name);
}

/* By id: an account keeps its past under another label. */
void past_of_account(struct past_owner *owner, const struct record *account)
{
    *owner = (struct past_owner){.kind = RECORD_PAST_ACCOUNT, .where = "", .subject = account->where};
    account_id(account, owner->name);
}

enum status past_find(struct vault *vault, const struct past_owner *owner, struct failure *failure,
                      struct record *ret_past)
{
    bool found;

    return record_find(vault, owner->kind, owner->where, owner->name, failure, ret_past, &found);
}

uint64_t past_current(const struct record *past)
{
    return record_number(past, FIELD_LAST) + 1;
}

static void format_prefix(char destination[NUMBER_SIZE], uint64_t number)
{
    snprintf(destination, NUMBER_SIZE, "%" PRIu64 "/", number);
}

bool past_next(const struct record *past, uint64_t number, const char *prefix, size_t *position,
               const char **ret_rest, const char **ret_value, size_t *ret_size)
{
    char field[FIELD_SIZE];

    snprintf(field, sizeof field, "%" PRIu64 "/%s", number, prefix);
    return record_next(past, field, position, ret_rest, ret_value, ret_size);
}

const char *past_field(const struct record *past, uint64_t number, const char *field, size_t *ret_size)
{
    char name[FIELD_SIZE];

    snprintf(name, sizeof name, "%" PRIu64 "/%s", number, field);
    return record_field(past, name, ret_size);
}

/* The numbers of the revisions that are there, oldest first. Each has one field that says when it ended. */
static size_t list_numbers(const struct record *past, uint64_t ret_numbers[PAST_REVISIONS_MAX])
{
    const char *name, *value;
    size_t position = 0, size, count = 0;

    while (count < PAST_REVISIONS_MAX && record_next(past, "", &position, &name, &value, &size)) {
        const char *slash = strchr(name, '/');
        char digits[NUMBER_SIZE];
        size_t length = slash == NULL ? 0 : (size_t)(slash - name);
        if (length == 0 || length >= sizeof digits || strcmp(slash + 1, FIELD_REPLACED) != 0)
            continue;
        memcpy(digits, name, length);
        digits[length] = '\0';
        if (text_to_number(digits, UINT64_MAX, &ret_numbers[count]))
            count++;
    }
    return count;
}

/* The bytes of a revision in its document. */
static size_t measure(const struct record *past, uint64_t number)
{
    char prefix[NUMBER_SIZE];
    const char *rest, *value;
    size_t position = 0, size, total = 0;

    format_prefix(prefix, number);
    while (record_next(past, prefix, &position, &rest, &value, &size))
        total += RECORD_FIELD_OVERHEAD + strlen(prefix) + strlen(rest) + size;
    return total;
}

static void add_time(struct record_draft *draft, uint64_t number, const char *field, uint64_t time_ms)
{
    char name[FIELD_SIZE];

    snprintf(name, sizeof name, "%" PRIu64 "/%s", number, field);
    record_draft_add_number(draft, name, time_ms);
}

/* The value of `replaced` as revision `number`. */
static void add_revision(struct record_draft *draft, uint64_t number, const struct record *replaced,
                         bool unset)
{
    char name[FIELD_SIZE];
    const char *rest, *value;
    size_t size;

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        for (size_t position = 0; record_next(replaced, kept[i], &position, &rest, &value, &size);) {
            if (replaced->kind == RECORD_ACCOUNT && token_is_of_grant(replaced, rest))
                continue;
            snprintf(name, sizeof name, "%" PRIu64 "/%s%s", number, kept[i], rest);
            record_draft_add(draft, name, value, size);
        }
    if (unset) {
        snprintf(name, sizeof name, "%" PRIu64 "/" FIELD_UNSET, number);
        record_draft_add_text(draft, name, "");
    }
    add_time(draft, number, FIELD_REPLACED, clock_wall_ms());
}

static void start_draft(struct record_draft *draft, const struct past_owner *owner, const struct record *past,
                        uint64_t last)
{
    record_draft_start(draft, owner->kind, owner->where, owner->name, owner->name,
                       past->document == NULL ? NULL : past);
    record_draft_add_number(draft, FIELD_LAST, last);
}

static void copy_revision(struct record_draft *draft, const struct record *past, uint64_t number)
{
    char prefix[NUMBER_SIZE];

    format_prefix(prefix, number);
    record_draft_copy(draft, past, prefix);
}

/* False for an account of which there is nothing but its grant. */
static bool has_value(const struct record *replaced)
{
    const char *name, *value;
    size_t position = 0, size;

    if (replaced->kind != RECORD_ACCOUNT)
        return true;
    while (record_next(replaced, "property/", &position, &name, &value, &size))
        if (!token_is_of_grant(replaced, name))
            return true;
    return false;
}

enum status past_keep(struct vault *vault, const struct past_owner *owner, const struct record *replaced,
                      bool unset, struct failure *failure)
{
    CLEANUP(record_reset) struct record past = {0};
    CLEANUP(record_draft_reset) struct record_draft added = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    uint64_t numbers[PAST_REVISIONS_MAX];

    if (!has_value(replaced))
        return STATUS_OK;
    enum status status = past_find(vault, owner, failure, &past);
    if (status != STATUS_OK)
        return status;
    uint64_t number = past_current(&past);
    size_t count = list_numbers(&past, numbers);
    start_draft(&draft, owner, &past, number);
    add_revision(&added, number, replaced, unset);
    if (draft.failed || added.failed)
        return failure_set_no_memory(failure);
    size_t room = PAST_BYTES_MAX - draft.fields.size - sizeof(uint32_t);
    bool fits = added.fields.size <= room;
    size_t first = count;
    if (fits)
        room -= added.fields.size;
    /* What is older than a value that does not fit is not what came before it. */
    while (fits && first > 0 && count - first + 1 < PAST_REVISIONS_MAX &&
           measure(&past, numbers[first - 1]) <= room)
        room -= measure(&past, numbers[--first]);
    for (size_t i = first; i < count; i++)
        copy_revision(&draft, &past, numbers[i]);
    if (fits && !secret_append(&draft.fields, added.fields.bytes, added.fields.size))
        return failure_set_no_memory(failure);
    return record_write(vault, &draft, failure, NULL);
}

enum status past_choose(const struct record *past, const struct past_owner *owner, uint64_t wanted,
                        struct failure *failure, uint64_t *ret_number)
{
    uint64_t numbers[PAST_REVISIONS_MAX];
    size_t count = list_numbers(past, numbers);

    if (count == 0)
        return failure_set(failure, STATUS_NOT_FOUND, "no old value of %s is kept%s%s", owner->subject,
                           owner->where[0] == '\0' ? "" : " at ", owner->where);
    if (wanted == 0) {
        *ret_number = numbers[count - 1];
        return STATUS_OK;
    }
    for (size_t i = 0; i < count; i++)
        if (numbers[i] == wanted) {
            *ret_number = wanted;
            return STATUS_OK;
        }
    return failure_set(failure, STATUS_NOT_FOUND,
                       "no revision %" PRIu64 " of %s is kept; the oldest is %" PRIu64
                       ", the newest %" PRIu64,
                       wanted, owner->subject, numbers[0], numbers[count - 1]);
}

/* Writes the past again without revision `number`. */
static enum status drop_revision(struct vault *vault, const struct past_owner *owner,
                                 const struct record *past, uint64_t number, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    uint64_t numbers[PAST_REVISIONS_MAX];
    size_t count = list_numbers(past, numbers);

    start_draft(&draft, owner, past, past_current(past) - 1);
    for (size_t i = 0; i < count; i++)
        if (numbers[i] != number)
            copy_revision(&draft, past, numbers[i]);
    return record_write(vault, &draft, failure, NULL);
}

enum status past_forget(struct vault *vault, const struct past_owner *owner, uint64_t wanted,
                        struct failure *failure, uint64_t *ret_count)
{
    CLEANUP(record_reset) struct record past = {0};
    uint64_t numbers[PAST_REVISIONS_MAX], number;

    enum status status = past_find(vault, owner, failure, &past);
    if (status == STATUS_OK)
        status = past_choose(&past, owner, wanted, failure, &number);
    if (status != STATUS_OK)
        return status;
    size_t count = list_numbers(&past, numbers);
    if (wanted != 0 && count > 1) {
        status = drop_revision(vault, owner, &past, number, failure);
        count = 1;
    } else {
        status = record_remove(vault, &past, failure);
    }
    if (status == STATUS_OK)
        *ret_count = count;
    return status;
}

enum status past_remove(struct vault *vault, const struct past_owner *owner, struct failure *failure)
{
    CLEANUP(record_reset) struct record past = {0};

    enum status status = past_find(vault, owner, failure, &past);
    if (status != STATUS_OK || past.document == NULL)
        return status;
    return record_remove(vault, &past, failure);
}

static void write_time(struct json_writer *writer, const char *member, const char *decimal)
{
    char time[CLOCK_TEXT_SIZE];
    uint64_t time_ms = 0;

    if (decimal == NULL)
        return;
    (void)text_to_number(decimal, UINT64_MAX, &time_ms);
    clock_format(time, time_ms);
    json_add_text(writer, member, time);
}

/* `prefix` is that of a revision, or empty for a live record. */
static void write_revision(const struct record *record, const char *prefix, struct json_writer *writer)
{
    static const char *const times[] = {"updated", FIELD_REPLACED, REMARK_FIELD_EXPIRES};
    char name[FIELD_SIZE];

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, times[i]);
        write_time(writer, times[i], record_field(record, name, NULL));
    }
    snprintf(name, sizeof name, "%s%s", prefix, REMARK_FIELD_NOTE);
    const char *note = record_field(record, name, NULL);
    if (note != NULL)
        json_add_text(writer, "note", note);
}

static void open_revision(struct json_writer *writer, const char *path, const char *name, uint64_t number,
                          const char *state)
{
    json_open_object(writer, NULL);
    if (path != NULL)
        json_add_text(writer, "path", path);
    if (name != NULL)
        json_add_text(writer, "name", name);
    json_add_number(writer, "revision", number);
    json_add_text(writer, "state", state);
}

void past_write(const struct record *past, const struct record *live, const char *path, const char *name,
                struct json_writer *writer)
{
    uint64_t numbers[PAST_REVISIONS_MAX];
    size_t count = list_numbers(past, numbers);
    char prefix[NUMBER_SIZE];

    for (size_t i = 0; i < count; i++) {
        bool unset = past_field(past, numbers[i], FIELD_UNSET, NULL) != NULL;
        format_prefix(prefix, numbers[i]);
        open_revision(writer, path, name, numbers[i], unset ? "unset" : "replaced");
        write_revision(past, prefix, writer);
        json_close_object(writer);
    }
    if (live == NULL)
        return;
    open_revision(writer, path, name, past_current(past),
                  record_has(live, "blocked") ? "blocked" : "current");
    write_revision(live, "", writer);
    json_close_object(writer);
}
