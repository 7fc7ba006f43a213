/* What is asked for: the scopes that the provider's facts say are always needed, and those of the job, or
 * where it has none those that the method has for that. */
#ifndef STEPVAULT_OAUTH_SCOPE_H
#define STEPVAULT_OAUTH_SCOPE_H

#include "base/secret.h"
#include "oauth/provider.h"
#include "json/json.h"

#include <stdbool.h>

/* Appends them, each once, with the provider's separator between them; nothing where scopes are no parameter.
 * `asked` is an array of texts, or NULL. False when memory is out. */
bool scope_join(const struct provider *provider, const struct json *asked, struct secret *text);

/* The same for the second parameter of those providers that have two: what is asked alone. */
bool scope_join_asked(const struct provider *provider, const struct json *asked, struct secret *text);

/* The same for what a client asks for itself (client_credentials): where people grant something, too, the
 * facts' scopes are theirs, and what is asked stands alone. */
bool scope_join_client(const struct provider *provider, const struct json *asked, struct secret *text);

#endif
