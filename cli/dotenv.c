/* The lines of a .env file: which reader reads them, whether all read them alike, and what no reader is
 * asked. */
#include "dotenv.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/nameset.h"
#include "base/text.h"
#include "dotenv_reader.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SHOWN_MAX 80

struct dialect {
    const char *name;
    dotenv_reader *read; /* NULL: strict, which is all of the others */
    bool takes_bom;
    bool takes_bytes; /* that are not UTF-8 */
};

static const struct dialect dialects[DOTENV_DIALECTS] = {
    [DOTENV_STRICT] = {"strict", NULL,               false, false},
    [DOTENV_NODE] = {"node",   dotenv_read_node,   true,  false},
    [DOTENV_PYTHON] = {"python", dotenv_read_python, false, false},
    [DOTENV_SHELL] = {"shell",  dotenv_read_shell,  false, true },
    [DOTENV_DOCKER] = {"docker", dotenv_read_docker, true,  false},
};

/* A parse under way. */
struct parser {
    const char *what;
    enum dotenv_dialect dialect;
    const struct dotenv_refusals *refusals; /* NULL: the first one ends the parse */
    struct failure *failure;
    const uint8_t *at;
    const uint8_t *end;
    size_t line;
    struct dotenv_reading readings[DOTENV_DIALECTS];
    size_t capacity; /* of the entries */
    struct dotenv dotenv;
};

static void parser_reset(struct parser *parser)
{
    for (size_t i = 0; i < DOTENV_DIALECTS; i++)
        secret_reset(&parser->readings[i].value);
    dotenv_reset(&parser->dotenv);
}

