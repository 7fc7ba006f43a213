/* The loop. One iteration is one turn: whatever is readable is served, committed once, and answered. */
#include "agent/server.h"

#include "agent/connecting.h"
#include "agent/connection.h"
#include "agent/crowd.h"
#include "agent/job.h"
#include "agent/renewal.h"
#include "agent/task.h"
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
#define CONNECTIONS_MAX 4096u
#define DESCRIPTORS_KEPT 64u /* for what is no connection: files, sockets, helpers */
#define LONELY_MS 30000u     /* before a socket-activated agent with nothing to hold ends */

static void finish_turn(struct server *server);

/* What was served before is committed and answered first: locking drops an open turn. */
static void lock_now(struct server *server, const char *cause)
{
    finish_turn(server);
    session_lock(server->session, &server->session->self, cause);
    server->ending = true;
}

/* A token that is being renewed is waited for, by whoever locks the vault: what the provider gives in its
 * place would be lost. */
static void server_lock(struct server *server, const char *cause)
{
    if (server->session->draining)
        return;
    server->cause = cause;
    if (session_is_busy(server->session))
        session_drain(server->session);
    else
        lock_now(server, cause);
}

/* The second signal does not wait. */
static void signal_event(struct server *server)
{
    struct signalfd_siginfo signal;

    (void)!read(server->signals, &signal, sizeof(signal));
    if (server->signalled)
        lock_now(server, "signal");
    else
        server_lock(server, "signal");
    server->signalled = true;
}

/* Calls that were there before are answered first, and those of Lock last; without one the agent locks by
 * itself. */
static void continue_draining(struct server *server)
{
    const struct session *session = server->session;

    if (session->draining && !server->ending && !session_is_busy(session) && !crowd_is_waiting(server) &&
        !crowd_wake_last(server))
        lock_now(server, server->cause);
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
        if (connection->exchange.job != NULL) {
            connection->job = TAKE(connection->exchange.job);
            server->working++;
        }
        crowd_send(server, connection);
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
    crowd_send(server, connection);
}

static void serve_frame(struct server *server, struct connection *connection,
                        const struct connection_frame *frame)
{
    CLEANUP(call_reset) struct call call;
    struct failure failure;
    bool own;
    bool kept;

    if (call_parse(&call, frame->bytes, frame->size, &failure) != STATUS_OK) {
        connection_consume(connection, server->buffer, frame);
        crowd_drop(server, connection);
        return;
    }
    own = turn_needs_own(&server->turn, &call);
    if (own)
        finish_turn(server);
    connection->serving = true;
    connection->used_at_ms = clock_monotonic_ms();
    turn_serve(&server->turn, &connection->exchange, &call);
    kept = connection->exchange.parking != NULL ? connection_keep(connection, server->buffer, frame)
                                                : connection_consume(connection, server->buffer, frame);
    if (!kept) {
        parking_end(&connection->exchange.parking);
        connection->closing = true;
    }
    if (own || turn_is_long(&server->turn))
        finish_turn(server);
}

static void serve_connection(struct server *server, struct connection *connection)
{
    struct connection_frame frame;

    const struct parking *parking = connection->exchange.parking;

    /* Of those that waited for the end only the first ends anything. */
    if ((server->ending && parking == NULL) || connection->serving || connection->closing ||
        connection->job != NULL || !connection_is_drained(connection) ||
        (parking != NULL && !parking_is_over(parking, clock_monotonic_ms())))
        return;
    switch (connection_receive(connection, server->buffer, &frame)) {
    case CONNECTION_FRAME:
        serve_frame(server, connection, &frame);
        break;
    case CONNECTION_WAIT:
        crowd_settle(server, connection);
        break;
    case CONNECTION_TOO_LARGE:
        refuse_frame(server, connection);
        break;
    case CONNECTION_END:
        crowd_drop(server, connection);
        break;
    }
}

static bool is_answer(const struct call *call)
{
    return call->oneway && strcmp(call->method, CALL_INTERFACE ".AnswerConnect") == 0 &&
           json_member_text(call->parameters, "attempt") != NULL &&
           json_member_text(call->parameters, "url") != NULL;
}

/* Calls of one connection are answered in order, so whoever has only that of Connect, as the command of an
 * agent of its own, says there without wanting a reply what was pasted. Whatever else comes waits. */
static void hear(struct server *server, struct connection *connection)
{
    CLEANUP(call_reset) struct call call = {0};
    struct connection_frame frame;
    struct failure ignored;
    enum connection_input input = connection_receive(connection, server->buffer, &frame);

    if (input == CONNECTION_FRAME && call_parse(&call, frame.bytes, frame.size, &ignored) == STATUS_OK &&
        is_answer(&call)) {
        (void)connecting_answer(server->session, json_member_text(call.parameters, "attempt"),
                                json_member_text(call.parameters, "url"), &ignored);
        connection->closing = !connection_consume(connection, server->buffer, &frame);
    } else {
        connection->deaf = input != CONNECTION_WAIT;
        connection->closing =
            input == CONNECTION_FRAME && !connection_keep(connection, server->buffer, &frame);
    }
    crowd_settle(server, connection);
}

