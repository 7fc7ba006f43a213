/* Reading env files, and the lines that come of them. */
#include "launch/envfile.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "base/reference.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void envfile_reset(struct envfile *envfile)
{
    for (size_t i = 0; i < envfile->file_count; i++)
        dotenv_reset(&envfile->files[i]);
    free(envfile->files);
    free(envfile->entries);
    secret_reset(&envfile->literals);
    *envfile = (struct envfile){0};
}

/* ---- one file ---- */

static bool is_standard_input(const char *path)
{
    return strcmp(path, "-") == 0;
}

static const char *file_name(const char *path)
{
    return is_standard_input(path) ? "standard input" : path;
}

static enum status file_read(const char *path, struct failure *failure, struct secret *bytes)
{
    CLEANUP(cleanup_close) int descriptor = -1;

    if (is_standard_input(path))
        return file_read_all(STDIN_FILENO, ENVFILE_SIZE_MAX, file_name(path), failure, bytes);
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor == -1)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the env file %s", path);
    return file_read_all(descriptor, ENVFILE_SIZE_MAX, path, failure, bytes);
}

/* A file often comes with somebody's project: what it says of the loader must not reach a process with
 * secrets unseen, so it is asked for as in the vault. */
static enum status name_check(const struct dotenv_entry *entry, const char *path, bool allow_dangerous_name,
                              struct failure *failure)
{
    if (name_is_reserved(entry->name))
        return failure_set(failure, STATUS_REFUSED,
                           "%s, line %zu: %s is reserved: STEPVAULT_ begins stepvault's own variables",
                           file_name(path), entry->line, entry->name);
    if (name_is_dangerous(entry->name) && !allow_dangerous_name)
        return failure_set(failure, STATUS_REFUSED,
                           "%s, line %zu: %s steers the loader, a shell or an interpreter; "
                           "--allow-dangerous-name sets it all the same",
                           file_name(path), entry->line, entry->name);
    return STATUS_OK;
}

static enum status value_check(const struct dotenv_entry *entry, const char *path, struct failure *failure)
{
    struct failure why = {.sentence = ""};
    struct reference reference;

    if (!reference_is_within(entry->value))
        return STATUS_OK;
    if (!reference_begins(entry->value))
        return failure_set(failure, STATUS_INVALID,
                           "%s, line %zu: %s has " REFERENCE_SCHEME
                           " within other text, and only a whole value is a reference",
                           file_name(path), entry->line, entry->name);
    if (reference_parse(entry->value, &why, &reference) != STATUS_OK)
        return failure_set(failure, STATUS_INVALID, "%s, line %zu: %s: %s", file_name(path), entry->line,
                           entry->name, why.sentence);
    return STATUS_OK;
}

static enum status entries_add(struct envfile *envfile, const struct dotenv *file, const char *path,
                               bool allow_dangerous_name, struct failure *failure)
{
    struct envfile_entry *entries =
        reallocarray(envfile->entries, envfile->count + file->count + 1, sizeof(*entries));

    if (entries == NULL)
        return failure_set_no_memory(failure);
    envfile->entries = entries;
    for (size_t i = 0; i < file->count; i++) {
        const struct dotenv_entry *entry = &file->entries[i];
        enum status status = name_check(entry, path, allow_dangerous_name, failure);

        if (status == STATUS_OK)
            status = value_check(entry, path, failure);
        if (status != STATUS_OK)
            return status;
        entries[envfile->count] = (struct envfile_entry){.name = entry->name,
                                                         .value = entry->value,
                                                         .value_size = entry->value_size,
                                                         .order = envfile->count,
                                                         .is_reference = reference_begins(entry->value)};
        envfile->count++;
    }
    return STATUS_OK;
}

static enum status file_add(struct envfile *envfile, const char *path, const struct envfile_request *request,
                            struct failure *failure)
{
    CLEANUP(secret_reset) struct secret bytes = {0};
    struct dotenv *file = &envfile->files[envfile->file_count];
    enum status status = file_read(path, failure, &bytes);

    if (status == STATUS_OK)
        status =
            dotenv_parse(bytes.bytes, bytes.size, file_name(path), request->dialect, NULL, failure, file);
    if (status != STATUS_OK)
        return status;
    envfile->file_count++;
    return entries_add(envfile, file, path, request->allow_dangerous_name, failure);
}

/* ---- all of them ---- */

