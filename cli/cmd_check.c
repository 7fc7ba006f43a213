/* check: everything that a vault's file holds, part by part. */
#include "authority.h"
#include "base/cleanup.h"
#include "command.h"
#include "exchange.h"
#include "key.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is said of the parts, as they come. */
struct report {
    bool json;
    bool person;
    char failed[160];    /* the parts that do not hold, */
    char unchecked[160]; /* and those that could not be looked at */
    struct output_progress progress;
    struct secret document; /* of --json */
    struct json_writer writer;
};

static void report_reset(struct report *report)
{
    secret_reset(&report->document);
}

static void report_start(struct report *report, bool json)
{
    *report = (struct report){.json = json, .person = isatty(STDOUT_FILENO)};
    json_writer_start(&report->writer, &report->document);
    json_open_object(&report->writer, NULL);
    json_open_array(&report->writer, "parts");
}

static void append_name(char list[160], const char *name)
{
    size_t size = strlen(list);

    snprintf(list + size, 160 - size, "%s%s", size > 0 ? ", " : "", name);
}

static void add_json(struct report *report, const char *part, const char *verdict, const char *detail)
{
    json_open_object(&report->writer, NULL);
    json_add_text(&report->writer, "part", part);
    json_add_text(&report->writer, "verdict", verdict);
    json_add_text(&report->writer, "detail", detail);
    json_close_object(&report->writer);
}

static enum status print_line(const struct report *report, const char *part, const char *verdict,
                              const char *detail, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    bool closed;

    if (!secret_append_format(&line, report->person ? "%-11s  %-11s  " : "%s\t%s\t", part, verdict) ||
        !output_append_plain(&line, detail) || !secret_append_byte(&line, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for a line");
    return output_lines(&line, failure, &closed);
}

static enum status report_part(struct report *report, const struct json *parameters, struct failure *failure)
{
    const char *part = json_member_text(parameters, "part");
    const char *verdict = json_member_text(parameters, "verdict");
    const char *detail = json_member_text(parameters, "detail");

    if (part == NULL || (verdict != NULL && detail == NULL))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no part");
    if (verdict == NULL) {
        report->progress.what = strcmp(part, "rows") == 0 ? "rows checked" : "entries checked";
        output_progress_show(&report->progress, (uint64_t)json_member_number(parameters, "done", 0),
                             (uint64_t)json_member_number(parameters, "total", 0));
        return STATUS_OK;
    }
    output_progress_end(&report->progress);
    if (strcmp(verdict, "fails") == 0)
        append_name(report->failed, part);
    else if (strcmp(verdict, "holds") != 0)
        append_name(report->unchecked, part);
    add_json(report, part, verdict, detail);
    return report->json ? STATUS_OK : print_line(report, part, verdict, detail, failure);
}

static const char *hold(const char *list)
{
    return strchr(list, ',') == NULL ? " does not hold" : " do not hold";
}

/* The end: the document, and the sentence where not all holds. */
static enum status report_end(struct report *report, const char *vault, struct failure *failure)
{
    bool holds = report->failed[0] == '\0' && report->unchecked[0] == '\0';
    bool both = report->failed[0] != '\0' && report->unchecked[0] != '\0';

    if (report->json) {
        json_close_array(&report->writer);
        json_add_boolean(&report->writer, "holds", holds);
        json_close_object(&report->writer);
        if (report->writer.failed || !secret_append_byte(&report->document, '\n'))
            return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the document");
        enum status status = output_write(report->document.bytes, report->document.size, failure);
        if (status != STATUS_OK)
            return status;
    }
    if (holds)
        return STATUS_OK;
    return failure_set(failure, STATUS_FAILED, "of the vault %s %s%s%s%s%s", vault, report->failed,
                       report->failed[0] != '\0' ? hold(report->failed) : "", both ? ", and " : "",
                       report->unchecked, report->unchecked[0] != '\0' ? " could not be checked" : "");
}

/* ---- check ---- */

static enum status ask(struct exchange *exchange, const struct invocation *invocation, const struct key *key,
                       struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(exchange_question_reset) struct question question = {0};

    exchange_question(&question, invocation->command->method);
    question.ask.more = true;
    return exchange_send(exchange, &question, key, failure, ret_answer);
}

/* An agent that has the vault open needs no key. STATUS_KEY_REQUIRED, and no connection, where none does. */
static enum status ask_open(struct exchange *exchange, const struct invocation *invocation,
                            struct failure *failure, struct answer *ret_answer)
{
    enum status status = exchange_connect(exchange, failure);

    if (status == STATUS_OK)
        status = ask(exchange, invocation, NULL, failure, ret_answer);
    if (status == STATUS_OK)
        return STATUS_OK;
    exchange_reset(exchange);
    if (status != STATUS_NO_AGENT && status != STATUS_AGENT_ENDED)
        return status;
    status = ask_check_vault(exchange->vault, failure);
    return status == STATUS_OK ? STATUS_KEY_REQUIRED : status;
}

/* A key file is tried on a vault whose slots cannot be listed, too. */
static enum status ask_locked(struct exchange *exchange, const struct invocation *invocation,
                              struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(authority_reset) struct authority authority = {0};
    CLEANUP(key_reset) struct key key = {0};
    struct key_headers headers = {.count = 0};
    const struct option_values *options = &invocation->options;
    enum status status =
        authority_read(exchange, options, option_flag(options, "recovery"), failure, &authority);

    if (status == STATUS_OK && authority.kind == SLOT_MACHINE) {
        status = key_read_file(exchange->key_file, failure, &key);
        if (status == STATUS_OK)
            status = exchange_open(exchange, failure);
    } else if (status == STATUS_OK) {
        status = authority_open(exchange, &authority, failure, &headers, &key);
    }
    if (status == STATUS_OK)
        status = ask(exchange, invocation, &key, failure, ret_answer);
    return authority_judge(&authority, status, failure);
}

static enum status cmd_check(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(report_reset) struct report report;
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    report_start(&report, option_flag(&invocation->options, "json"));
    if (status == STATUS_OK)
        status = ask_open(&exchange, invocation, failure, &answer);
    if (status == STATUS_KEY_REQUIRED)
        status = ask_locked(&exchange, invocation, failure, &answer);
    while (status == STATUS_OK) {
        status = report_part(&report, answer.parameters, failure);
        if (status != STATUS_OK || !answer.continues)
            break;
        status = exchange_next(&exchange, failure, &answer);
    }
    output_progress_end(&report.progress);
    return status == STATUS_OK ? report_end(&report, exchange.vault, failure) : status;
}

static const struct option_rule check_options[] = {
    OPTION_PASSPHRASE_FD, OPTION_RECOVERY, OPTION_RECOVERY_CODE_FD, OPTION_JSON, {0},
};

/* clang-format off */
const struct command cmd_check_commands[] = {
    {
        .name = "check", .run = cmd_check, .method = "Check", .options = check_options,
        .usage = "[--passphrase-fd N | --key-file FILE | --recovery] [--json]",
        .summary = "check everything the vault holds",
        .help = "Reads all of the vault and prints a line for each part: slots, rows (every record opens and is what it "
                "says), accumulator (all rows are those written, none more or less), tree (every entry of the log, up to "
                "its signed head; of those that were pruned the hash), checkpoints (those the vault keeps), and pin (the vault has grown from what this machine "
                "saw of it last). Exits 0 only if all hold.\n"
                "\n"
                "Works on an open vault without a key, and on a locked one with one, also where it is too damaged to be "
                "unlocked. Changes nothing, and leaves no entry in the log and no agent behind.",
    },
    {0},
};
/* clang-format on */
