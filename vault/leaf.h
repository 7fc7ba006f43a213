/* A leaf of the access log before it is a line: who did what to what, and how it ended. docs/FORMAT.md,
 * section 7, lists the members. It never holds a value, nor a hash of one. */
#ifndef STEPVAULT_LEAF_H
#define STEPVAULT_LEAF_H

#include "base/name.h"
#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LEAF_PROGRAM_MAX 1024
#define LEAF_LINE_MAX 65535u /* a tlog entry's length is a u16 (C2SP tlog-tiles.md) */

struct json_writer;

/* Who asks, as the kernel has it; strings are empty where /proc would not tell. */
struct leaf_caller {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    char program[LEAF_PROGRAM_MAX]; /* /proc/<pid>/exe */
    pid_t parent_pid;
    char parent_program[LEAF_PROGRAM_MAX];
};

/* Strings are borrowed until the leaf is appended; NULL or empty ones are left out. Text that is not UTF-8 is
 * left out, too. */
struct leaf {
    const char *action; /* "project", "get", "set-variable", ... the method table has it */
    bool granted;       /* else refused, for `why` */
    enum status why;
    const struct leaf_caller *caller; /* or NULL, and found when it is needed: asking takes a while */
    const struct leaf_caller *(*find_caller)(void *context);
    void *context;
    const char *purpose; /* the three claims of the caller */
    const char *command;
    const char *reason;
    const char *step;
    const char *path;
    const char *variable;
    char alias[NAME_ALIAS_MAX + 2]; /* these four are copies, because records come and go; empty for none */
    char account[33];               /* id in hexadecimal */
    char app[NAME_APP_MAX + 1];
    char label[NAME_LABEL_MAX + 1];
    struct secret details; /* further members as JSON text `"a":1,"b":[]`; wiped by leaf_reset */
    bool appended;         /* set once it stands in the log: whoever appends it does so once */
};

void leaf_reset(struct leaf *leaf);

/* Starts members of the details, which `writer` then writes; `object` is room for them until they are added.
 */
void leaf_open_details(struct json_writer *writer, struct secret *object);

/* Adds them to those that are there. False when memory is out or the writer has failed; the details are
 * unchanged then. */
bool leaf_add_details(struct leaf *leaf, struct json_writer *writer);

/* The caller, found now if it was not yet. */
const struct leaf_caller *leaf_find_caller(struct leaf *leaf);

/* What only the log knows of a leaf. */
struct leaf_position {
    uint64_t time_ms;
    const char *writer;      /* the instance, hexadecimal */
    uint64_t sequence;       /* of this writer */
    const uint8_t *previous; /* 32 bytes: hash of the writer's previous leaf; NULL for its first */
    uint32_t epoch;
    const uint8_t
        *state_tag; /* 16 bytes where the state changed since the last leaf that had one; else NULL */
};

/* Renders the line into `destination` (cleared first), without newline. STATUS_TOO_LARGE over LEAF_LINE_MAX.
 */
enum status leaf_render(const struct leaf *leaf, const struct leaf_position *position,
                        struct failure *failure, struct secret *destination);

/* What a line says of its position; texts point into the line. */
struct leaf_stated {
    const char *writer; /* 16 digits */
    uint64_t sequence;
    const char *previous; /* 64 digits, or NULL */
    uint64_t epoch;
    const char *state_tag; /* 32 digits, or NULL */
};

/* Reads it without parsing the line: false unless it begins as leaf_render has it. The line is followed by a
 * NUL. */
bool leaf_read_position(const char *line, struct leaf_stated *ret_stated);

#endif
