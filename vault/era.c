/* The log's keys and the eras of its signing key, which lie in key records. */
#include "era.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "interior.h"
#include "log.h"
#include "record.h"
#include "segment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEY_READING "log-reading"
#define KEY_SIGNING "log-signing"
#define KEY_PRUNED "log-pruned"
#define KEY_ERA "log-era-"
#define FIELD_KEY "key"
#define FIELD_INSTANCE "instance"
#define FIELD_FIRST "first"
#define FIELD_EPOCH "epoch"
#define FIELD_VERIFIER "verifier"
#define FIELD_ABANDONED "abandoned"
#define FIRST_EPOCH 1u
#define SUCCESSOR_TEXT "stepvault/v1/successor"

const struct log_era *log_eras(const struct vault *vault, size_t *ret_count)
{
    *ret_count = vault->log.era_count;
    return vault->log.eras;
}

size_t log_find_era(const struct vault *vault, uint64_t index)
{
    size_t at = vault->log.era_count - 1;

    while (at > 0 && vault->log.eras[at].first > index)
        at--;
    return at;
}

uint64_t log_instance_first(const struct vault *vault, size_t era)
{
    const struct log_era *eras = vault->log.eras;

    while (era > 0 && strcmp(eras[era - 1].instance, eras[era].instance) == 0)
        era--;
    return eras[era].first;
}

static enum status append_era(struct vault *vault, const struct log_era *era, struct failure *failure)
{
    struct log *log = &vault->log;
    struct log_era *larger = reallocarray(log->eras, log->era_count + 1, sizeof *larger);

    if (larger == NULL)
        return failure_set_no_memory(failure);
    log->eras = larger;
    log->eras[log->era_count++] = *era;
    return STATUS_OK;
}

/* ---- The records ---- */

static enum status write_record(struct vault *vault, struct record_draft *draft, struct failure *failure)
{
    enum status status = record_write(vault, draft, failure, NULL);

    record_draft_reset(draft);
    return status;
}

/* Begins the draft of a key record, in the place of the one of its name. */
static enum status start_draft(struct vault *vault, const char *name, struct failure *failure,
                               struct record_draft *draft)
{
    CLEANUP(record_reset) struct record previous = {0};
    bool found;

    enum status status = record_find(vault, RECORD_KEY, "", name, failure, &previous, &found);
    if (status == STATUS_OK)
        record_draft_start(draft, RECORD_KEY, "", name, "", found ? &previous : NULL);
    return status;
}

static enum status write_reading(struct vault *vault, struct failure *failure)
{
    struct record_draft draft;

    enum status status = start_draft(vault, KEY_READING, failure, &draft);
    if (status != STATUS_OK)
        return status;
    record_draft_add(&draft, FIELD_KEY, vault->log.keys->reading, SEAL_KEY_SIZE);
    return write_record(vault, &draft, failure);
}

/* What is said of an era besides its key; of the first one only the instance, as it always was. */
static void add_era(struct record_draft *draft, const struct log_era *era)
{
    record_draft_add_text(draft, FIELD_INSTANCE, era->instance);
    if (era->first > 0) {
        record_draft_add_number(draft, FIELD_FIRST, era->first);
        record_draft_add_number(draft, FIELD_EPOCH, era->epoch);
    }
    if (era->abandoned[0] != '\0')
        record_draft_add_text(draft, FIELD_ABANDONED, era->abandoned);
}

static enum status write_signing(struct vault *vault, const struct log_era *era,
                                 const uint8_t seed[NOTE_SEED_SIZE], struct failure *failure)
{
    struct record_draft draft;

    enum status status = start_draft(vault, KEY_SIGNING, failure, &draft);
    if (status != STATUS_OK)
        return status;
    record_draft_add(&draft, FIELD_KEY, seed, NOTE_SEED_SIZE);
    add_era(&draft, era);
    return write_record(vault, &draft, failure);
}

static enum status write_ended(struct vault *vault, const struct log_era *era, struct failure *failure)
{
    struct record_draft draft;
    char name[sizeof KEY_ERA + 20];

    snprintf(name, sizeof name, KEY_ERA "%" PRIu64, era->first);
    enum status status = start_draft(vault, name, failure, &draft);
    if (status != STATUS_OK)
        return status;
    record_draft_add_text(&draft, FIELD_VERIFIER, era->verifier);
    add_era(&draft, era);
    return write_record(vault, &draft, failure);
}

/* ---- Beginning ---- */

static enum status make_signer(const struct vault *vault, const char *instance,
                               const uint8_t seed[NOTE_SEED_SIZE], struct failure *failure,
                               struct note_key *ret_signer)
{
    char origin[NOTE_ORIGIN_MAX + 1], id[2 * SEAL_ID_SIZE + 1];

