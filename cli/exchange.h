/* Calls of the agent: find it or start one for this command, ask, and try again with the key file at hand
 * where the vault is locked. */
#ifndef STEPVAULT_CLI_EXCHANGE_H
#define STEPVAULT_CLI_EXCHANGE_H

#include "base/secret.h"
#include "base/status.h"
#include "client/client.h"
#include "command.h"
#include "key.h"
#include "json/json.h"

#include <limits.h>
#include <stdbool.h>

/* A command's dealings with the agent of one vault. */
struct exchange {
    char vault[PATH_MAX]; /* canonical */
    char key_file[PATH_MAX];
    bool has_key_file;
    bool started;          /* the agent is one that this command started */
    struct client *client; /* NULL until the first call */
    char words[COMMAND_WORDS_SIZE];
};

/* Finds out which vault is meant and whether a key file is at hand: `key_option` (NULL: none) or the
 * environment's. */
enum status exchange_start(const struct invocation *invocation, const char *key_option,
                           struct failure *failure, struct exchange *ret_exchange);
void exchange_reset(struct exchange *exchange);

/* Connects to the agent that listens. STATUS_NO_AGENT if none does. */
enum status exchange_connect(struct exchange *exchange, struct failure *failure);

/* Starts an agent: one that serves the vault's socket and stays, or one for this command alone. */
enum status exchange_start_agent(struct exchange *exchange, bool stays, struct failure *failure);

/* As exchange_connect, and where no agent listens starts one for this command. */
enum status exchange_open(struct exchange *exchange, struct failure *failure);

/* Connects to the agent that listens. Where none does, STATUS_OK too if there are a vault and a key file to
 * open it with; else the refusal of a locked vault, STATUS_LOCKED with a line in the journal. For commands
 * that first ask for something. */
enum status exchange_ready(struct exchange *exchange, struct failure *failure);

/* STATUS_OK if there is a file at the vault's path; else STATUS_NO_VAULT. */
enum status exchange_check_vault(const struct exchange *exchange, struct failure *failure);

/* A call to be made. `method` is a short name (`Project`) or a full one. */
struct question {
    const char *method;
    bool more;          /* several replies */
    bool without_vault; /* `vault` is not added: it is among the members, or no parameter of the method */
    bool without_key;   /* the same of `slot_key` */
    bool by_person; /* a person chose method and parameters: what is wrong with them is not the agent's age */
    struct secret members;     /* the parameters besides those two, as an object */
    struct json_writer writer; /* writes into it */
};
void exchange_question(struct question *question, const char *method);
/* Adds the members that the invocation's command takes from its command line. */
void exchange_add_members(struct question *question, const struct invocation *invocation);
void exchange_question_reset(struct question *question);

struct answer {
    struct json *document;
    const struct json *parameters; /* in it; NULL where it has none */
    bool continues;                /* more replies follow */
};
void exchange_answer_reset(struct answer *answer);

/* Calls on the exchange's connection, which must be there, with `key` if it is not NULL. */
enum status exchange_send(struct exchange *exchange, struct question *question, const struct key *key,
                          struct failure *failure, struct answer *ret_answer);

/* The way of every ordinary command: asks the agent that listens, with the key file (if any) where the vault
 * is locked; where none listens, starts one for this command with that key file, or refuses with
 * STATUS_LOCKED and a line in the journal. */
enum status exchange_ask(struct exchange *exchange, struct question *question, struct failure *failure,
                         struct answer *ret_answer);

/* The next reply of a call with `more`. */
enum status exchange_next(struct exchange *exchange, struct failure *failure, struct answer *ret_answer);

/* The slot headers of the vault, over the connection, which must be there. */
enum status exchange_list_slots(struct exchange *exchange, struct failure *failure,
                                struct key_headers *ret_headers);

/* Sends Lock over the connection, which ends the agent, and waits a moment until it has let go.
 * `ret_was_open` may be NULL. */
enum status exchange_lock(struct exchange *exchange, struct failure *failure, bool *ret_was_open);

/* All of exchange_ask for a command with a row of members: exchange, call and answer. */
enum status exchange_command(struct invocation *invocation, struct failure *failure,
                             struct answer *ret_answer);

#endif
