/* audit log and export: the entries of the access log, as a person reads them or as they were hashed. */
#include "audit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static bool append_word(struct secret *text, const char *word)
{
    if (word == NULL)
        return true;
    return (text->size == 0 || secret_append_byte(text, ' ')) && output_append_plain(text, word);
}

/* What an entry is about, as words: names hold no blanks. */
static bool append_subject(struct secret *text, const struct json *leaf)
{
    static const char *const members[] = {"step", "path", "variable", "alias"};
    const char *app = json_member_text(leaf, "app");
    const char *label = json_member_text(leaf, "label");
    int64_t count = json_member_number(leaf, "count", 0);
    bool fits = true;

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        fits = fits && append_word(text, json_member_text(leaf, members[i]));
    if (app != NULL && label != NULL)
        fits = fits && append_word(text, app) && secret_append_byte(text, ':') &&
               output_append_plain(text, label);
    else
        fits = fits && append_word(text, json_member_text(leaf, "account"));
    fits = fits && append_word(text, json_member_text(leaf, "refused"));
    if (count > 0)
        fits = fits && secret_append_format(text, "%s%" PRId64 " times", text->size > 0 ? " " : "", count);
    return fits;
}

/* The columns of an entry: time, outcome, action, subject, executable, uid, claimed command, why it was
 * refused. On a terminal the first ones are padded; entries come one by one, so no column can fit the
 * longest. */
static bool append_entry(struct secret *lines, const struct json *leaf, bool person)
{
    CLEANUP(secret_reset) struct secret subject = {0};
    const struct json *who = json_member(leaf, "who");
    const char *texts[] = {
        json_member_text(leaf, "time"),
        json_member_text(leaf, "outcome"),
        json_member_text(leaf, "action"),
        NULL,
        json_member_text(who, "exe"),
        NULL,
        json_member_text(json_member(leaf, "claimed"), "command"),
        json_member_text(leaf, "why"),
    };
    static const int widths[] = {24, 7, 16, 32, 0, 0, 0, 0};
    const size_t count = sizeof(texts) / sizeof(texts[0]);

    if (!append_subject(&subject, leaf))
        return false;
    texts[3] = subject.size > 0 ? secret_text(&subject) : NULL;
    for (size_t i = 0; i < count; i++) {
        size_t end = lines->size + (size_t)widths[i];

        if (i == 5 ? !secret_append_format(lines, "%" PRId64, json_member_number(who, "uid", -1))
                   : !output_append_plain(lines, texts[i] != NULL ? texts[i] : "-"))
            return false;
        if (person && lines->size < end && !secret_append_format(lines, "%*s", (int)(end - lines->size), ""))
            return false;
        if (!secret_append_text(lines, i + 1 == count ? "\n" : person ? "  " : "\t"))
            return false;
    }
    return true;
}

/* In place of an entry that was pruned, which has no line any more: what whoever hashes the lines needs. */
static enum status append_pruned(struct secret *lines, const struct json *leaf, struct failure *failure)
{
    if (!secret_append_format(lines, "{\"index\":%" PRId64 ",\"pruned\":\"",
                              json_member_number(leaf, "index", 0)) ||
        !output_append_plain(lines, json_member_text(leaf, "hash")) || !secret_append_text(lines, "\"}\n"))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the log");
    return STATUS_OK;
}

static enum status append_leaf(struct secret *lines, const struct json *leaf, bool verbatim, bool person,
                               struct failure *failure)
{
    CLEANUP(json_freep) struct json *document = NULL;
    size_t size = 0;
    const char *line = json_text(json_member(leaf, "line"), &size);
    enum status status;

