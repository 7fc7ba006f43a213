/* Calls that wait for a token, and what they wait for: the turn, the parking and the renewals of a session,
 * with the test in the place of the helper. */
#include "agent/job.h"
#include "agent/renewal.h"
#include "agent/task.h"
#include "agent/turn.h"
#include "base/clock.h"
#include "spawned.h"
#include "token_fixture.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

static struct session session;
static struct turn turn;
static struct tasks tasks;
static struct spawner spawner;
static int spawned; /* the spawner's end of its channel */

#define EXCHANGES 4
static struct exchange exchanges[EXCHANGES];
static struct secret outputs[EXCHANGES];

/* Good for a second, and due at once; the clock of these tests is the machine's. */
#define OLD_TOKENS                                                                                           \
    "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"at-1\",\"oauth_refresh_token\":\"rt-"   \
    "1\"},"                                                                                                  \
    "\"lifetime_ms\":1000,\"due_ms\":1}"
#define OTHER_TOKENS                                                                                         \
    "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"at-o\",\"oauth_refresh_token\":\"rt-"   \
    "o\"},"                                                                                                  \
    "\"lifetime_ms\":1000,\"due_ms\":1}"
#define NEW_TOKENS                                                                                           \
    "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"at-2\",\"oauth_refresh_token\":\"rt-"   \
    "2\"},"                                                                                                  \
    "\"lifetime_ms\":3600000,\"due_ms\":3000000}\n"

static const struct leaf_caller *identify(struct exchange *exchange)
{
    (void)exchange;
    return &caller;
}

