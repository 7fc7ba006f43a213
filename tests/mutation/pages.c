/* The file as bytes: cut, pages cleared, swapped and as they once were, each byte flipped; and its
 * write-ahead log. */
#include "mutation.h"

#include "crypto/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 100u
#define FRAME_HEADER 24u
#define LOG_HEADER 32u
#define FRAMES_MAX 512u

static struct image copy_image(const struct image *from)
{
    struct image image = {.bytes = allocate(from->size + 2 * PAGE_SIZE), .size = from->size};

    memcpy(image.bytes, from->bytes, from->size);
    return image;
}

static uint32_t load_u32(const uint8_t *bytes)
{
    return seal_load_u32(bytes);
}

static unsigned load_u16(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* ---- Pages ---- */

static void cut(const struct copy *base, struct image *image)
{
    static const size_t places[] = {0, 1, 99, 100, 511, 512, 2048, PAGE_SIZE - 1};

    judge_group("cut off", "file");
    for (size_t page = 0; page < base->image.size; page += PAGE_SIZE)
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
            if (judge_wants("%zu", page + places[i])) {
                image->size = page + places[i];
                judge_image(*image, true);
            }
    image->size = base->image.size;
    judge_group("made longer", "file");
    for (size_t more = 1; more <= 2 * PAGE_SIZE; more = more * 2 + (more == 1 ? 510 : 0))
        if (judge_wants("%zu", more)) {
            memset(image->bytes + image->size, 0, more);
            image->size += more;
            judge_image(*image, true);
            image->size = base->image.size;
        }
}

static void clear(const struct copy *base, struct image *image)
{
    static const uint8_t fills[] = {0x00, 0xff};

    judge_group("page filled", "file");
    for (size_t at = 0; at < image->size; at += PAGE_SIZE)
        for (size_t i = 0; i < 2; i++)
            if (judge_wants("%zu:%02x", at / PAGE_SIZE + 1, fills[i])) {
                memset(image->bytes + at, fills[i], PAGE_SIZE);
                judge_image(*image, true);
                memcpy(image->bytes + at, base->image.bytes + at, PAGE_SIZE);
            }
}

static void exchange(const struct copy *base, struct image *image)
{
    const uint8_t *bytes = base->image.bytes;

    judge_group("pages swapped", "file");
    for (size_t at = 0; at < image->size; at += PAGE_SIZE)
        for (size_t to = at + PAGE_SIZE; to < image->size; to += PAGE_SIZE) {
            if (memcmp(bytes + at, bytes + to, PAGE_SIZE) == 0 ||
                !judge_wants("%zu:%zu", at / PAGE_SIZE + 1, to / PAGE_SIZE + 1))
                continue;
            memcpy(image->bytes + at, bytes + to, PAGE_SIZE);
            memcpy(image->bytes + to, bytes + at, PAGE_SIZE);
            judge_image(*image, true);
            memcpy(image->bytes + at, bytes + at, PAGE_SIZE);
            memcpy(image->bytes + to, bytes + to, PAGE_SIZE);
        }
}

static void replay(const struct copy *base, const struct copy *older, struct image *image)
{
    judge_group("page as it was", "file");
    for (size_t at = 0; at < image->size && at < older->image.size; at += PAGE_SIZE) {
        if (memcmp(base->image.bytes + at, older->image.bytes + at, PAGE_SIZE) == 0 ||
            !judge_wants("%zu:%s", at / PAGE_SIZE + 1, older->name))
            continue;
        memcpy(image->bytes + at, older->image.bytes + at, PAGE_SIZE);
        judge_image(*image, true);
        memcpy(image->bytes + at, base->image.bytes + at, PAGE_SIZE);
    }
}

/* ---- Bytes ---- */

static void flip(struct image *image, size_t at, uint8_t mask)
{
    image->bytes[at] ^= mask;
    judge_image(*image, true);
    image->bytes[at] ^= mask;
}

static void flip_header(struct image *image)
{
    static const uint32_t numbers[] = {0, 1, 2, 3, 0x7fffffff, 0xffffffff};

    judge_group("bit flipped", "file's header");
    for (size_t at = 0; at < HEADER_SIZE; at++)
        for (unsigned bit = 0; bit < 8; bit++)
            if (judge_wants("%zu:%u", at, bit))
                flip(image, at, (uint8_t)(1u << bit));
    judge_group("number replaced", "file's header");
    for (size_t at = 24; at < HEADER_SIZE; at += 4)
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            uint8_t was[4], is[4] = {(uint8_t)(numbers[i] >> 24), (uint8_t)(numbers[i] >> 16),
                                     (uint8_t)(numbers[i] >> 8), (uint8_t)numbers[i]};
            memcpy(was, image->bytes + at, 4);
            if (memcmp(was, is, 4) == 0 || !judge_wants("%zu:%08x", at, numbers[i]))
                continue;
            memcpy(image->bytes + at, is, 4);
            judge_image(*image, true);
            memcpy(image->bytes + at, was, 4);
        }
}

