/* Proofs out of the stored tiles hold for every leaf and every pair of sizes that is asked of them. */
#include "vault_fixture.h"

static int start(void **state)
{
    return world_start(state);
}

/* The roots of the first so many leaves, from their hashes alone. */
static void roots_of(size_t size, uint8_t (*roots)[MERKLE_HASH_SIZE])
{
    struct merkle_edge edge = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    for (size_t i = 0; i < size; i++) {
        assert_int_equal(log_read_hash(world.vault, i, &world.failure, hash), STATUS_OK);
        merkle_append(&edge, hash);
        merkle_root(roots[i + 1], &edge);
    }
}

static void assert_inclusion(uint64_t index, uint64_t size, const uint8_t root[MERKLE_HASH_SIZE])
{
    struct merkle_proof proof;
    uint8_t hash[MERKLE_HASH_SIZE];

    assert_int_equal(log_prove_inclusion(world.vault, index, size, &world.failure, &proof), STATUS_OK);
    assert_int_equal(log_read_hash(world.vault, index, &world.failure, hash), STATUS_OK);
    assert_true(merkle_verify_inclusion(hash, index, size, (const uint8_t(*)[MERKLE_HASH_SIZE])proof.hashes,
                                        proof.count, root));
}

static void assert_consistency(uint64_t first, uint64_t second, const uint8_t first_root[MERKLE_HASH_SIZE],
                               const uint8_t second_root[MERKLE_HASH_SIZE])
{
    struct merkle_proof proof;

    assert_int_equal(log_prove_consistency(world.vault, first, second, &world.failure, &proof), STATUS_OK);
    assert_true(merkle_verify_consistency(first, second, (const uint8_t(*)[MERKLE_HASH_SIZE])proof.hashes,
                                          proof.count, first_root, second_root));
}

static void every_leaf_and_every_growth_of_small_logs_can_be_proved(void **state)
{
    enum { SIZE = 70 };
    static uint8_t roots[SIZE + 1][MERKLE_HASH_SIZE];

    (void)state;
    world_log((unsigned)(SIZE - log_size(world.vault)));
    roots_of(SIZE, roots);
    for (uint64_t second = 1; second <= SIZE; second++)
        for (uint64_t first = 1; first <= second; first++) {
            assert_consistency(first, second, roots[first], roots[second]);
            assert_inclusion(first - 1, second, roots[second]);
        }
}

static void proofs_cross_the_borders_of_tiles(void **state)
{
    enum { SIZE = 66000 }; /* three levels of tiles */
    static const uint64_t sizes[] = {1,    2,    255,  256,   257,   511,   512,   513,   1000,
                                     4095, 4096, 4097, 65279, 65535, 65536, 65537, 65999, SIZE};
    static uint8_t roots[SIZE + 1][MERKLE_HASH_SIZE];
    const size_t count = sizeof sizes / sizeof sizes[0];

    (void)state;
    world_log((unsigned)(SIZE - log_size(world.vault)));
    world_reopen();
    roots_of(SIZE, roots);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i; j < count; j++) {
            assert_consistency(sizes[i], sizes[j], roots[sizes[i]], roots[sizes[j]]);
            assert_inclusion(sizes[i] - 1, sizes[j], roots[sizes[j]]);
        }
}

static void what_the_log_does_not_have_cannot_be_proved(void **state)
{
    struct merkle_proof proof;
    uint8_t hash[MERKLE_HASH_SIZE];

    (void)state;
    world_log(10);
    const uint64_t size = log_size(world.vault);
    assert_int_equal(log_prove_inclusion(world.vault, size, size, &world.failure, &proof), STATUS_NOT_FOUND);
    assert_int_equal(log_prove_inclusion(world.vault, 0, size + 1, &world.failure, &proof), STATUS_NOT_FOUND);
    assert_int_equal(log_prove_inclusion(world.vault, 0, UINT64_MAX, &world.failure, &proof),
                     STATUS_NOT_FOUND);
    assert_int_equal(log_prove_consistency(world.vault, 1, size + 1, &world.failure, &proof),
                     STATUS_NOT_FOUND);
    assert_int_equal(log_prove_consistency(world.vault, 0, size, &world.failure, &proof), STATUS_INVALID);
    assert_int_equal(log_prove_consistency(world.vault, 3, 2, &world.failure, &proof), STATUS_INVALID);
    assert_int_equal(log_read_hash(world.vault, size, &world.failure, hash), STATUS_NOT_FOUND);
}

static void a_proof_out_of_a_changed_tile_does_not_hold(void **state)
{
    static uint8_t roots[601][MERKLE_HASH_SIZE];
    struct merkle_proof proof;

    (void)state;
    world_log((unsigned)(600 - log_size(world.vault)));
    roots_of(600, roots);
    world_close();
    world_flip("tiles", "bytes", "number = 1", 40);
    assert_int_equal(world_try_open(), STATUS_OK);
    assert_int_equal(log_prove_consistency(world.vault, 300, 600, &world.failure, &proof), STATUS_OK);
    assert_false(merkle_verify_consistency(300, 600, (const uint8_t(*)[MERKLE_HASH_SIZE])proof.hashes,
                                           proof.count, roots[300], roots[600]));
}

/* What the turn put into the unfinished tiles in memory must not be proved from. */
static void a_turn_that_was_rolled_back_leaves_no_trace_in_proofs(void **state)
{
    static uint8_t roots[511 + 1][MERKLE_HASH_SIZE];

    (void)state;
    world_log((unsigned)(511 - log_size(world.vault)));
    roots_of(511, roots);
    world_begin("log");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    vault_rollback(world.vault);
    assert_consistency(300, 511, roots[300], roots[511]);
    for (uint64_t index = 256; index < 511; index++)
        assert_inclusion(index, 511, roots[511]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_leaf_and_every_growth_of_small_logs_can_be_proved, start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(proofs_cross_the_borders_of_tiles, start, world_stop),
        cmocka_unit_test_setup_teardown(what_the_log_does_not_have_cannot_be_proved, start, world_stop),
        cmocka_unit_test_setup_teardown(a_proof_out_of_a_changed_tile_does_not_hold, start, world_stop),
        cmocka_unit_test_setup_teardown(a_turn_that_was_rolled_back_leaves_no_trace_in_proofs, start,
                                        world_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
