/* A leaf as its line. */
#include "leaf.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIME_MS UINT64_C(1763803860123) /* 2025-11-22T09:31:00.123Z */

static const uint8_t previous[32] = {0xab, 0xcd};
static const uint8_t tag[16] = {0x12, 0x34};
static const struct leaf_caller full_caller = {.uid = 1000,
                                               .gid = 100,
                                               .pid = 42,
                                               .program = "/usr/bin/a",
                                               .parent_pid = 7,
                                               .parent_program = "/bin/sh"};
static const struct leaf_caller bare_caller = {.uid = 0, .gid = 0, .pid = 1};

static const struct leaf_position first = {.time_ms = TIME_MS, .writer = "0011223344556677", .epoch = 1};
static const struct leaf_position later = {.time_ms = TIME_MS,
                                           .writer = "0011223344556677",
                                           .sequence = 5,
                                           .previous = previous,
                                           .epoch = 3,
                                           .state_tag = tag};

static struct secret line;
static struct failure failure;

static int stop(void **state)
{
    (void)state;
    secret_reset(&line);
    return 0;
}

static struct json *parse(void)
{
    struct json *json = NULL;

    assert_int_equal(json_parse(line.bytes, line.size, "line", &failure, &json), STATUS_OK);
    return json;
}

static void assert_members(const struct json *object, const char *const *keys, size_t count)
{
    const struct json *value;
    void *iterator = NULL;
    const char *key;
    size_t at = 0;

    while (json_next(object, &iterator, &key, &value)) {
        assert_true(at < count);
        assert_string_equal(key, keys[at]);
        at++;
    }
    assert_int_equal(at, count);
}

static void a_full_leaf_has_its_members_in_the_order_of_the_format(void **state)
{
    static const char *const keys[] = {"v",     "salt",     "time",   "writer",  "writer_seq", "prev",
                                       "epoch", "state",    "action", "outcome", "why",        "step",
                                       "path",  "variable", "alias",  "account", "app",        "label",
                                       "who",   "claimed",  "deliver"};
    static const char *const who[] = {"uid", "gid", "pid", "exe", "parent"};
    static const char *const claims[] = {"purpose", "command", "reason"};
    struct leaf leaf = {.action = "project",
                        .why = STATUS_DENIED,
                        .caller = &full_caller,
                        .purpose = "p",
                        .command = "c",
                        .reason = "r",
                        .step = "a/b",
                        .path = "a",
                        .variable = "V",
                        .alias = "slack",
                        .account = "00",
                        .app = "slack",
                        .label = "main"};
    struct json *json;

    (void)state;
    assert_true(secret_append_text(&leaf.details, "\"deliver\":[\"env\"]"));
    assert_int_equal(leaf_render(&leaf, &later, &failure, &line), STATUS_OK);
    json = parse();
    assert_members(json, keys, sizeof keys / sizeof keys[0]);
    assert_members(json_member(json, "who"), who, sizeof who / sizeof who[0]);
    assert_members(json_member(json, "claimed"), claims, sizeof claims / sizeof claims[0]);
    assert_int_equal(json_member_number(json, "v", 0), 1);
    assert_string_equal(json_member_text(json, "time"), "2025-11-22T09:31:00.123Z");
    assert_int_equal(json_member_number(json, "writer_seq", 0), 5);
    assert_string_equal(json_member_text(json, "prev"),
                        "abcd000000000000000000000000000000000000000000000000000000000000");
    assert_string_equal(json_member_text(json, "state"), "12340000000000000000000000000000");
    assert_int_equal(json_member_number(json, "epoch", 0), 3);
    assert_string_equal(json_member_text(json, "outcome"), "refused");
    assert_string_equal(json_member_text(json, "why"), status_wire_name(STATUS_DENIED));
    assert_int_equal(json_member_number(json_member(json_member(json, "who"), "parent"), "pid", 0), 7);
    json_freep(&json);
    leaf_reset(&leaf);
}

static void a_bare_leaf_leaves_out_what_does_not_apply(void **state)
{
    static const char *const keys[] = {"v",     "salt",   "time",    "writer", "writer_seq",
                                       "epoch", "action", "outcome", "who"};
    static const char *const who[] = {"uid", "gid", "pid"};
    struct leaf leaf = {.action = "lock", .granted = true, .caller = &bare_caller, .step = "", .reason = ""};
    struct json *json;

    (void)state;
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    json = parse();
    assert_members(json, keys, sizeof keys / sizeof keys[0]);
    assert_members(json_member(json, "who"), who, sizeof who / sizeof who[0]);
    json_freep(&json);
}

static void text_that_is_not_utf8_is_left_out_and_the_rest_is_escaped(void **state)
{
    struct leaf_caller strange = {
        .pid = 1, .program = "/tmp/\xff", .parent_pid = 2, .parent_program = "\xc3"};
    struct leaf leaf = {.action = "x",
                        .granted = true,
                        .caller = &strange,
                        .purpose = "\xed\xa0\x80",
                        .command = "line\nquote\"\x1b[2J",
                        .path = "caf\xc3\xa9"};
    struct json *json;

    (void)state;
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    assert_null(memchr(line.bytes, '\n', line.size));
    assert_null(memchr(line.bytes, 0x1b, line.size));
    json = parse();
    assert_null(json_member(json_member(json, "who"), "exe"));
    assert_null(json_member(json_member(json_member(json, "who"), "parent"), "exe"));
    assert_null(json_member(json_member(json, "claimed"), "purpose"));
    assert_string_equal(json_member_text(json_member(json, "claimed"), "command"), "line\nquote\"\x1b[2J");
    assert_string_equal(json_member_text(json, "path"), "caf\xc3\xa9");
    json_freep(&json);
}

