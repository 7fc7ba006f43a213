/* Any text as a checkpoint of a known log. The first byte chooses: the input as it stands; the input as the
 * text of a note that is then signed with the right key; edits of a good note; the input as a verifier key.
 * What is accepted must be what was signed, and its text what another reader finds in it. */
#include "../../vault/crypto/note.c"

#include "base/cleanup.h"
#include "crypto/seal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define ORIGIN "stepvault/v1/00112233445566778899aabbccddeeff/0011223344556677"

static struct note_key key;
static char verifier[NOTE_VERIFIER_MAX], good[NOTE_MAX];
static struct note_checkpoint original;

static void expect(bool right)
{
    if (!right)
        abort();
}

static void start(void)
{
    static const uint8_t seed[NOTE_SEED_SIZE] = "thirty-two bytes that are known";
    struct failure failure;

    if (key.origin[0] != '\0')
        return;
    expect(seal_start(&failure) == STATUS_OK);
    expect(note_key_from_seed(&key, seed, ORIGIN, &failure) == STATUS_OK);
    note_verifier(verifier, &key);
    memset(original.root, 0xfb, sizeof original.root);
    original.size = 1234567;
    note_sign_checkpoint(good, &key, original.size, original.root);
}

/* The three lines and what may follow, read back to front by comparing with what they would be written as. */
static void check_text(const char *note, const struct note_checkpoint *checkpoint)
{
    char expected[512], root[64];

    sodium_bin2base64(root, sizeof root, checkpoint->root, sizeof checkpoint->root,
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(expected, sizeof expected, "%s\n%llu\n%s\n", ORIGIN, (unsigned long long)checkpoint->size, root);
    expect(strncmp(note, expected, strlen(expected)) == 0);
    expect(strcmp(checkpoint->origin, ORIGIN) == 0);
    expect(strstr(note, "\n\n\xe2\x80\x94 ") != NULL);
}

static bool try_note(const char *note, struct note_checkpoint *checkpoint)
{
    struct failure failure;

    if (note_verify_checkpoint(note, verifier, &failure, checkpoint) != STATUS_OK)
        return false;
    check_text(note, checkpoint);
    return true;
}

/* Nobody without the key can have anything accepted but what it signed. */
static void try_stranger(const char *note)
{
    struct note_checkpoint checkpoint;

    if (try_note(note, &checkpoint))
        expect(checkpoint.size == original.size &&
               memcmp(checkpoint.root, original.root, sizeof checkpoint.root) == 0);
}

static void try_signed(const char *text)
{
    size_t size = strlen(text);
    uint8_t blob[SIGNATURE_BLOB_SIZE];
    char base64[sodium_base64_ENCODED_LEN(SIGNATURE_BLOB_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    struct note_checkpoint checkpoint;

    memcpy(blob, key.key_id, KEY_ID_SIZE);
    crypto_sign_detached(blob + KEY_ID_SIZE, NULL, (const uint8_t *)text, size, key.secret_key);
    sodium_bin2base64(base64, sizeof base64, blob, sizeof blob, sodium_base64_VARIANT_ORIGINAL);
    CLEANUP(cleanup_free) char *note = malloc(size + 512);
    snprintf(note, size + 512, "%s\n%s%s %s\n", text, signature_mark, ORIGIN, base64);
    (void)try_note(note, &checkpoint);
}

/* Each three bytes: a place, what to do there, a byte. */
static void try_edited(const uint8_t *bytes, size_t size)
{
    CLEANUP(cleanup_free) char *note = malloc(NOTE_MAX + size + 1);

    memcpy(note, good, sizeof good);
    for (size_t i = 0; i + 3 <= size; i += 3) {
        size_t length = strlen(note), at = (bytes[i] | (bytes[i + 1] & 1u) << 8) % (length + 1);
        switch (bytes[i + 1] >> 1 & 3) {
        case 0:
            memmove(note + at + 1, note + at, length - at + 1);
            note[at] = bytes[i + 2] == 0 ? '\n' : (char)bytes[i + 2];
            break;
        case 1:
            if (at < length)
                memmove(note + at, note + at + 1, length - at);
            break;
        default:
            if (at < length)
                note[at] = bytes[i + 2] == 0 ? '\n' : (char)bytes[i + 2];
            break;
        }
    }
    try_stranger(note);
}

static void try_verifier(const char *text)
{
    struct note_checkpoint checkpoint;
    struct failure failure;

    if (note_verify_checkpoint(good, text, &failure, &checkpoint) == STATUS_OK)
        expect(strcmp(text, verifier) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    start();
    if (size == 0)
        return 0;
    CLEANUP(cleanup_free) char *text = malloc(size);
    memcpy(text, bytes + 1, size - 1);
    text[size - 1] = '\0';
    switch (bytes[0] % 4) {
    case 0:
        try_stranger(text);
        break;
    case 1:
        try_signed(text);
        break;
    case 2:
        try_edited(bytes + 1, size - 1);
        break;
    default:
        try_verifier(text);
        break;
    }
    return 0;
}
