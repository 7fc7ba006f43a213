/* Imports: many variables and accounts, staged as sealed records while they arrive, and put into the vault in
 * one turn. What is staged is look-ups and ciphertext, and the names in clear: ordinary memory may hold it.
 * It belongs to one open vault, and is of no use once that is locked. */
#ifndef STEPVAULT_IMPORT_H
#define STEPVAULT_IMPORT_H

#include "leaf.h"
#include "variable.h"
#include "vault.h"
#include "json/json.h"

/* Each path may need a record for itself and for up to seven above it, all in the turn of the commit. */
#define IMPORT_PATHS_MAX 10000u

struct import;

struct import_options {
    bool replace; /* what is there with another value; else that is STATUS_EXISTS */
    bool dry_run; /* decide and count only */
};

struct import_counts {
    size_t added;
    size_t replaced;
    size_t unchanged;
};

enum status import_start(struct failure *failure, struct import **ret_import);
void import_freep(struct import **import);

/* Each checks what can be checked without a look at the vault, and seals. No turn is needed. A variable comes
 * without remarks, and keeps those it has; an account's strings, properties and remarks are as account_add
 * has them. STATUS_TOO_LARGE for more than IMPORT_PATHS_MAX paths. */
enum status import_stage_variable(struct import *import, struct vault *vault,
                                  const struct variable_change *change, struct failure *failure);
enum status import_stage_account(struct import *import, struct vault *vault, const char *app,
                                 const char *label, const struct json *properties,
                                 const struct remark *remark, struct failure *failure);

/* Gives back the locked memory that sealing took, of which there is little for all imports together; to be
 * called before other callers have their turn. */
void import_rest(struct import *import);

/* What is staged, and the bytes of its names and values. */
size_t import_count(const struct import *import);
size_t import_bytes(const struct import *import);

/* Puts all of it into the open turn and appends its leaves, with `leaf` as their head: docs/FORMAT.md,
 * section
 * 7. A name staged twice is STATUS_INVALID; refusals come before the first change. An account that is
 * replaced keeps its id, and the properties that are not given. To be called once. */
enum status import_commit(struct import *import, struct vault *vault, const struct import_options *options,
                          struct leaf *leaf, struct failure *failure, struct import_counts *ret_counts);

/* After import_commit: a letter for each, in the order of staging: `a` added, `r` replaced, `u` unchanged.
 * Appends; false when memory is out. */
bool import_list_changes(const struct import *import, struct secret *destination);

#endif
