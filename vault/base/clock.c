/* Clocks, and times as text. */
#include "base/clock.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_DAY UINT64_C(86400000)
#define LATEST_MS UINT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static uint64_t clock_read_ms(clockid_t clock)
{
    struct timespec now = {0, 0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_wall_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ms(void)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ms(void)
{
    return clock_read_ms(CLOCK_BOOTTIME);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, by years that begin in March (so that the leap
 * day is the last day of a year), in eras of 400 years. */
static uint64_t days_from_date(uint64_t year, unsigned month, unsigned day)
{
    uint64_t shifted = year - (month <= 2);
    uint64_t year_of_era = shifted % 400;
    uint64_t day_of_year = (153 * (uint64_t)((month + 9) % 12) + 2) / 5 + day - 1;

    return shifted / 400 * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_from_days(uint64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    uint64_t shifted = days + 719468;
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;

    *ret_day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *ret_year = (unsigned)(shifted / 146097 * 400 + year_of_era + (*ret_month <= 2));
}

void clock_format(char destination[CLOCK_TEXT_SIZE], uint64_t wall_ms)
{
    uint64_t time = wall_ms < LATEST_MS ? wall_ms : LATEST_MS;
    unsigned of_day = (unsigned)(time % MS_PER_DAY);
    unsigned year;
    unsigned month;
    unsigned day;
    char text[64];

    date_from_days(time / MS_PER_DAY, &year, &month, &day);
    snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month, day, of_day / 3600000,
             of_day / 60000 % 60, of_day / 1000 % 60, of_day % 1000);
    memcpy(destination, text, CLOCK_TEXT_SIZE - 1);
    destination[CLOCK_TEXT_SIZE - 1] = '\0';
}

/* Takes exactly `digits` digits off the front of *text; false if they are not there or not within the bounds.
 */
static bool number_take(const char **text, unsigned digits, unsigned least, unsigned most,
                        unsigned *ret_number)
{
    unsigned number = 0;

    for (unsigned at = 0; at < digits; at++) {
        char digit = (*text)[at];

        if (digit < '0' || digit > '9')
            return false;
        number = number * 10 + (unsigned)(digit - '0');
    }
    *text += digits;
    *ret_number = number;
    return number >= least && number <= most;
}

static bool mark_take(const char **text, char mark)
{
    if (**text != mark)
        return false;
    (*text)++;
    return true;
}

static bool date_take(const char **text, uint64_t *ret_ms)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned length;

    if (!number_take(text, 4, 1970, 9999, &year) || !mark_take(text, '-') ||
        !number_take(text, 2, 1, 12, &month) || !mark_take(text, '-') || !number_take(text, 2, 1, 31, &day))
        return false;
    length = lengths[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    if (day > length)
        return false;
    *ret_ms = days_from_date(year, month, day) * MS_PER_DAY;
    return true;
}

/* `.` and digits, of which milliseconds are kept. */
static bool fraction_take(const char **text, unsigned *ret_ms)
{
    unsigned scale = 100;
    unsigned ms = 0;

    if (!mark_take(text, '.'))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++) {
        ms += (unsigned)(**text - '0') * scale;
        scale /= 10;
    }
    *ret_ms = ms;
    return true;
}

/* `hh:mm`, seconds and fraction where they follow. */
static bool time_take(const char **text, uint64_t *ret_ms)
{
    unsigned hours;
    unsigned minutes;
    unsigned seconds = 0;
    unsigned ms = 0;

    if (!number_take(text, 2, 0, 23, &hours) || !mark_take(text, ':') ||
        !number_take(text, 2, 0, 59, &minutes))
        return false;
    if (mark_take(text, ':') && (!number_take(text, 2, 0, 59, &seconds) || !fraction_take(text, &ms)))
        return false;
    *ret_ms = ((uint64_t)hours * 3600 + minutes * 60 + seconds) * 1000 + ms;
    return true;
}

/* The end of a date-time: nothing, `Z` or an offset, which is subtracted from *time. */
static bool zone_apply(const char *text, uint64_t *time)
{
    unsigned hours;
    unsigned minutes;
    uint64_t offset;
    bool east;

    if (text[0] == '\0' || strcmp(text, "Z") == 0)
        return true;
    east = text[0] == '+';
    if (!east && text[0] != '-')
        return false;
    text++;
    if (!number_take(&text, 2, 0, 23, &hours))
        return false;
    mark_take(&text, ':');
    if (!number_take(&text, 2, 0, 59, &minutes) || *text != '\0')
        return false;
    offset = ((uint64_t)hours * 60 + minutes) * 60000;
    if (east && offset > *time)
        return false;
    *time = east ? *time - offset : *time + offset;
    return true;
}

bool clock_parse_date(const char *text, uint64_t *ret_wall_ms)
{
    uint64_t date;
    uint64_t time = 0;

    if (!date_take(&text, &date))
        return false;
    if (*text != '\0') {
        if (!mark_take(&text, 'T') || !time_take(&text, &time))
            return false;
        time += date;
        if (!zone_apply(text, &time))
            return false;
        date = time;
    }
    *ret_wall_ms = date;
    return true;
}

bool clock_parse(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms)
{
    uint64_t seconds;

    if (!text_to_duration(text, &seconds))
        return clock_parse_date(text, ret_wall_ms);
    *ret_wall_ms = seconds * 1000 < now_wall_ms ? now_wall_ms - seconds * 1000 : 0;
    return true;
}

bool clock_parse_ahead(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms)
{
    uint64_t seconds;

    if (!text_to_duration(text, &seconds))
        return clock_parse_date(text, ret_wall_ms);
    *ret_wall_ms = now_wall_ms + seconds * 1000;
    return true;
}
