/* The log: what a leaf says of its place, the tree at its seams, checkpoints. The clock of these tests is set
 * by them. */
#define clock_wall_ms system_wall_ms
#include "../../vault/base/clock.c"
#undef clock_wall_ms

#undef MS_PER_DAY
#include "vault_fixture.h"

uint64_t clock_wall_ms(void);

#define DAY UINT64_C(86400000)
#define FIRST_DAY (UINT64_C(20000) * DAY)

static uint64_t now = FIRST_DAY;

uint64_t clock_wall_ms(void)
{
    return now;
}

static int start_on_the_first_day(void **state)
{
    now = FIRST_DAY + 1000;
    return world_start(state);
}

/* The parsed line of a leaf, and its hash in hexadecimal. */
static struct json *leaf_at(uint64_t index, char hex[2 * MERKLE_HASH_SIZE + 1])
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];
    struct json *json = NULL;

    assert_int_equal(log_read(world.vault, index, &world.failure, &line, hash), STATUS_OK);
    assert_int_equal(json_parse(line.bytes, line.size, "line", &world.failure, &json), STATUS_OK);
    if (hex != NULL)
        text_to_hex(hex, hash, sizeof hash);
    return json;
}

static bool is_tagged(uint64_t index)
{
    struct json *json = leaf_at(index, NULL);
    bool tagged = json_member(json, "state") != NULL;

    json_freep(&json);
    return tagged;
}

static bool last_is_tagged(void)
{
    return is_tagged(log_size(world.vault) - 1);
}

static unsigned count_checkpoints(uint64_t *ret_last)
{
    struct store_rows rows = {0};
    unsigned count;

    assert_int_equal(store_list_blobs(world.vault->store, STORE_CHECKPOINTS, 0, 100, &world.failure, &rows),
                     STATUS_OK);
    count = (unsigned)rows.count;
    if (count > 0 && ret_last != NULL)
        *ret_last = rows.blobs[count - 1].number;
    store_rows_reset(&rows);
    return count;
}

