/* vault/json/syntax.c and cli/code/exports.c: what is JSON, and what bash code exported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "code/exports.h"
#include "json/json.h"
#include "json/syntax.h"

static bool is_json(const char *text)
{
    struct syntax syntax;

    return syntax_check(text, strlen(text), "trigger", &syntax);
}

static void json_is_told_from_what_is_none(void **state)
{
    static const char *const right[] = {
        "null",
        "true",
        " false\n",
        "0",
        "-0.5e+3",
        "1E9",
        "\"\"",
        "\"\\u00e9 \\\\ \\\" \xc3\xbc\"",
        "[]",
        "{}",
        "[ ]",
        " { } ",
        "[1,[2,{\"a\":[]}],\"b\"]",
        "{\"a\":1,\"a\":{\"b\":[true]}}",
    };
    static const char *const wrong[] = {
        "",     " ",   "nul",   "nullx",   "01",          "1.",       ".5",       "+1",         "1e",
        "- 1",  "\"",  "\"a",   "\"\\x\"", "\"\\u12g4\"", "\"\n\"",   "\"\xff\"", "[",          "]",
        "[1,]", "[,]", "[1 2]", "{",       "{\"a\"}",     "{\"a\":}", "{a:1}",    "{\"a\":1,}", "{\"a\":1]",
        "[1}",  "1,2", "[] []", "{}}",     "[1]]",        "'a'",      "NaN",      "{\"a\" 1}",  "[\"a\":1]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        if (!is_json(right[i]))
            fail_msg("refused: %s", right[i]);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (is_json(wrong[i]))
            fail_msg("taken: %s", wrong[i]);
    assert_false(syntax_check("[\0]", 3, "a", &(struct syntax){0}));
}

static void depth_has_its_bound(void **state)
{
    char text[20004];

    (void)state;
    memset(text, '[', 10000);
    memset(text + 10000, ']', 10000);
    text[20000] = '\0';
    assert_true(is_json(text));
    memset(text, '[', 10001);
    memset(text + 10001, ']', 10001);
    text[20002] = '\0';
    assert_false(is_json(text));
}

static void only_the_outermost_members_count(void **state)
{
    struct syntax syntax;

    (void)state;
    assert_true(syntax_check(" {\"a\":1, \"trigger\" :{}}", 23, "trigger", &syntax));
    assert_true(syntax.is_object && syntax.has_member);
    assert_true(syntax_check("{\"a\":{\"trigger\":1}}", 19, "trigger", &syntax));
    assert_true(syntax.is_object && !syntax.has_member);
    assert_true(syntax_check("[\"trigger\"]", 11, "trigger", &syntax));
    assert_true(!syntax.is_object && !syntax.has_member);
}

static void check_exports(const char *text, enum status expected, const char *object)
{
    CLEANUP(secret_reset) struct secret written = {0};
    struct failure failure = {0};

    assert_int_equal(exports_write(text, strlen(text), &failure, &written), expected);
    assert_string_equal(expected == STATUS_OK ? secret_text(&written) : failure.sentence, object);
}

static void exports_become_one_object(void **state)
{
    (void)state;
    json_start();
    check_exports("", STATUS_OK, "{}");
    check_exports("a=1\nb:json=1\n", STATUS_OK, "{\"a\":\"1\",\"b\":1}");
    check_exports("a:json={\n\"b\":\n[1]}\nc=x=y", STATUS_OK, "{\"a\":{\"b\":[1]},\"c\":\"x=y\"}");
    check_exports("$return_value:json=null\n$summary=done\n", STATUS_OK,
                  "{\"$return_value\":null,\"$summary\":\"done\"}");
    check_exports("a=1\na:json=2\n", STATUS_OK, "{\"a\":2}");
    check_exports("a=\n\n", STATUS_OK, "{\"a\":\"\"}");
    check_exports("a:json=\n", STATUS_INVALID, "the export a is not JSON");
    check_exports("a:json=1,2\n", STATUS_INVALID, "the export a is not JSON");
    check_exports("a:json=[\nb=1\n", STATUS_INVALID, "the export a is not JSON");
    check_exports("a=\xff\n", STATUS_INVALID, "the export a is not UTF-8 text");
    check_exports("a:json= [ 0.10 , 12345678901234567890 ,\n\"\\\" \\\\\" , 1e400 ]\n", STATUS_OK,
                  "{\"a\":[0.10,12345678901234567890,\"\\\" \\\\\",1e400]}");
    check_exports("a=1\nb\n", STATUS_INVALID,
                  "line 2 of what the code exported is neither NAME:json=JSON nor NAME=TEXT");
    check_exports("=1\n", STATUS_INVALID,
                  "line 1 of what the code exported is neither NAME:json=JSON nor NAME=TEXT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_told_from_what_is_none),
        cmocka_unit_test(depth_has_its_bound),
        cmocka_unit_test(only_the_outermost_members_count),
        cmocka_unit_test(exports_become_one_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
