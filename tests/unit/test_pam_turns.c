/* pam/turns.c: who may derive now, of all users that log in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "turns.h"

static struct turns_place places[TURNS_PLACES];

static int start(void **state)
{
    (void)state;
    memset(places, 0, sizeof(places));
    return 0;
}

static struct turn user(uint64_t uid, uint64_t came)
{
    return (struct turn){.came = came, .uid = uid, .place = -1};
}

static void end(const struct turn *turn)
{
    assert_true(turns_has_place(turn, places));
    places[turn->place] = (struct turns_place){0};
}

static void turns_go_to_those_who_came_first(void **state)
{
    struct turn first = user(1, 1000);
    struct turn second = user(2, 1001);
    struct turn third = user(3, 1002);

    (void)state;
    assert_true(turns_try(&first, places, 1, 1000));
    assert_false(turns_try(&third, places, 1, 1003));
    assert_false(turns_try(&second, places, 1, 1004));
    end(&first);
    assert_false(turns_try(&third, places, 1, 1010));
    assert_true(turns_try(&second, places, 1, 1011));
    end(&second);
    assert_true(turns_try(&third, places, 1, 1012));
}

static void as_many_as_there_is_room_for_have_theirs(void **state)
{
    struct turn turns[] = {user(1, 1000), user(2, 1000), user(3, 1000)};

    (void)state;
    assert_true(turns_try(&turns[0], places, 2, 1000));
    assert_true(turns_try(&turns[1], places, 2, 1000));
    assert_false(turns_try(&turns[2], places, 2, 1000));
    end(&turns[1]);
    assert_true(turns_try(&turns[2], places, 2, 1001));
}

static void a_turn_ends_by_itself(void **state)
{
    struct turn hangs = user(1, 1000);
    struct turn waits = user(2, 1000);

    (void)state;
    assert_true(turns_try(&hangs, places, 1, 1000));
    for (uint64_t now = 1000; now < 1000 + TURNS_MS; now += 10)
        assert_false(turns_try(&waits, places, 1, now));
    assert_true(turns_try(&waits, places, 1, 1000 + TURNS_MS));
}

static void who_hangs_in_the_queue_is_passed_over(void **state)
{
    struct turn has = user(1, 1000);
    struct turn hangs = user(2, 1001);
    struct turn waits = user(3, 1002);

    (void)state;
    assert_true(turns_try(&has, places, 1, 1000));
    assert_false(turns_try(&hangs, places, 1, 1001));
    assert_false(turns_try(&waits, places, 1, 1002));
    end(&has);
    assert_false(turns_try(&waits, places, 1, 1000 + TURNS_WAITER_MS));
    assert_true(turns_try(&waits, places, 1, 1001 + TURNS_WAITER_MS));
}

static void a_user_has_one_turn_and_one_place(void **state)
{
    struct turn has = user(1, 1000);
    struct turn again = user(1, 1001);
    struct turn other = user(2, 1002);

    (void)state;
    assert_true(turns_try(&has, places, 3, 1000));
    assert_false(turns_try(&again, places, 3, 1001));
    assert_int_equal(again.place, -1);
    assert_true(turns_try(&other, places, 3, 1002));
    end(&has);
    assert_true(turns_try(&again, places, 3, 1003));
}

static void who_had_a_turn_comes_after_those_who_wait(void **state)
{
    struct turn greedy = user(1, 1000);
    struct turn waits = user(2, 1001);

    (void)state;
    assert_true(turns_try(&greedy, places, 1, 1000));
    assert_false(turns_try(&waits, places, 1, 1001));
    end(&greedy);
    greedy = user(1, 1005);
    assert_false(turns_try(&greedy, places, 1, 1005));
    assert_true(turns_try(&waits, places, 1, 1010));
}

static void a_full_table_lets_nobody_in_and_is_left_alone(void **state)
{
    struct turn late = user(TURNS_PLACES, 1000);
    struct turns_place before[TURNS_PLACES];

    (void)state;
    for (uint64_t uid = 0; uid < TURNS_PLACES; uid++) {
        struct turn turn = user(uid, 900);

        (void)turns_try(&turn, places, 1, 950);
    }
    memcpy(before, places, sizeof(before));
    assert_false(turns_try(&late, places, 1, 1000));
    assert_int_equal(late.place, -1);
    assert_memory_equal(before, places, sizeof(before));
    assert_true(turns_try(&late, places, 1, 950 + TURNS_MS));
}

static void moments_that_cannot_be_are_not_believed(void **state)
{
    struct turn turn = user(7, 5000);

    (void)state;
    places[0] = (struct turns_place){.came = 1, .seen = 1, .until = UINT64_MAX, .uid = 1};
    places[1] = (struct turns_place){.came = 1, .seen = 1, .until = 5001 + TURNS_MS, .uid = 2};
    places[2] = (struct turns_place){.came = 1, .seen = 5001, .uid = 3};
    places[3] = (struct turns_place){.came = 1, .seen = UINT64_MAX, .uid = 7};
    assert_true(turns_try(&turn, places, 1, 5000));
}

static void a_place_that_another_has_now_is_not_ones_own(void **state)
{
    struct turn hung = user(1, 1000);
    struct turn other = user(2, 2000);

    (void)state;
    assert_true(turns_try(&hung, places, 1, 1000));
    assert_true(turns_try(&other, places, 1, 2000));
    assert_int_equal(hung.place, other.place);
    assert_false(turns_has_place(&hung, places));
    assert_true(turns_has_place(&other, places));
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turns_go_to_those_who_came_first),
        TEST(as_many_as_there_is_room_for_have_theirs),
        TEST(a_turn_ends_by_itself),
        TEST(who_hangs_in_the_queue_is_passed_over),
        TEST(a_user_has_one_turn_and_one_place),
        TEST(who_had_a_turn_comes_after_those_who_wait),
        TEST(a_full_table_lets_nobody_in_and_is_left_alone),
        TEST(moments_that_cannot_be_are_not_believed),
        TEST(a_place_that_another_has_now_is_not_ones_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
