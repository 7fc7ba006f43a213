/* Frames out of a stream however it is cut, and the bounds of a connection. */
#include "agent/connection.h"

#include "agent/call.h"
#include "agent/parking.h"
#include "agent/session.h"
#include "agent/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
    struct connection *connection;
    int client;
    uint8_t *buffer;
};

static int start(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int ends[2];

    if (pair == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    pair->connection = calloc(1, sizeof(*pair->connection));
    pair->buffer = secret_allocate(CONNECTION_RECEIVE);
    pair->connection->descriptor = ends[0];
    pair->client = ends[1];
    *state = pair;
    return 0;
}

static int stop(void **state)
{
    struct pair *pair = *state;

    connection_close(pair->connection);
    connection_free(pair->connection);
    secret_free(pair->buffer);
    close(pair->client);
    free(pair);
    return 0;
}

static void client_sends(struct pair *pair, const void *bytes, size_t size)
{
    assert_int_equal(send(pair->client, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT), size);
}

static void expect_frame(struct pair *pair, const char *text)
{
    struct connection_frame frame;

    assert_int_equal(connection_receive(pair->connection, pair->buffer, &frame), CONNECTION_FRAME);
    assert_int_equal(frame.size, strlen(text));
    assert_memory_equal(frame.bytes, text, frame.size);
    assert_true(connection_consume(pair->connection, pair->buffer, &frame));
}

static void expect(struct pair *pair, enum connection_input input)
{
    struct connection_frame frame;

    assert_int_equal(connection_receive(pair->connection, pair->buffer, &frame), input);
}

static void one_frame_leaves_no_buffer_behind(void **state)
{
    struct pair *pair = *state;

    expect(pair, CONNECTION_WAIT);
    client_sends(pair, "hello", 6);
    expect_frame(pair, "hello");
    assert_int_equal(connection_held(pair->connection), 0);
    assert_int_equal(pair->connection->deadline_ms, 0);
    assert_true(connection_is_idle(pair->connection));
    for (size_t at = 0; at < 6; at++)
        assert_int_equal(pair->buffer[at], 0);
}

static void a_frame_in_pieces_has_a_deadline_from_its_first_byte(void **state)
{
    struct pair *pair = *state;
    uint64_t deadline;

    client_sends(pair, "he", 2);
    expect(pair, CONNECTION_WAIT);
    deadline = pair->connection->deadline_ms;
    assert_true(deadline > 0 && !connection_is_idle(pair->connection));
    client_sends(pair, "l", 1);
    expect(pair, CONNECTION_WAIT);
    assert_int_equal(pair->connection->deadline_ms, deadline);
    client_sends(pair, "lo", 3);
    expect_frame(pair, "hello");
    assert_int_equal(pair->connection->deadline_ms, 0);
}

static void several_frames_come_out_in_order(void **state)
{
    struct pair *pair = *state;

    client_sends(pair, "a\0bb\0\0ccc\0d", 11);
    expect_frame(pair, "a");
    assert_true(connection_has_frame(pair->connection));
    expect_frame(pair, "bb");
    expect_frame(pair, "");
    expect_frame(pair, "ccc");
    assert_false(connection_has_frame(pair->connection));
    expect(pair, CONNECTION_WAIT);
    client_sends(pair, "d\0e", 4);
    expect_frame(pair, "dd");
    expect_frame(pair, "e");
    assert_int_equal(connection_held(pair->connection), 0);
}

/* Of a call that waits: it is received again, and what follows it stays behind it. */
static void a_frame_that_is_kept_comes_again_before_what_follows_it(void **state)
{
    struct pair *pair = *state;
    struct connection_frame frame;

    client_sends(pair, "first\0second\0th", 15);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(connection_receive(pair->connection, pair->buffer, &frame), CONNECTION_FRAME);
        assert_int_equal(frame.size, 5);
        assert_memory_equal(frame.bytes, "first", 5);
        assert_true(connection_keep(pair->connection, pair->buffer, &frame));
        assert_int_equal(pair->connection->deadline_ms, 0);
        assert_true(connection_has_frame(pair->connection));
        assert_false(connection_is_idle(pair->connection));
        for (size_t at = 0; at < 15; at++)
            assert_int_equal(pair->buffer[at], 0);
    }
    expect_frame(pair, "first");
    expect_frame(pair, "second");
    client_sends(pair, "ird", 4);
    expect_frame(pair, "third");
    assert_int_equal(connection_held(pair->connection), 0);
}

/* It has staged something, which would be dropped after a pause; a call that waits is none. */
static void a_connection_whose_call_waits_is_not_closed_for_its_silence(void **state)
{
    struct pair *pair = *state;
    struct session session = {.unlocked = true};
    struct failure failure;

    assert_int_equal(stage_start(&session, &failure, &pair->connection->exchange.stage), STATUS_OK);
    assert_true(connection_send(pair->connection));
    assert_true(pair->connection->deadline_ms > 0);
    assert_int_equal(parking_begin(&session, NULL, &failure, &pair->connection->exchange.parking), STATUS_OK);
    assert_true(connection_send(pair->connection));
    assert_int_equal(pair->connection->deadline_ms, 0);
    assert_false(connection_is_idle(pair->connection));
    parking_freep(&pair->connection->exchange.parking);
    assert_true(connection_send(pair->connection));
    assert_true(pair->connection->deadline_ms > 0);
    stage_freep(&pair->connection->exchange.stage);
}

