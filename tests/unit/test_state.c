/* The state of all rows, against a model that is slow and plain. */
#include "state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 400u
#define OPERATIONS 100000u

/* What the state must say, as arrays over a small world of keys and names. */
struct model {
    bool there[KEYS];
    uint8_t term[KEYS][SEAL_HASH_SIZE];
    unsigned names[KEYS];
};

static uint64_t seed;

/* Xorshift (Marsaglia): the same run every time. */
static unsigned pick(unsigned limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % limit;
}

/* Keys of few homes: halves that differ from each other by less than 64, so that many meet in one run. */
static void key_of(unsigned number, uint8_t key[STATE_KEY_SIZE])
{
    uint64_t high = 1 + number, low = high ^ (uint64_t)(number % 64);

    memcpy(key, &high, sizeof high);
    memcpy(key + sizeof high, &low, sizeof low);
}

static void random_term(uint8_t term[SEAL_HASH_SIZE])
{
    for (unsigned i = 0; i < SEAL_HASH_SIZE; i++)
        term[i] = (uint8_t)pick(256);
}

static unsigned count_of_name(const struct state *state, const uint8_t hash[STORE_LOOKUP_SIZE])
{
    for (size_t i = 0; i < state->name_capacity; i++)
        if (state->names[i].count != 0 && memcmp(state->names[i].hash, hash, STORE_LOOKUP_SIZE) == 0)
            return state->names[i].count;
    return 0;
}

static void assert_same(const struct state *state, const struct model *model)
{
    uint8_t sum[SEAL_HASH_SIZE] = {0}, key[STATE_KEY_SIZE], other[SEAL_HASH_SIZE];
    size_t rows = 0, names = 0;

    for (unsigned i = 0; i < KEYS; i++) {
        key_of(i, key);
        assert_int_equal(state_remembers(state, key), model->there[i]);
        if (model->there[i]) {
            memcpy(other, model->term[i], sizeof other);
            assert_true(state_matches(state, key, other));
            other[31] ^= 1;
            assert_false(state_matches(state, key, other));
            seal_sum_add(sum, model->term[i]);
            rows++;
        }
        assert_int_equal(state_knows_name(state, key), model->names[i] > 0);
        names += model->names[i] > 0;
    }
    assert_int_equal(state->count, rows);
    assert_int_equal(state->name_count, names);
    assert_memory_equal(state->sum, sum, sizeof sum);
}

static void change_at_random(struct state *state, struct model *model)
{
    unsigned number = pick(KEYS);
    uint8_t key[STATE_KEY_SIZE];

    key_of(number, key);
    switch (pick(5)) {
    case 0:
    case 1:
        random_term(model->term[number]);
        model->there[number] = true;
        assert_true(state_change(state, key, model->term[number]));
        break;
    case 2:
        model->there[number] = false;
        assert_true(state_change(state, key, NULL));
        break;
    case 3:
        model->names[number]++;
        assert_true(state_add_names(state, key, sizeof key));
        break;
    default:
        model->names[number] -= model->names[number] > 0;
        assert_true(state_remove_names(state, key, sizeof key));
        break;
    }
}

static void keeping_and_rolling_back_agree_with_a_plain_model(void **unused)
{
    struct state state = {0};
    struct model *model = calloc(1, sizeof *model), *before = malloc(sizeof *before);
    uint8_t key[STATE_KEY_SIZE], tagged[SEAL_HASH_SIZE];

    (void)unused;
    assert_non_null(model);
    assert_non_null(before);
    seed = 0x5eed;
    for (unsigned done = 0; done < OPERATIONS;) {
        unsigned operations = 1 + pick(30);
        memcpy(before, model, sizeof *before);
        memcpy(tagged, state.tagged_sum, sizeof tagged);
        state_begin(&state);
        assert_false(state_is_changed(&state));
        for (unsigned i = 0; i < operations; i++, done++)
            change_at_random(&state, model);
        memcpy(state.tagged_sum, state.sum, sizeof state.sum);
        if (pick(3) == 0) {
            state_rollback(&state);
            memcpy(model, before, sizeof *model);
            assert_memory_equal(state.tagged_sum, tagged, sizeof tagged);
        } else {
            state_keep(&state);
        }
        assert_false(state_is_changed(&state));
        assert_same(&state, model);
    }
    for (unsigned i = 0; i < KEYS; i++) {
        key_of(i, key);
        assert_int_equal(count_of_name(&state, key), model->names[i]);
    }
    state_reset(&state);
    free(model);
    free(before);
}

