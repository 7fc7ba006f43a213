/* Turns on a real vault: whose reply hangs on the commit, what is logged of refusals, what waits. */
#include "agent/job.h"
#include "agent/stage.h"
#include "agent/turn.h"
#include "base/clock.h"
#include "store/interior.h"
#include "vault_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static struct session session;
static struct turn turn;

#define EXCHANGES 4
static struct exchange exchanges[EXCHANGES];
static struct secret outputs[EXCHANGES];

static const struct leaf_caller *identify(struct exchange *exchange)
{
    (void)exchange;
    return &caller;
}

static int turn_test_start(void **state)
{
    if (world_start(state) != 0)
        return -1;
    session = (struct session){.vault = world.vault, .unlocked = true, .self = caller};
    world.vault = NULL;
    snprintf(session.path, sizeof(session.path), "%s", world.path);
    for (size_t at = 0; at < EXCHANGES; at++)
        exchanges[at] = (struct exchange){.output = &outputs[at], .owner = true};
    return turn_start(&turn, &session, identify, &world.failure) == STATUS_OK ? 0 : -1;
}

static int turn_test_stop(void **state)
{
    turn_end(&turn);
    vault_freep(&session.vault);
    for (size_t at = 0; at < EXCHANGES; at++)
        secret_reset(&outputs[at]);
    return world_stop(state);
}

/* Serves a call of `method` on exchange `at`; `parameters` stand after the vault. */
static void serve_as(size_t at, const char *method, const char *parameters, const char *envelope)
{
    struct call call;
    char text[16 * PATH_MAX];

    snprintf(text, sizeof(text),
             "{\"method\":\"io.stepvault.Agent.%s\",\"%s\":true,\"parameters\":{\"vault\":\"%s\"%s}}", method,
             envelope, session.path, parameters);
    assert_int_equal(call_parse(&call, text, strlen(text), &world.failure), STATUS_OK);
    secret_clear(&outputs[at]);
    turn_serve(&turn, &exchanges[at], &call);
    call_reset(&call);
}

static void serve(size_t at, const char *method, const char *parameters, bool oneway)
{
    serve_as(at, method, parameters, oneway ? "oneway" : "a.vendor");
}

static void expect_reply(size_t at, const char *start)
{
    if (strncmp(secret_text(&outputs[at]), start, strlen(start)) != 0)
        fail_msg("%zu: %s", at, secret_text(&outputs[at]));
}

#define ERROR(name) "{\"error\":\"io.stepvault.Agent." name "\""
#define SET(name) ",\"path\":\"/\",\"name\":\"" name "\",\"value\":\"v\""
#define GET(name) ",\"path\":\"/\",\"name\":\"" name "\""

/* The log's leaf `back` from its end has this in it. */
static void expect_leaf(uint64_t back, const char *part)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    assert_int_equal(log_read(session.vault, log_size(session.vault) - back, &world.failure, &line, hash),
                     STATUS_OK);
    if (strstr(secret_text(&line), part) == NULL)
        fail_msg("no %s in %s", part, secret_text(&line));
}

static void several_calls_share_one_commit(void **state)
{
    uint64_t before = log_size(session.vault);
    const struct exchange *finished;

    (void)state;
    serve(0, "SetVariable", SET("A"), false);
    serve(1, "GetVariable", GET("A"), false);
    serve(2, "ListVariables", "", false);
    assert_true(session.turn);
    finished = turn_finish(&turn);
    assert_false(session.turn);
    assert_ptr_equal(finished, &exchanges[0]);
    assert_ptr_equal(finished->next->next, &exchanges[2]);
    assert_null(finished->next->next->next);
    expect_reply(0, "{\"parameters\":{\"replaced\":false}}");
    expect_reply(1, "{\"parameters\":{\"value\":\"v\"}}");
    expect_reply(2, "{\"parameters\":{\"variables\":[{");
    assert_int_equal(log_size(session.vault), before + 2);
}

