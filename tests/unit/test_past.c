/* Old values of variables and accounts: what is kept, in which bounds, and how it comes back or goes. */
#include "past.h"

#include "vault_fixture.h"

#define JSON_FREEP __attribute__((cleanup(json_freep)))

static struct json *reply(void)
{
    struct json *json = NULL;

    assert_false(world.writer.failed);
    assert_int_equal(json_parse(world.reply.bytes, world.reply.size, "reply", &world.failure, &json),
                     STATUS_OK);
    return json;
}

/* `1 replaced, 2 current` of a variable; the text holds until the next call. */
static const char *history(const char *path, const char *name)
{
    static char text[512];
    size_t at = 0;

    world_begin("list");
    if (world_end(variable_history(world.vault, path, name, &world.failure, &world.writer)) != STATUS_OK)
        return "none";
    JSON_FREEP struct json *answer = reply();
    const struct json *revisions = json_member(answer, "revisions");
    text[0] = '\0';
    for (size_t i = 0; i < json_count(revisions); i++) {
        const struct json *revision = json_at(revisions, i);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s%d %s", i == 0 ? "" : ", ",
                               name == NULL ? json_member_text(revision, "name") : "",
                               name == NULL ? " " : "", (int)json_member_number(revision, "revision", 0),
                               json_member_text(revision, "state"));
    }
    assert_null(strstr(secret_text(&world.reply), "secret"));
    return text;
}

/* The value at `revision` (0: in force), and NULL if there is none. */
static const char *value(const char *path, const char *name, uint64_t revision)
{
    static char text[64];

    world_begin("get");
    if (world_end(projection_get_variable(world.vault, path, name, revision, &world.leaf, &world.failure,
                                          &world.writer)) != STATUS_OK)
        return NULL;
    JSON_FREEP struct json *answer = reply();
    snprintf(text, sizeof text, "%s", json_member_text(answer, "value"));
    return text;
}

static enum status unset(const char *path, const char *name)
{
    world_begin("unset-variable");
    return world_end(variable_unset(world.vault, path, name, &world.failure));
}

static enum status restore(const char *path, const char *name, uint64_t revision, bool allow)
{
    uint64_t number;

    world_begin("restore-variable");
    return world_end(variable_restore(world.vault, path, name, revision, allow, &world.failure, &number));
}

static enum status forget(const char *path, const char *name, uint64_t revision, uint64_t *ret_count)
{
    world_begin("forget-variable");
    return world_end(variable_forget(world.vault, path, name, revision, &world.failure, ret_count));
}

static enum status set_with(const char *path, const char *name, const char *text, struct remark remark)
{
    struct variable_change change = {
        .path = path, .name = name, .value = text, .size = strlen(text), .remark = remark};
    bool replaced;

    world_begin("set-variable");
    return world_end(variable_set(world.vault, &change, &world.failure, &replaced));
}

static enum status restore_account(const char *account, uint64_t revision)
{
    uint64_t number;

    world_begin("restore-account");
    return world_end(
        account_restore(world.vault, account, revision, &world.leaf, &world.failure, &world.writer, &number));
}

static size_t count_account_revisions(const char *account)
{
    world_begin("list");
    assert_int_equal(world_end(account_history(world.vault, account, &world.failure, &world.writer)),
                     STATUS_OK);
    assert_null(strstr(secret_text(&world.reply), "secret"));
    JSON_FREEP struct json *answer = reply();
    return json_count(json_member(answer, "revisions"));
}

