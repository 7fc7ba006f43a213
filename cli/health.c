/* Health in words; how long there is left counts from when it is read. */
#include "health.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define CELL_MAX 480
#define SPAN_MAX 32

/* `52m`: of the largest unit that it has one of. */
static void describe_span(uint64_t ms, char destination[SPAN_MAX])
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {
        {86400000, "d"},
        {3600000,  "h"},
        {60000,    "m"},
        {1000,     "s"},
    };
    size_t unit = 0;

    while (unit + 1 < sizeof(units) / sizeof(units[0]) && ms < units[unit].ms)
        unit++;
    snprintf(destination, SPAN_MAX, "%llu%s", (unsigned long long)(ms / units[unit].ms), units[unit].name);
}

/* `, ends in 52m`; empty where the time is not known. */
static void describe_time(const struct json *account, const char *member, const char *ahead,
                          const char *behind, char destination[SPAN_MAX * 2])
{
    const char *text = json_member_text(account, member);
    uint64_t now_ms = clock_wall_ms();
    uint64_t time_ms;
    char span[SPAN_MAX];

    destination[0] = '\0';
    if (text == NULL || !clock_parse_date(text, &time_ms))
        return;
    describe_span(time_ms > now_ms ? time_ms - now_ms : now_ms - time_ms, span);
    if (time_ms > now_ms)
        snprintf(destination, SPAN_MAX * 2, ", %s %s", ahead, span);
    else
        snprintf(destination, SPAN_MAX * 2, ", %s %s ago", behind, span);
}

/* As a person reads it: words of the wire have `_` between them. */
static void describe(const struct json *account, char destination[CELL_MAX])
{
    const char *health = json_member_text(account, "health");
    const char *reason = json_member_text(account, "reason");
    const char *missing = json_member_text(account, "missing_scopes");
    char ends[SPAN_MAX * 2];

    destination[0] = '\0';
    if (health == NULL)
        return;
    describe_time(account, "token_expires", "ends in", "ended", ends);
    snprintf(destination, CELL_MAX, "%s", health);
    for (char *at = destination; *at != '\0'; at++) {
        if (*at == '_')
            *at = ' ';
    }
    snprintf(destination + strlen(destination), CELL_MAX - strlen(destination), "%s%s%s%s%s", ends,
             missing != NULL ? ", without " : "", missing != NULL ? missing : "", reason != NULL ? ": " : "",
             reason != NULL ? reason : "");
}

void health_add(struct output_table *table, const struct json *account)
{
    char cell[CELL_MAX];

    describe(account, cell);
    output_table_add(table, cell);
}

void health_add_rows(struct output_table *table, const struct json *account)
{
    static const struct {
        const char *member;
        const char *what;
    } rows[] = {
        {"method",         "granted by"      },
        {"client",         "client"          },
        {"identity",       "identity"        },
        {"app_method",     "method"          },
        {"scopes",         "scopes"          },
        {"missing_scopes", "scopes not given"},
        {"token_expires",  "token expires"   },
        {"refreshed",      "refreshed"       },
    };

    if (json_member(account, "health") == NULL)
        return;
    output_table_add(table, "health");
    health_add(table, account);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *text = json_member_text(account, rows[i].member);

        if (text != NULL) {
            output_table_add(table, rows[i].what);
            output_table_add(table, text);
        }
    }
}
