/* Key slots and recovery codes.
 *
 * The header of a slot, A, is these bytes:
 *
 *     text  "stepvault/v1/slot"      u32be length 17, then the bytes
 *     u32be format                   1
 *     16    vault id
 *     u32be epoch
 *     16    slot id
 *     u8    kind                     1 passphrase, 2 login, 3 recovery, 4 machine
 *     u32be memory in KiB            0 for recovery and machine
 *     u32be passes                   0 for recovery and machine
 *     u32be lanes                    0 for recovery and machine
 *     16    salt
 *     u64be created                  milliseconds since 1970
 *
 * The commitment is the BLAKE2b-256, keyed with the slot key, of text "stepvault/v1/slot-commitment" and A.
 * The wrap key is the same of text "stepvault/v1/slot-wrap" and A. The wrapped key is the vault key sealed
 * (seal.h) under the wrap key with A as associated data. */
#include "crypto/slot.h"

#include "crypto/kdf.h"
#include "crypto/seal.h"

#include <sodium.h>
#include <string.h>

#define SLOT_FORMAT 1u
#define HEADER_SIZE (4 + 17 + 4 + 16 + 4 + 16 + 1 + 3 * 4 + 16 + 8)
#define INPUT_SIZE (4 + 32 + HEADER_SIZE)

_Static_assert(SLOT_WRAPPED_SIZE == SEAL_KEY_SIZE + SEAL_OVERHEAD, "a wrapped key is a sealed key");
_Static_assert(SLOT_KEY_SIZE == SEAL_KEY_SIZE, "a slot key keys a hash");

static const char *const kind_names[] = {
    [SLOT_PASSPHRASE] = "passphrase",
    [SLOT_LOGIN] = "login",
    [SLOT_RECOVERY] = "recovery",
    [SLOT_MACHINE] = "machine",
};

bool slot_kdf_is_sound(const struct slot_kdf *kdf)
{
    return kdf->memory_kib >= KDF_MEMORY_FLOOR_KIB && kdf->memory_kib <= KDF_MEMORY_CEILING_KIB &&
           kdf->passes >= KDF_PASSES_FLOOR && kdf->passes <= KDF_PASSES_CEILING && kdf->lanes == KDF_LANES;
}

const char *slot_kind_name(enum slot_kind kind)
{
    return (size_t)kind < sizeof(kind_names) / sizeof(kind_names[0]) ? kind_names[kind] : NULL;
}

bool slot_kind_from_name(const char *name, enum slot_kind *ret_kind)
{
    for (unsigned kind = SLOT_PASSPHRASE; kind <= SLOT_MACHINE; kind++) {
        if (strcmp(name, kind_names[kind]) == 0) {
            *ret_kind = (enum slot_kind)kind;
            return true;
        }
    }
    return false;
}

static void input_header(struct seal_input *input, const struct slot_header *header,
                         const uint8_t vault_id[16], uint32_t epoch)
{
    seal_input_text(input, "stepvault/v1/slot");
    seal_input_u32(input, SLOT_FORMAT);
    seal_input_bytes(input, vault_id, SEAL_ID_SIZE);
    seal_input_u32(input, epoch);
    seal_input_bytes(input, header->id, SLOT_ID_SIZE);
    seal_input_u8(input, (uint8_t)header->kind);
    seal_input_u32(input, header->kdf.memory_kib);
    seal_input_u32(input, header->kdf.passes);
    seal_input_u32(input, header->kdf.lanes);
    seal_input_bytes(input, header->kdf.salt, SLOT_SALT_SIZE);
    seal_input_u64(input, header->created_ms);
}

/* What is computed of a slot key: the commitment or the wrap key. */
static void slot_hash(uint8_t destination[32], const char *use, const uint8_t slot_key[SLOT_KEY_SIZE],
                      const uint8_t *header, size_t header_size)
{
    uint8_t bytes[INPUT_SIZE];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof(bytes)};

    seal_input_text(&input, use);
    seal_input_bytes(&input, header, header_size);
    seal_hash(destination, 32, slot_key, input.bytes, input.size);
}

/* The wrap key lives on the stack, as the subkeys of libsodium's own calls do, and is wiped before return. */
void slot_wrap(struct slot *slot, const uint8_t slot_key[SLOT_KEY_SIZE], const uint8_t vault_key[32],
               const uint8_t vault_id[16], uint32_t epoch)
{
    uint8_t header[HEADER_SIZE];
    struct seal_input input = {.bytes = header, .capacity = sizeof(header)};
    uint8_t wrap_key[SEAL_KEY_SIZE];

    input_header(&input, &slot->header, vault_id, epoch);
    slot_hash(slot->commitment, "stepvault/v1/slot-commitment", slot_key, input.bytes, input.size);
    slot_hash(wrap_key, "stepvault/v1/slot-wrap", slot_key, input.bytes, input.size);
    seal_close(slot->wrapped, wrap_key, vault_key, SEAL_KEY_SIZE, input.bytes, input.size);
    secret_wipe(wrap_key, sizeof(wrap_key));
}

