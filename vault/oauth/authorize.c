/* One attempt: its address, its answer, its exchange. */
#include "oauth/authorize.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/url.h"
#include "catalog/facts.h"
#include "crypto/pkce.h"
#include "oauth/callback.h"
#include "oauth/loopback.h"
#include "oauth/notice.h"
#include "oauth/query.h"
#include "oauth/redirect.h"
#include "oauth/scope.h"
#include "oauth/token_request.h"

#include <stdio.h>
#include <string.h>

struct attempt {
    const struct errand *errand;
    char state[PKCE_SIZE];
    char verifier[PKCE_SIZE]; /* empty: the provider cannot do with PKCE */
    struct redirect redirect;
    struct secret issuer; /* empty: not known */
    struct callback callback;
};

static void attempt_reset(struct attempt *attempt)
{
    redirect_reset(&attempt->redirect);
    secret_reset(&attempt->issuer);
    callback_reset(&attempt->callback);
    secret_wipe(attempt->verifier, sizeof(attempt->verifier));
    secret_wipe(attempt->state, sizeof(attempt->state));
}

/* ---- the address to open ---- */

static bool add_scopes(const struct errand *errand, struct secret *url)
{
    const struct provider *provider = errand->provider;
    const char *user_parameter = provider_fact(provider, "user_scope_parameter", NULL);
    CLEANUP(secret_reset) struct secret scopes = {0};
    CLEANUP(secret_reset) struct secret user_scopes = {0};

    if (!scope_join(provider, errand->scopes, &scopes) ||
        !scope_join_asked(provider, errand->user_scopes, &user_scopes))
        return false;
    if (scopes.size > 0 &&
        !url_append_parameter(url, facts_authorize_parameter(provider->oauth, "scope"), secret_text(&scopes)))
        return false;
    return user_parameter == NULL || user_scopes.size == 0 ||
           url_append_parameter(url, user_parameter, secret_text(&user_scopes));
}

/* Those that each provider has in its own way; one whose property the account lacks is left out. */
static enum status add_fixed(const struct errand *errand, struct secret *url, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret value = {0};
    enum status status = STATUS_OK;
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (status == STATUS_OK &&
           json_next(json_member(errand->provider->oauth, "authorize_params"), &iterator, &name, &template)) {
        status =
            provider_fill(errand->provider, errand->properties, json_text(template, NULL), failure, &value);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
        else if (status == STATUS_OK && !url_append_parameter(url, name, secret_text(&value)))
            status = failure_set_no_memory(failure);
    }
    return status;
}

static bool add_standard(const struct attempt *attempt, struct secret *url)
{
    char challenge[PKCE_SIZE] = "";
    const struct {
        const char *name;
        const char *value;
    } parameters[] = {
        {"response_type",         "code"                                    },
        {"client_id",             attempt->errand->client_id                },
        {"redirect_uri",          secret_text(&attempt->redirect.uri)       },
        {"state",                 attempt->state                            },
        {"code_challenge",        challenge                                 },
        {"code_challenge_method", attempt->verifier[0] != '\0' ? "S256" : ""},
    };

    if (attempt->verifier[0] != '\0')
        pkce_challenge(challenge, attempt->verifier);
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (parameters[i].value[0] != '\0' &&
            !url_append_parameter(
                url, facts_authorize_parameter(attempt->errand->provider->oauth, parameters[i].name),
                parameters[i].value))
            return false;
    }
    return true;
}

static enum status make_url(const struct attempt *attempt, struct failure *failure, struct secret *url)
{
    const struct errand *errand = attempt->errand;
    enum status status =
        provider_endpoint(errand->provider, errand->properties, "authorize_url", failure, url);

    if (status == STATUS_OK && (!add_standard(attempt, url) || !add_scopes(errand, url)))
        status = failure_set_no_memory(failure);
    return status == STATUS_OK ? add_fixed(errand, url, failure) : status;
}

/* ---- the answer ---- */

static enum verdict begin(struct attempt *attempt, struct fault *fault)
{
    const struct provider *provider = attempt->errand->provider;
    struct failure failure;

