/* The slots of a vault: which there may be, what opens them, what is noticed of them. */
#include "keyslot.h"

#include "vault_fixture.h"

static enum status add(enum slot_kind kind, uint8_t number)
{
    struct vault_new_slot slot = world_slot(kind, number);

    world_begin("add-slot");
    return world_end(vault_add_slot(world.vault, &slot, &world.failure));
}

static enum status remove_slot(uint8_t number)
{
    struct vault_new_slot slot = world_slot(SLOT_MACHINE, number);

    world_begin("remove-slot");
    return world_end(vault_remove_slot(world.vault, slot.header.id, &world.failure));
}

static uint8_t replaced[SLOT_ID_SIZE];

static enum status replace_kind(enum slot_kind kind, uint8_t number)
{
    struct vault_new_slot slot = world_slot(kind, number);

    world_begin("add-slot");
    return world_end(vault_replace_slot(world.vault, &slot, &world.failure, replaced));
}

static enum status replace(uint8_t number)
{
    return replace_kind(SLOT_PASSPHRASE, number);
}

/* Opens the closed vault by the slot and key that this number stands for. */
static enum status open_by(uint8_t number)
{
    struct vault_key key = {.has_slot = true};

    world_close();
    memset(key.slot, number, sizeof key.slot);
    memset(key.key, number, sizeof key.key);
    return vault_open(world.path, &key, 0, &world.failure, &world.vault);
}

static size_t count_slots(void)
{
    struct slot_header *headers = NULL;
    size_t count = 0;

    assert_int_equal(vault_list_slots(world.vault, &world.failure, &headers, &count), STATUS_OK);
    free(headers);
    return count;
}

static void a_vault_opens_by_each_of_its_slots_and_by_no_other_key(void **state)
{
    struct vault_key key = {.has_slot = true};

    (void)state;
    assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
    assert_int_equal(add(SLOT_LOGIN, 2), STATUS_OK);
    assert_int_equal(add(SLOT_RECOVERY, 3), STATUS_OK);
    for (uint8_t number = 1; number <= 3; number++)
        assert_int_equal(open_by(number), STATUS_OK);
    memset(key.slot, 1, sizeof key.slot);
    memset(key.key, 2, sizeof key.key);
    world_close();
    assert_int_equal(vault_open(world.path, &key, 0, &world.failure, &world.vault), STATUS_WRONG_KEY);
    memset(key.slot, 99, sizeof key.slot);
    assert_int_equal(vault_open(world.path, &key, 0, &world.failure, &world.vault), STATUS_NOT_FOUND);
    /* Without a slot's name only machine slots are tried. */
    key.has_slot = false;
    memset(key.key, 1, sizeof key.key);
    assert_int_equal(vault_open(world.path, &key, 0, &world.failure, &world.vault), STATUS_WRONG_KEY);
    world_reopen();
}

static void a_fresh_key_is_checked_against_the_open_vault(void **state)
{
    struct vault_key key = world_key();

    (void)state;
    assert_int_equal(vault_check_key(world.vault, &key, &world.failure), STATUS_OK);
    key.key[0] ^= 1;
    assert_int_equal(vault_check_key(world.vault, &key, &world.failure), STATUS_WRONG_KEY);
    key.has_slot = true;
    assert_int_equal(vault_check_key(world.vault, &key, &world.failure), STATUS_NOT_FOUND);
}

static void there_are_no_more_slots_of_a_kind_than_its_rule_says(void **state)
{
    (void)state;
    assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
    assert_int_equal(add(SLOT_PASSPHRASE, 2), STATUS_EXISTS);
    assert_int_equal(add(SLOT_LOGIN, 3), STATUS_OK);
    assert_int_equal(add(SLOT_LOGIN, 4), STATUS_OK);
    assert_int_equal(add(SLOT_LOGIN, 5), STATUS_EXISTS);
    assert_int_equal(add(SLOT_RECOVERY, 6), STATUS_OK);
    assert_int_equal(add(SLOT_RECOVERY, 8), STATUS_EXISTS);
    for (uint8_t number = 100; number < 163; number++)
        assert_int_equal(add(SLOT_MACHINE, number), STATUS_OK);
    assert_int_equal(add(SLOT_MACHINE, 163), STATUS_EXISTS);
    assert_non_null(strstr(world.failure.sentence, "64 machine slots"));
    assert_int_equal(count_slots(), 4 + 64);
    world_reopen();
}

