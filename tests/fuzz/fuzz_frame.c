/* Any bytes as a client's stream: what is a call is found, checked and its keys are read; whatever is
 * answered is JSON. */
#include "agent/call.h"
#include "agent/method.h"
#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must_be_json(const struct secret *output)
{
    CLEANUP(json_freep) struct json *json = NULL;
    struct failure failure;

    if (output->size == 0 || output->bytes[output->size - 1] != '\0' ||
        json_parse(output->bytes, output->size - 1, "reply", &failure, &json) != STATUS_OK)
        abort();
}

static void read_keys(const struct json *parameters)
{
    const struct json *slots = json_member(parameters, "slots");
    const struct json *slot_key = json_member(parameters, "slot_key");
    const struct json *new_slot = json_member(parameters, "new_slot");
    struct vault_new_slot slot;
    struct vault_key key;
    struct failure failure;

    if (slot_key != NULL)
        method_read_key(slot_key, &failure, &key);
    if (new_slot != NULL)
        method_read_slot(new_slot, &failure, &slot);
    for (size_t at = 0; at < json_count(slots); at++)
        method_read_slot(json_at(slots, at), &failure, &slot);
}

static void serve_frame(const uint8_t *bytes, size_t size)
{
    CLEANUP(secret_reset) struct secret output = {0};
    CLEANUP(call_reset) struct call call;
    const struct method *method = NULL;
    const char *parameter = NULL;
    char interface[256];
    struct failure failure;
    enum method_lookup found;

    if (call_parse(&call, bytes, size, &failure) != STATUS_OK)
        return;
    found = method_find(call.method, &method, interface);
    if (found == METHOD_FOUND)
        parameter = method_check(method, call.parameters);
    if (found == METHOD_NO_INTERFACE)
        reply_service_error(&output, "InterfaceNotFound", "interface", interface);
    else if (found == METHOD_NO_METHOD)
        reply_service_error(&output, "MethodNotFound", "method", call.method);
    else if (parameter != NULL)
        reply_service_error(&output, "InvalidParameter", "parameter", parameter);
    else
        read_keys(call.parameters);
    if (found != METHOD_FOUND || parameter != NULL)
        must_be_json(&output);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;

    if (!started)
        json_start();
    started = true;
    while (size > 0) {
        const uint8_t *end = memchr(bytes, '\0', size);
        size_t frame = end == NULL ? size : (size_t)(end - bytes);

        serve_frame(bytes, frame);
        size -= end == NULL ? frame : frame + 1;
        bytes += end == NULL ? frame : frame + 1;
    }
    return 0;
}
