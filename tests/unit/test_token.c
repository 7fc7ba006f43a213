/* vault/token*.c: when a token is renewed, and that neither a crash nor a second answer loses one. */
#include "token_fixture.h"

#include "check_form.h"
#include "import.h"
#include "rekey.h"

#define DUE (NOW + 26 * MINUTE)
#define ENDED (NOW + 31 * MINUTE)

static void expect_due(uint64_t now_ms, bool expected)
{
    CLEANUP(record_reset) struct record account = {0};

    token_find("slack", &account);
    assert_int_equal(token_is_due(&account, now_ms), expected);
}

static void expect_health(uint64_t now_ms, enum token_health expected)
{
    CLEANUP(record_reset) struct record account = {0};

    token_find("slack", &account);
    assert_int_equal(token_health(&account, now_ms), expected);
    assert_int_equal(check_form(&account, &world.failure), STATUS_OK);
}

static enum status deliver(uint64_t now_ms)
{
    CLEANUP(record_reset) struct record account = {0};

    token_find("slack", &account);
    return token_check_deliverable(&account, now_ms, &world.failure);
}

static enum token_begun begin_again(uint64_t now_ms, bool force)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    enum token_begun begun;

    assert_int_equal(token_try_begin("slack", now_ms, force, &begun, &job), STATUS_OK);
    return begun;
}

static void a_token_is_due_from_its_time_on_and_one_without_never(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    expect_due(NOW, false);
    expect_due(NOW + 25 * MINUTE - 1, false);
    expect_due(NOW + 25 * MINUTE, true);
    assert_int_equal(
        token_connect_by("slack", NULL, "slack", "authorization_code", false,
                         "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"}}"),
        STATUS_OK);
    expect_due(NOW + 1000 * HOUR, false);
    assert_int_equal(deliver(NOW + 1000 * HOUR), STATUS_OK);
    assert_int_equal(world_add("other", "{\"oauth_access_token\":\"a\",\"oauth_refresh_token\":\"r\"}"),
                     STATUS_OK);
    CLEANUP(record_reset) struct record other = {0};
    token_find("other", &other);
    assert_false(token_is_due(&other, NOW + 1000 * HOUR));
    assert_int_equal(token_health(&other, NOW), TOKEN_NONE);
    assert_int_equal(token_check_deliverable(&other, NOW, &world.failure), STATUS_OK);
}

static void a_token_that_ended_is_due_although_nobody_said_when(void **state)
{
    (void)state;
    token_connect("{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\","
                  "\"oauth_refresh_token\":\"r\"},\"lifetime_ms\":60000}");
    expect_due(NOW + MINUTE - 1, false);
    expect_due(NOW + MINUTE, true);
    assert_int_equal(deliver(NOW + MINUTE), STATUS_TOKEN_UNAVAILABLE);
}

static void a_clock_that_was_set_back_makes_it_due(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    expect_due(NOW - 2 * HOUR, true);
    expect_due(NOW - MINUTE / 2, false);
}

static void a_renewal_sets_the_new_tokens_in_the_next_generation_and_keeps_no_old_ones(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_reset) struct record past = {0};
    struct past_owner owner;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_renew(DUE, false, TOKENS("a2", "r2")), TOKEN_RENEWED);
    token_expect_property("slack", "oauth_access_token", "a2");
    token_expect_property("slack", "oauth_refresh_token", "r2");
    token_find("slack", &account);
    struct token_fields fields = token_fields_of(&account);
    assert_int_equal(fields.generation, 2);
    assert_null(fields.intent);
    assert_int_equal(fields.obtained, DUE);
    assert_int_equal(fields.expires, DUE + 30 * MINUTE);
    assert_int_equal(fields.due, DUE + 25 * MINUTE);
    assert_int_equal(fields.refreshed, DUE);
    assert_string_equal(fields.requested, "chat read write");
    assert_string_equal(fields.granted, "chat read");
    past_of_account(&owner, &account);
    assert_int_equal(past_find(world.vault, &owner, &world.failure, &past), STATUS_OK);
    assert_null(past.document);
    expect_health(DUE, TOKEN_HEALTHY);
    world_reopen();
    token_expect_property("slack", "oauth_refresh_token", "r2");
}

static void what_a_reply_lacks_stays_as_it_was(void **state)
{
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(
        token_renew(DUE, false, "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\"}}"),
        TOKEN_RENEWED);
    token_expect_property("slack", "oauth_access_token", "a2");
    token_expect_property("slack", "oauth_refresh_token", "r1");
    token_find("slack", &account);
    struct token_fields fields = token_fields_of(&account);
    assert_int_equal(fields.expires, DUE + 30 * MINUTE);
    assert_int_equal(fields.due, DUE + 25 * MINUTE);
    assert_string_equal(fields.granted, "chat read");
    assert_string_equal(fields.identity, "U1");
    assert_string_equal(fields.identity_name, "Ann");
    assert_string_equal(fields.provider, "{\"slug\":\"slack\"}");
}

