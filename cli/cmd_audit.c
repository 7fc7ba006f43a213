/* audit: the access log, its verification, its signed head and the key that signed it. */
#include "audit.h"
#include "base/cleanup.h"
#include "command.h"
#include "exchange.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>

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

#define OPTION_SINCE                                                                                         \
    {                                                                                                        \
        "since", "TIME", false, "Entries from 2026-11-22, 2026-11-22T09:31Z, or the last 90m or 7d on."      \
    }

static const struct option_rule audit_log_options[] = {
    {"step",                                   "PATH", false, "Entries of this step."},
    {"account",                                   "ACCOUNT", false, "Entries that this account is part of."},
    {"property",                                        "PROPERTY", false, "Entries that handed out this property, of the account if one is given."},
    {"variable","NAME", false, "Entries that this variable is part of."},
    {"uid", "UID", false, "Entries of calls by this user."},
    {"outcome",                               "granted|refused", false, "Entries that ended so."},
    OPTION_SINCE,
    {"json",                                   NULL, false, "Prints each entry as the line of JSON that was hashed."},
    {0                                       },
};
static const struct option_rule audit_who_options[] = {OPTION_SINCE, OPTION_JSON, {0}};
static const struct command_member audit_log_members[] = {
    {"step",       MEMBER_TEXT, 0, "step"},
    {"account",           MEMBER_TEXT, 0, "account"},
    {"property",            MEMBER_TEXT, 0, "property"},
    {"variable",MEMBER_TEXT, 0, "variable"},
    {"outcome",   MEMBER_TEXT, 0, "outcome"},
    {0  },
};

/* clang-format off */
const struct command cmd_audit_commands[] = {
    {
        .name = "audit", .subcommand = "log", .run = audit_log, .method = "ReadLog",
        .members = audit_log_members, .options = audit_log_options,
        .usage = "[--step PATH] [--account ACCOUNT] [--property PROPERTY] [--variable NAME] [--uid UID] "
                 "[--outcome granted|refused] [--since TIME] [--json]",
        .summary = "print the access log",
        .help = "Prints the entries that all the filters let pass, oldest first, one a line: time, outcome, action, what "
                "it was about, executable, uid, the command that the caller claimed to run, and why it was refused. In a "
                "pipe the columns are separated by tabs, and `-` stands for nothing.",
    },
    {
        .name = "audit", .subcommand = "who", .run = audit_who, .method = "ReadLog", .options = audit_who_options,
        .least = 1, .most = 1, .arguments = {"NAME|ACCOUNT[.PROPERTY]"},
        .usage = "NAME|ACCOUNT[.PROPERTY] [--since TIME] [--json]",
        .summary = "tell who had a variable, an account or a property",
        .help = "Prints a line for each step, user and program that had it: what it was, how it was had, the step (or the "
                "path), uid, executable, the command that the caller claimed to run, how often, and the first and last "
                "time. How is projection (a step was given it), get, reference (--env-file, inject), import, or set. With "
                "a property only what was handed out is told: of a change the log does not say which properties it was. "
                "Refusals are not listed; `audit log --outcome refused` has them.\n"
                "\n"
                "Names are those of the time: an account that was renamed is found under both names by its id.",
    },
    {
        .name = "audit", .subcommand = "export", .run = audit_export,
        .usage = "",
        .summary = "print all entries as they were hashed",
        .help = "Prints the whole log as JSON Lines, each entry byte for byte as it was hashed. The hash of an entry is "
                "SHA-256 of a zero byte and its line without the newline, and RFC 6962 over the first N of them gives the "
                "root of a checkpoint of size N.",
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
