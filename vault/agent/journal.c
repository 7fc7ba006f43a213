/* The agent's lines in the journal. */
#include "agent/journal.h"

#include "base/journal.h"

#include <inttypes.h>

static int journal_socket = -1;

void journal_open(void)
{
    journal_socket = journal_open_socket();
}

void journal_refusal(const char *action, const struct leaf_caller *caller, enum status why, uint64_t count)
{
    journal_note(journal_socket, "stepvault-agent",
                 "refused %s to uid %u, pid %d (%.255s): %s, %" PRIu64 " times", action,
                 (unsigned)caller->uid, (int)caller->pid, caller->program, status_wire_name(why), count);
}

void journal_trouble(const char *sentence)
{
    journal_note(journal_socket, "stepvault-agent", "%s", sentence);
}

void journal_foreign(const char *sentence)
{
    journal_note(journal_socket, "stepvault-agent", "refused every further call: %s", sentence);
}
