/* vault/crypto/slot.c, against known answers computed apart from libsodium (Python). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/seal.h"
#include "crypto/slot.h"

#define EPOCH 3
#define CODE "0410-6105-0R3G-G28A-1C60-T3GF-208H-44RM-GQS9" /* of the bytes 01 to 14 */

static const char commitment_hex[] = "92b1c7a8ef6587689a3020bf7ebca0da160216f98e6c9075ae3da07f214fb9ff";
static const char wrapped_hex[] =
    "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a782a2cdc4337556e197eb29146ef8986bfb1df1"
    "45caf5abc1c01a8351b3254826a97962f161f88d5cbd6dffc52e10ee54";

static uint8_t slot_key[SLOT_KEY_SIZE];
static uint8_t vault_key[32];
static uint8_t vault_id[16];

static void range_fill(uint8_t *bytes, size_t size, uint8_t first)
{
    for (size_t at = 0; at < size; at++)
        bytes[at] = (uint8_t)(first + at);
}

static int start(void **state)
{
    struct failure failure;

    (void)state;
    range_fill(slot_key, sizeof(slot_key), 0x20);
    range_fill(vault_key, sizeof(vault_key), 0x60);
    range_fill(vault_id, sizeof(vault_id), 0xa0);
    return seal_start(&failure) == STATUS_OK ? 0 : -1;
}

static struct slot known_slot(void)
{
    struct slot slot = {
        .header = {.kind = SLOT_PASSPHRASE,
                   .kdf = {.memory_kib = 65536, .passes = 3, .lanes = 4},
                   .created_ms = UINT64_C(1700000000123)}
    };

    range_fill(slot.header.id, SLOT_ID_SIZE, 0x10);
    range_fill(slot.header.kdf.salt, SLOT_SALT_SIZE, 0x30);
    assert_true(text_from_hex(slot.commitment, sizeof(slot.commitment), commitment_hex));
    assert_true(text_from_hex(slot.wrapped, sizeof(slot.wrapped), wrapped_hex));
    return slot;
}

static void a_slot_from_elsewhere_opens(void **state)
{
    struct slot slot = known_slot();
    uint8_t opened[32] = {0};

    (void)state;
    assert_true(slot_unwrap(&slot, slot_key, vault_id, EPOCH, opened));
    assert_memory_equal(opened, vault_key, sizeof(opened));
}

static void wrapping_commits_as_the_format_says(void **state)
{
    struct slot slot = known_slot();
    struct slot known = slot;
    uint8_t opened[32] = {0};

    (void)state;
    memset(slot.commitment, 0, sizeof(slot.commitment));
    slot_wrap(&slot, slot_key, vault_key, vault_id, EPOCH);
    assert_memory_equal(slot.commitment, known.commitment, sizeof(slot.commitment));
    assert_memory_not_equal(slot.wrapped, known.wrapped, sizeof(slot.wrapped));
    assert_true(slot_unwrap(&slot, slot_key, vault_id, EPOCH, opened));
    assert_memory_equal(opened, vault_key, sizeof(opened));
}

static void assert_shut(const struct slot *slot)
{
    uint8_t opened[32];

    assert_false(slot_unwrap(slot, slot_key, vault_id, EPOCH, opened));
}

static void a_changed_header_shuts_the_slot(void **state)
{
    const struct slot good = known_slot();
    struct slot slot;

    (void)state;
    slot = good;
    slot.header.id[0] ^= 1;
    assert_shut(&slot);
    slot = good;
    slot.header.kind = SLOT_LOGIN;
    assert_shut(&slot);
    slot = good;
    slot.header.kdf.memory_kib++;
    assert_shut(&slot);
    slot = good;
    slot.header.kdf.passes++;
    assert_shut(&slot);
    slot = good;
    slot.header.kdf.lanes++;
    assert_shut(&slot);
    slot = good;
    slot.header.kdf.salt[15] ^= 1;
    assert_shut(&slot);
    slot = good;
    slot.header.created_ms++;
    assert_shut(&slot);
}

static void a_changed_commitment_or_wrapped_key_shuts_the_slot(void **state)
{
    struct slot slot = known_slot();

    (void)state;
    for (size_t at = 0; at < sizeof(slot.commitment); at++) {
        slot.commitment[at] ^= 0x80;
        assert_shut(&slot);
        slot.commitment[at] ^= 0x80;
    }
    for (size_t at = 0; at < sizeof(slot.wrapped); at++) {
        slot.wrapped[at] ^= 1;
        assert_shut(&slot);
        slot.wrapped[at] ^= 1;
    }
}

static void another_key_vault_or_epoch_does_not_open(void **state)
{
    struct slot slot = known_slot();
    uint8_t other[32];
    uint8_t opened[32];

    (void)state;
    memcpy(other, slot_key, sizeof(other));
    other[31] ^= 1;
    assert_false(slot_unwrap(&slot, other, vault_id, EPOCH, opened));
    assert_false(slot_unwrap(&slot, slot_key, vault_id, EPOCH + 1, opened));
    memcpy(other, vault_id, 16);
    other[0] ^= 1;
    assert_false(slot_unwrap(&slot, slot_key, other, EPOCH, opened));
}

