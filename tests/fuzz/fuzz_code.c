/* Any text into slot_code_to_key: a code is read if and only if another decoder, bit by bit, finds 36 digits
 * and the right checksum. An input that begins with NUL and 20 bytes is made into a good code first, written
 * as a person might. */
#include "base/cleanup.h"
#include "crypto/seal.h"
#include "crypto/slot.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define DIGITS 36
#define BITS (DIGITS * 5)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void expect(bool right)
{
    if (!right)
        abort();
}

/* The 20 bits that follow the code's own 160, as characters. */
static void checksum(const uint8_t code[SLOT_CODE_BYTES], char bits[21])
{
    uint8_t input[4 + 26 + SLOT_CODE_BYTES] = {0, 0, 0, 26}, hash[32];

    memcpy(input + 4, "stepvault/v1/recovery-code", 26);
    memcpy(input + 30, code, SLOT_CODE_BYTES);
    crypto_generichash(hash, sizeof hash, input, sizeof input, NULL, 0);
    for (unsigned i = 0; i < 20; i++)
        bits[i] = (char)('0' + (hash[i / 8] >> (7 - i % 8) & 1));
    bits[20] = '\0';
}

static bool reference(const char *text, uint8_t code[SLOT_CODE_BYTES])
{
    char bits[BITS + 1] = "", expected[21];
    size_t digits = 0;

    for (; *text != '\0'; text++) {
        char digit = *text >= 'a' && *text <= 'z' ? (char)(*text - 32) : *text;
        if (digit == ' ' || digit == '\t' || digit == '\r' || digit == '\n' || digit == '-')
            continue;
        digit = digit == 'O' ? '0' : digit == 'I' || digit == 'L' ? '1' : digit;
        const char *found = strchr(alphabet, digit);
        if (found == NULL || digits == DIGITS)
            return false;
        for (unsigned i = 0; i < 5; i++)
            bits[digits * 5 + i] = (char)('0' + ((found - alphabet) >> (4 - i) & 1));
        digits++;
    }
    if (digits != DIGITS)
        return false;
    memset(code, 0, SLOT_CODE_BYTES);
    for (unsigned i = 0; i < 160; i++)
        code[i / 8] = (uint8_t)(code[i / 8] << 1 | (bits[i] - '0'));
    checksum(code, expected);
    return strcmp(bits + 160, expected) == 0;
}

static void try_code(const char *text)
{
    struct slot_header header = {.kind = SLOT_RECOVERY, .kdf = {.salt = "sixteen bytes sa"}};
    uint8_t code[SLOT_CODE_BYTES], key[SLOT_KEY_SIZE], expected[SLOT_KEY_SIZE];
    uint8_t input[4 + 21 + SLOT_SALT_SIZE] = {0, 0, 0, 21};
    struct failure failure;
    bool good = reference(text, code);

    memset(key, 0xee, sizeof key);
    expect((slot_code_to_key(text, &header, &failure, key) == STATUS_OK) == good);
    if (!good) {
        for (size_t i = 0; i < sizeof key; i++)
            expect(key[i] == 0xee);
        return;
    }
    memcpy(input + 4, "stepvault/v1/recovery", 21);
    memcpy(input + 25, header.kdf.salt, SLOT_SALT_SIZE);
    crypto_generichash(expected, sizeof expected, input, sizeof input, code, sizeof code);
    expect(memcmp(key, expected, sizeof key) == 0);
}

/* Writes the code of these bytes; each further byte of the input changes how a digit is written. */
static void write_code(const uint8_t code[SLOT_CODE_BYTES], const uint8_t *style, size_t styles,
                       char text[256])
{
    char bits[BITS + 1];
    size_t at = 0;

    for (unsigned i = 0; i < 160; i++)
        bits[i] = (char)('0' + (code[i / 8] >> (7 - i % 8) & 1));
    checksum(code, bits + 160);
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        uint8_t how = digit < styles ? style[digit] : 0;
        char value[6] = "";
        memcpy(value, bits + digit * 5, 5);
        char written = alphabet[strtoul(value, NULL, 2)];
        if (how & 1)
            text[at++] = " \t-\n"[how >> 6];
        if ((how & 2) && written == '0')
            written = 'o';
        else if ((how & 2) && written == '1')
            written = how & 8 ? 'l' : 'I';
        else if ((how & 4) && written >= 'A')
            written = (char)(written + 32);
        text[at++] = how & 16 && how & 32 && how & 64 ? (char)how : written;
    }
    text[at] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    struct failure failure;
    char written[256];

    if (!started)
        expect(seal_start(&failure) == STATUS_OK);
    started = true;
    if (size > SLOT_CODE_BYTES && bytes[0] == 0) {
        write_code(bytes + 1, bytes + 1 + SLOT_CODE_BYTES, size - 1 - SLOT_CODE_BYTES, written);
        try_code(written);
        return 0;
    }
    CLEANUP(cleanup_free) char *text = malloc(size + 1);
    memcpy(text, bytes, size);
    text[size] = '\0';
    try_code(text);
    return 0;
}