static void a_guess_of_when_it_is_due_is_no_word_on_when_it_ends(void **state)
{
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(
        token_renew(
            DUE, false,
            "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\"},\"due_ms\":3300000}"),
        TOKEN_RENEWED);
    token_find("slack", &account);
    struct token_fields fields = token_fields_of(&account);
    assert_int_equal(fields.expires, DUE + 30 * MINUTE);
    assert_int_equal(fields.due, DUE + 25 * MINUTE);
}

static void what_a_person_gave_is_kept_beside_what_the_provider_gave(void **state)
{
    struct json *given = NULL, *json = NULL;
    struct token_result result;
    struct account_connection connection = {
        .app = "slack",
        .grant = {.provider = "{}", .grant = "import", .obtained_ms = NOW},
        .result = &result,
    };

    (void)state;
    assert_int_equal(token_register("slack", NULL, "id-1", false), STATUS_OK);
    world_parse("{\"tenant\":\"acme\",\"oauth_refresh_token\":\"r0\"}", &given);
    connection.properties = given;
    assert_int_equal(token_answer(TOKENS("a1", "r1"), &json, &result), STATUS_OK);
    world_begin("connect");
    assert_int_equal(
        world_end(account_connect(world.vault, &connection, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    token_expect_property("slack", "tenant", "acme");
    token_expect_property("slack", "oauth_refresh_token", "r1");
    json_freep(&json);
    json_freep(&given);

    world_parse("{\"tenant\":\"other\",\"oauth_refresh_token\":\"r2\"}", &given);
    connection.properties = given;
    connection.account = "slack";
    assert_int_equal(token_answer("{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\"}}",
                                  &json, &result),
                     STATUS_OK);
    world_begin("connect");
    assert_int_equal(
        world_end(account_connect(world.vault, &connection, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    token_expect_property("slack", "tenant", "other");
    token_expect_property("slack", "oauth_refresh_token", "r2");
    json_freep(&json);
    json_freep(&given);
}

static void the_intent_is_durable_before_the_job_and_outlives_a_new_key_of_the_vault(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(rekey_outcome_reset) struct rekey_outcome outcome = {0};
    struct vault_new_slot slot = world.slot;
    struct rekey_claim claim = {.continues = true};
    struct token_intent intent;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &job);
    memset(slot.header.kdf.salt, 3, sizeof slot.header.kdf.salt);
    memcpy(claim.old_key, world.slot.key, sizeof claim.old_key);
    world_begin("rekey");
    assert_int_equal(
        world_end(rekey_run(world.vault, &slot, &claim, 1, &world.leaf, &world.failure, &outcome)),
        STATUS_OK);
    assert_true(vault_fold(world.vault));
    world_reopen();
    token_find("slack", &account);
    assert_true(token_intent_parse(token_fields_of(&account).intent, &intent));
    assert_int_equal(intent.generation, 1);
    assert_int_equal(intent.sent_ms, DUE);
    assert_int_equal(intent.lease_ms, DUE + TOKEN_LEASE_MS);
    expect_health(DUE + 1, TOKEN_HEALTHY);
    assert_int_equal(begin_again(DUE + 1, false), TOKEN_LEASED);
    assert_int_equal(token_end(&job, DUE + 1, TOKENS("a2", "r2")), TOKEN_RENEWED);
}

static void nobody_begins_while_a_request_may_be_under_way(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &job);
    expect_due(DUE + 1, true);
    assert_int_equal(begin_again(DUE + 1, false), TOKEN_LEASED);
    assert_int_equal(begin_again(DUE + TOKEN_LEASE_MS - 1, true), TOKEN_LEASED);
    assert_int_equal(token_end(&job, DUE + 2, TOKENS("a2", "r2")), TOKEN_RENEWED);
    assert_int_equal(begin_again(DUE + 3, false), TOKEN_NOT_DUE);
}

static void who_cannot_wait_is_told_that_a_request_may_be_under_way(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    uint64_t end = NOW + 30 * MINUTE;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(end - 1000, false, &job);
    assert_int_equal(deliver(end), STATUS_TOKEN_UNAVAILABLE);
    assert_string_equal(
        world.failure.sentence,
        "the token of slack:default has ended and could not be renewed yet: a request for a new "
        "one may still be under way");
}

static void an_intent_without_result_is_tried_again_once(void **state)
{
    CLEANUP(token_job_reset) struct token_job first = {.generation = 0};
    CLEANUP(token_job_reset) struct token_job second = {.generation = 0};
    CLEANUP(token_job_reset) struct token_job third = {.generation = 0};
    CLEANUP(secret_reset) struct secret line = {0};
    uint64_t again = DUE + TOKEN_LEASE_MS, once_more = again + TOKEN_LEASE_MS;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &first);
    expect_health(again, TOKEN_IN_DOUBT);
    token_start(again, false, &second);
    token_read_leaf(&line);
    assert_non_null(strstr(secret_text(&line), "\"generation\":1,\"again\":true"));
    assert_non_null(strstr(secret_text(&second.line), "\"oauth_refresh_token\":\"r1\""));
    expect_health(once_more, TOKEN_IN_DOUBT);
    expect_due(once_more, false);
    assert_int_equal(begin_again(once_more, false), TOKEN_NOT_DUE);
    assert_int_equal(deliver(NOW + 29 * MINUTE), STATUS_OK);
    assert_int_equal(deliver(once_more + 10 * MINUTE), STATUS_NEEDS_RECONNECT);
    /* Only by somebody's wish. */
    token_start(once_more, true, &third);
    assert_int_equal(token_end(&third, once_more, TOKENS("a2", "r2")), TOKEN_RENEWED);
    expect_health(once_more, TOKEN_HEALTHY);
}

static void a_dead_token_after_a_lost_reply_says_so(void **state)
{
    CLEANUP(token_job_reset) struct token_job first = {.generation = 0};
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &first);
    assert_int_equal(token_renew(DUE + TOKEN_LEASE_MS, false, DEAD), TOKEN_FAILED);
    expect_health(DUE + TOKEN_LEASE_MS, TOKEN_DEAD);
    token_find("slack", &account);
    assert_non_null(strstr(token_fields_of(&account).error, "response lost"));
    assert_non_null(strstr(token_fields_of(&account).error, "(invalid_grant)"));
}

static void a_dead_token_after_a_request_without_an_answer_says_so_too(void **state)
{
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_renew(DUE, false, FAILED("transient", ",\"sent\":true")), TOKEN_FAILED);
    assert_int_equal(token_renew(DUE + MINUTE, false, DEAD), TOKEN_FAILED);
    token_find("slack", &account);
    assert_non_null(strstr(token_fields_of(&account).error, "response lost"));
}

static void a_dead_token_ends_the_grant_and_nothing_is_deleted(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    CLEANUP(secret_reset) struct secret line = {0};
    enum token_begun begun;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_renew(DUE, false, DEAD), TOKEN_FAILED);
    token_read_leaf(&line);
    assert_non_null(strstr(secret_text(&line), "\"outcome\":\"refused\",\"why\":\"NeedsReconnect\""));
    assert_non_null(strstr(secret_text(&line), "\"verdict\":\"dead\",\"code\":\"invalid_grant\""));
    token_expect_property("slack", "oauth_refresh_token", "r1");
    expect_health(DUE, TOKEN_DEAD);
    expect_due(DUE + HOUR, false);
    assert_int_equal(deliver(NOW + 29 * MINUTE), STATUS_OK);
    assert_int_equal(deliver(ENDED), STATUS_NEEDS_RECONNECT);
    assert_non_null(strstr(world.failure.sentence, "the provider said no"));
    assert_int_equal(token_try_begin("slack", DUE, true, &begun, &job), STATUS_NEEDS_RECONNECT);
    token_find("slack", &account);
    assert_int_equal(token_fields_of(&account).generation, 1);
    assert_null(token_fields_of(&account).intent);
}

