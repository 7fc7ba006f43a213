/* A vault's file and its write-ahead log with bytes edited, cut, copied and swapped: it is refused with a
 * sentence, or it opens as one of the states the vault had, whole. */
#include "image.h"

#include "base/cleanup.h"
#include "crypto/seal.h"
#include "log.h"
#include "record.h"
#include "variable.h"
#include "vault.h"
#include "json/json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define COMMITS 6u

static uint64_t first_size, records;
static uint8_t hashes[64][MERKLE_HASH_SIZE];
static const struct leaf_caller caller = {.uid = 1, .pid = 1};
static struct failure failure;

static enum status set(struct vault *vault, unsigned number)
{
    struct leaf leaf = {.action = "set-variable", .granted = true, .caller = &caller};
    struct variable_change change = {.path = "x", .name = "A", .value = "value 0", .size = 7};
    char value[] = "value 0";
    bool replaced;

    value[6] = (char)('0' + number);
    change.value = value;
    enum status status = vault_begin(vault, &failure);
    if (status == STATUS_OK)
        status = variable_set(vault, &change, &failure, &replaced);
    if (status == STATUS_OK)
        status = log_append(vault, &leaf, &failure);
    if (status != STATUS_OK) {
        vault_rollback(vault);
        return status;
    }
    return vault_commit(vault, &failure);
}

/* A vault after some commits, its file and log copied while they are open. */
static void start(void)
{
    struct vault_new_slot slot = {
        .header = {.kind = SLOT_MACHINE, .id = "sixteen bytes id"}
    };
    struct vault_key key = {.has_slot = false};
    CLEANUP(vault_freep) struct vault *vault = NULL;
    CLEANUP(secret_reset) struct secret line = {0};

    json_start();
    expect(seal_start(&failure) == STATUS_OK);
    image_start();
    expect(vault_create(path, &slot, 1, &caller, &failure, &vault) == STATUS_OK);
    expect(set(vault, 0) == STATUS_OK);
    records = vault_record_count(vault);
    first_size = log_size(vault);
    for (unsigned i = 1; i <= COMMITS; i++)
        expect(set(vault, i) == STATUS_OK);
    for (uint64_t i = 0; i < log_size(vault); i++)
        expect(log_read(vault, i, &failure, &line, hashes[i]) == STATUS_OK);
    image_take();
    vault_freep(&vault);
    image_make(NULL, 0);
    expect(vault_open(path, &key, 0, &failure, &vault) == STATUS_OK);
    expect(log_size(vault) == first_size + COMMITS);
}

/* It opened: so it is the vault as a commit left it. */
static void check(struct vault *vault)
{
    CLEANUP(record_reset) struct record record = {0};
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];
    uint64_t size = log_size(vault);
    bool found = false;
    char value[] = "value 0";

    expect(size >= 1 && size <= first_size + COMMITS);
    for (uint64_t i = 0; i < size; i++) {
        enum status status = log_read(vault, i, &failure, &line, hash);
        expect(status != STATUS_OK || memcmp(hash, hashes[i], sizeof hash) == 0);
    }
    if (size < first_size)
        return;
    /* The first commit made a record of the value that it replaced. */
    expect(vault_record_count(vault) == records + (size > first_size));
    enum status status = record_find(vault, RECORD_VARIABLE, "x", "A", &failure, &record, &found);
    if (status == STATUS_OK) {
        value[6] = (char)('0' + (size - first_size));
        expect(found && strcmp(record_field(&record, "value", NULL), value) == 0);
    }
    (void)set(vault, 9);
}

static void try_open(void)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;
    CLEANUP(cleanup_free) struct slot_header *headers = NULL;
    struct vault_key key = {.has_slot = false};
    uint8_t id[16];
    uint32_t epoch;
    size_t count;

    failure.sentence[0] = '\0';
    if (vault_read_slots(path, 0, &failure, id, &epoch, &headers, &count) == STATUS_OK)
        for (size_t i = 0; i < count; i++)
            expect(slot_kind_name(headers[i].kind) != NULL);
    enum status status = vault_open(path, &key, 0, &failure, &vault);
    expect(status == failure.status || status == STATUS_OK);
    expect((status == STATUS_OK) == (vault != NULL) && (vault != NULL || failure.sentence[0] != '\0'));
    if (vault != NULL)
        check(vault);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (base_file.size == 0)
        start();
    image_make(bytes, size);
    try_open();
    return 0;
}
