/* Restoring copies over vaults, in process: what is refused, what is abandoned, and what the copy becomes. */
#include "restoration.h"

#include "account.h"
#include "log.h"
#include "vault_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static uint8_t *copy;
static size_t copy_size;

static struct restoration *restoration;
static bool told;

/* The closed vault's file. */
static void take_copy(void)
{
    struct stat facts;
    int descriptor = open(world.path, O_RDONLY);

    assert_int_equal(fstat(descriptor, &facts), 0);
    copy_size = (size_t)facts.st_size;
    copy = realloc(copy, copy_size);
    assert_int_equal(read(descriptor, copy, copy_size), (ssize_t)copy_size);
    close(descriptor);
}

static int restoration_stop(void **state)
{
    restoration_freep(&restoration);
    return world_stop(state);
}

static enum status stage(size_t size)
{
    struct restoration_copy facts = {0};
    enum status status = restoration_start(world.path, &world.failure, &restoration);

    for (size_t at = 0; status == STATUS_OK && at < size; at += 10000)
        status =
            restoration_write(restoration, copy + at, size - at < 10000 ? size - at : 10000, &world.failure);
    if (status == STATUS_OK)
        status = restoration_end(restoration, world.vault, 0, &world.failure, &facts);
    free(facts.headers);
    return status;
}

static enum status check(void)
{
    struct vault_key key = world_key();
    bool done = false;
    enum status status = restoration_open(restoration, &key, &world.failure);

    while (status == STATUS_OK && !done)
        status = restoration_check(restoration, &world.failure, &done);
    return status;
}

static void before(void *context, const struct restoration_heads *heads)
{
    (void)context;
    (void)heads;
    told = true;
}

static struct restoration_heads publish(const char *pinned)
{
    CLEANUP(leaf_reset) struct leaf leaf = {.action = "restore", .caller = &caller};
    struct vault_key key = world_key();
    struct restoration_heads heads;
    char note[NOTE_MAX];
    enum status status = restoration_publish(restoration, &world.vault, &key, pinned, 0, &leaf, before, NULL,
                                             &world.failure, &heads, note);

    if (status != STATUS_OK)
        print_error("%s\n", world.failure.sentence);
    assert_int_equal(status, STATUS_OK);
    assert_null(world.vault);
    restoration_freep(&restoration);
    world_reopen();
    assert_string_equal(log_head(world.vault), note);
    return heads;
}

static void append(const char *action)
{
    world_begin(action);
    world.leaf.granted = true;
    assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
}

static void a_copy_takes_the_place_of_an_open_vault_as_another_instance(void **state)
{
    const struct log_era *eras;
    size_t count;

    (void)state;
    world_close();
    take_copy();
    world_reopen();
    append("lock");
    const uint64_t size = log_size(world.vault);
    assert_int_equal(stage(copy_size), STATUS_OK);
    assert_int_equal(check(), STATUS_OK);
    told = false;
    const struct restoration_heads heads = publish(NULL);
    assert_true(told && heads.abandoned.known);
    assert_int_equal(heads.abandoned.checkpoint.size, size);
    assert_int_equal(heads.restored.checkpoint.size, size - 1);
    assert_true(heads.abandoned.time_ms >= heads.restored.time_ms && heads.restored.time_ms > 0);
    assert_int_equal(log_size(world.vault), size);
    eras = log_eras(world.vault, &count);
    assert_int_equal(count, 2);
    assert_string_not_equal(eras[0].instance, eras[1].instance);
    assert_string_equal(eras[1].abandoned, heads.abandoned.note);
}

static void what_this_machine_saw_last_is_abandoned_where_it_is_more(void **state)
{
    char pinned[NOTE_MAX];

    (void)state;
    world_close();
    take_copy();
    world_reopen();
    append("lock");
    memcpy(pinned, log_head(world.vault), sizeof pinned);
    world_close();
    assert_int_equal(unlink(world.path), 0);
    assert_int_equal(stage(copy_size), STATUS_OK);
    assert_int_equal(check(), STATUS_OK);
    const struct restoration_heads heads = publish(pinned);
    assert_true(heads.abandoned.known);
    assert_string_equal(heads.abandoned.note, pinned);
    assert_int_equal(heads.abandoned.checkpoint.size, heads.restored.checkpoint.size + 1);
}

/* As large as what was seen, and another branch: its head must not become the pin. */
static void a_fork_at_the_path_is_not_what_is_abandoned(void **state)
{
    char pinned[NOTE_MAX];

    (void)state;
    world_close();
    take_copy();
    world_reopen();
    append("seen");
    memcpy(pinned, log_head(world.vault), sizeof pinned);
    world_close();
    int descriptor = open(world.path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(descriptor, copy, copy_size), (ssize_t)copy_size);
    close(descriptor);
    world_reopen();
    append("forked");
    append("further");
    assert_int_equal(stage(copy_size), STATUS_OK);
    assert_int_equal(check(), STATUS_OK);
    assert_string_equal(publish(pinned).abandoned.note, pinned);
}

static void the_pin_of_another_vault_is_none(void **state)
{
    static const char other[] = "stepvault/v1/00000000000000000000000000000000/0000000000000000\n9\n"
                                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nx\n";

    (void)state;
    world_close();
    take_copy();
    assert_int_equal(unlink(world.path), 0);
    assert_int_equal(stage(copy_size), STATUS_OK);
    assert_int_equal(check(), STATUS_OK);
    assert_false(publish(other).abandoned.known);
}

static void what_is_no_whole_vault_is_refused_and_leaves_no_draft(void **state)
{
    char draft[200];

    (void)state;
    world_close();
    take_copy();
    world_reopen();
    snprintf(draft, sizeof draft, "%s.new", world.path);
    assert_int_equal(stage(copy_size - 4096), STATUS_CORRUPT);
    restoration_freep(&restoration);
    assert_int_equal(stage(50), STATUS_FOREIGN);
    restoration_freep(&restoration);
    copy[3] ^= 1;
    assert_int_equal(stage(copy_size), STATUS_FOREIGN);
    assert_int_equal(access(draft, F_OK), 0);
    restoration_freep(&restoration);
    copy[3] ^= 1;
    assert_int_equal(stage(copy_size), STATUS_OK);
    assert_int_equal(restoration_write(restoration, copy, 1, &world.failure), STATUS_INVALID);
    restoration_freep(&restoration);
    assert_int_not_equal(access(draft, F_OK), 0);
    append("lock");
}

static void one_is_staged_at_a_time(void **state)
{
    struct restoration *second = NULL;

    (void)state;
    assert_int_equal(restoration_start(world.path, &world.failure, &restoration), STATUS_OK);
    assert_int_equal(restoration_start(world.path, &world.failure, &second), STATUS_BUSY);
    restoration_freep(&restoration);
    assert_int_equal(restoration_start(world.path, &world.failure, &second), STATUS_OK);
    restoration_freep(&second);
}

int main(void)
{
#define RESTORING(name) cmocka_unit_test_setup_teardown(name, world_start, restoration_stop)
    const struct CMUnitTest tests[] = {
        RESTORING(a_copy_takes_the_place_of_an_open_vault_as_another_instance),
        RESTORING(what_this_machine_saw_last_is_abandoned_where_it_is_more),
        RESTORING(a_fork_at_the_path_is_not_what_is_abandoned),
        RESTORING(the_pin_of_another_vault_is_none),
        RESTORING(what_is_no_whole_vault_is_refused_and_leaves_no_draft),
        RESTORING(one_is_staged_at_a_time),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(copy);
    return failed;
}
