/* vault/base/secret.c: the heap of secret memory (P5) and the growable secrets in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/secret.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONED 1
#endif
#endif

static bool all_zero(const void *memory, size_t size)
{
    const uint8_t *bytes = memory;

    for (size_t at = 0; at < size; at++) {
        if (bytes[at] != 0)
            return false;
    }
    return true;
}

/* Runs `body` in a child: its exit status, or minus the signal that ended it. */
static int child_result(int (*body)(void *), void *context)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        const struct rlimit none = {0, 0};

        setrlimit(RLIMIT_CORE, &none);
        _exit(body(context));
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void memory_is_zeroed_and_aligned_for_every_size(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300000; size = size * 3 / 2 + 1) {
        uint8_t *memory = secret_allocate(size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_true(all_zero(memory, size));
        memset(memory, 0xa5, size);
        secret_free(memory);
        memory = secret_allocate(size);
        assert_true(all_zero(memory, size));
        secret_free(memory);
    }
    secret_free(NULL);
}

static void blocks_do_not_overlap(void **state)
{
    enum { COUNT = 4000 };
    static uint8_t *blocks[COUNT];
    static size_t sizes[COUNT];
    unsigned random = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned at;

        random = random * 1103515245u + 12345u;
        at = random / 65536 % COUNT;
        if (blocks[at] != NULL) {
            for (size_t byte = 0; byte < sizes[at]; byte++)
                assert_int_equal(blocks[at][byte], at & 0xff);
            secret_free(blocks[at]);
        }
        sizes[at] = random / 16 % (round % 50 == 0 ? 9000 : 400);
        blocks[at] = secret_allocate(sizes[at]);
        assert_non_null(blocks[at]);
        assert_true(all_zero(blocks[at], sizes[at]));
        memset(blocks[at], (int)(at & 0xff), sizes[at]);
    }
    for (unsigned at = 0; at < COUNT; at++)
        secret_free(blocks[at]);
}

static void what_is_freed_is_used_again_without_mapping_more(void **state)
{
    static const size_t sizes[] = {0, 16, 17, 48, 100, 1000, 5000, 40000, 100000};
    const size_t count = sizeof(sizes) / sizeof(sizes[0]);
    void *live[100];
    size_t mapped = 0;

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        for (size_t size = 0; size < count; size++) {
            size_t blocks = sizes[size] > 4000 ? 5 : 100;

            for (size_t at = 0; at < blocks; at++) {
                live[at] = secret_allocate(sizes[size]);
                assert_non_null(live[at]);
            }
            for (size_t at = 0; at < blocks; at++)
                secret_free(live[at]);
        }
        if (round == 0)
            mapped = secret_heap_mapped();
    }
    assert_true(mapped >= 65536);
    assert_int_equal(secret_heap_mapped(), mapped);
}

/* First of all tests: nothing has been freed yet, so this is what fresh blocks do. */
static void the_first_block_of_its_size_comes_back(void **state)
{
    void *memory = secret_allocate(20000);

    (void)state;
    assert_int_equal(secret_heap_mapped(), 65536);
    secret_free(memory);
    assert_ptr_equal(secret_allocate(20000), memory);
    secret_free(memory);
}

static void a_large_block_has_a_mapping_that_goes_with_it(void **state)
{
    size_t mapped = secret_heap_mapped();
    size_t unlocked = secret_heap_unlocked();
    uint8_t *memory = secret_allocate(3000000);

    (void)state;
    assert_non_null(memory);
    assert_true(secret_heap_mapped() >= mapped + 3000000);
    memory[2999999] = 1;
    secret_free(memory);
    assert_int_equal(secret_heap_mapped(), mapped);
    assert_int_equal(secret_heap_unlocked(), unlocked);
}

static void more_than_the_maximum_is_refused(void **state)
{
    struct secret secret = {0};

    (void)state;
    assert_null(secret_allocate((size_t)64 * 1024 * 1024 + 1));
    assert_null(secret_allocate(SIZE_MAX));
    assert_true(secret_append_text(&secret, "kept"));
    assert_false(secret_reserve(&secret, SIZE_MAX));
    assert_false(secret_reserve(&secret, SIZE_MAX - 4));
    assert_false(secret_reserve(&secret, (size_t)64 * 1024 * 1024));
    assert_string_equal(secret_text(&secret), "kept");
    secret_reset(&secret);
}

