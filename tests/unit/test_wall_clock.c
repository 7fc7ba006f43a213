/* A machine's clock is set back, and forward: entries keep their order, heads grow, and nothing that is newer
 * is pruned with what is older. */
#include "base/clock.h"
#include "log.h"
#include "pin.h"
#include "vault_fixture.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define TILE 256u

/* Beside what the kernel says. */
static int64_t wall_shift_ms;

/* In place of libc's. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += (time_t)(wall_shift_ms / 1000);
    return result;
}

static int start(void **state)
{
    wall_shift_ms = 0;
    return world_start(state);
}

/* The leaf's own number and time. */
static void read_leaf(uint64_t index, uint64_t *ret_sequence, uint64_t *ret_time_ms)
{
    CLEANUP(secret_reset) struct secret line = {0};
    CLEANUP(json_freep) struct json *leaf = NULL;
    uint8_t hash[MERKLE_HASH_SIZE];

    assert_int_equal(log_read(world.vault, index, &world.failure, &line, hash), STATUS_OK);
    assert_int_equal(json_parse(line.bytes, line.size, "a leaf", &world.failure, &leaf), STATUS_OK);
    *ret_sequence = (uint64_t)json_member_number(leaf, "writer_seq", -1);
    assert_true(clock_parse(json_member_text(leaf, "time"), 0, ret_time_ms));
}

static uint64_t prune(uint64_t before_ms)
{
    struct log_pruning pruning;

    world_begin("prune");
    assert_int_equal(world_end(log_prune(world.vault, before_ms, 64, &world.failure, &pruning)), STATUS_OK);
    return log_pruned(world.vault);
}

static void entries_are_in_order_whatever_the_clock_said(void **state)
{
    static const int64_t shifts[] = {0, -400 * DAY_MS, 4000 * DAY_MS, -1 * DAY_MS};
    uint64_t first = log_size(world.vault), sequence, time_ms, previous_ms = 0;
    unsigned backwards = 0;

    (void)state;
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        wall_shift_ms = shifts[i];
        world_log(3);
        world_reopen();
        assert_int_equal(world_verify(), STATUS_OK);
    }
    assert_int_equal(log_size(world.vault), first + 12);
    for (uint64_t index = 0; index < log_size(world.vault); index++) {
        read_leaf(index, &sequence, &time_ms);
        assert_int_equal(sequence, index);
        backwards += time_ms < previous_ms ? 1 : 0;
        previous_ms = time_ms;
    }
    assert_int_equal(backwards, 2);
}

static void a_pin_from_the_future_holds_and_an_older_copy_is_behind_it(void **state)
{
    char folder[PATH_MAX], older[PATH_MAX], command[3 * PATH_MAX];
    struct pin_finding finding;

    (void)state;
    snprintf(folder, sizeof folder, "%s/pins", world.folder);
    snprintf(older, sizeof older, "%s/older", world.folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    world_log(2);
    world_close();
    snprintf(command, sizeof command, "cp -p %s %s", world.path, older);
    assert_int_equal(system(command), 0);
    world_reopen();
    wall_shift_ms = 4000 * DAY_MS;
    world_log(2);
    assert_int_equal(pin_write(folder, world.path, log_head(world.vault), true, &world.failure), STATUS_OK);
    wall_shift_ms = -4000 * DAY_MS;
    world_log(2);
    world_reopen();
    assert_int_equal(pin_check(world.vault, folder, &world.failure, &finding), STATUS_OK);
    assert_int_equal(finding.state, PIN_HELD);
    world_close();
    assert_int_equal(rename(older, world.path), 0);
    world_reopen();
    assert_int_equal(pin_check(world.vault, folder, &world.failure, &finding), STATUS_ROLLED_BACK);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* Each change of the day keeps a head, so that a clock cannot put off the next. */
static void a_head_is_kept_on_each_other_day_back_or_forth(void **state)
{
    static const int64_t shifts[] = {DAY_MS, -DAY_MS, 30 * DAY_MS};
    char note[NOTE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        uint64_t size = log_size(world.vault);
        wall_shift_ms = shifts[i];
        world_log(1);
        assert_int_equal(log_read_checkpoint(world.vault, size, &world.failure, note), STATUS_OK);
    }
}

static void what_a_clock_ahead_wrote_is_not_pruned_nor_what_is_behind_it(void **state)
{
    uint64_t now_ms = clock_wall_ms();

    (void)state;
    wall_shift_ms = -400 * DAY_MS;
    world_log(2 * TILE - (unsigned)log_size(world.vault));
    wall_shift_ms = 400 * DAY_MS;
    world_log(1);
    wall_shift_ms = -400 * DAY_MS;
    world_log(2 * TILE);
    wall_shift_ms = 0;
    assert_int_equal(prune(now_ms - 500 * (uint64_t)DAY_MS), 0);
    /* The vault was made today, and its first entry with it. */
    assert_int_equal(prune(now_ms - 1 * (uint64_t)DAY_MS), 0);
    assert_int_equal(prune(clock_wall_ms() + 1000), 2 * TILE);
    assert_int_equal(prune(clock_wall_ms() + 1000), 2 * TILE);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void deadlines_do_not_follow_the_wall_clock(void **state)
{
    uint64_t monotonic_ms = clock_monotonic_ms(), boot_ms = clock_boot_ms();

    (void)state;
    wall_shift_ms = 400 * DAY_MS;
    assert_true(clock_monotonic_ms() - monotonic_ms < 60000);
    assert_true(clock_boot_ms() - boot_ms < 60000);
}

#define TIMED(name) cmocka_unit_test_setup_teardown(name, start, world_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMED(entries_are_in_order_whatever_the_clock_said),
        TIMED(a_pin_from_the_future_holds_and_an_older_copy_is_behind_it),
        TIMED(a_head_is_kept_on_each_other_day_back_or_forth),
        TIMED(what_a_clock_ahead_wrote_is_not_pruned_nor_what_is_behind_it),
        TIMED(deadlines_do_not_follow_the_wall_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
