/* Where answers are to come: registered addresses, the provider's facts, ports. */
#include "oauth/redirect.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

/* An errand to connect by this flow, with these facts of the redirect and these members (each with a comma
 * before it). */
static struct errand *connect_by(const char *flow, const char *facts, const char *members)
{
    CLEANUP(secret_reset) struct secret provider = {0};
    CLEANUP(secret_reset) struct secret job = {0};
    struct errand *errand = NULL;
    struct json_writer writer;
    struct failure failure;

    assert_true(secret_append_format(
        &provider,
        "{\"slug\":\"it\",\"title\":\"It\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"OAuth\","
        "\"request\":{\"headers\":{\"Authorization\":\"Bearer {oauth_access_token}\"}},\"oauth\":{"
        "\"authorize_url\":\"https://as.example/a\",\"token_url\":\"https://as.example/t\"%s}}}}",
        facts));
    json_writer_start(&writer, &job);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "job", "connect");
    json_add_text(&writer, "flow", flow);
    json_add_text(&writer, "provider", secret_text(&provider));
    json_add_raw(&writer, "client", "{\"id\":\"i\"}", 10);
    assert_true(secret_append_text(&job, members) && secret_append_byte(&job, '}'));
    if (errand_read(job.bytes, job.size, &failure, &errand) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    return errand;
}

