/* Answers of authorization endpoints: what is one, and what everything else is. */
#include "oauth/callback.h"

#include "base/cleanup.h"
#include "oauth/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct callback_rules rules = {
    .host = "127.0.0.1:4711", .path = "/cb/r4nd0m", .state = "St4te-_", .issuer = NULL};

static enum callback_kind judge(const struct callback_rules *by, const char *request,
                                struct callback *callback)
{
    callback_read_request(by, request, strlen(request), callback);
    return callback->kind;
}

/* The kind of a request for `target` with the headers of a browser. */
static enum callback_kind judge_target(const struct callback_rules *by, const char *target,
                                       struct callback *callback)
{
    char request[8192];

    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1:4711\r\nConnection: keep-alive\r\n"
             "User-Agent: Mozilla/5.0\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
             "Sec-Fetch-Dest: document\r\nCookie: a=b\r\n\r\n",
             target);
    return judge(by, request, callback);
}

static void a_browser_brings_the_code(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(secret_reset) struct secret value = {0};

    (void)state;
    assert_int_equal(
        judge_target(&rules, "/cb/r4nd0m?realmId=12%2F3&code=4%2Fa+b&scope=x&state=St4te-_", &callback),
        CALLBACK_CODE);
    assert_string_equal(secret_text(&callback.code), "4/a b");
    assert_int_equal(query_find((const char *)callback.query.bytes, callback.query.size, "realmId", &value),
                     QUERY_FOUND);
    assert_string_equal(secret_text(&value), "12/3");
}

static void headers_need_no_browser_but_a_host(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};

    (void)state;
    assert_int_equal(judge(&rules,
                           "GET /cb/r4nd0m?state=St4te-_&code=c HTTP/1.0\r\nhOST:127.0.0.1:4711\r\n\r\n",
                           &callback),
                     CALLBACK_CODE);
}

#define TARGET "/cb/r4nd0m?code=c&state=St4te-_"
#define HOST "Host: 127.0.0.1:4711\r\n"

static void a_wrong_request_is_a_stray(void **state)
{
    static const char *const strays[] = {
        "POST " TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "HEAD " TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "get " TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "GETS " TARGET " HTTP/1.1\r\n" HOST "\r\n",
        " GET " TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "GET  " TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "GET " TARGET " HTTP/2\r\n" HOST "\r\n",
        "GET " TARGET "\r\n" HOST "\r\n",
        "GET " TARGET " x HTTP/1.1\r\n" HOST "\r\n",
        "GET /cb/r4nd0m?state=St4te-_&code=c d HTTP/1.1\r\n" HOST "\r\n",
        "GET\t" TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "GET " TARGET " HTTP/1.1\n" HOST "\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST HOST "\r\n",
        "GET " TARGET " HTTP/1.1\r\nHost: localhost:4711\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\nHost: 127.0.0.1:47110\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\nHost: evil.example:4711\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\nHost: 127.0.0.1:4711 x\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\nHost : 127.0.0.1:4711\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\nA: b\r\n " HOST "\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "no header\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST ": nothing\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "Sec-Fetch-Mode: no-cors\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "sec-fetch-mode: cors\r\nSec-Fetch-Dest: document\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: image\r\n\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n\r\n",
        "GET http://127.0.0.1:4711" TARGET " HTTP/1.1\r\n" HOST "\r\n",
        "GET " TARGET " HTTP/1.1\r\n" HOST,
        "",
        "\r\n\r\n",
        "\r\n" HOST "\r\n\r\n",
        "CONNECT 127.0.0.1:4711 HTTP/1.1\r\n" HOST "\r\n",
        "\x16\x03\x01\x02",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
        CLEANUP(callback_reset) struct callback callback = {0};

        if (judge(&rules, strays[i], &callback) != CALLBACK_STRAY)
            fail_msg("%s", strays[i]);
        assert_int_equal(callback.code.size, 0);
    }
}

