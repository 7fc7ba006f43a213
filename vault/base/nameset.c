/* Names in the order in which they came, and their places by hash: open addressing. */
#include "base/nameset.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* FNV-1a from a random start, with the bits of the end mixed into those of the beginning. */
static uint64_t hash(const struct nameset *set, const char *bytes, size_t size)
{
    uint64_t state = set->seed;

    for (size_t i = 0; i < size; i++)
        state = (state ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return state ^ state >> 32;
}

/* The place of the name, or the free place where it would go. */
static uint32_t *place_of(const struct nameset *set, const char *bytes, size_t size)
{
    for (uint64_t at = hash(set, bytes, size);; at++) {
        uint32_t *place = &set->places[at & (set->capacity - 1)];
        const struct nameset_name *name = *place == 0 ? NULL : &set->names[*place - 1];

        if (name == NULL || (name->size == size && memcmp(name->bytes, bytes, size) == 0))
            return place;
    }
}

/* Names are half as many as places, at most. */
static bool make_room(struct nameset *set)
{
    struct nameset larger = *set;

    if (set->count < set->capacity / 2)
        return true;
    if (set->seed == 0 && getrandom(&larger.seed, sizeof(larger.seed), 0) != sizeof(larger.seed))
        return false;
    larger.capacity = set->capacity > 0 ? 2 * set->capacity : 64;
    larger.names = reallocarray(set->names, larger.capacity / 2, sizeof(*larger.names));
    if (larger.names == NULL)
        return false;
    set->names = larger.names;
    larger.places = calloc(larger.capacity, sizeof(*larger.places));
    if (larger.places == NULL)
        return false;
    for (size_t i = 0; i < set->count; i++)
        *place_of(&larger, larger.names[i].bytes, larger.names[i].size) = (uint32_t)i + 1;
    free(set->places);
    *set = larger;
    return true;
}

bool nameset_add(struct nameset *set, const char *bytes, size_t size, size_t *ret_number)
{
    uint32_t *place;

    if (!make_room(set))
        return false;
    place = place_of(set, bytes, size);
    if (*place == 0) {
        set->names[set->count++] = (struct nameset_name){bytes, size};
        *place = (uint32_t)set->count;
    }
    if (ret_number != NULL)
        *ret_number = *place - 1;
    return true;
}

bool nameset_has(const struct nameset *set, const char *bytes, size_t size)
{
    return set->count > 0 && *place_of(set, bytes, size) != 0;
}

void nameset_reset(struct nameset *set)
{
    free(set->names);
    free(set->places);
    *set = (struct nameset){0};
}
