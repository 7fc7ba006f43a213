/* From a terminal field by field, from stdin as one object; the checks are the same. */
#include "intake.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "catalog/catalog.h"
#include "client/client.h"
#include "option.h"
#include "output.h"
#include "prompt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX 384
#define QUESTION_MAX 480
#define TRIES 3 /* for a value that does not fit */

static void append_name(char list[LIST_MAX], const char *name)
{
    size_t size = strlen(list);

    snprintf(list + size, LIST_MAX - size, "%s%s", size > 0 ? ", " : "", name);
}

/* ---- the app and its method ---- */

enum status intake_find_method(const struct app *app, const char *slug, const char *name,
                               struct failure *failure, const struct app_method **ret_method)
{
    const struct app_method *method = app_find_method(app, name);
    struct option_nearest nearest = {.wanted = name};
    char list[LIST_MAX] = "";

    if (method != NULL) {
        *ret_method = method;
        return STATUS_OK;
    }
    for (size_t i = 0; i < app->method_count; i++) {
        option_consider(&nearest, app->methods[i].name);
        append_name(list, app->methods[i].name);
    }
    if (nearest.name != NULL)
        return failure_set(failure, STATUS_NOT_FOUND, "%s has no method %.64s; did you mean %s?", slug, name,
                           nearest.name);
    return failure_set(failure, STATUS_NOT_FOUND, "%s has no method %.64s; it has %s", slug, name, list);
}

enum status intake_start(const char *app, const char *method, bool connects, struct failure *failure,
                         struct intake *ret_intake)
{
    CLEANUP(intake_reset) struct intake intake = {.connects = connects};
    char nearest[NAME_APP_MAX + 1];
    enum status status = catalog_slug(app, failure, intake.slug);

    if (status != STATUS_OK)
        return status;
    status = catalog_find(intake.slug, failure, &intake.app, NULL);
    if (status == STATUS_NOT_FOUND && method == NULL) {
        if (catalog_nearest(intake.slug, nearest))
            output_note("the catalogue has no app %s, so that it takes any property; did you mean %s?",
                        intake.slug, nearest);
        status = STATUS_OK;
    }
    if (status == STATUS_OK && intake.app != NULL && intake.app->method_count == 1)
        intake.method = &intake.app->methods[0];
    if (status == STATUS_OK && method != NULL)
        status = intake_find_method(intake.app, intake.slug, method, failure, &intake.method);
    if (status != STATUS_OK)
        return status;
    *ret_intake = intake;
    intake.app = NULL;
    return STATUS_OK;
}

void intake_reset(struct intake *intake)
{
    app_freep(&intake->app);
    intake->method = NULL;
}

static bool is_given(const struct json *properties, const struct app_field *field)
{
    size_t size = 0;

    return json_text(json_member(properties, field->name), &size) != NULL && size > 0;
}

/* Lists the required fields that are not given and have no default. True if there are none. */
static bool is_complete(const struct app_method *method, const struct json *properties,
                        char ret_missing[LIST_MAX])
{
    ret_missing[0] = '\0';
    for (size_t i = 0; i < method->field_count; i++) {
        const struct app_field *field = &method->fields[i];

        if (field->required && field->fallback == NULL && !is_given(properties, field))
            append_name(ret_missing, field->name);
    }
    return ret_missing[0] == '\0';
}

/* How well the properties fit a method that they are enough for. */
static size_t count_known(const struct app_method *method, const struct json *properties)
{
    size_t known = 0;

    for (size_t i = 0; i < method->field_count; i++)
        known += is_given(properties, &method->fields[i]);
    return known;
}

/* The method that the properties fit best, of equals the first; where a token could be fetched it need not
 * be, if another method takes what is there. */
static enum status choose_method(struct intake *intake, const struct json *properties,
                                 struct failure *failure)
{
    char needs[LIST_MAX] = "";
    size_t size = 0;
    size_t best = 0;

    for (size_t i = 0; i < intake->app->method_count; i++) {
        const struct app_method *method = &intake->app->methods[i];
        char missing[LIST_MAX];
        size_t known;

        if (!is_complete(method, properties, missing)) {
            if (size < sizeof(needs))
                size += (size_t)snprintf(needs + size, sizeof(needs) - size, "%s%s needs %s",
                                         size > 0 ? "; " : "", method->name, missing);
            continue;
        }
        known = count_known(method, properties);
        if (intake->connects && method->kind != APP_OAUTH2)
            known += method->field_count + 1;
        if (intake->method == NULL || known > best) {
            intake->method = method;
            best = known;
        }
    }
    if (intake->method != NULL)
        return STATUS_OK;
    return failure_set(failure, STATUS_INVALID, "the properties fit no method of %s: %s", intake->slug,
                       needs);
}