static const char *projected(const char *step, const char *name)
{
    struct projection_request request = {.step = step, .deliver_env = true};
    static char text[64];

    world_begin("project");
    assert_int_equal(
        world_end(projection_project(world.vault, &request, &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    JSON_FREEP struct json *answer = reply();
    const char *found = json_member_text(json_member(answer, "variables"), name);
    snprintf(text, sizeof text, "%s", found == NULL ? "-" : found);
    return text;
}

static void replaced_values_are_kept_in_order_and_come_out_by_number(void **state)
{
    (void)state;
    assert_int_equal(world_set("x", "A", "secret 1"), STATUS_OK);
    assert_string_equal(history("x", "A"), "1 current");
    assert_int_equal(world_set("x", "A", "secret 2"), STATUS_OK);
    assert_int_equal(world_set("x", "A", "secret 3"), STATUS_OK);
    assert_string_equal(history("x", "A"), "1 replaced, 2 replaced, 3 current");
    world_reopen();
    assert_string_equal(value("x", "A", 1), "secret 1");
    assert_string_equal(value("x", "A", 2), "secret 2");
    assert_string_equal(value("x", "A", 3), "secret 3");
    assert_null(value("x", "A", 4));
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
    assert_string_equal(projected("x", "A"), "secret 3");
    assert_int_equal(world_verify(), STATUS_OK);
}

static void the_same_value_again_and_a_block_make_no_revision(void **state)
{
    (void)state;
    assert_int_equal(world_set("x", "A", "same"), STATUS_OK);
    assert_int_equal(world_set("x", "A", "same"), STATUS_OK);
    assert_string_equal(history("x", "A"), "1 current");
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "x", "B", &world.failure)), STATUS_OK);
    assert_string_equal(history("x", "B"), "1 blocked");
    assert_int_equal(world_set("x", "B", "now"), STATUS_OK);
    assert_string_equal(history("x", "B"), "1 current");
    assert_string_equal(history("x", "C"), "none");
    assert_int_equal(world.failure.status, STATUS_NOT_FOUND);
}

static void the_last_ten_stay_and_numbers_go_on(void **state)
{
    char text[16];

    (void)state;
    for (unsigned i = 1; i <= 13; i++) {
        snprintf(text, sizeof text, "v%u", i);
        assert_int_equal(world_set("x", "A", text), STATUS_OK);
    }
    assert_string_equal(history("x", "A"),
                        "3 replaced, 4 replaced, 5 replaced, 6 replaced, 7 replaced, 8 replaced, 9 replaced, "
                        "10 replaced, 11 replaced, 12 replaced, 13 current");
    assert_null(value("x", "A", 2));
    assert_string_equal(value("x", "A", 3), "v3");
    assert_string_equal(value("x", "A", 12), "v12");
}

static void large_values_push_the_oldest_out_before_there_are_ten(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};

    (void)state;
    assert_true(secret_reserve(&text, NAME_VALUE_MAX));
    memset(text.bytes, 'a', NAME_VALUE_MAX);
    for (unsigned i = 0; i < 7; i++) {
        struct variable_change change = {
            .path = "x", .name = "A", .value = text.bytes, .size = NAME_VALUE_MAX};
        bool replaced;
        text.bytes[0] = (uint8_t)('a' + i);
        world_begin("set-variable");
        assert_int_equal(world_end(variable_set(world.vault, &change, &world.failure, &replaced)), STATUS_OK);
    }
    assert_string_equal(history("x", "A"), "4 replaced, 5 replaced, 6 replaced, 7 current");
    assert_int_equal(restore("x", "A", 4, false), STATUS_OK);
    assert_string_equal(history("x", "A"), "5 replaced, 6 replaced, 7 replaced, 8 current");
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_restore_is_undone_by_another(void **state)
{
    (void)state;
    assert_int_equal(world_set("x", "A", "one"), STATUS_OK);
    assert_int_equal(world_set("x", "A", "two"), STATUS_OK);
    assert_int_equal(restore("x", "A", 0, false), STATUS_OK);
    assert_string_equal(value("x", "A", 0), "one");
    assert_int_equal(restore("x", "A", 0, false), STATUS_OK);
    assert_string_equal(value("x", "A", 0), "two");
    assert_string_equal(history("x", "A"), "1 replaced, 2 replaced, 3 replaced, 4 current");
    assert_int_equal(restore("x", "A", 9, false), STATUS_NOT_FOUND);
    assert_int_equal(restore("x", "NEVER", 0, false), STATUS_NOT_FOUND);
    assert_string_equal(value("x", "A", 0), "two");
}

