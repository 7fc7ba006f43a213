/* The draft, its verification, its new era, and the exchange of the files. */
#include "restoration.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "check.h"
#include "interior.h"
#include "log.h"
#include "store/disk.h"
#include "store/queue.h"
#include "token.h"
#include "json/json.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ORIGIN_START "stepvault/v1/"
#define MAGIC "SQLite format 3"
#define HEAD_SIZE 72u /* of a file: as far as the application's id */
#define PAGES_AT 28u
#define APPLICATION_AT 68u
#define PAGE_SIZE 4096u

struct restoration {
    char path[PATH_MAX];
    struct disk_draft draft;
    int descriptor; /* of the draft, while it is written */
    size_t size;
    struct vault *staged;
    struct check *check;
    bool checked;
};

/* What stands at the vault's path while it is replaced: locked as far as it can be. */
struct holding {
    struct vault *vault; /* opened for this */
    struct store *store; /* where no key of ours opens it */
    int place;           /* in the queue, where it is damaged */
};
#define HOLDING_NONE ((struct holding){.place = QUEUE_NONE})

static void holding_reset(struct holding *holding)
{
    vault_freep(&holding->vault);
    store_freep(&holding->store);
    queue_leave(&holding->place);
}

void restoration_freep(struct restoration **restoration)
{
    if (*restoration == NULL)
        return;
    check_freep(&(*restoration)->check);
    vault_freep(&(*restoration)->staged);
    cleanup_close(&(*restoration)->descriptor);
    disk_draft_drop(&(*restoration)->draft);
    free(*restoration);
    *restoration = NULL;
}

/* ---- Staging ---- */

enum status restoration_start(const char *path, struct failure *failure, struct restoration **ret_restoration)
{
    bool exists;
    enum status status = disk_check_replaceable(path, failure, &exists);
    if (status != STATUS_OK)
        return status;
    CLEANUP(restoration_freep) struct restoration *restoration = calloc(1, sizeof *restoration);
    if (restoration == NULL || strlen(path) >= sizeof restoration->path)
        return failure_set_no_memory(failure);
    memcpy(restoration->path, path, strlen(path) + 1);
    restoration->descriptor = -1;
    restoration->draft.folder = -1;
    status = disk_draft_begin(path, failure, &restoration->draft);
    if (status != STATUS_OK)
        return status;
    restoration->descriptor = open(restoration->draft.path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (restoration->descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "%s cannot be opened",
                                 restoration->draft.path);
    *ret_restoration = TAKE(restoration);
    return STATUS_OK;
}

static enum status refuse_form(struct failure *failure)
{
    return failure_set(failure, STATUS_FOREIGN, "the file to restore is not a stepvault vault");
}

/* So that what is no vault is told after its first bytes, however large it is. */
static enum status check_form(const struct restoration *restoration, struct failure *failure)
{
    uint8_t head[HEAD_SIZE];
    static const uint8_t application[] = {0x53, 0x56, 0x4c, 0x54};

    if (pread(restoration->descriptor, head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head, MAGIC, sizeof MAGIC) != 0 ||
        memcmp(head + APPLICATION_AT, application, sizeof application) != 0)
        return refuse_form(failure);
    return STATUS_OK;
}

/* SQLite looks at no page behind the last one, and so would nothing else. */
static enum status check_size(const struct restoration *restoration, struct failure *failure)
{
    uint32_t pages;

    if (restoration->size < HEAD_SIZE)
        return refuse_form(failure);
    if (pread(restoration->descriptor, &pages, sizeof pages, PAGES_AT) != (ssize_t)sizeof pages)
        return failure_set_errno(failure, STATUS_FAILED, errno, "%s cannot be read", restoration->draft.path);
    if (restoration->size != (size_t)be32toh(pages) * PAGE_SIZE)
        return failure_set(failure, STATUS_CORRUPT,
                           "the file to restore is damaged: it has %zu bytes, and should have %zu",
                           restoration->size, (size_t)be32toh(pages) * PAGE_SIZE);
    return STATUS_OK;
}

enum status restoration_write(struct restoration *restoration, const void *bytes, size_t size,
                              struct failure *failure)
{
    const bool had_head = restoration->size >= HEAD_SIZE;

