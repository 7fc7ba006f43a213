/* What --env-file names: variables with literal values, and with references that the agent resolves. */
#ifndef STEPVAULT_LAUNCH_ENVFILE_H
#define STEPVAULT_LAUNCH_ENVFILE_H

#include "base/secret.h"
#include "base/status.h"
#include "dotenv.h"

#include <stdbool.h>
#include <stddef.h>

#define ENVFILE_SIZE_MAX (1024u * 1024u) /* bytes of one file: what one projection holds, too */

struct envfile_entry {
    const char *name;
    const char *value; /* a reference's is its text */
    size_t value_size;
    size_t order; /* among all that were read */
    bool is_reference;
    const char *line; /* NAME=value as the child gets it; once envfile_settle has been there */
};

/* All zero is the valid empty value. */
struct envfile {
    struct dotenv *files;
    size_t file_count;
    struct envfile_entry *entries; /* in order of name, each name once: that of the last file that has it */
    size_t count;
    size_t reference_count;
    struct secret literals; /* NAME=value of those that are none, each ended by a NUL */
};

/* What the command line says of the files. */
struct envfile_request {
    const char *const *paths; /* `-` is standard input */
    size_t count;
    enum dotenv_dialect dialect;
    bool allow_dangerous_name;
};

/* Reads the files; nothing in them is expanded or executed. A value that is a reference from its first byte
 * to its last is one; STATUS_INVALID names file and line where one is broken or stands within other text,
 * STATUS_REFUSED where a name is reserved, or dangerous and not allowed to be. */
enum status envfile_read(const struct envfile_request *request, struct failure *failure,
                         struct envfile *ret_envfile);

/* Appends the object of name to reference. False when memory is out. */
bool envfile_append_references(const struct envfile *envfile, struct secret *parameters);

/* Gives every entry its line, with the agent's `resolved` entries for the references; both must outlive the
 * use of the lines. STATUS_PROTOCOL where they are not those that were asked for. */
enum status envfile_settle(struct envfile *envfile, const char *const *resolved, size_t resolved_count,
                           struct failure *failure);

/* The entry of that name (`size` bytes), or NULL. */
struct envfile_entry *envfile_find(const struct envfile *envfile, const char *name, size_t size);

void envfile_reset(struct envfile *envfile);

#endif