static void expect(const char *flow, const char *facts, const char *members, const char *uri,
                   const char *host, const char *path, bool listens)
{
    CLEANUP(errand_freep) struct errand *errand = connect_by(flow, facts, members);
    CLEANUP(redirect_reset) struct redirect redirect = {0};
    struct failure failure;

    if (redirect_open(errand, &failure, &redirect) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    assert_string_equal(secret_text(&redirect.uri), uri);
    assert_string_equal(redirect.host, host);
    assert_string_equal(secret_text(&redirect.path), path);
    assert_int_equal(loopback_port(redirect.loopback) != 0, listens);
}

static void expect_failure(const char *facts, const char *members, enum status status, const char *sentence)
{
    CLEANUP(errand_freep) struct errand *errand = connect_by("browser", facts, members);
    CLEANUP(redirect_reset) struct redirect redirect = {0};
    struct failure failure;

    assert_int_equal(redirect_open(errand, &failure, &redirect), status);
    assert_string_equal(failure.sentence, sentence);
}

/* Holds a port of 127.0.0.1, which it returns. */
static int occupy(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return descriptor;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    uint16_t port;
    int descriptor = occupy(&port);

    cleanup_close(&descriptor);
    return port;
}

static void the_facts_say_where(void **state)
{
    uint16_t port = free_port();
    char facts[128], members[64], uri[64], host[64];

    (void)state;
    snprintf(members, sizeof(members), ",\"port\":%u", port);
    snprintf(uri, sizeof(uri), "http://127.0.0.1:%u/callback", port);
    snprintf(host, sizeof(host), "127.0.0.1:%u", port);
    expect("browser", "", members, uri, host, "/callback", true);
    snprintf(facts, sizeof(facts),
             ",\"redirect_host\":\"localhost\",\"redirect_path\":\"/own/way\",\"redirect_ports\":[%u]", port);
    snprintf(uri, sizeof(uri), "http://localhost:%u/own/way", port);
    snprintf(host, sizeof(host), "localhost:%u", port);
    expect("browser", facts, "", uri, host, "/own/way", true);
}

static void any_port_is_one_that_is_free(void **state)
{
    CLEANUP(errand_freep) struct errand *errand = connect_by("browser", ",\"redirect_ports\":\"any\"", "");
    CLEANUP(redirect_reset) struct redirect redirect = {0};
    struct failure failure;
    char uri[64];

    (void)state;
    assert_int_equal(redirect_open(errand, &failure, &redirect), STATUS_OK);
    snprintf(uri, sizeof(uri), "http://127.0.0.1:%u/callback", loopback_port(redirect.loopback));
    assert_string_equal(secret_text(&redirect.uri), uri);
}

static void the_first_free_port_of_a_list_is_taken(void **state)
{
    uint16_t taken, port = free_port();
    CLEANUP(cleanup_close) int other = occupy(&taken);
    char facts[64], uri[64], host[64];

    (void)state;
    assert_true(other >= 0);
    snprintf(facts, sizeof(facts), ",\"redirect_ports\":[%u,%u]", taken, port);
    snprintf(uri, sizeof(uri), "http://127.0.0.1:%u/callback", port);
    snprintf(host, sizeof(host), "127.0.0.1:%u", port);
    expect("browser", facts, "", uri, host, "/callback", true);
}

static void ports_that_others_have_are_told(void **state)
{
    uint16_t first, second;
    CLEANUP(cleanup_close) int one = occupy(&first);
    CLEANUP(cleanup_close) int two = occupy(&second);
    char facts[64], members[64], sentence[128];

    (void)state;
    assert_true(one >= 0 && two >= 0);
    snprintf(facts, sizeof(facts), ",\"redirect_ports\":[%u,%u]", first, second);
    expect_failure(facts, "", STATUS_IN_USE,
                   "each of the 2 ports that It can send people back to is used by another program");
    snprintf(members, sizeof(members), ",\"port\":%u", first);
    snprintf(sentence, sizeof(sentence), "port %u on loopback is used by another program", first);
    expect_failure("", members, STATUS_IN_USE, sentence);
}

static void a_registered_address_is_sent_as_it_is(void **state)
{
    uint16_t port = free_port();
    char members[128], uri[64], host[64];

    (void)state;
    snprintf(uri, sizeof(uri), "http://127.0.0.1:%u/cb?a=b", port);
    snprintf(host, sizeof(host), "127.0.0.1:%u", port);
    snprintf(members, sizeof(members), ",\"redirect_uri\":\"%s\"", uri);
    expect("browser", ",\"redirect_host\":\"localhost\"", members, uri, host, "/cb", true);
    expect("paste", "", members, uri, host, "/cb", false);
    expect("browser", ",\"redirect\":\"https\"", ",\"redirect_uri\":\"https://own.example/done\"",
           "https://own.example/done", "", "", false);
    expect("browser", ",\"redirect\":\"name\"", ",\"redirect_uri\":\"Own_Name-1\"", "Own_Name-1", "", "",
           false);
    expect("paste", "", ",\"redirect_uri\":\"http://own.example/\"", "http://own.example/", "", "", false);
}

static void a_registered_address_without_port_gets_one(void **state)
{
    uint16_t port = free_port();
    char members[128], uri[64], host[64];

    (void)state;
    snprintf(uri, sizeof(uri), "http://[::1]:%u", port);
    snprintf(host, sizeof(host), "[::1]:%u", port);
    snprintf(members, sizeof(members), ",\"port\":%u,\"redirect_uri\":\"http://[::1]\"", port);
    expect("paste", "", members, uri, host, "/", false);
    expect("paste", "", ",\"redirect_uri\":\"http://localhost/cb\"", "http://localhost:28710/cb",
           "localhost:28710", "/cb", false);
}

static void a_browser_does_not_say_the_port_of_http(void **state)
{
    (void)state;
    expect("paste", "", ",\"redirect_uri\":\"http://127.0.0.1:80/cb\"", "http://127.0.0.1:80/cb", "127.0.0.1",
           "/cb", false);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    expect_failure(",\"redirect\":\"https\"", "", STATUS_INVALID,
                   "It sends people back to a registered address only, and the client has none");
    expect_failure("", ",\"port\":4711,\"redirect_uri\":\"http://127.0.0.1:4712/cb\"", STATUS_INVALID,
                   "the registered address has port 4712, not 4711");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_facts_say_where),
        cmocka_unit_test(any_port_is_one_that_is_free),
        cmocka_unit_test(the_first_free_port_of_a_list_is_taken),
        cmocka_unit_test(ports_that_others_have_are_told),
        cmocka_unit_test(a_registered_address_is_sent_as_it_is),
        cmocka_unit_test(a_registered_address_without_port_gets_one),
        cmocka_unit_test(a_browser_does_not_say_the_port_of_http),
        cmocka_unit_test(what_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
