/* pam/helper/keys.c: the keys of login slots, on their way between two processes of sshd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "helper/keys.h"

#define ID "00112233445566778899aabbccddeeff"
#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE ID "." KEY

static bool read_text(const char *text, struct keys *ret_keys)
{
    CLEANUP(secret_reset) struct secret entry = {0};

    assert_true(secret_append_text(&entry, text));
    return keys_read(&entry, ret_keys);
}

static void keys_are_read_as_they_were_written(void **state)
{
    CLEANUP(keys_reset) struct keys keys = {.count = 0};
    CLEANUP(secret_reset) struct secret entry = {0};

    (void)state;
    assert_true(read_text("KEYS=" ONE "," ONE, &keys));
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.keys[1].slot, ID);
    assert_int_equal(keys.headers[1].kind, SLOT_LOGIN);
    assert_int_equal(keys.headers[0].id[1], 0x11);
    assert_int_equal(keys.keys[0].bytes.size, SLOT_KEY_SIZE);
    assert_int_equal(keys.keys[0].bytes.bytes[31], 0xef);
    assert_true(keys_write(&keys, &entry));
    assert_string_equal((const char *)entry.bytes, "KEYS=" ONE "," ONE);
    assert_int_equal(entry.size, strlen("KEYS=" ONE "," ONE) + 1);
}

static void what_is_no_list_of_keys_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "KEYS=",
        "KEYS=" ID,
        "KEYS=" ID "."
        "0123",
        "keys=" ONE,
        "KEYS=" ONE ",",
        "KEYS=" ONE "." ONE,
        "KEYS=" ONE "," ONE "," ONE,
        "KEYS=" ID ":" KEY,
        "KEYS=0011223344556677889_aabbccddeeff." KEY,
    };
    CLEANUP(keys_reset) struct keys keys = {.count = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(read_text(wrong[i], &keys));
    assert_int_equal(keys.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_as_they_were_written),
        cmocka_unit_test(what_is_no_list_of_keys_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
