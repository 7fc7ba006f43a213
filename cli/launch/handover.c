/* Checking what is said of code, and becoming stepvault-code. */
#include "launch/handover.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "client/client.h"
#include "launch/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBER_SIZE 16

bool handover_is_wanted(const struct arguments *arguments)
{
    return arguments->code != NULL || arguments->mask;
}

/* ---- before the question ---- */

enum status handover_check_code(const char *code, struct failure *failure)
{
    struct stat facts;

    if (stat(code, &facts) != 0)
        return failure_set_errno(failure, errno == EACCES ? STATUS_FAILED : STATUS_NOT_FOUND, errno,
                                 "cannot read the code %s", code);
    if (!S_ISREG(facts.st_mode))
        return failure_set(failure, STATUS_FAILED, "the code %s is no regular file", code);
    if (access(code, R_OK) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the code %s", code);
    return STATUS_OK;
}

/* Standard input is read later. */
static enum status input_look(const char *what, const char *path, struct failure *failure)
{
    if (path == NULL || strcmp(path, "-") == 0 || access(path, R_OK) == 0)
        return STATUS_OK;
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the %s %s", what, path);
}

/* All digits are a descriptor: asked before any of ours takes the number. */
static enum status result_look(const char *result, struct failure *failure)
{
    uint64_t number;
    int flags = -1;

    if (result == NULL || result[strspn(result, "0123456789")] != '\0')
        return STATUS_OK;
    if (text_to_number(result, INT_MAX, &number))
        flags = fcntl((int)number, F_GETFL);
    if (flags == -1 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0)
        return failure_set(failure, STATUS_FAILED, "the descriptor %s of --result is not open for writing",
                           result);
    return STATUS_OK;
}

enum status handover_check(const struct arguments *arguments, struct failure *failure)
{
    enum status status = input_look("event", arguments->event, failure);

    if (status == STATUS_OK)
        status = input_look("steps", arguments->steps, failure);
    if (status == STATUS_OK)
        status = input_look("props", arguments->props, failure);
    return status == STATUS_OK ? result_look(arguments->result, failure) : status;
}

/* ---- what is to be scrubbed ---- */

static bool append_entry(struct secret *values, const char *entry)
{
    return secret_append(values, entry, strlen(entry) + 1);
}

static bool append_account(struct secret *values, struct wire_value alias, struct wire_value properties)
{
    struct wire_value name;
    struct wire_value value;
    size_t position = 0;

    while (wire_pair(properties, &position, &name, &value)) {
        if (!wire_text(alias, values) || !secret_append_byte(values, '.') || !wire_text(name, values) ||
            !secret_append_byte(values, '=') || !wire_text(value, values) ||
            !secret_append_byte(values, '\0'))
            return false;
    }
    return true;
}

/* Every value that this projection delivers, whatever way it takes. */
static bool values_collect(const struct received *received, const struct envfile *envfile,
                           struct secret *values)
{
    const struct wire_value document = {(const char *)received->auths.bytes, received->auths.size};
    struct wire_value alias;
    struct wire_value properties;
    size_t position = 0;
    bool done = true;

    for (size_t i = 0; done && i < received->count; i++)
        done = append_entry(values, received->entries[i]);
    for (size_t i = 0; done && i < received->credential_count; i++)
        done = append_entry(values, received->credentials[i]);
    for (size_t i = 0; done && i < envfile->count; i++)
        done = !envfile->entries[i].is_reference || append_entry(values, envfile->entries[i].line);
    while (done && wire_pair(document, &position, &alias, &properties))
        done = append_account(values, alias, properties);
    return done;
}

static enum status mask_keep(const struct received *received, const struct envfile *envfile,
                             struct failure *failure, char ret_number[NUMBER_SIZE])
{
    CLEANUP(secret_reset) struct secret values = {0};
    int descriptor;

    if (!values_collect(received, envfile, &values))
        return failure_set_no_memory(failure);
    descriptor = sealed_keep(HANDOVER_MEMFD, values.bytes, values.size);
    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot keep what is to be scrubbed");
    snprintf(ret_number, NUMBER_SIZE, "%d", descriptor);
    return STATUS_OK;
}

/* ---- becoming it ---- */

/* The command line that cli/code/order.h describes. */
static const char **words_build(const struct arguments *arguments, const char *mask)
{
    const struct {
        const char *name;
        const char *value;
    } said[] = {
        {"--code",   arguments->code                                 },
        {"--step",   arguments->code != NULL ? arguments->step : NULL},
        {"--event",  arguments->event                                },
        {"--steps",  arguments->steps                                },
        {"--props",  arguments->props                                },
        {"--db",     arguments->database                             },
        {"--result", arguments->result                               },
        {"--mask",   mask                                            },
    };
    const size_t options = sizeof(said) / sizeof(said[0]);
    size_t count = 0;
    size_t filled = 0;
    const char **words;

    while (arguments->command[count] != NULL)
        count++;
    words = calloc(count + 2 * options + 3, sizeof(*words));
    if (words == NULL)
        return NULL;
    words[filled++] = "stepvault-code";
    for (size_t i = 0; i < options; i++) {
        if (said[i].value != NULL) {
            words[filled++] = said[i].name;
            words[filled++] = said[i].value;
        }
    }
    words[filled++] = "--";
    memcpy(words + filled, arguments->command, count * sizeof(*words));
    return words;
}

enum status handover_exec(const struct arguments *arguments, const struct received *received,
                          const struct envfile *envfile, const struct environment *environment,
                          struct failure *failure)
{
    CLEANUP(cleanup_free) const char **words = NULL;
    char program[PATH_MAX];
    char mask[NUMBER_SIZE];
    enum status status = client_find_program("stepvault-code", failure, program);

    if (status == STATUS_OK && arguments->mask)
        status = mask_keep(received, envfile, failure, mask);
    if (status != STATUS_OK)
        return status;
    words = words_build(arguments, arguments->mask ? mask : NULL);
    if (words == NULL)
        return failure_set_no_memory(failure);
    execve(program, (char *const *)words, (char *const *)environment->entries);
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot execute %s", program);
}
