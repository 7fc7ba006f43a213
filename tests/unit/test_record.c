/* Records: what is written is found again, and what the vault did not write is noticed (P4). */
#include "vault_fixture.h"

/* Puts a variable's record with one value at path `x`; a replaced one goes on from its record. */
static enum status put(const char *name, const void *value, size_t size, const char *final)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    bool found = false;

    assert_int_equal(record_find(world.vault, RECORD_VARIABLE, "x", name, &world.failure, &previous, &found),
                     STATUS_OK);
    record_draft_start(&draft, RECORD_VARIABLE, "x", name, name, found ? &previous : NULL);
    record_draft_add(&draft, "value", value, size);
    if (final != NULL)
        record_draft_add_final(world.vault, &draft, final);
    return record_write(world.vault, &draft, &world.failure, NULL);
}

static void commit(const char *name, const char *value)
{
    world_begin("put");
    assert_int_equal(world_end(put(name, value, strlen(value), name)), STATUS_OK);
}

static enum status find(const char *name, struct record *ret_record, bool *ret_found)
{
    return record_find(world.vault, RECORD_VARIABLE, "x", name, &world.failure, ret_record, ret_found);
}

static bool knows(const char *name)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    record_hash_final(world.vault, name, hash);
    return state_knows_name(&world.vault->state, hash);
}

static void a_written_record_is_found_by_name_id_place_and_link(void **state)
{
    CLEANUP(record_reset) struct record by_name = {0};
    CLEANUP(record_reset) struct record by_id = {0};
    CLEANUP(records_reset) struct records by_place = {0};
    CLEANUP(records_reset) struct records by_link = {0};
    bool found = false;
    size_t size;

    (void)state;
    commit("A", "value");
    world_reopen();
    assert_int_equal(find("A", &by_name, &found), STATUS_OK);
    assert_true(found);
    assert_int_equal(by_name.kind, RECORD_VARIABLE);
    assert_string_equal(by_name.where, "x");
    assert_string_equal(by_name.name, "A");
    assert_string_equal(record_field(&by_name, "value", &size), "value");
    assert_int_equal(size, 5);
    assert_true(record_number(&by_name, "created") > 0);
    assert_int_equal(record_number(&by_name, "value"), 0);
    assert_int_equal(record_find_by_id(world.vault, by_name.id, &world.failure, &by_id, &found), STATUS_OK);
    assert_true(found);
    assert_string_equal(by_id.name, "A");
    assert_int_equal(record_list_placed(world.vault, "x", &world.failure, &by_place), STATUS_OK);
    assert_int_equal(by_place.count, 1);
    assert_int_equal(record_list_linked(world.vault, RECORD_LINK_NAMED, "A", &world.failure, &by_link),
                     STATUS_OK);
    assert_int_equal(by_link.count, 1);
}

static void what_is_not_there_is_not_found(void **state)
{
    CLEANUP(record_reset) struct record record = {0};
    CLEANUP(records_reset) struct records records = {0};
    const uint8_t id[STORE_ID_SIZE] = {1};
    bool found = true;

    (void)state;
    commit("A", "value");
    assert_int_equal(find("B", &record, &found), STATUS_OK);
    assert_false(found);
    assert_int_equal(record_find_by_id(world.vault, id, &world.failure, &record, &found), STATUS_OK);
    assert_false(found);
    assert_int_equal(record_list_placed(world.vault, "y", &world.failure, &records), STATUS_OK);
    assert_int_equal(records.count, 0);
}

static void a_record_is_not_found_under_another_kind_or_place(void **state)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found = true;

    (void)state;
    commit("A", "value");
    assert_int_equal(record_find(world.vault, RECORD_BINDING, "x", "A", &world.failure, &record, &found),
                     STATUS_OK);
    assert_false(found);
    assert_int_equal(record_find(world.vault, RECORD_VARIABLE, "y", "A", &world.failure, &record, &found),
                     STATUS_OK);
    assert_false(found);
    /* The two halves of a name do not run into each other. */
    assert_int_equal(record_find(world.vault, RECORD_VARIABLE, "xA", "", &world.failure, &record, &found),
                     STATUS_OK);
    assert_false(found);
}

static void each_writing_raises_the_version_and_keeps_the_time_of_creation(void **state)
{
    uint64_t created = 0;

    (void)state;
    for (unsigned version = 1; version <= 5; version++) {
        CLEANUP(record_reset) struct record record = {0};
        bool found = false;
        commit("A", "value");
        if (version == 3)
            world_reopen();
        assert_int_equal(find("A", &record, &found), STATUS_OK);
        assert_int_equal(record.version, version);
        if (version == 1)
            created = record_number(&record, "created");
        assert_int_equal(record_number(&record, "created"), created);
        assert_true(record_number(&record, "updated") >= created);
    }
}

