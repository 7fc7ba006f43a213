/* A strict JSON scanner: values are found where they stand, nothing is built. */
#include "client/wire.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

struct cursor {
    const char *at;
    const char *end;
};

static struct cursor cursor_of(struct wire_value value)
{
    return (struct cursor){value.start, value.start + value.size};
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end &&
           (*cursor->at == ' ' || *cursor->at == '\t' || *cursor->at == '\n' || *cursor->at == '\r'))
        cursor->at++;
}

static bool take(struct cursor *cursor, char expected)
{
    if (cursor->at == cursor->end || *cursor->at != expected)
        return false;
    cursor->at++;
    return true;
}

static bool scan_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static bool scan_digits(struct cursor *cursor)
{
    const char *first = cursor->at;

    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return cursor->at > first;
}

static bool scan_number(struct cursor *cursor)
{
    take(cursor, '-');
    if (!take(cursor, '0') && !scan_digits(cursor))
        return false;
    if (take(cursor, '.') && !scan_digits(cursor))
        return false;
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '-'))
            take(cursor, '+');
        return scan_digits(cursor);
    }
    return true;
}

static bool read_unit(struct cursor *cursor, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (cursor->end - cursor->at < 4)
        return false;
    for (int digit = 0; digit < 4; digit++) {
        char byte = *cursor->at++;

        if (byte >= '0' && byte <= '9')
            unit = unit * 16 + (uint32_t)(byte - '0');
        else if ((byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F'))
            unit = unit * 16 + (uint32_t)((byte | 0x20) - 'a' + 10);
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

/* The character of the escape after a backslash. */
static bool read_escape(struct cursor *cursor, uint32_t *ret_character)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter;
    uint32_t high;
    uint32_t low;

    if (cursor->at == cursor->end || *cursor->at == '\0')
        return false;
    letter = strchr(letters, *cursor->at);
    if (letter != NULL) {
        cursor->at++;
        *ret_character = (uint32_t)meanings[letter - letters];
        return true;
    }
    if (!take(cursor, 'u') || !read_unit(cursor, &high) || (high >= 0xdc00 && high <= 0xdfff))
        return false;
    if (high < 0xd800 || high > 0xdbff) {
        *ret_character = high;
        return true;
    }
    if (!take(cursor, '\\') || !take(cursor, 'u') || !read_unit(cursor, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *ret_character = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool scan_string(struct cursor *cursor)
{
    uint32_t character;

    if (!take(cursor, '"'))
        return false;
    while (cursor->at < cursor->end) {
        unsigned char byte = (unsigned char)*cursor->at;
        size_t length = 1;

        if (byte == '"') {
            cursor->at++;
            return true;
        }
        if (byte == '\\') {
            cursor->at++;
            if (!read_escape(cursor, &character))
                return false;
            continue;
        }
        if (byte >= 0x80)
            length = text_utf8_sequence(cursor->at, (size_t)(cursor->end - cursor->at));
        if (byte < 0x20 || length == 0)
            return false;
        cursor->at += length;
    }
    return false;
}

static bool scan_value(struct cursor *cursor, unsigned depth);

/* One member or element, and what follows it; *ret_last is set where that is `close`. */
static bool scan_item(struct cursor *cursor, unsigned depth, char close, bool *ret_last)
{
    skip_blanks(cursor);
    if (close == '}') {
        if (!scan_string(cursor))
            return false;
        skip_blanks(cursor);
        if (!take(cursor, ':'))
            return false;
        skip_blanks(cursor);
    }
    if (!scan_value(cursor, depth))
        return false;
    skip_blanks(cursor);
    *ret_last = take(cursor, close);
    return *ret_last || take(cursor, ',');
}

static bool scan_container(struct cursor *cursor, unsigned depth, char close)
{
    bool last = false;

    if (depth >= WIRE_DEPTH_MAX)
        return false;
    cursor->at++;
    skip_blanks(cursor);
    if (take(cursor, close))
        return true;
    while (!last) {
        if (!scan_item(cursor, depth + 1, close, &last))
            return false;
    }
    return true;
}

/* `depth` counts the containers around the value, which bounds the recursion. */
static bool scan_value(struct cursor *cursor, unsigned depth)
{
    if (cursor->at == cursor->end)
        return false;
    switch (*cursor->at) {
    case '{':
        return scan_container(cursor, depth, '}');
    case '[':
        return scan_container(cursor, depth, ']');
    case '"':
        return scan_string(cursor);
    case 't':
        return scan_word(cursor, "true");
    case 'f':
        return scan_word(cursor, "false");
    case 'n':
        return scan_word(cursor, "null");
    default:
        return scan_number(cursor);
    }
}

bool wire_check(const char *json, size_t size)
{
    struct cursor cursor = {json, json + size};

    skip_blanks(&cursor);
    if (cursor.at == cursor.end || *cursor.at != '{' || !scan_value(&cursor, 0))
        return false;
    skip_blanks(&cursor);
    return cursor.at == cursor.end;
}

/* Scans the value at the cursor and gives its place. */
static bool read_value(struct cursor *cursor, struct wire_value *ret_value)
{
    const char *start;

    skip_blanks(cursor);
    start = cursor->at;
    if (!scan_value(cursor, 0))
        return false;
    *ret_value = (struct wire_value){start, (size_t)(cursor->at - start)};
    return true;
}

static bool value_is_null(struct wire_value value)
{
    return value.size == 4 && memcmp(value.start, "null", 4) == 0;
}

static bool key_is(struct wire_value found, const char *key)
{
    size_t length = strlen(key);

    return found.size == length + 2 && memcmp(found.start + 1, key, length) == 0 &&
           memchr(found.start, '\\', found.size) == NULL;
}

bool wire_member(struct wire_value object, const char *key, struct wire_value *ret_value)
{
    struct cursor cursor = cursor_of(object);
    struct wire_value name;
    struct wire_value value;

    skip_blanks(&cursor);
    if (!take(&cursor, '{'))
        return false;
    do {
        skip_blanks(&cursor);
        if (cursor.at == cursor.end || *cursor.at != '"' || !read_value(&cursor, &name))
            return false;
        skip_blanks(&cursor);
        if (!take(&cursor, ':') || !read_value(&cursor, &value))
            return false;
        if (key_is(name, key)) {
            if (value_is_null(value))
                return false;
            *ret_value = value;
            return true;
        }
        skip_blanks(&cursor);
    } while (take(&cursor, ','));
    return false;
}

static bool value_begins(struct wire_value value, char first)
{
    return value.size > 0 && value.start[0] == first;
}

bool wire_is_object(struct wire_value value)
{
    return value_begins(value, '{');
}

bool wire_is_array(struct wire_value value)
{
    return value_begins(value, '[');
}

bool wire_is_text(struct wire_value value)
{
    return value_begins(value, '"');
}

static size_t encode_utf8(uint32_t character, uint8_t destination[4])
{
    if (character < 0x80) {
        destination[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        destination[0] = (uint8_t)(0xc0 | character >> 6);
        destination[1] = (uint8_t)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        destination[0] = (uint8_t)(0xe0 | character >> 12);
        destination[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        destination[2] = (uint8_t)(0x80 | (character & 0x3f));
        return 3;
    }
    destination[0] = (uint8_t)(0xf0 | character >> 18);
    destination[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
    destination[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
    destination[3] = (uint8_t)(0x80 | (character & 0x3f));
    return 4;
}

/* Appends what stands between the quotes; the string was scanned before. */
static bool append_unescaped(struct cursor cursor, struct secret *destination)
{
    uint8_t bytes[4];
    uint32_t character;

    while (cursor.at < cursor.end) {
        const char *backslash = memchr(cursor.at, '\\', (size_t)(cursor.end - cursor.at));
        const char *stop = backslash != NULL ? backslash : cursor.end;
        bool done = secret_append(destination, cursor.at, (size_t)(stop - cursor.at));

        cursor.at = stop;
        if (done && backslash != NULL) {
            cursor.at++;
            done = read_escape(&cursor, &character) && character != 0 &&
                   secret_append(destination, bytes, encode_utf8(character, bytes));
        }
        if (!done)
            return false;
    }
    return true;
}

bool wire_text(struct wire_value value, struct secret *destination)
{
    struct cursor cursor = cursor_of(value);
    const size_t before = destination->size;
    bool done;

    if (!scan_string(&cursor) || cursor.at != cursor.end)
        return false;
    cursor = (struct cursor){value.start + 1, cursor.end - 1};
    done = secret_reserve(destination, value.size) && append_unescaped(cursor, destination);
    if (!done && destination->bytes != NULL) {
        secret_wipe(destination->bytes + before, destination->size - before);
        destination->size = before;
    }
    return done;
}

bool wire_element(struct wire_value array, size_t *position, struct wire_value *ret_value)
{
    struct cursor cursor = cursor_of(array);
    struct wire_value value;

    if (*position > array.size)
        return false;
    cursor.at += *position;
    skip_blanks(&cursor);
    if (!take(&cursor, *position == 0 ? '[' : ',') || !read_value(&cursor, &value))
        return false;
    *ret_value = value;
    *position = (size_t)(cursor.at - array.start);
    return true;
}

bool wire_pair(struct wire_value object, size_t *position, struct wire_value *ret_key,
               struct wire_value *ret_value)
{
    struct cursor cursor = cursor_of(object);
    struct wire_value key;
    struct wire_value value;

    if (*position > object.size)
        return false;
    cursor.at += *position;
    skip_blanks(&cursor);
    if (!take(&cursor, *position == 0 ? '{' : ',') || !read_value(&cursor, &key) || !wire_is_text(key))
        return false;
    skip_blanks(&cursor);
    if (!take(&cursor, ':') || !read_value(&cursor, &value))
        return false;
    *ret_key = key;
    *ret_value = value;
    *position = (size_t)(cursor.at - object.start);
    return true;
}

bool wire_boolean(struct wire_value value, bool *ret_boolean)
{
    struct cursor cursor = cursor_of(value);
    bool truth = scan_word(&cursor, "true");

    if ((!truth && !scan_word(&cursor, "false")) || cursor.at != cursor.end)
        return false;
    *ret_boolean = truth;
    return true;
}
