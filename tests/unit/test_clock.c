/* vault/base/clock.c: times as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define NOW UINT64_C(1795339860123) /* 2026-11-22T09:31:00.123Z */

static void times_are_written_in_utc_with_milliseconds(void **state)
{
    char text[CLOCK_TEXT_SIZE];

    (void)state;
    clock_format(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_format(text, NOW);
    assert_string_equal(text, "2026-11-22T09:31:00.123Z");
    clock_format(text, UINT64_C(951782399999));
    assert_string_equal(text, "2000-02-28T23:59:59.999Z");
    clock_format(text, UINT64_C(951782400000));
    assert_string_equal(text, "2000-02-29T00:00:00.000Z");
    clock_format(text, UINT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void dates_agree_with_the_c_library_for_every_day(void **state)
{
    (void)state;
    for (time_t day = 0; day < 200000; day += 1) {
        time_t seconds = day * 86400 + day % 86400;
        char expected[64];
        char text[CLOCK_TEXT_SIZE];
        uint64_t read;
        struct tm parts;

        assert_non_null(gmtime_r(&seconds, &parts));
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.007Z", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
        clock_format(text, (uint64_t)seconds * 1000 + 7);
        assert_string_equal(text, expected);
        assert_true(clock_parse(text, NOW, &read));
        assert_true(read == (uint64_t)seconds * 1000 + 7);
    }
}

static void every_promised_form_is_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {
        {"2026-11-22",                     UINT64_C(1795305600000)},
        {"2026-11-22T09:31",               UINT64_C(1795339860000)},
        {"2026-11-22T09:31Z",              UINT64_C(1795339860000)},
        {"2026-11-22T09:31:00",            UINT64_C(1795339860000)},
        {"2026-11-22T09:31:00.1",          UINT64_C(1795339860100)},
        {"2026-11-22T09:31:00.123Z",       NOW                    },
        {"2026-11-22T09:31:00.123999999Z", NOW                    },
        {"2026-11-22T10:31:00.123+01:00",  NOW                    },
        {"2026-11-22T04:01:00.123-05:30",  NOW                    },
        {"2026-11-22T10:31:00.123+0100",   NOW                    },
        {"1970-01-01T00:00:00Z",           0                      },
        {"90m",                            NOW - 5400000          },
        {"7d",                             NOW - 604800000        },
        {"30",                             NOW - 30000            },
    };
    uint64_t read;

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        if (!clock_parse(cases[at].text, NOW, &read) || read != cases[at].ms)
            fail_msg("%s is not read", cases[at].text);
    }
    assert_true(clock_parse("1d", 5, &read));
    assert_true(read == 0);
}

static void durations_count_backwards_or_ahead_or_are_no_dates(void **state)
{
    uint64_t read = 1;

    (void)state;
    assert_true(clock_parse_ahead("90d", NOW, &read));
    assert_true(read == NOW + UINT64_C(7776000000));
    assert_true(clock_parse_ahead("2026-11-22T09:31:00.123Z", 5, &read));
    assert_true(read == NOW);
    assert_true(clock_parse_date("2026-11-22", &read));
    assert_true(read == UINT64_C(1795305600000));
    assert_false(clock_parse_date("90d", &read) || clock_parse_ahead("-7d", NOW, &read));
}

static void other_forms_are_refused(void **state)
{
    static const char *const cases[] = {"",
                                        "yesterday",

                                        "2026-11",
                                        "2026-13-01",
                                        "2026-00-01",
                                        "2026-02-29",
                                        "2100-02-29",
                                        "2026-04-31",
                                        "2026-11-00",
                                        "1969-12-31",
                                        "2026-11-22T",
                                        "2026-11-22T24:00",
                                        "2026-11-22T09:60",
                                        "2026-11-22T09:31:60",
                                        "2026-11-22T09:31:00.",
                                        "2026-11-22T09:31:00ZZ",
                                        "2026-11-22T09:31:00+1",
                                        "2026-11-22T09:31:00+24:00",
                                        "2026-11-22T09:31:00+01:00x",
                                        "2026-11-22Z",
                                        "2026-11-22 09:31",
                                        "2026-1-2",
                                        "1970-01-01T00:00+00:01",
                                        " 2026-11-22",
                                        "-7d"};
    uint64_t read = 1;

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        if (clock_parse(cases[at], NOW, &read))
            fail_msg("%s is read", cases[at]);
    }
    assert_true(read == 1);
}

static void clocks_go_forward(void **state)
{
    uint64_t monotonic = clock_monotonic_ms();
    uint64_t boot = clock_boot_ms();
    const struct timespec pause = {0, 5000000};

    (void)state;
    nanosleep(&pause, NULL);
    assert_true(clock_monotonic_ms() >= monotonic + 4);
    assert_true(clock_boot_ms() >= boot + 4);
    assert_true(boot >= monotonic);
    assert_true(clock_wall_ms() / 1000 >= (uint64_t)time(NULL) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_utc_with_milliseconds),
        cmocka_unit_test(dates_agree_with_the_c_library_for_every_day),
        cmocka_unit_test(every_promised_form_is_read),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(durations_count_backwards_or_ahead_or_are_no_dates),
        cmocka_unit_test(clocks_go_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