/* Whether the mapping of `memory` has the flag (`lo` locked, `dd` not in core files, `wf` wiped on fork). */
static bool mapping_has_flag(const void *memory, const char *flag)
{
    CLEANUP(cleanup_fclose) FILE *maps = fopen("/proc/self/smaps", "re");
    unsigned long long from;
    unsigned long long to;
    bool here = false;
    char line[512];
    char spaced[8];

    assert_non_null(maps);
    snprintf(spaced, sizeof(spaced), " %s", flag);
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
            here = (uintptr_t)memory >= from && (uintptr_t)memory < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            return strstr(line, spaced) != NULL;
    }
    return false;
}

static void the_heap_is_locked_and_kept_out_of_core_files(void **state)
{
    void *small = secret_allocate(10);
    void *large = secret_allocate(500000);

    (void)state;
    assert_true(mapping_has_flag(small, "dd"));
    assert_true(mapping_has_flag(large, "dd"));
    assert_true(mapping_has_flag(small, "wf"));
#ifndef POISONED /* AddressSanitizer makes mlock do nothing and succeed */
    if (secret_heap_unlocked() == 0) {
        assert_true(mapping_has_flag(small, "lo"));
        assert_true(mapping_has_flag(large, "lo"));
    }
#endif
    secret_free(small);
    secret_free(large);
}

static int child_finds_zeros_and_a_new_heap(void *context)
{
    uint8_t *inherited = context;
    uint8_t *own;

    if (!all_zero(inherited, 100))
        return 1;
    own = secret_allocate(100);
    if (own == NULL || own == inherited || !all_zero(own, 100))
        return 2;
    memset(own, 1, 100);
    secret_free(inherited);
    secret_free(own);
    if (secret_heap_mapped() != 65536)
        return 3;
    own = secret_allocate(100);
    return own != NULL && all_zero(own, 100) ? 0 : 4;
}

static void a_forked_child_sees_no_secret_and_can_have_its_own(void **state)
{
    uint8_t *memory = secret_allocate(100);

    (void)state;
    memset(memory, 0x5a, 100);
    assert_int_equal(child_result(child_finds_zeros_and_a_new_heap, memory), 0);
    assert_int_equal(memory[99], 0x5a);
    secret_free(memory);
}

struct kept {
    uint8_t *small;
    uint8_t *large;
};

static int child_finds_what_is_kept(void *context)
{
    const struct kept *kept = context;

    secret_kept(kept->small);
    secret_kept(kept->large);
    for (size_t at = 0; at < 300000; at++) {
        if (kept->large[at] != 0x5a || kept->small[at % 100] != 0x5b)
            return 1;
    }
    secret_free(kept->small);
    secret_free(kept->large);
    return secret_allocate(40) != NULL ? 0 : 2;
}

static void memory_that_is_kept_is_there_in_a_child(void **state)
{
    struct kept kept = {secret_allocate(100), secret_allocate(300000)};

    (void)state;
    memset(kept.small, 0x5b, 100);
    memset(kept.large, 0x5a, 300000);
    assert_true(secret_keep_in_child(kept.small) && secret_keep_in_child(kept.large));
    assert_int_equal(child_result(child_finds_what_is_kept, &kept), 0);
    secret_free(kept.small);
    secret_free(kept.large);
}

static int frees_twice(void *context)
{
    void *memory = secret_allocate(48);

    (void)context;
    secret_free(memory);
    secret_free(memory);
    return 0;
}

static void freeing_twice_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(child_result(frees_twice, NULL), -SIGABRT);
}

#ifndef POISONED
static int goes_on_without_locked_memory(void *context)
{
    const struct rlimit none = {0, 0};
    void *memory;

    (void)context;
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
        return 1;
    /* Root is not bound by the limit. */
    if (geteuid() == 0 && setuid(65534) != 0)
        return 2;
    memory = secret_allocate(100);
    if (memory == NULL || secret_heap_unlocked() != 65536)
        return 3;
    secret_free(memory);
    memory = secret_allocate(1000000);
    if (memory == NULL || secret_heap_unlocked() < 1065536)
        return 4;
    secret_free(memory);
    return secret_heap_unlocked() == 65536 ? 0 : 5;
}

static void where_memory_cannot_be_locked_the_heap_says_how_much(void **state)
{
    (void)state;
    assert_int_equal(child_result(goes_on_without_locked_memory, NULL), 0);
}
#endif

