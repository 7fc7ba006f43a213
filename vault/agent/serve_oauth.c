/* Accounts connected by OAuth: Connect and what belongs to it, and what is done with their tokens. */
#include "agent/serve.h"

#include "account.h"
#include "agent/asking.h"
#include "agent/connecting.h"
#include "agent/parking.h"
#include "agent/renewal.h"
#include "agent/requesting.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/words.h"
#include "registration.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

#define PROVIDER_MAX (64u * 1024u)
#define PORT_MAX 65535

static const char *text(const struct request *request, const char *name)
{
    return json_member_text(request->parameters, name);
}

/* ---- Connect ---- */

/* How consent is given, and what the account's record calls it. */
static const struct {
    const char *flow;
    const char *grant;
} flows[] = {
    {"browser",            "authorization_code"},
    {"paste",              "authorization_code"},
    {"device",             "device_code"       },
    {"client_credentials", "client_credentials"},
    {"import",             "import"            },
};

static enum status check_flow(const char *flow, struct failure *failure, const char **ret_grant)
{
    for (size_t at = 0; at < sizeof(flows) / sizeof(flows[0]); at++) {
        if (strcmp(flow, flows[at].flow) == 0) {
            *ret_grant = flows[at].grant;
            return STATUS_OK;
        }
    }
    return failure_set(failure, STATUS_INVALID,
                       "flow is browser, paste, device, client_credentials or import");
}

static enum status read_bounded(const struct request *request, const char *name, int64_t least, int64_t most,
                                int64_t fallback, struct failure *failure, int64_t *ret_number)
{
    *ret_number = json_member_number(request->parameters, name, fallback);
    if (json_member(request->parameters, name) != NULL && (*ret_number < least || *ret_number > most))
        return failure_set(failure, STATUS_INVALID, "%s is not between %d and %d", name, (int)least,
                           (int)most);
    return STATUS_OK;
}

static enum status check_connect(struct request *request)
{
    struct failure *failure = &request->failure;
    const struct json *value;
    void *iterator = NULL;
    const char *name;
    enum status status = name_check_app(text(request, "app"), failure);

    if (status == STATUS_OK && text(request, "method") != NULL &&
        name_check_app(text(request, "method"), failure) != STATUS_OK)
        status = failure_set(failure, STATUS_INVALID, "method is no name of a method");
    if (status == STATUS_OK && strlen(text(request, "provider")) > PROVIDER_MAX)
        status = failure_set(failure, STATUS_TOO_LARGE, "the provider's document is over %u KiB",
                             PROVIDER_MAX / 1024);
    while (status == STATUS_OK &&
           json_next(json_member(request->parameters, "properties"), &iterator, &name, &value)) {
        status = name_check_property(name, failure);
        if (status == STATUS_OK && json_text(value, NULL) == NULL)
            status = failure_set(failure, STATUS_INVALID, "the property %s is no text", name);
    }
    return status;
}

/* Walks what an account that is connected anew has and the call does not give, but for tokens. */
static bool next_kept(const struct record *account, const struct json *given, size_t *position,
                      const char **ret_name, const char **ret_value, size_t *ret_size)
{
    while (account->document != NULL &&
           record_next(account, "property/", position, ret_name, ret_value, ret_size)) {
        if (json_member(given, *ret_name) == NULL && !token_is_token(*ret_name))
            return true;
    }
    return false;
}

/* What the templates of this attempt may need: what the call gives, and of an account that is connected anew
 * whatever is no token. */
static void write_properties(const struct request *request, const struct record *account,
                             struct json_writer *writer)
{
    const struct json *given = json_member(request->parameters, "properties");
    const struct json *value;
    void *iterator = NULL;
    const char *name, *old;
    size_t position = 0, size;

    json_open_object(writer, "properties");
    while (json_next(given, &iterator, &name, &value))
        json_add_value(writer, name, value);
    while (next_kept(account, given, &position, &name, &old, &size))
        json_add_bytes(writer, name, old, size);
    json_close_object(writer);
}

struct attempt {
    const char *flow;
    int64_t port;
    int64_t seconds;
    struct record account; /* that is connected anew; or nothing */
    struct record client;
    struct secret scopes; /* separated by blanks */
    struct secret user_scopes;
};

static void attempt_reset(struct attempt *attempt)
{
    record_reset(&attempt->account);
    record_reset(&attempt->client);
    secret_reset(&attempt->scopes);
    secret_reset(&attempt->user_scopes);
}