static void a_wrong_path_or_state_is_a_stray_whatever_else_it_says(void **state)
{
    static const char *const strays[] = {
        "/",
        "/favicon.ico",
        "/cb/r4nd0m",
        "/cb/r4nd0m?",
        "/cb?code=c&state=St4te-_",
        "/cb/r4nd0m/?code=c&state=St4te-_",
        "/cb/r4nd0mm?code=c&state=St4te-_",
        "/CB/r4nd0m?code=c&state=St4te-_",
        "/cb/%724nd0m?code=c&state=St4te-_",
        "//cb/r4nd0m?code=c&state=St4te-_",
        "/cb/../cb/r4nd0m?code=c&state=St4te-_",
        "/cb/r4nd0m?code=c",
        "/cb/r4nd0m?code=c&state=",
        "/cb/r4nd0m?code=c&state",
        "/cb/r4nd0m?code=c&state=St4te-",
        "/cb/r4nd0m?code=c&state=St4te-_x",
        "/cb/r4nd0m?code=c&state=st4te-_",
        "/cb/r4nd0m?code=c&state=St4te-_&state=St4te-_",
        "/cb/r4nd0m?code=c&state=other&state=St4te-_",
        "/cb/r4nd0m?code=c&state=St4te-_%00",
        "/cb/r4nd0m?code=c&State=St4te-_",
        "/cb/r4nd0m?error=access_denied",
        "/cb/r4nd0m?error=access_denied&state=other",
        "/cb/r4nd0m?error=access_denied&state=",
        "/other?error=access_denied&state=St4te-_",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
        CLEANUP(callback_reset) struct callback callback = {0};

        if (judge_target(&rules, strays[i], &callback) != CALLBACK_STRAY)
            fail_msg("%s", strays[i]);
    }
}

static void an_answer_that_says_neither_yes_nor_no_is_told_apart(void **state)
{
    static const char *const empty[] = {
        "/cb/r4nd0m?state=St4te-_",
        "/cb/r4nd0m?state=St4te-_&code=",
        "/cb/r4nd0m?state=St4te-_&code=a&code=b",
        "/cb/r4nd0m?state=St4te-_&code=%zz",
        "/cb/r4nd0m?state=St4te-_&code=a%00b",
        "/cb/r4nd0m?state=St4te-_&code=%ff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        CLEANUP(callback_reset) struct callback callback = {0};

        if (judge_target(&rules, empty[i], &callback) != CALLBACK_EMPTY)
            fail_msg("%s", empty[i]);
        assert_string_equal(callback.reason, "has neither a code nor an error");
    }
}

static void an_error_with_the_state_ends_the_attempt(void **state)
{
    static const struct {
        const char *target;
        const char *error;
    } cases[] = {
        {"/cb/r4nd0m?error=access_denied&error_description=n%3Cscript%3E&state=St4te-_",                     "access_denied"},
        {"/cb/r4nd0m?state=St4te-_&code=c&error=server_error",                                               "server_error" },
        {"/cb/r4nd0m?state=St4te-_&error=%3Cscript%3E",                                                      ""             },
        {"/cb/r4nd0m?state=St4te-_&error=Access+denied",                                                     ""             },
        {"/cb/r4nd0m?state=St4te-_&error=",                                                                  ""             },
        {"/cb/r4nd0m?state=St4te-_&error=a&error=b",                                                         ""             },
        {"/cb/r4nd0m?state=St4te-_&error=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         ""                                                                                                                 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(callback_reset) struct callback callback = {0};

        assert_int_equal(judge_target(&rules, cases[i].target, &callback), CALLBACK_ERROR);
        assert_string_equal(callback.error, cases[i].error);
        assert_int_equal(callback.code.size, 0);
    }
}

static void the_issuer_is_compared_byte_for_byte(void **state)
{
    static const struct {
        const char *target;
        bool always;
        enum callback_kind kind;
    } cases[] = {
        {"/cb/r4nd0m?code=c&state=St4te-_&iss=https%3A%2F%2Fas.example%2Fa",                  true,  CALLBACK_CODE  },
        {"/cb/r4nd0m?code=c&state=St4te-_&iss=https://as.example/a",                          false, CALLBACK_CODE  },
        {"/cb/r4nd0m?code=c&state=St4te-_",                                                   false, CALLBACK_CODE  },
        {"/cb/r4nd0m?code=c&state=St4te-_",                                                   true,  CALLBACK_FORGED},
        {"/cb/r4nd0m?code=c&state=St4te-_&iss=https://as.example/a/",                         false, CALLBACK_FORGED},
        {"/cb/r4nd0m?code=c&state=St4te-_&iss=https://AS.example/a",                          false, CALLBACK_FORGED},
        {"/cb/r4nd0m?code=c&state=St4te-_&iss=",                                              false, CALLBACK_FORGED},
        {"/cb/r4nd0m?code=c&state=St4te-_&iss=https://as.example/a&iss=https://as.example/a", true,
         CALLBACK_FORGED                                                                                            },
        {"/cb/r4nd0m?error=access_denied&state=St4te-_&iss=https://evil.example",             true,  CALLBACK_FORGED},
        {"/cb/r4nd0m?error=access_denied&state=St4te-_&iss=https://as.example/a",             true,  CALLBACK_ERROR },
        {"/cb/r4nd0m?code=c&state=other&iss=https://evil.example",                            true,  CALLBACK_STRAY },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(callback_reset) struct callback callback = {0};
        struct callback_rules by = rules;

        by.issuer = "https://as.example/a";
        by.issuer_always = cases[i].always;
        if (judge_target(&by, cases[i].target, &callback) != cases[i].kind)
            fail_msg("%s", cases[i].target);
    }
}

static void without_a_known_issuer_what_is_said_of_it_does_not_matter(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};

    (void)state;
    assert_int_equal(judge_target(&rules, TARGET "&iss=https://accounts.example", &callback), CALLBACK_CODE);
}

