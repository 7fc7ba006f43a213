/* The two halves of a renewal: the intent before a request, and what came of it. */
#include "token_interior.h"

#include "account_interior.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_MS UINT64_C(5000)
#define REFUSED_AGAIN_MS UINT64_C(900000) /* five tries then take the hour after which it is given up */

/* What a lost reply may have taken along, for whoever has to connect the account anew. */
#define RESPONSE_LOST                                                                                        \
    "response lost: an earlier renewal got no usable answer, and may have used up its refresh token"
#define RESTORED_OLD "the vault was restored from a copy, and its refresh token is an old one"

/* The draft of `previous` with its grant as it is now, and nothing else changed. */
static void draft_grant(struct vault *vault, const struct record *previous, const struct token_fields *fields,
                        struct record_draft *ret_draft)
{
    static const struct remark no_change;

    account_resume(ret_draft, previous, previous->name, &no_change);
    token_fields_add(ret_draft, fields);
    account_add_finals(vault, ret_draft);
}

enum status token_write_grant(struct vault *vault, const struct record *previous,
                              const struct token_fields *fields, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    draft_grant(vault, previous, fields, &draft);
    return record_write(vault, &draft, failure, NULL);
}

/* ---- Before ---- */

enum status token_find_account(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                               struct record *ret_account, struct token_fields *ret_fields, bool *ret_found)
{
    bool found;

    enum status status = record_find_by_id(vault, id, failure, ret_account, &found);
    if (status == STATUS_OK)
        *ret_found =
            found && ret_account->kind == RECORD_ACCOUNT && token_fields_read(ret_account, ret_fields);
    return status;
}

enum status token_find_account_still(struct vault *vault, const uint8_t id[STORE_ID_SIZE],
                                     struct failure *failure, struct record *ret_account,
                                     struct token_fields *ret_fields)
{
    bool found;

    enum status status = token_find_account(vault, id, failure, ret_account, ret_fields, &found);
    if (status == STATUS_OK && !found)
        return failure_set(failure, STATUS_NOT_FOUND, "the account is not there any more");
    return status;
}

/* What not even a person's wish gets over. */
static enum status check_forced(const struct record *account, const struct token_fields *fields,
                                uint64_t now_ms, struct failure *failure)
{
    if (token_is_final(fields) && fields->refusals == 0)
        return failure_set(failure, STATUS_NEEDS_RECONNECT, "the grant of %s:%s has ended: %s",
                           account->where, account->name, fields->error != NULL ? fields->error : "");
    if (!token_can_renew(account, fields))
        return failure_set(failure, STATUS_NEEDS_RECONNECT, "%s:%s has no refresh token", account->where,
                           account->name);
    if (token_must_wait(fields, now_ms))
        return failure_set(failure, STATUS_TOKEN_UNAVAILABLE,
                           "the provider of %s:%s asked us to wait for another %" PRIu64 " s", account->where,
                           account->name, (fields->wait - now_ms + 999) / 1000);
    return STATUS_OK;
}

static bool describe_begin(struct leaf *leaf, const struct token_fields *fields, bool again)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    json_add_number(&writer, "generation", fields->generation);
    if (again)
        json_add_boolean(&writer, "again", true);
    return leaf_add_details(leaf, &writer);
}

static enum status begin(struct vault *vault, const struct record *account, struct token_fields *fields,
                         enum token_flight flight, uint64_t now_ms, struct leaf *leaf,
                         struct failure *failure, struct token_job *ret_job)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = fields->generation, .sent_ms = now_ms};
    struct token_intent intent = {
        .generation = fields->generation, .sent_ms = now_ms, .lease_ms = now_ms + TOKEN_LEASE_MS};
    char text[TOKEN_INTENT_SIZE];
    bool again = flight == TOKEN_MISSING || flight == TOKEN_MISSING_TWO;

    memcpy(job.id, account->id, sizeof job.id);
    account_name_in_leaf(account, leaf);
    if (!describe_begin(leaf, fields, again))
        return failure_set_no_memory(failure);
    enum status status = token_write_job(vault, account, TOKEN_REFRESH, leaf, failure, &job.line);
    if (status != STATUS_OK)
        return status;
    (void)token_digest(account, intent.digest);
    memcpy(job.digest, intent.digest, sizeof job.digest);
    token_intent_format(&intent, text);
    fields->intent = text;
    if (again)
        fields->doubt = fields->generation;
    status = token_write_grant(vault, account, fields, failure);
    if (status != STATUS_OK)
        return status;
    *ret_job = job;
    job.line = (struct secret){0};
    return STATUS_OK;
}

