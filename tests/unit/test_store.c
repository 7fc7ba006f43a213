/* The store's rows: what goes in comes out, batches are whole, and no row of a wrong form gets in. */
#include "store_fixture.h"

static void put(struct fixture *fixture, struct store *store, const struct store_record *record)
{
    assert_int_equal(store_put_record(store, record, &fixture->failure), STATUS_OK);
}

static size_t count_at(struct fixture *fixture, struct store *store, uint8_t place)
{
    struct store_record key = fixture_record(0, place, 0, 0);
    struct store_rows rows = {0};
    assert_int_equal(store_find_by_place(store, key.place, &fixture->failure, &rows), STATUS_OK);
    size_t count = rows.count;
    store_rows_reset(&rows);
    return count;
}

static void assert_same_record(const struct store_record *a, const struct store_record *b)
{
    assert_memory_equal(a->id, b->id, STORE_ID_SIZE);
    assert_memory_equal(a->place, b->place, STORE_LOOKUP_SIZE);
    assert_memory_equal(a->name, b->name, STORE_LOOKUP_SIZE);
    assert_memory_equal(a->link, b->link, STORE_LOOKUP_SIZE);
    assert_int_equal(a->finals_size, b->finals_size);
    assert_int_equal(a->body_size, b->body_size);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->epoch, b->epoch);
    if (a->finals_size > 0) {
        assert_memory_equal(a->finals, b->finals, a->finals_size);
    }
    assert_memory_equal(a->body, b->body, a->body_size);
}

static void a_record_is_found_by_each_of_its_keys(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_record record = fixture_record(1, 2, 3, 4);
    record.version = INT64_MAX;
    record.epoch = UINT32_MAX;
    fixture_begin(fixture, store);
    put(fixture, store, &record);
    fixture_commit(fixture, store);
    store_freep(&store);

    store = fixture_open(fixture);
    struct store_rows rows = {0};
    const struct {
        enum status (*find)(struct store *, const uint8_t *, struct failure *, struct store_rows *);
        const uint8_t *key;
    } ways[] = {
        {store_find_by_id,    record.id   },
        {store_find_by_place, record.place},
        {store_find_by_name,  record.name },
        {store_find_by_link,  record.link },
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        assert_int_equal(ways[i].find(store, ways[i].key, &fixture->failure, &rows), STATUS_OK);
        assert_int_equal(rows.count, 1);
        assert_same_record(&rows.records[0], &record);
        /* Another key of the same record is not mistaken for this one. */
        assert_int_equal(ways[i].find(store, ways[(i + 1) % 4].key, &fixture->failure, &rows), STATUS_OK);
        assert_int_equal(rows.count, 0);
    }
    store_rows_reset(&rows);
    store_freep(&store);
}