static bool add_scopes(const char *more, struct secret *scopes)
{
    const char *scope;
    size_t size;

    while ((scope = words_next(&more, " ", &size)) != NULL) {
        if (!words_has(secret_text(scopes), " ", scope, size) && !words_append(scopes, ' ', scope, size))
            return false;
    }
    return true;
}

/* The scopes of the call, and of an account that is connected anew in the same way those that it was asked
 * for, too: so one more takes none away. */
static bool join_scopes(const struct request *request, const struct attempt *attempt, bool user,
                        struct secret *scopes)
{
    const struct json *list = json_member(request->parameters, user ? "user_scopes" : "scopes");
    const char *method = text(request, "method");
    bool complete = true;

    if (attempt->account.document != NULL && method != NULL && token_method(&attempt->account) != NULL &&
        strcmp(method, token_method(&attempt->account)) == 0)
        complete = add_scopes(token_requested(&attempt->account, user), scopes);
    for (size_t at = 0; complete && at < json_count(list); at++)
        complete = add_scopes(json_text(json_at(list, at), NULL), scopes);
    return complete;
}

static void write_scopes(const struct secret *scopes, const char *member, struct json_writer *writer)
{
    if (scopes->size > 0)
        json_add_words(writer, member, secret_text(scopes), " ");
}

static enum status write_job(const struct request *request, const struct attempt *attempt,
                             struct failure *failure, struct secret *line)
{
    const char *redirect_uri = text(request, "redirect_uri");
    struct json_writer writer;

    if (redirect_uri == NULL)
        redirect_uri = record_field(&attempt->client, REGISTRATION_FIELD_REDIRECT_URI, NULL);
    json_writer_start(&writer, line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "job", "connect");
    json_add_text(&writer, "provider", text(request, "provider"));
    registration_write_job(&attempt->client, true, &writer);
    write_properties(request, &attempt->account, &writer);
    json_add_text(&writer, "flow", attempt->flow);
    write_scopes(&attempt->scopes, "scopes", &writer);
    write_scopes(&attempt->user_scopes, "user_scopes", &writer);
    if (redirect_uri != NULL)
        json_add_text(&writer, "redirect_uri", redirect_uri);
    if (attempt->port != 0)
        json_add_number(&writer, "port", (uint64_t)attempt->port);
    json_add_number(&writer, "seconds", (uint64_t)attempt->seconds);
    json_close_object(&writer);
    return writer.failed ? failure_set_no_memory(failure) : STATUS_OK;
}

/* What the call gives outlives it: it becomes the account's. */
static enum status copy_properties(const struct request *request, struct failure *failure,
                                   struct json **ret_properties)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const struct json *given = json_member(request->parameters, "properties");
    struct json_writer writer;

    if (given == NULL)
        return STATUS_OK;
    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, given);
    return writer.failed ? failure_set_no_memory(failure)
                         : json_parse(text.bytes, text.size, "properties", failure, ret_properties);
}

/* What KeepAccount will need besides the answer. */
static enum status make_connected(const struct request *request, const struct attempt *attempt,
                                  const char *grant, struct failure *failure,
                                  struct connected **ret_connected)
{
    CLEANUP(connected_freep) struct connected *connected = calloc(1, sizeof(*connected));

    if (connected == NULL || !secret_append_text(&connected->provider, text(request, "provider")) ||
        !secret_append(&connected->requested, attempt->scopes.bytes, attempt->scopes.size) ||
        !secret_append(&connected->requested_user, attempt->user_scopes.bytes, attempt->user_scopes.size))
        return failure_set_no_memory(failure);
    if (text(request, "method") != NULL)
        memcpy(connected->method, text(request, "method"), strlen(text(request, "method")) + 1);
    if (copy_properties(request, failure, &connected->properties) != STATUS_OK)
        return failure->status;
    memcpy(connected->app, text(request, "app"), strlen(text(request, "app")) + 1);
    if (attempt->account.document != NULL)
        account_id(&attempt->account, connected->account);
    registration_name(&attempt->client, connected->client);
    connected->grant = grant;
    *ret_connected = TAKE(connected);
    return STATUS_OK;
}

/* What leaves besides the client's own secret. */
static enum status describe_attempt(struct request *request, const struct attempt *attempt)
{
    CLEANUP(secret_reset) struct secret object = {0};
    const struct json *given = json_member(request->parameters, "properties");
    const struct json *value;
    struct json_writer writer;
    char client[REGISTRATION_NAME_SIZE];
    void *iterator = NULL;
    const char *name, *old;
    size_t position = 0, size;

