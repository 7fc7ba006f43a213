/* JSON: jansson for reading, with its memory in the secret heap, and a small writer for what we send and log.
 *
 * The writer is ours because a log line is hashed as written and because it is on the way of every
 * projection; parsing, where the danger is, is jansson's: duplicate keys, invalid UTF-8, NUL, trailing bytes
 * and depth over 64 are refused. What others wrote may have duplicate keys and NUL all the same
 * (json_parse_foreign). */
#ifndef STEPVAULT_JSON_JSON_H
#define STEPVAULT_JSON_JSON_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; /* a value; borrowed pointers into a parsed document hold until its json_freep */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOLEAN,
    JSON_KIND_NUMBER,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/* Puts jansson's memory into the secret heap. Once, before anything else here. */
void json_start(void);

/* Parses one JSON object or array. STATUS_INVALID: "`what` is not JSON: ..." with the position, never with
 * content. */
enum status json_parse(const void *bytes, size_t size, const char *what, struct failure *failure,
                       struct json **ret_json);

/* As json_parse, for what others wrote and we cannot have written anew: of a key that stands twice the last
 * one counts, and a text with a NUL is no text to json_text. */
enum status json_parse_foreign(const void *bytes, size_t size, const char *what, struct failure *failure,
                               struct json **ret_json);
void json_freep(struct json **json);

enum json_kind json_kind(const struct json *value);

/* Member of an object; NULL if absent, null, or `object` is no object. */
const struct json *json_member(const struct json *object, const char *key);

/* Text with its size in bytes (it holds no NUL); NULL if `value` is no text. `ret_size` may be NULL. */
const char *json_text(const struct json *value, size_t *ret_size);
const char *json_member_text(const struct json *object, const char *key);

/* False if `value` is no whole number, or no boolean. Reals are no numbers to us. */
bool json_number(const struct json *value, int64_t *ret_number);
bool json_boolean(const struct json *value, bool *ret_boolean);
/* The boolean or number at `key`; `fallback` if absent or of another kind. */
bool json_member_boolean(const struct json *object, const char *key, bool fallback);
int64_t json_member_number(const struct json *object, const char *key, int64_t fallback);

/* Elements of an array or members of an object. */
size_t json_count(const struct json *value);
const struct json *json_at(const struct json *array, size_t index);

/* True if the member at `key` is this text; if the array has this text. */
bool json_member_is(const struct json *object, const char *key, const char *text);
bool json_has_text(const struct json *array, const char *text);

/* Walks an object in the order of the document: `*iterator` starts as NULL; false at the end. */
bool json_next(const struct json *object, void **iterator, const char **ret_key,
               const struct json **ret_value);

/* Writer: appends to a struct secret. `key` is NULL inside arrays and for the outermost value. Any failure
 * (memory, text that is not UTF-8) is remembered in `failed`; the output is then unusable. Depth at most 15.
 */
struct json_writer {
    struct secret *destination;
    bool failed;
    bool follows[16]; /* per level: something stands before */
    unsigned depth;
};
void json_writer_start(struct json_writer *writer, struct secret *destination);
void json_open_object(struct json_writer *writer, const char *key);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer, const char *key);
void json_close_array(struct json_writer *writer);
void json_add_text(struct json_writer *writer, const char *key, const char *text);
void json_add_bytes(struct json_writer *writer, const char *key, const void *text,
                    size_t size); /* must be UTF-8 */
void json_add_base64(struct json_writer *writer, const char *key, const void *bytes, size_t size);
void json_add_hex(struct json_writer *writer, const char *key, const void *bytes,
                  size_t size); /* at most 64 bytes */
void json_add_number(struct json_writer *writer, const char *key, uint64_t number);
void json_add_boolean(struct json_writer *writer, const char *key, bool boolean);
void json_add_null(struct json_writer *writer, const char *key);
/* An array of the words of a text (base/words.h). */
void json_add_words(struct json_writer *writer, const char *key, const char *text, const char *separators);
/* A finished JSON value as it stands. */
void json_add_raw(struct json_writer *writer, const char *key, const void *json, size_t size);
/* A parsed value, written again (compact, object members in order). */
void json_add_value(struct json_writer *writer, const char *key, const struct json *value);

#endif
