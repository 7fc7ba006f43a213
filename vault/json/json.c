/* JSON by jansson for reading, and the writer. Error sentences are made here: jansson's own quote the text
 * near a fault, and that text may be a secret. */
#include "json/json.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"

#include <jansson.h>
#include <string.h>

#undef json_boolean /* jansson's macro that makes one */

#define JSON_DEPTH_MAX 64
#define NUMBER_DIGITS_MAX 20
#define HEX_BYTES_MAX 64

static json_t *json_of(const struct json *value)
{
    return (json_t *)(uintptr_t)value;
}

static const struct json *json_from(const json_t *value)
{
    return (const struct json *)value;
}

void json_start(void)
{
    json_set_alloc_funcs(secret_allocate, secret_free);
    /* jansson seeds its hash on first use from /dev/urandom, which a sandboxed process no longer opens. */
    json_object_seed(0);
}

/* Depth is bounded before jansson sees the text: it recurses, and so does whatever walks the result. */
static bool depth_is_bounded(const char *text, size_t size)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < size; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > JSON_DEPTH_MAX)
                return false;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static const struct {
    enum json_error_code code;
    const char *reason;
} fault_table[] = {
    {json_error_premature_end_of_input, "it ends too early"          },
    {json_error_end_of_input_expected,  "something follows its end"  },
    {json_error_invalid_utf8,           "it is not UTF-8"            },
    {json_error_duplicate_key,          "an object has one key twice"},
    {json_error_null_character,         "a text holds a NUL"         },
    {json_error_null_byte_in_key,       "a key holds a NUL"          },
    {json_error_numeric_overflow,       "a number is too large"      },
    {json_error_stack_overflow,         "it is nested too deeply"    },
};

static enum status parse_fault(const json_error_t *error, const char *what, struct failure *failure)
{
    enum json_error_code code = json_error_code(error);
    const char *reason = "the syntax is wrong";

    if (code == json_error_out_of_memory)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory to read %s", what);
    for (size_t i = 0; i < sizeof(fault_table) / sizeof(fault_table[0]); i++) {
        if (fault_table[i].code == code)
            reason = fault_table[i].reason;
    }
    if (error->line < 1)
        return failure_set(failure, STATUS_INVALID, "%s is not JSON: %s", what, reason);
    return failure_set(failure, STATUS_INVALID, "%s is not JSON: %s, at line %d, column %d", what, reason,
                       error->line, error->column);
}

static enum status parse(const void *bytes, size_t size, size_t flags, const char *what,
                         struct failure *failure, struct json **ret_json)
{
    json_error_t error = {.line = 0};
    json_t *root;

    if (size == 0)
        return failure_set(failure, STATUS_INVALID, "%s is not JSON: it is empty", what);
    if (!depth_is_bounded(bytes, size))
        return failure_set(failure, STATUS_INVALID, "%s is not JSON we read: it is nested deeper than %d",
                           what, JSON_DEPTH_MAX);
    root = json_loadb(bytes, size, flags, &error);
    if (root == NULL) {
        enum status status = parse_fault(&error, what, failure);

        secret_wipe(&error, sizeof(error));
        return status;
    }
    *ret_json = (struct json *)root;
    return STATUS_OK;
}

enum status json_parse(const void *bytes, size_t size, const char *what, struct failure *failure,
                       struct json **ret_json)
{
    return parse(bytes, size, JSON_REJECT_DUPLICATES, what, failure, ret_json);
}

enum status json_parse_foreign(const void *bytes, size_t size, const char *what, struct failure *failure,
                               struct json **ret_json)
{
    return parse(bytes, size, JSON_ALLOW_NUL, what, failure, ret_json);
}

void json_freep(struct json **json)
{
    json_decref(json_of(*json));
    *json = NULL;
}

