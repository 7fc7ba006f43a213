/* run and export: the launcher's commands, which reach this program where HOME is not set (the launcher asks
 * no user database) or where other options stand before them. Becomes the launcher, with HOME in its
 * environment. */
#include "base/cleanup.h"
#include "client/client.h"
#include "command.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_FAILED 125 /* what run exits with when it fails itself */

/* As the launcher sees it: else it would come back here. */
static bool home_is_set(void)
{
    const char *home = getenv("HOME");

    return home != NULL && home[0] == '/';
}

static enum status home_entry(struct failure *failure, char **ret_entry)
{
    const struct passwd *user;

    errno = 0;
    user = getpwuid(getuid());
    if (user == NULL || user->pw_dir == NULL || user->pw_dir[0] != '/')
        return failure_set_errno(failure, STATUS_FAILED, errno != 0 ? errno : ENOENT,
                                 "HOME is not set, and user %lu has no home folder", (unsigned long)getuid());
    if (asprintf(ret_entry, "HOME=%s", user->pw_dir) < 0)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the environment");
    return STATUS_OK;
}

/* Our environment with `home` in place of any HOME in it. */
static char **environment_with(char *home)
{
    size_t count = 0;
    size_t kept = 0;
    char **environment;

    while (environ[count] != NULL)
        count++;
    environment = calloc(count + 2, sizeof(*environment));
    if (environment == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "HOME=", 5) != 0)
            environment[kept++] = environ[i];
    }
    environment[kept] = home;
    return environment;
}

/* The command first, then its words: what the launcher looks at. */
static char **launcher_words(const struct invocation *invocation)
{
    size_t count = 0;
    char **words;

    while (invocation->words[count] != NULL)
        count++;
    words = calloc(count + 3, sizeof(*words));
    if (words == NULL)
        return NULL;
    words[0] = (char *)(uintptr_t) "stepvault";
    words[1] = (char *)(uintptr_t)invocation->command->name;
    memcpy(words + 2, invocation->words, count * sizeof(*words));
    return words;
}

enum status cmd_launch(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(cleanup_free) char *home = NULL;
    CLEANUP(cleanup_free) char **environment = NULL;
    CLEANUP(cleanup_free) char **words = launcher_words(invocation);
    char program[PATH_MAX];
    enum status status = client_find_program("stepvault", failure, program);

    invocation->exit_status = strcmp(invocation->command->name, "run") == 0 ? RUN_FAILED : 0;
    if (status == STATUS_OK && !home_is_set())
        status = home_entry(failure, &home);
    if (status != STATUS_OK)
        return status;
    if (home != NULL)
        environment = environment_with(home);
    if (words == NULL || (home != NULL && environment == NULL))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the environment");
    execve(program, words, environment != NULL ? environment : environ);
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot execute %s", program);
}

/* ---- the commands ---- */

static const struct option_rule run_options[] = {
    {"deliver",                                        "env|auths|credentials", true, "ALIAS_PROPERTY, $STEPVAULT_AUTHS, or files."},
    {"env-file",                                            "FILE|-", true, "A .env file; later ones win; repeatable."},
    {"dialect",                                                "strict|node|python|shell|docker", false, "How --env-file is read."},
    {"allow-dangerous-name",NULL, false, "Lets LD_PRELOAD, PATH, ... pass from there."},
    {"pristine",      NULL, false, "Inherits PATH, HOME, USER and the like alone."},
    {"keep",                                        "NAME", true, "Keeps an inherited name that the vault knows."},
    {"code",                                           "FILE", false, "Runs a .js, .mjs, .cjs, .py, .sh or .bash file."},
    {"event",                                                "FILE|-", false, "JSON: the event that the code gets."},
    {"steps",                                                "FILE", false, "JSON: what earlier steps left."},
    {"props",   "FILE", false, "JSON: values of props that are no accounts."},
    {"db",                                       "FILE", false, "JSON that lives from run to run ($.service.db)."},
    {"result",                                           "FILE|FD", false, "Where the code's result goes, as JSON; - is stdout."},
    {"mask",                                                NULL, false, "Scrubs the secrets from what is printed and left."},
    {"reason",   "TEXT", false, "Stands in the log, as a claim."},
    {0},
};
static const struct option_rule export_options[] = {
    {"format", "auths|json|dotenv|shell|docker|nul", false,
     "The document of the accounts (default), or the variables, in that form."},
    {"own",   NULL, false, "Only what is placed exactly at PATH."},
    {"reason",        "TEXT", false, "Stands in the log, as a claim."},
    {0 },
};

/* clang-format off */
const struct command cmd_launch_commands[] = {
    {
        .name = "run", .run = cmd_launch, .options = run_options,
        .arguments = {"PATH", "CMD"},
        .usage = "[PATH] [OPTION]... -- CMD [ARG...]",
        .summary = "run a step",
        .help = "Becomes CMD with what the step PATH (or $STEPVAULT_STEP) gets, logged first; what else the vault knows is taken "
                "out of the environment. With --code FILE [-- ARG...] it runs the file as a workflow's code step. Exits as CMD "
                "does; 125 if stepvault fails, 126 if CMD cannot run, 127 if there is none.",
    },
    {
        .name = "export", .run = cmd_launch, .options = export_options,
        .arguments = {"PATH"},
        .usage = "[PATH] [--format FORM] [--own] [--reason TEXT]",
        .summary = "print what a step gets",
        .help = "Prints what the step PATH (or $STEPVAULT_STEP) gets: the document of its accounts, or its variables (those of "
                "accounts included) as a .env file, as export commands for eval, as a file for docker run --env-file, or each "
                "ended by a NUL. What cannot be said exactly in a form is an error, and nothing is printed. Logged like run.",
    },
    {0},
};
/* clang-format on */
