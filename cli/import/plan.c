/* Rows and the memory they lie in, and the names that two rows would share. */
#include "import/plan.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/nameset.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 65536u

struct plan_chunk {
    struct plan_chunk *next;
    size_t used;
    size_t size;
    char bytes[];
};

void plan_reset(struct plan *plan)
{
    while (plan->chunks != NULL) {
        struct plan_chunk *next = plan->chunks->next;

        secret_free(plan->chunks);
        plan->chunks = next;
    }
    free(plan->rows);
    *plan = (struct plan){0};
}

/* Room for `size` bytes, aligned for a pointer; NULL when memory is out. */
static void *take_room(struct plan *plan, size_t size)
{
    struct plan_chunk *chunk = plan->chunks;
    size_t whole = (size + 15) & ~(size_t)15;
    void *room;

    plan->full = plan->full || plan->bytes + whole > PLAN_BYTES_MAX;
    if (plan->failed || plan->full)
        return NULL;
    if (chunk == NULL || chunk->size - chunk->used < whole) {
        size_t wanted = whole > CHUNK_SIZE ? whole : CHUNK_SIZE - sizeof(*chunk);

        chunk = secret_allocate(sizeof(*chunk) + wanted);
        plan->failed = chunk == NULL;
        if (chunk == NULL)
            return NULL;
        chunk->next = plan->chunks;
        chunk->size = wanted;
        plan->chunks = chunk;
    }
    room = chunk->bytes + chunk->used;
    chunk->used += whole;
    plan->bytes += whole;
    return room;
}

const char *plan_keep(struct plan *plan, const void *bytes, size_t size)
{
    char *room = take_room(plan, size + 1);

    if (room == NULL)
        return "";
    if (size > 0)
        memcpy(room, bytes, size);
    room[size] = '\0';
    return room;
}

