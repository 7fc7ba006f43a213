/* The parts of a check one after the other, and what stands on what. */
#include "check.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "check_rows.h"
#include "interior.h"
#include "keyslot.h"
#include "log.h"
#include "pin.h"
#include "tile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_SLICE 2000u /* rows or entries of the store: about 10 ms */
#define BINDING_SLICE 1000u
#define LEAF_SLICE 512u
#define CHECKPOINT_SLICE 64u
#define SCANS_MAX 3u /* that a busy agent may interrupt; the next one goes through in one piece */

/* What a slice works on. */
enum stage {
    STAGE_SLOTS,
    STAGE_ROWS,
    STAGE_BINDINGS,
    STAGE_LOG,
    STAGE_KEPT,
    STAGE_TREE,
    STAGE_PIN,
    STAGE_DONE
};

struct check {
    struct vault *vault;
    const char *pins;
    bool own; /* opened for this check, and so neither verified nor open to anybody else */
    enum stage stage;
    struct check_finding findings[CHECK_PART_COUNT];
    struct check_rows rows;
    struct store_scan *scan;
    unsigned scans;
    struct vault_state state; /* the sealed one, */
    bool has_state;           /* if it could be opened */
    struct note_checkpoint head;
    struct log_verification *verification;
    uint64_t total; /* rows, where it is known */
    uint64_t kept;
    uint64_t kept_next; /* the number of the row from which on they are still to be read */
};

static const char *const part_names[CHECK_PART_COUNT] = {
    [CHECK_SLOTS] = "slots",
    [CHECK_ROWS] = "rows",
    [CHECK_ACCUMULATOR] = "accumulator",
    [CHECK_TREE] = "tree",
    [CHECK_CHECKPOINTS] = "checkpoints",
    [CHECK_PIN] = "pin",
};
static const char *const verdict_words[] = {
    [CHECK_OPEN] = "open",
    [CHECK_HOLDS] = "holds",
    [CHECK_FAILS] = "fails",
    [CHECK_UNCHECKED] = "not checked",
};

const char *check_part_name(enum check_part part)
{
    return part_names[part];
}

const char *check_verdict_word(enum check_verdict verdict)
{
    return verdict_words[verdict];
}

/* Lets go of the file; the findings stay. */
static void release(struct check *check)
{
    log_verification_freep(&check->verification);
    store_scan_freep(&check->scan);
    check_rows_reset(&check->rows);
    if (check->own)
        vault_freep(&check->vault);
}

void check_freep(struct check **check)
{
    if (*check == NULL)
        return;
    release(*check);
    free(*check);
    *check = NULL;
}

const struct check_finding *check_finding(const struct check *check, enum check_part part)
{
    return &check->findings[part];
}

/* ---- Verdicts. The first one of a part stands. ---- */

static void __attribute__((format(printf, 4, 5)))
find(struct check *check, enum check_part part, enum check_verdict verdict, const char *format, ...)
{
    struct check_finding *finding = &check->findings[part];
    va_list arguments;

    if (finding->verdict != CHECK_OPEN)
        return;
    finding->verdict = verdict;
    if (verdict != CHECK_HOLDS && finding->status == STATUS_OK)
        finding->status = STATUS_CORRUPT;
    va_start(arguments, format);
    vsnprintf(finding->detail, sizeof finding->detail, format, arguments);
    va_end(arguments);
}

static void find_failure(struct check *check, enum check_part part, const struct failure *failure)
{
    if (check->findings[part].verdict == CHECK_OPEN)
        check->findings[part].status = failure->status;
    find(check, part, CHECK_FAILS, "%s", failure->sentence);
}

static void leave_from(struct check *check, enum check_part first, const char *why)
{
    for (unsigned part = first; part < CHECK_PART_COUNT; part++)
        find(check, (enum check_part)part, CHECK_UNCHECKED, "%s", why);
}

/* What ends a check instead of being found by it. */
static bool is_finding(enum status status)
{
    return status != STATUS_OK && status != STATUS_NO_MEMORY;
}

/* ---- Slots ---- */

