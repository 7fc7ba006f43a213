/* unlock and lock. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "command.h"
#include "exchange.h"
#include "key.h"
#include "output.h"
#include "prompt.h"

#include <string.h>
#include <time.h>

#define TRIES 3       /* at a prompt */
#define AGAIN_MS 5000 /* for an agent that another unlock is starting */
#define PAUSE_MS 20

/* How the vault is to be unlocked. */
struct opening {
    enum slot_kind kind; /* SLOT_MACHINE: by the key file */
    int descriptor;      /* where passphrase or code are read from; -1: asked for */
    bool has_lifetime;
    uint64_t lifetime;
    bool has_idle;
    uint64_t idle;
};

static enum status read_duration(const struct option_values *options, const char *name,
                                 struct failure *failure, bool *ret_given, uint64_t *ret_seconds)
{
    const char *text = option_text(options, name);

    *ret_given = text != NULL;
    *ret_seconds = 0;
    if (text == NULL || strcmp(text, "0") == 0 || text_to_duration(text, ret_seconds))
        return STATUS_OK;
    return failure_set(failure, STATUS_USAGE,
                       "--%s wants a duration such as 90s, 15m, 8h or 2d, or 0 for none", name);
}

static enum status read_opening(const struct invocation *invocation, const struct exchange *exchange,
                                struct failure *failure, struct opening *opening)
{
    const struct option_values *options = &invocation->options;
    int passphrase, code;
    enum status status = read_duration(options, "for", failure, &opening->has_lifetime, &opening->lifetime);

    if (status == STATUS_OK)
        status = read_duration(options, "idle", failure, &opening->has_idle, &opening->idle);
    if (status == STATUS_OK)
        status = option_descriptor(options, "passphrase-fd", failure, &passphrase);
    if (status == STATUS_OK)
        status = option_descriptor(options, "recovery-code-fd", failure, &code);
    if (status != STATUS_OK)
        return status;
    if (option_flag(options, "key-file") + (passphrase != -1) +
            (code != -1 || option_flag(options, "recovery")) >
        1)
        return failure_set(failure, STATUS_USAGE,
                           "a passphrase, a key file and a recovery code exclude each other");
    opening->descriptor = passphrase != -1 ? passphrase : code;
    if (code != -1 || option_flag(options, "recovery"))
        opening->kind = SLOT_RECOVERY;
    else
        opening->kind = passphrase == -1 && exchange->has_key_file ? SLOT_MACHINE : SLOT_PASSPHRASE;
    return STATUS_OK;
}

/* True if the agent that we are connected to has the vault open. */
static enum status ask_state(struct exchange *exchange, struct failure *failure, bool *ret_open)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *state;
    enum status status;

    exchange_question(&question, "Status");
    status = exchange_send(exchange, &question, NULL, failure, &answer);
    if (status != STATUS_OK)
        return status;
    state = json_member_text(answer.parameters, "state");
    if (state != NULL && strcmp(state, "absent") == 0)
        return failure_set(failure, STATUS_NO_VAULT, "there is no vault at %s", exchange->vault);
    *ret_open = state != NULL && strcmp(state, "open") == 0;
    return STATUS_OK;
}

/* What a person should know of the pin; that it held, as it does nearly always, is not of it. */
static void say_pin(const struct json *reply)
{
    const char *pin = json_member_text(reply, "pin");
    const char *trouble = json_member_text(reply, "pin_trouble");

    if (trouble != NULL)
        output_note("%s", trouble);
    if (pin == NULL || json_member_boolean(reply, "was_open", false))
        return;
    if (strcmp(pin, "unreadable") == 0)
        output_note("whether the vault is the one last seen here could not be told; what it is now is "
                    "remembered instead");
    else if (strcmp(pin, "none") == 0 && trouble == NULL)
        output_note("this vault was not seen here before; from now on an older copy in its place is refused");
}

static enum status send_unlock(struct exchange *exchange, const struct opening *opening,
                               const struct key *key, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status;

    exchange_question(&question, "Unlock");
    if (opening->has_lifetime)
        json_add_number(&question.writer, "lifetime", opening->lifetime);
    if (opening->has_idle)
        json_add_number(&question.writer, "idle", opening->idle);
    status = exchange_send(exchange, &question, key, failure, &answer);
    if (status == STATUS_OK)
        say_pin(answer.parameters);
    return status;
}

