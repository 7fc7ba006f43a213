/* The command lines of run and export. */
#ifndef STEPVAULT_LAUNCH_ARGUMENTS_H
#define STEPVAULT_LAUNCH_ARGUMENTS_H

#include "base/status.h"
#include "code/language.h"
#include "launch/envfile.h"
#include "launch/format.h"

#include <stdbool.h>
#include <stddef.h>

enum arguments_command { ARGUMENTS_RUN = 1, ARGUMENTS_EXPORT = 2 };

/* What was said; texts are borrowed from argv and the environment. */
struct arguments {
    const char *step; /* well-formed path */
    const char *vault;
    const char *key_file;
    const char *reason;
    bool deliver_env; /* as said: all false means env */
    bool deliver_auths;
    bool deliver_credentials;
    bool pristine;
    bool own;
    const struct format *format;
    bool help; /* nothing else counts then */
    const char **keep;
    size_t keep_count;
    const char **env_files;
    struct envfile_request env_file;
    char **command;    /* run: CMD and its arguments, NULL-terminated; with `code` that file's arguments */
    const char *code;  /* or NULL; what follows is said with it only, but for `mask` */
    const char *event; /* `-` is standard input, here or in one of the next two */
    const char *steps;
    const char *props;
    const char *database;
    const char *result;              /* a file, or the number of a descriptor */
    const struct language *language; /* of `code` */
    bool mask;
};

/* Reads argv from its third word on. Failures are STATUS_USAGE, or STATUS_INVALID where the sentence already
 * ends in the line that was meant. The caller frees the result with arguments_reset, after a failure too. */
enum status arguments_parse(enum arguments_command command, int argc, char **argv, struct failure *failure,
                            struct arguments *ret_arguments);

void arguments_reset(struct arguments *arguments);

#endif
