/* Signed notes and checkpoints. */
#include "crypto/note.h"

#include "base/text.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ED25519 0x01
#define KEY_ID_SIZE 4
#define KEY_BLOB_SIZE (1 + NOTE_PUBLIC_SIZE)                  /* type, public key */
#define SIGNATURE_BLOB_SIZE (KEY_ID_SIZE + crypto_sign_BYTES) /* key id, signature */
#define READ_MAX 65536                                        /* bytes of a note that comes from elsewhere */
#define SIGNATURES_MAX 100

static const char signature_mark[] = "\xe2\x80\x94 "; /* an em dash and a space */

/* A part of the note being read. */
struct span {
    const char *text;
    size_t size;
};

/* What a verifier key says. */
struct verifier {
    struct span name;
    uint8_t key_id[KEY_ID_SIZE];
    uint8_t public_key[NOTE_PUBLIC_SIZE];
};

static void key_id_compute(uint8_t key_id[KEY_ID_SIZE], struct span name,
                           const uint8_t public_key[NOTE_PUBLIC_SIZE])
{
    static const uint8_t separator[] = {'\n', ED25519};
    crypto_hash_sha256_state state;
    uint8_t hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)name.text, name.size);
    crypto_hash_sha256_update(&state, separator, sizeof(separator));
    crypto_hash_sha256_update(&state, public_key, NOTE_PUBLIC_SIZE);
    crypto_hash_sha256_final(&state, hash);
    memcpy(key_id, hash, KEY_ID_SIZE);
}

/* Unicode's White_Space beyond ASCII: U+0085, U+00A0, U+1680, U+2000 to 200A, 2028, 2029, 202F, 205F, 3000.
 */
static bool is_wide_blank(const uint8_t *bytes, size_t length)
{
    if (length == 2)
        return bytes[0] == 0xc2 && (bytes[1] == 0x85 || bytes[1] == 0xa0);
    if (length != 3)
        return false;
    if (bytes[0] == 0xe2 && bytes[1] == 0x80)
        return bytes[2] <= 0x8a || bytes[2] == 0xa8 || bytes[2] == 0xa9 || bytes[2] == 0xaf;
    return memcmp(bytes, "\xe1\x9a\x80", 3) == 0 || memcmp(bytes, "\xe2\x81\x9f", 3) == 0 ||
           memcmp(bytes, "\xe3\x80\x80", 3) == 0;
}

/* Whether a key may be called so: UTF-8, not empty, no blanks, no control bytes, no `+`. */
static bool key_name_is_valid(struct span name)
{
    const uint8_t *bytes = (const uint8_t *)name.text;
    size_t at = 0;

    while (at < name.size) {
        size_t length = text_utf8_sequence(bytes + at, name.size - at);

        if (length == 0 || is_wide_blank(bytes + at, length))
            return false;
        if (bytes[at] <= ' ' || bytes[at] == 0x7f || bytes[at] == '+')
            return false;
        at += length;
    }
    return name.size > 0;
}

enum status note_key_from_seed(struct note_key *key, const uint8_t seed[NOTE_SEED_SIZE], const char *origin,
                               struct failure *failure)
{
    struct span name = {origin, strlen(origin)};

    if (name.size > NOTE_ORIGIN_MAX || !key_name_is_valid(name))
        return failure_set(failure, STATUS_INVALID, "\"%s\" cannot be the origin of a log", origin);
    crypto_sign_seed_keypair(key->public_key, key->secret_key, seed);
    key_id_compute(key->key_id, name, key->public_key);
    memcpy(key->origin, origin, name.size + 1);
    return STATUS_OK;
}

void note_verifier(char destination[NOTE_VERIFIER_MAX], const struct note_key *key)
{
    char key_id[2 * KEY_ID_SIZE + 1];
    uint8_t blob[KEY_BLOB_SIZE];
    char base64[sodium_base64_ENCODED_LEN(KEY_BLOB_SIZE, sodium_base64_VARIANT_ORIGINAL)];

    blob[0] = ED25519;
    memcpy(blob + 1, key->public_key, NOTE_PUBLIC_SIZE);
    text_to_hex(key_id, key->key_id, KEY_ID_SIZE);
    sodium_bin2base64(base64, sizeof(base64), blob, sizeof(blob), sodium_base64_VARIANT_ORIGINAL);
    snprintf(destination, NOTE_VERIFIER_MAX, "%s+%s+%s", key->origin, key_id, base64);
}

