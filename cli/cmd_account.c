/* account: connected accounts of apps and their named properties, whose values are never printed. */
#include "base/cleanup.h"
#include "base/name.h"
#include "command.h"
#include "due.h"
#include "exchange.h"
#include "health.h"
#include "intake.h"
#include "output.h"
#include "prompt.h"

#include <stdio.h>
#include <string.h>

static enum status add_one_property(struct question *question, const struct invocation *invocation,
                                    struct failure *failure)
{
    CLEANUP(secret_reset) struct secret value = {0};
    const char *name = command_argument(invocation, 1);
    enum status status = name_check_property(name, failure);

    if (status == STATUS_OK)
        status = prompt_value(name, option_flag(&invocation->options, "raw"), failure, &value);
    if (status == STATUS_OK)
        status = intake_check_property(name, &value, failure);
    if (status != STATUS_OK)
        return status;
    json_open_object(&question->writer, "properties");
    json_add_bytes(&question->writer, name, value.bytes, value.size);
    json_close_object(&question->writer);
    return STATUS_OK;
}

/* Session and call up to the point where values are asked for. */
static enum status begin(struct invocation *invocation, struct failure *failure, struct exchange *exchange,
                         struct question *question)
{
    enum status status = exchange_begin(invocation, failure, exchange, question);

    return status == STATUS_OK ? exchange_ready(exchange, failure) : status;
}

/* ---- commands ---- */