static void failures_are_put_off_longer_and_longer_up_to_a_quarter_of_an_hour(void **state)
{
    uint64_t now = DUE, delay = 5000;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    for (unsigned i = 0; i < 12; i++) {
        CLEANUP(record_reset) struct record account = {0};
        assert_int_equal(token_renew(now, false, TRANSIENT), TOKEN_FAILED);
        token_find("slack", &account);
        struct token_fields fields = token_fields_of(&account);
        assert_int_equal(fields.failures, i + 1);
        assert_in_range(fields.retry - now, delay / 4 * 3,
                        delay * 5 / 4 < TOKEN_BACKOFF_MAX_MS ? delay * 5 / 4 : TOKEN_BACKOFF_MAX_MS);
        expect_due(fields.retry - 1, false);
        assert_int_equal(begin_again(fields.retry - 1, false), TOKEN_NOT_DUE);
        expect_due(fields.retry, true);
        now = fields.retry;
        delay = delay * 2 < TOKEN_BACKOFF_MAX_MS ? delay * 2 : TOKEN_BACKOFF_MAX_MS;
    }
    expect_health(now, TOKEN_FAILING);
    assert_int_equal(deliver(now), STATUS_TOKEN_UNAVAILABLE);
    assert_non_null(strstr(world.failure.sentence, "the provider said no"));
    assert_int_equal(token_renew(now, false, TOKENS("a2", "r2")), TOKEN_RENEWED);
    expect_health(now, TOKEN_HEALTHY);
}

