/* Damage of every table that belongs to the log is noticed: at open, or by the verification of the whole log
 * (P4). */
#include "vault_fixture.h"

#define LEAVES 600u

/* 600 leaves and two kept checkpoints; closed. */
static int start(void **state)
{
    if (world_start(state) != 0)
        return -1;
    world_log(400);
    world_begin("keep");
    assert_int_equal(world_end(log_keep_head(world.vault, &world.failure)), STATUS_OK);
    world_log((unsigned)(LEAVES - log_size(world.vault)));
    assert_int_equal(world_verify(), STATUS_OK);
    world_close();
    return 0;
}

/* A damage: SQL, or a flipped bit of the blob in `table` where `sql` holds; and what the sentence says of it.
 */
struct damage {
    const char *sql;
    const char *table;
    int byte;
    const char *sentence;
};

static void assert_noticed(const struct damage *damages, size_t count, bool at_open)
{
    void *unused = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct damage *damage = &damages[i];
        if (damage->table == NULL)
            world_edit(damage->sql);
        else
            world_flip(damage->table, strcmp(damage->table, "state") == 0 ? "sealed" : "bytes", damage->sql,
                       damage->byte);
        enum status status = world_try_open();
        if ((status == STATUS_CORRUPT) != at_open)
            fail_msg("status %d at open after %s: %s", (int)status, damage->sql, world.failure.sentence);
        if (!at_open)
            status = world_verify();
        if (status != STATUS_CORRUPT || strstr(world.failure.sentence, damage->sentence) == NULL)
            fail_msg("status %d, \"%s\" after %s", (int)status, world.failure.sentence, damage->sql);
        assert_int_equal(world_stop(&unused), 0);
        assert_int_equal(start(&unused), 0);
    }
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void damage_of_old_leaves_is_found_by_verifying_and_named(void **state)
{
    static const struct damage damages[] = {
        {"number = 0",                                                                                   "leaves", 0,   "entry 0 "  },
        {"number = 3",                                                                                   "leaves", 30,  "entry 3 "  },
        {"number = 255",                                                                                 "leaves", -1,  "entry 255 "},
        {"number = 300",                                                                                 "leaves", 100, "entry 300 "},
        {"DELETE FROM leaves WHERE number = 3",                                                          NULL,     0,   "entry 3 "  },
        {"DELETE FROM leaves WHERE number BETWEEN 1 AND 400",                                            NULL,     0,   "entry 1 "  },
        {"UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE number = 8) WHERE number = 7",       NULL,     0,
         "entry 7 "                                                                                                                 },
        {"UPDATE leaves SET bytes = x'00' WHERE number = 5",                                             NULL,     0,   "entry 5 "  },
        {"UPDATE leaves SET bytes = zeroblob(200000) WHERE number = 5",                                  NULL,     0,   "entry 5 "  },
        {"UPDATE leaves SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) AS BLOB) WHERE number = 5", NULL,
         0,                                                                                                             "entry 5 "  },
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), false);
}

static void damage_of_the_last_leaves_is_found_at_open(void **state)
{
    static const struct damage damages[] = {
        {"number = 599",                                                                               "leaves", 0,  "entry 599 "            },
        {"number = 512",                                                                               "leaves", -1, "entry 512 "            },
        {"UPDATE leaves SET number = -number WHERE number = 5",                                        NULL,     0,  "rows that no vault has"},
        {"DELETE FROM leaves WHERE number = 599",                                                      NULL,     0,  "entries are missing"   },
        {"DELETE FROM leaves WHERE number = 555",                                                      NULL,     0,  ""                      },
        {"DELETE FROM leaves WHERE number < 256",                                                      NULL,     0,  "does not begin"        },
        {"DELETE FROM leaves",                                                                         NULL,     0,  "entries are missing"   },
        {"INSERT INTO leaves SELECT 600, bytes FROM leaves WHERE number = 599",                        NULL,     0,  "more entries"          },
        {"INSERT INTO leaves SELECT 9223372036854775807, bytes FROM leaves WHERE number = 599",        NULL,     0,
         "more entries"                                                                                                                      },
        {"UPDATE leaves SET bytes = (SELECT bytes FROM leaves WHERE number = 598) WHERE number = 599", NULL,
         0,                                                                                                          "entry 599 "            },
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), true);
}

