/* Products over the field of 2^61 - 1 numbers. */
#include "store/tally.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define PRIME (((uint64_t)1 << 61) - 1)

__extension__ typedef unsigned __int128 wide;

/* Any number below 2^122, modulo PRIME: 2^61 is 1. */
static uint64_t reduce(wide number)
{
    uint64_t low = (uint64_t)number & PRIME;
    uint64_t high = (uint64_t)(number >> 61);
    uint64_t sum = low + (high & PRIME) + (high >> 61);

    sum = (sum & PRIME) + (sum >> 61);
    return sum >= PRIME ? sum - PRIME : sum;
}

enum status tally_draw(struct failure *failure, struct tally_key *ret_key)
{
    uint64_t *const numbers[] = {ret_key->points, ret_key->slopes[0], ret_key->slopes[1]};
    const size_t counts[] = {TALLY_TIMES, TALLY_WORDS, TALLY_WORDS};

    if (getrandom(ret_key, sizeof(*ret_key), 0) != (ssize_t)sizeof(*ret_key))
        return failure_set_errno(failure, STATUS_FAILED, errno, "the kernel gives no random numbers");
    /* The top bits go; PRIME itself, once in 2^61, counts as 0. */
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (size_t j = 0; j < counts[i]; j++)
            numbers[i][j] = reduce(numbers[i][j] & PRIME);
    }
    return STATUS_OK;
}

void tally_start(struct tally *tally)
{
    *tally = (struct tally){
        .products = {1, 1}
    };
}

void tally_add(struct tally *tally, const struct tally_key *key, const uint8_t look_up[STORE_LOOKUP_SIZE],
               const uint8_t id[STORE_ID_SIZE])
{
    uint32_t words[TALLY_WORDS];

    memcpy(words, look_up, STORE_LOOKUP_SIZE);
    memcpy(words + TALLY_WORDS / 2, id, STORE_ID_SIZE);
    for (size_t i = 0; i < TALLY_TIMES; i++) {
        wide sum = 0;

        for (size_t j = 0; j < TALLY_WORDS; j++)
            sum += (wide)key->slopes[i][j] * words[j];
        uint64_t factor = reduce((wide)key->points[i] + PRIME - reduce(sum));
        tally->products[i] = reduce((wide)tally->products[i] * factor);
    }
    tally->count++;
}

bool tally_equal(const struct tally *a, const struct tally *b)
{
    return a->count == b->count && memcmp(a->products, b->products, sizeof(a->products)) == 0;
}