static void what_is_placed_together_comes_in_order_of_id(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    fixture_begin(fixture, store);
    for (uint8_t id = 9; id > 0; id--) {
        struct store_record record = fixture_record(id, id % 2, id, id % 3);
        record.finals_size = 0;
        put(fixture, store, &record);
    }
    struct store_record key = fixture_record(0, 1, 0, 0);
    struct store_rows rows = {0};
    assert_int_equal(store_find_by_place(store, key.place, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 5);
    for (size_t i = 0; i < rows.count; i++) {
        assert_int_equal(rows.records[i].id[0], 2 * i + 1);
        assert_int_equal(rows.records[i].finals_size, 0);
    }
    assert_int_equal(store_find_by_link(store, key.link, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 3);
    store_rows_reset(&rows);
    store_rollback(store);
    store_freep(&store);
}

static void putting_a_known_id_replaces_every_column(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_record old = fixture_record(1, 2, 3, 4);
    struct store_record new = fixture_record(1, 12, 13, 14);
    new.version = 4;
    new.epoch = 8;
    new.body = (const uint8_t *)"another body";
    new.body_size = 12;
    new.finals_size = 16;
    fixture_begin(fixture, store);
    put(fixture, store, &old);
    put(fixture, store, &new);
    fixture_commit(fixture, store);
    struct store_rows rows = {0};
    assert_int_equal(fixture_count(fixture, store), 1);
    assert_int_equal(store_find_by_id(store, new.id, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 1);
    assert_same_record(&rows.records[0], &new);
    assert_int_equal(count_at(fixture, store, 2), 0);
    store_rows_reset(&rows);
    store_freep(&store);
}

static void a_taken_name_is_refused_and_the_batch_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_record first = fixture_record(1, 2, 3, 4);
    struct store_record second = fixture_record(2, 2, 3, 4);
    struct store_record third = fixture_record(3, 2, 5, 4);
    fixture_begin(fixture, store);
    put(fixture, store, &first);
    assert_int_equal(store_put_record(store, &second, &fixture->failure), STATUS_EXISTS);
    assert_null(strstr(fixture->failure.sentence, "body of"));
    put(fixture, store, &third);
    fixture_commit(fixture, store);
    assert_int_equal(count_at(fixture, store, 2), 2);
    struct store_rows rows = {0};
    assert_int_equal(store_find_by_id(store, first.id, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 1);
    store_rows_reset(&rows);
    store_freep(&store);
}

static void a_removed_record_is_gone_and_removing_it_again_is_no_error(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_record record = fixture_record(1, 2, 3, 4);
    fixture_begin(fixture, store);
    put(fixture, store, &record);
    assert_int_equal(store_remove_record(store, record.id, &fixture->failure), STATUS_OK);
    assert_int_equal(store_remove_record(store, record.id, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    assert_int_equal(count_at(fixture, store, 2), 0);
    store_freep(&store);
}

static void rows_of_a_wrong_form_are_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    static const uint8_t large[5 * 1024 * 1024];
    struct store_record record = fixture_record(1, 2, 3, 4);
    fixture_begin(fixture, store);
    record.body_size = 0;
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_INVALID);
    record = fixture_record(1, 2, 3, 4);
    record.finals_size = 17;
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_INVALID);
    record = fixture_record(1, 2, 3, 4);
    record.version = (uint64_t)INT64_MAX + 1;
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_INVALID);
    record = fixture_record(1, 2, 3, 4);
    record.body = large;
    record.body_size = sizeof(large);
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_TOO_LARGE);
    assert_int_equal(store_put_blob(store, STORE_LEAVES, UINT64_MAX, "x", 1, &fixture->failure),
                     STATUS_INVALID);
    assert_int_equal(store_put_blob(store, STORE_LEAVES, 0, "", 0, &fixture->failure), STATUS_INVALID);
    assert_int_equal(store_put_state(store, 0, 0, "", 0, &fixture->failure), STATUS_INVALID);
    fixture_commit(fixture, store);
    assert_int_equal(count_at(fixture, store, 2), 0);
    store_freep(&store);
}

static void nothing_is_written_outside_a_batch(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_record record = fixture_record(1, 2, 3, 4);
    assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_FAILED);
    assert_int_equal(store_put_blob(store, STORE_TILES, 1, "x", 1, &fixture->failure), STATUS_FAILED);
    assert_int_equal(store_commit(store, &fixture->failure), STATUS_FAILED);
    store_rollback(store);
    fixture_begin(fixture, store);
    assert_int_equal(store_begin(store, &fixture->failure), STATUS_FAILED);
    put(fixture, store, &record);
    fixture_commit(fixture, store);
    assert_int_equal(count_at(fixture, store, 2), 1);
    store_freep(&store);
}

static void a_batch_rolled_back_or_left_open_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_record record = fixture_record(1, 2, 3, 4);
    fixture_begin(fixture, store);
    put(fixture, store, &record);
    store_rollback(store);
    assert_int_equal(count_at(fixture, store, 2), 0);
    fixture_begin(fixture, store);
    put(fixture, store, &record);
    store_freep(&store);
    assert_null(store);
    store_freep(&store);
    store = fixture_open(fixture);
    assert_int_equal(count_at(fixture, store, 2), 0);
    store_freep(&store);
}

static enum status see(void *context, const struct store_record *record, struct failure *failure)
{
    bool *seen = context;
    (void)failure;
    assert_false(seen[record->id[0]]);
    seen[record->id[0]] = true;
    return STATUS_OK;
}

