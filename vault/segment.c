/* The keys of the log's segments. */
#include "segment.h"

#include "base/cleanup.h"
#include "base/secret.h"
#include "interior.h"

#include <inttypes.h>
#include <string.h>

#define PAGE_ROWS 64u

static void associate(const struct vault *vault, uint64_t first, struct seal_input *input)
{
    log_associate(vault, "stepvault/v1/segment", first, 0, input);
}

static enum status append(struct vault *vault, const struct segment *segment, struct failure *failure)
{
    struct log *log = &vault->log;
    struct segment *larger = secret_allocate((log->segment_count + 1) * sizeof *larger);

    if (larger == NULL)
        return failure_set_no_memory(failure);
    if (log->segment_count > 0)
        memcpy(larger, log->segments, log->segment_count * sizeof *larger);
    larger[log->segment_count++] = *segment;
    secret_free(log->segments);
    log->segments = larger;
    return STATUS_OK;
}

static enum status open_row(struct vault *vault, const struct store_blob *blob, uint64_t size,
                            struct failure *failure)
{
    const struct log *log = &vault->log;
    struct segment *segment = secret_allocate(sizeof *segment);
    uint8_t bytes[96];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    enum status status = STATUS_OK;

    if (segment == NULL)
        return failure_set_no_memory(failure);
    associate(vault, blob->number, &input);
    segment->first = blob->number;
    if (log->segment_count == 0 ? blob->number != 0 : blob->number > size)
        status = log_corrupt("its segments", failure);
    else if (blob->size != SEAL_KEY_SIZE + SEAL_OVERHEAD ||
             !seal_open(segment->key, log->keys->reading, blob->bytes, blob->size, input.bytes, input.size))
        status = log_corrupt("a segment key", failure);
    if (status == STATUS_OK)
        status = append(vault, segment, failure);
    secret_free(segment);
    return status;
}

enum status segment_open_all(struct vault *vault, uint64_t size, struct failure *failure)
{
    CLEANUP(store_rows_reset) struct store_rows rows = {0};
    uint64_t next = 0;

    segment_forget(vault, 0);
    for (;;) {
        enum status status = store_list_blobs(vault->store, STORE_SEGMENTS, next, PAGE_ROWS, failure, &rows);
        for (size_t i = 0; status == STATUS_OK && i < rows.count; i++)
            status = open_row(vault, &rows.blobs[i], size, failure);
        if (status != STATUS_OK)
            return status;
        if (rows.count < PAGE_ROWS)
            return vault->log.segment_count > 0 ? STATUS_OK : log_corrupt("its segments", failure);
        next = rows.blobs[rows.count - 1].number + 1;
    }
}

const struct segment *segment_find(const struct vault *vault, uint64_t index)
{
    const struct log *log = &vault->log;
    size_t at = log->segment_count - 1;

    while (at > 0 && log->segments[at].first > index)
        at--;
    return &log->segments[at];
}

static enum status put(struct vault *vault, const struct segment *segment, struct failure *failure)
{
    uint8_t sealed[SEAL_KEY_SIZE + SEAL_OVERHEAD], bytes[96], key[STATE_KEY_SIZE], term[SEAL_HASH_SIZE];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};

    associate(vault, segment->first, &input);
    seal_close(sealed, vault->log.keys->reading, segment->key, SEAL_KEY_SIZE, input.bytes, input.size);
    state_blob_key(STORE_SEGMENTS, segment->first, key);
    state_term_blob(vault->keys->accumulator, STORE_SEGMENTS, segment->first, sealed, sizeof sealed, term);
    enum status status =
        state_change(&vault->state, key, term)
            ? store_put_blob(vault->store, STORE_SEGMENTS, segment->first, sealed, sizeof sealed, failure)
            : failure_set_no_memory(failure);
    if (status != STATUS_OK)
        vault->broken = true;
    return status;
}

enum status segment_begin(struct vault *vault, struct failure *failure)
{
    struct segment *segment = secret_allocate(sizeof *segment);

    if (segment == NULL)
        return failure_set_no_memory(failure);
    segment->first = vault->log.edge.size;
    seal_random(segment->key, sizeof segment->key);
    enum status status = put(vault, segment, failure);
    if (status == STATUS_OK)
        status = append(vault, segment, failure);
    secret_free(segment);
    vault->broken = vault->broken || status != STATUS_OK;
    return status;
}

enum status segment_rewrap(struct vault *vault, struct failure *failure)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < vault->log.segment_count; i++)
        status = put(vault, &vault->log.segments[i], failure);
    return status;
}

void segment_forget(struct vault *vault, size_t count)
{
    struct log *log = &vault->log;

    if (count < log->segment_count) {
        secret_wipe(log->segments + count, (log->segment_count - count) * sizeof *log->segments);
        log->segment_count = count;
    }
    if (count == 0) {
        secret_free(log->segments);
        log->segments = NULL;
    }
}