static void describe_slots(struct check *check, const struct store_slot *slots, size_t count)
{
    char kinds[256] = "", opener[sizeof "; opened by passphrase " + 2 * SLOT_ID_SIZE] = "";
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        const char *kind = slot_kind_name((enum slot_kind)slots[i].kind);
        char id[2 * SLOT_ID_SIZE + 1];
        text_to_hex(id, slots[i].id, sizeof slots[i].id);
        if (check->own && memcmp(slots[i].id, check->vault->opened_by, sizeof slots[i].id) == 0)
            snprintf(opener, sizeof opener, "; opened by %s %s", kind, id);
        if (size < sizeof kinds)
            size += (size_t)snprintf(kinds + size, sizeof kinds - size, "%s%s", i > 0 ? ", " : "", kind);
    }
    find(check, CHECK_SLOTS, CHECK_HOLDS, "%zu: %s%s", count, kinds, opener);
}

/* Those of an open vault are compared with what it remembers of them, too. */
static enum status compare_slots(struct check *check, const struct store_slot *slots, size_t count,
                                 struct failure *failure)
{
    const struct vault *vault = check->vault;
    uint8_t term[SEAL_HASH_SIZE];

    for (size_t i = 0; !check->own && i < count; i++) {
        state_term_slot(vault->keys->accumulator, &slots[i], term);
        if (!state_matches(&vault->state, slots[i].id, term))
            return failure_set(failure, STATUS_CORRUPT, "a slot of the vault is not what the vault wrote");
    }
    return keyslot_check_rows(slots, count, failure);
}

static enum status check_slots(struct check *check, struct failure *failure)
{
    CLEANUP(cleanup_free) struct store_slot *slots = NULL;
    size_t count;

    enum status status = store_list_slots(check->vault->store, failure, &slots, &count);
    if (status == STATUS_OK)
        status = compare_slots(check, slots, count, failure);
    if (status == STATUS_OK)
        describe_slots(check, slots, count);
    else if (is_finding(status))
        find_failure(check, CHECK_SLOTS, failure);
    check->stage = STAGE_ROWS;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- Rows and accumulator: one walk of all rows serves both. ---- */

static enum status begin_rows(struct check *check, struct failure *failure)
{
    check->scans++;
    store_scan_freep(&check->scan);
    check_rows_reset(&check->rows);
    enum status status = check_rows_start(&check->rows, check->vault, check->own, failure);
    if (status == STATUS_OK)
        status = store_scan_start(check->vault->store, check_rows_visit, &check->rows, failure, &check->scan);
    return status;
}

/* The walk ended early: whether some rows were not read, or only the indices are not those of the rows. */
static void find_scan_failure(struct check *check, const struct failure *failure)
{
    bool has_records = check->scan != NULL && store_scan_has_records(check->scan);

    find_failure(check, has_records ? CHECK_ACCUMULATOR : CHECK_ROWS, failure);
    find(check, CHECK_ACCUMULATOR, CHECK_UNCHECKED, "not all rows can be read");
}

static enum status compare_state(struct check *check, struct failure *failure)
{
    struct vault *vault = check->vault;

    enum status status = vault_read_state(vault, failure, &check->state);
    check->has_state = status == STATUS_OK;
    if (status == STATUS_OK)
        status = vault_compare_state(vault, &check->rows.found, &check->state, failure);
    if (status == STATUS_OK && !check->own)
        status = vault_compare_head(vault, &check->state, failure);
    return status;
}

/* The log is held to the sealed state, whatever the rows are. */
static void settle_state(struct check *check)
{
    struct state *state = &check->vault->state;

    if (!check->own || !check->has_state)
        return;
    state->count = check->state.count;
    memcpy(state->sum, check->state.sum, sizeof state->sum);
}

static enum status end_scan(struct check *check, struct failure *failure)
{
    enum status status = compare_state(check, failure);

