/* What callers may say of a request that has an account's credentials. */
#include "base/outgoing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct failure failure;

static void methods_are_capital_letters(void **state)
{
    static const char *const good[] = {"GET", "POST", "DELETE", "PROPFIND", "M-SEARCH"};
    static const char *const bad[] = {"", "get", "GET ", "GET\r\nX: y", "G3T", "AAAAAAAAAAAAAAAAAAAAA"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(outgoing_check_method(good[i], &failure), STATUS_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(outgoing_check_method(bad[i], &failure), STATUS_INVALID);
}

static void what_goes_to_proxies_or_comes_back_is_no_method(void **state)
{
    (void)state;
    assert_int_equal(outgoing_check_method("CONNECT", &failure), STATUS_REFUSED);
    assert_non_null(strstr(failure.sentence, "CONNECT"));
    assert_int_equal(outgoing_check_method("TRACE", &failure), STATUS_REFUSED);
}

static void an_address_is_whole_or_follows_a_base(void **state)
{
    static const char *const good[] = {
        "",
        "/",
        "/users/me",
        "?page=2",
        "/a%2Fb/%252e/...?q=..%2f..&url=https://x@y/",
        "https://api.example.org",
        "https://API.example.org:8443/a?b=c",
        "http://127.0.0.1:1/",
        "https://[::1]/x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (outgoing_check_url(good[i], &failure) != STATUS_OK)
            fail_msg("%s: %s", good[i], failure.sentence);
    }
    assert_false(outgoing_is_whole(""));
    assert_false(outgoing_is_whole("/a"));
    assert_false(outgoing_is_whole("?a"));
    assert_true(outgoing_is_whole("https://a"));
}

static void each_way_around_a_host_is_refused_by_name(void **state)
{
    static const struct {
        const char *url;
        const char *says;
    } bad[] = {
        {"https://canary@api.example.org/",    "a user"           },
        {"https://api.example.org@canary/",    "a user"           },
        {"https://a:canary@b/",                "a user"           },
        {"https://api.example.org%2ecanary/",  "an encoded byte"  },
        {"https://api.example.org%2f@canary/", "an encoded byte"  },
        {"https://canary%40b/",                "an encoded byte"  },
        {"https://canary\\b/",                 "an encoded byte"  },
        {"https://c\xc3\xa4nary.example/",     "ASCII letters"    },
        {"https://canary/#a",                  "a fragment"       },
        {"/canary#a",                          "a fragment"       },
        {"/canary\r\nHost: b",                 "control character"},
        {"/canary\tb",                         "control character"},
        {"//canary/x",                         "begins with //"   },
        {"canary/x",                           "neither https://" },
        {"@canary",                            "neither https://" },
        {"ftp://canary/",                      "neither https://" },
        {"https://canary/a/../b",              ". or .."          },
        {"/canary/..",                         ". or .."          },
        {"/canary/.",                          ". or .."          },
        {"/canary/%2e%2E/b",                   ". or .."          },
        {"/canary/.%2e",                       ". or .."          },
        {"/canary b",                          "no address has"   },
        {"/canary{b}",                         "no address has"   },
        {"https:///canary",                    "no host"          },
        {"https://canary:99999/",              "no host"          },
        {"https://canary:/",                   "no host"          },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (outgoing_check_url(bad[i].url, &failure) != STATUS_INVALID ||
            strstr(failure.sentence, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].url, failure.sentence);
        assert_null(strstr(failure.sentence, "canary"));
    }
}

static void an_address_that_is_too_long_is_refused(void **state)
{
    char *url = malloc(URL_SIZE_MAX + 1);

    (void)state;
    memset(url, 'a', URL_SIZE_MAX);
    url[0] = '/';
    url[URL_SIZE_MAX] = '\0';
    assert_int_equal(outgoing_check_url(url, &failure), STATUS_INVALID);
    url[URL_SIZE_MAX / 2] = '\0';
    assert_int_equal(outgoing_check_url(url, &failure), STATUS_OK);
    free(url);
}

static void headers_have_a_name_and_a_value(void **state)
{
    static const char *const good[] = {"Accept: text/plain",
                                       "X-Any:",
                                       "x-any:1",
                                       "Notion-Version: 2022-06-28",
                                       "If-None-Match: \"a:b\"",
                                       "X-Name: gr\xc3\xbc\xc3\x9f"};
    static const char *const bad[] = {
        "",       "canary",      ": canary",          "X Y: canary",           "X : canary",
        "X\r: b", "X: canary\n", "X: canary\r\nY: z", "X: canary\r\n\r\nbody", "X: canary\tb"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (outgoing_check_header(good[i], &failure) != STATUS_OK)
            fail_msg("%s: %s", good[i], failure.sentence);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (outgoing_check_header(bad[i], &failure) != STATUS_INVALID)
            fail_msg("%s: %s", bad[i], failure.sentence);
        assert_null(strstr(failure.sentence, "canary"));
    }
    assert_string_equal(outgoing_header_value("X-Any:   a b"), "a b");
    assert_true(outgoing_header_is("accept: x", "Accept"));
    assert_false(outgoing_header_is("accept-x: x", "Accept"));
}

static void headers_that_steer_are_refused_by_name(void **state)
{
    static const char *const refused[] = {"Authorization: Bearer canary",
                                          "authorization:canary",
                                          "COOKIE: canary",
                                          "Host: canary",
                                          "Content-Length: 1",
                                          "Transfer-Encoding: canary",
                                          "Connection: x",
                                          "Proxy-Authorization: canary",
                                          "proxy-connection: canary",
                                          "TE: canary",
                                          "Expect: canary",
                                          "X-Forwarded-Host: canary",
                                          "X-HTTP-Method-Override: PUT",
                                          "Upgrade: canary",
                                          "Sec-Fetch-Mode: x"};

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char name[64] = "";

        memcpy(name, refused[i], strcspn(refused[i], ":"));
        assert_int_equal(outgoing_check_header(refused[i], &failure), STATUS_REFUSED);
        assert_non_null(strstr(failure.sentence, name));
        assert_null(strstr(failure.sentence, "canary"));
    }
    assert_int_equal(outgoing_check_header("X-Authorization-Note: a", &failure), STATUS_OK);
    assert_int_equal(outgoing_check_header("Hostname: a", &failure), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_capital_letters),
        cmocka_unit_test(what_goes_to_proxies_or_comes_back_is_no_method),
        cmocka_unit_test(an_address_is_whole_or_follows_a_base),
        cmocka_unit_test(each_way_around_a_host_is_refused_by_name),
        cmocka_unit_test(an_address_that_is_too_long_is_refused),
        cmocka_unit_test(headers_have_a_name_and_a_value),
        cmocka_unit_test(headers_that_steer_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
