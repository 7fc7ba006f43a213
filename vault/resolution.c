/* Finding what a reference stands for among the things that a step gets. */
#include "resolution.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/reference.h"
#include "binding.h"
#include "form.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

void resolution_reset(struct resolution *resolution)
{
    delivery_freep(&resolution->own);
    free(resolution->items);
    *resolution = (struct resolution){0};
}

/* What is being resolved, so that each step of it takes one argument. */
struct search {
    const struct delivery *delivery;
    const char *step;
    const char *text; /* of the reference at hand */
    struct reference reference;
    struct leaf *leaf;
    struct failure *failure;
};

/* Only what was asked for is said: what the vault has elsewhere was not looked at. */
static enum status missing(const struct search *search)
{
    const struct reference *reference = &search->reference;

    if (reference->app[0] == '\0')
        search->leaf->variable = reference->name;
    snprintf(search->leaf->app, sizeof search->leaf->app, "%s", reference->app);
    snprintf(search->leaf->label, sizeof search->leaf->label, "%s", reference->label);
    return failure_set(search->failure, STATUS_NOT_FOUND, "the step %s gets nothing that %s could stand for",
                       search->step, search->text);
}

static bool is_meant(const struct delivery_account *account, const struct reference *reference)
{
    return name_app_is(account->account->where, reference->app, strlen(reference->app)) &&
           (reference->label[0] == '\0' || strcmp(account->account->name, reference->label) == 0);
}

static bool is_same(const struct delivery_account *one, const struct delivery_account *other)
{
    return memcmp(one->account->id, other->account->id, sizeof one->account->id) == 0;
}

/* An account may be bound twice, under two aliases and with other properties under each; two accounts are one
 * too many even where one of them lacks the property, for it may get it tomorrow. */
static enum status find_property(const struct search *search, struct resolved *resolved)
{
    const struct reference *reference = &search->reference;
    const struct delivery_account *meant = NULL;

    for (size_t i = 0; i < search->delivery->account_count; i++) {
        const struct delivery_account *account = &search->delivery->accounts[i];
        if (!is_meant(account, reference))
            continue;
        if (meant != NULL && !is_same(meant, account))
            return failure_set(search->failure, STATUS_AMBIGUOUS,
                               "%s could mean %s:%s and %s:%s, which the step %s both gets", search->text,
                               meant->account->where, meant->account->name, account->account->where,
                               account->account->name, search->step);
        meant = account;
        if (resolved->from == NULL &&
            binding_gives_property(account->binding, account->account, reference->name)) {
            resolved->value = account_property(account->account, reference->name, &resolved->size);
            resolved->from = resolved->value != NULL ? account : NULL;
        }
    }
    return resolved->from != NULL ? STATUS_OK : missing(search);
}

static const struct delivery_account *find_account(const struct delivery *delivery,
                                                   const struct record *binding)
{
    for (size_t i = 0; i < delivery->account_count; i++)
        if (delivery->accounts[i].binding == binding)
            return &delivery->accounts[i];
    return NULL;
}

static enum status find_variable(const struct search *search, struct resolved *resolved)
{
    const struct delivery_variable *variable = delivery_find(search->delivery, search->reference.name);

    if (variable == NULL)
        return missing(search);
    resolved->value = variable->value;
    resolved->size = variable->size;
    if (variable->property != NULL) {
        resolved->name = variable->property;
        resolved->from = find_account(search->delivery, variable->source);
    }
    return STATUS_OK;
}

static enum status check_key(const char *key, struct failure *failure)
{
    if (key[0] == '\0' || strchr(key, '=') != NULL || strlen(key) > RESOLUTION_KEY_MAX)
        return failure_set(failure, STATUS_INVALID, "the key of a reference has no =, and from 1 to %u bytes",
                           RESOLUTION_KEY_MAX);
    return STATUS_OK;
}

static int compare_resolved(const void *left, const void *right)
{
    const struct resolved *a = left, *b = right;
    int order =
        strcmp(a->from == NULL ? "" : a->from->binding->name, b->from == NULL ? "" : b->from->binding->name);

    return order != 0 ? order : strcmp(a->name, b->name);
}

/* Checks the whole list before anything is looked up; says whether a variable is among what it asks for. */
static enum status check_references(const struct json *references, struct failure *failure,
                                    bool *ret_variables)
{
    const struct json *value;
    void *iterator = NULL;
    const char *key;

    *ret_variables = false;
    if (json_count(references) > RESOLUTION_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "one call has %u references at most", RESOLUTION_MAX);
    while (json_next(references, &iterator, &key, &value)) {
        struct reference reference;
        const char *text = json_text(value, NULL);
        enum status status = check_key(key, failure);
        if (status == STATUS_OK && text == NULL)
            status = failure_set(failure, STATUS_INVALID, "a reference is a JSON string");
        if (status == STATUS_OK)
            status = reference_parse(text, failure, &reference);
        if (status != STATUS_OK)
            return status;
        *ret_variables = *ret_variables || reference.app[0] == '\0';
    }
    return STATUS_OK;
}

