/* restore: a copy of the vault goes to the agent in parts, which puts it into the vault's place and ends. */
#include "authority.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "command.h"
#include "exchange.h"
#include "output.h"
#include "prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART (128u << 10)

struct restore {
    const struct invocation *invocation;
    const char *name; /* of the file */
    int input;
    struct failure *failure;
    struct exchange exchange;
    struct answer answer; /* to the last call */
    struct key key;
    bool ahead;                 /* a reply is still to be read */
    bool replaces;              /* there is something at the vault's path */
    char last_seen[2 * 16 + 1]; /* the id of another vault that this machine saw last there; "": none */
    uint64_t sent;
    uint64_t size; /* of the file; 0: not known */
    struct output_progress progress;
};

static void restore_reset(struct restore *restore)
{
    output_progress_end(&restore->progress);
    exchange_reset(&restore->exchange);
    exchange_answer_reset(&restore->answer);
    key_reset(&restore->key);
    if (restore->input > STDERR_FILENO)
        cleanup_close(&restore->input);
}

/* ---- the file, and whom to ask ---- */

static enum status open_input(struct restore *restore)
{
    struct stat facts;

    if (strcmp(restore->name, "-") == 0) {
        restore->name = "standard input";
        restore->input = STDIN_FILENO;
        if (isatty(STDIN_FILENO))
            return failure_set(restore->failure, STATUS_USAGE, "a backup is not typed: name its file");
        return STATUS_OK;
    }
    restore->input = open(restore->name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (restore->input == -1)
        return failure_set_errno(restore->failure, STATUS_FAILED, errno, "cannot open %s", restore->name);
    if (fstat(restore->input, &facts) == 0 && S_ISREG(facts.st_mode))
        restore->size = (uint64_t)facts.st_size;
    return STATUS_OK;
}

/* Whatever will be lost by it is shown to somebody, or known to who says --yes. */
static enum status check_confirmation(const struct restore *restore)
{
    struct stat facts;

    if (option_flag(&restore->invocation->options, "yes") || lstat(restore->exchange.vault, &facts) != 0 ||
        prompt_has_terminal())
        return STATUS_OK;
    return failure_set(
        restore->failure, STATUS_USAGE,
        "there is a vault at %s, and no terminal to confirm on that it is replaced; --yes confirms it",
        restore->exchange.vault);
}

static bool is_vault_itself(const struct restore *restore)
{
    struct stat file, vault;

    return fstat(restore->input, &file) == 0 && lstat(restore->exchange.vault, &vault) == 0 &&
           file.st_dev == vault.st_dev && file.st_ino == vault.st_ino;
}

/* The file alone of an open vault lacks what was committed last. */
static enum status check_not_open(struct restore *restore)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *state;
    enum status status;

    if (!is_vault_itself(restore))
        return STATUS_OK;
    exchange_question(&question, "Status");
    status = exchange_send(&restore->exchange, &question, NULL, restore->failure, &answer);
    if (status != STATUS_OK)
        return status;
    state = json_member_text(answer.parameters, "state");
    if (state != NULL && strcmp(state, "open") == 0)
        return failure_set(restore->failure, STATUS_REFUSED,
                           "%s is the vault itself, and its file alone is not all of it until it is locked",
                           restore->name);
    return STATUS_OK;
}

/* An agent of one command may write in the folder that is there when it starts. */
static enum status connect_agent(struct restore *restore)
{
    enum status status = exchange_connect(&restore->exchange, restore->failure);

    if (status != STATUS_NO_AGENT)
        return status;
    status = file_make_parents(restore->exchange.vault, restore->failure);
    return status == STATUS_OK ? exchange_start_agent(&restore->exchange, false, restore->failure) : status;
}

/* ---- staging ---- */

/* While the agent writes what was sent, the next part is read. */
static enum status send_part(struct restore *restore, const uint8_t *bytes, size_t size, bool last)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status;

    exchange_question(&question, "StageRestore");
    json_add_base64(&question.writer, "data", bytes, size);
    if (last)
        json_add_boolean(&question.writer, "last", true);
    status = exchange_ask_ahead(&restore->exchange, &question, restore->failure);
    if (status == STATUS_OK && restore->ahead)
        status = exchange_next(&restore->exchange, restore->failure, &restore->answer);
    restore->ahead = true;
    if (status == STATUS_OK && last)
        status = exchange_next(&restore->exchange, restore->failure, &restore->answer);
    restore->sent += size;
    return status;
}

