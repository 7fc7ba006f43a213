/* The keys that a login password gives, one for each login slot. */
#ifndef STEPVAULT_HELPER_KEYS_H
#define STEPVAULT_HELPER_KEYS_H

#include "base/secret.h"
#include "base/status.h"
#include "key.h"

#include <stdbool.h>
#include <stddef.h>

#define KEYS_MAX 2 /* login slots of a vault */

/* All zero is the valid empty value. */
struct keys {
    struct key keys[KEYS_MAX];
    struct slot_header headers[KEYS_MAX]; /* the latest first; of keys that were read the id alone */
    size_t count;
};
void keys_reset(struct keys *keys);

/* All of them are derived before the first is sent: while an agent is asked it may look at this process, and
 * so may others of the same user. */
enum status keys_derive(const struct key_headers *headers, const struct secret *password,
                        struct failure *failure, struct keys *ret_keys);

/* As one entry of an environment, for a session that another process opens: `KEYS=` and, for each,
 * hexadecimal id, dot and key, commas between them; with its NUL. False when memory is out. */
bool keys_write(const struct keys *keys, struct secret *entry);

/* Reads what keys_write wrote, without the NUL. False if it is anything else. */
bool keys_read(const struct secret *entry, struct keys *ret_keys);

#endif
