/* The lines that come in on a descriptor, each taken as soon as it is whole. */
#ifndef STEPVAULT_OAUTH_INPUT_H
#define STEPVAULT_OAUTH_INPUT_H

#include "base/secret.h"

#include <stdbool.h>

#define INPUT_LINE_MAX (256 * 1024) /* bytes of a line, without its end */

/* All zero but for the descriptor is the valid empty value. */
struct input {
    int descriptor;
    bool ended; /* nothing more comes: its end, an error, or a line that is too long */
    struct secret pending;
};

/* Reads once what is there: it waits, unless poll() said that something is. False from when nothing more
 * comes; whole lines may still be taken then. */
bool input_read(struct input *input);

/* Takes the next whole line, without its end, into `line`. False if there is none yet. */
bool input_take_line(struct input *input, struct secret *line);

/* Waits for a line and takes it. False if none comes. */
bool input_wait_line(struct input *input, struct secret *line);

void input_reset(struct input *input);

#endif