static void an_unset_variable_is_listed_and_comes_back_with_its_note_and_expiry(void **state)
{
    struct remark remark = {.note = "of ann", .has_expiry = true, .expires_ms = UINT64_C(4102444800000)};

    (void)state;
    assert_int_equal(set_with("x", "A", "kept", remark), STATUS_OK);
    assert_int_equal(unset("x", "A"), STATUS_OK);
    assert_string_equal(projected("x", "A"), "-");
    assert_string_equal(history("x", "A"), "1 unset");
    assert_string_equal(history("x", NULL), "A 1 unset");
    assert_int_equal(unset("x", "A"), STATUS_NOT_FOUND);
    world_reopen();
    assert_int_equal(restore("x", "A", 0, false), STATUS_OK);
    assert_string_equal(projected("x", "A"), "kept");
    world_begin("list");
    assert_int_equal(
        world_end(variable_list(world.vault, "x", &(struct remark_filter){0}, &world.failure, &world.writer)),
        STATUS_OK);
    assert_non_null(
        strstr(secret_text(&world.reply), "\"note\":\"of ann\",\"expires\":\"2100-01-01T00:00:00.000Z\""));
}

static void a_restored_dangerous_name_needs_to_be_allowed_again(void **state)
{
    struct variable_change change = {
        .path = "x", .name = "LD_PRELOAD", .value = "a.so", .size = 4, .allow_dangerous_name = true};
    bool replaced;

    (void)state;
    world_begin("set-variable");
    assert_int_equal(world_end(variable_set(world.vault, &change, &world.failure, &replaced)), STATUS_OK);
    assert_int_equal(unset("x", "LD_PRELOAD"), STATUS_OK);
    assert_int_equal(restore("x", "LD_PRELOAD", 0, false), STATUS_REFUSED);
    assert_int_equal(restore("x", "LD_PRELOAD", 0, true), STATUS_OK);
    assert_string_equal(projected("x", "LD_PRELOAD"), "a.so");
}

