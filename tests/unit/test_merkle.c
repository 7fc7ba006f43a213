/* vault/crypto/merkle.c: the vectors of tests/vectors/tlog_kat.json (RFC 6962 as Certificate Transparency's
 * own tests have it), and every proof of trees of up to 70 leaves against the definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/merkle.h"
#include "crypto/seal.h"

#include <jansson.h>

#define LEAVES 70
#define KAT_LEAVES 8

typedef uint8_t hash[MERKLE_HASH_SIZE];

struct proof {
    hash hashes[MERKLE_PROOF_MAX + 1];
    size_t count;
};

static json_t *vectors;
static hash kat_leaves[KAT_LEAVES];
static hash leaves[LEAVES];

static void hash_read(hash destination, const json_t *hex)
{
    assert_true(text_from_hex(destination, MERKLE_HASH_SIZE, json_string_value(hex)));
}

static int start(void **state)
{
    struct failure failure;
    json_error_t error;
    size_t at;
    json_t *hex;

    (void)state;
    vectors = json_load_file("tests/vectors/tlog_kat.json", 0, &error);
    if (vectors == NULL || seal_start(&failure) != STATUS_OK)
        return -1;
    json_array_foreach(json_object_get(vectors, "leaves_hex"), at, hex)
    {
        uint8_t leaf[64];
        size_t size = json_string_length(hex) / 2;

        if (at >= KAT_LEAVES || !text_from_hex(leaf, size, json_string_value(hex)))
            return -1;
        merkle_hash_leaf(kat_leaves[at], leaf, size);
    }
    for (at = 0; at < LEAVES; at++) {
        uint8_t leaf = (uint8_t)at;

        merkle_hash_leaf(leaves[at], &leaf, 1);
    }
    return 0;
}

static int finish(void **state)
{
    (void)state;
    json_decref(vectors);
    return 0;
}

/* MTH, PATH and SUBPROOF as RFC 6962, section 2.1, defines them. */
static size_t split_of(size_t count)
{
    size_t split = 1;

    while (split * 2 < count)
        split *= 2;
    return split;
}

static void reference_root(hash destination, const hash *from, size_t count)
{
    hash left;
    hash right;
    size_t split = split_of(count);

    if (count == 1) {
        memcpy(destination, from[0], sizeof(hash));
        return;
    }
    reference_root(left, from, split);
    reference_root(right, from + split, count - split);
    merkle_hash_node(destination, left, right);
}

static void reference_inclusion(struct proof *proof, size_t index, const hash *from, size_t count)
{
    size_t split = split_of(count);

    if (count == 1)
        return;
    if (index < split) {
        reference_inclusion(proof, index, from, split);
        reference_root(proof->hashes[proof->count++], from + split, count - split);
    } else {
        reference_inclusion(proof, index - split, from + split, count - split);
        reference_root(proof->hashes[proof->count++], from, split);
    }
}

static void reference_consistency(struct proof *proof, size_t first, const hash *from, size_t count,
                                  bool whole)
{
    size_t split = split_of(count);

    if (first == count) {
        if (!whole)
            reference_root(proof->hashes[proof->count++], from, count);
    } else if (first <= split) {
        reference_consistency(proof, first, from, split, whole);
        reference_root(proof->hashes[proof->count++], from + split, count - split);
    } else {
        reference_consistency(proof, first - split, from + split, count - split, false);
        reference_root(proof->hashes[proof->count++], from, split);
    }
}

static void kat_root(hash destination, size_t size)
{
    struct merkle_edge edge = {0};

    for (size_t at = 0; at < size; at++)
        merkle_append(&edge, kat_leaves[at]);
    merkle_root(destination, &edge);
}

static void proof_read(struct proof *proof, json_t *vector)
{
    size_t at;
    json_t *hex;

    proof->count = json_array_size(json_object_get(vector, "proof"));
    json_array_foreach(json_object_get(vector, "proof"), at, hex) hash_read(proof->hashes[at], hex);
}

static size_t number_of(json_t *vector, const char *key)
{
    return (size_t)json_integer_value(json_object_get(vector, key));
}

static void roots_are_the_known_ones(void **state)
{
    const char *size;
    json_t *hex;
    unsigned count = 0;

    (void)state;
    json_object_foreach(json_object_get(vectors, "roots_hex"), size, hex)
    {
        hash root;
        hash expected;
        uint64_t leaf_count;

        assert_true(text_to_number(size, KAT_LEAVES, &leaf_count));
        kat_root(root, leaf_count);
        hash_read(expected, hex);
        assert_memory_equal(root, expected, sizeof(hash));
        count++;
    }
    assert_int_equal(count, KAT_LEAVES + 1);
}