enum status token_begin(struct vault *vault, const uint8_t id[STORE_ID_SIZE], uint64_t now_ms, bool force,
                        struct leaf *leaf, struct failure *failure, enum token_begun *ret_begun,
                        uint64_t *ret_until_ms, struct token_job *ret_job)
{
    CLEANUP(record_reset) struct record account = {0};
    struct token_fields fields;
    uint64_t lease_ms;

    enum status status = token_find_account_still(vault, id, failure, &account, &fields);
    if (status != STATUS_OK)
        return status;
    if (!force && !token_is_due(&account, now_ms)) {
        *ret_begun = TOKEN_NOT_DUE;
        return STATUS_OK;
    }
    enum token_flight flight = token_find_flight(&account, &fields, now_ms, &lease_ms);
    if (flight == TOKEN_IN_FLIGHT) {
        *ret_begun = TOKEN_LEASED;
        *ret_until_ms = lease_ms;
        return STATUS_OK;
    }
    status = force ? check_forced(&account, &fields, now_ms, failure) : STATUS_OK;
    if (status == STATUS_OK)
        status = begin(vault, &account, &fields, flight, now_ms, leaf, failure, ret_job);
    if (status == STATUS_OK)
        *ret_begun = TOKEN_BEGUN;
    return status;
}

/* ---- After: renewed ---- */

/* Refresh tokens reach no step that does not ask for them by name, so a new one clashes with nothing. */
static bool is_needed(const struct record *previous, const char *property)
{
    return token_is_refresh_token(property) ||
           (token_is_token(property) && account_property(previous, property, NULL) != NULL);
}

static void copy_missing(struct record_draft *draft, const struct record *previous)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(previous, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size)) {
        const struct record next = record_draft_preview(draft);
        if (account_property(&next, name, NULL) == NULL)
            account_add_property(draft, name, value, size);
    }
}

/* Which of what came is taken. */
typedef bool takes_property(const struct record *previous, const char *property);

static bool is_given(const struct record *previous, const char *property)
{
    (void)previous;
    (void)property;
    return true;
}

static bool is_refresh_token(const struct record *previous, const char *property)
{
    (void)previous;
    return token_is_refresh_token(property);
}

static void draft_renewed(struct record_draft *draft, const struct record *previous,
                          const struct token_fields *fields, const struct json *properties,
                          takes_property *takes)
{
    static const struct remark no_change;
    const struct json *value;
    void *iterator = NULL;
    const char *name;
    size_t size;

    record_draft_start(draft, RECORD_ACCOUNT, previous->where, previous->name, previous->where, previous);
    while (json_next(properties, &iterator, &name, &value)) {
        const char *text = json_text(value, &size);
        if (takes(previous, name))
            account_add_property(draft, name, text, size);
    }
    copy_missing(draft, previous);
    remark_add(draft, &no_change, previous);
    token_fields_add(draft, fields);
}

/* Whether all of what came may be written. */
static enum status check_renewed(struct vault *vault, const struct record *previous,
                                 struct record_draft *draft, struct failure *failure)
{
    enum status status = account_complete(vault, draft, failure);
    const struct record next = record_draft_preview(draft);

    if (status == STATUS_OK && !account_has_same_names(previous, &next))
        status = binding_check_names(vault, &next, failure);
    return status;
}

static enum status put_renewed(struct vault *vault, const struct record *previous,
                               const struct record_draft *draft, struct failure *failure)
{
    const struct record next = record_draft_preview(draft);

    enum status status = record_write(vault, draft, failure, NULL);
    if (status == STATUS_OK && !account_has_same_names(previous, &next))
        status = binding_renew_names(vault, &next, failure);
    return status;
}

static struct token_fields renew_fields(const struct token_fields *before, const struct token_result *result,
                                        const struct token_job *job, uint64_t now_ms)
{
    const uint64_t sent_ms = job->sent_ms;

    struct token_fields fields = {
        .provider = result->provider != NULL ? result->provider : before->provider,
        .client = before->client,
        .grant = before->grant,
        .method = before->method,
        .requested = before->requested,
        .requested_user = before->requested_user,
        .granted = result->scopes != NULL ? result->scopes : before->granted,
        .identity = result->identity != NULL ? result->identity : before->identity,
        .identity_name = result->identity != NULL ? result->identity_name : before->identity_name,
        .generation = before->generation + 1,
        .obtained = sent_ms,
        .lifetime = result->lifetime_ms,
        .refreshed = now_ms,
    };

    /* That a new token came does not say that an API takes it. */
    if (before->state != NULL && !token_is_final(before)) {
        fields.state = before->state;
        fields.error = before->error;
    }
    if (job->rejected || fields.state != NULL)
        fields.rejected = fields.generation;

    /* A reply that does not say when its token ends means the same again; when it is due is a guess then. */
    uint64_t due_ms = result->has_due ? result->due_ms : UINT64_MAX;
    if (!result->has_lifetime) {
        fields.lifetime = before->lifetime;
        if (before->due > before->obtained && before->due - before->obtained < due_ms)
            due_ms = before->due - before->obtained;
    }
    if (fields.lifetime != 0 || result->has_lifetime)
        fields.expires = sent_ms + fields.lifetime;
    if (due_ms != UINT64_MAX)
        fields.due = sent_ms + due_ms;
    return fields;
}

