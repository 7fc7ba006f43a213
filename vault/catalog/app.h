/* An app of the catalogue: the methods by which accounts of it are made, and for each what properties such an
 * account has and how a request with it is made. vault/catalog/README.md says what an entry looks like;
 * app_parse holds every entry to it, at build time those of vault/catalog/apps/ and at run time the user's
 * own. */
#ifndef STEPVAULT_CATALOG_APP_H
#define STEPVAULT_CATALOG_APP_H

#include "base/secret.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

#define APP_TEXT_MAX 65536 /* bytes of an entry */

enum app_kind { APP_OAUTH2, APP_API_KEY, APP_BASIC, APP_CUSTOM };

/* A property of accounts. */
struct app_field {
    const char *name;
    const char *title;
    const char *pattern;       /* see catalog/pattern.h; NULL: any value */
    const struct json *values; /* the only values there are; NULL: any */
    const char *fallback;      /* the value where none is given; NULL: none */
    const char *example;       /* NULL: none */
    const char *from;          /* what an OAuth flow takes it from; NULL: the person who connects knows it */
    const char *as;            /* its path there; NULL: its name */
    bool hidden;
    bool required; /* when an account is added by hand */
    bool unasked;  /* a person who adds one by hand is not asked for it */
};

struct app_method {
    const char *name;
    const char *title;
    enum app_kind kind;
    struct app_field *fields; /* the entry's, then what every method of its kind has */
    size_t field_count;
    const struct json *entry; /* all of it as it is written */
    const struct json *oauth; /* its OAuth facts; NULL: none of its own */
    const char *oauth_of;     /* the app that has them; NULL: none */
};

/* All texts in it hold until app_freep. */
struct app {
    struct json *document;
    const char *slug;
    const char *title;
    bool overrides; /* takes the place of the catalogue's entry of this slug */
    struct app_method *methods;
    size_t method_count;
};

/* Reads and checks one entry. STATUS_INVALID or STATUS_TOO_LARGE names `what` and the member that is wrong.
 * json_start comes first. */
enum status app_parse(const void *bytes, size_t size, const char *what, struct failure *failure,
                      struct app **ret_app);
void app_freep(struct app **app);

/* NULL if there is none. */
const struct app_method *app_find_method(const struct app *app, const char *name);
const struct app_field *app_find_field(const struct app_method *method, const char *name);

/* The method that has OAuth facts of its own, for apps whose `oauth` names this one; NULL if none has. */
const struct app_method *app_oauth_method(const struct app *app);

/* `oauth2`, `api_key`, `basic` or `custom`. Static. */
const char *app_kind_name(enum app_kind kind);

/* STATUS_INVALID if `text` is not a value that the field takes; the sentence has the rule and never the
 * value. An empty one is refused where the field is required, and else is as good as none. */
enum status app_check_value(const struct app_field *field, const char *text, struct failure *failure);

#endif