static int compare_entries(const void *left, const void *right)
{
    const struct envfile_entry *a = left;
    const struct envfile_entry *b = right;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* The last of each name stays. */
static void entries_settle(struct envfile *envfile)
{
    size_t kept = 0;

    if (envfile->count > 1)
        qsort(envfile->entries, envfile->count, sizeof(*envfile->entries), compare_entries);
    for (size_t i = 0; i < envfile->count; i++) {
        if (i + 1 < envfile->count && strcmp(envfile->entries[i].name, envfile->entries[i + 1].name) == 0)
            continue;
        envfile->entries[kept++] = envfile->entries[i];
        envfile->reference_count += envfile->entries[i].is_reference;
    }
    envfile->count = kept;
}

enum status envfile_read(const struct envfile_request *request, struct failure *failure,
                         struct envfile *ret_envfile)
{
    CLEANUP(envfile_reset) struct envfile envfile = {0};
    bool had_input = false;

    envfile.files = calloc(request->count + 1, sizeof(*envfile.files));
    if (envfile.files == NULL)
        return failure_set_no_memory(failure);
    for (size_t i = 0; i < request->count; i++) {
        const char *path = request->paths[i];
        enum status status;

        if (had_input && is_standard_input(path))
            return failure_set(failure, STATUS_USAGE,
                               "--env-file - reads standard input, which is there once");
        had_input = had_input || is_standard_input(path);
        status = file_add(&envfile, path, request, failure);
        if (status != STATUS_OK)
            return status;
    }
    entries_settle(&envfile);
    *ret_envfile = envfile;
    envfile = (struct envfile){0};
    return STATUS_OK;
}

bool envfile_append_references(const struct envfile *envfile, struct secret *parameters)
{
    bool done = secret_append_byte(parameters, '{');
    bool first = true;

    for (size_t i = 0; done && i < envfile->count; i++) {
        const struct envfile_entry *entry = &envfile->entries[i];

        if (!entry->is_reference)
            continue;
        done = (first || secret_append_byte(parameters, ',')) &&
               text_append_json(parameters, entry->name, strlen(entry->name)) &&
               secret_append_byte(parameters, ':') &&
               text_append_json(parameters, entry->value, entry->value_size);
        first = false;
    }
    return done && secret_append_byte(parameters, '}');
}

/* ---- the lines ---- */

static int compare_name(const void *key, const void *element)
{
    const struct envfile_entry *wanted = key;
    const struct envfile_entry *entry = element;
    int order = strncmp(wanted->name, entry->name, wanted->value_size);

    return order != 0 ? order : -(entry->name[wanted->value_size] != '\0');
}

struct envfile_entry *envfile_find(const struct envfile *envfile, const char *name, size_t size)
{
    const struct envfile_entry wanted = {.name = name, .value_size = size};

    if (envfile->count == 0)
        return NULL;
    return bsearch(&wanted, envfile->entries, envfile->count, sizeof(wanted), compare_name);
}

/* The texts first, and then where they lie: the memory moves while it grows. */
static bool literals_write(struct envfile *envfile)
{
    const char *line;

    for (size_t i = 0; i < envfile->count; i++) {
        const struct envfile_entry *entry = &envfile->entries[i];

        if (!entry->is_reference && (!secret_append_text(&envfile->literals, entry->name) ||
                                     !secret_append_byte(&envfile->literals, '=') ||
                                     !secret_append_text(&envfile->literals, entry->value) ||
                                     !secret_append_byte(&envfile->literals, '\0')))
            return false;
    }
    line = secret_text(&envfile->literals);
    for (size_t i = 0; i < envfile->count; i++) {
        if (envfile->entries[i].is_reference)
            continue;
        envfile->entries[i].line = line;
        line += strlen(line) + 1;
    }
    return true;
}

enum status envfile_settle(struct envfile *envfile, const char *const *resolved, size_t resolved_count,
                           struct failure *failure)
{
    if (!literals_write(envfile))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the environment");
    for (size_t i = 0; i < resolved_count; i++) {
        struct envfile_entry *entry = envfile_find(envfile, resolved[i], strcspn(resolved[i], "="));

        if (entry == NULL || !entry->is_reference || entry->line != NULL)
            return failure_set(failure, STATUS_PROTOCOL, "the agent resolved what it was not asked for");
        entry->line = resolved[i];
    }
    if (resolved_count != envfile->reference_count)
        return failure_set(failure, STATUS_PROTOCOL, "the agent did not resolve all that it was asked for");
    return STATUS_OK;
}
