/* Bytes that stay where they are. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void what_is_held_stays_and_is_a_copy(void **state)
{
    struct arena arena = {0};
    const uint8_t *held[3000];
    uint8_t bytes[1500];

    (void)state;
    for (size_t i = 0; i < 3000; i++) {
        memset(bytes, (int)i, sizeof bytes);
        held[i] = arena_hold(&arena, bytes, i % sizeof bytes);
        assert_non_null(held[i]);
    }
    for (size_t i = 0; i < 3000; i++)
        for (size_t at = 0; at < i % sizeof bytes; at++)
            assert_int_equal(held[i][at], (uint8_t)i);
    arena_reset(&arena);
    assert_null(arena.chunks);
}

static void more_than_a_chunk_and_nothing_are_held_as_well(void **state)
{
    struct arena arena = {0};
    size_t size = (size_t)3 << 20;
    uint8_t *large = malloc(size);

    (void)state;
    assert_non_null(large);
    memset(large, 7, size);
    const uint8_t *held = arena_hold(&arena, large, size);
    assert_memory_equal(held, large, size);
    assert_non_null(arena_hold(&arena, NULL, 0));
    assert_memory_equal(held, large, size);
    free(large);
    arena_reset(&arena);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_held_stays_and_is_a_copy),
        cmocka_unit_test(more_than_a_chunk_and_nothing_are_held_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
