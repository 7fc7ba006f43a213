/* A command line as a person would type it into a shell. */
#ifndef STEPVAULT_LAUNCH_QUOTE_H
#define STEPVAULT_LAUNCH_QUOTE_H

#include "base/secret.h"

#include <stdbool.h>

#define QUOTE_LINE_MAX 520 /* fits into a sentence */

/* `stepvault` and the words of `argv` after the first, quoted for a shell, with `--` before argv[separator].
 * What does not fit is left out word by word and becomes `...`. */
void quote_line(char *const argv[], int separator, char destination[QUOTE_LINE_MAX]);

/* Appends `text` as a word between single quotes, which any shell reads back byte for byte. False when memory
 * is out. */
bool quote_append_shell(struct secret *destination, const char *text);

#endif