    text_to_hex(id, vault->id, sizeof vault->id);
    snprintf(origin, sizeof origin, "stepvault/v1/%s/%s", id, instance);
    return note_key_from_seed(ret_signer, seed, origin, failure);
}

static void draw_instance(char instance[ERA_INSTANCE_SIZE])
{
    uint8_t bytes[(ERA_INSTANCE_SIZE - 1) / 2];

    seal_random(bytes, sizeof bytes);
    text_to_hex(instance, bytes, sizeof bytes);
}

/* A new signing key for `era`, which it completes: kept in its record, and in force. */
static enum status draw_signer(struct vault *vault, struct log_era *era, struct failure *failure)
{
    uint8_t *seed = secret_allocate(NOTE_SEED_SIZE);

    if (seed == NULL)
        return failure_set_no_memory(failure);
    seal_random(seed, NOTE_SEED_SIZE);
    enum status status = make_signer(vault, era->instance, seed, failure, &vault->log.keys->signer);
    if (status == STATUS_OK)
        status = write_signing(vault, era, seed, failure);
    secret_free(seed);
    if (status != STATUS_OK)
        return status;
    note_verifier(era->verifier, &vault->log.keys->signer);
    memcpy(vault->log.instance, era->instance, sizeof vault->log.instance);
    return append_era(vault, era, failure);
}

enum status era_create(struct vault *vault, struct failure *failure)
{
    struct log_era era = {.epoch = FIRST_EPOCH};

    draw_instance(era.instance);
    seal_random(vault->log.keys->reading, SEAL_KEY_SIZE);
    enum status status = draw_signer(vault, &era, failure);
    if (status == STATUS_OK)
        status = write_reading(vault, failure);
    return status == STATUS_OK ? segment_begin(vault, failure) : status;
}

static bool format_successor(char text[NOTE_MAX], const struct log_era *era)
{
    int length = snprintf(text, NOTE_MAX, SUCCESSOR_TEXT "\n%" PRIu64 "\n%s\n", era->first, era->verifier);

    return length > 0 && length < (int)NOTE_MAX;
}

/* The member of the leaf by which who trusts the key before comes to trust the new one. */
static bool announce(struct leaf *leaf, const struct note_key *predecessor, const struct log_era *era)
{
    CLEANUP(secret_reset) struct secret object = {0};
    char text[NOTE_MAX], note[NOTE_MAX];
    struct json_writer writer;

    if (!format_successor(text, era) || !note_sign(note, predecessor, text))
        return false;
    leaf_open_details(&writer, &object);
    json_open_object(&writer, "successor");
    json_add_text(&writer, "key", era->verifier);
    json_add_text(&writer, "note", note);
    json_close_object(&writer);
    return leaf_add_details(leaf, &writer);
}

static void save(struct log *log)
{
    struct log_keys *keys = log->keys;

    log->succession = true;
    log->saved_eras = log->era_count;
    memcpy(log->saved_instance, log->instance, sizeof log->saved_instance);
    keys->saved_signer = keys->signer;
}

static void save_reading(struct log *log)
{
    if (log->renewal)
        return;
    log->renewal = true;
    log->saved_segments = log->segment_count;
    memcpy(log->keys->saved_reading, log->keys->reading, SEAL_KEY_SIZE);
}

/* Unless the turn began one already. */
static enum status begin_segment(struct vault *vault, struct failure *failure)
{
    if (segment_find(vault, vault->log.edge.size)->first == vault->log.edge.size)
        return STATUS_OK;
    save_reading(&vault->log);
    return segment_begin(vault, failure);
}

enum status log_begin_era(struct vault *vault, bool new_instance, const char *abandoned, struct leaf *leaf,
                          struct failure *failure)
{
    struct log *log = &vault->log;
    struct log_era era = {.first = log->edge.size, .epoch = vault->epoch};
    struct log_era *ended = &log->eras[log->era_count - 1];

    if (era.first <= ended->first)
        return failure_set(failure, STATUS_REFUSED, "the log's signing key was changed just now");
    save(log);
    memcpy(era.instance, ended->instance, sizeof era.instance);
    if (new_instance) {
        draw_instance(era.instance);
        log->sequence = 0;
    }
    if (abandoned != NULL)
        snprintf(era.abandoned, sizeof era.abandoned, "%s", abandoned);
    enum status status = write_ended(vault, ended, failure);
    if (status == STATUS_OK)
        status = draw_signer(vault, &era, failure);
    if (status == STATUS_OK && new_instance)
        status = begin_segment(vault, failure);
    if (status == STATUS_OK && !announce(leaf, &log->keys->saved_signer, &era))
        status = failure_set_no_memory(failure);
    vault->broken = vault->broken || status != STATUS_OK;
    return status;
}

