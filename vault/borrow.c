/* The records opened in this turn and the rows remembered, found by path or id. */
#include "borrow.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "interior.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BORROW_BYTES_MAX                                                                                     \
    (256u * 1024u) /* of opened documents, beyond which nothing is kept for the next request */
#define BORROW_LISTS_MAX 256u
#define REMEMBER_BYTES_MAX (256u * 1024u) /* of sealed rows */

struct borrow {
    struct borrow *next;
    char path[NAME_PATH_MAX + 1]; /* "" for a record by id */
    uint8_t id[STORE_ID_SIZE];
    struct records records;
};

/* Rows and what they point to lie in one block behind the struct. */
struct borrow_rows {
    struct borrow_rows *next;
    char path[NAME_PATH_MAX + 1]; /* "" for a row by id */
    uint8_t id[STORE_ID_SIZE];
    size_t bytes;
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

static const struct borrow *find(const struct vault *vault, const char *path, const uint8_t *id)
{
    for (const struct borrow *borrow = vault->borrowed; borrow != NULL; borrow = borrow->next)
        if (strcmp(borrow->path, path) == 0 && (id == NULL || memcmp(borrow->id, id, STORE_ID_SIZE) == 0))
            return borrow;
    return NULL;
}

/* Keeps `records`, which become the vault's and empty. */
static enum status keep(struct vault *vault, const char *path, const uint8_t *id, struct records *records,
                        struct failure *failure)
{
    struct borrow *borrow = calloc(1, sizeof *borrow);

    if (borrow == NULL)
        return failure_set_no_memory(failure);
    snprintf(borrow->path, sizeof borrow->path, "%s", path);
    if (id != NULL)
        memcpy(borrow->id, id, sizeof borrow->id);
    borrow->records = *records;
    memset(records, 0, sizeof *records);
    borrow->next = vault->borrowed;
    vault->borrowed = borrow;
    vault->borrowed_lists++;
    for (size_t i = 0; i < borrow->records.count; i++)
        vault->borrowed_bytes += borrow->records.items[i].size;
    return STATUS_OK;
}

static const struct borrow_rows *find_rows(const struct vault *vault, const char *path, const uint8_t *id)
{
    for (const struct borrow_rows *rows = vault->remembered; rows != NULL; rows = rows->next)
        if (strcmp(rows->path, path) == 0 && (id == NULL || memcmp(rows->id, id, STORE_ID_SIZE) == 0))
            return rows;
    return NULL;
}

/* An empty run may be NULL, which memcpy must not see. */
static const uint8_t *copy_run(uint8_t **at, const uint8_t *run, size_t size)
{
    const uint8_t *copy = *at;

    if (size > 0)
        memcpy(*at, run, size);
    *at += size;
    return copy;
}

/* Copies what the last look-up gave. It need not succeed: the rows are then read again. */
static void remember(struct vault *vault, const char *path, const uint8_t *id)
{
    const struct store_rows *from = &vault->rows;
    size_t bytes = sizeof(struct borrow_rows) + from->count * sizeof(struct store_record);

    for (size_t i = 0; i < from->count; i++)
        bytes += from->records[i].finals_size + from->records[i].body_size;
    if (from->count == 0 || bytes > REMEMBER_BYTES_MAX / 4)
        return;
    if (vault->remembered_bytes + bytes > REMEMBER_BYTES_MAX)
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
    rows->bytes = bytes;
    rows->next = vault->remembered;
    vault->remembered = rows;
    vault->remembered_bytes += bytes;
}

static enum status list_placed(struct vault *vault, const char *path, struct failure *failure,
                               struct records *ret_records)
{
    const struct borrow_rows *rows = find_rows(vault, path, NULL);

    if (rows != NULL)
        return record_open_verified(vault, rows->rows, rows->count, failure, ret_records);
    enum status status = record_list_placed(vault, path, failure, ret_records);
    if (status == STATUS_OK)
        remember(vault, path, NULL);
    return status;
}

static enum status find_by_id(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                              struct records *ret_records)
{
    const struct borrow_rows *rows = find_rows(vault, "", id);
    bool found;

    if (rows != NULL)
        return record_open_verified(vault, rows->rows, rows->count, failure, ret_records);
    ret_records->items = calloc(1, sizeof *ret_records->items);
    if (ret_records->items == NULL)
        return failure_set_no_memory(failure);
    enum status status = record_find_by_id(vault, id, failure, ret_records->items, &found);
    if (status != STATUS_OK)
        return status;
    ret_records->count = found ? 1 : 0;
    remember(vault, "", id);
    return STATUS_OK;
}

enum status borrow_placed(struct vault *vault, const char *path, struct failure *failure,
                          const struct records **ret_records)
{
    const struct borrow *borrow = find(vault, path, NULL);
    CLEANUP(records_reset) struct records records = {0};

    if (borrow == NULL) {
        enum status status = list_placed(vault, path, failure, &records);
        if (status == STATUS_OK)
            status = keep(vault, path, NULL, &records, failure);
        if (status != STATUS_OK)
            return status;
        borrow = vault->borrowed;
    }
    *ret_records = &borrow->records;
    return STATUS_OK;
}

enum status borrow_by_id(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                         const struct record **ret_record)
{
    const struct borrow *borrow = find(vault, "", id);
    CLEANUP(records_reset) struct records records = {0};

    if (borrow == NULL) {
        enum status status = find_by_id(vault, id, failure, &records);
        if (status == STATUS_OK)
            status = keep(vault, "", id, &records, failure);
        if (status != STATUS_OK)
            return status;
        borrow = vault->borrowed;
    }
    *ret_record = borrow->records.count == 0 ? NULL : &borrow->records.items[0];
    return STATUS_OK;
}
