/* vault/catalog/: each rule that an entry can break, one bad entry for each; patterns; the user's own apps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "catalog/pattern.h"

#define SUFFICIENT "\"fields\":{\"key\":{\"title\":\"Key\"}},"
#define SENT "\"request\":{\"base\":\"https://a.example\",\"headers\":{\"X-Key\":\"{key}\"}}"
/* An app `a` with one method `m` of these members. */
#define METHOD(members) "{\"slug\":\"a\",\"title\":\"A\",\"methods\":{\"m\":{\"title\":\"M\"," members "}}}"
#define KEYED(members) METHOD("\"kind\":\"api_key\"," members)
/* With one field of these members, besides `key`. */
#define FIELD(members)                                                                                       \
    KEYED("\"fields\":{\"key\":{\"title\":\"Key\"},\"host\":{\"title\":\"Host\"," members "}}," SENT)
#define REQUEST(members) KEYED(SUFFICIENT "\"request\":{" members "}")
#define OAUTH(members)                                                                                       \
    METHOD(                                                                                                  \
        "\"kind\":\"oauth2\",\"request\":{\"headers\":{\"Authorization\":\"Bearer {oauth_access_token}\"}}," \
        "\"oauth\":{" members "}")
#define AUTHORIZE "\"authorize_url\":\"https://a.example/a\",\"token_url\":\"https://a.example/t\""

static enum status parse(const char *text, struct failure *failure, struct app **ret_app)
{
    return app_parse(text, strlen(text), "a.json", failure, ret_app);
}

static void assert_wrong(const char *text, const char *sentence)
{
    struct failure failure = {.sentence = ""};
    struct app *app = NULL;

    if (parse(text, &failure, &app) != STATUS_INVALID)
        fail_msg("taken: %s", text);
    assert_null(app);
    assert_string_equal(failure.sentence, sentence);
}

static void assert_right(const char *text)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(app_freep) struct app *app = NULL;

    if (parse(text, &failure, &app) != STATUS_OK)
        fail_msg("%s: %s", failure.sentence, text);
}

static void a_small_entry_is_read(void **state)
{
    struct failure failure;
    CLEANUP(app_freep) struct app *app = NULL;
    const struct app_method *method;
    const struct app_field *field;

    (void)state;
    assert_int_equal(
        parse(FIELD("\"hidden\":false,\"optional\":true,\"pattern\":\"[a-z.]+\",\"default\":\"a.b\","
                    "\"example\":\"c.d\""),
              &failure, &app),
        STATUS_OK);
    assert_string_equal(app->slug, "a");
    assert_string_equal(app->title, "A");
    assert_false(app->overrides);
    assert_int_equal(app->method_count, 1);
    assert_null(app_find_method(app, "x"));
    method = app_find_method(app, "m");
    assert_non_null(method);
    assert_int_equal(method->kind, APP_API_KEY);
    assert_string_equal(app_kind_name(method->kind), "api_key");
    assert_int_equal(method->field_count, 2);
    field = app_find_field(method, "host");
    assert_false(field->hidden);
    assert_false(field->required);
    assert_string_equal(field->fallback, "a.b");
    field = app_find_field(method, "key");
    assert_true(field->hidden);
    assert_true(field->required);
    assert_null(app_find_field(method, "oauth_access_token"));
}

static void what_oauth_gives_goes_without_saying(void **state)
{
    struct failure failure;
    CLEANUP(app_freep) struct app *app = NULL;
    const struct app_method *method;

    (void)state;
    assert_int_equal(parse(OAUTH(AUTHORIZE), &failure, &app), STATUS_OK);
    method = &app->methods[0];
    assert_ptr_equal(app_oauth_method(app), method);
    assert_true(app_find_field(method, "oauth_access_token")->required);
    assert_true(app_find_field(method, "oauth_access_token")->hidden);
    assert_false(app_find_field(method, "oauth_access_token")->unasked);
    assert_false(app_find_field(method, "oauth_refresh_token")->required);
    assert_true(app_find_field(method, "oauth_refresh_token")->unasked);
    assert_false(app_find_field(method, "oauth_uid")->hidden);
}

