/* The automaton is the tree of the patterns, in the order in which they are sorted: the first child of a node
 * is the node behind it. */
#include "code/finder.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX ((size_t)4 * 1024 * 1024 - 1)
#define BLOCK 4u /* bytes that the filter looks at; no pattern is shorter */
_Static_assert(PATTERN_MIN == BLOCK, "each pattern has a whole block");
#define WINDOW_MAX 64u     /* bytes of each pattern that the filter knows */
#define BLOCKS_WANTED 8192 /* more of them would fill the filter's table */
#define HASH_BITS 15
#define ROOT 0u

struct node {
    uint32_t fail;    /* the longest proper end of this node's text that is a node, too */
    uint32_t sibling; /* ROOT: none */
    uint32_t depth : 24;
    uint32_t byte : 8;
    uint32_t longest : 24; /* bytes of the longest pattern that ends here; 0: none */
    uint32_t branches : 8; /* 1: it has children */
};

struct finder {
    struct node *nodes;
    size_t count;
    size_t longest;
    size_t window; /* no pattern is shorter */
    uint32_t first_child[256];
    uint8_t shift[1 << HASH_BITS];        /* how far no pattern begins, by the window's last block */
    uint8_t begins[1 << (HASH_BITS - 3)]; /* a bit for each block that a pattern begins with */
};

static uint32_t block_hash(const uint8_t *bytes)
{
    uint32_t block;

    memcpy(&block, bytes, sizeof(block));
    return block * 0x9e3779b1u >> (32 - HASH_BITS);
}

static uint32_t child_of(const struct finder *finder, uint32_t node, uint8_t byte)
{
    const struct node *const nodes = finder->nodes;
    uint32_t child;

    if (node == ROOT)
        return finder->first_child[byte];
    child = nodes[node].branches ? node + 1 : ROOT;
    while (child != ROOT && nodes[child].byte != byte)
        child = nodes[child].sibling;
    return child;
}

static uint32_t step(const struct finder *finder, uint32_t node, uint8_t byte)
{
    uint32_t next;

    while ((next = child_of(finder, node, byte)) == ROOT && node != ROOT)
        node = finder->nodes[node].fail;
    return next;
}

/* ---- making ---- */

static size_t common_length(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t length = 0;

    while (length < a_size && length < b_size && a[length] == b[length])
        length++;
    return length;
}

/* `path` holds the nodes of the pattern before. */
static void branch_add(struct finder *finder, uint32_t *path, size_t path_size, size_t common,
                       const uint8_t *pattern, size_t size)
{
    uint32_t node = (uint32_t)finder->count;

    if (common == 0)
        finder->first_child[pattern[0]] = node;
    else if (common < path_size)
        finder->nodes[path[common]].sibling = node;
    else
        finder->nodes[path[common - 1]].branches = 1;
    for (size_t at = common; at < size; at++, node++) {
        finder->nodes[node] = (struct node){
            .depth = (uint32_t)(at + 1) & 0xffffffu, .byte = pattern[at], .branches = at + 1 < size};
        path[at] = node;
    }
    finder->nodes[node - 1].longest = (uint32_t)size & 0xffffffu;
    finder->count = node;
}

static bool tree_build(struct finder *finder, const struct pattern_list *list)
{
    CLEANUP(cleanup_free) uint32_t *path = calloc(finder->longest + 1, sizeof(*path));
    const uint8_t *before = NULL;
    size_t before_size = 0;

    if (path == NULL)
        return false;
    finder->count = 1;
    for (size_t i = 0; i < pattern_count(list); i++) {
        size_t size;
        const uint8_t *pattern = pattern_get(list, i, &size);

        branch_add(finder, path, before_size, common_length(before, before_size, pattern, size), pattern,
                   size);
        before = pattern;
        before_size = size;
    }
    return true;
}

static void node_finish(struct finder *finder, uint32_t above, uint32_t node)
{
    struct node *const self = &finder->nodes[node];

    self->fail = step(finder, finder->nodes[above].fail, (uint8_t)self->byte);
    if (self->longest == 0)
        self->longest = finder->nodes[self->fail].longest;
}

/* Breadth first: where a node falls back to is less deep, and finished before it. */
static bool tree_finish(struct finder *finder)
{
    CLEANUP(cleanup_free) uint32_t *queue = calloc(finder->count, sizeof(*queue));
    size_t filled = 0;

    if (queue == NULL)
        return false;
    for (size_t byte = 0; byte < 256; byte++) {
        if (finder->first_child[byte] != ROOT)
            queue[filled++] = finder->first_child[byte];
    }
    for (size_t i = 0; i < filled; i++) {
        const uint32_t node = queue[i];

        if (!finder->nodes[node].branches)
            continue;
        for (uint32_t child = node + 1; child != ROOT; child = finder->nodes[child].sibling) {
            node_finish(finder, node, child);
            queue[filled++] = child;
        }
    }
    return true;
}

