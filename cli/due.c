/* Notes, expiries, age and history in tables. */
#include "due.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS UINT64_C(86400000)
#define STATE_MAX 64

/* The agent says what is due; how long there is left counts from when it is read. */
static void describe_expiry(const struct json *item, char destination[STATE_MAX])
{
    const char *due = json_member_text(item, "due");
    const char *expires = json_member_text(item, "expires");
    uint64_t now_ms = clock_wall_ms();
    uint64_t expires_ms;

    destination[0] = '\0';
    if (due == NULL)
        return;
    if (strcmp(due, "expiring") != 0 || expires == NULL || !clock_parse_date(expires, &expires_ms))
        snprintf(destination, STATE_MAX, "%s", due);
    else if (expires_ms < now_ms + DAY_MS)
        snprintf(destination, STATE_MAX, "expires within a day");
    else
        snprintf(destination, STATE_MAX, "expires in %llu day%s",
                 (unsigned long long)((expires_ms - now_ms) / DAY_MS),
                 expires_ms - now_ms < 2 * DAY_MS ? "" : "s");
}

void due_add_state(struct output_table *table, const struct json *item, const char *otherwise)
{
    char expiry[STATE_MAX];
    const bool stale = json_member_boolean(item, "stale", false);
    const bool restored = json_member_text(item, "restored") != NULL;

    describe_expiry(item, expiry);
    if (expiry[0] == '\0' && !stale && !restored)
        output_table_add(table, otherwise);
    else
        output_table_add_format(table, "%s%s%s%s%s", expiry,
                                expiry[0] != '\0' && (stale || restored) ? ", " : "", stale ? "stale" : "",
                                stale && restored ? ", " : "", restored ? "restored" : "");
}

void due_add_remarks(struct output_table *table, const struct json *item)
{
    output_table_add(table, json_member_text(item, "expires"));
    output_table_add(table, json_member_text(item, "note"));
}

enum status due_print_history(const struct json *revisions, bool named, struct failure *failure)
{
    static const char *const headings[] = {"NAME", "REVISION", "STATE", "SET", "REPLACED", "EXPIRES", "NOTE"};
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, named ? 7 : 6, named ? headings : headings + 1);
    for (size_t i = 0; i < json_count(revisions); i++) {
        const struct json *revision = json_at(revisions, i);

        if (named)
            output_table_add(&table, json_member_text(revision, "name"));
        output_table_add_format(&table, "%lld", (long long)json_member_number(revision, "revision", 0));
        output_table_add(&table, json_member_text(revision, "state"));
        output_table_add(&table, json_member_text(revision, "updated"));
        output_table_add(&table, json_member_text(revision, "replaced"));
        due_add_remarks(&table, revision);
    }
    return output_table_print(&table, failure);
}