/* Tells of one refused line; the result is `status`. `name` is "" where there is none to show. */
__attribute__((format(printf, 5, 6))) static enum status
refuse(struct parser *parser, enum status status, size_t line, const char *name, const char *format, ...)
{
    char reason[FAILURE_SENTENCE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (parser->refusals != NULL) {
        parser->refusals->refused(parser->refusals->context, line, name, reason);
        return status;
    }
    return failure_set(parser->failure, status, "%s, line %zu: %s%s%s", parser->what, line, name,
                       name[0] != '\0' ? ": " : "", reason);
}

static enum status refuse_line(struct parser *parser, const char *reason)
{
    return refuse(parser, STATUS_INVALID, parser->line, "", "%s", reason);
}

/* A name is no secret; a line without `=` may be all secret, so nothing of it is shown. */
static void show_name(const struct dotenv_reading *reading, const uint8_t *end,
                      char shown[NAME_SHOWN_MAX + 1])
{
    const uint8_t *behind = reading->name == NULL ? end : reading->name + reading->name_size;
    size_t size = reading->name_size;

    shown[0] = '\0';
    if (behind == end || *behind != '=' || size == 0 || size > NAME_SHOWN_MAX)
        return;
    memcpy(shown, reading->name, size);
    shown[size] = '\0';
}

/* True if the line would be read alike by all if its value stood in single quotes. */
static bool quotes_would_do(const struct dotenv_reading *shell, const uint8_t *end)
{
    const uint8_t *equals = shell->name != NULL ? shell->name + shell->name_size : end;

    if (equals >= end || *equals != '=' || equals + 1 == end || dotenv_has_odd_blank(equals, end))
        return false;
    for (const uint8_t *byte = equals + 1; byte < end; byte++) {
        if (*byte == '\'' || *byte == '\\' || *byte == '#' ||
            (*byte == '$' && byte + 1 < end && byte[1] == '{'))
            return false;
    }
    return equals[1] != '"' ||
           (end - equals > 2 && memchr(equals + 2, '"', (size_t)(end - equals - 2)) == end - 1);
}

static enum status refuse_strict(struct parser *parser, const char *reason)
{
    const struct dotenv_reading *shell = &parser->readings[DOTENV_SHELL];
    char shown[NAME_SHOWN_MAX + 1];
    char takers[64] = "";
    const uint8_t *end = dotenv_line_end(parser->at, parser->end);
    bool quoted = parser->readings[DOTENV_NODE].quoted || shell->quoted;

    for (enum dotenv_dialect i = DOTENV_NODE; i <= DOTENV_DOCKER; i++) {
        if (parser->readings[i].reason != NULL || (i == DOTENV_DOCKER && quoted))
            continue;
        strncat(takers, takers[0] != '\0' ? ", " : "", sizeof(takers) - strlen(takers) - 1);
        strncat(takers, dialects[i].name, sizeof(takers) - strlen(takers) - 1);
    }
    show_name(shell, parser->end, shown);
    return refuse(parser, STATUS_INVALID, parser->line, shown, "%s%s%s%s%s", reason,
                  quotes_would_do(shell, end) ? "; in '...' all would read it alike" : "",
                  takers[0] != '\0' ? "; --dialect " : "", takers, takers[0] != '\0' ? " would take it" : "");
}

/* ---- strict ---- */

static bool alike(const struct dotenv_reading *a, const struct dotenv_reading *b)
{
    return a->next == b->next && a->name == b->name && a->name_size == b->name_size &&
           a->value.size == b->value.size &&
           (a->value.size == 0 || memcmp(a->value.bytes, b->value.bytes, a->value.size) == 0);
}

static const char *difference(const uint8_t *at, const uint8_t *end)
{
    if (memchr(at, '\\', (size_t)(end - at)) != NULL)
        return "the readers undo different escapes of a backslash";
    if (memchr(at, '#', (size_t)(end - at)) != NULL)
        return "the readers differ on where a comment begins behind an unquoted value";
    if (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        return "docker keeps blanks at the end of an unquoted value, the others do not";
    return "the readers differ on its value";
}

/* All four read the line; what they make of it is compared. */
static enum status read_strict(struct parser *parser)
{
    static const enum dotenv_dialect order[] = {DOTENV_SHELL, DOTENV_PYTHON, DOTENV_NODE};
    const struct dotenv_reading *shell = &parser->readings[DOTENV_SHELL];
    const struct dotenv_reading *docker = &parser->readings[DOTENV_DOCKER];
    bool same;

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (parser->readings[order[i]].reason != NULL)
            return refuse_strict(parser, parser->readings[order[i]].reason);
    }
    same = alike(shell, &parser->readings[DOTENV_NODE]) && alike(shell, &parser->readings[DOTENV_PYTHON]);
    if (!shell->quoted && docker->reason == NULL)
        same = same && alike(shell, docker);
    if (!same)
        return refuse_strict(parser, difference(parser->at, dotenv_line_end(parser->at, parser->end)));
    if (shell->quoted && parser->dotenv.quoted_line == 0)
        parser->dotenv.quoted_line = parser->line;
    return STATUS_OK;
}

/* ---- entries ---- */

static bool make_room(struct parser *parser)
{
    struct dotenv_entry *entries;
    size_t capacity = parser->capacity > 0 ? 2 * parser->capacity : 64;

    if (parser->dotenv.count < parser->capacity)
        return true;
    entries = reallocarray(parser->dotenv.entries, capacity, sizeof(*entries));
    if (entries == NULL)
        return false;
    parser->dotenv.entries = entries;
    parser->capacity = capacity;
    return true;
}

/* The text never moves: name, `=`, value and newline were at least as long as what is kept of them. */
static const char *keep(struct secret *text, const uint8_t *bytes, size_t size)
{
    const char *kept = (const char *)text->bytes + text->size;

    return secret_append(text, bytes, size) && secret_append_byte(text, '\0') ? kept : NULL;
}

static enum status add_entry(struct parser *parser, const struct dotenv_reading *reading)
{
    struct secret *text = &parser->dotenv.text;
    struct dotenv_entry entry = {.value_size = reading->value.size, .line = parser->line};

    if (reading->name_size > NAME_VARIABLE_MAX)
        return refuse(parser, STATUS_TOO_LARGE, parser->line, "", "the name is longer than %d bytes",
                      NAME_VARIABLE_MAX);
    entry.name = keep(text, reading->name, reading->name_size);
    if (reading->value.size > NAME_VALUE_MAX)
        return refuse(parser, STATUS_TOO_LARGE, parser->line, "",
                      "the value of %s is larger than 64 KiB (%d bytes)", entry.name, NAME_VALUE_MAX);
    entry.value = keep(text, reading->value.bytes, reading->value.size);
    if (!make_room(parser))
        return failure_set_no_memory(parser->failure);
    parser->dotenv.entries[parser->dotenv.count++] = entry;
    return STATUS_OK;
}

static void run_reader(struct parser *parser, enum dotenv_dialect dialect)
{
    struct dotenv_reading *reading = &parser->readings[dialect];

    *reading = (struct dotenv_reading){.value = reading->value, .next = parser->at};
    reading->value.size = 0;
    dialects[dialect].read(parser->at, parser->end, reading);
}

/* Goes on at the beginning of a line, or at the end. */
static void advance(struct parser *parser, const uint8_t *next)
{
    for (const uint8_t *at = parser->at; at < next; at++) {
        at = dotenv_line_end(at, next);
        parser->line += at < next;
    }
    parser->at = next;
}

/* Goes on behind a refused line, or behind all the lines that it has to a reader that takes it, since what
 * follows its first one would be refused for no reason of its own. */
static void pass_refused(struct parser *parser)
{
    const uint8_t *next = dotenv_line_end(parser->at, parser->end);

    next += next < parser->end;
    for (size_t i = 0; i < DOTENV_DIALECTS; i++) {
        const struct dotenv_reading *reading = &parser->readings[i];

        if (reading->reason == NULL && reading->next != NULL && reading->next > next)
            next = reading->next;
    }
    advance(parser, next);
}

static enum status read_assignment(struct parser *parser)
{
    const struct dotenv_reading *reading = &parser->readings[parser->dialect];
    enum status status = STATUS_OK;

    if (parser->dialect == DOTENV_STRICT) {
        for (enum dotenv_dialect i = DOTENV_NODE; i <= DOTENV_DOCKER; i++)
            run_reader(parser, i);
        status = read_strict(parser);
        reading = &parser->readings[DOTENV_SHELL];
    } else {
        run_reader(parser, parser->dialect);
        if (reading->reason != NULL)
            status = refuse_line(parser, reading->reason);
    }
    if (status == STATUS_OK)
        status = add_entry(parser, reading);
    if (status != STATUS_OK)
        return status;
    advance(parser, reading->next);
    return STATUS_OK;
}

/* ---- lines ---- */

/* Takes a blank line or a comment; `*ret_taken` says whether there was one. */
static enum status skip_line(struct parser *parser, bool *ret_taken)
{
    const uint8_t *at = parser->at;
    const uint8_t *stop = dotenv_line_end(at, parser->end);
    bool plain = parser->dialect == DOTENV_SHELL || parser->dialect == DOTENV_DOCKER;
    bool ends_crlf =
        stop > at && stop[-1] == '\r' && (stop < parser->end || parser->dialect == DOTENV_DOCKER);

    while (at < stop && (*at == ' ' || *at == '\t'))
        at++;
    *ret_taken = at == stop || *at == '#' || (at + 1 == stop && ends_crlf);
    if (!*ret_taken) {
        parser->at = at;
        return STATUS_OK;
    }
    /* Some end a comment at these, so that what hides behind one is a line to them. */
    if (!plain && dotenv_has_odd_blank(at, stop - ends_crlf))
        return refuse_line(parser, "a control character or a blank of Unicode in a comment");
    if (ends_crlf && (parser->dialect == DOTENV_STRICT || (parser->dialect == DOTENV_SHELL && *at != '#')))
        return refuse_line(parser, "a shell keeps a carriage return as part of the line");
    parser->at = stop < parser->end ? stop + 1 : stop;
    parser->line++;
    return STATUS_OK;
}

static enum status check_bytes(struct parser *parser)
{
    const struct dialect *dialect = &dialects[parser->dialect];
    size_t size = (size_t)(parser->end - parser->at);
    const uint8_t *at = parser->at;

    if (size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        if (!dialect->takes_bom)
            return refuse_line(
                parser, "a byte order mark, which python-dotenv and a shell take for part of the line");
        parser->at += 3;
    }
    if (size == 0 || text_is_utf8(at, size) || (dialect->takes_bytes && memchr(at, '\0', size) == NULL))
        return STATUS_OK;
    while (at < parser->end) {
        size_t sequence = *at == '\0' ? 0 : text_utf8_sequence(at, (size_t)(parser->end - at));

        if (sequence == 0 && (*at == '\0' || !dialect->takes_bytes))
            break;
        parser->line += *at == '\n';
        at += sequence > 0 ? sequence : 1;
    }
    return refuse_line(parser,
                       *at == '\0' ? "a NUL byte, which no variable can hold" : "bytes that are not UTF-8");
}

/* ---- names that are set twice ---- */

/* All readers let the last one win, without a word. A vault holds one value of a name, so one of the two
 * would be lost in an import; which one was meant, only its owner knows. */
static enum status settle_repeated(struct parser *parser)
{
    CLEANUP(nameset_reset) struct nameset names = {0};
    struct dotenv *dotenv = &parser->dotenv;
    const bool refuses = parser->dialect == DOTENV_STRICT;
    size_t kept = 0;

    for (size_t i = 0; i < dotenv->count; i++) {
        const struct dotenv_entry entry = dotenv->entries[i];
        const size_t before = names.count;
        struct dotenv_entry *first;
        size_t number;

        if (!nameset_add(&names, entry.name, strlen(entry.name), &number))
            return failure_set_no_memory(parser->failure);
        first = &dotenv->entries[number];
        if (names.count > before || !refuses) {
            *first = entry;
            continue;
        }
        enum status status = refuse(parser, STATUS_INVALID, entry.line, "",
                                    "%s is set again, after line %zu; with --dialect the last one counts",
                                    entry.name, first->line);
        if (parser->refusals == NULL)
            return status;
        first->value = NULL; /* nor is the first one meant for sure */
    }
    if (!refuses)
        dotenv->repeated = dotenv->count - names.count;
    for (size_t i = 0; i < names.count; i++) {
        if (dotenv->entries[i].value != NULL)
            dotenv->entries[kept++] = dotenv->entries[i];
    }
    dotenv->count = kept;
    return STATUS_OK;
}

/* ---- the file ---- */

enum status dotenv_parse(const void *bytes, size_t size, const char *what, enum dotenv_dialect dialect,
                         const struct dotenv_refusals *refusals, struct failure *failure,
                         struct dotenv *ret_dotenv)
{
    CLEANUP(parser_reset)
    struct parser parser = {
        .what = what, .dialect = dialect, .refusals = refusals, .failure = failure, .at = bytes, .line = 1};
    enum status status = STATUS_OK;

    if (size > DOTENV_SIZE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "%s is larger than %u bytes", what, DOTENV_SIZE_MAX);
    if (!secret_reserve(&parser.dotenv.text, size + 2))
        return failure_set_no_memory(failure);
    parser.end = parser.at + size;
    parser.refusals = NULL; /* of bytes that no line can be told from */
    status = check_bytes(&parser);
    parser.refusals = refusals;
    while (status == STATUS_OK && parser.at < parser.end) {
        bool taken = false;

        status = skip_line(&parser, &taken);
        if (status == STATUS_OK && !taken)
            status = read_assignment(&parser);
        if (refusals != NULL && (status == STATUS_INVALID || status == STATUS_TOO_LARGE)) {
            pass_refused(&parser);
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK)
        status = settle_repeated(&parser);
    if (status != STATUS_OK)
        return status;
    *ret_dotenv = parser.dotenv;
    parser.dotenv = (struct dotenv){0};
    return STATUS_OK;
}

void dotenv_reset(struct dotenv *dotenv)
{
    free(dotenv->entries);
    secret_reset(&dotenv->text);
    *dotenv = (struct dotenv){0};
}

enum status dotenv_dialect_named(const char *name, struct failure *failure, enum dotenv_dialect *ret_dialect)
{
    for (enum dotenv_dialect i = 0; i < DOTENV_DIALECTS; i++) {
        if (strcmp(dialects[i].name, name) == 0) {
            *ret_dialect = i;
            return STATUS_OK;
        }
    }
    return failure_set(failure, STATUS_USAGE, "--dialect wants strict, node, python, shell or docker");
}

const char *dotenv_dialect_name(enum dotenv_dialect dialect)
{
    return dialects[dialect].name;
}
