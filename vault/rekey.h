/* A new vault key and epoch: everything that the old keys sealed is made anew under the new ones, the log
 * gets a new reading key, a new segment and a new signing key, and of the slots only those stay whose keys
 * come with the call. docs/FORMAT.md, section 12. */
#ifndef STEPVAULT_REKEY_H
#define STEPVAULT_REKEY_H

#include "base/status.h"
#include "crypto/slot.h"
#include "leaf.h"
#include "vault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a slot of the new set goes on from one of now, which `old_key` opens: a machine slot from any of
 * them, another one from the slot of its id. In secret memory. */
struct rekey_claim {
    bool continues;
    uint8_t old_key[SLOT_KEY_SIZE];
};

/* What becomes of the slots of now. */
struct rekey_outcome {
    struct slot_header *removed;
    size_t removed_count;
};
void rekey_outcome_reset(struct rekey_outcome *outcome);

/* Checks the new set, without a change: slots that continue one get its id and time of making. No salt of the
 * old set may be in it, because nothing of the old slots stays in the file. STATUS_WRONG_KEY where a key does
 * not open the slot that it is to continue, STATUS_BUSY while a backup is being copied. */
enum status rekey_check(struct vault *vault, struct vault_new_slot *slots, const struct rekey_claim *claims,
                        size_t count, struct failure *failure, struct rekey_outcome *ret_outcome);

/* All of it but the commit, within a turn; appends `leaf`. What fails leaves the turn to be rolled back.
 * Records are opened one at a time; sealed, all of them are in memory at once. */
enum status rekey_run(struct vault *vault, struct vault_new_slot *slots, const struct rekey_claim *claims,
                      size_t count, struct leaf *leaf, struct failure *failure,
                      struct rekey_outcome *ret_outcome);

#endif
