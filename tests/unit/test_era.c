/* The log stays one tree over changes of its signing key, its origin and its reading key. */
#include "vault_fixture.h"

static char first_verifier[NOTE_VERIFIER_MAX];
static char first_head[NOTE_MAX];

static int start(void **state)
{
    if (world_start(state) != 0)
        return -1;
    world_log(300);
    log_verifier(world.vault, first_verifier);
    strcpy(first_head, log_head(world.vault));
    return 0;
}

static void begin_era(bool new_instance, const char *abandoned)
{
    world_begin("succession");
    enum status status = log_begin_era(world.vault, new_instance, abandoned, &world.leaf, &world.failure);
    world.leaf.granted = true;
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
}

static enum status verify_note(const char *note, struct note_checkpoint *ret_checkpoint, size_t *ret_era)
{
    return log_verify_note(world.vault, note, &world.failure, ret_checkpoint, ret_era);
}

static void a_new_key_of_the_same_origin_goes_on_with_the_log(void **state)
{
    char verifier[NOTE_VERIFIER_MAX];
    struct note_checkpoint checkpoint;
    const struct log_era *eras;
    size_t count, era;

    (void)state;
    begin_era(false, NULL);
    log_verifier(world.vault, verifier);
    assert_string_not_equal(verifier, first_verifier);
    world_log(50);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
    eras = log_eras(world.vault, &count);
    assert_int_equal(count, 2);
    assert_string_equal(eras[0].verifier, first_verifier);
    assert_string_equal(eras[1].verifier, verifier);
    assert_string_equal(eras[0].instance, eras[1].instance);
    assert_int_equal(verify_note(first_head, &checkpoint, &era), STATUS_OK);
    assert_int_equal(era, 0);
    assert_int_equal(verify_note(log_head(world.vault), &checkpoint, &era), STATUS_OK);
    assert_int_equal(era, 1);
    assert_int_equal(checkpoint.size, log_size(world.vault));
    assert_int_equal(log_find_era(world.vault, eras[1].first), 1);
    assert_int_equal(log_find_era(world.vault, eras[1].first - 1), 0);
    assert_int_equal(log_instance_first(world.vault, 1), 0);
}

static void another_instance_has_another_origin_and_counts_from_zero(void **state)
{
    const struct log_era *eras;
    struct note_checkpoint checkpoint;
    size_t count, era;

    (void)state;
    begin_era(true, first_head);
    world_log(20);
    begin_era(false, NULL);
    world_log(20);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
    eras = log_eras(world.vault, &count);
    assert_int_equal(count, 3);
    assert_string_not_equal(eras[0].instance, eras[1].instance);
    assert_string_equal(eras[1].abandoned, first_head);
    assert_string_equal(eras[2].abandoned, "");
    assert_int_equal(log_instance_first(world.vault, 2), eras[1].first);
    assert_int_equal(verify_note(log_head(world.vault), &checkpoint, &era), STATUS_OK);
    assert_non_null(strstr(checkpoint.origin, eras[1].instance));
}

/* Two logs that went on from one copy: an entry of the one must not be read as the entry of that number of
 * the other, although both have the keys of what they share. */
static void an_entry_of_the_abandoned_log_does_not_open_in_the_restored_one(void **state)
{
    char copy[sizeof world.path + 16], command[2 * sizeof copy + 8], sql[512];
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];
    const uint64_t index = 310;

    (void)state;
    world_close();
    snprintf(copy, sizeof copy, "%s.abandoned", world.path);
    snprintf(command, sizeof command, "cp %s %s", world.path, copy);
    assert_int_equal(system(command), 0);
    assert_int_equal(world_try_open(), STATUS_OK);
    begin_era(true, NULL);
    world_log(300);
    world_close();
    struct vault_key key = world_key();
    assert_int_equal(vault_open(copy, &key, 0, &world.failure, &world.vault), STATUS_OK);
    world_log(300);
    world_close();
    snprintf(sql, sizeof sql,
             "ATTACH '%s' AS other; UPDATE main.leaves SET bytes = (SELECT bytes FROM other.leaves WHERE "
             "number = %d) WHERE number = %d",
             copy, (int)index, (int)index);
    world_edit(sql);
    unlink(copy);
    assert_int_equal(world_try_open(), STATUS_OK);
    assert_int_equal(log_read(world.vault, index - 1, &world.failure, &line, hash), STATUS_OK);
    assert_int_equal(log_read(world.vault, index, &world.failure, &line, hash), STATUS_CORRUPT);
}

