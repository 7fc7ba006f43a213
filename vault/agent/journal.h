/* The system's journal (syslog socket): where refusals are noted at once, without names (P2). Best effort: it
 * never blocks and never fails. */
#ifndef STEPVAULT_AGENT_JOURNAL_H
#define STEPVAULT_AGENT_JOURNAL_H

#include "leaf.h"

/* Makes the socket; before the sandbox. */
void journal_open(void);

/* One line: what was refused, to whom, why. */
void journal_refusal(const char *action, const struct leaf_caller *caller, enum status why, uint64_t count);

/* One line: what is wrong with something that the agent goes on without. */
void journal_trouble(const char *sentence);

/* One line: why the vault is refused to everybody from now on. */
void journal_foreign(const char *sentence);

#endif
