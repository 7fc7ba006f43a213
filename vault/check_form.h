/* Whether an opened document is what FORMAT.md, section 5, has its kind be: which fields it has, and what
 * each may hold. */
#ifndef STEPVAULT_CHECK_FORM_H
#define STEPVAULT_CHECK_FORM_H

#include "record.h"

/* STATUS_CORRUPT names the record, which is no secret to whoever may open it, and the field. */
enum status check_form(const struct record *record, struct failure *failure);

/* `the variable STRIPE_KEY at billing`, of any opened record. */
#define CHECK_FORM_SUBJECT 320
const char *check_form_subject(const struct record *record, char buffer[CHECK_FORM_SUBJECT]);

#endif