/* Two who unlock at once each start an agent, of which one stays. Who lost finds the other's a moment later:
 * true after a pause, until the deadline. */
static bool may_try_again(enum status status, uint64_t deadline)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    if ((status != STATUS_BUSY && status != STATUS_NO_AGENT && status != STATUS_AGENT_ENDED) ||
        clock_monotonic_ms() >= deadline)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

/* Sends the key to the agent that listens, else to one that is started now and ends again if it was the wrong
 * one. */
static enum status open_once(struct exchange *exchange, const struct opening *opening, const struct key *key,
                             struct failure *failure)
{
    struct failure ignored;
    enum status status = exchange_connect(exchange, failure);

    if (status == STATUS_NO_AGENT)
        status = exchange_start_agent(exchange, true, failure);
    if (status == STATUS_OK)
        status = send_unlock(exchange, opening, key, failure);
    if (status != STATUS_OK && exchange->started)
        (void)exchange_lock(exchange, &ignored, NULL);
    exchange_reset(exchange);
    return status;
}

static enum status open_with(struct exchange *exchange, const struct opening *opening, const struct key *key,
                             struct failure *failure)
{
    const uint64_t deadline = clock_monotonic_ms() + AGAIN_MS;
    enum status status;

    do
        status = open_once(exchange, opening, key, failure);
    while (may_try_again(status, deadline));
    return status;
}

static bool has_kind(const struct key_headers *headers, enum slot_kind kind)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->headers[i].kind == kind)
            return true;
    return false;
}

/* What may be typed to open a vault with these slots. */
static const char *question_for(const struct key_headers *headers)
{
    if (!has_kind(headers, SLOT_LOGIN))
        return "Passphrase: ";
    return has_kind(headers, SLOT_PASSPHRASE) ? "Passphrase or login password: " : "Login password: ";
}

/* What was typed is tried on the passphrase's slot and, where that it does not open, on those of login
 * passwords. */
static enum status open_typed(struct exchange *exchange, const struct opening *opening,
                              const struct key_headers *headers, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret typed = {0};
    const struct slot_header *slots[KEY_TYPED_MAX];
    size_t count = key_find_typed(headers, slots);
    enum status status = count > 0
                             ? prompt_passphrase(opening->descriptor, question_for(headers), failure, &typed)
                             : key_find_header(headers, SLOT_PASSPHRASE, failure, &slots[0]);

    for (size_t i = 0; i < count && (status == STATUS_WRONG_KEY || (status == STATUS_OK && i == 0)); i++) {
        CLEANUP(key_reset) struct key key = {0};

        status = key_from_passphrase(&typed, slots[i], failure, &key);
        if (status == STATUS_OK)
            status = open_with(exchange, opening, &key, failure);
    }
    return status;
}

static enum status open_otherwise(struct exchange *exchange, const struct opening *opening,
                                  const struct key_headers *headers, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret code = {0};
    CLEANUP(key_reset) struct key key = {0};
    const struct slot_header *header = NULL;
    enum status status = key_find_header(headers, opening->kind, failure, &header);

    if (status == STATUS_OK && opening->kind == SLOT_RECOVERY)
        status = prompt_code(opening->descriptor, failure, &code);
    if (status == STATUS_OK)
        status = opening->kind == SLOT_RECOVERY ? key_from_code(&code, header, failure, &key)
                                                : key_read_file(exchange->key_file, failure, &key);
    return status == STATUS_OK ? open_with(exchange, opening, &key, failure) : status;
}

/* The agent only knows that a key was wrong; here it is known what the key was made of. */
static enum status say_wrong(const struct opening *opening, const struct exchange *exchange,
                             const struct key_headers *headers, struct failure *failure)
{
    const char *what = opening->kind == SLOT_RECOVERY ? "recovery code" : "passphrase";

    if (opening->kind == SLOT_MACHINE)
        return failure_set(failure, STATUS_WRONG_KEY, "the key file %s does not open the vault",
                           exchange->key_file);
    if (opening->kind == SLOT_PASSPHRASE && has_kind(headers, SLOT_LOGIN))
        what = has_kind(headers, SLOT_PASSPHRASE) ? "passphrase or login password" : "login password";
    return failure_set(failure, STATUS_WRONG_KEY, "the %s does not open the vault", what);
}

