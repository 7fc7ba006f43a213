/* Lists of words in one text, such as scopes. Between two words stands a run of separators, each of them one
 * of the characters of `separators`; others may stand before the first word and behind the last. */
#ifndef STEPVAULT_BASE_WORDS_H
#define STEPVAULT_BASE_WORDS_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* The first word of `*text` (NULL: an empty list), which goes on behind it; it is borrowed, `*ret_size` bytes
 * long, and has no NUL of its own. NULL behind the last. */
const char *words_next(const char **text, const char *separators, size_t *ret_size);

bool words_has(const char *text, const char *separators, const char *word, size_t size);

/* Appends a word, behind a `separator` where there is one already. False when memory is out; the list is not
 * to be used then. */
bool words_append(struct secret *words, char separator, const char *word, size_t size);

#endif
