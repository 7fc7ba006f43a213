/* One attempt to connect an account by OAuth: all that is known before the provider is asked. Each part is
 * chosen from what the command line says, the catalogue and the vault, and where these leave it open by
 * asking on a terminal. */
#ifndef STEPVAULT_CLI_ATTEMPT_H
#define STEPVAULT_CLI_ATTEMPT_H

#include "base/name.h"
#include "base/secret.h"
#include "base/status.h"
#include "command.h"
#include "exchange.h"
#include "intake.h"
#include "preference.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTEMPT_CLIENT_SIZE (NAME_APP_MAX + 1 + NAME_LABEL_MAX + 1) /* app:label and a NUL */

/* All zero is an empty one. */
struct attempt {
    struct invocation *invocation;
    struct intake intake;       /* the app and its method; of an issuer only the slug */
    struct app *other;          /* the app whose facts they are, where that is another */
    const char *oauth_of;       /* its slug, or NULL */
    const struct json *oauth;   /* the facts; NULL of an issuer, whose are found out later */
    struct secret provider;     /* the provider document */
    struct secret properties;   /* a JSON object: the account's variables, and a refresh token to import */
    struct answer reconnected;  /* the reply that has `account` */
    const struct json *account; /* that is connected anew; NULL: a new one */
    struct answer others;       /* the app's accounts as they are */
    struct answer clients;
    char client[ATTEMPT_CLIENT_SIZE]; /* app:label of the one that is used */
    const char *redirect_uri;         /* that the client is registered with, in `clients`; NULL: none given */
    struct preference preference;
    const char *flow;  /* of the protocol; static */
    bool flow_is_ours; /* nobody chose it, so that another may take its place */
    uint64_t port;     /* to listen on; 0: any */
    bool remote;       /* whoever types here may have their browser elsewhere */
};

void attempt_reset(struct attempt *attempt);

/* The account that --reconnect names, then the app and its method, which the caller looks at with
 * intake_fetches. */
enum status attempt_choose_method(struct attempt *attempt, struct failure *failure);

/* The rest: facts and provider document, the client, the flow, and the account's variables, which are asked
 * for on a terminal. STATUS_NOT_FOUND says how to add a client. */
enum status attempt_prepare(struct attempt *attempt, struct failure *failure);

/* Writes the members of Connect. */
void attempt_write(const struct attempt *attempt, struct json_writer *writer);

/* Where a flow that nobody chose did not even begin: takes the next that may do instead. False if there is
 * none. */
bool attempt_fall_back(struct attempt *attempt);

/* `slack:work` of an object with `app` and `label`. */
void attempt_name(const struct json *object, char destination[ATTEMPT_CLIENT_SIZE]);

#endif
