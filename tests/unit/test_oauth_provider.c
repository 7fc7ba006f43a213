/* Provider documents and the filling in of their templates: what a property can and cannot do to an address.
 */
#include "oauth/provider.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DOCUMENT(facts, more)                                                                                \
    "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"O\","           \
    "\"fields\":{"                                                                                           \
    "\"shop\":{\"title\":\"S\",\"hidden\":false,\"pattern\":\"[a-z0-9.-]+\"},"                               \
    "\"wide\":{\"title\":\"W\",\"hidden\":false,\"pattern\":\"[a-z0-9./:@?%-]+\",\"optional\":true},"        \
    "\"tenant\":{\"title\":\"T\",\"hidden\":false,\"default\":\"common\"},"                                  \
    "\"base\":{\"title\":\"B\",\"hidden\":false,\"pattern\":\"https://[a-z./:@-]+\",\"from\":\"token\"}},"   \
    "\"request\":{\"base\":\"https://{shop}.example/api\",\"headers\":{\"Authorization\":\"Bearer "          \
    "{oauth_access_token}\"},\"caller\":{\"version\":{\"title\":\"V\",\"example\":\"v7\"}}},\"oauth\":{"     \
    "\"authorize_url\":\"https://x.example/a\",\"token_url\":\"https://{shop}.example/t?a={tenant}\"" facts  \
    "}}" more "}}"

static struct provider *open_document(const char *text)
{
    struct provider *provider = NULL;
    struct failure failure;

    if (provider_open(text, &failure, &provider) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    return provider;
}

struct row {
    const char *template;
    const char *properties;
    enum status status;
    const char *url;
};

static const struct row rows[] = {
    {"https://{shop}.example/t",      "{\"shop\":\"acme\"}",                                   STATUS_OK,        "https://acme.example/t"       },
    {"https://{shop}.example/t",      "{}",                                                    STATUS_NOT_FOUND, NULL                           },
    {"https://{shop}.example/t",      "{\"shop\":\"evil.com/\"}",                              STATUS_INVALID,   NULL                           },
    {"https://{shop}.example/t",      "{\"shop\":\"a b\"}",                                    STATUS_INVALID,   NULL                           },
 /* a pattern that lets too much through does not let through what ends a host */
    {"https://{wide}.example/t",      "{\"wide\":\"evil.com/x?\"}",                            STATUS_INVALID,   NULL                           },
    {"https://{wide}.example/t",      "{\"wide\":\"a@evil.com\"}",                             STATUS_INVALID,   NULL                           },
    {"https://{wide}.example/t",      "{\"wide\":\"evil.com:1/\"}",                            STATUS_INVALID,   NULL                           },
    {"https://{wide}.example/t",      "{\"wide\":\"a%2eb\"}",                                  STATUS_INVALID,   NULL                           },
    {"https://x.example/{wide}/t",    "{\"wide\":\"a/../b?c\"}",                               STATUS_OK,
     "https://x.example/a%2F..%2Fb%3Fc/t"                                                                                                       },
    {"https://x.example/{wide}/t",    "{\"wide\":\"..\"}",                                     STATUS_INVALID,   NULL                           },
    {"https://x.example/{wide}",      "{\"wide\":\".\"}",                                      STATUS_INVALID,   NULL                           },
    {"https://x.example/.{wide}/t",   "{\"wide\":\".\"}",                                      STATUS_INVALID,   NULL                           },
    {"https://x.example/t?a={wide}",  "{\"wide\":\"..\"}",                                     STATUS_OK,        "https://x.example/t?a=.."     },
    {"https://x.example/{tenant}/t",  "{}",                                                    STATUS_OK,        "https://x.example/common/t"   },
    {"https://x.example/{tenant}/t",  "{\"tenant\":\"a&b c\"}",                                STATUS_OK,        "https://x.example/a%26b%20c/t"},
    {"https://x.example/{tenant}/t",  "{\"tenant\":\"a\\nb\"}",                                STATUS_INVALID,   NULL                           },
    {"https://x.example/{version}/t", "{}",                                                    STATUS_OK,        "https://x.example/v7/t"       },
    {"{base}/t/{tenant}",             "{\"base\":\"https://a.example/b\",\"tenant\":\"x/y\"}", STATUS_OK,
     "https://a.example/b/t/x%2Fy"                                                                                                              },
    {"{base}/t",                      "{\"base\":\"https://user@evil.example\"}",              STATUS_INVALID,   NULL                           },
    {"{base}/t",                      "{\"base\":\"http://evil.example\"}",                    STATUS_INVALID,   NULL                           },
    {"http://x.example/t",            "{}",                                                    STATUS_INVALID,   NULL                           },
    {"http://127.0.0.1/t",            "{}",                                                    STATUS_INVALID,   NULL                           },
};

static void a_property_leads_no_address_elsewhere(void **state)
{
    CLEANUP(provider_freep) struct provider *provider = open_document(DOCUMENT("", ""));

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(json_freep) struct json *properties = NULL;
        CLEANUP(secret_reset) struct secret url = {0};
        struct failure failure;

        print_message("# %s %s\n", rows[i].template, rows[i].properties);
        assert_int_equal(
            json_parse(rows[i].properties, strlen(rows[i].properties), "p", &failure, &properties),
            STATUS_OK);
        assert_int_equal(provider_fill_url(provider, properties, rows[i].template, &failure, &url),
                         rows[i].status);
        if (rows[i].status == STATUS_OK)
            assert_string_equal(secret_text(&url), rows[i].url);
    }
}

static void plain_http_is_for_loopback_where_the_facts_say_so(void **state)
{
    CLEANUP(provider_freep) struct provider *provider = open_document(DOCUMENT(",\"loopback\":true", ""));
    CLEANUP(secret_reset) struct secret url = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(provider_fill_url(provider, NULL, "http://127.0.0.1:81/t", &failure, &url), STATUS_OK);
    assert_int_equal(provider_fill_url(provider, NULL, "http://[::1]:81/t", &failure, &url), STATUS_OK);
    assert_int_equal(provider_fill_url(provider, NULL, "http://localhost/t", &failure, &url), STATUS_OK);
    assert_int_equal(provider_fill_url(provider, NULL, "http://x.example/t", &failure, &url), STATUS_INVALID);
    assert_int_equal(provider_fill_url(provider, NULL, "http://127.0.0.1.x.example/t", &failure, &url),
                     STATUS_INVALID);
}

static void a_document_has_one_method_with_facts_of_its_own(void **state)
{
    static const char *const wrong[] = {
        DOCUMENT("", ",\"other\":{\"kind\":\"api_key\",\"title\":\"K\",\"fields\":{\"k\":{\"title\":\"K\"}},"
                     "\"request\":{\"headers\":{\"A\":\"{k}\"}}}"),
        DOCUMENT(",\"unheard_of\":1", ""),
        "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"O\","
        "\"request\":{},"
        "\"oauth\":\"google\"}}}",
        "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"k\":{\"kind\":\"api_key\",\"title\":\"K\",\"fields\":"
        "{\"k\":"
        "{\"title\":\"K\"}},\"request\":{\"headers\":{\"A\":\"{k}\"}}}}}",
        "no JSON",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct provider *provider = NULL;
        struct failure failure;

        assert_int_equal(provider_open(wrong[i], &failure, &provider), STATUS_INVALID);
        assert_null(provider);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_property_leads_no_address_elsewhere),
        cmocka_unit_test(plain_http_is_for_loopback_where_the_facts_say_so),
        cmocka_unit_test(a_document_has_one_method_with_facts_of_its_own),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