static void damage_of_full_tiles_is_found_by_verifying(void **state)
{
    static const struct damage damages[] = {
        {"number = 0",                                                                           "tiles", 0,  "tile 0 of level 0"},
        {"number = 1",                                                                           "tiles", -1, "tile 1 of level 0"},
        {"DELETE FROM tiles WHERE number = 1",                                                   NULL,    0,  "tile 1 of level 0"},
        {"UPDATE tiles SET bytes = (SELECT bytes FROM tiles WHERE number = 1) WHERE number = 0", NULL,    0,
         "tile 0 of level 0"                                                                                                     },
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), false);
}

static void damage_of_the_unfinished_tiles_and_more_of_them_are_found_at_open(void **state)
{
    static const struct damage damages[] = {
        {"number = (1 << 56)",                                                                   "tiles", 0,  "root"      },
        {"number = (1 << 56)",                                                                   "tiles", -1, "root"      },
        {"DELETE FROM tiles WHERE number >= (1 << 56)",                                          NULL,    0,  "its tiles" },
        {"UPDATE tiles SET bytes = CAST(substr(bytes, 1, 32) AS BLOB) WHERE number = (1 << 56)", NULL,    0,
         "its tiles"                                                                                                      },
        {"UPDATE tiles SET bytes = zeroblob(96) WHERE number = (1 << 56)",                       NULL,    0,  "its tiles" },
        {"INSERT INTO tiles SELECT 2, bytes FROM tiles WHERE number = 1",                        NULL,    0,  "more tiles"},
        {"INSERT INTO tiles SELECT (1 << 56) + 1, bytes FROM tiles WHERE number = 1",            NULL,    0,  "more tiles"},
        {"INSERT INTO tiles SELECT (9 << 56), bytes FROM tiles WHERE number = 1",                NULL,    0,  "more tiles"},
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), true);
}

static void damage_of_segments_and_checkpoints_is_found_at_open(void **state)
{
    static const struct damage damages[] = {
        {"number = 0",                                                                      "segments",    0,  "rows"},
        {"UPDATE segments SET number = 1",                                                  NULL,          0,  "rows"},
        {"DELETE FROM segments",                                                            NULL,          0,  "rows"},
        {"INSERT INTO segments SELECT 100, bytes FROM segments",                            NULL,          0,  "rows"},
        {"number = 1",                                                                      "checkpoints", 0,  "rows"},
        {"number > 100",                                                                    "checkpoints", -1, "rows"},
        {"UPDATE checkpoints SET number = 2 WHERE number = 1",                              NULL,          0,  "rows"},
        {"DELETE FROM checkpoints WHERE number = 1",                                        NULL,          0,  "rows"},
        {"DELETE FROM checkpoints",                                                         NULL,          0,  "rows"},
        {"INSERT INTO checkpoints SELECT 3, bytes FROM checkpoints WHERE number = 1",       NULL,          0,  "rows"},
        {"UPDATE checkpoints SET bytes = (SELECT bytes FROM checkpoints WHERE number = 1)", NULL,          0,  "rows"},
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), true);
}

static void damage_of_the_state_is_found_at_open(void **state)
{
    static const struct damage damages[] = {
        {"id = 0",                                                                                             "state", 0,  "state"},
        {"id = 0",                                                                                             "state", -1, "state"},
        {"UPDATE state SET log_size = log_size - 1",                                                           NULL,    0,  "state"},
        {"UPDATE state SET log_size = 0",                                                                      NULL,    0,  "state"},
        {"UPDATE state SET record_count = record_count + 1",                                                   NULL,    0,  "state"},
        {"UPDATE state SET sealed = x'00'",                                                                    NULL,    0,  "state"},
        {"UPDATE header SET vault_id = zeroblob(16), id = 0 WHERE 0; UPDATE records SET body = zeroblob(300)",
         NULL,                                                                                                          0,  "rows" },
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), true);
}

