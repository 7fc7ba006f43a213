/* One value in each form. */
#include "form.h"

#include "base/text.h"

void form_write(struct json_writer *writer, bool text, const char *name, const char *value, size_t size)
{
    if (text_is_utf8(value, size) != text)
        return;
    if (text)
        json_add_bytes(writer, name, value, size);
    else
        json_add_base64(writer, name, value, size);
}

void form_append(struct json_writer *writer, struct secret *block, const char *name, const char *value,
                 size_t size)
{
    if (!secret_append_text(block, name) || !secret_append_byte(block, '=') ||
        !secret_append(block, value, size) || !secret_append_byte(block, 0))
        writer->failed = true;
}
