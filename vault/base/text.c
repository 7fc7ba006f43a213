/* Encodings, escapes and numbers. */
#include "base/text.h"

#include <string.h>

size_t text_utf8_sequence(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint8_t lowest = 0x80;
    uint8_t highest = 0xbf;
    size_t length;

    if (size == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (size < length)
        return 0;
    /* The second byte bears what is forbidden: overlong forms, surrogates, and what is above U+10FFFF. */
    if (at[0] == 0xe0)
        lowest = 0xa0;
    else if (at[0] == 0xed)
        highest = 0x9f;
    else if (at[0] == 0xf0)
        lowest = 0x90;
    else if (at[0] == 0xf4)
        highest = 0x8f;
    if (at[1] < lowest || at[1] > highest)
        return 0;
    for (size_t next = 2; next < length; next++) {
        if ((at[next] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

bool text_is_utf8(const void *bytes, size_t size)
{
    const uint8_t *text = bytes;
    size_t at = 0;

    while (at < size) {
        size_t length = text_utf8_sequence(text + at, size - at);

        if (length == 0 || text[at] == '\0')
            return false;
        at += length;
    }
    return true;
}

/* Characters of several bytes that are controls (C1), or reorder or hide the text around them: first and
 * last.
 */
static const struct {
    uint32_t first;
    uint32_t last;
} hostile_characters[] = {
    {0x80,    0x9f   },
    {0xad,    0xad   },
    {0x61c,   0x61c  },
    {0x180e,  0x180e },
    {0x200b,  0x200f },
    {0x2028,  0x202e },
    {0x2060,  0x2069 },
    {0xfeff,  0xfeff },
    {0xfff9,  0xfffb },
    {0xe0000, 0xe0fff}, /* tags, and selectors of variants in which any bytes can be hidden
  */
};

/* `length` bytes of a well-formed sequence. */
static bool sequence_is_plain(const uint8_t *bytes, size_t length)
{
    uint32_t character = bytes[0] & (0x7fu >> length);

    if (length == 1)
        return bytes[0] >= 0x20 && bytes[0] != 0x7f;
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (bytes[i] & 0x3fu);
    for (size_t i = 0; i < sizeof(hostile_characters) / sizeof(hostile_characters[0]); i++) {
        if (character >= hostile_characters[i].first && character <= hostile_characters[i].last)
            return false;
    }
    return true;
}

size_t text_make_plain(char *text)
{
    const size_t size = strlen(text);
    size_t written = 0;

    for (size_t at = 0; at < size;) {
        size_t length = text_utf8_sequence(text + at, size - at);

        if (length > 0 && sequence_is_plain((const uint8_t *)text + at, length)) {
            memmove(text + written, text + at, length);
            written += length;
        } else {
            text[written++] = '?';
        }
        at += length > 0 ? length : 1;
    }
    text[written] = '\0';
    return written;
}

void text_to_hex(char *destination, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *source = bytes;

    for (size_t at = 0; at < size; at++) {
        destination[2 * at] = digits[source[at] >> 4];
        destination[2 * at + 1] = digits[source[at] & 15];
    }
    destination[2 * size] = '\0';
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool text_from_hex(void *destination, size_t size, const char *hex)
{
    uint8_t *bytes = destination;

    if (strlen(hex) != 2 * size || strspn(hex, "0123456789abcdef") != 2 * size)
        return false;
    for (size_t at = 0; at < size; at++)
        bytes[at] = (uint8_t)(hex_digit(hex[2 * at]) << 4 | hex_digit(hex[2 * at + 1]));
    return true;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool text_append_base64(struct secret *destination, const void *bytes, size_t size)
{
    const uint8_t *source = bytes;
    uint8_t *target;

    if (size > SIZE_MAX / 2 || !secret_reserve(destination, (size + 2) / 3 * 4))
        return false;
    target = destination->bytes + destination->size;
    for (size_t at = 0; at < size; at += 3) {
        size_t count = size - at < 3 ? size - at : 3;
        uint32_t group = (uint32_t)source[at] << 16;

        group |= count > 1 ? (uint32_t)source[at + 1] << 8 : 0;
        group |= count > 2 ? source[at + 2] : 0;
        *target++ = (uint8_t)base64_digits[group >> 18];
        *target++ = (uint8_t)base64_digits[group >> 12 & 63];
        *target++ = count > 1 ? (uint8_t)base64_digits[group >> 6 & 63] : '=';
        *target++ = count > 2 ? (uint8_t)base64_digits[group & 63] : '=';
    }
    *target = '\0';
    destination->size += (size + 2) / 3 * 4;
    return true;
}

static int base64_digit(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* Decodes `length` digits without padding; false for any other byte, or bits set that no byte takes. */
static bool base64_decode(uint8_t *target, const char *base64, size_t length)
{
    uint32_t group = 0;
    unsigned bits = 0;

    for (size_t at = 0; at < length; at++) {
        int digit = base64_digit(base64[at]);

        if (digit < 0)
            return false;
        group = (group << 6 | (uint32_t)digit) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *target++ = (uint8_t)(group >> bits);
        }
    }
    return (group & ((1u << bits) - 1)) == 0;
}

bool text_append_from_base64(struct secret *destination, const char *base64, size_t length)
{
    size_t padding = 0;
    size_t size;

    if (length % 4 != 0)
        return false;
    while (padding < 2 && length > padding && base64[length - 1 - padding] == '=')
        padding++;
    size = length / 4 * 3 - padding;
    if (!secret_reserve(destination, size))
        return false;
    if (!base64_decode(destination->bytes + destination->size, base64, length - padding)) {
        secret_wipe(destination->bytes + destination->size, size);
        return false;
    }
    destination->size += size;
    destination->bytes[destination->size] = '\0';
    return true;
}

/* What stands for `byte` in a JSON string: NULL for the byte itself. */
static const char *json_escape(uint8_t byte, char numbered[7])
{
    static const char *const named[] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t",
    };

    if (byte < sizeof(named) / sizeof(named[0]) && named[byte] != NULL)
        return named[byte];
    if (byte >= 0x20 && byte != 0x7f)
        return NULL;
    memcpy(numbered, "\\u00", 4);
    text_to_hex(numbered + 4, &byte, 1);
    return numbered;
}

bool text_append_json(struct secret *destination, const void *bytes, size_t size)
{
    const uint8_t *source = bytes;
    size_t before = destination->size;
    size_t from = 0;
    bool fits = secret_append_byte(destination, '"');
    char numbered[7];

    for (size_t at = 0; fits && at < size; at++) {
        const char *escape = json_escape(source[at], numbered);

        if (escape == NULL)
            continue;
        fits =
            secret_append(destination, source + from, at - from) && secret_append_text(destination, escape);
        from = at + 1;
    }
    fits = fits && secret_append(destination, source + from, size - from);
    fits = fits && secret_append_byte(destination, '"');
    if (!fits)
        destination->size = before;
    return fits;
}

bool text_to_number(const char *text, uint64_t maximum, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit;

        if (*text < '0' || *text > '9')
            return false;
        digit = (uint64_t)(*text - '0');
        if (digit > maximum || number > (maximum - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

bool text_to_duration(const char *text, uint64_t *ret_seconds)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {
        {'s', 1    },
        {'m', 60   },
        {'h', 3600 },
        {'d', 86400}
    };
    const uint64_t longest = UINT64_C(366) * 86400;
    char digits[16];
    size_t length = strlen(text);
    uint64_t unit = 1;
    uint64_t number;

    if (length == 0 || length >= sizeof(digits))
        return false;
    memcpy(digits, text, length + 1);
    for (size_t at = 0; at < sizeof(units) / sizeof(units[0]); at++) {
        if (digits[length - 1] == units[at].letter) {
            unit = units[at].seconds;
            digits[length - 1] = '\0';
            break;
        }
    }
    if (!text_to_number(digits, longest / unit, &number) || number == 0)
        return false;
    *ret_seconds = number * unit;
    return true;
}

uint64_t text_fnv1a(const void *bytes, size_t size)
{
    const uint8_t *source = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t at = 0; at < size; at++)
        hash = (hash ^ source[at]) * UINT64_C(0x100000001b3);
    return hash;
}

unsigned text_distance(const char *a, const char *b, unsigned limit)
{
    enum { LONGEST = 64 };
    unsigned row[LONGEST + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);

    if (a_length > LONGEST || b_length > LONGEST)
        return limit + 1;
    for (size_t column = 0; column <= b_length; column++)
        row[column] = (unsigned)column;
    for (size_t line = 1; line <= a_length; line++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)line;
        for (size_t column = 1; column <= b_length; column++) {
            unsigned best = diagonal + (a[line - 1] != b[column - 1]);

            diagonal = row[column];
            best = row[column] + 1 < best ? row[column] + 1 : best;
            row[column] = row[column - 1] + 1 < best ? row[column - 1] + 1 : best;
        }
    }
    return row[b_length] <= limit ? row[b_length] : limit + 1;
}
