/* Patterns that a field's value must fit: POSIX extended regular expressions for the whole of it, without
 * groups, anchors, backslashes and classes with names, and for texts of a bounded size, so that neither
 * compiling nor matching one can take long: the worst found takes 0.4 s and 220 MiB. */
#ifndef STEPVAULT_CATALOG_PATTERN_H
#define STEPVAULT_CATALOG_PATTERN_H

#include <stdbool.h>

#define PATTERN_SIZE_MAX 128  /* bytes of a pattern */
#define PATTERN_TEXT_MAX 4096 /* bytes of a text that can fit one */
#define PATTERN_REPEAT_MAX 64 /* the largest bound in braces */

/* NULL if `pattern` is one; else what is wrong with it, a part of a sentence. Static. */
const char *pattern_fault(const char *pattern);

/* True if the whole of `text` fits, and it is no longer than PATTERN_TEXT_MAX. `pattern` is one that has no
 * fault; false when memory is out. */
bool pattern_fits(const char *pattern, const char *text);

#endif
