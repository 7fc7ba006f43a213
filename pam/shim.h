/* The parts of pam_stepvault.so. It lives in somebody else's process, with threads, privileges and signals
 * that are none of its business: nothing global, nothing left open, no disposition touched, no environment
 * read. */
#ifndef STEPVAULT_PAM_SHIM_H
#define STEPVAULT_PAM_SHIM_H

#include "message.h"
#include "turns.h"

#include <pwd.h>
#include <security/pam_modules.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory for secrets: locked where the process may, not in core files, zero in a forked child, wiped when
 * freed. NULL when there is none. */
void *shim_memory_allocate(size_t size);
void shim_memory_free(void *memory, size_t size);

#define SHIM_DEADLINE_MS 2000
#define SHIM_DEADLINE_MAX_MS 60000

struct shim_options {
    const char *step;
    unsigned deadline_ms; /* of all calls from an authentication on */
    bool debug;
};

/* Reads the module's arguments. False, with a line in the journal, where one is not known: the module then
 * does nothing, because what was meant is not known either. */
bool shim_options_read(pam_handle_t *pamh, int argc, const char **argv, struct shim_options *ret_options);

/* The password between auth and session, bound to user and process. */
void shim_stash_put(pam_handle_t *pamh, uid_t uid, const char *password);
/* NULL where there is none, or it is of another user or process. Borrowed. */
const char *shim_stash_get(pam_handle_t *pamh, uid_t uid);
void shim_stash_drop(pam_handle_t *pamh);

/* What the environment of a session still takes. */
struct shim_room {
    unsigned count;
    size_t size;
};
struct shim_room shim_room_find(pam_handle_t *pamh);
/* False where the entry does not fit. */
bool shim_room_take(struct shim_room *room, const char *entry);

/* A descriptor of root's folder, of which nobody else has anything; -1 where there is none, or none can be
 * made. */
#define SHIM_FOLDER "/run/stepvault-pam"
int shim_folder_open(bool makes);

/* True in the process in which sshd asks by keyboard-interactive, which opens no session. */
bool shim_bridge_is_needed(const char *service);
/* The same of what /proc/PID/cmdline has of a process of sshd's. */
bool shim_title_asks(const char *title, size_t size);
/* Hands the keys to the process that opens it. False where that cannot be. */
bool shim_bridge_put(pam_handle_t *pamh, uid_t uid, const uint8_t *keys, size_t size);
/* Takes the text that crosses apart: the name of a file, and as many random bytes as it has. Returns their
 * number; 0 where it is no such text. */
#define SHIM_BRIDGE_DIGITS 16u
size_t shim_bridge_read(const char *text, char name[SHIM_BRIDGE_DIGITS + 1],
                        uint8_t random[MESSAGE_TEXT_MAX]);
/* Takes what was handed over for this user, once, in MESSAGE_TEXT_MAX bytes; with NULL only what PAM's
 * environment has of it is taken away. Returns its size; 0 where there is nothing. */
size_t shim_bridge_take(pam_handle_t *pamh, uid_t uid, uint8_t *keys);

/* How much of the deadline is left to this login, of which calls have spent some. */
unsigned shim_time_left(pam_handle_t *pamh, unsigned deadline_ms);
void shim_time_spend(pam_handle_t *pamh, uint64_t ms);
void shim_time_reset(pam_handle_t *pamh);
/* Over the bridge. */
void shim_time_hand_over(pam_handle_t *pamh);
void shim_time_take_over(pam_handle_t *pamh);

/* Monotonic milliseconds. */
uint64_t shim_clock_ms(void);

#define SHIM_PROGRAM STEPVAULT_LIBEXEC "/stepvault-login"

/* A helper that runs as `user`. */
struct shim_child {
    int socket;  /* to it; close-on-exec */
    int alive;   /* at its end when the child has ended and can be reaped */
    int process; /* the child between */
    uid_t uid;
    uint64_t deadline; /* shim_clock_ms */
};

/* True of a caller that can have one: root, or who is the user altogether. */
bool shim_child_is_possible(const struct passwd *user);

/* Starts it. It is killed at the deadline, with its process group. False with errno set, and nothing left. */
bool shim_child_start(const struct passwd *user, unsigned deadline_ms, struct shim_child *ret_child);

/* Waits for its end, at most a moment longer than the deadline, and reaps it. */
void shim_child_end(struct shim_child *child);

/* A turn at deriving, among all users of the machine. */
struct shim_turn {
    struct turn turn;
    int file; /* -1: none is kept */
};

/* Waits for it. False where it does not come with TURNS_MS left before the deadline, or something comes on
 * the socket before; true also where there are no turns to be had, as for callers that are not root. It ends
 * with shim_turn_end, whatever this returned. */
bool shim_turn_wait(struct shim_turn *turn, uid_t uid, int socket, uint64_t deadline);
void shim_turn_end(struct shim_turn *turn);

/* Sends the job and waits for the answer, in `buffer` of MESSAGE_ANSWER_MAX bytes, which it borrows. False
 * where there is none before the deadline; `ret_late` then says whether that was the reason. */
bool shim_exchange(const struct shim_child *child, const struct message_job *job, uint8_t *buffer,
                   struct message_answer *ret_answer, bool *ret_late);

#endif