static enum status ask_method(struct intake *intake, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    char list[LIST_MAX] = "";
    char question[QUESTION_MAX];
    enum status status;

    for (size_t i = 0; i < intake->app->method_count; i++)
        append_name(list, intake->app->methods[i].name);
    snprintf(question, sizeof(question), "Method (%s) [%s]: ", list, intake->app->methods[0].name);
    status = prompt_line(question, false, NAME_ALIAS_MAX, "the method", failure, &line);
    if (status != STATUS_OK)
        return status;
    intake->method =
        line.size == 0 ? &intake->app->methods[0] : app_find_method(intake->app, secret_text(&line));
    if (intake->method == NULL)
        return failure_set(failure, STATUS_INVALID, "%s has no such method; it has %s", intake->slug, list);
    return STATUS_OK;
}

enum status intake_choose(struct intake *intake, struct failure *failure)
{
    return intake->app != NULL && intake->method == NULL && isatty(STDIN_FILENO) ? ask_method(intake, failure)
                                                                                 : STATUS_OK;
}

bool intake_fetches(const struct intake *intake)
{
    return intake->connects && intake->method != NULL && intake->method->kind == APP_OAUTH2;
}

/* Properties that chose a method whose tokens are to be fetched. */
static enum status refuse_tokens(const struct intake *intake, struct failure *failure)
{
    if (!intake_fetches(intake))
        return STATUS_OK;
    return failure_set(
        failure, STATUS_REFUSED,
        "the tokens of %s (method %s) are fetched where --method %s is given; those that were got "
        "elsewhere are added with: stepvault account add %s --method %s",
        intake->slug, intake->method->name, intake->method->name, intake->slug, intake->method->name);
}

