/* Asking: the agent that listens, the key file, the agent of one command; and starting one. */
#include "client/ask.h"

#include "client/client.h"
#include "fake_server.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- starting an agent ---- */

static void script_write(char path[PATH_MAX], const char *body)
{
    FILE *file;

    snprintf(path, PATH_MAX, "%s/agent", fake_folder);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", body);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static void an_agent_for_one_command_answers_and_is_reaped(void **state)
{
    char program[PATH_MAX];
    struct client_agent agent = {.program = program, .vault = fake_vault};
    struct client *client = NULL;
    struct secret reply = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(setenv("STEPVAULT_PROBE", "1", 1), 0);
    assert_int_equal(setenv("XDG_PROBE", "1", 1), 0);
    script_write(program,
                 "head -z -n 1 <&3 >/dev/null\n"
                 "[ \"$1 $3 $4 $#\" = '--vault --connection 3 4' ] && [ -z \"$STEPVAULT_PROBE\" ] &&\n"
                 "[ -n \"$XDG_PROBE\" ] && printf '{\"vault\":\"%s\"}\\0' \"$2\" >&3");
    assert_int_equal(client_start_agent(&agent, &failure, &client), STATUS_OK);
    assert_true(client->agent > 0);
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    assert_non_null(strstr(secret_text(&reply), fake_vault));
    client_freep(&client);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    secret_reset(&reply);
    unsetenv("STEPVAULT_PROBE");
    unsetenv("XDG_PROBE");
}

static void an_agent_that_does_not_end_is_ended(void **state)
{
    char program[PATH_MAX];
    struct client_agent agent = {.program = program, .vault = fake_vault};
    struct client *client = NULL;
    struct failure failure;

    (void)state;
    script_write(program, "trap '' TERM\nexec sleep 60");
    assert_int_equal(client_start_agent(&agent, &failure, &client), STATUS_OK);
    client_freep(&client);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void an_agent_that_cannot_be_started_is_said(void **state)
{
    struct client_agent agent = {.program = "/nonexistent/stepvault-agent", .vault = fake_vault};
    struct client *client = NULL;
    struct failure failure;

    (void)state;
    assert_int_equal(client_start_agent(&agent, &failure, &client), STATUS_FAILED);
    assert_null(client);
    assert_non_null(strstr(failure.sentence, "/nonexistent/stepvault-agent"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void programs_are_found_beside_the_running_one(void **state)
{
    char self[PATH_MAX];
    char found[PATH_MAX];
    struct failure failure;
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);

    (void)state;
    assert_true(size > 0);
    self[size] = '\0';
    assert_int_equal(client_find_program(strrchr(self, '/') + 1, &failure, found), STATUS_OK);
    assert_string_equal(found, self);
    assert_int_equal(client_find_program("no-such-program", &failure, found), STATUS_FAILED);
    assert_non_null(strstr(failure.sentence, "no-such-program"));
}

/* ---- asking ---- */

static void a_key_file_answers_for_a_locked_vault(void **state)
{
    struct secret parameters = {0};
    struct secret reply = {0};
    struct ask ask = {.vault = fake_vault, .method = "Project", .parameters = &parameters, .purpose = "test"};
    char key_file[PATH_MAX];
    struct failure failure;

    (void)state;
    fake_start(fake_serve_locked);
    assert_int_equal(ask_agent(&ask, &failure, &reply), STATUS_LOCKED);
    assert_string_equal(failure.sentence, "locked");
    snprintf(key_file, sizeof(key_file), "%s/key", fake_folder);
    fake_file_write(key_file, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 32);
    ask.key_file = key_file;
    assert_int_equal(ask_agent(&ask, &failure, &reply), STATUS_OK);
    fake_file_write(key_file, "too short", 9);
    assert_int_equal(ask_agent(&ask, &failure, &reply), STATUS_INVALID);
    secret_reset(&reply);
}

static void without_an_agent_a_vault_is_locked_or_not_there(void **state)
{
    struct secret parameters = {0};
    struct secret reply = {0};
    struct ask ask = {.vault = fake_vault, .method = "Project", .parameters = &parameters, .purpose = "test"};
    struct failure failure;

    (void)state;
    assert_int_equal(ask_agent(&ask, &failure, &reply), STATUS_NO_VAULT);
    fake_file_write(fake_vault, "", 0);
    assert_int_equal(ask_agent(&ask, &failure, &reply), STATUS_LOCKED);
    assert_non_null(strstr(failure.sentence, fake_vault));
    unlink(fake_vault);
    ask.vault = "/not\xff"
                "utf8";
    assert_int_equal(ask_agent(&ask, &failure, &reply), STATUS_INVALID);
}

/* The first connection is closed with the request unread, as an agent does that is just ending. */
static void end_once(int connection)
{
    static bool ended;
    char frame[4096];

    if (!ended) {
        ended = true;
        usleep(100000); /* until the request is there to be left unread */
        return;
    }
    if (fake_get_frame(connection, frame, sizeof(frame)) > 0)
        fake_put_frame(connection, "{\"parameters\":{}}");
}

static void end_always(int connection)
{
    (void)connection;
    usleep(100000);
}

static enum status ask_nothing(struct failure *failure)
{
    const struct secret parameters = {0};
    const struct ask ask = {
        .vault = fake_vault, .method = "Status", .parameters = &parameters, .purpose = "test"};
    struct secret reply = {0};
    enum status status = ask_agent(&ask, failure, &reply);

    secret_reset(&reply);
    return status;
}

static void an_agent_that_ended_before_it_read_the_request_is_asked_again(void **state)
{
    struct failure failure;

    (void)state;
    fake_start(end_once);
    assert_int_equal(ask_nothing(&failure), STATUS_OK);
}

static void one_that_always_ends_is_not_asked_for_ever(void **state)
{
    struct failure failure;

    (void)state;
    fake_start(end_always);
    assert_int_equal(ask_nothing(&failure), STATUS_PROTOCOL);
    assert_non_null(strstr(failure.sentence, "closed the connection"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(an_agent_that_ended_before_it_read_the_request_is_asked_again),
        FAKE_TEST(one_that_always_ends_is_not_asked_for_ever),
        FAKE_TEST(an_agent_for_one_command_answers_and_is_reaped),
        FAKE_TEST(an_agent_that_does_not_end_is_ended),
        FAKE_TEST(an_agent_that_cannot_be_started_is_said),
        FAKE_TEST(programs_are_found_beside_the_running_one),
        FAKE_TEST(a_key_file_answers_for_a_locked_vault),
        FAKE_TEST(without_an_agent_a_vault_is_locked_or_not_there),
    };

    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