enum status cmd_account_add_filled(struct invocation *invocation, struct intake *intake,
                                   struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *label = option_text(&invocation->options, "label");
    char name[NAME_APP_MAX + NAME_LABEL_MAX + 2];
    const struct json *account;
    enum status status = begin(invocation, failure, &exchange, &question);

    if (status != STATUS_OK)
        return status;
    json_add_text(&question.writer, "app", intake->slug);
    if (label != NULL)
        json_add_text(&question.writer, "label", label);
    status = intake_fill(intake, &question.writer, failure);
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    account = json_member(answer.parameters, "account");
    if (json_member_text(account, "app") == NULL || json_member_text(account, "label") == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no account");
    snprintf(name, sizeof(name), "%s:%s", json_member_text(account, "app"),
             json_member_text(account, "label"));
    return output_line(name, failure);
}

static enum status cmd_account_add(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(intake_reset) struct intake intake = {0};
    enum status status = intake_start(command_argument(invocation, 0),
                                      option_text(&invocation->options, "method"), false, failure, &intake);

    return status == STATUS_OK ? cmd_account_add_filled(invocation, &intake, failure) : status;
}

static enum status cmd_account_set(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *property = command_argument(invocation, 1);
    const char *app;
    bool unsets = option_flag(&invocation->options, "unset");
    enum status status;

    if (property != NULL && (strchr(property, '=') != NULL || command_argument(invocation, 2) != NULL))
        return prompt_refuse_argument(property, failure);
    if (property != NULL && unsets)
        return failure_set(failure, STATUS_USAGE, "--unset and a property to set exclude each other");
    status = begin(invocation, failure, &exchange, &question);
    if (status != STATUS_OK)
        return status;
    if (property != NULL) {
        status = add_one_property(&question, invocation, failure);
    } else if (unsets) {
        json_open_object(&question.writer, "properties");
        json_close_object(&question.writer);
    } else {
        struct intake intake = {0};

        status = intake_fill(&intake, &question.writer, failure);
    }
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    if (status != STATUS_OK || property == NULL)
        return status;
    app = json_member_text(json_member(answer.parameters, "account"), "app");
    if (app != NULL)
        intake_note_beyond(app, property);
    return STATUS_OK;
}

/* `billing/notify as slack,...` */
static void add_bindings(struct output_table *table, const struct json *bindings)
{
    CLEANUP(secret_reset) struct secret cell = {0};

    for (size_t i = 0; i < json_count(bindings); i++) {
        const char *path = json_member_text(json_at(bindings, i), "path");
        const char *alias = json_member_text(json_at(bindings, i), "alias");

        if (path != NULL && alias != NULL &&
            !secret_append_format(&cell, "%s%s as %s", i > 0 ? ", " : "", path, alias))
            table->failed = true;
    }
    output_table_add(table, secret_text(&cell));
}

static void add_name(struct output_table *table, const struct json *account)
{
    const char *app = json_member_text(account, "app");
    const char *label = json_member_text(account, "label");

    output_table_add_format(table, "%s:%s", app != NULL ? app : "", label != NULL ? label : "");
}

static enum status print_account_list(struct invocation *invocation, const struct json *reply,
                                      struct failure *failure)
{
    static const char *const headings[] = {"ACCOUNT", "ID",      "PROPERTIES", "BOUND AT",
                                           "STATE",   "EXPIRES", "NOTE",       "HEALTH"};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *accounts;

    (void)invocation;
    output_table_start(&table, sizeof(headings) / sizeof(headings[0]), headings);
    accounts = json_member(reply, "accounts");
    for (size_t i = 0; i < json_count(accounts); i++) {
        const struct json *account = json_at(accounts, i);

        add_name(&table, account);
        output_table_add(&table, json_member_text(account, "id"));
        output_table_add_list(&table, json_member(account, "properties"));
        add_bindings(&table, json_member(account, "bindings"));
        due_add_state(&table, account, "set");
        due_add_remarks(&table, account);
        health_add(&table, account);
    }
    return output_table_print(&table, failure);
}

static enum status print_account_show(struct invocation *invocation, const struct json *reply,
                                      struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *account;

    (void)invocation;
    output_table_start(&table, 2, NULL);
    account = json_member(reply, "account");
    output_table_add(&table, "account");
    add_name(&table, account);
    output_table_add(&table, "id");
    output_table_add(&table, json_member_text(account, "id"));
    output_table_add(&table, "properties");
    output_table_add_list(&table, json_member(account, "properties"));
    output_table_add(&table, "created");
    output_table_add(&table, json_member_text(account, "created"));
    output_table_add(&table, "updated");
    output_table_add(&table, json_member_text(account, "updated"));
    output_table_add(&table, "bound at");
    add_bindings(&table, json_member(account, "bindings"));
    output_table_add(&table, "state");
    due_add_state(&table, account, "set");
    output_table_add(&table, "expires");
    output_table_add(&table, json_member_text(account, "expires"));
    output_table_add(&table, "note");
    output_table_add(&table, json_member_text(account, "note"));
    health_add_rows(&table, account);
    return output_table_print(&table, failure);
}

static enum status print_account_history(struct invocation *invocation, const struct json *reply,
                                         struct failure *failure)
{
    (void)invocation;
    return due_print_history(json_member(reply, "revisions"), false, failure);
}

static enum status print_account_restore(struct invocation *invocation, const struct json *reply,
                                         struct failure *failure)
{
    (void)failure;
    output_note("%s has the properties of revision %lld again", command_argument(invocation, 0),
                (long long)json_member_number(reply, "revision", 0));
    return STATUS_OK;
}

static enum status print_account_forget(struct invocation *invocation, const struct json *reply,
                                        struct failure *failure)
{
    (void)failure;
    output_note("%lld old revisions of %s are forgotten; the one in force stays",
                (long long)json_member_number(reply, "forgotten", 0), command_argument(invocation, 0));
    return STATUS_OK;
}

/* ---- the commands ---- */

static const struct option_rule account_add_options[] = {
    {"label", "LABEL", false, "Tells accounts of one app apart; the first one is `default`."},
    {"method",  "M", false, "Which of the app's methods; see `app show`."},
    OPTION_NOTE,
    OPTION_EXPIRES,
    OPTION_JSON,
    {0      },
};
static const struct option_rule account_set_options[] = {
    OPTION_RAW,  {"unset", "PROPERTY", true, "Removes a property instead of setting any."},
    OPTION_NOTE, OPTION_EXPIRES,
    {0  },
};
static const struct option_rule account_list_options[] = {OPTION_STALE, OPTION_EXPIRING, OPTION_JSON, {0}};
static const struct option_rule account_annotate_options[] = {OPTION_NOTE, OPTION_EXPIRES, {0}};
static const struct option_rule account_old_options[] = {OPTION_REVISION, {0}};
static const struct command_member account_add_members[] = {
    {"note", MEMBER_TEXT, 0, "note"},
    {"expires",     MEMBER_EXPIRY, 0, "expires"},
    {0     },
};
static const struct command_member app_members[] = {
    {"app",        MEMBER_ARGUMENT, 0, NULL},
    {"stale",           MEMBER_FLAG, 0, "stale"},
    {"expiring",            MEMBER_FLAG, 0, "expiring"},
    {0},
};
static const struct command_member account_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {0       },
};
static const struct command_member account_set_members[] = {
    {"account",    MEMBER_ARGUMENT, 0, NULL},
    {"unset",           MEMBER_LIST, 0, "unset"},
    {"note",            MEMBER_TEXT, 0, "note"},
    {"expires",MEMBER_EXPIRY, 0, "expires"},
    {0    },
};
static const struct command_member account_annotate_members[] = {
    {"account",    MEMBER_ARGUMENT, 0, NULL},
    {"note",           MEMBER_TEXT, 0, "note"},
    {"expires",            MEMBER_EXPIRY, 0, "expires"},
    {0},
};
static const struct command_member account_old_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {"revision",        MEMBER_NUMBER, 0, "revision"},
    {0        },
};
static const struct command_member rename_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {"label",        MEMBER_ARGUMENT, 1, NULL},
    {0        },
};