static void a_turn_that_took_long_or_holds_much_is_to_be_finished(void **state)
{
    char *value = malloc(60001), parameters[60200];

    (void)state;
    assert_false(turn_is_long(&turn));
    serve(0, "GetVariable", GET("NONE"), false);
    assert_false(turn_is_long(&turn));
    usleep(40000);
    assert_true(turn_is_long(&turn));
    turn_finish(&turn);
    assert_false(turn_is_long(&turn));
    assert_non_null(value);
    memset(value, 'v', 60000);
    value[60000] = '\0';
    snprintf(parameters, sizeof(parameters), ",\"path\":\"/\",\"name\":\"LARGE\",\"value\":\"%s\"", value);
    free(value);
    serve(0, "SetVariable", parameters, false);
    turn_finish(&turn);
    serve(0, "GetVariable", GET("LARGE"), false);
    assert_true(turn.bytes > 60000);
    turn.bytes += 4u << 20;
    turn.since_ms = clock_monotonic_ms();
    assert_true(turn_is_long(&turn));
    turn_finish(&turn);
    assert_int_equal(turn.bytes, 0);
}

static void what_is_not_logged_needs_no_commit(void **state)
{
    (void)state;
    serve(0, "ListVariables", "", false);
    serve(1, "Status", "", false);
    assert_false(session.turn);
    turn_finish(&turn);
    expect_reply(1, "{\"parameters\":{\"state\":\"open\"");
}

static void a_refusal_is_a_leaf_of_the_turn_and_spoils_it_for_nobody(void **state)
{
    (void)state;
    serve(0, "SetVariable", SET("A"), false);
    serve(1, "SetVariable", SET("1"), false);
    serve(2, "GetVariable", GET("B"), false);
    turn_finish(&turn);
    expect_reply(0, "{\"parameters\"");
    expect_reply(1, ERROR("Invalid"));
    expect_reply(2, ERROR("NotFound"));
    expect_leaf(2, "\"action\":\"set-variable\",\"outcome\":\"refused\",\"why\":\"Invalid\",\"who\"");
    expect_leaf(
        1,
        "\"action\":\"get\",\"outcome\":\"refused\",\"why\":\"NotFound\",\"path\":\"/\",\"variable\":\"B\"");
}

static void a_commit_that_fails_is_everybodys_reply_and_refusals_wait(void **state)
{
    struct rlimit before;
    struct rlimit none;
    uint64_t size = log_size(session.vault);

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    serve(0, "SetVariable", SET("A"), false);
    serve(1, "GetVariable", GET("B"), false);
    serve(2, "ListVariables", "", false);
    serve(3, "SetVariable", SET("C"), true);
    turn_finish(&turn);
    setrlimit(RLIMIT_FSIZE, &before);
    expect_reply(0, "{\"error\":");
    expect_reply(1, ERROR("NotFound"));
    expect_reply(2, "{\"error\":");
    assert_int_equal(outputs[3].size, 0);
    assert_int_equal(backlog_refusals(&session.backlog), 3);
    assert_int_equal(log_size(session.vault), size);
    serve(0, "GetVariable", GET("A"), false);
    turn_finish(&turn);
    expect_reply(0, ERROR("NotFound"));
    assert_true(backlog_is_empty(&session.backlog));
    assert_int_equal(log_size(session.vault), size + 3);
    expect_leaf(3, "\"refused\":\"set-variable\",\"count\":2");
    expect_leaf(2, "\"why\":\"NotFound\"");
}

static void a_job_starts_when_its_leaf_is_durable_and_not_otherwise(void **state)
{
    CLEANUP(secret_reset) struct secret output = {0};
    struct rlimit before;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max});
    serve_as(0, "Backup", "", "more");
    turn_finish(&turn);
    setrlimit(RLIMIT_FSIZE, &before);
    expect_reply(0, ERROR("LogUnwritable"));
    assert_null(exchanges[0].job);
    assert_null(session.jobs);
    serve_as(0, "Backup", "", "more");
    assert_non_null(exchanges[0].job);
    assert_int_equal(outputs[0].size, 0);
    turn_finish(&turn);
    expect_leaf(1, "\"action\":\"backup\",\"outcome\":\"granted\"");
    while (!job_continue(exchanges[0].job, &output))
        ;
    assert_non_null(strstr(secret_text(&output), "\"log_size\":3"));
    job_freep(&exchanges[0].job);
    assert_null(session.jobs);
}

/* Rows that were changed without a trace outside: the first call that meets one is refused, and then every
 * call. */
