/* What the two commands of the launcher share. */
#include "launch/launch.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "client/ask.h"
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status launch_manage(char *const argv[], struct failure *failure)
{
    char program[PATH_MAX];
    enum status status = client_find_program("stepvault-manage", failure, program);

    if (status != STATUS_OK)
        return status;
    execv(program, argv);
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot execute %s", program);
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0';
}

/* HOME is the only thing that stepvault-manage adds before it comes back, so this is false the second time.
 */
static bool home_is_missing(const struct arguments *arguments)
{
    const char *home = getenv("HOME");

    return arguments->vault == NULL && !is_set("STEPVAULT_VAULT") && (home == NULL || home[0] != '/');
}

enum status launch_prepare(const char *purpose, const struct arguments *arguments, char *const argv[],
                           struct failure *failure, struct launch *ret_launch)
{
    enum status status = file_vault_path(arguments->vault, failure, ret_launch->vault);

    if (status == STATUS_INVALID && home_is_missing(arguments))
        return launch_manage(argv, failure);
    ret_launch->purpose = purpose;
    ret_launch->has_key_file = file_key_path(arguments->key_file, ret_launch->key_file);
    return status;
}

enum status launch_ask(const struct launch *launch, const char *method, const struct secret *parameters,
                       bool secrets, struct failure *failure, struct secret *ret_reply)
{
    const struct ask ask = {
        .vault = launch->vault,
        .key_file = launch->has_key_file ? launch->key_file : NULL,
        .method = method,
        .parameters = parameters,
        .purpose = launch->purpose,
        .undumpable = secrets,
    };

    return ask_agent(&ask, failure, ret_reply);
}

bool launch_append_json(struct secret *parameters, const char *text)
{
    CLEANUP(secret_reset) struct secret plain = {0};
    size_t left = strlen(text);
    bool done = true;

    if (text_is_utf8(text, left))
        return text_append_json(parameters, text, left);
    while (done && left > 0) {
        size_t length = text_utf8_sequence(text, left);

        done = length > 0 ? secret_append(&plain, text, length) : secret_append_byte(&plain, '?');
        text += length > 0 ? length : 1;
        left -= length > 0 ? length : 1;
    }
    return done && text_append_json(parameters, plain.bytes, plain.size);
}

bool launch_append_text(struct secret *parameters, const char *name, const char *text)
{
    return secret_append_text(parameters, ",\"") && secret_append_text(parameters, name) &&
           secret_append_text(parameters, "\":") && launch_append_json(parameters, text);
}
