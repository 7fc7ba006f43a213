/* stepvault-code: what `stepvault run` becomes for a code step. Finds the language's runtime and launcher and
 * becomes it. */
#include "base/cleanup.h"
#include "client/client.h"
#include "code/language.h"
#include "code/order.h"
#include "code/supervise.h"
#include "launch/program.h"
#include "report.h"

#include <stdlib.h>
#include <unistd.h>

#define CODE_FAILED 125 /* as `run` exits where it fails itself */

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

/* Becomes the program, or stays beside it where what it prints is to be scrubbed. */
static enum status program_run(const struct order *order, const char *program, char **words,
                               struct failure *failure, int *ret_exit)
{
    CLEANUP(mask_freep) struct mask *mask = NULL;
    struct supervision supervision = {.program = program, .arguments = words, .environment = environ};
    int wait_status = 0;
    enum status status;

    *ret_exit = PROGRAM_NOT_EXECUTABLE;
    if (order->mask < 0)
        return program_exec(program, words, environ, failure);
    status = mask_load(order->mask, failure, &mask);
    close(order->mask);
    if (status != STATUS_OK) {
        *ret_exit = CODE_FAILED;
        return status;
    }
    supervision.mask = mask;
    status = supervise(&supervision, failure, &wait_status);
    mask_freep(&mask);
    if (status == STATUS_OK)
        supervise_end_like(wait_status);
    return status;
}

/* A command instead of code. */
static enum status command_run(const struct order *order, struct failure *failure, int *ret_exit)
{
    char program[PATH_MAX];
    enum status status = program_find(order->words[0], child_path(), failure, program);

    if (status == STATUS_OK)
        return program_run(order, program, order->words, failure, ret_exit);
    *ret_exit = program_exit(status);
    return status;
}

static enum status code_run(const struct order *order, struct failure *failure, int *ret_exit)
{
    CLEANUP(cleanup_free) char **words = NULL;
    const struct language *language;
    char launcher[PATH_MAX];
    char program[PATH_MAX];
    enum status status = language_find(order->code, failure, &language);

    if (status == STATUS_OK)
        status = client_find_program(language->launcher, failure, launcher);
    if (status != STATUS_OK)
        return status;
    status = program_find(language->runtime, child_path(), failure, program);
    if (status == STATUS_OK) {
        words = words_build(order, language, launcher);
        status = words == NULL ? failure_set_no_memory(failure)
                               : program_run(order, program, words, failure, ret_exit);
        return status;
    }
    *ret_exit = program_exit(status);
    return status;
}

int main(int argc, char **argv)
{
    struct failure failure = {0};
    struct order order;
    int exit_status = CODE_FAILED;

    (void)argc;
    if (order_parse(argv, &failure, &order) == STATUS_OK)
        (order.code != NULL ? code_run : command_run)(&order, &failure, &exit_status);
    report_failure(&failure, NULL);
    return exit_status;
}
