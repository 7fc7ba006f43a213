/* Files whose trees somebody edited page by page, so that a walk finds every record and a look-up does not:
 * each is refused. What SQLite's own look at the pages passes is marked, so that the test fails without ours.
 */
#include "store_fixture.h"

#include "store/tally.h"

#define PAGE 4096u
#define RECORDS 1500u
#define LEAF 0x0a
#define INTERIOR 0x02

static uint8_t sound[8u << 20];
static uint8_t edited[sizeof(sound)];
static size_t size;

/* As good as random, and the same in each run. */
static void fill(uint8_t *bytes, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(seed >> 56);
    }
}

static struct store_record record_of(unsigned number)
{
    static uint8_t body[300];
    struct store_record record = {.version = 1, .epoch = 1, .body = body, .body_size = sizeof(body)};
    fill(record.id, sizeof(record.id), number);
    fill(record.place, sizeof(record.place), 1000000 + number % 40);
    fill(record.name, sizeof(record.name), 2000000 + number);
    fill(record.link, sizeof(record.link), 3000000 + number);
    fill(body, sizeof(body), 4000000 + number);
    return record;
}

static int make_file(void **state)
{
    if (fixture_setup(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    struct store *store = fixture_create(fixture);
    fixture_begin(fixture, store);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct store_record record = record_of(i);
        assert_int_equal(store_put_record(store, &record, &fixture->failure), STATUS_OK);
    }
    fixture_commit(fixture, store);
    store_freep(&store);
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    size = fread(sound, 1, sizeof(sound), file);
    assert_true(size < sizeof(sound));
    return fclose(file);
}

/* ---- pages ---- */

static uint8_t *page_at(uint32_t number)
{
    return edited + (size_t)(number - 1) * PAGE;
}

static unsigned load_u16(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static uint32_t load_u32(const uint8_t *bytes)
{
    return (uint32_t)load_u16(bytes) << 16 | load_u16(bytes + 2);
}

static unsigned cells_of(const uint8_t *page)
{
    return load_u16(page + 3);
}

static uint8_t *pointer_of(uint8_t *page, unsigned cell)
{
    return page + (page[0] == LEAF ? 8 : 12) + 2 * cell;
}

static uint8_t *cell_of(uint8_t *page, unsigned cell)
{
    return page + load_u16(pointer_of(page, cell));
}

/* The 32 bytes of an entry: behind the child's number, the payload's size and its header of three bytes. */
static uint8_t *entry_of(uint8_t *page, unsigned cell)
{
    return cell_of(page, cell) + (page[0] == INTERIOR ? 4 : 0) + 4;
}

/* ---- what is done to one page; each keeps what a page has room for as it was ---- */

static void swap(uint8_t *a, uint8_t *b, size_t count)
{
    uint8_t kept[32];
    memcpy(kept, a, count);
    memcpy(a, b, count);
    memcpy(b, kept, count);
}

static void swap_first_and_last(uint8_t *page)
{
    swap(pointer_of(page, 0), pointer_of(page, cells_of(page) - 1), 2);
}

static void swap_neighbours(uint8_t *page)
{
    unsigned middle = cells_of(page) / 2;
    swap(pointer_of(page, middle - 1), pointer_of(page, middle), 2);
}

/* Only the entries move; the children below stay where they are. */
static void swap_entries(uint8_t *page)
{
    swap(entry_of(page, 0), entry_of(page, cells_of(page) - 1), 32);
}

static void swap_children(uint8_t *page)
{
    swap(cell_of(page, 0), cell_of(page, cells_of(page) - 1), 4);
}

static void double_an_entry(uint8_t *page)
{
    memcpy(entry_of(page, 0), entry_of(page, 1), 32);
}

static void change_the_look_up(uint8_t *page)
{
    entry_of(page, cells_of(page) / 2)[15] ^= 1;
}

static void change_the_first_byte(uint8_t *page)
{
    entry_of(page, cells_of(page) / 2)[0] ^= 0x80;
}

static void change_the_id(uint8_t *page)
{
    entry_of(page, cells_of(page) / 2)[31] ^= 1;
}

static void exchange_ids(uint8_t *page)
{
    swap(entry_of(page, 0) + 16, entry_of(page, 1) + 16, 16);
}

static void lose_the_last(uint8_t *page)
{
    page[4]--;
}

static void lie_about_fragments(uint8_t *page)
{
    page[7] = 9;
}

static const struct edit {
    const char *tree;
    uint8_t kind; /* of the page */
    void (*edit)(uint8_t *page);
    bool passes; /* SQLite's quick_check */
} edits[] = {
    {"records_name",  LEAF,     swap_first_and_last,   true },
    {"records_name",  LEAF,     swap_neighbours,       true },
    {"records_name",  LEAF,     double_an_entry,       true },
    {"records_name",  LEAF,     change_the_look_up,    true },
    {"records_name",  LEAF,     change_the_first_byte, true },
    {"records_name",  LEAF,     change_the_id,         true },
    {"records_name",  LEAF,     exchange_ids,          true },
    {"records_name",  LEAF,     lose_the_last,         false},
    {"records_name",  LEAF,     lie_about_fragments,   false},
    {"records_name",  INTERIOR, swap_entries,          true },
    {"records_name",  INTERIOR, swap_children,         true },
    {"records_name",  INTERIOR, change_the_look_up,    true },
    {"records_name",  INTERIOR, change_the_first_byte, true },
    {"records_name",  INTERIOR, exchange_ids,          true },
    {"records_place", LEAF,     swap_first_and_last,   true },
    {"records_place", LEAF,     change_the_id,         true },
    {"records_place", LEAF,     double_an_entry,       true },
    {"records_place", INTERIOR, swap_entries,          true },
    {"records_place", INTERIOR, swap_children,         true },
    {"records_link",  LEAF,     swap_neighbours,       true },
    {"records_link",  LEAF,     change_the_look_up,    true },
    {"records_link",  INTERIOR, swap_children,         true },
    {"records_link",  INTERIOR, change_the_first_byte, true },
    {"records",       LEAF,     swap_first_and_last,   true },
    {"records",       LEAF,     swap_neighbours,       true },
    {"records",       LEAF,     lie_about_fragments,   false},
    {"records",       INTERIOR, swap_first_and_last,   true },
    {"records",       INTERIOR, swap_children,         true },
};

/* Edits the `which`-th page of this kind with some cells, in the order of a walk; false if there is none. */
static bool edit_page(uint32_t number, const struct edit *edit, unsigned *which)
{
    uint8_t *page = page_at(number);
    if (page[0] == edit->kind && cells_of(page) > 2 && (*which)-- == 0) {
        edit->edit(page);
        return true;
    }
    if (page[0] != INTERIOR)
        return false;
    for (unsigned i = 0; i < cells_of(page); i++)
        if (edit_page(load_u32(cell_of(page, i)), edit, which))
            return true;
    return edit_page(load_u32(page + 8), edit, which);
}

static void write_file(const struct fixture *fixture)
{
    FILE *file = fopen(fixture->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(edited, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static bool quick_check_passes(const struct fixture *fixture)
{
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(fixture->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(handle, "PRAGMA quick_check(records)", -1, &statement, NULL),
                     SQLITE_OK);
    bool passes = sqlite3_step(statement) == SQLITE_ROW &&
                  strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    return passes;
}

static void every_edit_of_a_page_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        const struct edit *edit = &edits[i];
        const uint32_t root = fixture_root_of(fixture, edit->tree);
        unsigned done = 0;
        for (unsigned which = 0; which < 12; which += 3) {
            unsigned left = which;
            memcpy(edited, sound, size);
            if (!edit_page(root, edit, &left))
                break;
            done++;
            write_file(fixture);
            if (quick_check_passes(fixture) != edit->passes)
                fail_msg("edit %zu of page %u: quick_check is not as it was", i, which);
            struct store *store = fixture_open(fixture);
            enum status status = store_scan(store, NULL, NULL, &fixture->failure);
            store_freep(&store);
            if (status != STATUS_CORRUPT)
                fail_msg("edit %zu of page %u of %s: %d", i, which, edit->tree, status);
        }
        assert_true(done > 0);
    }
    memcpy(edited, sound, size);
    write_file(fixture);
    struct store *store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), RECORDS);
    store_freep(&store);
}

/* A key on the way down that leads astray: what lies before it in the walk is found no more. */
static void what_such_an_edit_hides_is_hidden_indeed(void **state)
{
    static const struct edit edit = {"records_name", INTERIOR, swap_entries, true};
    struct fixture *fixture = *state;
    struct store_rows rows = {0};
    unsigned left = 0, missing = 0;
    memcpy(edited, sound, size);
    assert_true(edit_page(fixture_root_of(fixture, edit.tree), &edit, &left));
    write_file(fixture);
    struct store *store = fixture_open(fixture);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct store_record record = record_of(i);
        if (store_find_by_name(store, record.name, &fixture->failure, &rows) == STATUS_OK)
            missing += rows.count == 0;
    }
    assert_true(missing > 0);
    assert_int_equal(store_scan(store, NULL, NULL, &fixture->failure), STATUS_CORRUPT);
    store_rows_reset(&rows);
    store_freep(&store);
}

