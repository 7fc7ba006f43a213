/* The agent's listening socket: made and guarded by itself, or handed over by systemd. */
#ifndef STEPVAULT_AGENT_LISTENER_H
#define STEPVAULT_AGENT_LISTENER_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

struct listener {
    int socket; /* -1: none */
    int lock;   /* PATH.lock, held for life; -1 for a socket of systemd */
    int watch;  /* inotify on the socket's folder */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    dev_t device;
    ino_t inode;
};
#define LISTENER_NONE ((struct listener){.socket = -1, .lock = -1, .watch = -1})

/* Listens at `path`: its folder is made (0700) and must be ours alone; a dead socket there is replaced.
 * STATUS_BUSY if another agent serves it, STATUS_FOREIGN if something else is there or the folder is not to
 * be trusted. */
enum status listener_open(const char *path, struct failure *failure, struct listener *ret_listener);

/* Takes what systemd hands over (LISTEN_PID, LISTEN_FDS): a listening Unix socket, or one connection, which
 * goes to *ret_connection (else left alone). STATUS_NOT_FOUND where nothing is handed over. */
enum status listener_inherit(struct failure *failure, struct listener *ret_listener, int *ret_connection);

/* To be called when `watch` is readable: true if the socket's file is not ours any more. */
bool listener_is_gone(struct listener *listener);

/* Stops listening; removes a socket that we made, if it is still ours, and only then lets the lock go, so
 * that the next agent finds the place free. A socket of systemd is left as it is. */
void listener_close(struct listener *listener);

#endif
