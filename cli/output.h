/* What a command prints on stdout: bytes, JSON documents, and tables that are aligned under headings for a
 * person on a terminal and plain lines with tabs between the cells in a pipe. Everything is put together in
 * secret memory, because some of it is. */
#ifndef STEPVAULT_CLI_OUTPUT_H
#define STEPVAULT_CLI_OUTPUT_H

#include "base/secret.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes all of it to stdout. */
enum status output_write(const void *bytes, size_t size, struct failure *failure);
/* Writes a list, of which whoever reads it may have seen enough: that the pipe was closed is no failure. */
enum status output_lines(const struct secret *lines, struct failure *failure, bool *ret_closed);
enum status output_text(const char *text, struct failure *failure);
/* A name and its newline; what could steer a terminal is replaced. */
enum status output_line(const char *name, struct failure *failure);

/* Writes a value (NULL: an empty object) as one line of JSON. */
enum status output_document(const struct json *value, struct failure *failure);

/* A note for the person on stderr, one line. */
void output_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How far something is that may take longer than a person waits without a sign. All zero at first. */
struct output_progress {
    const char *what; /* "entries verified" */
    int64_t started;  /* CLOCK_MONOTONIC, milliseconds */
    int64_t shown;    /* when last; 0: never */
};
/* Shows `done` of `total` on a terminal's stderr, from the second second on and a few times in each. */
void output_progress_show(struct output_progress *progress, uint64_t done, uint64_t total);
/* Ends the line, if there is one. */
void output_progress_end(struct output_progress *progress);

/* Appends text that others wrote, with everything in it that could steer a terminal or break a line of cells
 * replaced by `?`. False when memory is out. */
bool output_append_plain(struct secret *destination, const char *text);

#define OUTPUT_COLUMNS_MAX 9

struct output_table {
    const char *const *headings; /* NULL: none */
    size_t columns;
    size_t cells;
    struct secret text; /* the cells, each ended by a NUL */
    bool failed;
};
void output_table_start(struct output_table *table, size_t columns, const char *const headings[]);
void output_table_reset(struct output_table *table);
/* The next cell, row by row; NULL is an empty one. */
void output_table_add(struct output_table *table, const char *cell);
void output_table_add_format(struct output_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A cell of the texts in an array, with commas between them. */
void output_table_add_list(struct output_table *table, const struct json *texts);
enum status output_table_print(const struct output_table *table, struct failure *failure);

#endif
