/* Any text into clock_parse: it agrees with a regular expression and timegm, and reads what clock_format
 * writes. */
#include "base/clock.h"
#include "base/text.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define NOW UINT64_C(1763803860123)
#define LATEST UINT64_C(253402300799999)

static const char grammar[] =
    "^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    "(T([0-9]{2}:[0-9]{2})(:([0-9]{2})(\\.([0-9]+))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$";

static void expect(bool right)
{
    if (!right)
        abort();
}

static int number_at(const char *text, regoff_t at)
{
    return at < 0 ? 0 : (text[at] - '0') * 10 + text[at + 1] - '0';
}

/* Signed milliseconds since 1970; false where the text is no time. */
static bool reference(const char *text, const regmatch_t *part, int64_t *ret_ms)
{
    struct tm time = {.tm_year = atoi(text) - 1900,
                      .tm_mon = number_at(text, 5) - 1,
                      .tm_mday = number_at(text, 8),
                      .tm_hour = number_at(text, part[3].rm_so),
                      .tm_min = number_at(text, part[3].rm_so < 0 ? -1 : part[3].rm_so + 3),
                      .tm_sec = number_at(text, part[5].rm_so)};
    struct tm given = time;
    int64_t ms = (int64_t)timegm(&time) * 1000, offset = 0;

    if (given.tm_year < 70 || time.tm_mon != given.tm_mon || time.tm_mday != given.tm_mday ||
        time.tm_hour != given.tm_hour || time.tm_min != given.tm_min || time.tm_sec != given.tm_sec)
        return false;
    for (regoff_t i = 0; part[7].rm_so >= 0 && i < 3; i++)
        ms += part[7].rm_so + i < part[7].rm_eo ? (text[part[7].rm_so + i] - '0') * (i == 0   ? 100
                                                                                     : i == 1 ? 10
                                                                                              : 1)
                                                : 0;
    if (part[8].rm_so >= 0 && text[part[8].rm_so] != 'Z') {
        int hours = number_at(text, part[8].rm_so + 1), minutes = number_at(text, part[8].rm_eo - 2);
        if (hours > 23 || minutes > 59)
            return false;
        offset = (hours * 60 + minutes) * 60000;
        ms += text[part[8].rm_so] == '+' ? -offset : offset;
    }
    *ret_ms = ms;
    return ms >= 0;
}

static void try_text(const char *text)
{
    static regex_t compiled;
    static bool started;
    regmatch_t part[9];
    uint64_t seconds, ms = 0;
    int64_t expected = 0;
    bool fits;

    if (!started && regcomp(&compiled, grammar, REG_EXTENDED) != 0)
        abort();
    started = true;
    if (text_to_duration(text, &seconds)) {
        expect(clock_parse(text, NOW, &ms) && ms == (seconds * 1000 < NOW ? NOW - seconds * 1000 : 0));
        expect(clock_parse_ahead(text, NOW, &ms) && ms == NOW + seconds * 1000);
        expect(!clock_parse_date(text, &ms));
        return;
    }
    fits = regexec(&compiled, text, 9, part, 0) == 0 && reference(text, part, &expected);
    expect(clock_parse(text, NOW, &ms) == fits);
    expect(!fits || ms == (uint64_t)expected);
    expect(clock_parse_ahead(text, NOW, &ms) == fits && (!fits || ms == (uint64_t)expected));
    expect(clock_parse_date(text, &ms) == fits && (!fits || ms == (uint64_t)expected));
}

static void try_number(uint64_t ms)
{
    char text[CLOCK_TEXT_SIZE], expected[64];
    uint64_t shown = ms < LATEST ? ms : LATEST, read;
    time_t seconds = (time_t)(shown / 1000);
    struct tm time;

    gmtime_r(&seconds, &time);
    strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &time);
    snprintf(expected + 19, sizeof expected - 19, ".%03uZ", (unsigned)(shown % 1000));
    clock_format(text, ms);
    expect(strcmp(text, expected) == 0);
    expect(clock_parse(text, 0, &read) && read == shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[128];
    uint64_t number = 0;

    if (size < sizeof text) {
        memcpy(text, bytes, size);
        text[size] = '\0';
        try_text(text);
    }
    memcpy(&number, bytes, size < sizeof number ? size : sizeof number);
    try_number(number);
    try_number(number % LATEST);
    return 0;
}
