/* A new vault key: what stays as it was, what opens, and that nothing of the old epoch is left. */
#include "rekey.h"

#include "check.h"
#include "store/snapshot.h"
#include "vault_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PIECE 12 /* bytes of anything old that must not be found again */

static struct vault_new_slot slots[VAULT_SLOTS_MAX];
static struct rekey_claim claims[VAULT_SLOTS_MAX];
static struct rekey_outcome outcome;

/* The machine slot of the world goes on, with another salt. */
static void keep_world_slot(uint8_t salt)
{
    memset(slots, 0, sizeof slots);
    memset(claims, 0, sizeof claims);
    slots[0] = world.slot;
    memset(slots[0].header.kdf.salt, salt, sizeof slots[0].header.kdf.salt);
    claims[0].continues = true;
    memcpy(claims[0].old_key, world.slot.key, sizeof claims[0].old_key);
}

static enum status rekey(size_t count)
{
    rekey_outcome_reset(&outcome);
    world_begin("rekey");
    enum status status =
        world_end(rekey_run(world.vault, slots, claims, count, &world.leaf, &world.failure, &outcome));
    if (status == STATUS_OK)
        assert_true(vault_fold(world.vault));
    return status;
}

static void furnish(void)
{
    char value[3000];

    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_int_equal(world_set("/", "EVERYWHERE", "x"), STATUS_OK);
    assert_int_equal(world_set("billing/notify", "STRIPE_KEY", "sk_live_1"), STATUS_OK);
    assert_int_equal(world_set("billing/notify", "STRIPE_KEY", "sk_live_2"), STATUS_OK);
    assert_int_equal(world_set("billing", "LONG", value), STATUS_OK);
    assert_int_equal(world_set("billing", "GONE", "was here"), STATUS_OK);
    assert_int_equal(world_add("slack", "{\"oauth_access_token\":\"t\",\"oauth_refresh_token\":\"r\"}"),
                     STATUS_OK);
    assert_int_equal(world_add("openai", "{\"api_key\":\"k\"}"), STATUS_OK);
    assert_int_equal(world_set_account("openai", "{\"api_key\":\"k2\",\"organization\":\"o\"}"), STATUS_OK);
    assert_int_equal(world_bind("billing/notify", "slack", NULL), STATUS_OK);
    assert_int_equal(world_bind("billing", "openai", "ai"), STATUS_OK);
    world_begin("unset-variable");
    assert_int_equal(world_end(variable_unset(world.vault, "billing", "GONE", &world.failure)), STATUS_OK);
    world_begin("block-variable");
    assert_int_equal(world_end(variable_block(world.vault, "billing/notify", "EVERYWHERE", &world.failure)),
                     STATUS_OK);
    world_begin("checkpoint");
    assert_int_equal(world_end(log_keep_head(world.vault, &world.failure)), STATUS_OK);
}

/* Every record but the keys, in order of id: its fields, and how many names it gives. */
static void dump(struct secret *text)
{
    struct store_rows rows = {0};

    secret_clear(text);
    assert_int_equal(store_page_by_id(world.vault->store, NULL, 1000, &world.failure, &rows), STATUS_OK);
    for (size_t i = 0; i < rows.count; i++) {
        CLEANUP(record_reset) struct record record = {0};

        assert_int_equal(record_open(world.vault, &rows.records[i], &world.failure, &record), STATUS_OK);
        if (record.kind == RECORD_KEY)
            continue;
        assert_true(secret_append(text, record.id, sizeof record.id));
        assert_true(secret_append(text, record.document, record.size));
        assert_true(secret_append_format(text, "%zu", record.finals_size));
        assert_int_equal(rows.records[i].epoch, world.vault->epoch);
    }
    store_rows_reset(&rows);
}

static bool knows(const char *name)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    record_hash_final(world.vault, name, hash);
    return state_knows_name(&world.vault->state, hash);
}