    if (restoration->descriptor < 0)
        return failure_set(failure, STATUS_INVALID, "the file to restore has been sent already");
    enum status status =
        disk_check_room(restoration->descriptor, size, "the file to restore as", restoration->path, failure);
    if (status != STATUS_OK)
        return status;
    if (!file_write_all(restoration->descriptor, bytes, size))
        return failure_set_errno(failure, disk_write_status(errno), errno,
                                 "the file to restore cannot be written beside %s", restoration->path);
    restoration->size += size;
    return !had_head && restoration->size >= HEAD_SIZE ? check_form(restoration, failure) : STATUS_OK;
}

static enum status refuse_other(const char *path, struct failure *failure)
{
    return failure_set(failure, STATUS_REFUSED, "the file to restore is of another vault than the one at %s",
                       path);
}

/* What the draft is called means nothing to who restores it. */
static enum status refuse_copy(enum status status, struct failure *failure)
{
    struct failure why = *failure;

    if (status != STATUS_CORRUPT && status != STATUS_FOREIGN && status != STATUS_FORMAT &&
        status != STATUS_WRONG_KEY)
        return status;
    return failure_set(failure, status, "the file to restore is refused: %s", why.sentence);
}

/* What is damaged, or no vault at all, may be replaced although it cannot be opened, and has no id that could
 * be compared. What is in use, of a newer format, or could be read with room on the disk may not. */
static bool is_beyond_reading(enum status status)
{
    return status == STATUS_CORRUPT || status == STATUS_FOREIGN || status == STATUS_FAILED;
}

static enum status check_target(const struct restoration *restoration, const struct vault *current,
                                const uint8_t id[16], unsigned wait_ms, struct failure *failure,
                                bool *ret_exists)
{
    CLEANUP(cleanup_free) struct store_slot *slots = NULL;
    struct store_header header;
    struct failure unread;
    size_t count;

    enum status status = disk_check_replaceable(restoration->path, failure, ret_exists);
    if (status != STATUS_OK)
        return status;
    if (current != NULL)
        return memcmp(current->id, id, 16) == 0 ? STATUS_OK : refuse_other(restoration->path, failure);
    if (!*ret_exists)
        return STATUS_OK;
    status = store_read_slots(restoration->path, wait_ms, &unread, &header, &slots, &count);
    if (status == STATUS_OK)
        return memcmp(header.vault_id, id, 16) == 0 ? STATUS_OK : refuse_other(restoration->path, failure);
    if (is_beyond_reading(status))
        return STATUS_OK;
    *failure = unread;
    return status;
}

enum status restoration_end(struct restoration *restoration, const struct vault *current, unsigned wait_ms,
                            struct failure *failure, struct restoration_copy *ret_copy)
{
    CLEANUP(cleanup_free) struct slot_header *headers = NULL;
    struct restoration_copy copy = {0};

