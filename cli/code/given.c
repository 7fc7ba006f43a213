/* Reading what code is given, and handing it on. */
#include "code/given.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "launch/program.h"
#include "launch/sealed.h"
#include "json/syntax.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

/* One of the order's files, in memory. */
struct input {
    const char *what;
    const char *path; /* NULL: none is given */
    int source;       /* -1: not open yet */
    int descriptor;   /* a memfd; -1: none */
    char *text;       /* mapped */
    size_t size;
    bool has_trigger;
};

static bool is_stdin(const struct input *input)
{
    return strcmp(input->path, "-") == 0;
}

/* Opens a file proper at once, which may be one that an outer step was given. Others may have to be waited
 * for, each at its time. */
static struct input input_find(const char *what, const char *path)
{
    struct input input = {.what = what, .path = path, .source = -1, .descriptor = -1};
    struct stat facts;

    if (path != NULL && !is_stdin(&input) && stat(path, &facts) == 0 && S_ISREG(facts.st_mode))
        input.source = open(path, O_RDONLY | O_CLOEXEC);
    return input;
}

static void input_reset(struct input *input)
{
    if (input->text != NULL)
        munmap(input->text, input->size);
    cleanup_close(&input->source);
    cleanup_close(&input->descriptor);
}

static enum status memfd_failed(struct failure *failure)
{
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a file in memory for the code");
}

static enum status input_copy(struct input *input, struct failure *failure)
{
    char block[1 << 16];
    ssize_t size;

    while ((size = read(input->source, block, sizeof(block))) != 0) {
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the %s %s", input->what,
                                     input->path);
        input->size += (size_t)size;
        if (input->size > GIVEN_MAX)
            return failure_set(failure, STATUS_TOO_LARGE, "the %s %s is larger than 64 MiB", input->what,
                               input->path);
        if (!file_write_all(input->descriptor, block, (size_t)size))
            return memfd_failed(failure);
    }
    return STATUS_OK;
}

/* A terminal would go on behind its end. */
static void stdin_end(void)
{
    CLEANUP(cleanup_close) int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
}

static enum status input_read(struct input *input, struct failure *failure)
{
    enum status status;

    if (input->source < 0)
        input->source = is_stdin(input) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                        : open(input->path, O_RDONLY | O_CLOEXEC);
    if (input->source < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the %s %s", input->what,
                                 input->path);
    input->descriptor = sealed_draft(SEALED_CODE_MEMFD);
    if (input->descriptor < 0)
        return memfd_failed(failure);
    status = input_copy(input, failure);
    cleanup_close(&input->source);
    if (is_stdin(input))
        stdin_end();
    if (status != STATUS_OK || input->size == 0)
        return status;
    input->text = mmap(NULL, input->size, PROT_READ, MAP_PRIVATE, input->descriptor, 0);
    if (input->text != MAP_FAILED)
        return STATUS_OK;
    input->text = NULL;
    return memfd_failed(failure);
}

/* An event is any value, everything else an object. */
static enum status input_take(struct input *input, struct failure *failure)
{
    struct syntax syntax = {0};
    enum status status = input_read(input, failure);

    if (status != STATUS_OK)
        return status;
    if (input->size == 0 || !syntax_check(input->text, input->size, "trigger", &syntax))
        return failure_set(failure, STATUS_INVALID, "the %s %s is not JSON", input->what, input->path);
    if (strcmp(input->what, "event") != 0 && !syntax.is_object)
        return failure_set(failure, STATUS_INVALID, "the %s %s is not a JSON object", input->what,
                           input->path);
    input->has_trigger = syntax.has_member;
    return STATUS_OK;
}

/* ---- handing on ---- */

static enum status variable_add(struct given *given, const char *name, const char *value,
                                struct failure *failure)
{
    char *variable;

    if (given->count == GIVEN_VARIABLES || asprintf(&variable, "%s=%s", name, value) < 0)
        return failure_set_no_memory(failure);
    given->variables[given->count++] = variable;
    return STATUS_OK;
}

/* Keeps the memfd open, for what we become. */
static enum status memfd_hand_on(struct given *given, const char *name, int *descriptor,
                                 struct failure *failure)
{
    char path[SEALED_PATH_SIZE];

    if (!sealed_finish(*descriptor))
        return memfd_failed(failure);
    sealed_path(cleanup_take_descriptor(descriptor), path);
    return variable_add(given, name, path, failure);
}

static enum status input_hand_on(struct given *given, struct input *input, const char *name,
                                 struct failure *failure)
{
    enum status status;

    if (input->path == NULL)
        return STATUS_OK;
    status = input_take(input, failure);
    return status == STATUS_OK ? memfd_hand_on(given, name, &input->descriptor, failure) : status;
}

/* Absolute, because code may go elsewhere before it is written back. */
static enum status database_hand_on(struct given *given, const char *path, struct failure *failure)
{
    char absolute[PATH_MAX];

