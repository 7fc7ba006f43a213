/* What the tests of connected accounts share: a client, accounts that were connected by it, and renewals with
 * answers as stepvault-oauth gives them. */
#ifndef STEPVAULT_TESTS_TOKEN_FIXTURE_H
#define STEPVAULT_TESTS_TOKEN_FIXTURE_H

#include "account_interior.h"
#include "past.h"
#include "registration.h"
#include "token_interior.h"
#include "vault_fixture.h"

#define MINUTE UINT64_C(60000)
#define HOUR (60 * MINUTE)
#define NOW UINT64_C(1800000000000)

/* Half an hour to live, due after 25 minutes. */
#define TOKENS(access, refresh)                                                                              \
    "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"" access                                \
    "\",\"oauth_refresh_token\":\"" refresh                                                                  \
    "\",\"oauth_client_id\":\"id-1\"},\"lifetime_ms\":1800000,\"due_ms\":1500000,\"scopes\":\"chat read\","  \
    "\"identity\":{\"id\":\"U1\",\"name\":\"Ann\"}}"
#define FAILED(verdict, rest)                                                                                \
    "{\"answer\":\"failed\",\"verdict\":\"" verdict "\",\"reason\":\"the provider said no\"" rest "}"
#define TRANSIENT FAILED("transient", ",\"sent\":false")
#define DEAD FAILED("dead", ",\"code\":\"invalid_grant\",\"sent\":true")
#define REFUSED FAILED("refused", ",\"code\":\"invalid_client\",\"sent\":true")

static inline enum status token_register(const char *app, const char *label, const char *client_id,
                                         bool replace)
{
    const struct registration_change change = {
        .app = app, .label = label, .client_id = client_id, .client_secret = "s3cret", .replace = replace};

    world_begin("add-client");
    return world_end(registration_add(world.vault, &change, &world.leaf, &world.failure, &world.writer));
}

/* The answer's document must outlive the result. */
static inline enum status token_answer(const char *text, struct json **ret_json,
                                       struct token_result *ret_result)
{
    world_parse(text, ret_json);
    return token_read_answer(*ret_json, &world.failure, ret_result);
}

static inline enum status token_connect_by(const char *app, const char *label, const char *account,
                                           const char *grant, bool other, const char *answer)
{
    struct json *json = NULL;
    struct token_result result;
    struct account_connection connection = {
        .app = app,
        .label = label,
        .account = account,
        .other_identity = other,
        .grant = {.provider = "{\"slug\":\"slack\"}",
                  .client = NULL,
                  .grant = grant,
                  .requested = "chat read write",
                  .obtained_ms = NOW},
        .result = &result,
    };

    assert_int_equal(token_answer(answer, &json, &result), STATUS_OK);
    world_begin("connect");
    enum status status =
        world_end(account_connect(world.vault, &connection, &world.leaf, &world.failure, &world.writer));
    json_freep(&json);
    return status;
}

/* slack:default, by the client slack:default. */
static inline void token_connect(const char *answer)
{
    assert_int_equal(token_register("slack", NULL, "id-1", false), STATUS_OK);
    assert_int_equal(token_connect_by("slack", NULL, NULL, "authorization_code", false, answer), STATUS_OK);
}

static inline void token_find(const char *account, struct record *ret_record)
{
    assert_int_equal(account_resolve(world.vault, account, &world.failure, ret_record), STATUS_OK);
}

static inline struct token_fields token_fields_of(const struct record *account)
{
    struct token_fields fields;

    assert_true(token_fields_read(account, &fields));
    return fields;
}

/* One half of a renewal, committed. */
static inline enum status token_try_begin(const char *account, uint64_t now_ms, bool force,
                                          enum token_begun *ret_begun, struct token_job *ret_job)
{
    CLEANUP(record_reset) struct record record = {0};
    uint64_t until_ms = 0;

    token_find(account, &record);
    world_begin("refresh");
    enum status status = token_begin(world.vault, record.id, now_ms, force, &world.leaf, &world.failure,
                                     ret_begun, &until_ms, ret_job);
    if (status == STATUS_OK && *ret_begun == TOKEN_LEASED)
        assert_true(until_ms > now_ms && until_ms <= now_ms + TOKEN_LEASE_MS);
    return world_end(status);
}

static inline void token_start(uint64_t now_ms, bool force, struct token_job *ret_job)
{
    enum token_begun begun;

    if (token_try_begin("slack", now_ms, force, &begun, ret_job) != STATUS_OK)
        fail_msg("%s", world.failure.sentence);
    assert_int_equal(begun, TOKEN_BEGUN);
}

static inline enum token_settled token_end(const struct token_job *job, uint64_t now_ms, const char *answer)
{
    struct json *json = NULL;
    struct token_result result;
    enum token_settled settled;

    assert_int_equal(token_answer(answer, &json, &result), STATUS_OK);
    world_begin("refreshed");
    enum status status =
        token_settle(world.vault, job, &result, now_ms, &world.leaf, &world.failure, &settled);
    if (status == STATUS_OK) {
        assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    }
    assert_int_equal(world_end(status), STATUS_OK);
    json_freep(&json);
    return settled;
}

/* Begins and ends one. */
static inline enum token_settled token_renew(uint64_t now_ms, bool force, const char *answer)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};

    token_start(now_ms, force, &job);
    return token_end(&job, now_ms, answer);
}

static inline void token_expect_property(const char *account, const char *property, const char *expected)
{
    CLEANUP(record_reset) struct record record = {0};

    token_find(account, &record);
    const char *value = account_property(&record, property, NULL);
    if (expected == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(value, expected);
}

/* The line of the last leaf. */
static inline void token_read_leaf(struct secret *ret_line)
{
    uint8_t hash[MERKLE_HASH_SIZE];

    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, ret_line, hash),
                     STATUS_OK);
}

#endif