static enum status read_part(const struct restore *restore, uint8_t *bytes, size_t *ret_size)
{
    *ret_size = 0;
    while (*ret_size < PART) {
        ssize_t count = read(restore->input, bytes + *ret_size, PART - *ret_size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return failure_set_errno(restore->failure, STATUS_FAILED, errno, "cannot read %s", restore->name);
        if (count == 0)
            break;
        *ret_size += (size_t)count;
    }
    return STATUS_OK;
}

static enum status stage(struct restore *restore)
{
    static uint8_t part[PART]; /* ciphertext */
    size_t size = PART;
    enum status status = STATUS_OK;

    restore->progress = (struct output_progress){.what = "MiB sent"};
    while (status == STATUS_OK && size == PART) {
        status = read_part(restore, part, &size);
        if (status == STATUS_OK)
            status = send_part(restore, part, size, size < PART);
        output_progress_show(&restore->progress, restore->sent >> 20,
                             (restore->size > restore->sent ? restore->size : restore->sent) >> 20);
    }
    output_progress_end(&restore->progress);
    return status;
}

static enum status make_key(struct restore *restore, const struct authority *authority)
{
    struct key_headers headers = {.count = 0};
    const char *last_seen = json_member_text(restore->answer.parameters, "last_seen");
    enum status status = key_read_headers(restore->answer.parameters, restore->failure, &headers);

    restore->replaces = json_member_boolean(restore->answer.parameters, "replaces", true);
    if (last_seen != NULL)
        (void)snprintf(restore->last_seen, sizeof(restore->last_seen), "%s", last_seen);
    return status == STATUS_OK
               ? authority_derive(&restore->exchange, authority, &headers, restore->failure, &restore->key)
               : status;
}

/* ---- heads ---- */

static void note_head(const char *what, const struct json *head)
{
    const char *time = json_member_text(head, "time");
    const char *root = json_member_text(head, "root");

    if (root == NULL)
        output_note("%s: nothing is known of its log", what);
    else
        output_note("%s: %" PRId64 " entries, root %.64s%s%s", what, json_member_number(head, "size", 0),
                    root, time != NULL ? ", the last of " : "", time != NULL ? time : "");
}

static void add_head(struct output_table *table, const char *what, const struct json *head)
{
    output_table_add(table, what);
    if (head != NULL)
        output_table_add_format(table, "%" PRId64, json_member_number(head, "size", 0));
    else
        output_table_add(table, "none known");
    output_table_add(table, json_member_text(head, "root"));
    output_table_add(table, json_member_text(head, "time"));
}

/* The reply's part, done and total are of the check that went before. */
static enum status print_json(const struct json *parameters, struct failure *failure)
{
    static const char *const members[] = {"abandoned", "restored", "note"};
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const struct json *value = json_member(parameters, members[i]);

        if (value != NULL)
            json_add_value(&writer, members[i], value);
    }
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set_no_memory(failure);
    return output_write(text.bytes, text.size, failure);
}

static enum status print_heads(const struct restore *restore)
{
    static const char *const headings[] = {"LOG", "SIZE", "ROOT", "LAST ENTRY"};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *parameters = restore->answer.parameters;

    if (option_flag(&restore->invocation->options, "json"))
        return print_json(parameters, restore->failure);
    output_table_start(&table, 4, headings);
    add_head(&table, "abandoned", json_member(parameters, "abandoned"));
    add_head(&table, "restored", json_member(parameters, "restored"));
    return output_table_print(&table, restore->failure);
}

/* ---- restoring ---- */

static enum status explain_end(const struct restore *restore, enum status status, bool commit)
{
    if (!commit || (status != STATUS_AGENT_ENDED && status != STATUS_PROTOCOL) ||
        restore->exchange.client->descriptor >= 0)
        return status;
    return failure_set(restore->failure, STATUS_FAILED,
                       "the connection to the agent ended before it said whether the vault is restored");
}

static enum status ask_restore(struct restore *restore, bool commit)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status;

    restore->progress = (struct output_progress){.what = "checked"};
    exchange_question(&question, "Restore");
    question.ask.more = true;
    if (commit)
        json_add_boolean(&question.writer, "commit", true);
    status = exchange_send(&restore->exchange, &question, &restore->key, restore->failure, &restore->answer);
    while (status == STATUS_OK && restore->answer.continues) {
        output_progress_show(&restore->progress,
                             (uint64_t)json_member_number(restore->answer.parameters, "done", 0),
                             (uint64_t)json_member_number(restore->answer.parameters, "total", 0));
        status = exchange_next(&restore->exchange, restore->failure, &restore->answer);
    }
    output_progress_end(&restore->progress);
    return explain_end(restore, status, commit);
}