static void what_was_sent_before_the_end_is_still_served(void **state)
{
    struct pair *pair = *state;

    client_sends(pair, "a\0b", 4);
    shutdown(pair->client, SHUT_WR);
    expect_frame(pair, "a");
    expect_frame(pair, "b");
    expect(pair, CONNECTION_END);
}

static void an_unfinished_frame_at_the_end_is_none(void **state)
{
    struct pair *pair = *state;

    client_sends(pair, "a", 1);
    expect(pair, CONNECTION_WAIT);
    shutdown(pair->client, SHUT_WR);
    expect(pair, CONNECTION_END);
}

/* Sends `size` bytes and reads them all, but for the answer of the last reading. */
static enum connection_input feed(struct pair *pair, size_t size, bool ended)
{
    static uint8_t bytes[CONNECTION_RECEIVE];
    enum connection_input input = CONNECTION_WAIT;
    struct connection_frame frame = {.size = 0};

    memset(bytes, 'v', sizeof(bytes));
    while (size > 0 && input == CONNECTION_WAIT) {
        size_t part = size < sizeof(bytes) ? size : sizeof(bytes);

        size -= part;
        if (ended && size == 0)
            bytes[part - 1] = '\0';
        client_sends(pair, bytes, part);
        input = connection_receive(pair->connection, pair->buffer, &frame);
    }
    if (input == CONNECTION_FRAME)
        assert_true(connection_consume(pair->connection, pair->buffer, &frame));
    return input;
}

static void a_request_is_bounded(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(feed(pair, CALL_REQUEST_MAX, true), CONNECTION_FRAME);
    assert_int_equal(connection_held(pair->connection), 0);
    assert_int_equal(feed(pair, CALL_REQUEST_MAX - 1, false), CONNECTION_WAIT);
    client_sends(pair, "v", 1);
    expect(pair, CONNECTION_TOO_LARGE);
}

static void a_request_over_the_bound_is_too_large_even_if_it_is_whole(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(feed(pair, CALL_REQUEST_MAX + 1, true), CONNECTION_TOO_LARGE);
}

static void a_client_that_never_pauses_does_not_make_the_input_grow(void **state)
{
    struct pair *pair = *state;

    for (unsigned round = 0; round < 2000; round++) {
        client_sends(pair, "one\0tw", 6);
        expect_frame(pair, "one");
        client_sends(pair, "o", 2);
        expect_frame(pair, "two");
        assert_true(connection_held(pair->connection) < 4096);
    }
}

static void a_reply_that_is_not_taken_waits_with_a_deadline_and_is_finished_later(void **state)
{
    struct pair *pair = *state;
    struct connection *connection = pair->connection;
    static char taken[65536];
    size_t total = 0;

    assert_true(secret_reserve(&connection->output, 4u << 20));
    memset(connection->output.bytes, 'r', 4u << 20);
    connection->output.size = 4u << 20;
    assert_true(connection_send(connection));
    assert_false(connection_is_drained(connection));
    assert_true(connection->deadline_ms > 0 && !connection_is_idle(connection));
    while (!connection_is_drained(connection)) {
        ssize_t size = recv(pair->client, taken, sizeof(taken), 0);

        assert_true(size > 0);
        total += (size_t)size;
        assert_true(connection_send(connection));
    }
    for (ssize_t size; (size = recv(pair->client, taken, sizeof(taken), MSG_DONTWAIT)) > 0;)
        total += (size_t)size;
    assert_int_equal(total, 4u << 20);
    assert_int_equal(connection->deadline_ms, 0);
    assert_int_equal(connection_held(connection), 0);
}

static void sending_to_nobody_fails(void **state)
{
    struct pair *pair = *state;

    shutdown(pair->client, SHUT_RD);
    assert_true(secret_append_text(&pair->connection->output, "reply"));
    assert_false(connection_send(pair->connection));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(one_frame_leaves_no_buffer_behind),
        TEST(a_frame_in_pieces_has_a_deadline_from_its_first_byte),
        TEST(several_frames_come_out_in_order),
        TEST(a_frame_that_is_kept_comes_again_before_what_follows_it),
        TEST(a_connection_whose_call_waits_is_not_closed_for_its_silence),
        TEST(what_was_sent_before_the_end_is_still_served),
        TEST(an_unfinished_frame_at_the_end_is_none),
        TEST(a_request_is_bounded),
        TEST(a_request_over_the_bound_is_too_large_even_if_it_is_whole),
        TEST(a_client_that_never_pauses_does_not_make_the_input_grow),
        TEST(a_reply_that_is_not_taken_waits_with_a_deadline_and_is_finished_later),
        TEST(sending_to_nobody_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
