/* Eras of the access log: runs of leaves under one signing key. The log stays one tree over all of them: a
 * rekey changes the key, and a restored vault goes on as another instance, under an origin of its own. Each
 * era is announced by its first leaf, in a note that the key before it signed. docs/FORMAT.md, section 9. */
#ifndef STEPVAULT_ERA_H
#define STEPVAULT_ERA_H

#include "base/status.h"
#include "crypto/note.h"
#include "leaf.h"
#include "vault.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ERA_INSTANCE_SIZE 17u /* 16 hexadecimal digits and a NUL */

struct log_era {
    uint64_t first; /* leaf */
    uint32_t epoch; /* of the vault key */
    char instance[ERA_INSTANCE_SIZE];
    char verifier[NOTE_VERIFIER_MAX];
    char abandoned[NOTE_MAX]; /* the head that this instance took the place of; "" for none */
};

/* All of them in order; the last is the current one. They live until an era begins or the vault is closed. */
const struct log_era *log_eras(const struct vault *vault, size_t *ret_count);

/* The number of the era of leaf `index`. */
size_t log_find_era(const struct vault *vault, uint64_t index);

/* The first leaf of the instance that wrote in this era: its writer_seq is 0. */
uint64_t log_instance_first(const struct vault *vault, size_t era);

/* Begins an era with the next leaf, which is `leaf`, before that is appended, within a turn: makes and keeps
 * the new signing key and adds what announces it to leaf->details. With `new_instance` the log goes on under
 * another origin, in the place of the one whose head `abandoned` was (a note; NULL if there is nothing
 * known), and in a segment of its own, so that no entry of that one opens as an entry of this. */
enum status log_begin_era(struct vault *vault, bool new_instance, const char *abandoned, struct leaf *leaf,
                          struct failure *failure);

/* Verifies a checkpoint of this log by the key of its era. STATUS_NOT_FOUND if no era's key signed it,
 * STATUS_CORRUPT if its signature or form is wrong, STATUS_ROLLED_BACK if its size is none that the log had
 * while that key was in force: with a good signature that is a branch which the log does not go on from. With
 * STATUS_OK and STATUS_ROLLED_BACK `*ret_checkpoint` and `*ret_era` are set. The root is not compared. */
enum status log_verify_note(const struct vault *vault, const char *note, struct failure *failure,
                            struct note_checkpoint *ret_checkpoint, size_t *ret_era);

/* For vault/ alone: what keeps the eras. */

/* Makes the first era of a new vault, within its first turn. */
enum status era_create(struct vault *vault, struct failure *failure);

/* Reads the eras and the log's keys of a vault whose log has `size` leaves. */
enum status era_open(struct vault *vault, uint64_t size, struct failure *failure);

/* STATUS_CORRUPT unless `leaf`, the parsed first leaf of era number `era`, announces it as its predecessor's
 * key signed it. */
enum status era_check_first(const struct vault *vault, size_t era, const struct json *leaf,
                            struct failure *failure);

/* Undoes what a turn that is rolled back did to the eras, segments and keys in memory. */
void era_rollback(struct vault *vault);
/* Such a turn was committed. */
void era_keep(struct vault *vault);

#endif