static void a_person_is_put_off_only_by_the_provider_itself(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    enum token_begun begun;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_renew(DUE, false, TRANSIENT), TOKEN_FAILED);
    assert_int_equal(token_renew(DUE + 1, true, FAILED("transient", ",\"retry_ms\":120000,\"sent\":true")),
                     TOKEN_FAILED);
    expect_due(DUE + 2 * MINUTE, false);
    expect_due(DUE + 2 * MINUTE + 1, true);
    assert_int_equal(token_try_begin("slack", DUE + MINUTE, true, &begun, &job), STATUS_TOKEN_UNAVAILABLE);
    assert_int_equal(token_renew(DUE + 3 * MINUTE, true, TOKENS("a2", "r2")), TOKEN_RENEWED);
}

static void no_provider_puts_us_off_for_more_than_an_hour(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_renew(DUE, false, FAILED("transient", ",\"retry_ms\":864000000,\"sent\":true")),
                     TOKEN_FAILED);
    expect_due(DUE + HOUR - 1, false);
    expect_due(DUE + HOUR, true);
}

static void five_refusals_over_an_hour_need_a_person_who_may_try_again(void **state)
{
    uint64_t now = DUE;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    for (unsigned i = 0; i < 5; i++) {
        expect_due(now, true);
        assert_int_equal(token_renew(now, false, REFUSED), TOKEN_FAILED);
        expect_health(now, i < 4 ? TOKEN_FAILING : TOKEN_DEAD);
        now += 15 * MINUTE;
    }
    expect_due(now, false);
    assert_int_equal(token_renew(now, true, TOKENS("a2", "r2")), TOKEN_RENEWED);
    expect_health(now, TOKEN_HEALTHY);
}

static void refusals_in_a_row_that_a_person_made_are_no_hour(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(token_renew(DUE + i, true, REFUSED), TOKEN_FAILED);
    expect_health(DUE + 8, TOKEN_FAILING);
}

static void an_answer_of_another_generation_overwrites_nothing(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    CLEANUP(secret_reset) struct secret line = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &job);
    assert_int_equal(
        world_set_account("slack", "{\"oauth_access_token\":\"b\",\"oauth_refresh_token\":\"s\"}"),
        STATUS_OK);
    assert_int_equal(token_end(&job, DUE + 1, TOKENS("a2", "r2")), TOKEN_SUPERSEDED);
    token_expect_property("slack", "oauth_refresh_token", "s");
    assert_int_equal(token_end(&job, DUE + 1, DEAD), TOKEN_SUPERSEDED);
    expect_health(DUE + 1, TOKEN_HEALTHY);
    world_begin("remove-account");
    assert_int_equal(world_end(account_remove(world.vault, "slack", &world.leaf, &world.failure)), STATUS_OK);
    assert_int_equal(token_end(&job, DUE + 1, TOKENS("a2", "r2")), TOKEN_SUPERSEDED);
    token_read_leaf(&line);
    assert_non_null(strstr(secret_text(&line), "\"result\":\"superseded\""));
}

static void what_came_beside_the_tokens_does_not_lose_them(void **state)
{
    static const char *const members[] = {"scopes", "provider"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(secret_reset) struct secret text = {0};
        CLEANUP(json_freep) struct json *json = NULL;
        struct token_result result;

        assert_true(secret_append_format(
            &text,
            "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"%s\":\"%0100000d\"}",
            members[i], 1));
        assert_int_equal(token_answer(secret_text(&text), &json, &result), STATUS_OK);
        assert_null(result.scopes);
        assert_null(result.provider);
    }
}

/* Else the account would be left with a refresh token that is used up. */
static void a_new_refresh_token_is_kept_although_somebody_set_another_access_token(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(secret_reset) struct secret line = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &job);
    assert_int_equal(world_set_account("slack", "{\"oauth_access_token\":\"b\"}"), STATUS_OK);
    assert_int_equal(token_end(&job, DUE + 1, DEAD), TOKEN_SUPERSEDED);
    assert_int_equal(
        token_end(&job, DUE + 1, "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\"}}"),
        TOKEN_SUPERSEDED);
    token_expect_property("slack", "oauth_refresh_token", "r1");
    assert_int_equal(token_end(&job, DUE + 1, TOKENS("a2", "r2")), TOKEN_SUPERSEDED);
    token_expect_property("slack", "oauth_access_token", "b");
    token_expect_property("slack", "oauth_refresh_token", "r2");
    token_read_leaf(&line);
    assert_non_null(strstr(secret_text(&line), "\"properties\":[\"oauth_refresh_token\"]"));
    token_find("slack", &account);
    assert_int_equal(token_fields_of(&account).generation, 2);
    assert_int_equal(token_fields_of(&account).expires, 0);
    /* Once: what it has now is not what was sent. */
    assert_int_equal(token_end(&job, DUE + 1, TOKENS("a3", "r3")), TOKEN_SUPERSEDED);
    token_expect_property("slack", "oauth_refresh_token", "r2");
}