static void the_code_may_have_another_name(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    struct callback_rules by = rules;

    (void)state;
    by.code = "auth_code";
    assert_int_equal(judge_target(&by, "/cb/r4nd0m?code=c&auth_code=d&state=St4te-_", &callback),
                     CALLBACK_CODE);
    assert_string_equal(secret_text(&callback.code), "d");
}

static void a_pasted_address_is_judged_from_the_state_on(void **state)
{
    static const struct {
        const char *text;
        enum callback_kind kind;
        const char *reason;
    } cases[] = {
        {"http://127.0.0.1:4711/cb/r4nd0m?code=c&state=St4te-_",       CALLBACK_CODE,  NULL          },
        {"  https://own.example/done?state=St4te-_&code=c#_=_\r\n",    CALLBACK_CODE,  NULL          },
        {"code=c&state=St4te-_",                                       CALLBACK_CODE,  NULL          },
        {"http://127.0.0.1:4711/cb?error=access_denied&state=St4te-_", CALLBACK_ERROR, NULL          },
        {"http://127.0.0.1:4711/cb?error=access_denied&state=x",       CALLBACK_STRAY,
         "has the state of another attempt"                                                          },
        {"http://127.0.0.1:4711/cb?error=access_denied",               CALLBACK_STRAY, "has no state"},
        {"http://127.0.0.1:4711/cb/r4nd0m",                            CALLBACK_STRAY, "has no state"},
        {"https://as.example/authorize?client_id=x&state=St4te-_",     CALLBACK_EMPTY,
         "has neither a code nor an error"                                                           },
        {"http://127.0.0.1/cb#code=c&state=St4te-_",                   CALLBACK_STRAY, "has no state"},
        {"",                                                           CALLBACK_STRAY, "has no state"},
        {" \n",                                                        CALLBACK_STRAY, "has no state"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(callback_reset) struct callback callback = {0};

        callback_read_pasted(&rules, cases[i].text, &callback);
        if (callback.kind != cases[i].kind)
            fail_msg("%s", cases[i].text);
        if (cases[i].reason != NULL)
            assert_string_equal(callback.reason, cases[i].reason);
        else
            assert_null(callback.reason);
    }
}

static void a_parameter_that_is_wrongly_encoded_spoils_only_itself(void **state)
{
    static const char query[] = "a=%&%zz=1&b=1%2&c=%ff&d=ok&&=x&e&f=a=b&g=1&g=2&%68=%e4%bd%a0";
    static const struct {
        const char *name;
        enum query_found found;
        const char *value;
    } cases[] = {
        {"a", QUERY_UNUSABLE, ""            },
        {"b", QUERY_UNUSABLE, ""            },
        {"c", QUERY_UNUSABLE, ""            },
        {"d", QUERY_FOUND,    "ok"          },
        {"e", QUERY_FOUND,    ""            },
        {"f", QUERY_FOUND,    "a=b"         },
        {"g", QUERY_UNUSABLE, ""            },
        {"h", QUERY_FOUND,    "\xe4\xbd\xa0"},
        {"i", QUERY_ABSENT,   ""            },
    };
    CLEANUP(secret_reset) struct secret value = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(query_find(query, strlen(query), cases[i].name, &value), cases[i].found);
        assert_string_equal(secret_text(&value), cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_browser_brings_the_code),
        cmocka_unit_test(headers_need_no_browser_but_a_host),
        cmocka_unit_test(a_wrong_request_is_a_stray),
        cmocka_unit_test(a_wrong_path_or_state_is_a_stray_whatever_else_it_says),
        cmocka_unit_test(an_answer_that_says_neither_yes_nor_no_is_told_apart),
        cmocka_unit_test(an_error_with_the_state_ends_the_attempt),
        cmocka_unit_test(the_issuer_is_compared_byte_for_byte),
        cmocka_unit_test(without_a_known_issuer_what_is_said_of_it_does_not_matter),
        cmocka_unit_test(the_code_may_have_another_name),
        cmocka_unit_test(a_pasted_address_is_judged_from_the_state_on),
        cmocka_unit_test(a_parameter_that_is_wrongly_encoded_spoils_only_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
