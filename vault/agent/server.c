/* The loop. One iteration is one turn: whatever is readable is served, committed once, and answered. */
#include "agent/server.h"

#include "agent/connection.h"
#include "agent/job.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define ACCEPTS_MAX 64 /* new connections in one iteration */
#define CONNECTIONS_MAX 4096u
#define DESCRIPTORS_KEPT 64u   /* for what is no connection */
#define HELD_MAX (64u << 20)   /* bytes that wait in all buffers together */
#define HELD_SMALL (64u << 10) /* a connection below this is not closed for that bound */
#define END_DEADLINE_MS 1000u  /* for the last replies to be taken */
#define LONELY_MS 30000u       /* before a socket-activated agent with nothing to hold ends */

static void finish_turn(struct server *server);

/* What was served before is committed and answered first: locking drops an open turn. */
static void server_lock(struct server *server, const char *cause)
{
    finish_turn(server);
    session_lock(server->session, &server->session->self, cause);
    server->ending = true;
}

/* ---- connections ---- */

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

/* The memory goes when this iteration is over: an event not yet looked at may name it. */
static void drop(struct server *server, struct connection *connection)
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
}

static void reap(struct server *server)
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

static void make_ready(struct server *server, struct connection *connection)
{
    if (connection->ready)
        return;
    connection->ready = true;
    connection->next_ready = server->ready;
    server->ready = connection;
}

/* After anything was done for a connection: what it waits for now, or its end. */
static void settle(struct server *server, struct connection *connection)
{
    bool drained = connection_is_drained(connection);

    account(server, connection);
    if ((connection->closing && drained) || (server->held > HELD_MAX && connection->accounted > HELD_SMALL)) {
        drop(server, connection);
        return;
    }
    if (!drained)
        watch(server, connection, EPOLLOUT);
    else if (connection->job != NULL)
        watch(server, connection, 0);
    else
        watch(server, connection, EPOLLIN);
    if (drained && connection->job == NULL && connection_has_frame(connection))
        make_ready(server, connection);
}

static void send_output(struct server *server, struct connection *connection)
{
    if (!connection_send(connection)) {
        drop(server, connection);
        return;
    }
    settle(server, connection);
    /* A daemon must not hold on to the terminal it was started from; until now it could complain there. */
    if (server->null >= 0) {
        dup2(server->null, STDERR_FILENO);
        cleanup_close(&server->null);
    }
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
        drop(server, oldest);
    return oldest != NULL;
}

static struct connection *adopt(struct server *server, int descriptor)
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

static void accept_some(struct server *server)
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
            adopt(server, descriptor);
    }
}

/* ---- calls ---- */

/* The exchange is the connection's first member. */
static struct connection *connection_of(struct exchange *exchange)
{
    return (struct connection *)(void *)exchange;
}

static struct server *identifying; /* the server whose turn asks; there is one in a process */

static const struct leaf_caller *identify(struct exchange *exchange)
{
    static struct leaf_caller caller;
    struct server *server = identifying;

    peer_describe(server->reader, &connection_of(exchange)->peer, &caller);
    server->session->peer_reader_runs = server->reader->channel >= 0;
    return &caller;
}

/* Whoever gets the reply of Lock may start the next agent at once: the place must be free by then. */
static void note_end(struct server *server)
{
    if (!server->session->ending)
        return;
    listener_close(server->listener);
    server->ending = true;
}

static void finish_turn(struct server *server)
{
    struct exchange *exchange = turn_finish(&server->turn);

    note_end(server);
    while (exchange != NULL) {
        struct connection *connection = connection_of(exchange);

        exchange = exchange->next;
        connection->serving = false;
        connection->job = TAKE(connection->exchange.job);
        server->working += connection->job != NULL;
        send_output(server, connection);
    }
    session_fold(server->session);
}

static void refuse_frame(struct server *server, struct connection *connection)
{
    struct failure failure;

    failure_set(&failure, STATUS_TOO_LARGE, "a request is at most %u bytes", CALL_REQUEST_MAX);
    reply_failure(&connection->output, &failure);
    connection->closing = true;
    secret_reset(&connection->input);
    connection->taken = 0;
    send_output(server, connection);
}

static void serve_frame(struct server *server, struct connection *connection,
                        const struct connection_frame *frame)
{
    CLEANUP(call_reset) struct call call;
    struct failure failure;
    bool own;

    if (call_parse(&call, frame->bytes, frame->size, &failure) != STATUS_OK) {
        connection_consume(connection, server->buffer, frame);
        drop(server, connection);
        return;
    }
    own = turn_needs_own(&server->turn, &call);
    if (own)
        finish_turn(server);
    connection->serving = true;
    connection->used_at_ms = clock_monotonic_ms();
    turn_serve(&server->turn, &connection->exchange, &call);
    if (!connection_consume(connection, server->buffer, frame))
        connection->closing = true;
    if (own || turn_is_long(&server->turn))
        finish_turn(server);
}

