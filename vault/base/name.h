/* The grammar of names (docs/DESIGN.md, section 3): paths, variables, aliases, apps, labels, properties.
 * Names are compared by bytes; there is no case folding and no normalising, so two spellings are two names.
 */
#ifndef STEPVAULT_BASE_NAME_H
#define STEPVAULT_BASE_NAME_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define NAME_PATH_MAX 255     /* bytes of a path */
#define NAME_PATH_WORDS_MAX 8 /* words of a path; so a projection looks at 9 paths at most */
#define NAME_VARIABLE_MAX 255
#define NAME_ALIAS_MAX 64
#define NAME_APP_MAX 64
#define NAME_LABEL_MAX 64
#define NAME_PROPERTY_MAX 128
#define NAME_VALUE_MAX 65536 /* bytes of a variable's value, or of a property's */
#define NAME_NOTE_MAX 1024   /* bytes of a note */

/* Each check returns STATUS_OK, or STATUS_INVALID with a sentence that quotes the name (a name is not a
 * secret) and states the rule; name_check_variable returns STATUS_REFUSED for `STEPVAULT_`. A name that holds
 * `=` is never quoted beyond it: what follows may be a value typed in the wrong place. */
enum status name_check_path(const char *path,
                            struct failure *failure); /* `/` or [a-z0-9][a-z0-9._-]* words */
enum status name_check_variable(const char *name, struct failure *failure); /* [A-Za-z_][A-Za-z0-9_]* */
enum status name_check_alias(const char *alias, struct failure *failure);   /* [a-z_][a-z0-9_]* */
enum status name_check_app(const char *app, struct failure *failure);       /* [a-z0-9][a-z0-9_-]* */
enum status name_check_label(const char *label, struct failure *failure);   /* [A-Za-z0-9][A-Za-z0-9@._+-]* */
enum status name_check_property(const char *property, struct failure *failure); /* [A-Za-z][A-Za-z0-9_-]* */

/* A note is one line of UTF-8 text without control characters. The sentence does not quote it. */
enum status name_check_note(const char *note, struct failure *failure);

/* True if a variable of this name would steer the loader, a shell or an interpreter, or the programs that
 * read their settings from the environment of a login (research: sudo's initial_badenv_table and PAM's
 * readers): LD_*, PATH, NODE_OPTIONS, BASH_ENV, PYTHONPATH, ... */
bool name_is_dangerous(const char *name);

/* True for the names of stepvault itself: `STEPVAULT_` and what follows. */
bool name_is_reserved(const char *name);

/* True if `app` is the one that somebody wrote in the first `size` bytes of `written`: apps are written with
 * `_`, and `-` is taken for it. */
bool name_app_is(const char *app, const char *written, size_t size);

/* The alias an app's accounts have unless the binding says otherwise: the slug with `-` as `_`, and a leading
 * `_` where it would begin with a digit. `destination` has NAME_ALIAS_MAX + 2 bytes. */
void name_default_alias(char *destination, const char *app);

/* The derived variable of a property: <ALIAS>_<PROPERTY>, upper case, every byte outside [A-Z0-9_] as `_`.
 * `destination` has NAME_DERIVED_SIZE bytes. */
#define NAME_DERIVED_SIZE (NAME_ALIAS_MAX + 1 + NAME_PROPERTY_MAX + 2)
void name_derive_variable(char *destination, const char *alias, const char *property);

/* The parent of a path: `billing` of `billing/notify`, `/` of `billing`; false for `/`. `destination` has
 * NAME_PATH_MAX + 1 bytes. */
bool name_path_parent(char *destination, const char *path);

/* Number of words of a path: 0 for `/`. */
unsigned name_path_depth(const char *path);

/* True if `path` is `ancestor` or lies under it. */
bool name_path_is_under(const char *path, const char *ancestor);

#endif
