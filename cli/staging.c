/* Rows become members of calls, each call as full as a frame allows. */
#include "staging.h"

#include "base/cleanup.h"
#include "exchange.h"
#include "output.h"

#include <inttypes.h>
#include <string.h>

/* What a frame has room for beside the vault's path, a key and the flags. */
#define ROWS_MAX (CLIENT_REQUEST_MAX - 40960u)
/* Bytes of entries in one call: more are no faster, and the agent keeps room for the largest frame it saw. */
#define ENTRIES_FULL 24576u

struct staging {
    const struct invocation *invocation;
    struct plan *plan;
    const char *path;
    struct failure *failure;
    struct exchange exchange;
    struct answer answer;  /* of the last call */
    struct secret entries; /* of the call that is being filled: variables, NAME=value and a NUL each */
    struct secret rows;    /* and accounts: array elements with commas between them */
    bool asked;            /* there is a connection */
    bool ahead;            /* a reply is still to be read */
    size_t staged;
    struct output_progress progress;
};

static void staging_reset(struct staging *staging)
{
    exchange_reset(&staging->exchange);
    exchange_answer_reset(&staging->answer);
    secret_reset(&staging->entries);
    secret_reset(&staging->rows);
    output_progress_end(&staging->progress);
}

static void write_account(const struct plan_row *row, struct json_writer *writer)
{
    json_add_text(writer, "app", row->app);
    json_add_text(writer, "label", row->label);
    json_open_object(writer, "properties");
    for (size_t i = 0; i < row->property_count; i++)
        json_add_bytes(writer, row->properties[i].name, row->properties[i].bytes, row->properties[i].size);
    json_close_object(writer);
}

/* What it means that the connection is no more. Only the commit puts anything into the vault. */
static enum status explain_end(const struct staging *staging, enum status status, bool commit)
{
    if ((status != STATUS_AGENT_ENDED && status != STATUS_PROTOCOL) ||
        staging->exchange.client->descriptor >= 0)
        return status;
    if (commit && !option_flag(&staging->invocation->options, "dry-run"))
        return failure_set(staging->failure, STATUS_FAILED,
                           "the connection to the agent ended before it said whether the import is in the "
                           "vault");
    return failure_set(staging->failure, STATUS_FAILED,
                       "the connection to the agent ended during the import, so nothing of it is imported");
}

/* While the agent seals what was sent the next rows are got ready: the reply is read after the next call, and
 * only that of the commit is waited for. */
static enum status send_ahead(struct staging *staging, struct question *question, bool commit)
{
    struct exchange *exchange = &staging->exchange;
    enum status status = exchange_ask_ahead(exchange, question, staging->failure);

    if (status == STATUS_OK && staging->ahead)
        status = exchange_next(exchange, staging->failure, &staging->answer);
    staging->ahead = true;
    if (status == STATUS_OK && commit)
        status = exchange_next(exchange, staging->failure, &staging->answer);
    return explain_end(staging, status, commit);
}

/* Makes the call of the rows so far. */
static enum status send_rows(struct staging *staging, bool commit)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status;

    exchange_question(&question, "StageImport");
    status = exchange_add_members(&question, staging->invocation, staging->failure);
    if (status != STATUS_OK)
        return status;
    if (staging->entries.size > 0) {
        json_add_text(&question.writer, "path", staging->path);
        json_add_base64(&question.writer, "environment", staging->entries.bytes, staging->entries.size);
    }
    if (staging->rows.size > 0) {
        if (!secret_append_byte(&staging->rows, ']'))
            return failure_set_no_memory(staging->failure);
        json_add_raw(&question.writer, "accounts", staging->rows.bytes, staging->rows.size);
    }
    if (commit)
        json_add_boolean(&question.writer, "commit", true);
    status = staging->asked ? send_ahead(staging, &question, commit)
                            : exchange_ask(&staging->exchange, &question, staging->failure, &staging->answer);
    staging->asked = true;
    secret_clear(&staging->entries);
    secret_clear(&staging->rows);
    return status;
}

static enum status add_variable(struct staging *staging, const struct plan_row *row)
{
    struct secret *entries = &staging->entries;
    enum status status = STATUS_OK;

