/* Reading the file that bash code appended to. */
#include "code/exports.h"

#include "base/cleanup.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MARK ":json"
#define SHOWN_NAME 64

/* One export; texts are borrowed. */
struct export
{
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
    bool is_json;
};

struct exports {
    struct export *entries;
    size_t count;
    size_t capacity;
};

static void exports_reset(struct exports *exports)
{
    free(exports->entries);
}

static bool name_is_ok(const char *name, size_t size)
{
    const char *known = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$-.";

    for (size_t i = 0; i < size; i++) {
        if (strchr(known, name[i]) == NULL || name[i] == '\0')
            return false;
    }
    return size > 0 && size <= SHOWN_NAME;
}

/* Whether the line begins an export. */
static bool line_read(const char *line, size_t size, struct export *ret_export)
{
    const char *equals = memchr(line, '=', size);
    struct export export = {.name = line};
    const size_t mark = strlen(JSON_MARK);

    if (equals == NULL)
        return false;
    export.name_size = (size_t)(equals - line);
    export.value = equals + 1;
    export.value_size = size - export.name_size - 1;
    if (export.name_size > mark && memcmp(equals - mark, JSON_MARK, mark) == 0) {
        export.is_json = true;
        export.name_size -= mark;
    }
    if (!name_is_ok(export.name, export.name_size))
        return false;
    *ret_export = export;
    return true;
}

/* In the place of an earlier one of that name, if there is one. */
static struct export *export_place(struct exports *exports, const struct export *export)
{
    for (size_t i = 0; i < exports->count; i++) {
        if (exports->entries[i].name_size == export->name_size &&
            memcmp(exports->entries[i].name, export->name, export->name_size) == 0)
            return &exports->entries[i];
    }
    if (exports->count == exports->capacity) {
        size_t capacity = exports->capacity * 2 + 16;
        struct export *entries = realloc(exports->entries, capacity * sizeof(*entries));

        if (entries == NULL)
            return NULL;
        exports->entries = entries;
        exports->capacity = capacity;
    }
    return &exports->entries[exports->count++];
}

static enum status exports_read(const char *text, size_t size, struct failure *failure,
                                struct exports *exports)
{
    struct export *last = NULL;
    size_t number = 0;

    for (size_t at = 0, length; at < size; at += length + 1) {
        const char *end = memchr(text + at, '\n', size - at);
        struct export export;

        length = end != NULL ? (size_t)(end - text) - at : size - at;
        number++;
        if (line_read(text + at, length, &export)) {
            last = export_place(exports, &export);
            if (last == NULL)
                return failure_set_no_memory(failure);
            *last = export;
        } else if (last != NULL && last->is_json) {
            last->value_size = (size_t)(text + at + length - last->value);
        } else if (length > 0) {
            return failure_set(failure, STATUS_INVALID,
                               "line %zu of what the code exported is neither NAME:json=JSON nor NAME=TEXT",
                               number);
        }
    }
    return STATUS_OK;
}

static bool json_add_parsed(struct json_writer *writer, const char *name, const struct export *export)
{
    CLEANUP(secret_reset) struct secret array = {0};
    CLEANUP(json_freep) struct json *parsed = NULL;
    struct failure ignored;

    if (!secret_append_byte(&array, '[') || !secret_append(&array, export->value, export->value_size) ||
        !secret_append_byte(&array, ']') ||
        json_parse(array.bytes, array.size, "", &ignored, &parsed) != STATUS_OK || json_count(parsed) != 1)
        return false;
    json_add_value(writer, name, json_at(parsed, 0));
    return true;
}

enum status exports_write(const char *text, size_t size, struct failure *failure, struct secret *destination)
{
    CLEANUP(exports_reset) struct exports exports = {0};
    struct json_writer writer;
    char name[SHOWN_NAME + 1];
    enum status status = exports_read(text, size, failure, &exports);

    if (status != STATUS_OK)
        return status;
    json_writer_start(&writer, destination);
    json_open_object(&writer, NULL);
    for (size_t i = 0; i < exports.count; i++) {
        const struct export *export = &exports.entries[i];

        memcpy(name, export->name, export->name_size);
        name[export->name_size] = '\0';
        if (!export->is_json)
            json_add_bytes(&writer, name, export->value, export->value_size);
        if ((export->is_json && !json_add_parsed(&writer, name, export)) || writer.failed)
            return failure_set(failure, STATUS_INVALID, "the export %s is not %s", name,
                               export->is_json ? "JSON" : "UTF-8");
    }
    json_close_object(&writer);
    return writer.failed ? failure_set_no_memory(failure) : STATUS_OK;
}
