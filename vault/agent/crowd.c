/* The connections of a server: what each waits for, and its end. */
#include "agent/crowd.h"

#include "agent/connection.h"
#include "agent/job.h"
#include "agent/parking.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ACCEPTS_MAX 64         /* new connections in one iteration */
#define HELD_MAX (64u << 20)   /* bytes that wait in all buffers together */
#define HELD_SMALL (64u << 10) /* a connection below this is not closed for that bound */
#define END_DEADLINE_MS 1000u  /* for the last replies to be taken */

static void watch(struct server *server, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};

    if (connection->watched == events)
        return;
    connection->watched = events;
    epoll_ctl(server->poll, EPOLL_CTL_MOD, connection->descriptor, &event);
}

static void account(struct server *server, struct connection *connection)
{
    size_t held = connection_held(connection);

    server->held += held - connection->accounted;
    connection->accounted = held;
    if (connection->deadline_ms != 0 &&
        (server->next_deadline_ms == 0 || connection->deadline_ms < server->next_deadline_ms))
        server->next_deadline_ms = connection->deadline_ms;
}

/* A daemon must not hold on to the terminal or pipe it was started from, whose reader would wait for its end;
 * until somebody was answered, or has gone, it could complain there. */
static void leave_terminal(struct server *server)
{
    if (server->null < 0)
        return;
    dup2(server->null, STDERR_FILENO);
    cleanup_close(&server->null);
}

void crowd_drop(struct server *server, struct connection *connection)
{
    if (connection->descriptor < 0)
        return;
    server->working -= connection->job != NULL;
    peer_forget(server->reader, &connection->peer);
    connection_close(connection);
    account(server, connection);
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    connection->next = server->closed;
    server->closed = connection;
    server->session->connections--;
    if (server->first == connection)
        server->first = NULL;
    /* One that ends now is waited for by whoever reads. */
    if (session_stays(server->session))
        leave_terminal(server);
}

void crowd_reap(struct server *server)
{
    struct connection **link = &server->closed;

    while (*link != NULL) {
        struct connection *connection = *link;

        if (connection->ready) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        connection_free(connection);
    }
}

void crowd_ready(struct server *server, struct connection *connection)
{
    if (connection->ready)
        return;
    connection->ready = true;
    connection->next_ready = server->ready;
    server->ready = connection;
}

static bool is_parked(const struct connection *connection)
{
    return connection->exchange.parking != NULL;
}

void crowd_settle(struct server *server, struct connection *connection)
{
    bool drained = connection_is_drained(connection);

    account(server, connection);
    if ((connection->closing && drained) || (server->held > HELD_MAX && connection->accounted > HELD_SMALL)) {
        crowd_drop(server, connection);
        return;
    }
    if (!drained)
        watch(server, connection, EPOLLOUT);
    else if (connection->job != NULL)
        watch(server, connection, job_hears(connection->job) && !connection->deaf ? EPOLLIN : 0u);
    else if (is_parked(connection))
        watch(server, connection, 0);
    else
        watch(server, connection, EPOLLIN);
    if (drained && connection->job == NULL && !is_parked(connection) && connection_has_frame(connection))
        crowd_ready(server, connection);
}

void crowd_send(struct server *server, struct connection *connection)
{
    if (!connection_send(connection)) {
        crowd_drop(server, connection);
        return;
    }
    crowd_settle(server, connection);
    leave_terminal(server);
}

/* Makes room by closing the connection that was idle for longest. */
static bool evict(struct server *server)
{
    struct connection *oldest = NULL;

    for (struct connection *at = server->connections; at != NULL; at = at->next) {
        if (connection_is_idle(at) && at != server->first &&
            (oldest == NULL || at->used_at_ms < oldest->used_at_ms))
            oldest = at;
    }
    if (oldest != NULL)
        crowd_drop(server, oldest);
    return oldest != NULL;
}

