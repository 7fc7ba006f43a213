/* XChaCha20-Poly1305 commits to no key: a sealed slot can be made that opens under two. That the slot's
 * commitment is what refuses the second is shown by making one. Such slots are what partitioning oracles
 * need: one try of theirs tells of many passphrases at once. */
#include "crypto/seal.h"
#include "crypto/slot.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- Numbers modulo 2^130 - 5, slowly ---- */

__extension__ typedef unsigned __int128 wide;

struct number {
    uint64_t high; /* from bit 128 on */
    wide low;
};

static const struct number zero, one = {.low = 1};

static struct number reduce(struct number a)
{
    while (a.high > 3 || (a.high == 3 && a.low >= (wide)0 - 5)) {
        a.low += 5;
        a.high += (a.low < 5 ? 1 : 0);
        a.high -= 4;
    }
    return a;
}

static struct number add(struct number a, struct number b)
{
    struct number sum = {.high = a.high + b.high, .low = a.low + b.low};

    sum.high += sum.low < a.low ? 1 : 0;
    return reduce(sum);
}

static struct number subtract(struct number a, struct number b)
{
    struct number negative = {.high = 3 - b.high, .low = (wide)0 - 5 - b.low};

    negative.high -= b.low > (wide)0 - 5 ? 1 : 0;
    return add(a, negative);
}

static struct number multiply(struct number a, struct number b)
{
    struct number product = zero;

    for (int bit = 129; bit >= 0; bit--) {
        product = add(product, product);
        if (((bit >= 128 ? (wide)b.high >> (bit - 128) : b.low >> bit) & 1) != 0)
            product = add(product, a);
    }
    return product;
}

/* a to the power of 2^130 - 7. */
static struct number invert(struct number a)
{
    struct number inverse = one;

    for (int bit = 129; bit >= 0; bit--) {
        inverse = multiply(inverse, inverse);
        if (bit != 1 && bit != 2)
            inverse = multiply(inverse, a);
    }
    return inverse;
}

