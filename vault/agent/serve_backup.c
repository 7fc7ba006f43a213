/* Backup: one file of the vault as a commit left it, copied between turns and streamed from the copy, so that
 * neither a slow client nor a large vault keeps others waiting. */
#include "agent/serve.h"

#include "agent/job.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log.h"
#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

#define COPY_SLICE (1u << 20) /* bytes, about a millisecond */
#define SEND_SLICE (128u << 10)
#define PROGRESS_MS 1000u
#define BACKUPS_MAX 4u /* at once: each keeps a copy on the disk until it is read */

struct backup {
    struct session *session;
    struct store_snapshot *snapshot; /* NULL until the first slice */
    bool copied;
    uint64_t sent;
    uint64_t replied_at_ms;
    char note[NOTE_MAX]; /* the head that the copy holds */
    struct note_checkpoint head;
};

static void backup_release(void *context)
{
    struct backup *backup = context;

    store_snapshot_freep(&backup->snapshot);
    free(backup);
}

/* Another backup's copy is taken first: it goes on in the same loop. */
static enum status start(struct backup *backup, struct failure *failure)
{
    struct vault *vault = backup->session->vault;
    char verifier[NOTE_VERIFIER_MAX];
    enum status status = vault_start_snapshot(vault, failure, &backup->snapshot);

    if (status != STATUS_OK)
        return status == STATUS_BUSY ? STATUS_OK : status;
    memcpy(backup->note, log_head(vault), sizeof(backup->note));
    log_verifier(vault, verifier);
    return note_verify_checkpoint(backup->note, verifier, failure, &backup->head);
}

static enum status copy(struct backup *backup, struct failure *failure)
{
    enum status status = STATUS_OK;

    if (backup->snapshot == NULL)
        status = start(backup, failure);
    if (status != STATUS_OK || backup->snapshot == NULL)
        return status;
    return store_snapshot_copy(backup->snapshot, COPY_SLICE, failure, &backup->copied);
}

static enum status write_part(struct backup *backup, struct reply *reply, struct failure *failure)
{
    static uint8_t part[SEND_SLICE]; /* ciphertext */
    const uint64_t left = store_snapshot_size(backup->snapshot) - backup->sent;
    const size_t size = left < sizeof(part) ? (size_t)left : sizeof(part);
    enum status status = store_snapshot_read(backup->snapshot, backup->sent, part, size, failure);

    if (status != STATUS_OK)
        return status;
    backup->sent += size;
    json_add_base64(&reply->writer, "data", part, size);
    return STATUS_OK;
}

static void write_numbers(const struct backup *backup, struct json_writer *writer)
{
    const struct store_snapshot *snapshot = backup->snapshot;

    json_add_number(writer, "copied", snapshot == NULL ? 0 : store_snapshot_copied(snapshot));
    json_add_number(writer, "sent", backup->sent);
    json_add_number(writer, "total", snapshot == NULL ? 0 : store_snapshot_size(snapshot));
}

static enum status backup_slice(void *context, struct reply *reply, struct failure *failure, bool *ret_last,
                                bool *ret_due)
{
    struct backup *backup = context;
    const bool sending = backup->copied;
    const uint64_t now_ms = clock_monotonic_ms();
    enum status status = sending ? write_part(backup, reply, failure) : copy(backup, failure);

    if (status != STATUS_OK)
        return status;
    *ret_due = sending || now_ms - backup->replied_at_ms >= PROGRESS_MS;
    *ret_last = sending && backup->sent == store_snapshot_size(backup->snapshot);
    if (*ret_due)
        backup->replied_at_ms = now_ms;
    if (!sending)
        json_add_text(&reply->writer, "data", "");
    write_numbers(backup, &reply->writer);
    if (*ret_last) {
        json_add_text(&reply->writer, "note", backup->note);
        json_add_number(&reply->writer, "log_size", backup->head.size);
        json_add_hex(&reply->writer, "root", backup->head.root, sizeof(backup->head.root));
    }
    return STATUS_OK;
}

static const struct job_work backup_work = {.slice = backup_slice, .release = backup_release};

enum status serve_backup(struct session *session, struct request *request)
{
    CLEANUP(cleanup_free) struct backup *backup = NULL;
    enum status status;

    if (job_count(session, &backup_work) >= BACKUPS_MAX)
        return failure_set(&request->failure, STATUS_BUSY,
                           "%u backups of the vault %s are being made already", BACKUPS_MAX, session->path);
    backup = calloc(1, sizeof(*backup));
    if (backup == NULL)
        return failure_set_no_memory(&request->failure);
    backup->session = session;
    backup->replied_at_ms = clock_monotonic_ms();
    status = job_start(session, !session->unlocked, &backup_work, backup, &request->failure, &request->job);
    if (status == STATUS_OK)
        (void)TAKE(backup);
    return status;
}
