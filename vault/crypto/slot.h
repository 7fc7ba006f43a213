/* Key slots: one way each to unlock the vault key. docs/FORMAT.md, section 3.
 *
 * A slot key (32 bytes) comes from Argon2id of a passphrase (kdf.h), from a recovery code, or is the content
 * of a key file. It wraps the vault key; the header is the associated data, and an explicit commitment is
 * checked before anything is opened, because XChaCha20-Poly1305 commits to no key (research: partitioning
 * oracles). */
#ifndef STEPVAULT_CRYPTO_SLOT_H
#define STEPVAULT_CRYPTO_SLOT_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define SLOT_KEY_SIZE 32u
#define SLOT_ID_SIZE 16u
#define SLOT_SALT_SIZE 16u
#define SLOT_COMMITMENT_SIZE 32u
#define SLOT_WRAPPED_SIZE 72u /* 24 nonce, 32 vault key, 16 tag */

enum slot_kind {
    SLOT_PASSPHRASE = 1, /* at most one */
    SLOT_LOGIN = 2,      /* at most two, during a password change */
    SLOT_RECOVERY = 3,   /* at most one */
    SLOT_MACHINE = 4     /* key file or systemd credential */
};

/* Wire name of a kind: "passphrase", "login", "recovery", "machine"; NULL for no kind. */
const char *slot_kind_name(enum slot_kind kind);
bool slot_kind_from_name(const char *name, enum slot_kind *ret_kind);

/* Argon2id parameters; memory_kib, passes and lanes are 0 for recovery and machine slots, which need no KDF.
 */
struct slot_kdf {
    uint32_t memory_kib;
    uint32_t passes;
    uint32_t lanes;
    uint8_t salt[SLOT_SALT_SIZE];
};

/* False if the parameters are below the floor or above the ceiling of kdf.h. */
bool slot_kdf_is_sound(const struct slot_kdf *kdf);

/* A slot's public header. */
struct slot_header {
    uint8_t id[SLOT_ID_SIZE];
    enum slot_kind kind;
    struct slot_kdf kdf;
    uint64_t created_ms; /* wall clock */
};

/* A whole slot as stored. */
struct slot {
    struct slot_header header;
    uint8_t commitment[SLOT_COMMITMENT_SIZE];
    uint8_t wrapped[SLOT_WRAPPED_SIZE];
};

/* Fills commitment and wrapped of `slot` from its header. */
void slot_wrap(struct slot *slot, const uint8_t slot_key[SLOT_KEY_SIZE], const uint8_t vault_key[32],
               const uint8_t vault_id[16], uint32_t epoch);

/* Opens the slot into `ret_vault_key` (secret memory). False if the key is wrong or the slot was changed. */
bool slot_unwrap(const struct slot *slot, const uint8_t slot_key[SLOT_KEY_SIZE], const uint8_t vault_id[16],
                 uint32_t epoch, uint8_t ret_vault_key[32]);

/* Recovery code: 160 random bits and a 20-bit checksum as nine groups of four characters of Crockford's
 * base32
 * (`7QZC-...`), 44 characters and a NUL. */
#define SLOT_CODE_SIZE 45
#define SLOT_CODE_BYTES 20
void slot_code_generate(char destination[SLOT_CODE_SIZE]);

/* The slot key of a recovery code as typed (blanks, dashes and case do not matter; O is 0, I and L are 1):
 * keyed BLAKE2b of the code's 20 bytes under the slot's salt. STATUS_INVALID if it is not a code or its
 * checksum is wrong. */
enum status slot_code_to_key(const char *code, const struct slot_header *header, struct failure *failure,
                             uint8_t ret_key[SLOT_KEY_SIZE]);

#endif
