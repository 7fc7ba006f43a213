/* Rows on their way out: every column's type and length is checked, whatever the schema promises, and what is
 * good is copied into struct store_rows. */
#ifndef STEPVAULT_STORE_ROW_H
#define STEPVAULT_STORE_ROW_H

#include "base/status.h"
#include "store/sqlite.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The current row of a statement and what is needed to say that it is wrong. */
struct row {
    const struct sqlite *sqlite;
    sqlite3_stmt *statement;
    const char *table;
    struct failure *failure;
};

/* Each reads one column; false with STATUS_CORRUPT in the failure, naming table and column, if it has another
 * form. */
bool row_fixed(const struct row *row, int column, size_t size, uint8_t *ret_bytes);
bool row_number(const struct row *row, int column, uint64_t maximum, uint64_t *ret_number);
/* A blob of a size that is a multiple of `unit`, and not 0 unless `empty`. It lives as long as the row. */
bool row_blob(const struct row *row, int column, size_t unit, bool empty, const void **ret_bytes,
              size_t *ret_size);

/* The record of a row of SCHEMA_FIND_BY_ID and its like; it points into the row. */
enum status row_record(const struct row *row, struct store_record *ret_record);

/* STATUS_CORRUPT: this column breaks its form. */
enum status row_fail(const struct row *row, int column);

/* Fill `rows` with all rows of a bound statement, which is then finished; rows->count is 0 on failure.
 * Records are those of SCHEMA_FIND_BY_ID and its like, blobs those of SCHEMA_LIST_LEAVES and its like; both
 * must come in ascending order. */
enum status row_collect_records(const struct row *row, struct store_rows *rows);
enum status row_collect_blobs(const struct row *row, struct store_rows *rows);

#endif
