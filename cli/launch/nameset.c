/* An array, sorted at the first question. */
#include "launch/nameset.h"

#include <stdlib.h>
#include <string.h>

bool nameset_add(struct nameset *set, const char *bytes, size_t size)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity > 0 ? 2 * set->capacity : 32;
        struct nameset_name *names = reallocarray(set->names, capacity, sizeof(*names));

        if (names == NULL)
            return false;
        set->names = names;
        set->capacity = capacity;
    }
    set->names[set->count++] = (struct nameset_name){bytes, size};
    set->sorted = false;
    return true;
}

static int compare(const void *left, const void *right)
{
    const struct nameset_name *a = left;
    const struct nameset_name *b = right;
    int order = memcmp(a->bytes, b->bytes, a->size < b->size ? a->size : b->size);

    if (order != 0)
        return order;
    return (a->size > b->size) - (a->size < b->size);
}

bool nameset_has(struct nameset *set, const char *bytes, size_t size)
{
    const struct nameset_name wanted = {bytes, size};

    if (set->count == 0)
        return false;
    if (!set->sorted) {
        qsort(set->names, set->count, sizeof(*set->names), compare);
        set->sorted = true;
    }
    return bsearch(&wanted, set->names, set->count, sizeof(*set->names), compare) != NULL;
}

void nameset_reset(struct nameset *set)
{
    free(set->names);
    *set = (struct nameset){0};
}
