/* backup: the vault's file as one commit left it, from the agent into a file that appears whole or not at
 * all. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "command.h"
#include "exchange.h"
#include "output.h"
#include "replacement.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the bytes go. */
struct target {
    const char *name;
    int descriptor;
    struct replacement replacement; /* unless it is standard output */
    bool replace;
    int64_t written;
};
#define TARGET_NONE                                                                                          \
    {                                                                                                        \
        .descriptor = -1, .replacement = REPLACEMENT_NONE                                                    \
    }

static void target_reset(struct target *target)
{
    replacement_reset(&target->replacement);
}

static bool is_standard_output(const struct target *target)
{
    return strcmp(target->name, "-") == 0;
}

/* A vault that is open has commits that its file alone has not, and belongs to its agent. */
static enum status check_not_vault(const struct target *target, const char *vault, struct failure *failure)
{
    static const char *const endings[] = {"", "-wal", "-journal", ".new"};
    struct stat there;

    if (fstatat(target->replacement.folder, target->replacement.name, &there, AT_SYMLINK_NOFOLLOW) != 0)
        return STATUS_OK;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char path[PATH_MAX + 16];
        struct stat facts;

        snprintf(path, sizeof(path), "%s%s", vault, endings[i]);
        if (lstat(path, &facts) == 0 && facts.st_dev == there.st_dev && facts.st_ino == there.st_ino)
            return failure_set(failure, STATUS_REFUSED,
                               "%s is of the vault itself, and no backup takes its place", target->name);
    }
    return STATUS_OK;
}

static enum status prepare(const struct invocation *invocation, const char *vault, struct failure *failure,
                           struct target *target)
{
    enum status status;

    target->name = command_argument(invocation, 0);
    target->replace = option_flag(&invocation->options, "replace");
    if (is_standard_output(target)) {
        target->descriptor = STDOUT_FILENO;
        if (option_flag(&invocation->options, "json"))
            return failure_set(failure, STATUS_USAGE, "with - the backup itself goes to standard output");
        if (isatty(STDOUT_FILENO))
            return failure_set(failure, STATUS_USAGE,
                               "a backup is no text, and is not written to a terminal");
        return STATUS_OK;
    }
    status = replacement_prepare(target->name, failure, &target->replacement);
    if (status == STATUS_OK)
        status = check_not_vault(target, vault, failure);
    if (status == STATUS_OK && !target->replace)
        status = replacement_check_new(&target->replacement, failure);
    return status;
}

static enum status take_part(struct target *target, const struct json *parameters, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret bytes = {0};
    size_t size = 0;
    const char *data = json_text(json_member(parameters, "data"), &size);

    if (data == NULL || !text_append_from_base64(&bytes, data, size))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no part of the backup");
    if (bytes.size > 0 && !file_write_all(target->descriptor, bytes.bytes, bytes.size))
        return failure_set_errno(failure, STATUS_FAILED, errno, "the backup cannot be written to %s",
                                 is_standard_output(target) ? "standard output" : target->name);
    target->written += (int64_t)bytes.size;
    return STATUS_OK;
}

static enum status take_parts(struct exchange *exchange, struct target *target, struct failure *failure,
                              struct answer *answer)
{
    struct output_progress progress = {.what = "MiB copied and written"};
    enum status status = take_part(target, answer->parameters, failure);

    while (status == STATUS_OK && answer->continues) {
        const int64_t total = json_member_number(answer->parameters, "total", 0);
        const int64_t copied = json_member_number(answer->parameters, "copied", 0);

        output_progress_show(&progress, (uint64_t)(copied + target->written) >> 20,
                             (uint64_t)(2 * total) >> 20);
        status = exchange_next(exchange, failure, answer);
        if (status == STATUS_OK)
            status = take_part(target, answer->parameters, failure);
    }
    output_progress_end(&progress);
    if (status == STATUS_OK && target->written != json_member_number(answer->parameters, "total", -1))
        status = failure_set(failure, STATUS_PROTOCOL, "the agent sent another number of bytes than it said");
    return status;
}

static enum status finish(struct target *target, struct failure *failure)
{
    if (is_standard_output(target))
        return STATUS_OK;
    return target->replace ? replacement_finish(&target->replacement, failure)
                           : replacement_finish_new(&target->replacement, failure);
}

static enum status print_json(const struct target *target, const struct json *parameters,
                              struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_add_number(&writer, "bytes", (uint64_t)target->written);
    json_add_number(&writer, "log_size", (uint64_t)json_member_number(parameters, "log_size", 0));
    json_add_text(&writer, "root", json_member_text(parameters, "root"));
    json_add_text(&writer, "note", json_member_text(parameters, "note"));
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set_no_memory(failure);
    return output_write(text.bytes, text.size, failure);
}

static enum status print_head(const struct invocation *invocation, const struct target *target,
                              const struct json *parameters, struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;
    const char *root = json_member_text(parameters, "root");
    const int64_t size = json_member_number(parameters, "log_size", -1);

    if (root == NULL || size < 0 || json_member_text(parameters, "note") == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent does not say which head the backup holds");
    if (is_standard_output(target)) {
        output_note("the backup holds the log of %" PRId64 " entries with the root %.64s", size, root);
        return STATUS_OK;
    }
    if (option_flag(&invocation->options, "json"))
        return print_json(target, parameters, failure);
    output_table_start(&table, 2, NULL);
    output_table_add(&table, "size");
    output_table_add_format(&table, "%" PRId64, size);
    output_table_add(&table, "root");
    output_table_add(&table, root);
    return output_table_print(&table, failure);
}

static enum status cmd_backup(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(target_reset) struct target target = TARGET_NONE;
    enum status status = exchange_begin(invocation, failure, &exchange, &question);

    question.ask.more = true;
    if (status == STATUS_OK)
        status = prepare(invocation, exchange.vault, failure, &target);
    if (status == STATUS_OK && !is_standard_output(&target)) {
        status = replacement_open(&target.replacement, failure);
        target.descriptor = target.replacement.descriptor;
    }
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    if (status == STATUS_OK)
        status = take_parts(&exchange, &target, failure, &answer);
    if (status == STATUS_OK)
        status = finish(&target, failure);
    return status == STATUS_OK ? print_head(invocation, &target, answer.parameters, failure) : status;
}

/* ---- the commands ---- */

static const struct option_rule backup_options[] = {
    {"replace", NULL, false, "Takes the place of a file that is there."},
    OPTION_JSON,
    {0   },
};

/* clang-format off */
const struct command cmd_backup_commands[] = {
    {
        .name = "backup", .run = cmd_backup, .method = "Backup", .options = backup_options,
        .least = 1, .most = 1, .arguments = {"FILE|-"},
        .usage = "FILE|- [--replace] [--json]",
        .summary = "write a copy of the vault",
        .help = "Writes the vault as it is now to FILE, which is a vault file like any other: sealed, mode 0600, opened by "
                "the same passphrases and keys. Others go on using the vault meanwhile. FILE appears when it is whole. "
                "Prints the size and the root of the access log that it holds, whose last entry is this backup.",
    },
    {0},
};
/* clang-format on */
