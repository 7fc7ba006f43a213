/* Closed shapes of JSON documents, as tables: what an object's members are called, of which type they are,
 * which of them must be there, and which values a choice has. Whatever a table does not list is refused. */
#ifndef STEPVAULT_CATALOG_SCHEMA_H
#define STEPVAULT_CATALOG_SCHEMA_H

#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

#define SCHEMA_TEXT_MAX 1024 /* bytes of a text */
#define SCHEMA_COUNT_MAX 64  /* members of a map, elements of an array */
#define SCHEMA_PORTS_MAX 8   /* ports in a list */

enum schema_type {
    SCHEMA_TEXT,    /* printable, at most SCHEMA_TEXT_MAX bytes, not empty unless MAY_BE_EMPTY */
    SCHEMA_CHOICE,  /* a text of `choices` */
    SCHEMA_LETTERS, /* a text of different letters, all of choices[0] */
    SCHEMA_BOOLEAN,
    SCHEMA_NUMBER,  /* a whole number over 0 */
    SCHEMA_TEXTS,   /* an array of texts, of `choices` if there are any */
    SCHEMA_MAP,     /* an object of texts */
    SCHEMA_OBJECT,  /* of `shape` */
    SCHEMA_OBJECTS, /* an object of objects, each of `shape` */
    SCHEMA_PORTS,   /* the text `any`, or an array of at most SCHEMA_PORTS_MAX different ports over 1023 */
    SCHEMA_OBJECT_OR_TEXT
};

struct schema_member {
    const char *name; /* NULL ends a shape */
    enum schema_type type;
    bool required;
    const char *const *choices; /* ended by NULL */
    const struct schema_member *shape;
    enum status (*check_name)(const char *name, struct failure *failure); /* of what a map or objects hold */
    const char *(*check_text)(
        const char *text); /* of a text, or each of TEXTS: what is wrong with it, or NULL */
    bool may_be_empty;
};

/* STATUS_INVALID names `what`, the member by its way from the top (methods.pat.fields) and the rule it
 * breaks. */
enum status schema_check(const struct schema_member *shape, const struct json *value, const char *what,
                         struct failure *failure);

#endif
