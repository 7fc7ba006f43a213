/* stepvault-code: what `stepvault run` becomes for a code step. Finds the language's runtime and launcher and
 * becomes it. */
#include "base/cleanup.h"
#include "client/client.h"
#include "code/outcome.h"
#include "code/supervise.h"
#include "launch/program.h"
#include "report.h"
#include "json/json.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *child_path(void)
{
    const char *path = getenv("PATH");

    return path != NULL ? path : PROGRAM_DEFAULT_PATH;
}

/* The runtime, the launcher, the code and its arguments. */
static char **words_build(const struct order *order, const struct language *language, char *launcher)
{
    size_t count = 0;
    char **words;

    while (order->words[count] != NULL)
        count++;
    words = calloc(count + 4, sizeof(*words));
    if (words == NULL)
        return NULL;
    words[0] = (char *)(uintptr_t)language->runtime;
    words[1] = launcher;
    words[2] = (char *)(uintptr_t)order->code;
    for (size_t i = 0; i < count; i++)
        words[3 + i] = order->words[i];
    return words;
}

/* What is run, and what is done beside it. */
struct work {
    const char *program;
    char **words;
    char **environment;
    struct mask *mask;         /* NULL: nothing is scrubbed */
    const struct given *given; /* NULL: a command */
    const struct language *language;
    struct outcome *outcome; /* NULL: no result is awaited */
};

static enum status work_supervise(const struct work *work, struct failure *failure, int *ret_exit)
{
    const struct supervision supervision = {.program = work->program,
                                            .arguments = work->words,
                                            .environment = work->environment,
                                            .mask = work->mask};
    int wait_status = 0;
    enum status status = supervise(&supervision, failure, ret_exit, &wait_status);

    if (status != STATUS_OK)
        return status;
    if (work->outcome != NULL && WIFSIGNALED(wait_status)) {
        failure_set(failure, STATUS_FAILED, "the code was ended by signal %d and left no result",
                    WTERMSIG(wait_status));
        report_failure(failure, NULL);
    } else if (work->outcome != NULL) {
        status = outcome_write(work->outcome, work->given, work->language, work->mask, failure);
        *ret_exit = PROGRAM_RUN_FAILED;
        /* Who left nothing has said why, or has gone without a word, with a status that is its own. */
        if (status == STATUS_NOT_FOUND) {
            if (WEXITSTATUS(wait_status) == 0)
                return status;
            if (WEXITSTATUS(wait_status) != PROGRAM_RUN_FAILED)
                report_failure(failure, NULL);
            status = STATUS_OK;
        }
    }
    if (status == STATUS_OK)
        supervise_end_like(wait_status);
    return status;
}

/* Becomes the program, or stays beside it where its output is scrubbed or its result awaited. */
static enum status work_do(struct work *work, int descriptor, struct failure *failure, int *ret_exit)
{
    CLEANUP(mask_freep) struct mask *mask = NULL;
    enum status status;

    if (descriptor < 0 && work->outcome == NULL) {
        *ret_exit = PROGRAM_NOT_EXECUTABLE;
        return program_exec(work->program, work->words, work->environment, failure);
    }
    if (descriptor >= 0) {
        status = mask_load(descriptor, failure, &mask);
        close(descriptor);
        if (status != STATUS_OK)
            return status;
    }
    work->mask = mask;
    return work_supervise(work, failure, ret_exit);
}

/* A command instead of code. */
static enum status command_run(const struct order *order, struct failure *failure, int *ret_exit)
{
    char program[PATH_MAX];
    struct work work = {.program = program, .words = order->words, .environment = environ};
    enum status status = program_find(order->words[0], child_path(), failure, program);

    if (status == STATUS_OK)
        return work_do(&work, order->mask, failure, ret_exit);
    *ret_exit = program_exit(status);
    return status;
}

static enum status code_run(const struct order *order, struct failure *failure, int *ret_exit)
{
    CLEANUP(cleanup_free) char **words = NULL;
    CLEANUP(given_reset) struct given given = GIVEN_NONE;
    CLEANUP(outcome_reset) struct outcome outcome = OUTCOME_NONE;
    char launcher[PATH_MAX];
    char program[PATH_MAX];
    struct work work = {
        .program = program, .given = &given, .outcome = order->result != NULL ? &outcome : NULL};
    enum status status = language_find(order->code, failure, &work.language);

    if (status == STATUS_OK)
        status = client_find_program(work.language->launcher, failure, launcher);
    if (status != STATUS_OK)
        return status;
    status = program_find(work.language->runtime, child_path(), failure, program);
    if (status != STATUS_OK) {
        *ret_exit = program_exit(status);
        return status;
    }
    if (order->result != NULL)
        status = outcome_prepare(order->result, failure, &outcome);
    if (status == STATUS_OK)
        status = given_prepare(order, work.language, failure, &given);
    words = words_build(order, work.language, launcher);
    if (status == STATUS_OK && words == NULL)
        status = failure_set_no_memory(failure);
    work.words = words;
    work.environment = given.environment;
    return status == STATUS_OK ? work_do(&work, order->mask, failure, ret_exit) : status;
}

int main(int argc, char **argv)
{
    struct failure failure = {0};
    struct order order;
    int exit_status = PROGRAM_RUN_FAILED;

    (void)argc;
    json_start();
    if (order_parse(argv, &failure, &order) == STATUS_OK)
        (order.code != NULL ? code_run : command_run)(&order, &failure, &exit_status);
    report_failure(&failure, NULL);
    return exit_status;
}
