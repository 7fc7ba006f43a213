/* Sets of names. */
#include "base/nameset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void an_empty_set_has_nothing(void **state)
{
    struct nameset set = {0};

    (void)state;
    assert_false(nameset_has(&set, "", 0));
    nameset_reset(&set);
}

static void a_name_keeps_the_number_it_came_with(void **state)
{
    static char texts[5000][12];
    struct nameset set = {0};
    size_t number;

    (void)state;
    for (size_t i = 0; i < 5000; i++) {
        snprintf(texts[i], sizeof texts[i], "N%zu", i);
        assert_true(nameset_add(&set, texts[i], strlen(texts[i]), &number));
        assert_int_equal(number, i);
    }
    for (size_t i = 0; i < 5000; i++) {
        assert_true(nameset_add(&set, texts[i], strlen(texts[i]), &number));
        assert_int_equal(number, i);
    }
    assert_int_equal(set.count, 5000);
    nameset_reset(&set);
}

static void only_the_whole_name_is_the_same(void **state)
{
    struct nameset set = {0};

    (void)state;
    assert_true(nameset_add(&set, "PATHS", 4, NULL));
    assert_true(nameset_add(&set, "A\0B", 3, NULL));
    assert_true(nameset_has(&set, "PATH=/bin", 4));
    assert_false(nameset_has(&set, "PATHS", 5));
    assert_false(nameset_has(&set, "PAT", 3));
    assert_false(nameset_has(&set, "", 0));
    assert_true(nameset_has(&set, "A\0B", 3));
    assert_false(nameset_has(&set, "A\0C", 3));
    nameset_reset(&set);
    assert_false(nameset_has(&set, "PATH", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_set_has_nothing),
        cmocka_unit_test(a_name_keeps_the_number_it_came_with),
        cmocka_unit_test(only_the_whole_name_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