static enum status refuse(void *context, const struct store_record *record, struct failure *failure)
{
    (void)record;
    return ++*(unsigned *)context < 7 ? STATUS_OK : failure_set(failure, STATUS_NO_MEMORY, "enough");
}

static void a_scan_gives_every_record_once_and_ends_when_it_is_told_to(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    bool seen[256] = {false};
    unsigned visits = 0, total = 0;
    fixture_begin(fixture, store);
    for (unsigned i = 0; i < 250; i++) {
        struct store_record record = fixture_record((uint8_t)(i * 37), 1, (uint8_t)i, 1);
        record.id[0] = (uint8_t)(i * 37);
        put(fixture, store, &record);
    }
    fixture_commit(fixture, store);
    assert_int_equal(store_scan(store, refuse, &visits, &fixture->failure), STATUS_NO_MEMORY);
    assert_int_equal(visits, 7);
    assert_int_equal(store_scan(store, see, seen, &fixture->failure), STATUS_OK);
    for (unsigned i = 0; i < 256; i++)
        total += seen[i];
    assert_int_equal(total, 250);
    store_freep(&store);
}

static void rows_survive_the_growth_of_their_memory_and_reuse_it(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    static uint8_t bodies[40][20000];
    fixture_begin(fixture, store);
    for (uint8_t i = 0; i < 40; i++) {
        struct store_record record = fixture_record(i, 2, i, 4);
        memset(bodies[i], i + 1, sizeof(bodies[i]));
        record.body = bodies[i];
        record.body_size = sizeof(bodies[i]) - i;
        record.finals_size = i % 2 == 0 ? 0 : 16;
        put(fixture, store, &record);
        assert_int_equal(
            store_put_blob(store, STORE_LEAVES, i, bodies[i], sizeof(bodies[i]) - i, &fixture->failure),
            STATUS_OK);
    }
    fixture_commit(fixture, store);
    struct store_record key = fixture_record(0, 2, 0, 4);
    struct store_rows rows = {0};
    for (int round = 0; round < 2; round++) {
        const uint8_t *memory = rows.memory;
        assert_int_equal(store_find_by_place(store, key.place, &fixture->failure, &rows), STATUS_OK);
        assert_int_equal(rows.count, 40);
        for (size_t i = 0; i < 40; i++) {
            assert_int_equal(rows.records[i].body_size, sizeof(bodies[i]) - i);
            assert_memory_equal(rows.records[i].body, bodies[i], rows.records[i].body_size);
            if (i % 2 == 1) {
                assert_memory_equal(rows.records[i].finals, key.finals, 16);
            }
        }
        assert_int_equal(store_list_blobs(store, STORE_LEAVES, 0, 100, &fixture->failure, &rows), STATUS_OK);
        assert_int_equal(rows.count, 40);
        for (size_t i = 0; i < 40; i++) {
            assert_int_equal(rows.blobs[i].size, sizeof(bodies[i]) - i);
            assert_memory_equal(rows.blobs[i].bytes, bodies[i], rows.blobs[i].size);
        }
        assert_true(round == 0 || rows.memory == memory);
    }
    store_rows_reset(&rows);
    assert_null(rows.memory);
    store_freep(&store);
}

