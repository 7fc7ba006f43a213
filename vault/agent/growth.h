/* A checkpoint that somebody kept, which the log must have grown from (VerifyLog's `against`). */
#ifndef STEPVAULT_AGENT_GROWTH_H
#define STEPVAULT_AGENT_GROWTH_H

#include "base/status.h"
#include "crypto/note.h"
#include "log.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

struct growth {
    struct note_checkpoint checkpoint; /* the kept one */
    size_t era;                        /* whose key signed it */
};

/* Reads a kept note. STATUS_INVALID if it is none, or its signature is false; STATUS_NOT_FOUND if it is of
 * another log, or no key of this one signed it; STATUS_FAILED if this log never was of its size. */
enum status growth_read(const struct vault *vault, const char *note, struct failure *failure,
                        struct growth *ret_growth);

/* Writes the member `against`: what the note said, and the proof that the first `total` leaves go on from it.
 */
enum status growth_write(const struct vault *vault, const struct growth *growth, uint64_t total,
                         struct failure *failure, struct json_writer *writer);

#endif
