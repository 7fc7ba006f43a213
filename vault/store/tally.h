/* A tally: many entries of an index as two numbers that their order does not change.
 *
 * An entry (look-up and id, 32 bytes) is eight words w; with random s and r of the field of 2^61 - 1 numbers,
 * a tally is the product of (r - s0*w0 - ... - s7*w7) over all entries, taken twice. Seen as polynomials in r
 * and s, the products of two lists are equal only if the lists have the same entries equally often, because
 * each factor is irreducible and is no multiple of another. So (Schwartz, Zippel) two lists of n entries that
 * differ have equal tallies with a chance of at most (n / 2^61)^2: for a million of them 2^-82, whoever made
 * the lists before s and r were drawn. It needs no key of the vault, and is no cryptography. */
#ifndef STEPVAULT_STORE_TALLY_H
#define STEPVAULT_STORE_TALLY_H

#include "base/status.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define TALLY_TIMES 2
#define TALLY_WORDS 8

struct tally_key {
    uint64_t points[TALLY_TIMES];
    uint64_t slopes[TALLY_TIMES][TALLY_WORDS];
};

struct tally {
    uint64_t products[TALLY_TIMES];
    uint64_t count;
};

/* Drawn anew for each comparison, and told nobody. */
enum status tally_draw(struct failure *failure, struct tally_key *ret_key);

void tally_start(struct tally *tally);
void tally_add(struct tally *tally, const struct tally_key *key, const uint8_t look_up[STORE_LOOKUP_SIZE],
               const uint8_t id[STORE_ID_SIZE]);
bool tally_equal(const struct tally *a, const struct tally *b);

#endif