    registration_name(&attempt->client, client);
    leaf_open_details(&writer, &object);
    json_add_text(&writer, "client", client);
    json_add_text(&writer, "flow", attempt->flow);
    json_open_array(&writer, "properties");
    while (json_next(given, &iterator, &name, &value))
        json_add_text(&writer, NULL, name);
    while (next_kept(&attempt->account, given, &position, &name, &old, &size))
        json_add_text(&writer, NULL, name);
    json_close_array(&writer);
    return leaf_add_details(&request->leaf, &writer) ? STATUS_OK : failure_set_no_memory(&request->failure);
}

/* The client and, where one is connected anew, the account, which has to be of that app. */
static enum status find_parties(struct session *session, struct request *request, struct attempt *attempt)
{
    const char *account = text(request, "account");
    const char *app = text(request, "app");
    enum status status = STATUS_OK;

    if (account != NULL)
        status = account_resolve(session->vault, account, &request->failure, &attempt->account);
    if (status == STATUS_OK && account != NULL && strcmp(attempt->account.where, app) != 0)
        status = failure_set(&request->failure, STATUS_INVALID, "the account %s:%s is none of %s",
                             attempt->account.where, attempt->account.name, app);
    if (status == STATUS_OK && account != NULL)
        account_name_in_leaf(&attempt->account, &request->leaf);
    if (status != STATUS_OK)
        return status;
    return registration_resolve(session->vault, app, text(request, "client"), &request->failure,
                                &attempt->client);
}

enum status serve_connect(struct session *session, struct request *request)
{
    CLEANUP(attempt_reset) struct attempt attempt = {.flow = text(request, "flow")};
    CLEANUP(connected_freep) struct connected *connected = NULL;
    CLEANUP(secret_reset) struct secret line = {0};
    struct failure *failure = &request->failure;
    const char *grant = NULL;
    enum status status = check_connect(request);

    if (status != STATUS_OK)
        return status;
    memcpy(request->leaf.app, text(request, "app"), strlen(text(request, "app")) + 1);
    status = check_flow(attempt.flow, failure, &grant);
    if (status == STATUS_OK)
        status = read_bounded(request, "port", 1, PORT_MAX, 0, failure, &attempt.port);
    if (status == STATUS_OK)
        status = read_bounded(request, "seconds", 1, CONNECTING_SECONDS, CONNECTING_SECONDS, failure,
                              &attempt.seconds);
    if (status == STATUS_OK)
        status = find_parties(session, request, &attempt);
    if (status == STATUS_OK && (!join_scopes(request, &attempt, false, &attempt.scopes) ||
                                !join_scopes(request, &attempt, true, &attempt.user_scopes)))
        status = failure_set_no_memory(failure);
    if (status == STATUS_OK)
        status = write_job(request, &attempt, failure, &line);
    if (status == STATUS_OK)
        status = make_connected(request, &attempt, grant, failure, &connected);
    if (status == STATUS_OK)
        status = describe_attempt(request, &attempt);
    if (status != STATUS_OK)
        return status;
    return connecting_start(session, &line, (unsigned)attempt.seconds, &connected, request->connected,
                            failure, &request->job);
}

enum status serve_answer_connect(struct session *session, struct request *request)
{
    return connecting_answer(session, text(request, "attempt"), text(request, "url"), &request->failure);
}

/* ---- KeepAccount ---- */

enum status serve_keep_account(struct session *session, struct request *request)
{
    struct connected *connected = *request->connected;
    const struct token_result *result = connected != NULL ? &connected->result : NULL;
    struct account_connection connection;
    enum status status;

    if (connected == NULL || connected->kept)
        return failure_set(&request->failure, STATUS_NOT_FOUND,
                           "nothing was connected on this connection, or it was kept already");
    memcpy(request->leaf.app, connected->app, sizeof(connected->app));
    connection = (struct account_connection){
        .app = connected->app,
        .label = text(request, "label"),
        .account = text(request, "account"),
        .other_identity = json_member_boolean(request->parameters, "other_identity", false),
        .properties = connected->properties,
        .result = result,
    };
    connection.grant = (struct token_grant){
        .provider = result->provider != NULL ? result->provider : secret_text(&connected->provider),
        .client = connected->client,
        .grant = connected->grant,
        .method = connected->method[0] != '\0' ? connected->method : NULL,
        .requested = connected->requested.size > 0 ? secret_text(&connected->requested) : NULL,
        .requested_user = connected->requested_user.size > 0 ? secret_text(&connected->requested_user) : NULL,
        .obtained_ms = connected->obtained_ms,
    };
    if (connection.account == NULL && connected->account[0] != '\0')
        connection.account = connected->account;
    status = serve_read_remark(request, &connection.remark);
    if (status == STATUS_OK)
        status = account_connect(session->vault, &connection, &request->leaf, &request->failure,
                                 &request->reply.writer);
    connected->kept = status == STATUS_OK;
    return status;
}

