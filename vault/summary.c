/* Counting what is due, a slice at a time. */
#include "summary.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "interior.h"
#include "record.h"
#include "remark.h"

#include <string.h>

#define MINUTE_MS UINT64_C(60000)

/* Minutes, so that a row's memory stays small; rounded up, so that nothing counts as expired before it is. */
static uint32_t to_minutes(uint64_t time_ms)
{
    uint64_t minutes = (time_ms + MINUTE_MS - 1) / MINUTE_MS;

    return minutes < UINT32_MAX ? (uint32_t)minutes : UINT32_MAX;
}

/* A row that cannot be opened is told of by whoever needs it; here it is one that is not counted. */
static void look_at(struct vault *vault, struct state_row *row)
{
    CLEANUP(record_reset) struct record record = {0};
    struct failure ignored;
    bool found = false;

    row->seen = (struct state_seen){.looked_at = true};
    if (record_find_by_id(vault, row->key, &ignored, &record, &found) != STATUS_OK || !found)
        return;
    row->seen.has_value =
        record.kind == RECORD_ACCOUNT || (record.kind == RECORD_VARIABLE && !record_has(&record, "blocked"));
    row->seen.updated_minute = to_minutes(record_number(&record, "updated"));
    row->seen.expires_minute = to_minutes(record_number(&record, REMARK_FIELD_EXPIRES));
}

static void count(const struct state_seen *seen, uint64_t now_ms, struct summary *summary)
{
    enum remark_due due = remark_due_at(seen->expires_minute * MINUTE_MS, now_ms);

    summary->expired += due == REMARK_EXPIRED;
    summary->expiring += due == REMARK_EXPIRING;
    summary->stale += remark_is_stale_at(seen->updated_minute * MINUTE_MS, now_ms);
}

void summary_take(struct vault *vault, unsigned budget_ms, struct summary *ret_summary)
{
    uint64_t until_ms = clock_monotonic_ms() + budget_ms;
    uint64_t now_ms = clock_wall_ms();
    struct summary summary = {0};
    struct state_row *row;
    bool in_time = true;

    for (size_t position = 0; (row = state_next(&vault->state, &position)) != NULL;) {
        if (!row->seen.looked_at && in_time) {
            look_at(vault, row);
            in_time = clock_monotonic_ms() < until_ms;
        }
        if (!row->seen.looked_at)
            summary.unread++;
        else if (row->seen.has_value)
            count(&row->seen, now_ms, &summary);
    }
    *ret_summary = summary;
}
