/* vault/catalog/: the facts of OAuth, one bad entry for each rule; what follows where they say nothing; paths
 * into replies; and the provider documents of all apps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "catalog/facts.h"
#include "catalog/path.h"
#include "catalog/provider.h"

/* An app `a` with one method `m` of OAuth, these members and these facts. */
#define ENTRY(members, facts)                                                                                \
    "{\"slug\":\"a\",\"title\":\"A\",\"methods\":{\"m\":{\"kind\":\"oauth2\",\"title\":\"M\"," members       \
    "\"request\":{\"base\":\"https://a.example\",\"headers\":{\"Authorization\":\"Bearer "                   \
    "{oauth_access_token}\"}},\"oauth\":{" facts "}}}}"
#define ADDRESSES "\"authorize_url\":\"https://a.example/a\",\"token_url\":\"https://a.example/t\""
#define FACTS(facts) ENTRY("", ADDRESSES "," facts)
#define FIELDS(fields, facts) ENTRY("\"fields\":{" fields "},", ADDRESSES "," facts)

static enum status parse(const char *text, struct failure *failure, struct app **ret_app)
{
    return app_parse(text, strlen(text), "a.json", failure, ret_app);
}

/* `sentence` follows `a.json: methods.m.`. */
static void assert_wrong(const char *text, const char *sentence)
{
    struct failure failure = {.sentence = ""};
    struct app *app = NULL;
    char whole[FAILURE_SENTENCE_MAX];

    if (parse(text, &failure, &app) != STATUS_INVALID)
        fail_msg("taken: %s", text);
    assert_null(app);
    snprintf(whole, sizeof(whole), "a.json: methods.m.%s", sentence);
    assert_string_equal(failure.sentence, whole);
}

static void assert_right(const char *text)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(app_freep) struct app *app = NULL;

    if (parse(text, &failure, &app) != STATUS_OK)
        fail_msg("%s: %s", failure.sentence, text);
}

/* ---- what is refused ---- */

static void each_fact_has_its_values(void **state)
{
    (void)state;
    assert_wrong(FACTS("\"iss\":\"maybe\""), "oauth.iss is not one of checked, required, ignored");
    assert_wrong(FACTS("\"client_auth\":\"both\""),
                 "oauth.client_auth is not one of none, body, basic, basic_raw, secret_key");
    assert_wrong(FACTS("\"revoke_format\":\"xml\""), "oauth.revoke_format is not one of form, json");
    assert_wrong(FACTS("\"redirect\":\"http\""), "oauth.redirect is not one of loopback, https, name");
    assert_wrong(FACTS("\"redirect_host\":\"0.0.0.0\""),
                 "oauth.redirect_host is not one of localhost, 127.0.0.1, [::1]");
    assert_wrong(FACTS("\"expires\":\"minutes\""), "oauth.expires is not one of in, ms, at, session, none");
    assert_wrong(FACTS("\"prompt\":\"consent\""), "oauth has a member \"prompt\" that is not known");
    assert_wrong(FACTS("\"margin_seconds\":-1"), "oauth.margin_seconds is no whole number over 0");
    assert_wrong(FACTS("\"keep_alive_days\":\"30\""), "oauth.keep_alive_days is no whole number over 0");
    assert_wrong(FACTS("\"rename\":{\"client\":\"client_key\"}"),
                 "oauth.rename has a name that no parameter has in the standards");
    assert_wrong(FACTS("\"scope_parameter\":\"a b\""),
                 "oauth.scope_parameter has a name that no header or parameter has");
    assert_wrong(FACTS("\"code_parameter\":\"\""), "oauth.code_parameter is empty");
    assert_right(
        FACTS("\"rename\":{\"client_id\":\"client_key\"},\"token_rename\":{\"code\":\"auth_code\"},"
              "\"authorize_rename\":{\"redirect_uri\":\"redirect_url\"},\"code_parameter\":\"auth_code\""));
}

