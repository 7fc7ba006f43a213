/* Where an authorised request of an account goes, and what of the account it takes: as much of an entry with
 * one method (catalog/provider.h) as the agent has to know, which says so in its log before the helper gets
 * anything. The helper holds the entry to all of its rules, and to what was read here. */
#ifndef STEPVAULT_CATALOG_DESTINATION_H
#define STEPVAULT_CATALOG_DESTINATION_H

#include "base/secret.h"
#include "base/status.h"
#include "base/url.h"
#include "json/json.h"

#include <stdbool.h>

struct destination {
    struct json *document;
    const struct json *fields;  /* of the method; may be NULL */
    const struct json *request; /* never NULL, and has a base */
    const char *title;          /* of the app */
    bool loopback;              /* http to this machine is allowed */
};

/* STATUS_INVALID: it is no entry with one method. STATUS_REFUSED: nothing is known of how its requests are
 * made, or they are signed, which takes more than the entry's data. */
enum status destination_open(const char *entry, struct failure *failure, struct destination *ret_destination);
void destination_reset(struct destination *destination);

/* Whether the credentials are made of that property. */
bool destination_needs(const struct destination *destination, const char *property);

/* The value of a property of the account; NULL if it has none of that name. */
typedef const char *destination_value(const void *context, const char *name);

/* The scheme, host and port of the base, with the account's values in it. STATUS_NOT_FOUND names a value that
 * is missing. */
enum status destination_origin(const struct destination *destination, destination_value *value,
                               const void *context, struct failure *failure, struct secret *ret_origin);

/* Whether the account has all that the base is made of: for an address that follows it. STATUS_NOT_FOUND
 * names what is missing. */
enum status destination_check_base(const struct destination *destination, destination_value *value,
                                   const void *context, struct failure *failure);

/* Judges an address (after outgoing_check_url) that is asked for: STATUS_REFUSED if it leads to another
 * origin, or has a parameter of the credentials'. */
enum status destination_check_url(const struct destination *destination, const char *origin, const char *url,
                                  struct failure *failure);

/* Judges a header (after outgoing_check_header): STATUS_REFUSED if the credentials stand in it. */
enum status destination_check_header(const struct destination *destination, const char *line,
                                     struct failure *failure);

/* Whether a template, or any in an object of them, takes something of the account, and not of the caller
 * alone. */
bool destination_is_credential(const struct json *request, const char *template);

/* Whether the query of an address has a parameter of that name, be bytes of it encoded or not. */
bool destination_has_parameter(const char *url, const char *name);

#endif
