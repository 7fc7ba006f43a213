/* One text that is scrubbed while it passes. What its end may be the beginning of is held back until more is
 * known, and never more than that. */
#ifndef STEPVAULT_CODE_STREAM_H
#define STEPVAULT_CODE_STREAM_H

#include "code/finder.h"

struct stream;

/* `piece_max`: bytes of the largest piece that will be fed. The finder must outlive the stream. NULL when
 * memory is out. */
struct stream *stream_make(const struct finder *finder, size_t piece_max);
void stream_freep(struct stream **stream);

/* As secret_keep_in_child and secret_kept, of all its memory. */
bool stream_keep_in_child(const struct stream *stream);
void stream_kept(const struct stream *stream);

/* Where the next piece is to be put, piece_max bytes. */
uint8_t *stream_room(struct stream *stream);

/* Scrubs the `size` bytes that were put there. Returns how many bytes are ready, in *ret_ready until the next
 * call. */
size_t stream_feed(struct stream *stream, size_t size, const uint8_t **ret_ready);

/* How many bytes are held back, and of how many bytes' beginning of a pattern they are the end: more where
 * some of it was released. */
size_t stream_held(const struct stream *stream);
size_t stream_depth(const struct stream *stream);

/* Lets go of what is held back, as stream_feed does. Should it become a pattern nevertheless, the rest of
 * that is scrubbed. */
size_t stream_release(struct stream *stream, const uint8_t **ret_ready);

/* Appends a whole text, scrubbed, to `destination`: at its beginning before and after. False when memory is
 * out; the content is then unchanged. */
bool stream_scrub(struct stream *stream, const void *bytes, size_t size, struct secret *destination);

#endif
