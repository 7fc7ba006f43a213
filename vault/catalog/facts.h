/* The OAuth facts of a method (`oauth` in its entry): what tables cannot say of them, and what follows from
 * them where they say nothing. `oauth` is always the object itself, never the name of another app
 * (catalog_oauth). */
#ifndef STEPVAULT_CATALOG_FACTS_H
#define STEPVAULT_CATALOG_FACTS_H

#include "catalog/app.h"
#include "catalog/schema.h"
#include "catalog/shape.h"

#include <stdint.h>

#define FACTS_PORTS_MAX SCHEMA_PORTS_MAX
#define FACTS_URI_MAX (SHAPE_REDIRECT_PATH_MAX + 32)

/* STATUS_INVALID names `what` and the member that is wrong. A method without facts of its own is right. */
enum status facts_check(const struct app_method *method, const char *what, struct failure *failure);

/* True if the provider takes this grant, a word of `grants`; without them it takes authorization_code. */
bool facts_has_grant(const struct json *oauth, const char *grant);

/* What the parameter of the standard `name` is called in the address that a person opens. */
const char *facts_authorize_parameter(const struct json *oauth, const char *name);

/* What a client's redirect URI is: one of this machine, where the helper listens; an https:// address; or a
 * name that the provider gave to an address. With the last two a person brings the answer by pasting. */
enum facts_redirect { FACTS_REDIRECT_LOOPBACK, FACTS_REDIRECT_HTTPS, FACTS_REDIRECT_NAME };
enum facts_redirect facts_redirect(const struct json *oauth);

/* The ports that a client of a loopback redirect is registered with, to be tried in this order; 0: none,
 * since the provider takes any. */
size_t facts_ports(const struct json *oauth, uint16_t ret_ports[FACTS_PORTS_MAX]);

/* `http://127.0.0.1:28710/callback`; port 0: without one, as it is registered where any is taken. */
void facts_redirect_uri(const struct json *oauth, uint16_t port, char ret_uri[FACTS_URI_MAX]);

#endif
