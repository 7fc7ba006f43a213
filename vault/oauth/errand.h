/* The errand: the one job of a run of the helper, as the agent gave it. vault/oauth/README.md has the lines
 * that go in and out. */
#ifndef STEPVAULT_OAUTH_ERRAND_H
#define STEPVAULT_OAUTH_ERRAND_H

#include "base/status.h"
#include "oauth/provider.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

enum errand_job { ERRAND_CONNECT, ERRAND_REFRESH, ERRAND_REVOKE, ERRAND_TEST, ERRAND_REQUEST };

enum errand_flow {
    ERRAND_BROWSER, /* listens on loopback and takes a pasted address, too */
    ERRAND_PASTE,   /* the latter alone */
    ERRAND_DEVICE,
    ERRAND_CLIENT_CREDENTIALS,
    ERRAND_IMPORT, /* the refresh token is among the properties */
    ERRAND_NO_FLOW /* of jobs that need none */
};

/* All texts and values point into `document`. */
struct errand {
    struct json *document;
    struct provider *provider;
    bool provider_is_new; /* it was filled in: the answer has its text */
    enum errand_job job;
    enum errand_flow flow;
    const char *client_id;
    const char *client_secret;      /* NULL: a public client */
    const struct json *properties;  /* of the account, texts by name; NULL: none */
    const struct json *scopes;      /* an array of texts, or NULL */
    const struct json *user_scopes; /* likewise */
    const char *redirect_uri;       /* a registered one; NULL: whatever suits */
    uint16_t port;                  /* to listen on; 0: any that is free */
    uint64_t seconds;               /* that a person may take */
    /* Of a request. */
    const char *method;
    const char *url;
    const char *origin;         /* to which it goes, and nowhere else */
    const struct json *headers; /* an array of lines; NULL: none */
    const char *body;           /* base64; NULL: none */
};

/* Reads and checks the line of a job, its provider included. STATUS_INVALID says what is wrong with it. */
enum status errand_read(const void *line, size_t size, struct failure *failure, struct errand **ret_errand);
void errand_freep(struct errand **errand);

/* The account's property, or what its field has where none is given; NULL: neither. */
const char *errand_property(const struct errand *errand, const char *name);

#endif