static enum status renew(struct vault *vault, const struct record *previous,
                         const struct token_fields *before, const struct token_job *job,
                         const struct token_result *result, uint64_t now_ms, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft whole = {0};
    CLEANUP(record_draft_reset) struct record_draft least = {0};
    struct token_fields fields = renew_fields(before, result, job, now_ms);

    draft_renewed(&whole, previous, &fields, result->properties, is_given);
    if (whole.failed)
        return failure_set_no_memory(failure);
    if (check_renewed(vault, previous, &whole, failure) == STATUS_OK)
        return put_renewed(vault, previous, &whole, failure);
    /* The provider has made the old tokens void already: the new ones are kept whatever came beside them. */
    fields.provider = before->provider;
    fields.granted = before->granted;
    draft_renewed(&least, previous, &fields, result->properties, is_needed);
    account_add_finals(vault, &least);
    return put_renewed(vault, previous, &least, failure);
}

/* ---- After: failed ---- */

/* Between three and five quarters of the doubled time, so that what failed together is not tried together. */
static uint64_t back_off(uint64_t failures)
{
    uint64_t delay_ms = BACKOFF_FIRST_MS;
    uint32_t dice;

    while (--failures > 0 && delay_ms < TOKEN_BACKOFF_MAX_MS)
        delay_ms *= 2;
    seal_random(&dice, sizeof dice);
    delay_ms = delay_ms / 4 * 3 + dice % (delay_ms / 2 + 1);
    return delay_ms < TOKEN_BACKOFF_MAX_MS ? delay_ms : TOKEN_BACKOFF_MAX_MS;
}

static void put_off(struct token_fields *fields, const struct token_result *result, uint64_t delay_ms,
                    uint64_t now_ms)
{
    if (result->has_retry)
        delay_ms = result->retry_ms < TOKEN_RETRY_MAX_MS ? result->retry_ms : TOKEN_RETRY_MAX_MS;
    fields->retry = now_ms + delay_ms;
    fields->wait = result->has_retry ? fields->retry : 0;
}

static void note_refusal(struct token_fields *fields, const struct token_result *result, uint64_t now_ms)
{
    if (fields->refusals == 0 || fields->refused > now_ms)
        fields->refused = now_ms;
    fields->refusals++;
    if (fields->refusals >= TOKEN_REFUSALS_MAX && now_ms - fields->refused >= TOKEN_REFUSALS_OVER_MS) {
        fields->state = TOKEN_STATE_DEAD;
        fields->rejected = 0;
    }
    put_off(fields, result, REFUSED_AGAIN_MS, now_ms);
}

/* What the failure leaves in the record. `error` is room for a sentence of ours. */
static void note_failure(const struct record *account, struct token_fields *fields,
                         const struct token_result *result, uint64_t now_ms, char error[FAILURE_SENTENCE_MAX])
{
    const char *code = result->code != NULL ? result->code : "invalid_grant";

    fields->intent = NULL;
    if (fields->state == NULL || token_is_final(fields) || result->verdict == TOKEN_INVALID)
        fields->error = result->reason;
    switch (result->verdict) {
    case TOKEN_INVALID:
        fields->state = TOKEN_STATE_DEAD;
        fields->retry = fields->wait = fields->refusals = fields->refused = fields->rejected = 0;
        if (record_has(account, ACCOUNT_FIELD_RESTORED))
            fields->error = RESTORED_OLD;
        else if (fields->doubt == fields->generation || fields->unanswered == fields->generation)
            fields->error = RESPONSE_LOST;
        else
            return;
        snprintf(error, FAILURE_SENTENCE_MAX, "%s (%s)", fields->error, code);
        fields->error = error;
        return;
    case TOKEN_REFUSED:
        note_refusal(fields, result, now_ms);
        return;
    default:
        fields->failures++;
        if (result->sent)
            fields->unanswered = fields->generation;
        put_off(fields, result, back_off(fields->failures), now_ms);
        return;
    }
}

