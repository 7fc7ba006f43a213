/* Judging answers. */
#include "oauth/callback.h"

#include "base/cleanup.h"
#include "oauth/query.h"

#include <string.h>
#include <strings.h>

static const char blank_line[] = "\r\n\r\n";

/* A run of the request's bytes. */
struct span {
    const char *bytes;
    size_t size;
};

static bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static void judge(struct callback *callback, enum callback_kind kind, const char *reason)
{
    callback->kind = kind;
    callback->reason = reason;
}

/* ---- from the state on ---- */

/* RFC 6749 knows lower-case letters and `_`, providers some more. Anything else is the provider's text, and
 * is not repeated. */
static bool error_is_code(const struct secret *error)
{
    const char *text = secret_text(error);

    return error->size > 0 && error->size <= CALLBACK_ERROR_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == error->size;
}

/* NULL if the issuer is the one that was asked. */
static const char *issuer_fault(const struct callback_rules *rules, struct span query)
{
    CLEANUP(secret_reset) struct secret issuer = {0};
    enum query_found found;

    if (rules->issuer == NULL)
        return NULL;
    found = query_find(query.bytes, query.size, "iss", &issuer);
    if (found == QUERY_ABSENT)
        return rules->issuer_always ? "does not say which issuer it is from" : NULL;
    return found == QUERY_FOUND && strcmp(secret_text(&issuer), rules->issuer) == 0
               ? NULL
               : "is from another issuer than the one that was asked";
}

static void judge_content(const struct callback_rules *rules, struct span query, struct callback *callback)
{
    CLEANUP(secret_reset) struct secret value = {0};
    const char *fault = issuer_fault(rules, query);
    enum query_found error = query_find(query.bytes, query.size, "error", &value);

    if (fault != NULL) {
        judge(callback, CALLBACK_FORGED, fault);
        return;
    }
    if (error != QUERY_ABSENT) {
        judge(callback, CALLBACK_ERROR, NULL);
        if (error_is_code(&value))
            memcpy(callback->error, secret_text(&value), value.size + 1);
        return;
    }
    if (query_find(query.bytes, query.size, rules->code != NULL ? rules->code : "code", &callback->code) !=
            QUERY_FOUND ||
        callback->code.size == 0)
        judge(callback, CALLBACK_EMPTY, "has neither a code nor an error");
    else if (!secret_append(&callback->query, query.bytes, query.size))
        judge(callback, CALLBACK_EMPTY, "does not fit into memory");
    else
        judge(callback, CALLBACK_CODE, NULL);
}

static void judge_query(const struct callback_rules *rules, struct span query, struct callback *callback)
{
    CLEANUP(secret_reset) struct secret state = {0};
    enum query_found found = query_find(query.bytes, query.size, "state", &state);

    if (found == QUERY_ABSENT)
        judge(callback, CALLBACK_STRAY, "has no state");
    else if (found != QUERY_FOUND || state.size != strlen(rules->state) ||
             !secret_equal(state.bytes, rules->state, state.size))
        judge(callback, CALLBACK_STRAY, "has the state of another attempt");
    else
        judge_content(rules, query, callback);
}

/* ---- the request ---- */

size_t callback_head_size(const char *request, size_t size)
{
    const char *end = memmem(request, size, blank_line, strlen(blank_line));

    return end == NULL ? 0 : (size_t)(end - request) + strlen(blank_line);
}

