/* Which redirect URI a provider must know of a client: what to say of it to whoever registers one there. */
#ifndef STEPVAULT_CLI_REDIRECT_H
#define STEPVAULT_CLI_REDIRECT_H

#include "json/json.h"

#include <stdbool.h>

#define REDIRECT_TEXT_SIZE 320

/* By a provider's OAuth facts, as the end of a sentence: `the redirect URI http://127.0.0.1/callback`. Empty
 * where it needs none. */
void redirect_describe(const struct json *oauth, char destination[REDIRECT_TEXT_SIZE]);

/* True if the provider sends browsers to an address of the client's owner only, which the client must have.
 */
bool redirect_is_own(const struct json *oauth);

/* Tells whoever added a client of the app which one to register; `own` is the one that they gave, or NULL. */
void redirect_tell(const char *slug, const char *own);

#endif
