/* The languages of code steps, by the ending of the file's name. libc only: the front looks here, too. */
#ifndef STEPVAULT_CODE_LANGUAGE_H
#define STEPVAULT_CODE_LANGUAGE_H

#include "base/status.h"

#include <stdbool.h>

struct language {
    const char *endings;  /* with blanks between them */
    const char *runtime;  /* looked up in PATH */
    const char *launcher; /* of cli/launchers */
    bool is_shell;        /* has no JSON: reads PIPEDREAM_STEPS, and gets its accounts as variables, too */
};

/* STATUS_INVALID, naming the ending and those that are known, where the file's is none of them. */
enum status language_find(const char *file, struct failure *failure, const struct language **ret_language);

#endif
