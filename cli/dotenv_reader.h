/* How four readers of .env files read one assignment; dotenv.c chooses among them and compares them. Each is
 * held to what the real one does (tests/peers/dotenv_readers.py): it may refuse more, and never reads
 * anything else. */
#ifndef STEPVAULT_CLI_DOTENV_READER_H
#define STEPVAULT_CLI_DOTENV_READER_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dotenv_reading {
    const char *reason;  /* why it is refused: a clause, static; NULL: it is read */
    const uint8_t *name; /* in the file; [A-Za-z_][A-Za-z0-9_]* */
    size_t name_size;
    struct secret value; /* the caller's, cleared before */
    bool quoted;         /* quotes or backslashes were taken away */
    const uint8_t *next; /* where the line behind it begins, or the file's end */
};

/* Reads the assignment at `at`, which is the first byte of a line that is neither blank nor a blank. The file
 * ends at `end` and holds no NUL. */
typedef void dotenv_reader(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading);

dotenv_reader dotenv_read_node;
dotenv_reader dotenv_read_python;
dotenv_reader dotenv_read_shell;
dotenv_reader dotenv_read_docker;

/* True if some reader takes a character in [at, end) for a blank or for the end of a line that is none of
 * space, tab and newline: other controls, and blanks of Unicode. */
bool dotenv_has_odd_blank(const uint8_t *at, const uint8_t *end);

/* The newline at or behind `at`, or `end`. */
const uint8_t *dotenv_line_end(const uint8_t *at, const uint8_t *end);

#endif