static void ports_are_any_or_a_list(void **state)
{
    static const char sentence[] =
        "oauth.redirect_ports is neither any nor an array of 1 to 8 different ports from 1024 to 65535";

    (void)state;
    assert_wrong(FACTS("\"redirect_ports\":\"some\""), sentence);
    assert_wrong(FACTS("\"redirect_ports\":8080"), sentence);
    assert_wrong(FACTS("\"redirect_ports\":[]"), sentence);
    assert_wrong(FACTS("\"redirect_ports\":[80]"), sentence);
    assert_wrong(FACTS("\"redirect_ports\":[65536]"), sentence);
    assert_wrong(FACTS("\"redirect_ports\":[4711,4711]"), sentence);
    assert_wrong(FACTS("\"redirect_ports\":[\"4711\"]"), sentence);
    assert_wrong(FACTS("\"redirect_ports\":[1024,1025,1026,1027,1028,1029,1030,1031,1032]"), sentence);
    assert_wrong(FACTS("\"redirect_path\":\"callback\""),
                 "oauth.redirect_path is not a / and letters, digits, /, ., _, ~ and - behind it");
    assert_wrong(FACTS("\"redirect_path\":\"/a?b\""),
                 "oauth.redirect_path is not a / and letters, digits, /, ., _, ~ and - behind it");
    assert_right(FACTS("\"redirect_ports\":[4711,4712],\"redirect_path\":\"/\""));
}

static void endpoints_are_there_or_can_be_found(void **state)
{
    (void)state;
    assert_wrong(ENTRY("", "\"authorize_url\":\"https://a.example\""),
                 "oauth has no token_url, nor an issuer or metadata_url to find it by");
    assert_wrong(ENTRY("", "\"token_url\":\"https://a.example\""),
                 "oauth has neither an authorize_url nor grants that need none");
    assert_wrong(ENTRY("", "\"token_url\":\"https://a.example\",\"grants\":[\"device_code\"]"),
                 "oauth has the grant device_code and no device_url");
    assert_wrong(ENTRY("", "\"issuer\":\"https://a.example/?b\""), "oauth.issuer has a query or a fragment");
    assert_wrong(ENTRY("", "\"issuer\":\"a.example\""), "oauth.issuer does not begin with https://");
    assert_right(ENTRY("", "\"issuer\":\"https://a.example\",\"grants\":[\"device_code\"]"));
    assert_right(ENTRY("", "\"metadata_url\":\"https://a.example/.well-known/openid-configuration\""));
    assert_right(ENTRY("", "\"token_url\":\"https://a.example\",\"device_url\":\"https://a.example/d\","
                           "\"grants\":[\"device_code\"]"));
}

static void http_is_for_this_machine_alone(void **state)
{
    static const char *const others[] = {"http://127.0.0.1.example",       "http://127.0.0.1@a.example",
                                         "http://localhost.example/",      "http://a.example",
                                         "http://127.0.0.1:80@a.example/", "http://127.0.0.2",
                                         "http://localhost\\\\@a.example", "http://[::1].example"};
    static const char *const ours[] = {"http://127.0.0.1", "http://localhost:4100/x", "http://[::1]:1/y?z",
                                       "http://127.0.0.1:4100/oauth"};
    char text[1024];

    (void)state;
    assert_wrong(ENTRY("", "\"issuer\":\"http://127.0.0.1:4100\""),
                 "oauth.issuer does not begin with https://");
    assert_wrong(ENTRY("", "\"loopback\":false,\"issuer\":\"http://127.0.0.1:4100\""),
                 "oauth.issuer does not begin with https://");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct failure failure;
        struct app *app = NULL;

        snprintf(text, sizeof(text), ENTRY("", "\"loopback\":true,\"issuer\":\"%s\""), others[i]);
        if (parse(text, &failure, &app) != STATUS_INVALID)
            fail_msg("taken: %s", others[i]);
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        snprintf(text, sizeof(text), ENTRY("", "\"loopback\":true,\"metadata_url\":\"%s\""), ours[i]);
        assert_right(text);
    }
    assert_right(ENTRY("\"test\":{\"method\":\"GET\",\"url\":\"http://localhost:1/me\"},",
                       "\"loopback\":true,\"issuer\":\"http://localhost:1\""));
}

