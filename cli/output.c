/* Output is built whole and written by write(2): stdio's buffers are memory that nobody wipes. */
#include "output.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOTE_MAX 1024
#define CELL_MAX 512
#define GAP 2 /* blanks between columns */
#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EACH_MS 200

enum status output_write(const void *bytes, size_t size, struct failure *failure)
{
    if (!file_write_all(STDOUT_FILENO, bytes, size))
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write to standard output");
    return STATUS_OK;
}

enum status output_lines(const struct secret *lines, struct failure *failure, bool *ret_closed)
{
    bool written = file_write_all(STDOUT_FILENO, lines->bytes, lines->size);

    *ret_closed = !written && errno == EPIPE;
    if (!written && !*ret_closed)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write to standard output");
    return STATUS_OK;
}

enum status output_text(const char *text, struct failure *failure)
{
    return output_write(text, strlen(text), failure);
}

enum status output_line(const char *name, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};

    if (!output_append_plain(&line, name) || !secret_append_byte(&line, '\n'))
        return failure_set_no_memory(failure);
    return output_write(line.bytes, line.size, failure);
}

enum status output_document(const struct json *value, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    if (value != NULL) {
        json_add_value(&writer, NULL, value);
    } else {
        json_open_object(&writer, NULL);
        json_close_object(&writer);
    }
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the document");
    return output_write(text.bytes, text.size, failure);
}

void output_note(const char *format, ...)
{
    char line[NOTE_MAX] = "stepvault: ";
    size_t size = strlen(line);
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line + size, sizeof(line) - size - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    size = text_make_plain(line);
    line[size++] = '\n';
    (void)!file_write_all(STDERR_FILENO, line, size);
}

static int64_t monotonic_ms(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void output_progress_show(struct output_progress *progress, uint64_t done, uint64_t total)
{
    int64_t now = monotonic_ms();
    char line[128];

    if (progress->started == 0)
        progress->started = now;
    if (now - progress->started < PROGRESS_AFTER_MS || now - progress->shown < PROGRESS_EACH_MS ||
        !isatty(STDERR_FILENO))
        return;
    progress->shown = now;
    snprintf(line, sizeof(line), "\r%" PRIu64 " of %" PRIu64 " %s", done, total, progress->what);
    (void)!write(STDERR_FILENO, line, strlen(line));
}

void output_progress_end(struct output_progress *progress)
{
    if (progress->shown != 0)
        (void)!write(STDERR_FILENO, "\n", 1);
    progress->shown = 0;
}

bool output_append_plain(struct secret *destination, const char *text)
{
    const size_t before = destination->size;

    if (!secret_append(destination, text, strlen(text)))
        return false;
    if (destination->size > before)
        destination->size = before + text_make_plain((char *)destination->bytes + before);
    return true;
}

void output_table_start(struct output_table *table, size_t columns, const char *const headings[])
{
    *table = (struct output_table){.columns = columns, .headings = headings};
}

void output_table_reset(struct output_table *table)
{
    secret_reset(&table->text);
}

void output_table_add(struct output_table *table, const char *cell)
{
    if (!output_append_plain(&table->text, cell != NULL ? cell : "") ||
        !secret_append_byte(&table->text, '\0'))
        table->failed = true;
    table->cells++;
}

void output_table_add_format(struct output_table *table, const char *format, ...)
{
    char cell[CELL_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(cell, sizeof(cell), format, arguments);
    va_end(arguments);
    output_table_add(table, cell);
}

void output_table_add_list(struct output_table *table, const struct json *texts)
{
    CLEANUP(secret_reset) struct secret cell = {0};

    for (size_t i = 0; i < json_count(texts); i++) {
        const char *text = json_text(json_at(texts, i), NULL);

        if (text != NULL &&
            (!secret_append_text(&cell, i > 0 ? "," : "") || !secret_append_text(&cell, text)))
            table->failed = true;
    }
    output_table_add(table, secret_text(&cell));
}

/* Columns on a terminal, but for characters that are wider or narrower than one. */
static size_t width_of(const char *cell)
{
    size_t width = 0;

    for (; *cell != '\0'; cell++)
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    return width;
}

static void measure(const struct output_table *table, size_t widths[OUTPUT_COLUMNS_MAX])
{
    const char *cell = secret_text(&table->text);

    for (size_t i = 0; i < table->columns; i++)
        widths[i] = table->headings != NULL ? strlen(table->headings[i]) : 0;
    for (size_t i = 0; i < table->cells; i++, cell += strlen(cell) + 1) {
        if (width_of(cell) > widths[i % table->columns])
            widths[i % table->columns] = width_of(cell);
    }
}

/* A row's last cell gets no blanks after it. */
static bool append_cell(struct secret *lines, const char *cell, size_t width, bool last)
{
    size_t length = width_of(cell);

    if (last)
        return secret_append_format(lines, "%s\n", cell);
    return secret_append_format(lines, "%s%*s", cell, (int)(width - length + GAP), "");
}

static bool align(const struct output_table *table, struct secret *lines)
{
    size_t widths[OUTPUT_COLUMNS_MAX];
    const char *cell = secret_text(&table->text);
    bool fits = true;

    measure(table, widths);
    for (size_t i = 0; table->headings != NULL && i < table->columns; i++)
        fits = fits && append_cell(lines, table->headings[i], widths[i], i + 1 == table->columns);
    for (size_t i = 0; i < table->cells; i++, cell += strlen(cell) + 1) {
        size_t column = i % table->columns;

        fits = fits && append_cell(lines, cell, widths[column], column + 1 == table->columns);
    }
    return fits;
}

static bool separate(const struct output_table *table, struct secret *lines)
{
    const char *cell = secret_text(&table->text);

    for (size_t i = 0; i < table->cells; i++, cell += strlen(cell) + 1) {
        if (!secret_append_format(lines, "%s%c", cell, (i + 1) % table->columns == 0 ? '\n' : '\t'))
            return false;
    }
    return true;
}

enum status output_table_print(const struct output_table *table, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret lines = {0};
    bool closed;

    if (table->cells == 0)
        return STATUS_OK;
    if (table->failed || !(isatty(STDOUT_FILENO) ? align(table, &lines) : separate(table, &lines)))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the table");
    return output_lines(&lines, failure, &closed);
}
