/* Which flow, then whose account it is. */
#include "oauth/connect.h"

#include "base/cleanup.h"
#include "oauth/authorize.h"
#include "oauth/device.h"
#include "oauth/discovery.h"
#include "oauth/identity.h"
#include "oauth/scope.h"
#include "oauth/token_request.h"
#include "oauth/tokens.h"

#include <string.h>

/* The agent waits a minute, and what has come by then is lost if it is not told. */
#define SECOND_SECONDS 15u
#define IDENTITY_SECONDS 15u
#define SECOND_RETRY_MS 60000u /* when a second token that could not be renewed is tried again */

/* ---- flows ---- */

typedef enum verdict connect_flow(const struct errand *errand, struct input *input, struct fault *fault,
                                  struct reply *ret_reply);

static enum verdict connect_client(const struct errand *errand, struct input *input, struct fault *fault,
                                   struct reply *ret_reply)
{
    (void)input;
    return token_request_client_credentials(errand, fault, ret_reply);
}

static enum verdict connect_import(const struct errand *errand, struct input *input, struct fault *fault,
                                   struct reply *ret_reply)
{
    const char *token = errand_property(errand, "oauth_refresh_token");

    (void)input;
    if (token == NULL)
        return fault_set(fault, VERDICT_REFUSED, "there is no refresh token to import");
    return token_request_refresh(errand, token, 0, fault, ret_reply);
}

static connect_flow *const flows[] = {
    [ERRAND_BROWSER] = authorize_connect, [ERRAND_PASTE] = authorize_connect,
    [ERRAND_DEVICE] = device_connect,     [ERRAND_CLIENT_CREDENTIALS] = connect_client,
    [ERRAND_IMPORT] = connect_import,
};

/* ---- whose account it is ---- */

/* The account as it will be, for the templates of a request to the API. */
static bool merge_properties(const struct tokens *tokens, struct json **ret_properties)
{
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(json_freep) struct json *given = NULL;
    CLEANUP(secret_reset) struct secret merged = {0};
    struct json_writer writer;
    struct failure failure;
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    json_writer_start(&writer, &text);
    if (!tokens_write_properties(tokens, &writer, NULL) ||
        json_parse(text.bytes, text.size, "the properties", &failure, &given) != STATUS_OK)
        return false;
    json_writer_start(&writer, &merged);
    json_open_object(&writer, NULL);
    while (json_next(tokens->errand->properties, &iterator, &name, &value)) {
        if (json_member(given, name) == NULL)
            json_add_value(&writer, name, value);
    }
    iterator = NULL;
    while (json_next(given, &iterator, &name, &value))
        json_add_value(&writer, name, value);
    json_close_object(&writer);
    return !writer.failed &&
           json_parse(merged.bytes, merged.size, "the properties", &failure, ret_properties) == STATUS_OK;
}

/* What cannot be found out here is not known; the tokens are good all the same. */
static void find_identity(const struct tokens *tokens, struct identity *identity)
{
    const struct provider *provider = tokens->errand->provider;
    const struct json *whoami = json_member(provider->method->entry, "whoami");
    CLEANUP(json_freep) struct json *properties = NULL;
    struct fault ignored = {0};

    if (whoami == NULL)
        whoami = provider->test;
    if (whoami != NULL && merge_properties(tokens, &properties))
        identity_ask(provider, properties, whoami, IDENTITY_SECONDS, &ignored, identity);
}

/* What was asked for, between blanks. An import asks for nothing. */
static bool list_requested(const struct errand *errand, struct secret *requested)
{
    bool listed = errand->flow == ERRAND_CLIENT_CREDENTIALS
                      ? scope_join_client(errand->provider, errand->scopes, requested)
                      : scope_join(errand->provider, errand->scopes, requested);

    for (size_t i = 0; i < requested->size; i++) {
        if (requested->bytes[i] == ',')
            requested->bytes[i] = ' ';
    }
    return listed;
}

enum verdict connect_run(struct errand *errand, struct input *input, struct fault *fault,
                         struct secret *ret_line)
{
    CLEANUP(reply_reset) struct reply reply = {0};
    CLEANUP(identity_reset) struct identity identity = {0};
    CLEANUP(secret_reset) struct secret requested = {0};
    struct tokens tokens = {.errand = errand, .reply = &reply};
    enum verdict verdict;

    verdict = discovery_complete(errand, fault);
    if (verdict == VERDICT_OK)
        verdict = flows[errand->flow](errand, input, fault, &reply);
    if (verdict != VERDICT_OK)
        return verdict;
    find_identity(&tokens, &identity);
    tokens.identity = &identity;
    if (errand->flow != ERRAND_IMPORT) {
        if (!list_requested(errand, &requested))
            return fault_set_no_memory(fault);
        tokens.requested = secret_text(&requested);
    }
    return tokens_write_answer(&tokens, ret_line) ? VERDICT_OK : fault_set_no_memory(fault);
}

/* ---- refreshing ---- */

static const char *second_refresh_token(const struct errand *errand)
{
    const char *name =
        json_member_text(json_member(errand->provider->oauth, "second_token"), "refresh_property");

    return name != NULL ? json_member_text(errand->properties, name) : NULL;
}

static void refresh_second(const struct errand *errand, struct tokens *tokens, struct reply *second)
{
    const char *token = second_refresh_token(errand);
    struct fault fault = {0};
    enum verdict verdict;

    if (token == NULL)
        return;
    verdict = token_request_refresh(errand, token, SECOND_SECONDS, &fault, second);
    if (verdict == VERDICT_OK)
        tokens->second = second;
    else if (verdict == VERDICT_TRANSIENT)
        tokens->soonest_ms = fault.retry_ms > SECOND_RETRY_MS ? fault.retry_ms : SECOND_RETRY_MS;
}

enum verdict connect_refresh(struct errand *errand, struct input *input, struct fault *fault,
                             struct secret *ret_line)
{
    const char *token = json_member_text(errand->properties, "oauth_refresh_token");
    CLEANUP(reply_reset) struct reply reply = {0};
    CLEANUP(reply_reset) struct reply second = {0};
    struct tokens tokens = {.errand = errand, .reply = &reply};
    enum verdict verdict;

    (void)input;
    if (errand->flow == ERRAND_CLIENT_CREDENTIALS)
        verdict = token_request_client_credentials(errand, fault, &reply);
    else if (token == NULL)
        return fault_set(fault, VERDICT_REFUSED, "the account has no refresh token");
    else
        verdict = token_request_refresh(errand, token, 0, fault, &reply);
    if (verdict != VERDICT_OK)
        return verdict;
    refresh_second(errand, &tokens, &second);
    return tokens_write_answer(&tokens, ret_line) ? VERDICT_OK : fault_set_no_memory(fault);
}
