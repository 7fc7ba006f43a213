/* Envelopes that are taken and refused, and the frames of replies. */
#include "agent/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

static enum status parse(struct call *call, const char *text)
{
    struct failure failure;

    return call_parse(call, text, strlen(text), &failure);
}

static void a_call_is_read_with_all_it_may_have(void **state)
{
    struct call call;

    (void)state;
    assert_int_equal(
        parse(&call, "{\"method\":\"a.b.C\",\"parameters\":{\"x\":1},\"more\":true,\"upgrade\":false}"),
        STATUS_OK);
    assert_string_equal(call.method, "a.b.C");
    assert_non_null(json_member(call.parameters, "x"));
    assert_true(call.more && !call.oneway && !call.upgrade);
    call_reset(&call);
    assert_int_equal(parse(&call, "{\"method\":\"C\",\"parameters\":null,\"oneway\":null,\"a.b\":[]}"),
                     STATUS_OK);
    assert_null(call.parameters);
    call_reset(&call);
}

static void what_is_no_call_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"method\":1}",
        "{\"method\":null}",
        "{\"method\":\"a.B\",\"parameters\":[]}",
        "{\"method\":\"a.B\",\"more\":1}",
        "{\"method\":\"a.B\",\"oneway\":\"yes\"}",
        "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
        "{\"method\":\"a.B\",\"extra\":1}",
        "{\"method\":\"a.B\",\"method\":\"a.B\"}",
        "{\"method\":\"a.B\"} {}",
    };

    (void)state;
    for (size_t at = 0; at < sizeof(texts) / sizeof(texts[0]); at++) {
        struct call call;

        if (parse(&call, texts[at]) != STATUS_INVALID)
            fail_msg("taken: %s", texts[at]);
        call_reset(&call);
    }
}

static void replies_are_framed_one_after_the_other(void **state)
{
    static const char expected[] = "{\"parameters\":{\"a\":1},\"continues\":true}\0{\"parameters\":{}}";
    struct secret output = {0};
    struct failure failure;
    struct reply reply;

    (void)state;
    reply_open(&reply, &output);
    json_add_number(&reply.writer, "a", 1);
    assert_int_equal(reply_close(&reply, true, &failure), STATUS_OK);
    reply_open(&reply, &output);
    assert_int_equal(reply_close(&reply, false, &failure), STATUS_OK);
    assert_int_equal(output.size, sizeof(expected));
    assert_memory_equal(output.bytes, expected, sizeof(expected));
    secret_reset(&output);
}

static void a_reply_that_cannot_be_finished_leaves_nothing(void **state)
{
    struct secret output = {0};
    struct failure failure;
    struct reply reply;

    (void)state;
    reply_open(&reply, &output);
    assert_int_equal(reply_close(&reply, false, &failure), STATUS_OK);
    size_t before = output.size;
    reply_open(&reply, &output);
    json_add_bytes(&reply.writer, "a", "\xff", 1);
    assert_int_equal(reply_close(&reply, false, &failure), STATUS_NO_MEMORY);
    assert_int_equal(output.size, before);
    reply_open(&reply, &output);
    for (unsigned at = 0; at < 9; at++) {
        static char megabyte[1024 * 1024];

        memset(megabyte, 'v', sizeof(megabyte));
        json_add_bytes(&reply.writer, "a", megabyte, sizeof(megabyte));
    }
    assert_int_equal(reply_close(&reply, false, &failure), STATUS_TOO_LARGE);
    assert_int_equal(output.size, before);
    secret_reset(&output);
}

static void errors_have_their_name_and_one_member(void **state)
{
    struct secret output = {0};
    struct failure failure;

    (void)state;
    failure_set(&failure, STATUS_LOCKED, "the \"vault\" is locked");
    reply_failure(&output, &failure);
    assert_string_equal(secret_text(&output),
                        "{\"error\":\"io.stepvault.Agent.Locked\",\"parameters\":{\"message\":\"the "
                        "\\\"vault\\\" is locked\"}}");
    secret_clear(&output);
    failure_set(&failure, STATUS_PROTOCOL, "x");
    reply_failure(&output, &failure);
    assert_non_null(strstr(secret_text(&output), "Agent.Failed\""));
    secret_clear(&output);
    failure_set(&failure, STATUS_WAITS, "x");
    reply_failure(&output, &failure);
    assert_non_null(strstr(secret_text(&output), "Agent.Failed\""));
    secret_clear(&output);
    reply_service_error(&output, "InvalidParameter", "parameter", "step");
    assert_string_equal(
        secret_text(&output),
        "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"step\"}}");
    secret_clear(&output);
    reply_service_error(&output, "ExpectedMore", NULL, NULL);
    assert_string_equal(secret_text(&output),
                        "{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}");
    secret_reset(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_read_with_all_it_may_have),
        cmocka_unit_test(what_is_no_call_is_refused),
        cmocka_unit_test(replies_are_framed_one_after_the_other),
        cmocka_unit_test(a_reply_that_cannot_be_finished_leaves_nothing),
        cmocka_unit_test(errors_have_their_name_and_one_member),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