static void filter_build(struct finder *finder, const struct pattern_list *list)
{
    const size_t count = pattern_count(list);
    size_t window = WINDOW_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t size;

        pattern_get(list, i, &size);
        window = size < window ? size : window;
    }
    while (window > BLOCK && count * (window - BLOCK + 1) > BLOCKS_WANTED)
        window--;
    finder->window = window;
    memset(finder->shift, (int)(window - BLOCK + 1), sizeof(finder->shift));
    for (size_t i = 0; i < count; i++) {
        size_t size;
        const uint8_t *pattern = pattern_get(list, i, &size);
        const uint32_t begins = block_hash(pattern);

        finder->begins[begins / 8] |= (uint8_t)(1u << begins % 8);
        for (size_t at = 0; at + BLOCK <= window; at++) {
            uint8_t *shift = &finder->shift[block_hash(pattern + at)];

            *shift = window - BLOCK - at < *shift ? (uint8_t)(window - BLOCK - at) : *shift;
        }
    }
}

enum status finder_make(const struct pattern_list *list, struct failure *failure, struct finder **ret_finder)
{
    CLEANUP(finder_freep) struct finder *finder = secret_allocate(sizeof(*finder));
    size_t total = 1;

    if (finder == NULL)
        return failure_set_no_memory(failure);
    for (size_t i = 0; i < pattern_count(list); i++) {
        size_t size;

        pattern_get(list, i, &size);
        total += size;
        finder->longest = size > finder->longest ? size : finder->longest;
    }
    if (total > NODES_MAX)
        return failure_set(
            failure, STATUS_TOO_LARGE,
            "the values are too large to be looked for in all their forms, which have %zu bytes "
            "(at most %zu)",
            total, NODES_MAX);
    finder->nodes = secret_allocate(total * sizeof(*finder->nodes));
    if (finder->nodes == NULL || !tree_build(finder, list) || !tree_finish(finder))
        return failure_set_no_memory(failure);
    filter_build(finder, list);
    *ret_finder = TAKE(finder);
    return STATUS_OK;
}

void finder_freep(struct finder **finder)
{
    if (*finder != NULL)
        secret_free((*finder)->nodes);
    secret_free(*finder);
    *finder = NULL;
}

bool finder_keep_in_child(const struct finder *finder)
{
    return secret_keep_in_child(finder) && secret_keep_in_child(finder->nodes);
}

void finder_kept(const struct finder *finder)
{
    secret_kept(finder);
    secret_kept(finder->nodes);
}

size_t finder_longest(const struct finder *finder)
{
    return finder->longest;
}

/* ---- finding ---- */

/* The first place from `at` on where a pattern may begin; behind `size - window` nothing is known. */
static size_t filter_skip(const struct finder *finder, const uint8_t *bytes, size_t at, size_t size)
{
    const size_t window = finder->window;

    while (at + window <= size) {
        const uint8_t shift = finder->shift[block_hash(bytes + at + window - BLOCK)];

        if (shift == 0) {
            const uint32_t begins = block_hash(bytes + at);

            if (finder->begins[begins / 8] >> begins % 8 & 1)
                return at;
        }
        at += shift > 0 ? shift : 1;
    }
    return at;
}

size_t finder_next(const struct finder *finder, const uint8_t *bytes, size_t size, uint32_t *state,
                   size_t *position)
{
    const struct node *const nodes = finder->nodes;
    size_t at = *position;
    size_t tried = at; /* the automaton has looked at what begins before this place */
    uint32_t node = *state;
    size_t found = 0;

    while (found == 0 && at < size) {
        const size_t depth = nodes[node].depth;

        /* What begins here has at most a block's bytes yet: the filter can tell. */
        if (depth < BLOCK && at - *position >= depth && at - depth >= tried &&
            at - depth + finder->window <= size) {
            at = filter_skip(finder, bytes, at - depth, size);
            node = ROOT;
            tried = at + 1;
            continue;
        }
        node = step(finder, node, bytes[at++]);
        found = nodes[node].longest;
        while (node != ROOT && !nodes[node].branches)
            node = nodes[node].fail;
    }
    *state = node;
    *position = at;
    return found;
}

size_t finder_depth(const struct finder *finder, uint32_t state)
{
    return finder->nodes[state].depth;
}
