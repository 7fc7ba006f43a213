/* The slots that a vault is to have after a rekey: of each that can go on its key of now and its next one. */
#ifndef STEPVAULT_CLI_KEYRING_H
#define STEPVAULT_CLI_KEYRING_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/slot.h"
#include "exchange.h"
#include "key.h"
#include "option.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

/* One slot of the new set. Without a key of now it is a new one. */
struct keyring_slot {
    struct key_slot next;
    struct key now;
    const char *path; /* of its key file; NULL for the others */
};

/* All zero is the valid empty value. */
struct keyring {
    struct keyring_slot slots[KEY_SLOTS_MAX];
    size_t count;
    struct key authority; /* one of those of now */
    struct secret code;   /* of a new recovery slot */
};
void keyring_reset(struct keyring *keyring);

/* Collects the keys at hand for the slots that there are: the passphrase, by --passphrase-fd or by asking,
 * which a person may leave empty where another key authorises the call; in the same way the login password,
 * for each login slot, whether it opens it or not; the exchange's key file and those of --keep-key; with
 * --recovery or --recovery-code-fd the recovery code, whose slot goes on unless `new_recovery`, which adds
 * one of a new code. Deriving takes two seconds for a passphrase. */
enum status keyring_collect(const struct exchange *exchange, const struct option_values *options,
                            const struct key_headers *headers, bool new_recovery, struct failure *failure,
                            struct keyring *keyring);

/* The key of this slot authorises the call, where no other does yet. */
enum status keyring_authorise(struct keyring *keyring, size_t at, struct failure *failure);

/* This slot does not go on. */
void keyring_drop(struct keyring *keyring, size_t at);

/* The member `slots` of Rekey. */
void keyring_write(const struct keyring *keyring, struct json_writer *writer);

#endif