static void a_row_that_is_not_what_it_should_be_has_all_rows_verified(void **state)
{
    (void)state;
    serve(0, "SetVariable", SET("A"), false);
    turn_finish(&turn);
    struct store *store = session.vault->store;
    assert_int_equal(
        sqlite3_exec(store->sqlite->handle, "UPDATE records SET version = version + 1", NULL, NULL, NULL),
        SQLITE_OK);
    store_mark(store, false);
    serve(0, "LogKey", "", false);
    turn_finish(&turn);
    expect_reply(0, "{\"parameters\"");
    serve(0, "GetVariable", GET("A"), false);
    turn_finish(&turn);
    expect_reply(0, ERROR("Corrupt"));
    assert_non_null(session.vault);
    serve(0, "LogKey", "", false);
    serve(1, "Status", "", false);
    turn_finish(&turn);
    expect_reply(0, ERROR("Corrupt"));
    expect_reply(1, "{\"parameters\":{\"state\":\"foreign\"");
    assert_null(session.vault);
    assert_string_equal(session_state(&session), "foreign");
    assert_int_equal(session.foreign.status, STATUS_CORRUPT);
}

/* What was served before in the same turn is committed; the look is at its start. */
static void a_file_that_is_replaced_is_noticed_at_the_next_turn(void **state)
{
    char moved[PATH_MAX + 8];

    (void)state;
    serve(0, "SetVariable", SET("A"), false);
    snprintf(moved, sizeof(moved), "%s.moved", session.path);
    assert_int_equal(rename(session.path, moved), 0);
    serve(1, "SetVariable", SET("B"), false);
    turn_finish(&turn);
    expect_reply(0, "{\"parameters\"");
    expect_reply(1, "{\"parameters\"");
    serve(0, "SetVariable", SET("C"), false);
    turn_finish(&turn);
    expect_reply(0, ERROR("Foreign"));
    assert_null(session.vault);
    assert_int_equal(backlog_refusals(&session.backlog), 1);
    assert_int_equal(rename(moved, session.path), 0);
    serve(0, "SetVariable", SET("C"), false);
    turn_finish(&turn);
    expect_reply(0, ERROR("Foreign"));
}

static void oneway_is_served_without_a_byte(void **state)
{
    (void)state;
    serve(0, "SetVariable", SET("A"), true);
    serve(1, "SetVariable", SET("1"), true);
    turn_finish(&turn);
    assert_int_equal(outputs[0].size, 0);
    assert_int_equal(outputs[1].size, 0);
    serve(0, "GetVariable", GET("A"), false);
    turn_finish(&turn);
    expect_reply(0, "{\"parameters\":{\"value\":\"v\"}}");
}

static void another_user_is_told_nothing_and_waits_for_the_log(void **state)
{
    (void)state;
    exchanges[0].owner = false;
    exchanges[1].owner = false;
    serve(0, "Status", "", false);
    serve(1, "Nonsense", "", false);
    turn_finish(&turn);
    expect_reply(0, "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}");
    expect_reply(1, "{\"error\":\"org.varlink.service.PermissionDenied\",\"parameters\":{}}");
    assert_int_equal(backlog_refusals(&session.backlog), 2);
    serve(2, "SetVariable", SET("A"), false);
    turn_finish(&turn);
    expect_leaf(2, "\"refused\":\"call\",\"count\":2");
}

#define KEY ",\"slot_key\":{\"key\":\"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\"}"

static void a_key_opens_a_locked_vault_for_one_call(void **state)
{
    (void)state;
    session.unlocked = false;
    vault_freep(&session.vault);
    serve(0, "ListVariables", KEY, false);
    assert_non_null(session.vault);
    turn_finish(&turn);
    assert_null(session.vault);
    expect_reply(0, "{\"parameters\":{\"variables\":[]}}");
    serve(0, "ListVariables", "", false);
    turn_finish(&turn);
    expect_reply(0, ERROR("Locked"));
}

/* A refusal is logged while an import keeps the locked vault open, and the importer hangs up meanwhile. */
static void a_locked_vault_stays_open_to_the_end_of_the_turn(void **state)
{
    uint64_t size;

    (void)state;
    session.unlocked = false;
    vault_freep(&session.vault);
    serve(0, "StageImport", KEY ",\"environment\":\"QT12AA==\"", false);
    turn_finish(&turn);
    expect_reply(0, "{\"parameters\":{\"staged\":1,");
    assert_non_null(session.vault);
    size = log_size(session.vault);
    serve(1, "GetVariable", GET("A"), false);
    assert_true(session.turn);
    stage_freep(&exchanges[0].stage);
    assert_non_null(session.vault);
    turn_finish(&turn);
    expect_reply(1, ERROR("Locked"));
    assert_null(session.vault);
    serve(2, "Status", KEY, false);
    assert_int_equal(log_size(session.vault), size + 1);
    turn_finish(&turn);
}

