/* What a command has for its stdout and stderr instead of ours: a pipe, or a terminal where ours is one, and
 * behind it a pump. One for both where ours are one open file, so that what it prints keeps its order. */
#ifndef STEPVAULT_CODE_OUTLET_H
#define STEPVAULT_CODE_OUTLET_H

#include "code/pump.h"
#include "code/terminal.h"

struct outlet {
    struct pump *pump;
    int sink;   /* 1 or 2 */
    int inner;  /* the command's end, until it has ended if that is a terminal's; -1: closed */
    int master; /* of a terminal that is no session's, for its size; -1 */
    bool terminal;
};

struct outlets {
    struct outlet of[2];
    size_t count;
    int inner[3]; /* what the command's 0, 1 and 2 are; -1: ours */
    int session;  /* the slave of the terminal that is to be the command's own; -1: it stays on ours */
    struct terminal keyboard;
};

/* Nothing that is closed, not open for writing, /dev/null, or a pipe that nobody reads any more gets an
 * outlet: the command finds it as we did. The terminal becomes the command's own where we would read it: 0
 * and 1 are one, and we are in its foreground. Free with outlets_reset, whatever is returned. */
enum status outlets_open(const struct finder *finder, struct failure *failure, struct outlets *ret_outlets);
void outlets_reset(struct outlets *outlets);

/* Closes the command's ends: those of pipes, for the command has them, or all, for it has ended. */
void outlets_close_inner(struct outlets *outlets, bool all);

/* Tells terminals that are no session's how large ours is. True if there are any. */
bool outlets_resize(const struct outlets *outlets);

#endif
