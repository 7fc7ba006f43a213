/* The leader of the session that a command on a terminal of its own is in. A shell would be one: without a
 * parent in its session the command's group were an orphan, which ^Z does not stop. */
#ifndef STEPVAULT_CODE_LEADER_H
#define STEPVAULT_CODE_LEADER_H

#include <stdbool.h>

/* Forks the leader, which forks the command into the foreground of the terminal `slave` and there calls
 * become(context), which sets the signals that are blocked and does not return. All must be blocked. Where
 * the command cannot be forked the leader calls fail(context, errno) instead, and ends. Returns a socket that
 * says each change of the command as waitpid does, or -1; the leader ends, and the terminal's processes are
 * hung up, when nobody has that socket open any more. */
int leader_start(int slave, void (*become)(void *context), void (*fail)(void *context, int number),
                 void *context);

/* Sends the signal to the command, or to its whole group. */
void leader_signal(int socket, int number, bool group);

/* Reads one change without waiting: 1 and the status; 0 where there is none yet; -1 where the leader has
 * gone. */
int leader_read(int socket, int *ret_wait_status);

#endif
