/* What the tests of the vault's nouns share: a vault in a folder of its own, turns on it, and changes of its
 * closed file as somebody with SQLite at hand would make them. */
#ifndef STEPVAULT_TESTS_VAULT_FIXTURE_H
#define STEPVAULT_TESTS_VAULT_FIXTURE_H

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"
#include "crypto/seal.h"
#include "interior.h"
#include "log.h"
#include "placement.h"
#include "projection.h"
#include "record.h"
#include "remark.h"
#include "variable.h"
#include "vault.h"
#include "json/json.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char folder[64];
    char path[128];
    struct vault *vault;
    struct vault_new_slot slot; /* the machine slot it is made with */
    struct failure failure;
    struct secret reply;
    struct json_writer writer;
    struct leaf leaf;
};

static struct world world;
static const struct leaf_caller caller = {.uid = 1000, .gid = 1000, .pid = 42, .program = "/usr/bin/tester"};

static const struct remark no_remark;

/* One whose id, salt, key and time are all this number. */
static inline struct vault_new_slot world_slot(enum slot_kind kind, uint8_t number)
{
    struct vault_new_slot slot = {
        .header = {.kind = kind, .created_ms = number}
    };

    if (kind == SLOT_PASSPHRASE || kind == SLOT_LOGIN)
        slot.header.kdf = (struct slot_kdf){.memory_kib = 65536, .passes = 3, .lanes = 4};
    memset(slot.header.id, number, sizeof slot.header.id);
    memset(slot.header.kdf.salt, number, sizeof slot.header.kdf.salt);
    memset(slot.key, number, sizeof slot.key);
    return slot;
}

static inline struct vault_key world_key(void)
{
    struct vault_key key = {.has_slot = false};

    memcpy(key.key, world.slot.key, sizeof key.key);
    return key;
}

static inline int world_start(void **state)
{
    struct failure failure;

    (void)state;
    memset(&world, 0, sizeof world);
    strcpy(world.folder, "/tmp/stepvault-noun-XXXXXX");
    if (mkdtemp(world.folder) == NULL || seal_start(&failure) != STATUS_OK)
        return -1;
    snprintf(world.path, sizeof world.path, "%s/vault.db", world.folder);
    json_start();
    world.slot.header.kind = SLOT_MACHINE;
    memset(world.slot.header.id, 7, sizeof world.slot.header.id);
    memset(world.slot.key, 9, sizeof world.slot.key);
    return vault_create(world.path, &world.slot, 1, &caller, &world.failure, &world.vault) == STATUS_OK ? 0
                                                                                                        : -1;
}

static inline int world_stop(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[160];

    (void)state;
    leaf_reset(&world.leaf);
    secret_reset(&world.reply);
    vault_freep(&world.vault);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", world.path, suffixes[i]);
        unlink(path);
    }
    return rmdir(world.folder);
}

static inline void world_close(void)
{
    vault_freep(&world.vault);
}

static inline enum status world_try_open(void)
{
    struct vault_key key = world_key();

    return vault_open(world.path, &key, 0, &world.failure, &world.vault);
}

static inline void world_reopen(void)
{
    world_close();
    enum status status = world_try_open();
    if (status != STATUS_OK)
        print_error("%s\n", world.failure.sentence);
    assert_int_equal(status, STATUS_OK);
}

static inline void world_begin(const char *action)
{
    leaf_reset(&world.leaf);
    world.leaf.action = action;
    world.leaf.caller = &caller;
    secret_clear(&world.reply);
    json_writer_start(&world.writer, &world.reply);
    json_open_object(&world.writer, NULL);
    assert_int_equal(vault_begin(world.vault, &world.failure), STATUS_OK);
}

/* Ends the turn: with its leaf and a commit where `status` is good, else by rolling back. */
static inline enum status world_end(enum status status)
{
    json_close_object(&world.writer);
    if (status == STATUS_OK && !world.leaf.appended) {
        world.leaf.granted = true;
        assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    }
    if (status == STATUS_OK)
        assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
    else
        vault_rollback(world.vault);
    return status;
}

static inline enum status world_change(const char *path, const char *name, const char *value)
{
    struct variable_change change = {.path = path, .name = name, .value = value, .size = strlen(value)};
    bool replaced;

    return variable_set(world.vault, &change, &world.failure, &replaced);
}

