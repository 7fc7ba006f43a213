/* One writer for each form, and the table of them. The readers that they are written for, and tested with
 * (tests/peers/export_readers.py): dash and bash; docker's `run --env-file`; npm's dotenv and python-dotenv,
 * both at once. */
#include "launch/format.h"

#include "base/text.h"
#include "launch/dialect.h"
#include "launch/quote.h"

#include <string.h>

/* docker reads lines with Go's bufio.Scanner, whose buffer holds this much, the newline included. */
#define DOCKER_LINE_MAX 65536u

/* A variable. */
struct entry {
    const char *name;
    size_t name_size;
    const char *value; /* NUL-terminated */
    size_t size;
};

static enum status no_memory(struct failure *failure)
{
    return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the document");
}

static enum status refuse(const struct entry *entry, const char *why, struct failure *failure)
{
    return failure_set(failure, STATUS_INVALID, "the value of %.*s %s", (int)entry->name_size, entry->name,
                       why);
}

static bool append_name(const struct entry *entry, const char *before, struct secret *text)
{
    return secret_append_text(text, before) && secret_append(text, entry->name, entry->name_size) &&
           secret_append_byte(text, '=');
}

static bool name_is(const struct entry *entry, const char *name)
{
    return strlen(name) == entry->name_size && memcmp(name, entry->name, entry->name_size) == 0;
}

/* ---- the forms ---- */

/* A JSON string is Unicode text: a value that is not has no form here, and leaving it out would be a lie. */
static enum status json_write(const struct entry *entry, struct failure *failure, struct secret *text)
{
    if (!text_is_utf8(entry->value, entry->size))
        return refuse(entry, "is not UTF-8 text, which JSON requires", failure);
    return text_append_json(text, entry->name, entry->name_size) && secret_append_byte(text, ':') &&
                   text_append_json(text, entry->value, entry->size)
               ? STATUS_OK
               : no_memory(failure);
}

static enum status dotenv_write(const struct entry *entry, struct failure *failure, struct secret *text)
{
    const char *why;

    /* An object's prototype, which takes no string. */
    if (name_is(entry, "__proto__"))
        return failure_set(failure, STATUS_INVALID, "npm's dotenv loses a variable named __proto__");
    if (!append_name(entry, "", text))
        return no_memory(failure);
    if (!dialect_append_dotenv(text, entry->value, entry->size, &why))
        return why != NULL ? refuse(entry, why, failure) : no_memory(failure);
    return secret_append_byte(text, '\n') ? STATUS_OK : no_memory(failure);
}

/* Variables that dash or bash sets itself, does not let be set, or takes for a number: found by trying every
 * name that their manuals list. */
static const char *const shell_names[] = {
    "BASHOPTS",    "BASHPID",       "BASH_ALIASES",  "BASH_ARGC",
    "BASH_ARGV",   "BASH_ARGV0",    "BASH_CMDS",     "BASH_COMMAND",
    "BASH_LINENO", "BASH_SOURCE",   "BASH_SUBSHELL", "BASH_VERSINFO",
    "DIRSTACK",    "EPOCHREALTIME", "EPOCHSECONDS",  "EUID",
    "FUNCNAME",    "GROUPS",        "HISTCMD",       "LINENO",
    "OPTIND",      "PPID",          "RANDOM",        "SECONDS",
    "SHELLOPTS",   "SHLVL",         "SRANDOM",       "UID",
    "_",
};

static enum status shell_write(const struct entry *entry, struct failure *failure, struct secret *text)
{
    for (size_t i = 0; i < sizeof(shell_names) / sizeof(shell_names[0]); i++) {
        if (name_is(entry, shell_names[i]))
            return failure_set(failure, STATUS_INVALID, "a shell does not take a variable named %s as it is",
                               shell_names[i]);
    }
    return append_name(entry, "export ", text) && quote_append_shell(text, entry->value) &&
                   secret_append_byte(text, '\n')
               ? STATUS_OK
               : no_memory(failure);
}