    if (entries->size > 0 && entries->size + strlen(row->name) + row->value.size + 2 > ENTRIES_FULL)
        status = send_rows(staging, false);
    if (status != STATUS_OK)
        return status;
    if (!secret_append_text(entries, row->name) || !secret_append_byte(entries, '=') ||
        !secret_append(entries, row->value.bytes, row->value.size) || !secret_append_byte(entries, '\0'))
        return failure_set_no_memory(staging->failure);
    return STATUS_OK;
}

static enum status add_account(struct staging *staging, const struct plan_row *row)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    enum status status = STATUS_OK;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    write_account(row, &writer);
    json_close_object(&writer);
    if (writer.failed)
        return failure_set(staging->failure, STATUS_INVALID,
                           "%s cannot be sent: it holds what is not UTF-8 text, or memory is out", row->name);
    if (text.size > ROWS_MAX)
        return failure_set(staging->failure, STATUS_TOO_LARGE,
                           "the properties of %s are larger than one call to the agent", row->name);
    /* What the last call of variables had room for is not known to have room for an account. */
    if (staging->entries.size > 0 || (staging->rows.size > 0 && staging->rows.size + text.size > ROWS_MAX))
        status = send_rows(staging, false);
    if (status != STATUS_OK)
        return status;
    if (!secret_append_byte(&staging->rows, staging->rows.size > 0 ? ',' : '[') ||
        !secret_append(&staging->rows, text.bytes, text.size))
        return failure_set_no_memory(staging->failure);
    return STATUS_OK;
}

static enum status add_rows(struct staging *staging, enum plan_kind kind, size_t total)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < staging->plan->count; i++) {
        if (staging->plan->rows[i].kind != kind)
            continue;
        status = kind == PLAN_VARIABLE ? add_variable(staging, &staging->plan->rows[i])
                                       : add_account(staging, &staging->plan->rows[i]);
        if (++staging->staged % 256 == 0)
            output_progress_show(&staging->progress, staging->staged, total);
    }
    return status;
}

/* The changes of a dry run are one letter for each, in the order in which they were sent. */
static enum status take_changes(struct staging *staging)
{
    static const enum plan_kind order[] = {PLAN_VARIABLE, PLAN_ACCOUNT};
    const char *changes = json_member_text(staging->answer.parameters, "changes");
    size_t at = 0;

    if (changes == NULL || strlen(changes) != staging->staged)
        return failure_set(staging->failure, STATUS_PROTOCOL,
                           "the agent does not say what the import would change");
    for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
        for (size_t i = 0; i < staging->plan->count; i++) {
            if (staging->plan->rows[i].kind == order[k])
                staging->plan->rows[i].change = changes[at++];
        }
    }
    return STATUS_OK;
}

static size_t count_of(const struct staging *staging, const char *name)
{
    int64_t number = json_member_number(staging->answer.parameters, name, 0);

    return number > 0 ? (size_t)number : 0;
}

enum status staging_send(const struct invocation *invocation, struct plan *plan, const char *path,
                         struct failure *failure, struct staging_counts *ret_counts)
{
    CLEANUP(staging_reset)
    struct staging staging = {
        .invocation = invocation,
        .plan = plan,
        .path = path,
        .failure = failure,
        .progress = {.what = "entries sent"},
    };
    size_t total = plan_count(plan, PLAN_VARIABLE) + plan_count(plan, PLAN_ACCOUNT);
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &staging.exchange);

    if (status == STATUS_OK)
        status = add_rows(&staging, PLAN_VARIABLE, total);
    if (status == STATUS_OK)
        status = add_rows(&staging, PLAN_ACCOUNT, total);
    if (status == STATUS_OK)
        status = send_rows(&staging, true);
    if (status == STATUS_OK && option_flag(&invocation->options, "dry-run"))
        status = take_changes(&staging);
    if (status != STATUS_OK)
        return status;
    *ret_counts = (struct staging_counts){.added = count_of(&staging, "added"),
                                          .replaced = count_of(&staging, "replaced"),
                                          .unchanged = count_of(&staging, "unchanged")};
    return STATUS_OK;
}
