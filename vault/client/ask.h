/* How a command asks for something: of the agent that listens; with a key file at hand where the vault is
 * locked; and where no agent listens, of one that is started for this one question. */
#ifndef STEPVAULT_CLIENT_ASK_H
#define STEPVAULT_CLIENT_ASK_H

#include "base/secret.h"
#include "base/status.h"
#include "client/client.h"
#include "client/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct ask {
    const char *vault;    /* canonical path (file_vault_path); UTF-8, which ask_connect checks */
    const char *key_file; /* the key file at hand (file_key_path), or NULL */
    const char *method;   /* without its interface: "Project"; one with a dot in it is sent as it is */
    const struct secret
        *parameters; /* the members besides `vault` and `slot_key`: `"step":"a","own":true`; may be empty */
    const char *purpose; /* what is refused, for the journal: "run" */
    bool undumpable;     /* our own program: be undumpable while secrets are in memory (see client.h) */
    bool hidden;         /* it is undumpable already, and shows itself only while a request is handled */
    bool more;           /* several replies: client_next_reply gives those after the first */
    bool oneway;         /* none; with ask_ahead only */
    bool without_vault;  /* `vault` is not added: it is among the parameters, or none of the method's */
    bool without_key;    /* the same of `slot_key` */
    bool by_person; /* a person chose method and parameters: what is wrong with them is not the agent's age */
};

/* A slot key for a question. */
struct ask_key {
    const char *slot;     /* hexadecimal id of the slot it opens; "": it is tried on the machine slots */
    const uint8_t *bytes; /* FILE_KEY_SIZE of them */
};

/* Asks, and answers with the whole reply in `ret_reply` (see ask_parameters) and the status in it. An agent
 * started for the question has ended, and is reaped, when this returns.
 *
 * No agent and no key file: as ask_connect.
 */
enum status ask_agent(const struct ask *ask, struct failure *failure, struct secret *ret_reply);

/* As ask_agent, and leaves the connection in `ret_client`, for the replies that follow. */
enum status ask_agent_on(const struct ask *ask, struct failure *failure, struct client **ret_client,
                         struct secret *ret_reply);

/* Asks once more, on the connection that ask_agent_on left, with the key file's key if that needed it; the
 * reply, unless it is `oneway`, is left to client_next_reply. */
enum status ask_ahead(const struct ask *ask, struct client *client, struct failure *failure);

/* The question alone, on a connection, with `key` unless it is NULL. */
enum status ask_client(const struct ask *ask, struct client *client, const struct ask_key *key,
                       struct failure *failure, struct secret *ret_reply);

/* Connects to the agent that listens. Where none does but an agent of one command would do, because there are
 * a vault and a key file, it is STATUS_OK too and `*ret_client` stays as it is. No agent and no key file:
 * STATUS_NO_VAULT where there is no file; else a line in the journal (P2), which has user, process and
 * executable and no name of anything in the vault, and STATUS_LOCKED, or STATUS_NO_AGENT where there is no
 * folder that could hold a socket. */
enum status ask_connect(const struct ask *ask, struct failure *failure, struct client **ret_client);

/* STATUS_OK if there is a file at the vault's path; else STATUS_NO_VAULT. */
enum status ask_check_vault(const char *vault, struct failure *failure);

/* The reply's `parameters`; an empty object if it has none. */
struct wire_value ask_parameters(const struct secret *reply);

#endif