/* Lines of NAME=value, with no quoting at all: what stands after the `=` is the value. */
static enum status docker_write(const struct entry *entry, struct failure *failure, struct secret *text)
{
    if (memchr(entry->value, '\n', entry->size) != NULL)
        return refuse(entry, "has a line break, which an env-file of docker cannot hold", failure);
    if (entry->size > 0 && entry->value[entry->size - 1] == '\r')
        return refuse(entry, "ends in a carriage return, which docker takes for a part of the line's end",
                      failure);
    if (!text_is_utf8(entry->value, entry->size))
        return refuse(entry, "is not UTF-8 text, which docker requires of an env-file", failure);
    if (entry->name_size + 1 + entry->size + 1 > DOCKER_LINE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the value of %.*s makes a line over the %u bytes that docker reads",
                           (int)entry->name_size, entry->name, DOCKER_LINE_MAX - 1);
    return append_name(entry, "", text) && secret_append(text, entry->value, entry->size) &&
                   secret_append_byte(text, '\n')
               ? STATUS_OK
               : no_memory(failure);
}

static enum status nul_write(const struct entry *entry, struct failure *failure, struct secret *text)
{
    return append_name(entry, "", text) && secret_append(text, entry->value, entry->size) &&
                   secret_append_byte(text, '\0')
               ? STATUS_OK
               : no_memory(failure);
}

/* ---- the table ---- */

struct format {
    const char *name;
    const char *open;
    const char *between;
    const char *close;
    enum status (*write)(const struct entry *entry, struct failure *failure,
                         struct secret *text); /* NULL: the accounts' document */
};

static const struct format formats[] = {
    {"auths",  "",  "",  "\n",  NULL        },
    {"json",   "{", ",", "}\n", json_write  },
    {"dotenv", "",  "",  "",    dotenv_write},
    {"shell",  "",  "",  "",    shell_write },
    {"docker", "",  "",  "",    docker_write},
    {"nul",    "",  "",  "",    nul_write   },
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct format *format_default(void)
{
    return &formats[0];
}

bool format_is_document(const struct format *format)
{
    return format->write == NULL;
}

enum status format_find(const char *name, struct failure *failure, const struct format **ret_format)
{
    const unsigned limit = 2;
    const char *nearest = NULL;
    unsigned least = limit + 1;

    for (size_t i = 0; i < FORMATS; i++) {
        const unsigned distance = text_distance(formats[i].name, name, limit);

        if (distance == 0) {
            *ret_format = &formats[i];
            return STATUS_OK;
        }
        if (distance < least) {
            least = distance;
            nearest = formats[i].name;
        }
    }
    if (nearest != NULL)
        return failure_set(failure, STATUS_USAGE, "--format does not know \"%s\"; did you mean %s?", name,
                           nearest);
    return failure_set(failure, STATUS_USAGE,
                       "--format does not know \"%s\"; it knows auths, json, dotenv, shell, docker and nul",
                       name);
}

enum status format_write(const struct format *format, const struct received *received,
                         struct failure *failure, struct secret *text)
{
    enum status status = STATUS_OK;
    bool done = secret_append_text(text, format->open);

    if (format_is_document(format))
        done = done && secret_append(text, received->auths.bytes, received->auths.size);
    for (size_t i = 0; done && status == STATUS_OK && !format_is_document(format) && i < received->count;
         i++) {
        const char *name = received->entries[i];
        const char *value = strchr(name, '=') + 1;
        const struct entry entry = {name, (size_t)(value - 1 - name), value, strlen(value)};

        done = i == 0 || secret_append_text(text, format->between);
        if (done)
            status = format->write(&entry, failure, text);
    }
    if (status != STATUS_OK)
        return status;
    return done && secret_append_text(text, format->close) ? STATUS_OK : no_memory(failure);
}