    if (pkce_start(&failure) != STATUS_OK)
        return fault_of(fault, &failure);
    pkce_random(attempt->state);
    if (strcmp(provider_fact(provider, "pkce", ""), "off") != 0)
        pkce_random(attempt->verifier);
    if (provider_fact(provider, "issuer", NULL) != NULL &&
        strcmp(provider_fact(provider, "iss", "checked"), "ignored") != 0 &&
        provider_endpoint(provider, attempt->errand->properties, "issuer", &failure, &attempt->issuer) !=
            STATUS_OK)
        return fault_of(fault, &failure);
    if (redirect_open(attempt->errand, &failure, &attempt->redirect) != STATUS_OK)
        return fault_of(fault, &failure);
    return VERDICT_OK;
}

static enum verdict announce(const struct attempt *attempt, struct fault *fault)
{
    CLEANUP(secret_reset) struct secret url = {0};
    struct failure failure;

    if (make_url(attempt, &failure, &url) != STATUS_OK)
        return fault_of(fault, &failure);
    notice_open(secret_text(&url), secret_text(&attempt->redirect.uri),
                loopback_port(attempt->redirect.loopback));
    return VERDICT_OK;
}

/* Judges each line that is there. True once one is the answer. */
static bool take_pasted(struct attempt *attempt, const struct callback_rules *rules, struct input *input)
{
    CLEANUP(secret_reset) struct secret line = {0};

    while (input_take_line(input, &line)) {
        CLEANUP(json_freep) struct json *pasted = NULL;
        struct failure failure;
        const char *url = NULL;

        if (json_parse(line.bytes, line.size, "what was pasted", &failure, &pasted) == STATUS_OK)
            url = json_member_text(pasted, "url");
        callback_read_pasted(rules, url != NULL ? url : "", &attempt->callback);
        if (attempt->callback.kind != CALLBACK_STRAY && attempt->callback.kind != CALLBACK_EMPTY)
            return true;
        notice_refused("the pasted address %s", attempt->callback.reason);
        callback_reset(&attempt->callback);
    }
    return false;
}

static enum verdict await(struct attempt *attempt, struct input *input, struct fault *fault)
{
    const struct errand *errand = attempt->errand;
    const uint64_t deadline_ms = clock_boot_ms() + errand->seconds * 1000;
    const struct callback_rules rules = {
        .host = attempt->redirect.host,
        .path = secret_text(&attempt->redirect.path),
        .state = attempt->state,
        .issuer = attempt->issuer.size > 0 ? secret_text(&attempt->issuer) : NULL,
        .issuer_always = strcmp(provider_fact(errand->provider, "iss", ""), "required") == 0,
        .code = provider_fact(errand->provider, "code_parameter", NULL),
    };

    for (;;) {
        enum loopback_event event;
        struct failure failure;

        if (take_pasted(attempt, &rules, input)) {
            loopback_stop(attempt->redirect.loopback);
            return VERDICT_OK;
        }
        if (input->ended)
            return fault_set(fault, VERDICT_CANCELLED, "connecting was given up");
        if (loopback_wait(attempt->redirect.loopback, &rules, input->descriptor, deadline_ms, &failure,
                          &event, &attempt->callback) != STATUS_OK)
            return fault_take(fault, VERDICT_TRANSIENT, &failure);
        if (event == LOOPBACK_ANSWER)
            return VERDICT_OK;
        if (event == LOOPBACK_DEADLINE)
            return fault_set(fault, VERDICT_CANCELLED, "nobody came back from %s within %llu s",
                             provider_title(errand->provider), (unsigned long long)errand->seconds);
        input_read(input);
    }
}

/* What an answer that brings no code means. */
static enum verdict judge(const struct attempt *attempt, struct fault *fault)
{
    static const char *const passing[] = {"server_error", "temporarily_unavailable"};
    const char *title = provider_title(attempt->errand->provider);
    const struct callback *callback = &attempt->callback;
    enum verdict verdict = VERDICT_REFUSED;

    if (callback->kind == CALLBACK_CODE)
        return VERDICT_OK;
    if (callback->kind != CALLBACK_ERROR)
        return fault_set(fault, VERDICT_REFUSED, "the answer of %s %s", title, callback->reason);
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (strcmp(passing[i], callback->error) == 0)
            verdict = VERDICT_TRANSIENT;
    }
    fault_set_code(fault, callback->error);
    return fault_set(fault, verdict, "%s did not give access%s%s", title,
                     callback->error[0] != '\0' ? ": " : "", callback->error);
}

/* ---- the exchange ---- */

/* Nothing that a provider sends by way of a browser may steer a terminal or end a header. */
static bool is_plain(const struct secret *value)
{
    for (size_t i = 0; i < value->size; i++) {
        if (value->bytes[i] < ' ' || value->bytes[i] == 0x7f)
            return false;
    }
    return true;
}