static void tokens_set_by_hand_begin_a_generation_of_which_nothing_is_known(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_reset) struct record again = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(token_renew(DUE, false, DEAD), TOKEN_FAILED);
    assert_int_equal(world_set_account("slack", "{\"channel\":\"general\"}"), STATUS_OK);
    expect_health(DUE, TOKEN_DEAD);
    assert_int_equal(world_set_account("slack", "{\"oauth_access_token\":\"b\"}"), STATUS_OK);
    token_find("slack", &account);
    struct token_fields fields = token_fields_of(&account);
    assert_int_equal(fields.generation, 2);
    assert_int_equal(fields.expires + fields.due + fields.failures + fields.refreshed, 0);
    assert_null(fields.state);
    assert_null(fields.error);
    assert_string_equal(fields.client, "slack:default");
    expect_health(DUE, TOKEN_HEALTHY);
    /* A refresh token alone is there to be used. */
    assert_int_equal(world_set_account("slack", "{\"oauth_refresh_token\":\"s\"}"), STATUS_OK);
    token_find("slack", &again);
    assert_int_equal(token_fields_of(&again).generation, 3);
    assert_true(token_is_due(&again, token_fields_of(&again).obtained));
}

static void another_property_or_label_leaves_the_grant_as_it_is(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    static const struct remark remark = {.note = "mine"};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_start(DUE, false, &job);
    assert_int_equal(world_set_account("slack", "{\"channel\":\"general\"}"), STATUS_OK);
    world_begin("annotate-account");
    assert_int_equal(world_end(account_annotate(world.vault, "slack", &remark, &world.leaf, &world.failure,
                                                &world.writer)),
                     STATUS_OK);
    world_begin("rename-account");
    assert_int_equal(
        world_end(account_rename(world.vault, "slack", "work", &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    assert_int_equal(begin_again(DUE + 1, false), TOKEN_LEASED);
    assert_int_equal(token_end(&job, DUE + 1, TOKENS("a2", "r2")), TOKEN_RENEWED);
    token_expect_property("slack:work", "channel", "general");
    token_expect_property("slack:work", "oauth_refresh_token", "r2");
}

static void an_old_revision_puts_no_token_back(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_reset) struct record past = {0};
    struct past_owner owner;
    uint64_t number;

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(world_set_account("slack", "{\"channel\":\"general\"}"), STATUS_OK);
    assert_int_equal(world_set_account("slack", "{\"channel\":\"random\"}"), STATUS_OK);
    assert_int_equal(token_renew(DUE, false, TOKENS("a2", "r2")), TOKEN_RENEWED);
    world_begin("restore-account");
    assert_int_equal(world_end(account_restore(world.vault, "slack", 0, &world.leaf, &world.failure,
                                               &world.writer, &number)),
                     STATUS_OK);
    token_expect_property("slack", "channel", "general");
    token_expect_property("slack", "oauth_access_token", "a2");
    token_expect_property("slack", "oauth_refresh_token", "r2");
    token_find("slack", &account);
    assert_int_equal(token_fields_of(&account).generation, 2);
    /* Nor is one kept, and what else there was is there. */
    assert_int_equal(world_set_account("slack", "{\"oauth_access_token\":\"b\"}"), STATUS_OK);
    world_begin("restore-account");
    assert_int_equal(world_end(account_restore(world.vault, "slack", 1, &world.leaf, &world.failure,
                                               &world.writer, &number)),
                     STATUS_REFUSED);
    past_of_account(&owner, &account);
    assert_int_equal(past_find(world.vault, &owner, &world.failure, &past), STATUS_OK);
    assert_int_equal(past_current(&past), 3);
    assert_null(past_field(&past, 1, "property/oauth_refresh_token", NULL));
    assert_null(past_field(&past, 2, "property/oauth_access_token", NULL));
    assert_int_equal(check_form(&past, &world.failure), STATUS_OK);
}

static enum status import_account(const char *properties)
{
    CLEANUP(import_freep) struct import *import = NULL;
    const struct import_options options = {.replace = true};
    struct import_counts counts;
    struct json *json = NULL;

    world_parse(properties, &json);
    assert_int_equal(import_start(&world.failure, &import), STATUS_OK);
    assert_int_equal(
        import_stage_account(import, world.vault, "slack", "default", json, &no_remark, &world.failure),
        STATUS_OK);
    json_freep(&json);
    world_begin("import");
    return world_end(import_commit(import, world.vault, &options, &world.leaf, &world.failure, &counts));
}

static void an_import_treats_a_grant_as_a_person_does(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_reset) struct record again = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(import_account("{\"channel\":\"general\"}"), STATUS_OK);
    token_find("slack", &account);
    assert_int_equal(token_fields_of(&account).generation, 1);
    assert_int_equal(token_fields_of(&account).due, NOW + 25 * MINUTE);
    assert_int_equal(import_account("{\"oauth_refresh_token\":\"s\"}"), STATUS_OK);
    token_find("slack", &again);
    assert_int_equal(token_fields_of(&again).generation, 2);
    token_expect_property("slack", "oauth_access_token", "a1");
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_restored_account_is_in_doubt_until_it_was_renewed(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    token_find("slack", &account);
    assert_true(token_may_be_old(&account));
    record_draft_resume(&draft, RECORD_ACCOUNT, account.where, account.name, account.where, &account);
    record_draft_add_number(&draft, ACCOUNT_FIELD_RESTORED, NOW);
    record_draft_copy_rest(&draft, &account);
    account_add_finals(world.vault, &draft);
    world_begin("restore");
    assert_int_equal(world_end(record_write(world.vault, &draft, &world.failure, NULL)), STATUS_OK);
    expect_health(NOW, TOKEN_IN_DOUBT);
    assert_int_equal(world_set_account("slack", "{\"channel\":\"general\"}"), STATUS_OK);
    expect_health(NOW, TOKEN_IN_DOUBT);
    assert_int_equal(token_renew(DUE, false, TRANSIENT), TOKEN_FAILED);
    expect_health(DUE, TOKEN_IN_DOUBT);
    assert_int_equal(token_renew(DUE + MINUTE, false, DEAD), TOKEN_FAILED);
    assert_int_equal(deliver(ENDED), STATUS_NEEDS_RECONNECT);
    assert_non_null(strstr(world.failure.sentence, "restored from a copy"));
}

static void new_properties_that_a_binding_forbids_cost_no_token(void **state)
{
    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(world_add("other", "{\"x\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_bind("jobs", "slack", "bash"), STATUS_OK);
    assert_int_equal(
        token_renew(DUE, false,
                    "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\",\"env\":\"x\","
                    "\"oauth_refresh_token\":\"r2\",\"team_refresh_token\":\"t\"}}"),
        TOKEN_RENEWED);
    token_expect_property("slack", "oauth_refresh_token", "r2");
    token_expect_property("slack", "team_refresh_token", "t");
    token_expect_property("slack", "env", NULL);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void new_properties_reach_the_names_of_bindings(void **state)
{
    CLEANUP(records_reset) struct records bindings = {0};
    CLEANUP(record_reset) struct record account = {0};

    (void)state;
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(world_bind("jobs", "slack", NULL), STATUS_OK);
    assert_int_equal(
        token_renew(DUE, false,
                    "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a2\",\"site\":\"x\"}}"),
        TOKEN_RENEWED);
    token_find("slack", &account);
    assert_int_equal(account.finals_size / STORE_LOOKUP_SIZE, 4);
    assert_int_equal(binding_list_of(world.vault, &account, &world.failure, &bindings), STATUS_OK);
    assert_int_equal(bindings.items[0].finals_size / STORE_LOOKUP_SIZE, 3);
}

static void no_refresh_token_reaches_a_step_that_does_not_name_it(void **state)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(records_reset) struct records bindings = {0};

    (void)state;
    token_connect("{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\","
                  "\"oauth_refresh_token\":\"r\",\"authed_user_refresh_token\":\"u\",\"team_id\":\"T1\","
                  "\"oauth_client_id\":\"id-1\",\"oauth_uid\":\"U1\"}}");
    assert_int_equal(world_bind("jobs", "slack", NULL), STATUS_OK);
    token_find("slack", &account);
    assert_int_equal(binding_list_of(world.vault, &account, &world.failure, &bindings), STATUS_OK);
    const struct record *binding = &bindings.items[0];
    assert_false(binding_gives_property(binding, &account, "oauth_refresh_token"));
    assert_false(binding_gives_property(binding, &account, "authed_user_refresh_token"));
    assert_true(binding_gives_property(binding, &account, "oauth_access_token"));
    assert_true(binding_gives_property(binding, &account, "oauth_client_id"));
    assert_true(binding_gives_property(binding, &account, "oauth_uid"));
    assert_true(binding_gives_property(binding, &account, "team_id"));
    /* A name that nobody meant so. */
    assert_int_equal(world_add("plain", "{\"my_refresh_token\":\"x\"}"), STATUS_OK);
    CLEANUP(record_reset) struct record plain = {0};
    token_find("plain", &plain);
    assert_true(binding_gives_property(binding, &plain, "my_refresh_token"));
}

static void a_job_has_what_it_is_for_and_no_leaf_has_a_value(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    CLEANUP(secret_reset) struct secret test = {0};
    CLEANUP(secret_reset) struct secret revoke = {0};

    (void)state;
    token_connect(TOKENS("acc-1", "ref-1"));
    token_start(DUE, false, &job);
    assert_string_equal(
        secret_text(&job.line),
        "{\"job\":\"refresh\",\"provider\":\"{\\\"slug\\\":\\\"slack\\\"}\",\"client\":{\"id\":"
        "\"id-1\",\"secret\":\"s3cret\"},\"properties\":{\"oauth_refresh_token\":\"ref-1\","
        "\"oauth_client_id\":\"id-1\"}}");
    token_read_leaf(&line);
    assert_non_null(strstr(secret_text(&line), "\"client\":\"slack:default\",\"properties\":["
                                               "\"oauth_refresh_token\",\"oauth_client_id\"]"));
    assert_null(strstr(secret_text(&line), "ref-1"));
    assert_null(strstr(secret_text(&line), "s3cret"));
    token_find("slack", &account);
    leaf_reset(&world.leaf);
    assert_int_equal(token_write_job(world.vault, &account, TOKEN_TEST, &world.leaf, &world.failure, &test),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&test), "acc-1"));
    assert_null(strstr(secret_text(&test), "ref-1"));
    assert_null(strstr(secret_text(&test), "s3cret"));
    leaf_reset(&world.leaf);
    assert_int_equal(
        token_write_job(world.vault, &account, TOKEN_REVOKE, &world.leaf, &world.failure, &revoke),
        STATUS_OK);
    assert_non_null(strstr(secret_text(&revoke), "acc-1"));
    assert_non_null(strstr(secret_text(&revoke), "ref-1"));
    assert_non_null(strstr(secret_text(&revoke), "s3cret"));
}

static void tokens_are_told_by_their_names(void **state)
{
    (void)state;
    assert_true(token_is_refresh_token("oauth_refresh_token") && token_is_refresh_token("bot_refresh_token"));
    assert_false(token_is_refresh_token("refresh_token_url") || token_is_refresh_token("oauth_access_token"));
    assert_true(token_is_token("oauth_access_token") && token_is_token("bot_token") &&
                token_is_token("bot_refresh_token"));
    assert_false(token_is_token("oauth_uid") || token_is_token("team_id") || token_is_token("token"));
    /* What a person may have named so begins no generation and stays in old revisions. */
    CLEANUP(record_reset) struct record account = {0};
    token_connect(TOKENS("a1", "r1"));
    assert_int_equal(world_set_account("slack", "{\"webhook_token\":\"w\"}"), STATUS_OK);
    token_find("slack", &account);
    assert_int_equal(token_fields_of(&account).generation, 1);
    assert_false(token_is_of_grant(&account, "webhook_token"));
    assert_true(token_is_of_grant(&account, "oauth_user_access_token"));
}

static void a_client_of_its_own_asks_for_a_token_as_at_first_and_is_never_in_doubt(void **state)
{
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    CLEANUP(token_job_reset) struct token_job again = {.generation = 0};

    (void)state;
    assert_int_equal(token_register("slack", NULL, "id-1", false), STATUS_OK);
    assert_int_equal(token_connect_by("slack", NULL, NULL, "client_credentials", false,
                                      "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},"
                                      "\"lifetime_ms\":1800000,\"due_ms\":1500000}"),
                     STATUS_OK);
    token_start(DUE, false, &job);
    assert_non_null(strstr(secret_text(&job.line), "{\"job\":\"refresh\",\"flow\":\"client_credentials\","
                                                   "\"scopes\":[\"chat\",\"read\",\"write\"],"));
    assert_int_equal(begin_again(DUE + 1, false), TOKEN_LEASED);
    expect_health(DUE + TOKEN_LEASE_MS, TOKEN_HEALTHY);
    token_start(DUE + TOKEN_LEASE_MS, false, &again);
}

static void a_token_that_ended_and_cannot_be_renewed_needs_a_person(void **state)
{
    (void)state;
    token_connect(
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"lifetime_ms\":60000}");
    expect_health(NOW, TOKEN_HEALTHY);
    assert_int_equal(deliver(NOW + 59000), STATUS_OK);
    assert_int_equal(deliver(NOW + 60000), STATUS_NEEDS_RECONNECT);
    expect_health(NOW + 60000, TOKEN_DEAD);
}

static void answers_of_another_form_are_refused(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"answer\":\"tested\"}",
        "{\"answer\":\"tokens\"}",
        "{\"answer\":\"tokens\",\"properties\":[]}",
        "{\"answer\":\"tokens\",\"properties\":{}}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"\"}}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":1}}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\",\"a=b\":\"c\"}}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"lifetime_ms\":-1}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"lifetime_ms\":9e99}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"due_ms\":\"1\"}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"scopes\":[\"a\"]}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"identity\":{\"id\":\"\\n\"}}",
        "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"a\"},\"provider\":{}}",
        "{\"answer\":\"failed\"}",
        "{\"answer\":\"failed\",\"verdict\":\"dead\"}",
        "{\"answer\":\"failed\",\"verdict\":\"odd\",\"reason\":\"x\"}",
        "{\"answer\":\"failed\",\"verdict\":\"dead\",\"reason\":\"two\\nlines\"}",
        "{\"answer\":\"failed\",\"verdict\":\"dead\",\"reason\":\"x\",\"code\":\"Not A Code\"}",
        "{\"answer\":\"failed\",\"verdict\":\"transient\",\"reason\":\"x\",\"retry_ms\":1.5}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct json *json = NULL;
        struct token_result result;
        if (token_answer(wrong[i], &json, &result) != STATUS_PROTOCOL)
            fail_msg("%s was taken", wrong[i]);
        json_freep(&json);
    }
}

