/* The access log: an RFC 6962 tree of lines, each sealed; interior hashes in tiles; a signed checkpoint a
 * commit. docs/FORMAT.md, sections 7 to 9. */
#ifndef STEPVAULT_LOG_H
#define STEPVAULT_LOG_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/merkle.h"
#include "crypto/note.h"
#include "era.h"
#include "leaf.h"
#include "vault.h"

#include <stdbool.h>
#include <stdint.h>

/* Appends the leaf to the turn and sets leaf->appended. Durable with vault_commit. */
enum status log_append(struct vault *vault, struct leaf *leaf, struct failure *failure);

/* Number of leaves, the turn's included. */
uint64_t log_size(const struct vault *vault);

/* Opens the line of leaf `index` into `ret_line` (cleared first) and its leaf hash. STATUS_CORRUPT if it is
 * not what the vault wrote. */
enum status log_read(struct vault *vault, uint64_t index, struct failure *failure, struct secret *ret_line,
                     uint8_t ret_hash[MERKLE_HASH_SIZE]);

/* Leaves below this one have no line any more, but only their hash: log_read is STATUS_NOT_FOUND. The first
 * leaf of an era keeps its line, because it says why to trust the key from there on; log_is_pruned knows. */
uint64_t log_pruned(const struct vault *vault);
bool log_is_pruned(const struct vault *vault, uint64_t index);
/* The next leaf from `index` on that has a line, which may be the one behind the last. */
uint64_t log_skip_pruned(const struct vault *vault, uint64_t index);

/* Takes the lines of whole tiles of leaves (256) whose every leaf is older than `before_ms`, from the oldest
 * on, at most `tiles` of them: a change of the turn, which needs a leaf after it. */
struct log_pruning {
    uint64_t first; /* these leaves lost their lines: from first */
    uint64_t end;   /* to end - 1 */
    bool more;      /* there are further tiles that old */
};
enum status log_prune(struct vault *vault, uint64_t before_ms, size_t tiles, struct failure *failure,
                      struct log_pruning *ret_pruning);

/* The leaf hash of leaf `index`, and proofs of RFC 9162 (2.1.3 and 2.1.4) about the tree of the first `size`
 * leaves. Of the committed log, in O(log n), from tiles that are taken as stored: the proof is good if it
 * verifies. STATUS_NOT_FOUND for what the log does not have. log_prove_consistency needs 1 <= first <=
 * second. */
enum status log_read_hash(const struct vault *vault, uint64_t index, struct failure *failure,
                          uint8_t ret_hash[MERKLE_HASH_SIZE]);
enum status log_prove_inclusion(const struct vault *vault, uint64_t index, uint64_t size,
                                struct failure *failure, struct merkle_proof *ret_proof);
enum status log_prove_consistency(const struct vault *vault, uint64_t first, uint64_t second,
                                  struct failure *failure, struct merkle_proof *ret_proof);

/* Exchanges the log reading key: wraps the keys of all segments under a new one and begins a new segment. A
 * part of a rekey, within its turn. */
enum status log_renew_reading_key(struct vault *vault, struct failure *failure);

/* The signed head of the last commit, as text; "" before the first. */
const char *log_head(const struct vault *vault);

/* Keeps a copy of the head among the checkpoints: a change of the turn, which needs a leaf after it. */
enum status log_keep_head(struct vault *vault, struct failure *failure);

/* The head, or the kept checkpoint of this size. STATUS_NOT_FOUND if there is none. */
enum status log_read_checkpoint(struct vault *vault, uint64_t size, struct failure *failure,
                                char ret_note[NOTE_MAX]);

/* The verifier key of the signatures from now on; those before are in log_eras. */
void log_verifier(const struct vault *vault, char destination[NOTE_VERIFIER_MAX]);

/* A verification in slices, so that the agent can serve meanwhile: every leaf is opened and hashed, the
 * writer's chain followed, tiles and kept checkpoints compared, at the end the root and then all rows with
 * the accumulator; all of it from the disk, not from what is in memory of the file. Not within a turn. */
struct log_verification;
enum status log_verification_start(struct vault *vault, struct failure *failure,
                                   struct log_verification **ret_verification);
/* The same of the log alone, whose signed head is `head`: it ends with the root, and of checkpoints it only
 * notes whether they agree. Of an opened vault, or of one that stopped short of that and has its eras
 * (check.c). */
enum status log_verification_start_alone(struct vault *vault, const struct note_checkpoint *head,
                                         struct failure *failure, struct log_verification **ret_verification);
/* One more checkpoint that the log must have grown from, before the first slice: STATUS_ROLLED_BACK from the
 * slice that sees that it did not. */
enum status log_verification_against(struct log_verification *verification,
                                     const struct note_checkpoint *checkpoint, struct failure *failure);
/* Goes on for at most `leaves`; `*ret_done` when all is verified. STATUS_CORRUPT says what and where. Not
 * within a turn. */
enum status log_verification_continue(struct log_verification *verification, uint64_t leaves,
                                      struct failure *failure, bool *ret_done);
uint64_t log_verification_position(const struct log_verification *verification);
uint64_t log_verification_total(const struct log_verification *verification);
/* How many of those up to the position had no line any more, and were held to the root by their hash only. */
uint64_t log_verification_pruned(const struct log_verification *verification);
/* The verified root, and how many kept checkpoints agreed; once done. */
void log_verification_root(const struct log_verification *verification,
                           uint8_t destination[MERKLE_HASH_SIZE]);
unsigned log_verification_checkpoints(const struct log_verification *verification);
/* Whether a checkpoint, of those that the reading has come to, is of another log; `*ret_size` is that of the
 * first. */
bool log_verification_differs(const struct log_verification *verification, uint64_t *ret_size);
void log_verification_freep(struct log_verification **verification);

#endif
