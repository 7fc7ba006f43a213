/* connect: an account whose tokens come from the provider, with the consent of a person there. */
#include "attempt.h"
#include "base/cleanup.h"
#include "command.h"
#include "consent.h"
#include "exchange.h"
#include "identity.h"
#include "intake.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

/* ---- asking the provider ---- */

/* One flow, from the call to its last reply. `ret_begun`: the person was shown something. */
static enum status ask_once(struct attempt *attempt, struct exchange *exchange, struct failure *failure,
                            struct answer *answer, bool *ret_begun)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    struct consent consent = {.invocation = attempt->invocation,
                              .exchange = exchange,
                              .remote = attempt->remote,
                              .opens = !attempt->remote && !attempt->preference.no_browser &&
                                       !option_flag(&attempt->invocation->options, "no-browser"),
                              .listens = strcmp(attempt->flow, "browser") == 0,
                              .pastes = strcmp(attempt->flow, "browser") == 0 ||
                                        strcmp(attempt->flow, "paste") == 0};
    enum status status = exchange_start(
        attempt->invocation, option_text(&attempt->invocation->options, "key-file"), failure, exchange);

    if (status != STATUS_OK)
        return status;
    exchange_question(&question, "Connect");
    question.ask.more = true;
    attempt_write(attempt, &question.writer);
    status = exchange_ask(exchange, &question, failure, answer);
    if (status == STATUS_OK)
        status = consent_wait(&consent, failure, answer);
    *ret_begun = consent.shown;
    return status;
}

/* Device flow is a setting of a client that its owner may not have made, so where it was only our choice, a
 * refusal before its first notice means the other way. */
static enum status ask_provider(struct attempt *attempt, struct exchange *exchange, struct failure *failure,
                                struct answer *answer)
{
    bool begun = false;
    enum status status = ask_once(attempt, exchange, failure, answer, &begun);

    if (status == STATUS_REFUSED && !begun && attempt_fall_back(attempt)) {
        output_note("%s; a browser's redirect is tried instead", failure->sentence);
        exchange_reset(exchange);
        status = ask_once(attempt, exchange, failure, answer, &begun);
    }
    return status;
}

/* ---- keeping what came ---- */

/* On the connection that has it. */
static enum status keep(struct attempt *attempt, struct exchange *exchange, const struct answer *given,
                        struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    struct identity_place place = {0};
    enum status status = identity_choose_place(attempt, given->parameters, failure, &place);

    if (status != STATUS_OK)
        return status;
    exchange_question(&question, "KeepAccount");
    if (place.account[0] != '\0')
        json_add_text(&question.writer, "account", place.account);
    if (place.label[0] != '\0')
        json_add_text(&question.writer, "label", place.label);
    if (place.other_identity)
        json_add_boolean(&question.writer, "other_identity", true);
    status = exchange_add_members(&question, attempt->invocation, failure);
    if (status != STATUS_OK)
        return status;
    status = exchange_ask_ahead(exchange, &question, failure);
    if (status == STATUS_OK)
        status = exchange_next(exchange, failure, ret_answer);
    /* It waits only so long for a person who is asked where to keep it. */
    if (status == STATUS_AGENT_ENDED || status == STATUS_PROTOCOL)
        return failure_set(
            failure, STATUS_REFUSED,
            "the agent let go of what the provider gave before it was kept, so nothing was changed");
    return status;
}

static enum status fetch(struct attempt *attempt, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_answer_reset) struct answer given = {0};
    CLEANUP(exchange_answer_reset) struct answer kept = {0};
    char name[ATTEMPT_CLIENT_SIZE];
    enum status status = attempt_prepare(attempt, failure);

    if (status == STATUS_OK)
        status = identity_check_label(attempt, failure);
    if (status == STATUS_OK)
        status = ask_provider(attempt, &exchange, failure, &given);
    if (status == STATUS_OK)
        status = keep(attempt, &exchange, &given, failure, &kept);
    if (status != STATUS_OK)
        return status;
    identity_tell(given.parameters, kept.parameters);
    if (option_flag(&attempt->invocation->options, "json"))
        return output_document(kept.parameters, failure);
    attempt_name(json_member(kept.parameters, "account"), name);
    return output_line(name, failure);
}

static enum status cmd_connect(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(attempt_reset) struct attempt attempt = {.invocation = invocation};
    enum status status = attempt_choose_method(&attempt, failure);

    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "issuer") || intake_fetches(&attempt.intake))
        return fetch(&attempt, failure);
    return cmd_account_add_filled(invocation, &attempt.intake, failure);
}

/* ---- the command ---- */

/* One line each: all of it fits a screen. */
static const struct option_rule connect_options[] = {
    {"method",                                        "M", false, "Which of the app's methods; see `app show`."},
    {"label",                                          "LABEL", false, "Tells accounts of one app apart."},
    {"reconnect",                                               "ACCOUNT", false, "Gives an account new tokens; its bindings stay."},
    {"client","CLIENT", false, "Which of your clients, LABEL or APP:LABEL."},
    {"scope",             "SCOPE", true, "What the tokens are for, in the provider's words."},
    {"user-scope",                                     "SCOPE", true, "The same for a second token (Slack's users)."},
    {"var",                                          "NAME=VALUE", true, "A property of its address, such as subdomain=acme."},
    {"issuer",                                               "URL", false, "The provider, by discovery, not of the catalogue."},
    {"device",                                         NULL, false, "Shows a code, to be typed at any machine."},
    {"paste",   NULL, false, "Takes the address that the browser ended on."},
    {"client-credentials",                                         NULL, false, "For the client itself, without a person."},
    {"import",                                           NULL, false, "Takes a refresh token, asked for or from stdin."},
    {"no-browser",                                               NULL, false, "Opens no browser here."},
    {"port",    "N", false, "Where to listen for the browser."},
    {"note", "TEXT", false, "One line about the account, shown in lists."},
    {"expires",                                           "DATE", false, "As for `account add`."},
    OPTION_JSON,
    {0                                          },
};
static const struct command_member connect_members[] = {
    {"note", MEMBER_TEXT, 0, "note"},
    {"expires",     MEMBER_EXPIRY, 0, "expires"},
    {0     },
};

/* clang-format off */
const struct command cmd_connect_commands[] = {
    {
        .name = "connect", .run = cmd_connect, .method = "AddAccount",
        .members = connect_members, .options = connect_options, .most = 1,
        .arguments = {"APP"},
        .usage = "APP|--reconnect ACCOUNT [OPTION]... [--json]",
        .summary = "connect an account of an app",
        .help = "Has the provider ask you for consent, by a client of yours (`client add`), and keeps the tokens that it "
                "gives, which are renewed when they are due. A method without OAuth asks for its properties, as "
                "`account add` does.",
    },
    {0},
};
/* clang-format on */
