/* What stepvault-code is told, and which language a file of code is in. */
#include "code/order.h"

#include "base/cleanup.h"
#include "code/language.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static enum status parse(const char *const *words, struct order *order)
{
    struct failure failure = {0};

    return order_parse((char **)(uintptr_t)words, &failure, order);
}

static void an_order_is_read_up_to_its_separator(void **state)
{
    const char *const words[] = {
        "stepvault-code", "--code", "a.js", "--step", "x",        "--event", "-",      "--steps", "s",
        "--props",        "p",      "--db", "d",      "--result", "7",       "--mask", "12",      "--",
        "--result",       "mine",   NULL};
    struct order order;

    (void)state;
    assert_int_equal(parse(words, &order), STATUS_OK);
    assert_string_equal(order.code, "a.js");
    assert_string_equal(order.step, "x");
    assert_string_equal(order.event, "-");
    assert_string_equal(order.steps, "s");
    assert_string_equal(order.props, "p");
    assert_string_equal(order.database, "d");
    assert_string_equal(order.result, "7");
    assert_int_equal(order.mask, 12);
    assert_string_equal(order.words[0], "--result");
    assert_string_equal(order.words[1], "mine");
    assert_null(order.words[2]);
}

static void a_command_may_stand_in_codes_place(void **state)
{
    const char *const words[] = {"stepvault-code", "--mask", "3", "--", "true", NULL};
    struct order order;

    (void)state;
    assert_int_equal(parse(words, &order), STATUS_OK);
    assert_null(order.code);
    assert_int_equal(order.mask, 3);
    assert_string_equal(order.words[0], "true");
}

static void what_run_does_not_write_is_refused(void **state)
{
    const char *const wrong[][6] = {
        {NULL     },
        {        "stepvault-code", NULL},
        { "stepvault-code",    "--", NULL},
        { "stepvault-code",    "--code", "a.js", "--", NULL},
        {        "stepvault-code",                        "--code", NULL},
        {    "stepvault-code","--mask", "x", "--", "true", NULL},
        {     "stepvault-code",                     "--mask", "-1", "--", "true", NULL},
        {            "stepvault-code",        "--more", "x", "--", "true", NULL},
        {        "stepvault-code",                  "true", NULL},
    };
    struct order order;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(wrong[i], &order), STATUS_USAGE);
}

static void the_ending_says_the_language(void **state)
{
    const struct {
        const char *file;
        const char *runtime; /* NULL: none */
    } files[] = {
        {"a.js",         "node"   },
        {"a.mjs",        "node"   },
        {"a.cjs",        "node"   },
        {"a.b/c.py",     "python3"},
        {"a.sh",         "bash"   },
        {"/x/a.py.bash", "bash"   },
        {"a.rb",         NULL     },
        {"a",            NULL     },
        {"a.js/b",       NULL     },
        {"a.j",          NULL     },
        {"a.jsx",        NULL     },
        {"a.",           NULL     },
        {"a.js .mjs",    "node"   },
        {"a.JS",         NULL     },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const struct language *language = NULL;
        struct failure failure = {0};
        enum status status = language_find(files[i].file, &failure, &language);

        assert_int_equal(status, files[i].runtime != NULL ? STATUS_OK : STATUS_INVALID);
        if (status == STATUS_OK)
            assert_string_equal(language->runtime, files[i].runtime);
        else
            assert_non_null(strstr(failure.sentence, ".py (python3)"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_read_up_to_its_separator),
        cmocka_unit_test(a_command_may_stand_in_codes_place),
        cmocka_unit_test(what_run_does_not_write_is_refused),
        cmocka_unit_test(the_ending_says_the_language),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
