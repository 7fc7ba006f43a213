/* vault/crypto/note.c, against the vectors of tests/vectors/tlog_kat.json (made with Go's x/mod/sumdb/note
 * rules) and against every way a note can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/note.h"
#include "crypto/seal.h"

#include <jansson.h>

static json_t *vectors;
static struct note_key key;
static const char *origin = "stepvault.example/v1/0123456789abcdef";
static const char *verifier;
static const char *own_line;
static const char *witness_line;
static uint8_t root[MERKLE_HASH_SIZE];
static char note[NOTE_MAX];

/* What has room for both is the caller's to see to: these are test texts of known length. */
static void text_copy(char *destination, const char *text)
{
    memcpy(destination, text, strlen(text) + 1);
}

static const char *vector_text(const char *object, const char *name)
{
    json_t *notes = json_object_get(vectors, "notes");

    return json_string_value(json_object_get(json_object_get(notes, object), name));
}

static int start(void **state)
{
    struct failure failure;
    json_error_t error;
    uint8_t seed[NOTE_SEED_SIZE];

    (void)state;
    vectors = json_load_file("tests/vectors/tlog_kat.json", 0, &error);
    if (vectors == NULL || seal_start(&failure) != STATUS_OK)
        return -1;
    verifier = vector_text("own_checkpoint", "vkey");
    own_line = vector_text("own_checkpoint", "signature_line");
    witness_line = vector_text("own_cosignature", "signature_line");
    if (!text_from_hex(seed, sizeof(seed), vector_text("own_checkpoint", "seed_hex")) ||
        !text_from_hex(root, sizeof(root),
                       "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"))
        return -1;
    if (note_key_from_seed(&key, seed, origin, &failure) != STATUS_OK)
        return -1;
    note_sign_checkpoint(note, &key, 8, root);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    json_decref(vectors);
    return 0;
}

static void a_signed_checkpoint_is_the_known_one_byte_for_byte(void **state)
{
    char expected[NOTE_MAX];
    char text[NOTE_VERIFIER_MAX];

    (void)state;
    snprintf(expected, sizeof(expected), "%s\n%s", vector_text("own_checkpoint", "text"), own_line);
    assert_string_equal(note, expected);
    note_verifier(text, &key);
    assert_string_equal(text, verifier);
}

static void a_verified_checkpoint_says_origin_size_and_root(void **state)
{
    struct note_checkpoint checkpoint;
    struct failure failure;

    (void)state;
    assert_int_equal(note_verify_checkpoint(note, verifier, &failure, &checkpoint), STATUS_OK);
    assert_string_equal(checkpoint.origin, origin);
    assert_int_equal(checkpoint.size, 8);
    assert_memory_equal(checkpoint.root, root, sizeof(root));
}

static enum status judge(const char *text)
{
    struct note_checkpoint checkpoint = {.size = 77};
    struct failure failure = {.sentence = ""};
    enum status status = note_verify_checkpoint(text, verifier, &failure, &checkpoint);

    if (status != STATUS_OK) {
        assert_true(failure.sentence[0] != '\0');
        assert_int_equal(checkpoint.size, 77);
    }
    return status;
}

