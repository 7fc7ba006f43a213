/* Token requests: the one POST by which codes and refresh tokens become access tokens, as each provider wants
 * it: form or JSON, the client in the body or a header, parameters renamed and added. Sent once, never to try
 * out what is taken: a code and a rotating token are used up by a wrong try. */
#ifndef STEPVAULT_OAUTH_TOKEN_REQUEST_H
#define STEPVAULT_OAUTH_TOKEN_REQUEST_H

#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/http.h"
#include "oauth/reply.h"

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_REQUEST_PARAMETERS_MAX 96

struct token_parameter {
    const char *name;
    const char *value;
};

/* All texts are borrowed. */
struct token_request {
    const char *endpoint; /* the fact that has its address; NULL: token_url */
    const char *fixed;    /* the fact that has its fixed parameters; NULL: token_params */
    const char *auth;     /* the fact that says how the client shows who it is; NULL: client_auth */
    const char *format;   /* the fact that says form or json; NULL: body_format */
    enum reply_purpose purpose;
    unsigned seconds;       /* as in struct http_request */
    bool at_token_endpoint; /* token_rename counts */
    struct token_parameter parameters[TOKEN_REQUEST_PARAMETERS_MAX];
    size_t count;
};

/* Sets a parameter, also one that is set already; a value that is NULL sets nothing. False if there are too
 * many. */
bool token_request_set(struct token_request *request, const char *name, const char *value);

/* Adds fixed parameters and the client, renames, and sends. Its reply is not judged. The address is of the
 * facts and the account's properties. VERDICT_REFUSED: it cannot be made of them. */
enum verdict token_request_send(const struct errand *errand, struct token_request *request, const char *peer,
                                struct fault *fault, struct http_reply *ret_reply);

/* Sends to the token endpoint, which uses up what is in it, and reads what comes back. */
enum verdict token_request_exchange(const struct errand *errand, struct token_request *request,
                                    struct fault *fault, struct reply *ret_reply);

/* Uses the refresh token once, and waits `seconds` at most (0: the usual). */
enum verdict token_request_refresh(const struct errand *errand, const char *refresh_token, unsigned seconds,
                                   struct fault *fault, struct reply *ret_reply);

/* Asks for a token of the client's own. */
enum verdict token_request_client_credentials(const struct errand *errand, struct fault *fault,
                                              struct reply *ret_reply);

#endif
