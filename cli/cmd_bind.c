/* bind: an account placed at a path under an alias. */
#include "base/cleanup.h"
#include "base/name.h"
#include "command.h"
#include "exchange.h"

#include <stdio.h>
#include <string.h>

/* `NAME=PROPERTY` of `--env`; the same NAME twice would be one JSON key twice. */
static enum status add_renaming(struct question *question, const struct invocation *invocation,
                                const char *text, struct failure *failure)
{
    const char *equals = strchr(text, '=');
    char name[NAME_VARIABLE_MAX + 1];
    size_t position = 0;
    const char *other;
    enum status status;

    if (equals == NULL || equals == text || equals[1] == '\0')
        return failure_set(failure, STATUS_USAGE, "--env wants NAME=PROPERTY");
    if ((size_t)(equals - text) >= sizeof(name))
        return failure_set(failure, STATUS_INVALID, "the name in --env is longer than %d bytes",
                           NAME_VARIABLE_MAX);
    snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
    status = name_check_variable(name, failure);
    if (status == STATUS_OK)
        status = name_check_property(equals + 1, failure);
    if (status != STATUS_OK)
        return status;
    while ((other = option_next(&invocation->options, "env", &position)) != NULL && other != text) {
        if (strncmp(other, text, (size_t)(equals - text) + 1) == 0)
            return failure_set(failure, STATUS_USAGE, "--env names %s twice", name);
    }
    json_add_text(&question->writer, name, equals + 1);
    return STATUS_OK;
}

static enum status add_renamings(struct question *question, const struct invocation *invocation,
                                 struct failure *failure)
{
    size_t position = 0;
    const char *text;

    if (!option_flag(&invocation->options, "env"))
        return STATUS_OK;
    json_open_object(&question->writer, "environment");
    while ((text = option_next(&invocation->options, "env", &position)) != NULL) {
        enum status status = add_renaming(question, invocation, text, failure);

        if (status != STATUS_OK)
            return status;
    }
    json_close_object(&question->writer);
    return STATUS_OK;
}

static enum status cmd_bind(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = exchange_begin(invocation, failure, &exchange, &question);

    if (status == STATUS_OK)
        status = add_renamings(&question, invocation, failure);
    return status == STATUS_OK ? exchange_ask(&exchange, &question, failure, &answer) : status;
}

/* ---- the commands ---- */

static const struct option_rule bind_options[] = {
    {"as",                            "ALIAS", false, "The name the step knows the account by; default the app's."},
    {"only",                          "PROPERTY", true, "Gives only these properties."},
    {"env",                               "NAME=PROPERTY", true, "Calls the variable of a property NAME instead of ALIAS_PROPERTY."},
    {"replace",NULL, false, "Changes what the alias has at this path: account, properties, names."},
    OPTION_DANGEROUS,
    {0},
};
static const struct command_member bind_members[] = {
    {"path",           MEMBER_ARGUMENT, 0, NULL},
    {"account",               MEMBER_ARGUMENT, 1, NULL},
    {"alias",                MEMBER_TEXT, 0, "as"},
    {"only",MEMBER_LIST, 0, "only"},
    {"replace",            MEMBER_FLAG, 0, "replace"},
    {"allow_dangerous_name",          MEMBER_FLAG, 0, "allow-dangerous-name"},
    {0              },
};
static const struct command_member unbind_members[] = {
    {"path", MEMBER_ARGUMENT, 0, NULL},
    {"alias",     MEMBER_ARGUMENT, 1, NULL},
    {0     },
};

/* clang-format off */
const struct command cmd_bind_commands[] = {
    {
        .name = "bind", .run = cmd_bind, .method = "Bind",
        .members = bind_members, .options = bind_options, .least = 2, .most = 2,
        .arguments = {"PATH", "ACCOUNT"},
        .usage = "PATH ACCOUNT [--as ALIAS] [--only PROPERTY]... [--env NAME=PROPERTY]... [--replace] "
                 "[--allow-dangerous-name]",
        .summary = "place an account at a path",
        .help = "Every step at or below PATH gets the account's properties under the alias: as variables "
                "ALIAS_PROPERTY, or in the document of `stepvault run --deliver auths`. The same again is no error; "
                "another account, other properties or other names under an alias that is taken need --replace.",
    },
    {
        .name = "unbind", .run = command_call, .method = "Unbind",
        .members = unbind_members, .least = 2, .most = 2,
        .arguments = {"PATH", "ALIAS"},
        .usage = "PATH ALIAS",
        .summary = "take one away",
        .help = "Removes the binding of an alias placed exactly at PATH. The account stays.",
    },
    {0},
};
/* clang-format on */