static void keep_head(void)
{
    world_begin("keep");
    assert_int_equal(log_keep_head(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(world_end(log_keep_head(world.vault, &world.failure)), STATUS_OK);
}

static void each_leaf_names_its_number_and_the_hash_of_the_one_before(void **state)
{
    char before[2 * MERKLE_HASH_SIZE + 1] = "", hash[2 * MERKLE_HASH_SIZE + 1];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        world_log(3);
        if (i % 2 == 0)
            world_reopen();
    }
    for (uint64_t i = 0; i < log_size(world.vault); i++) {
        struct json *json = leaf_at(i, hash);
        assert_int_equal(json_member_number(json, "writer_seq", -1), i);
        assert_string_equal(json_member_text(json, "writer"), world.vault->log.instance);
        if (i == 0)
            assert_null(json_member(json, "prev"));
        else
            assert_string_equal(json_member_text(json, "prev"), before);
        strcpy(before, hash);
        json_freep(&json);
    }
    assert_int_equal(log_size(world.vault), 16);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_rolled_back_leaf_leaves_no_gap_in_the_chain(void **state)
{
    (void)state;
    world_log(2);
    world_begin("dropped");
    world.leaf.granted = true;
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    assert_true(world.leaf.appended);
    assert_int_equal(log_size(world.vault), 4);
    vault_rollback(world.vault);
    assert_int_equal(log_size(world.vault), 3);
    /* Reading and verifying wait for no next turn. */
    assert_int_equal(world_verify(), STATUS_OK);
    world_log(1);
    assert_int_equal(log_size(world.vault), 4);
    assert_int_equal(world_verify(), STATUS_OK);
    world_reopen();
}

static void a_leaf_has_a_state_tag_exactly_when_rows_changed_since_the_last(void **state)
{
    uint8_t bytes[64], tag[16];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    char hex[33];

    (void)state;
    assert_true(is_tagged(0));
    /* The first leaf after the vault was made keeps a checkpoint, which is a change. */
    world_log(2);
    assert_true(is_tagged(1));
    assert_false(last_is_tagged());
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    struct json *json = leaf_at(log_size(world.vault) - 1, NULL);
    seal_input_u64(&input, log_size(world.vault) - 1);
    seal_input_u64(&input, vault_record_count(world.vault));
    seal_input_bytes(&input, world.vault->state.sum, sizeof world.vault->state.sum);
    seal_hash(tag, sizeof tag, world.vault->keys->tag, input.bytes, input.size);
    text_to_hex(hex, tag, sizeof tag);
    assert_string_equal(json_member_text(json, "state"), hex);
    json_freep(&json);
    world_log(2);
    assert_false(last_is_tagged());
    world_reopen();
    world_log(1);
    assert_false(last_is_tagged());
    /* One leaf for two changes, none for a change that was rolled back. */
    world_begin("two");
    assert_int_equal(world_change("x", "A", "2"), STATUS_OK);
    assert_int_equal(world_end(world_change("x", "B", "2")), STATUS_OK);
    assert_true(last_is_tagged());
    world_begin("dropped");
    assert_int_equal(world_change("x", "A", "3"), STATUS_OK);
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    vault_rollback(world.vault);
    world_log(1);
    assert_false(last_is_tagged());
    keep_head();
    assert_true(last_is_tagged());
}

static void the_first_leaf_of_a_day_keeps_the_head_of_the_day_before(void **state)
{
    uint64_t last = 0;

    (void)state;
    assert_int_equal(count_checkpoints(NULL), 0);
    world_log(1);
    /* The head of the vault's making, as the day it began is no kept one's. */
    assert_int_equal(count_checkpoints(&last), 1);
    assert_int_equal(last, 1);
    world_log(3);
    assert_int_equal(count_checkpoints(NULL), 1);
    now = FIRST_DAY + DAY - 1;
    world_log(1);
    assert_int_equal(count_checkpoints(NULL), 1);
    now = FIRST_DAY + DAY;
    uint64_t before = log_size(world.vault);
    world_log(2);
    assert_int_equal(count_checkpoints(&last), 2);
    assert_int_equal(last, before);
    assert_true(is_tagged(before));
    world_reopen();
    world_log(1);
    assert_int_equal(count_checkpoints(NULL), 2);
    now = FIRST_DAY + 9 * DAY;
    world_reopen();
    world_log(1);
    assert_int_equal(count_checkpoints(NULL), 3);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_daily_checkpoint_that_was_rolled_back_is_kept_by_the_next_leaf(void **state)
{
    (void)state;
    world_log(1);
    now = FIRST_DAY + DAY;
    world_begin("dropped");
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    vault_rollback(world.vault);
    assert_int_equal(count_checkpoints(NULL), 1);
    world_log(1);
    assert_int_equal(count_checkpoints(NULL), 2);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_head_that_is_kept_twice_is_kept_once(void **state)
{
    uint64_t last = 0;

    (void)state;
    keep_head();
    assert_int_equal(count_checkpoints(NULL), 1);
    world_reopen();
    keep_head();
    assert_int_equal(count_checkpoints(&last), 2);
    assert_int_equal(last, 2);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void the_head_is_signed_for_size_and_root(void **state)
{
    char verifier[NOTE_VERIFIER_MAX];
    struct note_checkpoint checkpoint;
    uint8_t root[MERKLE_HASH_SIZE];

    (void)state;
    world_log(9);
    log_verifier(world.vault, verifier);
    assert_int_equal(note_verify_checkpoint(log_head(world.vault), verifier, &world.failure, &checkpoint),
                     STATUS_OK);
    assert_int_equal(checkpoint.size, 10);
    merkle_root(root, &world.vault->log.edge);
    assert_memory_equal(checkpoint.root, root, sizeof root);
}

/* libsodium's decoder takes bytes above ASCII for slashes: two of them for one character of two bytes. */
static void a_signature_has_one_spelling(void **state)
{
    const uint8_t root[MERKLE_HASH_SIZE] = {1};
    char verifier[NOTE_VERIFIER_MAX], note[NOTE_MAX];
    struct note_checkpoint checkpoint;
    char *slashes = NULL;

    (void)state;
    log_verifier(world.vault, verifier);
    for (uint64_t size = 0; slashes == NULL; size++) {
        note_sign_checkpoint(note, &world.vault->log.keys->signer, size, root);
        slashes = strstr(strstr(note, "\n\n"), "//");
    }
    assert_int_equal(note_verify_checkpoint(note, verifier, &world.failure, &checkpoint), STATUS_OK);
    memcpy(slashes, "\xc3\xa9", 2);
    assert_int_equal(note_verify_checkpoint(note, verifier, &world.failure, &checkpoint), STATUS_CORRUPT);
}

static void there_is_no_leaf_beyond_the_last(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];

    (void)state;
    assert_int_equal(log_read(world.vault, 1, &world.failure, &line, hash), STATUS_CORRUPT);
    assert_int_equal(log_read(world.vault, INT64_MAX, &world.failure, &line, hash), STATUS_CORRUPT);
}

/* Appends a leaf whose line has `size` bytes. */
static enum status append_of_size(size_t size, char *reason)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];
    static size_t frame;

    if (frame == 0) {
        /* All numbers of the lines to come have two digits, as this one. */
        world_log(9);
        world_begin("size");
        strcpy(reason, "r");
        world.leaf.reason = reason;
        assert_int_equal(world_end(STATUS_OK), STATUS_OK);
        assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                         STATUS_OK);
        frame = line.size - 1;
    }
    memset(reason, 'r', size - frame);
    reason[size - frame] = '\0';
    world_begin("size");
    world.leaf.reason = reason;
    world.leaf.granted = true;
    enum status status = log_append(world.vault, &world.leaf, &world.failure);
    if (status != STATUS_OK)
        return status;
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(log_read(world.vault, log_size(world.vault) - 1, &world.failure, &line, hash),
                     STATUS_OK);
    assert_int_equal(line.size, size);
    return STATUS_OK;
}

static void lines_of_every_padding_are_kept_byte_for_byte_up_to_the_largest(void **state)
{
    static const size_t sizes[] = {507,   508,   509,   1019,  1020,  1021, 4096,
                                   32764, 32765, 65531, 65532, 65533, 65535};
    char *reason = malloc(70000);
    uint64_t before;

    (void)state;
    assert_non_null(reason);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_int_equal(append_of_size(sizes[i], reason), STATUS_OK);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
    /* One byte more is refused, and the turn goes on. */
    before = log_size(world.vault);
    assert_int_equal(append_of_size(65536, reason), STATUS_TOO_LARGE);
    assert_false(world.leaf.appended);
    assert_false(vault_is_broken(world.vault));
    world.leaf.reason = "smaller";
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(log_size(world.vault), before + 1);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
    free(reason);
}

static void a_leaf_too_large_for_a_change_breaks_the_turn(void **state)
{
    char *reason = malloc(70000);

    (void)state;
    assert_non_null(reason);
    memset(reason, 'r', 69999);
    reason[69999] = '\0';
    world_log(1);
    world_begin("set-variable");
    assert_int_equal(world_change("x", "A", "1"), STATUS_OK);
    world.leaf.reason = reason;
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_TOO_LARGE);
    assert_true(vault_is_broken(world.vault));
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_FAILED);
    assert_int_equal(world_set("x", "A", "2"), STATUS_OK);
    assert_true(last_is_tagged());
    world_reopen();
    free(reason);
}