static void an_index_with_the_tree_of_another_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    fixture_edit(fixture,
                 "PRAGMA writable_schema = ON;"
                 "CREATE TEMP TABLE roots AS SELECT name, rootpage FROM sqlite_schema;"
                 "UPDATE sqlite_schema AS outside SET rootpage = (SELECT rootpage FROM roots WHERE name = "
                 "CASE outside.name WHEN 'records_place' THEN 'records_link' ELSE "
                 "'records_place' END) WHERE name IN ('records_place', 'records_link')");
    assert_true(quick_check_passes(fixture));
    struct store *store = fixture_open(fixture);
    assert_int_equal(store_scan(store, NULL, NULL, &fixture->failure), STATUS_CORRUPT);
    store_freep(&store);
}

/* A page that is in use and listed as free is overwritten by the next change, and what was on it is hidden.
 */
static void a_page_in_use_that_is_listed_as_free_is_noticed(void **state)
{
    static const char *const trees[] = {"records", "records_name", "records_place", "records_link"};
    struct fixture *fixture = *state;
    size_t before = size;
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        memcpy(edited, sound, before);
        memset(edited + before, 0, PAGE);
        uint8_t *header = page_at(1), *trunk = edited + before;
        uint8_t *root = page_at(fixture_root_of(fixture, trees[i]));
        assert_int_equal(root[0], INTERIOR);
        trunk[7] = 1;
        memcpy(trunk + 8, cell_of(root, 0), 4);
        uint32_t pages = (uint32_t)(before / PAGE) + 1;
        for (unsigned byte = 0; byte < 4; byte++)
            header[28 + byte] = header[32 + byte] = (uint8_t)(pages >> (24 - 8 * byte));
        memcpy(header + 36, "\0\0\0\2", 4);
        size = before + PAGE;
        write_file(fixture);
        size = before;
        assert_true(quick_check_passes(fixture));
        struct store *store = fixture_open(fixture);
        assert_int_equal(store_scan(store, NULL, NULL, &fixture->failure), STATUS_CORRUPT);
        store_freep(&store);
        memcpy(edited, sound, size);
        write_file(fixture);
    }
}