bool slot_unwrap(const struct slot *slot, const uint8_t slot_key[SLOT_KEY_SIZE], const uint8_t vault_id[16],
                 uint32_t epoch, uint8_t ret_vault_key[32])
{
    uint8_t header[HEADER_SIZE];
    struct seal_input input = {.bytes = header, .capacity = sizeof(header)};
    uint8_t commitment[SLOT_COMMITMENT_SIZE];
    uint8_t wrap_key[SEAL_KEY_SIZE];
    bool opened;

    input_header(&input, &slot->header, vault_id, epoch);
    slot_hash(commitment, "stepvault/v1/slot-commitment", slot_key, input.bytes, input.size);
    if (!secret_equal(commitment, slot->commitment, sizeof(commitment)))
        return false;
    slot_hash(wrap_key, "stepvault/v1/slot-wrap", slot_key, input.bytes, input.size);
    opened = seal_open(ret_vault_key, wrap_key, slot->wrapped, SLOT_WRAPPED_SIZE, input.bytes, input.size);
    secret_wipe(wrap_key, sizeof(wrap_key));
    return opened;
}

/* A recovery code is 36 digits of five bits, the first bit the highest: 20 random bytes, then the first 20
 * bits of the BLAKE2b-256 of text "stepvault/v1/recovery-code" and those bytes. */
#define CODE_DIGITS 36
#define CODE_BITS_SIZE 23 /* 180 bits, and 4 that are 0 */
#define CODE_GROUP 4

static const char code_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The 20 bits of the checksum, highest first, in three bytes. */
static void code_checksum(uint8_t checksum[3], const uint8_t code[SLOT_CODE_BYTES])
{
    uint8_t bytes[4 + 32 + SLOT_CODE_BYTES];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof(bytes)};
    uint8_t hash[SEAL_HASH_SIZE];

    seal_input_text(&input, "stepvault/v1/recovery-code");
    seal_input_bytes(&input, code, SLOT_CODE_BYTES);
    crypto_generichash(hash, sizeof(hash), input.bytes, input.size, NULL, 0);
    memcpy(checksum, hash, 3);
    checksum[2] &= 0xf0;
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(hash, sizeof(hash));
}

static unsigned bits_get(const uint8_t *bytes, unsigned digit)
{
    unsigned bit = digit * 5;
    unsigned pair = (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < CODE_BITS_SIZE ? bytes[bit / 8 + 1] : 0u);

    return pair >> (11 - bit % 8) & 31;
}

static void bits_set(uint8_t *bytes, unsigned digit, unsigned value)
{
    unsigned bit = digit * 5;
    unsigned pair = value << (11 - bit % 8);

    bytes[bit / 8] |= (uint8_t)(pair >> 8);
    if (bit / 8 + 1 < CODE_BITS_SIZE)
        bytes[bit / 8 + 1] |= (uint8_t)pair;
}

void slot_code_generate(char destination[SLOT_CODE_SIZE])
{
    uint8_t bits[CODE_BITS_SIZE];
    char *at = destination;

    seal_random(bits, SLOT_CODE_BYTES);
    code_checksum(bits + SLOT_CODE_BYTES, bits);
    for (unsigned digit = 0; digit < CODE_DIGITS; digit++) {
        if (digit > 0 && digit % CODE_GROUP == 0)
            *at++ = '-';
        *at++ = code_alphabet[bits_get(bits, digit)];
    }
    *at = '\0';
    secret_wipe(bits, sizeof(bits));
}

/* The value of a digit as a person may write it; -1 if it is none. */
static int code_digit(char typed)
{
    const char *found;

    if (typed >= 'a' && typed <= 'z')
        typed = (char)(typed - 'a' + 'A');
    if (typed == 'O')
        return 0;
    if (typed == 'I' || typed == 'L')
        return 1;
    found = typed == '\0' ? NULL : strchr(code_alphabet, typed);
    return found == NULL ? -1 : (int)(found - code_alphabet);
}

static enum status code_read(const char *code, struct failure *failure, uint8_t bits[CODE_BITS_SIZE])
{
    unsigned digits = 0;
    uint8_t checksum[3];

    memset(bits, 0, CODE_BITS_SIZE);
    for (; *code != '\0'; code++) {
        int value;

        if (strchr(" \t\r\n-", *code) != NULL)
            continue;
        value = code_digit(*code);
        if (value < 0)
            return failure_set(failure, STATUS_INVALID,
                               "the recovery code has a character that no recovery code has, after %u others",
                               digits);
        if (digits < CODE_DIGITS)
            bits_set(bits, digits, (unsigned)value);
        digits++;
    }
    if (digits != CODE_DIGITS)
        return failure_set(failure, STATUS_INVALID,
                           "a recovery code has %d characters besides dashes, not %u", CODE_DIGITS, digits);
    code_checksum(checksum, bits);
    if (!secret_equal(checksum, bits + SLOT_CODE_BYTES, sizeof(checksum)))
        return failure_set(failure, STATUS_INVALID, "the recovery code is mistyped: its checksum is wrong");
    return STATUS_OK;
}

enum status slot_code_to_key(const char *code, const struct slot_header *header, struct failure *failure,
                             uint8_t ret_key[SLOT_KEY_SIZE])
{
    uint8_t bits[CODE_BITS_SIZE];
    uint8_t bytes[4 + 32 + SLOT_SALT_SIZE];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof(bytes)};
    enum status status = code_read(code, failure, bits);

    if (status == STATUS_OK) {
        seal_input_text(&input, "stepvault/v1/recovery");
        seal_input_bytes(&input, header->kdf.salt, SLOT_SALT_SIZE);
        crypto_generichash(ret_key, SLOT_KEY_SIZE, input.bytes, input.size, bits, SLOT_CODE_BYTES);
    }
    secret_wipe(bits, sizeof(bits));
    return status;
}
