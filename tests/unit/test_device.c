/* The flow for devices: what a device endpoint says, and how often the token endpoint is asked. */
#include "oauth/device.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

static struct json *parse(const char *text)
{
    struct json *json = NULL;
    struct failure failure;

    if (json_parse(text, strlen(text), "it", &failure, &json) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    return json;
}

static void a_reply_is_read(void **state)
{
    CLEANUP(json_freep)
    struct json *reply = parse(
        "{\"device_code\":\"d\",\"user_code\":\"ABCD-EFGH\",\"verification_uri\":\"https://a.example/d\","
        "\"verification_uri_complete\":\"https://a.example/d?c=ABCD-EFGH\",\"expires_in\":300,"
        "\"interval\":7,\"message\":\"ignored\"}");
    struct device_grant grant;
    struct failure failure;

    (void)state;
    assert_int_equal(device_read(reply, false, &failure, &grant), STATUS_OK);
    assert_string_equal(grant.device_code, "d");
    assert_string_equal(grant.user_code, "ABCD-EFGH");
    assert_string_equal(grant.url, "https://a.example/d");
    assert_string_equal(grant.complete_url, "https://a.example/d?c=ABCD-EFGH");
    assert_int_equal(grant.interval_ms, 7000);
    assert_int_equal(grant.lifetime_ms, 300000);
}

static void what_a_reply_leaves_out_is_the_usual(void **state)
{
    static const char *const intervals[] = {"",
                                            ",\"interval\":0",
                                            ",\"interval\":-1",
                                            ",\"interval\":null",
                                            ",\"interval\":\"soon\"",
                                            ",\"interval\":[5]"};

    (void)state;
    for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
        char text[256];
        struct device_grant grant;
        struct failure failure;

        snprintf(text, sizeof(text),
                 "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_url\":\"https://a.example\"%s}",
                 intervals[i]);
        CLEANUP(json_freep) struct json *reply = parse(text);
        assert_int_equal(device_read(reply, false, &failure, &grant), STATUS_OK);
        assert_string_equal(grant.url, "https://a.example");
        assert_null(grant.complete_url);
        assert_int_equal(grant.interval_ms, DEVICE_INTERVAL_MS);
        assert_int_equal(grant.lifetime_ms, DEVICE_SECONDS * 1000);
    }
}

static void numbers_may_be_texts_and_are_bounded(void **state)
{
    CLEANUP(json_freep)
    struct json *reply =
        parse("{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"https://a.example\","
              "\"expires_in\":\"60\",\"interval\":99999999999}");
    struct device_grant grant;
    struct failure failure;

    (void)state;
    assert_int_equal(device_read(reply, false, &failure, &grant), STATUS_OK);
    assert_int_equal(grant.lifetime_ms, 60000);
    assert_int_equal(grant.interval_ms, DEVICE_INTERVAL_MAX_MS);
}

static void a_reply_that_cannot_be_shown_is_refused_and_not_repeated(void **state)
{
    static const char *const refused[] = {
        "{}",
        "{\"user_code\":\"canary\",\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":\"\",\"user_code\":\"canary\",\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":7,\"user_code\":\"canary\",\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":\"canary\",\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":\"canary\",\"user_code\":\"\",\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":\"d\",\"user_code\":\"canary\\u001b[2J\",\"verification_uri\":\"https://"
        "a.example\"}",
        "{\"device_code\":\"d\",\"user_code\":\"c\xc3\xa4nary\",\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":\"d\",\"user_code\":"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
        "\"verification_uri\":\"https://a.example\"}",
        "{\"device_code\":\"canary\",\"user_code\":\"u\"}",
        "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"http://canary.example\"}",
        "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"http://127.0.0.1/canary\"}",
        "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"javascript:canary()\"}",
        "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"--canary\"}",
        "{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"https://canary.example/;`id`\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CLEANUP(json_freep) struct json *reply = parse(refused[i]);
        struct device_grant grant;
        struct failure failure;

        if (device_read(reply, false, &failure, &grant) != STATUS_INVALID)
            fail_msg("%s", refused[i]);
        assert_null(strstr(failure.sentence, "canary"));
    }
}

static void a_complete_address_that_may_not_be_opened_is_left_out(void **state)
{
    CLEANUP(json_freep)
    struct json *reply =
        parse("{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"http://localhost:1/d\","
              "\"verification_uri_complete\":\"http://evil.example/d\"}");
    struct device_grant grant;
    struct failure failure;

    (void)state;
    assert_int_equal(device_read(reply, true, &failure, &grant), STATUS_OK);
    assert_string_equal(grant.url, "http://localhost:1/d");
    assert_null(grant.complete_url);
}

static void the_interval_is_kept_with_a_fifth_for_fast_clocks(void **state)
{
    struct device_pace pace = {.interval_ms = 5000};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "authorization_pending", false), 6000);
}

static void slow_down_makes_it_longer_for_good(void **state)
{
    struct device_pace pace = {.interval_ms = 5000};

    (void)state;
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "slow_down", false), 12000);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "authorization_pending", false), 12000);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "slow_down", false), 18000);
}

static void what_the_network_swallows_is_asked_again_later_and_later(void **state)
{
    struct device_pace pace = {.interval_ms = 5000};

    (void)state;
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "", false), 12000);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "temporarily_unavailable", false), 24000);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "", false), 48000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "server_error", false),
                         DEVICE_INTERVAL_MAX_MS);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "authorization_pending", false), 6000);
}

static void everything_else_is_the_end_unless_the_provider_is_busy(void **state)
{
    struct device_pace pace = {.interval_ms = 5000};

    (void)state;
    assert_int_equal(device_pace_next(&pace, VERDICT_OK, "", false), 0);
    assert_int_equal(device_pace_next(&pace, VERDICT_REFUSED, "access_denied", false), 0);
    assert_int_equal(device_pace_next(&pace, VERDICT_REFUSED, "expired_token", false), 0);
    assert_int_equal(device_pace_next(&pace, VERDICT_DEAD, "invalid_grant", false), 0);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "weird_thing", false), 0);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "weird_thing", true), 12000);
    assert_int_equal(device_pace_next(&pace, VERDICT_TRANSIENT, "slow_down", true), 12000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(what_a_reply_leaves_out_is_the_usual),
        cmocka_unit_test(numbers_may_be_texts_and_are_bounded),
        cmocka_unit_test(a_reply_that_cannot_be_shown_is_refused_and_not_repeated),
        cmocka_unit_test(a_complete_address_that_may_not_be_opened_is_left_out),
        cmocka_unit_test(the_interval_is_kept_with_a_fifth_for_fast_clocks),
        cmocka_unit_test(slow_down_makes_it_longer_for_good),
        cmocka_unit_test(what_the_network_swallows_is_asked_again_later_and_later),
        cmocka_unit_test(everything_else_is_the_end_unless_the_provider_is_busy),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
