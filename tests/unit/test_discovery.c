/* Discovery: where documents are, whose they must be, and what of them is kept. */
#include "oauth/discovery.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ISSUER "https://as.example/tenant"

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

/* An errand to connect with these facts of OAuth, and these members besides. */
static struct errand *connect(const char *facts, const char *members)
{
    CLEANUP(secret_reset) struct secret provider = {0};
    CLEANUP(secret_reset) struct secret job = {0};
    struct errand *errand = NULL;
    struct json_writer writer;
    struct failure failure;

    assert_true(secret_append_format(
        &provider,
        "{\"slug\":\"it\",\"title\":\"It\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"OAuth\","
        "\"request\":{\"headers\":{\"Authorization\":\"Bearer {oauth_access_token}\"}},\"oauth\":{%s}}}}",
        facts));
    json_writer_start(&writer, &job);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "job", "connect");
    json_add_text(&writer, "provider", secret_text(&provider));
    json_add_raw(&writer, "client", members, strlen(members));
    json_add_text(&writer, "flow", "browser");
    json_add_raw(&writer, "scopes", "[\"openid\"]", 10);
    json_close_object(&writer);
    if (errand_read(job.bytes, job.size, &failure, &errand) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    return errand;
}

static enum status fill(const struct errand *errand, const char *document, struct failure *failure,
                        struct provider **ret_provider)
{
    CLEANUP(json_freep) struct json *parsed = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    enum status status = json_parse(document, strlen(document), "it", failure, &parsed);

    if (status == STATUS_OK)
        status = discovery_fill(errand, ISSUER, parsed, failure, &text);
    return status == STATUS_OK ? provider_open(secret_text(&text), failure, ret_provider) : status;
}

#define DOCUMENT(issuer)                                                                                     \
    "{\"issuer\":\"" issuer "\",\"authorization_endpoint\":\"https://as.example/authorize\","                \
    "\"token_endpoint\":\"https://as.example/token\",\"revocation_endpoint\":\"https://as.example/revoke\"," \
    "\"device_authorization_endpoint\":\"https://as.example/device\","                                       \
    "\"userinfo_endpoint\":\"https://as.example/"                                                            \
    "me\",\"code_challenge_methods_supported\":[\"plain\",\"S256\"],"                                        \
    "\"authorization_response_iss_parameter_supported\":true,\"unknown\":{\"a\":[1]},"                       \
    "\"token_endpoint_auth_methods_supported\":[\"client_secret_post\",\"private_key_jwt\"]}"

static void documents_are_at_two_places(void **state)
{
    static const struct {
        const char *issuer;
        const char *places[DISCOVERY_PLACES];
    } cases[] = {
        {"https://as.example",
         {"https://as.example/.well-known/oauth-authorization-server",
          "https://as.example/.well-known/openid-configuration"}         },
        {"https://as.example/",
         {"https://as.example/.well-known/oauth-authorization-server",
          "https://as.example/.well-known/openid-configuration"}         },
        {"https://as.example:8443/a/b",
         {"https://as.example:8443/.well-known/oauth-authorization-server/a/b",
          "https://as.example:8443/a/b/.well-known/openid-configuration"}},
        {"http://127.0.0.1:1/a/",
         {"http://127.0.0.1:1/.well-known/oauth-authorization-server/a",
          "http://127.0.0.1:1/a/.well-known/openid-configuration"}       },
    };
    CLEANUP(secret_reset) struct secret url = {0};
    struct failure failure;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned place = 0; place < DISCOVERY_PLACES; place++) {
            assert_int_equal(discovery_place(cases[i].issuer, place, &failure, &url), STATUS_OK);
            assert_string_equal(secret_text(&url), cases[i].places[place]);
        }
    }
    assert_int_equal(discovery_place("https://as.example?a=b", 0, &failure, &url), STATUS_INVALID);
    assert_int_equal(discovery_place("as.example", 0, &failure, &url), STATUS_INVALID);
}