/* What the old key still signs after its end is a branch: of another copy of the vault, or forged. */
static void a_checkpoint_beyond_its_keys_end_is_of_another_branch(void **state)
{
    static const uint8_t root[MERKLE_HASH_SIZE];
    struct note_key *key = secret_allocate(sizeof *key);
    struct note_checkpoint checkpoint;
    char note[NOTE_MAX];
    size_t era;

    (void)state;
    assert_non_null(key);
    *key = world.vault->log.keys->signer;
    begin_era(true, NULL);
    uint64_t end = log_size(world.vault) - 1;
    world_log(30);
    note_sign_checkpoint(note, key, end, root);
    assert_int_equal(verify_note(note, &checkpoint, &era), STATUS_OK);
    note_sign_checkpoint(note, key, end + 1, root);
    assert_int_equal(verify_note(note, &checkpoint, &era), STATUS_ROLLED_BACK);
    assert_int_equal(checkpoint.size, end + 1);
    note_sign_checkpoint(note, &world.vault->log.keys->signer, end, root);
    assert_int_equal(verify_note(note, &checkpoint, &era), STATUS_ROLLED_BACK);
    note_sign_checkpoint(note, &world.vault->log.keys->signer, log_size(world.vault) + 1, root);
    assert_int_equal(verify_note(note, &checkpoint, &era), STATUS_ROLLED_BACK);
    secret_free(key);
}

static void a_strangers_checkpoint_is_of_no_era_and_a_changed_one_is_refused(void **state)
{
    static const uint8_t seed[NOTE_SEED_SIZE] = {1}, root[MERKLE_HASH_SIZE];
    struct note_key *key = secret_allocate(sizeof *key);
    struct note_checkpoint checkpoint;
    char note[NOTE_MAX];
    size_t era;

    (void)state;
    assert_non_null(key);
    assert_int_equal(note_key_from_seed(key, seed, "example.com/log", &world.failure), STATUS_OK);
    note_sign_checkpoint(note, key, 3, root);
    assert_int_equal(verify_note(note, &checkpoint, &era), STATUS_NOT_FOUND);
    secret_free(key);
    assert_int_equal(verify_note("not a note", &checkpoint, &era), STATUS_NOT_FOUND);
    strcpy(note, first_head);
    strchr(note, '\n')[1] ^= 1; /* the size */
    assert_int_equal(verify_note(note, &checkpoint, &era), STATUS_CORRUPT);
}

static void an_era_that_its_predecessor_did_not_announce_is_noticed(void **state)
{
    static const uint8_t seed[NOTE_SEED_SIZE] = {2};
    CLEANUP(secret_reset) struct secret line = {0};
    CLEANUP(json_freep) struct json *leaf = NULL;
    struct note_key *key = secret_allocate(sizeof *key);
    uint8_t hash[MERKLE_HASH_SIZE];

    (void)state;
    assert_non_null(key);
    begin_era(false, NULL);
    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                     STATUS_OK);
    assert_int_equal(json_parse(line.bytes, line.size, "a leaf", &world.failure, &leaf), STATUS_OK);
    assert_int_equal(era_check_first(world.vault, 1, leaf, &world.failure), STATUS_OK);
    assert_int_equal(note_key_from_seed(key, seed, world.vault->log.keys->signer.origin, &world.failure),
                     STATUS_OK);
    note_verifier(world.vault->log.eras[0].verifier, key);
    assert_int_equal(era_check_first(world.vault, 1, leaf, &world.failure), STATUS_CORRUPT);
    strcpy(world.vault->log.eras[0].verifier, first_verifier);
    note_verifier(world.vault->log.eras[1].verifier, key);
    assert_int_equal(era_check_first(world.vault, 1, leaf, &world.failure), STATUS_CORRUPT);
    secret_free(key);
}