    if (restoration->descriptor < 0)
        return failure_set(failure, STATUS_INVALID, "the file to restore has been sent already");
    enum status status = check_size(restoration, failure);
    if (status != STATUS_OK)
        return status;
    cleanup_close(&restoration->descriptor);
    status =
        vault_read_slots(restoration->draft.path, 0, failure, copy.id, &copy.epoch, &headers, &copy.count);
    if (status != STATUS_OK)
        return refuse_copy(status, failure);
    status = check_target(restoration, current, copy.id, wait_ms, failure, &copy.replaces);
    if (status != STATUS_OK)
        return status;
    copy.headers = TAKE(headers);
    *ret_copy = copy;
    return STATUS_OK;
}

/* ---- Verifying ---- */

enum status restoration_open(struct restoration *restoration, const struct vault_key *key,
                             struct failure *failure)
{
    if (restoration->descriptor >= 0)
        return failure_set(failure, STATUS_INVALID, "the file to restore has not been sent to its end");
    if (restoration->staged != NULL)
        return vault_check_key(restoration->staged, key, failure);
    return refuse_copy(vault_open(restoration->draft.path, key, 0, failure, &restoration->staged), failure);
}

/* All but the pin, which is the path's and is given up here: none is looked at. */
static enum status judge(const struct check *check, struct failure *failure)
{
    for (unsigned part = 0; part < CHECK_PART_COUNT; part++) {
        const struct check_finding *finding = check_finding(check, (enum check_part)part);

        if (finding->verdict != CHECK_HOLDS)
            return failure_set(failure, finding->status != STATUS_OK ? finding->status : STATUS_CORRUPT,
                               "the file to restore is refused: %s", finding->detail);
    }
    return STATUS_OK;
}

enum status restoration_check(struct restoration *restoration, struct failure *failure, bool *ret_done)
{
    *ret_done = restoration->checked;
    if (restoration->checked)
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (restoration->check == NULL)
        status = check_start(restoration->staged, NULL, failure, &restoration->check);
    if (status != STATUS_OK || !check_continue(restoration->check))
        return status;
    status = judge(restoration->check, failure);
    *ret_done = restoration->checked = status == STATUS_OK;
    return status;
}

void restoration_progress(const struct restoration *restoration, const char **ret_part, uint64_t *ret_done,
                          uint64_t *ret_total)
{
    *ret_done = *ret_total = 0;
    *ret_part = check_part_name(
        restoration->check != NULL ? check_progress(restoration->check, ret_done, ret_total) : CHECK_SLOTS);
}

/* ---- Heads ---- */

static uint64_t time_of_last_leaf(struct vault *vault)
{
    CLEANUP(secret_reset) struct secret line = {0};
    CLEANUP(json_freep) struct json *leaf = NULL;
    uint8_t hash[MERKLE_HASH_SIZE];
    struct failure ignored;
    const char *time;
    uint64_t time_ms = 0;

    if (log_read(vault, log_size(vault) - 1, &ignored, &line, hash) != STATUS_OK ||
        json_parse(line.bytes, line.size, "a log entry", &ignored, &leaf) != STATUS_OK)
        return 0;
    time = json_member_text(leaf, "time");
    return time != NULL && clock_parse(time, clock_wall_ms(), &time_ms) ? time_ms : 0;
}

static enum status read_head(struct vault *vault, struct failure *failure, struct restoration_head *ret_head)
{
    char verifier[NOTE_VERIFIER_MAX];
    struct restoration_head head = {.known = true};

