/* A check of all that a vault's file holds, part by part, so that a damaged one still says which of them
 * hold. It repairs and writes nothing, appends no leaf and moves no pin. */
#ifndef STEPVAULT_CHECK_H
#define STEPVAULT_CHECK_H

#include "base/status.h"
#include "vault.h"

#include <stdbool.h>
#include <stdint.h>

/* In this order. */
enum check_part {
    CHECK_SLOTS,       /* forms, kinds, counts, bounds of the derivation */
    CHECK_ROWS,        /* every record opens, and is what its document says */
    CHECK_ACCUMULATOR, /* all rows are those of the sealed state, and the indices list them */
    CHECK_TREE,        /* every leaf, the writers' chains, tiles, the root */
    CHECK_CHECKPOINTS, /* the kept ones: signatures, sizes, roots */
    CHECK_PIN,         /* the vault has grown from what this machine saw last */
    CHECK_PART_COUNT
};

enum check_verdict {
    CHECK_OPEN, /* not known yet */
    CHECK_HOLDS,
    CHECK_FAILS,
    CHECK_UNCHECKED /* what it stands on is missing, or memory is out */
};

#define CHECK_DETAIL_MAX FAILURE_SENTENCE_MAX

struct check_finding {
    enum check_verdict verdict;
    enum status status;            /* STATUS_OK if it holds */
    char detail[CHECK_DETAIL_MAX]; /* what was found; a sentence where it fails or was not checked */
};

/* `slots`, `rows`, ..., and `holds`, `fails`, `not checked`. */
const char *check_part_name(enum check_part part);
const char *check_verdict_word(enum check_verdict verdict);

struct check;

/* `pins` is the folder of this machine's pins (pin.h), which is not copied; NULL: no pin is looked at, and
 * that part holds.
 *
 * Of an open vault, read from the disk, by whoever may have turns of it between two slices; not within one.
 */
enum status check_start(struct vault *vault, const char *pins, struct failure *failure,
                        struct check **ret_check);

/* Of the file at the canonical `path`, which is opened for the check alone, as far as it can be: where a slot
 * cannot be read, or anything behind the key is damaged, that is a finding and no failure. Failures are those
 * of the store's opening (vault.h), and a key that opens no slot. The file's write-ahead log is left as it is
 * found. */
enum status check_open(const char *path, const struct vault_key *key, unsigned wait_ms, const char *pins,
                       struct failure *failure, struct check **ret_check);

/* Goes on for some milliseconds. True once every part has its verdict; a vault that was opened for the check
 * is closed then. What cannot be gone on with, for want of memory, is not checked. */
bool check_continue(struct check *check);

const struct check_finding *check_finding(const struct check *check, enum check_part part);

/* How far the part at hand is. */
enum check_part check_progress(const struct check *check, uint64_t *ret_done, uint64_t *ret_total);

void check_freep(struct check **check);

/* All of it at once, for other parts of the program and their tests: STATUS_OK if every part holds. Else the
 * failure is that of the first which does not, and `*ret_part` its name, or `file` where it could not be
 * opened. */
enum status check_file(const char *path, const struct vault_key *key, const char *pins,
                       struct failure *failure, const char **ret_part);

#endif
