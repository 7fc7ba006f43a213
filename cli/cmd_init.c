/* init: makes a vault with its first slots, and leaves it open. */
#include "base/cleanup.h"
#include "base/file.h"
#include "command.h"
#include "exchange.h"
#include "key.h"
#include "output.h"
#include "prompt.h"
#include "recovery.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define KDF_TARGET_MS 1000
#define KDF_TARGET_MAXIMUM_MS 60000

enum { SLOT_COUNT = 3 };

struct plan {
    struct recovery recovery;
    int passphrase_fd;
    bool passphrase;
    bool stays; /* there is a place for a socket, so that the agent can stay */
    unsigned kdf_ms;
    struct key_slot slots[SLOT_COUNT];
    size_t count;
};

static void plan_reset(struct plan *plan)
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        key_slot_reset(&plan->slots[i]);
}

static enum status check_absent(const struct exchange *exchange, struct failure *failure)
{
    struct stat facts;

    if (lstat(exchange->vault, &facts) == 0)
        return failure_set(failure, STATUS_EXISTS, "there is a vault at %s already", exchange->vault);
    return STATUS_OK;
}

/* Without a place for a socket a vault with a key file can still be used, one command at a time. */
static enum status check_socket(const struct exchange *exchange, struct failure *failure, bool *ret_stays)
{
    char path[PATH_MAX];
    enum status status = file_socket_path(exchange->vault, failure, path);

    *ret_stays = status == STATUS_OK;
    return status == STATUS_NO_AGENT && exchange->has_key_file ? STATUS_OK : status;
}

/* Everything that can be known to be wrong, before anything is asked for, made or shown. */
static enum status plan_make(const struct invocation *invocation, const struct exchange *exchange,
                             struct failure *failure, struct plan *plan)
{
    const struct option_values *options = &invocation->options;
    char program[PATH_MAX];
    uint64_t kdf_ms = 0;
    enum status status = recovery_plan(options, true, failure, &plan->recovery);

    if (status == STATUS_OK)
        status = option_descriptor(options, "passphrase-fd", failure, &plan->passphrase_fd);
    if (status == STATUS_OK)
        status = option_number(options, "kdf-time", KDF_TARGET_MAXIMUM_MS, KDF_TARGET_MS, failure, &kdf_ms);
    if (status == STATUS_OK)
        status = check_absent(exchange, failure);
    if (status == STATUS_OK)
        status = check_socket(exchange, failure, &plan->stays);
    if (status == STATUS_OK)
        status = client_find_program("stepvault-agent", failure, program);
    plan->kdf_ms = (unsigned)kdf_ms;
    plan->passphrase = plan->passphrase_fd != -1 || !exchange->has_key_file;
    return status;
}

static enum status make_slots(const struct exchange *exchange, struct failure *failure, struct plan *plan)
{
    CLEANUP(secret_reset) struct secret passphrase = {0};
    CLEANUP(secret_reset) struct secret code = {0};
    enum status status = STATUS_OK;

    if (plan->passphrase) {
        status = prompt_new_passphrase(plan->passphrase_fd, failure, &passphrase);
        if (status == STATUS_OK)
            status = key_new_passphrase(SLOT_PASSPHRASE, &passphrase, plan->kdf_ms, failure,
                                        &plan->slots[plan->count++]);
    }
    if (status == STATUS_OK)
        status = file_make_parents(exchange->vault, failure);
    if (status == STATUS_OK && exchange->has_key_file)
        status = key_new_machine(exchange->key_file, failure, &plan->slots[plan->count++]);
    if (status != STATUS_OK || !plan->recovery.wanted)
        return status;
    status = key_new_recovery(failure, &plan->slots[plan->count++], &code);
    return status == STATUS_OK ? recovery_write(&plan->recovery, &code, failure) : status;
}

static enum status send_slots(struct exchange *exchange, const struct plan *plan, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};

    exchange_question(&question, "Initialize");
    json_open_array(&question.writer, "slots");
    for (size_t i = 0; i < plan->count; i++)
        key_slot_write(&question.writer, NULL, &plan->slots[i], NULL);
    json_close_array(&question.writer);
    return exchange_send(exchange, &question, NULL, failure, &answer);
}

static enum status initialize(struct exchange *exchange, const struct plan *plan, struct failure *failure)
{
    struct failure ignored;
    enum status status = exchange_connect(exchange, failure);

    if (status == STATUS_NO_AGENT)
        status = exchange_start_agent(exchange, plan->stays, failure);
    if (status != STATUS_OK)
        return status;
    status = send_slots(exchange, plan, failure);
    if (status != STATUS_OK && exchange->started && plan->stays)
        (void)exchange_lock(exchange, &ignored, NULL);
    return status;
}

static enum status cmd_init(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(plan_reset) struct plan plan = {0};
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    if (status == STATUS_OK)
        status = plan_make(invocation, &exchange, failure, &plan);
    if (status == STATUS_OK)
        status = make_slots(&exchange, failure, &plan);
    if (status == STATUS_OK)
        status = initialize(&exchange, &plan, failure);
    if (status != STATUS_OK)
        return status;
    if (plan.stays)
        output_note("made the vault %s; it is open", exchange.vault);
    else
        output_note(
            "made the vault %s; no agent stays, since there is no folder for its socket, so every command "
            "needs the key file",
            exchange.vault);
    return STATUS_OK;
}

/* ---- the commands ---- */

static const struct option_rule init_options[] = {
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY_FD,
    {"no-recovery", NULL, false, "Makes no recovery code."},
    OPTION_KDF_TIME,
    {0       },
};

/* clang-format off */
const struct command cmd_init_commands[] = {
    {
        .name = "init", .run = cmd_init, .options = init_options,
        .usage = "[--passphrase-fd N | --key-file FILE] [--recovery-fd N | --no-recovery]",
        .summary = "make a vault",
        .help = "Makes a vault and leaves it open, with its agent running. It is unlocked by a passphrase, which is "
                "asked for twice on the terminal, or by the key file, which is made with 32 random bytes (mode 0600) if "
                "there is none; with both options by either.\n"
                "\n"
                "A recovery code opens the vault when the passphrase is lost. It is printed once, alone on standard "
                "output if that is a terminal; elsewhere --recovery-fd or --no-recovery is required. There is a vault "
                "only after the code was written out.",
    },
    {0},
};
/* clang-format on */
