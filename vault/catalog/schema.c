/* One walk over a document, with the tables in hand. */
#include "catalog/schema.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define WAY_MAX 256

/* Where the walk is: the document's name and the names of members down to here. */
struct walk {
    const char *what;
    struct failure *failure;
    char way[WAY_MAX];
    size_t size;
};

static enum status fault(const struct walk *walk, const char *reason)
{
    return failure_set(walk->failure, STATUS_INVALID, "%s: %s%s%s", walk->what, walk->way,
                       walk->size > 0 ? " " : "", reason);
}

/* Returns what the way was, for leave(). */
static size_t enter(struct walk *walk, const char *name)
{
    size_t before = walk->size;
    int length =
        snprintf(walk->way + before, sizeof(walk->way) - before, "%s%s", before > 0 ? "." : "", name);

    if (length > 0 && before + (size_t)length < sizeof(walk->way))
        walk->size += (size_t)length;
    walk->way[walk->size] = '\0';
    return before;
}

static void leave(struct walk *walk, size_t before)
{
    walk->size = before;
    walk->way[before] = '\0';
}

/* What could steer a terminal has no place in a title or an address. */
static bool is_plain(const char *text, size_t size)
{
    char copy[SCHEMA_TEXT_MAX + 1];

    memcpy(copy, text, size + 1);
    return text_make_plain(copy) == size && memcmp(copy, text, size) == 0;
}

static enum status check_text(struct walk *walk, const struct json *value, bool may_be_empty)
{
    size_t size = 0;
    const char *text = json_text(value, &size);

    if (text == NULL)
        return fault(walk, "is not a text");
    if (size == 0 && !may_be_empty)
        return fault(walk, "is empty");
    if (size > SCHEMA_TEXT_MAX)
        return fault(walk, "is longer than 1024 bytes");
    return is_plain(text, size) ? STATUS_OK : fault(walk, "holds a control character");
}

static enum status check_choice(struct walk *walk, const struct json *value, const char *const *choices)
{
    const char *text = json_text(value, NULL);
    char reason[WAY_MAX] = "is not one of";
    size_t size = strlen(reason);

    if (text == NULL)
        return fault(walk, "is not a text");
    for (const char *const *choice = choices; *choice != NULL; choice++) {
        if (strcmp(text, *choice) == 0)
            return STATUS_OK;
        if (size < sizeof(reason))
            size += (size_t)snprintf(reason + size, sizeof(reason) - size, "%s %s",
                                     choice > choices ? "," : "", *choice);
    }
    return fault(walk, reason);
}

static enum status check_letters(struct walk *walk, const struct json *value, const char *letters)
{
    const char *text = json_text(value, NULL);

    if (text == NULL || text[0] == '\0')
        return fault(walk, "is not a text of letters");
    for (; *text != '\0'; text++) {
        if (strchr(letters, *text) == NULL || strchr(text + 1, *text) != NULL)
            return fault(walk, "has a letter that stands for no source, or one twice");
    }
    return STATUS_OK;
}

/* A text by all that a member says of it. */
static enum status check_member_text(struct walk *walk, const struct schema_member *member,
                                     const struct json *value)
{
    enum status status = member->choices != NULL ? check_choice(walk, value, member->choices)
                                                 : check_text(walk, value, member->may_be_empty);
    const char *reason = NULL;

    if (status == STATUS_OK && member->check_text != NULL)
        reason = member->check_text(json_text(value, NULL));
    return reason != NULL ? fault(walk, reason) : status;
}

static enum status check_texts(struct walk *walk, const struct schema_member *member,
                               const struct json *value)
{
    enum status status = STATUS_OK;

    if (json_kind(value) != JSON_KIND_ARRAY || json_count(value) == 0 || json_count(value) > SCHEMA_COUNT_MAX)
        return fault(walk, "is not an array of 1 to 64 texts");
    for (size_t i = 0; status == STATUS_OK && i < json_count(value); i++)
        status = check_member_text(walk, member, json_at(value, i));
    return status;
}

static bool is_port(const struct json *value)
{
    int64_t number;

    return json_number(value, &number) && number > 1023 && number <= UINT16_MAX;
}

static enum status check_ports(struct walk *walk, const struct json *value)
{
    const char *text = json_text(value, NULL);
    bool fits =
        json_kind(value) == JSON_KIND_ARRAY && json_count(value) > 0 && json_count(value) <= SCHEMA_PORTS_MAX;

    if (text != NULL && strcmp(text, "any") == 0)
        return STATUS_OK;
    for (size_t i = 0; fits && i < json_count(value); i++) {
        int64_t port = 0;

        fits = is_port(json_at(value, i)) && json_number(json_at(value, i), &port);
        for (size_t other = 0; fits && other < i; other++) {
            int64_t earlier = 0;

            fits = json_number(json_at(value, other), &earlier) && earlier != port;
        }
    }
    return fits ? STATUS_OK
                : fault(walk, "is neither any nor an array of 1 to 8 different ports from 1024 to 65535");
}

