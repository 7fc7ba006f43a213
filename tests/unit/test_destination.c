/* Where requests of an entry go, as the agent reads it. */
#include "catalog/destination.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ENTRY(request, more)                                                                                 \
    "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"key\":{\"kind\":\"api_key\",\"title\":\"K\",\"fields\":" \
    "{"                                                                                                      \
    "\"subdomain\":{\"title\":\"S\"},\"region\":{\"title\":\"R\",\"default\":\"eu\"},"                       \
    "\"api_key\":{\"title\":\"K\"}},\"request\":" request more "}}}"
#define HEADED "\"headers\":{\"X-Key\":\"{api_key}\",\"X-Version\":\"{version}\",\"Accept\":\"a/b\"}"
#define CALLER "\"caller\":{\"version\":{\"title\":\"V\",\"example\":\"7\"}}"

static struct failure failure;

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

/* The account of these tests; `context` is its subdomain. */
static const char *value(const void *context, const char *name)
{
    if (strcmp(name, "subdomain") == 0)
        return context;
    return strcmp(name, "api_key") == 0 ? "canary" : NULL;
}

static enum status origin_of(const char *entry, const char *subdomain, struct secret *origin)
{
    CLEANUP(destination_reset) struct destination destination = {0};
    enum status status = destination_open(entry, &failure, &destination);

    return status == STATUS_OK ? destination_origin(&destination, value, subdomain, &failure, origin)
                               : status;
}

static void the_origin_is_that_of_the_base(void **state)
{
    static const struct {
        const char *entry;
        const char *origin;
    } good[] = {
        {ENTRY("{\"base\":\"https://api.example.org/v2\"}",                  ""),                               "https://api.example.org" },
        {ENTRY("{\"base\":\"https://{subdomain}.example.org/v2\"}",          ""),                               "https://acme.example.org"},
        {ENTRY("{\"base\":\"https://{subdomain}.{region}.example.org:44\"}", ""),
         "https://acme.eu.example.org:44"                                                                                                 },
        {ENTRY("{\"base\":\"https://a.example/bot{api_key}\"}",              ""),                               "https://a.example"       },
        {ENTRY("{\"base\":\"https://a.example/{nothing}\"}",                 ""),                               "https://a.example"       },
        {ENTRY("{\"base\":\"https://v{version}.example/\"," CALLER "}",      ""),                               "https://v7.example"      },
        {ENTRY("{\"base\":\"http://127.0.0.1:99/x\"}",                       ",\"oauth\":{\"loopback\":true}"),
         "http://127.0.0.1:99"                                                                                                            },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CLEANUP(secret_reset) struct secret origin = {0};

        if (origin_of(good[i].entry, "acme", &origin) != STATUS_OK)
            fail_msg("%s: %s", good[i].entry, failure.sentence);
        assert_string_equal(secret_text(&origin), good[i].origin);
    }
}

static void what_has_no_place_to_go_is_refused_by_name(void **state)
{
    CLEANUP(secret_reset) struct secret origin = {0};

    (void)state;
    assert_int_equal(origin_of("{}", "", &origin), STATUS_INVALID);
    assert_int_equal(origin_of("[1", "", &origin), STATUS_INVALID);
    assert_int_equal(origin_of("{\"title\":\"X\",\"methods\":{\"a\":{},\"b\":{}}}", "", &origin),
                     STATUS_INVALID);
    assert_int_equal(origin_of("{\"title\":\"X\",\"methods\":[]}", "", &origin), STATUS_INVALID);
    assert_int_equal(origin_of(ENTRY("{}", ""), "", &origin), STATUS_REFUSED);
    assert_non_null(strstr(failure.sentence, "where requests to X go"));
    assert_int_equal(origin_of(ENTRY("{\"connection\":\"mysql://{subdomain}\"}", ""), "", &origin),
                     STATUS_REFUSED);
    assert_int_equal(
        origin_of(ENTRY("{\"base\":\"https://a\",\"signature\":\"aws_sigv4\"}", ""), "", &origin),
        STATUS_REFUSED);
    assert_non_null(strstr(failure.sentence, "aws_sigv4"));
    assert_int_equal(origin_of(ENTRY("{\"base\":\"https://{nothing}.example\"}", ""), "", &origin),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(failure.sentence, "nothing"));
    assert_int_equal(origin.size, 0);
}

static void plain_http_is_for_loopback_where_the_facts_say_so(void **state)
{
    CLEANUP(secret_reset) struct secret origin = {0};

    (void)state;
    assert_int_equal(origin_of(ENTRY("{\"base\":\"http://127.0.0.1/\"}", ""), "", &origin), STATUS_REFUSED);
    assert_int_equal(
        origin_of(ENTRY("{\"base\":\"http://a.example/\"}", ",\"oauth\":{\"loopback\":true}"), "", &origin),
        STATUS_REFUSED);
}

