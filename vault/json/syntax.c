/* One pass, with a bit for each open bracket. */
#include "json/syntax.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

#define DEPTH_MAX 10000u

struct reader {
    const char *text;
    size_t size;
    size_t at;
    size_t depth;
    uint8_t objects[DEPTH_MAX / 8 + 1];
};

static char next(const struct reader *reader)
{
    return reader->at < reader->size ? reader->text[reader->at] : '\0';
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->size && strchr(" \t\r\n", reader->text[reader->at]) != NULL &&
           reader->text[reader->at] != '\0')
        reader->at++;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool read_digits(struct reader *reader)
{
    const size_t start = reader->at;

    while (is_digit(next(reader)))
        reader->at++;
    return reader->at > start;
}

static bool read_number(struct reader *reader)
{
    if (next(reader) == '-')
        reader->at++;
    if (next(reader) == '0')
        reader->at++;
    else if (!read_digits(reader))
        return false;
    if (next(reader) == '.') {
        reader->at++;
        if (!read_digits(reader))
            return false;
    }
    if (next(reader) == 'e' || next(reader) == 'E') {
        reader->at++;
        if (next(reader) == '+' || next(reader) == '-')
            reader->at++;
        return read_digits(reader);
    }
    return true;
}

static bool read_word(struct reader *reader)
{
    static const char *const words[] = {"null", "true", "false"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const size_t length = strlen(words[i]);

        if (reader->size - reader->at >= length && memcmp(reader->text + reader->at, words[i], length) == 0) {
            reader->at += length;
            return true;
        }
    }
    return false;
}

/* At the backslash. */
static bool read_escape(struct reader *reader)
{
    reader->at++;
    if (next(reader) == 'u') {
        reader->at++;
        for (size_t i = 0; i < 4; i++, reader->at++) {
            if (next(reader) == '\0' || strchr("0123456789abcdefABCDEF", next(reader)) == NULL)
                return false;
        }
        return true;
    }
    return next(reader) != '\0' && strchr("\"\\/bfnrt", reader->text[reader->at++]) != NULL;
}

static bool read_text(struct reader *reader)
{
    if (next(reader) != '"')
        return false;
    reader->at++;
    while (reader->at < reader->size) {
        const uint8_t byte = (uint8_t)reader->text[reader->at];
        const size_t sequence = byte < 0x80 ? 1
                                            : text_utf8_sequence((const uint8_t *)reader->text + reader->at,
                                                                 reader->size - reader->at);

        if (byte == '"') {
            reader->at++;
            return true;
        }
        if (byte < 0x20 || sequence == 0)
            return false;
        if (byte != '\\')
            reader->at += sequence;
        else if (!read_escape(reader))
            return false;
    }
    return false;
}

static bool in_object(const struct reader *reader)
{
    return (reader->objects[reader->depth / 8] >> (reader->depth % 8) & 1) != 0;
}

static bool open_bracket(struct reader *reader)
{
    const bool is_object = next(reader) == '{';
    const uint8_t bit = (uint8_t)(1u << (++reader->depth % 8));

    if (reader->depth > DEPTH_MAX)
        return false;
    if (is_object)
        reader->objects[reader->depth / 8] |= bit;
    else
        reader->objects[reader->depth / 8] &= (uint8_t)~bit;
    reader->at++;
    return true;
}

/* A member's name and its colon. */
static bool read_name(struct reader *reader, const char *member, struct syntax *syntax)
{
    const size_t start = reader->at;
    const size_t length = strlen(member);

    if (!read_text(reader))
        return false;
    if (reader->depth == 1 && reader->at - start == length + 2 &&
        memcmp(reader->text + start + 1, member, length) == 0)
        syntax->has_member = true;
    skip_blanks(reader);
    if (next(reader) != ':')
        return false;
    reader->at++;
    skip_blanks(reader);
    return true;
}

/* Up to the begin of the next value: false where the text is wrong, or, with `*ret_ended`, at its end. */
static bool read_to_value(struct reader *reader, const char *member, struct syntax *syntax, bool *ret_ended)
{
    skip_blanks(reader);
    while (reader->depth > 0 && next(reader) == (in_object(reader) ? '}' : ']')) {
        reader->depth--;
        reader->at++;
        skip_blanks(reader);
    }
    if (reader->depth == 0) {
        *ret_ended = reader->at == reader->size;
        return false;
    }
    if (next(reader) != ',')
        return false;
    reader->at++;
    skip_blanks(reader);
    return !in_object(reader) || read_name(reader, member, syntax);
}

/* At the begin of a value: reads it, or opens what it is, up to the first value in that. */
static bool read_value(struct reader *reader, const char *member, struct syntax *syntax, bool *ret_opened)
{
    const char first = next(reader);

    *ret_opened = false;
    if (first == '"')
        return read_text(reader);
    if (first != '{' && first != '[')
        return first == '-' || is_digit(first) ? read_number(reader) : read_word(reader);
    if (!open_bracket(reader))
        return false;
    skip_blanks(reader);
    *ret_opened = next(reader) != (first == '{' ? '}' : ']');
    return !*ret_opened || first == '[' || read_name(reader, member, syntax);
}

bool syntax_check(const char *text, size_t size, const char *member, struct syntax *ret_syntax)
{
    struct reader reader = {.text = text, .size = size};
    struct syntax syntax = {0};
    bool opened;
    bool ended = false;

    skip_blanks(&reader);
    syntax.is_object = next(&reader) == '{';
    do {
        if (!read_value(&reader, member, &syntax, &opened))
            return false;
    } while (opened || read_to_value(&reader, member, &syntax, &ended));
    if (ended)
        *ret_syntax = syntax;
    return ended;
}