static void rows_that_no_look_up_would_meet_are_found_at_open(void **state)
{
    static const struct damage damages[] = {
        {"INSERT INTO header SELECT 1, vault_id, epoch FROM header",              NULL, 0, "rows that no vault has"},
        {"INSERT INTO state SELECT 1, log_size, record_count, sealed FROM state", NULL, 0,
         "rows that no vault has"                                                                                  },
        {"INSERT INTO tiles SELECT -1, bytes FROM tiles LIMIT 1",                 NULL, 0, "rows that no vault has"},
        {"INSERT INTO segments SELECT -1, bytes FROM segments LIMIT 1",           NULL, 0, "rows that no vault has"},
        {"INSERT INTO checkpoints SELECT -1, bytes FROM checkpoints LIMIT 1",     NULL, 0,
         "rows that no vault has"                                                                                  },
    };

    (void)state;
    assert_noticed(damages, COUNT(damages), true);
}

static void a_vault_without_its_state_or_header_is_refused(void **state)
{
    (void)state;
    world_edit("DELETE FROM state");
    assert_int_equal(world_try_open(), STATUS_CORRUPT);
    assert_null(world.vault);
}

/* A row is remembered by its id or number, so that one of another table that has the same must not pass for
 * it. */
static void a_slot_with_the_id_of_another_row_is_noticed(void **state)
{
    static const char *const ids[] = {
        "(SELECT id FROM records LIMIT 1)",
        "x'00000003000000000000000000000000'", /* the first segment's key in vault/state.c */
    };
    char sql[300];

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO slots SELECT %s, kind, memory_kib, passes, lanes, salt, created_ms, "
                 "commitment, wrapped"
                 " FROM slots",
                 ids[i]);
        world_edit(sql);
        assert_int_equal(world_try_open(), STATUS_CORRUPT);
        snprintf(sql, sizeof sql, "DELETE FROM slots WHERE id = %s", ids[i]);
        world_edit(sql);
    }
    world_reopen();
}

/* The sealed state of an earlier commit with its clear numbers, over the rows of a later one. */
static void an_older_state_row_over_newer_rows_is_noticed(void **state)
{
    char copy[160], sql[300];

    (void)state;
    snprintf(copy, sizeof copy, "%s/copy", world.folder);
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", copy);
    world_edit(sql);
    world_reopen();
    world_log(1);
    world_close();
    snprintf(sql, sizeof sql,
             "ATTACH '%s' AS copy; DELETE FROM state; INSERT INTO state SELECT * FROM copy.state", copy);
    world_edit(sql);
    unlink(copy);
    assert_int_equal(world_try_open(), STATUS_CORRUPT);
    /* And with its last leaf cut off, it is the older vault, which only somebody who kept a head can tell. */
    world_edit("DELETE FROM leaves WHERE number = 600");
    world_reopen();
    assert_int_equal(log_size(world.vault), LEAVES);
}

static void a_verification_goes_on_while_the_log_grows(void **state)
{
    struct log_verification *verification = NULL;
    uint8_t before[MERKLE_HASH_SIZE], root[MERKLE_HASH_SIZE];
    bool done = false;

    (void)state;
    world_reopen();
    merkle_root(before, &world.vault->log.edge);
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    assert_int_equal(log_verification_total(verification), LEAVES);
    while (!done) {
        world_log(200);
        assert_int_equal(world_set("x", "A", "changed meanwhile"), STATUS_OK);
        assert_int_equal(log_verification_continue(verification, 1, &world.failure, &done), STATUS_OK);
    }
    assert_int_equal(log_verification_position(verification), LEAVES);
    assert_int_equal(log_verification_checkpoints(verification), 2);
    log_verification_root(verification, root);
    assert_memory_equal(root, before, sizeof root);
    log_verification_freep(&verification);
}

