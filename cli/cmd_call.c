/* call: any method of the agent, for shells. */
#include "base/cleanup.h"
#include "base/file.h"
#include "command.h"
#include "exchange.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Methods that answer in several replies. */
static const char *const many_replies[] = {"ReadLog", "VerifyLog", "Backup", "Restore", "Request"};

/* Members whose content is secret. */
static const char *const secret_members[] = {"slot_key", "slots",        "new_slot",
                                             "value",    "value_base64", "properties"};

static enum status check_not_secret(const struct json *parameters, struct failure *failure)
{
    for (size_t i = 0; i < sizeof(secret_members) / sizeof(secret_members[0]); i++) {
        if (json_member(parameters, secret_members[i]) != NULL)
            return failure_set(
                failure, STATUS_USAGE,
                "%s does not go on the command line, which every process can read: give - in place "
                "of the JSON and the JSON on stdin",
                secret_members[i]);
    }
    return STATUS_OK;
}

static enum status read_parameters(const char *argument, struct failure *failure,
                                   struct json **ret_parameters)
{
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(json_freep) struct json *parameters = NULL;
    bool from_stdin = argument != NULL && strcmp(argument, "-") == 0;
    enum status status = STATUS_OK;

    if (argument == NULL)
        argument = "{}";
    if (from_stdin)
        status = file_read_all(STDIN_FILENO, CLIENT_REQUEST_MAX, "the JSON on stdin", failure, &text);
    else if (!secret_append_text(&text, argument))
        status = failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the parameters");
    if (status == STATUS_OK)
        status = json_parse(text.bytes, text.size, "the method's parameter", failure, &parameters);
    if (status != STATUS_OK)
        return status;
    if (json_kind(parameters) != JSON_KIND_OBJECT)
        return failure_set(failure, STATUS_USAGE, "the method's parameters are one JSON object");
    if (!from_stdin)
        status = check_not_secret(parameters, failure);
    if (status == STATUS_OK)
        *ret_parameters = TAKE(parameters);
    return status;
}

/* The parameters as they are; where they name a vault or a key, the call adds none. */
static void add_parameters(struct question *question, const struct json *parameters)
{
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    while (json_next(parameters, &iterator, &name, &value))
        json_add_value(&question->writer, name, value);
    question->ask.without_vault = question->ask.without_vault || json_member(parameters, "vault") != NULL;
    question->ask.without_key = question->ask.without_key || json_member(parameters, "slot_key") != NULL;
}

static void choose_method(struct question *question, const char *method)
{
    const char *dot = strrchr(method, '.');
    const char *name = dot != NULL ? dot + 1 : method;
    bool ours = dot == NULL || strncmp(method, CLIENT_INTERFACE, strlen(CLIENT_INTERFACE)) == 0;

    exchange_question(question, method);
    question->ask.by_person = true;
    question->ask.without_vault = question->ask.without_key = !ours;
    for (size_t i = 0; ours && i < sizeof(many_replies) / sizeof(many_replies[0]); i++)
        question->ask.more = question->ask.more || strcmp(name, many_replies[i]) == 0;
}

static enum status cmd_call(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(json_freep) struct json *parameters = NULL;
    enum status status = read_parameters(command_argument(invocation, 1), failure, &parameters);

    if (status == STATUS_OK)
        status =
            exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);
    if (status != STATUS_OK)
        return status;
    choose_method(&question, command_argument(invocation, 0));
    add_parameters(&question, parameters);
    status = exchange_ask(&exchange, &question, failure, &answer);
    while (status == STATUS_OK) {
        status = output_document(answer.parameters, failure);
        if (status != STATUS_OK || !answer.continues)
            break;
        status = exchange_next(&exchange, failure, &answer);
    }
    return status;
}

/* ---- the commands ---- */

/* clang-format off */
const struct command cmd_call_commands[] = {
    {
        .name = "call", .run = cmd_call, .options = NULL, .least = 1, .most = 2,
        .arguments = {"METHOD", "JSON|-"},
        .usage = "METHOD [JSON|-]",
        .summary = "call a method of the agent",
        .help = "Calls METHOD of io.stepvault.Agent (docs/PROTOCOL.md) with the parameters in JSON, or on stdin for -, and "
                "prints those of the reply as one JSON document, or one a line where there are several. `vault` is "
                "filled in. Parameters that hold secrets are taken from stdin only.",
    },
    {0},
};
/* clang-format on */