static void fields_are_walked_in_order_by_prefix_and_values_may_hold_any_byte(void **state)
{
    static const char bytes[] = "a\0b\xff\0";
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    CLEANUP(record_draft_reset) struct record_draft copy = {0};
    CLEANUP(record_reset) struct record record = {0};
    const char *rest, *value;
    size_t position = 0, size;
    bool found = false;

    (void)state;
    world_begin("put");
    record_draft_start(&draft, RECORD_VARIABLE, "x", "A", "A", NULL);
    record_draft_add_text(&draft, "list/one", "1");
    record_draft_add_text(&draft, "lis", "not in the list");
    record_draft_add(&draft, "list/two", bytes, sizeof bytes);
    record_draft_add_text(&draft, "list/", "");
    assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_OK);
    assert_int_equal(find("A", &record, &found), STATUS_OK);
    assert_true(record_next(&record, "list/", &position, &rest, &value, &size));
    assert_string_equal(rest, "one");
    assert_true(record_next(&record, "list/", &position, &rest, &value, &size));
    assert_string_equal(rest, "two");
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(value, bytes, sizeof bytes);
    assert_true(record_next(&record, "list/", &position, &rest, &value, &size));
    assert_string_equal(rest, "");
    assert_int_equal(size, 0);
    assert_false(record_next(&record, "list/", &position, &rest, &value, &size));
    assert_null(record_field(&record, "list/on", NULL));
    assert_true(record_has(&record, "list/"));
    record_draft_start(&copy, RECORD_VARIABLE, "x", "A", "A", &record);
    position = copy.fields.size;
    record_draft_copy(&copy, &record, "list/");
    assert_int_equal(copy.fields.size - position, 3 * 8 + 3 * 5 + 3 + 3 + 1 + sizeof bytes);
}

static void a_document_is_padded_to_the_next_step_and_told_apart_by_nothing_else(void **state)
{
    static const struct {
        size_t fields;
        size_t body;
    } sizes[] = {
        {252,  256 + SEAL_OVERHEAD },
        {253,  512 + SEAL_OVERHEAD },
        {508,  512 + SEAL_OVERHEAD },
        {509,  1024 + SEAL_OVERHEAD},
        {1020, 1024 + SEAL_OVERHEAD},
    };
    char value[1024];

    (void)state;
    memset(value, 'v', sizeof value);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CLEANUP(record_draft_reset) struct record_draft draft = {0};
        CLEANUP(record_reset) struct record record = {0};
        char name[16];
        bool found = false;
        snprintf(name, sizeof name, "A%zu", i);
        world_begin("put");
        record_draft_start(&draft, RECORD_VARIABLE, "x", name, name, NULL);
        record_draft_add(&draft, "value", value, sizes[i].fields - draft.fields.size - 8 - 5);
        assert_int_equal(draft.fields.size, sizes[i].fields);
        assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_OK);
        assert_int_equal(find(name, &record, &found), STATUS_OK);
        assert_int_equal(world.vault->rows.records[0].body_size, sizes[i].body);
        assert_int_equal(record.size, sizes[i].fields);
    }
}

static void a_record_over_a_mebibyte_is_refused_and_leaves_its_turn_whole(void **state)
{
    size_t size = 1024 * 1024;
    char *value = calloc(1, size);

    (void)state;
    assert_non_null(value);
    world_begin("put");
    assert_int_equal(put("A", value, size, NULL), STATUS_TOO_LARGE);
    assert_false(vault_is_broken(world.vault));
    assert_int_equal(world_end(put("A", "value", 5, NULL)), STATUS_OK);
    free(value);
    world_reopen();
}

static void a_second_record_of_one_name_is_refused_and_rolled_back_exactly(void **state)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    uint8_t sum[SEAL_HASH_SIZE];

    (void)state;
    commit("A", "value");
    memcpy(sum, world.vault->state.sum, sizeof sum);
    world_begin("put");
    record_draft_start(&draft, RECORD_VARIABLE, "x", "A", "A", NULL);
    assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_EXISTS);
    assert_memory_equal(world.vault->state.sum, sum, sizeof sum);
    world_reopen();
}

