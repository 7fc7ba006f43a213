/* The forms in which programs print a value: what the mask looks for. */
#ifndef STEPVAULT_CODE_PATTERN_H
#define STEPVAULT_CODE_PATTERN_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_MIN 4u /* bytes of the shortest pattern there can be */

/* Where a pattern stands in its list's bytes. */
struct pattern {
    uint32_t at;
    uint32_t size;
};

/* All zero is the valid empty list. */
struct pattern_list {
    struct secret bytes;
    struct secret patterns; /* of struct pattern */
};

/* Adds the forms of a value of at least PATTERN_MIN bytes. It itself, also with its lines ended as a terminal
 * ends them; each of its lines of 8 bytes and more, without the blanks around it; as a URL's part
 * (encodeURIComponent, encodeURI, RFC 3986, forms; either case of hexadecimal digits); as the inside of a
 * JSON string (JSON.stringify, ASCII only, with `/` or `<>&` escaped); in base64 of either alphabet, wherever
 * in the encoded text it stands, padded or not, and in lines as base64(1) and openssl break them. False when
 * memory is out. */
bool pattern_add_forms(struct pattern_list *list, const void *value, size_t size);

/* Sorts the patterns by their bytes and removes what is there twice. */
void pattern_sort(struct pattern_list *list);

size_t pattern_count(const struct pattern_list *list);
const uint8_t *pattern_get(const struct pattern_list *list, size_t index, size_t *ret_size);

void pattern_reset(struct pattern_list *list);

#endif
