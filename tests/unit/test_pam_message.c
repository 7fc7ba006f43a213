/* pam/message.c: jobs and answers between the PAM module and its helper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message.h"

static struct message_text text_of(const char *text)
{
    return (struct message_text){.bytes = (const uint8_t *)text, .size = strlen(text)};
}

static const struct message_job *example(void)
{
    static struct message_job job;

    job = (struct message_job){.action = MESSAGE_PASSWORD,
                               .budget_ms = 2000,
                               .step = text_of("login"),
                               .service = text_of("passwd"),
                               .password = text_of("old"),
                               .new_password = text_of("new one"),
                               .keys = text_of("K=1")};
    return &job;
}

static void assert_text(const struct message_text *text, const char *expected)
{
    assert_int_equal(text->size, strlen(expected));
    assert_memory_equal(text->bytes, expected, text->size);
}

static void a_job_is_read_as_it_was_written(void **state)
{
    uint8_t bytes[MESSAGE_JOB_MAX];
    struct message_job job = {0};
    size_t size = message_job_write(example(), bytes);

    (void)state;
    assert_int_not_equal(size, 0);
    assert_int_equal(message_job_size(bytes), size);
    assert_true(message_job_read(bytes, size, &job));
    assert_int_equal(job.action, MESSAGE_PASSWORD);
    assert_int_equal(job.budget_ms, 2000);
    assert_text(&job.step, "login");
    assert_text(&job.service, "passwd");
    assert_text(&job.password, "old");
    assert_text(&job.new_password, "new one");
    assert_text(&job.keys, "K=1");
}

static void a_job_that_is_cut_or_changed_is_none(void **state)
{
    uint8_t bytes[MESSAGE_JOB_MAX];
    struct message_job job;
    size_t size = message_job_write(example(), bytes);

    (void)state;
    for (size_t cut = 0; cut < size; cut++)
        assert_false(message_job_read(bytes, cut, &job));
    bytes[4]++; /* the version */
    assert_false(message_job_read(bytes, size, &job));
    bytes[4]--;
    bytes[5] = 9; /* the action */
    assert_false(message_job_read(bytes, size, &job));
    bytes[5] = MESSAGE_UNLOCK;
    bytes[12] = '\0'; /* in the step */
    assert_false(message_job_read(bytes, size, &job));
    bytes[12] = 'l';
    assert_true(message_job_read(bytes, size, &job));
    bytes[11]++; /* the step's length, so that what follows does not fit */
    assert_false(message_job_read(bytes, size, &job));
}

static void texts_over_their_bound_are_not_sent(void **state)
{
    uint8_t bytes[MESSAGE_JOB_MAX];
    char *longest = malloc(MESSAGE_TEXT_MAX + 2);
    struct message_job job = *example();

    (void)state;
    memset(longest, 'x', MESSAGE_TEXT_MAX + 1);
    longest[MESSAGE_TEXT_MAX + 1] = '\0';
    job.password = text_of(longest);
    assert_int_equal(message_job_write(&job, bytes), 0);
    longest[MESSAGE_TEXT_MAX] = '\0';
    job.step = job.service = job.new_password = job.keys = job.password = text_of(longest);
    assert_int_equal(message_job_write(&job, bytes), MESSAGE_JOB_MAX);
    assert_int_equal(message_job_size((const uint8_t[4]){0xff, 0xff, 0xff, 0xff}), 0);
    assert_int_equal(message_job_size((const uint8_t[4]){0, 0, 0, 5}), 0);
    free(longest);
}

/* Writes an answer with this block, whatever it says of it. */
static bool read_answer(const char *block, size_t size, uint32_t count, struct message_answer *ret_answer)
{
    static uint8_t bytes[MESSAGE_ANSWER_MAX + 1];
    const struct message_answer answer = {
        .reason = MESSAGE_DONE, .skipped = 3, .count = count, .block_size = size};

    message_answer_write(&answer, bytes);
    memcpy(bytes + MESSAGE_ANSWER_HEAD, block, size);
    return message_answer_read(bytes, MESSAGE_ANSWER_HEAD + size, ret_answer);
}

