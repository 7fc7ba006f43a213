/* The reader of flat replies: what is JSON and what is not, and what is found in it. */
#include "client/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Checked in memory of exactly its size, so that reading past the end is seen by the sanitizer. */
static bool check_bytes(const char *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    bool result;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    result = wire_check(copy, size);
    free(copy);
    return result;
}

static bool check(const char *json)
{
    return check_bytes(json, strlen(json));
}

static struct wire_value value_of(const char *json)
{
    return (struct wire_value){json, strlen(json)};
}

static void well_formed_objects_are_accepted(void **state)
{
    static const char *const texts[] = {
        "{}",
        " \t\r\n{ } \n",
        "{\"a\":1}",
        "{\"\":0}",
        "{\"a\":\"b\",\"a\":\"c\"}",
        "{\"a\":[]}",
        "{\"a\":[null,true,false,1,\"x\",{},[ ]]}",
        "{ \"a\" : [ 1 , 2 ] , \"b\" : { \"c\" : null } }",
        "{\"n\":[0,-0,-1,10,1.5,0.0,1e5,1E+2,1e-2,123456789012345678901234567890.5e300]}",
        "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\uFFFF\"}",
        "{\"s\":\"\\ud83d\\ude00\"}",
        "{\"s\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}",
        "{\"s\":\"\\u0000\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!check(texts[i]))
            fail_msg("refused: %s", texts[i]);
    }
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "[]",
        "\"a\"",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\"::1}",
        "{\"a\":1}}",
        "{\"a\":1}{}",
        "{\"a\":1}x",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}",
        "{\"a\":[}]",
        "{\"a\":(1)}",
        "{\"a\":nul}",
        "{\"a\":nulll}",
        "{\"a\":True}",
        "{\"a\":tru",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":+1}",
        "{\"a\":01}",
        "{\"a\":-01}",
        "{\"a\":-}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1.e5}",
        "{\"a\":1e}",
        "{\"a\":1e+}",
        "{\"a\":0x1}",
        "{\"a\":1_000}",
        "{\"a\":\"b}",
        "{\"a\":\"\\\"}",
        "{\"a\":\"\\x41\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\U0041\"}",
        "{\"a\":\"\\'\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\x1f\"}",
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":\"\\ud83dx\"}",
        "{\"a\":\"\\ud83d\\n\"}",
        "{\"a\":\"\\ud83d\\u0041\"}",
        "{\"a\":\"\\ude00\"}",
        "{\"a\":\"\\ude00\\ud83d\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xc3\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\xf4\x90\x80\x80\"}",
        "\xef\xbb\xbf{}",
        "{\"a\":1}\xc2\xa0",
        "{\"a\":1} // c",
        "{\"a\":/**/1}",
        "{\"a\":\f1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (check(texts[i]))
            fail_msg("accepted: %s", texts[i]);
    }
    assert_false(check_bytes("{}\0", 3));
    assert_false(check_bytes("{\"a\":\"\0\"}", 9));
    assert_false(check_bytes("{\"a\":\"\\\0\"}", 10));
}

static void every_prefix_of_an_object_is_refused(void **state)
{
    static const char json[] = "{\"a\":[1.5e3,\"\\ud83d\\ude00\",{\"b\":null}],\"c\":true}";

    (void)state;
    for (size_t size = 0; size < strlen(json); size++)
        assert_false(check_bytes(json, size));
    assert_true(check_bytes(json, strlen(json)));
}

static void depth_has_a_bound(void **state)
{
    char json[2 * 100000];

    (void)state;
    for (unsigned inner = WIRE_DEPTH_MAX - 2; inner <= WIRE_DEPTH_MAX; inner++) {
        size_t size = 0;

        memcpy(json, "{\"a\":", 5);
        size = 5;
        memset(json + size, '[', inner);
        size += inner;
        memset(json + size, ']', inner);
        size += inner;
        json[size++] = '}';
        assert_int_equal(check_bytes(json, size), inner < WIRE_DEPTH_MAX);
    }
    memset(json, '[', sizeof(json));
    memcpy(json, "{\"a\":", 5);
    assert_false(check_bytes(json, sizeof(json)));
}

static void members_are_found_where_they_are(void **state)
{
    const struct wire_value object = value_of(
        "{ \"x\\u0061\":0, \"b\" : {\"a\":2} , \"a\" : [1, {\"a\":3}] ,\"a\":9,\"n\":null,\"xa\":7 }");
    struct wire_value value = {0};

    (void)state;
    assert_true(wire_member(object, "a", &value));
    assert_memory_equal(value.start, "[1, {\"a\":3}]", value.size);
    assert_int_equal(value.size, 12);
    assert_true(wire_is_array(value));
    assert_true(wire_member(object, "b", &value));
    assert_true(wire_is_object(value));
    assert_true(wire_member(value, "a", &value));
    assert_int_equal(value.size, 1);
    assert_int_equal(value.start[0], '2');
    assert_true(wire_member(object, "xa", &value));
    assert_int_equal(value.start[0], '7');
}

