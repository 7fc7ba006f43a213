/* The records opened in this turn and the rows remembered, found by path or id. */
#include "borrow.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "interior.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of opened documents, beyond which nothing is kept for the next request. */
#define BORROW_BYTES_MAX (256u * 1024u)
#define BORROW_LISTS_MAX 256u
#define REMEMBERED_BYTES_MAX (256u * 1024u)

struct borrow {
    struct borrow *next;
    char path[NAME_PATH_MAX + 1]; /* "" for a record by id */
    uint8_t id[STORE_ID_SIZE];
    struct records records;
};

/* What they point to lies behind them in the same block. */
struct borrow_rows {
    struct borrow_rows *next;
    char path[NAME_PATH_MAX + 1]; /* "" for a row by id */
    uint8_t id[STORE_ID_SIZE];
    size_t count;
    struct store_record rows[];
};

static void forget_rows(struct vault *vault)
{
    while (vault->remembered != NULL) {
        struct borrow_rows *next = vault->remembered->next;
        free(vault->remembered);
        vault->remembered = next;
    }
    vault->remembered_lists = 0;
    vault->remembered_bytes = 0;
}

void borrow_drop(struct vault *vault)
{
    while (vault->borrowed != NULL) {
        struct borrow *next = vault->borrowed->next;
        records_reset(&vault->borrowed->records);
        free(vault->borrowed);
        vault->borrowed = next;
    }
    vault->borrowed_lists = 0;
    vault->borrowed_bytes = 0;
    vault->borrow_expired = false;
}

void borrow_forget(struct vault *vault)
{
    borrow_drop(vault);
    forget_rows(vault);
}

void borrow_expire(struct vault *vault)
{
    vault->borrow_expired = true;
    forget_rows(vault);
}

void borrow_begin(struct vault *vault)
{
    if (vault->borrow_expired || vault->borrowed_bytes > BORROW_BYTES_MAX ||
        vault->borrowed_lists > BORROW_LISTS_MAX)
        borrow_drop(vault);
}

void borrow_end(struct vault *vault)
{
    if (!vault->in_turn)
        borrow_drop(vault);
}

static bool is_of(const char *one_path, const uint8_t *one_id, const char *path, const uint8_t *id)
{
    return strcmp(one_path, path) == 0 && (id == NULL || memcmp(one_id, id, STORE_ID_SIZE) == 0);
}

static const struct borrow *find(const struct vault *vault, const char *path, const uint8_t *id)
{
    const struct borrow *borrow = vault->borrowed;

    while (borrow != NULL && !is_of(borrow->path, borrow->id, path, id))
        borrow = borrow->next;
    return borrow;
}

static const struct borrow_rows *find_rows(const struct vault *vault, const char *path, const uint8_t *id)
{
    const struct borrow_rows *rows = vault->remembered;

    while (rows != NULL && !is_of(rows->path, rows->id, path, id))
        rows = rows->next;
    return rows;
}

static const uint8_t *copy_run(uint8_t **at, const uint8_t *run, size_t size)
{
    const uint8_t *copy = *at;

    if (size > 0)
        memcpy(*at, run, size);
    *at += size;
    return copy;
}

/* Copies what the last look-up gave, if there is room: else it is read again the next time. */
static void remember(struct vault *vault, const char *path, const uint8_t *id)
{
    const struct store_rows *from = &vault->rows;
    size_t bytes = sizeof(struct borrow_rows) + from->count * sizeof(struct store_record);

    for (size_t i = 0; i < from->count; i++)
        bytes += from->records[i].finals_size + from->records[i].body_size;
    if (bytes > REMEMBERED_BYTES_MAX / 4)
        return;
    if (vault->remembered_bytes + bytes > REMEMBERED_BYTES_MAX || vault->remembered_lists == BORROW_LISTS_MAX)
        forget_rows(vault);
    struct borrow_rows *rows = calloc(1, bytes);
    if (rows == NULL)
        return;
    snprintf(rows->path, sizeof rows->path, "%s", path);
    if (id != NULL)
        memcpy(rows->id, id, sizeof rows->id);
    uint8_t *at = (uint8_t *)(rows->rows + from->count);
    for (size_t i = 0; i < from->count; i++) {
        rows->rows[i] = from->records[i];
        rows->rows[i].finals = copy_run(&at, from->records[i].finals, from->records[i].finals_size);
        rows->rows[i].body = copy_run(&at, from->records[i].body, from->records[i].body_size);
    }
    rows->count = from->count;
    rows->next = vault->remembered;
    vault->remembered = rows;
    vault->remembered_lists++;
    vault->remembered_bytes += bytes;
}