static void final_names_are_known_while_a_record_gives_them(void **state)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found = false;

    (void)state;
    world_begin("put");
    assert_int_equal(world_end(put("A", "", 0, "FIRST")), STATUS_OK);
    assert_true(knows("FIRST"));
    world_begin("put");
    assert_int_equal(put("A", "", 0, "SECOND"), STATUS_OK);
    assert_true(knows("SECOND"));
    assert_false(knows("FIRST"));
    vault_rollback(world.vault);
    assert_true(knows("FIRST"));
    assert_false(knows("SECOND"));
    world_begin("put");
    assert_int_equal(put("A", "", 0, "SECOND"), STATUS_OK);
    assert_int_equal(world_end(put("B", "", 0, "SECOND")), STATUS_OK);
    world_reopen();
    assert_true(knows("SECOND"));
    assert_false(knows("FIRST"));
    assert_int_equal(find("A", &record, &found), STATUS_OK);
    world_begin("remove");
    assert_int_equal(world_end(record_remove(world.vault, &record, &world.failure)), STATUS_OK);
    assert_true(knows("SECOND"));
    record_reset(&record);
    assert_int_equal(find("B", &record, &found), STATUS_OK);
    world_begin("remove");
    assert_int_equal(world_end(record_remove(world.vault, &record, &world.failure)), STATUS_OK);
    assert_false(knows("SECOND"));
    world_reopen();
    assert_false(knows("SECOND"));
}

/* ---- Changes behind the vault's back ---- */

/* Copies the stored row of a record; its pointers hold until the next look-up. */
static struct store_record row_of(const char *name)
{
    CLEANUP(record_reset) struct record record = {0};
    bool found = false;

    assert_int_equal(find(name, &record, &found), STATUS_OK);
    assert_true(found);
    return world.vault->rows.records[0];
}

static void put_row(const struct store_record *row)
{
    struct store *store = world.vault->store;

    assert_int_equal(store_begin(store, &world.failure), STATUS_OK);
    assert_int_equal(store_put_record(store, row, &world.failure), STATUS_OK);
    assert_int_equal(store_commit(store, &world.failure), STATUS_OK);
}

enum column { PLACE, LINK, FINALS, FINALS_MORE, VERSION, EPOCH, BODY, BODY_SHORT, BODY_TINY, COLUMN_COUNT };

static void change_column(struct store_record *row, enum column column, uint8_t bytes[4096])
{
    memcpy(bytes, row->finals, row->finals_size);
    memcpy(bytes + 2048, row->body, row->body_size);
    row->finals = bytes;
    row->body = bytes + 2048;
    switch (column) {
    case PLACE:
        row->place[0] ^= 1;
        break;
    case LINK:
        row->link[0] ^= 1;
        break;
    case FINALS:
        bytes[0] ^= 1;
        break;
    case FINALS_MORE:
        memset(bytes + row->finals_size, 7, 16);
        row->finals_size += 16;
        break;
    case VERSION:
        row->version++;
        break;
    case EPOCH:
        row->epoch++;
        break;
    case BODY:
        bytes[2048 + row->body_size / 2] ^= 1;
        break;
    case BODY_SHORT:
        row->body_size -= 256;
        break;
    default:
        row->body_size = 3;
        break;
    }
}

static void a_column_changed_while_the_vault_is_open_is_noticed_at_the_next_read(void **state)
{
    (void)state;
    commit("A", "value that fills more than one step of padding, so that a shorter body is still one: "
                "................................................................................"
                "................................................................................"
                "................................................................................");
    for (int column = 0; column < COLUMN_COUNT; column++) {
        struct record record = {0};
        uint8_t original_bytes[4096], bytes[4096];
        struct store_record original = row_of("A"), changed;
        bool found = false;
        change_column(&original, BODY, original_bytes);
        original_bytes[2048 + original.body_size / 2] ^= 1;
        changed = original;
        change_column(&changed, (enum column)column, bytes);
        put_row(&changed);
        assert_int_equal(find("A", &record, &found), STATUS_CORRUPT);
        assert_int_equal(record_find_by_id(world.vault, original.id, &world.failure, &record, &found),
                         STATUS_CORRUPT);
        assert_null(record.document);
        assert_int_equal(vault_verify_rows(world.vault, &world.failure), STATUS_CORRUPT);
        put_row(&original);
        assert_int_equal(vault_verify_rows(world.vault, &world.failure), STATUS_OK);
    }
    world_reopen();
}

static void an_older_version_of_a_row_is_noticed_while_open_and_at_open(void **state)
{
    struct record record = {0};
    uint8_t bytes[4096];
    bool found = false;

    (void)state;
    commit("A", "old");
    struct store_record old = row_of("A");
    change_column(&old, VERSION, bytes);
    old.version--;
    commit("A", "new");
    put_row(&old);
    assert_int_equal(find("A", &record, &found), STATUS_CORRUPT);
    world_close();
    assert_int_equal(world_try_open(), STATUS_CORRUPT);
}

