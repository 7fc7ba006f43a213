/* What the two commands of the launcher, run and export, share. */
#ifndef STEPVAULT_LAUNCH_LAUNCH_H
#define STEPVAULT_LAUNCH_LAUNCH_H

#include "base/secret.h"
#include "base/status.h"
#include "launch/arguments.h"

#include <limits.h>
#include <stdbool.h>

/* Where a question goes. */
struct launch {
    const char *purpose; /* "run" or "export" */
    char vault[PATH_MAX];
    char key_file[PATH_MAX];
    bool has_key_file;
};

/* Fills `ret_launch` from the command line and the environment. Where the vault's place hangs on a HOME that
 * is not set it becomes stepvault-manage, which may ask the user database, with the unchanged `argv`. */
enum status launch_prepare(const char *purpose, const struct arguments *arguments, char *const argv[],
                           struct failure *failure, struct launch *ret_launch);

/* Asks the agent `method`; `secrets` says whether its reply holds some, which makes this process undumpable.
 */
enum status launch_ask(const struct launch *launch, const char *method, const struct secret *parameters,
                       bool secrets, struct failure *failure, struct secret *ret_reply);

/* Appends a JSON text; bytes that are not UTF-8 become `?`. */
bool launch_append_json(struct secret *parameters, const char *text);

/* Appends `,"name":` and a JSON text. */
bool launch_append_text(struct secret *parameters, const char *name, const char *text);

/* Becomes stepvault-manage. Returns only when that is not possible. */
enum status launch_manage(char *const argv[], struct failure *failure);

/* The two commands; argv[0] is the program, argv[1] the command. Each returns an exit status. */
int run_main(int argc, char **argv);
int export_main(int argc, char **argv);

#endif
