/* Bytes that are held until all of them go at once, and stay where they are meanwhile. Nothing secret. */
#ifndef STEPVAULT_BASE_ARENA_H
#define STEPVAULT_BASE_ARENA_H

#include <stddef.h>

/* All zero is the valid empty value. */
struct arena {
    struct arena_chunk *chunks;
};

/* A copy that stays until arena_reset; NULL when memory is out. */
const void *arena_hold(struct arena *arena, const void *bytes, size_t size);
void arena_reset(struct arena *arena);

#endif
