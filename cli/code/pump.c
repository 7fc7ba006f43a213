/* Reading stops while something waits to be written, so that a slow reader slows the command and not us. */
#include "code/pump.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/status.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)64 * 1024)
#define IDLE_MS 25      /* how long a terminal waits for what may be the beginning of a value */
#define RELEASED_MAX 3u /* bytes of it that it shows then */

struct pump {
    struct stream *stream;
    int source; /* -1: it has ended */
    int sink;
    int reopened; /* the sink again, not blocking; -1 where that cannot be */
    bool is_file; /* which never blocks */
    bool failed;
    bool is_terminal; /* where somebody waits for a prompt */
    const uint8_t *ready;
    size_t ready_size;
    uint64_t release_at; /* 0: nothing is to be released */
};

/* An open file of its own for the sink: O_NONBLOCK on the one we have would be everybody's who shares it. */
static int sink_reopen(int sink, const struct stat *facts)
{
    char path[40];

    if (!S_ISFIFO(facts->st_mode) && !S_ISCHR(facts->st_mode))
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", sink);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

struct pump *pump_make(const struct finder *finder, int source, int sink)
{
    CLEANUP(cleanup_close) int owned = source;
    struct pump *pump = secret_allocate(sizeof(*pump));
    struct stat facts;

    if (pump == NULL)
        return NULL;
    pump->source = -1;
    pump->reopened = -1;
    pump->sink = sink;
    pump->stream = stream_make(finder, PIECE);
    if (pump->stream == NULL || fstat(sink, &facts) != 0) {
        pump_freep(&pump);
        return NULL;
    }
    pump->is_file = S_ISREG(facts.st_mode);
    pump->is_terminal = isatty(sink);
    pump->reopened = sink_reopen(sink, &facts);
    pump->source = cleanup_take_descriptor(&owned);
    return pump;
}

void pump_freep(struct pump **pump)
{
    if (*pump != NULL) {
        stream_freep(&(*pump)->stream);
        cleanup_close(&(*pump)->source);
        cleanup_close(&(*pump)->reopened);
    }
    secret_free(*pump);
    *pump = NULL;
}

bool pump_is_done(const struct pump *pump)
{
    return pump->source < 0 && pump->ready_size == 0;
}

bool pump_has_failed(const struct pump *pump)
{
    return pump->failed;
}

bool pump_is_written(const struct pump *pump)
{
    return pump->ready_size == 0;
}

void pump_poll(const struct pump *pump, struct pollfd ret_polled[PUMP_POLLED], uint64_t *ret_deadline)
{
    const bool waits = pump->ready_size > 0;
    const int sink = pump->reopened >= 0 ? pump->reopened : pump->sink;

    ret_polled[0] = (struct pollfd){.fd = waits ? -1 : pump->source, .events = POLLIN};
    /* Without events: a reader that goes away is known at once, as the command would know it. */
    ret_polled[1] = (struct pollfd){.fd = pump_is_done(pump) ? -1 : sink, .events = waits ? POLLOUT : 0};
    *ret_deadline = waits ? 0 : pump->release_at;
}

/* Nobody reads any more: the command is told so by its next write. */
static void pump_break(struct pump *pump)
{
    cleanup_close(&pump->source);
    pump->ready_size = 0;
    pump->release_at = 0;
}

/* A terminal that was hung up gives the error that a disk gives which is broken. */
static bool means_nobody_reads(const struct pump *pump, int error)
{
    return error == EPIPE || error == ENXIO || (error == EIO && pump->is_terminal);
}

static void write_failed(struct pump *pump, int error)
{
    struct failure failure;

    if (!means_nobody_reads(pump, error)) {
        failure_set_errno(&failure, STATUS_FAILED, error, "what the command prints cannot be written");
        report_failure(&failure, NULL);
        pump->failed = true;
    }
    pump_break(pump);
}

/* A blocking sink takes this much without waiting once poll() has said that it is ready. */
static size_t write_size(const struct pump *pump)
{
    const bool any = pump->reopened >= 0 || pump->is_file;

    return any || pump->ready_size < PIPE_BUF ? pump->ready_size : PIPE_BUF;
}

static bool pump_write(struct pump *pump)
{
    const int sink = pump->reopened >= 0 ? pump->reopened : pump->sink;
    const ssize_t size = write(sink, pump->ready, write_size(pump));

    if (size > 0) {
        pump->ready += size;
        pump->ready_size -= (size_t)size;
        return true;
    }
    if (errno != EAGAIN && errno != EINTR)
        write_failed(pump, errno);
    return false;
}

/* Whole, where that needs no waiting and no asking. */
static void pump_write_on(struct pump *pump)
{
    while (pump->ready_size > 0 && (pump->reopened >= 0 || pump->is_file) && pump_write(pump))
        ;
}

static bool pump_read(struct pump *pump)
{
    const ssize_t size = read(pump->source, stream_room(pump->stream), PIECE);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size > 0) {
        pump->ready_size = stream_feed(pump->stream, (size_t)size, &pump->ready);
    } else {
        /* Where no process has the terminal open any more, reading it is an error. */
        cleanup_close(&pump->source);
        pump->ready_size = stream_release(pump->stream, &pump->ready);
    }
    pump->release_at = pump->is_terminal && pump->source >= 0 && stream_held(pump->stream) > 0 &&
                               stream_depth(pump->stream) <= RELEASED_MAX
                           ? clock_monotonic_ms() + IDLE_MS
                           : 0;
    return true;
}

bool pump_move(struct pump *pump, const struct pollfd polled[PUMP_POLLED])
{
    bool moved = false;

    if ((polled[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        pump_break(pump);
        return true;
    }
    if (pump->ready_size > 0 && (polled[1].revents & POLLOUT) != 0)
        moved = pump_write(pump);
    if (pump->ready_size == 0 && pump->source >= 0 && (polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        moved = pump_read(pump) || moved;
    if (pump->ready_size == 0 && pump->release_at != 0 && clock_monotonic_ms() >= pump->release_at) {
        pump->ready_size = stream_release(pump->stream, &pump->ready);
        pump->release_at = 0;
    }
    pump_write_on(pump);
    return moved;
}

bool pump_keep_in_child(const struct pump *pump)
{
    return secret_keep_in_child(pump) && stream_keep_in_child(pump->stream);
}

void pump_kept(const struct pump *pump)
{
    secret_kept(pump);
    stream_kept(pump->stream);
}

void pump_descriptors(const struct pump *pump, int ret_descriptors[2])
{
    ret_descriptors[0] = pump->source;
    ret_descriptors[1] = pump->reopened >= 0 ? pump->reopened : pump->sink;
}
