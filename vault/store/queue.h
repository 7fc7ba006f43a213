/* The queue of the processes that wait for a vault. SQLite's own lock can only be tried, and each try opens
 * the file and reads its schema: fifty that try by turns leave no time to the one that has it. So a lock on a
 * byte far behind the file's end is taken first, and only its holder tries SQLite's.
 *
 * It keeps nobody out who does not ask for it, and protects nothing: that is SQLite's lock. */
#ifndef STEPVAULT_STORE_QUEUE_H
#define STEPVAULT_STORE_QUEUE_H

#include "base/status.h"

#define QUEUE_NONE (-1)

/* How long a vault must be seen to be held by a process that stays before waiting for it is given up. */
#define QUEUE_STAYS_MS 1000u

/* Waits at most `wait_ms` for the head of the queue; STATUS_BUSY then, and earlier if the holder stays.
 * `*ret_place` is QUEUE_NONE on a file system without such locks. A place opens the file, so it is to be
 * taken before SQLite does and left after: closing any descriptor of a file drops this process's POSIX locks
 * on it. */
enum status queue_enter(const char *path, unsigned wait_ms, struct failure *failure, int *ret_place);

/* The holder will keep the vault open for as long as it runs: whoever waits had better ask it. */
void queue_stay(int place);

/* Leaves, and sets QUEUE_NONE; QUEUE_NONE does nothing. */
void queue_leave(int *place);

#endif
