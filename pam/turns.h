/* Who may derive a key now. Each derivation takes 64 MiB and all processors, so those of many users at once
 * would all come too late. A turn ends by itself, and who waits has to say so again and again: whoever hangs
 * or lies keeps nobody out. The caller has the table to itself meanwhile. libc only. */
#ifndef STEPVAULT_PAM_TURNS_H
#define STEPVAULT_PAM_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURNS_MS 400        /* of a turn at most: what a login slot is calibrated to */
#define TURNS_WAITER_MS 150 /* who was not seen for so long waits no more */
#define TURNS_PLACES 64u
#define TURNS_PROCESSORS 4u /* of one derivation: its lanes */

/* One who waits or has a turn. All zero: nobody. */
struct turns_place {
    uint64_t came;  /* monotonic milliseconds */
    uint64_t seen;  /* of one who waits, last */
    uint64_t until; /* of one who has a turn; 0: waits */
    uint64_t uid;
};

/* One who wants a turn. */
struct turn {
    uint64_t came;
    uint64_t uid;
    int place; /* in the table; -1: none */
};

/* True when the turn begins now. `count` may have theirs at a time, whoever came first before others, and one
 * of a user. Changes the turn's own place alone, to which `turn->place` leads then. */
bool turns_try(struct turn *turn, struct turns_place places[TURNS_PLACES], unsigned count, uint64_t now);

/* True if the place is still the turn's own, to be emptied when it ends. */
bool turns_has_place(const struct turn *turn, const struct turns_place places[TURNS_PLACES]);

#endif
