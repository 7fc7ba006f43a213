/* Any values and any text in any pieces: what comes out is what a search for each pattern at each place makes
 * of the text, and so the same for one piece and for many; no value stands in it, and where nothing was
 * found, it is the text.
 */
#include "base/cleanup.h"
#include "code/mask.h"
#include "code/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VALUES_MAX 4u
#define TEXT_MAX 2048u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct input {
    const uint8_t *bytes;
    size_t size;
    struct secret entries;
    struct pattern_list list;
};

static void expect(bool right)
{
    if (!right)
        abort();
}

static uint8_t take_byte(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->bytes++;
}

/* A value has no NUL, and no `*`: with one, what stands for a value may be part of another. */
static void value_take(struct input *input)
{
    uint8_t value[64];
    const size_t wanted = 1 + take_byte(input) % sizeof(value);
    size_t length = 0;

    while (length < wanted && input->size > 0) {
        const uint8_t byte = take_byte(input);

        value[length++] = byte == '\0' || byte == '*' ? 'a' : byte;
    }
    expect(secret_append_text(&input->entries, "V=") && secret_append(&input->entries, value, length) &&
           secret_append_byte(&input->entries, '\0'));
    if (length >= MASK_VALUE_MIN)
        expect(pattern_add_forms(&input->list, value, length));
}

static struct mask *mask_make(const struct secret *entries)
{
    CLEANUP(cleanup_close) int descriptor = memfd_create("values", MFD_CLOEXEC);
    struct failure failure;
    struct mask *mask = NULL;

    expect(write(descriptor, entries->bytes, entries->size) == (ssize_t)entries->size);
    expect(lseek(descriptor, 0, SEEK_SET) == 0);
    expect(mask_load(descriptor, &failure, &mask) == STATUS_OK);
    return mask;
}

static bool stands_at(const struct input *input, size_t at, const uint8_t *pattern, size_t length)
{
    return length <= input->size - at && memcmp(input->bytes + at, pattern, length) == 0;
}

static void mask_slowly(const struct input *input, struct secret *masked)
{
    uint8_t covered[TEXT_MAX] = {0};

    for (size_t i = 0; i < pattern_count(&input->list); i++) {
        size_t length;
        const uint8_t *pattern = pattern_get(&input->list, i, &length);

        for (size_t at = 0; at < input->size; at++) {
            if (stands_at(input, at, pattern, length))
                memset(covered + at, 1, length);
        }
    }
    for (size_t at = 0; at < input->size; at++) {
        if (!covered[at])
            expect(secret_append_byte(masked, input->bytes[at]));
        else if (at == 0 || !covered[at - 1])
            expect(secret_append_text(masked, MASK_TEXT));
    }
}

static void mask_in_pieces(const struct mask *mask, const struct input *input, uint8_t seed,
                           struct secret *masked)
{
    CLEANUP(stream_freep) struct stream *stream = stream_make(mask_finder(mask), TEXT_MAX);
    const uint8_t *ready;
    size_t ready_size;

    for (size_t at = 0, piece; at < input->size; at += piece) {
        seed = (uint8_t)(seed * 37u + 11u);
        piece = 1 + seed % 19;
        piece = piece < input->size - at ? piece : input->size - at;
        memcpy(stream_room(stream), input->bytes + at, piece);
        ready_size = stream_feed(stream, piece, &ready);
        expect(secret_append(masked, ready, ready_size));
        expect(stream_held(stream) <= stream_depth(stream));
    }
    ready_size = stream_release(stream, &ready);
    expect(secret_append(masked, ready, ready_size));
}

static void expect_no_value(const struct secret *entries, const struct secret *masked)
{
    const char *entry = (const char *)entries->bytes;

    for (; entry < (const char *)entries->bytes + entries->size; entry += strlen(entry) + 1) {
        const size_t length = strlen(entry + 2);

        expect(length < MASK_VALUE_MIN ||
               memmem(secret_text(masked), masked->size, entry + 2, length) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {.bytes = bytes, .size = size};
    CLEANUP(mask_freep) struct mask *mask = NULL;
    CLEANUP(secret_reset) struct secret expected = {0};
    CLEANUP(secret_reset) struct secret whole = {0};
    CLEANUP(secret_reset) struct secret pieces = {0};
    const uint8_t seed = take_byte(&input);

    for (unsigned i = 0; i <= seed % VALUES_MAX; i++)
        value_take(&input);
    mask = mask_make(&input.entries);
    input.size = input.size < TEXT_MAX ? input.size : TEXT_MAX;
    mask_slowly(&input, &expected);
    expect(mask_append(mask, input.bytes, input.size, &whole));
    mask_in_pieces(mask, &input, seed, &pieces);
    expect(whole.size == expected.size && pieces.size == expected.size);
    expect(expected.size == 0 || (memcmp(whole.bytes, expected.bytes, expected.size) == 0 &&
                                  memcmp(pieces.bytes, expected.bytes, expected.size) == 0));
    expect_no_value(&input.entries, &whole);
    pattern_reset(&input.list);
    secret_reset(&input.entries);
    return 0;
}
