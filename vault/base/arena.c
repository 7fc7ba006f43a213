/* Chunks, of which the newest is being filled. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST ((size_t)16 << 10) /* many may hold a little */
#define CHUNK_SIZE ((size_t)1 << 20)

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    uint8_t bytes[];
};

const void *arena_hold(struct arena *arena, const void *bytes, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;

    if (chunk == NULL || chunk->size - chunk->used < size) {
        size_t room = chunk == NULL ? CHUNK_FIRST : CHUNK_SIZE;
        if (room < size)
            room = size;
        chunk = malloc(sizeof *chunk + room);
        if (chunk == NULL)
            return NULL;
        *chunk = (struct arena_chunk){.next = arena->chunks, .size = room};
        arena->chunks = chunk;
    }
    uint8_t *place = chunk->bytes + chunk->used;
    if (size > 0)
        memcpy(place, bytes, size);
    chunk->used += size;
    return place;
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
}
