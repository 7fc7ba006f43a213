/* A JSON text is read token by token, and what is not a string or number in which a value stands goes out as
 * it came in. What the tokens may be in which order is a stack of open brackets and one expectation. */
#include "code/mask.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "code/stream.h"

#include <string.h>

#define DEPTH_MAX 10000u
#define PIECE ((size_t)16 * 1024) /* of a string, at a time */

enum expected {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,  /* behind `[` */
    EXPECT_MEMBER,        /* a name, behind a comma */
    EXPECT_MEMBER_OR_END, /* behind `{` */
    EXPECT_COLON,
    EXPECT_NEXT, /* a comma or the end of what is open */
};

struct lexer {
    const struct mask *mask;
    const uint8_t *text;
    size_t size;
    size_t at;
    size_t copied; /* what is before this place was appended */
    struct secret *destination;
    struct secret plain;   /* a string without its escapes */
    struct stream *stream; /* for all strings, as it can be large; NULL: none had a value in it yet */
    struct secret scrubbed;
    enum expected expected;
    size_t depth;
    uint8_t objects[DEPTH_MAX / 8 + 1]; /* a bit for each open bracket: it is one of an object */
};

static bool value_stands_in(const struct mask *mask, const uint8_t *bytes, size_t size)
{
    uint32_t state = 0;
    size_t position = 0;

    return finder_next(mask_finder(mask), bytes, size, &state, &position) > 0;
}

static enum status not_json(struct failure *failure, const struct lexer *lexer)
{
    return failure_set(failure, STATUS_INVALID, "the text is not JSON from byte %zu on", lexer->at);
}

/* ---- strings ---- */

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The four digits behind `\u`. */
static bool read_unit(const struct lexer *lexer, size_t at, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (lexer->size - at < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        const int digit = hex_digit(lexer->text[at + i]);

        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
    }
    *ret_unit = unit;
    return true;
}

/* As UTF-8; half of a surrogate pair as the three bytes that its number would have. */
static bool append_point(struct secret *plain, uint32_t point)
{
    const uint8_t last = (uint8_t)(0x80 | (point & 0x3f));
    const uint8_t third = (uint8_t)(0x80 | (point >> 6 & 0x3f));

    if (point < 0x80)
        return secret_append_byte(plain, (uint8_t)point);
    if (point < 0x800)
        return secret_append(plain, (const uint8_t[]){(uint8_t)(0xc0 | point >> 6), last}, 2);
    if (point < 0x10000)
        return secret_append(plain, (const uint8_t[]){(uint8_t)(0xe0 | point >> 12), third, last}, 3);
    return secret_append(
        plain,
        (const uint8_t[]){(uint8_t)(0xf0 | point >> 18), (uint8_t)(0x80 | (point >> 12 & 0x3f)), third, last},
        4);
}

/* At the backslash; STATUS_NO_MEMORY or STATUS_INVALID without a sentence. */
static enum status read_escape(struct lexer *lexer)
{
    static const char NAMED[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const uint8_t byte = lexer->at + 1 < lexer->size ? lexer->text[lexer->at + 1] : 0;
    uint32_t unit, low;

    for (const char *pair = NAMED; *pair != '\0'; pair += 2) {
        if (byte == (uint8_t)pair[0]) {
            lexer->at += 2;
            return secret_append_byte(&lexer->plain, (uint8_t)pair[1]) ? STATUS_OK : STATUS_NO_MEMORY;
        }
    }
    if (byte != 'u' || !read_unit(lexer, lexer->at + 2, &unit))
        return STATUS_INVALID;
    lexer->at += 6;
    if (unit >> 10 == 0x36 && lexer->size - lexer->at >= 2 &&
        memcmp(lexer->text + lexer->at, "\\u", 2) == 0 && read_unit(lexer, lexer->at + 2, &low) &&
        low >> 10 == 0x37) {
        unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
        lexer->at += 6;
    }
    return append_point(&lexer->plain, unit) ? STATUS_OK : STATUS_NO_MEMORY;
}

/* secret_clear wipes all the room, and one long string would make each short one behind it cost as much. */
static void plain_empty(struct secret *plain)
{
    secret_wipe(plain->bytes, plain->size);
    plain->size = 0;
}

/* Reads up to the closing quote, into lexer->plain. */
static enum status read_string(struct lexer *lexer)
{
    enum status status = STATUS_OK;

