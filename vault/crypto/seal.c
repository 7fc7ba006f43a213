/* Sealing, keyed hashes and purpose keys. */
#include "crypto/seal.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "one key size for all");
_Static_assert(SEAL_KEY_SIZE == crypto_generichash_KEYBYTES, "one key size for all");
_Static_assert(SEAL_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "FORMAT.md 2");
_Static_assert(SEAL_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "FORMAT.md 2");
_Static_assert(sizeof(struct seal_hasher) >= sizeof(crypto_generichash_state), "the state fits");

enum status seal_start(struct failure *failure)
{
    if (sodium_init() < 0)
        return failure_set(failure, STATUS_FAILED, "the cryptographic library libsodium cannot start");
    return STATUS_OK;
}

void seal_random(void *destination, size_t size)
{
    randombytes_buf(destination, size);
}

void seal_store_u32(uint8_t destination[4], uint32_t number)
{
    for (unsigned at = 0; at < 4; at++)
        destination[at] = (uint8_t)(number >> (24 - 8 * at));
}

uint32_t seal_load_u32(const uint8_t source[4])
{
    return (uint32_t)source[0] << 24 | (uint32_t)source[1] << 16 | (uint32_t)source[2] << 8 | source[3];
}

uint64_t seal_load_u64(const uint8_t source[8])
{
    return (uint64_t)seal_load_u32(source) << 32 | seal_load_u32(source + 4);
}

void seal_derive_key(uint8_t destination[SEAL_KEY_SIZE], const uint8_t root[SEAL_KEY_SIZE],
                     const char *purpose, const uint8_t vault_id[SEAL_ID_SIZE], uint32_t epoch)
{
    static const char prefix[] = "stepvault/v1/";
    struct seal_hasher hasher;
    uint8_t epoch_bytes[4];

    seal_store_u32(epoch_bytes, epoch);
    seal_hasher_start(&hasher, SEAL_KEY_SIZE, root);
    seal_hasher_add(&hasher, prefix, sizeof(prefix) - 1);
    seal_hasher_add(&hasher, purpose, strlen(purpose) + 1);
    seal_hasher_add(&hasher, vault_id, SEAL_ID_SIZE);
    seal_hasher_add(&hasher, epoch_bytes, sizeof(epoch_bytes));
    seal_hasher_end(&hasher, destination, SEAL_KEY_SIZE);
}

void seal_input_text(struct seal_input *input, const char *text)
{
    seal_input_run(input, text, strlen(text));
}

void seal_input_run(struct seal_input *input, const void *bytes, size_t size)
{
    if (size > UINT32_MAX) {
        input->overflow = true;
        return;
    }
    seal_input_u32(input, (uint32_t)size);
    seal_input_bytes(input, bytes, size);
}

void seal_input_bytes(struct seal_input *input, const void *bytes, size_t size)
{
    /* Once something is missing nothing may follow: what is there must not pass for another, shorter input.
     */
    if (input->overflow || size > input->capacity - input->size) {
        input->overflow = true;
        return;
    }
    if (size > 0)
        memcpy(input->bytes + input->size, bytes, size);
    input->size += size;
}

void seal_input_u8(struct seal_input *input, uint8_t number)
{
    seal_input_bytes(input, &number, 1);
}

void seal_input_u32(struct seal_input *input, uint32_t number)
{
    uint8_t bytes[4];

    seal_store_u32(bytes, number);
    seal_input_bytes(input, bytes, sizeof(bytes));
}

void seal_input_u64(struct seal_input *input, uint64_t number)
{
    uint8_t bytes[8];

    seal_store_u32(bytes, (uint32_t)(number >> 32));
    seal_store_u32(bytes + 4, (uint32_t)number);
    seal_input_bytes(input, bytes, sizeof(bytes));
}

void seal_close(uint8_t *destination, const uint8_t key[SEAL_KEY_SIZE], const void *plaintext, size_t size,
                const void *associated, size_t associated_size)
{
    seal_random(destination, SEAL_NONCE_SIZE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(destination + SEAL_NONCE_SIZE, NULL, plaintext, size,
                                               associated, associated_size, NULL, destination, key);
}

bool seal_open(uint8_t *destination, const uint8_t key[SEAL_KEY_SIZE], const uint8_t *sealed, size_t size,
               const void *associated, size_t associated_size)
{
    if (size < SEAL_OVERHEAD)
        return false;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(destination, NULL, NULL, sealed + SEAL_NONCE_SIZE,
                                                   size - SEAL_NONCE_SIZE, associated, associated_size,
                                                   sealed, key) == 0)
        return true;
    secret_wipe(destination, size - SEAL_OVERHEAD);
    return false;
}

void seal_hash(uint8_t *destination, size_t destination_size, const uint8_t key[SEAL_KEY_SIZE],
               const void *bytes, size_t size)
{
    crypto_generichash(destination, destination_size, bytes, size, key, SEAL_KEY_SIZE);
}

void seal_digest(uint8_t destination[SEAL_HASH_SIZE], const void *bytes, size_t size)
{
    crypto_hash_sha256(destination, bytes, size);
}

static crypto_generichash_state *hasher_state(struct seal_hasher *hasher)
{
    return (crypto_generichash_state *)(void *)hasher->state;
}

void seal_hasher_start(struct seal_hasher *hasher, size_t destination_size, const uint8_t key[SEAL_KEY_SIZE])
{
    crypto_generichash_init(hasher_state(hasher), key, SEAL_KEY_SIZE, destination_size);
}

void seal_hasher_add(struct seal_hasher *hasher, const void *bytes, size_t size)
{
    crypto_generichash_update(hasher_state(hasher), bytes, size);
}

void seal_hasher_end(struct seal_hasher *hasher, uint8_t *destination, size_t destination_size)
{
    crypto_generichash_final(hasher_state(hasher), destination, destination_size);
    secret_wipe(hasher, sizeof(*hasher));
}

void seal_sum_add(uint8_t sum[SEAL_HASH_SIZE], const uint8_t term[SEAL_HASH_SIZE])
{
    sodium_add(sum, term, SEAL_HASH_SIZE);
}

void seal_sum_subtract(uint8_t sum[SEAL_HASH_SIZE], const uint8_t term[SEAL_HASH_SIZE])
{
    sodium_sub(sum, term, SEAL_HASH_SIZE);
}

size_t seal_padded_size(size_t size)
{
    size_t padded = 256;

    while (padded < size && padded <= SIZE_MAX / 2)
        padded *= 2;
    return padded;
}
