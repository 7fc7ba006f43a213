/* One entry: its shape by the tables, then what tables cannot say, then the typed view of it. */
#include "catalog/app.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "catalog/facts.h"
#include "catalog/path.h"
#include "catalog/pattern.h"
#include "catalog/placeholder.h"
#include "catalog/shape.h"

#include <stdlib.h>
#include <string.h>

/* What an OAuth flow gives, so that no entry has to say it. The access token alone is needed by hand. */
static const struct app_field oauth_fields[] = {
    {.name = "oauth_access_token",
     .title = "Access token",
     .from = "token",
     .hidden = true,
     .required = true},
    {.name = "oauth_refresh_token",                   .title = "Refresh token",                                                    .from = "token",                                      .hidden = true},
    {.name = "oauth_client_id",                   .title = "Id of the OAuth client",.from = "token"},
    {.name = "oauth_uid",.title = "User id at the provider",               .from = "userinfo"                                                                 },
};
#define OAUTH_FIELD_COUNT (sizeof(oauth_fields) / sizeof(oauth_fields[0]))

/* Where in which entry something is wrong. */
struct place {
    const char *what;
    const char *method;
    struct failure *failure;
};

static enum status fault(const struct place *place, const char *member, const char *name, const char *reason)
{
    return failure_set(place->failure, STATUS_INVALID, "%s: methods.%s.%s%s%s %s", place->what, place->method,
                       member, name != NULL ? "." : "", name != NULL ? name : "", reason);
}

const char *app_kind_name(enum app_kind kind)
{
    return shape_kinds[kind];
}

const struct app_field *app_find_field(const struct app_method *method, const char *name)
{
    for (size_t i = 0; i < method->field_count; i++) {
        if (strcmp(method->fields[i].name, name) == 0)
            return &method->fields[i];
    }
    return NULL;
}

const struct app_method *app_find_method(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->method_count; i++) {
        if (strcmp(app->methods[i].name, name) == 0)
            return &app->methods[i];
    }
    return NULL;
}

const struct app_method *app_oauth_method(const struct app *app)
{
    for (size_t i = 0; i < app->method_count; i++) {
        if (app->methods[i].oauth != NULL)
            return &app->methods[i];
    }
    return NULL;
}

/* ---- fields ---- */

static bool is_listed(const struct json *texts, const char *text)
{
    for (size_t i = 0; i < json_count(texts); i++) {
        if (strcmp(json_text(json_at(texts, i), NULL), text) == 0)
            return true;
    }
    return false;
}

static bool value_fits(const struct app_field *field, const char *text)
{
    if (field->values != NULL && !is_listed(field->values, text))
        return false;
    return field->pattern == NULL || pattern_fits(field->pattern, text);
}

static enum status say_values(const struct app_field *field, struct failure *failure)
{
    char list[256] = "";
    size_t size = 0;

    for (size_t i = 0; i < json_count(field->values) && size < sizeof(list); i++)
        size += (size_t)snprintf(list + size, sizeof(list) - size, "%s%s", i > 0 ? ", " : "",
                                 json_text(json_at(field->values, i), NULL));
    return failure_set(failure, STATUS_INVALID, "the value of %s is not one of %s", field->name, list);
}

enum status app_check_value(const struct app_field *field, const char *text, struct failure *failure)
{
    if (text[0] == '\0' && field->required)
        return failure_set(failure, STATUS_INVALID, "the value of %s is empty", field->name);
    if (text[0] == '\0' || value_fits(field, text))
        return STATUS_OK;
    if (field->values != NULL)
        return say_values(field, failure);
    if (strlen(text) > PATTERN_TEXT_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the value of %s is longer than the %d bytes that are held to a pattern",
                           field->name, PATTERN_TEXT_MAX);
    return failure_set(failure, STATUS_INVALID, "the value of %s does not fit the pattern %s%s%s",
                       field->name, field->pattern, field->example != NULL ? ", as does " : "",
                       field->example != NULL ? field->example : "");
}

static enum status check_field(const struct place *place, const struct app_field *field)
{
    const char *reason = field->pattern != NULL ? pattern_fault(field->pattern) : NULL;

    if (reason != NULL)
        return failure_set(place->failure, STATUS_INVALID, "%s: methods.%s.fields.%s.pattern is none: %s",
                           place->what, place->method, field->name, reason);
    if (field->pattern != NULL && field->values != NULL)
        return fault(place, "fields", field->name, "has a pattern and values; it can have one of them");
    if (field->as != NULL && field->from == NULL)
        return fault(place, "fields", field->name, "has as without from");
    if (field->as != NULL && strcmp(field->from, "redirect") != 0 && path_fault(field->as) != NULL)
        return fault(place, "fields", field->name, path_fault(field->as));
    if (field->fallback != NULL && !value_fits(field, field->fallback))
        return fault(place, "fields", field->name, "has a default that it does not take");
    if (field->example != NULL && !value_fits(field, field->example))
        return fault(place, "fields", field->name, "has an example that it does not take");
    return STATUS_OK;
}

