/* The catalogue of apps: the entries of vault/catalog/apps/, which the build checks and puts into the
 * program, and the user's own in $XDG_CONFIG_HOME/stepvault/apps/<slug>.json (else in ~/.config). An own
 * entry takes the place of one of ours only where it says so. Own files are read when they are asked for, and
 * are the user's alone to write. */
#ifndef STEPVAULT_CATALOG_CATALOG_H
#define STEPVAULT_CATALOG_CATALOG_H

#include "base/name.h"
#include "catalog/app.h"

#include <stdbool.h>
#include <stddef.h>

#define CATALOG_OWN_MAX 1000 /* own files that are listed */

/* One entry of ours, as the build left it; sorted by slug, ended by a NULL slug. */
struct catalog_entry {
    const char *slug;
    const char *title;
    const char *methods; /* their names, with ", " between them */
    const char *text;    /* JSON */
    size_t size;
};
extern const struct catalog_entry catalog_entries[];

/* Another name of an entry; sorted, ended by a NULL name. */
struct catalog_alias {
    const char *name;
    const char *slug;
};
extern const struct catalog_alias catalog_aliases[];

/* The slug under which accounts of what a person calls `name` are kept: with `_` for every `-`, and in place
 * of another name of an app of ours that app's own slug. STATUS_INVALID if it is no app's name. */
enum status catalog_slug(const char *name, struct failure *failure, char ret_slug[NAME_APP_MAX + 1]);

/* The slug that is spelled nearly as this one, which no app has. False if there is none. */
bool catalog_nearest(const char *slug, char ret_nearest[NAME_APP_MAX + 1]);

/* The app of this slug. STATUS_NOT_FOUND if the catalogue has none, with the nearest there is. An own file of
 * this slug that cannot be used is named with the reason: STATUS_INVALID, STATUS_FOREIGN, or STATUS_EXISTS
 * where it does not say that it overrides ours. `ret_own` may be NULL. */
enum status catalog_find(const char *slug, struct failure *failure, struct app **ret_app, bool *ret_own);

/* The OAuth facts of a method: its own, or those of the app it names, which `ret_other` then keeps (else
 * NULL). `ret_oauth` is NULL for a method without any. STATUS_INVALID if the app it names has none. */
enum status catalog_oauth(const struct app_method *method, struct failure *failure, struct app **ret_other,
                          const struct json **ret_oauth);

/* What catalog_list finds: an app, or (`failure` is not NULL) an own file, or the folder of them, that cannot
 * be used. */
struct catalog_found {
    const char *slug; /* NULL for the folder */
    const char *title;
    const char *methods;
    bool own;
    const struct failure *failure;
};

/* Calls `take` for every app, in the order of their slugs. */
void catalog_list(void (*take)(void *context, const struct catalog_found *found), void *context);

#endif
