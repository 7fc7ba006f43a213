/* Env files of the launcher: what is literal, what is a reference, who wins, and an agent that answers badly.
 */
#include "launch/envfile.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* A file of that content; its path is good as long as the descriptor is open. */
static int make_file(const char *content, char path[64])
{
    int descriptor = memfd_create("env", MFD_CLOEXEC);

    assert_int_equal(write(descriptor, content, strlen(content)), strlen(content));
    snprintf(path, 64, "/proc/self/fd/%d", descriptor);
    return descriptor;
}

static enum status read_two(const char *first, const char *second, struct failure *failure,
                            struct envfile *envfile)
{
    char paths[2][64];
    CLEANUP(cleanup_close) int one = make_file(first, paths[0]);
    CLEANUP(cleanup_close) int two = make_file(second, paths[1]);
    const char *const list[] = {paths[0], paths[1]};
    const struct envfile_request request = {.paths = list, .count = 2};

    assert_true(one >= 0 && two >= 0);
    return envfile_read(&request, failure, envfile);
}

static void no_file_is_an_empty_one(void **state)
{
    CLEANUP(envfile_reset) struct envfile envfile = {0};
    const struct envfile_request request = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(envfile_read(&request, &failure, &envfile), STATUS_OK);
    assert_int_equal(envfile.count, 0);
    assert_int_equal(envfile_settle(&envfile, NULL, 0, &failure), STATUS_OK);
    assert_null(envfile_find(&envfile, "A", 1));
}

static void the_last_of_each_name_stays_and_is_asked_for(void **state)
{
    CLEANUP(envfile_reset) struct envfile envfile = {0};
    CLEANUP(secret_reset) struct secret parameters = {0};
    static const char *const resolved[] = {"B=one", "D=four=4"};
    struct failure failure;

    (void)state;
    assert_int_equal(read_two("A=1\nB=2\nC=stepvault://env/X\n",
                              "C=3\nD=stepvault://slack:a/token\nB=stepvault://env/Y\n", &failure, &envfile),
                     STATUS_OK);
    assert_int_equal(envfile.count, 4);
    assert_int_equal(envfile.reference_count, 2);
    assert_true(envfile_append_references(&envfile, &parameters));
    assert_string_equal(secret_text(&parameters),
                        "{\"B\":\"stepvault://env/Y\",\"D\":\"stepvault://slack:a/token\"}");
    assert_int_equal(envfile_settle(&envfile, resolved, 2, &failure), STATUS_OK);
    assert_string_equal(envfile_find(&envfile, "A=", 1)->line, "A=1");
    assert_string_equal(envfile_find(&envfile, "B", 1)->line, "B=one");
    assert_string_equal(envfile_find(&envfile, "C", 1)->line, "C=3");
    assert_string_equal(envfile_find(&envfile, "D", 1)->line, "D=four=4");
}

static void a_name_is_found_whole_and_not_by_its_beginning(void **state)
{
    CLEANUP(envfile_reset) struct envfile envfile = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(read_two("AB=1\nABC=2\n", "A=3\n", &failure, &envfile), STATUS_OK);
    assert_string_equal(envfile_find(&envfile, "ABCD", 2)->name, "AB");
    assert_string_equal(envfile_find(&envfile, "ABCD", 3)->name, "ABC");
    assert_string_equal(envfile_find(&envfile, "ABCD", 1)->name, "A");
    assert_null(envfile_find(&envfile, "ABCD", 4));
    assert_null(envfile_find(&envfile, "", 0));
    assert_null(envfile_find(&envfile, "B", 1));
}

static void an_agent_that_resolves_something_else_is_refused(void **state)
{
    static const char *const answers[][3] = {
        {"A=1"       },
        {      "A=1",       "C=1"},
        {      "A=1", "LITERAL=1"},
        {      "A=1",       "A=2"},
        {      "A=1",       "B=1", "C=1"},
        { "A=1",        "=1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        CLEANUP(envfile_reset) struct envfile envfile = {0};
        struct failure failure;
        size_t count = 0;

        while (count < 3 && answers[i][count] != NULL)
            count++;
        assert_int_equal(
            read_two("A=stepvault://env/X\nB=stepvault://env/Y\n", "LITERAL=1\n", &failure, &envfile),
            STATUS_OK);
        if (envfile_settle(&envfile, answers[i], count, &failure) != STATUS_PROTOCOL)
            fail_msg("answer %zu is taken", i);
    }
}

static void a_bad_line_is_named_with_its_file_and_without_its_value(void **state)
{
    static const struct {
        const char *line;
        enum status status;
    } cases[] = {
        {"X='a stepvault://env/CANARY'",  STATUS_INVALID},
        {"X=stepvault://CANARY",          STATUS_INVALID},
        {"X='stepvault://env/A CANARY'",  STATUS_INVALID},
        {"STEPVAULT_AUTHS=CANARY",        STATUS_REFUSED},
        {"LD_PRELOAD=CANARY",             STATUS_REFUSED},
        {"PATH=stepvault://env/CANARY",   STATUS_REFUSED},
        {"X=stepvault://env:CANARY/NAME", STATUS_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(envfile_reset) struct envfile envfile = {0};
        struct failure failure;
        char second[128];

        snprintf(second, sizeof(second), "\nA=1\n%s\n", cases[i].line);
        if (read_two("A=1\n", second, &failure, &envfile) != cases[i].status)
            fail_msg("%s is taken, or refused otherwise: %s", cases[i].line, failure.sentence);
        assert_non_null(strstr(failure.sentence, ", line 3: "));
        assert_null(strstr(failure.sentence, "CANARY"));
    }
}

static void dangerous_names_pass_where_they_are_allowed_and_reserved_ones_never(void **state)
{
    char path[64];
    CLEANUP(cleanup_close) int file = make_file("PATH=/bin\n", path);
    char other[64];
    CLEANUP(cleanup_close) int reserved = make_file("STEPVAULT_STEP=x\n", other);
    const char *const list[] = {path, other};
    struct envfile_request request = {.paths = list, .count = 1, .allow_dangerous_name = true};
    CLEANUP(envfile_reset) struct envfile good = {0};
    CLEANUP(envfile_reset) struct envfile bad = {0};
    struct failure failure;

    (void)state;
    assert_true(file >= 0 && reserved >= 0);
    assert_int_equal(envfile_read(&request, &failure, &good), STATUS_OK);
    assert_int_equal(good.count, 1);
    request.count = 2;
    assert_int_equal(envfile_read(&request, &failure, &bad), STATUS_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_is_an_empty_one),
        cmocka_unit_test(the_last_of_each_name_stays_and_is_asked_for),
        cmocka_unit_test(a_name_is_found_whole_and_not_by_its_beginning),
        cmocka_unit_test(an_agent_that_resolves_something_else_is_refused),
        cmocka_unit_test(a_bad_line_is_named_with_its_file_and_without_its_value),
        cmocka_unit_test(dangerous_names_pass_where_they_are_allowed_and_reserved_ones_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
