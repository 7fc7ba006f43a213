/* Time. Wall time stands in the log; deadlines use the monotonic clock; vault lifetimes count suspended time.
 */
#ifndef STEPVAULT_BASE_CLOCK_H
#define STEPVAULT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z (CLOCK_REALTIME). */
uint64_t clock_wall_ms(void);

/* Milliseconds of CLOCK_MONOTONIC, for deadlines within a process. */
uint64_t clock_monotonic_ms(void);

/* Milliseconds of CLOCK_BOOTTIME, for lifetimes: goes on while the machine is suspended. */
uint64_t clock_boot_ms(void);

#define CLOCK_TEXT_SIZE 25 /* 2026-11-22T09:31:00.123Z and a NUL */

/* `wall_ms` as RFC 3339 in UTC with milliseconds. */
void clock_format(char destination[CLOCK_TEXT_SIZE], uint64_t wall_ms);

/* Reads `2026-11-22`, `2026-11-22T09:31`, `...:00`, `...:00.123`, each date-time with `Z` or a numeric offset
 * (without one: UTC), or a duration before now as text_to_duration has it (`90m`, `7d`). */
bool clock_parse(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms);

/* The same, but a duration is counted from now on. */
bool clock_parse_ahead(const char *text, uint64_t now_wall_ms, uint64_t *ret_wall_ms);

/* The same without durations. A date alone is its first moment in UTC. */
bool clock_parse_date(const char *text, uint64_t *ret_wall_ms);

#endif