void intake_note_beyond(const char *slug, const char *property)
{
    CLEANUP(app_freep) struct app *app = NULL;
    struct option_nearest nearest = {.wanted = property};
    struct failure failure = {0};

    if (catalog_find(slug, &failure, &app, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < app->method_count; i++) {
        if (app_find_field(&app->methods[i], property) != NULL)
            return;
        for (size_t j = 0; j < app->methods[i].field_count; j++)
            option_consider(&nearest, app->methods[i].fields[j].name);
    }
    output_note("the catalogue does not know of %s for %s; kept all the same%s%s%s", property, slug,
                nearest.name != NULL ? "; did you mean " : "", nearest.name != NULL ? nearest.name : "",
                nearest.name != NULL ? "?" : "");
}

/* ---- as an object ---- */

enum status intake_check_property(const char *name, const struct secret *value, struct failure *failure)
{
    enum status status = name_check_property(name, failure);

    if (status == STATUS_OK && !text_is_utf8(value->bytes, value->size))
        return failure_set(failure, STATUS_INVALID, "the value of %s is not UTF-8 text", name);
    return status;
}

static enum status check_object(const struct json *properties, struct failure *failure)
{
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    if (json_kind(properties) != JSON_KIND_OBJECT)
        return failure_set(failure, STATUS_INVALID,
                           "the properties on stdin are not a JSON object of strings");
    while (json_next(properties, &iterator, &name, &value)) {
        size_t size = 0;
        enum status status = name_check_property(name, failure);

        if (status != STATUS_OK)
            return status;
        if (json_text(value, &size) == NULL)
            return failure_set(failure, STATUS_INVALID, "the property %s is not a string", name);
        if (size > NAME_VALUE_MAX)
            return failure_set(failure, STATUS_TOO_LARGE, "the value of %s is larger than 64 KiB (%d bytes)",
                               name, NAME_VALUE_MAX);
    }
    return STATUS_OK;
}

/* Each value by its field; what no field is of is taken, and said. */
static enum status check_values(const struct intake *intake, const struct json *properties,
                                struct failure *failure)
{
    char beyond[LIST_MAX] = "";
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    while (json_next(properties, &iterator, &name, &value)) {
        const struct app_field *field = app_find_field(intake->method, name);
        enum status status = STATUS_OK;

        if (field == NULL)
            append_name(beyond, name);
        else
            status = app_check_value(field, json_text(value, NULL), failure);
        if (status != STATUS_OK)
            return status;
    }
    if (beyond[0] != '\0')
        output_note("the catalogue does not know of %s for %s (method %s); kept all the same", beyond,
                    intake->slug, intake->method->name);
    return STATUS_OK;
}

static enum status check_intake(struct intake *intake, const struct json *properties, struct failure *failure)
{
    char missing[LIST_MAX];
    enum status status = intake->method == NULL ? choose_method(intake, properties, failure) : STATUS_OK;

    if (status == STATUS_OK)
        status = refuse_tokens(intake, failure);
    if (status != STATUS_OK)
        return status;
    if (!is_complete(intake->method, properties, missing))
        return failure_set(failure, STATUS_INVALID, "an account of %s (method %s) needs %s", intake->slug,
                           intake->method->name, missing);
    return check_values(intake, properties, failure);
}

static void write_object(const struct intake *intake, const struct json *properties,
                         struct json_writer *writer)
{
    void *iterator = NULL;
    const struct json *value;
    const char *name;

    json_open_object(writer, "properties");
    while (json_next(properties, &iterator, &name, &value))
        json_add_value(writer, name, value);
    for (size_t i = 0; intake->method != NULL && i < intake->method->field_count; i++) {
        const struct app_field *field = &intake->method->fields[i];

        if (field->required && field->fallback != NULL && json_member(properties, field->name) == NULL)
            json_add_text(writer, field->name, field->fallback);
    }
    json_close_object(writer);
}

/* Whoever has nothing on stdin means to have it fetched, by a method that they did not say. */
static enum status refuse_open_method(const struct intake *intake, struct failure *failure)
{
    char list[LIST_MAX] = "";

    for (size_t i = 0; i < intake->app->method_count; i++)
        append_name(list, intake->app->methods[i].name);
    return failure_set(failure, STATUS_AMBIGUOUS,
                       "%s has several methods, and --method names none of them: %s", intake->slug, list);
}

static enum status read_object(struct intake *intake, struct json_writer *writer, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(json_freep) struct json *properties = NULL;
    enum status status = file_read_all(STDIN_FILENO, CLIENT_REQUEST_MAX,
                                       "the JSON object of properties on stdin", failure, &text);

    if (status == STATUS_OK && text.size == 0 && intake->connects && intake->app != NULL &&
        intake->method == NULL)
        return refuse_open_method(intake, failure);
    if (status == STATUS_OK)
        status = json_parse(text.bytes, text.size, "what was read from stdin", failure, &properties);
    if (status == STATUS_OK)
        status = check_object(properties, failure);
    if (status == STATUS_OK && intake->app != NULL)
        status = check_intake(intake, properties, failure);
    if (status == STATUS_OK)
        write_object(intake, properties, writer);
    return status;
}

/* ---- on a terminal ---- */

static enum status ask_any(struct json_writer *writer, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret name = {0};
    CLEANUP(secret_reset) struct secret value = {0};
    enum status status;

    for (;;) {
        status = prompt_line("Property (empty: no more): ", false, NAME_PROPERTY_MAX, "a property's name",
                             failure, &name);
        if (status != STATUS_OK || name.size == 0)
            return status;
        status = name_check_property(secret_text(&name), failure);
        if (status == STATUS_OK)
            status = prompt_value(secret_text(&name), false, failure, &value);
        if (status == STATUS_OK)
            status = intake_check_property(secret_text(&name), &value, failure);
        if (status != STATUS_OK)
            return status;
        json_add_bytes(writer, secret_text(&name), value.bytes, value.size);
    }
}

/* `Subdomain (subdomain), such as acme: `, `Site (region) [datadoghq.com]: ` */
static void write_question(const struct app_field *field, char question[QUESTION_MAX])
{
    const char *before = "";
    const char *hint = "";
    const char *after = "";
    char values[LIST_MAX] = "";

    if (field->fallback != NULL) {
        before = " [", hint = field->fallback, after = "]";
    } else if (field->example != NULL) {
        before = ", such as ", hint = field->example;
    }
    for (size_t i = 0; i < json_count(field->values); i++)
        append_name(values, json_text(json_at(field->values, i), NULL));
    snprintf(question, QUESTION_MAX, "%.160s (%.64s)%s%.128s%s%.64s%s%s: ", field->title, field->name,
             values[0] != '\0' ? ", of " : "", values, before, hint, after,
             field->required ? "" : ", optional");
}

enum status intake_ask_field(const struct app_field *field, struct failure *failure, struct secret *ret_value)
{
    char question[QUESTION_MAX];
    enum status status = STATUS_OK;

    write_question(field, question);
    for (int try = 0; try < TRIES; try++) {
        if (try > 0)
            output_note("%s", failure->sentence);
        status = prompt_line(question, field->hidden, NAME_VALUE_MAX, "the value", failure, ret_value);
        if (status != STATUS_OK)
            return status;
        if (ret_value->size == 0 && field->fallback != NULL &&
            !secret_append_text(ret_value, field->fallback))
            return failure_set_no_memory(failure);
        status = intake_check_property(field->name, ret_value, failure);
        if (status == STATUS_OK)
            status = app_check_value(field, secret_text(ret_value), failure);
        if (status == STATUS_OK)
            break;
    }
    return status;
}

static enum status ask_fields(const struct intake *intake, struct json_writer *writer,
                              struct failure *failure)
{
    CLEANUP(secret_reset) struct secret value = {0};

    for (size_t i = 0; i < intake->method->field_count; i++) {
        const struct app_field *field = &intake->method->fields[i];
        enum status status;

        if (field->unasked)
            continue;
        status = intake_ask_field(field, failure, &value);
        if (status != STATUS_OK)
            return status;
        if (value.size > 0)
            json_add_bytes(writer, field->name, value.bytes, value.size);
    }
    return STATUS_OK;
}

static enum status ask(struct intake *intake, struct json_writer *writer, struct failure *failure)
{
    enum status status = intake_choose(intake, failure);

    if (status == STATUS_OK)
        status = refuse_tokens(intake, failure);
    if (status != STATUS_OK)
        return status;
    json_open_object(writer, "properties");
    status = intake->method != NULL ? ask_fields(intake, writer, failure) : ask_any(writer, failure);
    json_close_object(writer);
    return status;
}

enum status intake_fill(struct intake *intake, struct json_writer *writer, struct failure *failure)
{
    return isatty(STDIN_FILENO) ? ask(intake, writer, failure) : read_object(intake, writer, failure);
}
