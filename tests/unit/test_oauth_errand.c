/* The line of a job: what is taken, what is refused, and lines as they come in pieces. */
#include "oauth/errand.h"
#include "oauth/input.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROVIDER                                                                                             \
    "\"provider\":\"{\\\"slug\\\":\\\"x\\\",\\\"title\\\":\\\"X\\\",\\\"methods\\\":{\\\"oauth\\\":{"        \
    "\\\"kind\\\":"                                                                                          \
    "\\\"oauth2\\\",\\\"title\\\":\\\"O\\\",\\\"request\\\":{},\\\"oauth\\\":{\\\"authorize_url\\\":"        \
    "\\\"https://x.example/a\\\",\\\"token_url\\\":\\\"https://x.example/t\\\"}}}}\""
#define CLIENT "\"client\":{\"id\":\"i\",\"secret\":\"s\"}"

#define REQUEST ",\"method\":\"GET\",\"url\":\"/\",\"origin\":\"https://x.example\""

static const char *const good[] = {
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"scopes\":[\"a\"],\"user_scopes\":[],"
    "\"redirect_uri\":\"http://127.0.0.1/\",\"port\":1,\"seconds\":600,\"properties\":{\"a\":\"b\"}}",
    "{\"job\":\"connect\"," PROVIDER ",\"client\":{\"id\":\"i\"},\"flow\":\"client_credentials\"}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"properties\":{\"oauth_refresh_token\":\"r\"}}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"flow\":\"client_credentials\",\"scopes\":[]}",
    "{\"job\":\"revoke\"," PROVIDER "," CLIENT ",\"properties\":{}}",
    "{\"job\":\"test\"," PROVIDER "}",
    "{\"job\":\"request\"," PROVIDER REQUEST "}",
    "{\"job\":\"request\"," PROVIDER REQUEST
    ",\"headers\":[\"A: b\"],\"body_base64\":\"YQ==\",\"properties\":{}}",
    "{\"job\":\"request\",\"provider\":\"{\\\"slug\\\":\\\"x\\\",\\\"title\\\":\\\"X\\\",\\\"methods\\\":{"
    "\\\"k\\\":{\\\"kind\\\":\\\"api_key\\\",\\\"title\\\":\\\"K\\\",\\\"fields\\\":{\\\"k\\\":{"
    "\\\"title\\\":\\\"K\\\"}},\\\"request\\\":{\\\"headers\\\":{\\\"X\\\":\\\"{k}\\\"}}}}}\"" REQUEST "}",
};

static const char *const bad[] = {
    "",
    "{}",
    "[]",
    "{\"job\":1}",
    "{\"job\":\"steal\"," PROVIDER "}",
    "{\"job\":\"refresh\"," PROVIDER "}",
    "{\"job\":\"refresh\"," CLIENT "}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"more\":1}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"flow\":\"device\"}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"properties\":{\"a\":1}}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"properties\":[]}",
    "{\"job\":\"refresh\"," PROVIDER "," CLIENT ",\"properties\":null}",
    "{\"job\":\"refresh\"," PROVIDER ",\"client\":{\"id\":\"i\",\"key\":\"k\"}}",
    "{\"job\":\"refresh\"," PROVIDER ",\"client\":{\"secret\":\"s\"}}",
    "{\"job\":\"test\"," PROVIDER ",\"port\":1}",
    "{\"job\":\"test\",\"provider\":\"{}\"}",
    "{\"job\":\"test\"," PROVIDER REQUEST "}",
    "{\"job\":\"request\"," PROVIDER "}",
    "{\"job\":\"request\"," PROVIDER REQUEST ",\"headers\":{\"A\":\"b\"}}",
    "{\"job\":\"request\"," PROVIDER REQUEST ",\"seconds\":1}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT "}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"magic\"}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"port\":65536}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"port\":-1}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"seconds\":0}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"seconds\":86400}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"scopes\":\"a\"}",
    "{\"job\":\"connect\"," PROVIDER "," CLIENT ",\"flow\":\"browser\",\"scopes\":[1]}",
};

static void jobs_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CLEANUP(errand_freep) struct errand *errand = NULL;
        struct failure failure;

        if (errand_read(good[i], strlen(good[i]), &failure, &errand) != STATUS_OK)
            fail_msg("%s: %s", good[i], failure.sentence);
        assert_non_null(errand->provider);
        assert_int_equal(errand->seconds, 600);
    }
}

static void what_is_not_exactly_a_job_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct errand *errand = NULL;
        struct failure failure;

        print_message("# %s\n", bad[i]);
        assert_int_equal(errand_read(bad[i], strlen(bad[i]), &failure, &errand), STATUS_INVALID);
        assert_null(errand);
    }
}

static void an_empty_secret_is_none(void **state)
{
    static const char line[] = "{\"job\":\"test\"," PROVIDER ",\"client\":{\"id\":\"i\",\"secret\":\"\"}}";
    CLEANUP(errand_freep) struct errand *errand = NULL;
    struct failure failure;

    (void)state;
    assert_int_equal(errand_read(line, strlen(line), &failure, &errand), STATUS_OK);
    assert_null(errand->client_secret);
}

/* ---- lines ---- */

static int pipe_with(const char *text, int *ret_write)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
    *ret_write = ends[1];
    return ends[0];
}

static void lines_are_taken_one_by_one(void **state)
{
    CLEANUP(cleanup_close) int write_end = -1;
    CLEANUP(cleanup_close) int read_end = pipe_with("one\ntwo\nthr", &write_end);
    struct input input = {.descriptor = read_end};
    CLEANUP(secret_reset) struct secret line = {0};

    (void)state;
    assert_false(input_take_line(&input, &line));
    assert_true(input_wait_line(&input, &line));
    assert_string_equal(secret_text(&line), "one");
    assert_true(input_take_line(&input, &line));
    assert_string_equal(secret_text(&line), "two");
    assert_false(input_take_line(&input, &line));
    assert_int_equal(write(write_end, "ee\n", 3), 3);
    assert_true(input_wait_line(&input, &line));
    assert_string_equal(secret_text(&line), "three");
    cleanup_close(&write_end);
    assert_false(input_wait_line(&input, &line));
    assert_true(input.ended);
    input_reset(&input);
}

static void a_line_without_an_end_is_none(void **state)
{
    CLEANUP(cleanup_close) int write_end = -1;
    CLEANUP(cleanup_close) int read_end = pipe_with("cut", &write_end);
    struct input input = {.descriptor = read_end};
    CLEANUP(secret_reset) struct secret line = {0};

    (void)state;
    cleanup_close(&write_end);
    assert_false(input_wait_line(&input, &line));
    input_reset(&input);
}

static void a_line_that_is_too_long_ends_the_input(void **state)
{
    CLEANUP(cleanup_close) int read_end = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    struct input input = {.descriptor = read_end};
    CLEANUP(secret_reset) struct secret line = {0};

    (void)state;
    assert_true(read_end >= 0);
    assert_false(input_wait_line(&input, &line));
    assert_true(input.ended);
    assert_true(input.pending.size <= INPUT_LINE_MAX + 8192);
    input_reset(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_read),
        cmocka_unit_test(what_is_not_exactly_a_job_is_refused),
        cmocka_unit_test(an_empty_secret_is_none),
        cmocka_unit_test(lines_are_taken_one_by_one),
        cmocka_unit_test(a_line_without_an_end_is_none),
        cmocka_unit_test(a_line_that_is_too_long_ends_the_input),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
