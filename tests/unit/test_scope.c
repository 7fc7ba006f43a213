/* Scopes: which are asked for, each once, and what stands between them. */
#include "oauth/scope.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

/* What is asked for with these facts, scopes of the method (with a comma behind them) and scopes of the job.
 */
static void expect(const char *facts, const char *of_method, const char *asked, const char *scopes)
{
    CLEANUP(provider_freep) struct provider *provider = NULL;
    CLEANUP(json_freep) struct json *list = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    struct failure failure;
    char document[1024];

    snprintf(
        document, sizeof(document),
        "{\"slug\":\"it\",\"title\":\"It\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"OAuth\","
        "\"request\":{\"headers\":{\"Authorization\":\"Bearer {oauth_access_token}\"}},%s\"oauth\":{"
        "\"authorize_url\":\"https://as.example/a\",\"token_url\":\"https://as.example/t\"%s}}}}",
        of_method, facts);
    if (provider_open(document, &failure, &provider) != STATUS_OK ||
        (asked != NULL && json_parse(asked, strlen(asked), "it", &failure, &list) != STATUS_OK))
        fail_msg("%s", failure.sentence);
    assert_true(scope_join(provider, list, &text));
    assert_string_equal(secret_text(&text), scopes);
}

static void what_is_always_needed_comes_on_top_of_what_is_asked_for(void **state)
{
    (void)state;
    expect("", "", NULL, "");
    expect("", "", "[]", "");
    expect("", "", "[\"a\",\"b\"]", "a b");
    expect(",\"scopes\":[\"always\"]", "", NULL, "always");
    expect(",\"scopes\":[\"always\"]", "", "[\"a\"]", "always a");
}

static void the_methods_own_are_for_who_asks_for_none(void **state)
{
    (void)state;
    expect(",\"scopes\":[\"always\"]", "\"scopes\":[\"usual\"],", NULL, "always usual");
    expect(",\"scopes\":[\"always\"]", "\"scopes\":[\"usual\"],", "[]", "always usual");
    expect(",\"scopes\":[\"always\"]", "\"scopes\":[\"usual\"],", "[\"a\"]", "always a");
}

static void each_is_asked_for_once(void **state)
{
    (void)state;
    expect(",\"scopes\":[\"a\"]", "", "[\"ab\",\"a\",\"b\",\"ab\",\"\"]", "a ab b");
}

static void some_want_commas_and_some_nothing(void **state)
{
    (void)state;
    expect(",\"scopes\":[\"x\"],\"scope_separator\":\"comma\"", "", "[\"a\",\"x\"]", "x,a");
    expect(",\"takes_scope\":false", "", "[\"a\"]", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_always_needed_comes_on_top_of_what_is_asked_for),
        cmocka_unit_test(the_methods_own_are_for_who_asks_for_none),
        cmocka_unit_test(each_is_asked_for_once),
        cmocka_unit_test(some_want_commas_and_some_nothing),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
