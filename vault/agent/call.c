/* Envelopes: which keys a call may have, and how replies are framed. */
#include "agent/call.h"

#include <string.h>

static bool envelope_boolean(const struct json *value, bool *ret_boolean)
{
    return json_kind(value) == JSON_KIND_NULL || json_boolean(value, ret_boolean);
}

/* Unknown keys are refused, except a vendor's own, which have a dot (varlink.org, Method-Call). */
static bool envelope_take(struct call *call, const char *key, const struct json *value)
{
    if (strcmp(key, "method") == 0) {
        call->method = json_text(value, NULL);
        return call->method != NULL;
    }
    if (strcmp(key, "parameters") == 0) {
        call->parameters = json_kind(value) == JSON_KIND_NULL ? NULL : value;
        return call->parameters == NULL || json_kind(value) == JSON_KIND_OBJECT;
    }
    if (strcmp(key, "oneway") == 0)
        return envelope_boolean(value, &call->oneway);
    if (strcmp(key, "more") == 0)
        return envelope_boolean(value, &call->more);
    if (strcmp(key, "upgrade") == 0)
        return envelope_boolean(value, &call->upgrade);
    return strchr(key, '.') != NULL;
}

enum status call_parse(struct call *call, const void *bytes, size_t size, struct failure *failure)
{
    void *iterator = NULL;
    const struct json *value;
    const char *key;
    enum status status;

    *call = (struct call){0};
    status = json_parse(bytes, size, "the call", failure, &call->document);
    if (status != STATUS_OK)
        return status;
    if (json_kind(call->document) != JSON_KIND_OBJECT)
        return failure_set(failure, STATUS_INVALID, "the call is not a JSON object");
    while (json_next(call->document, &iterator, &key, &value)) {
        if (!envelope_take(call, key, value))
            return failure_set(failure, STATUS_INVALID, "the call has a key that Varlink does not know");
    }
    if (call->method == NULL || (call->oneway && call->more))
        return failure_set(failure, STATUS_INVALID, "the call names no method, or wants no reply and many");
    return STATUS_OK;
}

void call_reset(struct call *call)
{
    json_freep(&call->document);
    *call = (struct call){0};
}

void reply_open(struct reply *reply, struct secret *destination)
{
    reply->destination = destination;
    reply->start = destination->size;
    json_writer_start(&reply->writer, destination);
    json_open_object(&reply->writer, NULL);
    json_open_object(&reply->writer, "parameters");
}

void reply_drop(struct reply *reply)
{
    struct secret *destination = reply->destination;

    if (destination->size > reply->start)
        secret_wipe(destination->bytes + reply->start, destination->size - reply->start);
    destination->size = reply->start;
}

enum status reply_close(struct reply *reply, bool continues, struct failure *failure)
{
    json_close_object(&reply->writer);
    if (continues)
        json_add_boolean(&reply->writer, "continues", true);
    json_close_object(&reply->writer);
    if (reply->writer.failed || !secret_append_byte(reply->destination, '\0')) {
        reply_drop(reply);
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the reply");
    }
    if (reply->destination->size - reply->start > CALL_REPLY_MAX) {
        reply_drop(reply);
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the reply would be over %u MiB: ask for less of it at once",
                           CALL_REPLY_MAX / (1024u * 1024u));
    }
    return STATUS_OK;
}

static void reply_error(struct secret *destination, const char *error, const char *member, const char *text)
{
    struct reply reply = {.destination = destination, .start = destination->size};
    bool complete;

    json_writer_start(&reply.writer, destination);
    json_open_object(&reply.writer, NULL);
    json_add_text(&reply.writer, "error", error);
    json_open_object(&reply.writer, "parameters");
    if (member != NULL)
        json_add_text(&reply.writer, member, text);
    json_close_object(&reply.writer);
    json_close_object(&reply.writer);
    complete = !reply.writer.failed && secret_append_byte(destination, '\0');
    if (!complete)
        reply_drop(&reply);
}

/* The statuses that only a client, or only the agent itself, meets have no error in the interface. */
static enum status status_on_wire(enum status status)
{
    switch (status) {
    case STATUS_OK:
    case STATUS_USAGE:
    case STATUS_NO_AGENT:
    case STATUS_AGENT_ENDED:
    case STATUS_PROTOCOL:
    case STATUS_WAITS:
        return STATUS_FAILED;
    default:
        return status;
    }
}

void reply_failure(struct secret *destination, const struct failure *failure)
{
    char error[64] = CALL_INTERFACE ".";

    strncat(error, status_wire_name(status_on_wire(failure->status)), sizeof(error) - strlen(error) - 1);
    reply_error(destination, error, "message", failure->sentence);
}

void reply_service_error(struct secret *destination, const char *error, const char *member, const char *text)
{
    char name[64] = CALL_SERVICE ".";

    strncat(name, error, sizeof(name) - strlen(name) - 1);
    reply_error(destination, name, member, text);
}