    if (is_finding(status))
        find_failure(check, CHECK_ACCUMULATOR, failure);
    if (status == STATUS_OK)
        find(check, CHECK_ACCUMULATOR, CHECK_HOLDS, "%" PRIu64 " rows", check->rows.found.count);
    check->stage = STAGE_BINDINGS;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static enum status check_rows(struct check *check, struct failure *failure)
{
    bool stale = check->scan != NULL && store_scan_is_stale(check->scan);
    bool done = false;

    enum status status = check->scan == NULL || stale ? begin_rows(check, failure) : STATUS_OK;
    if (status == STATUS_OK)
        status = store_scan_continue(check->scan, check->scans > SCANS_MAX ? SIZE_MAX : SCAN_SLICE, failure,
                                     &done);
    if (is_finding(status)) {
        find_scan_failure(check, failure);
        struct failure ignored;
        check->has_state = vault_read_state(check->vault, &ignored, &check->state) == STATUS_OK;
        check->stage = STAGE_BINDINGS;
        return STATUS_OK;
    }
    return status == STATUS_OK && done ? end_scan(check, failure) : status;
}

static enum status check_bindings(struct check *check, struct failure *failure)
{
    struct check_rows *rows = &check->rows;
    bool done = false;

    if (check->scan != NULL && store_scan_is_stale(check->scan)) {
        check->findings[CHECK_ACCUMULATOR] = (struct check_finding){0};
        check->stage = STAGE_ROWS;
        return STATUS_OK;
    }
    enum status status =
        check_rows_bindings(rows, check->scans > SCANS_MAX ? SIZE_MAX : BINDING_SLICE, failure, &done);
    if (status != STATUS_OK || !done)
        return status;
    if (rows->wrong > 1)
        find(check, CHECK_ROWS, CHECK_FAILS, "%s; and %" PRIu64 " more", rows->first_wrong.sentence,
             rows->wrong - 1);
    else if (rows->wrong == 1)
        find(check, CHECK_ROWS, CHECK_FAILS, "%s", rows->first_wrong.sentence);
    find(check, CHECK_ROWS, CHECK_HOLDS, "%" PRIu64 " records", rows->records);
    settle_state(check);
    store_scan_freep(&check->scan);
    check->stage = STAGE_LOG;
    return STATUS_OK;
}

/* ---- Tree and checkpoints ---- */

/* Of a vault that nobody has opened: its keys and eras, and its head by their signature. */
static enum status open_log(struct check *check, struct failure *failure)
{
    struct vault *vault = check->vault;
    size_t era;

    enum status status = era_open(vault, check->state.log_size, failure);
    if (status != STATUS_OK)
        return status;
    vault->log.edge = (struct merkle_edge){.size = check->state.log_size};
    status = log_verify_note(vault, check->state.head, failure, &check->head, &era);
    if (status == STATUS_OK && (check->head.size != check->state.log_size || era + 1 != vault->log.era_count))
        status = failure_set(failure, STATUS_CORRUPT, "the signed head is not that of the log");
    return status;
}

static enum status check_log(struct check *check, struct failure *failure)
{
    struct vault *vault = check->vault;
    size_t era;

    if (check->own && !check->has_state) {
        leave_from(check, CHECK_TREE, "the head of the log lies in the state, which cannot be opened");
        check->stage = STAGE_DONE;
        return STATUS_OK;
    }
    enum status status = check->own ? open_log(check, failure)
                                    : log_verify_note(vault, vault->log.head, failure, &check->head, &era);
    if (status == STATUS_OK)
        status = log_verification_start_alone(vault, &check->head, failure, &check->verification);
    check->stage = STAGE_KEPT;
    if (is_finding(status)) {
        find_failure(check, CHECK_TREE, failure);
        leave_from(check, CHECK_CHECKPOINTS, "the keys of the log, or its head, cannot be read");
        check->stage = STAGE_DONE;
        status = STATUS_OK;
    }
    return status;
}

static enum status check_kept(struct check *check, const struct store_blob *blob, struct failure *failure)
{
    struct vault *vault = check->vault;
    struct note_checkpoint checkpoint;
    char note[NOTE_MAX];
    uint64_t time_ms;
    size_t era;

    enum status status = log_open_checkpoint(vault, blob, failure, &time_ms, note);
    if (status == STATUS_OK)
        status = log_verify_note(vault, note, failure, &checkpoint, &era);
    if (status == STATUS_OK && checkpoint.size != blob->number)
        status = failure_set(failure, STATUS_CORRUPT,
                             "the checkpoint kept of size %" PRIu64 " is of size %" PRIu64, blob->number,
                             checkpoint.size);
    /* One that was kept since the check began is beyond the tree that is read. */
    if (status == STATUS_OK && checkpoint.size <= check->head.size)
        status = log_verification_against(check->verification, &checkpoint, failure);
    return status;
}

/* Signatures and sizes; the roots are compared as the tree grows. */
static enum status check_checkpoints(struct check *check, struct failure *failure)
{
    CLEANUP(store_rows_reset) struct store_rows rows = {0};

