/* Every method of OAuth that the catalogue has, as the helper sees it: its document is taken, its addresses
 * can be filled in with what people have, its scopes are asked for, and replies of odd providers become what
 * code reads. */
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
#include "catalog/path.h"
#include "catalog/provider.h"
#include "oauth/provider.h"
#include "oauth/scope.h"
#include "oauth/tokens.h"

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

/* ---- replies of providers, as their pages or those who use them show them ---- */

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"
#define NOW UINT64_C(1760000000000) /* 2025-10-09T08:53:20Z */

struct row {
    const char *slug;
    const char *method;
    const char *type;
    const char *body;
    const char *redirect;   /* the parameters that came with the code; NULL: no others */
    const char *whoami;     /* the reply to whose account it is; NULL: not asked */
    const char *properties; /* what the account gets */
    uint64_t lifetime_s;    /* of the token; 0: not said */
};

#define SLACK_BOT                                                                                            \
    "\"ok\":true,\"access_token\":\"xoxb\",\"token_type\":\"bot\",\"refresh_token\":\"br\",\"expires_in\":"  \
    "43200"
#define SLACK_USER                                                                                           \
    "\"authed_user\":{\"id\":\"U1\",\"access_token\":\"xoxp\",\"refresh_token\":\"ur\",\"expires_in\":"      \
    "43200,"                                                                                                 \
    "\"token_type\":\"user\"}"

