/* Lines of JSON on the standard output. */
#include "oauth/notice.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/status.h"
#include "json/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void notice_write(struct secret *line)
{
    if (secret_append_byte(line, '\n'))
        file_write_all(STDOUT_FILENO, line->bytes, line->size);
}

static void begin(struct json_writer *writer, struct secret *line, const char *kind)
{
    json_writer_start(writer, line);
    json_open_object(writer, NULL);
    json_add_text(writer, "notice", kind);
}

static void end(struct json_writer *writer)
{
    json_close_object(writer);
    if (!writer->failed)
        notice_write(writer->destination);
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
    end(&writer);
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
    end(&writer);
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
    end(&writer);
}
