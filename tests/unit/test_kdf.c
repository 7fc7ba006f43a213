/* vault/crypto/kdf.c, against known answers of OpenSSL's Argon2id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/kdf.h"
#include "crypto/seal.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int start(void **state)
{
    struct failure failure;

    (void)state;
    return seal_start(&failure) == STATUS_OK ? 0 : -1;
}

static struct slot_kdf kdf_of(uint32_t memory_kib, uint32_t passes)
{
    struct slot_kdf kdf = {.memory_kib = memory_kib, .passes = passes, .lanes = KDF_LANES};

    for (size_t at = 0; at < SLOT_SALT_SIZE; at++)
        kdf.salt[at] = (uint8_t)(0x30 + at);
    return kdf;
}

static void derivations_have_their_known_answers(void **state)
{
    static const struct {
        uint32_t memory_kib;
        uint32_t passes;
        const char *key;
    } cases[] = {
        {65536, 3, "093a3722a7e8ba778e782d0d09f79f755261aa16466081017f19edd448872fd8"},
        {70000, 4, "8d8cc5c9eefdfdb62cc43348a1d4e70af0974be6b1fef71720ab937f7946e977"},
    };
    CLEANUP(secret_reset) struct secret passphrase = {0};
    struct failure failure;
    char hex[2 * SLOT_KEY_SIZE + 1];

    (void)state;
    assert_true(secret_append_text(&passphrase, "correct horse battery staple"));
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct slot_kdf kdf = kdf_of(cases[at].memory_kib, cases[at].passes);
        uint8_t key[SLOT_KEY_SIZE] = {0};
        bool locked;

        assert_int_equal(kdf_derive(&passphrase, &kdf, &failure, key, at == 0 ? &locked : NULL), STATUS_OK);
        text_to_hex(hex, key, sizeof(key));
        assert_string_equal(hex, cases[at].key);
    }
    assert_string_equal(secret_text(&passphrase), "correct horse battery staple");
}

static void parameters_outside_floor_and_ceiling_are_refused_before_any_work(void **state)
{
    static const struct slot_kdf cases[] = {
        {.memory_kib = KDF_MEMORY_FLOOR_KIB - 1,   .passes = 3,  .lanes = 4},
        {.memory_kib = KDF_MEMORY_CEILING_KIB + 1, .passes = 3,  .lanes = 4},
        {.memory_kib = UINT32_MAX,                 .passes = 3,  .lanes = 4},
        {.memory_kib = KDF_MEMORY_FLOOR_KIB,       .passes = 2,  .lanes = 4},
        {.memory_kib = KDF_MEMORY_FLOOR_KIB,       .passes = 65, .lanes = 4},
        {.memory_kib = KDF_MEMORY_FLOOR_KIB,       .passes = 3,  .lanes = 0},
        {.memory_kib = KDF_MEMORY_FLOOR_KIB,       .passes = 3,  .lanes = 5},
        {.memory_kib = 0,                          .passes = 0,  .lanes = 0},
    };
    CLEANUP(secret_reset) struct secret passphrase = {0};
    struct failure failure;
    uint8_t key[SLOT_KEY_SIZE] = {0};
    uint64_t started = clock_monotonic_ms();

    (void)state;
    assert_true(secret_append_text(&passphrase, "x"));
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        assert_int_equal(kdf_check(&cases[at], &failure), STATUS_CORRUPT);
        assert_int_equal(kdf_derive(&passphrase, &cases[at], &failure, key, NULL), STATUS_CORRUPT);
    }
    assert_true(clock_monotonic_ms() - started < 1000);
    assert_int_equal(key[0], 0);
}

static void the_bounds_themselves_are_fine(void **state)
{
    struct slot_kdf least = kdf_of(KDF_MEMORY_FLOOR_KIB, KDF_PASSES_FLOOR);
    struct slot_kdf most = kdf_of(KDF_MEMORY_CEILING_KIB, KDF_PASSES_CEILING);
    struct failure failure;

    (void)state;
    assert_int_equal(kdf_check(&least, &failure), STATUS_OK);
    assert_int_equal(kdf_check(&most, &failure), STATUS_OK);
}

static void an_empty_passphrase_is_invalid(void **state)
{
    struct secret passphrase = {0};
    struct slot_kdf kdf = kdf_of(KDF_MEMORY_FLOOR_KIB, KDF_PASSES_FLOOR);
    struct failure failure;
    uint8_t key[SLOT_KEY_SIZE];

    (void)state;
    assert_int_equal(kdf_derive(&passphrase, &kdf, &failure, key, NULL), STATUS_INVALID);
    assert_string_equal(failure.sentence, "the passphrase is empty");
}

static void memory_that_is_not_there_is_said(void **state)
{
    CLEANUP(secret_reset) struct secret passphrase = {0};
    struct slot_kdf kdf = kdf_of(KDF_MEMORY_FLOOR_KIB, KDF_PASSES_FLOOR);
    struct failure failure;
    struct rlimit before;
    struct rlimit tight;
    uint8_t key[SLOT_KEY_SIZE] = {0};
    enum status status;

    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* its shadow memory is larger than any limit that would help */
