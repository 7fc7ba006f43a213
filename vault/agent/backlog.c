/* Two lists: what waits, and what the open turn is writing. */
#include "agent/backlog.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "log.h"

#include <inttypes.h>
#include <string.h>

static bool entry_is(const struct backlog_entry *entry, const char *action, bool granted, enum status why,
                     const struct leaf_caller *caller)
{
    return entry->granted == granted && entry->why == why && entry->caller.uid == caller->uid &&
           entry->caller.pid == caller->pid && strcmp(entry->action, action) == 0 &&
           strcmp(entry->caller.program, caller->program) == 0;
}

static struct backlog_entry *list_find(struct backlog_list *list, const char *action, bool granted,
                                       enum status why, const struct leaf_caller *caller)
{
    struct backlog_entry *entry;

    for (size_t at = 0; at < list->count; at++) {
        if (entry_is(&list->entries[at], action, granted, why, caller))
            return &list->entries[at];
    }
    if (list->count == BACKLOG_MAX)
        return NULL;
    entry = &list->entries[list->count++];
    *entry = (struct backlog_entry){.action = action, .granted = granted, .why = why, .caller = *caller};
    return entry;
}

uint64_t backlog_add(struct backlog *backlog, const char *action, bool granted, enum status why,
                     const struct leaf_caller *caller)
{
    struct backlog_entry *entry = list_find(&backlog->waiting, action, granted, why, caller);

    if (entry == NULL) {
        backlog->waiting.lost++;
        return 0;
    }
    entry->last_ms = clock_wall_ms();
    if (entry->count == 0)
        entry->first_ms = entry->last_ms;
    return ++entry->count;
}

static enum status entry_write(const struct backlog_entry *entry, struct vault *vault,
                               struct failure *failure)
{
    struct leaf leaf = {.granted = entry->granted, .why = entry->why, .caller = &entry->caller};
    char first[CLOCK_TEXT_SIZE];
    char last[CLOCK_TEXT_SIZE];
    enum status status;

    clock_format(first, entry->first_ms);
    clock_format(last, entry->last_ms);
    leaf.action = entry->granted ? entry->action : "refusals";
    if ((entry->granted || secret_append_format(&leaf.details, "\"refused\":\"%s\",", entry->action)) &&
        secret_append_format(&leaf.details, "\"count\":%" PRIu64 ",\"first\":\"%s\",\"last\":\"%s\"",
                             entry->count, first, last))
        status = log_append(vault, &leaf, failure);
    else
        status = failure_set(failure, STATUS_NO_MEMORY, "not enough memory to log what waits");
    leaf_reset(&leaf);
    return status;
}

static enum status lost_write(uint64_t lost, struct vault *vault, const struct leaf_caller *self,
                              struct failure *failure)
{
    struct leaf leaf = {.action = "refusals", .why = STATUS_TOO_LARGE, .caller = self};
    enum status status;

    if (secret_append_format(&leaf.details, "\"lost\":%" PRIu64, lost))
        status = log_append(vault, &leaf, failure);
    else
        status = failure_set(failure, STATUS_NO_MEMORY, "not enough memory to log what waits");
    leaf_reset(&leaf);
    return status;
}

enum status backlog_write(struct backlog *backlog, struct vault *vault, const struct leaf_caller *self,
                          struct failure *failure)
{
    struct backlog_list *writing = &backlog->writing;
    enum status status = STATUS_OK;

    if (backlog_is_empty(backlog))
        return STATUS_OK;
    memcpy(writing->entries, backlog->waiting.entries, backlog->waiting.count * sizeof(writing->entries[0]));
    writing->count = backlog->waiting.count;
    writing->lost = backlog->waiting.lost;
    backlog->waiting.count = 0;
    backlog->waiting.lost = 0;
    for (size_t at = 0; at < writing->count && status == STATUS_OK; at++)
        status = entry_write(&writing->entries[at], vault, failure);
    if (status == STATUS_OK && writing->lost > 0)
        status = lost_write(writing->lost, vault, self, failure);
    return status;
}

void backlog_settle(struct backlog *backlog, bool durable)
{
    struct backlog_list *writing = &backlog->writing;

    for (size_t at = 0; at < writing->count && !durable; at++) {
        const struct backlog_entry *from = &writing->entries[at];
        struct backlog_entry *to =
            list_find(&backlog->waiting, from->action, from->granted, from->why, &from->caller);

        if (to == NULL) {
            backlog->waiting.lost += from->count;
            continue;
        }
        to->last_ms = to->count == 0 ? from->last_ms : to->last_ms;
        to->first_ms = from->first_ms;
        to->count += from->count;
    }
    if (!durable)
        backlog->waiting.lost += writing->lost;
    writing->count = 0;
    writing->lost = 0;
}

bool backlog_is_empty(const struct backlog *backlog)
{
    return backlog->waiting.count == 0 && backlog->waiting.lost == 0;
}

uint64_t backlog_refusals(const struct backlog *backlog)
{
    uint64_t refusals = backlog->waiting.lost;

    for (size_t at = 0; at < backlog->waiting.count; at++)
        refusals += backlog->waiting.entries[at].granted ? 0 : backlog->waiting.entries[at].count;
    return refusals;
}