static enum status check_object(struct walk *walk, const struct schema_member *shape,
                                const struct json *value);

/* A map of texts (`shape` is NULL) or of objects. */
static enum status check_map(struct walk *walk, const struct schema_member *member, const struct json *value)
{
    enum status status = STATUS_OK;
    void *iterator = NULL;
    const struct json *element;
    const char *name;

    if (json_kind(value) != JSON_KIND_OBJECT || json_count(value) == 0 ||
        json_count(value) > SCHEMA_COUNT_MAX)
        return fault(walk, "is not an object of 1 to 64 members");
    while (status == STATUS_OK && json_next(value, &iterator, &name, &element)) {
        struct failure reason;
        size_t before;

        if (strlen(name) > SCHEMA_TEXT_MAX || !is_plain(name, strlen(name)))
            return fault(walk, "has a member whose name is too long or holds a control character");
        if (member->check_name != NULL && member->check_name(name, &reason) != STATUS_OK)
            return fault(walk, reason.sentence);
        before = enter(walk, name);
        status = member->shape != NULL ? check_object(walk, member->shape, element)
                                       : check_text(walk, element, member->may_be_empty);
        leave(walk, before);
    }
    return status;
}

static enum status check_member(struct walk *walk, const struct schema_member *member,
                                const struct json *value)
{
    int64_t number;
    bool boolean;

    switch (member->type) {
    case SCHEMA_TEXT:
    case SCHEMA_CHOICE:
        return check_member_text(walk, member, value);
    case SCHEMA_LETTERS:
        return check_letters(walk, value, member->choices[0]);
    case SCHEMA_BOOLEAN:
        return json_boolean(value, &boolean) ? STATUS_OK : fault(walk, "is neither true nor false");
    case SCHEMA_NUMBER:
        return json_number(value, &number) && number > 0 ? STATUS_OK
                                                         : fault(walk, "is no whole number over 0");
    case SCHEMA_TEXTS:
        return check_texts(walk, member, value);
    case SCHEMA_PORTS:
        return check_ports(walk, value);
    case SCHEMA_MAP:
    case SCHEMA_OBJECTS:
        return check_map(walk, member, value);
    case SCHEMA_OBJECT_OR_TEXT:
        if (json_kind(value) == JSON_KIND_TEXT)
            return check_text(walk, value, false);
        return check_object(walk, member->shape, value);
    case SCHEMA_OBJECT:
        return check_object(walk, member->shape, value);
    }
    return fault(walk, "is of no type");
}

static enum status unknown_member(struct walk *walk, const struct schema_member *shape, const char *name)
{
    unsigned best = 3;
    const char *nearest = NULL;
    char reason[WAY_MAX];

    for (; shape->name != NULL; shape++) {
        unsigned distance = text_distance(shape->name, name, best);

        if (distance < best) {
            best = distance;
            nearest = shape->name;
        }
    }
    snprintf(reason, sizeof(reason), "has a member \"%.64s\" that is not known%s%s%s", name,
             nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
             nearest != NULL ? "?" : "");
    return fault(walk, reason);
}

static const struct schema_member *find_member(const struct schema_member *shape, const char *name)
{
    for (; shape->name != NULL; shape++) {
        if (strcmp(shape->name, name) == 0)
            return shape;
    }
    return NULL;
}

static enum status check_object(struct walk *walk, const struct schema_member *shape,
                                const struct json *value)
{
    enum status status = STATUS_OK;
    void *iterator = NULL;
    const struct json *element;
    const char *name;
    char reason[WAY_MAX];

    if (json_kind(value) != JSON_KIND_OBJECT)
        return fault(walk, "is not an object");
    while (status == STATUS_OK && json_next(value, &iterator, &name, &element)) {
        const struct schema_member *member = find_member(shape, name);
        size_t before;

        if (member == NULL)
            return unknown_member(walk, shape, name);
        before = enter(walk, name);
        status = check_member(walk, member, element);
        leave(walk, before);
    }
    for (; status == STATUS_OK && shape->name != NULL; shape++) {
        snprintf(reason, sizeof(reason), "has no member %s", shape->name);
        if (shape->required && json_member(value, shape->name) == NULL)
            status = fault(walk, reason);
    }
    return status;
}

enum status schema_check(const struct schema_member *shape, const struct json *value, const char *what,
                         struct failure *failure)
{
    struct walk walk = {.what = what, .failure = failure};

    return check_object(&walk, shape, value);
}
