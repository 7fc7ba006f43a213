/* What the agent does for the pin of its vault (pin.h): the check when the vault is opened, and the writing,
 * which is put off so that many commits share one, and never in the way of anything. */
#ifndef STEPVAULT_AGENT_PINNER_H
#define STEPVAULT_AGENT_PINNER_H

#include "base/status.h"
#include "pin.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct vault;

/* All zero is a pinner without a place: nothing is checked and nothing written. */
struct pinner {
    char folder[PATH_MAX];
    struct failure no_place; /* why `folder` is empty, or could not be made */
    /* Of the vault that is open. */
    struct pin_finding found; /* when it was opened */
    bool written;             /* since then */
    struct failure unwritten; /* why the last attempt failed */
    uint64_t log_size;        /* that the pin has, or was tried to be given */
    uint64_t due_ms;          /* clock_monotonic_ms; 0: nothing is to be written */
};

/* Finds the folder in the environment, and makes it if `makes_folder`. Before the sandbox. */
void pinner_start(struct pinner *pinner, bool makes_folder);

/* Checks the vault, which was just opened, and begins with it. STATUS_ROLLED_BACK as pin_check has it. */
enum status pinner_check(struct pinner *pinner, struct vault *vault, struct failure *failure);

/* Before a vault is made at `path`, where there is none: what was seen there before is no more. */
void pinner_begin(struct pinner *pinner, const char *path);

/* After a commit. */
void pinner_note(struct pinner *pinner, const struct vault *vault);

/* Writes what is to be written, for the vault at `path`; not within a turn. `durable` as in pin_write. A
 * failure is remembered, and the next commit tries again. */
void pinner_write(struct pinner *pinner, struct vault *vault, const char *path, bool durable);

/* Of the open vault: its pin as it is by now, and what is wrong with it, or "". */
enum pin_state pinner_state(const struct pinner *pinner);
const char *pinner_trouble(const struct pinner *pinner);

#endif
