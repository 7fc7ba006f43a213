/* Writing of a starter by the rows of its language. Lines and rows have `<word>` for what is the starter's
 * own; what is put in its place is not looked at again. */
#include "starter.h"
#include "starter_language.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "catalog/path.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct printer {
    const struct starter *starter;
    const struct starter_language *language;
    const struct starter_member *member; /* of the line that is written for each */
    const char *joint;                   /* within its text */
    const struct app_field *field;       /* of the value that is written */
    const char *step;                    /* of the way into the reply */
    char alias[NAME_ALIAS_MAX + 2];
    struct secret *text;
    bool failed;
};

static void expand(struct printer *printer, const char *text);

/* ---- bytes ---- */

static void put(struct printer *printer, const char *bytes, size_t size)
{
    printer->failed = printer->failed || !secret_append(printer->text, bytes, size);
}

static void put_text(struct printer *printer, const char *text)
{
    put(printer, text, strlen(text));
}

static void put_escaped(struct printer *printer, const char *bytes, size_t size, const char *escapes)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\\' || strchr(escapes, bytes[i]) != NULL)
            put(printer, "\\", 1);
        put(printer, bytes + i, 1);
    }
}

static bool is_word(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    }
    return true;
}

/* A known text with its quotes. */
static void put_literal(struct printer *printer, const char *bytes, size_t size)
{
    const struct starter_language *language = printer->language;
    bool other = language->other_quote != '\0' && memchr(bytes, language->quote, size) != NULL &&
                 memchr(bytes, language->other_quote, size) == NULL && memchr(bytes, '\\', size) == NULL;
    const char quote[] = {other ? language->other_quote : language->quote, '\0'};
    char escapes[8];

    snprintf(escapes, sizeof(escapes), "%s%s", other ? "" : quote, language->escapes);
    put(printer, quote, 1);
    put_escaped(printer, bytes, size, escapes);
    put(printer, quote, 1);
}

static void put_literal_text(struct printer *printer, const char *text)
{
    put_literal(printer, text, strlen(text));
}

/* ---- values ---- */

static void put_value(struct printer *printer, const struct starter_part *part, bool apart)
{
    const struct starter_language *language = printer->language;
    const char *pattern = apart && language->value_apart != NULL ? language->value_apart : language->value;

    printer->field = part->field;
    if (part->encoded)
        put_text(printer, language->encode_before);
    if (part->field->fallback != NULL && language->value_default != NULL)
        pattern = language->value_default;
    expand(printer, pattern);
    if (part->encoded)
        put_text(printer, language->encode_after);
    printer->field = NULL;
}

/* That all properties are there that the account can lack. */
static void put_given(struct printer *printer)
{
    const struct starter_text *text = &printer->member->text;
    bool follows = false;

    for (size_t i = 0; i < text->count; i++) {
        printer->field = text->parts[i].field;
        if (printer->field == NULL || printer->field->required || printer->field->fallback != NULL)
            continue;
        if (follows)
            put_text(printer, printer->language->and);
        expand(printer, printer->language->given);
        follows = true;
    }
    printer->field = NULL;
}

static void put_encoded(struct secret *run, const char *bytes, size_t size, bool *failed)
{
    for (size_t i = 0; i < size; i++) {
        bool bare =
            isalnum((unsigned char)bytes[i]) || (bytes[i] != '\0' && strchr("-._~", bytes[i]) != NULL);

        if (bare ? !secret_append_byte(run, (uint8_t)bytes[i])
                 : !secret_append_format(run, "%%%02X", (unsigned)(unsigned char)bytes[i]))
            *failed = true;
    }
}

/* The known text that begins at `*at`, over all parts up to the next value. */
static void take_known(struct printer *printer, const struct starter_text *text, size_t *at,
                       struct secret *ret_run)
{
    secret_clear(ret_run);
    for (; *at < text->count && text->parts[*at].field == NULL; ++*at) {
        const struct starter_part *part = &text->parts[*at];

        if (part->encoded)
            put_encoded(ret_run, part->text, part->size, &printer->failed);
        else if (!secret_append(ret_run, part->text, part->size))
            printer->failed = true;
    }
}

/* True if what stands behind the value at `at` cannot be taken for a part of its name. */
static bool stands_apart(const struct starter_text *text, size_t at)
{
    const struct starter_part *next = at + 1 < text->count ? &text->parts[at + 1] : NULL;

    if (next == NULL || next->field != NULL)
        return true;
    return next->size > 0 && !isalnum((unsigned char)next->text[0]) && next->text[0] != '_' &&
           next->text[0] != '[';
}

/* Known parts and values together, by the language's way to have one text of them. */
static void put_mixed(struct printer *printer, const struct starter_text *text, const char *joint)
{
    const struct starter_language *language = printer->language;
    CLEANUP(secret_reset) struct secret run = {0};
    bool bare = language->open != NULL;

    put_text(printer, bare ? language->open : "");
    for (size_t at = 0; at < text->count;) {
        if (at > 0 && !bare)
            put_text(printer, joint);
        take_known(printer, text, &at, &run);
        if (run.size > 0 && bare) {
            put_escaped(printer, secret_text(&run), run.size, language->bare_escapes);
        } else if (run.size > 0) {
            put_literal(printer, secret_text(&run), run.size);
        } else {
            put_text(printer, language->before);
            put_value(printer, &text->parts[at], stands_apart(text, at));
            put_text(printer, language->after);
            at++;
        }
    }
    put_text(printer, bare ? language->close : "");
}

