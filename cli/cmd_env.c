/* env: variables, one secret each, placed at a path. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"
#include "command.h"
#include "due.h"
#include "exchange.h"
#include "output.h"
#include "prompt.h"

#include <string.h>
#include <unistd.h>

/* What is wrong with the words is said before a value is asked for or read. */
static enum status check_words(const struct invocation *invocation, const char *path, struct failure *failure)
{
    const char *name = command_argument(invocation, 0);
    enum status status;

    if (strchr(name, '=') != NULL || command_argument(invocation, 1) != NULL)
        return prompt_refuse_argument(name, failure);
    status = name_check_variable(name, failure);
    return status == STATUS_OK ? name_check_path(path, failure) : status;
}

static enum status cmd_env_set(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(secret_reset) struct secret value = {0};
    const struct option_values *options = &invocation->options;
    const char *name = command_argument(invocation, 0);
    const char *path = option_flag(options, "at") ? option_text(options, "at") : "/";
    enum status status = check_words(invocation, path, failure);

    if (status == STATUS_OK)
        status = exchange_begin(invocation, failure, &exchange, &question);
    if (status == STATUS_OK)
        status = exchange_ready(&exchange, failure);
    if (status == STATUS_OK)
        status = prompt_value(name, option_flag(options, "raw"), failure, &value);
    if (status != STATUS_OK)
        return status;
    json_add_base64(&question.writer, "value_base64", value.bytes, value.size);
    status = exchange_ask(&exchange, &question, failure, &answer);
    if (status == STATUS_OK && strcmp(path, "/") == 0)
        output_note("%s is placed at / and so reaches every step; --at PATH narrows that", name);
    return status;
}

static enum status print_value(struct invocation *invocation, const struct json *reply,
                               struct failure *failure)
{
    CLEANUP(secret_reset) struct secret value = {0};
    const char *encoded = json_member_text(reply, "value_base64");
    size_t size = 0;
    const char *text = json_text(json_member(reply, "value"), &size);

