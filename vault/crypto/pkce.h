/* Texts that nobody can guess, and what PKCE makes of one (RFC 7636, 4.2: S256). All that the helper for
 * OAuth needs of libsodium. */
#ifndef STEPVAULT_CRYPTO_PKCE_H
#define STEPVAULT_CRYPTO_PKCE_H

#include "base/status.h"

#define PKCE_SIZE 44 /* 32 bytes in base64url without padding, and a NUL */

/* Once, before anything else here. STATUS_FAILED if libsodium cannot start. */
enum status pkce_start(struct failure *failure);

/* 256 random bits of the kernel: a state, or the verifier of PKCE. */
void pkce_random(char destination[PKCE_SIZE]);

/* The challenge of a verifier. */
void pkce_challenge(char destination[PKCE_SIZE], const char *verifier);

#endif
