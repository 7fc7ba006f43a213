/* The client against servers that answer well, badly, slowly or not at all. */
#include "client/client.h"

#include "fake_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a call to such a server ends with; the connection must then be of no more use. */
static enum status call_once(void (*serve)(int connection), int timeout_ms, struct failure *failure)
{
    struct secret reply = {0};
    struct client *client;
    enum status status;

    fake_start(serve);
    client = fake_client();
    client->timeout_ms = timeout_ms;
    status = fake_call(client, "{}", failure, &reply);
    if (status != STATUS_OK) {
        struct failure second;

        assert_int_equal(fake_call(client, "{}", &second, &reply), STATUS_PROTOCOL);
    }
    client_freep(&client);
    secret_reset(&reply);
    return status;
}

/* ---- frames ---- */

static void serve_echo(int connection)
{
    static char frame[300000];
    size_t size;

    while ((size = fake_get_frame(connection, frame, sizeof(frame))) > 0)
        fake_put(connection, frame, size);
}

static void a_call_is_answered_on_one_connection_again_and_again(void **state)
{
    struct secret reply = {0};
    struct failure failure;
    struct client *client;

    (void)state;
    fake_start(serve_echo);
    client = fake_client();
    assert_int_equal(fake_call(client, "{\"a\":1}", &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"a\":1}");
    assert_int_equal(fake_call(client, "{\"b\":\"\\ud83d\\ude00\"}", &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"b\":\"\\ud83d\\ude00\"}");
    client_freep(&client);
    assert_null(client);
    client_freep(&client);
    secret_reset(&reply);
}

static void a_request_of_the_largest_size_goes_through_and_one_byte_more_does_not(void **state)
{
    struct secret request = {0};
    struct secret reply = {0};
    struct failure failure;
    struct client *client;

    (void)state;
    fake_start(serve_echo);
    client = fake_client();
    assert_true(secret_append_text(&request, "{\"a\":\""));
    while (request.size < CLIENT_REQUEST_MAX - 3)
        assert_true(secret_append_byte(&request, 'x'));
    assert_true(secret_append_text(&request, "\"}"));
    assert_int_equal(client_call(client, &request, &failure, &reply), STATUS_OK);
    assert_int_equal(reply.size, request.size);
    assert_true(secret_append_byte(&request, ' '));
    assert_int_equal(client_call(client, &request, &failure, &reply), STATUS_TOO_LARGE);
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    client_freep(&client);
    secret_reset(&request);
    secret_reset(&reply);
}

static void serve_pieces(int connection)
{
    static const char reply[] = "{\"parameters\":{\"text\":\"in pieces\"}}";
    char frame[256];

    if (fake_get_frame(connection, frame, sizeof(frame)) == 0)
        return;
    for (size_t i = 0; i < sizeof(reply); i++) {
        fake_put(connection, reply + i, 1);
        poll(NULL, 0, 1);
    }
    fake_wait_for_end(connection);
}

static void a_reply_in_pieces_arrives_whole(void **state)
{
    struct secret reply = {0};
    struct failure failure;
    struct client *client;

    (void)state;
    fake_start(serve_pieces);
    client = fake_client();
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"parameters\":{\"text\":\"in pieces\"}}");
    client_freep(&client);
    secret_reset(&reply);
}

static void serve_several(int connection)
{
    static const char replies[] =
        "{\"continues\":true,\"n\":1}\0{\"continues\":true,\"n\":2}\0{\"n\":3}\0{\"n\"";
    char frame[256];

    if (fake_get_frame(connection, frame, sizeof(frame)) == 0)
        return;
    fake_put(connection, replies, sizeof(replies) - 1);
    poll(NULL, 0, 20);
    fake_put_frame(connection, ":4}");
    fake_wait_for_end(connection);
}

static void several_replies_in_one_packet_come_one_by_one(void **state)
{
    struct secret reply = {0};
    struct failure failure;
    struct client *client;

    (void)state;
    fake_start(serve_several);
    client = fake_client();
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"continues\":true,\"n\":1}");
    assert_int_equal(client_next_reply(client, &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"continues\":true,\"n\":2}");
    assert_int_equal(client_next_reply(client, &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"n\":3}");
    assert_int_equal(client_next_reply(client, &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"n\":4}");
    client_freep(&client);
    secret_reset(&reply);
}

/* Refuses the first of what was sent ahead, and is gone. */
static void serve_refusal(int connection)
{
    char frame[256];

    if (fake_get_frame(connection, frame, sizeof(frame)) == 0)
        return;
    fake_put_frame(connection, "{\"error\":\"why\"}");
}

static void why_the_agent_ended_is_read_by_who_sends_ahead(void **state)
{
    static const char text[] = "{}";
    struct secret request = {0};
    struct secret reply = {0};
    struct failure failure;
    struct client *client;
    struct pollfd ended;

    (void)state;
    fake_start(serve_refusal);
    client = fake_client();
    assert_true(secret_append_text(&request, text));
    assert_int_equal(client_send(client, &request, &failure), STATUS_OK);
    ended = (struct pollfd){.fd = client->descriptor, .events = POLLRDHUP};
    assert_int_equal(poll(&ended, 1, 5000), 1);
    assert_int_equal(client_send(client, &request, &failure), STATUS_OK);
    assert_int_equal(client_next_reply(client, &failure, &reply), STATUS_OK);
    assert_string_equal(secret_text(&reply), "{\"error\":\"why\"}");
    assert_int_not_equal(client_next_reply(client, &failure, &reply), STATUS_OK);
    client_freep(&client);
    secret_reset(&request);
    secret_reset(&reply);
}

/* Reads nothing: what was sent is there, unread, when it closes. */
static void serve_nothing(int connection)
{
    struct pollfd sent = {.fd = connection, .events = POLLIN};

    assert_int_equal(poll(&sent, 1, 5000), 1);
}

static void an_agent_that_read_no_request_is_told_from_one_that_gave_no_answer(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(call_once(serve_nothing, 5000, &failure), STATUS_AGENT_ENDED);
    assert_non_null(strstr(failure.sentence, "before it read the request"));
}

static void serve_close(int connection)
{
    char frame[256];

    fake_get_frame(connection, frame, sizeof(frame));
}

static void serve_half(int connection)
{
    char frame[256];

    fake_get_frame(connection, frame, sizeof(frame));
    fake_put(connection, "{\"parameters\":{", 15);
}

static void serve_garbage(int connection)
{
    char frame[256];

    fake_get_frame(connection, frame, sizeof(frame));
    fake_put_frame(connection, "HTTP/1.1 400 Bad Request\r\n\r\n");
    fake_wait_for_end(connection);
}

static void serve_empty_frame(int connection)
{
    char frame[256];

    fake_get_frame(connection, frame, sizeof(frame));
    fake_put(connection, "", 1);
    fake_wait_for_end(connection);
}

static void serve_silence(int connection)
{
    fake_wait_for_end(connection);
}

static void serve_trickle(int connection)
{
    for (;;) {
        if (send(connection, " ", 1, MSG_NOSIGNAL) != 1)
            return;
        poll(NULL, 0, 10);
    }
}

static void serve_without_end(int connection)
{
    static char block[65536];

    memset(block, ' ', sizeof(block));
    for (size_t sent = 0; sent < CLIENT_REPLY_MAX + sizeof(block); sent += sizeof(block))
        fake_put(connection, block, sizeof(block));
    fake_wait_for_end(connection);
}

static void a_peer_that_closes_or_breaks_the_framing_breaks_the_protocol(void **state)
{
    void (*const servers[])(int connection) = {serve_close, serve_half, serve_garbage, serve_empty_frame};
    struct failure failure;

    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        assert_int_equal(call_once(servers[i], 5000, &failure), STATUS_PROTOCOL);
        fake_end(state);
    }
}

static void silence_and_a_trickle_end_at_the_deadline(void **state)
{
    struct failure failure;

    assert_int_equal(call_once(serve_silence, 100, &failure), STATUS_TIMEOUT);
    fake_end(state);
    assert_int_equal(call_once(serve_trickle, 200, &failure), STATUS_TIMEOUT);
}

static void a_reply_without_end_is_too_large(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(call_once(serve_without_end, 20000, &failure), STATUS_TOO_LARGE);
}

static void the_process_is_undumpable_while_it_holds_a_reply(void **state)
{
    struct secret reply = {0};
    struct failure failure;
    struct client *client;

    (void)state;
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
    fake_start(serve_echo);
    client = fake_client();
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    client->undumpable = true;
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    client->undumpable = false;
    assert_int_equal(fake_call(client, "{}", &failure, &reply), STATUS_OK);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
    client_freep(&client);
    secret_reset(&reply);
}

/* ---- trust ---- */

static enum status connect_status(void)
{
    struct client *client = NULL;
    struct failure failure;
    enum status status = client_connect(fake_vault, &failure, &client);

    client_freep(&client);
    return status;
}

static void where_nothing_listens_there_is_no_agent(void **state)
{
    (void)state;
    assert_int_equal(connect_status(), STATUS_NO_AGENT);
    close(fake_listen());
    assert_int_equal(connect_status(), STATUS_NO_AGENT);
}

static void a_folder_open_to_others_is_foreign(void **state)
{
    (void)state;
    fake_start(serve_echo);
    assert_int_equal(connect_status(), STATUS_OK);
    assert_int_equal(chmod(fake_folder, 0750), 0);
    assert_int_equal(connect_status(), STATUS_FOREIGN);
}

static void what_is_no_socket_is_foreign(void **state)
{
    int file = open(fake_socket, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_true(file >= 0);
    close(file);
    assert_int_equal(connect_status(), STATUS_FOREIGN);
    assert_int_equal(unlink(fake_socket), 0);
    assert_int_equal(symlink("/run/elsewhere.sock", fake_socket), 0);
    assert_int_equal(connect_status(), STATUS_FOREIGN);
}

/* ---- errors ---- */

static enum status reply_status(const char *json, struct failure *failure)
{
    struct secret reply = {0};
    enum status status;

    assert_true(secret_append_text(&reply, json));
    status = client_reply_status(&reply, failure);
    secret_reset(&reply);
    return status;
}

static void an_error_reply_becomes_its_status_and_sentence(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(reply_status("{\"parameters\":{\"message\":\"no error\"}}", &failure), STATUS_OK);
    assert_int_equal(
        reply_status("{\"error\":\"io.stepvault.Agent.Locked\",\"parameters\":{\"message\":\"the vault "
                     "/x is locked\"}}",
                     &failure),
        STATUS_LOCKED);
    assert_int_equal(failure.status, STATUS_LOCKED);
    assert_string_equal(failure.sentence, "the vault /x is locked");
    assert_int_equal(
        reply_status(
            "{\"error\":\"io.stepvault.Agent.NotFound\",\"parameters\":{\"message\":\"a\\u001b[2Jb %n\"}}",
            &failure),
        STATUS_NOT_FOUND);
    assert_string_equal(failure.sentence, "a?[2Jb %n");
    assert_int_equal(reply_status("{\"error\":\"io.stepvault.Agent.LogUnwritable\"}", &failure),
                     STATUS_LOG_UNWRITABLE);
    assert_string_equal(failure.sentence, status_sentence(STATUS_LOG_UNWRITABLE));
    assert_int_equal(
        reply_status("{\"error\":\"io.stepvault.Agent.Brandnew\",\"parameters\":{\"message\":\"m\"}}",
                     &failure),
        STATUS_FAILED);
}

static void an_agent_that_does_not_know_a_call_is_said_to_be_older(void **state)
{
    struct failure failure;

    (void)state;
    assert_int_equal(
        reply_status("{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{}}", &failure),
        STATUS_PROTOCOL);
    assert_non_null(strstr(failure.sentence, "older"));
    assert_int_equal(reply_status("{\"error\":\"com.example.Error\"}", &failure), STATUS_PROTOCOL);
    assert_int_equal(reply_status("{\"error\":7}", &failure), STATUS_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(a_call_is_answered_on_one_connection_again_and_again),
        FAKE_TEST(a_request_of_the_largest_size_goes_through_and_one_byte_more_does_not),
        FAKE_TEST(a_reply_in_pieces_arrives_whole),
        FAKE_TEST(several_replies_in_one_packet_come_one_by_one),
        FAKE_TEST(why_the_agent_ended_is_read_by_who_sends_ahead),
        FAKE_TEST(an_agent_that_read_no_request_is_told_from_one_that_gave_no_answer),
        FAKE_TEST(a_peer_that_closes_or_breaks_the_framing_breaks_the_protocol),
        FAKE_TEST(silence_and_a_trickle_end_at_the_deadline),
        FAKE_TEST(a_reply_without_end_is_too_large),
        FAKE_TEST(the_process_is_undumpable_while_it_holds_a_reply),
        FAKE_TEST(where_nothing_listens_there_is_no_agent),
        FAKE_TEST(a_folder_open_to_others_is_foreign),
        FAKE_TEST(what_is_no_socket_is_foreign),
        FAKE_TEST(an_error_reply_becomes_its_status_and_sentence),
        FAKE_TEST(an_agent_that_does_not_know_a_call_is_said_to_be_older),
    };

    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
