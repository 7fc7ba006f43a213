/* How a command asks for something: of the agent that listens; with a key file at hand where the vault is
 * locked; and where no agent listens, of one that is started for this one question. */
#ifndef STEPVAULT_CLIENT_ASK_H
#define STEPVAULT_CLIENT_ASK_H

#include "base/secret.h"
#include "base/status.h"
#include "client/wire.h"

#include <stdbool.h>

struct ask {
    const char *vault;    /* canonical path (file_vault_path) */
    const char *key_file; /* the key file at hand (file_key_path), or NULL */
    const char *method;   /* without its interface: "Project" */
    const struct secret
        *parameters; /* the members besides `vault` and `slot_key`: `"step":"a","own":true`; may be empty */
    const char *purpose; /* what is refused, for the journal: "run" */
    bool undumpable;     /* our own program: be undumpable while secrets are in memory (see client.h) */
};

/* Asks, and answers with the whole reply in `ret_reply` (see ask_parameters) and the status in it. An agent
 * started for the question has ended, and is reaped, when this returns.
 *
 * No agent and no key file: STATUS_NO_VAULT where there is no file; else a line in the journal
 * (journal_note_refusal) and STATUS_LOCKED, or STATUS_NO_AGENT where there is no folder that could hold a
 * socket.
 */
enum status ask_agent(const struct ask *ask, struct failure *failure, struct secret *ret_reply);

/* The reply's `parameters`; an empty object if it has none. */
struct wire_value ask_parameters(const struct secret *reply);

#endif
