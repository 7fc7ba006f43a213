/* Replies of OAuth endpoints, read as they come and not as they should (research/oauth.md 3.3): JSON or a
 * form by what it begins with, numbers as texts, errors with status 200, tokens in places of their own. */
#ifndef STEPVAULT_OAUTH_REPLY_H
#define STEPVAULT_OAUTH_REPLY_H

#include "base/secret.h"
#include "oauth/fault.h"
#include "oauth/http.h"
#include "oauth/provider.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define REPLY_TOKEN_MAX 65536  /* bytes of a token */
#define REPLY_SCOPES_MAX 16384 /* bytes of the scopes; more are none that are known */
#define REPLY_MARGIN_S 300     /* a token is renewed so long before it ends, where the facts do not say ... */
#define REPLY_LATE_MARGIN_S 90 /* ... or so, where that ends the one in use */
#define REPLY_USUAL_MS 3600000u /* how long one is taken to live that can be renewed and says nothing */

/* What a token endpoint gave. All zero is the valid empty value; the texts point into `document`. */
struct reply {
    struct json *document;
    const char *access_token;
    const char *refresh_token; /* NULL: none came */
    uint64_t lifetime_ms;   /* of the access token, from when the request was sent; 0: it does not end, or not
                               known */
    uint64_t due_ms;        /* when to renew it, likewise; 0: never by time */
    uint64_t sent_boot_ms;  /* when that was, by clock_boot_ms */
    struct secret scopes;   /* those granted, with blanks between them; empty: not known */
    struct secret redirect; /* the parameters of the redirect that gave the code, as they came; empty: none */
};

/* Reads a reply of an endpoint of OAuth: one with an error becomes a fault with its verdict and code; so does
 * one that is neither that nor of status 2xx with a JSON object or a form. `peer` names the endpoint for
 * sentences. */
enum verdict reply_read(const struct provider *provider, const struct http_reply *http, const char *peer,
                        struct fault *fault, struct json **ret_document);

/* The same where nothing is wanted but that it was done: any body does that has no error in it. */
enum verdict reply_read_done(const struct provider *provider, const struct http_reply *http, const char *peer,
                             struct fault *fault);

/* What a token request was for. */
enum reply_purpose {
    REPLY_FIRST,    /* the first tokens of a grant: without a refresh token nothing can be renewed */
    REPLY_RENEWAL,  /* the refresh token stays good if no other comes; the tokens may stand at the top */
    REPLY_REPEATED, /* a client's own token, which is asked for anew when it ends */
};

/* The same for the reply to a token request, in which there must be an access token. */
enum verdict reply_read_tokens(const struct provider *provider, const struct http_reply *http,
                               const char *peer, enum reply_purpose purpose, struct fault *fault,
                               struct reply *ret_reply);

/* The provider's second token, if the reply has one that is not the first: its text, and that of the refresh
 * token beside it (NULL: none). */
bool reply_second_token(const struct provider *provider, const struct reply *reply, const char **ret_token,
                        const char **ret_refresh_token);

/* Reads a body: a JSON object or array by its first byte, else a form where the content type allows one, as
 * an object of texts. Numbers that are not short and whole become texts. False if it is neither. */
bool reply_parse(const char *content_type, const void *bytes, size_t size, struct json **ret_document);

/* Appends a text, a number or a boolean as text. False if it is anything else, or memory is out. */
bool reply_append_text(const struct json *value, struct secret *text);

void reply_reset(struct reply *reply);

#endif