static void an_answer_is_read_as_it_was_written(void **state)
{
    static const char block[] = "A=1\0B_TOKEN=two\nlines\0";
    struct message_answer answer = {0};

    (void)state;
    assert_true(read_answer(block, sizeof(block) - 1, 2, &answer));
    assert_int_equal(answer.reason, MESSAGE_DONE);
    assert_int_equal(answer.skipped, 3);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.block_size, sizeof(block) - 1);
    assert_true(read_answer("", 0, 0, &answer));
}

static void an_answer_that_is_no_environment_is_refused(void **state)
{
    static const struct {
        const char *block;
        size_t size;
        uint32_t count;
    } wrong[] = {
        {"A=1",                     3,  1}, /* not ended */
        {"A=1\0",                   4,  2}, /* one missing */
        {"A=1\0\0",                 5,  2}, /* an empty one */
        {"A\0",                     2,  1},
        {"=1\0",                    3,  1},
        {"1A=1\0",                  5,  1},
        {"LD_PRELOAD=x\0",          13, 1},
        {"PATH=x\0",                7,  1},
        {"XDG_SEAT=x\0",            11, 1},
        {"STEPVAULT_X=x\0",         14, 1},
        {"PAM_TOKEN=x\0",           12, 1},
        {"F=() { :; }\0",           12, 1},
        {"MAILRC=x\0",              9,  1},
        {"PYTHONPYCACHEPREFIX=x\0", 22, 1},
    };
    struct message_answer answer;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(read_answer(wrong[i].block, wrong[i].size, wrong[i].count, &answer));
}

static void bounds_of_an_answer_hold(void **state)
{
    static char block[MESSAGE_BLOCK_MAX];
    struct message_answer answer;
    size_t size = 0;

    (void)state;
    memset(block, 'x', sizeof(block));
    memcpy(block, "A=", 2);
    block[MESSAGE_ENTRY_MAX] = '\0';
    assert_true(read_answer(block, MESSAGE_ENTRY_MAX + 1, 1, &answer));
    block[MESSAGE_ENTRY_MAX] = 'x';
    block[MESSAGE_ENTRY_MAX + 1] = '\0';
    assert_false(read_answer(block, MESSAGE_ENTRY_MAX + 2, 1, &answer));
    for (uint32_t count = 0; count < MESSAGE_COUNT_MAX; count++, size += 4)
        memcpy(block + size, "A=1", 4);
    assert_true(read_answer(block, size, MESSAGE_COUNT_MAX, &answer));
    memcpy(block + size, "A=1", 4);
    assert_false(read_answer(block, size + 4, MESSAGE_COUNT_MAX + 1, &answer));
}

static void every_reason_has_words(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < MESSAGE_REASONS; reason++)
        assert_non_null(message_reason_text(reason));
    assert_null(message_reason_text(MESSAGE_REASONS));
    assert_false(message_reason_is_quiet(MESSAGE_WRONG));
    assert_true(message_reason_is_quiet(MESSAGE_NO_VAULT));
    assert_null(message_reason_hint(MESSAGE_REASONS));
}

static void what_is_said_says_what_to_do_next(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < MESSAGE_REASONS; reason++)
        assert_true(message_reason_is_quiet(reason) == (message_reason_hint(reason) == NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_read_as_it_was_written),
        cmocka_unit_test(a_job_that_is_cut_or_changed_is_none),
        cmocka_unit_test(texts_over_their_bound_are_not_sent),
        cmocka_unit_test(an_answer_is_read_as_it_was_written),
        cmocka_unit_test(an_answer_that_is_no_environment_is_refused),
        cmocka_unit_test(bounds_of_an_answer_hold),
        cmocka_unit_test(every_reason_has_words),
        cmocka_unit_test(what_is_said_says_what_to_do_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
