/* Collecting names while records are visited, and choosing the nearest. */
#include "names.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/text.h"
#include "placement.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

#define PROPERTY_PREFIX "property/"
#define NEAR_ENOUGH 2u
#define NEAR_LOOKED_AT 1000u /* siblings; one that is missing must not cost more than one that is there */

/* ---- collecting ---- */

/* A name and what is said of it, in one allocation. */
struct item {
    char *name;
    const char *detail;
};

struct collection {
    const char *prefix;
    enum record_kind kind; /* of the records that are meant, where several lie together */
    struct item items[NAMES_MAX];
    size_t count;
    uint64_t deadline_ms;
    bool more;
    bool failed;
};

static void collection_freep(struct collection **collection)
{
    for (size_t i = 0; *collection != NULL && i < (*collection)->count; i++)
        free((*collection)->items[i].name);
    free(*collection);
    *collection = NULL;
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Takes the name, unless it begins otherwise. False when there is no room or time for another. */
static bool collect(struct collection *collection, const char *name, const char *detail)
{
    size_t size = strlen(name) + 1;
    struct item *item = &collection->items[collection->count];

    if (begins(name, collection->prefix)) {
        collection->more = collection->count == NAMES_MAX;
        if (collection->more)
            return false;
        item->name = malloc(size + strlen(detail) + 1);
        collection->failed = item->name == NULL;
        if (collection->failed)
            return false;
        memcpy(item->name, name, size);
        item->detail = memcpy(item->name + size, detail, strlen(detail) + 1);
        collection->count++;
    }
    collection->more = clock_monotonic_ms() >= collection->deadline_ms;
    return !collection->more;
}

static bool collect_path(const struct record *record, void *context)
{
    bool boundary = placement_is_boundary(record);
    const char *step = boundary ? "boundary" : "step";

    return collect(context, record->where, placement_is_step(record) ? step : "folder");
}

static bool collect_placed(const struct record *record, void *context)
{
    struct collection *collection = context;
    const char *detail = record_has(record, "blocked") ? "blocked" : "";

    return record->kind != collection->kind || collect(collection, record->name, detail);
}

static bool collect_app(const struct record *record, void *context)
{
    return collect(context, record->where, "");
}

static bool collect_account(const struct record *record, void *context)
{
    char name[NAME_APP_MAX + NAME_LABEL_MAX + 2];

    snprintf(name, sizeof name, "%s:%s", record->where, record->name);
    return collect(context, name, "");
}

/* ---- the kinds ---- */

static enum status list_variables(struct vault *vault, const char *path, struct collection *collection,
                                  struct failure *failure)
{
    collection->kind = RECORD_VARIABLE;
    return record_visit_placed(vault, path, collect_placed, collection, failure);
}

static enum status list_variable(struct vault *vault, const struct names_request *request,
                                 struct collection *collection, struct failure *failure)
{
    return list_variables(vault, request->path, collection, failure);
}

static enum status list_inherited(struct vault *vault, const struct names_request *request,
                                  struct collection *collection, struct failure *failure)
{
    char path[NAME_PATH_MAX + 1];
    char above[NAME_PATH_MAX + 1];
    enum status status = STATUS_OK;

    memcpy(path, request->path, strlen(request->path) + 1);
    while (status == STATUS_OK && !collection->more && name_path_parent(above, path)) {
        status = list_variables(vault, above, collection, failure);
        memcpy(path, above, sizeof path);
    }
    return status;
}

/* Those that have old values, whether they are there now or not. */
static enum status list_past(struct vault *vault, const struct names_request *request,
                             struct collection *collection, struct failure *failure)
{
    collection->kind = RECORD_PAST_VARIABLE;
    return record_visit_past(vault, request->path, collect_placed, collection, failure);
}

static enum status list_alias(struct vault *vault, const struct names_request *request,
                              struct collection *collection, struct failure *failure)
{
    collection->kind = RECORD_BINDING;
    return record_visit_placed(vault, request->path, collect_placed, collection, failure);
}

/* The path in whose children the prefix is looked for: `billing` of `billing/no`, `/` of `bil`. */
static void read_parent(const char *prefix, char parent[NAME_PATH_MAX + 1])
{
    const char *slash = strrchr(prefix, '/');
    size_t size = slash != NULL ? (size_t)(slash - prefix) : 0;

    snprintf(parent, NAME_PATH_MAX + 1, "%.*s", (int)(size <= NAME_PATH_MAX ? size : 0), prefix);
    if (parent[0] == '\0')
        memcpy(parent, "/", sizeof "/");
}

static enum status list_path(struct vault *vault, const struct names_request *request,
                             struct collection *collection, struct failure *failure)
{
    char parent[NAME_PATH_MAX + 1];
    enum status status;

    read_parent(request->prefix, parent);
    (void)collect(collection, "/", "every step");
    status = record_visit_linked(vault, RECORD_LINK_CHILDREN, parent, collect_path, collection, failure);
    /* The only one is not the end of it, where there is something below. */
    if (status != STATUS_OK || collection->more || collection->count != 1 ||
        strcmp(collection->items[0].name, "/") == 0)
        return status;
    memcpy(parent, collection->items[0].name, strlen(collection->items[0].name) + 1);
    return record_visit_linked(vault, RECORD_LINK_CHILDREN, parent, collect_path, collection, failure);
}

static enum status list_account(struct vault *vault, const struct names_request *request,
                                struct collection *collection, struct failure *failure)
{
    (void)request;
    return record_visit_accounts(vault, collect_account, collection, failure);
}

/* A person has a few; they are read together. */
static enum status list_client(struct vault *vault, const struct names_request *request,
                               struct collection *collection, struct failure *failure)
{
    CLEANUP(records_reset) struct records clients = {0};
    enum status status = record_list_clients(vault, failure, &clients);

    (void)request;
    for (size_t i = 0; status == STATUS_OK && i < clients.count; i++) {
        if (!collect_account(&clients.items[i], collection))
            break;
    }
    return status;
}

static enum status list_app(struct vault *vault, const struct names_request *request,
                            struct collection *collection, struct failure *failure)
{
    (void)request;
    return record_visit_accounts(vault, collect_app, collection, failure);
}

static enum status list_property(struct vault *vault, const struct names_request *request,
                                 struct collection *collection, struct failure *failure)
{
    CLEANUP(record_reset) struct record account = {0};
    const char *name, *value;
    size_t position = 0, size;
    enum status status = account_resolve(vault, request->account, failure, &account);

    if (status == STATUS_NOT_FOUND || status == STATUS_AMBIGUOUS || status == STATUS_INVALID)
        return STATUS_OK;
    while (status == STATUS_OK && record_next(&account, PROPERTY_PREFIX, &position, &name, &value, &size) &&
           collect(collection, name, ""))
        continue;
    return status;
}

static const struct {
    const char *name;
    bool needs_path;
    bool needs_account;
    enum status (*list)(struct vault *vault, const struct names_request *request,
                        struct collection *collection, struct failure *failure);
} kinds[] = {
    {"path",      false, false, list_path     },
    {"variable",  true,  false, list_variable },
    {"inherited", true,  false, list_inherited},
    {"past",      true,  false, list_past     },
    {"account",   false, false, list_account  },
    {"client",    false, false, list_client   },
    {"app",       false, false, list_app      },
    {"alias",     true,  false, list_alias    },
    {"property",  false, true,  list_property },
};

static int compare_items(const void *left, const void *right)
{
    return strcmp(((const struct item *)left)->name, ((const struct item *)right)->name);
}

static void write_names(struct collection *collection, struct json_writer *writer)
{
    qsort(collection->items, collection->count, sizeof collection->items[0], compare_items);
    json_open_array(writer, "names");
    for (size_t i = 0; i < collection->count; i++) {
        if (i > 0 && strcmp(collection->items[i].name, collection->items[i - 1].name) == 0)
            continue;
        json_open_object(writer, NULL);
        json_add_text(writer, "name", collection->items[i].name);
        json_add_text(writer, "detail", collection->items[i].detail);
        json_close_object(writer);
    }
    json_close_array(writer);
    json_add_boolean(writer, "more", collection->more);
}

enum status names_list(struct vault *vault, const struct names_request *request, struct failure *failure,
                       struct json_writer *writer)
{
    CLEANUP(collection_freep) struct collection *collection = NULL;
    enum status status = request->path == NULL ? STATUS_OK : name_check_path(request->path, failure);
    size_t kind = 0;

    while (kind < sizeof kinds / sizeof kinds[0] && strcmp(kinds[kind].name, request->kind) != 0)
        kind++;
    if (status != STATUS_OK)
        return status;
    if (kind == sizeof kinds / sizeof kinds[0])
        return failure_set(
            failure, STATUS_INVALID,
            "kind is path, variable, inherited, past, account, client, app, alias or property");
    if ((kinds[kind].needs_path && request->path == NULL) ||
        (kinds[kind].needs_account && request->account == NULL))
        return failure_set(failure, STATUS_INVALID, "names of the kind %s need %s", kinds[kind].name,
                           kinds[kind].needs_path ? "a path" : "an account");
    collection = calloc(1, sizeof *collection);
    if (collection == NULL)
        return failure_set_no_memory(failure);
    collection->prefix = request->prefix;
    collection->deadline_ms = clock_monotonic_ms() + NAMES_TIME_MS;
    status = kinds[kind].list(vault, request, collection, failure);
    if (status == STATUS_OK && collection->failed)
        status = failure_set_no_memory(failure);
    if (status == STATUS_OK)
        write_names(collection, writer);
    return status;
}

/* ---- the nearest ---- */

struct nearest {
    const char *wanted;
    enum names_sort sort;
    unsigned distance;
    size_t looked_at;
    char *name;
};

static bool consider(const struct record *record, void *context)
{
    struct nearest *nearest = context;
    const char *name =
        nearest->sort == NAMES_PATH || nearest->sort == NAMES_APP ? record->where : record->name;
    unsigned distance;

    if (nearest->sort == NAMES_VARIABLE && record->kind != RECORD_VARIABLE)
        return true;
    distance = text_distance(nearest->wanted, name, NEAR_ENOUGH);
    /* Two changes make any short word into any other. */
    if (distance > 0 && distance < nearest->distance && distance < strlen(name)) {
        nearest->distance = distance;
        snprintf(nearest->name, NAMES_NEAR_SIZE, "%s", name);
    }
    return ++nearest->looked_at < NEAR_LOOKED_AT;
}

enum status names_near(struct vault *vault, enum names_sort sort, const char *where, const char *name,
                       struct failure *failure, char ret_near[NAMES_NEAR_SIZE])
{
    struct nearest nearest = {.wanted = name, .sort = sort, .distance = NEAR_ENOUGH + 1, .name = ret_near};

    ret_near[0] = '\0';
    switch (sort) {
    case NAMES_VARIABLE:
        return record_visit_placed(vault, where, consider, &nearest, failure);
    case NAMES_APP:
        return record_visit_accounts(vault, consider, &nearest, failure);
    case NAMES_LABEL:
        return record_visit_linked(vault, RECORD_LINK_APP, where, consider, &nearest, failure);
    case NAMES_PATH:
        return record_visit_linked(vault, RECORD_LINK_CHILDREN, where, consider, &nearest, failure);
    }
    return STATUS_OK;
}