static void two_equal_leaves_differ_by_their_salt(void **state)
{
    struct leaf leaf = {.action = "x", .granted = true, .caller = &bare_caller};
    struct secret other = {0};

    (void)state;
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    assert_int_equal(leaf_render(&leaf, &first, &failure, &other), STATUS_OK);
    assert_int_equal(line.size, other.size);
    assert_memory_not_equal(line.bytes, other.bytes, line.size);
    secret_reset(&other);
}

static void what_stood_in_the_destination_is_gone(void **state)
{
    struct leaf leaf = {.action = "x", .granted = true, .caller = &bare_caller};

    (void)state;
    assert_true(secret_append_text(&line, "something"));
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    assert_int_equal(line.bytes[0], '{');
}

static void a_line_of_the_largest_size_is_rendered_and_one_byte_more_is_refused(void **state)
{
    struct leaf leaf = {.action = "x", .granted = true, .caller = &bare_caller};
    char *reason = malloc(LEAF_LINE_MAX + 2);
    size_t frame;

    (void)state;
    assert_non_null(reason);
    memcpy(reason, "r", 2);
    leaf.reason = reason;
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    frame = line.size - 1;
    memset(reason, 'r', LEAF_LINE_MAX - frame);
    reason[LEAF_LINE_MAX - frame] = '\0';
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    assert_int_equal(line.size, LEAF_LINE_MAX);
    strcat(reason, "r");
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_TOO_LARGE);
    assert_non_null(strstr(failure.sentence, "65536"));
    free(reason);
}

static void a_position_is_read_without_parsing_the_line(void **state)
{
    const struct leaf leaf = {.action = "get", .granted = true, .caller = &bare_caller};
    struct leaf_stated stated;
    char hex[65], cut[LEAF_LINE_MAX + 1];

    (void)state;
    assert_int_equal(leaf_render(&leaf, &first, &failure, &line), STATUS_OK);
    assert_true(leaf_read_position(secret_text(&line), &stated));
    assert_memory_equal(stated.writer, first.writer, 16);
    assert_int_equal(stated.sequence, 0);
    assert_int_equal(stated.epoch, 1);
    assert_null(stated.previous);
    assert_null(stated.state_tag);
    assert_int_equal(leaf_render(&leaf, &later, &failure, &line), STATUS_OK);
    assert_true(leaf_read_position(secret_text(&line), &stated));
    assert_int_equal(stated.sequence, 5);
    assert_int_equal(stated.epoch, 3);
    text_to_hex(hex, previous, sizeof previous);
    assert_memory_equal(stated.previous, hex, 64);
    text_to_hex(hex, tag, sizeof tag);
    assert_memory_equal(stated.state_tag, hex, 32);
    /* Nothing shorter than up to the action passes. */
    size_t end =
        (size_t)(strstr(secret_text(&line), "\"action\":\"") + strlen("\"action\":\"") - secret_text(&line));
    for (size_t size = 0; size <= end; size++) {
        memcpy(cut, line.bytes, size);
        cut[size] = '\0';
        assert_int_equal(leaf_read_position(cut, &stated), size == end);
    }
    assert_false(leaf_read_position("{\"salt\":\"00112233445566778899aabbccddeeff\",\"v\":1}", &stated));
}

static bool add_number(struct leaf *leaf, const char *name, uint64_t number)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    if (name != NULL)
        json_add_number(&writer, name, number);
    return leaf_add_details(leaf, &writer);
}

static void details_are_added_to_those_that_are_there(void **state)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "lock"};

    (void)state;
    assert_true(add_number(&leaf, NULL, 0));
    assert_string_equal(secret_text(&leaf.details), "");
    assert_true(add_number(&leaf, "one", 1));
    assert_true(add_number(&leaf, "two", 2));
    assert_true(add_number(&leaf, NULL, 0));
    assert_string_equal(secret_text(&leaf.details), "\"one\":1,\"two\":2");
}

static void details_that_could_not_be_written_change_nothing(void **state)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "lock"};
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    (void)state;
    assert_true(add_number(&leaf, "one", 1));
    leaf_open_details(&writer, &object);
    json_add_text(&writer, "text", "\xff");
    assert_false(leaf_add_details(&leaf, &writer));
    assert_string_equal(secret_text(&leaf.details), "\"one\":1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_full_leaf_has_its_members_in_the_order_of_the_format, stop),
        cmocka_unit_test_teardown(a_bare_leaf_leaves_out_what_does_not_apply, stop),
        cmocka_unit_test_teardown(text_that_is_not_utf8_is_left_out_and_the_rest_is_escaped, stop),
        cmocka_unit_test_teardown(two_equal_leaves_differ_by_their_salt, stop),
        cmocka_unit_test_teardown(a_position_is_read_without_parsing_the_line, stop),
        cmocka_unit_test_teardown(what_stood_in_the_destination_is_gone, stop),
        cmocka_unit_test(details_are_added_to_those_that_are_there),
        cmocka_unit_test(details_that_could_not_be_written_change_nothing),
        cmocka_unit_test_teardown(a_line_of_the_largest_size_is_rendered_and_one_byte_more_is_refused, stop),
    };

    json_start();
    if (seal_start(&failure) != STATUS_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
