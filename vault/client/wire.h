/* The one reader of flat replies, for programs without a JSON library: finds a member by name at a given
 * place and takes text, booleans and lists of text. It checks syntax as it goes and never reads past the end
 * (it is fuzzed). */
#ifndef STEPVAULT_CLIENT_WIRE_H
#define STEPVAULT_CLIENT_WIRE_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define WIRE_DEPTH_MAX 32 /* objects and arrays within one another, the outermost included */

/* A value inside a JSON text, without the blanks around it. It borrows the text's bytes. */
struct wire_value {
    const char *start;
    size_t size;
};

/* True if `json` is one well-formed JSON object (RFC 8259) in UTF-8, of depth at most WIRE_DEPTH_MAX; escapes
 * of half a surrogate pair are not well formed. */
bool wire_check(const char *json, size_t size);

/* Member `key` of the object `object` (first one; keys with escapes never match). False if absent, null or no
 * object. */
bool wire_member(struct wire_value object, const char *key, struct wire_value *ret_value);

/* True if the value is an object, an array or a string. */
bool wire_is_object(struct wire_value value);
bool wire_is_array(struct wire_value value);
bool wire_is_text(struct wire_value value);

/* Appends the text of a JSON string, unescaped (UTF-8). False if it is no string, holds \u0000 or memory is
 * out; `destination` then has the content it had. */
bool wire_text(struct wire_value value, struct secret *destination);

/* Walks an array: `*position` starts at 0; false at the end, and where the array is malformed. */
bool wire_element(struct wire_value array, size_t *position, struct wire_value *ret_value);

/* Walks an object in the same way: keys are strings, for wire_text. */
bool wire_pair(struct wire_value object, size_t *position, struct wire_value *ret_key,
               struct wire_value *ret_value);

/* False if the value is neither true nor false. */
bool wire_boolean(struct wire_value value, bool *ret_boolean);

#endif
