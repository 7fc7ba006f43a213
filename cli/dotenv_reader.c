/* The four readers, each after the code of the real one: npm dotenv's one regular expression, python-dotenv's
 * parser and its expansion, the shell command language of POSIX, and docker's kvfile. */
#include "dotenv_reader.h"

#include <string.h>

static const char no_memory[] = "there is not enough memory for it";
static const char not_closed[] = "its quote is not closed";
static const char behind_quote[] = "something stands behind its closing quote";
static const char odd_blank[] =
    "a control character or a blank of Unicode stands outside of quotes, where readers "
    "differ on what is a blank";
static const char carriage_return[] = "a carriage return that ends no line";
static const char braces[] = "python-dotenv expands ${, even in single quotes";

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static bool is_name_byte(uint8_t byte, bool first)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_' ||
           (!first && byte >= '0' && byte <= '9');
}

const uint8_t *dotenv_line_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

    return newline != NULL ? newline : end;
}

bool dotenv_has_odd_blank(const uint8_t *at, const uint8_t *end)
{
    static const char *const blanks[] = {
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe1\xa0\x8e", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf",
    };

    for (; at < end; at++) {
        size_t left = (size_t)(end - at);

        if ((*at < 0x20 && *at != '\t') || *at == 0x7f)
            return true;
        if (*at < 0xc2)
            continue;
        if (left >= 3 && memcmp(at, "\xe2\x80", 2) == 0 && at[2] >= 0x80 && at[2] <= 0x8a)
            return true;
        for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++) {
            if (strlen(blanks[i]) <= left && memcmp(at, blanks[i], strlen(blanks[i])) == 0)
                return true;
        }
    }
    return false;
}

static bool holds(const uint8_t *at, const uint8_t *end, const char *part)
{
    return at < end && memmem(at, (size_t)(end - at), part, strlen(part)) != NULL;
}

/* Takes a span into the value. */
static void take(struct dotenv_reading *reading, const uint8_t *at, const uint8_t *end)
{
    if (end > at && !secret_append(&reading->value, at, (size_t)(end - at)))
        reading->reason = no_memory;
}

static void take_byte(struct dotenv_reading *reading, uint8_t byte)
{
    take(reading, &byte, &byte + 1);
}

static const uint8_t *refuse(struct dotenv_reading *reading, const char *reason)
{
    reading->reason = reason;
    return NULL;
}

/* Reads `export ` and the name, and gives what stands behind it; NULL if there is no name. */
static const uint8_t *read_name(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading,
                                bool *ret_export)
{
    const uint8_t *start = at;

    *ret_export = end - at > 6 && memcmp(at, "export", 6) == 0 && is_blank(at[6]);
    if (*ret_export)
        start = skip_blanks(at + 6, end);
    for (at = start; at < end && is_name_byte(*at, at == start); at++)
        ;
    reading->name = start;
    reading->name_size = (size_t)(at - start);
    if (at == start)
        return refuse(reading, "it does not begin with the name of a variable");
    return at;
}

/* Why what stands behind the name is no `=`. */
static const char *no_equals(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *stop = dotenv_line_end(at, end);

    return at < stop && memchr(at, '=', (size_t)(stop - at)) != NULL
               ? "its name has more in it than letters, digits and _"
               : "no = follows its name";
}

/* Reads a name, `=` with blanks around it, and the blanks behind. */
static const uint8_t *read_loose_name(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    bool exports;

    at = read_name(at, end, reading, &exports);
    if (at == NULL)
        return NULL;
    at = skip_blanks(at, end);
    if (at == end || *at != '=')
        return refuse(reading, no_equals(at, end));
    return skip_blanks(at + 1, end);
}

/* The end of a line's text: before its newline, and before a carriage return that belongs to that. */
static const uint8_t *text_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *stop = dotenv_line_end(at, end);

    return stop > at && stop < end && stop[-1] == '\r' ? stop - 1 : stop;
}

static const uint8_t *line_after(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *stop = dotenv_line_end(at, end);

    return stop < end ? stop + 1 : end;
}

/* ---- what node's and python's have in common ---- */

/* The closing quote, where the quote behind a backslash is none, of the one at `at`; NULL if there is none.
 * Both readers search for this one first, and only when it fails for one behind a backslash. */
static const uint8_t *closing_quote(const uint8_t *at, const uint8_t *end)
{
    uint8_t quote = *at++;

    for (; at < end && *at != quote; at++) {
        if (*at == '\\' && at + 1 < end && at[1] == quote)
            at++;
    }
    return at < end ? at : NULL;
}

