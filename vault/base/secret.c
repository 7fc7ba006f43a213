/* The heap of secret memory, and growable secrets in it.
 *
 * Blocks are powers of two, a free list for each size, carved from mapped chunks that are never given back;
 * so an allocation is a pop and a free is a wipe and a push, without a system call. Blocks on a free list are
 * all zero but for their header. What is larger than the largest block has a mapping of its own. */
#include "base/secret.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SECRET_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SECRET_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef SECRET_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define SMALLEST_SHIFT 5 /* 32 bytes, 16 of them the header */
#define LARGEST_SHIFT 17 /* 128 KiB */
#define LARGEST_BLOCK ((size_t)1 << LARGEST_SHIFT)
#define FIRST_CHUNK ((size_t)64 * 1024) /* all that a launcher needs */
#define CHUNK ((size_t)256 * 1024)
#define SIZE_MAXIMUM ((size_t)64 * 1024 * 1024)

/* In place of a shift, for a block that is a mapping of its own. */
#define MAPPING_LOCKED (LARGEST_SHIFT + 1)
#define MAPPING_UNLOCKED (LARGEST_SHIFT + 2)

enum block_state {
    BLOCK_LOST = 0, /* what MADV_WIPEONFORK leaves of a header in a child */
    BLOCK_USED = 0x55534544,
    BLOCK_FREE = 0x46524545
};

struct block {
    union {
        struct block *next; /* while free */
        size_t size;        /* asked for, while used */
    };
    uint32_t shift;
    uint32_t state;
};
_Static_assert(sizeof(struct block) <= 16, "the header keeps blocks aligned to 16");
#define HEADER 16u

static struct {
    struct block *free[LARGEST_SHIFT + 1];
    uint8_t *fresh; /* the rest of the newest chunk, never used yet */
    size_t fresh_size;
    const uint32_t *alive; /* a word in the first chunk that becomes 0 in a forked child */
    size_t mapped;
    size_t unlocked;
} heap;

static uint8_t *pages_map(size_t size, bool *ret_locked)
{
    int saved = errno;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool locked;

    if (pages == MAP_FAILED)
        return NULL;
    locked = mlock(pages, size) == 0;
    /* A kernel without these advices is no reason to do without a vault; mlock is what `status` speaks of. */
    madvise(pages, size, MADV_DONTDUMP);
    madvise(pages, size, MADV_WIPEONFORK);
    errno = saved;
    heap.mapped += size;
    if (!locked)
        heap.unlocked += size;
    *ret_locked = locked;
    return pages;
}

static void block_release(struct block *block, unsigned shift)
{
    block->shift = shift;
    block->state = BLOCK_FREE;
    block->next = heap.free[shift];
    heap.free[shift] = block;
    ASAN_POISON_MEMORY_REGION(block, (size_t)1 << shift);
}

/* Cuts the unused rest of the chunk into the largest blocks that fit, so that nothing of it is lost. */
static void fresh_release(void)
{
    for (unsigned shift = LARGEST_SHIFT; shift >= SMALLEST_SHIFT; shift--) {
        size_t size = (size_t)1 << shift;

        while (heap.fresh_size >= size) {
            struct block *block = (struct block *)(void *)heap.fresh;

            heap.fresh += size;
            heap.fresh_size -= size;
            ASAN_UNPOISON_MEMORY_REGION(block, size);
            block_release(block, shift);
        }
    }
}

/* In a forked child the chunks read as zero: begin anew. They stay mapped, for what the child still frees. */
static void heap_forget(void)
{
    memset(&heap, 0, sizeof(heap));
}

static bool chunk_add(size_t least)
{
    bool first = heap.alive == NULL;
    size_t size = first && least < FIRST_CHUNK ? FIRST_CHUNK : CHUNK;
    size_t used = first ? (size_t)1 << SMALLEST_SHIFT : 0;
    bool locked;
    uint8_t *pages = pages_map(size, &locked);

    if (pages == NULL)
        return false;
    fresh_release();
    if (first) {
        uint32_t *alive = (uint32_t *)(void *)pages;

        *alive = 1;
        heap.alive = alive;
    }
    heap.fresh = pages + used;
    heap.fresh_size = size - used;
    ASAN_POISON_MEMORY_REGION(heap.fresh, heap.fresh_size);
    return true;
}

static struct block *block_take(unsigned shift)
{
    size_t size = (size_t)1 << shift;
    struct block *block = heap.free[shift];

    if (block != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(block, HEADER);
        if (block->state != BLOCK_FREE || block->shift != shift)
            abort();
        heap.free[shift] = block->next;
        return block;
    }
    if (heap.fresh_size < size && !chunk_add(size))
        return NULL;
    block = (struct block *)(void *)heap.fresh;
    heap.fresh += size;
    heap.fresh_size -= size;
    ASAN_UNPOISON_MEMORY_REGION(block, HEADER);
    block->shift = shift;
    return block;
}

static unsigned shift_for(size_t size)
{
    size_t whole = size + HEADER;

    if (whole <= (size_t)1 << SMALLEST_SHIFT)
        return SMALLEST_SHIFT;
    return (unsigned)(64 - __builtin_clzll((unsigned long long)whole - 1));
}

static size_t mapping_size(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (size + HEADER + page - 1) / page * page;
}

static struct block *mapping_take(size_t size)
{
    bool locked;
    struct block *block = (struct block *)(void *)pages_map(mapping_size(size), &locked);