    enum status status = store_list_blobs(check->vault->store, STORE_CHECKPOINTS, check->kept_next,
                                          CHECKPOINT_SLICE, failure, &rows);
    for (size_t i = 0; i < rows.count && (status == STATUS_OK || is_finding(status)); i++) {
        status = check_kept(check, &rows.blobs[i], failure);
        if (is_finding(status))
            find_failure(check, CHECK_CHECKPOINTS, failure);
        check->kept_next = rows.blobs[i].number + 1;
        check->kept++;
    }
    if (is_finding(status))
        find_failure(check, CHECK_CHECKPOINTS, failure);
    if (rows.count < CHECKPOINT_SLICE)
        check->stage = STAGE_TREE;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

static void find_checkpoints(struct check *check, bool whole)
{
    uint64_t size;

    if (log_verification_differs(check->verification, &size))
        find(check, CHECK_CHECKPOINTS, CHECK_FAILS,
             "the log differs from the checkpoint kept at size %" PRIu64, size);
    if (!whole)
        find(check, CHECK_CHECKPOINTS, CHECK_UNCHECKED,
             "signatures and sizes hold; the tree, which they are to be compared with, does not");
    find(check, CHECK_CHECKPOINTS, CHECK_HOLDS, "%" PRIu64 " kept", check->kept);
}

/* Nothing lies beyond the log that was read. */
static enum status end_tree(struct check *check, struct failure *failure)
{
    const uint64_t pruned = log_verification_pruned(check->verification);
    char root[2 * MERKLE_HASH_SIZE + 1];

    enum status status = check->own ? tile_load_edge(check->vault, check->head.size, failure) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (check->own) {
        memcpy(check->vault->log.head, check->state.head, sizeof check->vault->log.head);
        check->vault->log.head_size = check->head.size;
    }
    text_to_hex(root, check->head.root, sizeof check->head.root);
    find(check, CHECK_TREE, CHECK_HOLDS,
         "%" PRIu64 " entries, %" PRIu64 " with their text and %" PRIu64 " by their hash only, root %s",
         check->head.size, check->head.size - pruned, pruned, root);
    return STATUS_OK;
}

static enum status check_tree(struct check *check, struct failure *failure)
{
    bool done = false;

    enum status status = log_verification_continue(check->verification, LEAF_SLICE, failure, &done);
    if (status == STATUS_OK && !done)
        return status;
    if (status == STATUS_OK)
        status = end_tree(check, failure);
    if (is_finding(status))
        find_failure(check, CHECK_TREE, failure);
    find_checkpoints(check, status == STATUS_OK);
    if (status != STATUS_OK)
        find(check, CHECK_PIN, CHECK_UNCHECKED, "the tree does not hold");
    check->stage = STAGE_PIN;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- Pin ---- */

static enum status check_pin(struct check *check, struct failure *failure)
{
    struct pin_finding found = {.state = PIN_NONE};
    enum status status =
        check->pins == NULL ? STATUS_OK : pin_check(check->vault, check->pins, failure, &found);