/* An account that was connected at `obtained_ms`, bound at `path`. */
static void connect_account(const char *label, const char *path, const char *answer, uint64_t obtained_ms)
{
    char name[64];

    struct json *json = NULL;
    struct token_result result;
    struct account_connection connection = {
        .app = "slack",
        .label = label,
        .grant = {.provider = "{}", .client = "slack:default", .grant = "import", .obtained_ms = obtained_ms},
        .result = &result,
    };

    assert_int_equal(token_answer(answer, &json, &result), STATUS_OK);
    world_begin("connect");
    assert_int_equal(
        world_end(account_connect(world.vault, &connection, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    json_freep(&json);
    snprintf(name, sizeof name, "slack:%s", label);
    assert_int_equal(world_bind(path, name, "slack"), STATUS_OK);
}

static int renewal_test_start(void **state, uint64_t age_ms)
{
    int pair[2];

    if (world_start(state) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    assert_int_equal(token_register("slack", NULL, "id-1", false), STATUS_OK);
    connect_account("default", "/", OLD_TOKENS, clock_wall_ms() - age_ms);
    spawner.channel = pair[0];
    spawned = pair[1];
    session = (struct session){.vault = world.vault, .unlocked = true, .self = caller, .tasks = &tasks};
    world.vault = NULL;
    snprintf(session.path, sizeof session.path, "%s", world.path);
    for (size_t at = 0; at < EXCHANGES; at++)
        exchanges[at] = (struct exchange){.output = &outputs[at], .owner = true};
    return tasks_start(&tasks, &spawner, &world.failure) == STATUS_OK &&
                   turn_start(&turn, &session, identify, &world.failure) == STATUS_OK
               ? 0
               : -1;
}

/* Its token has ended, or is due and works for another second. */
static int start_ended(void **state)
{
    return renewal_test_start(state, 5000);
}

static int start_due(void **state)
{
    return renewal_test_start(state, 10);
}

static int renewal_test_stop(void **state)
{
    for (size_t at = 0; at < EXCHANGES; at++) {
        parking_end(&exchanges[at].parking);
        secret_reset(&outputs[at]);
    }
    renewals_drop_all(&session);
    session.turn = false;
    renewals_work(&session);
    tasks_end(&tasks);
    turn_end(&turn);
    vault_freep(&session.vault);
    close(spawner.channel);
    close(spawned);
    return world_stop(state);
}

static void serve(size_t at, const char *method, const char *parameters)
{
    struct call call;
    char text[2 * PATH_MAX];

    snprintf(text, sizeof text, "{\"method\":\"io.stepvault.Agent.%s\",\"parameters\":{\"vault\":\"%s\"%s}}",
             method, session.path, parameters);
    assert_int_equal(call_parse(&call, text, strlen(text), &world.failure), STATUS_OK);
    secret_clear(&outputs[at]);
    turn_serve(&turn, &exchanges[at], &call);
    call_reset(&call);
}

#define KEY ",\"slot_key\":{\"key\":\"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\"}"
#define PROJECT ",\"step\":\"/\",\"deliver\":[\"auths\"]"
#define ERROR(name) "{\"error\":\"io.stepvault.Agent." name "\""

static void project(size_t at)
{
    serve(at, "Project", PROJECT);
}

static void expect_reply(size_t at, const char *part)
{
    assert_null(exchanges[at].parking);
    if (strstr(secret_text(&outputs[at]), part) == NULL)
        fail_msg("%zu: no %s in %s", at, part, secret_text(&outputs[at]));
}

static void expect_parked(size_t at)
{
    assert_non_null(exchanges[at].parking);
    assert_false(parking_is_over(exchanges[at].parking, clock_monotonic_ms()));
    assert_int_equal(outputs[at].size, 0);
}

static bool is_over(size_t at)
{
    return exchanges[at].parking != NULL && parking_is_over(exchanges[at].parking, clock_monotonic_ms());
}

static char job[4096]; /* that take_helper read last */

/* The helper's end of the next task, whose job was read; -1 if there is none. */
static int take_helper(void)
{
    const int helper = spawned_take(spawned);

    memset(job, 0, sizeof job);
    if (helper < 0)
        return -1;
    tasks_serve(&tasks);
    assert_true(recv(helper, job, sizeof job - 1, MSG_DONTWAIT) > 0);
    return helper;
}

static int begin(void)
{
    turn_finish(&turn);
    renewals_work(&session);
    return take_helper();
}

static void answer(int helper, const char *text)
{
    assert_int_equal(send(helper, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    close(helper);
    for (int round = 0; round < 3; round++)
        tasks_serve(&tasks);
    renewals_work(&session);
}

static void expect_actions(uint64_t from, const char *const *actions)
{
    for (; *actions != NULL; actions++, from++) {
        CLEANUP(secret_reset) struct secret line = {0};
        uint8_t hash[MERKLE_HASH_SIZE];
        char part[64];

        snprintf(part, sizeof part, "\"action\":\"%s\"", *actions);
        assert_int_equal(log_read(session.vault, from, &world.failure, &line, hash), STATUS_OK);
        if (strstr(secret_text(&line), part) == NULL)
            fail_msg("no %s in %s", part, secret_text(&line));
    }
    assert_int_equal(log_size(session.vault), from);
}

static void a_call_that_waits_leaves_no_leaf_and_is_served_anew_from_its_beginning(void **state)
{
    uint64_t before = log_size(session.vault);
    int helper;

    (void)state;
    project(0);
    expect_parked(0);
    assert_int_equal(log_size(session.vault), before);
    helper = begin();
    assert_true(helper >= 0);
    expect_actions(before, (const char *[]){"refresh", NULL});
    assert_int_equal(renewals_under_way(&session), 1);
    expect_parked(0);
    answer(helper, NEW_TOKENS);
    assert_true(session.woken && is_over(0));
    assert_int_equal(renewals_under_way(&session), 0);
    project(0);
    turn_finish(&turn);
    expect_reply(0, "{\"parameters\":{\"variables\":{},\"variables_base64\":{},\"auths\":{\"slack\":{");
    expect_reply(0, "\"at-2\"");
    expect_actions(before, (const char *[]){"refresh", "refreshed", "project", NULL});
    assert_null(session.renewals);
    assert_int_equal(session.borrowers, 0);
}

static void a_call_that_waits_shares_its_turn_with_those_that_do_not(void **state)
{
    (void)state;
    serve(0, "SetVariable", ",\"path\":\"/\",\"name\":\"A\",\"value\":\"v\"");
    project(1);
    serve(2, "GetVariable", ",\"path\":\"/\",\"name\":\"A\"");
    close(begin());
    expect_reply(0, "\"replaced\":false");
    expect_reply(2, "\"value\":\"v\"");
    expect_parked(1);
}

static void all_who_wait_share_one_request(void **state)
{
    uint64_t before = log_size(session.vault);
    int helper;

    (void)state;
    project(0);
    project(1);
    helper = begin();
    project(2);
    assert_int_equal(begin(), -1);
    answer(helper, NEW_TOKENS);
    for (size_t at = 0; at < 3; at++) {
        assert_true(is_over(at));
        project(at);
    }
    turn_finish(&turn);
    for (size_t at = 0; at < 3; at++)
        expect_reply(at, "\"at-2\"");
    expect_actions(before, (const char *[]){"refresh", "refreshed", "project", "project", "project", NULL});
}

static void who_hangs_up_is_forgotten_and_the_renewal_goes_on(void **state)
{
    int helper;

    (void)state;
    project(0);
    helper = begin();
    parking_freep(&exchanges[0].parking);
    answer(helper, NEW_TOKENS);
    project(1);
    turn_finish(&turn);
    expect_reply(1, "\"at-2\"");
}

static void who_hangs_up_and_asks_again_takes_no_memory(void **state)
{
    size_t before;
    int helper;

    (void)state;
    project(0);
    helper = begin();
    before = mallinfo2().uordblks;
    for (int asked = 0; asked < 2000; asked++) {
        project(1);
        turn_finish(&turn);
        expect_parked(1);
        parking_freep(&exchanges[1].parking);
    }
    assert_true(mallinfo2().uordblks < before + 65536);
    answer(helper, NEW_TOKENS);
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
}

static void a_failure_is_told_and_not_tried_again_at_once(void **state)
{
    (void)state;
    project(0);
    answer(begin(), FAILED("transient", ",\"sent\":true") "\n");
    assert_true(is_over(0));
    project(0);
    project(1);
    assert_int_equal(begin(), -1);
    expect_reply(0, ERROR("TokenUnavailable"));
    expect_reply(0, "the provider said no");
    expect_reply(1, ERROR("TokenUnavailable"));
}

/* At most two rounds, however soon the provider's tokens end. */
static void a_token_that_is_due_again_at_once_does_not_have_anybody_wait_for_ever(void **state)
{
    unsigned rounds = 0;

    (void)state;
    project(0);
    while (exchanges[0].parking != NULL) {
        int helper = begin();

        assert_true(++rounds < 4);
        if (helper >= 0)
            answer(helper, "{\"answer\":\"tokens\",\"properties\":{\"oauth_access_token\":\"at-9\"},"
                           "\"lifetime_ms\":0,\"due_ms\":0}\n");
        assert_true(is_over(0));
        project(0);
    }
    turn_finish(&turn);
    assert_true(outputs[0].size > 0);
}

static void a_token_that_still_works_is_waited_for_in_moderation(void **state)
{
    int helper;

    (void)state;
    project(0);
    expect_parked(0);
    assert_true(exchanges[0].parking->until_ms > clock_monotonic_ms() + 4000);
    helper = begin();
    exchanges[0].parking->until_ms = 1;
    exchanges[0].parking->since_ms -= PARKING_PATIENCE_MS;
    assert_true(is_over(0));
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-1\"");
    answer(helper, NEW_TOKENS);
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
    assert_int_equal(session.borrowers, 0);
}

static void the_agent_of_one_command_is_patient(void **state)
{
    (void)state;
    session.alone = true;
    project(0);
    expect_parked(0);
    assert_int_equal(exchanges[0].parking->until_ms, 0);
    close(begin());
}

static void the_agent_of_one_command_begins_nothing_that_nobody_waits_for(void **state)
{
    (void)state;
    session.alone = true;
    project(0);
    parking_freep(&exchanges[0].parking);
    assert_int_equal(begin(), -1);
    assert_null(session.renewals);
}

static void a_caller_with_a_key_keeps_a_locked_vault_open_until_it_has_its_reply(void **state)
{
    int helper;

    (void)state;
    session.unlocked = false;
    vault_freep(&session.vault);
    serve(0, "Project", KEY PROJECT);
    expect_parked(0);
    helper = begin();
    assert_non_null(session.vault);
    serve(1, "Project", PROJECT);
    turn_finish(&turn);
    expect_reply(1, ERROR("Locked"));
    answer(helper, NEW_TOKENS);
    assert_non_null(session.vault);
    serve(0, "Project", KEY PROJECT);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
    assert_null(session.vault);
    assert_int_equal(session.borrowers, 0);
}

static void a_renewal_keeps_a_locked_vault_open_when_its_caller_is_gone(void **state)
{
    int helper;

    (void)state;
    session.unlocked = false;
    vault_freep(&session.vault);
    serve(0, "Project", KEY PROJECT);
    helper = begin();
    parking_freep(&exchanges[0].parking);
    assert_non_null(session.vault);
    answer(helper, NEW_TOKENS);
    assert_null(session.vault);
    serve(0, "Project", KEY PROJECT);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
}

/* What an agent leaves that ends while it has a token renewed: `left_ms` of its lease. */
static void leave_request(uint64_t left_ms)
{
    struct token_job lost = {.generation = 0};

    world.vault = session.vault;
    token_start(clock_wall_ms() + left_ms - TOKEN_LEASE_MS, true, &lost);
    world.vault = NULL;
    token_job_reset(&lost);
}

static void a_lease_that_runs_out_while_no_helper_can_be_started_keeps_nobody_busy(void **state)
{
    (void)state;
    leave_request(1000);
    project(0);
    assert_int_equal(begin(), -1);
    project(0);
    expect_parked(0);
    assert_true(renewals_due(&session) > clock_monotonic_ms());
    tasks.count = TASKS_MAX;
    usleep(1250000);
    renewals_work(&session);
    assert_int_equal(renewals_due(&session), 0);
    tasks.count = 0;
    answer(begin(), NEW_TOKENS);
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
}

static void who_has_a_token_that_works_does_not_wait_for_an_agent_that_has_ended(void **state)
{
    (void)state;
    leave_request(60000);
    project(0);
    assert_int_equal(begin(), -1);
    assert_true(is_over(0));
    project(0);
    project(1);
    turn_finish(&turn);
    expect_reply(0, "\"at-1\"");
    expect_reply(1, "\"at-1\"");
    session.alone = true;
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-1\"");
}

static void who_asks_by_hand_waits_for_the_request_of_an_agent_that_has_ended(void **state)
{
    (void)state;
    leave_request(1000);
    for (int served = 0; served < 2; served++) {
        serve(0, "RefreshAccount", ",\"account\":\"slack\"");
        assert_int_equal(begin(), -1);
    }
    expect_parked(0);
    usleep(1250000);
    answer(begin(), NEW_TOKENS);
    serve(0, "RefreshAccount", ",\"account\":\"slack\"");
    turn_finish(&turn);
    expect_reply(0, "\"health\":\"healthy\"");
}

static void who_asked_first_is_renewed_first(void **state)
{
    (void)state;
    world.vault = session.vault;
    connect_account("other", "other", OTHER_TOKENS, clock_wall_ms() - 5000);
    world.vault = NULL;
    tasks.count = TASKS_MAX - 1;
    serve(0, "Project", ",\"step\":\"/\",\"deliver\":[\"auths\"]");
    serve(1, "Project", ",\"step\":\"other\",\"deliver\":[\"auths\"]");
    answer(begin(), NEW_TOKENS);
    assert_non_null(strstr(job, "rt-1"));
    tasks.count -= TASKS_MAX - 1;
    renewals_work(&session);
    close(take_helper());
    assert_non_null(strstr(job, "rt-o"));
}

static void limit_files(bool full)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = full ? 1 : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void nothing_is_sent_before_its_intent_is_durable(void **state)
{
    uint64_t before = log_size(session.vault);

    (void)state;
    project(0);
    limit_files(true);
    assert_int_equal(begin(), -1);
    assert_true(is_over(0));
    project(0);
    turn_finish(&turn);
    limit_files(false);
    expect_reply(0, ERROR("LogUnwritable"));
    assert_null(session.renewals);
    assert_int_equal(log_size(session.vault), before);
    project(0);
    answer(begin(), NEW_TOKENS);
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
}

static void where_no_helper_can_be_started_it_says_why(void **state)
{
    (void)state;
    shutdown(spawned, SHUT_RDWR);
    project(0);
    turn_finish(&turn);
    renewals_work(&session);
    renewals_work(&session);
    assert_true(is_over(0));
    project(0);
    turn_finish(&turn);
    expect_reply(0, ERROR("TokenUnavailable"));
    expect_reply(0, "cannot start a helper: Broken pipe");
}

static void an_answer_that_cannot_be_stored_is_kept(void **state)
{
    int helper;

    (void)state;
    project(0);
    helper = begin();
    limit_files(true);
    answer(helper, NEW_TOKENS);
    assert_true(is_over(0));
    project(0);
    turn_finish(&turn);
    expect_reply(0, ERROR("LogUnwritable"));
    assert_int_equal(renewals_under_way(&session), 1);
    assert_true(renewals_due(&session) > clock_monotonic_ms());
    assert_int_equal(begin(), -1);
    limit_files(false);
    usleep(RENEWAL_AGAIN_MS * 1000 + 50000);
    renewals_work(&session);
    assert_int_equal(renewals_under_way(&session), 0);
    project(0);
    assert_int_equal(begin(), -1);
    expect_reply(0, "\"at-2\"");
}

static void draining_refuses_what_is_new_and_lets_the_rest_end(void **state)
{
    int helper;

    (void)state;
    project(0);
    helper = begin();
    serve(1, "Lock", "");
    turn_finish(&turn);
    expect_parked(1);
    assert_true(session.draining && session_is_busy(&session));
    project(2);
    serve(3, "Status", "");
    turn_finish(&turn);
    expect_reply(2, ERROR("Locked"));
    expect_reply(3, "\"renewing\":1");
    answer(helper, NEW_TOKENS);
    assert_true(is_over(0));
    assert_false(is_over(1));
    project(0);
    turn_finish(&turn);
    expect_reply(0, "\"at-2\"");
    serve(1, "Lock", "");
    turn_finish(&turn);
    expect_reply(1, "\"was_open\":true");
    assert_null(session.vault);
    assert_true(session.ending);
}

static void locking_that_does_not_wait_wakes_everybody(void **state)
{
    int helper;

    (void)state;
    project(0);
    helper = begin();
    session_lock(&session, &caller, "signal");
    assert_true(is_over(0));
    assert_int_equal(recv(helper, &(char){0}, 1, MSG_DONTWAIT), 0);
    close(helper);
    tasks_serve(&tasks);
    assert_int_equal(tasks.count, 0);
    project(0);
    turn_finish(&turn);
    expect_reply(0, ERROR("Locked"));
}

static void a_request_by_hand_waits_and_says_what_came_of_it(void **state)
{
    (void)state;
    serve(0, "RefreshAccount", ",\"account\":\"slack\"");
    expect_parked(0);
    answer(begin(), NEW_TOKENS);
    serve(0, "RefreshAccount", ",\"account\":\"slack\"");
    turn_finish(&turn);
    expect_reply(0, "\"health\":\"healthy\"");
    serve(0, "RefreshAccount", ",\"account\":\"slack\"");
    expect_parked(0);
    answer(begin(), FAILED("dead", ",\"code\":\"invalid_grant\",\"sent\":true") "\n");
    serve(0, "RefreshAccount", ",\"account\":\"slack\"");
    turn_finish(&turn);
    expect_reply(0, ERROR("NeedsReconnect"));
}

int main(void)
{
#define ENDED(name) cmocka_unit_test_setup_teardown(name, start_ended, renewal_test_stop)
#define DUE(name) cmocka_unit_test_setup_teardown(name, start_due, renewal_test_stop)
    const struct CMUnitTest tests[] = {
        ENDED(a_call_that_waits_leaves_no_leaf_and_is_served_anew_from_its_beginning),
        ENDED(a_call_that_waits_shares_its_turn_with_those_that_do_not),
        ENDED(all_who_wait_share_one_request),
        ENDED(who_hangs_up_is_forgotten_and_the_renewal_goes_on),
        ENDED(who_hangs_up_and_asks_again_takes_no_memory),
        ENDED(a_failure_is_told_and_not_tried_again_at_once),
        ENDED(a_token_that_is_due_again_at_once_does_not_have_anybody_wait_for_ever),
        DUE(a_token_that_still_works_is_waited_for_in_moderation),
        DUE(the_agent_of_one_command_is_patient),
        DUE(the_agent_of_one_command_begins_nothing_that_nobody_waits_for),
        ENDED(a_caller_with_a_key_keeps_a_locked_vault_open_until_it_has_its_reply),
        ENDED(a_renewal_keeps_a_locked_vault_open_when_its_caller_is_gone),
        ENDED(a_lease_that_runs_out_while_no_helper_can_be_started_keeps_nobody_busy),
        DUE(who_has_a_token_that_works_does_not_wait_for_an_agent_that_has_ended),
        ENDED(who_asks_by_hand_waits_for_the_request_of_an_agent_that_has_ended),
        ENDED(who_asked_first_is_renewed_first),
        ENDED(nothing_is_sent_before_its_intent_is_durable),
        ENDED(where_no_helper_can_be_started_it_says_why),
        ENDED(an_answer_that_cannot_be_stored_is_kept),
        ENDED(draining_refuses_what_is_new_and_lets_the_rest_end),
        ENDED(locking_that_does_not_wait_wakes_everybody),
        ENDED(a_request_by_hand_waits_and_says_what_came_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