static void the_shape_of_an_entry_is_closed(void **state)
{
    (void)state;
    assert_wrong("[]", "a.json: is not an object");
    assert_wrong("{\"slug\":\"a\",\"title\":\"A\"}", "a.json: has no member methods");
    assert_wrong("{\"slug\":\"a\",\"titel\":\"A\"}",
                 "a.json: has a member \"titel\" that is not known; did you mean title?");
    assert_wrong("{\"slug\":1}", "a.json: slug is not a text");
    assert_wrong("{\"slug\":\"\"}", "a.json: slug is empty");
    assert_wrong("{\"slug\":null}", "a.json: slug is not a text");
    assert_wrong("{\"slug\":\"a\",\"slug\":\"b\"}",
                 "a.json is not JSON: an object has one key twice, at line 1, column 18");
    assert_wrong("{\"slug\":\"a\",\"also\":\"b\"}", "a.json: also is not an array of 1 to 64 texts");
    assert_wrong("{\"slug\":\"a\",\"also\":[]}", "a.json: also is not an array of 1 to 64 texts");
    assert_wrong("{\"overrides\":\"yes\"}", "a.json: overrides is neither true nor false");
    assert_wrong("{\"methods\":{}}", "a.json: methods is not an object of 1 to 64 members");
    assert_wrong("{\"methods\":{\"m\":1}}", "a.json: methods.m is not an object");
    assert_wrong("{\"title\":\"\\u001b[31m\"}", "a.json: title holds a control character");
    assert_wrong("{\"title\":\"\\u202eA\"}", "a.json: title holds a control character");
    assert_wrong(METHOD("\"kind\":\"oauth\"," SENT),
                 "a.json: methods.m.kind is not one of oauth2, api_key, basic, custom");
    assert_wrong(METHOD("\"kind\":\"api_key\""), "a.json: methods.m has no member request");
    assert_wrong(KEYED(SENT ",\"sources\":\"GZ\""),
                 "a.json: methods.m.sources has a letter that stands for no source, or one twice");
    assert_wrong(KEYED(SENT ",\"sources\":\"GG\""),
                 "a.json: methods.m.sources has a letter that stands for no source, or one twice");
    assert_wrong(
        KEYED("\"fields\":{\"a b\":{\"title\":\"A\"}}," SENT),
        "a.json: methods.m.fields \"a b\" is not a valid property name: letters, digits, _ and -, beginning "
        "with a letter, at most 128 bytes");
    assert_wrong(
        "{\"slug\":\"a\",\"title\":\"A\",\"methods\":{\"M\":{}}}",
        "a.json: methods \"M\" is not a valid alias: lower-case letters, digits and _, not beginning with a "
        "digit, at most 64 bytes");
    assert_wrong(
        FIELD("\"patern\":\"a\""),
        "a.json: methods.m.fields.host has a member \"patern\" that is not known; did you mean pattern?");
    assert_wrong(REQUEST("\"headers\":{\"X Key\":\"{key}\"}"),
                 "a.json: methods.m.request.headers has a name that no header or parameter has");
    assert_wrong(REQUEST("\"signature\":\"md5\""),
                 "a.json: methods.m.request.signature is not one of aws_sigv4, jwt_bearer, oauth1");
    assert_wrong(OAUTH("\"pkce\":\"S256\""),
                 "a.json: methods.m.oauth.pkce is not one of required, supported, tolerated, off");
    assert_wrong(OAUTH("\"authorize_params\":{\"prompt\":1}"),
                 "a.json: methods.m.oauth.authorize_params.prompt is not a text");
    assert_wrong(OAUTH("\"lifetime_seconds\":0"),
                 "a.json: methods.m.oauth.lifetime_seconds is no whole number over 0");
    assert_wrong(OAUTH("\"lifetime_seconds\":1.5"),
                 "a.json: methods.m.oauth.lifetime_seconds is no whole number over 0");
    assert_wrong(
        OAUTH("\"grants\":[\"password\"]"),
        "a.json: methods.m.oauth.grants is not one of authorization_code, device_code, client_credentials, "
        "jwt_bearer");
    assert_wrong(METHOD("\"kind\":\"oauth2\"," SENT ",\"oauth\":1"),
                 "a.json: methods.m.oauth is not an object");
}