static void a_slot_of_no_kind_or_of_a_taken_id_is_refused(void **state)
{
    (void)state;
    assert_int_equal(add((enum slot_kind)0, 1), STATUS_INVALID);
    assert_int_equal(add((enum slot_kind)5, 1), STATUS_INVALID);
    assert_int_equal(add(SLOT_MACHINE, 7), STATUS_EXISTS);
    assert_int_equal(count_slots(), 1);
}

static void a_slot_cannot_take_the_place_of_another_row(void **state)
{
    struct vault_new_slot slot = world_slot(SLOT_MACHINE, 1);

    (void)state;
    /* A record's id, as an account's is to be seen. */
    assert_int_equal(world_add("slack", "{\"a\":\"1\"}"), STATUS_OK);
    assert_true(text_from_hex(slot.header.id, sizeof slot.header.id, world.leaf.account));
    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_EXISTS);
    /* What the state calls its first segment and a checkpoint to come; and nothing at all. */
    state_blob_key(STORE_SEGMENTS, 0, slot.header.id);
    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_INVALID);
    state_blob_key(STORE_CHECKPOINTS, 10, slot.header.id);
    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_INVALID);
    memset(slot.header.id, 0, sizeof slot.header.id);
    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_INVALID);
    assert_int_equal(count_slots(), 1);
    world_reopen();
}

static void a_replaced_passphrase_opens_no_more_and_the_new_one_does(void **state)
{
    (void)state;
    assert_int_equal(replace(2), STATUS_NOT_FOUND);
    assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
    assert_int_equal(add(SLOT_RECOVERY, 3), STATUS_OK);
    assert_int_equal(replace(2), STATUS_OK);
    assert_int_equal(open_by(1), STATUS_NOT_FOUND);
    assert_int_equal(open_by(2), STATUS_OK);
    assert_int_equal(count_slots(), 3);
    /* Under the id of the recovery slot it would take that one's place. */
    assert_int_equal(replace(3), STATUS_EXISTS);
    assert_int_equal(replace(2), STATUS_EXISTS);
    assert_int_equal(open_by(3), STATUS_OK);
    assert_int_equal(open_by(2), STATUS_OK);
}

static void the_only_slot_of_each_kind_can_be_replaced(void **state)
{
    static const enum slot_kind kinds[] = {SLOT_PASSPHRASE, SLOT_LOGIN, SLOT_RECOVERY};

    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(add(kinds[i], (uint8_t)(10 + i)), STATUS_OK);
        assert_int_equal(replace_kind(kinds[i], (uint8_t)(20 + i)), STATUS_OK);
        assert_int_equal(replaced[0], 10 + i);
        assert_int_equal(open_by((uint8_t)(10 + i)), STATUS_NOT_FOUND);
        assert_int_equal(open_by((uint8_t)(20 + i)), STATUS_OK);
    }
    assert_int_equal(replace_kind(SLOT_MACHINE, 30), STATUS_OK);
    assert_int_equal(replaced[0], world.slot.header.id[0]);
    assert_int_equal(open_by(30), STATUS_OK);
    assert_int_equal(count_slots(), 4);
}

static void of_several_slots_of_a_kind_none_is_replaced(void **state)
{
    (void)state;
    assert_int_equal(add(SLOT_MACHINE, 1), STATUS_OK);
    assert_int_equal(replace_kind(SLOT_MACHINE, 2), STATUS_AMBIGUOUS);
    assert_int_equal(add(SLOT_LOGIN, 3), STATUS_OK);
    assert_int_equal(add(SLOT_LOGIN, 4), STATUS_OK);
    assert_int_equal(replace_kind(SLOT_LOGIN, 5), STATUS_AMBIGUOUS);
    assert_int_equal(replace_kind(0, 6), STATUS_NOT_FOUND);
    assert_int_equal(count_slots(), 4);
}

