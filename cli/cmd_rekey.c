/* rekey: a new vault key. Only what opens the vault with a key at hand goes on opening it. */
#include "base/cleanup.h"
#include "base/text.h"
#include "command.h"
#include "exchange.h"
#include "keyring.h"
#include "output.h"
#include "prompt.h"
#include "recovery.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define ID_TEXT_SIZE (2 * SLOT_ID_SIZE + 1)

/* What is open now, on a connection that ends with this: whoever is asked next may take a while. */
static enum status list_slots(struct exchange *exchange, struct failure *failure,
                              struct key_headers *ret_headers)
{
    enum status status = exchange_open(exchange, failure);

    if (status == STATUS_OK)
        status = exchange_list_slots(exchange, failure, ret_headers);
    exchange_reset(exchange);
    return status;
}

static enum status send(struct exchange *exchange, const char *method, const struct keyring *keyring,
                        bool dry_run, struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status = exchange_open(exchange, failure);

    if (status != STATUS_OK)
        return status;
    exchange_question(&question, method);
    keyring_write(keyring, &question.writer);
    if (dry_run)
        json_add_boolean(&question.writer, "dry_run", true);
    status = exchange_send(exchange, &question, &keyring->authority, failure, ret_answer);
    exchange_reset(exchange);
    return status;
}

/* Tries the rekey with this slot alone. */
static enum status try_slot(struct exchange *exchange, const char *method, const struct keyring_slot *slot,
                            struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = exchange_open(exchange, failure);

    exchange_question(&question, method);
    json_open_array(&question.writer, "slots");
    key_slot_write(&question.writer, NULL, &slot->next, &slot->now);
    json_close_array(&question.writer);
    json_add_boolean(&question.writer, "dry_run", true);
    if (status == STATUS_OK)
        status = exchange_send(exchange, &question, &slot->now, failure, &answer);
    exchange_reset(exchange);
    return status;
}

/* Leaves of the login slots those that the password opens. */
static enum status settle_logins(struct exchange *exchange, const char *method, struct keyring *keyring,
                                 struct failure *failure)
{
    enum status status = STATUS_OK;
    size_t collected = 0;
    size_t opened = 0;

    for (size_t at = 0; status == STATUS_OK && at < keyring->count;) {
        if (keyring->slots[at].next.header.kind != SLOT_LOGIN) {
            at++;
            continue;
        }
        collected++;
        status = try_slot(exchange, method, &keyring->slots[at], failure);
        if (status == STATUS_WRONG_KEY) {
            keyring_drop(keyring, at);
            status = STATUS_OK;
        } else if (status == STATUS_OK) {
            status = keyring_authorise(keyring, at++, failure);
            opened++;
        }
    }
    if (status == STATUS_OK && collected > 0 && opened == 0)
        return failure_set(failure, STATUS_WRONG_KEY, "the login password does not open the vault");
    return status;
}

/* The agent only knows that one of the keys was wrong; here it is known where they are from. */
static enum status say_wrong(struct exchange *exchange, const char *method, const struct keyring *keyring,
                             struct failure *failure)
{
    struct failure ignored;

    for (size_t i = 0; i < keyring->count; i++) {
        const struct keyring_slot *slot = &keyring->slots[i];

        if (slot->path != NULL && try_slot(exchange, method, slot, &ignored) == STATUS_WRONG_KEY)
            return failure_set(failure, STATUS_WRONG_KEY, "the key file %s does not open the vault",
                               slot->path);
    }
    return STATUS_WRONG_KEY;
}

static bool is_listed(const struct json *ids, const char *id)
{
    for (size_t i = 0; i < json_count(ids); i++) {
        const char *listed = json_text(json_at(ids, i), NULL);
        if (listed != NULL && strcmp(listed, id) == 0)
            return true;
    }
    return false;
}

/* Says of each slot whether it stays; counts those that do not. */
static size_t name_slots(const struct key_headers *headers, const struct json *removed)
{
    char id[ID_TEXT_SIZE];
    size_t gone = 0;
    size_t logins = 0;
    size_t logins_gone = 0;

    for (size_t i = 0; i < headers->count; i++) {
        bool is_login = headers->headers[i].kind == SLOT_LOGIN;

        text_to_hex(id, headers->headers[i].id, SLOT_ID_SIZE);
        bool goes = is_listed(removed, id);
        output_note("the %s slot %s %s", slot_kind_name(headers->headers[i].kind), id,
                    goes ? "is removed" : "stays");
        gone += goes;
        logins += is_login;
        logins_gone += is_login && goes;
    }
    if (logins_gone > 0 && logins_gone == logins)
        output_note("logins do not open the vault then, until `stepvault slot add --login`");
    return gone;
}

static enum status confirm(const struct option_values *options, size_t gone, struct failure *failure)
{
    enum status status;