static enum status resolve(struct search *search, const struct json *references,
                           struct resolution *resolution)
{
    const struct json *value;
    void *iterator = NULL;
    const char *key;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && json_next(references, &iterator, &key, &value)) {
        struct resolved *resolved = &resolution->items[resolution->count];
        search->text = json_text(value, NULL);
        status = reference_parse(search->text, search->failure, &search->reference);
        if (status != STATUS_OK)
            return status;
        *resolved = (struct resolved){.key = key, .name = search->reference.name};
        status = search->reference.app[0] == '\0' ? find_variable(search, resolved)
                                                  : find_property(search, resolved);
        resolution->count++;
    }
    return status;
}

enum status resolution_make(struct vault *vault, const char *step, const struct delivery_levels *levels,
                            const struct delivery *delivery, const struct json *references, struct leaf *leaf,
                            struct failure *failure, struct resolution *ret_resolution)
{
    CLEANUP(resolution_reset) struct resolution resolution = {0};
    struct search search = {.step = step, .leaf = leaf, .failure = failure};
    bool variables;

    enum status status = check_references(references, failure, &variables);
    if (status == STATUS_OK && delivery == NULL)
        status = delivery_choose(vault, levels, variables, NULL, NULL, failure, &resolution.own);
    if (status != STATUS_OK)
        return status;
    resolution.items = calloc(json_count(references) + 1, sizeof *resolution.items);
    if (resolution.items == NULL)
        return failure_set_no_memory(failure);
    search.delivery = delivery != NULL ? delivery : resolution.own;
    status = resolve(&search, references, &resolution);
    if (status != STATUS_OK)
        return status;
    qsort(resolution.items, resolution.count, sizeof resolution.items[0], compare_resolved);
    *ret_resolution = resolution;
    resolution = (struct resolution){0};
    return STATUS_OK;
}

size_t resolution_size(const struct resolution *resolution)
{
    size_t total = 0;

    for (size_t i = 0; i < resolution->count; i++)
        total += strlen(resolution->items[i].key) + resolution->items[i].size + 2;
    return total;
}

const struct record *resolution_next_token(const struct resolution *resolution, size_t *position)
{
    while (*position < resolution->count) {
        const struct resolved *item = &resolution->items[(*position)++];
        if (item->from != NULL && token_is_token(item->name))
            return item->from->account;
    }
    return NULL;
}

static void write_values(const struct resolution *resolution, bool text, struct json_writer *writer)
{
    for (size_t i = 0; i < resolution->count; i++)
        form_write(writer, text, resolution->items[i].key, resolution->items[i].value,
                   resolution->items[i].size);
}

void resolution_write_json(const struct resolution *resolution, struct json_writer *writer)
{
    json_open_object(writer, "resolved");
    write_values(resolution, true, writer);
    json_close_object(writer);
    json_open_object(writer, "resolved_base64");
    write_values(resolution, false, writer);
    json_close_object(writer);
}

void resolution_write_block(const struct resolution *resolution, struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret block = {0};

    for (size_t i = 0; i < resolution->count; i++)
        form_append(writer, &block, resolution->items[i].key, resolution->items[i].value,
                    resolution->items[i].size);
    json_add_base64(writer, "resolved_entries", block.bytes, block.size);
}

/* The names from `at` on that come from one place, each once; returns where the next place begins. */
static size_t write_names(const struct resolution *resolution, size_t at, struct json_writer *writer)
{
    const struct resolved *items = resolution->items;
    size_t end = at;

    for (; end < resolution->count && items[end].from == items[at].from; end++)
        if (end == at || strcmp(items[end].name, items[end - 1].name) != 0)
            json_add_text(writer, NULL, items[end].name);
    return end;
}

void resolution_write_leaf(const struct resolution *resolution, struct json_writer *writer)
{
    size_t at = 0;

    json_open_object(writer, "references");
    json_open_array(writer, "variables");
    if (resolution->count > 0 && resolution->items[0].from == NULL)
        at = write_names(resolution, 0, writer);
    json_close_array(writer);
    json_open_array(writer, "accounts");
    while (at < resolution->count) {
        json_open_object(writer, NULL);
        delivery_write_account(resolution->items[at].from, writer);
        json_open_array(writer, "properties");
        at = write_names(resolution, at, writer);
        json_close_array(writer);
        json_close_object(writer);
    }
    json_close_array(writer);
    json_close_object(writer);
}