    if (is_finding(status))
        find_failure(check, CHECK_PIN, failure);
    else if (check->pins == NULL)
        find(check, CHECK_PIN, CHECK_HOLDS, "none is looked at");
    else if (found.state == PIN_NONE)
        find(check, CHECK_PIN, CHECK_HOLDS, "none: this machine has not seen the vault");
    else if (found.state == PIN_UNREADABLE)
        find(check, CHECK_PIN, CHECK_UNCHECKED, "%s", found.failure.sentence);
    else
        find(check, CHECK_PIN, CHECK_HOLDS, "held: the vault has grown from what this machine saw last%s",
             found.moved ? ", at another path" : "");
    check->stage = STAGE_DONE;
    return status == STATUS_NO_MEMORY ? status : STATUS_OK;
}

/* ---- All of it ---- */

static const struct {
    enum status (*run)(struct check *check, struct failure *failure);
    enum check_part part;
} stages[] = {
    [STAGE_SLOTS] = {check_slots,       CHECK_SLOTS      },
    [STAGE_ROWS] = {check_rows,        CHECK_ROWS       },
    [STAGE_BINDINGS] = {check_bindings,    CHECK_ROWS       },
    [STAGE_LOG] = {check_log,         CHECK_TREE       },
    [STAGE_KEPT] = {check_checkpoints, CHECK_CHECKPOINTS},
    [STAGE_TREE] = {check_tree,        CHECK_TREE       },
    [STAGE_PIN] = {check_pin,         CHECK_PIN        },
};

bool check_continue(struct check *check)
{
    struct failure failure;

    if (check->stage != STAGE_DONE && stages[check->stage].run(check, &failure) != STATUS_OK) {
        leave_from(check, CHECK_SLOTS, failure.sentence);
        check->stage = STAGE_DONE;
    }
    if (check->stage == STAGE_DONE)
        release(check);
    return check->stage == STAGE_DONE;
}

enum check_part check_progress(const struct check *check, uint64_t *ret_done, uint64_t *ret_total)
{
    enum check_part part = check->stage == STAGE_DONE ? CHECK_PIN : stages[check->stage].part;

    *ret_done = 0;
    *ret_total = 0;
    if (check->stage == STAGE_TREE) {
        *ret_done = log_verification_position(check->verification);
        *ret_total = log_verification_total(check->verification);
    } else if (part == CHECK_ROWS) {
        *ret_done = check->rows.found.count;
        *ret_total = check->total;
    }
    return part;
}

static enum status allocate(struct failure *failure, struct check **ret_check)
{
    *ret_check = calloc(1, sizeof **ret_check);
    return *ret_check == NULL ? failure_set_no_memory(failure) : STATUS_OK;
}

enum status check_start(struct vault *vault, const char *pins, struct failure *failure,
                        struct check **ret_check)
{
    enum status status = store_refresh(vault->store, failure);

    if (status == STATUS_OK)
        status = allocate(failure, ret_check);
    if (status != STATUS_OK)
        return status;
    (*ret_check)->vault = vault;
    (*ret_check)->pins = pins;
    (*ret_check)->total = vault->state.count;
    return STATUS_OK;
}

/* A slot that cannot be read is a finding; a key that opens none is not, as it may be the wrong one. */
static enum status open_slots(struct check *check, const struct vault_key *key, struct failure *failure)
{
    struct vault *vault = check->vault;
    enum status status = vault_open_keys(vault, key, failure);

    if (status != STATUS_CORRUPT)
        return status;
    find_failure(check, CHECK_SLOTS, failure);
    leave_from(check, CHECK_ROWS, "the vault key lies in a slot");
    check->stage = STAGE_DONE;
    return STATUS_OK;
}

enum status check_open(const char *path, const struct vault_key *key, unsigned wait_ms, const char *pins,
                       struct failure *failure, struct check **ret_check)
{
    CLEANUP(check_freep) struct check *check = NULL;

    enum status status = allocate(failure, &check);
    if (status != STATUS_OK)
        return status;
    check->own = true;
    check->pins = pins;
    status = vault_open_file(path, wait_ms, failure, &check->vault);
    if (status == STATUS_OK) {
        store_leave(check->vault->store);
        status = open_slots(check, key, failure);
    }
    if (status == STATUS_OK)
        *ret_check = TAKE(check);
    return status;
}

enum status check_file(const char *path, const struct vault_key *key, const char *pins,
                       struct failure *failure, const char **ret_part)
{
    CLEANUP(check_freep) struct check *check = NULL;

    *ret_part = "file";
    enum status status = check_open(path, key, 0, pins, failure, &check);
    while (status == STATUS_OK && !check_continue(check))
        continue;
    for (unsigned part = 0; status == STATUS_OK && part < CHECK_PART_COUNT; part++) {
        const struct check_finding *finding = &check->findings[part];
        *ret_part = part_names[part];
        if (finding->verdict != CHECK_HOLDS)
            status = failure_set(failure, finding->status, "%s", finding->detail);
    }
    return status;
}