static wide load(const uint8_t bytes[16])
{
    wide number = 0;

    for (int i = 15; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void store(uint8_t bytes[16], wide number)
{
    for (int i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
}

/* ---- A slot that two keys open ---- */

static const uint8_t vault_id[16] = "sixteen bytes id";
#define EPOCH 3u

static const struct slot_header header = {.id = "the id of a slot",
                                          .kind = SLOT_MACHINE,
                                          .kdf = {.salt = "the salt of that"},
                                          .created_ms = 1700000000000};

/* FORMAT.md, section 3. */
static size_t associate(uint8_t bytes[128])
{
    struct seal_input input = {.bytes = bytes, .capacity = 128};

    seal_input_text(&input, "stepvault/v1/slot");
    seal_input_u32(&input, 1);
    seal_input_bytes(&input, vault_id, sizeof vault_id);
    seal_input_u32(&input, EPOCH);
    seal_input_bytes(&input, header.id, sizeof header.id);
    seal_input_u8(&input, (uint8_t)header.kind);
    for (int i = 0; i < 3; i++)
        seal_input_u32(&input, 0);
    seal_input_bytes(&input, header.kdf.salt, sizeof header.kdf.salt);
    seal_input_u64(&input, header.created_ms);
    return input.size;
}

static void hash(uint8_t destination[32], const char *use, const uint8_t key[32])
{
    uint8_t associated[128], bytes[256];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof bytes};
    size_t size = associate(associated);

    seal_input_text(&input, use);
    seal_input_bytes(&input, associated, size);
    seal_hash(destination, 32, key, input.bytes, input.size);
}

/* What a key makes of the seal's tag: r and s of Poly1305, and the part of the sum that the ciphertext is not
 * in. */
struct authenticator {
    struct number r;
    wide s;
    struct number rest;
    struct number square;
    struct number cube;
};

static struct authenticator authenticate(const uint8_t wrap_key[32], const uint8_t nonce[24])
{
    static const uint8_t clamp[16] = {0xff, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f,
                                      0xfc, 0xff, 0xff, 0x0f, 0xfc, 0xff, 0xff, 0x0f};
    uint8_t block[32], associated[128] = {0}, lengths[16];
    size_t size = associate(associated);
    struct authenticator made = {.rest = zero};

    crypto_stream_xchacha20(block, sizeof block, nonce, wrap_key);
    for (int i = 0; i < 16; i++)
        block[i] &= clamp[i];
    made.r = (struct number){.low = load(block)};
    made.s = load(block + 16);
    made.square = multiply(made.r, made.r);
    made.cube = multiply(made.square, made.r);
    for (size_t at = 0; at < size; at += 16)
        made.rest =
            multiply(add(made.rest, (struct number){.high = 1, .low = load(associated + at)}), made.r);
    made.rest = multiply(made.rest, made.cube); /* two blocks of ciphertext and one of lengths follow */
    store(lengths, (wide)32 << 64 | size);
    made.rest = add(made.rest, multiply((struct number){.high = 1, .low = load(lengths)}, made.r));
    return made;
}

/* Two blocks of ciphertext under which both authenticators give the tag; false where the two equations have a
 * solution that is no pair of blocks. */
static bool solve(const struct authenticator made[2], const uint8_t tag[16], const unsigned high[2],
                  uint8_t blocks[32])
{
    struct number wanted[2];

    for (int i = 0; i < 2; i++)
        wanted[i] =
            subtract(reduce((struct number){.high = high[i], .low = load(tag) - made[i].s}), made[i].rest);
    struct number determinant =
        subtract(multiply(made[0].cube, made[1].square), multiply(made[1].cube, made[0].square));
    struct number inverse = invert(determinant);
    struct number first =
        multiply(subtract(multiply(wanted[0], made[1].square), multiply(wanted[1], made[0].square)), inverse);
    struct number second =
        multiply(subtract(multiply(made[0].cube, wanted[1]), multiply(made[1].cube, wanted[0])), inverse);
    store(blocks, first.low);
    store(blocks + 16, second.low);
    return first.high == 1 && second.high == 1;
}

static void seal_for_both(uint8_t wrapped[SLOT_WRAPPED_SIZE], const uint8_t wrap_keys[2][32])
{
    struct authenticator made[2];

    seal_random(wrapped, 24);
    for (int i = 0; i < 2; i++)
        made[i] = authenticate(wrap_keys[i], wrapped);
    for (;;) {
        seal_random(wrapped + 56, 16);
        for (unsigned choice = 0; choice < 9; choice++)
            if (solve(made, wrapped + 56, (const unsigned[]){choice / 3, choice % 3}, wrapped + 24))
                return;
    }
}

static void a_slot_that_two_keys_could_open_is_opened_by_the_committed_one_alone(void **state)
{
    uint8_t keys[2][32], wrap_keys[2][32], associated[128], plain[32];
    struct slot slot = {.header = header};
    struct failure failure;
    size_t size = associate(associated);

    (void)state;
    assert_int_equal(seal_start(&failure), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        seal_random(keys[i], sizeof keys[i]);
        hash(wrap_keys[i], "stepvault/v1/slot-wrap", keys[i]);
    }
    seal_for_both(slot.wrapped, (const uint8_t(*)[32])wrap_keys);
    for (int i = 0; i < 2; i++)
        assert_true(seal_open(plain, wrap_keys[i], slot.wrapped, sizeof slot.wrapped, associated, size));
    for (int i = 0; i < 2; i++) {
        hash(slot.commitment, "stepvault/v1/slot-commitment", keys[i]);
        assert_true(slot_unwrap(&slot, keys[i], vault_id, EPOCH, plain));
        assert_false(slot_unwrap(&slot, keys[1 - i], vault_id, EPOCH, plain));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_that_two_keys_could_open_is_opened_by_the_committed_one_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
