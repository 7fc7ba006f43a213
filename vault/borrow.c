/* The records opened in this turn, found by path or id. */
#include "borrow.h"

#include "base/name.h"
#include "interior.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of opened documents, beyond which nothing is kept for the next request. */
#define BORROW_BYTES_MAX (256u * 1024u)
#define BORROW_LISTS_MAX 256u

struct borrow {
    struct borrow *next;
    char path[NAME_PATH_MAX + 1]; /* "" for a record by id */
    uint8_t id[STORE_ID_SIZE];
    struct records records;
};

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

void borrow_expire(struct vault *vault)
{
    vault->borrow_expired = true;
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

enum status borrow_placed(struct vault *vault, const char *path, struct failure *failure,
                          const struct records **ret_records)
{
    const struct borrow *borrow = find(vault, path, NULL);
    struct records records = {0};

    if (borrow == NULL) {
        enum status status = record_list_placed(vault, path, failure, &records);
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
    struct records records = {0};
    bool found;

    if (borrow == NULL) {
        records.items = calloc(1, sizeof *records.items);
        if (records.items == NULL)
            return failure_set_no_memory(failure);
        enum status status = record_find_by_id(vault, id, failure, records.items, &found);
        if (status == STATUS_OK) {
            records.count = found ? 1 : 0;
            status = keep(vault, "", id, &records, failure);
        } else {
            free(records.items);
        }
        if (status != STATUS_OK)
            return status;
        borrow = vault->borrowed;
    }
    *ret_record = borrow->records.count == 0 ? NULL : &borrow->records.items[0];
    return STATUS_OK;
}
