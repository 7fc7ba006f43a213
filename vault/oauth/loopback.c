/* Sockets, and one poll loop over them. */
#include "oauth/loopback.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES_MAX 2
#define BACKLOG 128
#define READ_STEP 4096
#define PORT_TRIES 32  /* free ports of one address that the other may not have */
#define WAIT_MAX 10000 /* poll's clock stands still while the machine sleeps, the deadline's does not */

/* A connection. Closed: descriptor is -1. */
struct seat {
    int descriptor;
    uint64_t deadline_ms;
    bool settled; /* it had its 404; what comes now is thrown away */
    size_t drained;
    struct secret request;
};

struct loopback {
    int sockets[ADDRESSES_MAX]; /* -1: not in use */
    uint16_t port;
    struct seat seats[LOOPBACK_CONNECTIONS_MAX];
    int answered; /* the connection that brought the answer, or -1 */
};

/* ---- opening ---- */

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    };
    socklen_t size;
};

static struct address address_make(int family, uint16_t port)
{
    struct address address = {0};

    if (family == AF_INET) {
        address.size = sizeof(address.ipv4);
        address.ipv4.sin_family = AF_INET;
        address.ipv4.sin_port = htons(port);
        address.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.size = sizeof(address.ipv6);
        address.ipv6.sin6_family = AF_INET6;
        address.ipv6.sin6_port = htons(port);
        address.ipv6.sin6_addr = in6addr_loopback;
    }
    return address;
}

static uint16_t bound_port(int descriptor)
{
    struct address address = {.size = sizeof(address.ipv6)};

    if (getsockname(descriptor, &address.any, &address.size) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET ? address.ipv4.sin_port : address.ipv6.sin6_port);
}

/* -1 with errno. */
static int socket_listen(int family, uint16_t port)
{
    const int only = 1;
    struct address address = address_make(family, port);
    CLEANUP(cleanup_close) int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (descriptor < 0 ||
        (family == AF_INET6 && setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) != 0) ||
        bind(descriptor, &address.any, address.size) != 0 || listen(descriptor, BACKLOG) != 0)
        return -1;
    return cleanup_take_descriptor(&descriptor);
}

/* A machine without IPv6 has no [::1] that a browser could try. */
static bool has_no_address(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* False with errno. */
static bool listen_once(struct loopback *loopback, enum loopback_host host, uint16_t port)
{
    CLEANUP(cleanup_close) int ipv4 = -1;
    CLEANUP(cleanup_close) int ipv6 = -1;

    if (host != LOOPBACK_IPV6) {
        ipv4 = socket_listen(AF_INET, port);
        if (ipv4 < 0)
            return false;
        port = bound_port(ipv4);
    }
    if (host != LOOPBACK_IPV4) {
        ipv6 = socket_listen(AF_INET6, port);
        if (ipv6 < 0 && (host == LOOPBACK_IPV6 || !has_no_address(errno)))
            return false;
    }
    loopback->port = port != 0 ? port : bound_port(ipv6);
    loopback->sockets[0] = cleanup_take_descriptor(&ipv4);
    loopback->sockets[1] = cleanup_take_descriptor(&ipv6);
    return true;
}

enum status loopback_open(enum loopback_host host, uint16_t port, struct failure *failure,
                          struct loopback **ret_loopback)
{
    CLEANUP(loopback_freep) struct loopback *loopback = calloc(1, sizeof(*loopback));
    bool listening = host == LOOPBACK_NOWHERE;

    if (loopback == NULL)
        return failure_set_no_memory(failure);
    loopback->sockets[0] = loopback->sockets[1] = loopback->answered = -1;
    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++)
        loopback->seats[i].descriptor = -1;
    for (int tries = port == 0 ? PORT_TRIES : 1; !listening && tries > 0; tries--) {
        listening = listen_once(loopback, host, port);
        if (!listening && errno != EADDRINUSE)
            break;
    }
    if (!listening && errno == EADDRINUSE && port != 0)
        return failure_set(failure, STATUS_IN_USE, "port %u on loopback is used by another program",
                           (unsigned)port);
    if (!listening)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot listen on loopback");
    *ret_loopback = TAKE(loopback);
    return STATUS_OK;
}

uint16_t loopback_port(const struct loopback *loopback)
{
    return loopback->port;
}

