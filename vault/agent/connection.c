/* Framing, buffering and sending of one connection. */
#include "agent/connection.h"

#include "agent/connecting.h"
#include "agent/job.h"
#include "agent/parking.h"
#include "agent/restoring.h"
#include "agent/stage.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static size_t input_left(const struct connection *connection)
{
    return connection->input.size - connection->taken;
}

/* Finds the end of the first frame in the input; its size without the NUL. */
static bool input_frame(struct connection *connection, size_t *ret_size)
{
    const uint8_t *start = connection->input.bytes + connection->taken;
    const uint8_t *end;
    size_t left = input_left(connection);

    if (left == connection->searched)
        return false;
    end = memchr(start + connection->searched, '\0', left - connection->searched);
    connection->searched = end == NULL ? left : (size_t)(end - start);
    if (end == NULL)
        return false;
    *ret_size = (size_t)(end - start);
    return true;
}

bool connection_has_frame(struct connection *connection)
{
    size_t size;

    return input_frame(connection, &size);
}

static enum connection_input input_take(struct connection *connection, struct connection_frame *ret_frame)
{
    size_t size;

    if (!input_frame(connection, &size))
        return input_left(connection) < CALL_REQUEST_MAX ? CONNECTION_WAIT : CONNECTION_TOO_LARGE;
    if (size >= CALL_REQUEST_MAX)
        return CONNECTION_TOO_LARGE;
    *ret_frame =
        (struct connection_frame){.bytes = connection->input.bytes + connection->taken, .size = size};
    return CONNECTION_FRAME;
}

/* The deadline runs from the first byte of a frame, and is not put off by the next. */
static enum connection_input input_wait(struct connection *connection)
{
    if (input_left(connection) > 0 && connection->deadline_ms == 0)
        connection->deadline_ms = clock_monotonic_ms() + CONNECTION_PARTIAL_MS;
    return connection->ended ? CONNECTION_END : CONNECTION_WAIT;
}

/* Appends; what was served already gives way first, so that a client who never pauses cannot make the input
 * grow. */
static bool input_keep(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct secret *input = &connection->input;
    size_t left = input_left(connection);

    if (left == 0) {
        secret_reset(input);
    } else if (connection->taken > 0) {
        memmove(input->bytes, input->bytes + connection->taken, left);
        secret_wipe(input->bytes + left, input->size - left);
        input->size = left;
    }
    connection->searched = left == 0 ? 0 : connection->searched;
    connection->taken = 0;
    return size == 0 || secret_append(input, bytes, size);
}

static enum connection_input buffer_take(struct connection *connection, uint8_t *buffer, size_t size,
                                         struct connection_frame *ret_frame)
{
    const uint8_t *end = memchr(buffer, '\0', size);
    bool kept;

    if (end != NULL && input_left(connection) == 0) {
        *ret_frame =
            (struct connection_frame){.bytes = buffer, .size = (size_t)(end - buffer), .buffered = size};
        return CONNECTION_FRAME;
    }
    kept = input_keep(connection, buffer, size);
    secret_wipe(buffer, size);
    if (!kept)
        return CONNECTION_END;
    return input_take(connection, ret_frame);
}

enum connection_input connection_receive(struct connection *connection, uint8_t *buffer,
                                         struct connection_frame *ret_frame)
{
    enum connection_input found = input_take(connection, ret_frame);
    ssize_t size;

    if (found != CONNECTION_WAIT)
        return found;
    if (connection->ended)
        return CONNECTION_END;
    size = recv(connection->descriptor, buffer, CONNECTION_RECEIVE, MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? input_wait(connection)
                                                                         : CONNECTION_END;
    if (size == 0) {
        connection->ended = true;
        return CONNECTION_END;
    }
    found = buffer_take(connection, buffer, (size_t)size, ret_frame);
    return found == CONNECTION_WAIT ? input_wait(connection) : found;
}

bool connection_consume(struct connection *connection, uint8_t *buffer, const struct connection_frame *frame)
{
    bool kept = true;

    connection->deadline_ms = 0;
    if (frame->buffered > 0) {
        if (frame->buffered > frame->size + 1)
            kept = input_keep(connection, buffer + frame->size + 1, frame->buffered - frame->size - 1);
        secret_wipe(buffer, frame->buffered);
        return kept;
    }
    secret_wipe(connection->input.bytes + connection->taken, frame->size);
    connection->taken += frame->size + 1;
    connection->searched = 0;
    if (input_left(connection) == 0)
        kept = input_keep(connection, NULL, 0);
    return kept;
}

bool connection_keep(struct connection *connection, uint8_t *buffer, const struct connection_frame *frame)
{
    bool kept = true;

    connection->deadline_ms = 0;
    if (frame->buffered > 0) {
        kept = input_keep(connection, buffer, frame->buffered);
        secret_wipe(buffer, frame->buffered);
    }
    return kept;
}

bool connection_is_drained(const struct connection *connection)
{
    return connection->sent == connection->output.size;
}

/* Whoever stages, or was given tokens, holds memory, and perhaps a locked vault open, until the next call.
 * That one may take its time. */
static uint64_t idle_deadline(const struct exchange *exchange)
{
    if (exchange->parking != NULL)
        return 0;
    if (exchange->stage != NULL)
        return clock_monotonic_ms() + STAGE_IDLE_MS;
    if (exchange->restoring != NULL)
        return clock_monotonic_ms() + RESTORING_IDLE_MS;
    return exchange->connected != NULL ? clock_monotonic_ms() + CONNECTED_IDLE_MS : 0;
}

bool connection_send(struct connection *connection)
{
    while (!connection_is_drained(connection)) {
        ssize_t sent = send(connection->descriptor, connection->output.bytes + connection->sent,
                            connection->output.size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (connection->deadline_ms == 0)
                connection->deadline_ms = clock_monotonic_ms() + CONNECTION_REPLY_MS;
            return true;
        }
        if (sent < 0)
            return false;
        connection->sent += (size_t)sent;
    }
    connection->deadline_ms = idle_deadline(&connection->exchange);
    connection->sent = 0;
    secret_reset(&connection->output);
    return true;
}

bool connection_is_idle(const struct connection *connection)
{
    return !connection->serving && !connection->ready && connection->job == NULL &&
           connection->exchange.stage == NULL && connection->exchange.restoring == NULL &&
           connection->exchange.parking == NULL && connection->exchange.connected == NULL &&
           connection_is_drained(connection) && input_left(connection) == 0;
}

size_t connection_held(const struct connection *connection)
{
    return connection->input.capacity + connection->output.capacity;
}

void connection_close(struct connection *connection)
{
    job_freep(&connection->job);
    stage_freep(&connection->exchange.stage);
    restoring_freep(&connection->exchange.restoring);
    parking_freep(&connection->exchange.parking);
    connected_freep(&connection->exchange.connected);
    secret_reset(&connection->input);
    secret_reset(&connection->output);
    cleanup_close(&connection->descriptor);
}

void connection_free(struct connection *connection)
{
    free(connection);
}
