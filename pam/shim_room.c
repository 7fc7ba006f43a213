/* What a session's environment still takes. sshd ends a session of 1000 variables, and execve takes a part of
 * what the stack may be, which pam_limits or who called su may have made small: in both cases nobody would
 * get in. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define EXECVE_LEAST (128u * 1024u)
#define EXECVE_MOST (6u * 1024u * 1024u)

/* Half of what execve takes: the session's own, and its commands' arguments, are the rest. */
static size_t find_size(void)
{
    struct rlimit stack;
    rlim_t size = EXECVE_LEAST;

    if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur / 4 > size)
        size = stack.rlim_cur / 4;
    return (size < EXECVE_MOST ? size : EXECVE_MOST) / 2;
}

static size_t size_of(const char *entry)
{
    return strlen(entry) + 1 + sizeof(char *);
}

bool shim_room_take(struct shim_room *room, const char *entry)
{
    if (room->count == 0 || room->size < size_of(entry))
        return false;
    room->count--;
    room->size -= size_of(entry);
    return true;
}

struct shim_room shim_room_find(pam_handle_t *pamh)
{
    struct shim_room room = {.count = MESSAGE_COUNT_MAX, .size = find_size()};
    char **entries = pam_getenvlist(pamh);

    for (char **entry = entries; entry != NULL && *entry != NULL; entry++) {
        if (!shim_room_take(&room, *entry))
            room.count = 0;
        explicit_bzero(*entry, strlen(*entry));
        free(*entry);
    }
    free(entries);
    return room;
}
