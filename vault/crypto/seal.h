/* Sealing: XChaCha20-Poly1305, keyed BLAKE2b and purpose keys, all by libsodium. docs/FORMAT.md, section 2,
 * has every byte. */
#ifndef STEPVAULT_CRYPTO_SEAL_H
#define STEPVAULT_CRYPTO_SEAL_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_SIZE 32u
#define SEAL_NONCE_SIZE 24u
#define SEAL_TAG_SIZE 16u
#define SEAL_OVERHEAD (SEAL_NONCE_SIZE + SEAL_TAG_SIZE)
#define SEAL_ID_SIZE 16u
#define SEAL_HASH_SIZE 32u

/* Call once before anything else of crypto/. STATUS_FAILED if libsodium cannot start. */
enum status seal_start(struct failure *failure);

/* Fills with random bytes of the kernel, asked for each time: nothing drawn ahead lies in memory that a
 * snapshot of a machine would give out twice. */
void seal_random(void *destination, size_t size);

/* The purpose key: BLAKE2b-256 keyed with `root` of "stepvault/v1/" || purpose, then NUL, vault id, epoch
 * (u32be). */
void seal_derive_key(uint8_t destination[SEAL_KEY_SIZE], const uint8_t root[SEAL_KEY_SIZE],
                     const char *purpose, const uint8_t vault_id[SEAL_ID_SIZE], uint32_t epoch);

/* Associated data and hash inputs are built with this: fixed-width integers, big-endian, and length-prefixed
 * runs. The buffer is the caller's; `overflow` is set instead of writing past it. Nothing secret. */
struct seal_input {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    bool overflow;
};
void seal_input_text(struct seal_input *input, const char *text);                /* u32be length, bytes */
void seal_input_run(struct seal_input *input, const void *bytes, size_t size);   /* u32be length, bytes */
void seal_input_bytes(struct seal_input *input, const void *bytes, size_t size); /* the bytes alone */
void seal_input_u8(struct seal_input *input, uint8_t number);
void seal_input_u32(struct seal_input *input, uint32_t number);
void seal_input_u64(struct seal_input *input, uint64_t number);

/* The same numbers outside of such a buffer: what a plaintext begins with. */
void seal_store_u32(uint8_t destination[4], uint32_t number);
uint32_t seal_load_u32(const uint8_t source[4]);
uint64_t seal_load_u64(const uint8_t source[8]);

/* Seals `plaintext` into `destination` (SEAL_OVERHEAD + size bytes): random nonce, ciphertext, tag. */
void seal_close(uint8_t *destination, const uint8_t key[SEAL_KEY_SIZE], const void *plaintext, size_t size,
                const void *associated, size_t associated_size);

/* Opens `size` bytes (nonce, ciphertext, tag) into `destination` (size - SEAL_OVERHEAD bytes, secret memory).
 * False if they are too short or not authentic; destination is then wiped. */
bool seal_open(uint8_t *destination, const uint8_t key[SEAL_KEY_SIZE], const uint8_t *sealed, size_t size,
               const void *associated, size_t associated_size);

/* BLAKE2b keyed, without salt or personalisation; `destination_size` 16 to 64. */
void seal_hash(uint8_t *destination, size_t destination_size, const uint8_t key[SEAL_KEY_SIZE],
               const void *bytes, size_t size);

/* SHA-256, for what has to be the same under every key of the vault. */
void seal_digest(uint8_t destination[SEAL_HASH_SIZE], const void *bytes, size_t size);

/* Incremental form for long inputs. */
struct seal_hasher {
    __attribute__((aligned(64))) uint8_t state[384];
};
void seal_hasher_start(struct seal_hasher *hasher, size_t destination_size, const uint8_t key[SEAL_KEY_SIZE]);
void seal_hasher_add(struct seal_hasher *hasher, const void *bytes, size_t size);
void seal_hasher_end(struct seal_hasher *hasher, uint8_t *destination, size_t destination_size);

/* Adds (or subtracts) `term` to `sum`: 256-bit little-endian numbers modulo 2^256 (the keyed additive
 * multiset hash, Clarke et al., "Incremental Multiset Hash Functions", ASIACRYPT 2003, MSet-Add). */
void seal_sum_add(uint8_t sum[SEAL_HASH_SIZE], const uint8_t term[SEAL_HASH_SIZE]);
void seal_sum_subtract(uint8_t sum[SEAL_HASH_SIZE], const uint8_t term[SEAL_HASH_SIZE]);

/* What a sealed plaintext is padded to before sealing: the smallest 256 * 2^k that holds `size` bytes. */
size_t seal_padded_size(size_t size);

#endif