static void names_have_their_grammar(void **state)
{
    (void)state;
    assert_wrong("{\"slug\":\"a-b\",\"title\":\"A\",\"methods\":{\"m\":{\"title\":\"M\",\"kind\":\"api_"
                 "key\"," SUFFICIENT SENT "}}}",
                 "a.json: the slug a-b has a -; it is written with _");
    assert_wrong(
        "{\"slug\":\"../"
        "a\",\"title\":\"A\",\"methods\":{\"m\":{\"title\":\"M\",\"kind\":\"api_key\"," SUFFICIENT SENT "}}}",
        "a.json: \"../a\" is not a valid app name: lower-case letters, digits, _ and -, beginning with a "
        "letter or digit, at most 64 bytes");
    assert_wrong(KEYED(SUFFICIENT SENT ",\"docs\":\"javascript:alert(1)\""),
                 "a.json: methods.m.docs is no address");
}

static void templates_name_what_is_there(void **state)
{
    (void)state;
    assert_wrong(REQUEST("\"headers\":{\"A\":\"Bearer {token}\"}"),
                 "a.json: methods.m.request.headers.A names a field that is not there");
    assert_wrong(REQUEST("\"query\":{\"a\":\"{}\"}"),
                 "a.json: methods.m.request.query.a has a { without a name and its }");
    assert_wrong(REQUEST("\"query\":{\"a\":\"{key\"}"),
                 "a.json: methods.m.request.query.a has a { without a name and its }");
    assert_wrong(REQUEST("\"query\":{\"a\":\"key}\"}"),
                 "a.json: methods.m.request.query.a has a } without its {");
    assert_wrong(METHOD("\"kind\":\"basic\"," SUFFICIENT
                        "\"request\":{\"basic\":{\"user\":\"{u}\",\"password\":\"\"}}"),
                 "a.json: methods.m.request.basic.user names a field that is not there");
    assert_wrong(KEYED(SUFFICIENT SENT ",\"test\":{\"method\":\"GET\",\"url\":\"/{id}\"}"),
                 "a.json: methods.m.test.url names a field that is not there");
    assert_right(REQUEST(
        "\"headers\":{\"A\":\"{key}\",\"V\":\"{version}\"},\"caller\":{\"version\":{\"title\":\"V\"}}"));
}

static void addresses_are_https_to_a_host_that_is_meant(void **state)
{
    (void)state;
    assert_wrong(REQUEST("\"base\":\"http://a.example\",\"query\":{\"k\":\"{key}\"}"),
                 "a.json: methods.m.request.base does not begin with https://");
    assert_wrong(REQUEST("\"base\":\"https:///x\",\"query\":{\"k\":\"{key}\"}"),
                 "a.json: methods.m.request.base has no host");
    assert_wrong(REQUEST("\"base\":\"https://a b\",\"query\":{\"k\":\"{key}\"}"),
                 "a.json: methods.m.request.base has a byte that no address has");
    assert_wrong(REQUEST("\"base\":\"{key}\",\"query\":{\"k\":\"{key}\"}"),
                 "a.json: methods.m.request.base does not begin with https://");
    assert_wrong(
        REQUEST("\"base\":\"https://{key}.example/\",\"query\":{\"k\":\"{key}\"}"),
        "a.json: methods.m.request.base has a field in its host that has neither a pattern nor values");
    assert_wrong(OAUTH("\"authorize_url\":\"https://a.example\",\"token_url\":\"ftp://a.example\""),
                 "a.json: methods.m.oauth.token_url does not begin with https://");
    assert_wrong(REQUEST("\"connection\":\"http://{key}\",\"query\":{\"k\":\"{key}\"}"),
                 "a.json: methods.m.request.connection is of a scheme that is not known");
    assert_right(REQUEST("\"base\":\"https://a.example/{key}\",\"query\":{\"k\":\"{key}\"}"));
    assert_right(KEYED("\"fields\":{\"u\":{\"title\":\"U\",\"pattern\":\"https://[a-z.]+\"}},"
                       "\"request\":{\"base\":\"{u}/v1\",\"query\":{\"k\":\"{u}\"}}"));
    assert_wrong(
        KEYED("\"fields\":{\"u\":{\"title\":\"U\",\"pattern\":\"https://[a-z.]+\"}},"
              "\"request\":{\"base\":\"{u}.evil.example\",\"query\":{\"k\":\"{u}\"}}"),
        "a.json: methods.m.request.base goes on after a field that is an address with something else than /");
}