#define SHOP "\"shop\":{\"title\":\"Shop\",\"hidden\":false,\"pattern\":\"[a-z]+\"}"
#define SECRET "\"pin\":{\"title\":\"Pin\",\"pattern\":\"[0-9]+\"}"

static void what_a_browser_opens_shows_nothing_hidden(void **state)
{
    (void)state;
    assert_wrong(ENTRY("\"fields\":{" SECRET "},",
                       "\"authorize_url\":\"https://a.example/{pin}\",\"token_url\":\"https://a.example\""),
                 "oauth.authorize_url would show a field that is hidden");
    assert_wrong(FIELDS(SECRET, "\"authorize_params\":{\"pin\":\"{pin}\"}"),
                 "oauth.authorize_params.pin would show a field that is hidden");
    assert_wrong(FIELDS(SECRET, "\"revoke_page\":\"https://a.example/{pin}\""),
                 "oauth.revoke_page would show a field that is hidden");
    assert_wrong(FACTS("\"revoke_page\":\"https://a.example/{oauth_access_token}\""),
                 "oauth.revoke_page would show a field that is hidden");
    assert_wrong(FACTS("\"token_params\":{\"audience\":\"{audience}\"}"),
                 "oauth.token_params.audience names a field that is not there");
    assert_right(FIELDS(SECRET, "\"token_params\":{\"pin\":\"{pin}\"},"
                                "\"revoke_page\":\"https://a.example/{oauth_client_id}\""));
    assert_right(FIELDS(SHOP, "\"authorize_params\":{\"shop\":\"{shop}\"},"
                              "\"revoke_page\":\"https://{shop}.example\""));
}

static void no_parameter_of_an_address_is_said_twice(void **state)
{
    (void)state;
    assert_wrong(FACTS("\"authorize_params\":{\"state\":\"x\"}"),
                 "oauth.authorize_params.state is said by stepvault itself");
    assert_wrong(FACTS("\"authorize_params\":{\"scope\":\"x\"}"),
                 "oauth.authorize_params.scope is said by stepvault itself");
    assert_wrong(
        FACTS("\"rename\":{\"client_id\":\"client_key\"},\"authorize_params\":{\"client_key\":\"x\"}"),
        "oauth.authorize_params.client_key is said by stepvault itself");
    assert_wrong(FACTS("\"user_scope_parameter\":\"user\",\"authorize_params\":{\"user\":\"x\"}"),
                 "oauth.authorize_params.user is said by stepvault itself");
    assert_right(FACTS("\"scope_parameter\":\"scopes\",\"authorize_params\":{\"scope\":\"x\"}"));
    assert_right(FACTS("\"authorize_params\":{\"prompt\":\"consent\"},\"token_params\":{\"scope\":\"x\"}"));
}

static void what_only_calling_code_knows_is_in_no_fact(void **state)
{
    (void)state;
    assert_wrong("{\"slug\":\"a\",\"title\":\"A\",\"methods\":{\"m\":{\"kind\":\"oauth2\",\"title\":\"M\","
                 "\"request\":{\"base\":\"https://a.example/{version}\",\"caller\":{\"version\":{\"title\":"
                 "\"V\"}}},\"oauth\":{" ADDRESSES ",\"revoke_url\":\"https://a.example/{version}\"}}}}",
                 "oauth.revoke_url names what only the calling code knows");
}

#define TOKEN "\"bot_token\":{\"title\":\"Bot\",\"optional\":true}"
#define REFRESH "\"bot_refresh_token\":{\"title\":\"Bot\",\"optional\":true}"

