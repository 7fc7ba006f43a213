/* The key that a change of the vault's slots needs anew: of a passphrase, a key file or the recovery code. */
#ifndef STEPVAULT_CLI_AUTHORITY_H
#define STEPVAULT_CLI_AUTHORITY_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/slot.h"
#include "exchange.h"
#include "key.h"
#include "option.h"

#include <stdbool.h>

/* What was typed or read. All zero is the valid empty value. */
struct authority {
    enum slot_kind kind;
    struct secret text; /* passphrase or recovery code; empty where it is the key file */
};
void authority_reset(struct authority *authority);

/* Reads it, before a connection is opened: by --passphrase-fd or --recovery-code-fd; by asking for the
 * recovery code if `asks_code`; nothing where a key file is at hand; else by asking for the passphrase. */
enum status authority_read(const struct exchange *exchange, const struct option_values *options,
                           bool asks_code, struct failure *failure, struct authority *ret_authority);

/* Makes the key for one of these slots. */
enum status authority_derive(const struct exchange *exchange, const struct authority *authority,
                             const struct key_headers *headers, struct failure *failure, struct key *ret_key);

/* Opens the connection, gets the slots, and makes the key. */
enum status authority_open(struct exchange *exchange, const struct authority *authority,
                           struct failure *failure, struct key_headers *ret_headers, struct key *ret_key);

/* `status` of the call that the key authorised; where that is STATUS_WRONG_KEY, names what was typed, because
 * the agent knows the key alone. */
enum status authority_judge(const struct authority *authority, enum status status, struct failure *failure);

#endif
