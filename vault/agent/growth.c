/* Judging a kept checkpoint, and the proof of growth from it. */
#include "agent/growth.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN_FRONT "stepvault/v1/"

/* No key of this log is named in the note: whose it is, by its first line, which nothing vouches for. */
static enum status refuse_stranger(const struct vault *vault, const char *note, struct failure *failure)
{
    char id[2 * SLOT_ID_SIZE + 1];
    char ours[sizeof(ORIGIN_FRONT) + sizeof(id) + 1];
    char origin[NOTE_ORIGIN_MAX + 1];
    size_t size = strcspn(note, "\n");

    text_to_hex(id, vault_id(vault), SLOT_ID_SIZE);
    snprintf(ours, sizeof(ours), ORIGIN_FRONT "%s/", id);
    if (size == 0 || size >= sizeof(origin) || strstr(note, "\n\n") == NULL)
        return failure_set(failure, STATUS_INVALID, "that is no signed checkpoint of a log");
    memcpy(origin, note, size);
    origin[size] = '\0';
    (void)text_make_plain(origin);
    if (strncmp(origin, ours, strlen(ours)) != 0)
        return failure_set(failure, STATUS_NOT_FOUND, "the checkpoint is of another log: %s", origin);
    return failure_set(failure, STATUS_NOT_FOUND, "the checkpoint is not signed by any key of this log");
}

enum status growth_read(const struct vault *vault, const char *note, struct failure *failure,
                        struct growth *ret_growth)
{
    struct growth growth;
    enum status status = log_verify_note(vault, note, failure, &growth.checkpoint, &growth.era);

    /* What is wrong is the note that was given, and not the vault. */
    switch (status) {
    case STATUS_OK:
        *ret_growth = growth;
        return STATUS_OK;
    case STATUS_NOT_FOUND:
        return refuse_stranger(vault, note, failure);
    case STATUS_CORRUPT:
        return failure->status = STATUS_INVALID;
    case STATUS_ROLLED_BACK:
        return failure->status = STATUS_FAILED;
    default:
        return status;
    }
}

enum status growth_write(const struct vault *vault, const struct growth *growth, uint64_t total,
                         struct failure *failure, struct json_writer *writer)
{
    const struct note_checkpoint *checkpoint = &growth->checkpoint;
    struct merkle_proof proof;
    size_t eras;
    enum status status = log_prove_consistency(vault, checkpoint->size, total, failure, &proof);

    if (status != STATUS_OK)
        return status;
    json_open_object(writer, "against");
    json_add_number(writer, "size", checkpoint->size);
    json_add_hex(writer, "root", checkpoint->root, sizeof(checkpoint->root));
    json_add_number(writer, "era", growth->era);
    json_add_text(writer, "key", log_eras(vault, &eras)[growth->era].verifier);
    json_open_array(writer, "proof");
    for (size_t at = 0; at < proof.count; at++)
        json_add_base64(writer, NULL, proof.hashes[at], sizeof(proof.hashes[at]));
    json_close_array(writer);
    json_close_object(writer);
    return STATUS_OK;
}