    plain_empty(&lexer->plain);
    for (lexer->at++; status == STATUS_OK && lexer->at < lexer->size;) {
        const size_t start = lexer->at;
        size_t sequence = 1;

        while (lexer->at < lexer->size && lexer->text[lexer->at] >= 0x20 && lexer->text[lexer->at] != '"' &&
               lexer->text[lexer->at] != '\\' && sequence > 0) {
            sequence = lexer->text[lexer->at] < 0x80
                           ? 1
                           : text_utf8_sequence(lexer->text + lexer->at, lexer->size - lexer->at);
            lexer->at += sequence;
        }
        if (!secret_append(&lexer->plain, lexer->text + start, lexer->at - start))
            return STATUS_NO_MEMORY;
        if (lexer->at == lexer->size || sequence == 0 || lexer->text[lexer->at] < 0x20)
            return STATUS_INVALID;
        if (lexer->text[lexer->at] == '"') {
            lexer->at++;
            return STATUS_OK;
        }
        status = read_escape(lexer);
    }
    return status == STATUS_OK ? STATUS_INVALID : status;
}

/* The whole text that is UTF-8, but for the halves of pairs, as append_point has them, and for bytes around
 * what was scrubbed out of the middle of a character. */
static bool append_string(struct secret *destination, const struct secret *plain)
{
    CLEANUP(secret_reset) struct secret part = {0};
    size_t start = 0;
    bool right = secret_append_byte(destination, '"');

    for (size_t at = 0, sequence; right && at <= plain->size; at += sequence) {
        sequence = at < plain->size ? text_utf8_sequence(plain->bytes + at, plain->size - at) : 0;
        if (sequence == 0 && at < plain->size && plain->bytes[at] == '\0')
            sequence = 1;
        if (sequence > 0)
            continue;
        plain_empty(&part);
        right = text_append_json(&part, plain->bytes + start, at - start) &&
                secret_append(destination, part.bytes + 1, part.size - 2);
        if (right && at < plain->size) {
            const uint8_t *bytes = plain->bytes + at;
            const bool half = plain->size - at >= 3 && bytes[0] == 0xed && (bytes[1] & 0xe0) == 0xa0 &&
                              (bytes[2] & 0xc0) == 0x80;

            right =
                secret_append_format(destination, "\\u%04x",
                                     half ? 0xd000u | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu) : 0xfffdu);
            sequence = half ? 3 : 1;
            start = at + sequence;
        } else {
            sequence = 1;
        }
    }
    return right && secret_append_byte(destination, '"');
}

/* Appends what was copied so far up to `start`, and instead of what is from there up to the lexer's place the
 * string `plain`. */
static bool replace_token(struct lexer *lexer, size_t start, const struct secret *plain)
{
    if (!secret_append(lexer->destination, lexer->text + lexer->copied, start - lexer->copied) ||
        !append_string(lexer->destination, plain))
        return false;
    lexer->copied = lexer->at;
    return true;
}

static bool scrub_plain(struct lexer *lexer)
{
    if (lexer->stream == NULL)
        lexer->stream = stream_make(mask_finder(lexer->mask), PIECE);
    plain_empty(&lexer->scrubbed);
    return lexer->stream != NULL &&
           stream_scrub(lexer->stream, lexer->plain.bytes, lexer->plain.size, &lexer->scrubbed);
}

static enum status scrub_string(struct lexer *lexer, struct failure *failure)
{
    const size_t start = lexer->at;
    const enum status status = read_string(lexer);

    if (status == STATUS_INVALID)
        return not_json(failure, lexer);
    if (status != STATUS_OK)
        return failure_set_no_memory(failure);
    if (!value_stands_in(lexer->mask, lexer->plain.bytes, lexer->plain.size))
        return STATUS_OK;
    return scrub_plain(lexer) && replace_token(lexer, start, &lexer->scrubbed)
               ? STATUS_OK
               : failure_set_no_memory(failure);
}

/* ---- numbers and words ---- */

static size_t digits_skip(struct lexer *lexer)
{
    const size_t start = lexer->at;

    while (lexer->at < lexer->size && lexer->text[lexer->at] >= '0' && lexer->text[lexer->at] <= '9')
        lexer->at++;
    return lexer->at - start;
}

static bool byte_skip(struct lexer *lexer, const char *set)
{
    if (lexer->at == lexer->size || lexer->text[lexer->at] == '\0' ||
        strchr(set, lexer->text[lexer->at]) == NULL)
        return false;
    lexer->at++;
    return true;
}

static bool read_number(struct lexer *lexer)
{
    byte_skip(lexer, "-");
    if (!byte_skip(lexer, "0") && digits_skip(lexer) == 0)
        return false;
    if (byte_skip(lexer, ".") && digits_skip(lexer) == 0)
        return false;
    if (!byte_skip(lexer, "eE"))
        return true;
    byte_skip(lexer, "+-");
    return digits_skip(lexer) > 0;
}