    memcpy(head.note, log_head(vault), sizeof head.note);
    log_verifier(vault, verifier);
    enum status status = note_verify_checkpoint(head.note, verifier, failure, &head.checkpoint);
    if (status != STATUS_OK)
        return status;
    head.time_ms = time_of_last_leaf(vault);
    *ret_head = head;
    return STATUS_OK;
}

/* One line of a note, which ends in a newline. */
static bool take_line(const char **at, char *destination, size_t capacity)
{
    const size_t size = strcspn(*at, "\n");

    if ((*at)[size] != '\n' || size >= capacity)
        return false;
    memcpy(destination, *at, size);
    destination[size] = '\0';
    *at += size + 1;
    return true;
}

static bool is_of_vault(const struct vault *vault, const char *origin)
{
    char id[2 * SEAL_ID_SIZE + 1], start[sizeof ORIGIN_START + sizeof id];

    text_to_hex(id, vault->id, sizeof vault->id);
    snprintf(start, sizeof start, ORIGIN_START "%s/", id);
    return strncmp(origin, start, strlen(start)) == 0;
}

/* What this machine saw last of the vault, as its note says: what signed it may not open any more. */
static void read_pinned(const struct vault *staged, const char *note, struct restoration_head *head)
{
    CLEANUP(secret_reset) struct secret root = {0};
    struct restoration_head pinned = {.known = true};
    char size[24], base64[64];
    const char *at = note;

    if (note == NULL || strlen(note) >= sizeof pinned.note ||
        !take_line(&at, pinned.checkpoint.origin, sizeof pinned.checkpoint.origin) ||
        !take_line(&at, size, sizeof size) || !take_line(&at, base64, sizeof base64) ||
        !text_to_number(size, INT64_MAX, &pinned.checkpoint.size) ||
        !text_append_from_base64(&root, base64, strlen(base64)) || root.size != MERKLE_HASH_SIZE ||
        !is_of_vault(staged, pinned.checkpoint.origin))
        return;
    memcpy(pinned.checkpoint.root, root.bytes, MERKLE_HASH_SIZE);
    memcpy(pinned.note, note, strlen(note) + 1);
    *head = pinned;
}

/* Whether the vault has grown out of that head: not so a fork, or an older copy. */
static bool has_outgrown(const struct vault *vault, const char *note)
{
    struct note_checkpoint seen;
    struct merkle_proof proof;
    struct failure ignored;
    uint8_t root[MERKLE_HASH_SIZE];
    size_t era;

    merkle_root(root, &vault->log.edge);
    return log_verify_note(vault, note, &ignored, &seen, &era) == STATUS_OK &&
           log_prove_consistency(vault, seen.size, log_size(vault), &ignored, &proof) == STATUS_OK &&
           merkle_verify_consistency(seen.size, log_size(vault),
                                     (const uint8_t(*)[MERKLE_HASH_SIZE])proof.hashes, proof.count, seen.root,
                                     root);
}

/* Opens what is at the path, with all that it may be. Only what nobody else holds is replaced. */
static enum status hold(const struct restoration *restoration, const struct vault_key *key, unsigned wait_ms,
                        struct failure *failure, struct holding *ret_holding)
{
    bool exists;
    enum status status = disk_check_replaceable(restoration->path, failure, &exists);
    if (status != STATUS_OK || !exists)
        return status;
    status = vault_open(restoration->path, key, wait_ms, failure, &ret_holding->vault);
    if (status == STATUS_OK || status == STATUS_BUSY || status == STATUS_NO_MEMORY)
        return status;
    status = store_open(restoration->path, wait_ms, failure, &ret_holding->store);
    if (!is_beyond_reading(status))
        return status;
    /* Whoever waits for it waits in the queue. */
    status = queue_enter(restoration->path, wait_ms, failure, &ret_holding->place);
    return status == STATUS_BUSY ? status : STATUS_OK;
}

/* `vault` is the one at the path, if it is open. */
static enum status find_heads(struct restoration *restoration, struct vault *vault, const char *pinned,
                              struct failure *failure, struct restoration_heads *ret_heads)
{
    struct restoration_heads heads = {0};
    struct restoration_head seen = {0};
    enum status status = read_head(restoration->staged, failure, &heads.restored);

    if (status == STATUS_OK && vault != NULL && memcmp(vault->id, restoration->staged->id, SEAL_ID_SIZE) != 0)
        status = refuse_other(restoration->path, failure);
    if (status == STATUS_OK && vault != NULL)
        status = read_head(vault, failure, &heads.abandoned);
    if (status != STATUS_OK)
        return status;
    read_pinned(restoration->staged, pinned, &seen);
    if (seen.known && (vault == NULL || !has_outgrown(vault, seen.note)))
        heads.abandoned = seen;
    *ret_heads = heads;
    return STATUS_OK;
}

enum status restoration_compare(struct restoration *restoration, struct vault *current,
                                const struct vault_key *key, const char *pinned, unsigned wait_ms,
                                struct failure *failure, struct restoration_heads *ret_heads)
{
    CLEANUP(holding_reset) struct holding holding = HOLDING_NONE;
    enum status status = STATUS_OK;

    if (current == NULL)
        status = hold(restoration, key, wait_ms, failure, &holding);
    if (status != STATUS_OK)
        return status;
    return find_heads(restoration, current != NULL ? current : holding.vault, pinned, failure, ret_heads);
}

/* ---- Publishing ---- */

static void write_head(struct json_writer *writer, const char *name, const struct restoration_head *head)
{
    if (!head->known)
        return;
    json_open_object(writer, name);
    json_add_text(writer, "origin", head->checkpoint.origin);
    json_add_number(writer, "size", head->checkpoint.size);
    json_add_hex(writer, "root", head->checkpoint.root, sizeof head->checkpoint.root);
    json_close_object(writer);
}

/* The leaf's members, which the new era adds its own to. */
static bool describe(const struct restoration_heads *heads, struct leaf *leaf)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    write_head(&writer, "abandoned", &heads->abandoned);
    write_head(&writer, "restored", &heads->restored);
    return leaf_add_details(leaf, &writer);
}

