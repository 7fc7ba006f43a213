/* Reading the file that bash code appended to. */
#include "code/exports.h"

#include "base/cleanup.h"
#include "base/nameset.h"
#include "base/text.h"
#include "json/json.h"
#include "json/syntax.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MARK ":json"
#define NAME_SIZE_MAX 64
#define EXPORTS_MAX 4096u

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
    struct nameset names;
    struct export entries[EXPORTS_MAX]; /* by the numbers of their names */
};

static void exports_freep(struct exports **exports)
{
    if (*exports != NULL)
        nameset_reset(&(*exports)->names);
    free(*exports);
    *exports = NULL;
}

static bool name_is_ok(const char *name, size_t size)
{
    const char *known = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$-.";

    for (size_t i = 0; i < size; i++) {
        if (strchr(known, name[i]) == NULL || name[i] == '\0')
            return false;
    }
    return size > 0 && size <= NAME_SIZE_MAX;
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
static enum status export_put(struct exports *exports, const struct export *export, struct failure *failure,
                              struct export **ret_place)
{
    size_t number;

    if (exports->names.count == EXPORTS_MAX && !nameset_has(&exports->names, export->name, export->name_size))
        return failure_set(failure, STATUS_TOO_LARGE, "the code exported more than %u names", EXPORTS_MAX);
    if (!nameset_add(&exports->names, export->name, export->name_size, &number))
        return failure_set_no_memory(failure);
    exports->entries[number] = *export;
    *ret_place = &exports->entries[number];
    return STATUS_OK;
}

static enum status exports_read(const char *text, size_t size, struct failure *failure,
                                struct exports *exports)
{
    struct export *last = NULL;
    enum status status = STATUS_OK;
    size_t number = 0;

    for (size_t at = 0, length; status == STATUS_OK && at < size; at += length + 1) {
        const char *end = memchr(text + at, '\n', size - at);
        struct export export;

        length = end != NULL ? (size_t)(end - text) - at : size - at;
        number++;
        if (line_read(text + at, length, &export))
            status = export_put(exports, &export, failure, &last);
        else if (last != NULL && last->is_json)
            last->value_size = (size_t)(text + at + length - last->value);
        else if (length > 0)
            status = failure_set(failure, STATUS_INVALID,
                                 "line %zu of what the code exported is neither NAME:json=JSON nor NAME=TEXT",
                                 number);
    }
    return status;
}

/* The value as it was written, without the blanks between its parts: a number keeps all its digits. */
static void add_json(struct json_writer *writer, const char *name, const struct export *export)
{
    bool quoted = false;
    size_t begin = 0;
    size_t at = 0;

    json_add_raw(writer, name, "", 0);
    for (; at < export->value_size && !writer->failed; at++) {
        const char byte = export->value[at];

        if (quoted && byte == '\\')
            at++;
        else if (byte == '"')
            quoted = !quoted;
        else if (!quoted && (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n')) {
            writer->failed = !secret_append(writer->destination, export->value + begin, at - begin);
            begin = at + 1;
        }
    }
    writer->failed = writer->failed ||
                     !secret_append(writer->destination, export->value + begin, export->value_size - begin);
}

static enum status export_write(const struct export *export, struct json_writer *writer,
                                struct failure *failure)
{
    struct syntax syntax;
    char name[NAME_SIZE_MAX + 1];

    memcpy(name, export->name, export->name_size);
    name[export->name_size] = '\0';
    if (export->is_json && !syntax_check(export->value, export->value_size, "", &syntax))
        return failure_set(failure, STATUS_INVALID, "the export %s is not JSON", name);
    if (!export->is_json && !text_is_utf8(export->value, export->value_size))
        return failure_set(failure, STATUS_INVALID, "the export %s is not UTF-8 text", name);
    if (export->is_json)
        add_json(writer, name, export);
    else
        json_add_bytes(writer, name, export->value, export->value_size);
    if (writer->failed)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the exports of the code are larger than 64 MiB, or than there is memory for");
    return STATUS_OK;
}

enum status exports_write(const char *text, size_t size, struct failure *failure, struct secret *destination)
{
    CLEANUP(exports_freep) struct exports *exports = calloc(1, sizeof(*exports));
    struct json_writer writer;
    enum status status =
        exports != NULL ? exports_read(text, size, failure, exports) : failure_set_no_memory(failure);

    json_writer_start(&writer, destination);
    json_open_object(&writer, NULL);
    for (size_t i = 0; status == STATUS_OK && i < exports->names.count; i++)
        status = export_write(&exports->entries[i], &writer, failure);
    json_close_object(&writer);
    return status != STATUS_OK || !writer.failed ? status : failure_set_no_memory(failure);
}
