/* Any bytes as a request to the listener, and as an address that was pasted. Whatever is taken for the answer
 * has the state that only this attempt has; the same parameters are judged alike, however they came; and
 * nothing but an error's code is kept of an error. */
#include "oauth/callback.h"

#include "oauth/query.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STATE "S"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct callback_rules rules = {
    .host = "127.0.0.1:1", .path = "/c", .state = STATE, .issuer = "i", .issuer_always = true};

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check(const struct callback *callback)
{
    expect((callback->kind == CALLBACK_CODE) == (callback->query.size > 0));
    expect(callback->kind != CALLBACK_CODE || callback->code.size > 0);
    expect((callback->reason == NULL) ==
           (callback->kind == CALLBACK_ERROR || callback->kind == CALLBACK_CODE));
    expect(callback->kind == CALLBACK_ERROR || callback->error[0] == '\0');
    expect(strspn(callback->error, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(callback->error));
    if (callback->kind == CALLBACK_CODE) {
        struct secret value = {0};
        const char *query = (const char *)callback->query.bytes;

        expect(query_find(query, callback->query.size, "state", &value) == QUERY_FOUND &&
               strcmp(secret_text(&value), STATE) == 0);
        expect(query_find(query, callback->query.size, "iss", &value) == QUERY_FOUND &&
               strcmp(secret_text(&value), "i") == 0);
        expect(query_find(query, callback->query.size, "error", &value) == QUERY_ABSENT);
        secret_reset(&value);
    }
}

static void try_request(const char *bytes, size_t size)
{
    struct callback callback;

    callback_read_request(&rules, bytes, size, &callback);
    check(&callback);
    if (callback.kind != CALLBACK_STRAY)
        expect(callback_head_size(bytes, size) > 0 && strncmp(bytes, "GET /c?", 7) == 0);
    callback_reset(&callback);
}

/* As parameters they are pasted and, if no byte of them would end the line, asked for by a request. */
static void try_pasted(const char *bytes, size_t size)
{
    char *text = malloc(size + 128);
    struct callback pasted, requested;

    memcpy(text, bytes, size);
    text[size] = '\0';
    callback_read_pasted(&rules, text, &pasted);
    check(&pasted);
    if (strlen(text) == size && strcspn(text, "?# \t\r\n") == size) {
        strcpy(text, "GET /c?");
        memcpy(text + 7, bytes, size);
        strcpy(text + 7 + size, " HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n");
        callback_read_request(&rules, text, strlen(text), &requested);
        expect(requested.kind == pasted.kind || requested.kind == CALLBACK_STRAY);
        callback_reset(&requested);
    }
    callback_reset(&pasted);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    /* A block of exactly this size, so that a look behind its end is noticed. */
    char *copy = malloc(size > 0 ? size : 1);

    if (size > 0)
        memcpy(copy, bytes, size);
    if (size > 7)
        try_request(copy, size);
    try_pasted(copy, size);
    free(copy);
    return 0;
}
