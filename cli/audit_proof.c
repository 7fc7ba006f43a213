/* audit verify and prove: what the log can prove of itself, to whoever kept a checkpoint or an entry. */
#include "audit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define NOTE_FILE_MAX 65536u
#define RECEIPT_FORMAT "c2sp.org/tlog-proof@v1\n"

/* ---- audit verify ---- */

static enum status read_note(const char *path, struct failure *failure, struct secret *ret_note)
{
    CLEANUP(cleanup_close) int file = -1;
    bool standard = strcmp(path, "-") == 0;

    if (!standard)
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (!standard && file == -1)
        return failure_set_errno(failure, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED, errno,
                                 "cannot open the checkpoint %s", path);
    enum status status =
        file_read_all(standard ? STDIN_FILENO : file, NOTE_FILE_MAX, "the checkpoint", failure, ret_note);
    if (status != STATUS_OK)
        return status;
    if (ret_note->size == 0 || memchr(ret_note->bytes, '\0', ret_note->size) != NULL ||
        !text_is_utf8(secret_text(ret_note), ret_note->size))
        return failure_set(failure, STATUS_INVALID, "that is no signed checkpoint of a log");
    return STATUS_OK;
}

static enum status print_verification(const struct json *parameters, struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *against = json_member(parameters, "against");
    const char *root = json_member_text(parameters, "root");
    const int64_t size = json_member_number(parameters, "total", 0);
    const int64_t by_hash = json_member_number(parameters, "by_hash", 0);

    output_table_start(&table, 2, NULL);
    if (root == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no root");
    output_table_add(&table, "size");
    output_table_add_format(&table, "%" PRId64, size);
    output_table_add(&table, "root");
    output_table_add(&table, root);
    output_table_add(&table, "checkpoints");
    output_table_add_format(&table, "%" PRId64, json_member_number(parameters, "checkpoints", 0));
    if (against != NULL) {
        output_table_add(&table, "contains");
        output_table_add_format(&table, "the kept checkpoint of %" PRId64 " entries",
                                json_member_number(against, "size", 0));
        output_table_add(&table, "era");
        output_table_add_format(&table, "%" PRId64, json_member_number(against, "era", 0));
    }
    output_table_add(&table, "with text");
    output_table_add_format(&table, "%" PRId64, size - by_hash);
    output_table_add(&table, "by hash only");
    output_table_add_format(&table, "%" PRId64, by_hash);
    return output_table_print(&table, failure);
}

/* An older agent would verify and compare nothing. */
static enum status check_compared(const struct invocation *invocation, const struct json *parameters,
                                  struct failure *failure)
{
    if (!option_flag(&invocation->options, "against") || json_member(parameters, "against") != NULL)
        return STATUS_OK;
    return failure_set(failure, STATUS_PROTOCOL, "the agent did not compare the checkpoint");
}

enum status audit_verify(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    CLEANUP(secret_reset) struct secret note = {0};
    struct output_progress progress = {.what = "entries verified"};
    const char *against = option_text(&invocation->options, "against");
    enum status status = against != NULL ? read_note(against, failure, &note) : STATUS_OK;

    if (status == STATUS_OK)
        status = exchange_begin(invocation, failure, &exchange, &question);
    if (status == STATUS_OK && against != NULL)
        json_add_bytes(&question.writer, "against", note.bytes, note.size);
    question.ask.more = true;
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    while (status == STATUS_OK && answer.continues) {
        output_progress_show(&progress, (uint64_t)json_member_number(answer.parameters, "done", 0),
                             (uint64_t)json_member_number(answer.parameters, "total", 0));
        status = exchange_next(&exchange, failure, &answer);
    }
    output_progress_end(&progress);
    if (status == STATUS_OK)
        status = check_compared(invocation, answer.parameters, failure);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    return print_verification(answer.parameters, failure);
}

/* ---- audit prove ---- */

/* C2SP tlog-proof.md. The entry goes along as its extra data: who verifies the receipt hashes it. */
static enum status print_receipt(const struct json *parameters, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const struct json *proof = json_member(parameters, "proof");
    const char *note = json_member_text(parameters, "note");
    size_t line_size = 0;
    const char *line = json_text(json_member(parameters, "line"), &line_size);
    bool fits = secret_append_text(&text, RECEIPT_FORMAT);

    if (note == NULL || proof == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no proof");
    if (line != NULL)
        fits = fits && secret_append_text(&text, "extra ") && text_append_base64(&text, line, line_size) &&
               secret_append_byte(&text, '\n');
    fits = fits &&
           secret_append_format(&text, "index %" PRId64 "\n", json_member_number(parameters, "index", 0));
    for (size_t i = 0; i < json_count(proof); i++) {
        const char *hash = json_text(json_at(proof, i), NULL);

        fits = fits && hash != NULL && secret_append_text(&text, hash) && secret_append_byte(&text, '\n');
    }
    if (!fits || !secret_append_byte(&text, '\n') || !secret_append_text(&text, note))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the receipt");
    return output_write(text.bytes, text.size, failure);
}

enum status audit_prove(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    uint64_t index;
    enum status status = exchange_begin(invocation, failure, &exchange, &question);

    if (!text_to_number(command_argument(invocation, 0), INT64_MAX, &index))
        return failure_set(
            failure, STATUS_USAGE,
            "audit prove wants the number of an entry: the first is 0, and in `audit export` entry N "
            "is line N + 1");
    if (status == STATUS_OK)
        json_add_number(&question.writer, "index", index);
    if (status == STATUS_OK)
        status = exchange_ask(&exchange, &question, failure, &answer);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    return print_receipt(answer.parameters, failure);
}
