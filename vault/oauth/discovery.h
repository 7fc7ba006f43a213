/* Discovery (RFC 8414, OpenID Connect Discovery): the endpoints of an issuer from a document of its own,
 * taken only if it says that it is of that very issuer. What was found stays with the account: it is looked
 * up once, when the account is connected. */
#ifndef STEPVAULT_OAUTH_DISCOVERY_H
#define STEPVAULT_OAUTH_DISCOVERY_H

#include "base/secret.h"
#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/provider.h"
#include "json/json.h"

#define DISCOVERY_PLACES 2

/* Where the document of `issuer` may be: RFC 8414's place (0), then OpenID's (1). STATUS_INVALID: it is no
 * issuer's name. */
enum status discovery_place(const char *issuer, unsigned number, struct failure *failure,
                            struct secret *ret_url);

/* The issuer whose document is at `url`, one of the two places; STATUS_INVALID: it is at neither. */
enum status discovery_issuer(const char *url, struct failure *failure, struct secret *ret_issuer);

/* Writes the provider document with what `document` says of `issuer` and the provider's facts do not.
 * STATUS_REFUSED: it is the document of another issuer. STATUS_INVALID: something in it cannot be used. */
enum status discovery_fill(const struct errand *errand, const char *issuer, const struct json *document,
                           struct failure *failure, struct secret *ret_provider);

/* Looks up what the errand's flow needs and its provider does not have; does nothing where that is nothing.
 * The errand has the new provider then. */
enum verdict discovery_complete(struct errand *errand, struct fault *fault);

#endif
