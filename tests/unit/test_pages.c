/* Files whose list of free pages somebody edited: room that is in use, too, room that is not there, lists
 * without end. And lists that are sound, also where they lie in the write-ahead log, and where SQLite cannot
 * help. */
#include "store_fixture.h"

#include "store/interior.h"

#define PAGE 4096u
#define BLOBS 1500u /* a page each, so that the list has two trunks */

static uint8_t sound[16u << 20];
static uint8_t edited[sizeof(sound)];
static size_t size;

static size_t read_whole(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t read = fread(bytes, 1, sizeof(sound), file);
    assert_true(read < sizeof(sound));
    assert_int_equal(fclose(file), 0);
    return read;
}

static void write_whole(const char *path, const uint8_t *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void put_and_remove_blobs(struct fixture *fixture, struct store *store, bool remove)
{
    static uint8_t blob[3900] = {1};
    fixture_begin(fixture, store);
    for (unsigned i = 1; i <= BLOBS; i++)
        assert_int_equal(remove
                             ? store_remove_blob(store, STORE_LEAVES, i, &fixture->failure)
                             : store_put_blob(store, STORE_LEAVES, i, blob, sizeof(blob), &fixture->failure),
                         STATUS_OK);
    fixture_commit(fixture, store);
}

static int make_file(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    struct store *store = fixture_open(fixture);
    put_and_remove_blobs(fixture, store, false);
    put_and_remove_blobs(fixture, store, true);
    store_freep(&store);
    size = read_whole(fixture->path, sound);
    return 0;
}

static uint8_t *page_at(uint32_t number)
{
    return edited + (size_t)(number - 1) * PAGE;
}

static uint32_t load(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void save(uint8_t *bytes, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (24 - 8 * i));
}

static uint8_t *header(void)
{
    return edited;
}

static uint8_t *first_trunk(void)
{
    return page_at(load(header() + 32));
}

static void count_one_more(void)
{
    save(header() + 36, load(header() + 36) + 1);
}

static void count_one_less(void)
{
    save(header() + 36, load(header() + 36) - 1);
}

static void lead_back_to_itself(void)
{
    save(first_trunk(), load(header() + 32));
}

static void lead_back_to_the_first(void)
{
    save(page_at(load(first_trunk())), load(header() + 32));
}

static void lead_out_of_the_file(void)
{
    save(first_trunk(), (uint32_t)(size / PAGE) + 1);
}

static void end_early(void)
{
    save(first_trunk(), 0);
}

static void list_too_many(void)
{
    save(first_trunk() + 4, 1023);
}

static void list_one_less(void)
{
    save(first_trunk() + 4, load(first_trunk() + 4) - 1);
}

static void list_nothing(void)
{
    save(first_trunk() + 8, 0);
}

static void list_the_header(void)
{
    save(first_trunk() + 8, 1);
}

static void list_a_page_beyond(void)
{
    save(first_trunk() + 8, (uint32_t)(size / PAGE) + 1);
}

static void list_one_twice(void)
{
    save(first_trunk() + 8, load(first_trunk() + 12));
}

static void list_a_trunk(void)
{
    save(first_trunk() + 8, load(first_trunk()));
}

static void (*const edits[])(void) = {
    count_one_more,     count_one_less, lead_back_to_itself, lead_back_to_the_first, lead_out_of_the_file,
    end_early,          list_too_many,  list_one_less,       list_nothing,           list_the_header,
    list_a_page_beyond, list_one_twice, list_a_trunk,
};

static void assert_scan(struct fixture *fixture, enum status expected, bool with_dbstat, const char *what)
{
    struct store *store = fixture_open(fixture);
    if (!with_dbstat)
        assert_int_equal(sqlite3_drop_modules(store->sqlite->handle, NULL), SQLITE_OK);
    enum status status = store_scan(store, NULL, NULL, &fixture->failure);
    store_freep(&store);
    if (status != expected)
        fail_msg("%s, %s dbstat: %d (%s)", what, with_dbstat ? "with" : "without", status,
                 fixture->failure.sentence);
}

static void every_edit_of_the_list_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        char what[32];
        (void)snprintf(what, sizeof(what), "edit %zu", i);
        memcpy(edited, sound, size);
        edits[i]();
        write_whole(fixture->path, edited, size);
        assert_scan(fixture, STATUS_CORRUPT, true, what);
    }
}

/* In the place of one that is free, so that the counts agree. */
static void a_page_of_any_tree_that_unlocking_reads_whole_is_not_free(void **state)
{
    static const char *const trees[] = {"header",       "slots",         "records",
                                        "records_name", "records_place", "records_link",
                                        "segments",     "checkpoints",   "state"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        write_whole(fixture->path, sound, size);
        memcpy(edited, sound, size);
        save(first_trunk() + 8, fixture_root_of(fixture, trees[i]));
        write_whole(fixture->path, edited, size);
        assert_scan(fixture, STATUS_CORRUPT, true, trees[i]);
        assert_scan(fixture, STATUS_CORRUPT, false, trees[i]);
    }
}

/* SQLite says that the disk is full. Of a long row 4092 bytes are in each page of a chain, and the rest (but
 * 489 at least) in the cell, and then the number of the first page (SQLite's file format, 1.6). */
