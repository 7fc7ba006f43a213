/* How a person wants to be asked for consent on this machine, kept so that it need not be said each time:
 * $XDG_CONFIG_HOME/stepvault/connect (else in ~/.config), words with blanks or newlines between them. */
#ifndef STEPVAULT_CLI_PREFERENCE_H
#define STEPVAULT_CLI_PREFERENCE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct preference {
    bool no_browser; /* `no-browser`: none is opened */
    bool device;     /* `device`: a code is typed, where the provider has that */
    bool paste;      /* `paste`: the address is pasted, and nothing listens */
};

/* All false where there is no such file. STATUS_INVALID for a word that is none of them, STATUS_FOREIGN for a
 * file that others may write. */
enum status preference_read(struct failure *failure, struct preference *ret_preference);

/* The same of a text. */
enum status preference_parse(const char *text, const char *what, struct failure *failure,
                             struct preference *ret_preference);

#endif
