/* Places in the text are counted from its beginning. Where patterns were found are spans, in order, with text
 * between them; a span is final as far as no pattern can still end that begins before it. */
#include "code/stream.h"

#include "base/cleanup.h"
#include "code/mask.h"

#include <stdlib.h>
#include <string.h>

struct span {
    uint64_t start;
    uint64_t end;
};

struct stream {
    const struct finder *finder;
    size_t piece_max;
    uint32_t state;
    bool starred;  /* the last that went out was MASK_TEXT */
    uint64_t sent; /* what is before this place went out */
    size_t held;   /* bytes from `sent` on, at the beginning of `text` */
    size_t span_count;
    struct span *spans;
    uint8_t *text;
    uint8_t *output;
    size_t ready;
};

struct stream *stream_make(const struct finder *finder, size_t piece_max)
{
    CLEANUP(stream_freep) struct stream *stream = secret_allocate(sizeof(*stream));
    const size_t longest = finder_longest(finder);

    if (stream == NULL)
        return NULL;
    stream->finder = finder;
    stream->piece_max = piece_max;
    /* Spans in what is held back do not touch; the first may have lost its beginning, and one is added before
     * they are looked through. */
    stream->spans = secret_allocate((longest / (PATTERN_MIN + 1) + 3) * sizeof(*stream->spans));
    stream->text = secret_allocate(piece_max + longest);
    stream->output = secret_allocate(piece_max + longest + sizeof(MASK_TEXT));
    return stream->spans != NULL && stream->text != NULL && stream->output != NULL ? TAKE(stream) : NULL;
}

void stream_freep(struct stream **stream)
{
    if (*stream != NULL) {
        secret_free((*stream)->spans);
        secret_free((*stream)->text);
        secret_free((*stream)->output);
    }
    secret_free(*stream);
    *stream = NULL;
}

bool stream_keep_in_child(const struct stream *stream)
{
    return secret_keep_in_child(stream) && secret_keep_in_child(stream->spans) &&
           secret_keep_in_child(stream->text) && secret_keep_in_child(stream->output);
}

void stream_kept(const struct stream *stream)
{
    secret_kept(stream);
    secret_kept(stream->spans);
    secret_kept(stream->text);
    secret_kept(stream->output);
}

uint8_t *stream_room(struct stream *stream)
{
    return stream->text + stream->held;
}

size_t stream_held(const struct stream *stream)
{
    return stream->held;
}

size_t stream_depth(const struct stream *stream)
{
    return finder_depth(stream->finder, stream->state);
}

/* `text` begins at the place `origin`. */
static void send_text(struct stream *stream, uint64_t origin, uint64_t end)
{
    const size_t size = (size_t)(end - stream->sent);

    if (size == 0)
        return;
    memcpy(stream->output + stream->ready, stream->text + (stream->sent - origin), size);
    stream->ready += size;
    stream->sent = end;
    stream->starred = false;
}

static void send_stars(struct stream *stream, uint64_t end)
{
    if (!stream->starred) {
        memcpy(stream->output + stream->ready, MASK_TEXT, sizeof(MASK_TEXT) - 1);
        stream->ready += sizeof(MASK_TEXT) - 1;
    }
    stream->sent = end;
    stream->starred = true;
}

/* Sends what is before `limit`. A span that goes on behind it loses its beginning. */
static void send_until(struct stream *stream, uint64_t origin, uint64_t limit)
{
    size_t done = 0;

    while (done < stream->span_count && stream->spans[done].start < limit) {
        struct span *span = &stream->spans[done];

        if (span->start > stream->sent)
            send_text(stream, origin, span->start);
        send_stars(stream, span->end < limit ? span->end : limit);
        if (span->end > limit) {
            span->start = limit;
            break;
        }
        done++;
    }
    stream->span_count -= done;
    memmove(stream->spans, stream->spans + done, stream->span_count * sizeof(*stream->spans));
    if (limit > stream->sent)
        send_text(stream, origin, limit);
}

/* One that overlaps or touches the last ones swallows them. */
static void span_add(struct stream *stream, uint64_t start, uint64_t end)
{
    while (stream->span_count > 0 && stream->spans[stream->span_count - 1].end >= start) {
        const struct span *last = &stream->spans[--stream->span_count];

        start = last->start < start ? last->start : start;
    }
    stream->spans[stream->span_count++] = (struct span){start, end};
}

size_t stream_feed(struct stream *stream, size_t size, const uint8_t **ret_ready)
{
    const uint64_t origin = stream->sent;
    const size_t end = stream->held + size;
    size_t position = stream->held;
    size_t found;

    stream->ready = 0;
    do {
        uint64_t decided;

        found = finder_next(stream->finder, stream->text, end, &stream->state, &position);
        /* What was released is before `sent`, and may be a part of what was found. */
        if (found > 0)
            span_add(stream, found > origin + position ? 0 : origin + position - found, origin + position);
        decided = origin + position - finder_depth(stream->finder, stream->state);
        if (decided > stream->sent)
            send_until(stream, origin, decided);
    } while (found > 0);
    stream->held = (size_t)(origin + end - stream->sent);
    if (stream->sent > origin)
        memmove(stream->text, stream->text + (stream->sent - origin), stream->held);
    *ret_ready = stream->output;
    return stream->ready;
}

size_t stream_release(struct stream *stream, const uint8_t **ret_ready)
{
    stream->ready = 0;
    send_until(stream, stream->sent, stream->sent + stream->held);
    stream->held = 0;
    *ret_ready = stream->output;
    return stream->ready;
}

bool stream_scrub(struct stream *stream, const void *bytes, size_t size, struct secret *destination)
{
    const size_t before = destination->size;
    const uint8_t *ready;
    size_t ready_size;
    bool right = true;

    for (size_t at = 0, piece; right && at < size; at += piece) {
        piece = size - at < stream->piece_max ? size - at : stream->piece_max;
        memcpy(stream_room(stream), (const uint8_t *)bytes + at, piece);
        ready_size = stream_feed(stream, piece, &ready);
        right = secret_append(destination, ready, ready_size);
    }
    ready_size = stream_release(stream, &ready);
    right = right && secret_append(destination, ready, ready_size);
    stream->state = 0;
    stream->starred = false;
    if (!right)
        destination->size = before;
    return right;
}
