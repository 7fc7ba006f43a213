/* Columns checked, and rows copied out. */
#include "store/row.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_FIRST 16384u
#define MEMORY_MAX (256u * 1024u * 1024u)

enum status row_fail(const struct row *row, int column)
{
    return failure_set(row->failure, STATUS_CORRUPT,
                       "the vault %s is damaged: %s of a row in %s has a wrong form", row->sqlite->path,
                       sqlite3_column_name(row->statement, column), row->table);
}

/* A column as SQLite has it, looked up once: its type, size and bytes are then to be had without a look at
 * the statement. What keeps this to one thread, keeps all of us. */
static sqlite3_value *column_value(const struct row *row, int column)
{
    return sqlite3_column_value(row->statement, column);
}

bool row_fixed(const struct row *row, int column, size_t size, uint8_t *ret_bytes)
{
    sqlite3_value *value = column_value(row, column);

    if (sqlite3_value_type(value) != SQLITE_BLOB || (size_t)sqlite3_value_bytes(value) != size) {
        (void)row_fail(row, column);
        return false;
    }
    memcpy(ret_bytes, sqlite3_value_blob(value), size);
    return true;
}

bool row_number(const struct row *row, int column, uint64_t maximum, uint64_t *ret_number)
{
    sqlite3_value *value = column_value(row, column);
    int64_t number = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) != SQLITE_INTEGER || number < 0 || (uint64_t)number > maximum) {
        (void)row_fail(row, column);
        return false;
    }
    *ret_number = (uint64_t)number;
    return true;
}

bool row_blob(const struct row *row, int column, size_t unit, bool empty, const void **ret_bytes,
              size_t *ret_size)
{
    sqlite3_value *value = column_value(row, column);
    size_t size = (size_t)sqlite3_value_bytes(value);
    if (sqlite3_value_type(value) != SQLITE_BLOB || size % unit != 0 || (size == 0 && !empty)) {
        (void)row_fail(row, column);
        return false;
    }
    *ret_bytes = sqlite3_value_blob(value);
    *ret_size = size;
    return true;
}

/* Forgets the rows and keeps the memory. */
static void clear(struct store_rows *rows)
{
    rows->count = 0;
    rows->used = 0;
}

void store_rows_reset(struct store_rows *rows)
{
    free(rows->records);
    free(rows->blobs);
    free(rows->memory);
    *rows = (struct store_rows){0};
}

/* Room for one more element in an array that has `*allocated`. */
static bool grow_array(void **array, size_t *allocated, size_t count, size_t element)
{
    if (count < *allocated)
        return true;
    size_t wanted = *allocated == 0 ? 16 : 2 * *allocated;
    void *grown = reallocarray(*array, wanted, element);
    if (grown == NULL)
        return false;
    *array = grown;
    *allocated = wanted;
    return true;
}

/* Where `pointer` into `old` is in `grown`; what points nowhere still does. */
static const uint8_t *moved(const uint8_t *pointer, const uint8_t *old, const uint8_t *grown)
{
    return pointer == NULL ? NULL : grown + (pointer - old);
}

