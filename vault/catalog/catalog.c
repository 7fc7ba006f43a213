/* Looking up: an own file by its name, ours in the table of the build; only what is asked for is parsed. */
#include "catalog/catalog.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".json"
#define METHODS_MAX 512

/* ---- ours ---- */

static const struct catalog_entry *find_entry(const char *slug)
{
    for (const struct catalog_entry *entry = catalog_entries; entry->slug != NULL; entry++) {
        if (strcmp(entry->slug, slug) == 0)
            return entry;
    }
    return NULL;
}

static enum status parse_entry(const struct catalog_entry *entry, struct failure *failure,
                               struct app **ret_app)
{
    return app_parse(entry->text, entry->size, entry->slug, failure, ret_app);
}

enum status catalog_slug(const char *name, struct failure *failure, char ret_slug[NAME_APP_MAX + 1])
{
    enum status status = name_check_app(name, failure);
    size_t length = strlen(name);

    if (status != STATUS_OK)
        return status;
    memcpy(ret_slug, name, length + 1);
    for (char *dash = strchr(ret_slug, '-'); dash != NULL; dash = strchr(dash, '-'))
        *dash = '_';
    for (const struct catalog_alias *alias = catalog_aliases; alias->name != NULL; alias++) {
        if (strcmp(alias->name, ret_slug) == 0)
            snprintf(ret_slug, NAME_APP_MAX + 1, "%s", alias->slug);
    }
    return STATUS_OK;
}

/* ---- the user's own ---- */

static bool own_path(const char *slug, char path[PATH_MAX])
{
    char name[sizeof("apps/") + NAME_APP_MAX + sizeof(SUFFIX)];

    snprintf(name, sizeof(name), "apps/%s" SUFFIX, slug);
    return file_settings_path(name, path);
}

/* Whoever can write the folder can put any file of ours in the place of one that is asked for. */
static enum status check_own_folder(struct failure *failure)
{
    char folder[PATH_MAX];
    char resolved[PATH_MAX];

    if (!file_settings_path("apps", folder) || realpath(folder, resolved) == NULL)
        return failure_set(failure, STATUS_NOT_FOUND, "there is no folder of own apps");
    return file_check_folder(resolved, false, failure);
}

/* The own app of `slug`. STATUS_NOT_FOUND if there is no such file. */
static enum status find_own(const char *slug, struct failure *failure, struct app **ret_app)
{
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(app_freep) struct app *app = NULL;
    char path[PATH_MAX];
    enum status status;

    if (!own_path(slug, path))
        return failure_set(failure, STATUS_NOT_FOUND, "there is no own app %s", slug);
    status = file_read_settings(path, APP_TEXT_MAX, failure, &text);
    if (status == STATUS_OK)
        status = check_own_folder(failure);
    if (status == STATUS_OK)
        status = app_parse(text.bytes, text.size, path, failure, &app);
    if (status != STATUS_OK)
        return status;
    if (strcmp(app->slug, slug) != 0)
        return failure_set(failure, STATUS_INVALID, "%s: the slug in it is not %s, as the file's name has it",
                           path, slug);
    if (find_entry(slug) != NULL && !app->overrides)
        return failure_set(
            failure, STATUS_EXISTS,
            "%s: the catalogue has an app %s; to take its place the file says \"overrides\": true", path,
            slug);
    *ret_app = TAKE(app);
    return STATUS_OK;
}

/* ---- own and ours ---- */

struct nearest {
    const char *wanted;
    char slug[NAME_APP_MAX + 1];
    unsigned distance;
};

static void consider(struct nearest *nearest, const char *name, const char *slug)
{
    unsigned distance = text_distance(nearest->wanted, name, nearest->distance);

    if (distance < nearest->distance) {
        nearest->distance = distance;
        snprintf(nearest->slug, sizeof(nearest->slug), "%s", slug);
    }
}

static void consider_found(void *context, const struct catalog_found *found)
{
    if (found->failure == NULL)
        consider(context, found->slug, found->slug);
}

bool catalog_nearest(const char *slug, char ret_nearest[NAME_APP_MAX + 1])
{
    /* One letter of a short name may be wrong, and two of a longer one. */
    struct nearest nearest = {.wanted = slug, .distance = strlen(slug) < 6 ? 2 : 3};

    catalog_list(consider_found, &nearest);
    for (const struct catalog_alias *alias = catalog_aliases; alias->name != NULL; alias++)
        consider(&nearest, alias->name, alias->slug);
    memcpy(ret_nearest, nearest.slug, sizeof(nearest.slug));
    return nearest.slug[0] != '\0';
}

static enum status not_found(const char *slug, struct failure *failure)
{
    char nearest[NAME_APP_MAX + 1];

    if (catalog_nearest(slug, nearest))
        return failure_set(failure, STATUS_NOT_FOUND, "the catalogue has no app %s; did you mean %s?", slug,
                           nearest);
    return failure_set(failure, STATUS_NOT_FOUND, "the catalogue has no app %s", slug);
}

enum status catalog_find(const char *slug, struct failure *failure, struct app **ret_app, bool *ret_own)
{
    const struct catalog_entry *entry = find_entry(slug);
    enum status status = find_own(slug, failure, ret_app);

