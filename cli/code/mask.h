/* The values that a projection delivered, and how they are scrubbed from what a command prints: each place
 * where one of them stands, as it is or in a form that programs print it in (code/pattern.h), becomes `***`.
 * Where such places touch or overlap, all of them become one `***`.
 *
 * A help against accidents, and no confinement: who transforms a value otherwise, or prints it a few bytes at
 * a time between other text, prints it. Values and all that is made of them lie in secret memory. */
#ifndef STEPVAULT_CODE_MASK_H
#define STEPVAULT_CODE_MASK_H

#include "code/finder.h"

#define MASK_TEXT "***"
#define MASK_VALUE_MIN PATTERN_MIN /* bytes; shorter values are not masked */

struct mask;

/* Reads `NAME=value\0...` from the start of `descriptor`, which stays open. STATUS_PROTOCOL where it holds
 * anything else, STATUS_TOO_LARGE where the values are too many to be looked for. The caller frees the mask.
 */
enum status mask_load(int descriptor, struct failure *failure, struct mask **ret_mask);
void mask_freep(struct mask **mask);

/* Names of the values that are not masked because they are too short, from index 0 on; NULL behind the last.
 * Valid as long as the mask. */
const char *mask_short_name(const struct mask *mask, size_t index);

/* For a stream (code/stream.h); valid as long as the mask. */
const struct finder *mask_finder(const struct mask *mask);

/* Appends `bytes`, scrubbed. False when memory is out; the content is then unchanged. */
bool mask_append(const struct mask *mask, const void *bytes, size_t size, struct secret *destination);

/* Appends a JSON text whose strings, names of members and numbers are scrubbed, each for itself, and which is
 * JSON again: a number in which a value stands becomes the string "***"; what has nothing to scrub is copied
 * byte for byte. STATUS_INVALID where the text is not JSON (RFC 8259), or nested deeper than 10 000 levels.
 */
enum status mask_json(const struct mask *mask, const void *text, size_t size, struct failure *failure,
                      struct secret *destination);

#endif
