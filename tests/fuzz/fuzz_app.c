/* Any bytes as an entry of the catalogue: it is refused, or what it says holds together: methods and fields
 * are found by their names, each field takes its default, what follows from its facts of OAuth is in bounds,
 * and the entry and the provider documents written of it are read again; a starter of it can be printed. */
#include "base/cleanup.h"
#include "catalog/app.h"
#include "catalog/facts.h"
#include "catalog/provider.h"
#include "starter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_method(const struct app_method *method)
{
    struct failure failure;

    for (size_t i = 0; i < method->field_count; i++) {
        const struct app_field *field = &method->fields[i];

        require(app_find_field(method, field->name) == field);
        require(field->title != NULL);
        require(field->fallback == NULL || app_check_value(field, field->fallback, &failure) == STATUS_OK);
        (void)app_check_value(field, "acme.example:80/x", &failure);
    }
    require(app_kind_name(method->kind) != NULL);
    require(method->oauth == NULL || method->oauth_of == NULL);
}

static void check_facts(const struct app *app, const struct app_method *method)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct failure failure;
    uint16_t ports[FACTS_PORTS_MAX];
    char uri[FACTS_URI_MAX];
    size_t count;

    if (method->oauth == NULL)
        return;
    count = facts_ports(method->oauth, ports);
    require(count <= FACTS_PORTS_MAX);
    for (size_t i = 0; i < count; i++)
        require(ports[i] > 1023);
    facts_redirect_uri(method->oauth, UINT16_MAX, uri);
    require(strlen(uri) < FACTS_URI_MAX - 1 && strncmp(uri, "http://", 7) == 0);
    require(provider_write(app, method, method->oauth, &failure, &text) == STATUS_OK ||
            failure.status == STATUS_TOO_LARGE);
}

/* The same is printed each time, in every language. */
static void check_starter(const struct app *app, const struct app_method *method)
{
    static const char *const languages[] = {"node", "python", "bash", "curl", "go"};
    CLEANUP(starter_freep) struct starter *starter = NULL;
    struct failure failure;

    if (starter_read(app, method, &failure, &starter) != STATUS_OK)
        return;
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        CLEANUP(secret_reset) struct secret text = {0};
        CLEANUP(secret_reset) struct secret again = {0};

        require(starter_print(starter, languages[i], &failure, &text) == STATUS_OK);
        require(starter_print(starter, languages[i], &failure, &again) == STATUS_OK);
        require(text.size > 0 && strcmp(secret_text(&text), secret_text(&again)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    struct failure failure;
    CLEANUP(app_freep) struct app *app = NULL;
    CLEANUP(app_freep) struct app *again = NULL;
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    if (!started)
        json_start();
    started = true;
    if (app_parse(bytes, size, "input", &failure, &app) != STATUS_OK)
        return 0;
    require(app->method_count > 0);
    for (size_t i = 0; i < app->method_count; i++) {
        require(app_find_method(app, app->methods[i].name) == &app->methods[i]);
        check_method(&app->methods[i]);
        check_facts(app, &app->methods[i]);
        check_starter(app, &app->methods[i]);
    }
    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, app->document);
    require(!writer.failed);
    require(app_parse(text.bytes, text.size, "output", &failure, &again) == STATUS_OK ||
            failure.status == STATUS_TOO_LARGE);
    return 0;
}
