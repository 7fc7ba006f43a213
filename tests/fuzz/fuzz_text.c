/* Any bytes into each reader of text: it agrees with another implementation of the same rule, and what it
 * wrote it reads again. The first byte chooses the function. */
#include "base/cleanup.h"
#include "base/text.h"
#include "json/json.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void try_base64(const char *text, size_t size)
{
    CLEANUP(secret_reset) struct secret read = {0};
    CLEANUP(secret_reset) struct secret written = {0};
    CLEANUP(cleanup_free) uint8_t *expected = malloc(size + 1);
    size_t expected_size = 0;
    bool good = true;

    /* libsodium 1.0.18 takes every byte above ASCII for a slash. */
    for (size_t i = 0; i < size; i++)
        good = good && (text[i] & 0x80) == 0;
    good = good && sodium_base642bin(expected, size + 1, text, size, NULL, &expected_size, NULL,
                                     sodium_base64_VARIANT_ORIGINAL) == 0;

    expect(secret_append_text(&read, "before"));
    expect(text_append_from_base64(&read, text, size) == good);
    expect(memcmp(read.bytes, "before", 6) == 0 && read.size == 6 + (good ? expected_size : 0));
    if (!good)
        return;
    expect(memcmp(read.bytes + 6, expected, expected_size) == 0);
    expect(text_append_base64(&written, read.bytes + 6, read.size - 6));
    expect(written.size == size && (size == 0 || memcmp(written.bytes, text, size) == 0));
}

static void try_base64_bytes(const char *text, size_t size)
{
    CLEANUP(secret_reset) struct secret written = {0};
    CLEANUP(secret_reset) struct secret read = {0};
    size_t room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
    CLEANUP(cleanup_free) char *expected = malloc(room);

    sodium_bin2base64(expected, room, (const uint8_t *)text, size, sodium_base64_VARIANT_ORIGINAL);
    expect(text_append_base64(&written, text, size));
    expect(strcmp(secret_text(&written), expected) == 0);
    expect(text_append_from_base64(&read, secret_text(&written), written.size));
    expect(read.size == size && (size == 0 || memcmp(read.bytes, text, size) == 0));
}

static void try_hex(const char *text, size_t size)
{
    CLEANUP(cleanup_free) uint8_t *read = malloc(size / 2 + 1);
    CLEANUP(cleanup_free) char *written = malloc(size + 2);
    bool good = text_from_hex(read, size / 2, text);

    expect(good == (strspn(text, "0123456789abcdef") == strlen(text) && strlen(text) == size / 2 * 2));
    if (!good)
        return;
    text_to_hex(written, read, size / 2);
    expect(strcmp(written, text) == 0);
}

static void try_number(const char *text, size_t size)
{
    char canonical[32];
    uint64_t maximum = size < 8 ? UINT64_MAX : (uint64_t)text[size - 1] << 56 | (uint64_t)text[size - 2] << 3;
    uint64_t number = 0;
    bool good = text_to_number(text, maximum, &number);
    unsigned long long expected = strtoull(text, NULL, 10);

    snprintf(canonical, sizeof canonical, "%llu", expected);
    expect(good == (strcmp(canonical, text) == 0 && expected <= maximum));
    expect(!good || number == expected);
}

static void try_duration(const char *text)
{
    static const char letters[] = "smhd";
    static const uint64_t lengths[] = {1, 60, 3600, 86400};
    uint64_t seconds = 0, expected = 0;
    char number[32] = "", letter[8] = "", again[32];
    bool good = text_to_duration(text, &seconds);
    bool fits = false;

    if (strlen(text) < 16 && sscanf(text, "%15[0-9]%1[smhd]", number, letter) >= 1) {
        size_t unit = letter[0] == '\0' ? 0 : (size_t)(strchr(letters, letter[0]) - letters);
        snprintf(again, sizeof again, "%s%s", number, letter);
        expected = strtoull(number, NULL, 10) * lengths[unit];
        fits = strcmp(again, text) == 0 && number[0] != '0' && expected <= 366 * lengths[3];
    }
    expect(good == fits);
    expect(!good || seconds == expected);
}

/* Decodes as RFC 3629's table of ranges does not: by computing the code point. */
static bool decodes(const uint8_t *bytes, size_t size)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};

    for (size_t at = 0; at < size;) {
        unsigned length = bytes[at] < 0x80 ? 1 : (unsigned)__builtin_clz(~((uint32_t)bytes[at] << 24));
        uint32_t point = length == 1 ? bytes[at] : bytes[at] & (0x7fu >> length);
        if (length > 4 || (length == 1 && bytes[at] >= 0x80) || at + length > size)
            return false;
        for (unsigned i = 1; i < length; i++) {
            if (bytes[at + i] >> 6 != 2)
                return false;
            point = point << 6 | (bytes[at + i] & 63u);
        }
        if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
            return false;
        at += length;
    }
    return true;
}

static void try_json(const char *text, size_t size)
{
    CLEANUP(secret_reset) struct secret written = {0};
    CLEANUP(json_freep) struct json *json = NULL;
    struct failure failure;
    size_t read_size = 0;
    bool utf8 = decodes((const uint8_t *)text, size);

    expect(text_is_utf8(text, size) == utf8);
    if (!utf8)
        return;
    expect(secret_append_byte(&written, '[') && text_append_json(&written, text, size) &&
           secret_append_byte(&written, ']'));
    for (size_t i = 0; i < written.size; i++)
        expect(written.bytes[i] >= 0x20 && written.bytes[i] != 0x7f);
    expect(json_parse(written.bytes, written.size, "output", &failure, &json) == STATUS_OK);
    const char *read = json_text(json_at(json, 0), &read_size);
    expect(read != NULL && read_size == size && (size == 0 || memcmp(read, text, size) == 0));
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance by the whole matrix. */
static void try_distance(const char *text, size_t size)
{
    static unsigned cost[80][80];
    const char *a = text, *b = text + strlen(text) + (strlen(text) < size);
    size_t a_size = strlen(a), b_size = strlen(b);

    if (a_size > 64 || b_size > 64) {
        expect(text_distance(a, b, 3) == 4);
        return;
    }
    for (size_t i = 0; i <= a_size; i++)
        for (size_t j = 0; j <= b_size; j++)
            cost[i][j] = i == 0 || j == 0 ? (unsigned)(i + j)
                                          : smallest(cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                                                     cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
    for (unsigned limit = 0; limit < 5; limit++)
        expect(text_distance(a, b, limit) ==
               (cost[a_size][b_size] <= limit ? cost[a_size][b_size] : limit + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;

    if (!started) {
        json_start();
        expect(sodium_init() >= 0);
    }
    started = true;
    if (size == 0)
        return 0;
    /* A copy that ends with a NUL where its allocation ends. */
    CLEANUP(cleanup_free) char *text = malloc(size);
    memcpy(text, bytes + 1, size - 1);
    text[size - 1] = '\0';
    switch (bytes[0] % 7) {
    case 0:
        try_base64(text, size - 1);
        break;
    case 1:
        try_base64_bytes(text, size - 1);
        break;
    case 2:
        try_hex(text, size - 1);
        break;
    case 3:
        try_number(text, size - 1);
        break;
    case 4:
        try_duration(text);
        break;
    case 5:
        try_json(text, strlen(text));
        break;
    default:
        try_distance(text, size - 1);
        break;
    }
    return 0;
}
