/* Any line as a leaf of the log, against every sort of filter: the bytes before a first NUL are the filters'
 * text, those after it the line. What a filter for the line's own word lets through has that word in it. */
#include "agent/job.h"
#include "base/cleanup.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

/* Whether the text stands in a JSON string anywhere within. */
static bool contains(const struct json *value, const char *text)
{
    const struct json *member;
    const char *key;
    void *iterator = NULL;

    switch (json_kind(value)) {
    case JSON_KIND_TEXT:
        return strcmp(json_text(value, NULL), text) == 0;
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_count(value); i++)
            if (contains(json_at(value, i), text))
                return true;
        return false;
    case JSON_KIND_OBJECT:
        while (json_next(value, &iterator, &key, &member))
            if (contains(member, text))
                return true;
        return false;
    default:
        return false;
    }
}

static void try_line(const char *text, const char *line, size_t size)
{
    CLEANUP(json_freep) struct json *json = NULL;
    struct failure failure;
    bool good = json_parse(line, size, "line", &failure, &json) == STATUS_OK;
    const struct job_filter all = {
        .step = text, .account = text, .property = text, .variable = text, .outcome = text, .has_uid = true};
    const struct job_filter none = {.step = NULL};
    struct job_filter filters[8];
    bool passes[8];

    memset(filters, 0, sizeof filters);
    filters[0].step = text;
    filters[1].account = text;
    filters[2].variable = text;
    filters[3].outcome = text;
    filters[4].property = text;
    filters[5].has_uid = true;
    filters[6].since_ms = 1;
    filters[7] = all;
    expect(job_filter_passes(&none, line, size));
    for (size_t i = 0; i < 8; i++) {
        passes[i] = job_filter_passes(&filters[i], line, size);
        expect(good || !passes[i]);
        if (passes[i] && i < 5 && strchr(text, ':') == NULL)
            expect(contains(json, text));
    }
    expect(!passes[7] || (passes[0] && passes[1] && passes[2] && passes[3] && passes[4]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    const uint8_t *end = size == 0 ? NULL : memchr(bytes, 0, size);

    if (!started)
        json_start();
    started = true;
    if (end == NULL)
        return 0;
    size_t text_size = (size_t)(end - bytes) + 1, line_size = size - text_size;
    CLEANUP(cleanup_free) char *text = malloc(text_size);
    CLEANUP(cleanup_free) char *line = malloc(line_size + 1);
    memcpy(text, bytes, text_size);
    memcpy(line, end + 1, line_size);
    line[line_size] = '\0';
    try_line(text, line, line_size);
    return 0;
}
