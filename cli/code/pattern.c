/* The encoders that a value's forms come from. Each variant is a row of a table; variants that come to the
 * same bytes fall together when the list is sorted. */
#include "code/pattern.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MIN 8u         /* a shorter line is no sign of the value */
#define FORMS_ALL_MAX 4096u /* bytes; of a longer value only the first `common` variants are made */

static const char UPPER[] = "0123456789ABCDEF";
static const char LOWER[] = "0123456789abcdef";

/* ---- URL-encoded ---- */

struct url_form {
    const char *plain; /* what stands for itself beside letters and digits */
    bool plus;         /* a blank is `+` */
};

static const struct url_form URL_FORMS[] = {
    {"-_.!~*'()",            false}, /* encodeURIComponent */
    {"*-._",                 true }, /* URLSearchParams, forms */
    {"-_.~",                 false}, /* RFC 3986: Python's quote(safe=""), curl, jq */
    {"-_.~",                 true }, /* Python's quote_plus, Go's QueryEscape */
    {"-_.~/",                false}, /* Python's quote */
    {";,/?:@&=+$-_.!~*'()#", false}, /* encodeURI */
    {"-_.",                  true }, /* PHP's urlencode */
};
#define URL_COMMON 2u

/* ---- JSON ---- */

struct json_form {
    const char *escaped; /* beside quotes, backslashes and controls */
    bool ascii;
    bool upper;
};

static const struct json_form JSON_FORMS[] = {
    {"",     false, false}, /* JSON.stringify, jq */
    {"",     true,  false}, /* Python */
    {"\177", false, false}, /* our own writer */
    {"\177", true,  true }, /* jansson, Java */
    {"/",    true,  false}, /* PHP */
    {"/",    false, false}, /* PHP with JSON_UNESCAPED_UNICODE */
    {"<>&",  false, false}, /* Go */
};
#define JSON_COMMON 2u

/* ---- base64 ---- */

static const char ALPHABETS[][65] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
static const size_t LINE_LENGTHS[] = {76, 64};

static bool add_pattern(struct pattern_list *list, const void *bytes, size_t size)
{
    struct pattern pattern = {(uint32_t)list->bytes.size, (uint32_t)size};

    if (size < PATTERN_MIN)
        return true;
    return secret_append(&list->bytes, bytes, size) &&
           secret_append(&list->patterns, &pattern, sizeof(pattern));
}

static bool add_secret(struct pattern_list *list, const struct secret *text)
{
    return add_pattern(list, text->bytes, text->size);
}

static bool is_word(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

static bool is_in(uint8_t byte, const char *set)
{
    return byte != '\0' && strchr(set, byte) != NULL;
}

static bool add_url(struct pattern_list *list, const uint8_t *value, size_t size, const struct url_form *form,
                    const char *digits)
{
    CLEANUP(secret_reset) struct secret text = {0};

    if (!secret_reserve(&text, 3 * size))
        return false;
    for (size_t i = 0; i < size; i++) {
        const uint8_t byte = value[i];

        if (byte == ' ' && form->plus) {
            secret_append_byte(&text, '+');
        } else if (is_word(byte) || is_in(byte, form->plain)) {
            secret_append_byte(&text, byte);
        } else {
            const uint8_t escape[] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};

            secret_append(&text, escape, sizeof(escape));
        }
    }
    return add_secret(list, &text);
}

static bool append_unit(struct secret *text, uint32_t unit, bool upper)
{
    const char *digits = upper ? UPPER : LOWER;
    const uint8_t escape[] = {'\\',
                              'u',
                              (uint8_t)digits[unit >> 12 & 15],
                              (uint8_t)digits[unit >> 8 & 15],
                              (uint8_t)digits[unit >> 4 & 15],
                              (uint8_t)digits[unit & 15]};

    return secret_append(text, escape, sizeof(escape));
}