const char *plan_format(struct plan *plan, const char *format, ...)
{
    va_list arguments;
    char *room;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    room = length < 0 ? NULL : take_room(plan, (size_t)length + 1);
    if (room == NULL)
        return "";
    va_start(arguments, format);
    vsnprintf(room, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return room;
}

static struct plan_row *add_row(struct plan *plan, const struct plan_row *row)
{
    struct plan_row *rows;
    size_t capacity = plan->capacity > 0 ? 2 * plan->capacity : 64;

    if (plan->count == plan->capacity) {
        rows = reallocarray(plan->rows, capacity, sizeof(*rows));
        plan->failed = plan->failed || rows == NULL;
        if (rows == NULL)
            return NULL;
        plan->rows = rows;
        plan->capacity = capacity;
    }
    plan->rows[plan->count] = *row;
    return &plan->rows[plan->count++];
}

static const char *value_fault(const struct plan_value *value)
{
    if (value->size > NAME_VALUE_MAX)
        return "its value is larger than 64 KiB";
    if (value->size > 0 && memchr(value->bytes, '\0', value->size) != NULL)
        return "its value has a NUL byte in it";
    return NULL;
}

void plan_add_variable(struct plan *plan, const char *name, const void *value, size_t size,
                       const char *origin, const char *reason)
{
    struct plan_row row = {.kind = PLAN_VARIABLE, .origin = origin, .reason = reason};
    const char *fault;

    row.name = plan_keep(plan, name, strlen(name));
    row.value = (struct plan_value){.bytes = value, .size = size};
    fault = value_fault(&row.value);
    if (fault != NULL)
        row = (struct plan_row){.kind = PLAN_REFUSED, .name = row.name, .origin = origin, .reason = fault};
    else
        row.value.bytes = plan_keep(plan, value, size);
    add_row(plan, &row);
}

void plan_add_account(struct plan *plan, const char *app, const char *label,
                      const struct plan_value *properties, size_t count, const char *origin,
                      const char *reason)
{
    struct plan_row row = {.kind = PLAN_ACCOUNT, .origin = origin, .reason = reason, .property_count = count};

    row.app = plan_keep(plan, app, strlen(app));
    row.label = plan_keep(plan, label, strlen(label));
    row.name = plan_format(plan, "%s:%s", app, label);
    row.properties = take_room(plan, (count + 1) * sizeof(*row.properties));
    for (size_t i = 0; row.properties != NULL && i < count; i++) {
        const struct plan_value *from = &properties[i];
        const char *fault = value_fault(from);

        if (fault != NULL) {
            plan_refuse(plan, row.name, origin, plan_format(plan, "%s: %s", from->name, fault));
            return;
        }
        row.properties[i] = (struct plan_value){.name = plan_keep(plan, from->name, strlen(from->name)),
                                                .bytes = plan_keep(plan, from->bytes, from->size),
                                                .size = from->size};
    }
    if (row.properties != NULL)
        add_row(plan, &row);
}

void plan_leave_out(struct plan *plan, const char *name, const char *origin, const char *reason)
{
    add_row(plan, &(struct plan_row){.kind = PLAN_LEFT_OUT,
                                     .name = plan_keep(plan, name, strlen(name)),
                                     .origin = origin,
                                     .reason = reason});
}

void plan_refuse(struct plan *plan, const char *name, const char *origin, const char *reason)
{
    add_row(plan, &(struct plan_row){.kind = PLAN_REFUSED,
                                     .name = plan_keep(plan, name, strlen(name)),
                                     .origin = origin,
                                     .reason = reason});
}

/* ---- checks ---- */

static void check_row(struct plan *plan, struct plan_row *row, bool allow_dangerous_name)
{
    struct failure failure = {0};
    enum status status = STATUS_OK;

    if (row->kind == PLAN_VARIABLE) {
        status = name_check_variable(row->name, &failure);
        if (status == STATUS_OK && !allow_dangerous_name && name_is_dangerous(row->name))
            status = failure_set(&failure, STATUS_REFUSED,
                                 "the name steers the loader, a shell or an interpreter, and wants "
                                 "--allow-dangerous-name");
        if (status == STATUS_OK && row->value.size > NAME_VALUE_MAX)
            status =
                failure_set(&failure, STATUS_TOO_LARGE, "the value is larger than %u bytes", NAME_VALUE_MAX);
        if (status == STATUS_OK && memchr(row->value.bytes, '\0', row->value.size) != NULL)
            status =
                failure_set(&failure, STATUS_INVALID, "the value has a NUL byte, which no variable can hold");
    } else if (row->kind == PLAN_ACCOUNT) {
        status = name_check_app(row->app, &failure);
        if (status == STATUS_OK)
            status = name_check_label(row->label, &failure);
        for (size_t i = 0; status == STATUS_OK && i < row->property_count; i++)
            status = name_check_property(row->properties[i].name, &failure);
    }
    if (status == STATUS_OK)
        return;
    row->kind = PLAN_REFUSED;
    row->reason = plan_format(plan, "%s", failure.sentence);
}

static bool is_named(const struct plan_row *row)
{
    return row->kind == PLAN_VARIABLE || row->kind == PLAN_ACCOUNT;
}

/* No account has the name of a variable: it has a colon. */
static enum status check_shared(struct plan *plan, struct failure *failure)
{
    CLEANUP(nameset_reset) struct nameset names = {0};
    CLEANUP(cleanup_free) struct plan_row **firsts = calloc(plan->count + 1, sizeof(struct plan_row *));
    size_t number;

    if (firsts == NULL)
        return failure_set_no_memory(failure);
    for (size_t i = 0; i < plan->count; i++) {
        struct plan_row *row = &plan->rows[i];
        struct plan_row *first;

        if (!is_named(row))
            continue;
        if (!nameset_add(&names, row->name, strlen(row->name), &number))
            return failure_set_no_memory(failure);
        first = firsts[number];
        if (first == NULL) {
            firsts[number] = row;
            continue;
        }
        row->kind = first->kind = PLAN_REFUSED;
        row->reason = plan_format(plan, "%s is the same", first->origin);
        first->reason = plan_format(plan, "%s is the same", row->origin);
    }
    return STATUS_OK;
}

enum status plan_check(struct plan *plan, bool allow_dangerous_name, struct failure *failure)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < plan->count; i++)
        check_row(plan, &plan->rows[i], allow_dangerous_name);
    if (!plan->failed && !plan->full)
        status = check_shared(plan, failure);
    if (status != STATUS_OK)
        return status;
    if (plan->full)
        return failure_set(failure, STATUS_TOO_LARGE, "an import holds at most %u bytes of names and values",
                           PLAN_BYTES_MAX);
    return plan->failed ? failure_set_no_memory(failure) : STATUS_OK;
}

void plan_skip_refused(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->rows[i].kind == PLAN_REFUSED)
            plan->rows[i].kind = PLAN_LEFT_OUT;
    }
}

size_t plan_count(const struct plan *plan, enum plan_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->count; i++)
        count += plan->rows[i].kind == kind;
    return count;
}