    if (line == NULL && verbatim && json_member_text(leaf, "hash") != NULL)
        return append_pruned(lines, leaf, failure);
    if (line == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent sent a log entry without its line");
    if (verbatim) {
        if (!secret_append(lines, line, size) || !secret_append_byte(lines, '\n'))
            return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the log");
        return STATUS_OK;
    }
    status = json_parse(line, size, "a log entry", failure, &document);
    if (status != STATUS_OK)
        return status;
    if (!append_entry(lines, document, person))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the log");
    return STATUS_OK;
}

struct printing {
    bool verbatim;
    bool person;
    int64_t pruned; /* entries before this one were pruned, in part */
};

void audit_note_pruned(int64_t pruned)
{
    if (pruned > 0)
        output_note("entries before number %" PRId64 " were pruned, and are not among these", pruned);
}

static enum status print_leaves(void *context, const struct json *parameters, struct failure *failure,
                                bool *ret_enough)
{
    CLEANUP(secret_reset) struct secret lines = {0};
    struct printing *printing = context;
    const struct json *leaves = json_member(parameters, "leaves");

    printing->pruned = json_member_number(parameters, "pruned", 0);
    for (size_t i = 0; i < json_count(leaves); i++) {
        enum status status =
            append_leaf(&lines, json_at(leaves, i), printing->verbatim, printing->person, failure);

        if (status != STATUS_OK)
            return status;
    }
    return lines.size > 0 ? output_lines(&lines, failure, ret_enough) : STATUS_OK;
}

enum status audit_read(const struct invocation *invocation, struct question *question, audit_visit *visit,
                       void *context, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    bool enough = false;
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    question->ask.more = true;
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, question, failure, &answer);
    while (status == STATUS_OK) {
        status = visit(context, answer.parameters, failure, &enough);
        if (status != STATUS_OK || enough || !answer.continues)
            break;
        status = exchange_next(&exchange, failure, &answer);
    }
    return status;
}

enum status audit_add_since(const struct invocation *invocation, struct question *question,
                            struct failure *failure)
{
    const char *since = option_text(&invocation->options, "since");
    char text[CLOCK_TEXT_SIZE];
    uint64_t since_ms = 0;

    if (since == NULL)
        return STATUS_OK;
    if (!clock_parse(since, clock_wall_ms(), &since_ms))
        return failure_set(
            failure, STATUS_USAGE,
            "--since wants a time such as 2026-11-22 or 2026-11-22T09:31Z, or how long ago: 90m, 7d");
    clock_format(text, since_ms);
    json_add_text(&question->writer, "since", text);
    return STATUS_OK;
}

static enum status add_filters(const struct invocation *invocation, struct question *question,
                               struct failure *failure)
{
    const struct option_values *options = &invocation->options;
    const char *outcome = option_text(options, "outcome");
    uint64_t uid = 0;
    enum status status = option_number(options, "uid", UINT32_MAX, 0, failure, &uid);

    if (status != STATUS_OK)
        return status;
    if (outcome != NULL && strcmp(outcome, "granted") != 0 && strcmp(outcome, "refused") != 0)
        return failure_set(failure, STATUS_USAGE, "--outcome is granted or refused");
    status = exchange_add_members(question, invocation, failure);
    if (status != STATUS_OK)
        return status;
    if (option_flag(options, "uid"))
        json_add_number(&question->writer, "uid", uid);
    return audit_add_since(invocation, question, failure);
}

enum status audit_log(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    struct printing printing = {.verbatim = option_flag(&invocation->options, "json"),
                                .person = isatty(STDOUT_FILENO)};
    enum status status;

    exchange_question(&question, invocation->command->method);
    status = add_filters(invocation, &question, failure);
    if (status == STATUS_OK)
        status = audit_read(invocation, &question, print_leaves, &printing, failure);
    if (status == STATUS_OK)
        audit_note_pruned(printing.pruned);
    return status;
}

enum status audit_export(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    struct printing printing = {.verbatim = true};

    exchange_question(&question, "ReadLog");
    json_add_boolean(&question.writer, "pruned", true);
    return audit_read(invocation, &question, print_leaves, &printing, failure);
}