static void serve_connection(struct server *server, struct connection *connection)
{
    struct connection_frame frame;

    if (server->ending || connection->serving || connection->closing || connection->job != NULL ||
        !connection_is_drained(connection))
        return;
    switch (connection_receive(connection, server->buffer, &frame)) {
    case CONNECTION_FRAME:
        serve_frame(server, connection, &frame);
        break;
    case CONNECTION_WAIT:
        settle(server, connection);
        break;
    case CONNECTION_TOO_LARGE:
        refuse_frame(server, connection);
        break;
    case CONNECTION_END:
        drop(server, connection);
        break;
    }
}

/* Hung up with a reply or a job outstanding means that nobody wants it any more. */
static void connection_event(struct server *server, struct connection *connection, uint32_t events)
{
    if (connection->descriptor < 0)
        return;
    if (connection->job == NULL && connection_is_drained(connection))
        serve_connection(server, connection);
    else if (events & (EPOLLHUP | EPOLLERR))
        drop(server, connection);
    else if (events & EPOLLOUT)
        send_output(server, connection);
}

static void serve_ready(struct server *server)
{
    struct connection *connection = TAKE(server->ready);

    while (connection != NULL) {
        struct connection *next = connection->next_ready;

        connection->ready = false;
        if (connection->descriptor >= 0)
            serve_connection(server, connection);
        connection = next;
    }
}

static void run_jobs(struct server *server)
{
    struct connection *next;

    for (struct connection *at = server->connections; at != NULL && server->working > 0; at = next) {
        next = at->next;
        if (at->job == NULL || !connection_is_drained(at))
            continue;
        server->session->used_at_ms = clock_boot_ms();
        if (job_continue(at->job, &at->output)) {
            job_freep(&at->job);
            server->working--;
        }
        note_end(server);
        send_output(server, at);
    }
}

/* ---- time, signals, the end ---- */

static void close_overdue(struct server *server)
{
    uint64_t now = clock_monotonic_ms();
    struct connection *next;

    if (server->next_deadline_ms == 0 || now < server->next_deadline_ms)
        return;
    server->next_deadline_ms = 0;
    for (struct connection *at = server->connections; at != NULL; at = next) {
        next = at->next;
        if (at->deadline_ms != 0 && at->deadline_ms <= now)
            drop(server, at);
        else
            account(server, at);
    }
}

/* The timer may ring too early, for an idle time that was put off meanwhile: then it is set anew. */
static void set_timer(struct server *server)
{
    uint64_t locks_at_ms = session_locks_at(server->session);
    uint64_t verifies_at_ms = session_verifies_at(server->session);
    uint64_t at_ms = locks_at_ms == 0 || (verifies_at_ms != 0 && verifies_at_ms < locks_at_ms)
                         ? verifies_at_ms
                         : locks_at_ms;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000}
    };

    if (at_ms == 0 || (server->timer_at_ms != 0 && server->timer_at_ms <= at_ms))
        return;
    if (timerfd_settime(server->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        server->timer_at_ms = at_ms;
}

static void timer_event(struct server *server)
{
    uint64_t at_ms = session_locks_at(server->session);
    uint64_t rings;

    (void)!read(server->timer, &rings, sizeof(rings));
    server->timer_at_ms = 0;
    if (at_ms != 0 && at_ms <= clock_boot_ms())
        server_lock(server, at_ms == server->session->lifetime_at_ms ? "lifetime" : "idle");
    else
        session_verify(server->session);
}

static void source_event(struct server *server, enum server_source source)
{
    switch (source) {
    case SERVER_LISTENER:
        accept_some(server);
        break;
    case SERVER_WATCH:
        if (listener_is_gone(server->listener))
            server_lock(server, "socket removed");
        break;
    case SERVER_SIGNALS:
        server_lock(server, "signal");
        break;
    case SERVER_TIMER:
        timer_event(server);
        break;
    case SERVER_SOURCES:
        break;
    }
}

/* An agent without a listening socket serves its one connection. One that was started to be unlocked and was
 * not leaves nothing behind. One that systemd starts goes back to its socket. */
static void end_if_useless(struct server *server)
{
    const struct session *session = server->session;
    bool activated = server->listener->socket >= 0 && server->listener->lock < 0;
    uint64_t now = clock_monotonic_ms();

    if (server->first_connection >= 0 && server->first == NULL &&
        (!session_stays(session) || server->listener->socket < 0))
        server->ending = true;
    if (!activated || session_stays(session) || session->connections > 0 ||
        !backlog_is_empty(&session->backlog))
        server->lonely_at_ms = 0;
    else if (server->lonely_at_ms == 0)
        server->lonely_at_ms = now;
    else if (now - server->lonely_at_ms >= LONELY_MS)
        server->ending = true;
}

static bool job_can_run(const struct server *server)
{
    for (const struct connection *at = server->connections; at != NULL && server->working > 0;
         at = at->next) {
        if (at->job != NULL && connection_is_drained(at))
            return true;
    }
    return false;
}

static int wait_ms(const struct server *server)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t until = server->next_deadline_ms;
    uint64_t pin_ms = server->session->pinner.due_ms;

    if (server->ready != NULL || job_can_run(server))
        return 0;
    if (server->lonely_at_ms != 0 && (until == 0 || server->lonely_at_ms + LONELY_MS < until))
        until = server->lonely_at_ms + LONELY_MS;
    if (pin_ms != 0 && (until == 0 || pin_ms < until))
        until = pin_ms;
    if (until == 0)
        return -1;
    return until > now ? (int)(until - now) : 0;
}

