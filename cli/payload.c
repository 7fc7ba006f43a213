/* Bodies and their types. */
#include "payload.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/outgoing.h"
#include "json/syntax.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char form_type[] = "application/x-www-form-urlencoded";
static const char json_type[] = "application/json";

void payload_reset(struct payload *payload)
{
    secret_reset(&payload->body);
    *payload = (struct payload){0};
}

static enum status read_file(const char *path, struct failure *failure, struct secret *bytes)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    enum status status;

    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read %s", path);
    status = file_read_all(descriptor, OUTGOING_BODY_MAX, path, failure, bytes);
    close(descriptor);
    return status;
}

static enum status read_part(const char *text, struct failure *failure, struct secret *bytes)
{
    if (strcmp(text, "-") == 0)
        return file_read_all(STDIN_FILENO, OUTGOING_BODY_MAX, "the data on stdin", failure, bytes);
    if (text[0] == '@')
        return read_file(text + 1, failure, bytes);
    if (strlen(text) > OUTGOING_BODY_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the data are over %d KiB", OUTGOING_BODY_MAX / 1024);
    return secret_append_text(bytes, text) ? STATUS_OK : failure_set_no_memory(failure);
}

/* The content type that a header says; NULL: none does. */
static const char *said_type(const struct option_values *options)
{
    size_t position = 0;
    const char *line;

    while ((line = option_next(options, "header", &position)) != NULL) {
        if (outgoing_header_is(line, "Content-Type"))
            return outgoing_header_value(line);
    }
    return NULL;
}

/* An object or an array: a word or a number alone may as well be a form's. */
static bool is_json(const struct secret *bytes)
{
    const char *text = secret_text(bytes);
    const char first = text[strspn(text, " \t\r\n")];
    struct syntax syntax;

    return (first == '{' || first == '[') && syntax_check(text, bytes->size, "", &syntax);
}

static bool append_part(struct payload *payload, const struct secret *part)
{
    return (!payload->has_body || secret_append_byte(&payload->body, '&')) &&
           secret_append(&payload->body, part->bytes, part->size);
}

enum status payload_read(const struct option_values *options, struct failure *failure,
                         struct payload *ret_payload)
{
    CLEANUP(payload_reset) struct payload payload = {0};
    const char *type = said_type(options);
    bool form = type == NULL || strncasecmp(type, form_type, strlen(form_type)) == 0;
    size_t position = 0;
    const char *text;

    while ((text = option_next(options, "data", &position)) != NULL) {
        CLEANUP(secret_reset) struct secret part = {0};
        enum status status = read_part(text, failure, &part);
        bool json = status == STATUS_OK && is_json(&part);

        if (status != STATUS_OK)
            return status;
        if (payload.has_body && (!form || json || payload.content_type == json_type))
            return failure_set(failure, STATUS_USAGE,
                               "several --data are put together only where they are a form's");
        if (!append_part(&payload, &part))
            return failure_set_no_memory(failure);
        payload.has_body = true;
        payload.content_type = json ? json_type : form_type;
    }
    if (payload.body.size > OUTGOING_BODY_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the data are over %d KiB", OUTGOING_BODY_MAX / 1024);
    if (type != NULL)
        payload.content_type = NULL;
    *ret_payload = payload;
    payload = (struct payload){0};
    return STATUS_OK;
}

void payload_write(const struct payload *payload, const struct option_values *options,
                   struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret line = {0};
    size_t position = 0;
    const char *text;

    json_open_array(writer, "headers");
    while ((text = option_next(options, "header", &position)) != NULL)
        json_add_text(writer, NULL, text);
    if (payload->content_type != NULL) {
        writer->failed = writer->failed || !secret_append_text(&line, "Content-Type: ") ||
                         !secret_append_text(&line, payload->content_type);
        json_add_text(writer, NULL, secret_text(&line));
    }
    json_close_array(writer);
    if (payload->has_body)
        json_add_base64(writer, "body_base64", payload->body.bytes, payload->body.size);
}
