/* env: variables, one secret each, placed at a path. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"
#include "command.h"
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

static enum status print_value(const struct json *parameters, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret value = {0};
    const char *encoded = json_member_text(parameters, "value_base64");
    size_t size = 0;
    const char *text = json_text(json_member(parameters, "value"), &size);

    if (text == NULL && encoded == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no value");
    if (text != NULL ? !secret_append(&value, text, size)
                     : !text_append_from_base64(&value, encoded, strlen(encoded)))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has a value that cannot be read");
    if (isatty(STDOUT_FILENO) && !secret_append_byte(&value, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the value");
    return output_write(value.bytes, value.size, failure);
}

static enum status cmd_env_get(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = exchange_command(invocation, failure, &answer);

    return status == STATUS_OK ? print_value(answer.parameters, failure) : status;
}

static enum status print_variables(const struct json *variables, struct failure *failure)
{
    static const char *const headings[] = {"PATH", "NAME", "STATE", "UPDATED"};
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, 4, headings);
    for (size_t i = 0; i < json_count(variables); i++) {
        const struct json *variable = json_at(variables, i);

        output_table_add(&table, json_member_text(variable, "path"));
        output_table_add(&table, json_member_text(variable, "name"));
        output_table_add(&table, json_member_boolean(variable, "blocked", false) ? "blocked" : "set");
        output_table_add(&table, json_member_text(variable, "updated"));
    }
    return output_table_print(&table, failure);
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
    return print_variables(json_member(answer.parameters, "variables"), failure);
}

/* ---- the commands ---- */

static const struct option_rule env_set_options[] = {OPTION_AT, OPTION_RAW, OPTION_DANGEROUS, {0}};
static const struct option_rule env_at_options[] = {OPTION_AT, {0}};
static const struct option_rule env_list_options[] = {
    OPTION_AT,
    {"all",  NULL, false, "Lists the variables of every path."},
    OPTION_JSON,
    {0},
};
static const struct command_member env_set_members[] = {
    {"path",           MEMBER_PLACE, 0, "at"},
    {"name",               MEMBER_ARGUMENT, 0, NULL},
    {"allow_dangerous_name",                MEMBER_FLAG, 0, "allow-dangerous-name"},
    {0},
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
        .usage = "NAME [--at PATH] [--raw]",
        .summary = "place a variable",
        .help = "Places a variable at a path: every step at or below it gets it. The value is read from stdin, without "
                "one newline at its end, or asked for on a terminal; it may be any bytes without NUL, at most 64 KiB. "
                "It never goes on the command line.",
    },
    {
        .name = "env", .subcommand = "get", .run = cmd_env_get, .method = "GetVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH]",
        .summary = "print one",
        .help = "Prints the exact bytes of the variable placed exactly at the path, and a newline only on a terminal.",
    },
    {
        .name = "env", .subcommand = "list", .run = cmd_env_list, .method = "ListVariables",
        .options = env_list_options,
        .usage = "[--at PATH | --all] [--json]",
        .summary = "list variables",
        .help = "Prints the names of the variables placed exactly at the path, never their values.",
    },
    {
        .name = "env", .subcommand = "unset", .run = command_call, .method = "UnsetVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .arguments = {"NAME"},
        .usage = "NAME [--at PATH]",
        .summary = "take one away",
        .help = "Removes the variable, or the block, placed exactly at the path.",
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
