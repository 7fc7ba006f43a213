/* What moves the output of a command: reads it, scrubs it, writes it on. It never waits: its owner polls. */
#ifndef STEPVAULT_CODE_PUMP_H
#define STEPVAULT_CODE_PUMP_H

#include "code/stream.h"

#include <poll.h>

#define PUMP_POLLED 2 /* descriptors of each pump */

struct pump;

/* From `source`, which does not block and is the pump's from now on, to `sink`, which stays the caller's and
 * may block: the flags that it shares with other processes are left alone. NULL when memory is out; `source`
 * is then closed. */
struct pump *pump_make(const struct finder *finder, int source, int sink);
void pump_freep(struct pump **pump);

/* All has been written, or can no longer be. */
bool pump_is_done(const struct pump *pump);

/* Something could not be written, and not because nobody reads it. */
bool pump_has_failed(const struct pump *pump);

/* Nothing waits to be written. */
bool pump_is_written(const struct pump *pump);

/* What to poll for, and until when at the latest (clock_monotonic_ms; 0: no matter). */
void pump_poll(const struct pump *pump, struct pollfd ret_polled[PUMP_POLLED], uint64_t *ret_deadline);

/* Moves what can be moved. False where there was nothing. */
bool pump_move(struct pump *pump, const struct pollfd polled[PUMP_POLLED]);

/* The pump is to go on in a child that is forked now; and in that child: closes none of its descriptors and
 * locks its memory. */
bool pump_keep_in_child(const struct pump *pump);
void pump_kept(const struct pump *pump);

/* The descriptors that it uses. */
void pump_descriptors(const struct pump *pump, int ret_descriptors[2]);

#endif