static void slots_come_back_as_they_were_put(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_slot one = {.id = {1}, .kind = 4, .created_ms = INT64_MAX};
    struct store_slot two = {
        .id = {2}, .kind = 1, .memory_kib = UINT32_MAX, .passes = 3, .lanes = 4, .created_ms = 9};
    memset(two.salt, 5, sizeof(two.salt));
    memset(two.commitment, 6, sizeof(two.commitment));
    memset(two.wrapped, 7, sizeof(two.wrapped));
    fixture_begin(fixture, store);
    assert_int_equal(store_put_slot(store, &two, &fixture->failure), STATUS_OK);
    assert_int_equal(store_put_slot(store, &one, &fixture->failure), STATUS_OK);
    one.kind = 3;
    assert_int_equal(store_put_slot(store, &one, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    struct store_slot *slots = NULL;
    size_t count = 0;
    assert_int_equal(store_list_slots(store, &fixture->failure, &slots, &count), STATUS_OK);
    assert_int_equal(count, 2);
    assert_memory_equal(slots[0].id, one.id, sizeof(one.id));
    assert_int_equal(slots[0].kind, 3);
    assert_int_equal(slots[0].created_ms, INT64_MAX);
    assert_int_equal(slots[1].memory_kib, UINT32_MAX);
    assert_int_equal(slots[1].passes, 3);
    assert_int_equal(slots[1].lanes, 4);
    assert_memory_equal(slots[1].salt, two.salt, sizeof(two.salt));
    assert_memory_equal(slots[1].commitment, two.commitment, sizeof(two.commitment));
    assert_memory_equal(slots[1].wrapped, two.wrapped, sizeof(two.wrapped));
    free(slots);
    fixture_begin(fixture, store);
    assert_int_equal(store_remove_slot(store, one.id, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    assert_int_equal(store_list_slots(store, &fixture->failure, &slots, &count), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(slots[0].kind, 1);
    free(slots);
    store_freep(&store);
}

static void more_slots_than_can_be_listed_are_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_slot slot = {.kind = 4};
    struct store_slot *slots = NULL;
    size_t count = 0;
    fixture_begin(fixture, store);
    for (unsigned i = 0; i < STORE_SLOTS_MAX; i++) {
        slot.id[0] = (uint8_t)i;
        assert_int_equal(store_put_slot(store, &slot, &fixture->failure), STATUS_OK);
    }
    assert_int_equal(store_put_slot(store, &slot, &fixture->failure), STATUS_OK);
    slot.id[1] = 1;
    assert_int_equal(store_put_slot(store, &slot, &fixture->failure), STATUS_TOO_LARGE);
    fixture_commit(fixture, store);
    assert_int_equal(store_list_slots(store, &fixture->failure, &slots, &count), STATUS_OK);
    assert_int_equal(count, STORE_SLOTS_MAX);
    free(slots);
    store_freep(&store);
    fixture_edit(
        fixture,
        "INSERT INTO slots SELECT x'01010000000000000000000000000000', kind, memory_kib, passes, lanes, salt,"
        " created_ms, commitment, wrapped FROM slots LIMIT 1");
    store = fixture_open(fixture);
    assert_int_equal(store_list_slots(store, &fixture->failure, &slots, &count), STATUS_CORRUPT);
    store_freep(&store);
}

static void each_table_of_blobs_is_its_own_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    const uint64_t numbers[] = {INT64_MAX, 0, (uint64_t)3 << 56, 5};
    const uint64_t sorted[] = {0, 5, (uint64_t)3 << 56, INT64_MAX};
    struct store_rows rows = {0};
    fixture_begin(fixture, store);
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        for (size_t i = 0; i < 4; i++) {
            char text[16];
            (void)snprintf(text, sizeof(text), "%d:%zu", table, i);
            assert_int_equal(store_put_blob(store, (enum store_table)table, numbers[i], text, strlen(text),
                                            &fixture->failure),
                             STATUS_OK);
        }
    }
    fixture_commit(fixture, store);
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        assert_int_equal(store_list_blobs(store, (enum store_table)table, 0, 9, &fixture->failure, &rows),
                         STATUS_OK);
        assert_int_equal(rows.count, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(rows.blobs[i].number, sorted[i]);
            assert_int_equal(rows.blobs[i].size, 3);
            assert_int_equal(rows.blobs[i].bytes[0], '0' + table);
        }
    }
    assert_int_equal(store_list_blobs(store, STORE_TILES, 1, 2, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.blobs[0].number, 5);
    assert_int_equal(store_list_blobs(store, STORE_TILES, UINT64_MAX, 2, &fixture->failure, &rows),
                     STATUS_OK);
    assert_int_equal(rows.count, 0);
    fixture_begin(fixture, store);
    assert_int_equal(store_put_blob(store, STORE_TILES, 5, "new", 3, &fixture->failure), STATUS_OK);
    assert_int_equal(store_remove_blob(store, STORE_TILES, 0, &fixture->failure), STATUS_OK);
    assert_int_equal(store_remove_blob(store, STORE_TILES, 77, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    assert_int_equal(store_list_blobs(store, STORE_TILES, 0, 9, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 3);
    assert_memory_equal(rows.blobs[0].bytes, "new", 3);
    assert_int_equal(store_list_blobs(store, STORE_LEAVES, 0, 9, &fixture->failure, &rows), STATUS_OK);
    assert_int_equal(rows.count, 4);
    store_rows_reset(&rows);
    store_freep(&store);
}

/* Where in the closed file the only copy of `wanted` begins. */
static long find_bytes(const struct fixture *fixture, const char *wanted, size_t length)
{
    static char bytes[1u << 20];
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);
    const char *found = memmem(bytes, size, wanted, length);
    assert_non_null(found);
    return found - bytes;
}

static void write_bytes(const struct fixture *fixture, long offset, const char *bytes, size_t size)
{
    FILE *file = fopen(fixture->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* SQLite says that such a row is too large. A cell is its size, its number, and the record, of which only the
 * head and the beginning are in the page (SQLite's file format, 1.6 and 2.1). */
static void a_row_of_a_size_that_no_row_has_is_damage(void **state)
{
    /* 4501689 bytes, the leaf 200, a head of 6 bytes, no number, a blob that is the rest */
    static const char cell[] = "\x82\x92\xe1\x39\x81\x48\x06\x00\x84\xa5\xc2\x72";
    static char blob[600];
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    struct store_rows rows = {0};
    fixture_begin(fixture, store);
    memcpy(blob, cell, sizeof(cell));
    assert_int_equal(store_put_blob(store, STORE_LEAVES, 200, blob, sizeof(blob), &fixture->failure),
                     STATUS_OK);
    fixture_commit(fixture, store);
    store_freep(&store);
    const long found = find_bytes(fixture, cell, sizeof(cell));
    const char place[] = {(char)(found % 4096 >> 8), (char)found};
    write_bytes(fixture, found - found % 4096 + 8, place, sizeof(place)); /* the page's one cell is there */
    store = fixture_open(fixture);
    assert_int_equal(store_list_blobs(store, STORE_LEAVES, 200, 1, &fixture->failure, &rows), STATUS_CORRUPT);
    assert_non_null(strstr(fixture->failure.sentence, "is damaged"));
    store_rows_reset(&rows);
    store_freep(&store);
}

static void there_is_one_state_and_none_at_first(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    uint64_t log_size = 99;
    uint64_t record_count = 99;
    uint8_t *sealed = NULL;
    size_t size = 0;
    assert_int_equal(store_get_state(store, &fixture->failure, &log_size, &record_count, &sealed, &size),
                     STATUS_NOT_FOUND);
    assert_int_equal(log_size, 99);
    assert_null(sealed);
    for (uint64_t i = 1; i <= 2; i++) {
        fixture_begin(fixture, store);
        assert_int_equal(store_put_state(store, i, 10 * i, "sealed!", 5 + i, &fixture->failure), STATUS_OK);
        fixture_commit(fixture, store);
    }
    assert_int_equal(store_get_state(store, &fixture->failure, &log_size, &record_count, &sealed, &size),
                     STATUS_OK);
    assert_int_equal(log_size, 2);
    assert_int_equal(record_count, 20);
    assert_int_equal(size, 7);
    assert_memory_equal(sealed, "sealed!", 7);
    free(sealed);
    store_freep(&store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_found_by_each_of_its_keys),
        TEST(what_is_placed_together_comes_in_order_of_id),
        TEST(putting_a_known_id_replaces_every_column),
        TEST(a_taken_name_is_refused_and_the_batch_goes_on),
        TEST(a_removed_record_is_gone_and_removing_it_again_is_no_error),
        TEST(rows_of_a_wrong_form_are_not_taken),
        TEST(nothing_is_written_outside_a_batch),
        TEST(a_batch_rolled_back_or_left_open_leaves_nothing),
        TEST(a_scan_gives_every_record_once_and_ends_when_it_is_told_to),
        TEST(rows_survive_the_growth_of_their_memory_and_reuse_it),
        TEST(slots_come_back_as_they_were_put),
        TEST(more_slots_than_can_be_listed_are_not_taken),
        TEST(each_table_of_blobs_is_its_own_and_in_order),
        TEST(a_row_of_a_size_that_no_row_has_is_damage),
        TEST(there_is_one_state_and_none_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