/* An old entry must not be written anew under a later key: it says the epoch it is of. */
static void an_entry_of_another_epoch_than_its_key_is_noticed(void **state)
{
    (void)state;
    begin_era(false, NULL);
    world_log(3);
    assert_int_equal(world_verify(), STATUS_OK);
    for (size_t era = 0; era < 2; era++) {
        world.vault->log.eras[era].epoch++;
        assert_int_equal(world_verify(), STATUS_CORRUPT);
        assert_non_null(strstr(world.failure.sentence, "its epoch"));
        world.vault->log.eras[era].epoch--;
    }
    assert_int_equal(world_verify(), STATUS_OK);
    world.vault->epoch++;
    world_log(1);
    world.vault->epoch--;
    assert_int_equal(world_verify(), STATUS_CORRUPT);
    assert_non_null(strstr(world.failure.sentence, "its epoch"));
}

static void a_turn_that_is_rolled_back_leaves_keys_and_origin_as_they_were(void **state)
{
    char verifier[NOTE_VERIFIER_MAX];
    size_t count;

    (void)state;
    world_begin("succession");
    assert_int_equal(log_begin_era(world.vault, true, NULL, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(log_renew_reading_key(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    vault_rollback(world.vault);
    log_verifier(world.vault, verifier);
    assert_string_equal(verifier, first_verifier);
    (void)log_eras(world.vault, &count);
    assert_int_equal(count, 1);
    world_log(10);
    assert_int_equal(world_verify(), STATUS_OK);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void leaves_of_every_segment_are_read_after_the_reading_key_was_renewed(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    (void)state;
    for (int i = 0; i < 3; i++) {
        world_begin("renewal");
        assert_int_equal(log_renew_reading_key(world.vault, &world.failure), STATUS_OK);
        assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
        assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
        world_log(5);
    }
    world_reopen();
    assert_int_equal(world.vault->log.segment_count, 4);
    assert_int_equal(world_verify(), STATUS_OK);
    for (uint64_t i = 0; i < log_size(world.vault); i++)
        assert_int_equal(log_read(world.vault, i, &world.failure, &line, hash), STATUS_OK);
}

static void a_segment_more_or_less_is_noticed_at_open(void **state)
{
    static const char *const edits[] = {
        "DELETE FROM segments WHERE number = 0",
        "INSERT INTO segments SELECT 5, bytes FROM segments WHERE number = 0",
        "UPDATE segments SET number = 6",
    };
    void *unused = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        world_close();
        world_edit(edits[i]);
        assert_int_equal(world_try_open(), STATUS_CORRUPT);
        assert_int_equal(world_stop(&unused), 0);
        assert_int_equal(start(&unused), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_key_of_the_same_origin_goes_on_with_the_log, start, world_stop),
        cmocka_unit_test_setup_teardown(another_instance_has_another_origin_and_counts_from_zero, start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(a_checkpoint_beyond_its_keys_end_is_of_another_branch, start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(a_strangers_checkpoint_is_of_no_era_and_a_changed_one_is_refused,
                                        start, world_stop),
        cmocka_unit_test_setup_teardown(an_era_that_its_predecessor_did_not_announce_is_noticed, start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(an_entry_of_another_epoch_than_its_key_is_noticed, start, world_stop),
        cmocka_unit_test_setup_teardown(a_turn_that_is_rolled_back_leaves_keys_and_origin_as_they_were, start,
                                        world_stop),
        cmocka_unit_test_setup_teardown(leaves_of_every_segment_are_read_after_the_reading_key_was_renewed,
                                        start, world_stop),
        cmocka_unit_test_setup_teardown(an_entry_of_the_abandoned_log_does_not_open_in_the_restored_one,
                                        start, world_stop),
        cmocka_unit_test_setup_teardown(a_segment_more_or_less_is_noticed_at_open, start, world_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
