/* The one request of libcurl, against sockets of this very process. */
#include "oauth/http.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOW_SECONDS 6

/* In place of the C library's, for libcurl, too: nobody answers for a host's name for so long. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **found)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)found;
    sleep(SLOW_SECONDS);
    return EAI_AGAIN;
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(listening >= 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 8), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return listening;
}

static enum verdict get(const char *url, unsigned seconds, struct fault *fault)
{
    CLEANUP(http_reply_reset) struct http_reply reply = {0};
    const struct http_request request = {
        .method = "GET", .url = url, .loopback = true, .seconds = seconds, .peer = "the peer"};

    *fault = (struct fault){0};
    return http_send(&request, fault, &reply);
}

/* What is on this machine is not where a proxy would look for it. */
static void loopback_is_never_asked_by_way_of_a_proxy(void **state)
{
    static const char *const variables[] = {"http_proxy", "https_proxy", "all_proxy"};
    static const char *const hosts[] = {"http://127.0.0.1", "https://127.0.0.1", "https://[::1]"};
    CLEANUP(cleanup_close) int proxy = -1;
    struct fault fault;
    uint16_t port;
    char text[64];

    (void)state;
    proxy = listen_somewhere(&port);
    snprintf(text, sizeof(text), "http://127.0.0.1:%u", (unsigned)port);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        assert_int_equal(setenv(variables[i], text, 1), 0);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        snprintf(text, sizeof(text), "%s:1/token", hosts[i]);
        assert_int_equal(get(text, 2, &fault), VERDICT_TRANSIENT);
        assert_false(fault.sent);
        assert_int_equal(accept4(proxy, NULL, NULL, SOCK_CLOEXEC), -1);
        assert_int_equal(errno, EAGAIN);
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        assert_int_equal(unsetenv(variables[i]), 0);
}

static void a_host_that_nobody_answers_for_takes_no_longer_than_the_request_may(void **state)
{
    const uint64_t began_ms = clock_monotonic_ms();
    struct fault fault;

    (void)state;
    assert_int_equal(get("https://slow.example/token", 1, &fault), VERDICT_TRANSIENT);
    assert_false(fault.sent);
    assert_true(clock_monotonic_ms() - began_ms < (SLOW_SECONDS - 2) * 1000);
}

/* ---- a reply that is taken while it comes ---- */

static bool begin(void *context, unsigned status, const struct secret *head)
{
    (void)context;
    (void)status;
    return head->size > 0;
}

static bool take(void *context, const void *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    return size > 0;
}

static bool goes_on(void *context)
{
    return *(const bool *)context;
}

static enum verdict stream(uint16_t port, bool wanted, struct fault *fault)
{
    static const struct http_stream hooks = {.begin = begin, .take = take, .goes_on = goes_on};
    CLEANUP(http_reply_reset) struct http_reply reply = {0};
    char url[64];
    const struct http_request request = {.method = "GET",
                                         .url = url,
                                         .loopback = true,
                                         .seconds = 60,
                                         .silence = 1,
                                         .peer = "the peer",
                                         .stream = &hooks,
                                         .context = &wanted};

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned)port);
    *fault = (struct fault){0};
    return http_send(&request, fault, &reply);
}

/* The kernel takes the connection, and nobody ever looks at it. */
static void a_server_that_is_silent_is_waited_for_as_long_as_was_said(void **state)
{
    CLEANUP(cleanup_close) int silent = -1;
    const uint64_t began_ms = clock_monotonic_ms();
    struct fault fault;
    uint16_t port;

    (void)state;
    silent = listen_somewhere(&port);
    assert_int_equal(stream(port, true, &fault), VERDICT_TRANSIENT);
    assert_non_null(strstr(fault.reason, "the peer gave no answer"));
    assert_true(fault.sent);
    assert_true(clock_monotonic_ms() - began_ms < 30000);
}

static void a_reply_that_nobody_wants_any_more_is_not_waited_for(void **state)
{
    CLEANUP(cleanup_close) int silent = -1;
    struct fault fault;
    uint16_t port;

    (void)state;
    silent = listen_somewhere(&port);
    assert_int_equal(stream(port, false, &fault), VERDICT_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_never_asked_by_way_of_a_proxy),
        cmocka_unit_test(a_server_that_is_silent_is_waited_for_as_long_as_was_said),
        cmocka_unit_test(a_reply_that_nobody_wants_any_more_is_not_waited_for),
        cmocka_unit_test(a_host_that_nobody_answers_for_takes_no_longer_than_the_request_may),
    };
    int failed;

    if (!http_start())
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* The look-up still has its thread. */
    fflush(NULL);
    _exit(failed);
}
