/* The key slots of a vault, for vault.c; what others may do with them stands in vault.h. */
#ifndef STEPVAULT_KEYSLOT_H
#define STEPVAULT_KEYSLOT_H

#include "crypto/seal.h"
#include "rekey.h"
#include "store/store.h"
#include "vault.h"

/* STATUS_OK if a vault may be made with these slots. */
enum status keyslot_check(const struct vault_new_slot *slots, size_t count, struct failure *failure);

/* Wraps the vault key for the slot and puts it, within a turn. */
enum status keyslot_put(struct vault *vault, const struct vault_new_slot *slot, struct failure *failure);

/* Opens the slot that the key names, or tries every machine slot: those cost no derivation. */
enum status keyslot_unwrap(const struct vault *vault, const struct store_slot *rows, size_t count,
                           const struct vault_key *key, struct failure *failure,
                           uint8_t ret_vault_key[SEAL_KEY_SIZE]);

/* The same, and which slot it was. */
enum status keyslot_unwrap_one(const struct vault *vault, const struct store_slot *rows, size_t count,
                               const struct vault_key *key, struct failure *failure,
                               uint8_t ret_vault_key[SEAL_KEY_SIZE], size_t *ret_slot);

/* STATUS_CORRUPT unless these are slots that a vault can have: kinds, how many of each, the bounds of their
 * derivation. */
enum status keyslot_check_rows(const struct store_slot *rows, size_t count, struct failure *failure);

/* Makes `slots` the whole new set: each that its claim says continues one of now gets the id and the time of
 * making of that one. `*ret_removed` (malloc'ed) are the slots of now that none continues. STATUS_WRONG_KEY
 * where a key does not open the slot that is to go on; else as keyslot_check. */
enum status keyslot_settle(struct vault *vault, struct vault_new_slot *slots,
                           const struct rekey_claim *claims, size_t count, struct failure *failure,
                           struct slot_header **ret_removed, size_t *ret_removed_count);

#endif
