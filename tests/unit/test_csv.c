/* cli/import/csv.c: records and fields of RFC 4180, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "import/csv.h"

static void fields_are_read_as_they_were_written(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "a,b,\r\n\n\"x,\"\"y\"\"\r\nz\",,\" \"\n last";
    CLEANUP(csv_reset) struct csv csv = {.count = 0};
    struct failure failure;
    bool found = false;
    size_t size = 0;

    (void)state;
    csv_start(&csv, text, sizeof(text) - 1, "f");
    assert_int_equal(csv_next(&csv, &failure, &found), STATUS_OK);
    assert_true(found);
    assert_int_equal(csv.count, 3);
    assert_string_equal(csv_field(&csv, 0, NULL), "a");
    assert_string_equal(csv_field(&csv, 2, &size), "");
    assert_int_equal(size, 0);
    assert_null(csv_field(&csv, 3, NULL));
    assert_int_equal(csv_next(&csv, &failure, &found), STATUS_OK);
    assert_int_equal(csv.line, 3);
    assert_int_equal(csv.count, 3);
    assert_string_equal(csv_field(&csv, 0, &size), "x,\"y\"\r\nz");
    assert_int_equal(size, 8);
    assert_string_equal(csv_field(&csv, 2, NULL), " ");
    assert_int_equal(csv_next(&csv, &failure, &found), STATUS_OK);
    assert_int_equal(csv.line, 5);
    assert_string_equal(csv_field(&csv, 0, NULL), " last");
    assert_int_equal(csv_next(&csv, &failure, &found), STATUS_OK);
    assert_false(found);
}

static void what_is_no_csv_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *sentence;
    } cases[] = {
        {"a\n\"b\nc",   6, "f, the record of line 2: a quote is not closed"                           },
        {"a\n\"b\"c\n", 7, "f, the record of line 2: something stands behind a closing quote"         },
        {"b\"c\n",      4, "f, the record of line 1: a quote stands within a field that is not quoted"},
        {"a\0b\n",      4, "f, the record of line 1: a NUL byte"                                      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(csv_reset) struct csv csv = {.count = 0};
        struct failure failure = {0};
        bool found = true;
        enum status status = STATUS_OK;

        csv_start(&csv, cases[i].text, cases[i].size, "f");
        while (status == STATUS_OK && found)
            status = csv_next(&csv, &failure, &found);
        assert_int_equal(status, STATUS_INVALID);
        assert_string_equal(failure.sentence, cases[i].sentence);
    }
}

static void a_record_has_a_bounded_number_of_fields(void **state)
{
    CLEANUP(csv_reset) struct csv csv = {.count = 0};
    char text[CSV_FIELDS_MAX + 1];
    struct failure failure;
    bool found = false;

    (void)state;
    memset(text, ',', sizeof(text));
    csv_start(&csv, text, CSV_FIELDS_MAX - 1, "f");
    assert_int_equal(csv_next(&csv, &failure, &found), STATUS_OK);
    assert_int_equal(csv.count, CSV_FIELDS_MAX);
    csv_reset(&csv);
    csv_start(&csv, text, CSV_FIELDS_MAX, "f");
    assert_int_equal(csv_next(&csv, &failure, &found), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_they_were_written),
        cmocka_unit_test(what_is_no_csv_is_refused_with_its_line),
        cmocka_unit_test(a_record_has_a_bounded_number_of_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