static void what_is_forgotten_is_gone_and_what_is_in_force_stays(void **state)
{
    uint64_t count = 0, records;

    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    records = vault_record_count(world.vault);
    assert_int_equal(world_set("x", "A", "2"), STATUS_OK);
    assert_int_equal(world_set("x", "A", "3"), STATUS_OK);
    assert_int_equal(world_set("x", "A", "4"), STATUS_OK);
    assert_int_equal(forget("x", "A", 2, &count), STATUS_OK);
    assert_int_equal(count, 1);
    assert_string_equal(history("x", "A"), "1 replaced, 3 replaced, 4 current");
    assert_null(value("x", "A", 2));
    assert_int_equal(forget("x", "A", 2, &count), STATUS_NOT_FOUND);
    assert_int_equal(world_set("x", "A", "5"), STATUS_OK);
    assert_string_equal(history("x", "A"), "1 replaced, 3 replaced, 4 replaced, 5 current");
    assert_int_equal(forget("x", "A", 0, &count), STATUS_OK);
    assert_int_equal(count, 3);
    assert_string_equal(history("x", "A"), "1 current");
    assert_string_equal(value("x", "A", 0), "5");
    assert_int_equal(vault_record_count(world.vault), records);
    assert_int_equal(forget("x", "A", 0, &count), STATUS_NOT_FOUND);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void old_values_go_with_their_step_and_with_their_account(void **state)
{
    uint64_t records;

    (void)state;
    world_log(1); /* and the day's checkpoint */
    records = vault_record_count(world.vault);
    assert_int_equal(world_set("x/y", "A", "1"), STATUS_OK);
    assert_int_equal(world_set("x/y", "A", "2"), STATUS_OK);
    assert_int_equal(unset("x/y", "A"), STATUS_OK);
    world_begin("remove-step");
    assert_int_equal(world_end(placement_remove_step(world.vault, "x/y", false, &world.failure)), STATUS_OK);
    assert_string_equal(history("x/y", "A"), "none");
    assert_int_equal(vault_record_count(world.vault), records);
    assert_int_equal(world_add("app", "{\"token\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"token\":\"2\"}"), STATUS_OK);
    assert_int_equal(count_account_revisions("app"), 2);
    world_begin("remove-account");
    assert_int_equal(world_end(account_remove(world.vault, "app", &world.leaf, &world.failure)), STATUS_OK);
    assert_int_equal(vault_record_count(world.vault), records);
}

static void an_account_is_restored_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(world_add("app", "{\"token\":\"secret 1\",\"old\":\"secret o\"}"), STATUS_OK);
    assert_int_equal(world_bind("x", "app", NULL), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"token\":\"secret 2\",\"new\":\"secret n\"}"), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"token\":\"secret 2\"}"), STATUS_OK);
    assert_int_equal(count_account_revisions("app"), 2);
    world_begin("rename-account");
    assert_int_equal(
        world_end(account_rename(world.vault, "app", "other", &world.leaf, &world.failure, &world.writer)),
        STATUS_OK);
    assert_int_equal(count_account_revisions("app"), 2);
    assert_int_equal(restore_account("app", 0), STATUS_OK);
    assert_string_equal(projected("x", "APP_TOKEN"), "secret 1");
    assert_string_equal(projected("x", "APP_NEW"), "-");
    assert_int_equal(restore_account("app:other", 0), STATUS_OK);
    assert_string_equal(projected("x", "APP_NEW"), "secret n");
    assert_int_equal(restore_account("app", 7), STATUS_NOT_FOUND);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void an_account_is_not_restored_against_its_bindings(void **state)
{
    JSON_FREEP struct json *only = NULL;
    struct binding_change change = {.path = "x", .account = "app"};

    (void)state;
    assert_int_equal(world_add("app", "{\"options\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_set_account("app", "{\"token\":\"2\"}"), STATUS_OK);
    world_parse("[\"token\"]", &only);
    change.only = only;
    world_begin("bind");
    assert_int_equal(
        world_end(binding_bind(world.vault, &change, &world.leaf, &world.failure, &world.writer)), STATUS_OK);
    assert_int_equal(restore_account("app", 1), STATUS_IN_USE);
    assert_non_null(strstr(world.failure.sentence, "names the property token"));
    assert_int_equal(world_add("other", "{\"options\":\"1\"}"), STATUS_OK);
    assert_int_equal(world_set_account("other", "{\"token\":\"2\"}"), STATUS_OK);
    world_begin("unset");
    JSON_FREEP struct json *none = NULL, *options = NULL;
    world_parse("{}", &none);
    world_parse("[\"options\"]", &options);
    assert_int_equal(world_end(account_set(world.vault, "other", none, options, &no_remark, &world.leaf,
                                           &world.failure, &world.writer)),
                     STATUS_OK);
    assert_int_equal(world_bind("y", "other", "node"), STATUS_OK);
    assert_int_equal(restore_account("other", 0), STATUS_REFUSED);
    assert_non_null(strstr(world.failure.sentence, "NODE_OPTIONS"));
    assert_string_equal(projected("y", "NODE_TOKEN"), "2");
}

static void an_account_over_the_bound_leaves_no_revision(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    char name[8];

    (void)state;
    assert_int_equal(world_add("app", "{\"a\":\"1\"}"), STATUS_OK);
    assert_true(secret_append_text(&text, "{"));
    for (unsigned i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "p%u", i);
        assert_true(secret_append_format(&text, "%s\"%s\":\"", i == 0 ? "" : ",", name));
        for (unsigned j = 0; j < 60000; j++)
            assert_true(secret_append_byte(&text, 'x'));
        assert_true(secret_append_text(&text, "\""));
    }
    assert_true(secret_append_text(&text, "}"));
    assert_int_equal(world_set_account("app", secret_text(&text)), STATUS_OK);
    assert_int_equal(count_account_revisions("app"), 2);
    assert_int_equal(world_set_account("app", "{\"a\":\"2\"}"), STATUS_OK);
    assert_int_equal(count_account_revisions("app"), 1);
    assert_int_equal(restore_account("app", 0), STATUS_NOT_FOUND);
}

