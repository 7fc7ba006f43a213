/* Fuzzes the reader of replies, and what takes a projection apart, with arbitrary bytes. */
#include "base/text.h"
#include "client/received.h"
#include "client/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct wire_value value, unsigned depth)
{
    struct secret text = {0};
    struct wire_value inner;
    struct wire_value key;
    size_t position = 0;
    bool boolean;

    if (wire_text(value, &text) && text.size > 0 && !text_is_utf8(text.bytes, text.size))
        abort();
    secret_reset(&text);
    wire_boolean(value, &boolean);
    if (depth > WIRE_DEPTH_MAX)
        return;
    while (wire_element(value, &position, &inner))
        walk(inner, depth + 1);
    position = 0;
    while (wire_pair(value, &position, &key, &inner)) {
        if (!wire_is_text(key))
            abort();
        walk(inner, depth + 1);
    }
    if (wire_member(value, "a", &inner))
        walk(inner, depth + 1);
    if (wire_member(value, "parameters", &inner))
        walk(inner, depth + 1);
}

static void receive(struct wire_value value, unsigned parts)
{
    struct received received = {0};
    struct failure failure;

    if (received_read(value, parts, &failure, &received) == STATUS_OK) {
        for (size_t i = 0; i < received.count; i++) {
            if (strchr(received.entries[i], '=') == NULL)
                abort();
        }
        for (size_t i = 0; i < received.credential_count; i++) {
            if (strchr(received.credentials[i], '=') == NULL || received.credentials[i][0] == '.')
                abort();
        }
        for (size_t i = 0; i < received.resolved_count; i++) {
            if (strchr(received.resolved[i], '=') == NULL)
                abort();
        }
    }
    received_reset(&received);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Memory of exactly this size: one byte too far is seen. */
    char *copy = malloc(size > 0 ? size : 1);
    struct wire_value value = {copy, size};
    struct wire_value parameters;
    bool whole;

    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    whole = wire_check(copy, size);
    if (whole && wire_member(value, "parameters", &parameters) && parameters.size > size)
        abort();
    walk(value, 0);
    receive(value, 0);
    receive(value, RECEIVED_CREDENTIALS);
    receive(value, RECEIVED_REFERENCES);
    free(copy);
    return 0;
}