/* Checks what follows the closing quote: blanks, a comment, the end of the line. */
static bool ends_quoted(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *stop = text_end(at, end);

    reading->next = line_after(at, end);
    if (dotenv_has_odd_blank(at, stop))
        reading->reason = odd_blank;
    at = skip_blanks(at, stop);
    if (at < stop && *at != '#')
        reading->reason = behind_quote;
    return reading->reason == NULL;
}

/* Takes quoted text in which both readers see `\r\n` as `\n`, undoing the escapes of one of `escapes`; each
 * of these stands for the byte at the same place of `bytes`. */
static void take_quoted(const uint8_t *at, const uint8_t *end, const char *escapes, const char *bytes,
                        struct dotenv_reading *reading)
{
    const uint8_t *from = at;

    reading->quoted = true;
    while (at < end && reading->reason == NULL) {
        const char *found = *at == '\\' && at + 1 < end ? strchr(escapes, at[1]) : NULL;

        if (*at == '\r' && (at + 1 == end || at[1] != '\n')) {
            reading->reason = carriage_return;
        } else if (*at == '\r') {
            take(reading, from, at);
            from = ++at;
        } else if (found != NULL) {
            take(reading, from, at);
            take_byte(reading, (uint8_t)bytes[found - escapes]);
            from = at += 2;
        } else {
            at++;
        }
    }
    take(reading, from, end);
}

/* ---- node ---- */

/* `:` and blanks are as good as `=` to it. */
static const uint8_t *read_node_name(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    bool exports;
    const uint8_t *behind = read_name(at, end, reading, &exports);

    if (behind == NULL || behind == end || *behind != ':')
        return behind == NULL ? NULL : read_loose_name(at, end, reading);
    at = skip_blanks(behind + 1, end);
    if (at == behind + 1 || at == end || *at == '\r' || *at == '\n' || *at == '#')
        return refuse(reading, "neither = nor : and a value follow its name");
    return at;
}

void dotenv_read_node(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *stop;

    at = read_node_name(at, end, reading);
    if (at == NULL)
        return;
    if (at < end && (*at == '\'' || *at == '"' || *at == '`')) {
        const uint8_t *close = closing_quote(at, end);

        if (close == NULL)
            reading->reason = not_closed;
        else if (ends_quoted(close + 1, end, reading))
            take_quoted(at + 1, close, *at == '"' ? "nr" : "", "\n\r", reading);
        return;
    }
    stop = text_end(at, end);
    reading->next = line_after(at, end);
    if (dotenv_has_odd_blank(at, stop)) {
        reading->reason = odd_blank;
        return;
    }
    if (memchr(at, '#', (size_t)(stop - at)) != NULL)
        stop = memchr(at, '#', (size_t)(stop - at));
    while (stop > at && is_blank(stop[-1]))
        stop--;
    take(reading, at, stop);
}

/* ---- python ---- */

void dotenv_read_python(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *stop;

    at = read_loose_name(at, end, reading);
    if (at == NULL)
        return;
    if (at < end && (*at == '\'' || *at == '"')) {
        const uint8_t *close = closing_quote(at, end);

        if (close == NULL)
            reading->reason = not_closed;
        else if (holds(at, close, "${"))
            reading->reason = braces;
        else if (ends_quoted(close + 1, end, reading))
            take_quoted(at + 1, close, *at == '"' ? "\\'\"abfnrtv" : "\\'",
                        *at == '"' ? "\\'\"\a\b\f\n\r\t\v" : "\\'", reading);
        return;
    }
    stop = text_end(at, end);
    reading->next = line_after(at, end);
    if (dotenv_has_odd_blank(at, stop) || holds(at, stop, "${")) {
        reading->reason = holds(at, stop, "${") ? braces : odd_blank;
        return;
    }
    for (const uint8_t *hash = at + 1; hash < stop; hash++) {
        if (*hash == '#' && is_blank(hash[-1]))
            stop = hash;
    }
    while (stop > at && is_blank(stop[-1]))
        stop--;
    take(reading, at, stop);
}

/* ---- shell ---- */

/* Reads behind the opening single quote; gives what follows the closing one. */
static const uint8_t *read_single(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *close = at < end ? memchr(at, '\'', (size_t)(end - at)) : NULL;

    if (close == NULL)
        return refuse(reading, not_closed);
    take(reading, at, close);
    return close + 1;
}

