/* slot and passwd: the ways to unlock a vault. Whatever changes them needs a key anew, and works with no
 * agent. */
#include "authority.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "exchange.h"
#include "key.h"
#include "output.h"
#include "prompt.h"
#include "recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KDF_TARGET_MS 1000
#define KDF_TARGET_MAXIMUM_MS 60000
#define ID_PREFIX_MIN 4
#define ID_TEXT_SIZE (2 * SLOT_ID_SIZE + 1)

/* What no change of the slots undoes, said where somebody may believe that it does. */
static void note_copies(const char *change, const char *opener)
{
    output_note(
        "%s; copies of the vault file made before still open with %s, and have the key of this vault: "
        "stepvault rekey gives it a new one",
        change, opener);
}

static enum status send_slot(struct exchange *exchange, const char *method, const struct key_slot *slot,
                             bool replace, const struct key *key, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};

    exchange_question(&question, method);
    key_slot_write(&question.writer, "new_slot", slot, NULL);
    if (replace)
        json_add_boolean(&question.writer, "replace", true);
    return exchange_send(exchange, &question, key, failure, &answer);
}

/* ---- slot list ---- */

static void add_header(struct output_table *table, const struct slot_header *header)
{
    char id[ID_TEXT_SIZE];
    char created[CLOCK_TEXT_SIZE];

    text_to_hex(id, header->id, SLOT_ID_SIZE);
    clock_format(created, header->created_ms);
    output_table_add(table, slot_kind_name(header->kind));
    output_table_add(table, id);
    output_table_add(table, created);
    if (header->kdf.memory_kib > 0)
        output_table_add_format(table, "argon2id m=%u t=%u p=%u", header->kdf.memory_kib, header->kdf.passes,
                                header->kdf.lanes);
    else
        output_table_add(table, "none");
}

/* The headers are in clear, so what opens a locked vault can be seen without opening it. With a key file at
 * hand the ordinary way does, which waits where another process holds the vault. */
static enum status ask_headers(struct invocation *invocation, struct failure *failure,
                               struct answer *ret_answer)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status = exchange_begin(invocation, failure, &exchange, &question);

    if (status == STATUS_OK && exchange.has_key_file)
        return exchange_ask(&exchange, &question, failure, ret_answer);
    if (status == STATUS_OK)
        status = exchange_open(&exchange, failure);
    return status == STATUS_OK ? exchange_send(&exchange, &question, NULL, failure, ret_answer) : status;
}

/* As they were made: of two login slots the later one is that of the newer password. */
static int compare_headers(const void *one, const void *other)
{
    const struct slot_header *left = one;
    const struct slot_header *right = other;

    return (left->created_ms > right->created_ms) - (left->created_ms < right->created_ms);
}

static enum status cmd_slot_list(struct invocation *invocation, struct failure *failure)
{
    static const char *const headings[] = {"KIND", "ID", "CREATED", "KEY DERIVATION"};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(output_table_reset) struct output_table table;
    struct key_headers headers = {.count = 0};
    enum status status;

    output_table_start(&table, 4, headings);
    status = ask_headers(invocation, failure, &answer);
    if (status == STATUS_OK)
        status = key_read_headers(answer.parameters, failure, &headers);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    qsort(headers.headers, headers.count, sizeof(headers.headers[0]), compare_headers);
    for (size_t i = 0; i < headers.count; i++)
        add_header(&table, &headers.headers[i]);
    return output_table_print(&table, failure);
}

/* ---- slot add ---- */

struct addition {
    enum slot_kind kind;
    bool replace;
    struct recovery recovery;
    int passphrase_fd;
    unsigned kdf_ms;
};

static enum status read_addition(const struct option_values *options, struct failure *failure,
                                 struct addition *ret_addition)
{
    bool passphrase = option_flag(options, "passphrase");
    bool login = option_flag(options, "login");
    bool recovery = option_flag(options, "recovery");
    uint64_t kdf_ms = 0;
    enum status status =
        option_descriptor(options, "new-passphrase-fd", failure, &ret_addition->passphrase_fd);

    if (status == STATUS_OK)
        status = option_number(options, "kdf-time", KDF_TARGET_MAXIMUM_MS,
                               login ? KEY_LOGIN_TARGET_MS : KDF_TARGET_MS, failure, &kdf_ms);
    if (status != STATUS_OK)
        return status;
    if (passphrase + login + recovery > 1 ||
        (!passphrase && !login && !recovery && !option_flag(options, "key-file")))
        return failure_set(
            failure, STATUS_USAGE,
            "one kind of slot is added at a time: --key-file FILE, --passphrase, --login or --recovery");
    ret_addition->kind = passphrase ? SLOT_PASSPHRASE
                         : login    ? SLOT_LOGIN
                         : recovery ? SLOT_RECOVERY
                                    : SLOT_MACHINE;
    ret_addition->replace = option_flag(options, "replace");
    ret_addition->kdf_ms = (unsigned)kdf_ms;
    return recovery ? recovery_plan(options, false, failure, &ret_addition->recovery) : STATUS_OK;
}