#endif
    assert_true(secret_append_text(&passphrase, "x"));
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    tight.rlim_cur = 60u * 1024 * 1024;
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    status = kdf_derive(&passphrase, &kdf, &failure, key, NULL);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(status, STATUS_NO_MEMORY);
    assert_string_equal(failure.sentence, "there is no memory for Argon2id, which needs 64 MiB");
}

/* In a child of a user of whom no other process runs, where root can make one: what comes of so many
 * processes. */
static int derives_with_processes(unsigned most)
{
    const struct rlimit limit = {most, most};
    struct slot_kdf kdf = kdf_of(KDF_MEMORY_FLOOR_KIB, KDF_PASSES_FLOOR);
    struct secret passphrase = {0};
    struct failure failure;
    uint8_t key[SLOT_KEY_SIZE] = {0};
    char hex[2 * SLOT_KEY_SIZE + 1];

    if (geteuid() == 0 && setuid(54321) != 0)
        return 1;
    if (setrlimit(RLIMIT_NPROC, &limit) != 0 ||
        !secret_append_text(&passphrase, "correct horse battery staple"))
        return 2;
    if (kdf_derive(&passphrase, &kdf, &failure, key, NULL) != STATUS_OK)
        return 3;
    text_to_hex(hex, key, sizeof(key));
    return strcmp(hex, "093a3722a7e8ba778e782d0d09f79f755261aa16466081017f19edd448872fd8") == 0 ? 0 : 4;
}

static void a_limit_on_processes_costs_time_only(void **state)
{
    (void)state;
    for (unsigned most = 1; most <= 5; most += 2) {
        int status = -1;
        pid_t child = fork();

        if (child == 0)
            _exit(derives_with_processes(most));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void calibration_without_a_target_is_the_floor(void **state)
{
    struct slot_kdf first;
    struct slot_kdf second;
    struct failure failure;
    uint64_t started = clock_monotonic_ms();

    (void)state;
    assert_int_equal(kdf_calibrate(0, &failure, &first), STATUS_OK);
    assert_int_equal(kdf_calibrate(0, &failure, &second), STATUS_OK);
    assert_true(clock_monotonic_ms() - started < 100);
    assert_int_equal(first.memory_kib, KDF_MEMORY_FLOOR_KIB);
    assert_int_equal(first.passes, KDF_PASSES_FLOOR);
    assert_int_equal(first.lanes, KDF_LANES);
    assert_memory_not_equal(first.salt, second.salt, SLOT_SALT_SIZE);
}

static void calibration_gives_parameters_that_pass_the_check(void **state)
{
    static const unsigned targets[] = {1, 600};
    struct failure failure;

    (void)state;
    for (size_t at = 0; at < sizeof(targets) / sizeof(targets[0]); at++) {
        struct slot_kdf kdf;

        assert_int_equal(kdf_calibrate(targets[at], &failure, &kdf), STATUS_OK);
        assert_int_equal(kdf_check(&kdf, &failure), STATUS_OK);
        assert_true(kdf.memory_kib <= 1024u * 1024u);
        if (targets[at] == 1)
            assert_int_equal(kdf.memory_kib, KDF_MEMORY_FLOOR_KIB);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivations_have_their_known_answers),
        cmocka_unit_test(parameters_outside_floor_and_ceiling_are_refused_before_any_work),
        cmocka_unit_test(the_bounds_themselves_are_fine),
        cmocka_unit_test(an_empty_passphrase_is_invalid),
        cmocka_unit_test(memory_that_is_not_there_is_said),
        cmocka_unit_test(a_limit_on_processes_costs_time_only),
        cmocka_unit_test(calibration_without_a_target_is_the_floor),
        cmocka_unit_test(calibration_gives_parameters_that_pass_the_check),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