    (void)invocation;
    if (text == NULL && encoded == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no value");
    if (text != NULL ? !secret_append(&value, text, size)
                     : !text_append_from_base64(&value, encoded, strlen(encoded)))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has a value that cannot be read");
    if (isatty(STDOUT_FILENO) && !secret_append_byte(&value, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the value");
    return output_write(value.bytes, value.size, failure);
}

static enum status print_variables(const struct json *variables, struct failure *failure)
{
    static const char *const headings[] = {"PATH", "NAME", "STATE", "UPDATED", "EXPIRES", "NOTE"};
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, 6, headings);
    for (size_t i = 0; i < json_count(variables); i++) {
        const struct json *variable = json_at(variables, i);

        output_table_add(&table, json_member_text(variable, "path"));
        output_table_add(&table, json_member_text(variable, "name"));
        due_add_state(&table, variable, json_member_boolean(variable, "blocked", false) ? "blocked" : "set");
        output_table_add(&table, json_member_text(variable, "updated"));
        due_add_remarks(&table, variable);
    }
    return output_table_print(&table, failure);
}

/* A person who sees nothing may have looked in the wrong place. */
static void note_empty(const struct option_values *options)
{
    const char *path = option_flag(options, "at") ? option_text(options, "at") : "/";

    if (option_flag(options, "all") || option_flag(options, "stale") || option_flag(options, "expiring"))
        return;
    output_note("no variable is placed exactly at %s; see: stepvault env list --all", path);
}

static enum status cmd_env_list(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const struct option_values *options = &invocation->options;
    enum status status;

    if (option_flag(options, "all") && option_flag(options, "at"))
        return failure_set(failure, STATUS_USAGE, "--all and --at exclude each other");
    status = exchange_begin(invocation, failure, &exchange, &question);
    if (status != STATUS_OK)
        return status;
    if (!option_flag(options, "all"))
        json_add_text(&question.writer, "path",
                      option_flag(options, "at") ? option_text(options, "at") : "/");
    status = exchange_ask(&exchange, &question, failure, &answer);
    if (status != STATUS_OK)
        return status;
    if (option_flag(options, "json"))
        return output_document(answer.parameters, failure);
    if (isatty(STDOUT_FILENO) && json_count(json_member(answer.parameters, "variables")) == 0)
        note_empty(options);
    return print_variables(json_member(answer.parameters, "variables"), failure);
}

static enum status print_env_history(struct invocation *invocation, const struct json *reply,
                                     struct failure *failure)
{
    (void)invocation;
    return due_print_history(json_member(reply, "revisions"), true, failure);
}

static enum status print_env_restore(struct invocation *invocation, const struct json *reply,
                                     struct failure *failure)
{
    (void)failure;
    output_note("%s has the value of revision %lld again", command_argument(invocation, 0),
                (long long)json_member_number(reply, "revision", 0));
    return STATUS_OK;
}

static enum status print_env_forget(struct invocation *invocation, const struct json *reply,
                                    struct failure *failure)
{
    (void)failure;
    output_note("%lld old values of %s are forgotten; the one in force, if there is one, stays",
                (long long)json_member_number(reply, "forgotten", 0), command_argument(invocation, 0));
    return STATUS_OK;
}

/* ---- the commands ---- */

static const struct option_rule env_set_options[] = {OPTION_AT,   OPTION_RAW,     OPTION_DANGEROUS,
                                                     OPTION_NOTE, OPTION_EXPIRES, {0}};
static const struct option_rule env_at_options[] = {OPTION_AT, {0}};
static const struct option_rule env_old_options[] = {OPTION_AT, OPTION_REVISION, {0}};
static const struct option_rule env_get_options[] = {OPTION_AT, OPTION_REVISION, OPTION_JSON, {0}};
static const struct option_rule env_history_options[] = {OPTION_AT, OPTION_JSON, {0}};
static const struct option_rule env_restore_options[] = {OPTION_AT, OPTION_REVISION, OPTION_DANGEROUS, {0}};
static const struct option_rule env_annotate_options[] = {OPTION_AT, OPTION_NOTE, OPTION_EXPIRES, {0}};
static const struct option_rule env_list_options[] = {
    OPTION_AT,    {"all",  NULL, false, "Lists the variables of every path."},
    OPTION_STALE, OPTION_EXPIRING,
    OPTION_JSON,  {0},
};
static const struct command_member env_set_members[] = {
    {"path",                 MEMBER_PLACE, 0, "at"},
    {"name",                     MEMBER_ARGUMENT, 0, NULL},
    {"allow_dangerous_name",                      MEMBER_FLAG, 0, "allow-dangerous-name"},
    {"note",MEMBER_TEXT, 0, "note"},
    {"expires",                  MEMBER_EXPIRY, 0, "expires"},
    {0},
};
static const struct command_member env_annotate_members[] = {
    {"path",           MEMBER_PLACE, 0, "at"},
    {"name",               MEMBER_ARGUMENT, 0, NULL},
    {"note",                MEMBER_TEXT, 0, "note"},
    {"expires",MEMBER_EXPIRY, 0, "expires"},
    {0           },
};
static const struct command_member env_old_members[] = {
    {"path",           MEMBER_PLACE, 0, "at"},
    {"name",               MEMBER_ARGUMENT, 0, NULL},
    {"revision",                MEMBER_NUMBER, 0, "revision"},
    {0},
};
static const struct command_member env_restore_members[] = {
    {"path",           MEMBER_PLACE, 0, "at"},
    {"name",               MEMBER_ARGUMENT, 0, NULL},
    {"revision",                MEMBER_NUMBER, 0, "revision"},
    {"allow_dangerous_name",MEMBER_FLAG, 0, "allow-dangerous-name"},
    {0           },
};
static const struct command_member env_list_members[] = {
    {"stale", MEMBER_FLAG, 0, "stale"},
    {"expiring",      MEMBER_FLAG, 0, "expiring"},
    {0      },
};
static const struct command_member env_members[] = {
    {"path", MEMBER_PLACE, 0, "at"},
    {"name",     MEMBER_ARGUMENT, 0, NULL},
    {0     },
};

/* clang-format off */
const struct command cmd_env_commands[] = {
    {
        .name = "env", .subcommand = "set", .run = cmd_env_set, .method = "SetVariable",
        .members = env_set_members, .options = env_set_options, .least = 1, .most = COMMAND_ANY_NUMBER,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH] [--raw] [--note TEXT] [--expires DATE]",
        .summary = "place a variable",
        .help = "Places a variable at a path: every step at or below it gets it. The value is read from stdin, without "
                "one newline at its end, or asked for on a terminal; it may be any bytes without NUL, at most 64 KiB. "
                "It never goes on the command line. The value that was there is kept (env history); a note stays, and an "
                "expiry goes with the value that it was said of.",
    },
    {
        .name = "env", .subcommand = "get", .run = command_print, .print = print_value,
        .method = "GetVariable", .members = env_old_members, .options = env_get_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH] [--revision N] [--json]",
        .summary = "print one",
        .help = "Prints the exact bytes of the variable placed exactly at the path, and a newline only on a terminal; "
                "with --revision those it had before. With --json `value`, or `value_base64` where it is no UTF-8 text.",
    },
    {
        .name = "env", .subcommand = "list", .run = cmd_env_list, .method = "ListVariables",
        .members = env_list_members, .options = env_list_options,
        .usage = "[--at PATH | --all] [--stale] [--expiring] [--json]",
        .summary = "list variables",
        .help = "Prints the names of the variables placed exactly at the path, never their values. Marked are those that "
                "have expired or expire within 30 days, and stale ones, whose value was not changed for a year. With both "
                "--stale and --expiring it prints those that are either.",
    },
    {
        .name = "env", .subcommand = "unset", .run = command_call, .method = "UnsetVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH]",
        .summary = "take one away",
        .help = "Removes the variable, or the block, placed exactly at the path. `env restore` brings its value back.",
    },
    {
        .name = "env", .subcommand = "annotate", .run = command_call, .method = "AnnotateVariable",
        .members = env_annotate_members, .options = env_annotate_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH] [--note TEXT] [--expires DATE]",
        .summary = "change note and expiry",
        .help = "Changes the note or the expiry of a variable and leaves its value alone. What is expired is still "
                "delivered: an expiry reminds, and revokes nothing.",
    },
    {
        .name = "env", .subcommand = "history", .run = command_print, .print = print_env_history,
        .method = "ListVariableRevisions", .members = env_members, .options = env_history_options, .most = 1,
        .arguments = {"NAME"},
        .usage = "[NAME] [--at PATH] [--json]",
        .summary = "list old values",
        .help = "Prints when the old values of a variable, or of all at the path, were set and replaced, never the values. "
                "Kept are the last 10 of each, 256 KiB in all, also of variables that were unset, until their step is "
                "removed.",
    },
    {
        .name = "env", .subcommand = "restore", .run = command_print, .print = print_env_restore,
        .method = "RestoreVariable", .members = env_restore_members, .options = env_restore_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH] [--revision N]",
        .summary = "set an old value again",
        .help = "Sets the value that was replaced or unset last, or that of a revision, again, by the rules of `env set`. "
                "The one it replaces is kept, so that restoring again undoes it.",
    },
    {
        .name = "env", .subcommand = "forget", .run = command_print, .print = print_env_forget,
        .method = "ForgetVariable", .members = env_old_members, .options = env_old_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH] [--revision N]",
        .summary = "remove old values",
        .help = "Removes the old values of a variable, or one revision, from the vault, and leaves the value in force. "
                "A value that leaked must also be revoked where it is good.",
    },
    {
        .name = "env", .subcommand = "block", .run = command_call, .method = "BlockVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH]",
        .summary = "hide an inherited one",
        .help = "Steps at or below the path no longer get NAME from above it.",
    },
    {0},
};
/* clang-format on */