/* Before a code is shown or a key file made that would be those of no slot. */
static enum status check_place(const struct addition *addition, const struct key_headers *headers,
                               struct failure *failure)
{
    size_t same = 0;

    for (size_t i = 0; i < headers->count; i++)
        same += headers->headers[i].kind == addition->kind;
    if (addition->replace && same == 0)
        return failure_set(failure, STATUS_NOT_FOUND, "the vault has no %s slot to replace",
                           slot_kind_name(addition->kind));
    if (addition->kind == SLOT_LOGIN && same > 1 && !addition->replace)
        return failure_set(failure, STATUS_EXISTS,
                           "the vault has two login slots already, and that is the most it can have "
                           "(--replace puts one in the place of both)");
    if (!addition->replace && same > 0 && addition->kind != SLOT_MACHINE && addition->kind != SLOT_LOGIN)
        return failure_set(failure, STATUS_EXISTS, "the vault has a %s slot already (--replace replaces it)",
                           slot_kind_name(addition->kind));
    return STATUS_OK;
}

/* Whoever will be asked for what authorises is told first what cannot be, and asked for the recovery code
 * where no passphrase opens the vault. */
static enum status look_ahead(struct exchange *exchange, const struct option_values *options,
                              const struct addition *addition, struct failure *failure, bool *ret_asks_code)
{
    struct key_headers headers = {.count = 0};
    const struct slot_header *header;
    struct failure ignored;
    enum status status;

    if (exchange->has_key_file || option_flag(options, "passphrase-fd") ||
        option_flag(options, "recovery-code-fd"))
        return ask_check_vault(exchange->vault, failure);
    status = exchange_open(exchange, failure);
    if (status == STATUS_OK)
        status = exchange_list_slots(exchange, failure, &headers);
    exchange_reset(exchange);
    if (status == STATUS_OK)
        status = check_place(addition, &headers, failure);
    if (status != STATUS_OK)
        return status;
    status = key_find_header(&headers, SLOT_PASSPHRASE, failure, &header);
    *ret_asks_code =
        status != STATUS_OK && key_find_header(&headers, SLOT_RECOVERY, &ignored, &header) == STATUS_OK;
    return *ret_asks_code ? STATUS_OK : status;
}

/* What a person types for the new slot is asked for before the connection is opened; the rest is made after
 * the agent has shown that there is a vault to add it to. */
static enum status make_slot(const struct invocation *invocation, const struct addition *addition,
                             const struct secret *typed, struct failure *failure, struct key_slot *ret_slot)
{
    CLEANUP(secret_reset) struct secret code = {0};
    enum status status;

    if (addition->kind == SLOT_PASSPHRASE || addition->kind == SLOT_LOGIN)
        return key_new_passphrase(addition->kind, typed, addition->kdf_ms, failure, ret_slot);
    if (addition->kind == SLOT_MACHINE)
        return key_new_machine(option_text(&invocation->options, "key-file"), failure, ret_slot);
    status = key_new_recovery(failure, ret_slot, &code);
    return status == STATUS_OK ? recovery_write(&addition->recovery, &code, failure) : status;
}

static enum status remove_slot(struct exchange *exchange, const char *method, const char *id,
                               const struct key *key, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};

    exchange_question(&question, method);
    json_add_text(&question.writer, "slot", id);
    return exchange_send(exchange, &question, key, failure, &answer);
}

/* Of two login slots, as a change of the password leaves them until a login with the new one, one goes before
 * the other is replaced. */
static enum status leave_one_login(struct exchange *exchange, const struct key_headers *headers,
                                   const struct key *key, struct failure *failure)
{
    enum status status = STATUS_OK;
    bool kept = false;

    for (size_t i = 0; status == STATUS_OK && i < headers->count; i++) {
        char id[ID_TEXT_SIZE];

        if (headers->headers[i].kind != SLOT_LOGIN)
            continue;
        text_to_hex(id, headers->headers[i].id, SLOT_ID_SIZE);
        if (kept)
            status = remove_slot(exchange, "RemoveSlot", id, key, failure);
        kept = true;
    }
    return status;
}

