/* A request to the provider's API in the making: the account's credentials are put where the entry says
 * (`request` in vault/catalog/README.md). What the account does not have leaves out what needs it. */
#ifndef STEPVAULT_OAUTH_MESSAGE_H
#define STEPVAULT_OAUTH_MESSAGE_H

#include "base/secret.h"
#include "oauth/fault.h"
#include "oauth/http.h"
#include "oauth/provider.h"
#include "json/json.h"

#define MESSAGE_PEER_SIZE 160

/* The texts of `http` stand here, so it is not to be moved. */
struct message {
    const struct provider *provider;
    const struct json *properties;
    struct fault *fault;
    unsigned secrets; /* templates that took one of the account */
    struct secret url;
    struct secret body;
    struct secret values[HTTP_HEADERS_MAX];
    char peer[MESSAGE_PEER_SIZE];
    struct http_request http;
};

/* Names the peer; all else is empty. */
void message_start(struct message *message, const struct provider *provider, const struct json *properties,
                   struct fault *fault);
void message_reset(struct message *message);

/* The address, a template: a whole one, or what follows the base; NULL: the base itself. With the parameters
 * that the entry adds and this one does not have yet. */
enum verdict message_set_url(struct message *message, const char *url);

/* One header; the value is taken. */
enum verdict message_add_header(struct message *message, const char *name, struct secret *value);

/* One that stands in a line `Name: value` (outgoing_check_header). */
enum verdict message_add_line(struct message *message, const char *line);

/* Those of an object of templates that `instead` does not have: another such object, or lines `Name: value`.
 */
enum verdict message_add_headers(struct message *message, const struct json *headers,
                                 const struct json *instead);

/* The headers of the entry's request, without those of `instead`, and its Basic authentication. */
enum verdict message_add_credentials(struct message *message, const struct json *instead);

/* Whether an object of headers, or lines, have one of that name. */
bool message_has_header(const struct json *headers, const char *name);

#endif