static void a_value_that_breaks_out_of_the_host_makes_no_origin_of_it(void **state)
{
    static const char *const values[] = {"a@b", "a#", "a\\b", "a b", "a%2f", "\xc3\xa4", "a\r\nb"};
    CLEANUP(secret_reset) struct secret origin = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_int_equal(
            origin_of(ENTRY("{\"base\":\"https://{subdomain}.example.org\"}", ""), values[i], &origin),
            STATUS_INVALID);
    /* The helper, which has the pattern, refuses this one; the log says where it would have gone. */
    assert_int_equal(
        origin_of(ENTRY("{\"base\":\"https://{subdomain}.example.org\"}", ""), "evil.example/", &origin),
        STATUS_OK);
    assert_string_equal(secret_text(&origin), "https://evil.example");
}

static void only_the_very_host_and_port_are_let_pass(void **state)
{
    static const struct {
        const char *url;
        enum status status;
    } rows[] = {
        {"/a",                             STATUS_OK     },
        {"",                               STATUS_OK     },
        {"https://api.example.org/a",      STATUS_OK     },
        {"https://API.example.org:443/a",  STATUS_OK     },
        {"https://api.example.org:444/a",  STATUS_REFUSED},
        {"http://api.example.org/a",       STATUS_REFUSED},
        {"http://api.example.org:443/a",   STATUS_REFUSED},
        {"https://example.org/a",          STATUS_REFUSED},
        {"https://x.api.example.org/a",    STATUS_REFUSED},
        {"https://api.example.org./a",     STATUS_REFUSED},
        {"https://api.example.org.evil/a", STATUS_REFUSED},
        {"https://127.0.0.1/a",            STATUS_REFUSED},
    };
    CLEANUP(destination_reset) struct destination destination = {0};

    (void)state;
    assert_int_equal(
        destination_open(ENTRY("{\"base\":\"https://api.example.org/v1\"}", ""), &failure, &destination),
        STATUS_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (destination_check_url(&destination, "https://api.example.org", rows[i].url, &failure) !=
            rows[i].status)
            fail_msg("%s: %s", rows[i].url, failure.sentence);
    }
    assert_int_equal(
        destination_check_url(&destination, "https://api.example.org", "https://evil.example/x", &failure),
        STATUS_REFUSED);
    assert_non_null(strstr(failure.sentence, "evil.example"));
    assert_non_null(strstr(failure.sentence, "api.example.org"));
}

static void what_holds_the_credential_is_the_credentials_own(void **state)
{
    CLEANUP(destination_reset) struct destination destination = {0};

    (void)state;
    assert_int_equal(
        destination_open(ENTRY("{\"base\":\"https://a.example\"," HEADED ",\"query\":{\"key\":\"{api_key}\","
                               "\"v\":\"{version}\"}," CALLER "}",
                               ""),
                         &failure, &destination),
        STATUS_OK);
    assert_int_equal(destination_check_header(&destination, "x-key: a", &failure), STATUS_REFUSED);
    assert_int_equal(destination_check_header(&destination, "X-Version: 8", &failure), STATUS_OK);
    assert_int_equal(destination_check_header(&destination, "Accept: c/d", &failure), STATUS_OK);
    assert_int_equal(destination_check_header(&destination, "X-Keys: a", &failure), STATUS_OK);
    assert_int_equal(destination_check_url(&destination, "https://a.example", "/?key=1", &failure),
                     STATUS_REFUSED);
    assert_int_equal(destination_check_url(&destination, "https://a.example", "/?a=1&key", &failure),
                     STATUS_REFUSED);
    assert_int_equal(destination_check_url(&destination, "https://a.example", "/key=1?keys=2&v=9", &failure),
                     STATUS_OK);
    assert_true(destination_needs(&destination, "api_key"));
    assert_false(destination_needs(&destination, "subdomain"));
    assert_false(destination_needs(&destination, "oauth_refresh_token"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_origin_is_that_of_the_base),
        cmocka_unit_test(what_has_no_place_to_go_is_refused_by_name),
        cmocka_unit_test(plain_http_is_for_loopback_where_the_facts_say_so),
        cmocka_unit_test(a_value_that_breaks_out_of_the_host_makes_no_origin_of_it),
        cmocka_unit_test(only_the_very_host_and_port_are_let_pass),
        cmocka_unit_test(what_holds_the_credential_is_the_credentials_own),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
