/* client: the user's own OAuth clients, by which accounts are connected. Their secrets are never printed. */
#include "base/cleanup.h"
#include "base/file.h"
#include "catalog/catalog.h"
#include "command.h"
#include "exchange.h"
#include "output.h"
#include "prompt.h"
#include "redirect.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_MAX 2048 /* bytes, as the agent has it */

/* ---- add ---- */

static enum status read_id(const struct option_values *options, struct failure *failure, struct secret *id)
{
    const char *given = option_text(options, "client-id");
    enum status status;

    if (given != NULL)
        return secret_append_text(id, given) ? STATUS_OK : failure_set_no_memory(failure);
    if (!isatty(STDIN_FILENO))
        return failure_set(failure, STATUS_USAGE, "--client-id is missing; what stdin has is the secret");
    status = prompt_line("Client id: ", false, ID_MAX, "the client id", failure, id);
    if (status == STATUS_OK && id->size == 0)
        return failure_set(failure, STATUS_INVALID, "the client id is empty");
    return status;
}

/* Empty for a public client. */
static enum status read_secret(const struct option_values *options, struct failure *failure,
                               struct secret *secret)
{
    int descriptor = -1;
    enum status status = option_descriptor(options, "secret-fd", failure, &descriptor);

    if (status != STATUS_OK)
        return status;
    if (option_flag(options, "public") && descriptor != -1)
        return failure_set(failure, STATUS_USAGE, "--public and --secret-fd exclude each other");
    if (option_flag(options, "public"))
        return STATUS_OK;
    if (descriptor != -1)
        status = file_read_line(descriptor, NAME_VALUE_MAX, "the client secret", failure, secret);
    else if (isatty(STDIN_FILENO))
        return prompt_line("Client secret (empty: a public client): ", true, NAME_VALUE_MAX,
                           "the client secret", failure, secret);
    else
        status = prompt_value("client_secret", false, failure, secret);
    if (status == STATUS_OK && secret->size == 0)
        return failure_set(failure, STATUS_INVALID,
                           "the client secret is empty; a client without one is added with --public");
    return status;
}

static enum status write_client(const struct invocation *invocation, const char *slug,
                                struct json_writer *writer, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret id = {0};
    CLEANUP(secret_reset) struct secret secret = {0};
    enum status status = read_id(&invocation->options, failure, &id);

    if (status == STATUS_OK)
        status = read_secret(&invocation->options, failure, &secret);
    if (status != STATUS_OK)
        return status;
    json_add_text(writer, "app", slug);
    json_add_bytes(writer, "client_id", id.bytes, id.size);
    if (secret.size > 0)
        json_add_bytes(writer, "client_secret", secret.bytes, secret.size);
    return STATUS_OK;
}

static enum status print_name(const struct json *client, struct failure *failure)
{
    const char *app = json_member_text(client, "app");
    const char *label = json_member_text(client, "label");
    char name[NAME_APP_MAX + NAME_LABEL_MAX + 2];

    if (app == NULL || label == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no client");
    snprintf(name, sizeof(name), "%s:%s", app, label);
    return output_line(name, failure);
}

static enum status cmd_client_add(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    char slug[NAME_APP_MAX + 1];
    enum status status = catalog_slug(command_argument(invocation, 0), failure, slug);

    if (status == STATUS_OK)
        status = exchange_begin(invocation, failure, &exchange, &question);
    if (status == STATUS_OK)
        status = exchange_ready(&exchange, failure);
    if (status == STATUS_OK)
        status = write_client(invocation, slug, &question.writer, failure);
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    status = print_name(json_member(answer.parameters, "client"), failure);
    if (status == STATUS_OK)
        redirect_tell(slug, option_text(&invocation->options, "redirect-uri"));
    return status;
}

/* ---- list and remove ---- */

static enum status print_client_list(struct invocation *invocation, const struct json *reply,
                                     struct failure *failure)
{
    static const char *const headings[] = {"CLIENT", "CLIENT ID", "SECRET", "REDIRECT URI", "CONNECTED"};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *clients;

