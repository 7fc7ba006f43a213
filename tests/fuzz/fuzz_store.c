/* Any bytes as a store's file: it is refused with a sentence, or every row it gives has the form that store.h
 * promises. */
#include "image.h"

#include "base/cleanup.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct failure failure;

static void put_rows(struct store *store, uint8_t number)
{
    uint8_t body[600];
    struct store_record record = {.finals = body,
                                  .finals_size = 32,
                                  .version = number,
                                  .epoch = 1,
                                  .body = body,
                                  .body_size = sizeof body};
    struct store_slot slot = {
        .kind = number, .memory_kib = 65536, .passes = 3, .lanes = 4, .created_ms = number};

    memset(body, number, sizeof body);
    memset(record.id, number, sizeof record.id);
    memset(record.name, number, sizeof record.name);
    memset(slot.id, number, sizeof slot.id);
    expect(store_begin(store, &failure) == STATUS_OK);
    expect(store_put_record(store, &record, &failure) == STATUS_OK);
    expect(store_put_slot(store, &slot, &failure) == STATUS_OK);
    for (int table = 0; table < STORE_TABLE_COUNT; table++)
        expect(store_put_blob(store, (enum store_table)table, number, body, sizeof body, &failure) ==
               STATUS_OK);
    expect(store_put_state(store, number, number, body, 100, &failure) == STATUS_OK);
    expect(store_commit(store, &failure) == STATUS_OK);
}

static void start(void)
{
    const struct store_header header = {.vault_id = {1}, .epoch = 1};
    CLEANUP(store_freep) struct store *store = NULL;

    image_start();
    expect(store_create(path, &header, &failure, &store) == STATUS_OK);
    expect(store_publish(store, &failure) == STATUS_OK);
    for (uint8_t number = 1; number <= 4; number++)
        put_rows(store, number);
    image_take();
    store_freep(&store);
    image_make(NULL, 0);
    expect(store_open(path, 0, &failure, &store) == STATUS_OK);
}

static unsigned total; /* of all bytes read, so that none is read for nothing */

static void touch(const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        total += ((const uint8_t *)bytes)[i];
}

static void check_records(const struct store_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        expect(i == 0 || memcmp(rows->records[i - 1].id, rows->records[i].id, STORE_ID_SIZE) < 0);
        expect(rows->records[i].finals_size % STORE_LOOKUP_SIZE == 0 && rows->records[i].body_size > 0);
        touch(rows->records[i].finals, rows->records[i].finals_size);
        touch(rows->records[i].body, rows->records[i].body_size);
    }
}

static enum status check_visited(void *context, const struct store_record *record, struct failure *ignored)
{
    static uint8_t last[STORE_ID_SIZE];
    bool *first = context;

    (void)ignored;
    expect(*first || memcmp(last, record->id, STORE_ID_SIZE) < 0);
    memcpy(last, record->id, STORE_ID_SIZE);
    *first = false;
    touch(record->finals, record->finals_size);
    touch(record->body, record->body_size);
    return STATUS_OK;
}

static void read_blobs(struct store *store, struct store_rows *rows)
{
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        if (store_list_blobs(store, (enum store_table)table, 0, 100, &failure, rows) != STATUS_OK)
            continue;
        expect(rows->count <= 100);
        for (size_t i = 0; i < rows->count; i++) {
            expect(i == 0 || rows->blobs[i - 1].number < rows->blobs[i].number);
            expect(rows->blobs[i].size > 0 && rows->blobs[i].number <= INT64_MAX);
            touch(rows->blobs[i].bytes, rows->blobs[i].size);
        }
    }
}

static void read_all(struct store *store)
{
    const uint8_t key[16] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    CLEANUP(store_rows_reset) struct store_rows rows = {0};
    CLEANUP(cleanup_free) struct store_slot *slots = NULL;
    CLEANUP(cleanup_free) uint8_t *sealed = NULL;
    struct store_header header;
    uint64_t log_size, record_count;
    size_t count, size;

    (void)store_get_header(store, &failure, &header);
    if (store_list_slots(store, &failure, &slots, &count) == STATUS_OK)
        touch(slots, count * sizeof *slots);
    if (store_get_state(store, &failure, &log_size, &record_count, &sealed, &size) == STATUS_OK)
        touch(sealed, size);
    bool first = true;
    (void)store_scan(store, check_visited, &first, &failure);
    if (store_find_by_id(store, key, &failure, &rows) == STATUS_OK)
        check_records(&rows);
    if (store_find_by_name(store, key, &failure, &rows) == STATUS_OK)
        check_records(&rows);
    if (store_find_by_place(store, key, &failure, &rows) == STATUS_OK)
        check_records(&rows);
    if (store_find_by_link(store, key, &failure, &rows) == STATUS_OK)
        check_records(&rows);
    read_blobs(store, &rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(store_freep) struct store *store = NULL;

    if (base_file.size == 0)
        start();
    image_make(bytes, size);
    failure.sentence[0] = '\0';
    enum status status = store_open(path, 0, &failure, &store);
    expect((status == STATUS_OK) == (store != NULL) && (store != NULL || failure.sentence[0] != '\0'));
    if (store != NULL)
        read_all(store);
    return 0;
}