/* ---- the tokens of an account ---- */

static enum status find_granted(struct session *session, struct request *request, struct record *ret_account)
{
    enum status status = account_resolve_for(session->vault, text(request, "account"), &request->leaf,
                                             &request->failure, ret_account);

    if (status != STATUS_OK)
        return status;
    if (!token_has_grant(ret_account))
        return failure_set(&request->failure, STATUS_REFUSED, "the account %s:%s was not connected by OAuth",
                           ret_account->where, ret_account->name);
    return STATUS_OK;
}

/* The first serving asks and waits, the second says what came of it. */
enum status serve_refresh_account(struct session *session, struct request *request)
{
    CLEANUP(record_reset) struct record account = {0};
    struct failure *failure = &request->failure;
    enum status status = find_granted(session, request, &account);

    if (status != STATUS_OK)
        return status;
    if (request->before != NULL && request->before->failure.status != STATUS_OK) {
        *failure = request->before->failure;
        return failure->status;
    }
    if (request->before != NULL && request->before->pending == 0)
        return account_show(session->vault, request->leaf.account, failure, &request->reply.writer);
    status = parking_begin(session, request->before, failure, request->parking);
    if (status == STATUS_OK)
        status = renewal_ask(session, account.id, true, *request->parking, failure);
    return status == STATUS_OK ? failure_set(failure, STATUS_WAITS, "the token is being renewed") : status;
}

/* Waits for a token that is due, and sees whether it may be handed out. */
static enum status make_fresh(struct session *session, struct request *request, const struct record *account)
{
    struct failure *failure = &request->failure;
    struct failure ignored;
    const uint64_t now_ms = clock_wall_ms();
    enum status status = STATUS_OK;

    if (token_is_due(account, now_ms))
        status = renewal_wait(session, account->id,
                              token_check_deliverable(account, now_ms, &ignored) == STATUS_OK,
                              request->before, failure, request->parking);
    return status == STATUS_OK ? token_check_deliverable(account, now_ms, failure) : status;
}

enum status serve_test_account(struct session *session, struct request *request)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    struct failure *failure = &request->failure;
    enum status status = find_granted(session, request, &account);

    if (status == STATUS_OK)
        status = make_fresh(session, request, &account);
    if (status == STATUS_OK)
        status = token_write_job(session->vault, &account, TOKEN_TEST, &request->leaf, failure, &line);
    if (status != STATUS_OK)
        return status;
    return asking_start_test(session, &line, &account, leaf_find_caller(&request->leaf), failure,
                             &request->job);
}

/* A renewal that is under way would bring tokens that nobody revokes. */
static enum status wait_for_renewal(struct session *session, struct request *request,
                                    const struct record *account)
{
    struct failure *failure = &request->failure;
    enum status status = parking_begin(session, request->before, failure, request->parking);

    if (status == STATUS_OK)
        status = renewal_join(session, account->id, *request->parking, failure);
    if (status == STATUS_OK && (*request->parking)->pending > 0)
        return failure_set(failure, STATUS_WAITS, "the token is being renewed");
    return status;
}

enum status serve_disconnect_account(struct session *session, struct request *request)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    struct failure *failure = &request->failure;
    enum status status = find_granted(session, request, &account);

    if (status == STATUS_OK)
        status = account_check_unbound(session->vault, &account, failure);
    if (status == STATUS_OK)
        status = wait_for_renewal(session, request, &account);
    if (status == STATUS_OK)
        status = token_write_job(session->vault, &account, TOKEN_REVOKE, &request->leaf, failure, &line);
    if (status != STATUS_OK)
        return status;
    return asking_start_end(session, &line, &account, leaf_find_caller(&request->leaf), failure,
                            &request->job);
}

/* Of any account, connected or not. */
enum status serve_request(struct session *session, struct request *request)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    struct failure *failure = &request->failure;
    enum status status =
        account_resolve_for(session->vault, text(request, "account"), &request->leaf, failure, &account);

    if (status == STATUS_OK)
        status = requesting_check(&account, request->parameters, failure);
    if (status == STATUS_OK)
        status = make_fresh(session, request, &account);
    if (status == STATUS_OK)
        status = requesting_write(&account, request->parameters, &request->leaf, failure, &line);
    if (status != STATUS_OK)
        return status;
    return requesting_start(session, &line, &account, request->parameters, leaf_find_caller(&request->leaf),
                            failure, &request->job);
}