/* clang-format off */
const struct command cmd_account_commands[] = {
    {
        .name = "account", .subcommand = "add", .run = cmd_account_add, .method = "AddAccount",
        .members = account_add_members, .options = account_add_options, .least = 1, .most = 1,
        .arguments = {"APP"},
        .usage = "APP [--method M] [--label LABEL] [--note TEXT] [--expires DATE] [--json]",
        .summary = "add an account of an app",
        .help = "Reads its properties, such as an access token, from stdin as a JSON object of strings; on a terminal "
                "asks for them one by one. `app show` lists them; those of an app that it does not know may be any. "
                "Prints the account's name, APP:LABEL. A second account of an app needs --label.",
    },
    {
        .name = "account", .subcommand = "list", .run = command_print, .print = print_account_list,
        .method = "ListAccounts", .members = app_members, .options = account_list_options, .most = 1,
        .arguments = {"APP"},
        .usage = "[APP] [--stale] [--expiring] [--json]",
        .summary = "list accounts",
        .help = "Prints each account with its id, the names of its properties, where it is bound, and what is due: marked "
                "are those that have expired or expire within 30 days, and stale ones, whose properties were not changed "
                "for a year; and of those that were connected how their tokens stand.",
    },
    {
        .name = "account", .subcommand = "show", .run = command_print, .print = print_account_show,
        .method = "ShowAccount", .members = account_members, .options = command_json_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--json]",
        .summary = "show one",
        .help = "Prints the account (APP, APP:LABEL or its id) with the names of its properties, never their values.",
    },
    {
        .name = "account", .subcommand = "set", .run = cmd_account_set, .method = "SetAccount",
        .members = account_set_members, .options = account_set_options, .least = 1, .most = COMMAND_ANY_NUMBER,
        .arguments = {"ACCOUNT", "PROPERTY"},
        .usage = "ACCOUNT [PROPERTY] [--raw] [--unset PROPERTY]... [--note TEXT] [--expires DATE]",
        .summary = "set properties",
        .help = "Sets one property, its value read from stdin without one newline at its end, or asked for on a "
                "terminal. Without PROPERTY sets all those of a JSON object of strings on stdin. Others stay. "
                "The properties as they were are kept (account history); a note stays, and an expiry goes unless --expires "
                "says it anew.",
    },
    {
        .name = "account", .subcommand = "annotate", .run = command_call, .method = "AnnotateAccount",
        .members = account_annotate_members, .options = account_annotate_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--note TEXT] [--expires DATE]",
        .summary = "change note and expiry",
        .help = "Changes the note or the expiry of an account and leaves its properties alone. What is expired is still "
                "delivered: an expiry reminds, and revokes nothing.",
    },
    {
        .name = "account", .subcommand = "history", .run = command_print, .print = print_account_history,
        .method = "ListAccountRevisions", .members = account_members, .options = command_json_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--json]",
        .summary = "list old properties",
        .help = "Prints when the properties of an account were set and replaced, never their values. Kept are the last 10 "
                "revisions, 256 KiB in all, until the account is removed.",
    },
    {
        .name = "account", .subcommand = "restore", .run = command_print, .print = print_account_restore,
        .method = "RestoreAccount", .members = account_old_members, .options = account_old_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--revision N]",
        .summary = "set old properties again",
        .help = "Gives the account all its properties as they were before the last change, or in a revision, by the rules "
                "of `account set`. What they replace is kept, so that restoring again undoes it.",
    },
    {
        .name = "account", .subcommand = "forget", .run = command_print, .print = print_account_forget,
        .method = "ForgetAccount", .members = account_old_members, .options = account_old_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--revision N]",
        .summary = "remove old properties",
        .help = "Removes the old revisions of an account, or one, from the vault, and leaves what is in force. A token "
                "that leaked must also be revoked where it is good.",
    },
    {
        .name = "account", .subcommand = "rename", .run = command_call, .method = "RenameAccount",
        .members = rename_members, .least = 2, .most = 2,
        .arguments = {"ACCOUNT", "LABEL"},
        .usage = "ACCOUNT LABEL",
        .summary = "give one another label",
        .help = "Gives an account another label. Its bindings stay.",
    },
    {
        .name = "account", .subcommand = "remove", .run = command_call, .method = "RemoveAccount",
        .members = account_members, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT",
        .summary = "remove one",
        .help = "Removes an account that is bound nowhere, and its history; else says where it is bound.",
    },
    {0},
};
/* clang-format on */
