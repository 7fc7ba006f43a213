/* Any bytes as an entry of the catalogue: it is refused, or what it says holds together: methods and fields
 * are found by their names, each field takes its default, and the entry written again is read again. */
#include "base/cleanup.h"
#include "catalog/app.h"

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
    }
    json_writer_start(&writer, &text);
    json_add_value(&writer, NULL, app->document);
    require(!writer.failed);
    require(app_parse(text.bytes, text.size, "output", &failure, &again) == STATUS_OK ||
            failure.status == STATUS_TOO_LARGE);
    return 0;
}