static void intents_are_read_as_they_are_written(void **state)
{
    struct token_intent intent = {.generation = UINT64_MAX, .sent_ms = UINT64_MAX, .lease_ms = UINT64_MAX};
    struct token_intent read;
    char text[TOKEN_INTENT_SIZE];

    (void)state;
    memset(intent.digest, 'a', sizeof intent.digest - 1);
    token_intent_format(&intent, text);
    assert_true(token_intent_parse(text, &read));
    assert_true(read.generation == UINT64_MAX && read.sent_ms == UINT64_MAX && read.lease_ms == UINT64_MAX);
    assert_string_equal(read.digest, intent.digest);
    for (size_t size = strlen(text) - 1; size > 108; size--) {
        text[size] = '\0';
        assert_true(token_intent_is_sound(text) == (size > 108));
    }
    assert_false(token_intent_is_sound(""));
    assert_false(token_intent_is_sound("1 2 3 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_due_from_its_time_on_and_one_without_never),
        TEST(a_token_that_ended_is_due_although_nobody_said_when),
        TEST(a_clock_that_was_set_back_makes_it_due),
        TEST(a_renewal_sets_the_new_tokens_in_the_next_generation_and_keeps_no_old_ones),
        TEST(what_a_reply_lacks_stays_as_it_was),
        TEST(what_a_person_gave_is_kept_beside_what_the_provider_gave),
        TEST(a_guess_of_when_it_is_due_is_no_word_on_when_it_ends),
        TEST(the_intent_is_durable_before_the_job_and_outlives_a_new_key_of_the_vault),
        TEST(nobody_begins_while_a_request_may_be_under_way),
        TEST(who_cannot_wait_is_told_that_a_request_may_be_under_way),
        TEST(an_intent_without_result_is_tried_again_once),
        TEST(a_dead_token_after_a_lost_reply_says_so),
        TEST(a_dead_token_after_a_request_without_an_answer_says_so_too),
        TEST(a_dead_token_ends_the_grant_and_nothing_is_deleted),
        TEST(failures_are_put_off_longer_and_longer_up_to_a_quarter_of_an_hour),
        TEST(a_person_is_put_off_only_by_the_provider_itself),
        TEST(no_provider_puts_us_off_for_more_than_an_hour),
        TEST(five_refusals_over_an_hour_need_a_person_who_may_try_again),
        TEST(refusals_in_a_row_that_a_person_made_are_no_hour),
        TEST(an_answer_of_another_generation_overwrites_nothing),
        TEST(what_came_beside_the_tokens_does_not_lose_them),
        TEST(a_new_refresh_token_is_kept_although_somebody_set_another_access_token),
        TEST(tokens_set_by_hand_begin_a_generation_of_which_nothing_is_known),
        TEST(another_property_or_label_leaves_the_grant_as_it_is),
        TEST(an_old_revision_puts_no_token_back),
        TEST(an_import_treats_a_grant_as_a_person_does),
        TEST(a_restored_account_is_in_doubt_until_it_was_renewed),
        TEST(new_properties_that_a_binding_forbids_cost_no_token),
        TEST(new_properties_reach_the_names_of_bindings),
        TEST(no_refresh_token_reaches_a_step_that_does_not_name_it),
        TEST(a_job_has_what_it_is_for_and_no_leaf_has_a_value),
        TEST(tokens_are_told_by_their_names),
        TEST(a_client_of_its_own_asks_for_a_token_as_at_first_and_is_never_in_doubt),
        TEST(a_token_that_ended_and_cannot_be_renewed_needs_a_person),
        TEST(answers_of_another_form_are_refused),
        TEST(intents_are_read_as_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
