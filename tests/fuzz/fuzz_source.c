/* Any bytes as a file to be imported, of the format that the first byte chooses: what comes into the plan
 * keeps its rules, and what is read as CSV reads the same when it is written anew. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"
#include "import/csv.h"
#include "import/source.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check_value(const struct plan_value *value)
{
    expect(value->size <= NAME_VALUE_MAX && strlen(value->bytes) == value->size);
}

static void check_plan(struct plan *plan)
{
    struct failure failure;

    expect(plan_check(plan, false, &failure) == STATUS_OK);
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_row *row = &plan->rows[i];

        expect(row->name != NULL && row->origin[0] != '\0');
        expect(row->kind == PLAN_VARIABLE || row->kind == PLAN_ACCOUNT || row->reason != NULL);
        if (row->kind == PLAN_VARIABLE) {
            expect(name_check_variable(row->name, &failure) == STATUS_OK);
            check_value(&row->value);
        }
        for (size_t j = 0; row->kind == PLAN_ACCOUNT && j < row->property_count; j++) {
            expect(name_check_property(row->properties[j].name, &failure) == STATUS_OK);
            expect(text_is_utf8(row->properties[j].bytes, row->properties[j].size));
            check_value(&row->properties[j]);
        }
    }
}

/* All fields in quotes. */
static void write_record(const struct csv *csv, struct secret *destination)
{
    for (size_t i = 0; i < csv->count; i++) {
        const char *field = csv_field(csv, i, NULL);

        expect(secret_append_text(destination, i > 0 ? ",\"" : "\""));
        for (; *field != '\0'; field++)
            expect(secret_append_text(destination, *field == '"' ? "\"" : "") &&
                   secret_append_byte(destination, (uint8_t)*field));
        expect(secret_append_byte(destination, '"'));
    }
    expect(secret_append_byte(destination, '\n'));
}

static bool rewrite(const void *bytes, size_t size, struct secret *destination)
{
    CLEANUP(csv_reset) struct csv csv = {.count = 0};
    struct failure failure;
    bool found = true;

    csv_start(&csv, bytes, size, "f");
    while (found) {
        if (csv_next(&csv, &failure, &found) != STATUS_OK)
            return false;
        if (found)
            write_record(&csv, destination);
    }
    return true;
}

static void try_csv(const struct source_text *text)
{
    CLEANUP(plan_reset) struct plan plan = {0};
    CLEANUP(secret_reset) struct secret once = {0};
    CLEANUP(secret_reset) struct secret twice = {0};
    struct failure failure;

    if (rewrite(text->bytes, text->size, &once)) {
        expect(rewrite(secret_text(&once), once.size, &twice));
        expect(once.size == twice.size && memcmp(secret_text(&once), secret_text(&twice), once.size) == 0);
    }
    if (source_read_1password_csv(text, &plan, &failure) == STATUS_OK)
        check_plan(&plan);
}

static void try_json(const struct source_text *text, uint8_t kind)
{
    static enum status (*const readers[])(const struct json *, const char *, struct plan *,
                                          struct failure *) = {source_read_json, source_read_bitwarden,
                                                               source_read_1pux};
    CLEANUP(json_freep) struct json *json = NULL;
    CLEANUP(plan_reset) struct plan plan = {0};
    struct failure failure;

    if (json_parse(text->bytes, text->size, "f", &failure, &json) != STATUS_OK)
        return;
    (void)source_is_bitwarden(json);
    if (readers[kind](json, "f", &plan, &failure) == STATUS_OK)
        check_plan(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;

    if (!started)
        json_start();
    started = true;
    if (size == 0)
        return 0;
    /* A copy that ends where its allocation ends. */
    CLEANUP(cleanup_free) uint8_t *copy = malloc(size);
    memcpy(copy, bytes + 1, size - 1);
    const struct source_text text = {.name = "f", .bytes = copy, .size = size - 1};

    if (bytes[0] % 4 == 3)
        try_csv(&text);
    else
        try_json(&text, bytes[0] % 4);
    return 0;
}
