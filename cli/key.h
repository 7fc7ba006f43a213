/* Slot keys as the asker has them: from a passphrase, a recovery code or a key file. No passphrase leaves
 * this process. */
#ifndef STEPVAULT_CLI_KEY_H
#define STEPVAULT_CLI_KEY_H

#include "base/secret.h"
#include "base/status.h"
#include "crypto/slot.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long the derivation of a login slot takes: a fifth of the two seconds that a login may wait. */
#define KEY_LOGIN_TARGET_MS 400

/* A key for a call. All zero is the valid empty value. */
struct key {
    char slot[2 * SLOT_ID_SIZE + 1]; /* the slot it opens; "": tried on the machine slots */
    struct secret bytes;             /* SLOT_KEY_SIZE of them, or none */
};
void key_reset(struct key *key);

/* The content of a key file, for the machine slots. */
enum status key_read_file(const char *path, struct failure *failure, struct key *ret_key);

/* As key_read_file; where there is no such file, makes one with 32 random bytes, durable before this returns.
 */
enum status key_make_file(const char *path, struct failure *failure, struct key *ret_key);

/* Derives the key of a passphrase slot (about a second), or of the recovery slot. */
enum status key_from_passphrase(const struct secret *passphrase, const struct slot_header *header,
                                struct failure *failure, struct key *ret_key);
enum status key_from_code(const struct secret *code, const struct slot_header *header,
                          struct failure *failure, struct key *ret_key);

/* A slot to be made: header and key. */
struct key_slot {
    struct slot_header header;
    struct key key;
};
void key_slot_reset(struct key_slot *slot);

/* A slot for what a person types, SLOT_PASSPHRASE or SLOT_LOGIN, whose derivation takes about `target_ms`
 * here. */
enum status key_new_passphrase(enum slot_kind kind, const struct secret *passphrase, unsigned target_ms,
                               struct failure *failure, struct key_slot *ret_slot);

/* A recovery slot and its code (cleared first). */
enum status key_new_recovery(struct failure *failure, struct key_slot *ret_slot, struct secret *ret_code);

/* A machine slot of the key file at `path`, made if absent. */
enum status key_new_machine(const char *path, struct failure *failure, struct key_slot *ret_slot);

/* The slots of `header` again, for a new vault key, under another salt: what they are opened with stays. That
 * of a machine slot, which a key file does not name, is a header of its own. */
enum status key_renew_passphrase(const struct secret *passphrase, const struct slot_header *header,
                                 struct failure *failure, struct key_slot *ret_slot);
enum status key_renew_code(const struct secret *code, const struct slot_header *header,
                           struct failure *failure, struct key_slot *ret_slot);
enum status key_renew_machine(const char *path, struct failure *failure, struct key_slot *ret_slot);

/* Member of a call: a NewSlot; with `old_key` (NULL: none) a RekeySlot. */
void key_slot_write(struct json_writer *writer, const char *name, const struct key_slot *slot,
                    const struct key *old_key);

/* The slot headers of a ListSlots reply. */
#define KEY_SLOTS_MAX 68
struct key_headers {
    struct slot_header headers[KEY_SLOTS_MAX];
    size_t count;
};
enum status key_read_headers(const struct json *parameters, struct failure *failure,
                             struct key_headers *ret_headers);

/* Makes the slot later than all of its kind, whatever the clock says: the order of login slots tells which
 * password is in use. */
void key_slot_follow(struct key_slot *slot, const struct key_headers *headers);

/* The slot of a kind; STATUS_NOT_FOUND names the kinds there are. */
enum status key_find_header(const struct key_headers *headers, enum slot_kind kind, struct failure *failure,
                            const struct slot_header **ret_header);

/* The slots that something typed may open, in the order in which they are tried: the passphrase's, then those
 * of login passwords, the latest first. A second that says it is the passphrase's is somebody else's and left
 * out. Returns their number. */
#define KEY_TYPED_MAX 3
size_t key_find_typed(const struct key_headers *headers, const struct slot_header *ret_found[KEY_TYPED_MAX]);

#endif