static void each_kind_has_what_it_needs(void **state)
{
    (void)state;
    assert_wrong(METHOD("\"kind\":\"oauth2\"," SUFFICIENT SENT), "a.json: methods.m.oauth is missing");
    assert_wrong(KEYED(SUFFICIENT SENT ",\"oauth\":{" AUTHORIZE "}"),
                 "a.json: methods.m.oauth belongs to the kinds oauth2 and custom");
    assert_wrong(METHOD("\"kind\":\"basic\"," SUFFICIENT SENT), "a.json: methods.m.request has no basic");
    assert_wrong(REQUEST("\"base\":\"https://a.example\""),
                 "a.json: methods.m.request has neither headers nor a query");
    assert_wrong(KEYED("\"fields\":{\"key\":{\"title\":\"Key\",\"optional\":true}}," SENT),
                 "a.json: methods.m.fields has no field that is required");
    assert_wrong(OAUTH("\"token_url\":\"https://a.example\""),
                 "a.json: methods.m.oauth has neither an authorize_url nor grants that need none");
    assert_right(OAUTH("\"token_url\":\"https://a.example\",\"grants\":[\"client_credentials\"]"));
    assert_wrong(REQUEST("\"query\":{\"k\":\"{key}\"}},\"test\":{\"method\":\"GET\",\"url\":\"/me\""),
                 "a.json: methods.m.test needs request.base");
}

static void fields_take_their_own_examples(void **state)
{
    (void)state;
    assert_wrong(FIELD("\"pattern\":\"(a)\""),
                 "a.json: methods.m.fields.host.pattern is none: it has a group, an anchor or a backslash");
    assert_wrong(FIELD("\"pattern\":\"[a-z]+\",\"default\":\"A\""),
                 "a.json: methods.m.fields.host has a default that it does not take");
    assert_wrong(FIELD("\"values\":[\"a\",\"b\"],\"example\":\"c\""),
                 "a.json: methods.m.fields.host has an example that it does not take");
    assert_wrong(FIELD("\"values\":[\"a\"],\"pattern\":\"a\""),
                 "a.json: methods.m.fields.host has a pattern and values; it can have one of them");
}

static void an_entry_is_bounded(void **state)
{
    struct failure failure;
    struct app *app = NULL;
    char *text = malloc(APP_TEXT_MAX + 2);

    (void)state;
    memset(text, ' ', APP_TEXT_MAX + 1);
    assert_int_equal(app_parse(text, APP_TEXT_MAX + 1, "a.json", &failure, &app), STATUS_TOO_LARGE);
    free(text);
    assert_null(app);
}

static void a_value_is_held_to_its_field_and_never_quoted(void **state)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *other = NULL;
    const struct app_field *field;

    (void)state;
    assert_int_equal(parse(FIELD("\"pattern\":\"[a-z]+\",\"example\":\"acme\""), &failure, &app), STATUS_OK);
    field = app_find_field(&app->methods[0], "host");
    assert_int_equal(app_check_value(field, "abc", &failure), STATUS_OK);
    assert_int_equal(app_check_value(field, "abc/s3cret", &failure), STATUS_INVALID);
    assert_string_equal(failure.sentence, "the value of host does not fit the pattern [a-z]+, as does acme");
    assert_int_equal(app_check_value(field, "abc\nabc", &failure), STATUS_INVALID);
    assert_int_equal(app_check_value(field, "", &failure), STATUS_INVALID);
    assert_string_equal(failure.sentence, "the value of host is empty");
    assert_int_equal(parse(FIELD("\"values\":[\"us\",\"eu\"],\"optional\":true"), &failure, &other),
                     STATUS_OK);
    field = app_find_field(&other->methods[0], "host");
    assert_int_equal(app_check_value(field, "eu", &failure), STATUS_OK);
    assert_int_equal(app_check_value(field, "", &failure), STATUS_OK);
    assert_int_equal(app_check_value(field, "s3cret", &failure), STATUS_INVALID);
    assert_string_equal(failure.sentence, "the value of host is not one of us, eu");
}