static void the_last_slot_for_every_day_stays(void **state)
{
    (void)state;
    assert_int_equal(remove_slot(99), STATUS_NOT_FOUND);
    assert_int_equal(add(SLOT_RECOVERY, 3), STATUS_OK);
    assert_int_equal(remove_slot(7), STATUS_REFUSED);
    assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
    assert_int_equal(remove_slot(7), STATUS_OK);
    assert_int_equal(remove_slot(1), STATUS_REFUSED);
    assert_int_equal(remove_slot(3), STATUS_OK);
    assert_int_equal(open_by(7), STATUS_NOT_FOUND);
    assert_int_equal(open_by(1), STATUS_OK);
}

static void a_rolled_back_slot_change_is_none(void **state)
{
    struct vault_new_slot slot = world_slot(SLOT_PASSPHRASE, 1);

    (void)state;
    world_begin("add-slot");
    assert_int_equal(vault_add_slot(world.vault, &slot, &world.failure), STATUS_OK);
    assert_int_equal(count_slots(), 2);
    vault_rollback(world.vault);
    assert_int_equal(count_slots(), 1);
    world_reopen();
}

static void a_vault_is_not_made_with_slots_that_break_a_rule(void **state)
{
    struct vault_new_slot slots[VAULT_SLOTS_MAX + 1];
    struct vault *vault = NULL;
    char path[160];

    (void)state;
    snprintf(path, sizeof path, "%s/other.db", world.folder);
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        slots[i] = world_slot(SLOT_MACHINE, (uint8_t)(i + 1));
    assert_int_equal(vault_create(path, slots, 0, &caller, &world.failure, &vault), STATUS_INVALID);
    assert_int_equal(vault_create(path, slots, VAULT_SLOTS_MAX + 1, &caller, &world.failure, &vault),
                     STATUS_INVALID);
    slots[0].header.kind = SLOT_RECOVERY;
    assert_int_equal(vault_create(path, slots, 1, &caller, &world.failure, &vault), STATUS_INVALID);
    slots[0].header.kind = SLOT_PASSPHRASE;
    slots[1].header.kind = SLOT_PASSPHRASE;
    assert_int_equal(vault_create(path, slots, 2, &caller, &world.failure, &vault), STATUS_EXISTS);
    slots[1] = slots[0];
    slots[1].header.kind = SLOT_MACHINE;
    assert_int_equal(vault_create(path, slots, 2, &caller, &world.failure, &vault), STATUS_EXISTS);
    slots[0].header.kind = (enum slot_kind)77;
    assert_int_equal(vault_create(path, slots, 1, &caller, &world.failure, &vault), STATUS_INVALID);
    assert_null(vault);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_locked_vault_shows_the_same_slots_as_the_open_one(void **state)
{
    struct slot_header *open_headers = NULL, *headers = NULL;
    size_t open_count, count;
    uint8_t id[16], open_id[16];
    uint32_t epoch;

    (void)state;
    assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
    assert_int_equal(vault_list_slots(world.vault, &world.failure, &open_headers, &open_count), STATUS_OK);
    memcpy(open_id, vault_id(world.vault), sizeof open_id);
    world_close();
    assert_int_equal(vault_read_slots(world.path, 0, &world.failure, id, &epoch, &headers, &count),
                     STATUS_OK);
    assert_int_equal(count, open_count);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(headers[i].id, open_headers[i].id, sizeof headers[i].id);
        assert_int_equal(headers[i].kind, open_headers[i].kind);
        assert_int_equal(headers[i].kdf.memory_kib, open_headers[i].kdf.memory_kib);
        assert_int_equal(headers[i].created_ms, open_headers[i].created_ms);
    }
    assert_memory_equal(id, open_id, sizeof id);
    assert_int_equal(epoch, 1);
    free(headers);
    free(open_headers);
}