enum json_kind json_kind(const struct json *value)
{
    static const enum json_kind kinds[] = {
        [JSON_OBJECT] = JSON_KIND_OBJECT,  [JSON_ARRAY] = JSON_KIND_ARRAY, [JSON_STRING] = JSON_KIND_TEXT,
        [JSON_INTEGER] = JSON_KIND_NUMBER, [JSON_REAL] = JSON_KIND_NUMBER, [JSON_TRUE] = JSON_KIND_BOOLEAN,
        [JSON_FALSE] = JSON_KIND_BOOLEAN,  [JSON_NULL] = JSON_KIND_NULL,
    };

    return kinds[json_typeof(json_of(value))];
}

const struct json *json_member(const struct json *object, const char *key)
{
    const json_t *value = object == NULL ? NULL : json_object_get(json_of(object), key);

    return value == NULL || json_is_null(value) ? NULL : json_from(value);
}

const char *json_text(const struct json *value, size_t *ret_size)
{
    const char *text;
    size_t size;

    if (value == NULL || !json_is_string(json_of(value)))
        return NULL;
    text = json_string_value(json_of(value));
    size = json_string_length(json_of(value));
    if (memchr(text, 0, size) != NULL)
        return NULL;
    if (ret_size != NULL)
        *ret_size = size;
    return text;
}

const char *json_member_text(const struct json *object, const char *key)
{
    return json_text(json_member(object, key), NULL);
}

bool json_number(const struct json *value, int64_t *ret_number)
{
    if (value == NULL || !json_is_integer(json_of(value)))
        return false;
    *ret_number = json_integer_value(json_of(value));
    return true;
}

bool json_boolean(const struct json *value, bool *ret_boolean)
{
    if (value == NULL || !json_is_boolean(json_of(value)))
        return false;
    *ret_boolean = json_is_true(json_of(value));
    return true;
}

bool json_member_boolean(const struct json *object, const char *key, bool fallback)
{
    bool boolean = fallback;

    json_boolean(json_member(object, key), &boolean);
    return boolean;
}

int64_t json_member_number(const struct json *object, const char *key, int64_t fallback)
{
    int64_t number = fallback;

    json_number(json_member(object, key), &number);
    return number;
}

size_t json_count(const struct json *value)
{
    if (value == NULL)
        return 0;
    return json_is_array(json_of(value)) ? json_array_size(json_of(value)) : json_object_size(json_of(value));
}

const struct json *json_at(const struct json *array, size_t index)
{
    return array == NULL ? NULL : json_from(json_array_get(json_of(array), index));
}

bool json_member_is(const struct json *object, const char *key, const char *text)
{
    const char *found = json_member_text(object, key);

    return found != NULL && strcmp(found, text) == 0;
}

bool json_has_text(const struct json *array, const char *text)
{
    for (size_t at = 0; at < json_count(array); at++) {
        const char *found = json_text(json_at(array, at), NULL);

        if (found != NULL && strcmp(found, text) == 0)
            return true;
    }
    return false;
}

bool json_next(const struct json *object, void **iterator, const char **ret_key,
               const struct json **ret_value)
{
    json_t *walked = json_of(object);

    if (object == NULL)
        return false;
    *iterator = *iterator == NULL ? json_object_iter(walked) : json_object_iter_next(walked, *iterator);
    if (*iterator == NULL)
        return false;
    *ret_key = json_object_iter_key(*iterator);
    *ret_value = json_from(json_object_iter_value(*iterator));
    return true;
}

/* ---- writer ----------------------------------------------------------------------------------------------
 */

#define WRITER_DEPTH_MAX (sizeof(((struct json_writer *)NULL)->follows) / sizeof(bool))

void json_writer_start(struct json_writer *writer, struct secret *destination)
{
    *writer = (struct json_writer){.destination = destination};
}

static void append(struct json_writer *writer, const void *bytes, size_t size)
{
    if (!writer->failed && !secret_append(writer->destination, bytes, size))
        writer->failed = true;
}

