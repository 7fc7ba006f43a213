/* Taking a projection apart, and the public library. */
#include "client/stepvault.h"

#include "client/received.h"
#include "fake_server.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum status receive(const char *json, unsigned parts, struct received *received)
{
    struct failure failure;

    return received_read((struct wire_value){json, strlen(json)}, parts, &failure, received);
}

static void a_malformed_projection_is_refused_whole(void **state)
{
    static const char *const replies[] = {
        "{}",
        "{\"environment\":null}",
        "{\"environment\":7}",
        "{\"environment\":\"QT0xA\"}",                              /* not base64 */
        "{\"environment\":\"QT0x\"}",                               /* A=1 without its NUL */
        "{\"environment\":\"QQA=\"}",                               /* no = */
        "{\"environment\":\"PTEA\"}",                               /* no name */
        "{\"environment\":\"AA==\"}",                               /* an empty entry */
        "{\"environment\":\"MUE9MQA=\"}",                           /* 1A=1 */
        "{\"environment\":\"U1RFUFZBVUxUX1NURVA9eAA=\"}",           /* STEPVAULT_STEP=x */
        "{\"environment\":\"QkFTSF9GVU5DX3glJT0oKSB7IDo7IH0A\"}",   /* BASH_FUNC_x%%=() { :; } */
        "{\"environment\":\"QT0xAA==\",\"auths_base64\":\"eA==\"}", /* x is no document */
        "{\"environment\":\"QT0xAA==\",\"auths_base64\":\"W10=\"}", /* nor is [] */
        "{\"environment\":\"QT0xAA==\",\"auths_base64\":\"\"}",
        "{\"environment\":\"QT0xAA==\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        struct received received = {0};

        if (receive(replies[i], RECEIVED_AUTHS, &received) != STATUS_PROTOCOL)
            fail_msg("taken: %s", replies[i]);
        assert_null(received.entries);
    }
}

static void resolved_references_are_taken_apart_or_refused_whole(void **state)
{
    static const char *const bad[] = {
        "{\"environment\":\"\"}",
        "{\"environment\":\"\",\"resolved_entries\":7}",
        "{\"environment\":\"\",\"resolved_entries\":\"QT0x\"}",                     /* A=1 without its NUL */
        "{\"environment\":\"\",\"resolved_entries\":\"MUE9MQA=\"}",                 /* 1A=1 */
        "{\"environment\":\"\",\"resolved_entries\":\"U1RFUFZBVUxUX1NURVA9eAA=\"}", /* STEPVAULT_STEP=x */
    };
    struct received received = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (receive(bad[i], RECEIVED_REFERENCES, &received) != STATUS_PROTOCOL)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(receive("{\"environment\":\"\",\"resolved_entries\":\"QT0xAEI9AA==\"}",
                             RECEIVED_REFERENCES, &received),
                     STATUS_OK);
    assert_int_equal(received.count, 0);
    assert_int_equal(received.resolved_count, 2);
    assert_string_equal(received.resolved[0], "A=1");
    assert_string_equal(received.resolved[1], "B=");
    received_reset(&received);
}

static void a_projection_is_taken_apart(void **state)
{
    struct received received = {0};

    (void)state;
    assert_int_equal(receive("{\"environment\":\"QT0xAEI9AEM9eD15AA==\",\"auths_base64\":\"e30=\"}",
                             RECEIVED_AUTHS, &received),
                     STATUS_OK);
    assert_int_equal(received.count, 3);
    assert_string_equal(received_variable(&received, "A"), "1");
    assert_string_equal(received_variable(&received, "B"), "");
    assert_string_equal(received_variable(&received, "C"), "x=y");
    assert_null(received_variable(&received, "D"));
    assert_null(received.entries[3]);
    assert_string_equal(secret_text(&received.auths), "{}");
    received_reset(&received);
    received_reset(&received);
    assert_int_equal(receive("{\"environment\":\"\",\"credentials_entries\":\"QT0xAHMudC0xPTI9AA==\"}",
                             RECEIVED_CREDENTIALS, &received),
                     STATUS_OK);
    assert_int_equal(received.credential_count, 2);
    assert_string_equal(received.credentials[0], "A=1");
    assert_string_equal(received.credentials[1], "s.t-1=2=");
    assert_null(received.credentials[2]);
    received_reset(&received);
    assert_int_equal(receive("{\"environment\":\"\"}", 0, &received), STATUS_OK);
    assert_int_equal(received.count, 0);
    received_reset(&received);
}

static void serve_projection(int connection)
{
    static char frame[4096];

    while (fake_get_frame(connection, frame, sizeof(frame)) > 0) {
        if (strstr(frame, "\"step\":\"billing/notify\"") == NULL ||
            strstr(frame, "\"form\":\"environment\"") == NULL)
            fake_put_frame(connection,
                           "{\"error\":\"io.stepvault.Agent.NotFound\",\"parameters\":{\"message\":\"no "
                           "such step\"}}");
        else
            fake_put_frame(
                connection,
                "{\"parameters\":{\"environment\":\"QT0xAEI9eCB5AA==\",\"auths_base64\":\"eyJhIjp7fX0=\"}}");
    }
}

static void the_library_gives_variables_and_accounts(void **state)
{
    struct stepvault_request request = {.vault = fake_vault, .step = "billing/notify", .deliver_auths = 1};
    struct stepvault_projection *projection = NULL;
    char error[STEPVAULT_ERROR_MAX];

    (void)state;
    fake_start(serve_projection);
    assert_int_equal(stepvault_project(&request, &projection, error), 0);
    assert_string_equal(stepvault_variable(projection, "A"), "1");
    assert_string_equal(stepvault_variable(projection, "B"), "x y");
    assert_null(stepvault_variable(projection, "C"));
    assert_string_equal(stepvault_entry(projection, 1), "B=x y");
    assert_null(stepvault_entry(projection, 2));
    assert_string_equal(stepvault_auths(projection), "{\"a\":{}}");
    stepvault_free(projection);
    stepvault_free(NULL);
    request.deliver_auths = 0;
    request.step = NULL;
    assert_int_equal(setenv("STEPVAULT_STEP", "billing/notify", 1), 0);
    assert_int_equal(stepvault_project(&request, &projection, error), 0);
    assert_null(stepvault_auths(projection));
    stepvault_free(projection);
}

static void the_library_fails_as_the_command_does(void **state)
{
    struct stepvault_request request = {.vault = fake_vault};
    struct stepvault_projection *projection = NULL;
    char error[STEPVAULT_ERROR_MAX];

    assert_int_equal(stepvault_project(&request, &projection, error), 2);
    request.step = "no//path";
    assert_int_equal(stepvault_project(&request, &projection, error), 1);
    request.step = "other";
    assert_int_equal(stepvault_project(&request, &projection, error), 4);
    assert_non_null(strstr(error, "there is no vault"));
    fake_start(serve_projection);
    assert_int_equal(stepvault_project(&request, &projection, error), 4);
    assert_string_equal(error, "no such step");
    fake_end(state);
    fake_start(fake_serve_locked);
    assert_int_equal(stepvault_project(&request, &projection, error), 3);
    assert_null(projection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(a_malformed_projection_is_refused_whole),
        FAKE_TEST(a_projection_is_taken_apart),
        FAKE_TEST(resolved_references_are_taken_apart_or_refused_whole),
        FAKE_TEST(the_library_gives_variables_and_accounts),
        FAKE_TEST(the_library_fails_as_the_command_does),
    };

    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