/* ---- After: the leaf ---- */

static const char *const verdict_words[] = {
    [TOKEN_GIVEN] = NULL,     [TOKEN_TRANSIENT] = "transient", [TOKEN_REFUSED] = "refused",
    [TOKEN_INVALID] = "dead", [TOKEN_CANCELLED] = "cancelled",
};

/* `takes`: which properties were set; NULL: none. */
static bool describe_end(struct leaf *leaf, uint64_t generation, enum token_settled settled,
                         const struct token_result *result, takes_property *takes)
{
    static const char *const results[] = {
        [TOKEN_RENEWED] = "renewed", [TOKEN_FAILED] = "failed", [TOKEN_SUPERSEDED] = "superseded"};
    CLEANUP(secret_reset) struct secret object = {0};
    const struct json *value;
    struct json_writer writer;
    void *iterator = NULL;
    const char *name;

    leaf_open_details(&writer, &object);
    json_add_number(&writer, "generation", generation);
    json_add_text(&writer, "result", results[settled]);
    if (verdict_words[result->verdict] != NULL)
        json_add_text(&writer, "verdict", verdict_words[result->verdict]);
    if (result->code != NULL)
        json_add_text(&writer, "code", result->code);
    if (takes != NULL) {
        json_open_array(&writer, "properties");
        while (json_next(result->properties, &iterator, &name, &value))
            if (takes(NULL, name))
                json_add_text(&writer, NULL, name);
        json_close_array(&writer);
    }
    return leaf_add_details(leaf, &writer);
}

static bool brings_refresh_token(const struct token_result *result)
{
    const struct json *value;
    void *iterator = NULL;
    const char *name;

    while (result->properties != NULL && json_next(result->properties, &iterator, &name, &value))
        if (token_is_refresh_token(name))
            return true;
    return false;
}

/* Whoever gave the account another access token meanwhile did not know that its refresh token was being
 * used: where it is the same still, what the provider gave for it takes its place, and nothing else. */
static enum status supersede(struct vault *vault, const struct record *account,
                             const struct token_fields *fields, const struct token_job *job,
                             const struct token_result *result, struct leaf *leaf, struct failure *failure,
                             enum token_settled *ret_settled)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    char digest[TOKEN_DIGEST_HEX];
    bool used = account != NULL && token_digest(account, digest) && strcmp(digest, job->digest) == 0 &&
                brings_refresh_token(result);

    text_to_hex(leaf->account, job->id, sizeof job->id);
    leaf->granted = true;
    *ret_settled = TOKEN_SUPERSEDED;
    if (!describe_end(leaf, used ? fields->generation : job->generation, TOKEN_SUPERSEDED, result,
                      used ? is_refresh_token : NULL))
        return failure_set_no_memory(failure);
    if (!used)
        return STATUS_OK;
    draft_renewed(&draft, account, fields, result->properties, is_refresh_token);
    account_add_finals(vault, &draft);
    return put_renewed(vault, account, &draft, failure);
}

enum status token_settle(struct vault *vault, const struct token_job *job, const struct token_result *result,
                         uint64_t now_ms, struct leaf *leaf, struct failure *failure,
                         enum token_settled *ret_settled)
{
    CLEANUP(record_reset) struct record account = {0};
    char error[FAILURE_SENTENCE_MAX];
    struct token_fields fields;
    bool found;

    enum status status = token_find_account(vault, job->id, failure, &account, &fields, &found);
    if (status != STATUS_OK)
        return status;
    if (!found || fields.generation != job->generation)
        return supersede(vault, found ? &account : NULL, &fields, job, result, leaf, failure, ret_settled);
    bool renewed = result->verdict == TOKEN_GIVEN;
    account_name_in_leaf(&account, leaf);
    if (!describe_end(leaf, fields.generation + renewed, renewed ? TOKEN_RENEWED : TOKEN_FAILED, result,
                      renewed ? is_given : NULL))
        return failure_set_no_memory(failure);
    if (renewed) {
        status = renew(vault, &account, &fields, job, result, now_ms, failure);
    } else {
        note_failure(&account, &fields, result, now_ms, error);
        status = token_write_grant(vault, &account, &fields, failure);
    }
    if (status != STATUS_OK)
        return status;
    leaf->granted = renewed;
    leaf->why = fields.state != NULL ? STATUS_NEEDS_RECONNECT : STATUS_TOKEN_UNAVAILABLE;
    *ret_settled = renewed ? TOKEN_RENEWED : TOKEN_FAILED;
    return STATUS_OK;
}