static enum status scrub_number(struct lexer *lexer, struct failure *failure)
{
    const size_t start = lexer->at;

    if (!read_number(lexer))
        return not_json(failure, lexer);
    if (!value_stands_in(lexer->mask, lexer->text + start, lexer->at - start))
        return STATUS_OK;
    plain_empty(&lexer->scrubbed);
    return secret_append_text(&lexer->scrubbed, MASK_TEXT) && replace_token(lexer, start, &lexer->scrubbed)
               ? STATUS_OK
               : failure_set_no_memory(failure);
}

static bool read_word(struct lexer *lexer)
{
    static const char *const WORDS[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        const size_t length = strlen(WORDS[i]);

        if (lexer->size - lexer->at >= length && memcmp(lexer->text + lexer->at, WORDS[i], length) == 0) {
            lexer->at += length;
            return true;
        }
    }
    return false;
}

/* ---- the whole ---- */

static bool in_object(const struct lexer *lexer)
{
    const size_t top = lexer->depth - 1;

    return lexer->depth > 0 && lexer->objects[top / 8] >> top % 8 & 1;
}

static bool open_bracket(struct lexer *lexer, bool object)
{
    const uint8_t bit = (uint8_t)(1u << lexer->depth % 8);

    if (lexer->depth == DEPTH_MAX)
        return false;
    lexer->objects[lexer->depth / 8] &= (uint8_t)~bit;
    lexer->objects[lexer->depth / 8] |= object ? bit : 0;
    lexer->depth++;
    lexer->at++;
    lexer->expected = object ? EXPECT_MEMBER_OR_END : EXPECT_VALUE_OR_END;
    return true;
}

static enum status read_value(struct lexer *lexer, struct failure *failure)
{
    const uint8_t byte = lexer->text[lexer->at];

    if (byte == '{' || byte == '[')
        return open_bracket(lexer, byte == '{') ? STATUS_OK : not_json(failure, lexer);
    lexer->expected = EXPECT_NEXT;
    if (byte == '"')
        return scrub_string(lexer, failure);
    if (byte == '-' || (byte >= '0' && byte <= '9'))
        return scrub_number(lexer, failure);
    return read_word(lexer) ? STATUS_OK : not_json(failure, lexer);
}

static bool read_close(struct lexer *lexer)
{
    if (lexer->depth == 0 || lexer->text[lexer->at] != (in_object(lexer) ? '}' : ']'))
        return false;
    lexer->depth--;
    lexer->at++;
    lexer->expected = EXPECT_NEXT;
    return true;
}

/* One token, which is no blank. */
static enum status read_token(struct lexer *lexer, struct failure *failure)
{
    const enum expected expected = lexer->expected;
    bool right = false;

    if (expected != EXPECT_VALUE && expected != EXPECT_MEMBER && expected != EXPECT_COLON &&
        read_close(lexer))
        return STATUS_OK;
    if (expected == EXPECT_VALUE || expected == EXPECT_VALUE_OR_END)
        return read_value(lexer, failure);
    if (expected == EXPECT_COLON) {
        lexer->expected = EXPECT_VALUE;
        right = byte_skip(lexer, ":");
    } else if (expected == EXPECT_NEXT) {
        lexer->expected = in_object(lexer) ? EXPECT_MEMBER : EXPECT_VALUE;
        right = lexer->depth > 0 && byte_skip(lexer, ",");
    } else if (lexer->text[lexer->at] == '"') {
        lexer->expected = EXPECT_COLON;
        return scrub_string(lexer, failure);
    }
    return right ? STATUS_OK : not_json(failure, lexer);
}

static enum status scrub_text(struct lexer *lexer, struct failure *failure)
{
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        while (byte_skip(lexer, " \t\r\n"))
            ;
        if (lexer->at == lexer->size)
            break;
        status = read_token(lexer, failure);
    }
    if (status == STATUS_OK && (lexer->expected != EXPECT_NEXT || lexer->depth > 0))
        status = not_json(failure, lexer);
    if (status == STATUS_OK &&
        !secret_append(lexer->destination, lexer->text + lexer->copied, lexer->size - lexer->copied))
        status = failure_set_no_memory(failure);
    return status;
}

enum status mask_json(const struct mask *mask, const void *text, size_t size, struct failure *failure,
                      struct secret *destination)
{
    struct lexer lexer = {.mask = mask, .text = text, .size = size, .destination = destination};
    const size_t before = destination->size;
    const enum status status = scrub_text(&lexer, failure);

    stream_freep(&lexer.stream);
    secret_reset(&lexer.plain);
    secret_reset(&lexer.scrubbed);
    if (status != STATUS_OK)
        destination->size = before;
    return status;
}
