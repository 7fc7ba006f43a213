/* Every method of OAuth that the catalogue has, as the helper sees it: its document is taken, its addresses
 * can be filled in with what people have, and its scopes are asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "catalog/facts.h"
#include "catalog/provider.h"
#include "oauth/provider.h"
#include "oauth/scope.h"

/* Calls `check` with the document of every method of OAuth. */
static void for_each_document(void (*check)(const struct provider *provider))
{
    size_t count = 0;

    for (const struct catalog_entry *entry = catalog_entries; entry->slug != NULL; entry++) {
        CLEANUP(app_freep) struct app *app = NULL;
        struct failure failure = {.sentence = ""};

        assert_int_equal(app_parse(entry->text, entry->size, entry->slug, &failure, &app), STATUS_OK);
        for (size_t i = 0; i < app->method_count; i++) {
            CLEANUP(app_freep) struct app *other = NULL;
            CLEANUP(secret_reset) struct secret text = {0};
            CLEANUP(provider_freep) struct provider *provider = NULL;
            const struct json *oauth = NULL;

            assert_int_equal(catalog_oauth(&app->methods[i], &failure, &other, &oauth), STATUS_OK);
            if (oauth == NULL)
                continue;
            assert_int_equal(provider_write(app, &app->methods[i], oauth, &failure, &text), STATUS_OK);
            if (provider_open(secret_text(&text), &failure, &provider) != STATUS_OK)
                fail_msg("%s %s: %s", app->slug, app->methods[i].name, failure.sentence);
            check(provider);
            count++;
        }
    }
    assert_true(count > 130);
}

/* A value that the field takes: `wanted`, its example, or one of some that suit many. */
static const char *sample(const struct app_field *field, const char *wanted)
{
    static const char *const samples[] = {"1", "acme", "acme.example:8443", "https://acme.example"};
    struct failure ignored;

    if (wanted != NULL && field->pattern != NULL && app_check_value(field, wanted, &ignored) == STATUS_OK)
        return wanted;
    if (field->example != NULL || field->fallback != NULL)
        return field->example != NULL ? field->example : field->fallback;
    if (field->values != NULL)
        return json_text(json_at(field->values, 0), NULL);
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        if (app_check_value(field, samples[i], &ignored) == STATUS_OK)
            return samples[i];
    }
    fail_msg("no sample fits %s", field->pattern);
    return NULL;
}

static struct json *samples_of(const struct provider *provider, const char *wanted)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    struct failure failure;
    struct json *properties = NULL;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    for (size_t i = 0; i < provider->method->field_count; i++)
        json_add_text(&writer, provider->method->fields[i].name,
                      sample(&provider->method->fields[i], wanted));
    json_close_object(&writer);
    assert_int_equal(json_parse(text.bytes, text.size, "samples", &failure, &properties), STATUS_OK);
    return properties;
}

static void check_url(const struct provider *provider, const struct json *properties, const char *what,
                      const char *template)
{
    CLEANUP(secret_reset) struct secret url = {0};
    struct failure failure = {.sentence = ""};

    if (provider_fill_url(provider, properties, template, &failure, &url) != STATUS_OK)
        fail_msg("%s %s: %s", provider->app->slug, what, failure.sentence);
    assert_int_equal(strncmp(secret_text(&url), "https://", 8), 0);
    assert_null(strpbrk(secret_text(&url), "{}"));
}

static void check_addresses(const struct provider *provider, const char *wanted)
{
    static const char *const addresses[] = {"issuer",      "metadata_url", "authorize_url", "token_url",
                                            "refresh_url", "device_url",   "revoke_url",    "revoke_page"};
    static const char *const requests[] = {"test", "whoami"};
    CLEANUP(json_freep) struct json *properties = samples_of(provider, wanted);
    const char *base = json_member_text(provider->request, "base");
    char template[2048];

    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        if (provider_fact(provider, addresses[i], NULL) != NULL)
            check_url(provider, properties, addresses[i], provider_fact(provider, addresses[i], NULL));
    }
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const char *url = json_member_text(json_member(provider->method->entry, requests[i]), "url");

        snprintf(template, sizeof(template), "%s%s", url == NULL || url[0] == '/' ? base : "",
                 url != NULL ? url : "");
        if (json_member(provider->method->entry, requests[i]) != NULL)
            check_url(provider, properties, requests[i], template);
    }
}

