/* Any bytes as what code is given, and as what bash code exported: what jansson reads is JSON to us, too, and
 * an object of exports is JSON. */
#include "code/exports.h"
#include "json/json.h"
#include "json/syntax.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    struct secret object = {0};
    struct syntax syntax = {0};
    struct failure failure = {.sentence = ""};
    struct json *json = NULL;
    char *copy = malloc(size + 1);

    if (!started)
        json_start();
    started = true;
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    const bool right = syntax_check(copy, size, "trigger", &syntax);
    /* jansson skips a NUL behind a number. */
    if (memchr(copy, '\0', size) == NULL && json_parse(copy, size, "it", &failure, &json) == STATUS_OK) {
        expect(right && syntax.is_object == (json_kind(json) == JSON_KIND_OBJECT));
        json_freep(&json);
    }
    if (exports_write(copy, size, &failure, &object) == STATUS_OK)
        expect(syntax_check(secret_text(&object), object.size, "", &syntax) && syntax.is_object);
    else
        expect(failure.sentence[0] != '\0');
    secret_reset(&object);
    free(copy);
    return 0;
}