static void lines_of_unknown_keys_are_ignored_wherever_they_stand(void **state)
{
    char text[8192];
    const char *body = vector_text("own_checkpoint", "text");

    (void)state;
    snprintf(text, sizeof(text), "%s\n%s%s", body, own_line, witness_line);
    assert_int_equal(judge(text), STATUS_OK);
    snprintf(text, sizeof(text), "%s\n%s%s", body, witness_line, own_line);
    assert_int_equal(judge(text), STATUS_OK);
    /* The same name with another key id is another key. */
    snprintf(text, sizeof(text), "%s\n%s\xe2\x80\x94 %s AAAAAAAA\n", body, own_line, origin);
    assert_int_equal(judge(text), STATUS_OK);
    snprintf(text, sizeof(text), "%s\n%s", body, witness_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s\n%s", body, own_line);
    for (unsigned count = 0; count < 20; count++)
        text_copy(text + strlen(text), witness_line);
    assert_int_equal(judge(text), STATUS_OK);
}

static void a_false_signature_of_a_known_key_refuses_the_whole_note(void **state)
{
    char text[4096];
    char false_line[512];

    (void)state;
    text_copy(false_line, own_line);
    false_line[strlen(false_line) - 10] ^= 1;
    snprintf(text, sizeof(text), "%s\n%s%s", vector_text("own_checkpoint", "text"), own_line, false_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s\n%s%s", vector_text("own_checkpoint", "text"), false_line, own_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    /* Our key id, but not as long as a signature is. */
    snprintf(text, sizeof(text), "%s\n%s\xe2\x80\x94 %s aJyZo2HY\n", vector_text("own_checkpoint", "text"),
             own_line, origin);
    assert_int_equal(judge(text), STATUS_CORRUPT);
}

static void no_byte_of_a_checkpoint_can_be_changed(void **state)
{
    char text[NOTE_MAX];

    (void)state;
    for (size_t at = 0; at < strlen(note); at++) {
        text_copy(text, note);
        text[at] ^= 1;
        assert_int_equal(judge(text), STATUS_CORRUPT);
        text_copy(text, note);
        memmove(text + at, text + at + 1, strlen(text + at));
        assert_int_equal(judge(text), STATUS_CORRUPT);
        text_copy(text, note);
        text[at] = '\0';
        assert_int_equal(judge(text), STATUS_CORRUPT);
    }
    text_copy(text, note);
    text_copy(text + strlen(text), "\n");
    assert_int_equal(judge(text), STATUS_CORRUPT);
    text_copy(text, note);
    text_copy(text + strlen(text), "x");
    assert_int_equal(judge(text), STATUS_CORRUPT);
}

#define ROOT "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="

/* What our key says of a note that begins with `body`, and goes on with the lines of a good size and root. */
static enum status judge_signed(const char *body)
{
    struct note_key liar = key;
    char signed_note[NOTE_MAX];
    char text[2 * NOTE_MAX];
    size_t text_size = strlen(body) + strlen("\n8\n" ROOT "\n\n");

    assert_true(strlen(body) < sizeof(liar.origin));
    text_copy(liar.origin, body);
    note_sign_checkpoint(signed_note, &liar, 8, root);
    snprintf(text, sizeof(text), "%.*s\xe2\x80\x94 %s%s", (int)text_size, signed_note, origin,
             strrchr(signed_note, ' '));
    return judge(text);
}

static void what_our_key_signed_must_still_be_a_checkpoint_of_ours(void **state)
{
    (void)state;
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef"), STATUS_OK);
    assert_int_equal(judge_signed("other.example/log"), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcde"), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\n" ROOT), STATUS_OK);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n07\n" ROOT), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n-7\n" ROOT), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n\n" ROOT), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n18446744073709551616\n" ROOT),
                     STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\n" ROOT "A"), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\nAAAA"), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\n" ROOT "\n"), STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\n" ROOT "\nmore"), STATUS_OK);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\n" ROOT "\n\x01"),
                     STATUS_CORRUPT);
    assert_int_equal(judge_signed("stepvault.example/v1/0123456789abcdef\n7\n" ROOT "\n\xff"),
                     STATUS_CORRUPT);
}

static void a_malformed_verifier_key_verifies_nothing(void **state)
{
    char changed[NOTE_VERIFIER_MAX + 8];
    struct note_checkpoint checkpoint;
    struct failure failure;

    (void)state;
    for (size_t at = 0; at < strlen(verifier); at++) {
        text_copy(changed, verifier);
        changed[at] ^= 1;
        assert_int_equal(note_verify_checkpoint(note, changed, &failure, &checkpoint), STATUS_CORRUPT);
        text_copy(changed, verifier);
        changed[at] = '\0';
        assert_int_equal(note_verify_checkpoint(note, changed, &failure, &checkpoint), STATUS_CORRUPT);
    }
    snprintf(changed, sizeof(changed), "%sA", verifier);
    assert_int_equal(note_verify_checkpoint(note, changed, &failure, &checkpoint), STATUS_CORRUPT);
    assert_int_equal(
        note_verify_checkpoint(note, vector_text("own_cosignature", "vkey"), &failure, &checkpoint),
        STATUS_CORRUPT);
    assert_string_equal(failure.sentence, "the verifier key of the log is malformed");
}

static void a_thousand_wrong_keys_refuse_the_note_a_thousand_times(void **state)
{
    char wrong[NOTE_VERIFIER_MAX];
    struct note_checkpoint checkpoint;
    struct note_key other;
    struct failure failure;
    unsigned refusals = 0;

    (void)state;
    for (unsigned at = 0; at < 1000; at++) {
        uint8_t seed[NOTE_SEED_SIZE];

        seal_random(seed, sizeof(seed));
        assert_int_equal(note_key_from_seed(&other, seed, origin, &failure), STATUS_OK);
        note_verifier(wrong, &other);
        refusals += note_verify_checkpoint(note, wrong, &failure, &checkpoint) == STATUS_CORRUPT;
        /* The same key under the id of the right one. */
        memcpy(wrong + strlen(origin) + 1, verifier + strlen(origin) + 1, 8);
        refusals += note_verify_checkpoint(note, wrong, &failure, &checkpoint) == STATUS_CORRUPT;
    }
    assert_int_equal(refusals, 2000);
}

