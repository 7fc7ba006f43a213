/* Helpers as the agent's loop sees them: a spawner that hands the test its end of each socket pair. */
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "spawned.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct spawner spawner;
static struct tasks tasks;
static int spawned; /* the spawner's end of its channel */
static struct failure failure;

static struct {
    unsigned notices;
    unsigned ends;
    enum task_outcome outcome;
    struct json *answer;
    struct task **other; /* to be cancelled by the end */
} heard;

static void hear(void *context, const struct json *notice)
{
    (void)context;
    assert_non_null(json_member_text(notice, "notice"));
    heard.notices++;
}

static void end(void *context, enum task_outcome outcome, struct json *answer)
{
    (void)context;
    heard.ends++;
    heard.outcome = outcome;
    json_freep(&heard.answer);
    heard.answer = answer;
    if (heard.other != NULL)
        task_cancel(heard.other);
}

static const struct task_listener listener = {.hear = hear, .end = end};
static const struct task_listener deaf = {.end = end};

static int start(void **state)
{
    int pair[2];

    (void)state;
    json_start();
    memset(&heard, 0, sizeof heard);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    spawner.channel = pair[0];
    spawned = pair[1];
    return tasks_start(&tasks, &spawner, &failure) == STATUS_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    tasks_end(&tasks);
    json_freep(&heard.answer);
    close(spawner.channel);
    close(spawned);
    return 0;
}

static struct task *begin(const char *job, bool person, uint64_t limit_ms,
                          const struct task_listener *listens, int *ret_helper)
{
    struct secret line = {0};
    struct task *task;

    assert_true(secret_append_text(&line, job));
    assert_int_equal(task_start(&tasks, &line, person, limit_ms, listens, NULL, &failure, &task), STATUS_OK);
    assert_null(line.bytes);
    *ret_helper = spawned_take(spawned);
    assert_true(*ret_helper >= 0);
    return task;
}

static void serve(void)
{
    for (int round = 0; round < 5; round++)
        tasks_serve(&tasks);
}