static enum status open_remembered(struct vault *vault, const struct borrow_rows *rows,
                                   struct failure *failure, struct records *ret_records)
{
    CLEANUP(records_reset) struct records records = {0};
    enum status status = STATUS_OK;

    records.items = calloc(rows->count > 0 ? rows->count : 1, sizeof *records.items);
    if (records.items == NULL)
        return failure_set_no_memory(failure);
    while (status == STATUS_OK && records.count < rows->count) {
        status =
            record_open_sealed(vault, &rows->rows[records.count], failure, &records.items[records.count]);
        records.count += status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        *ret_records = records;
        memset(&records, 0, sizeof records);
    }
    return status;
}

/* Keeps `records`, which become the vault's. */
static enum status keep(struct vault *vault, const char *path, const uint8_t *id, struct records *records,
                        struct failure *failure)
{
    struct borrow *borrow = calloc(1, sizeof *borrow);

    if (borrow == NULL) {
        records_reset(records);
        return failure_set_no_memory(failure);
    }
    snprintf(borrow->path, sizeof borrow->path, "%s", path);
    if (id != NULL)
        memcpy(borrow->id, id, sizeof borrow->id);
    borrow->records = *records;
    borrow->next = vault->borrowed;
    vault->borrowed = borrow;
    vault->borrowed_lists++;
    for (size_t i = 0; i < records->count; i++)
        vault->borrowed_bytes += records->items[i].size;
    return STATUS_OK;
}

/* The account of that id, or none, as a list. */
static enum status read_one(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                            struct records *ret_records)
{
    struct records records = {.items = calloc(1, sizeof(struct record))};
    bool found;

    if (records.items == NULL)
        return failure_set_no_memory(failure);
    enum status status = record_find_by_id(vault, id, failure, records.items, &found);
    if (status != STATUS_OK) {
        free(records.items);
        return status;
    }
    records.count = found ? 1 : 0;
    *ret_records = records;
    return STATUS_OK;
}

/* What is placed at the path; or, where `id` is not NULL, the record of that id. */
static enum status read_list(struct vault *vault, const char *path, const uint8_t *id,
                             struct failure *failure, struct records *ret_records)
{
    const struct borrow_rows *rows = find_rows(vault, path, id);

    if (rows != NULL)
        return open_remembered(vault, rows, failure, ret_records);
    enum status status = id == NULL ? record_list_placed(vault, path, failure, ret_records)
                                    : read_one(vault, id, failure, ret_records);
    if (status == STATUS_OK)
        remember(vault, path, id);
    return status;
}

static enum status borrow(struct vault *vault, const char *path, const uint8_t *id, struct failure *failure,
                          const struct records **ret_records)
{
    const struct borrow *borrow = find(vault, path, id);
    struct records records = {0};

    if (borrow == NULL) {
        enum status status = read_list(vault, path, id, failure, &records);
        if (status == STATUS_OK)
            status = keep(vault, path, id, &records, failure);
        if (status != STATUS_OK)
            return status;
        borrow = vault->borrowed;
    }
    *ret_records = &borrow->records;
    return STATUS_OK;
}

enum status borrow_placed(struct vault *vault, const char *path, struct failure *failure,
                          const struct records **ret_records)
{
    return borrow(vault, path, NULL, failure, ret_records);
}

enum status borrow_by_id(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                         const struct record **ret_record)
{
    const struct records *records;
    enum status status = borrow(vault, "", id, failure, &records);

    if (status == STATUS_OK)
        *ret_record = records->count == 0 ? NULL : &records->items[0];
    return status;
}