/* What the answer has for a field; absent for one that is not taken from there, or that is not one. */
static enum query_found find_answered(const struct secret *query, const struct app_field *field,
                                      struct secret *value)
{
    if (field == NULL || field->from == NULL || strcmp(field->from, "redirect") != 0)
        return QUERY_ABSENT;
    return query_find((const char *)query->bytes, query->size, field->as != NULL ? field->as : field->name,
                      value);
}

static enum status write_answered(const struct app_method *method, const struct secret *query,
                                  struct failure *failure, struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret value = {0};

    for (size_t i = 0; i < method->field_count; i++) {
        const struct app_field *field = &method->fields[i];
        enum query_found found = find_answered(query, field, &value);

        if (found == QUERY_ABSENT)
            continue;
        if (found == QUERY_UNUSABLE || !is_plain(&value))
            return failure_set(failure, STATUS_INVALID, "the answer has a value of %s that cannot be used",
                               field->name);
        if (app_check_value(field, secret_text(&value), failure) != STATUS_OK)
            return failure->status;
        json_add_text(writer, field->name, secret_text(&value));
    }
    return STATUS_OK;
}

/* The properties of the account with those that the answer brought, which the token endpoint's address may
 * need. */
static enum status join_properties(const struct attempt *attempt, struct failure *failure,
                                   struct json **ret_properties)
{
    const struct app_method *method = attempt->errand->provider->method;
    const struct secret *query = &attempt->callback.query;
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(secret_reset) struct secret value = {0};
    struct json_writer writer;
    void *iterator = NULL;
    const struct json *own;
    const char *name;
    enum status status;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    status = write_answered(method, query, failure, &writer);
    while (json_next(attempt->errand->properties, &iterator, &name, &own)) {
        if (find_answered(query, app_find_field(method, name), &value) == QUERY_ABSENT)
            json_add_value(&writer, name, own);
    }
    json_close_object(&writer);
    if (status != STATUS_OK)
        return status;
    if (writer.failed)
        return failure_set_no_memory(failure);
    return json_parse(text.bytes, text.size, "what the answer brought", failure, ret_properties);
}

static enum verdict exchange(const struct attempt *attempt, struct fault *fault, struct reply *ret_reply)
{
    CLEANUP(json_freep) struct json *properties = NULL;
    struct errand errand = *attempt->errand;
    struct token_request request = {0};
    bool repeat = json_member_boolean(errand.provider->oauth, "repeat_state", false);
    struct failure failure;
    enum verdict verdict;

    if (join_properties(attempt, &failure, &properties) != STATUS_OK)
        return fault_of(fault, &failure);
    errand.properties = properties;
    token_request_set(&request, "grant_type", "authorization_code");
    token_request_set(&request, "code", secret_text(&attempt->callback.code));
    token_request_set(&request, "redirect_uri", secret_text(&attempt->redirect.uri));
    token_request_set(&request, "code_verifier", attempt->verifier[0] != '\0' ? attempt->verifier : NULL);
    token_request_set(&request, "state", repeat ? attempt->state : NULL);
    verdict = token_request_exchange(&errand, &request, fault, ret_reply);
    if (verdict == VERDICT_OK &&
        !secret_append(&ret_reply->redirect, attempt->callback.query.bytes, attempt->callback.query.size)) {
        reply_reset(ret_reply);
        return fault_set_no_memory(fault);
    }
    return verdict;
}

enum verdict authorize_connect(const struct errand *errand, struct input *input, struct fault *fault,
                               struct reply *ret_reply)
{
    CLEANUP(attempt_reset) struct attempt attempt = {.errand = errand};
    enum page page = PAGE_FAILED;
    enum verdict verdict = begin(&attempt, fault);

    if (verdict == VERDICT_OK)
        verdict = announce(&attempt, fault);
    if (verdict == VERDICT_OK)
        verdict = await(&attempt, input, fault);
    if (verdict != VERDICT_OK)
        return verdict;
    verdict = judge(&attempt, fault);
    if (verdict == VERDICT_OK)
        verdict = exchange(&attempt, fault, ret_reply);
    if (verdict == VERDICT_OK)
        page = PAGE_GRANTED;
    else if (attempt.callback.kind == CALLBACK_ERROR)
        page = PAGE_DENIED;
    loopback_show(attempt.redirect.loopback, page);
    return verdict;
}
