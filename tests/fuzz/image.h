/* The files of a store as bytes: copied, edited and put back, in a folder in memory, for the fuzzers of
 * files. */
#ifndef STEPVAULT_FUZZ_IMAGE_H
#define STEPVAULT_FUZZ_IMAGE_H

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096u
#define IMAGE_MAX ((size_t)1 << 20)

struct image {
    uint8_t *bytes;
    size_t size;
};

static char folder[64], path[96], wal[112], shm[112];
static struct image base_file, base_wal;

static inline void expect(bool right)
{
    if (!right)
        abort();
}

static void image_sweep(void)
{
    unlink(path);
    unlink(wal);
    unlink(shm);
}

static void image_stop(void)
{
    image_sweep();
    rmdir(folder);
}

static void image_start(void)
{
    strcpy(folder, "/dev/shm/stepvault-fuzz-XXXXXX");
    expect(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/vault.db", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
    snprintf(shm, sizeof shm, "%s-shm", path);
    atexit(image_stop);
}

static struct image load(const char *from)
{
    struct image image = {.bytes = malloc(IMAGE_MAX)};
    CLEANUP(cleanup_close) int descriptor = open(from, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    while (descriptor >= 0 && (got = read(descriptor, image.bytes + image.size, IMAGE_MAX - image.size)) > 0)
        image.size += (size_t)got;
    return image;
}

/* Takes the copy that all edits begin with, of a store that is open and will be closed next: closing any
 * other descriptor of its file drops its lock. */
static void image_take(void)
{
    base_wal = load(wal);
    base_file = load(path);
    expect(base_wal.size > 0 && base_file.size > 0);
}

static void save(const char *to, const uint8_t *bytes, size_t size)
{
    CLEANUP(cleanup_close) int descriptor = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    expect(descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size);
}

/* Within file and log as if they were one; what reaches past the end is cut. */
static void edit(struct image *file, struct image *log, const uint8_t step[6])
{
    struct image *image = step[0] & 0x80 && log->size > 0 ? log : file;
    size_t at = ((size_t)step[1] << 16 | (size_t)step[2] << 8 | step[3]) % (image->size + 1);
    size_t from = (size_t)step[4] * PAGE, page = at / PAGE * PAGE;
    uint8_t swapped[PAGE];

    if (image->size == 0)
        return;
    at = at < image->size ? at : image->size - 1;
    switch (step[0] % 8) {
    case 0:
    case 1:
        image->bytes[at] ^= step[5] == 0 ? 1 : step[5];
        break;
    case 2:
        image->bytes[at] = step[5];
        break;
    case 3:
        if (page + PAGE <= image->size && from + PAGE <= image->size)
            memmove(image->bytes + page, image->bytes + from, PAGE);
        break;
    case 4:
        if (page + PAGE <= image->size && from + PAGE <= image->size) {
            memcpy(swapped, image->bytes + page, PAGE);
            memmove(image->bytes + page, image->bytes + from, PAGE);
            memcpy(image->bytes + from, swapped, PAGE);
        }
        break;
    case 5:
        image->size = at;
        break;
    case 6:
        memset(image->bytes + at, step[5],
               (step[4] + 1u) < image->size - at ? step[4] + 1u : image->size - at);
        break;
    default:
        /* Small numbers of SQLite's own: the header of the file, or of a page. */
        at = step[2] & 1 ? step[3] % 100u : page + step[3] % 12u;
        if (at < image->size)
            image->bytes[at] = step[5];
        break;
    }
}

/* Makes the files that the input stands for: a run of edits of six bytes each; or, after 0xff, the file
 * itself; or, after 0xfe, the file's first two pages and what follows. */
static void image_make(const uint8_t *bytes, size_t size)
{
    struct image file = {0}, log = {0};

    image_sweep();
    if (size > 0 && bytes[0] >= 0xfe) {
        CLEANUP(cleanup_free) uint8_t *whole = malloc(base_file.size + size);
        size_t head = bytes[0] == 0xfe ? 2 * PAGE : 0;
        memcpy(whole, base_file.bytes, head);
        memcpy(whole + head, bytes + 1, size - 1);
        save(path, whole, head + size - 1);
    } else {
        file.bytes = malloc(base_file.size);
        log.bytes = malloc(base_wal.size);
        memcpy(file.bytes, base_file.bytes, file.size = base_file.size);
        memcpy(log.bytes, base_wal.bytes, log.size = base_wal.size);
        for (size_t i = 0; i + 6 <= size && i < 6 * 16; i += 6)
            edit(&file, &log, bytes + i);
        save(path, file.bytes, file.size);
        if (log.size > 0)
            save(wal, log.bytes, log.size);
        free(file.bytes);
        free(log.bytes);
    }
}

#endif