static void a_second_token_has_properties_of_its_own(void **state)
{
    (void)state;
    assert_wrong(FACTS("\"second_token\":{\"path\":\"bot.access_token\"}"),
                 "oauth.second_token has no member property");
    assert_wrong(FACTS("\"second_token\":{\"path\":\"a..b\",\"property\":\"bot_token\"}"),
                 "oauth.second_token.path has an empty name in its path");
    assert_wrong(FACTS("\"second_token\":{\"path\":\"a\",\"property\":\"bot_token\"}"),
                 "oauth.second_token.property is no field that is hidden and optional");
    assert_wrong(FIELDS("\"bot_token\":{\"title\":\"Bot\",\"optional\":true,\"hidden\":false}",
                        "\"second_token\":{\"path\":\"a\",\"property\":\"bot_token\"}"),
                 "oauth.second_token.property is no field that is hidden and optional");
    assert_wrong(FIELDS("\"bot_token\":{\"title\":\"Bot\"}",
                        "\"second_token\":{\"path\":\"a\",\"property\":\"bot_token\"}"),
                 "oauth.second_token.property is no field that is hidden and optional");
    assert_wrong(FIELDS(TOKEN ",\"bot_refresh\":{\"title\":\"Bot\",\"optional\":true}",
                        "\"second_token\":{\"path\":\"a\",\"property\":\"bot_token\",\"refresh_property\":"
                        "\"bot_refresh\"}"),
                 "oauth.second_token.refresh_property does not end in _refresh_token");
    assert_right(FIELDS(TOKEN "," REFRESH, "\"second_token\":{\"path\":\"a\",\"property\":\"bot_token\","
                                           "\"refresh_property\":\"bot_refresh_token\"}"));
}

static void what_makes_no_sense_together_is_refused(void **state)
{
    (void)state;
    assert_wrong(FACTS("\"takes_scope\":false,\"scopes\":[\"a\"]"),
                 "oauth.scopes is there, and takes_scope is false");
    assert_wrong(FACTS("\"takes_scope\":false,\"scope_parameter\":\"s\""),
                 "oauth.scope_parameter is there, and takes_scope is false");
    assert_wrong(FACTS("\"redirect\":\"https\",\"redirect_ports\":\"any\""),
                 "oauth.redirect_ports is there, and redirect is not loopback");
    assert_wrong(FACTS("\"redirect\":\"name\",\"redirect_host\":\"localhost\""),
                 "oauth.redirect_host is there, and redirect is not loopback");
    assert_wrong(FACTS("\"client_auth\":\"basic\",\"client_auth_also\":\"basic\""),
                 "oauth.client_auth_also is what client_auth is");
    assert_wrong(FACTS("\"client_auth_also\":\"body\""), "oauth.client_auth_also is what client_auth is");
    assert_wrong("{\"slug\":\"a\",\"title\":\"A\",\"methods\":{\"m\":{\"kind\":\"api_key\",\"title\":\"M\","
                 "\"fields\":{\"key\":{\"title\":\"Key\"}},\"request\":{\"query\":{\"k\":\"{key}\"}},"
                 "\"scopes\":[\"a\"]}}}",
                 "scopes belongs to methods with oauth");
    assert_right(FACTS("\"redirect\":\"loopback\",\"redirect_host\":\"[::1]\""));
}

static void whose_account_it_is_has_paths(void **state)
{
    (void)state;
    assert_wrong(ENTRY("\"test\":{\"method\":\"GET\",\"id\":\".id\"},", ADDRESSES),
                 "test.id has an empty name in its path");
    assert_wrong(ENTRY("\"whoami\":{\"method\":\"PUT\"},", ADDRESSES),
                 "whoami.method is not one of GET, POST");
    assert_wrong(ENTRY("\"whoami\":{\"method\":\"GET\",\"url\":\"/{x}\"},", ADDRESSES),
                 "whoami.url names a field that is not there");
    assert_wrong(ENTRY("\"whoami\":{\"method\":\"GET\",\"headers\":{\"A\":\"{x}\"}},", ADDRESSES),
                 "whoami.headers.A names a field that is not there");
    assert_wrong(FIELDS("\"dc\":{\"title\":\"D\",\"as\":\"a\"}", "\"pkce\":\"off\""),
                 "fields.dc has as without from");
    assert_wrong(FIELDS("\"dc\":{\"title\":\"D\",\"from\":\"token\",\"as\":\"a.\"}", "\"pkce\":\"off\""),
                 "fields.dc has an empty name in its path");
    assert_right(
        FIELDS("\"dc\":{\"title\":\"D\",\"from\":\"redirect\",\"as\":\"accounts-server.\"}",
               "\"token_paths\":[\"data.access_token\"],\"ok_path\":\"ok\",\"error_path\":\"error.code\""));
    assert_wrong(FACTS("\"token_paths\":[\"access_token\",\"a b\"]"),
                 "oauth.token_paths has a byte that no path has");
}