/* systemd#15425: a log without seals verified. */
static void a_note_without_a_signature_of_ours_never_passes(void **state)
{
    const char *body = vector_text("own_checkpoint", "text");
    char text[4096];

    (void)state;
    assert_int_equal(judge(body), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s\n", body);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s\n\n", body);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s%s", body, own_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s\n\xe2\x80\x94 %s \n", body, origin);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    snprintf(text, sizeof(text), "%s\n%s%s", body, witness_line, witness_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    /* Our signature under another name is another key's. */
    snprintf(text, sizeof(text), "%s\n\xe2\x80\x94 other.example/log%s", body, strrchr(own_line, ' '));
    assert_int_equal(judge(text), STATUS_CORRUPT);
    /* Signed, and then more text. */
    snprintf(text, sizeof(text), "%s\n%s\n%s\n%s", body, own_line, body, witness_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
    /* An extension line that the signature does not know. */
    snprintf(text, sizeof(text), "%smore\n\n%s", body, own_line);
    assert_int_equal(judge(text), STATUS_CORRUPT);
}

static void a_key_id_is_that_of_the_signed_note_specification(void **state)
{
    static const char example[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    struct note_checkpoint checkpoint;
    struct failure failure;

    (void)state;
    /* The key is well-formed, and this note is not signed by it. */
    assert_int_equal(note_verify_checkpoint(note, example, &failure, &checkpoint), STATUS_CORRUPT);
    assert_string_equal(failure.sentence, "the checkpoint is not signed by example.com/foo");
}

static void origins_follow_the_rule_for_key_names(void **state)
{
    static const char *const bad[] = {"",
                                      "a b",
                                      "a+b",
                                      "a\nb",
                                      "a\tb",
                                      "a\xc2\xa0"
                                      "b",
                                      "a\xe2\x80\x83"
                                      "b",
                                      "a\xe3\x80\x80"
                                      "b",
                                      "\xff"};
    struct note_key made;
    struct failure failure;
    const uint8_t seed[NOTE_SEED_SIZE] = {0};
    char name[NOTE_ORIGIN_MAX + 2];

    (void)state;
    for (size_t at = 0; at < sizeof(bad) / sizeof(bad[0]); at++)
        assert_int_equal(note_key_from_seed(&made, seed, bad[at], &failure), STATUS_INVALID);
    memset(name, 'n', sizeof(name));
    name[NOTE_ORIGIN_MAX + 1] = '\0';
    assert_int_equal(note_key_from_seed(&made, seed, name, &failure), STATUS_INVALID);
    name[NOTE_ORIGIN_MAX] = '\0';
    assert_int_equal(note_key_from_seed(&made, seed, name, &failure), STATUS_OK);
    assert_int_equal(note_key_from_seed(&made, seed,
                                        "b\xc3\xbc"
                                        "cher.example",
                                        &failure),
                     STATUS_OK);
}

static void the_longest_origin_and_size_fit_and_verify(void **state)
{
    struct note_key made;
    struct failure failure;
    struct note_checkpoint checkpoint;
    const uint8_t seed[NOTE_SEED_SIZE] = {9};
    char name[NOTE_ORIGIN_MAX + 1];
    char text[NOTE_MAX];
    char its_verifier[NOTE_VERIFIER_MAX];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[NOTE_ORIGIN_MAX] = '\0';
    assert_int_equal(note_key_from_seed(&made, seed, name, &failure), STATUS_OK);
    note_sign_checkpoint(text, &made, UINT64_MAX, root);
    note_verifier(its_verifier, &made);
    assert_int_equal(note_verify_checkpoint(text, its_verifier, &failure, &checkpoint), STATUS_OK);
    assert_true(checkpoint.size == UINT64_MAX);
    assert_string_equal(checkpoint.origin, name);
}

static void an_endless_note_is_refused(void **state)
{
    static char text[70000];
    size_t length;

    (void)state;
    text_copy(text, note);
    length = strlen(text);
    while (length + strlen(witness_line) < sizeof(text)) {
        text_copy(text + length, witness_line);
        length += strlen(witness_line);
    }
    assert_int_equal(judge(text), STATUS_CORRUPT);
    assert_int_equal(judge(""), STATUS_CORRUPT);
    assert_int_equal(judge("\n\n\n"), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signed_checkpoint_is_the_known_one_byte_for_byte),
        cmocka_unit_test(a_verified_checkpoint_says_origin_size_and_root),
        cmocka_unit_test(lines_of_unknown_keys_are_ignored_wherever_they_stand),
        cmocka_unit_test(a_false_signature_of_a_known_key_refuses_the_whole_note),
        cmocka_unit_test(no_byte_of_a_checkpoint_can_be_changed),
        cmocka_unit_test(what_our_key_signed_must_still_be_a_checkpoint_of_ours),
        cmocka_unit_test(a_malformed_verifier_key_verifies_nothing),
        cmocka_unit_test(a_thousand_wrong_keys_refuse_the_note_a_thousand_times),
        cmocka_unit_test(a_note_without_a_signature_of_ours_never_passes),
        cmocka_unit_test(a_key_id_is_that_of_the_signed_note_specification),
        cmocka_unit_test(origins_follow_the_rule_for_key_names),
        cmocka_unit_test(the_longest_origin_and_size_fit_and_verify),
        cmocka_unit_test(an_endless_note_is_refused),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
