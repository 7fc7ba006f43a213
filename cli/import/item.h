/* An item of a password manager, whichever it was, and what it becomes here: a variable, an account, or
 * nothing.
 *
 * A title in capitals that is the name of a variable (STRIPE_KEY) makes a variable: of its one hidden field;
 * of its note where it has no hidden field. Several hidden fields: refused, because which one is meant cannot
 * be told. Any other title makes an account, if there is a hidden field: its app is the name of its address's
 * domain (`github` of https://gist.github.com/x) where all addresses give the same one, else the title in
 * lower case with `_` for what is neither letter nor digit; but where the title is an app of the catalogue
 * and the domain is not, it is that app. Its label is the user's name, else the title, with `-` for what a
 * label cannot hold; its properties are all fields (lower case, `_`), `url`, `url_2` ... and `notes`.
 */
#ifndef STEPVAULT_IMPORT_ITEM_H
#define STEPVAULT_IMPORT_ITEM_H

#include "import/plan.h"

#include <stdbool.h>
#include <stddef.h>

#define ITEM_FIELDS_MAX 48
#define ITEM_URLS_MAX 8

struct item_field {
    const char *name;
    const char *value;
    size_t size;
    bool hidden;
};

/* Everything is borrowed. */
struct item {
    const char *title;  /* never NULL */
    const char *origin; /* of the plan */
    const char *user;   /* NULL: none; it is among the fields, too */
    const char *note;   /* NULL: none */
    size_t note_size;
    struct item_field fields[ITEM_FIELDS_MAX]; /* none is empty */
    size_t field_count;
    const char *urls[ITEM_URLS_MAX];
    size_t url_count;
    bool overfull; /* more fields or addresses than fit */
};

/* Each adds nothing where the value is NULL or empty. */
void item_add_field(struct item *item, const char *name, const char *value, size_t size, bool hidden);
void item_add_text(struct item *item, const char *name, const char *value, bool hidden);
void item_add_url(struct item *item, const char *url);

void item_plan(const struct item *item, struct plan *plan);

#endif
