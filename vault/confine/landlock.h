/* Landlock: which files this process may still reach, for good. */
#ifndef STEPVAULT_CONFINE_LANDLOCK_H
#define STEPVAULT_CONFINE_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum landlock_right {
    LANDLOCK_READ = 1,   /* the content of files */
    LANDLOCK_WRITE = 2,  /* likewise, and truncating */
    LANDLOCK_LIST = 4,   /* what is in folders */
    LANDLOCK_MAKE = 8,   /* regular files */
    LANDLOCK_REMOVE = 16 /* files */
};

/* What is at `path` and below it; a path that is NULL, absent or out of reach grants nothing, and keeps
 * nothing else from being taken away. Of a file only its content can be granted. */
struct landlock_grant {
    const char *path;
    unsigned rights;
};

enum landlock_network { LANDLOCK_NO_NETWORK, LANDLOCK_NETWORK };

/* The version of the kernel's Landlock that is made use of; 0: it has none. */
size_t landlock_version(void);

/* Takes away all files but those granted; TCP, unless it is kept; signals and abstract sockets to processes
 * outside. As far as the kernel's version goes. Needs PR_SET_NO_NEW_PRIVS. False with errno set if the kernel
 * refused. */
bool landlock_confine(const struct landlock_grant *grants, size_t count, enum landlock_network network);

#endif
