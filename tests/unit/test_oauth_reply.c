/* Replies of token endpoints as they were seen in the wild (research/oauth.md 3.3), each a row: what it says
 * of the token, when it ends and is due, and which verdict an error is. */
#include "oauth/reply.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FORM "application/x-www-form-urlencoded"
#define NOW UINT64_C(1760000000000)
#define HOUR UINT64_C(3600000)

/* A provider with these facts beside its token_url. */
static struct provider *make_provider(const char *facts)
{
    struct provider *provider = NULL;
    struct failure failure;
    char text[2048];

    snprintf(text, sizeof(text),
             "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"O\","
             "\"request\":{\"base\":\"https://api.example\",\"headers\":{\"Authorization\":\"Bearer "
             "{oauth_access_token}\"}},\"oauth\":{\"authorize_url\":\"https://x.example/a\","
             "\"token_url\":\"https://x.example/t\"%s%s}}}}",
             facts[0] != '\0' ? "," : "", facts);
    if (provider_open(text, &failure, &provider) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    return provider;
}

struct row {
    const char *facts;
    unsigned status;
    const char *type;
    const char *body;
    enum verdict verdict;
    const char *code;    /* of a fault; NULL: none */
    const char *access;  /* NULL: a fault */
    const char *refresh; /* NULL: none */
    uint64_t lifetime_ms;
    uint64_t due_ms;
    const char *scopes; /* NULL: none */
};

#define JSON "application/json"
#define TOKEN(lifetime, due) VERDICT_OK, NULL, "t", "r", lifetime, due, NULL
#define FAULT(verdict, code) verdict, code, NULL, NULL, 0, 0, NULL
#define BOTH "\"access_token\":\"t\",\"refresh_token\":\"r\""

/* clang-format off */
static const struct row rows[] = {
    /* the parser is chosen by the first byte, then by the type */
    {"", 200, JSON, "{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    /* a slip elsewhere in a reply costs no token: a key that stands twice, a text with a NUL */
    {"", 200, JSON, "{\"access_token\":\"x\"," BOTH ",\"note\":\"a\\u0000b\",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{\"access_token\":\"a\\u0000b\",\"refresh_token\":\"r\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 201, JSON, "{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, FORM, "access_token=t&refresh_token=r&expires_in=3600&token_type=bearer",
     TOKEN(HOUR, HOUR - 300000)},
    {"", 200, "text/plain", "access_token=t&refresh_token=r&expires_in=3600", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, "", "access_token=t&refresh_token=r&expires_in=3600", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, "text/html", " \n{" BOTH ",\"expires_in\":3600}\n", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, FORM, "\xef\xbb\xbf{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, "text/html", "access_token=t&refresh_token=r", FAULT(VERDICT_TRANSIENT, NULL)},
    /* odd types */
    {"", 200, JSON, "{" BOTH ",\"expires_in\":\"3600\"}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":3600.7}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":\"3600.0\"}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":0}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":-1}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":null}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":\"soon\"}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":1000000000000000000000000000000}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":1e999}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":99999999999}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"id\":18446744073709551615,\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"token_type\":\"bot\",\"team\":{\"id\":1},\"list\":[null],\"error\":null}",
     TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"error\":\"\",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"error\":{\"code\":\"ok\"},\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"scope\":[\"a\",\"b\"]}",
     VERDICT_OK, NULL, "t", "r", 0, HOUR - 300000, "a b"},
    {"", 200, JSON, "{" BOTH ",\"scope\":\"a,b c\"}", VERDICT_OK, NULL, "t", "r", 0, HOUR - 300000, "a b c"},
    {"", 200, JSON, "{\"access_token\":12345}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"access_token\":\"\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"access_token\":\"a\\u0000b\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"access_token\":\"a\\r\\nX: y\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"access_token\":\"t\",\"refresh_token\":\"\"}",
     VERDICT_OK, NULL, "t", NULL, 0, 0, NULL},
    {"", 200, JSON, "{\"access_token\":\"t\",\"refresh_token\":null}",
     VERDICT_OK, NULL, "t", NULL, 0, 0, NULL},
    /* when it ends: no refresh token and nothing said: never; margins never take more than a quarter */
    {"", 200, JSON, "{\"access_token\":\"t\",\"expires_in\":3600}",
     VERDICT_OK, NULL, "t", NULL, HOUR, 0, NULL},
    {"", 200, JSON, "{" BOTH ",\"expires_in\":60}", TOKEN(60000, 45000)},
    {"\"refresh_kills_access\":true", 200, JSON, "{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 90000)},
    {"\"margin_seconds\":10", 200, JSON, "{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 10000)},
    {"\"lifetime_seconds\":7200", 200, JSON, "{" BOTH "}", TOKEN(2 * HOUR, 2 * HOUR - 300000)},
    {"\"lifetime_seconds\":7200", 200, JSON, "{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"ms\"", 200, JSON, "{" BOTH ",\"expires_in\":3600000}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"at\"", 200, JSON, "{" BOTH ",\"expires_at\":1760003600}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"at\"", 200, JSON, "{" BOTH ",\"expires_at\":\"1760003600\"}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"at\"", 200, JSON, "{" BOTH ",\"expires_at\":1760003600000}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"at\"", 200, JSON, "{" BOTH ",\"expires_at\":\"2025-10-09T09:53:20Z\"}",
     TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"at\"", 200, JSON, "{" BOTH ",\"expires_at\":1}", TOKEN(0, HOUR - 300000)},
    {"", 200, JSON, "{" BOTH ",\"expires_at\":1760003600}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"session\"", 200, JSON, "{" BOTH "}", TOKEN(0, HOUR - 300000)},
    {"\"expires\":\"none\"", 200, JSON, "{" BOTH "}", TOKEN(0, 0)},
    {"\"expires\":\"none\"", 200, JSON, "{" BOTH ",\"expires_in\":3600}", TOKEN(HOUR, HOUR - 300000)},
    {"\"expires\":\"none\",\"keep_alive_days\":1", 200, JSON, "{" BOTH "}", TOKEN(0, 24 * HOUR)},
    /* other places */
    {"\"token_paths\":[\"data.0.token\"]", 200, JSON, "{\"data\":[{\"token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":3600,\"scope\":\"x\"}]}",
     VERDICT_OK, NULL, "t", "r", HOUR, HOUR - 300000, "x"},
    {"\"token_paths\":[\"access_token\",\"user.access_token\"]", 200, JSON, "{\"refresh_token\":\"r\",\"user\":{\"access_token\":\"t\"}}",
     TOKEN(0, HOUR - 300000)},
    {"\"token_paths\":[\"user.access_token\"]", 200, JSON, "{" BOTH "}", FAULT(VERDICT_TRANSIENT, NULL)},
    /* errors: with any status of OAuth's, 200 too, before any token; synonyms of the standard, of us, of the facts */
    {"", 400, JSON, "{\"error\":\"invalid_grant\",\"error_description\":\"x\"}",
     FAULT(VERDICT_DEAD, "invalid_grant")},
    {"", 401, JSON, "{\"error\":\"invalid_grant\"}", FAULT(VERDICT_DEAD, "invalid_grant")},
    {"", 400, FORM, "error=invalid_grant&error_description=x", FAULT(VERDICT_DEAD, "invalid_grant")},
    {"", 200, JSON, "{\"error\":\"bad_refresh_token\"}", FAULT(VERDICT_DEAD, "bad_refresh_token")},
    {"", 200, FORM, "error=bad_refresh_token&error_uri=https%3A%2F%2Fx",
     FAULT(VERDICT_DEAD, "bad_refresh_token")},
    {"", 200, JSON, "{" BOTH ",\"error\":\"invalid_grant\"}", FAULT(VERDICT_DEAD, "invalid_grant")},
    {"", 200, JSON, "{\"ok\":false,\"error\":\"token_expired\"}", FAULT(VERDICT_DEAD, "token_expired")},
    {"", 400, JSON, "{\"error\":\"Token is not active\"}", FAULT(VERDICT_DEAD, NULL)},
    {"\"error_synonyms\":[\"gone_for_good\"]", 400, JSON, "{\"error\":\"gone_for_good\"}",
     FAULT(VERDICT_DEAD, "gone_for_good")},
    {"\"ok_path\":\"success\",\"error_path\":\"problem.name\"", 200, JSON, "{" BOTH ",\"success\":false,\"problem\":{\"name\":\"invalid_grant\"}}",
     FAULT(VERDICT_DEAD, "invalid_grant")},
    {"", 401, JSON, "{\"error\":\"invalid_client\"}", FAULT(VERDICT_REFUSED, "invalid_client")},
    {"", 400, JSON, "{\"error\":\"invalid_request\"}", FAULT(VERDICT_REFUSED, "invalid_request")},
    {"", 403, JSON, "{\"error\":\"access_denied\"}", FAULT(VERDICT_REFUSED, "access_denied")},
    {"", 200, JSON, "{\"ok\":false,\"error\":\"ratelimited\"}", FAULT(VERDICT_TRANSIENT, "ratelimited")},
    {"", 400, JSON, "{\"error\":\"temporarily_unavailable\"}",
     FAULT(VERDICT_TRANSIENT, "temporarily_unavailable")},
    {"", 400, JSON, "{\"error\":\"<script>\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"ok\":false}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"error\":{\"code\":190,\"message\":\"x\"}}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"error\":7}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"error\":true}", FAULT(VERDICT_TRANSIENT, NULL)},
    /* whoever is busy or down gives no verdict, whatever the body says; nor does what is no OAuth */
    {"", 500, JSON, "{\"error\":\"invalid_grant\"}", FAULT(VERDICT_TRANSIENT, "invalid_grant")},
    {"", 429, JSON, "{\"error\":\"invalid_grant\"}", FAULT(VERDICT_TRANSIENT, "invalid_grant")},
    {"", 403, "text/html", "<html>Access denied</html>", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, "text/html", "<html>a=b</html>", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, "text/plain", "all is well", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 400, JSON, "{\"message\":\"x\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 403, JSON, "{\"error\":\"Forbidden\"}", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 302, "", "", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "[1,2]", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"access_token\":\"t\",\"refr", FAULT(VERDICT_TRANSIENT, NULL)},
    {"", 200, JSON, "{\"access_token\":\"\xff\"}", FAULT(VERDICT_TRANSIENT, NULL)},
};
/* clang-format on */

static void assert_text(const char *got, const char *wanted)
{
    if (wanted == NULL)
        assert_true(got == NULL || got[0] == '\0');
    else
        assert_string_equal(got, wanted);
}

static void check_row(const struct row *row)
{
    CLEANUP(provider_freep) struct provider *provider = make_provider(row->facts);
    CLEANUP(http_reply_reset) struct http_reply http = {.status = row->status, .sent_wall_ms = NOW};
    CLEANUP(reply_reset) struct reply reply = {0};
    struct fault fault = {0};
    enum verdict verdict;

    print_message("# %s: %s\n", row->facts, row->body);
    snprintf(http.content_type, sizeof(http.content_type), "%s", row->type);
    assert_true(secret_append_text(&http.body, row->body));
    verdict = reply_read_tokens(provider, &http, "it", REPLY_FIRST, &fault, &reply);
    assert_int_equal(verdict, row->verdict);
    if (verdict != VERDICT_OK) {
        assert_text(fault.code, row->code);
        assert_true(fault.reason[0] != '\0');
        return;
    }
    assert_string_equal(reply.access_token, row->access);
    assert_text(reply.refresh_token, row->refresh);
    assert_int_equal(reply.lifetime_ms, row->lifetime_ms);
    assert_int_equal(reply.due_ms, row->due_ms);
    assert_text(secret_text(&reply.scopes), row->scopes);
}

static void replies_are_read_as_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(&rows[i]);
}

/* The agent refuses an answer with more, and the tokens in it would be lost. */
static void more_scopes_than_can_be_kept_do_not_cost_the_token(void **state)
{
    CLEANUP(provider_freep) struct provider *provider = make_provider("");
    CLEANUP(http_reply_reset) struct http_reply http = {.status = 200, .content_type = JSON};
    CLEANUP(reply_reset) struct reply reply = {0};
    struct fault fault = {0};

    (void)state;
    assert_true(secret_append_text(&http.body, "{" BOTH ",\"scope\":\""));
    for (size_t size = 0; size <= REPLY_SCOPES_MAX; size += 4)
        assert_true(secret_append_text(&http.body, "abc "));
    assert_true(secret_append_text(&http.body, "\"}"));
    assert_int_equal(reply_read_tokens(provider, &http, "the peer", REPLY_RENEWAL, &fault, &reply),
                     VERDICT_OK);
    assert_string_equal(reply.refresh_token, "r");
    assert_int_equal(reply.scopes.size, 0);
}

static void sentences_have_nothing_of_a_reply_but_the_code(void **state)
{
    CLEANUP(provider_freep) struct provider *provider = make_provider("");
    struct http_reply http = {.status = 400};
    struct reply reply;
    struct fault fault = {0};

    (void)state;
    assert_true(
        secret_append_text(&http.body, "{\"error\":\"invalid_grant\",\"error_description\":\"c4n4ry\"}"));
    assert_int_equal(reply_read_tokens(provider, &http, "it", REPLY_FIRST, &fault, &reply), VERDICT_DEAD);
    assert_string_equal(fault.reason, "it answers with the error invalid_grant");
    http_reply_reset(&http);
    http.status = 400;
    assert_true(secret_append_text(&http.body, "{\"error\":\"c4n4ry is WRONG\"}"));
    assert_int_equal(reply_read_tokens(provider, &http, "it", REPLY_FIRST, &fault, &reply),
                     VERDICT_TRANSIENT);
    assert_string_equal(fault.reason, "it answers with status 400 and an error");
    http_reply_reset(&http);
}

static void a_moment_is_measured_by_the_servers_clock(void **state)
{
    CLEANUP(provider_freep) struct provider *provider = make_provider("\"expires\":\"at\"");
    CLEANUP(http_reply_reset)
    struct http_reply http = {.status = 200, .sent_wall_ms = NOW + 5 * HOUR, .date_ms = NOW};
    CLEANUP(reply_reset) struct reply reply = {0};
    struct fault fault = {0};

    (void)state;
    assert_true(secret_append_text(&http.body, "{" BOTH ",\"expires_at\":1760003600}"));
    assert_int_equal(reply_read_tokens(provider, &http, "it", REPLY_FIRST, &fault, &reply), VERDICT_OK);
    assert_int_equal(reply.lifetime_ms, HOUR);
}

static void what_can_be_had_anew_is_due_without_a_refresh_token(void **state)
{
    CLEANUP(provider_freep) struct provider *provider = make_provider("\"token_paths\":[\"user.token\"]");
    CLEANUP(http_reply_reset) struct http_reply http = {.status = 200, .sent_wall_ms = NOW};
    CLEANUP(reply_reset) struct reply reply = {0};
    struct fault fault = {0};

    (void)state;
    assert_true(secret_append_text(&http.body, "{\"access_token\":\"t\"}"));
    assert_int_equal(reply_read_tokens(provider, &http, "it", REPLY_REPEATED, &fault, &reply),
                     VERDICT_TRANSIENT);
    assert_int_equal(reply_read_tokens(provider, &http, "it", REPLY_RENEWAL, &fault, &reply), VERDICT_OK);
    assert_string_equal(reply.access_token, "t");
    assert_int_equal(reply.due_ms, HOUR - 300000);
}

static void a_second_token_is_never_the_first_one(void **state)
{
    CLEANUP(provider_freep)
    struct provider *provider = make_provider("\"token_paths\":[\"access_token\",\"user.access_token\"],"
                                              "\"second_token\":{\"path\":\"user.access_token\","
                                              "\"property\":\"oauth_refresh_token\"}");
    const char *body[] = {
        "{\"access_token\":\"bot\",\"user\":{\"access_token\":\"u\",\"refresh_token\":\"ur\"}}",
        "{\"user\":{\"access_token\":\"u\",\"refresh_token\":\"ur\"}}"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(http_reply_reset) struct http_reply http = {.status = 200, .sent_wall_ms = NOW};
        CLEANUP(reply_reset) struct reply reply = {0};
        struct fault fault = {0};
        const char *token = NULL;
        const char *refresh_token = NULL;

        assert_true(secret_append_text(&http.body, body[i]));
        assert_int_equal(reply_read_tokens(provider, &http, "it", REPLY_FIRST, &fault, &reply), VERDICT_OK);
        assert_int_equal(reply_second_token(provider, &reply, &token, &refresh_token), i == 0);
        if (i == 0) {
            assert_string_equal(token, "u");
            assert_string_equal(refresh_token, "ur");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read_as_they_come),
        cmocka_unit_test(more_scopes_than_can_be_kept_do_not_cost_the_token),
        cmocka_unit_test(sentences_have_nothing_of_a_reply_but_the_code),
        cmocka_unit_test(a_moment_is_measured_by_the_servers_clock),
        cmocka_unit_test(what_can_be_had_anew_is_due_without_a_refresh_token),
        cmocka_unit_test(a_second_token_is_never_the_first_one),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