enum status log_renew_reading_key(struct vault *vault, struct failure *failure)
{
    struct log *log = &vault->log;

    save_reading(log);
    seal_random(log->keys->reading, SEAL_KEY_SIZE);
    enum status status = write_reading(vault, failure);
    if (status == STATUS_OK)
        status = segment_rewrap(vault, failure);
    if (status == STATUS_OK)
        status = segment_begin(vault, failure);
    vault->broken = vault->broken || status != STATUS_OK;
    return status;
}

void era_rollback(struct vault *vault)
{
    struct log *log = &vault->log;

    if (log->succession) {
        log->era_count = log->saved_eras;
        memcpy(log->instance, log->saved_instance, sizeof log->instance);
        log->keys->signer = log->keys->saved_signer;
    }
    if (log->renewal) {
        segment_forget(vault, log->saved_segments);
        memcpy(log->keys->reading, log->keys->saved_reading, SEAL_KEY_SIZE);
    }
    if (log->pruning)
        log->pruned = log->saved_pruned;
    era_keep(vault);
}

void era_keep(struct vault *vault)
{
    struct log *log = &vault->log;

    log->pruning = false;
    if (!log->succession && !log->renewal)
        return;
    secret_wipe(&log->keys->saved_signer, sizeof log->keys->saved_signer);
    secret_wipe(log->keys->saved_reading, sizeof log->keys->saved_reading);
    log->succession = false;
    log->renewal = false;
}

/* ---- Opening ---- */

static enum status corrupt_keys(struct failure *failure)
{
    return log_corrupt("its keys", failure);
}

static bool read_key(const struct record *record, uint8_t ret_key[SEAL_KEY_SIZE])
{
    size_t size;
    const char *key = record_field(record, FIELD_KEY, &size);

    if (key == NULL || size != SEAL_KEY_SIZE)
        return false;
    memcpy(ret_key, key, SEAL_KEY_SIZE);
    return true;
}

static bool copy_field(const struct record *record, const char *field, bool optional, char *destination,
                       size_t capacity)
{
    const char *value = record_field(record, field, NULL);

    if (value == NULL || strlen(value) >= capacity)
        return value == NULL && optional;
    memcpy(destination, value, strlen(value) + 1);
    return true;
}

static bool read_era(const struct record *record, struct log_era *ret_era)
{
    uint64_t epoch = record_has(record, FIELD_EPOCH) ? record_number(record, FIELD_EPOCH) : FIRST_EPOCH;

    *ret_era = (struct log_era){.first = record_number(record, FIELD_FIRST), .epoch = (uint32_t)epoch};
    return epoch <= UINT32_MAX &&
           copy_field(record, FIELD_INSTANCE, false, ret_era->instance, sizeof ret_era->instance) &&
           strlen(ret_era->instance) == sizeof ret_era->instance - 1 &&
           copy_field(record, FIELD_ABANDONED, true, ret_era->abandoned, sizeof ret_era->abandoned);
}

static enum status read_signing(struct vault *vault, const struct record *record, struct failure *failure)
{
    size_t size;
    const char *seed = record_field(record, FIELD_KEY, &size);
    struct log_era era;

    if (seed == NULL || size != NOTE_SEED_SIZE || !read_era(record, &era))
        return corrupt_keys(failure);
    memcpy(vault->log.instance, era.instance, sizeof vault->log.instance);
    enum status status =
        make_signer(vault, era.instance, (const uint8_t *)seed, failure, &vault->log.keys->signer);
    if (status != STATUS_OK)
        return status;
    note_verifier(era.verifier, &vault->log.keys->signer);
    return append_era(vault, &era, failure);
}

static enum status read_ended(struct vault *vault, const struct record *record, struct failure *failure)
{
    char name[sizeof KEY_ERA + 20];
    struct log_era era;

    if (!read_era(record, &era) ||
        !copy_field(record, FIELD_VERIFIER, false, era.verifier, sizeof era.verifier))
        return corrupt_keys(failure);
    snprintf(name, sizeof name, KEY_ERA "%" PRIu64, era.first);
    return strcmp(name, record->name) == 0 ? append_era(vault, &era, failure) : corrupt_keys(failure);
}

/* One record of the log's; any other one is none that a vault has. */
static enum status read_record(struct vault *vault, const struct record *record, bool *found_reading,
                               bool *found_signing, struct failure *failure)
{
    if (strcmp(record->name, KEY_READING) == 0) {
        *found_reading = read_key(record, vault->log.keys->reading);
        return *found_reading ? STATUS_OK : corrupt_keys(failure);
    }
    if (strcmp(record->name, KEY_SIGNING) == 0) {
        *found_signing = true;
        return read_signing(vault, record, failure);
    }
    if (strcmp(record->name, KEY_PRUNED) == 0) {
        vault->log.pruned = record_number(record, FIELD_FIRST);
        return STATUS_OK;
    }
    return read_ended(vault, record, failure);
}