static void a_verification_finds_what_was_changed_while_it_ran(void **state)
{
    struct log_verification *verification = NULL;
    bool done = false;

    (void)state;
    world_reopen();
    assert_int_equal(log_verification_start(world.vault, &world.failure, &verification), STATUS_OK);
    assert_int_equal(log_verification_continue(verification, 1, &world.failure, &done), STATUS_OK);
    assert_false(done);
    assert_int_equal(store_begin(world.vault->store, &world.failure), STATUS_OK);
    assert_int_equal(store_remove_blob(world.vault->store, STORE_LEAVES, 500, &world.failure), STATUS_OK);
    assert_int_equal(store_commit(world.vault->store, &world.failure), STATUS_OK);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && !done)
        status = log_verification_continue(verification, 100, &world.failure, &done);
    assert_int_equal(status, STATUS_CORRUPT);
    assert_non_null(strstr(world.failure.sentence, "entry 500 "));
    log_verification_freep(&verification);
}

/* What SQLite holds in memory of a page would hide what the file has there now. */
static void a_log_that_was_read_before_is_read_from_the_file_again(void **state)
{
    struct store_rows rows = {0};

    (void)state;
    world_reopen();
    assert_int_equal(world_verify(), STATUS_OK);
    assert_int_equal(store_list_blobs(world.vault->store, STORE_LEAVES, LEAVES - 1, 1, &world.failure, &rows),
                     STATUS_OK);
    FILE *file = fopen(world.path, "r+b");
    assert_non_null(file);
    static uint8_t bytes[4 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    const uint8_t *at = memmem(bytes, size, rows.blobs[0].bytes, 64);
    assert_non_null(at);
    assert_int_equal(fseek(file, at - bytes, SEEK_SET), 0);
    assert_int_equal(fputc(*at ^ 1, file), *at ^ 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(world_verify(), STATUS_CORRUPT);
    store_rows_reset(&rows);
}

/* Who holds the keys could change rows and seal the state anew; the log would not tell of it. */
static void a_change_without_a_leaf_is_noticed(void **state)
{
    (void)state;
    world_reopen();
    assert_int_equal(vault_begin(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(world_change("x", "A", "unlogged"), STATUS_OK);
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
    assert_int_equal(world_verify(), STATUS_CORRUPT);
}

int main(void)
{
#define WITH_A_LOG(name) cmocka_unit_test_setup_teardown(name, start, world_stop)
    const struct CMUnitTest tests[] = {
        WITH_A_LOG(damage_of_old_leaves_is_found_by_verifying_and_named),
        WITH_A_LOG(damage_of_the_last_leaves_is_found_at_open),
        WITH_A_LOG(damage_of_full_tiles_is_found_by_verifying),
        WITH_A_LOG(damage_of_the_unfinished_tiles_and_more_of_them_are_found_at_open),
        WITH_A_LOG(damage_of_segments_and_checkpoints_is_found_at_open),
        WITH_A_LOG(damage_of_the_state_is_found_at_open),
        WITH_A_LOG(rows_that_no_look_up_would_meet_are_found_at_open),
        WITH_A_LOG(a_vault_without_its_state_or_header_is_refused),
        WITH_A_LOG(a_slot_with_the_id_of_another_row_is_noticed),
        WITH_A_LOG(an_older_state_row_over_newer_rows_is_noticed),
        WITH_A_LOG(a_change_without_a_leaf_is_noticed),
        WITH_A_LOG(a_verification_goes_on_while_the_log_grows),
        WITH_A_LOG(a_log_that_was_read_before_is_read_from_the_file_again),
        WITH_A_LOG(a_verification_finds_what_was_changed_while_it_ran),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