/* With the pin of another vault goes what would tell an older copy of that one. */
static enum status note_last_seen(const struct restore *restore)
{
    const char *vault = restore->exchange.vault;

    if (restore->last_seen[0] == '\0')
        return STATUS_OK;
    if (!option_flag(&restore->invocation->options, "yes") && !prompt_has_terminal())
        return failure_set(restore->failure, STATUS_USAGE,
                           "another vault (%s) was last seen at %s, and there is no terminal to confirm on "
                           "that this one takes its place; --yes confirms it",
                           restore->last_seen, vault);
    output_note("another vault (%s) was last seen at %s: what this machine knows of it is forgotten",
                restore->last_seen, vault);
    return STATUS_OK;
}

static enum status confirm(struct restore *restore)
{
    enum status status = note_last_seen(restore);

    if (status != STATUS_OK || (!restore->replaces && restore->last_seen[0] == '\0') ||
        option_flag(&restore->invocation->options, "yes"))
        return status;
    status = ask_restore(restore, false);
    if (status != STATUS_OK)
        return status;
    note_head("abandoned", json_member(restore->answer.parameters, "abandoned"));
    note_head("restored", json_member(restore->answer.parameters, "restored"));
    return prompt_confirm(
        restore->replaces
            ? "What the vault has and the restored one has not is lost. Type yes to replace it: "
            : "This is not the vault that was last seen here. Type yes to put it there: ",
        "it was not confirmed, and nothing was changed", restore->failure);
}

static enum status restore_all(struct restore *restore, const struct authority *authority)
{
    enum status status = connect_agent(restore);

    if (status == STATUS_OK)
        status = check_not_open(restore);
    if (status == STATUS_OK)
        status = stage(restore);
    if (status == STATUS_OK)
        status = make_key(restore, authority);
    if (status == STATUS_OK)
        status = confirm(restore);
    if (status == STATUS_OK)
        status = ask_restore(restore, true);
    if (status == STATUS_OK)
        status = print_heads(restore);
    return status;
}

static enum status cmd_restore(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(authority_reset) struct authority authority = {0};
    CLEANUP(restore_reset)
    struct restore restore = {
        .invocation = invocation, .name = command_argument(invocation, 0), .input = -1, .failure = failure};
    const struct option_values *options = &invocation->options;
    enum status status =
        exchange_start(invocation, option_text(options, "key-file"), failure, &restore.exchange);

    if (status == STATUS_OK)
        status = open_input(&restore);
    if (status == STATUS_OK)
        status = check_confirmation(&restore);
    if (status == STATUS_OK)
        status =
            authority_read(&restore.exchange, options, option_flag(options, "recovery"), failure, &authority);
    if (status == STATUS_OK)
        status = restore_all(&restore, &authority);
    if (status == STATUS_OK)
        output_note("restored the vault %s; it is locked", restore.exchange.vault);
    return status;
}

/* ---- the commands ---- */

static const struct option_rule restore_options[] = {
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY,
    OPTION_RECOVERY_CODE_FD,
    {"yes",  NULL, false, "Replaces a vault that is there without asking."},
    OPTION_JSON,
    {0},
};

/* clang-format off */
const struct command cmd_restore_commands[] = {
    {
        .name = "restore", .run = cmd_restore, .method = "Restore", .options = restore_options,
        .least = 1, .most = 1, .arguments = {"FILE|-"},
        .usage = "FILE|- [--passphrase-fd N | --key-file FILE | --recovery] [--yes] [--json]",
        .summary = "put a copy in the vault's place",
        .help = "Verifies a backup, or any copy of the vault's file, and puts it in the vault's place, also where none is "
                "left. The passphrase, key file or recovery code is the copy's. Prints which head of the access log is "
                "abandoned and which one restored, and asks before it replaces a vault. The log goes on under a new name, "
                "and its first entry says what was abandoned. Accounts whose refresh tokens may have been renewed since "
                "are marked as restored. The vault is locked then.",
    },
    {0},
};
/* clang-format on */
