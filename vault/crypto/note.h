/* Signed notes and checkpoints: C2SP signed-note.md and tlog-checkpoint.md (both v1.0.0), Ed25519 (type
 * 0x01). */
#ifndef STEPVAULT_CRYPTO_NOTE_H
#define STEPVAULT_CRYPTO_NOTE_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/merkle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTE_SEED_SIZE 32u
#define NOTE_PUBLIC_SIZE 32u
#define NOTE_ORIGIN_MAX 127u
#define NOTE_MAX 1024u         /* bytes of one checkpoint note, NUL included */
#define NOTE_VERIFIER_MAX 256u /* bytes of a verifier key, NUL included */

/* Opaque expanded signing key; the caller keeps it in secret memory (`secret_allocate(sizeof)`). */
struct note_key {
    uint8_t secret_key[64];
    uint8_t public_key[NOTE_PUBLIC_SIZE];
    uint8_t key_id[4];
    char origin[NOTE_ORIGIN_MAX + 1];
};

/* Expands a seed. `origin` is the key's name: not empty, no blanks, no `+`. */
enum status note_key_from_seed(struct note_key *key, const uint8_t seed[NOTE_SEED_SIZE], const char *origin,
                               struct failure *failure);

/* `<origin>+<key id, 8 hex digits>+<base64 of 0x01 || public key>`. */
void note_verifier(char destination[NOTE_VERIFIER_MAX], const struct note_key *key);

/* Signs `text`, which is UTF-8 and ends in a newline; the whole note, with its final newline. False if it
 * does not fit. */
bool note_sign(char destination[NOTE_MAX], const struct note_key *key, const char *text);

/* Signs the checkpoint `origin \n size \n base64(root) \n`; the whole note, with its final newline, as text.
 */
void note_sign_checkpoint(char destination[NOTE_MAX], const struct note_key *key, uint64_t size,
                          const uint8_t root[MERKLE_HASH_SIZE]);

/* Whether `note` is a note with a signature line of this verifier key, good or bad. */
bool note_names_key(const char *note, const char *verifier);

/* Verifies `note` with the verifier key: exact syntax, signatures by unknown keys ignored, a known key's bad
 * signature refuses the whole note. `*ret_text` is the signed text, up to and with its final newline; it
 * points into the note. STATUS_CORRUPT otherwise. */
enum status note_verify(const char *note, const char *verifier, struct failure *failure,
                        const char **ret_text, size_t *ret_size);

/* What a verified checkpoint says. */
struct note_checkpoint {
    char origin[NOTE_ORIGIN_MAX + 1];
    uint64_t size;
    uint8_t root[MERKLE_HASH_SIZE];
};

/* As note_verify, of a checkpoint, whose origin must be the key's name. */
enum status note_verify_checkpoint(const char *note, const char *verifier, struct failure *failure,
                                   struct note_checkpoint *ret_checkpoint);

#endif