static void everything_in_the_vault_is_as_it_was(void **state)
{
    static const char *const names[] = {
        "EVERYWHERE", "STRIPE_KEY",      "LONG",          "SLACK_OAUTH_ACCESS_TOKEN",
        "AI_API_KEY", "AI_ORGANIZATION", "OPENAI_API_KEY"};
    CLEANUP(secret_reset) struct secret before = {0};
    CLEANUP(secret_reset) struct secret after = {0};
    uint64_t name_count;

    (void)state;
    furnish();
    for (uint8_t round = 1; round <= 3; round++) {
        dump(&before);
        name_count = world.vault->state.name_count;
        keep_world_slot(round);
        assert_int_equal(rekey(1), STATUS_OK);
        assert_int_equal(vault_epoch(world.vault), round + 1u);
        for (int reopened = 0; reopened < 2; reopened++) {
            dump(&after);
            assert_int_equal(after.size, before.size);
            assert_memory_equal(after.bytes, before.bytes, before.size);
            assert_int_equal(world.vault->state.name_count, name_count);
            for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                assert_true(knows(names[i]));
            assert_false(knows("GONE"));
            assert_int_equal(world_verify(), STATUS_OK);
            world_reopen();
        }
        assert_int_equal(world_set("billing", "AFTER", "later"), STATUS_OK);
    }
}

static void what_came_before_stays_in_the_log_and_readable(void **state)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];
    char notes[3][NOTE_MAX];
    struct note_checkpoint checkpoint;
    size_t eras, era;

    (void)state;
    furnish();
    world_log(600);
    for (uint8_t round = 0; round < 3; round++) {
        memcpy(notes[round], log_head(world.vault), sizeof notes[round]);
        keep_world_slot((uint8_t)(round + 1));
        assert_int_equal(rekey(1), STATUS_OK);
        world_log(10);
    }
    world_reopen();
    (void)log_eras(world.vault, &eras);
    assert_int_equal(eras, 4);
    for (uint64_t i = 0; i < log_size(world.vault); i++)
        assert_int_equal(log_read(world.vault, i, &world.failure, &line, hash), STATUS_OK);
    for (size_t round = 0; round < 3; round++) {
        assert_int_equal(log_verify_note(world.vault, notes[round], &world.failure, &checkpoint, &era),
                         STATUS_OK);
        assert_int_equal(era, round);
    }
    assert_int_equal(world_verify(), STATUS_OK);
}

static void kept_checkpoints_are_kept(void **state)
{
    struct log_verification *verification = NULL;
    bool done = false;

    (void)state;
    furnish();
    for (int i = 0; i < 150; i++) {
        world_begin("checkpoint");
        assert_int_equal(world_end(log_keep_head(world.vault, &world.failure)), STATUS_OK);
    }
    uint64_t day = world.vault->log.kept_day;
    keep_world_slot(1);
    assert_int_equal(rekey(1), STATUS_OK);
    world_reopen();
    assert_int_equal(world.vault->log.kept_day, day);
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    while (!done)
        assert_int_equal(log_verification_continue(verification, 100, &world.failure, &done), STATUS_OK);
    /* These, and the one of the day. */
    assert_in_range(log_verification_checkpoints(verification), 151, 152);
    log_verification_freep(&verification);
}

/* ---- What is under way meanwhile ---- */

static void a_check_that_is_under_way_finds_nothing_wrong(void **state)
{
    struct check *check = NULL;
    bool done = false;

    (void)state;
    furnish();
    for (unsigned slices = 0; slices < 12 && !done; slices++) {
        assert_int_equal(check_start(world.vault, NULL, &world.failure, &check), STATUS_OK);
        done = false;
        for (unsigned i = 0; i < slices && !done; i++)
            done = check_continue(check);
        keep_world_slot((uint8_t)(slices + 1));
        assert_int_equal(rekey(1), STATUS_OK);
        while (!check_continue(check))
            continue;
        for (int part = 0; part < CHECK_PART_COUNT; part++) {
            const struct check_finding *finding = check_finding(check, (enum check_part)part);
            if (finding->verdict != CHECK_HOLDS)
                fail_msg("after %u slices: %s", slices, finding->detail);
        }
        check_freep(&check);
    }
}

