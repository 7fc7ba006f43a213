/* Renders a leaf as its one JSON line. The order of members is fixed by docs/FORMAT.md, section 7. */
#include "leaf.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "json/json.h"

#include <string.h>

#define LEAF_FORMAT 1u
#define LEAF_SALT_SIZE 16u

void leaf_reset(struct leaf *leaf)
{
    secret_reset(&leaf->details);
    memset(leaf, 0, sizeof *leaf);
}

void leaf_open_details(struct json_writer *writer, struct secret *object)
{
    json_writer_start(writer, object);
    json_open_object(writer, NULL);
}

bool leaf_add_details(struct leaf *leaf, struct json_writer *writer)
{
    const struct secret *object = writer->destination;

    json_close_object(writer);
    if (writer->failed || !secret_reserve(&leaf->details, object->size))
        return false;
    if (object->size <= 2)
        return true;
    return (leaf->details.size == 0 || secret_append_byte(&leaf->details, ',')) &&
           secret_append(&leaf->details, object->bytes + 1, object->size - 2);
}

const struct leaf_caller *leaf_find_caller(struct leaf *leaf)
{
    if (leaf->caller == NULL)
        leaf->caller = leaf->find_caller(leaf->context);
    return leaf->caller;
}

/* Program names come from the file system and may be any bytes; what is not text is left out rather than
 * altered. */
static void add_optional(struct json_writer *writer, const char *key, const char *text)
{
    if (text != NULL && *text != '\0' && text_is_utf8(text, strlen(text)))
        json_add_text(writer, key, text);
}

static void add_caller(struct json_writer *writer, const struct leaf_caller *caller)
{
    json_open_object(writer, "who");
    json_add_number(writer, "uid", caller->uid);
    json_add_number(writer, "gid", caller->gid);
    json_add_number(writer, "pid", (uint64_t)caller->pid);
    add_optional(writer, "exe", caller->program);
    if (caller->parent_pid > 0) {
        json_open_object(writer, "parent");
        json_add_number(writer, "pid", (uint64_t)caller->parent_pid);
        add_optional(writer, "exe", caller->parent_program);
        json_close_object(writer);
    }
    json_close_object(writer);
}

static bool has_text(const char *text)
{
    return text != NULL && *text != '\0';
}

static void add_claims(struct json_writer *writer, const struct leaf *leaf)
{
    if (!has_text(leaf->purpose) && !has_text(leaf->command) && !has_text(leaf->reason))
        return;
    json_open_object(writer, "claimed");
    add_optional(writer, "purpose", leaf->purpose);
    add_optional(writer, "command", leaf->command);
    add_optional(writer, "reason", leaf->reason);
    json_close_object(writer);
}

static void add_position(struct json_writer *writer, const struct leaf_position *position)
{
    uint8_t salt[LEAF_SALT_SIZE];
    char time[CLOCK_TEXT_SIZE];

    seal_random(salt, sizeof salt);
    clock_format(time, position->time_ms);
    json_add_number(writer, "v", LEAF_FORMAT);
    json_add_hex(writer, "salt", salt, sizeof salt);
    json_add_text(writer, "time", time);
    json_add_text(writer, "writer", position->writer);
    json_add_number(writer, "writer_seq", position->sequence);
    if (position->previous != NULL)
        json_add_hex(writer, "prev", position->previous, SEAL_HASH_SIZE);
    json_add_number(writer, "epoch", position->epoch);
    if (position->state_tag != NULL)
        json_add_hex(writer, "state", position->state_tag, 16);
}

static void add_what(struct json_writer *writer, const struct leaf *leaf)
{
    const struct {
        const char *key;
        const char *text;
    } members[] = {
        {"step",     leaf->step    },
        {"path",     leaf->path    },
        {"variable", leaf->variable},
        {"alias",    leaf->alias   },
        {"account",  leaf->account },
        {"app",      leaf->app     },
        {"label",    leaf->label   },
    };

    json_add_text(writer, "action", leaf->action);
    json_add_text(writer, "outcome", leaf->granted ? "granted" : "refused");
    if (!leaf->granted)
        json_add_text(writer, "why", status_wire_name(leaf->why));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        add_optional(writer, members[i].key, members[i].text);
}

enum status leaf_render(const struct leaf *leaf, const struct leaf_position *position,
                        struct failure *failure, struct secret *destination)
{
    struct json_writer writer;

    secret_clear(destination);
    json_writer_start(&writer, destination);
    json_open_object(&writer, NULL);
    add_position(&writer, position);
    add_what(&writer, leaf);
    add_caller(&writer, leaf->caller);
    add_claims(&writer, leaf);
    if (leaf->details.size > 0 && (!secret_append_byte(destination, ',') ||
                                   !secret_append(destination, leaf->details.bytes, leaf->details.size)))
        writer.failed = true;
    json_close_object(&writer);
    if (writer.failed)
        return failure_set(failure, STATUS_NO_MEMORY, "the log entry does not fit into memory");
    if (destination->size > LEAF_LINE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the log entry of this call would have %zu bytes, and %u is the most: "
                           "place fewer names there, or bind with --only",
                           destination->size, LEAF_LINE_MAX);
    return STATUS_OK;
}

static bool skip(const char **at, const char *expected)
{
    size_t size = strlen(expected);

    if (strncmp(*at, expected, size) != 0)
        return false;
    *at += size;
    return true;
}

/* So many hexadecimal digits and the quote behind them. */
static bool skip_hex(const char **at, size_t count)
{
    size_t size = strspn(*at, "0123456789abcdef");

    if (size != count || (*at)[size] != '"')
        return false;
    *at += size + 1;
    return true;
}

static bool read_number(const char **at, uint64_t *ret_number)
{
    char digits[21];
    size_t size = strspn(*at, "0123456789");

    if (size >= sizeof digits)
        return false;
    memcpy(digits, *at, size);
    digits[size] = '\0';
    *at += size;
    return text_to_number(digits, UINT64_MAX, ret_number);
}

static bool skip_time(const char **at)
{
    size_t size = strspn(*at, "0123456789-T:.Z");

    *at += size;
    return size > 0 && skip(at, "\"");
}

bool leaf_read_position(const char *line, struct leaf_stated *ret_stated)
{
    struct leaf_stated stated = {.writer = NULL};
    const char *at = line;

    if (!skip(&at, "{\"v\":1,\"salt\":\"") || !skip_hex(&at, 2 * LEAF_SALT_SIZE) ||
        !skip(&at, ",\"time\":\"") || !skip_time(&at) || !skip(&at, ",\"writer\":\""))
        return false;
    stated.writer = at;
    if (!skip_hex(&at, 16) || !skip(&at, ",\"writer_seq\":") || !read_number(&at, &stated.sequence))
        return false;
    if (skip(&at, ",\"prev\":\"")) {
        stated.previous = at;
        if (!skip_hex(&at, 2 * SEAL_HASH_SIZE))
            return false;
    }
    if (!skip(&at, ",\"epoch\":") || !read_number(&at, &stated.epoch))
        return false;
    if (skip(&at, ",\"state\":\"")) {
        stated.state_tag = at;
        if (!skip_hex(&at, 2 * 16))
            return false;
    }
    *ret_stated = stated;
    return skip(&at, ",\"action\":\"");
}