/* ---- connections ---- */

/* Whoever closes first keeps the port for a minute, and a registered port may be wanted again before that: so
 * the browser closes first, and who does not is cut off. */
static void connection_cut(int *descriptor)
{
    const struct linger at_once = {.l_onoff = 1};

    if (*descriptor >= 0)
        setsockopt(*descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    cleanup_close(descriptor);
}

static void seat_leave(struct seat *seat)
{
    secret_reset(&seat->request);
    *seat = (struct seat){.descriptor = -1};
}

static void seat_cut(struct seat *seat)
{
    connection_cut(&seat->descriptor);
    seat_leave(seat);
}

static struct seat *seat_find(struct loopback *loopback)
{
    struct seat *oldest = &loopback->seats[0];

    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++) {
        struct seat *seat = &loopback->seats[i];

        if (seat->descriptor < 0)
            return seat;
        if (seat->deadline_ms < oldest->deadline_ms)
            oldest = seat;
    }
    seat_cut(oldest);
    return oldest;
}

static void seat_settle(struct seat *seat)
{
    secret_reset(&seat->request);
    seat->settled = true;
    seat->deadline_ms = clock_boot_ms() + LOOPBACK_STRAY_MS;
    if (!page_send(PAGE_NOT_FOUND, seat->descriptor))
        seat_cut(seat);
}

/* True if bytes came; the connection may be gone afterwards. */
static bool seat_receive(struct seat *seat)
{
    size_t room = seat->settled ? READ_STEP : LOOPBACK_REQUEST_MAX - seat->request.size;
    ssize_t size;

    if (seat->settled)
        secret_clear(&seat->request);
    room = room < READ_STEP ? room : READ_STEP;
    if (!secret_reserve(&seat->request, room)) {
        seat_cut(seat);
        return false;
    }
    size = recv(seat->descriptor, seat->request.bytes + seat->request.size, room, 0);
    if (size > 0) {
        seat->request.size += (size_t)size;
        return true;
    }
    if (size == 0) {
        cleanup_close(&seat->descriptor);
        seat_leave(seat);
    } else if (errno != EAGAIN && errno != EINTR) {
        seat_cut(seat);
    }
    return false;
}

/* True with an answer that is no stray; its connection is then the listener's. */
static bool seat_serve(struct loopback *loopback, struct seat *seat, const struct callback_rules *rules,
                       struct callback *ret_callback)
{
    while (seat->descriptor >= 0 && seat_receive(seat)) {
        const char *request = (const char *)seat->request.bytes;

        if (seat->settled) {
            seat->drained += seat->request.size;
            if (seat->drained > LOOPBACK_DRAIN_MAX)
                seat_cut(seat);
            continue;
        }
        if (callback_head_size(request, seat->request.size) > 0) {
            callback_read_request(rules, request, seat->request.size, ret_callback);
            if (ret_callback->kind != CALLBACK_STRAY) {
                loopback->answered = cleanup_take_descriptor(&seat->descriptor);
                seat_leave(seat);
                return true;
            }
            callback_reset(ret_callback);
            seat_settle(seat);
        } else if (seat->request.size == LOOPBACK_REQUEST_MAX) {
            seat_settle(seat);
        }
    }
    return false;
}

/* What a connection brings at once is read at once: however many others come, it cannot be dropped for them
 * before it was looked at. */
static bool accept_all(struct loopback *loopback, int socket, const struct callback_rules *rules,
                       struct callback *ret_callback)
{
    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++) {
        int descriptor = accept4(socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct seat *seat;

        if (descriptor < 0)
            return false;
        seat = seat_find(loopback);
        *seat = (struct seat){.descriptor = descriptor, .deadline_ms = clock_boot_ms() + LOOPBACK_REQUEST_MS};
        if (seat_serve(loopback, seat, rules, ret_callback))
            return true;
    }
    return false;
}

void loopback_stop(struct loopback *loopback)
{
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        cleanup_close(&loopback->sockets[i]);
    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++)
        seat_cut(&loopback->seats[i]);
}

/* ---- waiting ---- */

/* What is waited for: the listening sockets, the connections by their number, and the input. */
enum { POLL_INPUT = ADDRESSES_MAX, POLL_SEATS, POLL_COUNT = POLL_SEATS + LOOPBACK_CONNECTIONS_MAX };

