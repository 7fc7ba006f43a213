/* What is counted as due and stale, and when it is looked at again. */
#include "summary.h"

#include "base/clock.h"
#include "vault_fixture.h"

#define DAY_MS UINT64_C(86400000)
#define YEAR_2100_MS UINT64_C(4102444800000)
#define LONG_MS 60000u

static enum status set_until(const char *name, uint64_t expires_ms)
{
    struct variable_change change = {
        .path = "x",
        .name = name,
        .value = "v",
        .size = 1,
        .remark = {.has_expiry = true, .expires_ms = expires_ms}
    };
    bool replaced;

    world_begin("set-variable");
    return world_end(variable_set(world.vault, &change, &world.failure, &replaced));
}

/* A value that was set so long ago, as a test cannot wait for it. */
static void age(const char *name, uint64_t updated_ms)
{
    CLEANUP(record_reset) struct record record = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    char text[24];
    bool found;

    world_begin("age");
    assert_int_equal(record_find(world.vault, RECORD_VARIABLE, "x", name, &world.failure, &record, &found),
                     STATUS_OK);
    record_draft_resume(&draft, RECORD_VARIABLE, "x", name, name, &record);
    record_draft_copy_rest(&draft, &record);
    snprintf(text, sizeof text, "%llu", (unsigned long long)updated_ms);
    struct record preview = record_draft_preview(&draft);
    char *field = (char *)record_field(&preview, "updated", NULL);
    assert_int_equal(strlen(text), strlen(field));
    memcpy(field, text, strlen(text));
    assert_int_equal(record_write(world.vault, &draft, &world.failure, NULL), STATUS_OK);
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
}

static void expect(uint64_t expired, uint64_t expiring, uint64_t stale)
{
    struct summary summary;

    summary_take(world.vault, LONG_MS, &summary);
    assert_int_equal(summary.unread, 0);
    assert_int_equal(summary.expired, expired);
    assert_int_equal(summary.expiring, expiring);
    assert_int_equal(summary.stale, stale);
}

static void what_is_due_is_counted_and_follows_each_change(void **state)
{
    uint64_t now = clock_wall_ms();

    (void)state;
    expect(0, 0, 0);
    assert_int_equal(set_until("OVER", now - DAY_MS), STATUS_OK);
    assert_int_equal(set_until("SOON", now + 10 * DAY_MS), STATUS_OK);
    assert_int_equal(set_until("LATER", YEAR_2100_MS), STATUS_OK);
    assert_int_equal(set_until("NEVER", 0), STATUS_OK);
    expect(1, 1, 0);
    age("NEVER", now - 400 * DAY_MS);
    expect(1, 1, 1);
    world_reopen();
    expect(1, 1, 1);
    assert_int_equal(set_until("OVER", YEAR_2100_MS), STATUS_OK);
    world_begin("unset-variable");
    assert_int_equal(world_end(variable_unset(world.vault, "x", "NEVER", &world.failure)), STATUS_OK);
    expect(0, 1, 0);
    assert_int_equal(world_add("app", "{\"token\":\"1\"}"), STATUS_OK);
    world_begin("annotate-account");
    assert_int_equal(world_end(account_annotate(world.vault, "app",
                                                &(struct remark){.has_expiry = true, .expires_ms = 60001},
                                                &world.leaf, &world.failure, &world.writer)),
                     STATUS_OK);
    expect(1, 1, 0);
}

static void a_rolled_back_change_is_not_counted(void **state)
{
    const struct remark expiry = {.has_expiry = true, .expires_ms = 60001};

    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    expect(0, 0, 0);
    world_begin("annotate-variable");
    assert_int_equal(variable_annotate(world.vault, "x", "A", &expiry, &world.failure), STATUS_OK);
    expect(1, 0, 0);
    vault_rollback(world.vault);
    expect(0, 0, 0);
}

static void a_slice_ends_in_time_and_the_next_goes_on(void **state)
{
    struct summary summary = {0};
    uint64_t before = UINT64_MAX;
    unsigned slices = 0;
    bool replaced;

    (void)state;
    world_begin("set-variable");
    for (unsigned i = 0; i < 3000; i++) {
        char name[16];
        snprintf(name, sizeof name, "V%u", i);
        struct variable_change change = {
            .path = "x",
            .name = name,
            .value = "v",
            .size = 1,
            .remark = {.has_expiry = true, .expires_ms = 60001}
        };
        assert_int_equal(variable_set(world.vault, &change, &world.failure, &replaced), STATUS_OK);
    }
    assert_int_equal(world_end(STATUS_OK), STATUS_OK);
    do {
        summary_take(world.vault, 1, &summary);
        assert_true(summary.unread < before);
        assert_true(summary.expired <= 3000);
        before = summary.unread;
        slices++;
    } while (summary.unread > 0);
    assert_int_equal(summary.expired, 3000);
    assert_true(slices > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_due_is_counted_and_follows_each_change),
        TEST(a_rolled_back_change_is_not_counted),
        TEST(a_slice_ends_in_time_and_the_next_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