static void a_rolled_back_turn_keeps_no_old_value(void **state)
{
    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    world_begin("set-variable");
    assert_int_equal(world_change("x", "A", "2"), STATUS_OK);
    vault_rollback(world.vault);
    assert_string_equal(history("x", "A"), "1 current");
    assert_string_equal(value("x", "A", 0), "1");
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_look_at_a_path_opens_no_old_value(void **state)
{
    CLEANUP(records_reset) struct records placed = {0};
    CLEANUP(records_reset) struct records pasts = {0};

    (void)state;
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    assert_int_equal(world_set("x", "A", "2"), STATUS_OK);
    assert_int_equal(record_list_placed(world.vault, "x", &world.failure, &placed), STATUS_OK);
    assert_int_equal(placed.count, 2);
    for (size_t i = 0; i < placed.count; i++)
        assert_true(placed.items[i].kind == RECORD_PATH || placed.items[i].kind == RECORD_VARIABLE);
    assert_int_equal(record_list_past(world.vault, "x", &world.failure, &pasts), STATUS_OK);
    assert_int_equal(pasts.count, 1);
    assert_int_equal(pasts.items[0].kind, RECORD_PAST_VARIABLE);
}

static void the_same_value_again_keeps_the_expiry(void **state)
{
    const struct remark remark = {.has_expiry = true, .expires_ms = UINT64_C(4102444800000)};

    (void)state;
    assert_int_equal(set_with("x", "A", "1", remark), STATUS_OK);
    assert_int_equal(world_set("x", "A", "1"), STATUS_OK);
    world_begin("list");
    assert_int_equal(
        world_end(variable_list(world.vault, "x", &(struct remark_filter){0}, &world.failure, &world.writer)),
        STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "\"expires\":\"2100-01-01"));
}

static void a_new_value_keeps_the_note_and_drops_the_expiry(void **state)
{
    struct remark remark = {
        .note = "rotated by hand", .has_expiry = true, .expires_ms = UINT64_C(4102444800000)};
    const struct remark_filter all = {0}, expiring = {.expiring = true}, stale = {.stale = true};

    (void)state;
    assert_int_equal(set_with("x", "A", "1", remark), STATUS_OK);
    assert_int_equal(world_set("x", "A", "2"), STATUS_OK);
    world_begin("list");
    assert_int_equal(world_end(variable_list(world.vault, "x", &all, &world.failure, &world.writer)),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "rotated by hand"));
    assert_null(strstr(secret_text(&world.reply), "expires"));
    remark = (struct remark){.note = "", .has_expiry = true, .expires_ms = 1};
    world_begin("annotate-variable");
    assert_int_equal(world_end(variable_annotate(world.vault, "x", "A", &remark, &world.failure)), STATUS_OK);
    world_begin("list");
    assert_int_equal(world_end(variable_list(world.vault, NULL, &expiring, &world.failure, &world.writer)),
                     STATUS_OK);
    assert_non_null(strstr(secret_text(&world.reply), "\"due\":\"expired\""));
    assert_null(strstr(secret_text(&world.reply), "note"));
    world_begin("list");
    assert_int_equal(world_end(variable_list(world.vault, NULL, &stale, &world.failure, &world.writer)),
                     STATUS_OK);
    assert_null(strstr(secret_text(&world.reply), "\"A\""));
    assert_string_equal(history("x", "A"), "1 replaced, 2 current");
    assert_string_equal(projected("x", "A"), "2");
}

static void a_block_and_a_missing_name_have_no_expiry(void **state)
{
    const struct remark expiry = {.has_expiry = true, .expires_ms = 1}, note = {.note = "why"};

    (void)state;
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "x", "A", &world.failure)), STATUS_OK);
    world_begin("annotate-variable");
    assert_int_equal(world_end(variable_annotate(world.vault, "x", "A", &expiry, &world.failure)),
                     STATUS_INVALID);
    world_begin("annotate-variable");
    assert_int_equal(world_end(variable_annotate(world.vault, "x", "A", &note, &world.failure)), STATUS_OK);
    assert_string_equal(history("x", "A"), "1 blocked");
    world_begin("annotate-variable");
    assert_int_equal(world_end(variable_annotate(world.vault, "x", "B", &note, &world.failure)),
                     STATUS_NOT_FOUND);
}