static void put_expression(struct printer *printer, const struct starter_text *text, const char *joint)
{
    CLEANUP(secret_reset) struct secret run = {0};
    size_t at = 0;

    take_known(printer, text, &at, &run);
    if (at == text->count)
        put_literal(printer, secret_text(&run), run.size);
    else if (text->count == 1 && printer->language->alone)
        put_value(printer, &text->parts[0], true);
    else
        put_mixed(printer, text, joint);
}

/* ---- what words stand for ---- */

static void put_url(struct printer *printer)
{
    put_expression(printer, &printer->starter->url, printer->language->url_joint);
}

static void put_method(struct printer *printer)
{
    put_literal_text(printer, printer->starter->verb);
}

static void put_body(struct printer *printer)
{
    put_literal(printer, secret_text(&printer->starter->body), printer->starter->body.size);
}

static void put_name(struct printer *printer)
{
    put_literal_text(printer, printer->member->name);
}

static void put_member_value(struct printer *printer)
{
    const struct starter_member *member = printer->member;

    put_text(printer, member->basic ? printer->language->base64_before : "");
    put_expression(printer, &member->text, printer->joint);
    put_text(printer, member->basic ? printer->language->base64_after : "");
}

/* A sentence about the app, as a known text. */
static void put_sentence(struct printer *printer, const char *before, const char *words)
{
    CLEANUP(secret_reset) struct secret sentence = {0};

    if (!secret_append_text(&sentence, before) || !secret_append_text(&sentence, words))
        printer->failed = true;
    put_literal(printer, secret_text(&sentence), sentence.size);
}

static void put_answers(struct printer *printer)
{
    put_sentence(printer, printer->starter->app->title, " answers with status ");
}

static void put_denies(struct printer *printer)
{
    put_sentence(printer, printer->starter->app->title,
                 " answers, and not as it does when the account works");
}

static void put_unbound(struct printer *printer)
{
    put_sentence(printer, "no account is bound as ", printer->alias);
}

static void put_app(struct printer *printer)
{
    put_text(printer, printer->starter->app->slug);
}

static void put_alias(struct printer *printer)
{
    put_literal_text(printer, printer->alias);
}

static void put_alias_bare(struct printer *printer)
{
    put_text(printer, printer->alias);
}

static void put_property(struct printer *printer)
{
    put_literal_text(printer, printer->field->name);
}

static void put_member(struct printer *printer)
{
    const char *name = printer->field->name;

    if (is_word(name)) {
        put_text(printer, ".");
        put_text(printer, name);
        return;
    }
    put_text(printer, "[");
    put_literal_text(printer, name);
    put_text(printer, "]");
}

static void put_variable(struct printer *printer)
{
    char variable[NAME_DERIVED_SIZE];

    name_derive_variable(variable, printer->alias, printer->field->name);
    put_text(printer, variable);
}

static void put_default(struct printer *printer)
{
    put_literal_text(printer, printer->field->fallback);
}

static void put_step(struct printer *printer)
{
    put_literal_text(printer, printer->step);
}

static void put_step_member(struct printer *printer)
{
    bool word = is_word(printer->step) && !isdigit((unsigned char)printer->step[0]);

    put_text(printer, word ? printer->step : "[");
    if (word)
        return;
    put_step(printer);
    put_text(printer, "]");
}

/* The way into the reply, step by step. */
static void put_chain(struct printer *printer)
{
    for (const char *at = printer->starter->expect; at != NULL;) {
        size_t size = strcspn(at, ".");
        char step[PATH_SIZE_MAX + 1];

        snprintf(step, sizeof(step), "%.*s", (int)size, at);
        printer->step = step;
        expand(printer, printer->language->chain);
        printer->step = NULL;
        at = at[size] == '.' ? at + size + 1 : NULL;
    }
}

static void put_shell(struct printer *printer)
{
    put_text(printer, (printer->starter->traits & STARTER_NEEDS_BASH) != 0 ? "bash" : "sh");
}

static const struct {
    const char *word;
    void (*put)(struct printer *printer);
} words[] = {
    {"<url>",         put_url         },
    {"<method>",      put_method      },
    {"<body>",        put_body        },
    {"<name>",        put_name        },
    {"<value>",       put_member_value},
    {"<given>",       put_given       },
    {"<answers>",     put_answers     },
    {"<denies>",      put_denies      },
    {"<unbound>",     put_unbound     },
    {"<app>",         put_app         },
    {"<alias>",       put_alias       },
    {"<alias-bare>",  put_alias_bare  },
    {"<property>",    put_property    },
    {"<member>",      put_member      },
    {"<variable>",    put_variable    },
    {"<default>",     put_default     },
    {"<step>",        put_step        },
    {"<step-member>", put_step_member },
    {"<chain>",       put_chain       },
    {"<shell>",       put_shell       },
};

