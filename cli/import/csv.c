/* One record at a time, into memory that is used again for the next. */
#include "import/csv.h"

#include <string.h>

void csv_start(struct csv *csv, const void *bytes, size_t size, const char *what)
{
    *csv = (struct csv){.what = what, .at = bytes, .end = (const uint8_t *)bytes + size, .line = 1};
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        csv->at += 3;
}

void csv_reset(struct csv *csv)
{
    secret_reset(&csv->text);
}

static enum status refuse(const struct csv *csv, struct failure *failure, const char *reason)
{
    return failure_set(failure, STATUS_INVALID, "%s, the record of line %zu: %s", csv->what, csv->line,
                       reason);
}

static bool at_line_end(const struct csv *csv)
{
    return csv->at == csv->end || *csv->at == '\n' ||
           (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n');
}

static enum status read_quoted(struct csv *csv, struct failure *failure)
{
    for (csv->at++; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"' && (csv->at + 1 == csv->end || csv->at[1] != '"')) {
            csv->at++;
            return at_line_end(csv) || *csv->at == ','
                       ? STATUS_OK
                       : refuse(csv, failure, "something stands behind a closing quote");
        }
        csv->at += *csv->at == '"';
        csv->lines_taken += *csv->at == '\n';
        if (!secret_append_byte(&csv->text, *csv->at))
            return failure_set_no_memory(failure);
    }
    return refuse(csv, failure, "a quote is not closed");
}

static enum status read_plain(struct csv *csv, struct failure *failure)
{
    const uint8_t *from = csv->at;

    for (; !at_line_end(csv) && *csv->at != ','; csv->at++) {
        if (*csv->at == '"')
            return refuse(csv, failure, "a quote stands within a field that is not quoted");
    }
    return secret_append(&csv->text, from, (size_t)(csv->at - from)) ? STATUS_OK
                                                                     : failure_set_no_memory(failure);
}

static enum status read_field(struct csv *csv, struct failure *failure)
{
    size_t start = csv->text.size;
    enum status status =
        csv->at < csv->end && *csv->at == '"' ? read_quoted(csv, failure) : read_plain(csv, failure);

    if (status != STATUS_OK)
        return status;
    if (csv->text.size > start && memchr(csv->text.bytes + start, '\0', csv->text.size - start) != NULL)
        return refuse(csv, failure, "a NUL byte");
    if (csv->count == CSV_FIELDS_MAX)
        return refuse(csv, failure, "too many fields");
    csv->offsets[csv->count++] = start;
    if (!secret_append_byte(&csv->text, '\0'))
        return failure_set_no_memory(failure);
    csv->offsets[csv->count] = csv->text.size;
    return STATUS_OK;
}

static void skip_line_end(struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    if (csv->at < csv->end && *csv->at == '\n')
        csv->at++;
}

enum status csv_next(struct csv *csv, struct failure *failure, bool *ret_found)
{
    csv->line += csv->lines_taken;
    csv->lines_taken = 0;
    while (csv->at < csv->end && at_line_end(csv)) {
        skip_line_end(csv);
        csv->line++;
    }
    csv->count = 0;
    csv->text.size = 0;
    *ret_found = csv->at < csv->end;
    while (*ret_found) {
        enum status status = read_field(csv, failure);

        if (status != STATUS_OK)
            return status;
        if (at_line_end(csv))
            break;
        csv->at++;
    }
    csv->lines_taken += *ret_found;
    skip_line_end(csv);
    return STATUS_OK;
}

const char *csv_field(const struct csv *csv, size_t index, size_t *ret_size)
{
    if (index >= csv->count)
        return NULL;
    if (ret_size != NULL)
        *ret_size = csv->offsets[index + 1] - csv->offsets[index] - 1;
    return (const char *)csv->text.bytes + csv->offsets[index];
}
