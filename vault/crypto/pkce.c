/* Random texts and challenges, by libsodium. */
#include "crypto/pkce.h"

#include "base/secret.h"

#include <sodium.h>
#include <string.h>

_Static_assert(PKCE_SIZE == sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES,
                                                      sodium_base64_VARIANT_URLSAFE_NO_PADDING),
               "a challenge is as long as a verifier");

enum status pkce_start(struct failure *failure)
{
    if (sodium_init() < 0)
        return failure_set(failure, STATUS_FAILED, "libsodium cannot start");
    return STATUS_OK;
}

static void encode(char destination[PKCE_SIZE], uint8_t bytes[crypto_hash_sha256_BYTES])
{
    sodium_bin2base64(destination, PKCE_SIZE, bytes, crypto_hash_sha256_BYTES,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    secret_wipe(bytes, crypto_hash_sha256_BYTES);
}

void pkce_random(char destination[PKCE_SIZE])
{
    uint8_t bytes[crypto_hash_sha256_BYTES];

    randombytes_buf(bytes, sizeof(bytes));
    encode(destination, bytes);
}

void pkce_challenge(char destination[PKCE_SIZE], const char *verifier)
{
    uint8_t hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, (const uint8_t *)verifier, strlen(verifier));
    encode(destination, hash);
}