/* While a person types there is neither a connection that waits nor an agent that nobody has use for. */
static enum status unlock_locked(struct exchange *exchange, const struct opening *opening,
                                 const struct key_headers *headers, struct failure *failure)
{
    bool prompts = opening->kind != SLOT_MACHINE && opening->descriptor == -1;
    enum status status = STATUS_OK;

    exchange_reset(exchange);
    for (int left = prompts ? TRIES : 1; left > 0; left--) {
        status = opening->kind == SLOT_PASSPHRASE ? open_typed(exchange, opening, headers, failure)
                                                  : open_otherwise(exchange, opening, headers, failure);
        if (status == STATUS_WRONG_KEY)
            status = say_wrong(opening, exchange, headers, failure);
        if (status != STATUS_WRONG_KEY || left == 1)
            break;
        output_note("%s", failure->sentence);
    }
    return status;
}

/* Whether the vault is open, and what opens it if it is not: of the agent that listens, else of one that is
 * started to look. */
static enum status look(struct exchange *exchange, struct failure *failure, bool *ret_open,
                        struct key_headers *ret_headers)
{
    enum status status = exchange_connect(exchange, failure);

    if (status == STATUS_NO_AGENT) {
        status = ask_check_vault(exchange->vault, failure);
        if (status == STATUS_OK)
            status = exchange_start_agent(exchange, false, failure);
    } else if (status == STATUS_OK) {
        status = ask_state(exchange, failure, ret_open);
    }
    return status == STATUS_OK && !*ret_open ? exchange_list_slots(exchange, failure, ret_headers) : status;
}

static enum status cmd_unlock(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    struct opening opening = {0};
    struct key_headers headers = {.count = 0};
    const uint64_t deadline = clock_monotonic_ms() + AGAIN_MS;
    char path[PATH_MAX];
    bool open = false;
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    if (status == STATUS_OK)
        status = read_opening(invocation, &exchange, failure, &opening);
    /* There must be a place for the agent that is to stay. */
    if (status == STATUS_OK)
        status = file_socket_path(exchange.vault, failure, path);
    if (status != STATUS_OK)
        return status;
    do {
        exchange_reset(&exchange);
        status = look(&exchange, failure, &open, &headers);
    } while (may_try_again(status, deadline));
    if (status != STATUS_OK)
        return status;
    if (!open)
        return unlock_locked(&exchange, &opening, &headers, failure);
    return opening.has_lifetime || opening.has_idle ? send_unlock(&exchange, &opening, NULL, failure)
                                                    : STATUS_OK;
}

static enum status cmd_lock(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    enum status status = exchange_start(invocation, NULL, failure, &exchange);

    if (status == STATUS_OK)
        status = exchange_connect(&exchange, failure);
    if (status == STATUS_NO_AGENT)
        return STATUS_OK;
    return status == STATUS_OK ? exchange_lock(&exchange, failure, NULL) : status;
}

/* ---- the commands ---- */

static const struct option_rule unlock_options[] = {
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY,
    OPTION_RECOVERY_CODE_FD,
    {"for",  "DURATION", false, "Locks the vault after 90s, 15m, 8h, 2d; 0 removes what was set."},
    {"idle", "DURATION", false, "Locks the vault when it was not used for so long; 0 removes it."},
    {0     },
};

/* clang-format off */
const struct command cmd_unlock_commands[] = {
    {
        .name = "unlock", .run = cmd_unlock, .options = unlock_options,
        .usage = "[--passphrase-fd N | --key-file FILE | --recovery] [--for DURATION] [--idle DURATION]",
        .summary = "open the vault",
        .help = "Starts the agent, which holds the open vault until `stepvault lock`. On an open vault nothing is asked "
                "for, and only --for and --idle apply.",
    },
    {
        .name = "lock", .run = cmd_lock,
        .usage = "",
        .summary = "close the vault",
        .help = "Wipes the keys, closes the file and ends the agent. Nothing open is no error.",
    },
    {0},
};
/* clang-format on */