static enum status iterate(struct server *server, struct failure *failure)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(server->poll, events, EVENTS_MAX, wait_ms(server));

    if (count < 0 && errno != EINTR)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot wait for clients");
    for (int at = 0; at < count; at++) {
        if (events[at].data.u64 < SERVER_SOURCES)
            source_event(server, (enum server_source)events[at].data.u64);
        else
            connection_event(server, events[at].data.ptr, events[at].events);
    }
    serve_ready(server);
    finish_turn(server);
    run_jobs(server);
    session_pin(server->session);
    close_overdue(server);
    reap(server);
    set_timer(server);
    end_if_useless(server);
    return STATUS_OK;
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
    }
    if (connection_is_drained(connection) || now >= until_ms || poll(&taken, 1, (int)(until_ms - now)) != 1 ||
        !connection_send(connection))
        drop(server, connection);
}

static void flush_outputs(struct server *server)
{
    uint64_t until_ms = clock_monotonic_ms() + END_DEADLINE_MS;

    while (server->connections != NULL)
        flush_output(server, server->connections, until_ms);
    while (server->ready != NULL) {
        server->ready->ready = false;
        server->ready = server->ready->next_ready;
    }
    reap(server);
}

static bool add_source(struct server *server, int descriptor, enum server_source source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = source};

    return descriptor < 0 || epoll_ctl(server->poll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

enum status server_prepare(struct server *server, struct failure *failure)
{
    struct rlimit descriptors = {.rlim_cur = 1024};
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    getrlimit(RLIMIT_NOFILE, &descriptors);
    server->maximum = descriptors.rlim_cur > 2 * DESCRIPTORS_KEPT ? descriptors.rlim_cur - DESCRIPTORS_KEPT
                                                                  : DESCRIPTORS_KEPT;
    if (server->maximum > CONNECTIONS_MAX)
        server->maximum = CONNECTIONS_MAX;
    identifying = server;
    server->poll = epoll_create1(EPOLL_CLOEXEC);
    server->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    server->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->poll < 0 || server->signals < 0 || server->timer < 0 ||
        !add_source(server, server->listener->socket, SERVER_LISTENER) ||
        !add_source(server, server->listener->watch, SERVER_WATCH) ||
        !add_source(server, server->signals, SERVER_SIGNALS) ||
        !add_source(server, server->timer, SERVER_TIMER))
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot start the loop");
    server->buffer = secret_allocate(CONNECTION_RECEIVE);
    if (server->buffer == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory to serve calls");
    return turn_start(&server->turn, server->session, identify, failure);
}

enum status server_run(struct server *server, struct failure *failure)
{
    enum status status = STATUS_OK;

    if (server->first_connection >= 0)
        server->first = adopt(server, server->first_connection);
    end_if_useless(server);
    while (status == STATUS_OK && !server->ending)
        status = iterate(server, failure);
    if (!server->session->ending)
        server_lock(server, "end");
    flush_outputs(server);
    listener_close(server->listener);
    turn_end(&server->turn);
    secret_free(server->buffer);
    cleanup_close(&server->timer);
    cleanup_close(&server->signals);
    cleanup_close(&server->poll);
    return status;
}