static enum status cmd_slot_add(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(authority_reset) struct authority authority = {0};
    CLEANUP(secret_reset) struct secret typed = {0};
    CLEANUP(key_reset) struct key key = {0};
    CLEANUP(key_slot_reset) struct key_slot slot = {0};
    const struct option_values *options = &invocation->options;
    struct key_headers headers = {.count = 0};
    struct addition addition = {0};
    bool asks_code = false;
    enum status status = read_addition(options, failure, &addition);

    /* The key file named here is the new slot's, unless the new slot has none. */
    if (status == STATUS_OK)
        status = exchange_start(invocation,
                                addition.kind == SLOT_MACHINE ? NULL : option_text(options, "key-file"),
                                failure, &exchange);
    if (status == STATUS_OK)
        status = look_ahead(&exchange, options, &addition, failure, &asks_code);
    if (status == STATUS_OK)
        status = authority_read(&exchange, options, asks_code, failure, &authority);
    if (status == STATUS_OK && addition.kind == SLOT_PASSPHRASE)
        status = prompt_new_passphrase(addition.passphrase_fd, failure, &typed);
    if (status == STATUS_OK && addition.kind == SLOT_LOGIN)
        status = prompt_login_password(addition.passphrase_fd, failure, &typed);
    if (status == STATUS_OK)
        status = authority_open(&exchange, &authority, failure, &headers, &key);
    if (status == STATUS_OK)
        status = check_place(&addition, &headers, failure);
    if (status == STATUS_OK)
        status = make_slot(invocation, &addition, &typed, failure, &slot);
    key_slot_follow(&slot, &headers);
    if (status == STATUS_OK && addition.replace && addition.kind == SLOT_LOGIN)
        status = leave_one_login(&exchange, &headers, &key, failure);
    if (status == STATUS_OK)
        status = send_slot(&exchange, invocation->command->method, &slot, addition.replace, &key, failure);
    status = authority_judge(&authority, status, failure);
    if (status == STATUS_OK && addition.replace)
        note_copies("the slot is replaced", "the old one");
    return status;
}

/* ---- slot remove ---- */

static bool header_matches(const struct slot_header *header, const char *word)
{
    char id[ID_TEXT_SIZE];
    enum slot_kind kind;

    if (slot_kind_from_name(word, &kind))
        return header->kind == kind;
    text_to_hex(id, header->id, SLOT_ID_SIZE);
    return strlen(word) >= ID_PREFIX_MIN && strncmp(id, word, strlen(word)) == 0;
}

/* The one slot that a kind or the beginning of an id means. */
static enum status find_slot(const struct key_headers *headers, const char *word, struct failure *failure,
                             char ret_id[ID_TEXT_SIZE])
{
    char choices[FAILURE_SENTENCE_MAX] = "";
    size_t size = 0;
    size_t found = 0;

    for (size_t i = 0; i < headers->count; i++) {
        if (!header_matches(&headers->headers[i], word))
            continue;
        text_to_hex(ret_id, headers->headers[i].id, SLOT_ID_SIZE);
        found++;
        if (size + ID_TEXT_SIZE + 1 < sizeof(choices))
            size += (size_t)snprintf(choices + size, sizeof(choices) - size, " %s", ret_id);
    }
    if (found == 0)
        return failure_set(
            failure, STATUS_NOT_FOUND,
            "the vault has no slot of that kind, or whose id begins so (with %d digits at least): %s",
            ID_PREFIX_MIN, word);
    if (found > 1)
        return failure_set(failure, STATUS_AMBIGUOUS, "%s means %zu slots:%s", word, found, choices);
    return STATUS_OK;
}

static enum status cmd_slot_remove(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(authority_reset) struct authority authority = {0};
    CLEANUP(key_reset) struct key key = {0};
    struct key_headers headers = {.count = 0};
    char id[ID_TEXT_SIZE];
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    if (status == STATUS_OK)
        status = ask_check_vault(exchange.vault, failure);
    if (status == STATUS_OK)
        status = authority_read(&exchange, &invocation->options,
                                option_flag(&invocation->options, "recovery"), failure, &authority);
    if (status == STATUS_OK)
        status = authority_open(&exchange, &authority, failure, &headers, &key);
    if (status == STATUS_OK)
        status = find_slot(&headers, command_argument(invocation, 0), failure, id);
    if (status == STATUS_OK)
        status = remove_slot(&exchange, invocation->command->method, id, &key, failure);
    status = authority_judge(&authority, status, failure);
    if (status == STATUS_OK)
        note_copies("the slot is removed", "it");
    return status;
}

/* ---- passwd ---- */

