/* The open vault: keys, state and log over one store. Everything else in this folder takes a struct vault.
 *
 * The agent works in turns: vault_begin, any number of noun calls and log_append, then vault_commit (durable:
 * one fdatasync) or vault_rollback. A noun call that fails before it changed anything leaves the turn as it
 * was; one that fails later marks the turn broken (vault_is_broken), and only a rollback may follow. */
#ifndef STEPVAULT_VAULT_H
#define STEPVAULT_VAULT_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/slot.h"
#include "leaf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vault;
struct store_snapshot;

/* The key a caller gives: `has_slot` names the slot; without it the machine slots are tried. Kept in secret
 * memory by the caller. */
struct vault_key {
    bool has_slot;
    uint8_t slot[SLOT_ID_SIZE];
    uint8_t key[SLOT_KEY_SIZE];
};

#define VAULT_SLOTS_MAX 68u /* a passphrase, two of logins, a recovery code and 64 key files */

/* A slot to be made. */
struct vault_new_slot {
    struct slot_header header;
    uint8_t key[SLOT_KEY_SIZE];
};

/* Makes a vault at the canonical `path` with these slots, the steps `/` and `login` (a boundary), log keys
 * and first leaf
 * ("initialize" by `caller`); durable and open when it returns. STATUS_EXISTS where a file is; STATUS_INVALID
 * for slots that break a rule (none, two passphrases, bad Argon2id parameters are the asker's business). */
enum status vault_create(const char *path, const struct vault_new_slot *slots, size_t count,
                         const struct leaf_caller *caller, struct failure *failure, struct vault **ret_vault);

/* Opens and verifies the vault: slot, every row against the accumulator, the log's root against the signed
 * head. Writes nothing, and leaves a vault that is damaged as it lies. Waits at most `wait_ms` for another
 * process's lock. */
enum status vault_open(const char *path, const struct vault_key *key, unsigned wait_ms,
                       struct failure *failure, struct vault **ret_vault);

/* Prepares for many turns: room that makes each commit cheaper. For an agent that stays. */
void vault_reserve(struct vault *vault);

/* Wipes the keys, rolls back an open turn, closes the file. */
void vault_freep(struct vault **vault);

/* Looks at the vault's files from outside, which is cheap; where their times are not those that the vault
 * left, verifies all rows and the end of the log anew, from the disk. STATUS_FOREIGN: another file or size.
 * STATUS_CORRUPT: other rows. After either only vault_freep may follow, and leaves what is not ours alone.
 * Not within a turn. */
enum status vault_look(struct vault *vault, struct failure *failure);
/* The same, and verifies whatever the times are: 4 s for a million records, 0.4 s for 100 000. */
enum status vault_verify(struct vault *vault, struct failure *failure);

enum status vault_begin(struct vault *vault, struct failure *failure);
enum status vault_commit(struct vault *vault, struct failure *failure);
void vault_rollback(struct vault *vault);
/* Ends the work of a turn that wrote much (import.h), once its callers have their replies, or of a rekey,
 * before that. Nothing to do after any other turn. Not within a turn. False if it could not be done yet. */
bool vault_fold(struct vault *vault);
/* A copy of the vault as the last commit left it: store/snapshot.h. Not within a turn. */
enum status vault_start_snapshot(struct vault *vault, struct failure *failure,
                                 struct store_snapshot **ret_snapshot);
bool vault_is_broken(const struct vault *vault);

/* How far a turn has come. A call that fails after it moved the turn must not be committed with it. */
struct vault_mark {
    size_t changes;
    uint64_t leaves;
};
struct vault_mark vault_set_mark(const struct vault *vault);
bool vault_has_moved(const struct vault *vault, const struct vault_mark *since);

const uint8_t *vault_id(const struct vault *vault); /* 16 bytes */
uint32_t vault_epoch(const struct vault *vault);
uint64_t vault_record_count(const struct vault *vault);

/* Public slot headers, from an open vault. `*ret_headers` is malloc'ed. */
enum status vault_list_slots(struct vault *vault, struct failure *failure, struct slot_header **ret_headers,
                             size_t *ret_count);
/* The same from the file of a locked one. */
enum status vault_read_slots(const char *path, unsigned wait_ms, struct failure *failure, uint8_t ret_id[16],
                             uint32_t *ret_epoch, struct slot_header **ret_headers, size_t *ret_count);

/* STATUS_OK if the key opens a slot of this open vault: what a "fresh key" means. */
enum status vault_check_key(struct vault *vault, const struct vault_key *key, struct failure *failure);

/* Slot changes; part of the turn. Rules: at most one passphrase, two login, one recovery slot; the last slot
 * stays. */
enum status vault_add_slot(struct vault *vault, const struct vault_new_slot *slot, struct failure *failure);
enum status vault_remove_slot(struct vault *vault, const uint8_t id[SLOT_ID_SIZE], struct failure *failure);
/* Puts the slot in the place of the only one of its kind. STATUS_NOT_FOUND where there is none,
 * STATUS_AMBIGUOUS where there are several. */
enum status vault_replace_slot(struct vault *vault, const struct vault_new_slot *slot,
                               struct failure *failure, uint8_t ret_replaced[SLOT_ID_SIZE]);

#endif
