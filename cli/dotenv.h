/* .env files: text into names and values, in a stated dialect. libc only: stepvault and stepvault-manage
 * share it.
 *
 * There is no one .env format. Nothing here expands a variable or runs a command, in any dialect: where a
 * reader would, the value is not in the file, and the line is refused. Whatever a dialect accepts, its reader
 * reads byte for byte the same. */
#ifndef STEPVAULT_CLI_DOTENV_H
#define STEPVAULT_CLI_DOTENV_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum dotenv_dialect {
    /* What node's dotenv, python-dotenv and a POSIX shell read alike. docker's reader, which knows neither
     * quotes nor `export`, must read an unquoted value alike, too. A name that is set twice is refused. */
    DOTENV_STRICT,
    DOTENV_NODE,   /* npm's dotenv 16 */
    DOTENV_PYTHON, /* python-dotenv 0.21 */
    DOTENV_SHELL,  /* a POSIX shell that sources the file */
    DOTENV_DOCKER  /* docker run --env-file */
};
#define DOTENV_DIALECTS 5

#define DOTENV_SIZE_MAX (32u * 1024u * 1024u) /* bytes of a file */

/* Both are NUL-terminated, in secret memory of the struct dotenv. A value has no NUL and is at most
 * NAME_VALUE_MAX bytes; a name fits [A-Za-z_][A-Za-z0-9_]* and is at most NAME_VARIABLE_MAX bytes. Whether a
 * name is reserved or dangerous is not looked at. */
struct dotenv_entry {
    const char *name;
    const char *value;
    size_t value_size;
    size_t line; /* where it begins, from 1 */
};

/* All zero is the valid empty value. */
struct dotenv {
    struct dotenv_entry *entries; /* each name once, where it comes first, with its last value and line */
    size_t count;
    size_t repeated;    /* entries that a later one of the same name took the place of; 0 in strict */
    size_t quoted_line; /* strict: the first line with a quoted value, whose quotes docker would keep; or 0 */
    struct secret text; /* the names and values */
};

/* Who is told of each refused line: its number, the name that it would set ("" where that cannot be told from
 * a secret), and why. Both texts last as long as the call. */
struct dotenv_refusals {
    void (*refused)(void *context, size_t line, const char *name, const char *reason);
    void *context;
};

/* Parses the whole of a file. `what` names it in sentences. STATUS_INVALID names line and reason and, for
 * strict, which dialects take the line; never a value. STATUS_TOO_LARGE over a bound. With `refusals` (else
 * NULL) refused lines are told there and left out instead, and so is in strict every line of a name that is
 * set twice; what is wrong with the file as a whole fails all the same. */
enum status dotenv_parse(const void *bytes, size_t size, const char *what, enum dotenv_dialect dialect,
                         const struct dotenv_refusals *refusals, struct failure *failure,
                         struct dotenv *ret_dotenv);
void dotenv_reset(struct dotenv *dotenv);

/* `strict`, `node`, ... STATUS_USAGE lists them. */
enum status dotenv_dialect_named(const char *name, struct failure *failure, enum dotenv_dialect *ret_dialect);
const char *dotenv_dialect_name(enum dotenv_dialect dialect);

#endif