    if (block != NULL)
        block->shift = locked ? MAPPING_LOCKED : MAPPING_UNLOCKED;
    return block;
}

static void mapping_release(struct block *block)
{
    size_t whole = mapping_size(block->size);

    ASAN_UNPOISON_MEMORY_REGION(block, whole);
    heap.mapped -= whole;
    if (block->shift == MAPPING_UNLOCKED)
        heap.unlocked -= whole;
    munmap(block, whole);
}

void *secret_allocate(size_t size)
{
    struct block *block;

    if (size > SIZE_MAXIMUM)
        return NULL;
    if (heap.alive != NULL && *heap.alive == 0)
        heap_forget();
    block = size + HEADER <= LARGEST_BLOCK ? block_take(shift_for(size)) : mapping_take(size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block->state = BLOCK_USED;
    ASAN_POISON_MEMORY_REGION(block, HEADER);
    ASAN_UNPOISON_MEMORY_REGION((uint8_t *)block + HEADER, size);
    return (uint8_t *)block + HEADER;
}

void secret_free(void *memory)
{
    struct block *block;

    if (memory == NULL)
        return;
    block = (struct block *)(void *)((uint8_t *)memory - HEADER);
    ASAN_UNPOISON_MEMORY_REGION(block, HEADER);
    if (block->state == BLOCK_LOST)
        return;
    if (block->state != BLOCK_USED)
        abort();
    secret_wipe(memory, block->size);
    if (block->shift > LARGEST_SHIFT)
        mapping_release(block);
    else
        block_release(block, block->shift);
}

/* The pages that the block lies on. */
static uint8_t *block_pages(const void *memory, size_t *ret_size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct block *block = (struct block *)((uintptr_t)memory - HEADER);
    const uintptr_t first = (uintptr_t)block / page * page;
    uintptr_t last;

    ASAN_UNPOISON_MEMORY_REGION(block, HEADER);
    last = (uintptr_t)memory + block->size;
    ASAN_POISON_MEMORY_REGION(block, HEADER);
    *ret_size = (last - first + page - 1) / page * page;
    return (uint8_t *)first;
}

bool secret_keep_in_child(const void *memory)
{
    size_t size;
    uint8_t *pages = block_pages(memory, &size);

    return madvise(pages, size, MADV_KEEPONFORK) == 0;
}

void secret_kept(const void *memory)
{
    size_t size;
    uint8_t *pages = block_pages(memory, &size);

    if (mlock(pages, size) != 0)
        heap.unlocked += size;
}

size_t secret_heap_mapped(void)
{
    return heap.mapped;
}

size_t secret_heap_unlocked(void)
{
    return heap.unlocked;
}

void secret_wipe(void *memory, size_t size)
{
    if (size > 0)
        explicit_bzero(memory, size);
}

void secret_reset(struct secret *secret)
{
    secret_free(secret->bytes);
    *secret = (struct secret){0};
}

void secret_clear(struct secret *secret)
{
    secret_wipe(secret->bytes, secret->capacity);
    secret->size = 0;
}

/* The block that holds `needed` bytes holds this many: growing to its end costs nothing. */
static size_t capacity_for(size_t needed)
{
    if (needed + HEADER > LARGEST_BLOCK)
        return needed;
    return ((size_t)1 << shift_for(needed)) - HEADER;
}

bool secret_reserve(struct secret *secret, size_t extra)
{
    size_t needed;
    size_t room;
    uint8_t *bytes;

    if (extra >= SIZE_MAXIMUM || secret->size >= SIZE_MAXIMUM - extra)
        return false;
    needed = secret->size + extra;
    if (secret->bytes == NULL || needed > secret->capacity) {
        room = needed < 2 * secret->capacity ? 2 * secret->capacity : needed;
        room = capacity_for((room < SIZE_MAXIMUM ? room : needed) + 1);
        bytes = secret_allocate(room);
        if (bytes == NULL)
            return false;
        if (secret->size > 0)
            memcpy(bytes, secret->bytes, secret->size);
        secret_free(secret->bytes);
        secret->bytes = bytes;
        secret->capacity = room - 1;
    }
    secret->bytes[secret->size] = '\0';
    return true;
}

bool secret_append(struct secret *secret, const void *bytes, size_t size)
{
    if (!secret_reserve(secret, size))
        return false;
    if (size > 0)
        memcpy(secret->bytes + secret->size, bytes, size);
    secret->size += size;
    secret->bytes[secret->size] = '\0';
    return true;
}

bool secret_append_text(struct secret *secret, const char *text)
{
    return secret_append(secret, text, strlen(text));
}

bool secret_append_byte(struct secret *secret, uint8_t byte)
{
    return secret_append(secret, &byte, 1);
}

bool secret_append_format(struct secret *secret, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !secret_reserve(secret, (size_t)length))
        return false;
    va_start(arguments, format);
    vsnprintf((char *)secret->bytes + secret->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    secret->size += (size_t)length;
    return true;
}

const char *secret_text(const struct secret *secret)
{
    if (secret->bytes == NULL)
        return "";
    secret->bytes[secret->size] = '\0';
    return (const char *)secret->bytes;
}

bool secret_equal(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t difference = 0;

    for (size_t at = 0; at < size; at++)
        difference |= left[at] ^ right[at];
    return difference == 0;
}

bool secret_protect_process(bool undumpable)
{
    const struct rlimit none = {0, 0};
    bool limited = setrlimit(RLIMIT_CORE, &none) == 0;
    bool hidden = !undumpable || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;

    return limited && hidden;
}
