/* stepvault-manage: every command but run and export. Finds the command in the table, parses its options,
 * runs it. */
#include "base/cleanup.h"
#include "base/secret.h"
#include "command.h"
#include "crypto/seal.h"
#include "output.h"
#include "report.h"
#include "json/json.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stands on the command line, before its options are parsed. */
struct words {
    const char *name;
    const char *subcommand;
    char **rest; /* everything else, in order; NULL-terminated */
    size_t count;
};

static void words_reset(struct words *words)
{
    free(words->rest);
}

/* A file opened as descriptor 0, 1 or 2 would be read or written in place of the stream that is missing. What
 * stands in for it is open the wrong way round, so that using it fails: a missing stdin is no empty value,
 * and output without a stdout is lost. */
static bool open_standard_streams(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        int wrong_way = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;

        if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", wrong_way | O_CLOEXEC) != descriptor)
            return false;
    }
    return true;
}

/* The index of the first word from `at` on that is neither a common option nor the value of one. */
static int find_word(int argc, char **argv, int at)
{
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        const struct option_rule *rule = option_find(NULL, command_common_options, argv[at]);

        if (rule == NULL)
            return at;
        if (rule->value != NULL && strchr(argv[at], '=') == NULL)
            at++;
    }
    return at < argc ? at : argc;
}

/* Takes the command's words out of argv; options of every command may stand before and between them. */
static enum status take_words(int argc, char **argv, struct failure *failure, struct words *ret_words)
{
    int name = find_word(argc, argv, 1);
    int subcommand = argc;

    if (name < argc && argv[name][0] != '-') {
        ret_words->name = argv[name];
        if (command_is_group(argv[name]))
            subcommand = find_word(argc, argv, name + 1);
        if (subcommand < argc && argv[subcommand][0] != '-')
            ret_words->subcommand = argv[subcommand];
        else
            subcommand = argc;
    }
    ret_words->rest = calloc((size_t)argc + 1, sizeof(*ret_words->rest));
    if (ret_words->rest == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the command line");
    for (int i = 1; i < argc; i++) {
        if (argv[i] != ret_words->name && (argv[i] != ret_words->subcommand || i != subcommand))
            ret_words->rest[ret_words->count++] = argv[i];
    }
    return STATUS_OK;
}

static enum status check_count(const struct invocation *invocation, struct failure *failure)
{
    const struct command *command = invocation->command;
    char words[COMMAND_WORDS_SIZE];
    size_t count = invocation->options.argument_count;

    if (count >= command->least && count <= command->most)
        return STATUS_OK;
    return failure_set(failure, STATUS_USAGE, "%s: stepvault %s%s%s",
                       count < command->least ? "an argument is missing" : "there is an argument too many",
                       command_words(command, words), command->usage[0] != '\0' ? " " : "", command->usage);
}

/* No command: only --help and --version, or nothing that means one. */
static enum status run_bare(const struct words *words, struct failure *failure)
{
    CLEANUP(option_values_reset) struct option_values options = {0};
    enum status status =
        option_parse(NULL, command_common_options, words->count, words->rest, failure, &options);

    if (status != STATUS_OK)
        return status;
    if (option_flag(&options, "version"))
        return output_text("stepvault " STEPVAULT_VERSION "\n", failure);
    if (option_flag(&options, "help"))
        return cmd_help_print(words->name, NULL, failure);
    if (words->name == NULL)
        return failure_set(failure, STATUS_USAGE, "a command is missing: stepvault COMMAND [ARGUMENT...]");
    return command_unknown(words->name, words->subcommand, failure);
}

/* Not for a command that is passed on: the limit on core files would be passed on with it. */
static enum status start(struct failure *failure)
{
    secret_protect_process(true);
    json_start();
    /* A closed pipe is a failed write, which is told. */
    signal(SIGPIPE, SIG_IGN);
    return seal_start(failure);
}

static enum status run_command(struct invocation *invocation, const struct words *words,
                               struct failure *failure)
{
    const struct command *command = invocation->command;
    enum status status;

    if (command->run == cmd_launch)
        return cmd_launch(invocation, failure);
    status = option_parse(command->options, command_common_options, words->count, words->rest, failure,
                          &invocation->options);
    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "help"))
        return cmd_help_print(command->name, command->subcommand, failure);
    if (option_flag(&invocation->options, "version"))
        return output_text("stepvault " STEPVAULT_VERSION "\n", failure);
    status = check_count(invocation, failure);
    if (status == STATUS_OK)
        status = start(failure);
    return status == STATUS_OK ? command->run(invocation, failure) : status;
}

/* The command or the group whose help explains a wrong usage, or NULL. */
static const char *helped_by(const struct invocation *invocation, const struct words *words,
                             char destination[COMMAND_WORDS_SIZE])
{
    if (invocation->command != NULL)
        return command_words(invocation->command, destination);
    return words->name != NULL && command_is_group(words->name) ? words->name : NULL;
}

int main(int argc, char **argv)
{
    CLEANUP(words_reset) struct words words = {0};
    struct invocation invocation = {0};
    struct failure failure = {.sentence = ""};
    char name[COMMAND_WORDS_SIZE];
    enum status status;

    if (!open_standard_streams())
        return EXIT_FAILURE;
    status = take_words(argc, argv, &failure, &words);
    if (status == STATUS_OK) {
        invocation.command = words.name != NULL ? command_find(words.name, words.subcommand) : NULL;
        invocation.words = words.rest;
        status = invocation.command != NULL ? run_command(&invocation, &words, &failure)
                                            : run_bare(&words, &failure);
    }
    option_values_reset(&invocation.options);
    if (status == STATUS_OK)
        return invocation.exit_status;
    failure.status = status;
    report_failure(&failure, helped_by(&invocation, &words, name));
    return invocation.exit_status != 0 ? invocation.exit_status : status_exit(status);
}
