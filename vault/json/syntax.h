/* Whether a text is JSON, without reading it into anything: what others wrote may be 64 MiB, nested deeper
 * than a tree of it should be, name a member twice and have numbers that no library keeps. */
#ifndef STEPVAULT_JSON_SYNTAX_H
#define STEPVAULT_JSON_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

struct syntax {
    bool is_object;
    bool has_member; /* of the outermost object, as it is written: without escapes */
};

/* True if the text is one value of RFC 8259 in UTF-8, nested no deeper than 10 000 levels. */
bool syntax_check(const char *text, size_t size, const char *member, struct syntax *ret_syntax);

#endif