static void known_inclusion_proofs_verify(void **state)
{
    size_t at;
    json_t *vector;

    (void)state;
    json_array_foreach(json_object_get(vectors, "inclusion"), at, vector)
    {
        size_t index = number_of(vector, "index");
        size_t size = number_of(vector, "size");
        struct proof proof;
        hash root;

        proof_read(&proof, vector);
        kat_root(root, size);
        assert_true(merkle_verify_inclusion(kat_leaves[index], index, size, proof.hashes, proof.count, root));
    }
    assert_int_equal(at, KAT_LEAVES * (KAT_LEAVES + 1) / 2);
}

static void known_consistency_proofs_verify(void **state)
{
    size_t at;
    json_t *vector;

    (void)state;
    json_array_foreach(json_object_get(vectors, "consistency"), at, vector)
    {
        size_t first = number_of(vector, "first");
        size_t second = number_of(vector, "second");
        struct proof proof;
        hash first_root;
        hash second_root;

        proof_read(&proof, vector);
        kat_root(first_root, first);
        kat_root(second_root, second);
        assert_true(
            merkle_verify_consistency(first, second, proof.hashes, proof.count, first_root, second_root));
    }
    assert_int_equal(at, KAT_LEAVES * (KAT_LEAVES + 1) / 2);
}

/* What is wrong with a good proof in each of these ways must not verify. */
static void assert_only_this_inclusion(size_t index, size_t size, struct proof *proof, hash root)
{
    for (size_t at = 0; at < proof->count; at++) {
        proof->hashes[at][at % MERKLE_HASH_SIZE] ^= 1;
        assert_false(merkle_verify_inclusion(leaves[index], index, size, proof->hashes, proof->count, root));
        proof->hashes[at][at % MERKLE_HASH_SIZE] ^= 1;
    }
    for (size_t other = 0; other <= size; other++) {
        if (other != index)
            assert_false(
                merkle_verify_inclusion(leaves[index], other, size, proof->hashes, proof->count, root));
    }
    if (proof->count > 0)
        assert_false(
            merkle_verify_inclusion(leaves[index], index, size, proof->hashes, proof->count - 1, root));
    memcpy(proof->hashes[proof->count], root, sizeof(hash));
    assert_false(merkle_verify_inclusion(leaves[index], index, size, proof->hashes, proof->count + 1, root));
}

static void inclusion_proofs_of_all_trees_verify_and_no_others(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LEAVES; size++) {
        hash root;

        reference_root(root, leaves, size);
        for (size_t index = 0; index < size; index++) {
            struct proof proof = {.count = 0};

            reference_inclusion(&proof, index, leaves, size);
            assert_true(merkle_verify_inclusion(leaves[index], index, size, proof.hashes, proof.count, root));
            assert_only_this_inclusion(index, size, &proof, root);
        }
    }
}

static void assert_only_this_consistency(size_t first, size_t second, struct proof *proof, hash first_root,
                                         hash second_root)
{
    for (size_t at = 0; at < proof->count; at++) {
        proof->hashes[at][at % MERKLE_HASH_SIZE] ^= 1;
        assert_false(
            merkle_verify_consistency(first, second, proof->hashes, proof->count, first_root, second_root));
        proof->hashes[at][at % MERKLE_HASH_SIZE] ^= 1;
    }
    if (first != second) {
        assert_false(
            merkle_verify_consistency(first, second, proof->hashes, proof->count, second_root, second_root));
        assert_false(
            merkle_verify_consistency(first, second, proof->hashes, proof->count, first_root, first_root));
        assert_false(
            merkle_verify_consistency(second, first, proof->hashes, proof->count, second_root, first_root));
        assert_false(merkle_verify_consistency(first, second, proof->hashes, proof->count - 1, first_root,
                                               second_root));
    }
    memcpy(proof->hashes[proof->count], second_root, sizeof(hash));
    assert_false(
        merkle_verify_consistency(first, second, proof->hashes, proof->count + 1, first_root, second_root));
}

static void consistency_proofs_of_all_trees_verify_and_no_others(void **state)
{
    (void)state;
    for (size_t second = 1; second <= LEAVES; second++) {
        hash second_root;

        reference_root(second_root, leaves, second);
        for (size_t first = 1; first <= second; first++) {
            struct proof proof = {.count = 0};
            hash first_root;

            reference_root(first_root, leaves, first);
            reference_consistency(&proof, first, leaves, second, true);
            assert_true(
                merkle_verify_consistency(first, second, proof.hashes, proof.count, first_root, second_root));
            assert_only_this_consistency(first, second, &proof, first_root, second_root);
        }
    }
}

