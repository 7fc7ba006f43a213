/* Starters: small programs that send the request by which the catalogue tests an account of an app, so that
 * whoever writes a step begins with code that is authorised already. The request is read from the entry into
 * parts, and the rows of starter_language.c say how each language writes them. */
#ifndef STEPVAULT_CLI_STARTER_H
#define STEPVAULT_CLI_STARTER_H

#include "base/secret.h"
#include "base/status.h"
#include "catalog/app.h"

#include <stdbool.h>
#include <stddef.h>

/* A stretch of a text: `size` bytes that are known, or (`field` is not NULL) the value of a property. */
struct starter_part {
    const char *text;
    size_t size;
    const struct app_field *field;
    bool encoded; /* stands percent-encoded */
};

struct starter_text {
    struct starter_part *parts;
    size_t count;
    size_t capacity;
};

/* A header; or a parameter of the address with its name, which is then in the text, too. */
struct starter_member {
    const char *name;
    struct starter_text text;
    bool basic;    /* the text is the user and the password of HTTP's Basic authentication */
    bool optional; /* left out where the account lacks a property of it */
};

/* What of a request makes programs differ by more than a line's content. */
enum starter_trait {
    STARTER_ENCODES = 1 << 0,    /* a value is percent-encoded */
    STARTER_BASIC = 1 << 1,      /* something is base64 */
    STARTER_DEFAULTS = 1 << 2,   /* a property has a default */
    STARTER_PARAMETERS = 1 << 3, /* there are parameters that can be left out */
    STARTER_HEADERS = 1 << 4,
    STARTER_BODY = 1 << 5,
    STARTER_EMPTY_POST = 1 << 6, /* a POST without a body */
    STARTER_TYPED = 1 << 7,      /* the entry says the content's type */
    STARTER_EXPECTS = 1 << 8,    /* a status of 2xx is not enough */
    STARTER_SECRET_URL = 1 << 9, /* the address has a property that is hidden */
    STARTER_NEEDS_BASH = 1 << 10 /* what a line for a shell does with the address takes more than sh */
};

/* The texts are those of the app, which must outlive it. */
struct starter {
    const struct app *app;
    const struct app_method *method;
    const char *verb;
    const char *expect; /* NULL: nothing */
    struct secret address;
    struct starter_text url;
    struct starter_member *headers;
    size_t header_count;
    struct starter_member *parameters; /* those that can be left out; the others are in the url */
    size_t parameter_count;
    struct secret body;
    unsigned traits; /* of enum starter_trait */
};

/* Reads the request by which accounts of this method are tested. STATUS_NOT_FOUND if the catalogue knows
 * none, or it needs what only calling code knows; STATUS_REFUSED where requests are signed. */
enum status starter_read(const struct app *app, const struct app_method *method, struct failure *failure,
                         struct starter **ret_starter);
void starter_freep(struct starter **starter);

/* Writes the program. `language` is one of STARTER_LANGUAGES. */
#define STARTER_LANGUAGES "node|python|bash|curl|go"
enum status starter_print(const struct starter *starter, const char *language, struct failure *failure,
                          struct secret *ret_text);

#endif