static void a_backup_that_is_being_copied_comes_first(void **state)
{
    struct store_snapshot *snapshot = NULL;

    (void)state;
    furnish();
    keep_world_slot(1);
    assert_int_equal(vault_start_snapshot(world.vault, &world.failure, &snapshot), STATUS_OK);
    assert_int_equal(rekey(1), STATUS_BUSY);
    assert_int_equal(vault_epoch(world.vault), 1);
    store_snapshot_freep(&snapshot);
    assert_int_equal(rekey(1), STATUS_OK);
}

/* ---- What is left in the file ---- */

struct old {
    uint8_t *bytes;
    size_t size;
};

static void remember(struct old *old, const void *bytes, size_t size)
{
    for (size_t at = 0; at + PIECE <= size; at += PIECE) {
        old->bytes = realloc(old->bytes, old->size + PIECE);
        assert_non_null(old->bytes);
        memcpy(old->bytes + old->size, (const uint8_t *)bytes + at, PIECE);
        old->size += PIECE;
    }
}

/* Pieces of all columns that a rekey makes anew. */
static void remember_rows(struct old *old)
{
    static const char *const columns[] = {
        "SELECT body FROM records",      "SELECT place FROM records",
        "SELECT name FROM records",      "SELECT link FROM records",
        "SELECT finals FROM records",    "SELECT salt FROM slots WHERE salt <> zeroblob(16)",
        "SELECT commitment FROM slots",  "SELECT wrapped FROM slots",
        "SELECT sealed FROM state",      "SELECT bytes FROM segments",
        "SELECT bytes FROM checkpoints",
    };
    sqlite3 *handle = NULL;

    assert_int_equal(sqlite3_open(world.path, &handle), SQLITE_OK);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(handle, columns[i], -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
            remember(old, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
        sqlite3_finalize(statement);
    }
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static int compare_pieces(const void *left, const void *right)
{
    return memcmp(left, right, PIECE);
}

/* How many of the remembered pieces are in the file somewhere. */
static size_t count_left(const struct old *old, const char *suffix)
{
    char path[160];
    struct stat facts;
    size_t found = 0;

    snprintf(path, sizeof path, "%s%s", world.path, suffix);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0 && fstat(file, &facts) == 0);
    uint8_t *bytes = malloc((size_t)facts.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(file, bytes, (size_t)facts.st_size), facts.st_size);
    close(file);
    for (size_t at = 0; at + PIECE <= (size_t)facts.st_size; at++)
        found += bsearch(bytes + at, old->bytes, old->size / PIECE, PIECE, compare_pieces) != NULL;
    free(bytes);
    return found;
}

static void nothing_of_the_old_epoch_is_left_in_the_file(void **state)
{
    struct old old = {0};
    char name[32];

    (void)state;
    furnish();
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "NAME_%d", i);
        assert_int_equal(world_set(i % 2 == 0 ? "billing" : "jobs/nightly", name, "first"), STATUS_OK);
        if (i % 3 == 0)
            assert_int_equal(world_set(i % 2 == 0 ? "billing" : "jobs/nightly", name, "second"), STATUS_OK);
    }
    world_close();
    remember_rows(&old);
    world_reopen();
    vault_reserve(world.vault);
    /* These stay in the write-ahead log at first. */
    for (int i = 0; i < 20; i++)
        assert_int_equal(world_set("billing", "NAME_0", i % 2 == 0 ? "a" : "b"), STATUS_OK);
    qsort(old.bytes, old.size / PIECE, PIECE, compare_pieces);
    assert_true(count_left(&old, "") > 1000);
    keep_world_slot(1);
    assert_int_equal(rekey(1), STATUS_OK);
    assert_int_equal(count_left(&old, "-wal"), 0);
    assert_int_equal(count_left(&old, ""), 0);
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
    assert_int_equal(count_left(&old, ""), 0);
    free(old.bytes);
}

/* ---- Slots and keys ---- */

