/* What passes from the caller to the child, and what is added. */
#include "launch/environment.h"

#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"
#include "base/words.h"
#include "client/client.h"
#include "launch/auths.h"
#include "launch/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NAMES_MAX (CLIENT_REQUEST_MAX - 32u * 1024u) /* leaves room for the rest of a request */
#define ENTRY_MAX ((size_t)128 * 1024)               /* the kernel's MAX_ARG_STRLEN, with the NUL */
#define TOTAL_LEAST ((size_t)128 * 1024)     /* its ARG_MAX: what it takes whatever the stack's limit is */
#define TOTAL_MOST ((size_t)6 * 1024 * 1024) /* three quarters of its _STK_LIM */
#define HEADROOM ((size_t)4096)              /* for a script's interpreter and the auxiliary vector's texts */

/* What --pristine keeps, and nothing drops. A name that ends in `_` stands for all that begin so. */
static const char *const base_names[] = {"PATH", "HOME", "USER", "SHELL", "TERM", "LANG", "LC_", "TZ", "PWD"};

static size_t name_size(const char *entry)
{
    const char *equals = strchr(entry, '=');

    return equals != NULL ? (size_t)(equals - entry) : 0;
}

static bool name_is_base(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof(base_names) / sizeof(base_names[0]); i++) {
        size_t length = strlen(base_names[i]);

        if (size >= length && memcmp(name, base_names[i], length) == 0 &&
            (size == length || base_names[i][length - 1] == '_'))
            return true;
    }
    return false;
}

/* What is ours and not the command's. The folder of credentials is that of the service or run around us, and
 * may hold the very key of the vault. */
static bool name_is_own(const char *name, size_t size)
{
    static const char prefix[] = "STEPVAULT_";
    static const char folder[] = CREDENTIALS_VARIABLE;

    return (size >= strlen(prefix) && memcmp(name, prefix, strlen(prefix)) == 0) ||
           (size == strlen(folder) && memcmp(name, folder, size) == 0);
}

bool environment_read_outer(struct environment_plan *plan)
{
    const char *names = getenv(ENVIRONMENT_DELIVERED);
    const char *name;
    size_t size;

    while ((name = words_next(&names, ",", &size)) != NULL) {
        if (!nameset_add(&plan->outer, name, size, NULL))
            return false;
    }
    return true;
}

bool environment_passes(struct environment_plan *plan, const char *name, size_t size)
{
    if (size > 0 && nameset_has(&plan->keep, name, size))
        return true;
    if (name_is_own(name, size))
        return false;
    if (name_is_base(name, size))
        return true;
    return !plan->pristine && !nameset_has(&plan->outer, name, size);
}

enum status environment_append_names(struct environment_plan *plan, struct failure *failure,
                                     struct secret *parameters)
{
    const size_t before = parameters->size;
    bool done = secret_append_byte(parameters, '[');
    bool first = true;

    for (char **entry = environ; done && entry != NULL && *entry != NULL; entry++) {
        size_t size = name_size(*entry);

        if (size == 0 || size > NAME_VARIABLE_MAX || !text_is_utf8(*entry, size) ||
            name_is_base(*entry, size) || !environment_passes(plan, *entry, size))
            continue;
        done = (first || secret_append_byte(parameters, ',')) && text_append_json(parameters, *entry, size);
        first = false;
        if (parameters->size - before > NAMES_MAX)
            return failure_set(failure, STATUS_TOO_LARGE,
                               "the names of the environment's variables are over %u bytes in all",
                               NAMES_MAX);
    }
    if (!done || !secret_append_byte(parameters, ']'))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the environment's names");
    return STATUS_OK;
}

/* ---- building ---- */

static bool delivered_append(struct secret *own, const char *entry, bool first)
{
    return secret_append_text(own, first ? ENVIRONMENT_DELIVERED "=" : ",") &&
           secret_append(own, entry, name_size(entry));
}

/* What a run within the step takes out again: all that came out of the vault. What a file says in so many
 * words is the caller's own. */
static bool delivered_write(const struct environment_plan *plan, struct secret *own)
{
    const struct received *received = plan->received;
    const struct envfile *envfile = plan->envfile;
    bool done = true;
    bool first = true;

    for (size_t i = 0; done && i < received->count; i++) {
        if (envfile_find(envfile, received->entries[i], name_size(received->entries[i])) != NULL)
            continue;
        done = delivered_append(own, received->entries[i], first);
        first = false;
    }
    for (size_t i = 0; done && i < envfile->count; i++) {
        if (!envfile->entries[i].is_reference)
            continue;
        done = delivered_append(own, envfile->entries[i].line, first);
        first = false;
    }
    return done && (first || secret_append_byte(own, '\0'));
}

/* The texts of our own entries, each ended by a NUL; they are placed once all are there, as the memory moves.
 */
static bool own_write(const struct environment_plan *plan, struct secret *own)
{
    bool done = true;

    if (plan->auths_path != NULL)
        done = secret_append_text(own, AUTHS_VARIABLE "=") && secret_append_text(own, plan->auths_path) &&
               secret_append_byte(own, '\0');
    if (plan->credentials_folder != NULL)
        done = done && secret_append_text(own, CREDENTIALS_VARIABLE "=") &&
               secret_append_text(own, plan->credentials_folder) && secret_append_byte(own, '\0');
    return done && delivered_write(plan, own);
}