/* clang-format off */
static const struct row rows[] = {
    {"slack", "oauth", JSON, "{" SLACK_BOT ",\"authed_user\":{\"id\":\"U1\"}}", NULL, "{\"ok\":true,\"user_id\":\"U7\",\"team\":\"Acme\"}",
     "{\"oauth_access_token\":\"xoxb\",\"oauth_refresh_token\":\"br\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"U7\"}", 43200},
    {"slack", "oauth", JSON, "{" SLACK_BOT "," SLACK_USER "}", NULL, NULL,
     "{\"oauth_access_token\":\"xoxb\",\"oauth_refresh_token\":\"br\",\"oauth_user_access_token\":\"xoxp\","
     "\"oauth_user_refresh_token\":\"ur\",\"oauth_client_id\":\"c\"}", 43200},
    {"slack", "oauth", JSON, "{\"ok\":true," SLACK_USER "}", NULL, NULL,
     "{\"oauth_access_token\":\"xoxp\",\"oauth_refresh_token\":\"ur\",\"oauth_client_id\":\"c\"}", 43200},
    {"slack_v2", "oauth", JSON, "{" SLACK_BOT "," SLACK_USER "}", NULL, NULL,
     "{\"oauth_access_token\":\"xoxp\",\"oauth_refresh_token\":\"ur\",\"bot_token\":\"xoxb\","
     "\"bot_refresh_token\":\"br\",\"oauth_client_id\":\"c\"}", 43200},
    /* a user's token that does not end, beside the bot's, which does: neither gets what is the other's */
    {"slack_v2", "oauth", JSON, "{" SLACK_BOT ",\"authed_user\":{\"id\":\"U1\",\"access_token\":\"xoxp\"}}", NULL, NULL,
     "{\"oauth_access_token\":\"xoxp\",\"bot_token\":\"xoxb\",\"bot_refresh_token\":\"br\",\"oauth_client_id\":\"c\"}", 0},
    /* a member that is called as the second token's property is does not write it twice */
    {"slack_v2", "oauth", JSON, "{" SLACK_BOT "," SLACK_USER ",\"bot_refresh_token\":\"other\"}", NULL, NULL,
     "{\"oauth_access_token\":\"xoxp\",\"oauth_refresh_token\":\"ur\",\"bot_token\":\"xoxb\","
     "\"bot_refresh_token\":\"br\",\"oauth_client_id\":\"c\"}", 43200},
    {"github", "oauth", FORM, "access_token=gho&scope=gist%2Crepo&token_type=bearer", NULL, "{\"id\":583231,\"login\":\"octocat\"}",
     "{\"oauth_access_token\":\"gho\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"583231\"}", 0},
    {"github", "github_app", JSON, "{\"access_token\":\"ghu\",\"expires_in\":28800,\"refresh_token\":\"ghr\","
     "\"refresh_token_expires_in\":15811200,\"scope\":\"\",\"token_type\":\"bearer\"}", NULL, NULL,
     "{\"oauth_access_token\":\"ghu\",\"oauth_refresh_token\":\"ghr\",\"oauth_client_id\":\"c\"}", 28800},
    {"salesforce_rest_api", "oauth", JSON, "{\"access_token\":\"00D!\",\"refresh_token\":\"5Aep\",\"instance_url\":"
     "\"https://acme.my.salesforce.com\",\"issued_at\":\"1759999999000\",\"token_type\":\"Bearer\"}", NULL, NULL,
     "{\"oauth_access_token\":\"00D!\",\"oauth_refresh_token\":\"5Aep\",\"oauth_client_id\":\"c\","
     "\"instance_url\":\"https://acme.my.salesforce.com\"}", 0},
    {"salesforce_rest_api", "oauth", JSON, "{\"access_token\":\"00D!\",\"instance_url\":\"http://acme.example\"}", NULL, NULL,
     "{\"oauth_access_token\":\"00D!\",\"oauth_client_id\":\"c\"}", 0},
    {"quickbooks", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":3600,"
     "\"x_refresh_token_expires_in\":8726400}", "code=a&state=b&realmId=4620816365", NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"company_id\":\"4620816365\"}", 3600},
    {"zoho", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"api_domain\":\"https://www.zohoapis.eu\","
     "\"expires_in\":3600}", "location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu&code=a&state=b", "{\"ZUID\":665,\"Email\":\"a@b.example\"}",
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"665\","
     "\"dc\":\"https://accounts.zoho.eu\",\"api_domain\":\"https://www.zohoapis.eu\"}", 3600},
    {"zoho", "oauth", JSON, "{\"access_token\":\"t\",\"api_domain\":\"https://www.zohoapis.eu.example\"}",
     "accounts-server=https%3A%2F%2Faccounts.zoho.com.example&code=a&state=b", NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_client_id\":\"c\"}", 3600},
    {"pipedrive", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":3599,\"scope\":\"base,deals:read\","
     "\"api_domain\":\"https://acme.pipedrive.com\"}", NULL, NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"api_domain\":\"https://acme.pipedrive.com\"}", 3599},
    {"wrike", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"host\":\"app-eu.wrike.com\",\"expires_in\":\"3600\"}", NULL, NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"host\":\"app-eu.wrike.com\"}", 3600},
    {"gong", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":86400,\"api_base_url_for_customer\":"
     "\"https://company-17.api.gong.io\"}", NULL, NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"api_base_url_for_customer\":\"https://company-17.api.gong.io\"}", 86400},
    {"discord", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":604800,\"webhook\":{\"id\":\"1\",\"guild_id\":\"290926798626357999\"}}", NULL, NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"guild_id\":\"290926798626357999\"}", 604800},
    {"mailchimp", "oauth", JSON, "{\"access_token\":\"t\",\"expires_in\":0,\"scope\":null}", NULL,
     "{\"dc\":\"us6\",\"accountname\":\"Acme\",\"user_id\":15}",
     "{\"oauth_access_token\":\"t\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"15\",\"dc\":\"us6\"}", 0},
    {"docusign", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":28800}", NULL,
     "{\"sub\":\"5f4b\",\"email\":\"a@b.example\",\"accounts\":[{\"account_id\":\"c1ff-2\",\"is_default\":true,\"base_uri\":\"https://eu.docusign.net\"}]}",
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"5f4b\","
     "\"base_uri\":\"https://eu.docusign.net\",\"account_id\":\"c1ff-2\"}", 28800},
    {"harvest", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":1209599}", NULL,
     "{\"user\":{\"id\":5,\"email\":\"a@b.example\"},\"accounts\":[{\"id\":123,\"name\":\"Acme\"}]}",
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"5\",\"account_id\":\"123\"}", 1209599},
    {"square", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_at\":\"2025-10-09T09:53:20Z\",\"merchant_id\":\"M\"}", NULL,
     "{\"locations\":[{\"id\":\"L\",\"merchant_id\":\"M\",\"business_name\":\"Acme\"}]}",
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"M\"}", 3600},
    {"front", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_at\":1760003600,\"token_type\":\"Bearer\"}", NULL, NULL,
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\"}", 3600},
    {"xero_accounting_api", "oauth", JSON, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":1800}", NULL,
     "[{\"id\":\"i\",\"tenantId\":\"70784a63\",\"tenantName\":\"Acme\"}]",
     "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\",\"oauth_client_id\":\"c\",\"oauth_uid\":\"70784a63\"}", 1800},
};