/* The pages with rows of the table of leaves: their bytes are flipped as those of cells, and here only what
 * holds them. */
static void mark_leaves(const struct copy *base, size_t page, bool *marks)
{
    const uint8_t *bytes = base->image.bytes + (page - 1) * PAGE_SIZE;

    if (page == 0 || page * PAGE_SIZE > base->image.size)
        return;
    if (bytes[0] == 13) {
        marks[page] = true;
        return;
    }
    expect(bytes[0] == 5, "the b-tree of the leaves");
    for (unsigned i = 0; i < load_u16(bytes + 3); i++)
        mark_leaves(base, load_u32(bytes + load_u16(bytes + 12 + 2 * i)), marks);
    mark_leaves(base, load_u32(bytes + 8), marks);
}

/* Marks what says where things lie: the head of the page and its list of cells, and of each cell the head, by
 * which SQLite finds the rest of the row, be it on a page that no file can have. */
static void mark_heads(const uint8_t page[PAGE_SIZE], size_t start, size_t cell_head, bool marks[PAGE_SIZE])
{
    const uint8_t kind = page[start]; /* 0 for a free page and for what overflows a cell */
    const bool inner = kind == 2 || kind == 5;
    const unsigned cells = load_u16(page + start + 3);
    const size_t list = start + (inner ? 12 : 8);

    if (!inner && kind != 10 && kind != 13)
        return;
    memset(marks + start, true, list - start + 2 * cells);
    for (unsigned i = 0; i < cells; i++) {
        size_t cell = load_u16(page + list + 2 * i);
        memset(marks + cell, true, cell + cell_head > PAGE_SIZE ? PAGE_SIZE - cell : cell_head);
    }
}

/* Each bit of the heads, and of what else is wanted one of each byte. */
static void flip_page(struct image *image, size_t page, bool of_leaves)
{
    const size_t start = (page - 1) * PAGE_SIZE;
    bool heads[PAGE_SIZE] = {false};

    mark_heads(image->bytes + start, page == 1 ? HEADER_SIZE : 0, of_leaves ? 8 : 20, heads);
    for (size_t i = page == 1 ? HEADER_SIZE : 0; i < PAGE_SIZE; i++) {
        const unsigned only = heads[i] || of_leaves ? 8 : judge_mix(3) % 8;
        for (unsigned bit = 0; bit < 8; bit++)
            if ((heads[i] || bit == only) && judge_wants("%zu:%zu:%u", page, i, bit))
                flip(image, start + i, (uint8_t)(1u << bit));
    }
}

static void flip_pages(const struct copy *base, struct image *image)
{
    size_t pages = image->size / PAGE_SIZE;
    bool *marks = allocate(pages + 1);

    memset(marks, 0, pages + 1);
    mark_leaves(base, (size_t)copy_tree(base, "leaves")->root, marks);
    judge_group("byte flipped", "pages but those of leaves");
    for (size_t page = 1; page <= pages; page++)
        if (!marks[page])
            flip_page(image, page, false);
    judge_group("byte flipped", "page and row headers of leaves");
    for (size_t page = 1; page <= pages; page++)
        if (marks[page])
            flip_page(image, page, true);
    free(marks);
}