/* Hung up with a reply or a job outstanding, or parked, means that nobody wants it any more. */
static void connection_event(struct server *server, struct connection *connection, uint32_t events)
{
    if (connection->descriptor < 0)
        return;
    if (connection->job == NULL && connection->exchange.parking == NULL && connection_is_drained(connection))
        serve_connection(server, connection);
    else if (events & (EPOLLHUP | EPOLLERR))
        crowd_drop(server, connection);
    else if (events & EPOLLOUT)
        crowd_send(server, connection);
    else if ((events & EPOLLIN) && connection->job != NULL && connection_is_drained(connection))
        hear(server, connection);
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
        if (at->job == NULL || !connection_is_drained(at) || job_waits(at->job))
            continue;
        server->session->used_at_ms = clock_boot_ms();
        if (job_continue(at->job, &at->output)) {
            job_freep(&at->job);
            at->deaf = false;
            server->working--;
        }
        if (at->exchange.oneway)
            secret_clear(&at->output);
        note_end(server);
        crowd_send(server, at);
    }
}

/* ---- time, signals, the end ---- */

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

    if (at_ms == 0 || server->session->draining || (server->timer_at_ms != 0 && server->timer_at_ms <= at_ms))
        return;
    if (timerfd_settime(server->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        server->timer_at_ms = at_ms;
}

static void timer_event(struct server *server)
{
    struct session *session = server->session;
    uint64_t now_ms = clock_boot_ms();
    uint64_t at_ms;
    uint64_t rings;

    (void)!read(server->timer, &rings, sizeof(rings));
    server->timer_at_ms = 0;
    /* Whoever waits uses the vault; an answer that cannot be stored waits no longer than Lock does for it. */
    if (session_is_busy(session) || crowd_is_waiting(server) || session->connectings != NULL ||
        session->requests > 0)
        session->used_at_ms = now_ms;
    at_ms = session_locks_at(session);
    if (at_ms != 0 && at_ms <= now_ms)
        server_lock(server, at_ms == session->lifetime_at_ms ? "lifetime" : "idle");
    else
        session_verify(session);
}

static void source_event(struct server *server, enum server_source source)
{
    switch (source) {
    case SERVER_LISTENER:
        crowd_accept(server);
        break;
    case SERVER_WATCH:
        if (listener_is_gone(server->listener))
            server_lock(server, "socket removed");
        break;
    case SERVER_SIGNALS:
        signal_event(server);
        break;
    case SERVER_TIMER:
        timer_event(server);
        break;
    case SERVER_TASKS: /* each iteration serves them */
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

    if (session_is_busy(session))
        return;
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
        if (at->job != NULL && connection_is_drained(at) && !job_waits(at->job))
            return true;
    }
    return false;
}

static void sooner(uint64_t *until_ms, uint64_t at_ms)
{
    if (at_ms != 0 && (*until_ms == 0 || at_ms < *until_ms))
        *until_ms = at_ms;
}

static int wait_ms(const struct server *server)
{
    const struct session *session = server->session;
    uint64_t now = clock_monotonic_ms();
    uint64_t until = server->next_deadline_ms;

    if (server->ready != NULL || job_can_run(server))
        return 0;
    sooner(&until, server->lonely_at_ms != 0 ? server->lonely_at_ms + LONELY_MS : 0);
    sooner(&until, session->pinner.due_ms);
    sooner(&until, tasks_deadline(session->tasks));
    if (session->renewals != NULL) {
        sooner(&until, renewals_due(session));
        sooner(&until, crowd_wakes_at(server));
    }
    if (until == 0)
        return -1;
    return until > now ? (int)(until - now) : 0;
}

static void renew(struct server *server)
{
    uint64_t wakes_at_ms = server->session->renewals != NULL ? crowd_wakes_at(server) : 0;

    renewals_work(server->session);
    if (server->session->woken || (wakes_at_ms != 0 && wakes_at_ms <= clock_monotonic_ms()))
        crowd_wake(server);
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
    tasks_serve(server->session->tasks);
    serve_ready(server);
    finish_turn(server);
    run_jobs(server);
    renew(server);
    session_pin(server->session);
    crowd_close_overdue(server);
    crowd_reap(server);
    set_timer(server);
    continue_draining(server);
    end_if_useless(server);
    return STATUS_OK;
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
        !add_source(server, server->timer, SERVER_TIMER) ||
        !add_source(server, server->session->tasks->poll, SERVER_TASKS))
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
        server->first = crowd_adopt(server, server->first_connection);
    end_if_useless(server);
    while (status == STATUS_OK && !server->ending)
        status = iterate(server, failure);
    if (!server->session->ending)
        lock_now(server, "end");
    crowd_flush(server);
    listener_close(server->listener);
    turn_end(&server->turn);
    renewals_work(server->session);
    tasks_end(server->session->tasks);
    secret_free(server->buffer);
    cleanup_close(&server->timer);
    cleanup_close(&server->signals);
    cleanup_close(&server->poll);
    return status;
}
