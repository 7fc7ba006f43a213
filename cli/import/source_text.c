/* The sources that bring variables as they are: .env files and JSON. */
#include "base/cleanup.h"
#include "import/source.h"

#include <string.h>

static void refuse_line(void *context, size_t line, const char *name, const char *reason)
{
    struct plan *plan = context;

    plan_refuse(plan, name, plan_format(plan, "line %zu", line), plan_format(plan, "%s", reason));
}

enum status source_read_dotenv(const struct source_text *text, enum dotenv_dialect dialect, struct plan *plan,
                               struct failure *failure, size_t *ret_quoted_line)
{
    CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
    const struct dotenv_refusals refusals = {refuse_line, plan};
    enum status status =
        dotenv_parse(text->bytes, text->size, text->name, dialect, &refusals, failure, &dotenv);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < dotenv.count; i++) {
        const struct dotenv_entry *entry = &dotenv.entries[i];

        plan_add_variable(plan, entry->name, entry->value, entry->value_size,
                          plan_format(plan, "line %zu", entry->line), NULL);
    }
    *ret_quoted_line = dotenv.quoted_line;
    return STATUS_OK;
}

static void add_text(struct plan *plan, const char *key, const struct json *value, const char *origin)
{
    size_t size = 0;
    const char *text = json_text(value, &size);

    if (text != NULL)
        plan_add_variable(plan, key, text, size, origin, NULL);
    else
        plan_refuse(
            plan, key, origin,
            "its value is not a string; how a number, a list or null would be written is not guessed");
}

static void read_object(const struct json *object, struct plan *plan)
{
    void *iterator = NULL;
    const struct json *value;
    const char *key;

    while (json_next(object, &iterator, &key, &value))
        add_text(plan, key, value, "the object");
}

/* [{"key": "NAME", "value": "..."}]; other members of an element are its manager's own. */
static enum status read_pairs(const struct json *array, const char *name, struct plan *plan,
                              struct failure *failure)
{
    for (size_t i = 0; i < json_count(array); i++) {
        const struct json *element = json_at(array, i);
        const char *key = json_member_text(element, "key");

        if (key == NULL || json_member(element, "value") == NULL)
            return failure_set(failure, STATUS_INVALID,
                               "%s is an array, and its element %zu is no object with key and value", name,
                               i + 1);
        add_text(plan, key, json_member(element, "value"), plan_format(plan, "element %zu", i + 1));
    }
    return STATUS_OK;
}

/* What HashiCorp Vault wraps around an answer: the outer `data` is all there is beside what it says of
 * itself. */
static const struct json *unwrap(const struct json *document)
{
    const struct json *data = json_member(document, "data");
    const struct json *inner = json_member(data, "data");

    if (json_kind(document) != JSON_KIND_OBJECT || data == NULL || json_kind(data) != JSON_KIND_OBJECT)
        return document;
    return inner != NULL && json_kind(inner) == JSON_KIND_OBJECT ? inner : data;
}

enum status source_read_json(const struct json *document, const char *name, struct plan *plan,
                             struct failure *failure)
{
    if (json_kind(document) == JSON_KIND_ARRAY)
        return read_pairs(document, name, plan, failure);
    read_object(unwrap(document), plan);
    return STATUS_OK;
}
