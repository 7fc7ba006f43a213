/* cli/key.c: keys from files, passphrases and codes, and the slot headers of a reply. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "crypto/seal.h"
#include "key.h"

static char folder[] = "/tmp/stepvault-key-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void a_key_file_is_made_once_and_read_again(void **state)
{
    CLEANUP(key_reset) struct key made = {0};
    CLEANUP(key_reset) struct key again = {0};
    const char *path = path_of("made");
    struct failure failure;
    struct stat facts;

    (void)state;
    assert_int_equal(key_read_file(path, &failure, &again), STATUS_NOT_FOUND);
    assert_int_equal(again.bytes.size, 0);
    assert_int_equal(key_make_file(path, &failure, &made), STATUS_OK);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(facts.st_size, SLOT_KEY_SIZE);
    assert_int_equal(key_make_file(path, &failure, &again), STATUS_OK);
    assert_int_equal(again.bytes.size, SLOT_KEY_SIZE);
    assert_memory_equal(made.bytes.bytes, again.bytes.bytes, SLOT_KEY_SIZE);
    assert_string_equal(again.slot, "");
}

static void a_key_file_that_cannot_be_made_leaves_no_key(void **state)
{
    CLEANUP(key_reset) struct key key = {0};
    struct failure failure = {.sentence = ""};

    (void)state;
    assert_int_equal(key_make_file(path_of("absent/key"), &failure, &key), STATUS_FAILED);
    assert_non_null(strstr(failure.sentence, "cannot make the key file"));
    assert_int_equal(key.bytes.size, 0);
    assert_int_equal(symlink("elsewhere", path_of("link")), 0);
    assert_int_not_equal(key_make_file(path_of("link"), &failure, &key), STATUS_OK);
    assert_int_equal(access(path_of("elsewhere"), F_OK), -1);
}

static void a_new_passphrase_slot_is_derived_again_from_its_header(void **state)
{
    CLEANUP(key_slot_reset) struct key_slot slot = {0};
    CLEANUP(key_reset) struct key key = {0};
    CLEANUP(secret_reset) struct secret passphrase = {0};
    struct failure failure;

    (void)state;
    assert_true(secret_append_text(&passphrase, "correct horse"));
    assert_int_equal(key_new_passphrase(SLOT_PASSPHRASE, &passphrase, 0, &failure, &slot), STATUS_OK);
    assert_int_equal(slot.header.kind, SLOT_PASSPHRASE);
    assert_int_equal(key_from_passphrase(&passphrase, &slot.header, &failure, &key), STATUS_OK);
    assert_memory_equal(slot.key.bytes.bytes, key.bytes.bytes, SLOT_KEY_SIZE);
    assert_string_equal(slot.key.slot, key.slot);
    assert_true(secret_append_byte(&passphrase, 'x'));
    assert_int_equal(key_from_passphrase(&passphrase, &slot.header, &failure, &key), STATUS_OK);
    assert_memory_not_equal(slot.key.bytes.bytes, key.bytes.bytes, SLOT_KEY_SIZE);
}

static void a_new_recovery_slot_is_opened_by_its_code(void **state)
{
    CLEANUP(key_slot_reset) struct key_slot slot = {0};
    CLEANUP(key_reset) struct key key = {0};
    CLEANUP(secret_reset) struct secret code = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(key_new_recovery(&failure, &slot, &code), STATUS_OK);
    assert_int_equal(code.size, SLOT_CODE_SIZE - 1);
    assert_int_equal(key_from_code(&code, &slot.header, &failure, &key), STATUS_OK);
    assert_memory_equal(slot.key.bytes.bytes, key.bytes.bytes, SLOT_KEY_SIZE);
    code.bytes[0] = code.bytes[0] == '0' ? '1' : '0';
    assert_int_equal(key_from_code(&code, &slot.header, &failure, &key), STATUS_INVALID);
    assert_int_equal(key.bytes.size, 0);
}

static enum status read_headers(const char *text, struct failure *failure, struct key_headers *ret_headers)
{
    CLEANUP(json_freep) struct json *json = NULL;

    assert_int_equal(json_parse(text, strlen(text), "the test", failure, &json), STATUS_OK);
    return key_read_headers(json, failure, ret_headers);
}

#define SLOT_TEXT(id, kind, memory)                                                                          \
    "{\"id\":\"" id "\",\"kind\":\"" kind "\",\"memory_kib\":" memory ",\"passes\":3,\"lanes\":4,"           \
    "\"salt\":\"000102030405060708090a0b0c0d0e0f\",\"created\":\"2026-11-22T09:31:00.123Z\"}"
#define ID "00112233445566778899aabbccddeeff"

static void headers_of_a_reply_are_read(void **state)
{
    struct key_headers headers = {.count = 0};
    struct failure failure = {.sentence = ""};
    const struct slot_header *header = NULL;

    (void)state;
    assert_int_equal(
        read_headers("{\"slots\":[" SLOT_TEXT(ID, "passphrase", "65536") "]}", &failure, &headers),
        STATUS_OK);
    assert_int_equal(headers.count, 1);
    assert_int_equal(key_find_header(&headers, SLOT_PASSPHRASE, &failure, &header), STATUS_OK);
    assert_int_equal(header->kdf.memory_kib, 65536);
    assert_int_equal(header->kdf.salt[15], 15);
    assert_int_equal(key_find_header(&headers, SLOT_MACHINE, &failure, &header), STATUS_NOT_FOUND);
    assert_string_equal(failure.sentence, "the vault has no machine slot; it has: passphrase");
}

static void slots_of_what_is_typed_are_tried_in_order(void **state)
{
    struct key_headers headers = {
        .count = 5,
        .headers = {{.kind = SLOT_MACHINE},
                    {.kind = SLOT_LOGIN, .created_ms = 5},
                    {.kind = SLOT_RECOVERY},
                    {.kind = SLOT_LOGIN, .created_ms = 9},
                    {.kind = SLOT_PASSPHRASE, .created_ms = 1}}
    };
    const struct slot_header *found[KEY_TYPED_MAX];

    (void)state;
    assert_int_equal(key_find_typed(&headers, found), 3);
    assert_ptr_equal(found[0], &headers.headers[4]);
    assert_ptr_equal(found[1], &headers.headers[3]);
    assert_ptr_equal(found[2], &headers.headers[1]);
    headers.headers[2].kind = SLOT_PASSPHRASE;
    headers.headers[3].kind = SLOT_RECOVERY;
    assert_int_equal(key_find_typed(&headers, found), 2);
    assert_ptr_equal(found[0], &headers.headers[2]);
    assert_ptr_equal(found[1], &headers.headers[1]);
    headers.count = 1;
    assert_int_equal(key_find_typed(&headers, found), 0);
}

static void a_new_slot_is_later_than_all_of_its_kind(void **state)
{
    struct key_headers headers = {
        .count = 4,
        .headers = {{.kind = SLOT_LOGIN, .created_ms = 900},
                    {.kind = SLOT_LOGIN, .created_ms = 1000},
                    {.kind = SLOT_LOGIN, .created_ms = 800},
                    {.kind = SLOT_PASSPHRASE, .created_ms = 2000}}
    };
    struct key_slot slot = {
        .header = {.kind = SLOT_LOGIN, .created_ms = 500}
    };

    (void)state;
    key_slot_follow(&slot, &headers);
    assert_int_equal(slot.header.created_ms, 1001);
    slot.header.created_ms = 1000;
    key_slot_follow(&slot, &headers);
    assert_int_equal(slot.header.created_ms, 1001);
    slot.header.created_ms = 1500;
    key_slot_follow(&slot, &headers);
    assert_int_equal(slot.header.created_ms, 1500);
}

static void headers_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "{\"slots\":[{}]}",
        "{\"slots\":[" SLOT_TEXT("0011", "passphrase", "65536") "]}",
        "{\"slots\":[" SLOT_TEXT(ID, "fingerprint", "65536") "]}",
        "{\"slots\":[" SLOT_TEXT(ID, "passphrase", "-1") "]}",
        "{\"slots\":[" SLOT_TEXT(ID, "passphrase", "4294967296") "]}",
        "{\"slots\":[" SLOT_TEXT(ID, "passphrase", "\"much\"") "]}",
    };
    struct key_headers headers = {.count = 0};
    struct failure failure;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(read_headers(wrong[i], &failure, &headers), STATUS_PROTOCOL);
    assert_int_equal(headers.count, 0);
}

static void more_slots_than_a_vault_has_are_refused(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct key_headers headers = {.count = 0};
    struct failure failure;

    (void)state;
    assert_true(secret_append_text(&text, "{\"slots\":["));
    for (int i = 0; i <= KEY_SLOTS_MAX; i++)
        assert_true(secret_append_format(&text, "%s%s", i > 0 ? "," : "", SLOT_TEXT(ID, "machine", "0")));
    assert_true(secret_append_text(&text, "]}"));
    assert_int_equal(read_headers(secret_text(&text), &failure, &headers), STATUS_PROTOCOL);
}

static int make_folder(void **state)
{
    struct failure failure;

    (void)state;
    json_start();
    return seal_start(&failure) == STATUS_OK && mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_of("made"));
    unlink(path_of("link"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_is_made_once_and_read_again),
        cmocka_unit_test(a_key_file_that_cannot_be_made_leaves_no_key),
        cmocka_unit_test(a_new_passphrase_slot_is_derived_again_from_its_header),
        cmocka_unit_test(a_new_recovery_slot_is_opened_by_its_code),
        cmocka_unit_test(headers_of_a_reply_are_read),
        cmocka_unit_test(slots_of_what_is_typed_are_tried_in_order),
        cmocka_unit_test(a_new_slot_is_later_than_all_of_its_kind),
        cmocka_unit_test(headers_that_are_none_are_refused),
        cmocka_unit_test(more_slots_than_a_vault_has_are_refused),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