static int compare_eras(const void *left, const void *right)
{
    const struct log_era *a = left, *b = right;

    return a->first < b->first ? -1 : a->first > b->first;
}

/* They follow each other from leaf 0 on, and the last one is that of the key in force. */
static enum status check_eras(const struct vault *vault, uint64_t size, struct failure *failure)
{
    const struct log *log = &vault->log;
    const struct log_era *last = &log->eras[log->era_count - 1];
    char verifier[NOTE_VERIFIER_MAX];

    note_verifier(verifier, &log->keys->signer);
    bool sound = log->eras[0].first == 0 && strcmp(last->verifier, verifier) == 0 &&
                 last->epoch <= vault->epoch && (last->first == 0 || last->first < size) &&
                 log->pruned % LOG_TILE_WIDTH == 0 && (log->pruned == 0 || log->pruned < size);
    for (size_t i = 1; sound && i < log->era_count; i++)
        sound = log->eras[i].first > log->eras[i - 1].first && log->eras[i].epoch >= log->eras[i - 1].epoch;
    return sound ? STATUS_OK : corrupt_keys(failure);
}

enum status era_open(struct vault *vault, uint64_t size, struct failure *failure)
{
    CLEANUP(records_reset) struct records records = {0};
    bool found_reading = false, found_signing = false;

    vault->log.era_count = 0;
    vault->log.pruned = 0;
    enum status status = record_list_linked(vault, RECORD_LINK_KEY, "", failure, &records);
    for (size_t i = 0; status == STATUS_OK && i < records.count; i++)
        status = read_record(vault, &records.items[i], &found_reading, &found_signing, failure);
    if (status != STATUS_OK)
        return status;
    if (!found_reading || !found_signing)
        return corrupt_keys(failure);
    qsort(vault->log.eras, vault->log.era_count, sizeof *vault->log.eras, compare_eras);
    status = check_eras(vault, size, failure);
    return status == STATUS_OK ? segment_open_all(vault, size, failure) : status;
}

/* ---- Verifying ---- */

enum status log_verify_note(const struct vault *vault, const char *note, struct failure *failure,
                            struct note_checkpoint *ret_checkpoint, size_t *ret_era)
{
    const struct log *log = &vault->log;
    struct note_checkpoint checkpoint;
    size_t era = 0;

    while (era < log->era_count && !note_names_key(note, log->eras[era].verifier))
        era++;
    if (era == log->era_count)
        return failure_set(failure, STATUS_NOT_FOUND, "the checkpoint is not signed by any key of this log");
    enum status status = note_verify_checkpoint(note, log->eras[era].verifier, failure, &checkpoint);
    if (status != STATUS_OK)
        return status;
    *ret_checkpoint = checkpoint;
    *ret_era = era;
    bool last = era + 1 == log->era_count;
    uint64_t end = last ? log->edge.size : log->eras[era + 1].first;
    if (checkpoint.size > log->eras[era].first && checkpoint.size <= end)
        return STATUS_OK;
    if (last)
        return failure_set(failure, STATUS_ROLLED_BACK,
                           "the checkpoint is of %" PRIu64 " entries, and the log has %" PRIu64,
                           checkpoint.size, log->edge.size);
    return failure_set(failure, STATUS_ROLLED_BACK,
                       "the checkpoint of %" PRIu64
                       " entries is of a branch that the log did not go on from: its key was replaced at "
                       "entry %" PRIu64,
                       checkpoint.size, end);
}

static bool is_announced(const struct log_era *predecessor, const struct log_era *era,
                         const struct json *successor)
{
    const char *key = json_member_text(successor, "key");
    const char *note = json_member_text(successor, "note");
    char text[NOTE_MAX];
    struct failure failure;
    const char *signed_text;
    size_t size;

    return key != NULL && note != NULL && strcmp(key, era->verifier) == 0 && format_successor(text, era) &&
           note_verify(note, predecessor->verifier, &failure, &signed_text, &size) == STATUS_OK &&
           size == strlen(text) && memcmp(signed_text, text, size) == 0;
}

enum status era_check_first(const struct vault *vault, size_t era, const struct json *leaf,
                            struct failure *failure)
{
    const struct log_era *eras = vault->log.eras;

    if (era == 0 || is_announced(&eras[era - 1], &eras[era], json_member(leaf, "successor")))
        return STATUS_OK;
    return log_corrupt_leaf(eras[era].first, "the key it announces", failure);
}
