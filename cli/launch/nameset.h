/* A set of names: look-ups stay cheap however large an environment or a projection is. */
#ifndef STEPVAULT_LAUNCH_NAMESET_H
#define STEPVAULT_LAUNCH_NAMESET_H

#include <stdbool.h>
#include <stddef.h>

struct nameset_name {
    const char *bytes;
    size_t size;
};

/* All zero is the valid empty set. It borrows the bytes of its names. */
struct nameset {
    struct nameset_name *names;
    size_t count;
    size_t capacity;
    bool sorted;
};

/* Adds `size` bytes at `bytes`. False when memory is out. */
bool nameset_add(struct nameset *set, const char *bytes, size_t size);

bool nameset_has(struct nameset *set, const char *bytes, size_t size);

void nameset_reset(struct nameset *set);

#endif