static void say(int helper, const char *text)
{
    assert_int_equal(send(helper, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void expect_read(int helper, const char *text)
{
    char bytes[256] = "";
    struct pollfd there = {.fd = helper, .events = POLLIN};

    assert_int_equal(poll(&there, 1, 1000), 1);
    assert_int_equal(recv(helper, bytes, sizeof bytes - 1, 0), (ssize_t)strlen(text));
    assert_string_equal(bytes, text);
}

static void a_helper_gets_one_line_says_notices_and_ends_with_an_answer(void **state)
{
    int helper;
    struct task *task = begin("{\"job\":1}", false, 1000, &listener, &helper);
    CLEANUP(secret_reset) struct secret more = {0};

    (void)state;
    serve();
    expect_read(helper, "{\"job\":1}\n");
    say(helper, "{\"notice\":\"a\"}\n{\"notice\":\"b\"}\n{\"not");
    serve();
    assert_int_equal(heard.notices, 2);
    assert_true(secret_append_text(&more, "{\"url\":2}"));
    assert_int_equal(task_write(task, &more, &failure), STATUS_OK);
    serve();
    expect_read(helper, "{\"url\":2}\n");
    say(helper, "ice\":\"c\"}\n{\"answer\":\"tested\",\"works\":true}\n");
    serve();
    assert_int_equal(heard.notices, 3);
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.outcome, TASK_ANSWERED);
    assert_true(json_member_boolean(heard.answer, "works", false));
    assert_int_equal(tasks.count, 0);
    assert_int_equal(recv(helper, &(char){0}, 1, MSG_DONTWAIT), 0);
    close(helper);
}

static void whatever_is_no_answer_loses_it(void **state)
{
    static const char *const cases[] = {"no json\n",
                                        "[]\n",
                                        "{}\n",
                                        "{\"answer\":1}\n",
                                        "{\"answer\":\"a\"",
                                        "\n",
                                        "{\"answer\":\"a\",\"answer\":\"b\"}\n"};

    (void)state;
    for (size_t at = 0; at < sizeof cases / sizeof cases[0]; at++) {
        int helper;

        begin("{}", false, 1000, &listener, &helper);
        serve();
        say(helper, cases[at]);
        close(helper);
        serve();
        assert_int_equal(heard.ends, at + 1);
        assert_int_equal(heard.outcome, TASK_LOST);
        assert_null(heard.answer);
    }
}

static void a_line_is_bounded_and_so_are_notices(void **state)
{
    static char long_text[65536];
    int helper;

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    begin("{}", false, 60000, &listener, &helper);
    for (unsigned at = 0; at < 2 * TASK_LINE_MAX / sizeof long_text && heard.ends == 0; at++) {
        (void)!send(helper, long_text, sizeof long_text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        serve();
    }
    assert_int_equal(heard.outcome, TASK_LOST);
    close(helper);
    begin("{}", false, 60000, &listener, &helper);
    for (unsigned at = 0; at <= TASK_NOTICES_MAX && heard.ends == 1; at++) {
        say(helper, "{\"notice\":\"n\"}\n");
        serve();
    }
    assert_int_equal(heard.ends, 2);
    assert_int_equal(heard.notices, TASK_NOTICES_MAX);
    close(helper);
    begin("{}", false, 60000, &deaf, &helper);
    say(helper, "{\"notice\":\"nobody listens to\"}\n");
    serve();
    assert_int_equal(heard.ends, 3);
    close(helper);
}

/* What it was to do was never whole, so it cannot have done anything. */
static void a_helper_that_ends_before_it_has_its_job_did_nothing(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct task *task;
    int helper;

    (void)state;
    begin("{}", false, 1000, &listener, &helper);
    close(helper);
    serve();
    assert_int_equal(heard.outcome, TASK_UNSENT);
    begin("{}", false, 1000, &listener, &helper);
    serve();
    close(helper);
    serve();
    assert_int_equal(heard.outcome, TASK_LOST);
    assert_true(secret_reserve(&line, 256 * 1024));
    memset(line.bytes, 'x', 256 * 1024);
    line.size = 256 * 1024;
    assert_int_equal(task_start(&tasks, &line, false, 1, &listener, NULL, &failure, &task), STATUS_TOO_LARGE);
}

static void time_is_bounded(void **state)
{
    int first, second;

    (void)state;
    begin("{}", false, 0, &listener, &first);
    begin("{}", false, 60000, &listener, &second);
    assert_true(tasks_deadline(&tasks) <= clock_monotonic_ms());
    serve();
    assert_int_equal(heard.ends, 1);
    assert_true(tasks_deadline(&tasks) > clock_monotonic_ms() + 50000);
    close(first);
    close(second);
}

static void the_end_of_one_may_cancel_another(void **state)
{
    struct task *other;
    int first, second;

    (void)state;
    begin("{}", false, 0, &listener, &first);
    other = begin("{}", false, 0, &listener, &second);
    heard.other = &other;
    say(first, "{\"answer\":\"a\"}\n");
    say(second, "{\"answer\":\"a\"}\n");
    serve();
    assert_int_equal(heard.ends, 1);
    assert_null(other);
    assert_int_equal(tasks.count, 0);
    assert_true(recv(second, &(char){0}, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
    close(first);
    close(second);
}

/* Else who hangs up and asks again could have any number of them running. */
static void a_helper_that_nobody_listens_to_counts_until_it_has_ended(void **state)
{
    struct task *task;
    int helper;

    (void)state;
    task = begin("{}", true, 3600000, &listener, &helper);
    serve();
    expect_read(helper, "{}\n");
    task_cancel(&task);
    assert_null(task);
    assert_int_equal(recv(helper, &(char){0}, 1, MSG_DONTWAIT), 0);
    assert_true(tasks_deadline(&tasks) <= clock_monotonic_ms() + TASK_LIMIT_MS);
    say(helper, "{\"notice\":\"a\"}\n{\"answer\":\"a\"}\n");
    serve();
    assert_int_equal(tasks.count, 1);
    assert_int_equal(tasks.people, 1);
    close(helper);
    serve();
    assert_int_equal(tasks.count, 0);
    assert_int_equal(tasks.people, 0);
    assert_int_equal(heard.notices + heard.ends, 0);
}

static void what_nobody_listens_to_is_bounded(void **state)
{
    char bytes[4096];
    struct task *task;
    size_t said = 0;
    int helper;

    (void)state;
    task = begin("{}", false, 60000, &listener, &helper);
    task_cancel(&task);
    memset(bytes, '\n', sizeof bytes);
    while (said < 2 * TASK_LINE_MAX && send(helper, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
        said += sizeof bytes;
        serve();
    }
    assert_true(said <= TASK_LINE_MAX + sizeof bytes);
    assert_int_equal(tasks.count, 0);
    close(helper);
}

static void people_leave_room_for_others(void **state)
{
    int helpers[TASKS_MAX];
    size_t count = 0;

    (void)state;
    while (tasks_have_room(&tasks, true)) {
        begin("{}", true, 60000, &listener, &helpers[count]);
        count++;
    }
    assert_int_equal(count, TASKS_PEOPLE_MAX);
    while (tasks_have_room(&tasks, false)) {
        begin("{}", false, 60000, &listener, &helpers[count]);
        count++;
    }
    assert_int_equal(count, TASKS_MAX);
    CLEANUP(secret_reset) struct secret line = {0};
    struct task *task;
    assert_true(secret_append_text(&line, "{}"));
    assert_int_equal(task_start(&tasks, &line, false, 1, &listener, NULL, &failure, &task), STATUS_BUSY);
    assert_int_equal(line.size, 0);
    while (count > 0)
        close(helpers[--count]);
    serve();
    assert_true(tasks_have_room(&tasks, true));
}

/* There is no helper beside this program. */
static void the_spawner_says_for_a_program_that_is_not_there_that_it_did_nothing(void **state)
{
    struct spawner real;
    CLEANUP(secret_reset) struct secret line = {0};
    struct task *task;

    (void)state;
    assert_int_equal(spawner_start(&failure, &real), STATUS_OK);
    tasks.spawner = &real;
    assert_true(secret_append_text(&line, "{}"));
    assert_int_equal(task_start(&tasks, &line, false, 5000, &listener, NULL, &failure, &task), STATUS_OK);
    while (heard.ends == 0) {
        struct pollfd there = {.fd = tasks.poll, .events = POLLIN};

        assert_true(poll(&there, 1, 5000) >= 0);
        tasks_serve(&tasks);
    }
    assert_int_equal(heard.outcome, TASK_ANSWERED);
    assert_true(json_member_is(heard.answer, "verdict", "transient"));
    assert_false(json_member_boolean(heard.answer, "sent", true));
    close(real.channel);
    tasks.spawner = &(struct spawner){.channel = -1};
    assert_true(secret_append_text(&line, "{}"));
    assert_int_equal(task_start(&tasks, &line, false, 1, &listener, NULL, &failure, &task), STATUS_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

static struct task *holding;

static void hear_and_hold(void *context, const struct json *notice)
{
    hear(context, notice);
    task_hold(holding);
}

static const struct task_listener slow = {.hear = hear_and_hold, .end = end, .notices_max = 1000};

static void a_held_helper_is_heard_no_further_until_it_is_resumed(void **state)
{
    int helper;

    (void)state;
    holding = begin("{}", false, 60000, &slow, &helper);
    serve();
    say(helper, "{\"notice\":\"a\"}\n{\"notice\":\"b\"}\n{\"notice\":\"c\"}\n{\"answer\":\"d\"}\n");
    close(helper);
    serve();
    assert_int_equal(heard.notices, 1);
    for (unsigned notices = 2; notices <= 3; notices++) {
        task_resume(holding);
        assert_int_equal(tasks_deadline(&tasks), 1); /* what came before waits */
        serve();
        assert_int_equal(heard.notices, notices);
        assert_int_equal(heard.ends, 0);
    }
    task_resume(holding);
    serve();
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.outcome, TASK_ANSWERED);
    assert_int_equal(tasks.count, 0);
}

static void what_a_held_helper_has_not_sent_stays_with_it(void **state)
{
    static char line[65536];
    size_t sent = 0;
    int helper;

    (void)state;
    holding = begin("{}", false, 60000, &slow, &helper);
    serve();
    memset(line, ' ', sizeof(line));
    memcpy(line, "{\"notice\":\"a\"}", 14);
    line[sizeof(line) - 1] = '\n';
    for (ssize_t size = 1; size > 0;) {
        serve();
        size = send(helper, line, sizeof(line), MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += size > 0 ? (size_t)size : 0;
        assert_true(sent < 4 * TASK_LINE_MAX);
    }
    assert_int_equal(heard.notices, 1);
    task_cancel(&holding);
    close(helper);
    for (int round = 0; round < 100 && tasks.count > 0; round++)
        serve();
    assert_int_equal(heard.ends, 0);
    assert_int_equal(tasks.count, 0);
}

static void a_helper_that_is_held_passes_its_deadline_all_the_same(void **state)
{
    int helper;

    (void)state;
    holding = begin("{}", false, 30, &slow, &helper);
    serve();
    say(helper, "{\"notice\":\"a\"}\n");
    serve();
    assert_int_equal(heard.notices, 1);
    usleep(60000);
    serve();
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.outcome, TASK_LOST);
    close(helper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_helper_gets_one_line_says_notices_and_ends_with_an_answer),
        TEST(whatever_is_no_answer_loses_it),
        TEST(a_line_is_bounded_and_so_are_notices),
        TEST(a_helper_that_ends_before_it_has_its_job_did_nothing),
        TEST(time_is_bounded),
        TEST(the_end_of_one_may_cancel_another),
        TEST(a_helper_that_nobody_listens_to_counts_until_it_has_ended),
        TEST(what_nobody_listens_to_is_bounded),
        TEST(people_leave_room_for_others),
        TEST(the_spawner_says_for_a_program_that_is_not_there_that_it_did_nothing),
        TEST(a_held_helper_is_heard_no_further_until_it_is_resumed),
        TEST(what_a_held_helper_has_not_sent_stays_with_it),
        TEST(a_helper_that_is_held_passes_its_deadline_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