static void calls_that_need_a_turn_of_their_own_say_so(void **state)
{
    static const struct {
        const char *text;
        bool own;
    } cases[] = {
        {"{\"method\":\"io.stepvault.Agent.Unlock\"}",                                   true },
        {"{\"method\":\"io.stepvault.Agent.ReadLog\"}",                                  true },
        {"{\"method\":\"io.stepvault.Agent.Project\",\"parameters\":{\"slot_key\":{}}}", false},
        {"{\"method\":\"io.stepvault.Agent.Project\"}",                                  false},
        {"{\"method\":\"nothing\"}",                                                     false},
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct call call;

        assert_int_equal(call_parse(&call, cases[at].text, strlen(cases[at].text), &world.failure),
                         STATUS_OK);
        assert_int_equal(turn_needs_own(&turn, &call), cases[at].own);
        session.unlocked = false;
        assert_int_equal(turn_needs_own(&turn, &call),
                         cases[at].own || strstr(cases[at].text, "slot_key") != NULL);
        session.unlocked = true;
        call_reset(&call);
    }
}

static void refusals_without_room_are_counted_as_lost_and_said(void **state)
{
    struct leaf_caller other = caller;

    (void)state;
    for (int pid = 1; pid <= BACKLOG_MAX + 3; pid++) {
        other.pid = pid;
        backlog_add(&session.backlog, "project", false, STATUS_LOCKED, &other);
        backlog_add(&session.backlog, "project", false, STATUS_LOCKED, &other);
    }
    assert_int_equal(backlog_refusals(&session.backlog), 2 * (BACKLOG_MAX + 3));
    serve(0, "SetVariable", SET("A"), false);
    turn_finish(&turn);
    expect_leaf(2, "\"lost\":6");
    expect_leaf(3, "\"count\":2");
    assert_int_equal(backlog_refusals(&session.backlog), 0);
}

static void refusals_of_a_turn_that_failed_wait_on_with_the_new_ones(void **state)
{
    (void)state;
    backlog_add(&session.backlog, "project", false, STATUS_LOCKED, &caller);
    assert_int_equal(session_begin(&session, &world.failure), STATUS_OK);
    assert_true(backlog_is_empty(&session.backlog));
    backlog_add(&session.backlog, "project", false, STATUS_LOCKED, &caller);
    backlog_add(&session.backlog, "get", false, STATUS_LOCKED, &caller);
    session_rollback(&session);
    assert_int_equal(session.backlog.waiting.count, 2);
    assert_int_equal(backlog_refusals(&session.backlog), 3);
}

static void the_vault_locks_at_the_earlier_of_its_times(void **state)
{
    (void)state;
    assert_int_equal(session_locks_at(&session), 0);
    session.lifetime_at_ms = 5000;
    assert_int_equal(session_locks_at(&session), 5000);
    session.used_at_ms = 1000;
    session.idle_ms = 3000;
    assert_int_equal(session_locks_at(&session), 4000);
    session.used_at_ms = 4000;
    assert_int_equal(session_locks_at(&session), 5000);
    session.lifetime_at_ms = 0;
    assert_int_equal(session_locks_at(&session), 7000);
    session.unlocked = false;
    assert_int_equal(session_locks_at(&session), 0);
}

