/* The leaves that say what was imported: as many as the names need. */
#include "import_interior.h"

#include "base/cleanup.h"
#include "log.h"

#include <string.h>

#define LEAF_NAMES_MAX 48000u /* bytes of names in one leaf; the rest of a leaf fits beside them */
#define GROUP_OVERHEAD 64u    /* of JSON around the names of one path */
#define ACCOUNT_OVERHEAD 96u  /* of JSON and an id around one account */

const char *const import_outcome_words[IMPORT_OUTCOMES] = {"added", "replaced", "unchanged"};

/* The names of one path, in lists by what became of them. */
static void write_path(const struct import_rank *ranks, size_t count, struct json_writer *writer)
{
    json_open_object(writer, NULL);
    json_add_text(writer, "path", ranks[0].item->where);
    for (enum import_outcome outcome = IMPORT_ADDED; outcome < IMPORT_OUTCOMES; outcome++) {
        bool open = false;
        for (size_t i = 0; i < count; i++) {
            if (ranks[i].item->outcome != outcome)
                continue;
            if (!open)
                json_open_array(writer, import_outcome_words[outcome]);
            open = true;
            json_add_text(writer, NULL, ranks[i].item->name);
        }
        if (open)
            json_close_array(writer);
    }
    json_close_object(writer);
}

static void write_variables(const struct import_rank *ranks, size_t count, struct json_writer *writer)
{
    size_t end;

    json_open_array(writer, "imported");
    for (size_t start = 0; start < count; start = end) {
        for (end = start + 1; end < count && ranks[end].item->group == ranks[start].item->group;)
            end++;
        write_path(ranks + start, end - start, writer);
    }
    json_close_array(writer);
}

static void write_accounts(const struct import_rank *ranks, size_t count, struct json_writer *writer)
{
    json_open_array(writer, "accounts");
    for (size_t i = 0; i < count; i++) {
        const struct import_item *item = ranks[i].item;
        json_open_object(writer, NULL);
        json_add_hex(writer, "id", item->id, sizeof item->id);
        json_add_text(writer, "app", item->where);
        json_add_text(writer, "label", item->name);
        json_add_text(writer, "change", import_outcome_words[item->outcome]);
        json_close_object(writer);
    }
    json_close_array(writer);
}

/* How many of the items, which are of one kind from the first on, have room in one leaf. */
static size_t leaf_room(const struct import_rank *ranks, size_t count)
{
    size_t bytes = 0, room = 0;

    for (; room < count && ranks[room].item->kind == ranks[0].item->kind; room++) {
        const struct import_item *item = ranks[room].item;
        bytes += strlen(item->name) + 3;
        if (item->kind == RECORD_ACCOUNT)
            bytes += strlen(item->where) + ACCOUNT_OVERHEAD;
        else if (room == 0 || item->group != ranks[room - 1].item->group)
            bytes += strlen(item->where) + GROUP_OVERHEAD;
        if (bytes > LEAF_NAMES_MAX)
            break;
    }
    return room;
}

static enum status append_leaf(const struct import_rank *ranks, size_t count,
                               const struct import_counts *counts, struct vault *vault, size_t part,
                               bool dry_run, struct leaf *leaf, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    json_add_number(&writer, "part", part);
    if (dry_run)
        json_add_boolean(&writer, "dry_run", true);
    json_add_number(&writer, "added", counts->added);
    json_add_number(&writer, "replaced", counts->replaced);
    json_add_number(&writer, "unchanged", counts->unchanged);
    if (count > 0 && ranks[0].item->kind == RECORD_ACCOUNT)
        write_accounts(ranks, count, &writer);
    else
        write_variables(ranks, count, &writer);
    secret_clear(&leaf->details);
    if (!leaf_add_details(leaf, &writer))
        return failure_set_no_memory(failure);
    leaf->granted = true;
    return log_append(vault, leaf, failure);
}

enum status import_append_leaves(const struct import_rank *ranks, size_t count,
                                 const struct import_counts *counts, struct vault *vault, bool dry_run,
                                 struct leaf *leaf, struct failure *failure)
{
    enum status status = STATUS_OK;
    size_t start = 0, part = 0;

    do {
        size_t room = leaf_room(ranks + start, count - start);
        status = append_leaf(ranks + start, room, counts, vault, ++part, dry_run, leaf, failure);
        start += room;
    } while (status == STATUS_OK && start < count);
    return status;
}
