/* Addresses: what is one, where it leads, and how one is built. */
#include "base/url.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void an_address_is_taken_apart(void **state)
{
    static const char text[] = "https://Login.Example.ORG:8443/a/b?c=d?e";
    struct url url;
    struct failure failure;

    (void)state;
    assert_int_equal(url_parse(text, "it", &failure, &url), STATUS_OK);
    assert_true(url.secure);
    assert_string_equal(url.host, "login.example.org");
    assert_int_equal(url.port, 8443);
    assert_int_equal(url.authority_size, strlen("Login.Example.ORG:8443"));
    assert_memory_equal(url.authority, "Login.Example.ORG:8443", url.authority_size);
    assert_int_equal(url.path_size, 4);
    assert_memory_equal(url.path, "/a/b", 4);
    assert_string_equal(url.query, "c=d?e");
}

static void an_address_may_have_neither_port_nor_path_nor_query(void **state)
{
    struct url url;
    struct failure failure;

    (void)state;
    assert_int_equal(url_parse("http://[::1]", "it", &failure, &url), STATUS_OK);
    assert_false(url.secure);
    assert_string_equal(url.host, "[::1]");
    assert_int_equal(url.port, 0);
    assert_int_equal(url.path_size, 0);
    assert_null(url.query);
    assert_int_equal(url_parse("https://a?b", "it", &failure, &url), STATUS_OK);
    assert_int_equal(url.path_size, 0);
    assert_string_equal(url.query, "b");
}

static void what_is_no_address_is_refused_and_not_repeated(void **state)
{
    static const char *const refused[] = {
        "",
        "canary",
        "//canary.example/",
        "ftp://canary.example/",
        "javascript:canary",
        "file:///canary",
        "HTTPS://canary.example/",
        "-https://canary.example/",
        " https://canary.example/",
        "https://",
        "https:///canary",
        "https://?canary",
        "https://.canary.example",
        "https://-canary.example",
        "https://user@canary.example/",
        "https://user:pass@canary.example/",
        "https://canary.example:0/",
        "https://canary.example:/",
        "https://canary.example:65536/",
        "https://canary.example:012/",
        "https://canary.example:4 4/",
        "https://canary.example\\@evil.example/",
        "https://canary.example/#fragment",
        "https://canary.example/a b",
        "https://canary.example/\"",
        "https://canary.example/`x`",
        "https://canary.example/{x}",
        "https://canary.example/\n",
        "https://canary.example/\x1b[2J",
        "https://canary.ex\xc3\xa4mple/",
        "https://canary_.example/",
        "https://[::1",
        "https://[]/canary",
        "https://[canary]/",
        "https://[::1]canary/",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct url url;
        struct failure failure;

        if (url_parse(refused[i], "the address", &failure, &url) != STATUS_INVALID)
            fail_msg("%s was taken", refused[i]);
        assert_memory_equal(failure.sentence, "the address ", 12);
        assert_null(strstr(failure.sentence, "canary"));
    }
}

static void an_address_that_is_too_long_is_refused(void **state)
{
    char text[URL_SIZE_MAX + 2];
    struct url url;
    struct failure failure;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://a/", 10);
    text[URL_SIZE_MAX + 1] = '\0';
    assert_int_equal(url_parse(text, "it", &failure, &url), STATUS_INVALID);
    text[URL_SIZE_MAX] = '\0';
    assert_int_equal(url_parse(text, "it", &failure, &url), STATUS_OK);
    text[9] = 'a';
    assert_int_equal(url_parse(text, "it", &failure, &url), STATUS_INVALID);
}

static void only_loopback_may_do_without_tls(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } cases[] = {
        {"https://example.org/a",          STATUS_OK     },
        {"http://127.0.0.1:1/a",           STATUS_OK     },
        {"http://localhost/a",             STATUS_OK     },
        {"http://LOCALHOST:80",            STATUS_OK     },
        {"http://[::1]:9/",                STATUS_OK     },
        {"http://example.org/a",           STATUS_INVALID},
        {"http://127.0.0.1.example.org/a", STATUS_INVALID},
        {"http://127.0.0.2/a",             STATUS_INVALID},
        {"http://localhost.example.org/a", STATUS_INVALID},
        {"http://[::2]/",                  STATUS_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct failure failure;

        if (url_check(cases[i].text, "it", &failure) != cases[i].status)
            fail_msg("%s", cases[i].text);
    }
}

static void parameters_are_encoded_and_joined(void **state)
{
    CLEANUP(secret_reset) struct secret url = {0};

    (void)state;
    assert_true(secret_append_text(&url, "https://a/b"));
    assert_true(url_append_parameter(&url, "scope", "a:b c/d"));
    assert_true(url_append_parameter(&url, "x&y", "=\xc3\xa4~%"));
    assert_true(url_append_parameter(&url, "empty", ""));
    assert_string_equal(secret_text(&url), "https://a/b?scope=a%3Ab%20c%2Fd&x%26y=%3D%C3%A4~%25&empty=");
    secret_clear(&url);
    assert_true(secret_append_text(&url, "https://a/b?c=d"));
    assert_true(url_append_parameter(&url, "e", "f"));
    assert_string_equal(secret_text(&url), "https://a/b?c=d&e=f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_taken_apart),
        cmocka_unit_test(an_address_may_have_neither_port_nor_path_nor_query),
        cmocka_unit_test(what_is_no_address_is_refused_and_not_repeated),
        cmocka_unit_test(an_address_that_is_too_long_is_refused),
        cmocka_unit_test(only_loopback_may_do_without_tls),
        cmocka_unit_test(parameters_are_encoded_and_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