    if (strlen(path) >= sizeof(absolute))
        return failure_set(failure, STATUS_INVALID, "%.64s... is not the path of a file", path);
    program_absolute(path, absolute);
    return variable_add(given, "STEPVAULT_DB", absolute, failure);
}

/* `{"trigger":{"event":EVENT},` before what stands behind the first bracket of the steps. */
static bool joined_write(int descriptor, const struct input *event, const struct input *steps)
{
    const char *members = steps->text != NULL ? (const char *)memchr(steps->text, '{', steps->size) + 1 : "}";
    const size_t size = steps->text != NULL ? (size_t)(steps->text + steps->size - members) : 1;
    const char *begin = "{\"trigger\":{\"event\":";
    const bool is_empty = members[strspn(members, " \t\r\n")] == '}';

    if (steps->has_trigger)
        return file_write_all(descriptor, steps->text, steps->size);
    return file_write_all(descriptor, begin, strlen(begin)) &&
           (event->text != NULL ? file_write_all(descriptor, event->text, event->size)
                                : file_write_all(descriptor, "null", 4)) &&
           file_write_all(descriptor, "},", is_empty ? 1 : 2) && file_write_all(descriptor, members, size);
}

/* Event and steps in one object, for code that has no launcher with JSON. */
static enum status steps_join(struct given *given, struct input *event, struct input *steps,
                              struct failure *failure)
{
    CLEANUP(cleanup_close) int joined = sealed_draft(SEALED_CODE_MEMFD);
    enum status status = STATUS_OK;

    if (joined < 0)
        return memfd_failed(failure);
    if (event->path != NULL)
        status = input_take(event, failure);
    if (status == STATUS_OK && steps->path != NULL)
        status = input_take(steps, failure);
    if (status != STATUS_OK)
        return status;
    if (!joined_write(joined, event, steps))
        return memfd_failed(failure);
    return memfd_hand_on(given, "PIPEDREAM_STEPS", &joined, failure);
}

static enum status result_prepare(struct given *given, const char *name, struct failure *failure)
{
    char path[SEALED_PATH_SIZE];

    given->result = sealed_draft(SEALED_CODE_MEMFD);
    if (given->result < 0)
        return memfd_failed(failure);
    sealed_path(given->result, path);
    return variable_add(given, name, path, failure);
}

/* What a launcher looks for, which is of this step or of none. */
static bool is_ours(const char *entry)
{
    static const char *const names[] = {"STEPVAULT_EVENT",   "STEPVAULT_STEPS", "STEPVAULT_PROPS",
                                        "STEPVAULT_DB",      "STEPVAULT_STEP",  "STEPVAULT_RESULT",
                                        "PIPEDREAM_EXPORTS", "PIPEDREAM_STEPS"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const size_t length = strlen(names[i]);

        if (strncmp(entry, names[i], length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

static enum status environment_build(struct given *given, struct failure *failure)
{
    size_t count = 0;
    size_t filled = 0;

    while (environ[count] != NULL)
        count++;
    given->environment = calloc(count + given->count + 1, sizeof(*given->environment));
    if (given->environment == NULL)
        return failure_set_no_memory(failure);
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(environ[i]))
            given->environment[filled++] = environ[i];
    }
    memcpy(given->environment + filled, given->variables, given->count * sizeof(*environ));
    return STATUS_OK;
}

enum status given_prepare(const struct order *order, const struct language *language, struct failure *failure,
                          struct given *given)
{
    static const char *const outer[] = {SEALED_CODE_MEMFD};
    CLEANUP(input_reset) struct input event = input_find("event", order->event);
    CLEANUP(input_reset) struct input steps = input_find("steps", order->steps);
    CLEANUP(input_reset) struct input props = input_find("props", order->props);
    enum status status = variable_add(given, "STEPVAULT_STEP", order->step, failure);

    sealed_close_all(outer, 1);
    if (status != STATUS_OK)
        return status;
    if (language->is_shell) {
        status = steps_join(given, &event, &steps, failure);
        if (status == STATUS_OK)
            status = result_prepare(given, "PIPEDREAM_EXPORTS", failure);
    } else {
        status = input_hand_on(given, &event, "STEPVAULT_EVENT", failure);
        if (status == STATUS_OK)
            status = input_hand_on(given, &steps, "STEPVAULT_STEPS", failure);
        if (status == STATUS_OK)
            status = input_hand_on(given, &props, "STEPVAULT_PROPS", failure);
        if (status == STATUS_OK && order->database != NULL)
            status = database_hand_on(given, order->database, failure);
        if (status == STATUS_OK && order->result != NULL)
            status = result_prepare(given, "STEPVAULT_RESULT", failure);
    }
    return status == STATUS_OK ? environment_build(given, failure) : status;
}

void given_reset(struct given *given)
{
    for (size_t i = 0; i < given->count; i++)
        free(given->variables[i]);
    free(given->environment);
    given->count = 0;
    given->environment = NULL;
    cleanup_close(&given->result);
}