/* Room for `extra` more bytes of content; the rows follow when it moves. */
static enum status reserve(struct store_rows *rows, bool blobs, size_t extra, struct failure *failure)
{
    if (extra <= rows->capacity - rows->used)
        return STATUS_OK;
    if (extra > MEMORY_MAX - rows->used)
        return failure_set(failure, STATUS_TOO_LARGE, "the rows asked for are larger than %u MiB together",
                           MEMORY_MAX >> 20);
    size_t wanted = rows->capacity == 0 ? MEMORY_FIRST : rows->capacity;
    while (wanted < rows->used + extra)
        wanted *= 2;
    uint8_t *grown = malloc(wanted);
    if (grown == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for rows of the vault");
    if (rows->used > 0)
        memcpy(grown, rows->memory, rows->used);
    for (size_t i = 0; i < rows->count; i++) {
        if (blobs) {
            rows->blobs[i].bytes = moved(rows->blobs[i].bytes, rows->memory, grown);
        } else {
            rows->records[i].finals = moved(rows->records[i].finals, rows->memory, grown);
            rows->records[i].body = moved(rows->records[i].body, rows->memory, grown);
        }
    }
    free(rows->memory);
    rows->memory = grown;
    rows->capacity = wanted;
    return STATUS_OK;
}

/* Copies into reserved room. */
static const uint8_t *copy_in(struct store_rows *rows, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return NULL;
    uint8_t *place = rows->memory + rows->used;
    memcpy(place, bytes, size);
    rows->used += size;
    return place;
}

/* Append a copy of a row. */
static enum status add_record(struct store_rows *rows, const struct store_record *record,
                              struct failure *failure)
{
    enum status status = reserve(rows, false, record->finals_size + record->body_size, failure);
    if (status != STATUS_OK)
        return status;
    void *records = rows->records;
    if (!grow_array(&records, &rows->records_allocated, rows->count, sizeof(*rows->records)))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for rows of the vault");
    rows->records = records;
    struct store_record *copy = &rows->records[rows->count];
    *copy = *record;
    copy->finals = copy_in(rows, record->finals, record->finals_size);
    copy->body = copy_in(rows, record->body, record->body_size);
    rows->count++;
    return STATUS_OK;
}

static enum status add_blob(struct store_rows *rows, const struct store_blob *blob, struct failure *failure)
{
    enum status status = reserve(rows, true, blob->size, failure);
    if (status != STATUS_OK)
        return status;
    void *blobs = rows->blobs;
    if (!grow_array(&blobs, &rows->blobs_allocated, rows->count, sizeof(*rows->blobs)))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for rows of the vault");
    rows->blobs = blobs;
    struct store_blob *copy = &rows->blobs[rows->count];
    *copy = (struct store_blob){.number = blob->number, .size = blob->size};
    copy->bytes = copy_in(rows, blob->bytes, blob->size);
    rows->count++;
    return STATUS_OK;
}

enum status row_record(const struct row *row, struct store_record *ret_record)
{
    const void *finals = NULL;
    const void *body = NULL;
    uint64_t epoch = 0;
    bool good = row_fixed(row, 0, STORE_ID_SIZE, ret_record->id) &&
                row_fixed(row, 1, STORE_LOOKUP_SIZE, ret_record->place) &&
                row_fixed(row, 2, STORE_LOOKUP_SIZE, ret_record->name) &&
                row_fixed(row, 3, STORE_LOOKUP_SIZE, ret_record->link) &&
                row_blob(row, 4, STORE_LOOKUP_SIZE, true, &finals, &ret_record->finals_size) &&
                row_number(row, 5, INT64_MAX, &ret_record->version) &&
                row_number(row, 6, UINT32_MAX, &epoch) &&
                row_blob(row, 7, 1, false, &body, &ret_record->body_size);
    ret_record->finals = finals;
    ret_record->epoch = (uint32_t)epoch;
    ret_record->body = body;
    return good ? STATUS_OK : STATUS_CORRUPT;
}

/* Adds the row. Ids that do not ascend are a damaged tree, which could go round for ever. */
static enum status take_record(const struct row *row, struct store_rows *rows)
{
    struct store_record record;
    if (row_record(row, &record) != STATUS_OK)
        return STATUS_CORRUPT;
    if (rows->count > 0 && memcmp(rows->records[rows->count - 1].id, record.id, STORE_ID_SIZE) >= 0)
        return row_fail(row, 0);
    return add_record(rows, &record, row->failure);
}

static enum status take_blob(const struct row *row, struct store_rows *rows)
{
    struct store_blob blob;
    const void *bytes = NULL;
    if (!row_number(row, 0, INT64_MAX, &blob.number) || !row_blob(row, 1, 1, false, &bytes, &blob.size))
        return STATUS_CORRUPT;
    blob.bytes = bytes;
    if (rows->count > 0 && rows->blobs[rows->count - 1].number >= blob.number)
        return row_fail(row, 0);
    return add_blob(rows, &blob, row->failure);
}

/* All rows of a bound statement, taken one by one. */
static enum status collect(const struct row *row,
                           enum status (*take)(const struct row *, struct store_rows *),
                           struct store_rows *rows)
{
    int code = SQLITE_DONE;
    enum status status = STATUS_OK;
    clear(rows);
    while (status == STATUS_OK && (code = sqlite3_step(row->statement)) == SQLITE_ROW)
        status = take(row, rows);
    if (status == STATUS_OK && code != SQLITE_DONE)
        status = sqlite_fail_step(row->sqlite, row->statement, code, row->failure);
    sqlite_finish(row->statement);
    if (status != STATUS_OK)
        clear(rows);
    return status;
}

enum status row_collect_records(const struct row *row, struct store_rows *rows)
{
    return collect(row, take_record, rows);
}

enum status row_collect_blobs(const struct row *row, struct store_rows *rows)
{
    return collect(row, take_blob, rows);
}
