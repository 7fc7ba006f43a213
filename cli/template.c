/* Taking a template apart, and putting it together with values. */
#include "template.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/reference.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPENING "{{"
#define CLOSING "}}"
#define INDEX_CAPACITY (2 * TEMPLATE_REFERENCES_MAX) /* so it is at most half full */
#define BUFFER_SIZE ((size_t)64 * 1024)

/* Where the parser stands. */
struct parser {
    const char *start;
    const char *end;
    const char *what;
    struct template *template;
    struct failure *failure;
};

void template_reset(struct template *template)
{
    for (size_t i = 0; i < template->reference_count; i++)
        secret_reset(&template->references[i].value);
    free(template->references);
    free(template->pieces);
    free(template->index);
    *template = (struct template){0};
}

static size_t line_of(const struct parser *parser, const char *at)
{
    size_t line = 1;

    for (const char *byte = parser->start; byte < at; byte++)
        line += *byte == '\n';
    return line;
}

static enum status refuse(const struct parser *parser, const char *at, const char *why)
{
    return failure_set(parser->failure, STATUS_INVALID, "%s, line %zu: %s", parser->what, line_of(parser, at),
                       why);
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static bool begins_with(const char *at, const char *end, const char *text)
{
    return (size_t)(end - at) >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

/* The reference behind the next opening braces that have one; NULL where no more come. */
static const char *find_reference(const char *at, const char *end, const char **ret_opening)
{
    for (; (at = memmem(at, (size_t)(end - at), OPENING, strlen(OPENING))) != NULL; at++) {
        const char *reference = skip_blanks(at + strlen(OPENING), end);

        if (begins_with(reference, end, REFERENCE_SCHEME)) {
            *ret_opening = at;
            return reference;
        }
    }
    return NULL;
}

/* ---- what was found ---- */

/* The place of a text in the index. */
static uint32_t *index_find(const struct template *template, const char *text, size_t size)
{
    size_t place = text_fnv1a(text, size) % INDEX_CAPACITY;

    for (; template->index[place] != 0; place = (place + 1) % INDEX_CAPACITY) {
        const struct template_reference *reference = &template->references[template->index[place] - 1];

        if (reference->size == size && memcmp(reference->text, text, size) == 0)
            break;
    }
    return &template->index[place];
}

static bool make_reference_room(struct template *template)
{
    struct template_reference *references;
    size_t capacity = template->reference_capacity == 0 ? 16 : template->reference_capacity * 2;

    if (template->index == NULL)
        template->index = calloc(INDEX_CAPACITY, sizeof(*template->index));
    if (template->index == NULL)
        return false;
    if (template->reference_count < template->reference_capacity)
        return true;
    references = reallocarray(template->references, capacity, sizeof(*references));
    if (references == NULL)
        return false;
    template->references = references;
    template->reference_capacity = capacity;
    return true;
}

static enum status add_reference(struct parser *parser, const char *text, size_t size, size_t *ret_reference)
{
    struct template *template = parser->template;
    uint32_t *entry;

    if (!make_reference_room(template))
        return failure_set(parser->failure, STATUS_NO_MEMORY, "not enough memory for the template");
    entry = index_find(template, text, size);
    if (*entry == 0) {
        if (template->reference_count == TEMPLATE_REFERENCES_MAX)
            return failure_set(parser->failure, STATUS_TOO_LARGE, "%s has over %u different references",
                               parser->what, TEMPLATE_REFERENCES_MAX);
        template->references[template->reference_count++] =
            (struct template_reference){.text = text, .size = size};
        *entry = (uint32_t) template->reference_count;
    }
    *ret_reference = *entry - 1;
    return STATUS_OK;
}

static void count_bare(const struct parser *parser, const char *at, size_t size)
{
    struct template *template = parser->template;
    const char *end = at + size;

    while ((at = memmem(at, (size_t)(end - at), REFERENCE_SCHEME, strlen(REFERENCE_SCHEME))) != NULL) {
        if (template->bare++ == 0)
            template->bare_line = line_of(parser, at);
        at += strlen(REFERENCE_SCHEME);
    }
}

static enum status add_piece(struct parser *parser, const char *bytes, size_t size, size_t reference)
{
    struct template *template = parser->template;

    if (template->piece_count == template->piece_capacity) {
        size_t capacity = template->piece_capacity == 0 ? 16 : template->piece_capacity * 2;
        struct template_piece *pieces = reallocarray(template->pieces, capacity, sizeof(*pieces));

        if (pieces == NULL)
            return failure_set(parser->failure, STATUS_NO_MEMORY, "not enough memory for the template");
        template->pieces = pieces;
        template->piece_capacity = capacity;
    }
    template->pieces[template->piece_count++] =
        (struct template_piece){.bytes = bytes, .size = size, .reference = reference};
    count_bare(parser, bytes, size);
    return STATUS_OK;
}

/* ---- the way through ---- */

static bool ends_reference(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '}';
}

/* Reads the reference at `at` and its closing braces; `*ret_next` is behind them. */
static enum status read_reference(struct parser *parser, const char *at, const char **ret_next,
                                  size_t *ret_reference)
{
    char text[REFERENCE_MAX + 1] = "";
    struct failure why = {.sentence = ""};
    struct reference reference;
    const char *end = at;
    const char *closing;

    while (end < parser->end && !ends_reference(*end))
        end++;
    closing = skip_blanks(end, parser->end);
    if (!begins_with(closing, parser->end, CLOSING))
        return refuse(parser, at, "the reference behind {{ is not ended by }}");
    if ((size_t)(end - at) > REFERENCE_MAX || memchr(at, '\0', (size_t)(end - at)) != NULL)
        return refuse(parser, at, "the reference is too long, or has a NUL byte");
    memcpy(text, at, (size_t)(end - at));
    if (reference_parse(text, &why, &reference) != STATUS_OK)
        return refuse(parser, at, why.sentence);
    *ret_next = closing + strlen(CLOSING);
    return add_reference(parser, at, (size_t)(end - at), ret_reference);
}

enum status template_parse(const void *bytes, size_t size, const char *what, struct failure *failure,
                           struct template *ret_template)
{
    CLEANUP(template_reset) struct template template = {0};
    struct parser parser = {.start = bytes, .what = what, .template = &template, .failure = failure};
    const char *at = bytes;
    const char *opening;
    const char *reference;
    enum status status = STATUS_OK;

    if (size == 0)
        return STATUS_OK;
    parser.end = parser.start + size;
    while (status == STATUS_OK && (reference = find_reference(at, parser.end, &opening)) != NULL) {
        const char *next = parser.end;
        size_t which = 0;

        status = read_reference(&parser, reference, &next, &which);
        if (status == STATUS_OK)
            status = add_piece(&parser, at, (size_t)(opening - at), which);
        at = next;
    }
    if (status == STATUS_OK)
        status = add_piece(&parser, at, (size_t)(parser.end - at), TEMPLATE_NO_REFERENCE);
    if (status != STATUS_OK)
        return status;
    *ret_template = template;
    template = (struct template){0};
    return STATUS_OK;
}

/* ---- the result ---- */

static const struct secret *value_behind(const struct template *template, const struct template_piece *piece)
{
    static const struct secret none = {0};

    return piece->reference == TEMPLATE_NO_REFERENCE ? &none : &template->references[piece->reference].value;
}

enum status template_check_size(const struct template *template, struct failure *failure)
{
    size_t total = 0;

    for (size_t i = 0; i < template->piece_count; i++) {
        total += template->pieces[i].size + value_behind(template, &template->pieces[i])->size;
        if (total > TEMPLATE_OUTPUT_MAX)
            return failure_set(failure, STATUS_TOO_LARGE,
                               "the template with its values would be over %u bytes", TEMPLATE_OUTPUT_MAX);
    }
    return STATUS_OK;
}

static bool flush(struct secret *buffer, int descriptor)
{
    bool done = file_write_all(descriptor, buffer->bytes, buffer->size);

    secret_clear(buffer);
    return done;
}

static bool put(struct secret *buffer, int descriptor, const void *bytes, size_t size)
{
    if (size > BUFFER_SIZE)
        return flush(buffer, descriptor) && file_write_all(descriptor, bytes, size);
    if (buffer->size + size > BUFFER_SIZE && !flush(buffer, descriptor))
        return false;
    if (secret_append(buffer, bytes, size))
        return true;
    errno = ENOMEM;
    return false;
}

bool template_write(const struct template *template, int descriptor)
{
    CLEANUP(secret_reset) struct secret buffer = {0};

    for (size_t i = 0; i < template->piece_count; i++) {
        const struct template_piece *piece = &template->pieces[i];
        const struct secret *value = value_behind(template, piece);

        if (!put(&buffer, descriptor, piece->bytes, piece->size) ||
            !put(&buffer, descriptor, value->bytes, value->size))
            return false;
    }
    return flush(&buffer, descriptor);
}
