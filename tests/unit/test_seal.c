/* vault/crypto/seal.c, against known answers computed apart from libsodium (Python's hashlib, and the test
 * vector of draft-irtf-cfrg-xchacha, A.3.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/seal.h"

static void assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char hex[2 * 64 + 1];

    assert_true(size <= 64);
    text_to_hex(hex, bytes, size);
    assert_string_equal(hex, expected);
}

static void range_fill(uint8_t *bytes, size_t size, uint8_t first)
{
    for (size_t at = 0; at < size; at++)
        bytes[at] = (uint8_t)(first + at);
}

static int start(void **state)
{
    struct failure failure;

    (void)state;
    return seal_start(&failure) == STATUS_OK ? 0 : -1;
}

static void purpose_keys_have_their_known_answer(void **state)
{
    uint8_t root[SEAL_KEY_SIZE];
    uint8_t vault_id[SEAL_ID_SIZE];
    uint8_t key[SEAL_KEY_SIZE];
    uint8_t other[SEAL_KEY_SIZE];

    (void)state;
    range_fill(root, sizeof(root), 0);
    range_fill(vault_id, sizeof(vault_id), 0xa0);
    seal_derive_key(key, root, "records", vault_id, 7);
    assert_hex(key, sizeof(key), "7f5aa7c7af8053f1dd6b0ee2c08a19554c592864d2d10e298315ef00e8035526");
    seal_derive_key(other, root, "record", vault_id, 7);
    assert_memory_not_equal(key, other, sizeof(key));
    seal_derive_key(other, root, "records", vault_id, 8);
    assert_memory_not_equal(key, other, sizeof(key));
    vault_id[15] ^= 1;
    seal_derive_key(other, root, "records", vault_id, 7);
    assert_memory_not_equal(key, other, sizeof(key));
}

static void hashes_have_their_known_answer_whole_and_in_parts(void **state)
{
    uint8_t key[SEAL_KEY_SIZE];
    uint8_t hash[16];
    struct seal_hasher hasher;

    (void)state;
    range_fill(key, sizeof(key), 0);
    seal_hash(hash, sizeof(hash), key, "abc", 3);
    assert_hex(hash, sizeof(hash), "1a64be47e4729d951c302ee543f97cf3");
    memset(hash, 0, sizeof(hash));
    seal_hasher_start(&hasher, sizeof(hash), key);
    seal_hasher_add(&hasher, "a", 1);
    seal_hasher_add(&hasher, "", 0);
    seal_hasher_add(&hasher, "bc", 2);
    seal_hasher_end(&hasher, hash, sizeof(hash));
    assert_hex(hash, sizeof(hash), "1a64be47e4729d951c302ee543f97cf3");
}

static void inputs_are_fixed_width_and_length_prefixed(void **state)
{
    uint8_t bytes[64];
    struct seal_input input = {.bytes = bytes, .capacity = sizeof(bytes)};

    (void)state;
    seal_input_text(&input, "ab");
    seal_input_run(&input, "c", 1);
    seal_input_bytes(&input, "d", 1);
    seal_input_u8(&input, 0xee);
    seal_input_u32(&input, 0x01020304);
    seal_input_u64(&input, UINT64_C(0x1112131415161718));
    seal_input_run(&input, NULL, 0);
    assert_false(input.overflow);
    assert_hex(bytes, input.size,
               "0000000261620000000163"
               "64ee010203041112131415161718"
               "00000000");
}

static void an_input_that_does_not_fit_overflows_and_stays_so(void **state)
{
    uint8_t bytes[8] = {0};
    struct seal_input input = {.bytes = bytes, .capacity = 6};

    (void)state;
    seal_input_u32(&input, 1);
    seal_input_u32(&input, 2);
    assert_true(input.overflow);
    assert_int_equal(input.size, 4);
    seal_input_u8(&input, 9);
    assert_int_equal(input.size, 4);
    assert_int_equal(bytes[6] | bytes[7], 0);
}

static void a_sealed_text_from_elsewhere_opens(void **state)
{
    static const char sealed_hex[] =
        "404142434445464748494a4b4c4d4e4f5051525354555657bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2"
        "902c21396c"
        "bb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f"
        "3fac2bc369"
        "488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    static const char expected[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        "future, sunscreen would be it.";
    uint8_t associated[12];
    uint8_t sealed[(sizeof(sealed_hex) - 1) / 2];
    uint8_t key[SEAL_KEY_SIZE];
    uint8_t plain[sizeof(sealed) - SEAL_OVERHEAD];

    (void)state;
    range_fill(key, sizeof(key), 0x80);
    assert_true(text_from_hex(associated, sizeof(associated), "50515253c0c1c2c3c4c5c6c7"));
    assert_true(text_from_hex(sealed, sizeof(sealed), sealed_hex));
    assert_true(seal_open(plain, key, sealed, sizeof(sealed), associated, sizeof(associated)));
    assert_int_equal(sizeof(plain), strlen(expected));
    assert_memory_equal(plain, expected, sizeof(plain));
}

static void every_flipped_bit_is_noticed_and_nothing_comes_out(void **state)
{
    uint8_t key[SEAL_KEY_SIZE];
    uint8_t sealed[SEAL_OVERHEAD + 5];
    uint8_t plain[5];
    const uint8_t nothing[5] = {0};

    (void)state;
    range_fill(key, sizeof(key), 1);
    seal_close(sealed, key, "hello", 5, "context", 7);
    assert_true(seal_open(plain, key, sealed, sizeof(sealed), "context", 7));
    assert_memory_equal(plain, "hello", 5);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(plain, 'x', sizeof(plain));
        assert_false(seal_open(plain, key, sealed, sizeof(sealed), "context", 7));
        assert_memory_equal(plain, nothing, sizeof(plain));
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_false(seal_open(plain, key, sealed, sizeof(sealed), "contexT", 7));
    assert_false(seal_open(plain, key, sealed, sizeof(sealed), "context", 6));
    assert_false(seal_open(plain, key, sealed, sizeof(sealed) - 1, "context", 7));
    assert_false(seal_open(plain, key, sealed, SEAL_OVERHEAD - 1, "context", 7));
    assert_false(seal_open(plain, key, sealed, 0, "context", 7));
    key[0] ^= 1;
    assert_false(seal_open(plain, key, sealed, sizeof(sealed), "context", 7));
}

static void sealing_twice_gives_different_bytes_and_empty_is_fine(void **state)
{
    uint8_t key[SEAL_KEY_SIZE] = {0};
    uint8_t first[SEAL_OVERHEAD];
    uint8_t second[SEAL_OVERHEAD];
    uint8_t plain[1];

    (void)state;
    seal_close(first, key, NULL, 0, NULL, 0);
    seal_close(second, key, NULL, 0, NULL, 0);
    assert_memory_not_equal(first, second, sizeof(first));
    assert_true(seal_open(plain, key, first, sizeof(first), NULL, 0));
}

static void sums_wrap_and_do_not_depend_on_order(void **state)
{
    uint8_t sum[SEAL_HASH_SIZE] = {0};
    uint8_t other[SEAL_HASH_SIZE] = {0};
    uint8_t one[SEAL_HASH_SIZE] = {1};
    uint8_t most[SEAL_HASH_SIZE];
    uint8_t terms[3][SEAL_HASH_SIZE];
    const uint8_t zero[SEAL_HASH_SIZE] = {0};

    (void)state;
    memset(most, 0xff, sizeof(most));
    seal_sum_add(sum, most);
    seal_sum_add(sum, one);
    assert_memory_equal(sum, zero, sizeof(sum));
    seal_sum_subtract(sum, one);
    assert_memory_equal(sum, most, sizeof(sum));
    memset(sum, 0, sizeof(sum));
    sum[0] = 0xff;
    seal_sum_add(sum, one);
    assert_int_equal(sum[0], 0);
    assert_int_equal(sum[1], 1);

    memset(sum, 0, sizeof(sum));
    seal_random(terms, sizeof(terms));
    for (int at = 0; at < 3; at++) {
        seal_sum_add(sum, terms[at]);
        seal_sum_add(other, terms[2 - at]);
    }
    assert_memory_equal(sum, other, sizeof(sum));
    for (int at = 0; at < 3; at++)
        seal_sum_subtract(sum, terms[at]);
    assert_memory_equal(sum, zero, sizeof(sum));
}

static void sizes_are_padded_to_doublings_of_256(void **state)
{
    static const size_t cases[][2] = {
        {0,     256   },
        {1,     256   },
        {256,   256   },
        {257,   512   },
        {512,   512   },
        {513,   1024  },
        {65536, 65536 },
        {65537, 131072}
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
        assert_int_equal(seal_padded_size(cases[at][0]), cases[at][1]);
}

static void a_forked_child_shares_no_nonce_with_its_parent(void **state)
{
    uint8_t ours[SEAL_NONCE_SIZE], theirs[SEAL_NONCE_SIZE];
    int ends[2], status;
    pid_t child;

    (void)state;
    seal_random(ours, sizeof ours);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        seal_random(theirs, sizeof theirs);
        _exit(write(ends[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    seal_random(ours, sizeof ours);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_memory_not_equal(ours, theirs, sizeof ours);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purpose_keys_have_their_known_answer),
        cmocka_unit_test(hashes_have_their_known_answer_whole_and_in_parts),
        cmocka_unit_test(inputs_are_fixed_width_and_length_prefixed),
        cmocka_unit_test(an_input_that_does_not_fit_overflows_and_stays_so),
        cmocka_unit_test(a_sealed_text_from_elsewhere_opens),
        cmocka_unit_test(every_flipped_bit_is_noticed_and_nothing_comes_out),
        cmocka_unit_test(sealing_twice_gives_different_bytes_and_empty_is_fine),
        cmocka_unit_test(a_forked_child_shares_no_nonce_with_its_parent),
        cmocka_unit_test(sums_wrap_and_do_not_depend_on_order),
        cmocka_unit_test(sizes_are_padded_to_doublings_of_256),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