static void a_field_that_is_an_address_has_no_other_values(void **state)
{
    (void)state;
    assert_right(
        ENTRY("\"fields\":{\"dc\":{\"title\":\"D\",\"hidden\":false,\"values\":[\"https://a.example\","
              "\"https://b.example\"]}},",
              "\"authorize_url\":\"{dc}/a\",\"token_url\":\"{dc}/t\""));
    assert_wrong(
        ENTRY("\"fields\":{\"dc\":{\"title\":\"D\",\"hidden\":false,\"values\":[\"https://a.example\","
              "\"http://b.example\"]}},",
              "\"authorize_url\":\"{dc}/a\",\"token_url\":\"{dc}/t\""),
        "oauth.authorize_url does not begin with https://");
    assert_wrong(ENTRY("\"fields\":{\"dc\":{\"title\":\"D\",\"hidden\":false,\"pattern\":\"https://a|.*\"}},",
                       "\"authorize_url\":\"{dc}/a\",\"token_url\":\"{dc}/t\""),
                 "oauth.authorize_url does not begin with https://");
}

/* ---- what follows ---- */

static const struct json *parse_facts(const char *text, struct app **ret_app)
{
    struct failure failure = {.sentence = ""};

    if (parse(text, &failure, ret_app) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    return (*ret_app)->methods[0].oauth;
}

static void what_is_not_said_is_the_usual(void **state)
{
    CLEANUP(app_freep) struct app *app = NULL;
    const struct json *oauth = parse_facts(FACTS("\"pkce\":\"off\""), &app);
    uint16_t ports[FACTS_PORTS_MAX];
    char uri[FACTS_URI_MAX];

    (void)state;
    assert_true(facts_has_grant(oauth, "authorization_code"));
    assert_false(facts_has_grant(oauth, "device_code"));
    assert_int_equal(facts_redirect(oauth), FACTS_REDIRECT_LOOPBACK);
    assert_int_equal(facts_ports(oauth, ports), 3);
    assert_int_equal(ports[0], 28710);
    assert_int_equal(ports[2], 28712);
    facts_redirect_uri(oauth, ports[1], uri);
    assert_string_equal(uri, "http://127.0.0.1:28711/callback");
}

static void what_is_said_holds(void **state)
{
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *any = NULL;
    CLEANUP(app_freep) struct app *https = NULL;
    const struct json *oauth = parse_facts(
        ENTRY("", "\"issuer\":\"https://a.example\",\"grants\":[\"client_credentials\"],"
                  "\"redirect_host\":\"[::1]\",\"redirect_ports\":[4712,4711],\"redirect_path\":\"/\""),
        &app);
    uint16_t ports[FACTS_PORTS_MAX];
    char uri[FACTS_URI_MAX];

    (void)state;
    assert_false(facts_has_grant(oauth, "authorization_code"));
    assert_true(facts_has_grant(oauth, "client_credentials"));
    assert_int_equal(facts_ports(oauth, ports), 2);
    assert_int_equal(ports[0], 4712);
    assert_int_equal(ports[1], 4711);
    facts_redirect_uri(oauth, ports[0], uri);
    assert_string_equal(uri, "http://[::1]:4712/");
    oauth = parse_facts(FACTS("\"redirect_ports\":\"any\",\"redirect_host\":\"localhost\""), &any);
    assert_int_equal(facts_ports(oauth, ports), 0);
    facts_redirect_uri(oauth, 0, uri);
    assert_string_equal(uri, "http://localhost/callback");
    oauth = parse_facts(FACTS("\"redirect\":\"https\""), &https);
    assert_int_equal(facts_redirect(oauth), FACTS_REDIRECT_HTTPS);
}

/* ---- paths ---- */

static void a_path_leads_into_a_reply(void **state)
{
    static const char reply[] = "{\"id\":7,\"none\":null,\"a\":{\"b\":{\"0\":\"zero\"}},"
                                "\"list\":[{\"id\":\"x\"},null,[\"y\"]]}";
    CLEANUP(json_freep) struct json *document = NULL;
    struct failure failure;
    int64_t number = 0;

    (void)state;
    assert_int_equal(json_parse(reply, strlen(reply), "reply", &failure, &document), STATUS_OK);
    assert_true(json_number(path_find(document, "id"), &number));
    assert_int_equal(number, 7);
    assert_string_equal(json_text(path_find(document, "a.b.0"), NULL), "zero");
    assert_string_equal(json_text(path_find(document, "list.0.id"), NULL), "x");
    assert_string_equal(json_text(path_find(document, "list.2.0"), NULL), "y");
    assert_null(path_find(document, "none"));
    assert_null(path_find(document, "list.1"));
    assert_null(path_find(document, "list.3"));
    assert_null(path_find(document, "list.-1"));
    assert_null(path_find(document, "list.99999999999999999999"));
    assert_null(path_find(document, "id.x"));
    assert_null(path_find(document, "a.c.d"));
    assert_null(path_find(NULL, "a"));
    assert_ptr_equal(path_find_around(document, "id"), document);
    assert_ptr_equal(path_find_around(document, "a.b.c"), path_find(document, "a.b"));
    assert_null(path_find_around(document, "x.y"));
}

static void a_path_has_a_grammar(void **state)
{
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "a b", "\x01", "\xc3\xbc"};
    char longest[PATH_SIZE_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(path_fault(bad[i]));
    memset(longest, 'a', sizeof(longest));
    longest[PATH_SIZE_MAX + 1] = '\0';
    assert_non_null(path_fault(longest));
    longest[PATH_SIZE_MAX] = '\0';
    assert_null(path_fault(longest));
    assert_null(path_fault("accounts.0.base-uri"));
}

/* ---- provider documents ---- */

static void check_document(const struct app *app, const struct app_method *method)
{
    CLEANUP(app_freep) struct app *other = NULL;
    CLEANUP(app_freep) struct app *again = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    const struct json *oauth = NULL;
    const struct app_method *read;
    struct failure failure = {.sentence = ""};

    assert_int_equal(catalog_oauth(method, &failure, &other, &oauth), STATUS_OK);
    if (provider_write(app, method, oauth, &failure, &text) != STATUS_OK)
        fail_msg("%s %s: %s", app->slug, method->name, failure.sentence);
    assert_true(text.size <= APP_TEXT_MAX);
    if (app_parse(text.bytes, text.size, "again", &failure, &again) != STATUS_OK)
        fail_msg("%s %s: %s", app->slug, method->name, failure.sentence);
    assert_int_equal(again->method_count, 1);
    read = &again->methods[0];
    assert_string_equal(again->slug, app->slug);
    assert_string_equal(read->name, method->name);
    assert_int_equal(read->kind, method->kind);
    assert_int_equal(read->field_count, method->field_count);
    assert_non_null(read->oauth);
    assert_int_equal(json_count(read->oauth), json_count(oauth));
    assert_int_equal(json_count(json_member(read->entry, "scopes")),
                     json_count(json_member(method->entry, "scopes")));
    assert_null(json_member(read->entry, "notes"));
    assert_null(json_member(read->entry, "sources"));
}

static void every_method_of_oauth_has_a_document(void **state)
{
    size_t count = 0;

    (void)state;
    for (const struct catalog_entry *entry = catalog_entries; entry->slug != NULL; entry++) {
        CLEANUP(app_freep) struct app *app = NULL;
        struct failure failure;

        assert_int_equal(app_parse(entry->text, entry->size, entry->slug, &failure, &app), STATUS_OK);
        for (size_t i = 0; i < app->method_count; i++) {
            if (app->methods[i].oauth == NULL && app->methods[i].oauth_of == NULL)
                continue;
            check_document(app, &app->methods[i]);
            count++;
        }
    }
    assert_true(count > 130);
}

static void a_document_names_what_its_method_has(void **state)
{
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *other = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    struct failure failure = {.sentence = ""};
    const struct json *oauth =
        parse_facts(FIELDS(SHOP, "\"revoke_page\":\"https://{shop}.example\""), &other);

    (void)state;
    assert_int_equal(parse(FACTS("\"pkce\":\"off\""), &failure, &app), STATUS_OK);
    assert_int_equal(provider_write(app, &app->methods[0], oauth, &failure, &text), STATUS_INVALID);
    assert_string_equal(failure.sentence,
                        "the provider: methods.m.oauth.revoke_page names a field that is not there");
    assert_int_equal(provider_write(app, &app->methods[0], NULL, &failure, &text), STATUS_INVALID);
    assert_string_equal(failure.sentence, "the method m of a has no OAuth");
    assert_null(text.bytes);
}

static void an_issuer_alone_makes_a_document(void **state)
{
    static const char *const bad[] = {"",
                                      "accounts.example",
                                      "http://accounts.example",
                                      "https://a.example?x",
                                      "https://a.example#x",
                                      "ftp://a.example",
                                      "https://",
                                      "\xff",
                                      "https://a.example/\n",
                                      "https://{x}.example"};
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(secret_reset) struct secret local = {0};
    CLEANUP(secret_reset) struct secret none = {0};
    CLEANUP(app_freep) struct app *app = NULL;
    struct failure failure = {.sentence = ""};

    (void)state;
    assert_int_equal(provider_write_issuer("acme", "https://accounts.example/", &failure, &text), STATUS_OK);
    assert_int_equal(app_parse(text.bytes, text.size, "again", &failure, &app), STATUS_OK);
    assert_string_equal(app->slug, "acme");
    assert_string_equal(json_member_text(app->methods[0].oauth, "issuer"), "https://accounts.example/");
    assert_false(json_member_boolean(app->methods[0].oauth, "loopback", false));
    assert_int_equal(provider_write_issuer("acme", "http://127.0.0.1:4100", &failure, &local), STATUS_OK);
    assert_non_null(strstr(secret_text(&local), "\"loopback\":true"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (provider_write_issuer("acme", bad[i], &failure, &none) != STATUS_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_null(none.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fact_has_its_values),
        cmocka_unit_test(ports_are_any_or_a_list),
        cmocka_unit_test(endpoints_are_there_or_can_be_found),
        cmocka_unit_test(http_is_for_this_machine_alone),
        cmocka_unit_test(what_a_browser_opens_shows_nothing_hidden),
        cmocka_unit_test(no_parameter_of_an_address_is_said_twice),
        cmocka_unit_test(what_only_calling_code_knows_is_in_no_fact),
        cmocka_unit_test(a_second_token_has_properties_of_its_own),
        cmocka_unit_test(what_makes_no_sense_together_is_refused),
        cmocka_unit_test(whose_account_it_is_has_paths),
        cmocka_unit_test(a_field_that_is_an_address_has_no_other_values),
        cmocka_unit_test(what_is_not_said_is_the_usual),
        cmocka_unit_test(what_is_said_holds),
        cmocka_unit_test(a_path_leads_into_a_reply),
        cmocka_unit_test(a_path_has_a_grammar),
        cmocka_unit_test(every_method_of_oauth_has_a_document),
        cmocka_unit_test(a_document_names_what_its_method_has),
        cmocka_unit_test(an_issuer_alone_makes_a_document),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