static void a_row_under_another_name_is_not_read_as_that_one(void **state)
{
    struct record record = {0};
    uint8_t bytes[4096];
    bool found = false;

    (void)state;
    commit("A", "a");
    commit("B", "b");
    struct store_record other = row_of("B");
    change_column(&other, VERSION, bytes);
    other.version--;
    memcpy(other.name, row_of("A").name, sizeof other.name);
    assert_int_equal(store_begin(world.vault->store, &world.failure), STATUS_OK);
    assert_int_equal(store_remove_record(world.vault->store, world.vault->rows.records[0].id, &world.failure),
                     STATUS_OK);
    assert_int_equal(store_put_record(world.vault->store, &other, &world.failure), STATUS_OK);
    assert_int_equal(store_commit(world.vault->store, &world.failure), STATUS_OK);
    assert_int_equal(find("A", &record, &found), STATUS_CORRUPT);
    assert_int_equal(vault_verify_rows(world.vault, &world.failure), STATUS_CORRUPT);
}

/* Sealed with the right key, yet not the document of its row: only who holds the vault key can make one. */
static void a_sealed_document_must_be_of_the_kind_and_name_of_its_row(void **state)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    struct record record = {0};
    bool found = false;

    (void)state;
    world_begin("put");
    record_draft_start(&draft, RECORD_VARIABLE, "x", "A", "A", NULL);
    draft.name = "B";
    assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_OK);
    assert_int_equal(find("B", &record, &found), STATUS_CORRUPT);
    assert_non_null(strstr(world.failure.sentence, "its document"));
}

static void a_change_of_the_closed_file_is_noticed_at_open(void **state)
{
    static const char *const edits[] = {
        "UPDATE records SET version = version + 1 WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET epoch = 2 WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET place = randomblob(16) WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET name = randomblob(16) WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET link = randomblob(16) WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET id = randomblob(16) WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET finals = CAST(finals || randomblob(16) AS BLOB) WHERE id = (SELECT min(id) FROM "
        "records)",
        "UPDATE records SET finals = x'00' WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET body = substr(body, 1, length(body) - 1) WHERE id = (SELECT min(id) FROM "
        "records)",
        "UPDATE records SET body = x'' WHERE id = (SELECT min(id) FROM records)",
        "UPDATE records SET body = zeroblob(2000000) WHERE id = (SELECT min(id) FROM records)",
        "DELETE FROM records WHERE id = (SELECT min(id) FROM records)",
        "DELETE FROM records",
        "INSERT INTO records SELECT randomblob(16), place, randomblob(16), link, finals, version, epoch, body"
        " FROM records LIMIT 1",
        "UPDATE records SET body = (SELECT body FROM records AS other WHERE other.id <> records.id LIMIT 1)",
        "UPDATE header SET epoch = 2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        void *unused = NULL;
        commit("A", "value");
        world_close();
        world_edit(edits[i]);
        enum status status = world_try_open();
        if (status != STATUS_CORRUPT && status != STATUS_WRONG_KEY)
            fail_msg("status %d after %s", (int)status, edits[i]);
        assert_null(world.vault);
        assert_int_equal(world_stop(&unused), 0);
        assert_int_equal(world_start(&unused), 0);
    }
}

static void a_flipped_bit_of_any_cell_of_a_record_is_noticed_at_open(void **state)
{
    static const char *const columns[] = {"id", "place", "name", "link", "finals", "body"};

    (void)state;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        for (int byte = -1; byte <= 0; byte++) {
            void *unused = NULL;
            commit("A", "value");
            world_close();
            world_flip("records", columns[i], "length(finals) > 0", byte);
            assert_int_equal(world_try_open(), STATUS_CORRUPT);
            assert_int_equal(world_stop(&unused), 0);
            assert_int_equal(world_start(&unused), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_written_record_is_found_by_name_id_place_and_link),
        TEST(what_is_not_there_is_not_found),
        TEST(a_record_is_not_found_under_another_kind_or_place),
        TEST(each_writing_raises_the_version_and_keeps_the_time_of_creation),
        TEST(fields_are_walked_in_order_by_prefix_and_values_may_hold_any_byte),
        TEST(a_document_is_padded_to_the_next_step_and_told_apart_by_nothing_else),
        TEST(a_record_over_a_mebibyte_is_refused_and_leaves_its_turn_whole),
        TEST(a_second_record_of_one_name_is_refused_and_rolled_back_exactly),
        TEST(final_names_are_known_while_a_record_gives_them),
        TEST(a_column_changed_while_the_vault_is_open_is_noticed_at_the_next_read),
        TEST(an_older_version_of_a_row_is_noticed_while_open_and_at_open),
        TEST(a_row_under_another_name_is_not_read_as_that_one),
        TEST(a_sealed_document_must_be_of_the_kind_and_name_of_its_row),
        TEST(a_change_of_the_closed_file_is_noticed_at_open),
        TEST(a_flipped_bit_of_any_cell_of_a_record_is_noticed_at_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