    if (gone == 0 || option_flag(options, "yes"))
        return STATUS_OK;
    status = prompt_agreement("Give the vault a new key, which those that are removed do not open? [y/N] ",
                              failure);
    if (status == STATUS_KEY_REQUIRED)
        return failure_set(
            failure, STATUS_REFUSED,
            "%zu of the slots would be removed, because their keys are not at hand; --yes removes "
            "them",
            gone);
    return status;
}

static void say_done(const struct json *reply)
{
    output_note("the vault has a new key (epoch %" PRId64 "): %" PRId64
                " rows sealed anew; slots: %zu kept, %zu "
                "made, %zu removed",
                json_member_number(reply, "epoch", 0), json_member_number(reply, "records", 0),
                json_count(json_member(reply, "kept")), json_count(json_member(reply, "made")),
                json_count(json_member(reply, "removed")));
    output_note(
        "copies of the vault file made before still open with what opened them, and hold what was in it "
        "then");
    output_note(
        "the log is signed with a new key (stepvault audit key); its entry of the rekey has it, signed with "
        "the old one");
    if (!json_member_boolean(reply, "folded", true))
        output_note(
            "what the old key sealed is still in the file, because it cannot be written now; locking the "
            "vault takes it out once it can");
}

/* It is one transaction, of which nothing is told before its end. */
static void say_begun(void)
{
    if (isatty(STDERR_FILENO))
        output_note("sealing everything anew; nobody else is served until that is done");
}

/* The code is written out first: a vault whose only copy of a code was lost would have none. */
static enum status replace(struct exchange *exchange, const struct invocation *invocation,
                           const struct recovery *recovery, const struct keyring *keyring,
                           struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = recovery->wanted ? recovery_write(recovery, &keyring->code, failure) : STATUS_OK;

    if (status != STATUS_OK)
        return status;
    say_begun();
    status = send(exchange, invocation->command->method, keyring, false, failure, &answer);
    if (status == STATUS_OK)
        say_done(answer.parameters);
    else if (recovery->wanted)
        output_note("the recovery code that was written out is that of no vault");
    return status;
}

static enum status cmd_rekey(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(keyring_reset) struct keyring keyring = {0};
    CLEANUP(exchange_answer_reset) struct answer plan = {0};
    const struct option_values *options = &invocation->options;
    struct recovery recovery = {.wanted = false};
    struct key_headers headers = {.count = 0};
    enum status status = recovery_plan(options, true, failure, &recovery);

    if (status == STATUS_OK)
        status = exchange_start(invocation, option_text(options, "key-file"), failure, &exchange);
    if (status == STATUS_OK)
        status = list_slots(&exchange, failure, &headers);
    if (status == STATUS_OK)
        status = keyring_collect(&exchange, options, &headers, recovery.wanted, failure, &keyring);
    if (status == STATUS_OK)
        status = settle_logins(&exchange, invocation->command->method, &keyring, failure);
    if (status != STATUS_OK)
        return status;
    status = send(&exchange, invocation->command->method, &keyring, true, failure, &plan);
    if (status == STATUS_WRONG_KEY)
        status = say_wrong(&exchange, invocation->command->method, &keyring, failure);
    if (status != STATUS_OK)
        return status;
    size_t gone = name_slots(&headers, json_member(plan.parameters, "removed"));
    if (recovery.wanted)
        output_note("a recovery slot is made, of a new code");
    status = confirm(options, gone, failure);
    return status == STATUS_OK ? replace(&exchange, invocation, &recovery, &keyring, failure) : status;
}
/* ---- the command ---- */

static const struct option_rule rekey_options[] = {
    OPTION_PASSPHRASE_FD,
    {"login-password-fd",                      "N", false, "Reads the login password as one line of descriptor N."},
    {"keep-key",                                   "FILE", true, "Keeps the slot of this key file, too."},
    OPTION_RECOVERY,
    OPTION_RECOVERY_CODE_FD,
    OPTION_RECOVERY_FD,
    {"no-recovery",                                        NULL, false, "Makes no new recovery code."},
    {"yes",NULL, false, "Removes slots without asking."},
    {0},
};

/* clang-format off */
const struct command cmd_rekey_commands[] = {
    {
        .name = "rekey", .run = cmd_rekey, .method = "Rekey", .options = rekey_options,
        .usage = "[--passphrase-fd N] [--key-file FILE] [--keep-key FILE]... [--recovery-fd N | --no-recovery]",
        .summary = "give the vault a new key",
        .help = "Seals everything anew under a new key, all or nothing; the old one opens nothing in the file any more. "
                "Of the ways to unlock only those stay whose key is given: the passphrase and the login password, "
                "which are asked for, the key file at hand and those of --keep-key. The others are named and, when "
                "that is confirmed, removed. A new recovery code is made, as by `stepvault init`.\n"
                "\n"
                "Do this after a key or a copy of the vault got into wrong hands; what was in a copy stays known, so "
                "change those secrets, too.",
    },
    {0},
};
/* clang-format on */
