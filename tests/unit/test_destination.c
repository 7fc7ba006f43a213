/* Where requests of an entry go, as the agent reads it. */
#include "catalog/destination.h"

#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "catalog/provider.h"
#include "oauth/provider.h"

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

static void what_stands_behind_the_host_is_needed_by_what_follows_the_base_alone(void **state)
{
    CLEANUP(destination_reset) struct destination destination = {0};
    CLEANUP(secret_reset) struct secret origin = {0};

    (void)state;
    assert_int_equal(destination_open(ENTRY("{\"base\":\"https://a.example/ex/{nothing}/v1\"}", ""), &failure,
                                      &destination),
                     STATUS_OK);
    assert_int_equal(destination_origin(&destination, value, "acme", &failure, &origin), STATUS_OK);
    assert_int_equal(destination_check_base(&destination, value, "acme", &failure), STATUS_NOT_FOUND);
    assert_non_null(strstr(failure.sentence, "nothing"));
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
    assert_int_equal(
        destination_check_url(&destination, "https://a.example", "/?a=1&%6be%59=2&k%65y=3", &failure),
        STATUS_REFUSED);
    assert_int_equal(
        destination_check_url(&destination, "https://a.example", "/key=1?keys=2&v=9&ke%7", &failure),
        STATUS_OK);
    assert_true(destination_needs(&destination, "api_key"));
    assert_false(destination_needs(&destination, "subdomain"));
    assert_false(destination_needs(&destination, "oauth_refresh_token"));
}

/* ---- the catalogue ---- */

/* A value that the field takes: what the entry shows, or one of some that suit many; NULL: none of these. */
static const char *sample(const struct app_field *field)
{
    static const char *const samples[] = {"1", "acme", "acme.example:8443", "https://acme.example",
                                          "AC0123456789abcdef0123456789abcdef"};
    struct failure ignored;

    if (field->values != NULL)
        return json_text(json_at(field->values, 0), NULL);
    if (field->example != NULL || field->fallback != NULL)
        return field->example != NULL ? field->example : field->fallback;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        if (app_check_value(field, samples[i], &ignored) == STATUS_OK)
            return samples[i];
    }
    return NULL;
}

static const char *sample_value(const void *context, const char *name)
{
    const struct app_field *field = app_find_field(context, name);

    return field != NULL ? sample(field) : NULL;
}

static void write_samples(const struct app_method *method, struct json **ret_properties)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    for (size_t i = 0; i < method->field_count; i++) {
        if (sample(&method->fields[i]) != NULL)
            json_add_text(&writer, method->fields[i].name, sample(&method->fields[i]));
    }
    json_close_object(&writer);
    assert_false(writer.failed);
    assert_int_equal(json_parse(text.bytes, text.size, "it", &failure, ret_properties), STATUS_OK);
}

/* False where no request can be made of what the catalogue says. */
static bool origins_agree(const struct app *app, const struct app_method *method)
{
    CLEANUP(destination_reset) struct destination destination = {0};
    CLEANUP(provider_freep) struct provider *provider = NULL;
    CLEANUP(app_freep) struct app *other = NULL;
    CLEANUP(secret_reset) struct secret entry = {0};
    CLEANUP(secret_reset) struct secret origin = {0};
    CLEANUP(secret_reset) struct secret base = {0};
    CLEANUP(json_freep) struct json *properties = NULL;
    const struct json *oauth = NULL;
    struct url one, two;

    assert_int_equal(catalog_oauth(method, &failure, &other, &oauth), STATUS_OK);
    if (provider_write_any(app, method, oauth, &failure, &entry) != STATUS_OK)
        fail_msg("%s %s: %s", app->slug, method->name, failure.sentence);
    if (destination_open(secret_text(&entry), &failure, &destination) != STATUS_OK) {
        assert_int_equal(failure.status, STATUS_REFUSED);
        return false;
    }
    assert_int_equal(provider_open_any(secret_text(&entry), &failure, &provider), STATUS_OK);
    write_samples(provider->method, &properties);
    if (destination_origin(&destination, sample_value, provider->method, &failure, &origin) != STATUS_OK)
        fail_msg("%s %s: %s", app->slug, method->name, failure.sentence);
    if (destination_check_base(&destination, sample_value, provider->method, &failure) != STATUS_OK)
        return false;
    if (provider_fill_url(provider, properties, json_member_text(destination.request, "base"), &failure,
                          &base) != STATUS_OK)
        fail_msg("%s %s: %s", app->slug, method->name, failure.sentence);
    assert_int_equal(url_parse(secret_text(&origin), "it", &failure, &one), STATUS_OK);
    assert_int_equal(url_parse(secret_text(&base), "it", &failure, &two), STATUS_OK);
    assert_true(url_is_same_origin(&one, &two));
    assert_true(one.secure);
    return true;
}

static void agent_and_helper_agree_on_where_each_app_is(void **state)
{
    size_t makeable = 0;

    (void)state;
    for (const struct catalog_entry *entry = catalog_entries; entry->slug != NULL; entry++) {
        CLEANUP(app_freep) struct app *app = NULL;

        assert_int_equal(app_parse(entry->text, entry->size, entry->slug, &failure, &app), STATUS_OK);
        for (size_t i = 0; i < app->method_count; i++)
            makeable += origins_agree(app, &app->methods[i]);
    }
    assert_true(makeable > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_origin_is_that_of_the_base),
        cmocka_unit_test(what_has_no_place_to_go_is_refused_by_name),
        cmocka_unit_test(what_stands_behind_the_host_is_needed_by_what_follows_the_base_alone),
        cmocka_unit_test(plain_http_is_for_loopback_where_the_facts_say_so),
        cmocka_unit_test(a_value_that_breaks_out_of_the_host_makes_no_origin_of_it),
        cmocka_unit_test(only_the_very_host_and_port_are_let_pass),
        cmocka_unit_test(what_holds_the_credential_is_the_credentials_own),
        cmocka_unit_test(agent_and_helper_agree_on_where_each_app_is),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
