/* What waits for the access log (P2): refusals while the vault is locked or its log cannot be written, and an
 * unlocking that could not be logged. Bounded: equal ones are counted, and what finds no room is counted as
 * lost. */
#ifndef STEPVAULT_AGENT_BACKLOG_H
#define STEPVAULT_AGENT_BACKLOG_H

#include "base/status.h"
#include "leaf.h"
#include "vault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_MAX 64

struct backlog_entry {
    const char *action; /* static, of the method table */
    bool granted;
    enum status why;
    struct leaf_caller caller;
    uint64_t count;
    uint64_t first_ms;
    uint64_t last_ms;
};

struct backlog_list {
    struct backlog_entry entries[BACKLOG_MAX];
    size_t count;
    uint64_t lost;
};

/* All zero is empty. */
struct backlog {
    struct backlog_list waiting;
    struct backlog_list writing; /* in the open turn: back to waiting if it fails */
};

/* Returns how often this has happened since it was last written; 0 if there was no room for it. */
uint64_t backlog_add(struct backlog *backlog, const char *action, bool granted, enum status why,
                     const struct leaf_caller *caller);

/* Appends everything that waits to the open turn of the vault; `self` is the caller of the leaf on what was
 * lost. */
enum status backlog_write(struct backlog *backlog, struct vault *vault, const struct leaf_caller *self,
                          struct failure *failure);
/* The turn is durable, or it is not. */
void backlog_settle(struct backlog *backlog, bool durable);

bool backlog_is_empty(const struct backlog *backlog);

/* Refusals that wait, the lost ones included. */
uint64_t backlog_refusals(const struct backlog *backlog);

#endif
