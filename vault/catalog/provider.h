/* Provider documents: what is kept in an account's record of the app that it was connected by, so that a
 * later catalogue sends no account's secrets elsewhere. An entry of the catalogue with one method, which has
 * its OAuth facts in it, and without what only people read. app_parse takes it. */
#ifndef STEPVAULT_CATALOG_PROVIDER_H
#define STEPVAULT_CATALOG_PROVIDER_H

#include "base/secret.h"
#include "catalog/app.h"

/* Writes the document of one method of `app`, with the facts that catalog_oauth found for it. STATUS_INVALID
 * if it has none, or if they name a field that this method does not have. */
enum status provider_write(const struct app *app, const struct app_method *method, const struct json *oauth,
                           struct failure *failure, struct secret *ret_text);

/* The same of a method that may have no facts (`oauth` NULL): for requests alone (catalog/destination.h). */
enum status provider_write_any(const struct app *app, const struct app_method *method,
                               const struct json *oauth, struct failure *failure, struct secret *ret_text);

/* Writes the document of a provider of whom only the issuer is known: its metadata say the rest.
 * STATUS_INVALID if that is no https:// address, nor one of this machine, or has a query or a fragment. */
enum status provider_write_issuer(const char *slug, const char *issuer, struct failure *failure,
                                  struct secret *ret_text);

#endif
