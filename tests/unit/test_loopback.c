/* The loopback loopback, with clients of its own. */
#include "oauth/loopback.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define STATE "the-state"

static struct loopback *loopback;
static char host[32];
static const struct callback_rules rules = {.host = host, .path = "/cb", .state = STATE};

static void open_listener(enum loopback_host where)
{
    struct failure failure;

    if (loopback_open(where, 0, &failure, &loopback) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    snprintf(host, sizeof(host), "127.0.0.1:%u", loopback_port(loopback));
}

static int close_listener(void **state)
{
    (void)state;
    loopback_freep(&loopback);
    return 0;
}

static int dial(int family, uint16_t port)
{
    struct sockaddr_in6 ipv6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in ipv4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int done = family == AF_INET ? connect(descriptor, (struct sockaddr *)&ipv4, sizeof(ipv4))
                                 : connect(descriptor, (struct sockaddr *)&ipv6, sizeof(ipv6));

    if (done != 0)
        cleanup_close(&descriptor);
    return descriptor;
}

static int client(void)
{
    int descriptor = dial(AF_INET, loopback_port(loopback));

    assert_true(descriptor >= 0);
    return descriptor;
}

static void say(int descriptor, const char *text)
{
    assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void ask(int descriptor, const char *target)
{
    char request[1024];

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host);
    say(descriptor, request);
}

/* What is there to read now, as text. */
static const char *hear(int descriptor)
{
    static char text[8192];
    struct pollfd polled = {.fd = descriptor, .events = POLLIN};
    ssize_t size = 0;

    if (poll(&polled, 1, 0) == 1)
        size = recv(descriptor, text, sizeof(text) - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* Whether the other side has closed, one way or the other, once all it said is read. */
static bool is_over(int descriptor)
{
    char text[4096];
    ssize_t size;

    do {
        size = recv(descriptor, text, sizeof(text), MSG_DONTWAIT);
    } while (size > 0);
    return size == 0 || errno != EAGAIN;
}

/* Serves for `ms`; the answer, or LOOPBACK_DEADLINE. */
static enum loopback_event serve(uint64_t ms, struct callback *callback)
{
    enum loopback_event event;
    struct failure failure;

    assert_int_equal(loopback_wait(loopback, &rules, -1, clock_boot_ms() + ms, &failure, &event, callback),
                     STATUS_OK);
    return event;
}

static void the_answer_is_taken_and_its_browser_waits_for_the_page(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int browser = -1;
    const char *page;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    browser = client();
    ask(browser, "/cb?code=the-code&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
    assert_int_equal(callback.kind, CALLBACK_CODE);
    assert_string_equal(secret_text(&callback.code), "the-code");
    assert_string_equal(hear(browser), "");
    loopback_show(loopback, PAGE_GRANTED);
    page = hear(browser);
    assert_memory_equal(page, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(page, "Access was given"));
    assert_non_null(strstr(page, "Content-Security-Policy: default-src 'none'"));
    assert_non_null(strstr(page, "Cache-Control: no-store"));
    assert_non_null(strstr(page, "Referrer-Policy: no-referrer"));
    assert_null(strstr(page, "the-code"));
    assert_null(strstr(page, STATE));
}

static void nothing_listens_once_the_answer_is_there(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int idle = -1;
    CLEANUP(cleanup_close) int browser = -1;
    uint16_t port;

    (void)state;
    open_listener(LOOPBACK_LOCALHOST);
    port = loopback_port(loopback);
    idle = client();
    browser = client();
    ask(browser, "/cb?error=access_denied&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
    assert_int_equal(callback.kind, CALLBACK_ERROR);
    assert_true(is_over(idle));
    assert_int_equal(dial(AF_INET, port), -1);
    assert_int_equal(dial(AF_INET6, port), -1);
}

static void strays_get_404_and_end_nothing(void **state)
{
    static const char *const strays[] = {
        "/",
        "/favicon.ico",
        "/cb?error=access_denied",
        "/cb?error=access_denied&state=guess",
        "/cb?code=evil&state=guess",
        ("/cb/?code=evil&state=" STATE),
    };
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int browser = -1;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
        CLEANUP(cleanup_close) int stray = client();
        const char *page;

        ask(stray, strays[i]);
        assert_int_equal(serve(20, &callback), LOOPBACK_DEADLINE);
        page = hear(stray);
        assert_memory_equal(page, "HTTP/1.1 404 Not Found\r\n", 24);
        assert_null(strstr(page, "guess"));
        assert_null(strstr(page, "evil"));
    }
    browser = client();
    ask(browser, "/cb?code=c&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
}

static void a_request_that_comes_in_pieces_is_put_together(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int browser = -1;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    browser = client();
    say(browser, "GET /cb?code=c&sta");
    assert_int_equal(serve(10, &callback), LOOPBACK_DEADLINE);
    say(browser, "te=" STATE " HTTP/1.1\r\nHost: ");
    assert_int_equal(serve(10, &callback), LOOPBACK_DEADLINE);
    say(browser, host);
    say(browser, "\r\n\r");
    assert_int_equal(serve(10, &callback), LOOPBACK_DEADLINE);
    say(browser, "\n");
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int large = -1;
    char padding[LOOPBACK_REQUEST_MAX];

    (void)state;
    open_listener(LOOPBACK_IPV4);
    large = client();
    memset(padding, 'a', sizeof(padding));
    padding[sizeof(padding) - 1] = '\0';
    say(large, "GET /cb?code=c&state=" STATE " HTTP/1.1\r\nX: ");
    say(large, padding);
    assert_int_equal(serve(50, &callback), LOOPBACK_DEADLINE);
    assert_memory_equal(hear(large), "HTTP/1.1 404", 12);
    say(large, "\r\nHost: ");
    say(large, host);
    say(large, "\r\n\r\n");
    assert_int_equal(serve(50, &callback), LOOPBACK_DEADLINE);
}

static void who_sends_without_end_is_cut_off(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int endless = -1;
    char padding[65536];
    size_t sent = 0;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    endless = client();
    memset(padding, 'a', sizeof(padding));
    say(endless, "POST /cb HTTP/1.1\r\nHost: x\r\n\r\n");
    while (sent <= 2u * LOOPBACK_DRAIN_MAX) {
        ssize_t size = send(endless, padding, sizeof(padding), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (size < 0 && errno != EAGAIN)
            break;
        sent += size > 0 ? (size_t)size : 0;
        assert_int_equal(serve(1, &callback), LOOPBACK_DEADLINE);
    }
    assert_true(sent <= 2u * LOOPBACK_DRAIN_MAX);
}

static void a_slow_request_is_dropped_and_others_are_served_meanwhile(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int slow = -1;
    CLEANUP(cleanup_close) int silent = -1;
    CLEANUP(cleanup_close) int browser = -1;
    uint64_t started;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    silent = client();
    slow = client();
    started = clock_boot_ms();
    while (clock_boot_ms() - started < LOOPBACK_REQUEST_MS + 500 && !is_over(slow)) {
        send(slow, "G", 1, MSG_NOSIGNAL);
        assert_int_equal(serve(250, &callback), LOOPBACK_DEADLINE);
    }
    assert_true(clock_boot_ms() - started >= LOOPBACK_REQUEST_MS - 250);
    assert_true(is_over(slow));
    assert_true(is_over(silent));
    browser = client();
    ask(browser, "/cb?code=c&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
}

static void many_connections_that_say_nothing_do_not_keep_the_answer_out(void **state)
{
    enum { MANY = LOOPBACK_CONNECTIONS_MAX + 40 };
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int browser = -1;
    int silent[MANY];

    (void)state;
    open_listener(LOOPBACK_IPV4);
    for (size_t i = 0; i < MANY; i++)
        silent[i] = client();
    browser = client();
    ask(browser, "/cb?code=c&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
    for (size_t i = 0; i < MANY; i++)
        close(silent[i]);
}

static void what_a_connection_brings_is_read_before_it_is_dropped_for_others(void **state)
{
    enum { MANY = LOOPBACK_CONNECTIONS_MAX + 10 };
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int browser = -1;
    int silent[MANY];

    (void)state;
    open_listener(LOOPBACK_LOCALHOST);
    silent[0] = dial(AF_INET6, loopback_port(loopback));
    if (silent[0] < 0)
        skip();
    browser = client();
    ask(browser, "/cb?code=c&state=" STATE);
    for (size_t i = 1; i < MANY; i++)
        silent[i] = dial(AF_INET6, loopback_port(loopback));
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
    for (size_t i = 0; i < MANY; i++)
        close(silent[i]);
}

static void localhost_is_both_addresses_on_one_port(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int ipv4 = -1;
    CLEANUP(cleanup_close) int ipv6 = -1;

    (void)state;
    open_listener(LOOPBACK_LOCALHOST);
    ipv4 = client();
    ipv6 = dial(AF_INET6, loopback_port(loopback));
    if (ipv6 < 0)
        skip();
    ask(ipv4, "/");
    ask(ipv6, "/cb?code=c&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
}

static void the_other_address_is_not_listened_on_unless_it_is_meant(void **state)
{
    (void)state;
    open_listener(LOOPBACK_IPV4);
    assert_int_equal(dial(AF_INET6, loopback_port(loopback)), -1);
}

static void a_port_of_somebody_else_is_named(void **state)
{
    CLEANUP(loopback_freep) struct loopback *second = NULL;
    struct failure failure;
    char sentence[128];

    (void)state;
    open_listener(LOOPBACK_IPV4);
    assert_int_equal(loopback_open(LOOPBACK_IPV4, loopback_port(loopback), &failure, &second), STATUS_IN_USE);
    snprintf(sentence, sizeof(sentence), "port %u on loopback is used by another program",
             loopback_port(loopback));
    assert_string_equal(failure.sentence, sentence);
    assert_null(second);
}

static void a_port_can_be_had_again_at_once_after_an_answer(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int stray = -1;
    CLEANUP(cleanup_close) int browser = -1;
    struct failure failure;
    uint16_t port;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    port = loopback_port(loopback);
    stray = client();
    ask(stray, "/");
    browser = client();
    ask(browser, "/cb?code=c&state=" STATE);
    assert_int_equal(serve(1000, &callback), LOOPBACK_ANSWER);
    loopback_show(loopback, PAGE_FAILED);
    loopback_freep(&loopback);
    assert_int_equal(loopback_open(LOOPBACK_IPV4, port, &failure, &loopback), STATUS_OK);
}

static void it_stops_when_the_answer_came_in_another_way(void **state)
{
    CLEANUP(cleanup_close) int idle = -1;
    uint16_t port;

    (void)state;
    open_listener(LOOPBACK_IPV4);
    port = loopback_port(loopback);
    idle = client();
    loopback_stop(loopback);
    assert_int_equal(dial(AF_INET, port), -1);
    loopback_show(loopback, PAGE_GRANTED);
}

static void input_is_told_while_it_listens(void **state)
{
    CLEANUP(callback_reset) struct callback callback = {0};
    CLEANUP(cleanup_close) int read_end = -1;
    enum loopback_event event;
    struct failure failure;
    int ends[2];

    (void)state;
    open_listener(LOOPBACK_NOWHERE);
    assert_int_equal(loopback_port(loopback), 0);
    assert_int_equal(pipe(ends), 0);
    read_end = ends[0];
    assert_int_equal(
        loopback_wait(loopback, &rules, read_end, clock_boot_ms() + 10, &failure, &event, &callback),
        STATUS_OK);
    assert_int_equal(event, LOOPBACK_DEADLINE);
    close(ends[1]);
    assert_int_equal(
        loopback_wait(loopback, &rules, read_end, clock_boot_ms() + 1000, &failure, &event, &callback),
        STATUS_OK);
    assert_int_equal(event, LOOPBACK_INPUT);
    loopback_show(loopback, PAGE_GRANTED);
}

#define WITH_LISTENER(test) cmocka_unit_test_teardown(test, close_listener)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LISTENER(the_answer_is_taken_and_its_browser_waits_for_the_page),
        WITH_LISTENER(nothing_listens_once_the_answer_is_there),
        WITH_LISTENER(strays_get_404_and_end_nothing),
        WITH_LISTENER(a_request_that_comes_in_pieces_is_put_together),
        WITH_LISTENER(a_head_that_is_too_large_is_refused),
        WITH_LISTENER(who_sends_without_end_is_cut_off),
        WITH_LISTENER(a_slow_request_is_dropped_and_others_are_served_meanwhile),
        WITH_LISTENER(many_connections_that_say_nothing_do_not_keep_the_answer_out),
        WITH_LISTENER(what_a_connection_brings_is_read_before_it_is_dropped_for_others),
        WITH_LISTENER(localhost_is_both_addresses_on_one_port),
        WITH_LISTENER(the_other_address_is_not_listened_on_unless_it_is_meant),
        WITH_LISTENER(a_port_of_somebody_else_is_named),
        WITH_LISTENER(a_port_can_be_had_again_at_once_after_an_answer),
        WITH_LISTENER(it_stops_when_the_answer_came_in_another_way),
        WITH_LISTENER(input_is_told_while_it_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