static void a_page_that_no_file_has_is_damage(void **state)
{
    static uint8_t blob[9000] = "the long blob";
    const size_t head = 5, in_cell = 489 + (head + sizeof(blob) - 489) % 4092;
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    fixture_begin(fixture, store);
    assert_int_equal(store_put_blob(store, STORE_SEGMENTS, 1, blob, sizeof(blob), &fixture->failure),
                     STATUS_OK);
    fixture_commit(fixture, store);
    store_freep(&store);
    size_t count = read_whole(fixture->path, edited);
    uint8_t *found = memmem(edited, count, "the long blob", 13);
    assert_non_null(found);
    assert_in_range(load(found - head + in_cell), 2, count / PAGE);
    save(found - head + in_cell, 0x7fffffff);
    write_whole(fixture->path, edited, count);
    assert_scan(fixture, STATUS_CORRUPT, true, "a long row");
    assert_scan(fixture, STATUS_CORRUPT, false, "a long row");
}

static void a_list_that_is_sound_passes(void **state)
{
    struct fixture *fixture = *state;
    assert_true(load(sound + 36) > 1023);
    assert_scan(fixture, STATUS_OK, true, "sound");
    assert_scan(fixture, STATUS_OK, false, "sound");
}

static void append(uint8_t *bytes, size_t *count, size_t more)
{
    memset(bytes + *count, 0, more);
    *count += more;
}

static void what_stands_behind_the_last_page_is_noticed(void **state)
{
    static const size_t sizes[] = {1, 100, 512, PAGE - 1, PAGE, 3 * PAGE, 3 * PAGE + 1};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char what[32];
        size_t count = size;
        (void)snprintf(what, sizeof(what), "%zu bytes more", sizes[i]);
        memcpy(edited, sound, size);
        append(edited, &count, sizes[i]);
        write_whole(fixture->path, edited, count);
        assert_scan(fixture, STATUS_CORRUPT, true, what);
        assert_non_null(strstr(fixture->failure.sentence, "and should have"));
    }
}

/* The new pages are in the log alone, half of them folded, all of them; and then there is more. */
static void a_file_may_lack_pages_of_its_write_ahead_log_and_have_no_others(void **state)
{
    static uint8_t log[sizeof(sound)];
    static uint8_t blob[3900] = {1};
    struct fixture *fixture = *state;
    fixture_fill(fixture);
    size = read_whole(fixture->path, sound);
    struct store *store = fixture_open(fixture);
    fixture_begin(fixture, store);
    for (unsigned i = 1; i <= BLOBS / 3; i++)
        assert_int_equal(store_put_blob(store, STORE_LEAVES, i, blob, sizeof(blob), &fixture->failure),
                         STATUS_OK);
    fixture_commit(fixture, store);
    size_t log_size = read_whole(fixture_beside(fixture, "-wal"), log);
    size_t before = read_whole(fixture->path, edited);
    store_freep(&store);
    size_t after = read_whole(fixture->path, edited);
    assert_true(after > before);
    const struct {
        size_t file;
        enum status expected;
    } cases[] = {
        {before,                             STATUS_OK     },
        {(before + after) / 2 / PAGE * PAGE, STATUS_OK     },
        {after,                              STATUS_OK     },
        {after + 1,                          STATUS_CORRUPT},
        {after + PAGE,                       STATUS_CORRUPT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char what[32];
        (void)snprintf(what, sizeof(what), "a file of %zu bytes", cases[i].file);
        memset(edited, 0, cases[i].file);
        memcpy(edited, sound, size); /* its header is from before */
        write_whole(fixture->path, edited, cases[i].file);
        write_whole(fixture_beside(fixture, "-wal"), log, log_size);
        assert_scan(fixture, cases[i].expected, true, what);
    }
}

/* As a crash leaves it: the list in the file is an older one. */
static void the_list_is_read_from_the_write_ahead_log_too(void **state)
{
    static uint8_t log[sizeof(sound)];
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    fixture_begin(fixture, store);
    for (unsigned i = 0; i < 900; i++)
        assert_int_equal(store_put_blob(store, STORE_TILES, 1 + i, "tile", 4, &fixture->failure), STATUS_OK);
    fixture_commit(fixture, store);
    assert_int_equal(store_scan(store, NULL, NULL, &fixture->failure), STATUS_OK);
    size_t file_size = read_whole(fixture->path, edited);
    size_t log_size = read_whole(fixture_beside(fixture, "-wal"), log);
    store_freep(&store);
    assert_true(log_size > 0);
    assert_memory_equal(edited, sound, size);
    write_whole(fixture->path, edited, file_size);
    write_whole(fixture_beside(fixture, "-wal"), log, log_size);
    store = fixture_open(fixture);
    assert_int_equal(store_scan(store, NULL, NULL, &fixture->failure), STATUS_OK);
    store_freep(&store);
    read_whole(fixture->path, edited);
    assert_int_not_equal(load(edited + 36), load(sound + 36));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_file, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_edit_of_the_list_is_noticed),
        TEST(a_page_of_any_tree_that_unlocking_reads_whole_is_not_free),
        TEST(a_page_that_no_file_has_is_damage),
        TEST(a_list_that_is_sound_passes),
        TEST(the_list_is_read_from_the_write_ahead_log_too),
        TEST(what_stands_behind_the_last_page_is_noticed),
        cmocka_unit_test_setup_teardown(a_file_may_lack_pages_of_its_write_ahead_log_and_have_no_others,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