/* Takes the next line, without its end, off `head`; false if there is none, or if it is none. */
static bool take_line(struct span *head, struct span *ret_line)
{
    const char *end = memmem(head->bytes, head->size, "\r\n", 2);

    if (end == NULL)
        return false;
    *ret_line = (struct span){head->bytes, (size_t)(end - head->bytes)};
    head->bytes = end + 2;
    head->size -= ret_line->size + 2;
    for (size_t i = 0; i < ret_line->size; i++) {
        const unsigned char byte = (unsigned char)ret_line->bytes[i];

        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

/* The target of `GET target HTTP/1.1`. */
static bool read_request_line(struct span line, struct span *ret_target)
{
    static const char method[] = "GET ";
    static const char *const versions[] = {" HTTP/1.1", " HTTP/1.0"};

    if (line.size < strlen(method) || memcmp(line.bytes, method, strlen(method)) != 0)
        return false;
    line.bytes += strlen(method);
    line.size -= strlen(method);
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        const size_t length = strlen(versions[i]);

        if (line.size <= length || memcmp(line.bytes + line.size - length, versions[i], length) != 0)
            continue;
        *ret_target = (struct span){line.bytes, line.size - length};
        return memchr(ret_target->bytes, ' ', ret_target->size) == NULL;
    }
    return false;
}

static struct span trim(struct span text)
{
    while (text.size > 0 && strchr(" \t\r\n", text.bytes[0]) != NULL) {
        text.bytes++;
        text.size--;
    }
    while (text.size > 0 && strchr(" \t\r\n", text.bytes[text.size - 1]) != NULL)
        text.size--;
    return text;
}

/* What a header must say, and how often it may be there. */
struct expectation {
    const char *name;
    const char *value;
    bool required;
    unsigned seen;
};

static bool header_holds(struct span line, struct expectation *expectations)
{
    const char *colon = memchr(line.bytes, ':', line.size);
    struct span name, value;

    if (colon == NULL || colon == line.bytes)
        return false;
    name = (struct span){line.bytes, (size_t)(colon - line.bytes)};
    value = trim((struct span){colon + 1, line.size - name.size - 1});
    for (; expectations->name != NULL; expectations++) {
        if (name.size != strlen(expectations->name) ||
            strncasecmp(name.bytes, expectations->name, name.size) != 0)
            continue;
        expectations->seen++;
        return expectations->seen == 1 && span_is(value, expectations->value);
    }
    return true;
}

/* A page's picture, script or fetch is told by the browser from a person who goes somewhere. From which site
 * it comes says nothing: a provider's redirect is from another one. */
static bool headers_hold(const struct callback_rules *rules, struct span head)
{
    struct expectation expectations[] = {
        {.name = "Host",           .value = rules->host, .required = true},
        {.name = "Sec-Fetch-Mode",        .value = "navigate"},
        {.name = "Sec-Fetch-Dest", .value = "document"},
        {0                       },
    };
    struct span line;

    do {
        if (!take_line(&head, &line) || (line.size > 0 && !header_holds(line, expectations)))
            return false;
    } while (line.size > 0);
    for (const struct expectation *at = expectations; at->name != NULL; at++) {
        if (at->required && at->seen == 0)
            return false;
    }
    return true;
}

void callback_read_request(const struct callback_rules *rules, const char *request, size_t size,
                           struct callback *ret_callback)
{
    struct span head = {request, callback_head_size(request, size)};
    struct span line, path, query;
    const char *mark;

    *ret_callback = (struct callback){.kind = CALLBACK_STRAY, .reason = "is no request for the answer"};
    if (!take_line(&head, &line) || !read_request_line(line, &path) || !headers_hold(rules, head))
        return;
    mark = memchr(path.bytes, '?', path.size);
    if (mark == NULL)
        return;
    query = (struct span){mark + 1, path.size - (size_t)(mark - path.bytes) - 1};
    path.size = (size_t)(mark - path.bytes);
    if (span_is(path, rules->path))
        judge_query(rules, query, ret_callback);
}

/* ---- what was pasted ---- */

void callback_read_pasted(const struct callback_rules *rules, const char *text, struct callback *ret_callback)
{
    struct span pasted = trim((struct span){text, strlen(text)});
    const char *mark = memchr(pasted.bytes, '?', pasted.size);
    const char *fragment;

    *ret_callback = (struct callback){.kind = CALLBACK_STRAY};
    if (mark != NULL)
        pasted = (struct span){mark + 1, pasted.size - (size_t)(mark - pasted.bytes) - 1};
    fragment = memchr(pasted.bytes, '#', pasted.size);
    if (fragment != NULL)
        pasted.size = (size_t)(fragment - pasted.bytes);
    judge_query(rules, pasted, ret_callback);
}

void callback_reset(struct callback *callback)
{
    secret_reset(&callback->code);
    secret_reset(&callback->query);
    *callback = (struct callback){0};
}
