/* The frames of a write-ahead log, checked one after the other. */
#include "store/frames.h"

#include "base/cleanup.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 32u
#define FRAME_HEADER_SIZE 24u
#define MAGIC 0x377f0682u /* the lowest bit: sums are of big-endian words */
#define VERSION 3007000u
#define GROWTH 1024u

struct reader {
    struct frames frames;
    size_t read; /* frames that hold, committed or not */
    size_t capacity;
    bool big_endian;
    uint8_t salt[8];
    uint32_t sum[2];
};

static uint32_t load_u32(const uint8_t *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof(number));
    return be32toh(number);
}

static void add_to_sum(struct reader *reader, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint32_t words[2];
        memcpy(words, bytes + at, sizeof(words));
        for (unsigned i = 0; i < 2; i++) {
            words[i] = reader->big_endian ? be32toh(words[i]) : le32toh(words[i]);
            reader->sum[i] += words[i] + reader->sum[1 - i];
        }
    }
}

static bool sum_is(const struct reader *reader, const uint8_t *bytes)
{
    return load_u32(bytes) == reader->sum[0] && load_u32(bytes + 4) == reader->sum[1];
}

static bool read_at(sqlite3_file *file, void *bytes, size_t size, sqlite3_int64 offset)
{
    return file->pMethods->xRead(file, bytes, (int)size, offset) == SQLITE_OK;
}

static bool read_header(struct reader *reader)
{
    uint8_t header[HEADER_SIZE];
    if (!read_at(reader->frames.log, header, sizeof(header), 0) || (load_u32(header) & ~1u) != MAGIC ||
        load_u32(header + 4) != VERSION || load_u32(header + 8) != FRAMES_PAGE_SIZE)
        return false;
    reader->big_endian = (load_u32(header) & 1) != 0;
    memcpy(reader->salt, header + 16, sizeof(reader->salt));
    add_to_sum(reader, header, HEADER_SIZE - 8);
    return sum_is(reader, header + HEADER_SIZE - 8);
}

static sqlite3_int64 offset_of(size_t frame)
{
    return HEADER_SIZE + (sqlite3_int64)frame * (FRAME_HEADER_SIZE + FRAMES_PAGE_SIZE);
}

/* False at the first frame that does not hold, which is where the log ends. */
static bool read_frame(struct reader *reader, uint32_t *ret_page, bool *ret_commit)
{
    uint8_t frame[FRAME_HEADER_SIZE + FRAMES_PAGE_SIZE];
    if (!read_at(reader->frames.log, frame, sizeof(frame), offset_of(reader->read)) ||
        memcmp(frame + 8, reader->salt, sizeof(reader->salt)) != 0 || load_u32(frame) == 0)
        return false;
    add_to_sum(reader, frame, 8);
    add_to_sum(reader, frame + FRAME_HEADER_SIZE, FRAMES_PAGE_SIZE);
    *ret_page = load_u32(frame);
    *ret_commit = load_u32(frame + 4) != 0;
    return sum_is(reader, frame + 16);
}

static bool remember(struct reader *reader, uint32_t page)
{
    if (reader->read == reader->capacity) {
        uint32_t *pages =
            reallocarray(reader->frames.pages, reader->capacity + GROWTH, sizeof(*reader->frames.pages));
        if (pages == NULL)
            return false;
        reader->frames.pages = pages;
        reader->capacity += GROWTH;
    }
    reader->frames.pages[reader->read++] = page;
    return true;
}

void frames_reset(struct frames *frames)
{
    free(frames->pages);
    *frames = (struct frames){0};
}

enum status frames_load(struct sqlite *sqlite, struct failure *failure, struct frames *ret_frames)
{
    struct reader reader = {0};
    uint32_t page = 0;
    bool commit = false;
    *ret_frames = (struct frames){0};
    if (sqlite->folded ||
        sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &reader.frames.log) !=
            SQLITE_OK ||
        reader.frames.log->pMethods == NULL)
        return STATUS_OK;
    bool held = read_header(&reader);
    while (held && read_frame(&reader, &page, &commit)) {
        if (!remember(&reader, page)) {
            frames_reset(&reader.frames);
            return failure_set_no_memory(failure);
        }
        if (commit && (!sqlite->failed || reader.read <= (size_t)sqlite->frames))
            reader.frames.count = reader.read;
    }
    if (sqlite->frames >= 0 && reader.frames.count != (size_t)sqlite->frames) {
        frames_reset(&reader.frames);
        return failure_set(failure, STATUS_CORRUPT,
                           "the write-ahead log of the vault %s is not what the vault wrote", sqlite->path);
    }
    *ret_frames = reader.frames;
    return STATUS_OK;
}

enum status frames_read_page(struct sqlite *sqlite, const struct frames *frames, uint32_t number,
                             struct failure *failure, uint8_t ret_page[FRAMES_PAGE_SIZE])
{
    sqlite3_file *file = NULL;
    sqlite3_int64 offset = (sqlite3_int64)(number - 1) * FRAMES_PAGE_SIZE;
    int code = sqlite3_file_control(sqlite->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    for (size_t at = frames->count; at > 0 && code == SQLITE_OK; at--) {
        if (frames->pages[at - 1] == number) {
            file = frames->log;
            offset = offset_of(at - 1) + FRAME_HEADER_SIZE;
            break;
        }
    }
    if (code == SQLITE_OK)
        code = file->pMethods->xRead(file, ret_page, FRAMES_PAGE_SIZE, offset);
    return code == SQLITE_OK ? STATUS_OK : sqlite_fail(sqlite, code, failure);
}
