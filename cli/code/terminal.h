/* The terminal that we stand in front of, and the one that the command has instead of it. */
#ifndef STEPVAULT_CODE_TERMINAL_H
#define STEPVAULT_CODE_TERMINAL_H

#include "base/status.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#define TERMINAL_POLLED 2

struct terminal {
    int outer;  /* the keyboard; borrowed */
    int master; /* what is typed goes there; -1: nowhere any more */
    bool raw;   /* ours are the modes of the outer one */
    struct termios modes;
    uint8_t typed[512];
    size_t typed_size;
};

/* A terminal of `outer`'s size and modes. What is written to it comes out as it was written, unless it is to
 * be a session's own (`whole`). Both are close-on-exec; the master does not block. */
enum status terminal_open(int outer, bool whole, struct failure *failure, int *ret_master, int *ret_slave);

/* Our process group is the one that may read from the terminal, or it is not our session's. */
bool terminal_is_foreground(int outer);

/* Makes `master` as large as `outer` is. */
void terminal_resize(int outer, int master);

/* Lets each key through to the command's terminal, if we are in the foreground. */
void terminal_take(struct terminal *terminal);

/* Gives it back as it was before. */
void terminal_give_back(struct terminal *terminal);

/* The same for good: what still comes out of the command's terminal is made ready by the outer one alone. */
void terminal_leave(struct terminal *terminal);

void terminal_poll(const struct terminal *terminal, struct pollfd ret_polled[TERMINAL_POLLED]);
void terminal_move(struct terminal *terminal, const struct pollfd polled[TERMINAL_POLLED]);

#endif
