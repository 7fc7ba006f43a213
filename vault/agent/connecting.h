/* Connecting an account (Connect): a job whose helper has a person consent and gets tokens. Its notices are
 * replies; what it got stays in the agent's secret memory, bound to the connection, until KeepAccount. It has
 * no use for the vault meanwhile, and does not keep it open. */
#ifndef STEPVAULT_AGENT_CONNECTING_H
#define STEPVAULT_AGENT_CONNECTING_H

#include "base/name.h"
#include "base/secret.h"
#include "base/status.h"
#include "registration.h"
#include "token.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define CONNECTED_IDLE_MS                                                                                    \
    600000u /* a connection that got tokens has so long to keep them: a person may be asked */
#define CONNECTING_SECONDS 600u /* that a person may take, unless the call says less */
#define CONNECTED_MAX 32u       /* connections that have not kept what they got; then nothing more is begun */
#define CONNECTING_URL_MAX (16u * 1024u)
#define CONNECTING_ID_SIZE 33 /* hexadecimal, with its NUL */

struct job;
struct session;
struct connecting;

/* What was asked for, then also what was got. */
struct connected {
    struct session *session; /* set when there is an answer, and counted there */
    char app[NAME_APP_MAX + 1];
    char account[33]; /* the id of the one to be connected anew; or empty */
    char client[REGISTRATION_NAME_SIZE];
    const char *grant;             /* static */
    char method[NAME_APP_MAX + 1]; /* the catalogue's name of it; or empty */
    struct secret requested;       /* scopes, separated by blanks */
    struct secret requested_user;
    struct secret provider;
    struct json *properties; /* that the call gave */
    uint64_t obtained_ms;
    struct json *answer; /* what `result` points into; NULL before there is one */
    struct token_result result;
    bool kept; /* in the turn of the call before */
};
void connected_freep(struct connected **connected);

/* A call follows one that kept what was got: if that is `durable`, it is not to be kept again. */
void connected_settle(struct connected **connected, bool durable);

/* Starts the job, which writes `line` to a helper and puts `connected` to `*place` when the tokens are there.
 * `line` and `connected` are taken. */
enum status connecting_start(struct session *session, struct secret *line, unsigned seconds,
                             struct connected **connected, struct connected **place, struct failure *failure,
                             struct job **ret_job);

/* Hands the address on which a person's browser ended to the helper of that attempt. */
enum status connecting_answer(struct session *session, const char *attempt, const char *url,
                              struct failure *failure);

/* The agent is to end: nobody is waited for. */
void connectings_cancel_all(struct session *session);

#endif
