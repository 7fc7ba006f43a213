/* What is pruned is gone, and everything that was proven of it still is. */
#include "vault_fixture.h"

#include "base/clock.h"

#define LEAVES 1100 /* 4 whole tiles and a part */

static uint8_t hashes[LEAVES][MERKLE_HASH_SIZE];
static char head[NOTE_MAX];

static int start(void **state)
{
    if (world_start(state) != 0)
        return -1;
    world_log(LEAVES - 1);
    for (size_t i = 0; i < LEAVES; i++) {
        if (log_read_hash(world.vault, i, &world.failure, hashes[i]) != STATUS_OK)
            return -1;
    }
    strcpy(head, log_head(world.vault));
    return 0;
}

static uint64_t soon(void)
{
    return clock_wall_ms() + 1000;
}

static struct log_pruning prune(uint64_t before_ms, size_t tiles)
{
    struct log_pruning pruning;

    world_begin("prune");
    assert_int_equal(world_end(log_prune(world.vault, before_ms, tiles, &world.failure, &pruning)),
                     STATUS_OK);
    return pruning;
}

static void begin_era(bool new_instance)
{
    world_begin("succession");
    assert_int_equal(log_begin_era(world.vault, new_instance, NULL, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
}

static enum status read_leaf(uint64_t index)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    return log_read(world.vault, index, &world.failure, &line, hash);
}

static void whole_tiles_lose_their_lines_and_keep_their_hashes(void **state)
{
    struct log_pruning pruning = prune(soon(), 3);
    uint8_t hash[MERKLE_HASH_SIZE];

    (void)state;
    assert_int_equal(pruning.first, 0);
    assert_int_equal(pruning.end, 768);
    assert_true(pruning.more);
    pruning = prune(soon(), 3);
    assert_int_equal(pruning.first, 768);
    assert_int_equal(pruning.end, 1024);
    assert_false(pruning.more);
    pruning = prune(soon(), 3);
    assert_int_equal(pruning.first, 1024);
    assert_int_equal(pruning.end, 1024);
    assert_int_equal(log_pruned(world.vault), 1024);
    assert_int_equal(read_leaf(1023), STATUS_NOT_FOUND);
    assert_non_null(strstr(world.failure.sentence, "was pruned"));
    assert_int_equal(read_leaf(1024), STATUS_OK);
    for (size_t i = 0; i < LEAVES; i++) {
        assert_int_equal(log_read_hash(world.vault, i, &world.failure, hash), STATUS_OK);
        assert_memory_equal(hash, hashes[i], sizeof hash);
    }
}

static void a_pruned_log_verifies_reopens_and_goes_on(void **state)
{
    (void)state;
    prune(soon(), 64);
    assert_int_equal(world_verify(), STATUS_OK);
    world_reopen();
    assert_int_equal(log_pruned(world.vault), 1024);
    assert_int_equal(world_verify(), STATUS_OK);
    world_log(700);
    prune(soon(), 64);
    world_reopen();
    assert_int_equal(log_pruned(world.vault), 1792);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_proof_of_a_pruned_leaf_is_as_before(void **state)
{
    struct note_checkpoint checkpoint;
    struct merkle_proof proof;
    size_t era;

    (void)state;
    prune(soon(), 64);
    assert_int_equal(log_verify_note(world.vault, head, &world.failure, &checkpoint, &era), STATUS_OK);
    for (uint64_t index = 0; index < LEAVES; index += 37) {
        assert_int_equal(log_prove_inclusion(world.vault, index, LEAVES, &world.failure, &proof), STATUS_OK);
        assert_true(merkle_verify_inclusion(hashes[index], index, LEAVES,
                                            (const uint8_t(*)[MERKLE_HASH_SIZE])proof.hashes, proof.count,
                                            checkpoint.root));
    }
}

static void one_young_leaf_keeps_its_tile_and_all_after_it(void **state)
{
    uint64_t between;
    struct log_pruning pruning;

    (void)state;
    usleep(5000);
    between = clock_wall_ms();
    usleep(5000);
    world_log(1000);
    pruning = prune(between, 64);
    assert_int_equal(pruning.end, 1024);
    assert_false(pruning.more);
    assert_int_equal(prune(0, 64).end, 1024);
}

static void a_pruning_that_is_rolled_back_took_nothing(void **state)
{
    struct log_pruning pruning;

    (void)state;
    world_begin("prune");
    assert_int_equal(log_prune(world.vault, soon(), 64, &world.failure, &pruning), STATUS_OK);
    assert_int_equal(log_pruned(world.vault), 1024);
    world_end(STATUS_FAILED);
    assert_int_equal(log_pruned(world.vault), 0);
    assert_int_equal(read_leaf(5), STATUS_OK);
    assert_int_equal(world_verify(), STATUS_OK);
    world_reopen();
    assert_int_equal(log_pruned(world.vault), 0);
    assert_int_equal(world_verify(), STATUS_OK);
}

/* Without them nobody outside could follow from the key that they trust to the one that signs today. */
static void what_announces_a_key_keeps_its_line(void **state)
{
    uint64_t rekeyed = log_size(world.vault), restored;

    (void)state;
    begin_era(false);
    world_log(300);
    restored = log_size(world.vault);
    begin_era(true);
    world_log(700);
    assert_int_equal(prune(soon(), 64).end, 2048);
    assert_int_equal(read_leaf(rekeyed), STATUS_OK);
    assert_int_equal(read_leaf(restored), STATUS_OK);
    assert_int_equal(read_leaf(rekeyed + 1), STATUS_NOT_FOUND);
    assert_false(log_is_pruned(world.vault, restored));
    assert_int_equal(log_skip_pruned(world.vault, 0), rekeyed);
    assert_int_equal(log_skip_pruned(world.vault, rekeyed), rekeyed);
    assert_int_equal(log_skip_pruned(world.vault, rekeyed + 1), restored);
    assert_int_equal(log_skip_pruned(world.vault, restored + 1), 2048);
    assert_int_equal(log_skip_pruned(world.vault, 2048), 2048);
    assert_int_equal(world_verify(), STATUS_OK);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_pruned_line_that_is_put_back_is_noticed_at_open(void **state)
{
    (void)state;
    begin_era(false);
    world_log(300);
    prune(soon(), 64);
    world_close();
    world_edit("INSERT INTO leaves SELECT 700, bytes FROM leaves WHERE number = 1300");
    assert_int_equal(world_try_open(), STATUS_CORRUPT);
    world_edit("DELETE FROM leaves WHERE number = 700");
    world_reopen();
    world_close();
    world_edit("INSERT INTO leaves SELECT 0, bytes FROM leaves WHERE number = 1300");
    assert_int_equal(world_try_open(), STATUS_CORRUPT);
}

static void a_kept_line_that_is_taken_or_changed_is_noticed(void **state)
{
    char where[64];
    uint64_t rekeyed = log_size(world.vault);

    (void)state;
    begin_era(false);
    world_log(700);
    prune(soon(), 64);
    world_close();
    snprintf(where, sizeof where, "number = %d", (int)rekeyed);
    world_flip("leaves", "bytes", where, 40);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_CORRUPT);
    world_close();
    world_edit("DELETE FROM leaves WHERE number < 1200");
    assert_int_equal(world_try_open(), STATUS_CORRUPT);
}

static void a_tile_of_pruned_leaves_that_is_changed_is_noticed(void **state)
{
    (void)state;
    prune(soon(), 64);
    world_close();
    world_flip("tiles", "bytes", "number = 1", 70);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_CORRUPT);
}

static void a_verification_goes_on_while_the_log_is_pruned(void **state)
{
    struct log_verification *verification = NULL;
    bool done = false;

    (void)state;
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    while (!done) {
        prune(soon(), 2);
        assert_int_equal(log_verification_continue(verification, 1, &world.failure, &done), STATUS_OK);
    }
    log_verification_freep(&verification);
}

static void a_verification_counts_what_it_had_by_its_hash_only(void **state)
{
    struct log_verification *verification = NULL;
    uint64_t expected = 0;
    bool done = false;

    (void)state;
    prune(soon(), 2);
    for (uint64_t index = 0; index < log_size(world.vault); index++)
        expected += log_is_pruned(world.vault, index);
    assert_in_range(expected, 500, 512);
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    assert_int_equal(log_verification_pruned(verification), 0);
    while (!done)
        assert_int_equal(log_verification_continue(verification, 256, &world.failure, &done), STATUS_OK);
    assert_int_equal(log_verification_pruned(verification), expected);
    log_verification_freep(&verification);
}

/* The last tile of a log may have been finished, and pruned, since its verification began. */
static void pruning_beyond_a_verification_that_is_under_way_does_not_disturb_it(void **state)
{
    struct log_verification *verification = NULL;
    bool done = false;

    (void)state;
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    assert_int_equal(log_verification_continue(verification, 256, &world.failure, &done), STATUS_OK);
    world_log(300);
    assert_int_equal(prune(soon(), 64).end, 1280);
    while (!done)
        assert_int_equal(log_verification_continue(verification, 256, &world.failure, &done), STATUS_OK);
    assert_int_equal(log_verification_position(verification), LEAVES);
    log_verification_freep(&verification);
}

int main(void)
{
#define PRUNE(name) cmocka_unit_test_setup_teardown(name, start, world_stop)
    const struct CMUnitTest tests[] = {
        PRUNE(whole_tiles_lose_their_lines_and_keep_their_hashes),
        PRUNE(a_pruned_log_verifies_reopens_and_goes_on),
        PRUNE(a_proof_of_a_pruned_leaf_is_as_before),
        PRUNE(one_young_leaf_keeps_its_tile_and_all_after_it),
        PRUNE(a_pruning_that_is_rolled_back_took_nothing),
        PRUNE(what_announces_a_key_keeps_its_line),
        PRUNE(a_pruned_line_that_is_put_back_is_noticed_at_open),
        PRUNE(a_kept_line_that_is_taken_or_changed_is_noticed),
        PRUNE(a_tile_of_pruned_leaves_that_is_changed_is_noticed),
        PRUNE(a_verification_goes_on_while_the_log_is_pruned),
        PRUNE(a_verification_counts_what_it_had_by_its_hash_only),
        PRUNE(pruning_beyond_a_verification_that_is_under_way_does_not_disturb_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