static void a_slot_of_an_unknown_kind_in_the_file_is_damage(void **state)
{
    struct slot_header *headers = NULL;
    size_t count;
    uint8_t id[16];
    uint32_t epoch;

    (void)state;
    world_close();
    world_edit("UPDATE slots SET kind = 77");
    assert_int_equal(vault_read_slots(world.path, 0, &world.failure, id, &epoch, &headers, &count),
                     STATUS_CORRUPT);
    assert_null(headers);
}

static void a_change_of_any_column_of_a_slot_is_noticed_at_open(void **state)
{
    static const char *const edits[] = {
        "UPDATE slots SET kind = 2",
        "UPDATE slots SET memory_kib = memory_kib + 1",
        "UPDATE slots SET passes = passes + 1",
        "UPDATE slots SET lanes = lanes + 1",
        "UPDATE slots SET salt = randomblob(16)",
        "UPDATE slots SET created_ms = created_ms + 1",
        "UPDATE slots SET commitment = randomblob(32)",
        "UPDATE slots SET wrapped = randomblob(72)",
        "UPDATE slots SET id = randomblob(16)",
        "DELETE FROM slots",
        "INSERT INTO slots SELECT randomblob(16), kind, memory_kib, passes, lanes, salt, created_ms, "
        "commitment,"
        " wrapped FROM slots LIMIT 1",
    };
    static const uint8_t others[] = {7, 1};

    (void)state;
    /* Once of the slot that opens, where its key or the state notices; once of another, where the state does.
     */
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        for (size_t j = 0; j < sizeof others; j++) {
            char sql[256];
            void *unused = NULL;
            bool insert = edits[i][0] == 'I';
            assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
            world_close();
            snprintf(sql, sizeof sql, "%s%s%02x%02x%s", edits[i],
                     insert ? " -- " : " WHERE substr(id, 1, 2) = x'", others[j], others[j],
                     insert ? "" : "'");
            world_edit(sql);
            enum status status = world_try_open();
            if (status != STATUS_CORRUPT && (others[j] != 7 || status != STATUS_WRONG_KEY))
                fail_msg("status %d after %s", (int)status, sql);
            assert_int_equal(world_stop(&unused), 0);
            assert_int_equal(world_start(&unused), 0);
        }
    }
}

/* An attacker who once knew a passphrase puts its slot back after it was replaced. */
static void a_replaced_slot_that_is_put_back_is_noticed(void **state)
{
    char copy[160], sql[256];

    (void)state;
    snprintf(copy, sizeof copy, "%s/copy", world.folder);
    assert_int_equal(add(SLOT_PASSPHRASE, 1), STATUS_OK);
    world_close();
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", copy);
    world_edit(sql);
    world_reopen();
    assert_int_equal(replace(2), STATUS_OK);
    world_close();
    snprintf(sql, sizeof sql, "ATTACH '%s' AS copy; INSERT OR IGNORE INTO slots SELECT * FROM copy.slots",
             copy);
    world_edit(sql);
    unlink(copy);
    assert_int_equal(open_by(1), STATUS_CORRUPT);
    assert_int_equal(open_by(2), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_vault_opens_by_each_of_its_slots_and_by_no_other_key),
        TEST(a_fresh_key_is_checked_against_the_open_vault),
        TEST(there_are_no_more_slots_of_a_kind_than_its_rule_says),
        TEST(a_slot_of_no_kind_or_of_a_taken_id_is_refused),
        TEST(a_slot_cannot_take_the_place_of_another_row),
        TEST(a_replaced_passphrase_opens_no_more_and_the_new_one_does),
        TEST(the_only_slot_of_each_kind_can_be_replaced),
        TEST(of_several_slots_of_a_kind_none_is_replaced),
        TEST(the_last_slot_for_every_day_stays),
        TEST(a_rolled_back_slot_change_is_none),
        TEST(a_vault_is_not_made_with_slots_that_break_a_rule),
        TEST(a_locked_vault_shows_the_same_slots_as_the_open_one),
        TEST(a_slot_of_an_unknown_kind_in_the_file_is_damage),
        TEST(a_change_of_any_column_of_a_slot_is_noticed_at_open),
        TEST(a_replaced_slot_that_is_put_back_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
