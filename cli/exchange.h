/* Calls of the agent, as client/ask.h makes them, with the vault and the key file that a command line names
 * and with answers as documents. */
#ifndef STEPVAULT_CLI_EXCHANGE_H
#define STEPVAULT_CLI_EXCHANGE_H

#include "base/secret.h"
#include "base/status.h"
#include "client/ask.h"
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

/* Finds out, as ask_connect does, whether exchange_ask would find someone to ask, and keeps no connection:
 * for commands that first ask a person, who may take longer than the agent keeps a silent one. */
enum status exchange_ready(struct exchange *exchange, struct failure *failure);

/* A call to be made. */
struct question {
    struct ask ask;            /* the method and how it is called; exchange_... fill in the rest */
    struct secret members;     /* the parameters besides `vault` and `slot_key`, as an object */
    struct json_writer writer; /* writes into it */
    struct secret parameters;  /* a part of it: what stands between the braces */
};
void exchange_question(struct question *question, const char *method);
/* Adds the members that the invocation's command takes from its command line. STATUS_USAGE where one of them
 * cannot be read. */
enum status exchange_add_members(struct question *question, const struct invocation *invocation,
                                 struct failure *failure);
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

/* The way of every ordinary command: ask_agent_on, on a connection of its own. */
enum status exchange_ask(struct exchange *exchange, struct question *question, struct failure *failure,
                         struct answer *ret_answer);

/* Asks once more on the connection that exchange_ask left; the reply is left to exchange_next, in order. */
enum status exchange_ask_ahead(struct exchange *exchange, struct question *question, struct failure *failure);

/* The next reply of a call with `more`. */
enum status exchange_next(struct exchange *exchange, struct failure *failure, struct answer *ret_answer);

/* The slot headers of the vault, over the connection, which must be there. */
enum status exchange_list_slots(struct exchange *exchange, struct failure *failure,
                                struct key_headers *ret_headers);

/* Sends Lock over the connection, which ends the agent, and waits a moment until it has let go.
 * `ret_was_open` may be NULL. */
enum status exchange_lock(struct exchange *exchange, struct failure *failure, bool *ret_was_open);

/* exchange_start with the option --key-file, and the question that the command line makes. */
enum status exchange_begin(const struct invocation *invocation, struct failure *failure,
                           struct exchange *ret_exchange, struct question *ret_question);

/* All of exchange_ask for a command with a row of members: exchange, call and answer. */
enum status exchange_command(struct invocation *invocation, struct failure *failure,
                             struct answer *ret_answer);

#endif