static void kinds_have_names(void **state)
{
    enum slot_kind kind = SLOT_MACHINE;

    (void)state;
    assert_string_equal(slot_kind_name(SLOT_LOGIN), "login");
    assert_null(slot_kind_name((enum slot_kind)0));
    assert_null(slot_kind_name((enum slot_kind)5));
    assert_null(slot_kind_name((enum slot_kind) - 1));
    for (int each = SLOT_PASSPHRASE; each <= SLOT_MACHINE; each++) {
        assert_true(slot_kind_from_name(slot_kind_name((enum slot_kind)each), &kind));
        assert_int_equal(kind, each);
    }
    assert_false(slot_kind_from_name("Machine", &kind));
    assert_false(slot_kind_from_name("", &kind));
}

static enum status code_key(const char *code, uint8_t key[SLOT_KEY_SIZE], struct failure *failure)
{
    struct slot slot = known_slot();

    return slot_code_to_key(code, &slot.header, failure, key);
}

static void a_recovery_code_has_its_known_key_however_it_is_typed(void **state)
{
    static const char *const spellings[] = {
        CODE,
        "0410-6105-0r3g-g28a-1c60-t3gf-208h-44rm-gqs9",
        " o4lO 6io5 or3gg28alc6o t3gf-2O8h-44RMgqs9\n",
        "041061050R3GG28A1C60T3GF208H44RMGQS9",
    };
    struct failure failure;
    char hex[2 * SLOT_KEY_SIZE + 1];

    (void)state;
    for (size_t at = 0; at < sizeof(spellings) / sizeof(spellings[0]); at++) {
        uint8_t key[SLOT_KEY_SIZE] = {0};

        assert_int_equal(code_key(spellings[at], key, &failure), STATUS_OK);
        text_to_hex(hex, key, sizeof(key));
        assert_string_equal(hex, "02da67e840d3e843d8543e68670dd6c84eb03cf2ddfaf2825149b19e05a16169");
    }
}

static void every_mistyped_character_is_noticed(void **state)
{
    char code[] = CODE;
    uint8_t key[SLOT_KEY_SIZE];
    struct failure failure;

    (void)state;
    for (size_t at = 0; at < sizeof(code) - 1; at++) {
        char good = code[at];

        if (good == '-')
            continue;
        code[at] = good == 'Z' ? 'Y' : good == '9' ? '8' : (char)(good == 'H' ? 'J' : good + 1);
        if (code[at] == 'I' || code[at] == 'L' || code[at] == 'O' || code[at] == 'U')
            code[at]++;
        assert_int_equal(code_key(code, key, &failure), STATUS_INVALID);
        assert_null(strstr(failure.sentence, "0410"));
        code[at] = good;
    }
    assert_int_equal(code_key(code, key, &failure), STATUS_OK);
}

static void what_is_no_code_is_said_without_repeating_it(void **state)
{
    static const char *const cases[] = {"",          "-",
                                        "0410-6105", CODE "0",
                                        CODE CODE,   "U410-6105-0R3G-G28A-1C60-T3GF-208H-44RM-GQS9",
                                        "\xc3\xbc",  "0410_6105-0R3G-G28A-1C60-T3GF-208H-44RM-GQS9"};
    uint8_t key[SLOT_KEY_SIZE];
    struct failure failure;

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        assert_int_equal(code_key(cases[at], key, &failure), STATUS_INVALID);
        assert_null(strstr(failure.sentence, "6105"));
    }
    assert_int_equal(code_key("0410-6105", key, &failure), STATUS_INVALID);
    assert_string_equal(failure.sentence, "a recovery code has 36 characters besides dashes, not 8");
}

static void generated_codes_are_well_formed_and_differ(void **state)
{
    char first[SLOT_CODE_SIZE];
    char second[SLOT_CODE_SIZE];
    uint8_t first_key[SLOT_KEY_SIZE];
    uint8_t second_key[SLOT_KEY_SIZE];
    struct failure failure;

    (void)state;
    slot_code_generate(first);
    slot_code_generate(second);
    assert_int_equal(strlen(first), 44);
    for (size_t at = 4; at < 44; at += 5)
        assert_int_equal(first[at], '-');
    assert_int_equal(strspn(first, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-"), 44);
    assert_int_equal(code_key(first, first_key, &failure), STATUS_OK);
    assert_int_equal(code_key(second, second_key, &failure), STATUS_OK);
    assert_memory_not_equal(first_key, second_key, sizeof(first_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_from_elsewhere_opens),
        cmocka_unit_test(wrapping_commits_as_the_format_says),
        cmocka_unit_test(a_changed_header_shuts_the_slot),
        cmocka_unit_test(a_changed_commitment_or_wrapped_key_shuts_the_slot),
        cmocka_unit_test(another_key_vault_or_epoch_does_not_open),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(a_recovery_code_has_its_known_key_however_it_is_typed),
        cmocka_unit_test(every_mistyped_character_is_noticed),
        cmocka_unit_test(what_is_no_code_is_said_without_repeating_it),
        cmocka_unit_test(generated_codes_are_well_formed_and_differ),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