static void patterns_are_small(void **state)
{
    static const char *const bad[] = {
        "",        "a(b",         "(a)",   "^a",       "a$",
        "a\\.",    "a**",         "+a",    "a|*",      "a{1}{2}",
        "a{65}",   "a{2,1}",      "a{,2}", "a{1",      "a{1,2",
        "[a",      "[[:alpha:]]", "[a\\]", "\xc3\xbc", "a{99999999999999999999}",
        "a{1,65}", "[b-a]"};
    char longest[PATTERN_SIZE_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pattern_fault(bad[i]) == NULL)
            fail_msg("taken: %s", bad[i]);
    }
    memset(longest, 'a', sizeof(longest));
    longest[PATTERN_SIZE_MAX + 1] = '\0';
    assert_non_null(pattern_fault(longest));
    longest[PATTERN_SIZE_MAX] = '\0';
    assert_null(pattern_fault(longest));
    assert_null(pattern_fault("[]a-]{1,64}x{3,}|[^/]*"));
    assert_true(pattern_fits("a|bc", "bc"));
    assert_false(pattern_fits("a|bc", "ac"));
    assert_false(pattern_fits("a|bc", "abc"));
    assert_false(pattern_fits("[a-z]+", "a\n"));
    assert_true(pattern_fits("AC[0-9a-f]{3}", "AC0af"));
    assert_false(pattern_fits("AC[0-9a-f]{3}", "AC0af0"));
}

