/* The listener on loopback that the browser brings the answer to (RFC 8252, 7.3). It serves one attempt: what
 * is not its answer (oauth/callback.h) gets 404 and ends nothing, nor does what is slow, large or cut, and
 * many connections are served at a time, so that none of them can keep the real one out. With the answer it
 * stops listening; the browser that brought it waits for its page until the tokens are there or are not, so
 * that the page says what happened. */
#ifndef STEPVAULT_OAUTH_LOOPBACK_H
#define STEPVAULT_OAUTH_LOOPBACK_H

#include "base/status.h"
#include "oauth/callback.h"
#include "oauth/page.h"

#include <stdbool.h>
#include <stdint.h>

#define LOOPBACK_REQUEST_MAX 16384  /* bytes of a request's head */
#define LOOPBACK_REQUEST_MS 5000    /* from its connection to the end of its head */
#define LOOPBACK_CLOSE_MS 1000      /* that a browser has to take its page and hang up */
#define LOOPBACK_STRAY_MS 250       /* and any other */
#define LOOPBACK_DRAIN_MAX 4194304  /* bytes behind a head that are taken and forgotten */
#define LOOPBACK_CONNECTIONS_MAX 64 /* at a time; one more drops the oldest without an answer */

struct loopback;

/* Where to listen. `localhost` is both addresses on one port, because browsers differ in which they try;
 * nowhere is for an answer that only a person can bring. */
enum loopback_host { LOOPBACK_IPV4, LOOPBACK_IPV6, LOOPBACK_LOCALHOST, LOOPBACK_NOWHERE };

/* Listens; port 0: one that is free. Never with SO_REUSEADDR. STATUS_IN_USE names the port that somebody else
 * has. The caller owns the result. */
enum status loopback_open(enum loopback_host host, uint16_t port, struct failure *failure,
                          struct loopback **ret_loopback);

/* 0 if it listens nowhere. */
uint16_t loopback_port(const struct loopback *loopback);

enum loopback_event {
    LOOPBACK_ANSWER,  /* ret_callback is no stray; nothing listens any more */
    LOOPBACK_INPUT,   /* `input` can be read, or has ended */
    LOOPBACK_DEADLINE /* of clock_boot_ms */
};

/* Serves until there is something to tell. `input` may be -1. STATUS_FAILED: the system refuses to wait. */
enum status loopback_wait(struct loopback *loopback, const struct callback_rules *rules, int input,
                          uint64_t deadline_ms, struct failure *failure, enum loopback_event *ret_event,
                          struct callback *ret_callback);

/* Listens no more, as after an answer: one came in another way. */
void loopback_stop(struct loopback *loopback);

/* Shows the page to the browser that brought the answer; nothing if none did. */
void loopback_show(struct loopback *loopback, enum page page);

/* Closes. Waits at most LOOPBACK_CLOSE_MS for the browser to have its page. */
void loopback_freep(struct loopback **loopback);

#endif
