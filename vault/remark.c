/* Notes, expiries, and what is due. */
#include "remark.h"

#include "base/clock.h"
#include "base/name.h"

#include <string.h>

#define DAY_MS UINT64_C(86400000)

enum status remark_read(const char *note, const char *expires, struct failure *failure,
                        struct remark *ret_remark)
{
    struct remark remark = {.note = note, .has_expiry = expires != NULL};

    enum status status = note == NULL ? STATUS_OK : name_check_note(note, failure);
    if (status != STATUS_OK)
        return status;
    if (expires != NULL && expires[0] != '\0' &&
        (!clock_parse_date(expires, &remark.expires_ms) || remark.expires_ms == 0))
        return failure_set(failure, STATUS_INVALID,
                           "the expiry is no RFC 3339 date or time such as 2027-03-31 or 2027-03-31T12:00Z");
    *ret_remark = remark;
    return STATUS_OK;
}

void remark_add(struct record_draft *draft, const struct remark *remark, const struct record *previous)
{
    const char *note = remark->note;
    uint64_t expires_ms = remark->expires_ms;

    if (note == NULL && previous != NULL)
        note = record_field(previous, REMARK_FIELD_NOTE, NULL);
    if (!remark->has_expiry && previous != NULL)
        expires_ms = record_number(previous, REMARK_FIELD_EXPIRES);
    if (note != NULL && note[0] != '\0')
        record_draft_add_text(draft, REMARK_FIELD_NOTE, note);
    if (expires_ms != 0)
        record_draft_add_number(draft, REMARK_FIELD_EXPIRES, expires_ms);
}

enum remark_due remark_due_at(uint64_t expires_ms, uint64_t now_ms)
{
    if (expires_ms == 0)
        return REMARK_NOT_DUE;
    if (expires_ms <= now_ms)
        return REMARK_EXPIRED;
    return expires_ms - now_ms <= REMARK_SOON_DAYS * DAY_MS ? REMARK_EXPIRING : REMARK_NOT_DUE;
}

bool remark_is_stale_at(uint64_t updated_ms, uint64_t now_ms)
{
    return updated_ms < now_ms && now_ms - updated_ms > REMARK_STALE_DAYS * DAY_MS;
}

static enum remark_due due(const struct record *record, uint64_t now_ms)
{
    return remark_due_at(record_number(record, REMARK_FIELD_EXPIRES), now_ms);
}

/* A block and a path have no value that could grow old. */
static bool is_stale(const struct record *record, uint64_t now_ms)
{
    bool has_value =
        record->kind == RECORD_ACCOUNT || (record->kind == RECORD_VARIABLE && !record_has(record, "blocked"));

    return has_value && remark_is_stale_at(record_number(record, "updated"), now_ms);
}

void remark_write(const struct record *record, struct json_writer *writer)
{
    static const char *const words[] = {
        [REMARK_NOT_DUE] = NULL, [REMARK_EXPIRING] = "expiring", [REMARK_EXPIRED] = "expired"};
    const char *note = record_field(record, REMARK_FIELD_NOTE, NULL);
    uint64_t expires_ms = record_number(record, REMARK_FIELD_EXPIRES);
    uint64_t now_ms = clock_wall_ms();
    const char *word = words[due(record, now_ms)];
    char time[CLOCK_TEXT_SIZE];

    if (note != NULL)
        json_add_text(writer, "note", note);
    clock_format(time, expires_ms);
    if (expires_ms != 0)
        json_add_text(writer, "expires", time);
    if (word != NULL)
        json_add_text(writer, "due", word);
    if (is_stale(record, now_ms))
        json_add_boolean(writer, "stale", true);
}

bool remark_passes(const struct remark_filter *filter, const struct record *record)
{
    uint64_t now_ms = clock_wall_ms();

    if (!filter->stale && !filter->expiring)
        return true;
    return (filter->stale && is_stale(record, now_ms)) ||
           (filter->expiring && due(record, now_ms) != REMARK_NOT_DUE);
}
