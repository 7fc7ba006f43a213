/* The table of languages. */
#include "code/language.h"

#include "base/words.h"

#include <stddef.h>
#include <string.h>

static const struct language languages[] = {
    {".js .mjs .cjs", "node",    "launchers/node.cjs",  false},
    {".py",           "python3", "launchers/python.py", false},
    {".sh .bash",     "bash",    "launchers/bash.sh",   true },
};

#define KNOWN ".js, .mjs and .cjs (node), .py (python3), .sh and .bash (bash)"

enum status language_find(const char *file, struct failure *failure, const struct language **ret_language)
{
    const char *slash = strrchr(file, '/');
    const char *ending = strrchr(slash != NULL ? slash : file, '.');

    if (ending == NULL)
        return failure_set(failure, STATUS_INVALID,
                           "the code %s has no ending that names its language; known are " KNOWN, file);
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        if (words_has(languages[i].endings, " ", ending, strlen(ending))) {
            *ret_language = &languages[i];
            return STATUS_OK;
        }
    }
    return failure_set(failure, STATUS_INVALID,
                       "the ending %s of %s is of no language that is known; known are " KNOWN, ending, file);
}