static void a_place_says_whose_document_it_has(void **state)
{
    static const struct {
        const char *url;
        const char *issuer;
    } cases[] = {
        {"https://as.example/.well-known/oauth-authorization-server",   "https://as.example"  },
        {"https://as.example/.well-known/oauth-authorization-server/a", "https://as.example/a"},
        {"https://as.example/.well-known/openid-configuration",         "https://as.example"  },
        {"https://as.example/a/.well-known/openid-configuration",       "https://as.example/a"},
        {"https://as.example/.well-known/oauth-authorization-serverx",  NULL                  },
        {"https://as.example/metadata.json",                            NULL                  },
        {"https://as.example",                                          NULL                  },
    };
    CLEANUP(secret_reset) struct secret issuer = {0};
    struct failure failure;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum status status = discovery_issuer(cases[i].url, &failure, &issuer);

        assert_int_equal(status, cases[i].issuer != NULL ? STATUS_OK : STATUS_INVALID);
        if (status == STATUS_OK)
            assert_string_equal(secret_text(&issuer), cases[i].issuer);
    }
}

static void what_is_missing_is_filled_in(void **state)
{
    CLEANUP(errand_freep)
    struct errand *errand = connect("\"issuer\":\"" ISSUER "\"", "{\"id\":\"i\",\"secret\":\"s\"}");
    CLEANUP(provider_freep) struct provider *provider = NULL;
    struct failure failure;

    (void)state;
    if (fill(errand, DOCUMENT(ISSUER), &failure, &provider) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    assert_string_equal(provider_fact(provider, "issuer", ""), ISSUER);
    assert_string_equal(provider_fact(provider, "authorize_url", ""), "https://as.example/authorize");
    assert_string_equal(provider_fact(provider, "token_url", ""), "https://as.example/token");
    assert_string_equal(provider_fact(provider, "device_url", ""), "https://as.example/device");
    assert_string_equal(provider_fact(provider, "revoke_url", ""), "https://as.example/revoke");
    assert_string_equal(provider_fact(provider, "iss", ""), "required");
    assert_string_equal(provider_fact(provider, "pkce", ""), "required");
    assert_string_equal(provider_fact(provider, "client_auth", ""), "body");
    assert_string_equal(json_member_text(provider->test, "url"), "https://as.example/me");
    assert_string_equal(json_member_text(provider->test, "id"), "sub");
    assert_string_equal(provider_title(provider), "It");
}

static void what_the_provider_says_itself_stays(void **state)
{
    CLEANUP(errand_freep)
    struct errand *errand =
        connect("\"issuer\":\"" ISSUER "\",\"token_url\":\"https://own.example/token\",\"pkce\":\"off\","
                "\"iss\":\"ignored\",\"client_auth\":\"basic_raw\"",
                "{\"id\":\"i\",\"secret\":\"s\"}");
    CLEANUP(provider_freep) struct provider *provider = NULL;
    struct failure failure;

    (void)state;
    if (fill(errand, DOCUMENT(ISSUER), &failure, &provider) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    assert_string_equal(provider_fact(provider, "token_url", ""), "https://own.example/token");
    assert_string_equal(provider_fact(provider, "authorize_url", ""), "https://as.example/authorize");
    assert_string_equal(provider_fact(provider, "pkce", ""), "off");
    assert_string_equal(provider_fact(provider, "iss", ""), "ignored");
    assert_string_equal(provider_fact(provider, "client_auth", ""), "basic_raw");
}

static void a_client_without_secret_is_public_whatever_is_supported(void **state)
{
    CLEANUP(errand_freep) struct errand *errand = connect("\"issuer\":\"" ISSUER "\"", "{\"id\":\"i\"}");
    CLEANUP(provider_freep) struct provider *provider = NULL;
    struct failure failure;

    (void)state;
    assert_int_equal(fill(errand, DOCUMENT(ISSUER), &failure, &provider), STATUS_OK);
    assert_string_equal(provider_fact(provider, "client_auth", ""), "none");
}

static void what_is_not_said_is_the_usual(void **state)
{
    CLEANUP(errand_freep)
    struct errand *errand = connect("\"issuer\":\"" ISSUER "\"", "{\"id\":\"i\",\"secret\":\"s\"}");
    CLEANUP(provider_freep) struct provider *provider = NULL;
    struct failure failure;

    (void)state;
    assert_int_equal(fill(errand,
                          "{\"issuer\":\"" ISSUER "\",\"token_endpoint\":\"https://as.example/token\","
                          "\"authorization_endpoint\":7,\"code_challenge_methods_supported\":[\"plain\"]}",
                          &failure, &provider),
                     STATUS_OK);
    assert_string_equal(provider_fact(provider, "client_auth", ""), "basic");
    assert_null(provider_fact(provider, "authorize_url", NULL));
    assert_null(provider_fact(provider, "pkce", NULL));
    assert_null(provider_fact(provider, "iss", NULL));
    assert_null(provider->test);
}

static void the_document_of_another_issuer_is_refused(void **state)
{
    static const struct {
        const char *document;
        const char *sentence;
    } cases[] = {
        {DOCUMENT("https://canary.example"),            "the issuer's document is that of another issuer"},
        {DOCUMENT("https://as.example"),                "the issuer's document is that of another issuer"},
        {DOCUMENT("https://AS.example/tenant"),         "the issuer's document is that of another issuer"},
        {DOCUMENT("https://as.example/tenant/x"),       "the issuer's document is that of another issuer"},
        {DOCUMENT("https://as.example/tenant/"),
         "the issuer's document has a / at the end of the issuer's name"                                 },
        {"{\"token_endpoint\":\"https://as.example\"}", "the issuer's document does not say whose it is" },
        {"{\"issuer\":7}",                              "the issuer's document does not say whose it is" },
    };
    CLEANUP(errand_freep) struct errand *errand = connect("\"issuer\":\"" ISSUER "\"", "{\"id\":\"i\"}");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(provider_freep) struct provider *provider = NULL;
        struct failure failure;

        assert_int_not_equal(fill(errand, cases[i].document, &failure, &provider), STATUS_OK);
        assert_string_equal(failure.sentence, cases[i].sentence);
    }
}

static void an_address_that_may_not_be_used_is_refused_and_not_repeated(void **state)
{
    static const char *const members[] = {
        "\"authorization_endpoint\":\"http://canary.example/authorize\"",
        "\"authorization_endpoint\":\"http://127.0.0.1:1/canary\"",
        "\"authorization_endpoint\":\"javascript:canary\"",
        "\"authorization_endpoint\":\"-canary\"",
        "\"authorization_endpoint\":\"https://canary.example/$(id)`id`\"",
        "\"authorization_endpoint\":\"https://canary.example/{client_id}\"",
        "\"authorization_endpoint\":\"https://canary.example/#x\"",
        "\"token_endpoint\":\"http://canary.example/token\"",
        "\"token_endpoint\":\"https://user:canary@as.example/token\"",
        "\"device_authorization_endpoint\":\"ftp://canary.example\"",
        "\"revocation_endpoint\":\"\"",
        "\"userinfo_endpoint\":\"file:///canary\"",
    };
    CLEANUP(errand_freep) struct errand *errand = connect("\"issuer\":\"" ISSUER "\"", "{\"id\":\"i\"}");

    (void)state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        CLEANUP(provider_freep) struct provider *provider = NULL;
        struct failure failure;
        char document[512];

        snprintf(document, sizeof(document), "{\"issuer\":\"" ISSUER "\",%s}", members[i]);
        if (fill(errand, document, &failure, &provider) == STATUS_OK)
            fail_msg("%s", members[i]);
        assert_null(strstr(failure.sentence, "canary"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_at_two_places),
        cmocka_unit_test(a_place_says_whose_document_it_has),
        cmocka_unit_test(what_is_missing_is_filled_in),
        cmocka_unit_test(what_the_provider_says_itself_stays),
        cmocka_unit_test(a_client_without_secret_is_public_whatever_is_supported),
        cmocka_unit_test(what_is_not_said_is_the_usual),
        cmocka_unit_test(the_document_of_another_issuer_is_refused),
        cmocka_unit_test(an_address_that_may_not_be_used_is_refused_and_not_repeated),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
