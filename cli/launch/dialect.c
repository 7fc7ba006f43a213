/* Choosing quotes for a value of a .env file.
 *
 *                     npm's dotenv                       python-dotenv
 *   '...'             nothing is undone; a \' does not   \\ and \' are undone
 *                     end it
 *   "..."             \n and \r are undone; a \" does    \\ \' \" \a \b \f \n \r \t \v are undone
 *                     not end it
 *   bare              up to the line's end or any #,     up to the line's end or a blank and #, without
 * blanks without blanks around it           around it everywhere        CR and CR LF become LF the same, as a
 * text file; ${NAME} is replaced
 *
 * So between single quotes anything stands for itself but a quote, a carriage return, and a backslash before
 * a quote or another; between double quotes there is a way to say a carriage return, but none for a double
 * quote, nor for a backslash before one of python-dotenv's letters; and bare is for one line that mixes both
 * kinds of quotes. */
#include "launch/dialect.h"

#include "base/text.h"

#include <string.h>

/* The value; the byte at [size] is a NUL. */
struct value {
    const char *bytes;
    size_t size;
};

/* python-dotenv's ${NAME} and ${NAME:-default}. */
static bool has_reference(struct value value)
{
    const char *at = value.bytes;

    while ((at = strstr(at, "${")) != NULL) {
        at += 2;
        const char *end = at + strcspn(at, "}:");
        if (*end == '}' || (strncmp(end, ":-", 2) == 0 && strchr(end, '}') != NULL))
            return true;
    }
    return false;
}

/* True if a backslash stands before one of `escaped`, or at the end, where it would be before the closing
 * quote. */
static bool has_escape(struct value value, const char *escaped)
{
    const char *at = value.bytes;

    while ((at = strchr(at, '\\')) != NULL) {
        at++;
        if (*at == '\0' || strchr(escaped, *at) != NULL)
            return true;
    }
    return false;
}

static bool fits_single(struct value value)
{
    return strpbrk(value.bytes, "'\r") == NULL && !has_escape(value, "\\'");
}

/* A carriage return becomes \r, and so counts as a backslash for the one before it. */
static bool fits_double(struct value value)
{
    return strchr(value.bytes, '"') == NULL && !has_escape(value, "\\'\"abfnrtv\r");
}

/* A byte that both readers keep at either end: no blank of Python or JavaScript is one. */
static bool is_solid(char byte)
{
    return byte > 0x20 && byte < 0x7f;
}

/* JavaScript's ^ and $ also match at U+2028 and U+2029. */
static bool fits_bare(struct value value)
{
    return value.size > 0 && strpbrk(value.bytes, "\r\n#") == NULL &&
           strchr("'\"`", value.bytes[0]) == NULL && is_solid(value.bytes[0]) &&
           is_solid(value.bytes[value.size - 1]) && strstr(value.bytes, "\xe2\x80\xa8") == NULL &&
           strstr(value.bytes, "\xe2\x80\xa9") == NULL;
}

static bool append_returns(struct secret *text, struct value value)
{
    bool done = true;

    while (done && value.size > 0) {
        const size_t plain = strcspn(value.bytes, "\r");

        done = secret_append(text, value.bytes, plain) &&
               (plain == value.size || secret_append_text(text, "\\r"));
        value.bytes += plain + (plain < value.size);
        value.size -= plain + (plain < value.size);
    }
    return done;
}

bool dialect_append_dotenv(struct secret *text, const char *bytes, size_t size, const char **ret_why)
{
    const struct value value = {bytes, size};

    *ret_why = NULL;
    if (!text_is_utf8(bytes, size)) {
        *ret_why = "is not UTF-8 text, which a .env file is";
    } else if (has_reference(value)) {
        *ret_why = "has a ${...}, which python-dotenv replaces, however it is quoted";
    } else if (fits_single(value)) {
        return secret_append_byte(text, '\'') && secret_append(text, bytes, size) &&
               secret_append_byte(text, '\'');
    } else if (fits_double(value)) {
        return secret_append_byte(text, '"') && append_returns(text, value) && secret_append_byte(text, '"');
    } else if (fits_bare(value)) {
        return secret_append(text, bytes, size);
    } else {
        *ret_why =
            "mixes quotes, backslashes or line breaks in a way that npm's dotenv and python-dotenv do not "
            "read alike in any quotes";
    }
    return false;
}