static void append_text(struct json_writer *writer, const void *text, size_t size)
{
    if (!writer->failed && (!text_is_utf8(text, size) || !text_append_json(writer->destination, text, size)))
        writer->failed = true;
}

/* What stands before a value: the comma after its predecessor, and its key. */
static void begin_value(struct json_writer *writer, const char *key)
{
    bool *follows = &writer->follows[writer->depth];

    if (*follows)
        append(writer, ",", 1);
    *follows = true;
    if (key != NULL) {
        append_text(writer, key, strlen(key));
        append(writer, ":", 1);
    }
}

static void open_level(struct json_writer *writer, const char *key, const char *bracket)
{
    begin_value(writer, key);
    if (writer->depth + 1 == WRITER_DEPTH_MAX)
        writer->failed = true;
    if (writer->failed)
        return;
    append(writer, bracket, 1);
    writer->follows[++writer->depth] = false;
}

static void close_level(struct json_writer *writer, const char *bracket)
{
    if (writer->failed)
        return;
    append(writer, bracket, 1);
    writer->depth--;
}

void json_open_object(struct json_writer *writer, const char *key)
{
    open_level(writer, key, "{");
}

void json_close_object(struct json_writer *writer)
{
    close_level(writer, "}");
}

void json_open_array(struct json_writer *writer, const char *key)
{
    open_level(writer, key, "[");
}

void json_close_array(struct json_writer *writer)
{
    close_level(writer, "]");
}

void json_add_text(struct json_writer *writer, const char *key, const char *text)
{
    json_add_bytes(writer, key, text, strlen(text));
}

void json_add_bytes(struct json_writer *writer, const char *key, const void *text, size_t size)
{
    begin_value(writer, key);
    append_text(writer, text, size);
}

void json_add_base64(struct json_writer *writer, const char *key, const void *bytes, size_t size)
{
    begin_value(writer, key);
    append(writer, "\"", 1);
    if (!writer->failed && !text_append_base64(writer->destination, bytes, size))
        writer->failed = true;
    append(writer, "\"", 1);
}

void json_add_hex(struct json_writer *writer, const char *key, const void *bytes, size_t size)
{
    char hex[2 * HEX_BYTES_MAX + 1];

    begin_value(writer, key);
    if (size > HEX_BYTES_MAX) {
        writer->failed = true;
        return;
    }
    text_to_hex(hex, bytes, size);
    append(writer, "\"", 1);
    append(writer, hex, 2 * size);
    append(writer, "\"", 1);
}

void json_add_number(struct json_writer *writer, const char *key, uint64_t number)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t start = sizeof(digits);

    begin_value(writer, key);
    do {
        digits[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    append(writer, digits + start, sizeof(digits) - start);
}

void json_add_boolean(struct json_writer *writer, const char *key, bool boolean)
{
    begin_value(writer, key);
    append(writer, boolean ? "true" : "false", boolean ? 4 : 5);
}

void json_add_null(struct json_writer *writer, const char *key)
{
    begin_value(writer, key);
    append(writer, "null", 4);
}

void json_add_raw(struct json_writer *writer, const char *key, const void *json, size_t size)
{
    begin_value(writer, key);
    append(writer, json, size);
}

static int append_dumped(const char *bytes, size_t size, void *writer)
{
    append(writer, bytes, size);
    return ((struct json_writer *)writer)->failed ? -1 : 0;
}

void json_add_value(struct json_writer *writer, const char *key, const struct json *value)
{
    begin_value(writer, key);
    if (!writer->failed &&
        json_dump_callback(json_of(value), append_dumped, writer, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        writer->failed = true;
}

void json_add_words(struct json_writer *writer, const char *key, const char *text, const char *separators)
{
    const char *word;
    size_t size;

    json_open_array(writer, key);
    while ((word = words_next(&text, separators, &size)) != NULL)
        json_add_bytes(writer, NULL, word, size);
    json_close_array(writer);
}
