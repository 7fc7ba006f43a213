/* What is read once is what is stored: rows that are remembered go with any change. */
#include "borrow.h"

#include "vault_fixture.h"

/* The value of A at `/`, as a projection would see it. */
static const char *borrowed(void)
{
    static char text[32];
    const struct records *placed;

    borrow_begin(world.vault);
    assert_int_equal(borrow_placed(world.vault, "/", &world.failure, &placed), STATUS_OK);
    text[0] = '\0';
    for (size_t i = 0; i < placed->count; i++)
        if (strcmp(placed->items[i].name, "A") == 0)
            snprintf(text, sizeof text, "%s", record_field(&placed->items[i], "value", NULL));
    return text;
}

static void a_value_that_was_written_is_the_one_that_is_borrowed(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "one"), STATUS_OK);
    assert_string_equal(borrowed(), "one");
    borrow_end(world.vault);
    assert_non_null(world.vault->remembered);
    assert_null(world.vault->borrowed);
    assert_int_equal(world_set("/", "A", "two"), STATUS_OK);
    assert_null(world.vault->remembered);
    assert_string_equal(borrowed(), "two");
    assert_string_equal(borrowed(), "two");
}

static void a_value_whose_turn_is_rolled_back_is_not_remembered(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "one"), STATUS_OK);
    assert_int_equal(vault_begin(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(world_change("/", "A", "never"), STATUS_OK);
    assert_string_equal(borrowed(), "never");
    vault_rollback(world.vault);
    assert_string_equal(borrowed(), "one");
}

static void nothing_is_remembered_over_a_verification_of_the_file(void **state)
{
    (void)state;
    assert_int_equal(world_set("/", "A", "one"), STATUS_OK);
    assert_string_equal(borrowed(), "one");
    assert_non_null(world.vault->remembered);
    assert_int_equal(vault_verify(world.vault, &world.failure), STATUS_OK);
    assert_null(world.vault->remembered);
    assert_string_equal(borrowed(), "one");
}

static void what_is_remembered_has_a_bound(void **state)
{
    char path[32];
    const struct records *placed;

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        borrow_begin(world.vault);
        snprintf(path, sizeof path, "nothing/there/%u", i);
        assert_int_equal(borrow_placed(world.vault, path, &world.failure, &placed), STATUS_OK);
        assert_int_equal(placed->count, 0);
        borrow_end(world.vault);
        assert_true(world.vault->remembered_bytes <= 256 * 1024);
        assert_true(world.vault->remembered_lists <= 256);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_value_that_was_written_is_the_one_that_is_borrowed, world_start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(a_value_whose_turn_is_rolled_back_is_not_remembered, world_start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(nothing_is_remembered_over_a_verification_of_the_file, world_start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(what_is_remembered_has_a_bound, world_start, world_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
