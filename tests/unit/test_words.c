/* Lists of words. */
#include "base/words.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_words(const char *text, const char *separators, const char *expected)
{
    CLEANUP(secret_reset) struct secret found = {0};
    const char *word;
    size_t size;

    while ((word = words_next(&text, separators, &size)) != NULL)
        assert_true(size > 0 && words_append(&found, '|', word, size));
    assert_string_equal(secret_text(&found), expected);
    assert_null(words_next(&text, separators, &size));
}

static void each_word_comes_once_in_its_order(void **state)
{
    (void)state;
    assert_words("read write read", " ", "read|write|read");
    assert_words("one", " ", "one");
    assert_words("a,b c", " ", "a,b|c");
    assert_words("a,b c", " ,", "a|b|c");
}

static void runs_of_separators_are_no_words(void **state)
{
    (void)state;
    assert_words("", " ", "");
    assert_words("  ", " ", "");
    assert_words(" a  b ", " ", "a|b");
    assert_words(", ,a, b,,", " ,", "a|b");
    assert_words(NULL, " ", "");
}

static void a_word_is_found_whole_only(void **state)
{
    (void)state;
    assert_true(words_has("user:read user", " ", "user", 4));
    assert_true(words_has("user:read user", " ", "user:reads", 9));
    assert_false(words_has("user:read", " ", "user", 4));
    assert_false(words_has("user", " ", "user:read", 9));
    assert_false(words_has("user:read", " ", "read", 4));
    assert_false(words_has("a b", " ", "a b", 3));
    assert_false(words_has("", " ", "a", 1));
    assert_false(words_has(NULL, " ", "a", 1));
}

static void what_is_appended_stands_behind_a_separator(void **state)
{
    CLEANUP(secret_reset) struct secret words = {0};

    (void)state;
    assert_true(words_append(&words, ',', "reads", 4));
    assert_string_equal(secret_text(&words), "read");
    assert_true(words_append(&words, ',', "write", 5));
    assert_string_equal(secret_text(&words), "read,write");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_comes_once_in_its_order),
        cmocka_unit_test(runs_of_separators_are_no_words),
        cmocka_unit_test(a_word_is_found_whole_only),
        cmocka_unit_test(what_is_appended_stands_behind_a_separator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