/* Pages that are free and nothing else are no harm. */
static void pages_that_are_free_are_sound(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture_open(fixture);
    fixture_begin(fixture, store);
    for (unsigned i = 0; i < RECORDS; i += 2) {
        struct store_record record = record_of(i);
        assert_int_equal(store_remove_record(store, record.id, &fixture->failure), STATUS_OK);
    }
    fixture_commit(fixture, store);
    store_freep(&store);
    store = fixture_open(fixture);
    assert_int_equal(fixture_count(fixture, store), RECORDS / 2);
    store_freep(&store);
}

/* ---- tallies ---- */

static void a_tally_is_of_the_entries_and_not_of_their_order(void **state)
{
    struct failure failure;
    struct tally_key key;
    struct tally forwards, backwards, other;
    uint8_t entries[100][32];

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        fill(entries[i], 32, i);
    memset(entries[0], 0, 32);
    memset(entries[1], 0xff, 32);
    for (unsigned round = 0; round < 50; round++) {
        assert_int_equal(tally_draw(&failure, &key), STATUS_OK);
        tally_start(&forwards);
        tally_start(&backwards);
        tally_start(&other);
        for (unsigned i = 0; i < 100; i++) {
            tally_add(&forwards, &key, entries[i], entries[i] + 16);
            tally_add(&backwards, &key, entries[99 - i], entries[99 - i] + 16);
            entries[i][round % 32] ^= i == 7;
            tally_add(&other, &key, entries[i], entries[i] + 16);
            entries[i][round % 32] ^= i == 7;
        }
        assert_true(tally_equal(&forwards, &backwards));
        assert_false(tally_equal(&forwards, &other));
    }
}