static void many_rows_come_and_go_and_leave_nothing(void **unused)
{
    static const uint8_t nothing[SEAL_HASH_SIZE];
    enum { ROWS = 20000 };
    struct state state = {0};
    uint8_t key[STATE_KEY_SIZE], term[SEAL_HASH_SIZE];

    (void)unused;
    state_begin(&state);
    for (uint64_t i = 0; i < ROWS; i++) {
        state_blob_key(STORE_CHECKPOINTS, i, key);
        memset(term, (int)i, sizeof term);
        assert_true(state_change(&state, key, term));
    }
    state_keep(&state);
    assert_int_equal(state.count, ROWS);
    /* A stride that meets every row once, in another order than they came. */
    for (uint64_t i = 0, at = 0; i < ROWS; i++, at = (at + 7919) % ROWS) {
        state_blob_key(STORE_CHECKPOINTS, at, key);
        memset(term, (int)at, sizeof term);
        assert_true(state_matches(&state, key, term));
        assert_true(state_change(&state, key, NULL));
        assert_false(state_remembers(&state, key));
    }
    assert_int_equal(state.count, 0);
    assert_memory_equal(state.sum, nothing, sizeof nothing);
    state_rollback(&state);
    assert_int_equal(state.count, ROWS);
    state_reset(&state);
}

static void a_long_turn_is_rolled_back_in_the_order_against_its_changes(void **unused)
{
    struct state state = {0};
    uint8_t key[STATE_KEY_SIZE], first[SEAL_HASH_SIZE], later[SEAL_HASH_SIZE];

    (void)unused;
    key_of(1, key);
    memset(first, 1, sizeof first);
    state_begin(&state);
    assert_true(state_change(&state, key, first));
    state_keep(&state);
    state_begin(&state);
    for (unsigned i = 0; i < 5000; i++) {
        memset(later, (int)i, sizeof later);
        assert_true(state_change(&state, key, i % 3 == 0 ? NULL : later));
    }
    state_rollback(&state);
    assert_true(state_matches(&state, key, first));
    assert_int_equal(state.count, 1);
    assert_memory_equal(state.sum, first, sizeof first);
    state_reset(&state);
}

static void removing_a_name_nobody_has_is_undone_to_nothing(void **unused)
{
    struct state state = {0};
    uint8_t name[STORE_LOOKUP_SIZE] = {1, 2, 3};

    (void)unused;
    state_begin(&state);
    assert_true(state_remove_names(&state, name, sizeof name));
    assert_false(state_knows_name(&state, name));
    state_rollback(&state);
    assert_false(state_knows_name(&state, name));
    state_reset(&state);
}

static void an_empty_state_knows_nothing(void **unused)
{
    struct state state = {0};
    uint8_t key[STATE_KEY_SIZE] = {1}, term[SEAL_HASH_SIZE] = {0};

    (void)unused;
    assert_false(state_remembers(&state, key));
    assert_false(state_matches(&state, key, term));
    assert_false(state_knows_name(&state, key));
    assert_false(state_is_changed(&state));
}