static void check_usual_addresses(const struct provider *provider)
{
    check_addresses(provider, NULL);
}

/* A server of one's own, not at the usual port. */
static void check_addresses_with_a_port(const struct provider *provider)
{
    check_addresses(provider, "git.acme.example:8443");
}

static void every_address_can_be_filled_in(void **state)
{
    (void)state;
    for_each_document(check_usual_addresses);
    for_each_document(check_addresses_with_a_port);
}

static void check_scopes(const struct provider *provider)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const struct json *always = json_member(provider->oauth, "scopes");
    const struct json *usual = json_member(provider->method->entry, "scopes");

    assert_true(scope_join(provider, NULL, &text));
    if (!json_member_boolean(provider->oauth, "takes_scope", true))
        assert_string_equal(secret_text(&text), "");
    else
        for (size_t i = 0; i < json_count(always) + json_count(usual); i++)
            assert_non_null(strstr(secret_text(&text),
                                   json_text(i < json_count(always) ? json_at(always, i)
                                                                    : json_at(usual, i - json_count(always)),
                                             NULL)));
    if (!json_member_is(provider->oauth, "scope_separator", "comma"))
        assert_null(strchr(secret_text(&text), ','));
}

static void the_scopes_of_every_method_are_asked_for(void **state)
{
    (void)state;
    for_each_document(check_scopes);
}

static void what_a_client_asks_for_itself_is_what_it_is_told(void **state)
{
    static const char both[] =
        "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"m\":{\"kind\":\"oauth2\",\"title\":\"M\","
        "\"request\":{\"headers\":{\"A\":\"{oauth_access_token}\"}},\"scopes\":[\"mail\"],"
        "\"oauth\":{\"issuer\":\"https://x.example\",\"scopes\":[\"offline\"],\"grants\":["
        "\"authorization_code\",\"client_credentials\"]}}}}";
    static const char alone[] =
        "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"m\":{\"kind\":\"oauth2\",\"title\":\"M\","
        "\"request\":{\"headers\":{\"A\":\"{oauth_access_token}\"}},\"scopes\":[\"mail\"],"
        "\"oauth\":{\"issuer\":\"https://x.example\",\"grants\":[\"client_credentials\"]}}}}";
    CLEANUP(provider_freep) struct provider *provider = NULL;
    CLEANUP(provider_freep) struct provider *other = NULL;
    CLEANUP(json_freep) struct json *asked = NULL;
    CLEANUP(secret_reset) struct secret none = {0};
    CLEANUP(secret_reset) struct secret told = {0};
    CLEANUP(secret_reset) struct secret usual = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(json_parse("[\"api\"]", 7, "asked", &failure, &asked), STATUS_OK);
    assert_int_equal(provider_open(both, &failure, &provider), STATUS_OK);
    assert_int_equal(provider_open(alone, &failure, &other), STATUS_OK);
    assert_true(scope_join_client(provider, NULL, &none));
    assert_string_equal(secret_text(&none), "");
    assert_true(scope_join_client(provider, asked, &told));
    assert_string_equal(secret_text(&told), "api");
    assert_true(scope_join_client(other, NULL, &usual));
    assert_string_equal(secret_text(&usual), "mail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_can_be_filled_in),
        cmocka_unit_test(the_scopes_of_every_method_are_asked_for),
        cmocka_unit_test(what_a_client_asks_for_itself_is_what_it_is_told),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