/* The code point of a well-formed sequence. */
static uint32_t decode_point(const uint8_t *bytes, size_t size)
{
    static const uint8_t FIRST[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = bytes[0] & FIRST[size];

    for (size_t i = 1; i < size; i++)
        point = point << 6 | (bytes[i] & 0x3fu);
    return point;
}

static bool append_ascii(struct secret *text, const uint8_t *bytes, size_t sequence, bool upper)
{
    uint32_t point;

    /* As Python has what is not UTF-8 in an environment. */
    if (sequence == 0)
        return append_unit(text, 0xdc00u + bytes[0], upper);
    point = decode_point(bytes, sequence);
    if (point < 0x10000)
        return append_unit(text, point, upper);
    point -= 0x10000;
    return append_unit(text, 0xd800u + (point >> 10), upper) &&
           append_unit(text, 0xdc00u + (point & 0x3ffu), upper);
}

/* A byte below 0x80. */
static bool append_json_byte(struct secret *text, uint8_t byte, const struct json_form *form)
{
    static const char NAMED[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *pair = NAMED; *pair != '\0'; pair += 2) {
        if (byte == (uint8_t)pair[0])
            return secret_append_byte(text, '\\') && secret_append_byte(text, (uint8_t)pair[1]);
    }
    if (byte == '/' && is_in(byte, form->escaped))
        return secret_append_text(text, "\\/");
    if (byte < 0x20 || is_in(byte, form->escaped))
        return append_unit(text, byte, form->upper);
    return secret_append_byte(text, byte);
}

static bool add_json(struct pattern_list *list, const uint8_t *value, size_t size,
                     const struct json_form *form)
{
    CLEANUP(secret_reset) struct secret text = {0};
    bool right = true;

    for (size_t i = 0, step; right && i < size; i += step) {
        size_t sequence = value[i] < 0x80 ? 1 : text_utf8_sequence(value + i, size - i);

        step = sequence > 0 ? sequence : 1;
        if (value[i] < 0x80)
            right = append_json_byte(&text, value[i], form);
        else if (form->ascii)
            right = append_ascii(&text, value + i, sequence, form->upper);
        else
            right = secret_append(&text, value + i, step);
    }
    return right && add_secret(list, &text);
}

/* The character at `index` of the base64 text of `shift` zero bytes and the value. */
static uint8_t base64_character(const uint8_t *value, size_t size, size_t shift, size_t index,
                                const char *alphabet)
{
    const size_t bit = index * 6;
    unsigned pair = 0;

    for (size_t i = 0; i < 2; i++) {
        const size_t at = bit / 8 + i;

        pair = pair << 8 | (at >= shift && at - shift < size ? value[at - shift] : 0u);
    }
    return (uint8_t)alphabet[pair >> (10 - bit % 8) & 63];
}

/* The characters that the value alone decides, as they stand within a longer text and at its end. */
static bool add_base64(struct pattern_list *list, const uint8_t *value, size_t size, size_t shift,
                       const char *alphabet, struct secret *ret_text)
{
    const size_t first = (8 * shift + 5) / 6;
    const size_t last = 8 * (shift + size) / 6;

    secret_clear(ret_text);
    if (!secret_reserve(ret_text, last - first + 4))
        return false;
    for (size_t i = first; i < last; i++)
        secret_append_byte(ret_text, base64_character(value, size, shift, i, alphabet));
    if (!add_secret(list, ret_text))
        return false;
    if (8 * (shift + size) % 6 == 0)
        return true;
    secret_append_byte(ret_text, base64_character(value, size, shift, last, alphabet));
    if (!add_secret(list, ret_text))
        return false;
    for (size_t length = last + 1; length % 4 != 0; length++)
        secret_append_byte(ret_text, '=');
    return add_secret(list, ret_text);
}

static bool add_base64_lines(struct pattern_list *list, const struct secret *text, size_t size, size_t length)
{
    const size_t whole = 8 * size / 6;
    bool right = true;

    for (size_t at = 0; right && whole > length && at < whole; at += length) {
        const size_t piece = whole - at < length ? whole - at : length;

        right = piece < LINE_MIN || add_pattern(list, text->bytes + at, piece);
    }
    return right;
}

static bool add_base64_forms(struct pattern_list *list, const uint8_t *value, size_t size)
{
    CLEANUP(secret_reset) struct secret text = {0};
    bool right = true;

    for (size_t alphabet = 0; alphabet < 2; alphabet++) {
        for (size_t shift = 0; right && shift < 3; shift++)
            right = add_base64(list, value, size, shift, ALPHABETS[alphabet], &text);
    }
    right = right && add_base64(list, value, size, 0, ALPHABETS[0], &text);
    for (size_t i = 0; i < sizeof(LINE_LENGTHS) / sizeof(LINE_LENGTHS[0]); i++)
        right = right && add_base64_lines(list, &text, size, LINE_LENGTHS[i]);
    return right;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool add_line(struct pattern_list *list, const uint8_t *line, size_t size)
{
    while (size > 0 && is_blank(line[size - 1]))
        size--;
    for (; size > 0 && is_blank(*line); line++)
        size--;
    return size < LINE_MIN || add_pattern(list, line, size);
}

static bool add_lines(struct pattern_list *list, const uint8_t *value, size_t size)
{
    CLEANUP(secret_reset) struct secret shown = {0};
    const uint8_t *const end = value + size;
    const uint8_t *newline;

    if (memchr(value, '\n', size) == NULL)
        return true;
    for (const uint8_t *line = value;; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (!add_line(list, line, (size_t)((newline != NULL ? newline : end) - line)) ||
            !secret_append(&shown, line, (size_t)((newline != NULL ? newline : end) - line)))
            return false;
        if (newline == NULL)
            return add_secret(list, &shown);
        if (!secret_append_text(&shown, "\r\n"))
            return false;
    }
}

bool pattern_add_forms(struct pattern_list *list, const void *value, size_t size)
{
    const size_t urls = size > FORMS_ALL_MAX ? URL_COMMON : sizeof(URL_FORMS) / sizeof(URL_FORMS[0]);
    const size_t jsons = size > FORMS_ALL_MAX ? JSON_COMMON : sizeof(JSON_FORMS) / sizeof(JSON_FORMS[0]);
    bool right =
        add_pattern(list, value, size) && add_lines(list, value, size) && add_base64_forms(list, value, size);

    for (size_t i = 0; right && i < urls; i++)
        right = add_url(list, value, size, &URL_FORMS[i], UPPER) &&
                add_url(list, value, size, &URL_FORMS[i], LOWER);
    for (size_t i = 0; right && i < jsons; i++)
        right = add_json(list, value, size, &JSON_FORMS[i]);
    return right;
}

static int pattern_compare(const void *left, const void *right, void *bytes)
{
    const struct pattern *a = left;
    const struct pattern *b = right;
    const size_t common = a->size < b->size ? a->size : b->size;
    const int order = memcmp((const uint8_t *)bytes + a->at, (const uint8_t *)bytes + b->at, common);

    if (order != 0)
        return order;
    return (a->size > b->size) - (a->size < b->size);
}

void pattern_sort(struct pattern_list *list)
{
    struct pattern *patterns = (struct pattern *)(void *)list->patterns.bytes;
    const size_t count = pattern_count(list);
    size_t kept = 0;

    if (count == 0)
        return;
    qsort_r(patterns, count, sizeof(*patterns), pattern_compare, list->bytes.bytes);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || pattern_compare(&patterns[kept - 1], &patterns[i], list->bytes.bytes) != 0)
            patterns[kept++] = patterns[i];
    }
    list->patterns.size = kept * sizeof(*patterns);
}

size_t pattern_count(const struct pattern_list *list)
{
    return list->patterns.size / sizeof(struct pattern);
}

const uint8_t *pattern_get(const struct pattern_list *list, size_t index, size_t *ret_size)
{
    const struct pattern *pattern = &((const struct pattern *)(const void *)list->patterns.bytes)[index];

    *ret_size = pattern->size;
    return list->bytes.bytes + pattern->at;
}

void pattern_reset(struct pattern_list *list)
{
    secret_reset(&list->bytes);
    secret_reset(&list->patterns);
}
