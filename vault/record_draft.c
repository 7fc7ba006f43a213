/* Drafts of records (record.h): documents in the making, field by field. */
#include "record.h"

#include "base/clock.h"
#include "base/name.h"

#include <string.h>

void record_draft_add(struct record_draft *draft, const char *field, const void *value, size_t size)
{
    size_t name_size = strlen(field);
    uint8_t name_head[2] = {(uint8_t)(name_size >> 8), (uint8_t)name_size};
    uint8_t value_head[4];

    seal_store_u32(value_head, (uint32_t)size);
    if (!secret_append(&draft->fields, name_head, sizeof name_head) ||
        !secret_append(&draft->fields, field, name_size + 1) ||
        !secret_append(&draft->fields, value_head, sizeof value_head) ||
        !secret_append(&draft->fields, value, size) || !secret_append_byte(&draft->fields, 0))
        draft->failed = true;
}

void record_draft_add_text(struct record_draft *draft, const char *field, const char *value)
{
    record_draft_add(draft, field, value, strlen(value));
}

void record_draft_copy(struct record_draft *draft, const struct record *record, const char *prefix)
{
    const char *rest, *value;
    size_t position = 0, size;

    while (record_next(record, prefix, &position, &rest, &value, &size))
        record_draft_add(draft, rest - strlen(prefix), value, size);
}

void record_draft_copy_rest(struct record_draft *draft, const struct record *record)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(record, "", &position, &name, &value, &size)) {
        const struct record head = record_draft_preview(draft);
        if (!record_has(&head, name))
            record_draft_add(draft, name, value, size);
    }
}

void record_draft_add_number(struct record_draft *draft, const char *field, uint64_t number)
{
    char text[20];
    size_t start = sizeof text;

    do {
        text[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    record_draft_add(draft, field, text + start, sizeof text - start);
}

void record_draft_add_final(struct vault *vault, struct record_draft *draft, const char *name)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    record_hash_final(vault, name, hash);
    if (!secret_append(&draft->finals, hash, sizeof hash))
        draft->failed = true;
}

static void start(struct record_draft *draft, const struct record *previous, uint64_t created_ms,
                  uint64_t updated_ms)
{
    if (previous != NULL) {
        draft->exists = true;
        draft->version = previous->version;
        memcpy(draft->id, previous->id, sizeof draft->id);
    } else {
        seal_random(draft->id, sizeof draft->id);
    }
    /* Most fit into one block of the secret heap. */
    if (!secret_reserve(&draft->fields, 200))
        draft->failed = true;
    record_draft_add_text(draft, "kind", record_kind_word(draft->kind));
    record_draft_add_text(draft, "where", draft->where);
    record_draft_add_text(draft, "name", draft->name);
    record_draft_add_number(draft, "created", created_ms);
    record_draft_add_number(draft, "updated", updated_ms);
}

void record_draft_repeat(struct record_draft *draft, const struct record *record, const char *link_target)
{
    *draft = (struct record_draft){.kind = record->kind,
                                   .where = record->where,
                                   .name = record->name,
                                   .link_target = link_target,
                                   .exists = true,
                                   .version = record->version};
    memcpy(draft->id, record->id, sizeof draft->id);
    if (!secret_append(&draft->fields, record->document, record->size))
        draft->failed = true;
}

const char *record_link_target(const struct record *record, char parent[NAME_PATH_MAX + 1])
{
    parent[0] = '\0';
    switch (record->kind) {
    case RECORD_PATH:
        (void)name_path_parent(parent, record->where);
        return parent;
    case RECORD_BINDING:
        return record_field(record, "account", NULL);
    case RECORD_ACCOUNT:
    case RECORD_CLIENT:
        return record->where;
    case RECORD_KEY:
        return parent;
    default:
        return record->name;
    }
}

void record_draft_start(struct record_draft *draft, enum record_kind kind, const char *where,
                        const char *name, const char *link_target, const struct record *previous)
{
    uint64_t now = clock_wall_ms();

    *draft = (struct record_draft){.kind = kind, .where = where, .name = name, .link_target = link_target};
    start(draft, previous, previous != NULL ? record_number(previous, "created") : now, now);
}

void record_draft_resume(struct record_draft *draft, enum record_kind kind, const char *where,
                         const char *name, const char *link_target, const struct record *previous)
{
    *draft = (struct record_draft){.kind = kind, .where = where, .name = name, .link_target = link_target};
    start(draft, previous, record_number(previous, "created"), record_number(previous, "updated"));
}

struct record record_draft_preview(const struct record_draft *draft)
{
    struct record record = {.kind = draft->kind,
                            .version = draft->version,
                            .where = draft->where,
                            .name = draft->name,
                            .document = draft->fields.bytes,
                            .size = draft->fields.size};

    memcpy(record.id, draft->id, sizeof record.id);
    return record;
}

void record_draft_reset(struct record_draft *draft)
{
    secret_reset(&draft->fields);
    secret_reset(&draft->finals);
}
