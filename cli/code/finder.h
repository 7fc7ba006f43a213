/* Finds many patterns in a text that comes in pieces, in time that grows with the text and with nothing else:
 * an automaton (Aho and Corasick) that knows at each byte how much of a pattern the text ends in, and in
 * front of it a filter (Wu and Manber) that jumps over text in which no pattern can begin. */
#ifndef STEPVAULT_CODE_FINDER_H
#define STEPVAULT_CODE_FINDER_H

#include "base/status.h"
#include "code/pattern.h"

struct finder;

/* Of a sorted list, which is no longer needed then. STATUS_TOO_LARGE where the patterns have over 4 Mi bytes.
 */
enum status finder_make(const struct pattern_list *list, struct failure *failure, struct finder **ret_finder);
void finder_freep(struct finder **finder);

/* As secret_keep_in_child and secret_kept, of all its memory. */
bool finder_keep_in_child(const struct finder *finder);
void finder_kept(const struct finder *finder);

/* Bytes of the longest pattern; 0 where there is none. */
size_t finder_longest(const struct finder *finder);

/* Reads bytes[*position, size) until a pattern ends, and returns the length of the longest that ends there; 0
 * where all is read. `state` is 0 at the beginning of a text, and carries what its end may be the beginning
 * of to the next piece. */
size_t finder_next(const struct finder *finder, const uint8_t *bytes, size_t size, uint32_t *state,
                   size_t *position);

/* How many bytes, up to the position, may be the beginning of a pattern; at most finder_longest() - 1. */
size_t finder_depth(const struct finder *finder, uint32_t state);

#endif