static enum status mark_account(struct vault *staged, const struct record *account, struct failure *failure)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};

    record_draft_resume(&draft, RECORD_ACCOUNT, account->where, account->name, account->where, account);
    record_draft_add_number(&draft, ACCOUNT_FIELD_RESTORED, clock_wall_ms());
    record_draft_copy_rest(&draft, account);
    account_add_finals(staged, &draft);
    return record_write(staged, &draft, failure, NULL);
}

static enum status mark_accounts(struct vault *staged, struct failure *failure)
{
    CLEANUP(records_reset) struct records accounts = {0};
    enum status status = record_list_accounts(staged, failure, &accounts);

    for (size_t i = 0; status == STATUS_OK && i < accounts.count; i++)
        if (token_may_be_old(&accounts.items[i]))
            status = mark_account(staged, &accounts.items[i], failure);
    return status;
}

/* The one turn of the copy, which makes it another instance. */
static enum status begin_instance(struct vault *staged, const struct restoration_heads *heads,
                                  struct leaf *leaf, struct failure *failure)
{
    const char *abandoned = heads->abandoned.known ? heads->abandoned.note : NULL;

    if (!describe(heads, leaf))
        return failure_set_no_memory(failure);
    enum status status = vault_begin(staged, failure);
    if (status == STATUS_OK)
        status = mark_accounts(staged, failure);
    if (status == STATUS_OK)
        status = log_begin_era(staged, true, abandoned, leaf, failure);
    leaf->granted = true;
    if (status == STATUS_OK)
        status = log_append(staged, leaf, failure);
    if (status == STATUS_OK)
        status = vault_commit(staged, failure);
    if (status != STATUS_OK)
        vault_rollback(staged);
    return status;
}

static enum status close_staged(struct restoration *restoration, struct failure *failure)
{
    check_freep(&restoration->check);
    enum status status = store_retire(restoration->staged->store, failure);
    if (status == STATUS_OK)
        vault_freep(&restoration->staged);
    return status;
}

static enum status retire(struct vault *vault, struct store *store, struct failure *failure)
{
    if (vault != NULL)
        vault_rollback(vault);
    if (vault != NULL)
        store = vault->store;
    return store != NULL ? store_retire(store, failure) : STATUS_OK;
}

enum status restoration_publish(struct restoration *restoration, struct vault **current,
                                const struct vault_key *key, const char *pinned, unsigned wait_ms,
                                struct leaf *leaf, restoration_before *before, void *context,
                                struct failure *failure, struct restoration_heads *ret_heads,
                                char ret_note[NOTE_MAX])
{
    CLEANUP(holding_reset) struct holding holding = HOLDING_NONE;
    struct restoration_heads heads;
    bool gone = false;
    enum status status = STATUS_OK;

    if (*current == NULL)
        status = hold(restoration, key, wait_ms, failure, &holding);
    struct vault *vault = *current != NULL ? *current : holding.vault;
    if (status == STATUS_OK)
        status = find_heads(restoration, vault, pinned, failure, &heads);
    if (status == STATUS_OK)
        status = begin_instance(restoration->staged, &heads, leaf, failure);
    if (status != STATUS_OK)
        return status;
    memcpy(ret_note, log_head(restoration->staged), NOTE_MAX);
    status = close_staged(restoration, failure);
    if (status == STATUS_OK)
        status = retire(vault, holding.store, failure);
    if (status != STATUS_OK)
        return status;
    if (before != NULL)
        before(context, &heads);
    status = disk_draft_replace(&restoration->draft, restoration->path, failure, &gone);
    if (gone)
        vault_freep(current);
    else if (status != STATUS_OK && *current != NULL)
        store_resume((*current)->store);
    if (status == STATUS_OK)
        *ret_heads = heads;
    return status;
}