struct connection *crowd_adopt(struct server *server, int descriptor)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (connection == NULL || !peer_identify(descriptor, &connection->peer) ||
        epoll_ctl(server->poll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        free(connection);
        close(descriptor);
        return NULL;
    }
    connection->descriptor = descriptor;
    connection->watched = EPOLLIN;
    connection->used_at_ms = clock_monotonic_ms();
    connection->exchange.output = &connection->output;
    connection->exchange.owner = peer_is_owner(&connection->peer);
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    server->session->connections++;
    peer_ask(server->reader, &connection->peer);
    return connection;
}

void crowd_accept(struct server *server)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

    for (unsigned count = 0; count < ACCEPTS_MAX; count++) {
        int descriptor = accept4(server->listener->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (descriptor < 0) {
            /* Out of descriptors, the listener stays readable: room must be made, or time must pass. */
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && !evict(server))
                nanosleep(&pause, NULL);
            return;
        }
        if (server->session->connections >= server->maximum && !evict(server))
            close(descriptor);
        else
            crowd_adopt(server, descriptor);
    }
}

/* ---- those that are parked ---- */

void crowd_wake(struct server *server)
{
    uint64_t now = clock_monotonic_ms();

    server->session->woken = false;
    for (struct connection *at = server->connections; at != NULL; at = at->next) {
        if (is_parked(at) && parking_is_over(at->exchange.parking, now))
            crowd_ready(server, at);
    }
}

uint64_t crowd_wakes_at(const struct server *server)
{
    uint64_t earliest = 0;

    for (const struct connection *at = server->connections; at != NULL; at = at->next) {
        uint64_t until_ms = is_parked(at) ? at->exchange.parking->until_ms : 0;

        if (until_ms != 0 && (earliest == 0 || until_ms < earliest))
            earliest = until_ms;
    }
    return earliest;
}

bool crowd_is_waiting(const struct server *server)
{
    for (const struct connection *at = server->connections; at != NULL; at = at->next) {
        if (is_parked(at) && !at->exchange.parking->drains)
            return true;
    }
    return false;
}

bool crowd_wake_last(struct server *server)
{
    bool any = false;

    for (struct connection *at = server->connections; at != NULL; at = at->next) {
        if (!is_parked(at))
            continue;
        at->exchange.parking->drains = false;
        crowd_ready(server, at);
        any = true;
    }
    return any;
}

/* ---- time, the end ---- */

void crowd_close_overdue(struct server *server)
{
    uint64_t now = clock_monotonic_ms();
    struct connection *next;

    if (server->next_deadline_ms == 0 || now < server->next_deadline_ms)
        return;
    server->next_deadline_ms = 0;
    for (struct connection *at = server->connections; at != NULL; at = next) {
        next = at->next;
        if (at->deadline_ms != 0 && at->deadline_ms <= now)
            crowd_drop(server, at);
        else
            account(server, at);
    }
}

/* Whoever is still parked has been told nothing. */
static void refuse_parked(struct connection *connection)
{
    struct failure failure;

    failure_set(&failure, STATUS_LOCKED, "the vault was locked meanwhile");
    if (!connection->exchange.oneway)
        reply_failure(&connection->output, &failure);
    parking_freep(&connection->exchange.parking);
}

/* Replies that are under way may still be taken, for a moment; then each cancelled job says that it is. */
static void flush_output(struct server *server, struct connection *connection, uint64_t until_ms)
{
    struct pollfd taken = {.fd = connection->descriptor, .events = POLLOUT};
    uint64_t now = clock_monotonic_ms();

    if (connection_is_drained(connection) && connection->job != NULL) {
        job_continue(connection->job, &connection->output);
        job_freep(&connection->job);
        server->working--;
    } else if (connection_is_drained(connection) && is_parked(connection)) {
        refuse_parked(connection);
    }
    if (connection_is_drained(connection) || now >= until_ms || poll(&taken, 1, (int)(until_ms - now)) != 1 ||
        !connection_send(connection))
        crowd_drop(server, connection);
}

void crowd_flush(struct server *server)
{
    uint64_t until_ms = clock_monotonic_ms() + END_DEADLINE_MS;

    while (server->connections != NULL)
        flush_output(server, server->connections, until_ms);
    while (server->ready != NULL) {
        server->ready->ready = false;
        server->ready = server->ready->next_ready;
    }
    crowd_reap(server);
}
