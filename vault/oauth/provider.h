/* The provider document: an entry of the catalogue with one method, whose facts of OAuth are its own. It came
 * with the account and stays with it, so later changes of the catalogue send no secret elsewhere. Here its
 * templates are filled in. */
#ifndef STEPVAULT_OAUTH_PROVIDER_H
#define STEPVAULT_OAUTH_PROVIDER_H

#include "base/secret.h"
#include "base/status.h"
#include "catalog/app.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct provider {
    struct secret text; /* as it came */
    struct app *app;
    const struct app_method *method;
    const struct json *oauth;   /* NULL only after provider_open_any */
    const struct json *request; /* of the method; may be NULL */
    const struct json *test;    /* likewise */
    bool loopback;              /* http to this very machine is allowed */
};

/* STATUS_INVALID or STATUS_TOO_LARGE: it is no entry, or not one with one method and facts of its own. */
enum status provider_open(const char *text, struct failure *failure, struct provider **ret_provider);
/* The same, and facts of OAuth it may have or not. */
enum status provider_open_any(const char *text, struct failure *failure, struct provider **ret_provider);
void provider_freep(struct provider **provider);

/* What people call it; for sentences. */
const char *provider_title(const struct provider *provider);

/* A fact: its text, or `fallback` if it is not there. */
const char *provider_fact(const struct provider *provider, const char *name, const char *fallback);

/* The value of a property: of `properties`, else what the field has for accounts without one; NULL: neither.
 */
const char *provider_value(const struct provider *provider, const struct json *properties, const char *name);

/* Fills in a template. STATUS_NOT_FOUND names a property that is needed and not there; STATUS_INVALID one
 * that its field does not take, or that holds a control character. */
enum status provider_fill(const struct provider *provider, const struct json *properties,
                          const char *template, struct failure *failure, struct secret *ret_text);

/* The same for an address: what is filled in is percent-encoded, but for an address that it begins with and
 * for parts of its host, which hold to their patterns. The result is https, or http to loopback where the
 * provider allows it, has no user, and no step up in its path that was filled in. */
enum status provider_fill_url(const struct provider *provider, const struct json *properties,
                              const char *template, struct failure *failure, struct secret *ret_url);

/* The address that the facts have under `name`, filled in; STATUS_NOT_FOUND if they have none. */
enum status provider_endpoint(const struct provider *provider, const struct json *properties,
                              const char *name, struct failure *failure, struct secret *ret_url);

#endif
