/* The pin: the last head of the log that this machine saw of the vault at a path, in a file outside the vault
 * (P4). It is a signed checkpoint, so that nobody without the vault's key can make one, and a vault that is
 * opened must have grown out of it. docs/DESIGN.md, section 5; the file is in docs/FORMAT.md, section 11. */
#ifndef STEPVAULT_PIN_H
#define STEPVAULT_PIN_H

#include "base/status.h"
#include "crypto/note.h"
#include "crypto/seal.h"
#include "vault.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* A pin as it was read. The head is what the note says, whoever signed it. */
struct pin {
    char path[PATH_MAX]; /* of the vault */
    char note[NOTE_MAX];
    char origin[NOTE_ORIGIN_MAX + 1];
    uint64_t size;
    char root[48]; /* as the note spells it, in base64 */
    bool is_whole; /* nothing follows the note, as where adding another was cut off */
};

/* What there was of a vault when it was opened. */
enum pin_state { PIN_NONE, PIN_HELD, PIN_UNREADABLE };

struct pin_finding {
    enum pin_state state;
    bool moved;             /* held, but it was the pin of the vault's path before */
    struct failure failure; /* PIN_UNREADABLE: why */
};

/* "none", "held" or "unreadable". */
const char *pin_state_name(enum pin_state state);

/* Where this user's pins lie, whether the folder is there or not. STATUS_INVALID where the environment names
 * no such place. */
enum status pin_folder(struct failure *failure, char destination[PATH_MAX]);

/* Reads the pin of the vault at the canonical `path`. STATUS_NOT_FOUND if there is none; STATUS_FOREIGN if
 * it, or the folder, is not ours alone to write; STATUS_INVALID, STATUS_FAILED if it cannot be read. */
enum status pin_read(const char *folder, const char *path, struct failure *failure, struct pin *ret_pin);

/* The id of the vault that the pinned head is of, in hexadecimal; false where the head names none. */
#define PIN_VAULT_ID_SIZE (2 * SEAL_ID_SIZE + 1)
bool pin_vault_id(const struct pin *pin, char ret_id[PIN_VAULT_ID_SIZE]);

/* Whether the open vault has grown out of the pinned head: STATUS_ROLLED_BACK says both heads.
 * STATUS_INVALID: the pin's signature is broken. Any other failure is that of reading the vault. Not within a
 * turn. */
enum status pin_compare(struct vault *vault, const struct pin *pin, struct failure *failure);

/* Compares the open vault with the pin of its path; where that has none, with those of the path from which it
 * was moved. STATUS_ROLLED_BACK as above; writes nothing. */
enum status pin_check(struct vault *vault, const char *folder, struct failure *failure,
                      struct pin_finding *ret_finding);

/* Replaces the pin of `path` as a whole by the signed note. Only for a head whose commit is durable, by
 * whoever holds the vault. Without `durable` a power cut may take the new pin and leave the old one. */
enum status pin_write(const char *folder, const char *path, const char *note, bool durable,
                      struct failure *failure);

/* Syncs the folder, as far as that goes, where the pin before must not come back by a power cut. */
void pin_sync(const char *folder);

/* Removes the pins of the paths from which the open vault was moved, once it has one of its own. */
void pin_drop_moved(struct vault *vault, const char *folder);

/* Removes the pin of `path`: for a new vault, where there was another before. */
void pin_remove(const char *folder, const char *path);

#endif