    if (ret_own != NULL)
        *ret_own = status == STATUS_OK;
    if (status != STATUS_NOT_FOUND)
        return status;
    return entry != NULL ? parse_entry(entry, failure, ret_app) : not_found(slug, failure);
}

enum status catalog_oauth(const struct app_method *method, struct failure *failure, struct app **ret_other,
                          const struct json **ret_oauth)
{
    const struct catalog_entry *entry;
    const struct app_method *other;
    enum status status;

    *ret_other = NULL;
    *ret_oauth = method->oauth;
    if (method->oauth_of == NULL)
        return STATUS_OK;
    entry = find_entry(method->oauth_of);
    if (entry == NULL)
        return failure_set(failure, STATUS_INVALID, "the catalogue has no app %s, whose OAuth is meant",
                           method->oauth_of);
    status = parse_entry(entry, failure, ret_other);
    if (status != STATUS_OK)
        return status;
    other = app_oauth_method(*ret_other);
    if (other == NULL)
        return failure_set(failure, STATUS_INVALID, "the app %s has no OAuth facts of its own",
                           method->oauth_of);
    *ret_oauth = other->oauth;
    return STATUS_OK;
}

/* ---- listing ---- */

struct slugs {
    char (*names)[NAME_APP_MAX + 1];
    size_t count;
};

static void slugs_reset(struct slugs *slugs)
{
    free(slugs->names);
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

static int compare_slugs(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The slug in the name of a file `slug.json`; false if it is no such name. */
static bool slug_of_file(const char *name, char slug[NAME_APP_MAX + 1])
{
    size_t length = strlen(name);
    struct failure ignored;

    if (length <= strlen(SUFFIX) || length - strlen(SUFFIX) > NAME_APP_MAX ||
        strcmp(name + length - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    length -= strlen(SUFFIX);
    memcpy(slug, name, length);
    slug[length] = '\0';
    return name_check_app(slug, &ignored) == STATUS_OK;
}

/* The slugs of the own files, sorted. What has another name than an app's file is none. */
static enum status list_own(struct failure *failure, struct slugs *ret_slugs)
{
    CLEANUP(close_folder) DIR *folder = NULL;
    char path[PATH_MAX];
    enum status status = check_own_folder(failure);
    const struct dirent *file;

    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (!file_settings_path("apps", path) || (folder = opendir(path)) == NULL)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot list the folder of own apps");
    ret_slugs->names = calloc(CATALOG_OWN_MAX, sizeof(*ret_slugs->names));
    if (ret_slugs->names == NULL)
        return failure_set_no_memory(failure);
    while ((file = readdir(folder)) != NULL) {
        if (ret_slugs->count == CATALOG_OWN_MAX)
            return failure_set(failure, STATUS_TOO_LARGE, "there are more than %d own apps in %s",
                               CATALOG_OWN_MAX, path);
        if (slug_of_file(file->d_name, ret_slugs->names[ret_slugs->count]))
            ret_slugs->count++;
    }
    qsort(ret_slugs->names, ret_slugs->count, sizeof(*ret_slugs->names), compare_slugs);
    return STATUS_OK;
}

struct listing {
    void (*take)(void *context, const struct catalog_found *found);
    void *context;
};

static void take_entry(const struct listing *listing, const struct catalog_entry *entry)
{
    const struct catalog_found found = {
        .slug = entry->slug, .title = entry->title, .methods = entry->methods};

    listing->take(listing->context, &found);
}

static void take_own(const struct listing *listing, const char *slug)
{
    CLEANUP(app_freep) struct app *app = NULL;
    struct failure failure;
    struct catalog_found found = {.slug = slug, .own = true};
    char methods[METHODS_MAX] = "";
    size_t size = 0;

    if (find_own(slug, &failure, &app) != STATUS_OK) {
        found.failure = &failure;
        listing->take(listing->context, &found);
        if (find_entry(slug) != NULL)
            take_entry(listing, find_entry(slug));
        return;
    }
    for (size_t i = 0; i < app->method_count && size < sizeof(methods); i++)
        size += (size_t)snprintf(methods + size, sizeof(methods) - size, "%s%s", i > 0 ? ", " : "",
                                 app->methods[i].name);
    found.title = app->title;
    found.methods = methods;
    listing->take(listing->context, &found);
}

void catalog_list(void (*take)(void *context, const struct catalog_found *found), void *context)
{
    const struct listing listing = {.take = take, .context = context};
    CLEANUP(slugs_reset) struct slugs own = {0};
    const struct catalog_entry *entry = catalog_entries;
    struct failure failure;
    size_t at = 0;

    if (list_own(&failure, &own) != STATUS_OK) {
        const struct catalog_found found = {.own = true, .failure = &failure};

        own.count = 0;
        take(context, &found);
    }
    while (entry->slug != NULL || at < own.count) {
        int order = entry->slug == NULL ? 1 : at == own.count ? -1 : strcmp(entry->slug, own.names[at]);

        if (order >= 0)
            take_own(&listing, own.names[at++]);
        else
            take_entry(&listing, entry);
        if (order <= 0)
            entry++;
    }
}