static void add(enum slot_kind kind, uint8_t number)
{
    struct vault_new_slot slot = world_slot(kind, number);

    world_begin("add-slot");
    assert_int_equal(world_end(vault_add_slot(world.vault, &slot, &world.failure)), STATUS_OK);
}

/* The slot `number` goes on under another salt, with the key `number` + 100. */
static void keep(size_t at, enum slot_kind kind, uint8_t number)
{
    slots[at] = world_slot(kind, number);
    memset(slots[at].header.kdf.salt, number + 100, sizeof slots[at].header.kdf.salt);
    memset(slots[at].key, number + 100, sizeof slots[at].key);
    slots[at].header.created_ms = 99;
    claims[at].continues = true;
    memset(claims[at].old_key, number, sizeof claims[at].old_key);
}

static enum status open_by(uint8_t id, uint8_t key_byte)
{
    struct vault_key key = {.has_slot = true};

    world_close();
    memset(key.slot, id, sizeof key.slot);
    memset(key.key, key_byte, sizeof key.key);
    return vault_open(world.path, &key, 0, &world.failure, &world.vault);
}

static void only_the_slots_that_are_named_open_the_vault(void **state)
{
    struct slot_header *headers = NULL;
    size_t count;

    (void)state;
    add(SLOT_PASSPHRASE, 1);
    add(SLOT_LOGIN, 2);
    add(SLOT_RECOVERY, 3);
    add(SLOT_MACHINE, 4);
    memset(slots, 0, sizeof slots);
    memset(claims, 0, sizeof claims);
    keep(0, SLOT_PASSPHRASE, 1);
    keep(1, SLOT_MACHINE, 4);
    memset(slots[1].header.id, 55, sizeof slots[1].header.id); /* a key file's slot is found by its key */
    slots[2] = world_slot(SLOT_RECOVERY, 5);
    assert_int_equal(rekey(3), STATUS_OK);
    assert_int_equal(outcome.removed_count, 3); /* the world's, the login's, the old recovery code's */
    assert_int_equal(vault_list_slots(world.vault, &world.failure, &headers, &count), STATUS_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(headers[i].created_ms, headers[i].id[0]);
    free(headers);
    assert_int_equal(open_by(1, 101), STATUS_OK);
    assert_int_equal(open_by(4, 104), STATUS_OK);
    assert_int_equal(open_by(5, 5), STATUS_OK);
    assert_int_equal(world_verify(), STATUS_OK);
    assert_int_equal(open_by(1, 1), STATUS_WRONG_KEY);
    assert_int_equal(open_by(4, 4), STATUS_WRONG_KEY);
    assert_int_equal(open_by(2, 2), STATUS_NOT_FOUND);
    assert_int_equal(open_by(3, 3), STATUS_NOT_FOUND);
    assert_int_equal(open_by(7, 9), STATUS_NOT_FOUND);
    rekey_outcome_reset(&outcome);
}

static void copy_file(const char *to)
{
    char command[400];

    snprintf(command, sizeof command, "cp %s %s", world.path, to);
    assert_int_equal(system(command), 0);
}

static void an_older_copy_still_opens_and_its_slots_open_nothing_newer(void **state)
{
    struct vault *older = NULL;
    char copy[160];
    struct vault_key key = world_key();

    (void)state;
    furnish();
    world_close();
    snprintf(copy, sizeof copy, "%s/older.db", world.folder);
    copy_file(copy);
    world_reopen();
    uint8_t *old_key = secret_allocate(SEAL_KEY_SIZE);
    assert_non_null(old_key);
    memcpy(old_key, world.vault->keys->vault, SEAL_KEY_SIZE);
    keep_world_slot(1);
    assert_int_equal(rekey(1), STATUS_OK);
    assert_memory_not_equal(old_key, world.vault->keys->vault, SEAL_KEY_SIZE);
    secret_free(old_key);
    assert_int_equal(vault_open(copy, &key, 0, &world.failure, &older), STATUS_OK);
    vault_freep(&older);
    world_close();
    /* A slot of the older copy in the newer file. */
    char sql[400];
    snprintf(sql, sizeof sql,
             "ATTACH '%s' AS older; DELETE FROM slots; INSERT INTO slots SELECT * FROM older.slots", copy);
    world_edit(sql);
    assert_int_equal(world_try_open(), STATUS_WRONG_KEY);
    unlink(copy);
}

static enum status check(size_t count)
{
    rekey_outcome_reset(&outcome);
    return rekey_check(world.vault, slots, claims, count, &world.failure, &outcome);
}

static void a_set_of_slots_that_breaks_a_rule_changes_nothing(void **state)
{
    (void)state;
    add(SLOT_PASSPHRASE, 1);
    add(SLOT_MACHINE, 4);
    memset(slots, 0, sizeof slots);
    memset(claims, 0, sizeof claims);
    assert_int_equal(check(0), STATUS_INVALID);
    keep(0, SLOT_PASSPHRASE, 1);
    assert_int_equal(check(1), STATUS_OK);
    assert_int_equal(outcome.removed_count, 2);
    memset(claims[0].old_key, 8, sizeof claims[0].old_key);
    assert_int_equal(check(1), STATUS_WRONG_KEY);
    assert_int_equal(rekey(1), STATUS_WRONG_KEY);
    keep(0, SLOT_PASSPHRASE, 1);
    memset(slots[0].header.kdf.salt, 1, sizeof slots[0].header.kdf.salt);
    assert_int_equal(check(1), STATUS_INVALID);
    keep(0, SLOT_LOGIN, 1);
    assert_int_equal(check(1), STATUS_WRONG_KEY);
    keep(0, SLOT_MACHINE, 4);
    keep(1, SLOT_MACHINE, 4);
    assert_int_equal(check(2), STATUS_EXISTS);
    keep(0, SLOT_PASSPHRASE, 1);
    slots[1] = world_slot(SLOT_PASSPHRASE, 6);
    claims[1].continues = false;
    assert_int_equal(check(2), STATUS_EXISTS);
    slots[1] = world_slot(SLOT_RECOVERY, 4); /* the id of another slot */
    memset(slots[1].header.kdf.salt, 6, sizeof slots[1].header.kdf.salt);
    assert_int_equal(check(2), STATUS_EXISTS);
    slots[0] = world_slot(SLOT_RECOVERY, 6);
    claims[0].continues = false;
    assert_int_equal(check(1), STATUS_INVALID);
    assert_int_equal(rekey(1), STATUS_INVALID);
    assert_int_equal(vault_epoch(world.vault), 1);
    assert_int_equal(world_verify(), STATUS_OK);
    assert_int_equal(open_by(1, 1), STATUS_OK);
}

static size_t count_all(void)
{
    struct slot_header *headers = NULL;
    size_t count = 0;

    enum status status = vault_list_slots(world.vault, &world.failure, &headers, &count);
    free(headers);
    return status == STATUS_OK ? count : 0;
}

static void what_is_refused_after_a_rekey_does_not_bring_the_old_keys_back(void **state)
{
    (void)state;
    furnish();
    keep_world_slot(1);
    slots[1] = world_slot(SLOT_MACHINE, 5);
    assert_int_equal(rekey(2), STATUS_OK);
    assert_null(world.vault->former);
    assert_int_equal(count_all(), 2);
    keep_world_slot(1);
    assert_int_equal(rekey(1), STATUS_INVALID);
    assert_int_equal(count_all(), 2);
    world_log(1);
    assert_int_equal(count_all(), 2);
    keep_world_slot(2);
    memset(claims[0].old_key, 0, sizeof claims[0].old_key);
    assert_int_equal(rekey(1), STATUS_WRONG_KEY);
    assert_int_equal(vault_epoch(world.vault), 2);
    assert_int_equal(world_verify(), STATUS_OK);
}

/* ---- Undoing ---- */

static void a_rolled_back_rekey_leaves_all_as_it_was(void **state)
{
    CLEANUP(secret_reset) struct secret before = {0};
    CLEANUP(secret_reset) struct secret after = {0};
    char verifier[NOTE_VERIFIER_MAX], now[NOTE_VERIFIER_MAX];
    size_t eras;

    (void)state;
    furnish();
    dump(&before);
    log_verifier(world.vault, verifier);
    world_begin("rekey");
    assert_int_equal(world_change("billing", "SAME_TURN", "x"), STATUS_OK);
    keep_world_slot(1);
    assert_int_equal(rekey_run(world.vault, slots, claims, 1, &world.leaf, &world.failure, &outcome),
                     STATUS_OK);
    assert_int_equal(vault_epoch(world.vault), 2);
    vault_rollback(world.vault);
    for (int reopened = 0; reopened < 2; reopened++) {
        assert_int_equal(vault_epoch(world.vault), 1);
        dump(&after);
        assert_int_equal(after.size, before.size);
        assert_memory_equal(after.bytes, before.bytes, before.size);
        assert_true(knows("STRIPE_KEY"));
        assert_false(knows("SAME_TURN"));
        log_verifier(world.vault, now);
        assert_string_equal(now, verifier);
        (void)log_eras(world.vault, &eras);
        assert_int_equal(eras, 1);
        assert_int_equal(world_set("billing", "AFTER", "x"), STATUS_OK);
        world_begin("unset-variable");
        assert_int_equal(world_end(variable_unset(world.vault, "billing", "AFTER", &world.failure)),
                         STATUS_OK);
        world_begin("forget-variable");
        uint64_t count;
        assert_int_equal(
            world_end(variable_forget(world.vault, "billing", "AFTER", 0, &world.failure, &count)),
            STATUS_OK);
        assert_int_equal(world_verify(), STATUS_OK);
        world_reopen();
    }
    keep_world_slot(2);
    assert_int_equal(rekey(1), STATUS_OK);
    assert_int_equal(world_verify(), STATUS_OK);
}

static void a_rekey_that_fails_halfway_leaves_all_as_it_was(void **state)
{
    static char long_reason[LEAF_LINE_MAX + 2];

    (void)state;
    furnish();
    memset(long_reason, 'x', sizeof long_reason - 1);
    for (int last = 0; last < 2; last++) {
        keep_world_slot(1);
        world_begin("rekey");
        if (last == 0) /* the indices cannot be taken away twice */
            assert_int_equal(store_load_begin(world.vault->store, &world.failure), STATUS_OK);
        else /* everything is done but the leaf, which is too long */
            world.leaf.reason = long_reason;
        assert_int_not_equal(rekey_run(world.vault, slots, claims, 1, &world.leaf, &world.failure, &outcome),
                             STATUS_OK);
        world.leaf.reason = NULL;
        assert_true(vault_is_broken(world.vault));
        assert_int_equal(world.leaf.details.size, 0);
        vault_rollback(world.vault);
        assert_int_equal(vault_epoch(world.vault), 1);
        assert_int_equal(world_set("billing", "AFTER", "x"), STATUS_OK);
        assert_int_equal(world_verify(), STATUS_OK);
        world_reopen();
        assert_int_equal(world_verify(), STATUS_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_in_the_vault_is_as_it_was),
        TEST(what_came_before_stays_in_the_log_and_readable),
        TEST(kept_checkpoints_are_kept),
        TEST(a_check_that_is_under_way_finds_nothing_wrong),
        TEST(a_backup_that_is_being_copied_comes_first),
        TEST(nothing_of_the_old_epoch_is_left_in_the_file),
        TEST(only_the_slots_that_are_named_open_the_vault),
        TEST(an_older_copy_still_opens_and_its_slots_open_nothing_newer),
        TEST(a_set_of_slots_that_breaks_a_rule_changes_nothing),
        TEST(what_is_refused_after_a_rekey_does_not_bring_the_old_keys_back),
        TEST(a_rolled_back_rekey_leaves_all_as_it_was),
        TEST(a_rekey_that_fails_halfway_leaves_all_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
