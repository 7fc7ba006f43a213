/* Restoring a vault from a copy of it. The copy is staged beside the vault's path, opened with a key of its
 * own slots and checked; it goes on as a new instance of the log (era.h), and takes the place of what is
 * there by one rename. Until then what is there stays as it is. docs/DESIGN.md, section 5. */
#ifndef STEPVAULT_RESTORATION_H
#define STEPVAULT_RESTORATION_H

#include "base/status.h"
#include "crypto/note.h"
#include "crypto/slot.h"
#include "leaf.h"
#include "vault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct restoration;

/* Locks the folder of the canonical `path`, which is made, against others who make or restore a vault in it
 * (STATUS_BUSY), and begins with an empty draft. STATUS_FOREIGN where something stands at `path` that is no
 * plain file of ours. */
enum status restoration_start(const char *path, struct failure *failure,
                              struct restoration **ret_restoration);

/* The next bytes of the copy. STATUS_FOREIGN as soon as it can be no vault; STATUS_LOG_UNWRITABLE where the
 * disk would have no room left for what else is written. */
enum status restoration_write(struct restoration *restoration, const void *bytes, size_t size,
                              struct failure *failure);

/* What the copy says of itself, once it is whole. `headers` is malloc'ed. */
struct restoration_copy {
    uint8_t id[16];
    uint32_t epoch;
    struct slot_header *headers;
    size_t count;
    bool replaces; /* there is something at the vault's path */
};
/* Ends the writing. `current` is the vault at the path if it is open, or NULL. STATUS_REFUSED if that, or the
 * file at the path as far as it can be read, is another vault; STATUS_BUSY after `wait_ms` if another process
 * holds it. */
enum status restoration_end(struct restoration *restoration, const struct vault *current, unsigned wait_ms,
                            struct failure *failure, struct restoration_copy *ret_copy);

/* Opens the copy, as vault_open does. */
enum status restoration_open(struct restoration *restoration, const struct vault_key *key,
                             struct failure *failure);

/* Checks all of it in slices of some milliseconds (check.h). Done at once if it was done before. */
enum status restoration_check(struct restoration *restoration, struct failure *failure, bool *ret_done);
/* Which part is being checked, and how far that is. */
void restoration_progress(const struct restoration *restoration, const char **ret_part, uint64_t *ret_done,
                          uint64_t *ret_total);

/* A head of the log. */
struct restoration_head {
    bool known;
    struct note_checkpoint checkpoint;
    uint64_t time_ms; /* of its last leaf; 0: not known */
    char note[NOTE_MAX];
};
struct restoration_heads {
    struct restoration_head abandoned; /* what the vault at the path had come to */
    struct restoration_head restored;  /* what the copy has */
};

/* Both, of a checked copy. The abandoned one is that of `current`; else of the file at the path, if `key`
 * opens it; and `pinned` (a note that this machine saw last; NULL for none) where that is larger, or the only
 * one. */
enum status restoration_compare(struct restoration *restoration, struct vault *current,
                                const struct vault_key *key, const char *pinned, unsigned wait_ms,
                                struct failure *failure, struct restoration_heads *ret_heads);

/* Puts the checked copy into the place of what is at the path: begins its new era with `leaf`, marks the
 * accounts whose tokens may have been renewed since, and closes it. `before` is called with the abandoned
 * head just before the rename, for what must be known first; it may be NULL. `*current` (NULL: nothing was
 * open) is closed from the moment at which its file may be gone, and NULL then, whatever this returns; what
 * it failed with before leaves all as it was. `ret_note` is the new head. */
typedef void restoration_before(void *context, const struct restoration_heads *heads);
enum status restoration_publish(struct restoration *restoration, struct vault **current,
                                const struct vault_key *key, const char *pinned, unsigned wait_ms,
                                struct leaf *leaf, restoration_before *before, void *context,
                                struct failure *failure, struct restoration_heads *ret_heads,
                                char ret_note[NOTE_MAX]);

/* Closes, removes the draft if it did not get its name, and unlocks the folder. NULL inside does nothing. */
void restoration_freep(struct restoration **restoration);

#endif
