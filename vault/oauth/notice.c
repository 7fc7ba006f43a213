/* Lines of JSON on the standard output. */
#include "oauth/notice.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool notice_write(struct secret *line)
{
    return secret_append_byte(line, '\n') && file_write_all(STDOUT_FILENO, line->bytes, line->size);
}

static void begin(struct json_writer *writer, struct secret *line, const char *kind)
{
    json_writer_start(writer, line);
    json_open_object(writer, NULL);
    json_add_text(writer, "notice", kind);
}

static bool end(struct json_writer *writer)
{
    json_close_object(writer);
    return !writer->failed && notice_write(writer->destination);
}

void notice_open(const char *url, const char *redirect_uri, uint16_t port)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct json_writer writer;

    begin(&writer, &line, "open");
    json_add_text(&writer, "url", url);
    json_add_text(&writer, "redirect_uri", redirect_uri);
    if (port != 0)
        json_add_number(&writer, "port", port);
    (void)end(&writer);
}

void notice_code(const char *url, const char *complete_url, const char *code, uint64_t seconds)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct json_writer writer;

    begin(&writer, &line, "code");
    json_add_text(&writer, "url", url);
    if (complete_url != NULL)
        json_add_text(&writer, "complete_url", complete_url);
    json_add_text(&writer, "code", code);
    json_add_number(&writer, "seconds", seconds);
    (void)end(&writer);
}

void notice_refused(const char *format, ...)
{
    CLEANUP(secret_reset) struct secret line = {0};
    char reason[FAILURE_SENTENCE_MAX];
    struct json_writer writer;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    begin(&writer, &line, "refused");
    json_add_text(&writer, "reason", reason);
    (void)end(&writer);
}

/* Those between 0x80 and 0x9f, too, which are two bytes of UTF-8. */
static bool is_control(const char *at, bool utf8)
{
    const uint8_t byte = (uint8_t)*at;

    if (utf8 && byte == 0xc2)
        return (uint8_t)at[1] < 0xa0;
    return byte < ' ' || byte == 0x7f || (!utf8 && byte >= 0x80 && byte < 0xa0);
}

/* Headers are of any bytes, and texts of JSON are not: what is no UTF-8 is taken for Latin-1. Control
 * characters could steer a terminal. */
static void add_header_text(struct json_writer *writer, const char *key, const char *text)
{
    CLEANUP(secret_reset) struct secret plain = {0};
    bool utf8 = text_is_utf8(text, strlen(text));
    bool complete = true;

    for (const char *at = text; *at != '\0' && complete; at++) {
        uint8_t byte = (uint8_t)*at;

        if (is_control(at, utf8)) {
            complete = secret_append_byte(&plain, ' ');
            at += utf8 && byte >= 0x80;
        } else if (utf8 || byte < 0x80) {
            complete = secret_append_byte(&plain, byte);
        } else {
            complete = secret_append_byte(&plain, (uint8_t)(0xc0 | byte >> 6)) &&
                       secret_append_byte(&plain, (uint8_t)(0x80 | (byte & 0x3f)));
        }
    }
    writer->failed = writer->failed || !complete;
    json_add_text(writer, key, secret_text(&plain));
}

bool notice_reply(unsigned status, const struct secret *head)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct json_writer writer;
    size_t at = 0;

    begin(&writer, &line, "reply");
    json_add_number(&writer, "status", status);
    if (head->size > 0) {
        add_header_text(&writer, "line", (const char *)head->bytes);
        at = strlen((const char *)head->bytes) + 1;
    }
    json_open_array(&writer, "headers");
    for (; at < head->size; at += strlen((const char *)head->bytes + at) + 1)
        add_header_text(&writer, NULL, (const char *)head->bytes + at);
    json_close_array(&writer);
    return end(&writer);
}

bool notice_body(const void *bytes, size_t size)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct json_writer writer;

    begin(&writer, &line, "body");
    json_add_base64(&writer, "bytes", bytes, size);
    return end(&writer);
}