/* Each letter of such a value is a state of its own to the C library: 64 KiB took 19 s, or 2 GB. */
static void a_long_value_fits_no_pattern(void **state)
{
    struct failure failure = {.sentence = ""};
    CLEANUP(app_freep) struct app *app = NULL;
    const struct app_field *field;
    char text[PATTERN_TEXT_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[PATTERN_TEXT_MAX + 1] = '\0';
    assert_false(pattern_fits("a*", text));
    assert_int_equal(parse(FIELD("\"pattern\":\".*a.{64}\""), &failure, &app), STATUS_OK);
    field = app_find_field(&app->methods[0], "host");
    assert_int_equal(app_check_value(field, text, &failure), STATUS_TOO_LARGE);
    assert_string_equal(failure.sentence,
                        "the value of host is longer than the 4096 bytes that are held to a pattern");
    text[PATTERN_TEXT_MAX] = '\0';
    assert_true(pattern_fits("a*", text));
    assert_int_equal(app_check_value(field, text, &failure), STATUS_OK);
}

/* ---- the catalogue ---- */

/* A folder of settings of the test's own, and in it the folder of own apps. */
static int make_settings(void **state)
{
    char *folder = strdup("/tmp/stepvault-apps-XXXXXX");
    char path[256];

    if (folder == NULL || mkdtemp(folder) == NULL)
        return -1;
    setenv("XDG_CONFIG_HOME", folder, 1);
    snprintf(path, sizeof(path), "%s/stepvault", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/stepvault/apps", folder);
    *state = folder;
    return mkdir(path, 0700);
}

static void own_path(void **state, const char *name, char path[256])
{
    snprintf(path, 256, "%s/stepvault/apps/%s", (const char *)*state, name);
}

static void write_own(void **state, const char *name, const char *text)
{
    CLEANUP(cleanup_fclose) FILE *file = NULL;
    char path[256];

    own_path(state, name, path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
}

static int remove_settings(void **state)
{
    static const char *const names[] = {
        "apps/a.json", "apps/github.json", "apps/wrong.json", "apps/b.json", "apps/notes.txt", "apps", ""};
    char path[256];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/stepvault/%s", (const char *)*state, names[i]);
        (void)remove(path);
    }
    (void)rmdir(*state);
    free(*state);
    unsetenv("XDG_CONFIG_HOME");
    return 0;
}

#define OWN(slug, more)                                                                                      \
    "{\"slug\":\"" slug "\",\"title\":\"Own\"," more                                                         \
    "\"methods\":{\"m\":{\"title\":\"M\",\"kind\":\"api_key\"," SUFFICIENT SENT "}}}"

static void every_entry_is_sorted_and_found(void **state)
{
    struct failure failure;
    size_t count = 0;

    (void)state;
    for (const struct catalog_entry *entry = catalog_entries; entry->slug != NULL; entry++, count++) {
        CLEANUP(app_freep) struct app *app = NULL;
        bool own = true;

        if (entry[1].slug != NULL)
            assert_true(strcmp(entry->slug, entry[1].slug) < 0);
        assert_int_equal(catalog_find(entry->slug, &failure, &app, &own), STATUS_OK);
        assert_false(own);
        assert_string_equal(app->slug, entry->slug);
        for (size_t i = 0; i < app->method_count; i++) {
            CLEANUP(app_freep) struct app *other = NULL;
            const struct json *oauth = NULL;

            assert_non_null(strstr(entry->methods, app->methods[i].name));
            assert_int_equal(catalog_oauth(&app->methods[i], &failure, &other, &oauth), STATUS_OK);
            if (app->methods[i].kind == APP_OAUTH2)
                assert_non_null(oauth);
        }
    }
    assert_true(count > 200);
}

static void assert_slug(const char *name, const char *slug)
{
    struct failure failure;
    char found[NAME_APP_MAX + 1];

    assert_int_equal(catalog_slug(name, &failure, found), STATUS_OK);
    assert_string_equal(found, slug);
}

static void what_people_type_becomes_a_slug(void **state)
{
    struct failure failure;
    char slug[NAME_APP_MAX + 1];

    (void)state;
    assert_slug("github", "github");
    assert_slug("google-drive", "google_drive");
    assert_slug("my-own-app", "my_own_app");
    assert_slug("youtube", "youtube_data_api");
    assert_slug("google-service-account", "google_cloud");
    assert_int_equal(catalog_slug("Git Hub", &failure, slug), STATUS_INVALID);
}

static void an_unknown_app_is_met_with_the_nearest(void **state)
{
    struct failure failure;
    struct app *app = NULL;

    (void)state;
    assert_int_equal(catalog_find("githb", &failure, &app, NULL), STATUS_NOT_FOUND);
    assert_string_equal(failure.sentence, "the catalogue has no app githb; did you mean github?");
    assert_int_equal(catalog_find("frobnication", &failure, &app, NULL), STATUS_NOT_FOUND);
    assert_string_equal(failure.sentence, "the catalogue has no app frobnication");
    assert_null(app);
}

static void own_apps_are_found_beside_ours(void **state)
{
    struct failure failure;
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *ours = NULL;
    bool own = false;

    write_own(state, "a.json", OWN("a", ""));
    assert_int_equal(catalog_find("a", &failure, &app, &own), STATUS_OK);
    assert_true(own);
    assert_string_equal(app->title, "Own");
    assert_int_equal(catalog_find("github", &failure, &ours, &own), STATUS_OK);
    assert_false(own);
}

static void an_own_app_takes_the_place_of_ours_only_if_it_says_so(void **state)
{
    struct failure failure;
    CLEANUP(app_freep) struct app *app = NULL;

    write_own(state, "github.json", OWN("github", ""));
    assert_int_equal(catalog_find("github", &failure, &app, NULL), STATUS_EXISTS);
    assert_non_null(
        strstr(failure.sentence, "github.json: the catalogue has an app github; to take its place"));
    write_own(state, "github.json", OWN("github", "\"overrides\":false,"));
    assert_int_equal(catalog_find("github", &failure, &app, NULL), STATUS_EXISTS);
    write_own(state, "github.json", OWN("github", "\"overrides\":true,"));
    assert_int_equal(catalog_find("github", &failure, &app, NULL), STATUS_OK);
    assert_string_equal(app->title, "Own");
}

struct counted {
    size_t apps;
    size_t own;
    size_t failures;
    char last[NAME_APP_MAX + 1];
    char sentence[FAILURE_SENTENCE_MAX];
};

static void count_found(void *context, const struct catalog_found *found)
{
    struct counted *counted = context;

    counted->failures += found->failure != NULL;
    if (found->failure != NULL) {
        snprintf(counted->sentence, sizeof(counted->sentence), "%s", found->failure->sentence);
        return;
    }
    assert_true(strcmp(counted->last, found->slug) < 0);
    snprintf(counted->last, sizeof(counted->last), "%s", found->slug);
    counted->apps++;
    counted->own += found->own;
}

static void a_bad_own_file_does_not_break_the_others(void **state)
{
    struct counted before = {0};
    struct counted after = {0};
    struct failure failure;
    struct app *app = NULL;

    catalog_list(count_found, &before);
    assert_int_equal(before.own, 0);
    write_own(state, "a.json", OWN("a", ""));
    write_own(state, "wrong.json", OWN("right", ""));
    write_own(state, "notes.txt", "not an app");
    catalog_list(count_found, &after);
    assert_int_equal(after.apps, before.apps + 1);
    assert_int_equal(after.own, 1);
    assert_int_equal(after.failures, 1);
    assert_non_null(strstr(after.sentence, "wrong.json: the slug in it is not wrong"));
    assert_int_equal(catalog_find("wrong", &failure, &app, NULL), STATUS_INVALID);
    assert_null(app);
}

static void what_others_can_write_is_not_used(void **state)
{
    struct counted counted = {0};
    struct failure failure;
    struct app *app = NULL;
    char path[256];

    write_own(state, "a.json", OWN("a", ""));
    own_path(state, "a.json", path);
    chmod(path, 0666);
    assert_int_equal(catalog_find("a", &failure, &app, NULL), STATUS_FOREIGN);
    assert_non_null(strstr(failure.sentence, "a.json can be written by others (mode 0666)"));
    chmod(path, 0600);
    own_path(state, "", path);
    chmod(path, 0777);
    assert_int_equal(catalog_find("a", &failure, &app, NULL), STATUS_FOREIGN);
    catalog_list(count_found, &counted);
    assert_int_equal(counted.own, 0);
    assert_int_equal(counted.failures, 1);
    assert_true(counted.apps > 200);
    chmod(path, 0700);
    own_path(state, "b.json", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(catalog_find("b", &failure, &app, NULL), STATUS_FOREIGN);
    assert_non_null(strstr(failure.sentence, "b.json is not a regular file"));
    assert_null(app);
}

#define OWN_TEST(name) cmocka_unit_test_setup_teardown(name, make_settings, remove_settings)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_entry_is_read),
        cmocka_unit_test(what_oauth_gives_goes_without_saying),
        cmocka_unit_test(the_shape_of_an_entry_is_closed),
        cmocka_unit_test(names_have_their_grammar),
        cmocka_unit_test(templates_name_what_is_there),
        cmocka_unit_test(addresses_are_https_to_a_host_that_is_meant),
        cmocka_unit_test(each_kind_has_what_it_needs),
        cmocka_unit_test(fields_take_their_own_examples),
        cmocka_unit_test(an_entry_is_bounded),
        cmocka_unit_test(a_value_is_held_to_its_field_and_never_quoted),
        cmocka_unit_test(patterns_are_small),
        cmocka_unit_test(a_long_value_fits_no_pattern),
        OWN_TEST(every_entry_is_sorted_and_found),
        OWN_TEST(what_people_type_becomes_a_slug),
        OWN_TEST(an_unknown_app_is_met_with_the_nearest),
        OWN_TEST(own_apps_are_found_beside_ours),
        OWN_TEST(an_own_app_takes_the_place_of_ours_only_if_it_says_so),
        OWN_TEST(a_bad_own_file_does_not_break_the_others),
        OWN_TEST(what_others_can_write_is_not_used),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
