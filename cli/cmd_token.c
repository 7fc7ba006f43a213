/* What is done with the tokens of an account that was connected: account test, account refresh, disconnect.
 */
#include "base/cleanup.h"
#include "command.h"
#include "exchange.h"
#include "health.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

/* Who the provider says it is, for the end of a sentence; empty where it does not. */
static const char *identity_of(const struct json *reply)
{
    const struct json *identity = json_member(reply, "identity");
    const char *name = json_member_text(identity, "name");

    if (json_text(identity, NULL) != NULL)
        return json_text(identity, NULL);
    if (name == NULL)
        name = json_member_text(identity, "id");
    return name != NULL ? name : "";
}

static enum status cmd_account_test(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *account = command_argument(invocation, 0);
    const char *identity;
    const char *reason;
    enum status status = exchange_command(invocation, failure, &answer);

    if (status != STATUS_OK)
        return status;
    if (!json_member_boolean(answer.parameters, "works", false))
        invocation->exit_status = EXIT_FAILURE;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    identity = identity_of(answer.parameters);
    reason = json_member_text(answer.parameters, "reason");
    if (invocation->exit_status == 0)
        output_note("%s works%s%s", account, identity[0] != '\0' ? ", as " : "", identity);
    else
        output_note("%s does not work%s%s", account, reason != NULL ? ": " : "",
                    reason != NULL ? reason : "");
    return STATUS_OK;
}

static enum status print_account_refresh(struct invocation *invocation, const struct json *reply,
                                         struct failure *failure)
{
    const char *expires;

    (void)failure;
    expires = json_member_text(json_member(reply, "account"), "token_expires");
    output_note("%s has a new token%s%s", command_argument(invocation, 0),
                expires != NULL ? ", good until " : "", expires != NULL ? expires : "");
    return STATUS_OK;
}

/* ---- disconnect ---- */

/* What the provider took back, in its order, and where a person can see to the rest. */
static void tell_revoked(const char *account, const struct json *reply)
{
    CLEANUP(secret_reset) struct secret words = {0};
    const struct json *revoked = json_member(reply, "revoked");
    const char *page = json_member_text(reply, "page");
    const char *reason = json_member_text(reply, "reason");
    size_t count = json_count(revoked);

    for (size_t i = 0; i < count; i++) {
        const char *token = json_text(json_at(revoked, i), NULL);

        if (token == NULL || !secret_append_format(&words, "%s%s", i > 0 ? " and " : "", token))
            return;
    }
    for (size_t i = 0; i < words.size; i++) {
        if (words.bytes[i] == '_')
            words.bytes[i] = ' ';
    }
    output_note("%s is removed from the vault", account);
    if (count > 0)
        output_note("the provider was told to end its %s", secret_text(&words));
    else
        output_note("nothing was revoked at the provider%s%s", reason != NULL ? ": " : "",
                    reason != NULL ? reason : "");
    if (page != NULL)
        output_note("what the provider still allows is shown, and ended, at %s", page);
}

static enum status print_disconnect(struct invocation *invocation, const struct json *reply,
                                    struct failure *failure)
{
    (void)failure;
    tell_revoked(command_argument(invocation, 0), reply);
    return STATUS_OK;
}

/* ---- the commands ---- */

static const struct command_member account_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {0       },
};

/* clang-format off */
const struct command cmd_token_commands[] = {
    {
        .name = "account", .subcommand = "test", .run = cmd_account_test, .method = "TestAccount",
        .members = account_members, .options = command_json_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--json]",
        .summary = "see whether a connected one works",
        .help = "Makes the app's test request, which changes nothing there, with the token of an account that was "
                "connected, and says whether it works and as whom. Exit status 1 if it does not.",
    },
    {
        .name = "account", .subcommand = "refresh", .run = command_print, .print = print_account_refresh,
        .method = "RefreshAccount", .members = account_members, .options = command_json_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--json]",
        .summary = "get a new token now",
        .help = "Has the provider renew the access token of an account that was connected. A step needs no such thing: "
                "what it gets is renewed when it is due.",
    },
    {
        .name = "disconnect", .run = command_print, .print = print_disconnect,
        .method = "DisconnectAccount", .members = account_members, .options = command_json_options, .least = 1, .most = 1,
        .arguments = {"ACCOUNT"},
        .usage = "ACCOUNT [--json]",
        .summary = "revoke and remove a connected account",
        .help = "Asks the provider to end what it allowed, removes the account from the vault whatever it answered, and "
                "says what was revoked and what was not. An account that is bound somewhere is left as it is.",
    },
    {0},
};
/* clang-format on */
