/* One client's connection: frames in, frames out, its bounds in size and time (P7). An idle connection holds
 * no buffer. */
#ifndef STEPVAULT_AGENT_CONNECTION_H
#define STEPVAULT_AGENT_CONNECTION_H

#include "agent/peer.h"
#include "agent/turn.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONNECTION_PARTIAL_MS 10000u /* for the rest of a frame that has begun */
#define CONNECTION_REPLY_MS 30000u   /* for a reply to be taken */
#define CONNECTION_RECEIVE 32768u    /* bytes of one reading */

struct connection {
    struct exchange exchange; /* first, so that one is found from the other */
    struct connection *next;  /* of the server's list */
    struct connection *previous;
    struct connection *next_ready;
    int descriptor;   /* -1: closed, to be freed */
    uint32_t watched; /* epoll events asked for */
    bool serving;     /* its call is in the open turn */
    bool ready;       /* in the ready list: its input may hold a whole frame */
    bool ended;       /* the client sends nothing more */
    bool deaf;        /* what has come waits for the end of its job */
    bool closing;     /* to be closed when its output is out */
    struct peer peer;
    struct secret input; /* bytes before `taken` belong to frames already served */
    size_t taken;
    size_t searched; /* no NUL before this */
    struct secret output;
    size_t sent;
    size_t accounted;     /* of what it holds, in server->held */
    struct job *job;      /* answers until it is done */
    uint64_t deadline_ms; /* clock_monotonic_ms; 0: none */
    uint64_t used_at_ms;
};

enum connection_input {
    CONNECTION_FRAME, /* *ret_frame is a whole frame, without its NUL */
    CONNECTION_WAIT,  /* nothing yet, or only part of a frame */
    CONNECTION_TOO_LARGE,
    CONNECTION_END /* the client has closed, or failed */
};

/* The next frame: from the input, or by one reading through `buffer` (CONNECTION_RECEIVE bytes of secret
 * memory). The frame holds until connection_consume. */
struct connection_frame {
    uint8_t *bytes;
    size_t size;
    size_t
        buffered; /* bytes that lie in the buffer, this frame and what follows it; 0: it lies in the input */
};
enum connection_input connection_receive(struct connection *connection, uint8_t *buffer,
                                         struct connection_frame *ret_frame);

/* Wipes the frame; what follows it in the buffer is kept in the input. False when memory is out. */
bool connection_consume(struct connection *connection, uint8_t *buffer, const struct connection_frame *frame);

/* Keeps the frame in the input instead, to be received again. False when memory is out. */
bool connection_keep(struct connection *connection, uint8_t *buffer, const struct connection_frame *frame);

/* True if the input holds a whole frame. */
bool connection_has_frame(struct connection *connection);

/* Sends what it can. False if the connection has failed. */
bool connection_send(struct connection *connection);
bool connection_is_drained(const struct connection *connection);

/* True if it waits for nothing and owes nothing: it may be closed for another. */
bool connection_is_idle(const struct connection *connection);

/* Bytes it holds back in memory. */
size_t connection_held(const struct connection *connection);

/* Cancels its job, wipes its buffers, closes. The memory stays until connection_free. */
void connection_close(struct connection *connection);
void connection_free(struct connection *connection);

#endif