static enum status cmd_passwd(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(authority_reset) struct authority authority = {0};
    CLEANUP(secret_reset) struct secret new_passphrase = {0};
    CLEANUP(key_reset) struct key key = {0};
    CLEANUP(key_slot_reset) struct key_slot slot = {0};
    const struct option_values *options = &invocation->options;
    struct key_headers headers = {.count = 0};
    uint64_t kdf_ms = 0;
    int descriptor = -1;
    enum status status = option_descriptor(options, "new-passphrase-fd", failure, &descriptor);

    if (status == STATUS_OK)
        status = option_number(options, "kdf-time", KDF_TARGET_MAXIMUM_MS, KDF_TARGET_MS, failure, &kdf_ms);
    if (status == STATUS_OK)
        status = exchange_start(invocation, option_text(options, "key-file"), failure, &exchange);
    if (status == STATUS_OK)
        status = ask_check_vault(exchange.vault, failure);
    if (status == STATUS_OK)
        status = authority_read(&exchange, options, option_flag(options, "recovery"), failure, &authority);
    if (status == STATUS_OK)
        status = prompt_new_passphrase(descriptor, failure, &new_passphrase);
    if (status == STATUS_OK)
        status = authority_open(&exchange, &authority, failure, &headers, &key);
    if (status == STATUS_OK)
        status = key_new_passphrase(SLOT_PASSPHRASE, &new_passphrase, (unsigned)kdf_ms, failure, &slot);
    if (status == STATUS_OK)
        status = send_slot(&exchange, invocation->command->method, &slot, false, &key, failure);
    status = authority_judge(&authority, status, failure);
    if (status == STATUS_OK)
        note_copies("the passphrase is changed", "the old one");
    return status;
}

/* ---- the commands ---- */

static const struct option_rule passwd_options[] = {
    OPTION_PASSPHRASE_FD,     OPTION_RECOVERY, OPTION_RECOVERY_CODE_FD,
    OPTION_NEW_PASSPHRASE_FD, OPTION_KDF_TIME, {0},
};
static const struct option_rule slot_add_options[] = {
    {"passphrase",                                           NULL, false, "Adds the passphrase slot, where the vault has none."},
    {"login",                                                 NULL, false, "Adds a login slot; two at most, and --kdf-time 400."},
    {"recovery",                                                      NULL, false, "Adds the recovery slot, where the vault has none."},
    {"replace",  NULL, false, "Replaces the one slot of that kind; of login, both."},
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY_CODE_FD,
    OPTION_NEW_PASSPHRASE_FD,
    OPTION_RECOVERY_FD,
    OPTION_KDF_TIME,
    {0},
};
static const struct option_rule slot_remove_options[] = {
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY,
    OPTION_RECOVERY_CODE_FD,
    {0},
};

/* clang-format off */
const struct command cmd_slot_commands[] = {
    {
        .name = "passwd", .run = cmd_passwd, .method = "ReplacePassphrase", .options = passwd_options,
        .usage = "[--passphrase-fd N | --key-file FILE | --recovery] [--new-passphrase-fd N]",
        .summary = "replace the passphrase",
        .help = "Asks for the passphrase (or the recovery code, or takes the key file), then for the new one, twice. "
                "Works on a locked vault too. Copies of the vault file made before still open with the old passphrase; "
                "`stepvault rekey` gives the vault a new key, which they do not have.",
    },
    {
        .name = "slot", .subcommand = "list", .run = cmd_slot_list, .method = "ListSlots", .options = command_json_options,
        .usage = "[--json]",
        .summary = "list the ways to unlock the vault",
        .help = "Prints kind, id, time of making and key derivation of each slot, the oldest first. Kinds are passphrase, login, recovery "
                "and machine (a key file). Works on a locked vault too.",
    },
    {
        .name = "slot", .subcommand = "add", .run = cmd_slot_add, .method = "AddSlot", .options = slot_add_options,
        .usage = "--key-file FILE | --passphrase | --login | --recovery [--replace]",
        .summary = "add a way to unlock the vault",
        .help = "Adds a slot: for a key file, which is made (mode 0600) if there is none; a passphrase; the login "
                "password, with which pam_stepvault(8) opens the vault; or a recovery code, which goes where that of "
                "`stepvault init` goes.\n"
                "\n"
                "Needs the passphrase anew, or the recovery code where there is none, or a key file: that of --key-file or, "
                "where that is the new one, of $STEPVAULT_KEY_FILE or $CREDENTIALS_DIRECTORY. Works on a locked vault too.",
    },
    {
        .name = "slot", .subcommand = "remove", .run = cmd_slot_remove, .method = "RemoveSlot",
        .options = slot_remove_options, .least = 1, .most = 1,
        .arguments = {"ID|KIND"},
        .usage = "ID|KIND [--passphrase-fd N | --key-file FILE | --recovery]",
        .summary = "remove one",
        .help = "Removes the slot whose id begins with ID (4 digits at least), or the only one of KIND. Needs the "
                "passphrase, a key file or the recovery code anew. The last slot stays. Works on a locked vault too. "
                "Copies of the vault file made before still open with what the slot was for; `stepvault rekey` gives the "
                "vault a new key, which they do not have.",
    },
    {0},
};
/* clang-format on */