static void drop_late(struct loopback *loopback, uint64_t now_ms)
{
    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++) {
        if (loopback->seats[i].descriptor >= 0 && loopback->seats[i].deadline_ms <= now_ms)
            seat_cut(&loopback->seats[i]);
    }
}

/* Fills `polled`; returns how long to wait, in milliseconds. */
static int prepare(const struct loopback *loopback, int input, uint64_t now_ms, uint64_t deadline_ms,
                   struct pollfd polled[POLL_COUNT])
{
    uint64_t until = deadline_ms;

    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        polled[i] = (struct pollfd){.fd = loopback->sockets[i], .events = POLLIN};
    polled[POLL_INPUT] = (struct pollfd){.fd = input, .events = POLLIN};
    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++) {
        const struct seat *seat = &loopback->seats[i];

        polled[POLL_SEATS + i] = (struct pollfd){.fd = seat->descriptor, .events = POLLIN};
        if (seat->descriptor >= 0 && seat->deadline_ms < until)
            until = seat->deadline_ms;
    }
    if (until <= now_ms)
        return 0;
    return until - now_ms < WAIT_MAX ? (int)(until - now_ms) : WAIT_MAX;
}

/* True with the answer. */
static bool serve_ready(struct loopback *loopback, const struct pollfd polled[POLL_COUNT],
                        const struct callback_rules *rules, struct callback *ret_callback)
{
    for (size_t i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++) {
        struct seat *seat = &loopback->seats[i];

        if (polled[POLL_SEATS + i].revents != 0 && seat_serve(loopback, seat, rules, ret_callback))
            return true;
    }
    for (size_t i = 0; i < ADDRESSES_MAX; i++) {
        if (polled[i].revents != 0 && accept_all(loopback, loopback->sockets[i], rules, ret_callback))
            return true;
    }
    return false;
}

enum status loopback_wait(struct loopback *loopback, const struct callback_rules *rules, int input,
                          uint64_t deadline_ms, struct failure *failure, enum loopback_event *ret_event,
                          struct callback *ret_callback)
{
    struct pollfd polled[POLL_COUNT];

    for (;;) {
        uint64_t now_ms = clock_boot_ms();
        int ready;

        drop_late(loopback, now_ms);
        if (now_ms >= deadline_ms) {
            *ret_event = LOOPBACK_DEADLINE;
            return STATUS_OK;
        }
        ready = poll(polled, POLL_COUNT, prepare(loopback, input, now_ms, deadline_ms, polled));
        if (ready < 0 && errno != EINTR)
            return failure_set_errno(failure, STATUS_FAILED, errno, "cannot wait for the answer");
        if (ready <= 0)
            continue;
        if (serve_ready(loopback, polled, rules, ret_callback)) {
            loopback_stop(loopback);
            *ret_event = LOOPBACK_ANSWER;
            return STATUS_OK;
        }
        if (polled[POLL_INPUT].revents != 0) {
            *ret_event = LOOPBACK_INPUT;
            return STATUS_OK;
        }
    }
}

/* ---- the end ---- */

void loopback_show(struct loopback *loopback, enum page page)
{
    if (loopback->answered >= 0 && !page_send(page, loopback->answered))
        connection_cut(&loopback->answered);
}

/* Until the browser hangs up, or has had its time. */
static void answered_finish(int *descriptor)
{
    const uint64_t deadline_ms = clock_boot_ms() + LOOPBACK_CLOSE_MS;
    char thrown_away[1024];

    for (;;) {
        struct pollfd polled = {.fd = *descriptor, .events = POLLIN};
        uint64_t now_ms = clock_boot_ms();

        if (now_ms >= deadline_ms || poll(&polled, 1, (int)(deadline_ms - now_ms)) == 0) {
            connection_cut(descriptor);
            return;
        }
        if (polled.revents != 0 && recv(*descriptor, thrown_away, sizeof(thrown_away), 0) <= 0) {
            cleanup_close(descriptor);
            return;
        }
    }
}

void loopback_freep(struct loopback **loopback)
{
    if (*loopback == NULL)
        return;
    loopback_stop(*loopback);
    if ((*loopback)->answered >= 0)
        answered_finish(&(*loopback)->answered);
    free(*loopback);
    *loopback = NULL;
}
