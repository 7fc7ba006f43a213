/* audit: the access log, its verification, its signed head and the key that signed it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "command.h"
#include "exchange.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- audit log ---- */

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
        size_t before = lines->size;

        if (i == 5 ? !secret_append_format(lines, "%" PRId64, json_member_number(who, "uid", -1))
                   : !output_append_plain(lines, texts[i] != NULL ? texts[i] : "-"))
            return false;
        if (person && i + 1 < count &&
            !secret_append_format(lines, "%*s", widths[i] - (int)(lines->size - before), ""))
            return false;
        if (!secret_append_text(lines, i + 1 == count ? "\n" : person ? "  " : "\t"))
            return false;
    }
    return true;
}

static enum status append_leaf(struct secret *lines, const struct json *leaf, bool verbatim, bool person,
                               struct failure *failure)
{
    CLEANUP(json_freep) struct json *document = NULL;
    size_t size = 0;
    const char *line = json_text(json_member(leaf, "line"), &size);
    enum status status;

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

static enum status print_leaves(const struct answer *answer, bool verbatim, struct failure *failure,
                                bool *ret_closed)
{
    CLEANUP(secret_reset) struct secret lines = {0};
    const struct json *leaves = json_member(answer->parameters, "leaves");
    bool person = isatty(STDOUT_FILENO);

    for (size_t i = 0; i < json_count(leaves); i++) {
        enum status status = append_leaf(&lines, json_at(leaves, i), verbatim, person, failure);

        if (status != STATUS_OK)
            return status;
    }
    return lines.size > 0 ? output_lines(&lines, failure, ret_closed) : STATUS_OK;
}

static enum status add_filters(const struct invocation *invocation, struct question *question,
                               struct failure *failure)
{
    const struct option_values *options = &invocation->options;
    const char *outcome = option_text(options, "outcome");
    const char *since = option_text(options, "since");
    char since_text[CLOCK_TEXT_SIZE];
    uint64_t uid = 0;
    uint64_t since_ms = 0;
    enum status status = option_number(options, "uid", UINT32_MAX, 0, failure, &uid);

