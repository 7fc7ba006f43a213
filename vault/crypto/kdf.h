/* Passphrase to slot key: Argon2id by libargon2 (RFC 9106), version 0x13, 32 bytes out. Only what asks for a
 * passphrase links this (stepvault-manage, PAM's helper); the agent never runs it. */
#ifndef STEPVAULT_CRYPTO_KDF_H
#define STEPVAULT_CRYPTO_KDF_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/slot.h"

#include <stdint.h>

#define KDF_LANES 4u
#define KDF_MEMORY_FLOOR_KIB (64u * 1024u) /* RFC 9106's second choice: 64 MiB, t = 3 */
#define KDF_PASSES_FLOOR 3u
#define KDF_MEMORY_CEILING_KIB                                                                               \
    (4u * 1024u * 1024u) /* a hostile header must not take the machine's memory                              \
                          */
#define KDF_PASSES_CEILING 64u
#define KDF_CALIBRATED_MOST_KIB (1024u * 1024u) /* what kdf_calibrate gives */

/* STATUS_CORRUPT if the parameters are below the floor or above the ceiling, whoever wrote them. */
enum status kdf_check(const struct slot_kdf *kdf, struct failure *failure);

/* Chooses memory and passes so that a derivation takes about `target_ms` on this machine, at least the floor
 * and at most 1 GiB or a quarter of the machine's memory; `target_ms` 0 is the floor without measuring. Fills
 * a random salt. */
enum status kdf_calibrate(unsigned target_ms, struct failure *failure, struct slot_kdf *ret_kdf);

/* Derives the 32-byte slot key. Checks the parameters first. The arena is wiped by libargon2, and is left out
 * of core files;
 * `*ret_locked` (may be NULL) says whether it could be locked. STATUS_INVALID for an empty passphrase. */
enum status kdf_derive(const struct secret *passphrase, const struct slot_kdf *kdf, struct failure *failure,
                       uint8_t ret_key[SLOT_KEY_SIZE], bool *ret_locked);

/* True if this process may lock the arena of the smallest derivation (RLIMIT_MEMLOCK is mostly 8 MiB, the
 * floor 64 MiB); tried, without taking the memory. */
bool kdf_can_lock(void);

#endif
