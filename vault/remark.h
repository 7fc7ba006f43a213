/* Remarks: what a person says of a variable, an account or a step beside its value. A note says anything, and
 * belongs to the name; an expiry says until when the value is good, and belongs to the value. Neither changes
 * what is delivered. */
#ifndef STEPVAULT_REMARK_H
#define STEPVAULT_REMARK_H

#include "record.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define REMARK_SOON_DAYS 30u   /* what expires within them is expiring */
#define REMARK_STALE_DAYS 365u /* a value that was not changed for longer is stale */

#define REMARK_FIELD_NOTE "note"
#define REMARK_FIELD_EXPIRES "expires"

/* A change of remarks. All zero changes none. */
struct remark {
    const char *note; /* empty takes it away; NULL: it stays */
    bool has_expiry;
    uint64_t expires_ms; /* 0: no expiry */
};

/* Reads the parameters `note` and `expires` (RFC 3339, or empty for none) of a call; NULL is one that is not
 * there. STATUS_INVALID says what breaks its form. `ret_remark` borrows `note`. */
enum status remark_read(const char *note, const char *expires, struct failure *failure,
                        struct remark *ret_remark);

/* Adds the fields to a draft: what `remark` changes, and of the rest what `previous` (or NULL) has. */
void remark_add(struct record_draft *draft, const struct remark *remark, const struct record *previous);

/* Writes the members `note` and `expires` where there are such, and `due` and `stale` where they hold. */
void remark_write(const struct record *record, struct json_writer *writer);

enum remark_due { REMARK_NOT_DUE, REMARK_EXPIRING, REMARK_EXPIRED };

/* Times in milliseconds; `expires_ms` 0 is none. */
enum remark_due remark_due_at(uint64_t expires_ms, uint64_t now_ms);
bool remark_is_stale_at(uint64_t updated_ms, uint64_t now_ms);

/* Which records a list is asked for. None set: all. */
struct remark_filter {
    bool stale;
    bool expiring; /* expired ones, too */
};
bool remark_passes(const struct remark_filter *filter, const struct record *record);

#endif