/* Returns the length of the word that `text` begins with, and puts what it stands for; 0 if there is none. */
static size_t put_word(struct printer *printer, const char *text)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t size = strlen(words[i].word);

        if (strncmp(text, words[i].word, size) != 0)
            continue;
        words[i].put(printer);
        return size;
    }
    return 0;
}

static void expand(struct printer *printer, const char *text)
{
    while (*text != '\0') {
        size_t size = *text == '<' ? put_word(printer, text) : 0;

        if (size == 0) {
            size = *text == '<' ? 1 + strcspn(text + 1, "<") : strcspn(text, "<");
            put(printer, text, size);
        }
        text += size;
    }
}

/* ---- the program ---- */

static bool text_has(const struct starter_text *text, const struct app_field *field)
{
    for (size_t i = 0; i < text->count; i++) {
        if (text->parts[i].field == field)
            return true;
    }
    return false;
}

static bool is_used(const struct starter *starter, const struct app_field *field)
{
    bool used = text_has(&starter->url, field);

    for (size_t i = 0; i < starter->header_count; i++)
        used = used || text_has(&starter->headers[i].text, field);
    for (size_t i = 0; i < starter->parameter_count; i++)
        used = used || text_has(&starter->parameters[i].text, field);
    return used;
}

static void put_for_defaults(struct printer *printer, const struct starter_line *line)
{
    const struct app_method *method = printer->starter->method;

    for (size_t i = 0; i < method->field_count; i++) {
        if (method->fields[i].fallback == NULL || !is_used(printer->starter, &method->fields[i]))
            continue;
        printer->field = &method->fields[i];
        expand(printer, line->text);
    }
    printer->field = NULL;
}

static void put_for_each(struct printer *printer, const struct starter_line *line)
{
    const struct starter *starter = printer->starter;
    bool parameters = line->each == EACH_PARAMETER;
    const struct starter_member *members = parameters ? starter->parameters : starter->headers;
    size_t count = parameters ? starter->parameter_count : starter->header_count;

    for (size_t i = 0; i < count; i++) {
        if (members[i].optional == (line->each == EACH_HEADER))
            continue;
        printer->member = &members[i];
        printer->joint = parameters ? printer->language->url_joint : printer->language->joint;
        expand(printer, line->text);
    }
    printer->member = NULL;
}

static void put_lines(struct printer *printer)
{
    unsigned traits = printer->starter->traits;

    for (const struct starter_line *line = printer->language->lines; line->text != NULL; line++) {
        if ((traits & line->when) != line->when || (traits & line->unless) != 0)
            continue;
        if (line->each == ONCE)
            expand(printer, line->text);
        else if (line->each == EACH_DEFAULT)
            put_for_defaults(printer, line);
        else
            put_for_each(printer, line);
    }
}

static void put_comment(struct printer *printer, const char *before, const char *what, const char *method)
{
    put_text(printer, printer->language->comment);
    put_text(printer, " stepvault ");
    put_text(printer, before);
    put_text(printer, what);
    put_text(printer, method != NULL ? " --method " : "");
    put_text(printer, method != NULL ? method : "");
    put_text(printer, "\n");
}

/* The lines to be typed before it runs. */
static void put_head(struct printer *printer)
{
    const struct starter *starter = printer->starter;
    const struct app_method *method = starter->method;
    bool connects = method->oauth != NULL || method->oauth_of != NULL;

    put_text(printer, printer->language->first != NULL ? printer->language->first : "");
    put_comment(printer, connects ? "connect " : "account add ", starter->app->slug,
                starter->app->method_count > 1 ? method->name : NULL);
    put_comment(printer, "bind STEP ", starter->app->slug, NULL);
    if (printer->language->run == NULL)
        return;
    put_text(printer, printer->language->comment);
    put_text(printer, " ");
    expand(printer, printer->language->run);
    put_text(printer, "\n");
}

/* The program as one word of a shell. */
static void put_wrapped(struct printer *printer)
{
    CLEANUP(secret_reset) struct secret program = {0};
    struct secret *text = printer->text;

    printer->text = &program;
    put_lines(printer);
    printer->text = text;
    expand(printer, printer->language->wrap);
    put_text(printer, "'");
    for (size_t i = 0; i < program.size; i++)
        put_text(printer, program.bytes[i] == '\'' ? "'\\''" : (const char[]){(char)program.bytes[i], '\0'});
    put_text(printer, "'\n");
}

enum status starter_print(const struct starter *starter, const char *language, struct failure *failure,
                          struct secret *ret_text)
{
    struct printer printer = {
        .starter = starter, .language = starter_language_find(language), .text = ret_text};

    if (printer.language == NULL)
        return failure_set(failure, STATUS_USAGE, "there are no starters in %.64s", language);
    name_default_alias(printer.alias, starter->app->slug);
    put_head(&printer);
    if (printer.language->wrap != NULL)
        put_wrapped(&printer);
    else
        put_lines(&printer);
    return printer.failed ? failure_set_no_memory(failure) : STATUS_OK;
}
