/* Pruning: the lines of old leaves go, their hashes stay. What begins an era keeps its line, because it hands
 * the trust in the key before on to the key after. */
#include "log.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "interior.h"
#include "record.h"
#include "json/json.h"

#include <string.h>

#define KEY_PRUNED "log-pruned"
#define FIELD_FIRST "first"

static bool begins_era(const struct vault *vault, uint64_t index)
{
    return index > 0 && vault->log.eras[log_find_era(vault, index)].first == index;
}

uint64_t log_pruned(const struct vault *vault)
{
    return vault->log.pruned;
}

bool log_is_pruned(const struct vault *vault, uint64_t index)
{
    return index < vault->log.pruned && !begins_era(vault, index);
}

uint64_t log_skip_pruned(const struct vault *vault, uint64_t index)
{
    const struct log *log = &vault->log;

    if (!log_is_pruned(vault, index))
        return index;
    for (size_t era = log_find_era(vault, index) + 1; era < log->era_count; era++) {
        if (log->eras[era].first < log->pruned)
            return log->eras[era].first;
    }
    return log->pruned;
}

enum status log_check_pruned(struct vault *vault, struct failure *failure)
{
    uint64_t expected = 0;

    enum status status =
        store_list_blobs(vault->store, STORE_LEAVES, 0, vault->log.era_count, failure, &vault->rows);
    for (size_t i = 0; status == STATUS_OK; i++) {
        expected = log_skip_pruned(vault, expected);
        if (i == vault->rows.count || vault->rows.blobs[i].number != expected)
            return log_corrupt("it does not begin where it should", failure);
        if (expected++ >= vault->log.pruned)
            break;
    }
    return status;
}

/* Whether all leaves of the tile from `first` on are older. */
static enum status is_older(struct vault *vault, uint64_t first, uint64_t before_ms, struct failure *failure,
                            bool *ret_older)
{
    CLEANUP(secret_reset) struct secret line = {0};
    uint8_t hash[MERKLE_HASH_SIZE];
    enum status status = STATUS_OK;
    bool older = true;

    for (uint64_t at = 0; older && status == STATUS_OK && at < LOG_TILE_WIDTH; at++) {
        CLEANUP(json_freep) struct json *leaf = NULL;
        uint64_t time_ms;

        status = log_read(vault, first + at, failure, &line, hash);
        if (status == STATUS_OK)
            status = json_parse(line.bytes, line.size, "an entry of the access log", failure, &leaf);
        if (status != STATUS_OK)
            break;
        const char *time = json_member_text(leaf, "time");
        older = time != NULL && clock_parse(time, 0, &time_ms) && time_ms < before_ms;
    }
    *ret_older = older;
    return status;
}

static enum status remove_lines(struct vault *vault, uint64_t first, uint64_t end, struct failure *failure)
{
    enum status status = STATUS_OK;

    for (uint64_t index = first; status == STATUS_OK && index < end; index++) {
        if (!begins_era(vault, index))
            status = store_remove_blob(vault->store, STORE_LEAVES, index, failure);
    }
    return status;
}

static enum status write_pruned(struct vault *vault, uint64_t first, struct failure *failure)
{
    CLEANUP(record_reset) struct record previous = {0};
    struct record_draft draft;
    bool found;

    enum status status = record_find(vault, RECORD_KEY, "", KEY_PRUNED, failure, &previous, &found);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_KEY, "", KEY_PRUNED, "", found ? &previous : NULL);
    record_draft_add_number(&draft, FIELD_FIRST, first);
    status = record_write(vault, &draft, failure, NULL);
    record_draft_reset(&draft);
    return status;
}

enum status log_prune(struct vault *vault, uint64_t before_ms, size_t tiles, struct failure *failure,
                      struct log_pruning *ret_pruning)
{
    struct log *log = &vault->log;
    struct log_pruning pruning = {.first = log->pruned, .end = log->pruned};
    uint64_t full = log->committed.size - log->committed.size % LOG_TILE_WIDTH;
    enum status status = STATUS_OK;
    bool older = true;

    while (pruning.end < full) {
        status = is_older(vault, pruning.end, before_ms, failure, &older);
        if (status != STATUS_OK)
            return status;
        pruning.more = older && tiles == 0;
        if (!older || tiles-- == 0)
            break;
        pruning.end += LOG_TILE_WIDTH;
    }
    if (pruning.end > pruning.first) {
        status = remove_lines(vault, pruning.first, pruning.end, failure);
        if (status == STATUS_OK)
            status = write_pruned(vault, pruning.end, failure);
        vault->broken = vault->broken || status != STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    if (!log->pruning)
        log->saved_pruned = log->pruned;
    log->pruning = true;
    log->pruned = pruning.end;
    *ret_pruning = pruning;
    return STATUS_OK;
}