static void the_place_left_behind_is_wiped(void **state)
{
    CLEANUP(secret_reset) struct secret secret = {0};
    uint8_t *before;

    (void)state;
    assert_true(secret_append_text(&secret, "first place"));
    before = secret.bytes;
    assert_true(secret_reserve(&secret, 5000));
    assert_ptr_not_equal(secret.bytes, before);
    assert_string_equal(secret_text(&secret), "first place");
#ifndef POISONED
    assert_true(all_zero(before, 11));
#endif
}

static void a_secret_grows_and_is_always_terminated(void **state)
{
    CLEANUP(secret_reset) struct secret secret = {0};

    (void)state;
    assert_string_equal(secret_text(&secret), "");
    assert_true(secret_append(&secret, NULL, 0));
    assert_string_equal(secret_text(&secret), "");
    for (unsigned at = 0; at < 70000; at++) {
        assert_true(secret_append_byte(&secret, (uint8_t)('a' + at % 26)));
        assert_int_equal(secret.bytes[secret.size], '\0');
    }
    assert_int_equal(secret.size, 70000);
    assert_int_equal(secret.bytes[69999], 'a' + 69999 % 26);
    assert_true(secret_append_format(&secret, "-%d-%s", 42, "x"));
    assert_string_equal(secret_text(&secret) + 70000, "-42-x");
}

static void clearing_wipes_and_keeps_the_place(void **state)
{
    CLEANUP(secret_reset) struct secret secret = {0};
    uint8_t *bytes;

    (void)state;
    secret_clear(&secret);
    assert_true(secret_append_text(&secret, "hunter2"));
    bytes = secret.bytes;
    secret_clear(&secret);
    assert_int_equal(secret.size, 0);
    assert_ptr_equal(secret.bytes, bytes);
    assert_true(all_zero(bytes, 7));
    assert_string_equal(secret_text(&secret), "");
}

static void resetting_twice_does_no_harm(void **state)
{
    struct secret secret = {0};

    (void)state;
    assert_true(secret_append_text(&secret, "x"));
    secret_reset(&secret);
    assert_null(secret.bytes);
    assert_int_equal(secret.capacity, 0);
    secret_reset(&secret);
}

static void equality_looks_at_every_byte(void **state)
{
    (void)state;
    assert_true(secret_equal("abc", "abc", 3));
    assert_false(secret_equal("abc", "abd", 3));
    assert_false(secret_equal("xbc", "abc", 3));
    assert_true(secret_equal("abX", "abY", 2));
    assert_true(secret_equal("", "", 0));
}

static int is_protected(void *context)
{
    struct rlimit limit;

    (void)context;
    if (!secret_protect_process(true) || getrlimit(RLIMIT_CORE, &limit) != 0)
        return 1;
    if (limit.rlim_cur != 0 || limit.rlim_max != 0)
        return 2;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 3;
}

static int stays_dumpable(void *context)
{
    (void)context;
    if (!secret_protect_process(false))
        return 1;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? 0 : 2;
}

static void a_protected_process_leaves_no_core_file(void **state)
{
    (void)state;
    assert_int_equal(child_result(is_protected, NULL), 0);
    assert_int_equal(child_result(stays_dumpable, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_block_of_its_size_comes_back),
        cmocka_unit_test(memory_is_zeroed_and_aligned_for_every_size),
        cmocka_unit_test(blocks_do_not_overlap),
        cmocka_unit_test(what_is_freed_is_used_again_without_mapping_more),
        cmocka_unit_test(a_large_block_has_a_mapping_that_goes_with_it),
        cmocka_unit_test(more_than_the_maximum_is_refused),
        cmocka_unit_test(the_heap_is_locked_and_kept_out_of_core_files),
        cmocka_unit_test(a_forked_child_sees_no_secret_and_can_have_its_own),
        cmocka_unit_test(memory_that_is_kept_is_there_in_a_child),
        cmocka_unit_test(freeing_twice_ends_the_process),
#ifndef POISONED
        cmocka_unit_test(where_memory_cannot_be_locked_the_heap_says_how_much),
#endif
        cmocka_unit_test(the_place_left_behind_is_wiped),
        cmocka_unit_test(a_secret_grows_and_is_always_terminated),
        cmocka_unit_test(clearing_wipes_and_keeps_the_place),
        cmocka_unit_test(resetting_twice_does_no_harm),
        cmocka_unit_test(equality_looks_at_every_byte),
        cmocka_unit_test(a_protected_process_leaves_no_core_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
