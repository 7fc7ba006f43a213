/* Records read once and opened once a turn. Many launchers that share a turn share the paths they look at,
 * and opening is most of what a projection costs; nothing opened is kept past the end of the turn (P5). Their
 * rows are remembered as they lie in the store, sealed and compared with their terms, at most 256 KiB of
 * them, until a record is written or the file is verified anew. For projection.c and delivery.c only: they
 * change no rows. */
#ifndef STEPVAULT_BORROW_H
#define STEPVAULT_BORROW_H

#include "record.h"
#include "vault.h"

struct borrow; /* one opened list, in struct vault */

/* Stands before and after one request's borrowing. Between the two, what was borrowed stays where it is. */
void borrow_begin(struct vault *vault);
void borrow_end(struct vault *vault);

/* As record_list_placed and record_find_by_id, but the vault keeps the result. `*ret_record` is NULL if there
 * is none. */
enum status borrow_placed(struct vault *vault, const char *path, struct failure *failure,
                          const struct records **ret_records);
enum status borrow_by_id(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                         const struct record **ret_record);

/* Something changed: what is opened may be used to the end of the request, and by no other; no row is
 * remembered. */
void borrow_expire(struct vault *vault);

/* Wipes all that is opened. */
void borrow_drop(struct vault *vault);
/* The same, and remembers no row. */
void borrow_forget(struct vault *vault);

#endif