void try_pages(const struct copy *base, const struct copy *older, size_t count)
{
    struct image image = copy_image(&base->image);

    flip_header(&image);
    cut(base, &image);
    clear(base, &image);
    exchange(base, &image);
    for (size_t i = 0; i < count; i++)
        replay(base, &older[i], &image);
    flip_pages(base, &image);
    judge_group("file as it was", "file");
    for (size_t i = 0; i < count; i++)
        if (judge_wants("%s", older[i].name))
            judge_older(&older[i]);
    free(image.bytes);
}

/* ---- The write-ahead log ---- */

static size_t frame_at(size_t frame)
{
    return LOG_HEADER + frame * (FRAME_HEADER + PAGE_SIZE);
}

/* How many frames there are up to the last commit, by the salt; remembers the head of each state on the way.
 */
static size_t read_states(struct image image, struct image log)
{
    size_t frames = 0;

    expect(judge_add_head(image, (struct image){.bytes = log.bytes, .size = 0}), "the file without its log");
    for (size_t i = 0; frame_at(i + 1) <= log.size; i++) {
        const uint8_t *frame = log.bytes + frame_at(i);
        if (memcmp(frame + 8, log.bytes + 16, 8) != 0)
            break;
        if (load_u32(frame + 4) == 0)
            continue;
        frames = i + 1;
        expect(judge_add_head(image, (struct image){.bytes = log.bytes, .size = frame_at(frames)}),
               "the file with part of its log");
    }
    expect(frames > 0 && frames <= FRAMES_MAX, "a small write-ahead log");
    return frames;
}

static void flip_log(struct image image, struct image log)
{
    judge_group("byte flipped", "write-ahead log");
    for (size_t at = 0; at < log.size; at++)
        if (judge_wants("%zu", at)) {
            uint8_t mask = (uint8_t)(1u << judge_mix(4) % 8);
            log.bytes[at] ^= mask;
            judge_log(image, log, false);
            log.bytes[at] ^= mask;
        }
    judge_group("cut off", "write-ahead log");
    for (size_t at = 0; at < log.size; at += 512)
        if (judge_wants("%zu", at))
            judge_log(image, (struct image){.bytes = log.bytes, .size = at}, false);
}

static void exchange_frames(struct image image, struct image log, size_t frames)
{
    const size_t size = FRAME_HEADER + PAGE_SIZE;
    struct image changed = copy_image(&log);

    judge_group("frames swapped", "write-ahead log");
    for (size_t i = 0; i < frames; i++)
        for (size_t j = i + 1; j < frames; j++)
            if (judge_wants("%zu:%zu", i, j)) {
                memcpy(changed.bytes + frame_at(i), log.bytes + frame_at(j), size);
                memcpy(changed.bytes + frame_at(j), log.bytes + frame_at(i), size);
                judge_log(image, changed, false);
                memcpy(changed.bytes, log.bytes, log.size);
            }
    judge_group("frame removed", "write-ahead log");
    for (size_t i = 0; i < frames; i++)
        if (judge_wants("%zu", i)) {
            memmove(changed.bytes + frame_at(i), log.bytes + frame_at(i + 1), log.size - frame_at(i + 1));
            changed.size = log.size - size;
            judge_log(image, changed, false);
            memcpy(changed.bytes, log.bytes, log.size);
            changed.size = log.size;
        }
    judge_group("frame repeated", "write-ahead log");
    for (size_t i = 0; i < frames; i++)
        if (judge_wants("%zu", i)) {
            memcpy(changed.bytes + frame_at(frames), log.bytes + frame_at(i), size);
            changed.size = frame_at(frames + 1);
            judge_log(image, changed, true);
            changed.size = log.size;
        }
    free(changed.bytes);
}

void try_log(struct image image, struct image log)
{
    size_t frames = read_states(image, log);

    log.size = frame_at(frames);
    flip_log(image, log);
    exchange_frames(image, log, frames);
}