static const uint8_t *read_double(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *from = at;

    for (; at < end && *at != '"'; at++) {
        if (*at == '$')
            return refuse(reading, "a shell expands $ in double quotes");
        if (*at == '`')
            return refuse(reading, "a shell runs what stands in backquotes, in double quotes, too");
        if (*at != '\\' || at + 1 == end || strchr("$`\"\\\n", at[1]) == NULL)
            continue;
        take(reading, from, at++);
        from = *at == '\n' ? at + 1 : at;
    }
    if (at == end)
        return refuse(reading, not_closed);
    take(reading, from, at);
    return at + 1;
}

/* Why a shell does not take the unquoted byte at `at` as it stands, or NULL. */
static const char *shell_reason(const uint8_t *at, const uint8_t *start, bool exports)
{
    if (is_name_byte(*at, false))
        return NULL;
    if (*at == '$')
        return "a shell expands $";
    if (*at == '`')
        return "a shell runs what stands in backquotes";
    if (*at == '\r')
        return "a shell keeps a carriage return as part of the value";
    if (strchr("&;|<>()", *at) != NULL)
        return "a shell takes one of & ; | < > ( ) for an operator";
    if (*at == '~' && (at == start || at[-1] == ':'))
        return "a shell expands ~ here";
    if (exports && strchr("*?[{", *at) != NULL)
        return "a shell may expand one of * ? [ { behind export";
    return NULL;
}

static bool ends_plain(uint8_t byte)
{
    return byte == '\'' || byte == '"' || byte == '\\' || byte == '\n' || is_blank(byte);
}

/* Reads quotes, escapes and plain bytes up to the word's end. */
static const uint8_t *read_word(const uint8_t *at, const uint8_t *end, bool exports,
                                struct dotenv_reading *reading)
{
    const uint8_t *start = at;

    while (at != NULL && at < end && *at != '\n' && !is_blank(*at)) {
        reading->quoted = reading->quoted || *at == '\'' || *at == '"' || *at == '\\';
        if (*at == '\'') {
            at = read_single(at + 1, end, reading);
        } else if (*at == '"') {
            at = read_double(at + 1, end, reading);
        } else if (*at == '\\') {
            if (at + 1 == end)
                return refuse(reading, "a backslash ends it");
            if (at[1] != '\n')
                take_byte(reading, at[1]);
            at += 2;
        } else {
            const uint8_t *from = at;

            do
                reading->reason = shell_reason(at, start, exports);
            while (reading->reason == NULL && ++at < end && !ends_plain(*at));
            take(reading, from, at);
            if (reading->reason != NULL)
                return NULL;
        }
    }
    return at;
}

void dotenv_read_shell(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *stop;
    bool exports;

    at = read_name(at, end, reading, &exports);
    if (at == NULL)
        return;
    if (at == end || *at != '=') {
        reading->reason = at < end && is_blank(*at)
                              ? "a shell runs a name with a blank behind it as a command"
                              : no_equals(at, end);
        return;
    }
    at = read_word(at + 1, end, exports, reading);
    if (at == NULL)
        return;
    stop = dotenv_line_end(at, end);
    reading->next = line_after(at, end);
    at = skip_blanks(at, stop);
    if (at < stop && *at != '#')
        reading->reason = *at == '\r' ? "a shell keeps a carriage return as part of the line"
                                      : "a shell runs what follows an unquoted blank as a command";
}

/* ---- docker ---- */

#define DOCKER_LINE_MAX 65535

void dotenv_read_docker(const uint8_t *at, const uint8_t *end, struct dotenv_reading *reading)
{
    const uint8_t *stop = dotenv_line_end(at, end);
    bool exports;

    reading->next = line_after(at, end);
    /* Its scanner drops one carriage return, at the end of the file, too. */
    if (stop > at && stop[-1] == '\r')
        stop--;
    if (stop - at >= DOCKER_LINE_MAX) {
        reading->reason = "docker reads no line of 64 KiB";
        return;
    }
    at = read_name(at, stop, reading, &exports);
    if (at == NULL)
        return;
    if (exports)
        reading->reason = "docker does not know export";
    else if (at == stop)
        reading->reason = "no = follows its name, and docker takes the value from its own environment";
    else if (*at != '=')
        reading->reason = no_equals(at, end);
    else
        take(reading, at + 1, stop);
}