/* Behind the entry's own, and only where it has none of that name. */
static void add_oauth_fields(struct app_method *method)
{
    for (size_t i = 0; i < OAUTH_FIELD_COUNT; i++) {
        struct app_field *field = &method->fields[method->field_count];

        if (app_find_field(method, oauth_fields[i].name) != NULL)
            continue;
        *field = oauth_fields[i];
        field->required = field->required && method->kind == APP_OAUTH2;
        field->unasked = !field->required;
        method->field_count++;
    }
}

static enum status read_fields(struct app_method *method, const struct place *place)
{
    const struct json *fields = json_member(method->entry, "fields");
    void *iterator = NULL;
    const struct json *entry;
    const char *name;

    method->fields = calloc(json_count(fields) + OAUTH_FIELD_COUNT, sizeof(*method->fields));
    if (method->fields == NULL)
        return failure_set_no_memory(place->failure);
    while (json_next(fields, &iterator, &name, &entry)) {
        struct app_field *field = &method->fields[method->field_count];

        *field = (struct app_field){.name = name,
                                    .title = json_member_text(entry, "title"),
                                    .pattern = json_member_text(entry, "pattern"),
                                    .values = json_member(entry, "values"),
                                    .fallback = json_member_text(entry, "default"),
                                    .example = json_member_text(entry, "example"),
                                    .from = json_member_text(entry, "from"),
                                    .as = json_member_text(entry, "as"),
                                    .hidden = json_member_boolean(entry, "hidden", true)};
        field->required = field->from == NULL && !json_member_boolean(entry, "optional", false);
        field->unasked = field->from != NULL && field->hidden;
        method->field_count++;
    }
    if (method->kind == APP_OAUTH2 || json_member(method->entry, "oauth") != NULL)
        add_oauth_fields(method);
    for (size_t i = 0; i < method->field_count; i++) {
        enum status status = check_field(place, &method->fields[i]);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- what tables cannot say of a method ---- */

typedef const char *template_check(const struct app_method *method, const char *text);

static enum status check_template(const struct app_method *method, const struct json *object,
                                  const char *member, const char *name, template_check *check,
                                  const struct place *place)
{
    const char *text = json_member_text(object, name);
    const char *reason = text != NULL ? check(method, text) : NULL;

    return reason != NULL ? fault(place, member, name, reason) : STATUS_OK;
}

static enum status check_map(const struct app_method *method, const struct json *map, const char *member,
                             const struct place *place)
{
    enum status status = STATUS_OK;
    void *iterator = NULL;
    const struct json *text;
    const char *name;

    while (status == STATUS_OK && json_next(map, &iterator, &name, &text))
        status = check_template(method, map, member, name, placeholder_fault, place);
    return status;
}

static enum status check_request(const struct app_method *method, const struct place *place)
{
    const struct json *request = json_member(method->entry, "request");
    enum status status = check_template(method, request, "request", "base", placeholder_url_fault, place);

    if (status == STATUS_OK)
        status =
            check_template(method, request, "request", "connection", placeholder_connection_fault, place);
    if (status == STATUS_OK)
        status = check_map(method, json_member(request, "headers"), "request.headers", place);
    if (status == STATUS_OK)
        status = check_map(method, json_member(request, "query"), "request.query", place);
    if (status == STATUS_OK)
        status = check_map(method, json_member(request, "basic"), "request.basic", place);
    return status;
}

/* `test` or `whoami`. */
static enum status check_test(const struct app_method *method, const char *member, const struct place *place)
{
    const struct json *test = json_member(method->entry, member);
    const char *url = json_member_text(test, "url");
    const char *reason = NULL;
    char headers[32];

    if (test == NULL)
        return STATUS_OK;
    if (url != NULL)
        reason = url[0] == '/' ? placeholder_fault(method, url) : placeholder_url_fault(method, url);
    if (reason != NULL)
        return fault(place, member, "url", reason);
    if ((url == NULL || url[0] == '/') &&
        json_member_text(json_member(method->entry, "request"), "base") == NULL)
        return fault(place, member, NULL, "needs request.base");
    snprintf(headers, sizeof(headers), "%s.headers", member);
    return check_map(method, json_member(test, "headers"), headers, place);
}

/* What belongs to which kind. */
static enum status check_kind(const struct app_method *method, const struct place *place)
{
    const struct json *request = json_member(method->entry, "request");
    bool has_oauth = method->oauth != NULL || method->oauth_of != NULL;
    bool needs_one = true;

    if (method->kind == APP_OAUTH2 && !has_oauth)
        return fault(place, "oauth", NULL, "is missing");
    if ((method->kind == APP_API_KEY || method->kind == APP_BASIC) && has_oauth)
        return fault(place, "oauth", NULL, "belongs to the kinds oauth2 and custom");
    if (!has_oauth && json_member(method->entry, "scopes") != NULL)
        return fault(place, "scopes", NULL, "belongs to methods with oauth");
    if (method->kind == APP_BASIC && json_member(request, "basic") == NULL)
        return fault(place, "request", NULL, "has no basic");
    if (method->kind == APP_API_KEY && json_member(request, "headers") == NULL &&
        json_member(request, "query") == NULL)
        return fault(place, "request", NULL, "has neither headers nor a query");
    for (size_t i = 0; i < method->field_count; i++)
        needs_one = needs_one && !method->fields[i].required;
    return needs_one ? fault(place, "fields", NULL, "has no field that is required") : STATUS_OK;
}

static enum status read_method(struct app_method *method, const char *name, const struct json *entry,
                               const struct place *place)
{
    const char *kind = json_member_text(entry, "kind");
    const struct json *oauth = json_member(entry, "oauth");
    const char *docs = json_member_text(entry, "docs");
    enum status status;

    *method = (struct app_method){.name = name, .title = json_member_text(entry, "title"), .entry = entry};
    while (strcmp(shape_kinds[method->kind], kind) != 0)
        method->kind++;
    method->oauth_of = json_text(oauth, NULL);
    method->oauth = method->oauth_of == NULL ? oauth : NULL;
    if (docs != NULL && strncmp(docs, "https://", 8) != 0 && strncmp(docs, "http://", 7) != 0)
        return fault(place, "docs", NULL, "is no address");
    status = read_fields(method, place);
    if (status == STATUS_OK)
        status = check_kind(method, place);
    if (status == STATUS_OK)
        status = check_request(method, place);
    if (status == STATUS_OK)
        status = check_test(method, "test", place);
    if (status == STATUS_OK)
        status = check_test(method, "whoami", place);
    return status == STATUS_OK ? facts_check(method, place->what, place->failure) : status;
}

/* ---- the entry ---- */

static enum status check_slug(const char *slug, const char *what, struct failure *failure)
{
    struct failure reason;

    if (name_check_app(slug, &reason) != STATUS_OK)
        return failure_set(failure, STATUS_INVALID, "%s: %s", what, reason.sentence);
    if (strchr(slug, '-') != NULL)
        return failure_set(failure, STATUS_INVALID, "%s: the slug %s has a -; it is written with _", what,
                           slug);
    return STATUS_OK;
}

static enum status read_app(struct app *app, const char *what, struct failure *failure)
{
    const struct json *methods = json_member(app->document, "methods");
    const struct json *also = json_member(app->document, "also");
    void *iterator = NULL;
    const struct json *entry;
    const char *name;
    enum status status;

    app->slug = json_member_text(app->document, "slug");
    app->title = json_member_text(app->document, "title");
    app->overrides = json_member_boolean(app->document, "overrides", false);
    status = check_slug(app->slug, what, failure);
    for (size_t i = 0; status == STATUS_OK && i < json_count(also); i++)
        status = check_slug(json_text(json_at(also, i), NULL), what, failure);
    if (status != STATUS_OK)
        return status;
    app->methods = calloc(json_count(methods), sizeof(*app->methods));
    if (app->methods == NULL)
        return failure_set_no_memory(failure);
    while (status == STATUS_OK && json_next(methods, &iterator, &name, &entry)) {
        const struct place place = {.what = what, .method = name, .failure = failure};

        status = read_method(&app->methods[app->method_count++], name, entry, &place);
    }
    return status;
}

enum status app_parse(const void *bytes, size_t size, const char *what, struct failure *failure,
                      struct app **ret_app)
{
    CLEANUP(app_freep) struct app *app = calloc(1, sizeof(*app));
    enum status status;

    if (app == NULL)
        return failure_set_no_memory(failure);
    if (size > APP_TEXT_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "%s is larger than 64 KiB", what);
    status = json_parse(bytes, size, what, failure, &app->document);
    if (status == STATUS_OK)
        status = schema_check(shape_app, app->document, what, failure);
    if (status == STATUS_OK)
        status = read_app(app, what, failure);
    if (status == STATUS_OK)
        *ret_app = TAKE(app);
    return status;
}

void app_freep(struct app **app)
{
    if (*app == NULL)
        return;
    for (size_t i = 0; i < (*app)->method_count; i++)
        free((*app)->methods[i].fields);
    free((*app)->methods);
    json_freep(&(*app)->document);
    free(*app);
    *app = NULL;
}