static void a_missing_member_leaves_the_result_alone(void **state)
{
    struct wire_value value = {"untouched", 9};

    (void)state;
    assert_false(wire_member(value_of("{}"), "a", &value));
    assert_false(wire_member(value_of("{\"b\":1}"), "a", &value));
    assert_false(wire_member(value_of("{\"a\":null}"), "a", &value));
    assert_false(wire_member(value_of("{\"aa\":1}"), "a", &value));
    assert_false(wire_member(value_of("{\"b\":{\"a\":1}}"), "a", &value));
    assert_false(wire_member(value_of("[\"a\",1]"), "a", &value));
    assert_false(wire_member(value_of("\"a\""), "a", &value));
    assert_false(wire_member(value_of("{\"a\":"), "a", &value));
    assert_false(wire_member(value_of("{\"a\":x}"), "a", &value));
    assert_false(wire_member((struct wire_value){"", 0}, "a", &value));
    assert_string_equal(value.start, "untouched");
}

static void assert_text(const char *json, const char *expected, size_t size)
{
    struct secret text = {0};

    assert_true(secret_append_text(&text, "<"));
    assert_true(wire_text(value_of(json), &text));
    assert_int_equal(text.size, size + 1);
    assert_memory_equal(secret_text(&text) + 1, expected, size);
    secret_reset(&text);
}

static void text_is_unescaped(void **state)
{
    (void)state;
    assert_text("\"\"", "", 0);
    assert_text("\"plain\"", "plain", 5);
    assert_text("\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "a\"b\\c/d\b\f\n\r\t", 12);
    assert_text("\"\\u0041\\u00e9\\u20AC\\uffff\"", "A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf", 9);
    assert_text("\"\\ud83d\\ude00\\udbff\\udfff\"", "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 8);
    assert_text("\"\xc3\xa9\\n\"", "\xc3\xa9\n", 3);
}

static void what_is_no_text_leaves_the_destination_as_it_was(void **state)
{
    static const char *const values[] = {
        "",        "1",           "null",          "\"",           "\"a", "\"a\" ", "\"a\"b\"",
        "[\"a\"]", "\"\\u0000\"", "\"ab\\u0000\"", "\"ab\\ud800\""};
    struct secret text = {0};

    (void)state;
    assert_true(secret_append_text(&text, "before"));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (wire_text(value_of(values[i]), &text))
            fail_msg("taken: %s", values[i]);
        assert_string_equal(secret_text(&text), "before");
    }
    secret_reset(&text);
}

static void an_array_is_walked_once_through(void **state)
{
    const struct wire_value array = value_of("[ \"a,]\" , [1,2],{\"x\":[]} ,null ]");
    static const char *const expected[] = {"\"a,]\"", "[1,2]", "{\"x\":[]}", "null"};
    struct wire_value element;
    size_t position = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(wire_element(array, &position, &element));
        assert_int_equal(element.size, strlen(expected[i]));
        assert_memory_equal(element.start, expected[i], element.size);
    }
    assert_false(wire_element(array, &position, &element));
    assert_false(wire_element(array, &position, &element));
}

static void what_is_no_array_has_no_elements(void **state)
{
    static const char *const values[] = {"", "[", "[]", "[ ]", "{}", "\"[1]\"", "[,1]", "[x]", "["};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct wire_value element;
        size_t position = 0;

        assert_false(wire_element(value_of(values[i]), &position, &element));
    }
}

static void an_object_is_walked_pair_by_pair(void **state)
{
    static const char *const keys[] = {"\"a\"", "\"\\u0062\"", "\"\""};
    static const char *const values[] = {"{\"x\":[1]}", "2", "null"};
    struct wire_value object = value_of(" { \"a\" : {\"x\":[1]},\"\\u0062\":2 , \"\":null }");
    struct wire_value key;
    struct wire_value value;
    size_t position = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(wire_pair(object, &position, &key, &value));
        assert_int_equal(key.size, strlen(keys[i]));
        assert_memory_equal(key.start, keys[i], key.size);
        assert_int_equal(value.size, strlen(values[i]));
        assert_memory_equal(value.start, values[i], value.size);
    }
    assert_false(wire_pair(object, &position, &key, &value));
}

static void what_is_no_object_has_no_pairs(void **state)
{
    static const char *const values[] = {"",      "{",       "{}",      "{ }",       "[1]",
                                         "{1:2}", "{\"a\"}", "{\"a\":", "{,\"a\":1}"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct wire_value key;
        struct wire_value value;
        size_t position = 0;

        assert_false(wire_pair(value_of(values[i]), &position, &key, &value));
    }
}

static void booleans_are_only_those_two_words(void **state)
{
    bool boolean = false;

    (void)state;
    assert_true(wire_boolean(value_of("true"), &boolean));
    assert_true(boolean);
    assert_true(wire_boolean(value_of("false"), &boolean));
    assert_false(boolean);
    assert_false(wire_boolean(value_of("truer"), &boolean));
    assert_false(wire_boolean(value_of("1"), &boolean));
    assert_false(wire_boolean(value_of("\"true\""), &boolean));
    assert_false(wire_boolean(value_of(""), &boolean));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_objects_are_accepted),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(every_prefix_of_an_object_is_refused),
        cmocka_unit_test(depth_has_a_bound),
        cmocka_unit_test(members_are_found_where_they_are),
        cmocka_unit_test(a_missing_member_leaves_the_result_alone),
        cmocka_unit_test(text_is_unescaped),
        cmocka_unit_test(what_is_no_text_leaves_the_destination_as_it_was),
        cmocka_unit_test(an_array_is_walked_once_through),
        cmocka_unit_test(what_is_no_array_has_no_elements),
        cmocka_unit_test(an_object_is_walked_pair_by_pair),
        cmocka_unit_test(what_is_no_object_has_no_pairs),
        cmocka_unit_test(booleans_are_only_those_two_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