static void filters_of_the_log_hold_one_by_one(void **state)
{
    static const char line[] =
        "{\"time\":\"2026-05-01T12:00:00.000Z\",\"outcome\":\"granted\",\"step\":"
        "\"billing/notify\",\"who\":{\"uid\":7},"
        "\"variables\":[\"A\",\"B\"],\"accounts\":[{\"id\":\"0f\",\"app\":\"slack\","
        "\"label\":\"work\",\"properties\":[\"token\"],\"names\":[\"SLACK_TOKEN\"]},{\"id\":\"2f\",\"app\":"
        "\"google_drive\",\"label\":\"a-b\"}],"
        "\"references\":{\"variables\":[\"R\"],\"accounts\":[{\"id\":\"1f\",\"app\":"
        "\"stripe\",\"label\":\"live\",\"properties\":[\"key\"]}]}}";
    const struct {
        struct job_filter filter;
        bool passes;
    } cases[] = {
        {{.step = "billing/notify"},                       true },
        {{.step = "billing"},                              false},
        {{.variable = "B"},                                true },
        {{.variable = "SLACK_TOKEN"},                      true },
        {{.variable = "C"},                                false},
        {{.variable = "R"},                                true },
        {{.account = "stripe:live"},                       true },
        {{.account = "stripe:test"},                       false},
        {{.account = "slack"},                             true },
        {{.account = "slack:work"},                        true },
        {{.account = "slack:home"},                        false},
        {{.account = "slac:work"},                         false},
        {{.account = "google-drive"},                      true },
        {{.account = "google_drive:a-b"},                  true },
        {{.account = "google-drive:a_b"},                  false},
        {{.account = "google-driv"},                       false},
        {{.account = "0f"},                                true },
        {{.property = "token"},                            true },
        {{.property = "key"},                              true },
        {{.property = "SLACK_TOKEN"},                      false},
        {{.property = "oken"},                             false},
        {{.account = "slack", .property = "token"},        true },
        {{.account = "slack", .property = "key"},          false},
        {{.account = "stripe:live", .property = "key"},    true },
        {{.account = "google-drive", .property = "token"}, false},
        {{.outcome = "granted"},                           true },
        {{.outcome = "refused"},                           false},
        {{.has_uid = true, .uid = 7},                      true },
        {{.has_uid = true, .uid = 0},                      false},
        {{.since_ms = 1777636800000ull},                   true },
        {{.since_ms = 1777636800001ull},                   false},
        {{.step = "billing/notify", .outcome = "refused"}, false},
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        if (job_filter_passes(&cases[at].filter, line, sizeof(line) - 1) != cases[at].passes)
            fail_msg("case %zu", at);
    }
    assert_false(job_filter_passes(&cases[0].filter, "no json", 7));
}

static void a_leaf_of_one_account_has_the_properties_that_went_to_the_helper(void **state)
{
    static const char line[] =
        "{\"action\":\"refresh\",\"account\":\"0f\",\"app\":\"slack\",\"label\":\"work\","
        "\"properties\":[\"oauth_refresh_token\"]}";
    const struct {
        struct job_filter filter;
        bool passes;
    } cases[] = {
        {{.property = "oauth_refresh_token"},                          true },
        {{.property = "oauth_access_token"},                           false},
        {{.account = "slack", .property = "oauth_refresh_token"},      true },
        {{.account = "slack:home", .property = "oauth_refresh_token"}, false},
        {{.account = "0f"},                                            true },
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        if (job_filter_passes(&cases[at].filter, line, sizeof(line) - 1) != cases[at].passes)
            fail_msg("case %zu", at);
    }
}

int main(void)
{
#define TURN(name) cmocka_unit_test_setup_teardown(name, turn_test_start, turn_test_stop)
    const struct CMUnitTest tests[] = {
        TURN(several_calls_share_one_commit),
        TURN(a_turn_that_took_long_or_holds_much_is_to_be_finished),
        TURN(what_is_not_logged_needs_no_commit),
        TURN(a_refusal_is_a_leaf_of_the_turn_and_spoils_it_for_nobody),
        TURN(a_commit_that_fails_is_everybodys_reply_and_refusals_wait),
        TURN(a_job_starts_when_its_leaf_is_durable_and_not_otherwise),
        TURN(a_row_that_is_not_what_it_should_be_has_all_rows_verified),
        TURN(a_file_that_is_replaced_is_noticed_at_the_next_turn),
        TURN(oneway_is_served_without_a_byte),
        TURN(another_user_is_told_nothing_and_waits_for_the_log),
        TURN(a_key_opens_a_locked_vault_for_one_call),
        TURN(a_locked_vault_stays_open_to_the_end_of_the_turn),
        TURN(calls_that_need_a_turn_of_their_own_say_so),
        TURN(refusals_without_room_are_counted_as_lost_and_said),
        TURN(refusals_of_a_turn_that_failed_wait_on_with_the_new_ones),
        TURN(the_vault_locks_at_the_earlier_of_its_times),
        TURN(filters_of_the_log_hold_one_by_one),
        TURN(a_leaf_of_one_account_has_the_properties_that_went_to_the_helper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
