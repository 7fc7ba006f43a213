/* A set of names: look-ups take the same time however large an environment, a projection or an import is. */
#ifndef STEPVAULT_BASE_NAMESET_H
#define STEPVAULT_BASE_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nameset_name {
    const char *bytes;
    size_t size;
};

/* All zero is the valid empty set. It borrows the bytes of its names. */
struct nameset {
    struct nameset_name *names; /* in the order in which they came */
    size_t count;
    uint32_t *places; /* by hash: the number of a name, plus 1; 0: free */
    size_t capacity;  /* of the places; a power of two */
    uint64_t seed;    /* so that nobody chooses names that meet in one place */
};

/* Adds `size` bytes at `bytes`, unless they are there already; `*ret_number` counts the names from 0 in the
 * order in which they came. `ret_number` may be NULL. False when memory is out. */
bool nameset_add(struct nameset *set, const char *bytes, size_t size, size_t *ret_number);

bool nameset_has(const struct nameset *set, const char *bytes, size_t size);

void nameset_reset(struct nameset *set);

#endif