static void every_column_of_a_record_is_in_its_term(void **unused)
{
    static const uint8_t bytes[64] = "sixteen bytes of finals, then a body";
    const uint8_t key[SEAL_KEY_SIZE] = {1};
    struct store_record original = {
        .finals = bytes, .finals_size = 16, .body = bytes + 16, .body_size = 32, .version = 1, .epoch = 1};
    struct store_record changed[8];
    uint8_t terms[9][SEAL_HASH_SIZE];

    (void)unused;
    for (size_t i = 0; i < 8; i++)
        changed[i] = original;
    changed[0].id[15] ^= 1;
    changed[1].place[0] ^= 1;
    changed[2].name[0] ^= 1;
    changed[3].link[0] ^= 1;
    changed[4].version = 2;
    changed[5].epoch = 2;
    changed[6].body_size = 31;
    /* The same bytes, divided elsewhere. */
    changed[7].finals_size = 32;
    changed[7].body = bytes + 32;
    changed[7].body_size = 16;
    state_term_record(key, &original, terms[8]);
    for (size_t i = 0; i < 8; i++)
        state_term_record(key, &changed[i], terms[i]);
    for (size_t i = 0; i < 9; i++)
        for (size_t j = i + 1; j < 9; j++)
            assert_memory_not_equal(terms[i], terms[j], SEAL_HASH_SIZE);
}

static void every_column_of_a_slot_is_in_its_term(void **unused)
{
    const uint8_t key[SEAL_KEY_SIZE] = {1};
    struct store_slot original = {.kind = 1, .memory_kib = 65536, .passes = 3, .lanes = 4, .created_ms = 5};
    struct store_slot changed[9];
    uint8_t terms[10][SEAL_HASH_SIZE];

    (void)unused;
    for (size_t i = 0; i < 9; i++)
        changed[i] = original;
    changed[0].id[0] ^= 1;
    changed[1].kind = 2;
    changed[2].memory_kib++;
    changed[3].passes++;
    changed[4].lanes++;
    changed[5].salt[15] ^= 1;
    changed[6].created_ms++;
    changed[7].commitment[31] ^= 1;
    changed[8].wrapped[71] ^= 1;
    state_term_slot(key, &original, terms[9]);
    for (size_t i = 0; i < 9; i++)
        state_term_slot(key, &changed[i], terms[i]);
    for (size_t i = 0; i < 10; i++)
        for (size_t j = i + 1; j < 10; j++)
            assert_memory_not_equal(terms[i], terms[j], SEAL_HASH_SIZE);
}

static void numbered_rows_of_two_tables_have_different_keys_and_terms(void **unused)
{
    static const uint8_t free_key[STATE_KEY_SIZE];
    const uint8_t key[SEAL_KEY_SIZE] = {1};
    uint8_t keys[2][STATE_KEY_SIZE], terms[3][SEAL_HASH_SIZE];

    (void)unused;
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        state_blob_key((enum store_table)table, 0, keys[0]);
        assert_memory_not_equal(keys[0], free_key, sizeof free_key);
    }
    state_blob_key(STORE_SEGMENTS, 1, keys[0]);
    state_blob_key(STORE_CHECKPOINTS, 1, keys[1]);
    assert_memory_not_equal(keys[0], keys[1], STATE_KEY_SIZE);
    state_term_blob(key, STORE_SEGMENTS, 1, "x", 1, terms[0]);
    state_term_blob(key, STORE_CHECKPOINTS, 1, "x", 1, terms[1]);
    state_term_blob(key, STORE_SEGMENTS, 2, "x", 1, terms[2]);
    assert_memory_not_equal(terms[0], terms[1], SEAL_HASH_SIZE);
    assert_memory_not_equal(terms[0], terms[2], SEAL_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeping_and_rolling_back_agree_with_a_plain_model),
        cmocka_unit_test(many_rows_come_and_go_and_leave_nothing),
        cmocka_unit_test(a_long_turn_is_rolled_back_in_the_order_against_its_changes),
        cmocka_unit_test(removing_a_name_nobody_has_is_undone_to_nothing),
        cmocka_unit_test(an_empty_state_knows_nothing),
        cmocka_unit_test(every_column_of_a_record_is_in_its_term),
        cmocka_unit_test(every_column_of_a_slot_is_in_its_term),
        cmocka_unit_test(numbered_rows_of_two_tables_have_different_keys_and_terms),
    };
    struct failure failure;

    if (seal_start(&failure) != STATUS_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