bool note_sign(char destination[NOTE_MAX], const struct note_key *key, const char *text)
{
    uint8_t blob[SIGNATURE_BLOB_SIZE];
    char base64[sodium_base64_ENCODED_LEN(SIGNATURE_BLOB_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    int length;

    memcpy(blob, key->key_id, KEY_ID_SIZE);
    crypto_sign_detached(blob + KEY_ID_SIZE, NULL, (const uint8_t *)text, strlen(text), key->secret_key);
    sodium_bin2base64(base64, sizeof(base64), blob, sizeof(blob), sodium_base64_VARIANT_ORIGINAL);
    length = snprintf(destination, NOTE_MAX, "%s\n%s%s %s\n", text, signature_mark, key->origin, base64);
    return length > 0 && length < (int)NOTE_MAX;
}

void note_sign_checkpoint(char destination[NOTE_MAX], const struct note_key *key, uint64_t size,
                          const uint8_t root[MERKLE_HASH_SIZE])
{
    char root_base64[sodium_base64_ENCODED_LEN(MERKLE_HASH_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    char text[NOTE_ORIGIN_MAX + sizeof(root_base64) + 32];

    sodium_bin2base64(root_base64, sizeof(root_base64), root, MERKLE_HASH_SIZE,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(text, sizeof(text), "%s\n%llu\n%s\n", key->origin, (unsigned long long)size, root_base64);
    (void)note_sign(destination, key, text); /* of a bounded text, so that it fits */
}

/* Decodes canonical base64. With no end pointer libsodium refuses what follows it too; but it takes every
 * byte above ASCII for a `/` (1.0.18), so that one signature would have many spellings. */
static bool base64_read(uint8_t *destination, size_t capacity, struct span base64, size_t *ret_size)
{
    for (size_t at = 0; at < base64.size; at++) {
        if ((uint8_t)base64.text[at] > 0x7f)
            return false;
    }
    return sodium_base642bin(destination, capacity, base64.text, base64.size, NULL, ret_size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

/* Takes what stands before the next `mark` off the front of *rest, and the mark. */
static bool span_take(struct span *rest, char mark, struct span *ret_part)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->text, mark, rest->size);
    size_t size;

    if (end == NULL)
        return false;
    size = (size_t)(end - rest->text);
    *ret_part = (struct span){rest->text, size};
    *rest = (struct span){end + 1, rest->size - size - 1};
    return true;
}

static bool verifier_read(const char *text, struct verifier *ret_verifier)
{
    struct span rest = {text, strlen(text)};
    struct verifier verifier;
    struct span hex;
    char stated[2 * KEY_ID_SIZE + 1];
    char computed[2 * KEY_ID_SIZE + 1];
    uint8_t blob[KEY_BLOB_SIZE];
    size_t size;

    if (!span_take(&rest, '+', &verifier.name) || !span_take(&rest, '+', &hex) || hex.size != 2 * KEY_ID_SIZE)
        return false;
    if (verifier.name.size > NOTE_ORIGIN_MAX || !key_name_is_valid(verifier.name))
        return false;
    if (!base64_read(blob, sizeof(blob), rest, &size) || size != sizeof(blob) || blob[0] != ED25519)
        return false;
    memcpy(verifier.public_key, blob + 1, NOTE_PUBLIC_SIZE);
    key_id_compute(verifier.key_id, verifier.name, verifier.public_key);
    text_to_hex(computed, verifier.key_id, KEY_ID_SIZE);
    memcpy(stated, hex.text, hex.size);
    stated[hex.size] = '\0';
    if (strcmp(stated, computed) != 0)
        return false;
    *ret_verifier = verifier;
    return true;
}

/* Splits a note at its last empty line: the text with its final newline, and the signature lines. */
static bool note_split(const char *note, struct span *ret_text, struct span *ret_signatures)
{
    size_t size = strnlen(note, READ_MAX + 1);

    if (size > READ_MAX || size < 2 || !text_is_utf8(note, size) || note[size - 1] != '\n')
        return false;
    for (size_t at = 0; at < size; at++) {
        if ((uint8_t)note[at] < 0x20 && note[at] != '\n')
            return false;
    }
    for (size_t at = size - 1; at > 1; at--) {
        if (note[at - 1] == '\n' && note[at - 2] == '\n') {
            *ret_text = (struct span){note, at - 1};
            *ret_signatures = (struct span){note + at, size - at};
            return true;
        }
    }
    return false;
}

enum verdict {
    VERDICT_BAD,     /* not a signature line, or a known key's false signature */
    VERDICT_UNKNOWN, /* by a key that is not ours to judge */
    VERDICT_GOOD
};

/* A signature line taken apart. */
struct signature {
    struct span name;
    uint8_t blob[READ_MAX / 4 * 3];
    size_t size;
};

static bool signature_read(struct span line, struct signature *signature)
{
    const size_t mark = sizeof(signature_mark) - 1;

    if (line.size < mark || memcmp(line.text, signature_mark, mark) != 0)
        return false;
    line = (struct span){line.text + mark, line.size - mark};
    return span_take(&line, ' ', &signature->name) && key_name_is_valid(signature->name) &&
           base64_read(signature->blob, sizeof(signature->blob), line, &signature->size) &&
           signature->size > KEY_ID_SIZE;
}

static bool signature_is_of(const struct signature *signature, const struct verifier *verifier)
{
    return signature->name.size == verifier->name.size &&
           memcmp(signature->name.text, verifier->name.text, verifier->name.size) == 0 &&
           memcmp(signature->blob, verifier->key_id, KEY_ID_SIZE) == 0;
}

static enum verdict signature_judge(struct span line, struct span text, const struct verifier *verifier)
{
    struct signature signature;

    if (!signature_read(line, &signature))
        return VERDICT_BAD;
    if (!signature_is_of(&signature, verifier))
        return VERDICT_UNKNOWN;
    if (signature.size != SIGNATURE_BLOB_SIZE ||
        crypto_sign_verify_detached(signature.blob + KEY_ID_SIZE, (const uint8_t *)text.text, text.size,
                                    verifier->public_key) != 0)
        return VERDICT_BAD;
    return VERDICT_GOOD;
}

static bool signatures_verify(struct span signatures, struct span text, const struct verifier *verifier)
{
    bool good = false;
    unsigned lines = 0;
    struct span line;

    while (span_take(&signatures, '\n', &line)) {
        enum verdict verdict = signature_judge(line, text, verifier);

        if (verdict == VERDICT_BAD || ++lines > SIGNATURES_MAX)
            return false;
        good = good || verdict == VERDICT_GOOD;
    }
    return good;
}

bool note_names_key(const char *note, const char *verifier)
{
    struct verifier key;
    struct signature signature;
    struct span text;
    struct span signatures;
    struct span line;
    unsigned lines = 0;

    if (!verifier_read(verifier, &key) || !note_split(note, &text, &signatures))
        return false;
    while (lines++ < SIGNATURES_MAX && span_take(&signatures, '\n', &line))
        if (signature_read(line, &signature) && signature_is_of(&signature, &key))
            return true;
    return false;
}

/* Reads origin, size and root; lines that follow are extensions, of which only the form is looked at. */
static bool checkpoint_read(struct span text, struct span name, struct note_checkpoint *ret_checkpoint)
{
    struct note_checkpoint checkpoint;
    char number[24];
    struct span origin;
    struct span line;
    size_t size;

    if (!span_take(&text, '\n', &origin) || origin.size != name.size ||
        memcmp(origin.text, name.text, name.size) != 0)
        return false;
    if (!span_take(&text, '\n', &line) || line.size >= sizeof(number))
        return false;
    memcpy(number, line.text, line.size);
    number[line.size] = '\0';
    if (!text_to_number(number, UINT64_MAX, &checkpoint.size))
        return false;
    if (!span_take(&text, '\n', &line) ||
        !base64_read(checkpoint.root, sizeof(checkpoint.root), line, &size) || size != MERKLE_HASH_SIZE)
        return false;
    while (span_take(&text, '\n', &line)) {
        if (line.size == 0)
            return false;
    }
    memcpy(checkpoint.origin, origin.text, origin.size);
    checkpoint.origin[origin.size] = '\0';
    *ret_checkpoint = checkpoint;
    return true;
}

enum status note_verify(const char *note, const char *verifier, struct failure *failure,
                        const char **ret_text, size_t *ret_size)
{
    struct verifier key;
    struct span text;
    struct span signatures;

    if (!verifier_read(verifier, &key))
        return failure_set(failure, STATUS_CORRUPT, "the verifier key of the log is malformed");
    if (!note_split(note, &text, &signatures))
        return failure_set(failure, STATUS_CORRUPT, "the checkpoint of %.*s is not a signed note",
                           (int)key.name.size, key.name.text);
    if (!signatures_verify(signatures, text, &key))
        return failure_set(failure, STATUS_CORRUPT, "the checkpoint is not signed by %.*s",
                           (int)key.name.size, key.name.text);
    *ret_text = text.text;
    *ret_size = text.size;
    return STATUS_OK;
}

enum status note_verify_checkpoint(const char *note, const char *verifier, struct failure *failure,
                                   struct note_checkpoint *ret_checkpoint)
{
    struct verifier key;
    struct note_checkpoint checkpoint;
    struct span text;
    enum status status = note_verify(note, verifier, failure, &text.text, &text.size);

    if (status != STATUS_OK)
        return status;
    if (!verifier_read(verifier, &key) || !checkpoint_read(text, key.name, &checkpoint))
        return failure_set(failure, STATUS_CORRUPT, "the note signed by %.*s is not a checkpoint of it",
                           (int)key.name.size, key.name.text);
    *ret_checkpoint = checkpoint;
    return STATUS_OK;
}
