/* Any bytes into json_parse: it refuses, or what it read is written again and read again as the same. */
#include "base/cleanup.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_again(const struct json *json, struct secret *text)
{
    struct json_writer writer;

    json_writer_start(&writer, text);
    json_add_value(&writer, NULL, json);
    if (writer.failed)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    struct failure failure;
    CLEANUP(json_freep) struct json *json = NULL;
    CLEANUP(json_freep) struct json *again = NULL;
    CLEANUP(secret_reset) struct secret first = {0};
    CLEANUP(secret_reset) struct secret second = {0};

    if (!started)
        json_start();
    started = true;
    if (json_parse(bytes, size, "input", &failure, &json) != STATUS_OK)
        return 0;
    write_again(json, &first);
    if (json_parse(first.bytes, first.size, "output", &failure, &again) != STATUS_OK)
        abort();
    write_again(again, &second);
    if (first.size != second.size || memcmp(first.bytes, second.bytes, first.size) != 0)
        abort();
    return 0;
}