static void the_tree_is_the_same_after_reopening_at_every_seam_of_its_tiles(void **state)
{
    static const uint64_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 513, 65535, 65536, 65537};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t before[MERKLE_HASH_SIZE], after[MERKLE_HASH_SIZE];
        world_log((unsigned)(sizes[i] - log_size(world.vault)));
        merkle_root(before, &world.vault->log.edge);
        world_reopen();
        assert_int_equal(log_size(world.vault), sizes[i]);
        merkle_root(after, &world.vault->log.edge);
        assert_memory_equal(before, after, sizeof before);
        if (sizes[i] < 1000)
            assert_int_equal(world_verify(), STATUS_OK);
    }
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_turn_without_a_leaf_or_change_writes_nothing(void **state)
{
    char head[NOTE_MAX];

    (void)state;
    memcpy(head, log_head(world.vault), sizeof head);
    world_begin("nothing");
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
    assert_string_equal(log_head(world.vault), head);
    assert_int_equal(log_size(world.vault), 1);
}

int main(void)
{
#define ON_THE_FIRST_DAY(name) cmocka_unit_test_setup_teardown(name, start_on_the_first_day, world_stop)
    const struct CMUnitTest tests[] = {
        ON_THE_FIRST_DAY(each_leaf_names_its_number_and_the_hash_of_the_one_before),
        ON_THE_FIRST_DAY(a_rolled_back_leaf_leaves_no_gap_in_the_chain),
        ON_THE_FIRST_DAY(a_leaf_has_a_state_tag_exactly_when_rows_changed_since_the_last),
        ON_THE_FIRST_DAY(the_first_leaf_of_a_day_keeps_the_head_of_the_day_before),
        ON_THE_FIRST_DAY(a_daily_checkpoint_that_was_rolled_back_is_kept_by_the_next_leaf),
        ON_THE_FIRST_DAY(a_head_that_is_kept_twice_is_kept_once),
        ON_THE_FIRST_DAY(the_head_is_signed_for_size_and_root),
        ON_THE_FIRST_DAY(a_signature_has_one_spelling),
        ON_THE_FIRST_DAY(there_is_no_leaf_beyond_the_last),
        ON_THE_FIRST_DAY(lines_of_every_padding_are_kept_byte_for_byte_up_to_the_largest),
        ON_THE_FIRST_DAY(a_leaf_too_large_for_a_change_breaks_the_turn),
        ON_THE_FIRST_DAY(the_tree_is_the_same_after_reopening_at_every_seam_of_its_tiles),
        ON_THE_FIRST_DAY(a_turn_without_a_leaf_or_change_writes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
