/* The languages of starters, as rows: how each writes a text, a value and a condition, and the lines of its
 * program. Within what is written here `<word>` stands for something of the starter (starter_print.c). */
#ifndef STEPVAULT_CLI_STARTER_LANGUAGE_H
#define STEPVAULT_CLI_STARTER_LANGUAGE_H

#include <stdbool.h>

/* How often a line is written: once, or for each member of a kind, or property that has a default. */
enum starter_each { ONCE, EACH_DEFAULT, EACH_HEADER, EACH_OPTIONAL_HEADER, EACH_PARAMETER };

struct starter_line {
    const char *text; /* NULL ends a program */
    enum starter_each each;
    unsigned when;   /* traits that must all be there */
    unsigned unless; /* traits of which none may be there */
};

struct starter_language {
    const char *name;
    const char *comment; /* what begins one */
    const char *first;   /* a line that must be the first */
    const char *run;     /* the line that runs it; NULL: the program is that line */
    const char *wrap;    /* what runs it, before the program as one quoted word; NULL: a file of its own */

    /* Texts that are known. */
    char quote;
    char other_quote;    /* taken where it saves escaping; 0: none */
    const char *escapes; /* what else is escaped by a backslash */

    /* Texts with values in them. */
    const char *open, *close; /* around those that have their known parts bare; NULL: quoted, with `joint` */
    const char *bare_escapes; /* escaped in bare parts */
    const char *url_joint, *joint;
    const char *before, *after; /* around a value in it */
    bool alone;                 /* a text of one value is that value */

    /* Values. */
    const char *value;
    const char *value_apart;   /* the same where no letter of a name stands behind it; NULL: no other */
    const char *value_default; /* of a property that has a default; NULL: as any other */
    const char *encode_before, *encode_after;
    const char *base64_before, *base64_after;
    const char *given, *and; /* that a property is there; and between such */
    const char *chain;       /* one step into the reply; NULL: a member's name */

    const struct starter_line *lines;
};

/* NULL if there is none of this name. */
const struct starter_language *starter_language_find(const char *name);

#endif