/* Errors, all with status 200, that mean that a grant is no more. */
static const struct row dead[] = {
    {.slug = "slack", .method = "oauth", .type = JSON, .body = "{\"ok\":false,\"error\":\"invalid_refresh_token\"}"},
    {.slug = "github", .method = "github_app", .type = FORM, .body = "error=bad_refresh_token&error_description=x"},
    {.slug = "zoho", .method = "oauth", .type = JSON, .body = "{\"error\":\"invalid_code\"}"},
    {.slug = "google_drive", .method = "oauth", .type = JSON, .body = "{\"error\":\"invalid_grant\"}"},
};
/* clang-format on */

static struct provider *find_provider(const struct row *row)
{
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *other = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    const struct json *oauth = NULL;
    struct provider *provider = NULL;
    struct failure failure;

    assert_int_equal(catalog_find(row->slug, &failure, &app, NULL), STATUS_OK);
    assert_int_equal(catalog_oauth(app_find_method(app, row->method), &failure, &other, &oauth), STATUS_OK);
    assert_int_equal(provider_write(app, app_find_method(app, row->method), oauth, &failure, &text),
                     STATUS_OK);
    assert_int_equal(provider_open(secret_text(&text), &failure, &provider), STATUS_OK);
    return provider;
}

/* What the helper makes of the reply to the request that the entry has for it. */
static void fill_identity(const struct provider *provider, const char *reply, struct identity *identity)
{
    const struct json *entry = json_member(provider->method->entry, "whoami");
    struct failure failure;

    if (entry == NULL)
        entry = json_member(provider->method->entry, "test");
    assert_int_equal(json_parse(reply, strlen(reply), "reply", &failure, &identity->document), STATUS_OK);
    assert_true(
        reply_append_text(path_find(identity->document, json_member_text(entry, "id")), &identity->id));
    if (json_member_text(entry, "name") != NULL)
        assert_non_null(path_find(identity->document, json_member_text(entry, "name")));
    identity->works = true;
}

static void check_row(const struct row *row)
{
    CLEANUP(provider_freep) struct provider *provider = find_provider(row);
    CLEANUP(reply_reset) struct reply reply = {0};
    CLEANUP(identity_reset) struct identity identity = {0};
    CLEANUP(secret_reset) struct secret text = {0};
    struct http_reply http = {.status = 200, .date_ms = NOW, .sent_wall_ms = NOW};
    const struct errand errand = {.provider = provider, .client_id = "c"};
    const struct tokens tokens = {
        .errand = &errand, .reply = &reply, .identity = row->whoami != NULL ? &identity : NULL};
    struct fault fault = {0};
    struct json_writer writer;

    snprintf(http.content_type, sizeof(http.content_type), "%s", row->type);
    assert_true(secret_append_text(&http.body, row->body));
    if (reply_read_tokens(provider, &http, "the token endpoint", REPLY_FIRST, &fault, &reply) != VERDICT_OK)
        fail_msg("%s: %s", row->slug, fault.reason);
    secret_reset(&http.body);
    if (row->redirect != NULL)
        assert_true(secret_append_text(&reply.redirect, row->redirect));
    if (row->whoami != NULL)
        fill_identity(provider, row->whoami, &identity);
    json_writer_start(&writer, &text);
    assert_true(tokens_write_properties(&tokens, &writer, NULL));
    assert_string_equal(secret_text(&text), row->properties);
    assert_int_equal(reply.lifetime_ms, row->lifetime_s * 1000);
}

static void a_reply_becomes_the_properties_that_code_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(&rows[i]);
}

static void an_error_in_a_reply_that_is_none_ends_the_grant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
        CLEANUP(provider_freep) struct provider *provider = find_provider(&dead[i]);
        CLEANUP(reply_reset) struct reply reply = {0};
        struct http_reply http = {.status = 200, .date_ms = NOW, .sent_wall_ms = NOW};
        struct fault fault = {0};

        snprintf(http.content_type, sizeof(http.content_type), "%s", dead[i].type);
        assert_true(secret_append_text(&http.body, dead[i].body));
        if (reply_read_tokens(provider, &http, "the token endpoint", REPLY_RENEWAL, &fault, &reply) !=
            VERDICT_DEAD)
            fail_msg("%s: not dead", dead[i].slug);
        secret_reset(&http.body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_can_be_filled_in),
        cmocka_unit_test(the_scopes_of_every_method_are_asked_for),
        cmocka_unit_test(what_a_client_asks_for_itself_is_what_it_is_told),
        cmocka_unit_test(a_reply_becomes_the_properties_that_code_reads),
        cmocka_unit_test(an_error_in_a_reply_that_is_none_ends_the_grant),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
