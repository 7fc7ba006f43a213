/* The part of the .env dialects that npm's dotenv (16) and python-dotenv (0.21 and later) read alike. Neither
 * can say every value, they undo different escapes, and python-dotenv puts in variables even between single
 * quotes. */
#ifndef STEPVAULT_LAUNCH_DIALECT_H
#define STEPVAULT_LAUNCH_DIALECT_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends the value as it stands after `NAME=`. False where the two would not read it, all of it, back:
 * `ret_why` then completes the sentence "the value of NAME ...". False with NULL in it where memory is out.
 */
bool dialect_append_dotenv(struct secret *text, const char *value, size_t size, const char **ret_why);

#endif