static void a_consistency_proof_is_for_its_sizes_only(void **state)
{
    struct proof proof = {.count = 0};
    hash first_root;
    hash second_root;

    (void)state;
    reference_root(first_root, leaves, 3);
    reference_root(second_root, leaves, 7);
    reference_consistency(&proof, 3, leaves, 7, true);
    assert_true(merkle_verify_consistency(3, 7, proof.hashes, proof.count, first_root, second_root));
    for (uint64_t second = 9; second < 40; second++)
        assert_false(
            merkle_verify_consistency(3, second, proof.hashes, proof.count, first_root, second_root));
    assert_false(merkle_verify_consistency(4, 7, proof.hashes, proof.count, first_root, second_root));
    assert_false(merkle_verify_consistency(2, 7, proof.hashes, proof.count, first_root, second_root));
}

static void proofs_of_empty_trees_and_over_long_ones_are_refused(void **state)
{
    struct proof proof = {.count = 0};
    hash root = {0};

    (void)state;
    assert_false(merkle_verify_inclusion(leaves[0], 0, 0, proof.hashes, 0, leaves[0]));
    assert_false(merkle_verify_consistency(0, 0, proof.hashes, 0, root, root));
    assert_false(merkle_verify_consistency(0, 5, proof.hashes, 0, root, root));
    assert_false(merkle_verify_inclusion(leaves[0], 0, UINT64_MAX, proof.hashes, MERKLE_PROOF_MAX + 1, root));
    assert_false(merkle_verify_consistency(1, UINT64_MAX, proof.hashes, MERKLE_PROOF_MAX + 1, root, root));
}

static void the_edge_knows_every_root(void **state)
{
    struct merkle_edge edge = {0};

    (void)state;
    for (size_t size = 1; size <= LEAVES; size++) {
        hash root;
        hash expected;

        merkle_append(&edge, leaves[size - 1]);
        merkle_root(root, &edge);
        reference_root(expected, leaves, size);
        assert_memory_equal(root, expected, sizeof(hash));
        assert_int_equal(edge.size, size);
        assert_int_equal(edge.peak_count, __builtin_popcountll(size));
    }
}

static void subtrees_join_as_their_leaves_would(void **state)
{
    struct merkle_edge edge = {0};
    struct merkle_edge one_by_one = {0};
    hash subtree;
    hash root;
    hash expected;
    size_t at = 0;
    static const unsigned heights[] = {4, 4, 4, 3, 2, 1, 0};

    (void)state;
    for (size_t step = 0; step < sizeof(heights) / sizeof(heights[0]); step++) {
        size_t count = (size_t)1 << heights[step];

        merkle_tile_root(subtree, leaves + at, count);
        reference_root(expected, leaves + at, count);
        assert_memory_equal(subtree, expected, sizeof(hash));
        merkle_append_subtree(&edge, subtree, heights[step]);
        at += count;
        merkle_root(root, &edge);
        reference_root(expected, leaves, at);
        assert_memory_equal(root, expected, sizeof(hash));
    }
    for (size_t leaf = 0; leaf < at; leaf++)
        merkle_append(&one_by_one, leaves[leaf]);
    assert_int_equal(edge.size, one_by_one.size);
    assert_int_equal(edge.peak_count, one_by_one.peak_count);
    assert_memory_equal(edge.peaks, one_by_one.peaks, edge.peak_count * sizeof(hash));
}

static void a_full_tile_has_the_root_of_its_tree(void **state)
{
    static hash tile[256];
    hash root;
    hash expected;

    (void)state;
    for (size_t at = 0; at < 256; at++)
        memcpy(tile[at], leaves[at % LEAVES], sizeof(hash));
    merkle_tile_root(root, tile, 256);
    reference_root(expected, tile, 256);
    assert_memory_equal(root, expected, sizeof(hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_the_known_ones),
        cmocka_unit_test(known_inclusion_proofs_verify),
        cmocka_unit_test(known_consistency_proofs_verify),
        cmocka_unit_test(inclusion_proofs_of_all_trees_verify_and_no_others),
        cmocka_unit_test(consistency_proofs_of_all_trees_verify_and_no_others),
        cmocka_unit_test(a_consistency_proof_is_for_its_sizes_only),
        cmocka_unit_test(proofs_of_empty_trees_and_over_long_ones_are_refused),
        cmocka_unit_test(the_edge_knows_every_root),
        cmocka_unit_test(subtrees_join_as_their_leaves_would),
        cmocka_unit_test(a_full_tile_has_the_root_of_its_tree),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