    (void)invocation;
    output_table_start(&table, sizeof(headings) / sizeof(headings[0]), headings);
    clients = json_member(reply, "clients");
    for (size_t i = 0; i < json_count(clients); i++) {
        const struct json *client = json_at(clients, i);
        const char *app = json_member_text(client, "app");
        const char *label = json_member_text(client, "label");

        output_table_add_format(&table, "%s:%s", app != NULL ? app : "", label != NULL ? label : "");
        output_table_add(&table, json_member_text(client, "client_id"));
        output_table_add(&table, json_member_boolean(client, "public", false) ? "none" : "yes");
        output_table_add(&table, json_member_text(client, "redirect_uri"));
        output_table_add_list(&table, json_member(client, "accounts"));
    }
    return output_table_print(&table, failure);
}

/* `slack`, `slack:work` */
static enum status cmd_client_remove(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *client = command_argument(invocation, 0);
    size_t length = strcspn(client, ":");
    char app[NAME_APP_MAX + 1];
    enum status status;

    if (length >= sizeof(app))
        return failure_set(failure, STATUS_INVALID, "%.80s is not a client's name, APP or APP:LABEL", client);
    snprintf(app, sizeof(app), "%.*s", (int)length, client);
    status = exchange_begin(invocation, failure, &exchange, &question);
    if (status != STATUS_OK)
        return status;
    json_add_text(&question.writer, "app", app);
    if (client[length] == ':')
        json_add_text(&question.writer, "label", client + length + 1);
    return exchange_ask(&exchange, &question, failure, &answer);
}

/* ---- the commands ---- */

static const struct option_rule client_add_options[] = {
    {"label",                                                "LABEL", false, "Tells clients of one app apart; default `default`."},
    {"client-id",                                                 "ID", false, "What the provider calls the client; else asked for."},
    {"secret-fd",                                                      "N", false, "Reads the secret as one line of descriptor N, instead of asking."},
    {"public",  NULL, false, "The client has no secret."},
    {"redirect-uri", "URL", false, "The redirect URI that is registered, where it must be that one."},
    {"replace",                                            NULL, false, "Replaces the client of this label."},
    OPTION_JSON,
    {0                                                },
};
static const struct command_member client_add_members[] = {
    {"label",      MEMBER_TEXT, 0, "label"},
    {"redirect_uri",           MEMBER_TEXT, 0, "redirect-uri"},
    {"replace",            MEMBER_FLAG, 0, "replace"},
    {0},
};
static const struct command_member client_list_members[] = {
    {"app", MEMBER_ARGUMENT, 0, NULL},
    {0   },
};

/* clang-format off */
const struct command cmd_client_commands[] = {
    {
        .name = "client", .subcommand = "add", .run = cmd_client_add, .method = "AddClient",
        .members = client_add_members, .options = client_add_options, .least = 1, .most = 1,
        .arguments = {"APP"},
        .usage = "APP [--label LABEL] [--client-id ID] [--secret-fd N|--public] [--redirect-uri URL] [--replace] "
                 "[--json]",
        .summary = "add an OAuth client of yours",
        .help = "Keeps the client id and the secret that a provider gave you for an app that you registered there; "
                "`connect` connects accounts by it. The secret is asked for, or read from stdin. Prints the client's "
                "name, APP:LABEL, and says which redirect URI to register.",
    },
    {
        .name = "client", .subcommand = "list", .run = command_print, .print = print_client_list,
        .method = "ListClients", .members = client_list_members, .options = command_json_options, .most = 1,
        .arguments = {"APP"},
        .usage = "[APP] [--json]",
        .summary = "list them",
        .help = "Prints your OAuth clients, of one app or all, and the accounts connected by each; never their secrets.",
    },
    {
        .name = "client", .subcommand = "remove", .run = cmd_client_remove, .method = "RemoveClient",
        .least = 1, .most = 1,
        .arguments = {"CLIENT"},
        .usage = "CLIENT",
        .summary = "remove one",
        .help = "Removes a client, APP or APP:LABEL, by which no account is connected any more.",
    },
    {0},
};
/* clang-format on */
