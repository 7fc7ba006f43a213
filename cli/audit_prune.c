/* audit prune: the lines of old entries go, in as many turns as that takes; their hashes stay. */
#include "audit.h"

#include "authority.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "output.h"

#include <inttypes.h>

/* One call: at most some thousands of entries, so that the agent serves others in between. */
static enum status prune_some(struct exchange *exchange, const char *method, const char *before,
                              const struct key *key, struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(exchange_question_reset) struct question question = {0};

    exchange_question(&question, method);
    json_add_text(&question.writer, "before", before);
    return exchange_send(exchange, &question, key, failure, ret_answer);
}

static enum status prune(struct exchange *exchange, const char *method, const char *before,
                         const struct key *key, struct failure *failure)
{
    struct output_progress progress = {.what = "entries pruned"};
    int64_t count = 0, end = 0;
    bool more = true;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && more) {
        CLEANUP(exchange_answer_reset) struct answer answer = {0};

        status = prune_some(exchange, method, before, key, failure, &answer);
        if (status != STATUS_OK)
            break;
        end = json_member_number(answer.parameters, "to", 0);
        count += end - json_member_number(answer.parameters, "from", 0);
        more = json_member_boolean(answer.parameters, "more", false);
        output_progress_show(&progress, (uint64_t)count, (uint64_t)end);
    }
    output_progress_end(&progress);
    if (status == STATUS_OK && count == 0)
        output_note("nothing was pruned: no block of 256 entries is that old and was not pruned before");
    else if (count > 0)
        output_note("entries %" PRId64 " to %" PRId64
                    " were pruned: only their hashes are left, but of those that announce a signing key",
                    end - count, end - 1);
    return status;
}

enum status audit_prune(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(authority_reset) struct authority authority = {0};
    CLEANUP(key_reset) struct key key = {0};
    struct key_headers headers = {.count = 0};
    const struct option_values *options = &invocation->options;
    const char *before = option_text(options, "before");
    char time[CLOCK_TEXT_SIZE];
    uint64_t before_ms = 0;
    enum status status;

    if (before == NULL || !clock_parse(before, clock_wall_ms(), &before_ms))
        return failure_set(failure, STATUS_USAGE,
                           "audit prune wants --before and a time such as 2026-11-22, or how long ago: 365d");
    clock_format(time, before_ms);
    status = exchange_start(invocation, option_text(options, "key-file"), failure, &exchange);
    if (status == STATUS_OK)
        status = ask_check_vault(exchange.vault, failure);
    if (status == STATUS_OK)
        status = authority_read(&exchange, options, option_flag(options, "recovery"), failure, &authority);
    if (status == STATUS_OK)
        status = authority_open(&exchange, &authority, failure, &headers, &key);
    if (status == STATUS_OK)
        status = prune(&exchange, invocation->command->method, time, &key, failure);
    return authority_judge(&authority, status, failure);
}