    if (status != STATUS_OK)
        return status;
    if (outcome != NULL && strcmp(outcome, "granted") != 0 && strcmp(outcome, "refused") != 0)
        return failure_set(failure, STATUS_USAGE, "--outcome is granted or refused");
    if (since != NULL && !clock_parse(since, clock_wall_ms(), &since_ms))
        return failure_set(
            failure, STATUS_USAGE,
            "--since wants a time such as 2026-11-22 or 2026-11-22T09:31Z, or how long ago: 90m, 7d");
    status = exchange_add_members(question, invocation, failure);
    if (status != STATUS_OK)
        return status;
    if (option_flag(options, "uid"))
        json_add_number(&question->writer, "uid", uid);
    if (since != NULL) {
        clock_format(since_text, since_ms);
        json_add_text(&question->writer, "since", since_text);
    }
    return STATUS_OK;
}

static enum status cmd_audit_log(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    bool verbatim = option_flag(&invocation->options, "json");
    bool closed = false;
    enum status status;

    exchange_question(&question, invocation->command->method);
    question.ask.more = true;
    status = add_filters(invocation, &question, failure);
    if (status == STATUS_OK)
        status =
            exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    while (status == STATUS_OK) {
        status = print_leaves(&answer, verbatim, failure, &closed);
        if (status != STATUS_OK || closed || !answer.continues)
            break;
        status = exchange_next(&exchange, failure, &answer);
    }
    return status;
}

/* ---- audit verify, checkpoint, key ---- */

static enum status print_verification(const struct json *parameters, struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;
    const char *root = json_member_text(parameters, "root");

    output_table_start(&table, 2, NULL);
    if (root == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no root");
    output_table_add(&table, "size");
    output_table_add_format(&table, "%" PRId64, json_member_number(parameters, "total", 0));
    output_table_add(&table, "root");
    output_table_add(&table, root);
    output_table_add(&table, "checkpoints");
    output_table_add_format(&table, "%" PRId64, json_member_number(parameters, "checkpoints", 0));
    return output_table_print(&table, failure);
}

static enum status cmd_audit_verify(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    struct output_progress progress = {.what = "entries verified"};
    enum status status = exchange_begin(invocation, failure, &exchange, &question);

    question.ask.more = true;
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    while (status == STATUS_OK && answer.continues) {
        output_progress_show(&progress, (uint64_t)json_member_number(answer.parameters, "done", 0),
                             (uint64_t)json_member_number(answer.parameters, "total", 0));
        status = exchange_next(&exchange, failure, &answer);
    }
    output_progress_end(&progress);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    return print_verification(answer.parameters, failure);
}

static enum status cmd_audit_checkpoint(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = exchange_command(invocation, failure, &answer);
    const char *note;

    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    note = json_member_text(answer.parameters, "note");
    if (note == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no checkpoint");
    if (!json_member_boolean(answer.parameters, "kept", true))
        output_note("the vault could not keep a copy of this checkpoint");
    return output_text(note, failure);
}

static enum status cmd_audit_key(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    enum status status = exchange_command(invocation, failure, &answer);
    const char *key;

    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    key = json_member_text(answer.parameters, "key");
    if (key == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no key");
    if (!output_append_plain(&line, key) || !secret_append_byte(&line, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the key");
    return output_write(line.bytes, line.size, failure);
}

/* ---- the commands ---- */

static const struct option_rule audit_log_options[] = {
    {"step",                                   "PATH", false, "Entries of this step."},
    {"account",                                   "ACCOUNT", false, "Entries that this account is part of."},
    {"variable",                                        "NAME", false, "Entries that this variable is part of."},
    {"uid","UID", false, "Entries of calls by this user."},
    {"outcome", "granted|refused", false, "Entries that ended so."},
    {"since",                               "TIME", false, "Entries from 2026-11-22, 2026-11-22T09:31Z, or the last 90m or 7d on."},
    {"json",                                   NULL, false, "Prints each entry as the line of JSON that was hashed."},
    {0                                       },
};
static const struct command_member audit_log_members[] = {
    {"step",       MEMBER_TEXT, 0, "step"},
    {"account",           MEMBER_TEXT, 0, "account"},
    {"variable",            MEMBER_TEXT, 0, "variable"},
    {"outcome",MEMBER_TEXT, 0, "outcome"},
    {0  },
};

/* clang-format off */
const struct command cmd_audit_commands[] = {
    {
        .name = "audit", .subcommand = "log", .run = cmd_audit_log, .method = "ReadLog",
        .members = audit_log_members, .options = audit_log_options,
        .usage = "[--step PATH] [--account ACCOUNT] [--variable NAME] [--uid UID] [--outcome granted|refused] [--since TIME] "
                 "[--json]",
        .summary = "print the access log",
        .help = "Prints the entries that all the filters let pass, oldest first, one a line: time, outcome, action, what "
                "it was about, executable, uid, the command that the caller claimed to run, and why it was refused. In a "
                "pipe the columns are separated by tabs, and `-` stands for nothing.",
    },
    {
        .name = "audit", .subcommand = "verify", .run = cmd_audit_verify, .method = "VerifyLog",
        .options = command_json_options,
        .usage = "[--json]",
        .summary = "verify the access log",
        .help = "Reads every entry, recomputes the Merkle tree and compares it with the signed head and every kept "
                "checkpoint, and all rows of the vault with their sum. Prints size and root. Exits 0 only if all of it "
                "holds.",
    },
    {
        .name = "audit", .subcommand = "checkpoint", .run = cmd_audit_checkpoint, .method = "Checkpoint",
        .options = command_json_options,
        .usage = "[--json]",
        .summary = "print the signed head of the log",
        .help = "Prints the head as a signed note (C2SP tlog-checkpoint). Keep it elsewhere: whoever has it can tell "
                "later that the log was not rewritten since.",
    },
    {
        .name = "audit", .subcommand = "key", .run = cmd_audit_key, .method = "LogKey",
        .options = command_json_options,
        .usage = "[--json]",
        .summary = "print the key that verifies it",
        .help = "Prints the verifier key of the log's signatures (C2SP signed-note).",
    },
    {0},
};
/* clang-format on */