static void remarks_have_a_form(void **state)
{
    struct remark remark;
    char note[NAME_NOTE_MAX + 2];

    (void)state;
    memset(note, 'n', sizeof note);
    note[NAME_NOTE_MAX + 1] = '\0';
    assert_int_equal(remark_read(note, NULL, &world.failure, &remark), STATUS_TOO_LARGE);
    note[NAME_NOTE_MAX] = '\0';
    assert_int_equal(remark_read(note, NULL, &world.failure, &remark), STATUS_OK);
    assert_int_equal(remark_read("two\nlines", NULL, &world.failure, &remark), STATUS_INVALID);
    assert_int_equal(remark_read("\xe2\x80\xaetxt.exe", NULL, &world.failure, &remark), STATUS_INVALID);
    assert_int_equal(remark_read("\xff", NULL, &world.failure, &remark), STATUS_INVALID);
    assert_int_equal(remark_read(NULL, "90d", &world.failure, &remark), STATUS_INVALID);
    assert_int_equal(remark_read(NULL, "2027-02-29", &world.failure, &remark), STATUS_INVALID);
    assert_int_equal(remark_read(NULL, "1970-01-01", &world.failure, &remark), STATUS_INVALID);
    assert_int_equal(remark_read(NULL, "", &world.failure, &remark), STATUS_OK);
    assert_true(remark.has_expiry && remark.expires_ms == 0);
    assert_int_equal(remark_read(NULL, "1970-01-02", &world.failure, &remark), STATUS_OK);
    assert_int_equal(remark.expires_ms, 86400000);
}

static void what_is_due_and_stale_hangs_on_the_clock(void **state)
{
    const uint64_t day = 86400000, now = 20000 * day;

    (void)state;
    assert_int_equal(remark_due_at(0, now), REMARK_NOT_DUE);
    assert_int_equal(remark_due_at(now, now), REMARK_EXPIRED);
    assert_int_equal(remark_due_at(now + 1, now), REMARK_EXPIRING);
    assert_int_equal(remark_due_at(now + 30 * day, now), REMARK_EXPIRING);
    assert_int_equal(remark_due_at(now + 30 * day + 1, now), REMARK_NOT_DUE);
    assert_false(remark_is_stale_at(now - 365 * day, now));
    assert_true(remark_is_stale_at(now - 365 * day - 1, now));
    assert_false(remark_is_stale_at(now + 1, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replaced_values_are_kept_in_order_and_come_out_by_number),
        TEST(the_same_value_again_and_a_block_make_no_revision),
        TEST(the_last_ten_stay_and_numbers_go_on),
        TEST(large_values_push_the_oldest_out_before_there_are_ten),
        TEST(a_restore_is_undone_by_another),
        TEST(an_unset_variable_is_listed_and_comes_back_with_its_note_and_expiry),
        TEST(a_restored_dangerous_name_needs_to_be_allowed_again),
        TEST(what_is_forgotten_is_gone_and_what_is_in_force_stays),
        TEST(old_values_go_with_their_step_and_with_their_account),
        TEST(an_account_is_restored_as_it_was),
        TEST(an_account_is_not_restored_against_its_bindings),
        TEST(an_account_over_the_bound_leaves_no_revision),
        TEST(a_rolled_back_turn_keeps_no_old_value),
        TEST(a_look_at_a_path_opens_no_old_value),
        TEST(the_same_value_again_keeps_the_expiry),
        TEST(a_new_value_keeps_the_note_and_drops_the_expiry),
        TEST(a_block_and_a_missing_name_have_no_expiry),
        TEST(remarks_have_a_form),
        TEST(what_is_due_and_stale_hangs_on_the_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