static inline enum status world_set(const char *path, const char *name, const char *value)
{
    world_begin("set-variable");
    return world_end(world_change(path, name, value));
}

static inline void world_parse(const char *text, struct json **ret_json)
{
    assert_int_equal(json_parse(text, strlen(text), "test", &world.failure, ret_json), STATUS_OK);
}

static inline enum status world_add_labelled(const char *app, const char *label, const char *properties)
{
    struct json *json = NULL;

    world_parse(properties, &json);
    world_begin("add-account");
    enum status status = world_end(
        account_add(world.vault, app, label, json, &no_remark, &world.leaf, &world.failure, &world.writer));
    json_freep(&json);
    return status;
}

static inline enum status world_add(const char *app, const char *properties)
{
    return world_add_labelled(app, NULL, properties);
}

static inline enum status world_set_account(const char *account, const char *properties)
{
    struct json *json = NULL;

    world_parse(properties, &json);
    world_begin("set-account");
    enum status status = world_end(account_set(world.vault, account, json, NULL, &no_remark, &world.leaf,
                                               &world.failure, &world.writer));
    json_freep(&json);
    return status;
}

/* `only` and `environment` are those of the change as JSON, or NULL. */
static inline enum status world_bind_with(struct binding_change change, const char *only,
                                          const char *environment)
{
    CLEANUP(json_freep) struct json *properties = NULL;
    CLEANUP(json_freep) struct json *names = NULL;

    if (only != NULL)
        world_parse(only, &properties);
    if (environment != NULL)
        world_parse(environment, &names);
    change.only = properties;
    change.environment = names;
    world_begin("bind");
    return world_end(binding_bind(world.vault, &change, &world.leaf, &world.failure, &world.writer));
}

static inline enum status world_bind(const char *path, const char *account, const char *alias)
{
    return world_bind_with((struct binding_change){.path = path, .account = account, .alias = alias}, NULL,
                           NULL);
}

/* `count` leaves in one turn that change no row. */
static inline void world_log(unsigned count)
{
    world_begin("log");
    for (unsigned i = 0; i < count; i++) {
        world.leaf.granted = true;
        assert_int_equal(log_append(world.vault, &world.leaf, &world.failure), STATUS_OK);
    }
    assert_int_equal(vault_commit(world.vault, &world.failure), STATUS_OK);
}

/* Verifies the whole log. */
static inline enum status world_verify(void)
{
    struct log_verification *verification = NULL;
    bool done = false;

    enum status status = log_verification_start(world.vault, &world.failure, &verification);
    while (status == STATUS_OK && !done)
        status = log_verification_continue(verification, 100, &world.failure, &done);
    log_verification_freep(&verification);
    if (status != STATUS_OK)
        print_message("%s\n", world.failure.sentence);
    return status;
}

/* Changes the closed file; the checks of its tables do not hold the one who does. */
static inline void world_edit(const char *sql)
{
    sqlite3 *handle = NULL;
    char *error = NULL;

    assert_int_equal(sqlite3_open(world.path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL),
                     SQLITE_OK);
    if (sqlite3_exec(handle, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", sql, error);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

/* Flips one bit of a blob of the closed file: `byte` from its beginning, or before its end if negative. */
static inline void world_flip(const char *table, const char *column, const char *where, int byte)
{
    char sql[256];
    sqlite3 *handle = NULL;
    sqlite3_stmt *statement = NULL;
    uint8_t *bytes;
    int size;

    assert_int_equal(sqlite3_open(world.path, &handle), SQLITE_OK);
    snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE %s", column, table, where);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    size = sqlite3_column_bytes(statement, 0);
    bytes = malloc((size_t)size);
    assert_non_null(bytes);
    memcpy(bytes, sqlite3_column_blob(statement, 0), (size_t)size);
    sqlite3_finalize(statement);
    bytes[byte >= 0 ? byte : size + byte] ^= 1;
    snprintf(sql, sizeof sql, "UPDATE %s SET %s = ?1 WHERE %s", table, column, where);
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(statement, 1, bytes, size, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    assert_int_equal(sqlite3_changes(handle), 1);
    sqlite3_finalize(statement);
    free(bytes);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)

#endif
