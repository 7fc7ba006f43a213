/* Values as all forms of a reply have them: as members of JSON objects, text apart from what is no text, and
 * as entries of a block. */
#ifndef STEPVAULT_FORM_H
#define STEPVAULT_FORM_H

#include "base/secret.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Each form in JSON is two objects: `text` says which of them is being written, that of UTF-8 text or that of
 * base64. Adds the value where it belongs in that one. */
void form_write(struct json_writer *writer, bool text, const char *name, const char *value, size_t size);

/* Appends `name=value` and a NUL; marks the writer as failed where memory is out. */
void form_append(struct json_writer *writer, struct secret *block, const char *name, const char *value,
                 size_t size);

#endif
