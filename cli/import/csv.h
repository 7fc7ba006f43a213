/* Comma-separated values as RFC 4180 has them: records that end in LF or CR LF, fields in double quotes where
 * they hold a comma, a quote (doubled) or a line's end. */
#ifndef STEPVAULT_IMPORT_CSV_H
#define STEPVAULT_IMPORT_CSV_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_FIELDS_MAX 256

/* A reading under way, and its record. */
struct csv {
    const char *what; /* names the file in sentences */
    const uint8_t *at;
    const uint8_t *end;
    size_t line;        /* where the record begins, from 1 */
    size_t lines_taken; /* of the record */
    struct secret text; /* the fields of the record, each with a NUL behind it */
    size_t offsets[CSV_FIELDS_MAX + 1];
    size_t count;
};

/* `bytes` must stay. A byte order mark is skipped. */
void csv_start(struct csv *csv, const void *bytes, size_t size, const char *what);
void csv_reset(struct csv *csv);

/* The next record that is not an empty line; `*ret_found` is false at the end. STATUS_INVALID names the line
 * of a quote that is not closed, or of what stands beside one, or of a NUL byte; never content. */
enum status csv_next(struct csv *csv, struct failure *failure, bool *ret_found);

/* A field of the record, valid until the next; NULL if the record has fewer. `ret_size` may be NULL. */
const char *csv_field(const struct csv *csv, size_t index, size_t *ret_size);

#endif