static size_t count_environ(void)
{
    size_t count = 0;

    while (environ != NULL && environ[count] != NULL)
        count++;
    return count;
}

static bool given_collect(struct environment *environment, struct nameset *given)
{
    for (size_t i = 0; i < environment->count; i++) {
        if (!nameset_add(given, environment->entries[i], name_size(environment->entries[i]), NULL))
            return false;
    }
    return true;
}

/* The folder of credentials is ours to name where there is one. */
static bool entry_is_hidden(const struct environment_plan *plan, const char *entry)
{
    static const char folder[] = CREDENTIALS_VARIABLE;

    return plan->credentials_folder != NULL && name_size(entry) == strlen(folder) &&
           memcmp(entry, folder, strlen(folder)) == 0;
}

static void delivered_add(const struct environment_plan *plan, struct environment *environment)
{
    const struct received *received = plan->received;
    const struct envfile *envfile = plan->envfile;

    for (size_t i = 0; i < envfile->count; i++) {
        if (!entry_is_hidden(plan, envfile->entries[i].line))
            environment->entries[environment->count++] = envfile->entries[i].line;
    }
    for (size_t i = 0; i < received->count; i++) {
        const char *entry = received->entries[i];

        if (envfile_find(envfile, entry, name_size(entry)) == NULL && !entry_is_hidden(plan, entry))
            environment->entries[environment->count++] = entry;
    }
}

static void inherited_add(struct environment_plan *plan, struct nameset *given,
                          struct environment *environment)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        size_t size = name_size(*entry);

        if (nameset_has(given, *entry, size) || !environment_passes(plan, *entry, size))
            continue;
        if (nameset_has(&plan->drop, *entry, size) && !name_is_base(*entry, size) &&
            !nameset_has(&plan->keep, *entry, size))
            continue;
        environment->entries[environment->count++] = *entry;
    }
}

enum status environment_build(struct environment_plan *plan, struct failure *failure,
                              struct environment *ret_environment)
{
    CLEANUP(environment_reset) struct environment environment = {0};
    CLEANUP(nameset_reset) struct nameset given = {0};
    const size_t delivered = plan->received->count + plan->envfile->count;

    environment.entries = calloc(count_environ() + delivered + 4, sizeof(*environment.entries));
    if (environment.entries == NULL || !own_write(plan, &environment.own))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the environment");
    delivered_add(plan, &environment);
    for (size_t at = 0; at < environment.own.size; at += strlen((const char *)environment.own.bytes + at) + 1)
        environment.entries[environment.count++] = (const char *)environment.own.bytes + at;
    if (!given_collect(&environment, &given))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the environment");
    inherited_add(plan, &given, &environment);
    *ret_environment = environment;
    environment = (struct environment){0};
    return STATUS_OK;
}

const char *environment_value(const struct environment *environment, const char *name)
{
    const size_t length = strlen(name);

    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->entries[i], name, length) == 0 && environment->entries[i][length] == '=')
            return environment->entries[i] + length + 1;
    }
    return NULL;
}

/* ---- size ---- */

static size_t total_limit(void)
{
    struct rlimit stack;
    size_t limit = TOTAL_MOST;

    if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur / 4 < limit)
        limit = (size_t)stack.rlim_cur / 4;
    return (limit > TOTAL_LEAST ? limit : TOTAL_LEAST) - HEADROOM;
}

enum status environment_check_size(const struct environment *environment, const char *program,
                                   char *const argv[], struct failure *failure)
{
    size_t total = strlen(program) + 1;
    const char *largest = "";
    size_t largest_size = 0;
    size_t limit;

    for (size_t i = 0; argv[i] != NULL; i++)
        total += strlen(argv[i]) + 1 + sizeof(char *);
    for (size_t i = 0; i < environment->count; i++) {
        size_t size = strlen(environment->entries[i]) + 1;

        total += size + sizeof(char *);
        if (size > largest_size) {
            largest = environment->entries[i];
            largest_size = size;
        }
    }
    if (largest_size > ENTRY_MAX)
        return failure_set(
            failure, STATUS_TOO_LARGE,
            "the variable %.*s is %zu bytes longer than the %zu bytes an environment's entry may have",
            (int)name_size(largest), largest, largest_size - ENTRY_MAX, ENTRY_MAX);
    if (total <= TOTAL_LEAST - HEADROOM)
        return STATUS_OK;
    limit = total_limit();
    if (total <= limit)
        return STATUS_OK;
    return failure_set(
        failure, STATUS_TOO_LARGE,
        "the environment and the arguments are %zu bytes more than the %zu bytes a program can be "
        "given; the largest variable is %.*s with %zu bytes",
        total - limit, limit, (int)name_size(largest), largest, largest_size);
}

void environment_plan_reset(struct environment_plan *plan)
{
    nameset_reset(&plan->keep);
    nameset_reset(&plan->outer);
    nameset_reset(&plan->drop);
}

void environment_reset(struct environment *environment)
{
    free(environment->entries);
    environment->entries = NULL;
    environment->count = 0;
    secret_reset(&environment->own);
}