/* Sums of the parts are the same in both lists: what a sum of linear hashes would not tell apart. */
static void a_tally_tells_apart_lists_whose_columns_are_the_same(void **state)
{
    struct failure failure;
    struct tally_key key;
    struct tally straight, crossed, doubled, single;
    uint8_t a[16], b[16], c[16], d[16];

    (void)state;
    fill(a, 16, 1);
    fill(b, 16, 2);
    fill(c, 16, 3);
    fill(d, 16, 4);
    assert_int_equal(tally_draw(&failure, &key), STATUS_OK);
    tally_start(&straight);
    tally_start(&crossed);
    tally_start(&doubled);
    tally_start(&single);
    tally_add(&straight, &key, a, c);
    tally_add(&straight, &key, b, d);
    tally_add(&crossed, &key, a, d);
    tally_add(&crossed, &key, b, c);
    tally_add(&doubled, &key, a, c);
    tally_add(&doubled, &key, a, c);
    tally_add(&single, &key, a, c);
    assert_false(tally_equal(&straight, &crossed));
    assert_false(tally_equal(&straight, &doubled));
    assert_false(tally_equal(&doubled, &single));
}

/* The product of (r - x) for x = 1 ... 3 in numbers that anybody can check. */
static void a_tally_is_the_product_that_it_says_it_is(void **state)
{
    struct tally_key key = {
        .points = {10,  ((uint64_t)1 << 61) - 2},
          .slopes = {{1}, {1}                    }
    };
    struct tally tally;
    uint8_t look_up[16] = {0};
    const uint8_t id[16] = {0};

    (void)state;
    tally_start(&tally);
    for (uint8_t i = 1; i <= 3; i++) {
        look_up[0] = i;
        tally_add(&tally, &key, look_up, id);
    }
    assert_int_equal(tally.products[0], 9 * 8 * 7);
    assert_int_equal(tally.products[1], ((uint64_t)1 << 61) - 1 - 2 * 3 * 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_file, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_edit_of_a_page_is_noticed),
        TEST(what_such_an_edit_hides_is_hidden_indeed),
        TEST(an_index_with_the_tree_of_another_is_noticed),
        TEST(a_page_in_use_that_is_listed_as_free_is_noticed),
        TEST(pages_that_are_free_are_sound),
        cmocka_unit_test(a_tally_is_of_the_entries_and_not_of_their_order),
        cmocka_unit_test(a_tally_tells_apart_lists_whose_columns_are_the_same),
        cmocka_unit_test(a_tally_is_the_product_that_it_says_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
