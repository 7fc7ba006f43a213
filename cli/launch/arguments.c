/* Reading the command lines of run and export; correcting one that lacks its `--`. */
#include "launch/arguments.h"

#include "base/name.h"
#include "base/text.h"
#include "launch/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_ENOUGH 2u
#define OPTION_SHOWN_MAX 40

struct option {
    const char *name;
    unsigned commands; /* of enum arguments_command */
    bool takes_value;
    enum status (*set)(struct arguments *arguments, const char *value, struct failure *failure);
};

/* Where the parser stands. */
struct parser {
    enum arguments_command command;
    int argc;
    char **argv;
    int at;
    bool separated; /* `--` was met */
    struct arguments *arguments;
};

static const char *command_name(enum arguments_command command)
{
    return command == ARGUMENTS_RUN ? "run" : "export";
}

/* ---- options ---- */

static enum status set_vault(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)failure;
    arguments->vault = value;
    return STATUS_OK;
}

static enum status set_key_file(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)failure;
    arguments->key_file = value;
    return STATUS_OK;
}

static enum status set_reason(struct arguments *arguments, const char *value, struct failure *failure)
{
    if (!text_is_utf8(value, strlen(value)))
        return failure_set(failure, STATUS_USAGE, "the reason is not UTF-8 text");
    arguments->reason = value;
    return STATUS_OK;
}

static enum status set_deliver(struct arguments *arguments, const char *value, struct failure *failure)
{
    if (strcmp(value, "env") == 0)
        arguments->deliver_env = true;
    else if (strcmp(value, "auths") == 0)
        arguments->deliver_auths = true;
    else if (strcmp(value, "credentials") == 0)
        arguments->deliver_credentials = true;
    else
        return failure_set(failure, STATUS_USAGE,
                           "--deliver does not know \"%s\"; it knows env, auths and credentials", value);
    return STATUS_OK;
}

static enum status set_keep(struct arguments *arguments, const char *value, struct failure *failure)
{
    if (value[0] == '\0' || strchr(value, '=') != NULL)
        return failure_set(failure, STATUS_USAGE, "--keep takes the name of a variable");
    arguments->keep[arguments->keep_count++] = value;
    return STATUS_OK;
}

static enum status set_env_file(struct arguments *arguments, const char *value, struct failure *failure)
{
    if (value[0] == '\0')
        return failure_set(failure, STATUS_USAGE, "--env-file takes the path of a file, or -");
    arguments->env_files[arguments->env_file.count++] = value;
    return STATUS_OK;
}

static enum status set_dialect(struct arguments *arguments, const char *value, struct failure *failure)
{
    return dotenv_dialect_named(value, failure, &arguments->env_file.dialect);
}

static enum status set_dangerous(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)value;
    (void)failure;
    arguments->env_file.allow_dangerous_name = true;
    return STATUS_OK;
}

static enum status set_pristine(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)value;
    (void)failure;
    arguments->pristine = true;
    return STATUS_OK;
}

static enum status set_own(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)value;
    (void)failure;
    arguments->own = true;
    return STATUS_OK;
}

static enum status set_format(struct arguments *arguments, const char *value, struct failure *failure)
{
    return format_find(value, failure, &arguments->format);
}

static enum status set_mask(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)value;
    (void)failure;
    arguments->mask = true;
    return STATUS_OK;
}

static enum status file_set(const char *option, const char *value, const char **place,
                            struct failure *failure)
{
    if (value[0] == '\0')
        return failure_set(failure, STATUS_USAGE, "%s takes the path of a file", option);
    *place = value;
    return STATUS_OK;
}

static enum status set_code(struct arguments *arguments, const char *value, struct failure *failure)
{
    return file_set("--code", value, &arguments->code, failure);
}

static enum status set_event(struct arguments *arguments, const char *value, struct failure *failure)
{
    return file_set("--event", value, &arguments->event, failure);
}

static enum status set_steps(struct arguments *arguments, const char *value, struct failure *failure)
{
    return file_set("--steps", value, &arguments->steps, failure);
}

static enum status set_props(struct arguments *arguments, const char *value, struct failure *failure)
{
    return file_set("--props", value, &arguments->props, failure);
}

static enum status set_database(struct arguments *arguments, const char *value, struct failure *failure)
{
    return file_set("--db", value, &arguments->database, failure);
}

static enum status set_result(struct arguments *arguments, const char *value, struct failure *failure)
{
    /* A descriptor by its number, or by the sign of stdout. */
    return file_set("--result", strcmp(value, "-") == 0 ? "1" : value, &arguments->result, failure);
}

static enum status set_help(struct arguments *arguments, const char *value, struct failure *failure)
{
    (void)value;
    (void)failure;
    arguments->help = true;
    return STATUS_OK;
}

static const struct option options[] = {
    {"--vault",                ARGUMENTS_RUN | ARGUMENTS_EXPORT, true,  set_vault    },
    {"--key-file",             ARGUMENTS_RUN | ARGUMENTS_EXPORT, true,  set_key_file },
    {"--reason",               ARGUMENTS_RUN | ARGUMENTS_EXPORT, true,  set_reason   },
    {"--deliver",              ARGUMENTS_RUN,                    true,  set_deliver  },
    {"--keep",                 ARGUMENTS_RUN,                    true,  set_keep     },
    {"--env-file",             ARGUMENTS_RUN,                    true,  set_env_file },
    {"--dialect",              ARGUMENTS_RUN,                    true,  set_dialect  },
    {"--allow-dangerous-name", ARGUMENTS_RUN,                    false, set_dangerous},
    {"--pristine",             ARGUMENTS_RUN,                    false, set_pristine },
    {"--code",                 ARGUMENTS_RUN,                    true,  set_code     },
    {"--event",                ARGUMENTS_RUN,                    true,  set_event    },
    {"--steps",                ARGUMENTS_RUN,                    true,  set_steps    },
    {"--props",                ARGUMENTS_RUN,                    true,  set_props    },
    {"--db",                   ARGUMENTS_RUN,                    true,  set_database },
    {"--result",               ARGUMENTS_RUN,                    true,  set_result   },
    {"--mask",                 ARGUMENTS_RUN,                    false, set_mask     },
    {"--format",               ARGUMENTS_EXPORT,                 true,  set_format   },
    {"--own",                  ARGUMENTS_EXPORT,                 false, set_own      },
    {"--help",                 ARGUMENTS_RUN | ARGUMENTS_EXPORT, false, set_help     },
    {"-h",                     ARGUMENTS_RUN | ARGUMENTS_EXPORT, false, set_help     },
};

static const struct option *option_find(enum arguments_command command, const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if ((options[i].commands & command) != 0 && strncmp(options[i].name, word, length) == 0 &&
            options[i].name[length] == '\0')
            return &options[i];
    }
    return NULL;
}

static enum status option_unknown(const struct parser *parser, const char *word, size_t length,
                                  struct failure *failure)
{
    char name[OPTION_SHOWN_MAX + 1];
    const char *nearest = NULL;
    unsigned best = NEAR_ENOUGH + 1;

    snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), word);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        unsigned distance = text_distance(name, options[i].name, NEAR_ENOUGH);

        if ((options[i].commands & parser->command) != 0 && distance < best && options[i].name[1] == '-') {
            best = distance;
            nearest = options[i].name;
        }
    }
    if (nearest != NULL && name[0] == '-' && name[1] == '-')
        return failure_set(failure, STATUS_USAGE, "%s does not know the option %s; did you mean %s?",
                           command_name(parser->command), name, nearest);
    return failure_set(failure, STATUS_USAGE, "%s does not know the option %s", command_name(parser->command),
                       name);
}

/* What follows `=` may be a value typed in the wrong place: it is not repeated. */
static enum status option_read(struct parser *parser, struct failure *failure)
{
    const char *word = parser->argv[parser->at++];
    const char *equals = strchr(word, '=');
    const size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *option = option_find(parser->command, word, length);
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (option == NULL)
        return option_unknown(parser, word, length, failure);
    if (!option->takes_value && value != NULL)
        return failure_set(failure, STATUS_USAGE, "%s takes no value", option->name);
    if (option->takes_value && value == NULL) {
        if (parser->at == parser->argc || strcmp(parser->argv[parser->at], "--") == 0)
            return failure_set(failure, STATUS_USAGE, "%s needs a value", option->name);
        value = parser->argv[parser->at++];
    }
    return option->set(parser->arguments, value, failure);
}

/* ---- words ---- */

/* The step for which no PATH has to be said, or NULL. */
static const char *usual_step(void)
{
    const char *step = getenv("STEPVAULT_STEP");

    return step != NULL && step[0] != '\0' ? step : NULL;
}

/* Whether a `--` or a --code is to come: a word before them is no command. */
static bool separator_follows(const struct parser *parser)
{
    for (int i = parser->at; i < parser->argc; i++) {
        if (strcmp(parser->argv[i], "--") == 0 || strcmp(parser->argv[i], "--code") == 0 ||
            strncmp(parser->argv[i], "--code=", strlen("--code=")) == 0)
            return true;
    }
    return false;
}

/* The command begins at `index`; before it stood no `--`. */
static enum status separator_missing(const struct parser *parser, int index, struct failure *failure)
{
    char line[QUOTE_LINE_MAX];

    quote_line(parser->argv, index, line);
    return failure_set(failure, STATUS_INVALID, "run needs -- before the %s: %s",
                       parser->arguments->code != NULL ? "code's arguments" : "command", line);
}

/* Without a `--` and with STEPVAULT_STEP set, the first word is the command, unless it can only be meant as a
 * path. */
static bool word_begins_command(const struct parser *parser, const char *word)
{
    struct failure ignored;

    return parser->command == ARGUMENTS_RUN && parser->arguments->code == NULL && usual_step() != NULL &&
           !separator_follows(parser) &&
           (strchr(word, '/') == NULL || name_check_path(word, &ignored) != STATUS_OK);
}

static enum status word_read(struct parser *parser, struct failure *failure)
{
    const char *word = parser->argv[parser->at];

    if (parser->arguments->step == NULL && !word_begins_command(parser, word)) {
        parser->arguments->step = word;
        parser->at++;
        return STATUS_OK;
    }
    if (parser->command == ARGUMENTS_RUN)
        return separator_missing(parser, parser->at, failure);
    return failure_set(failure, STATUS_USAGE, "export takes one PATH");
}

static enum status words_read(struct parser *parser, struct failure *failure)
{
    while (parser->at < parser->argc && !parser->separated && !parser->arguments->help) {
        const char *word = parser->argv[parser->at];
        enum status status = STATUS_OK;

        if (strcmp(word, "--") == 0) {
            parser->separated = true;
            parser->at++;
        } else if (word[0] == '-' && word[1] != '\0') {
            status = option_read(parser, failure);
        } else {
            status = word_read(parser, failure);
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status command_read(struct parser *parser, struct failure *failure)
{
    if (parser->command == ARGUMENTS_EXPORT) {
        if (parser->at < parser->argc)
            return failure_set(failure, STATUS_USAGE, "export takes no command");
        return STATUS_OK;
    }
    if (parser->at == parser->argc && parser->arguments->code == NULL)
        return failure_set(failure, STATUS_USAGE, "run needs a command: stepvault run %s -- COMMAND",
                           parser->arguments->step != NULL ? parser->arguments->step : "PATH");
    parser->arguments->command = parser->argv + parser->at;
    return STATUS_OK;
}

/* Standard input is there once. */
static enum status stdin_check(const struct arguments *arguments, struct failure *failure)
{
    const struct {
        const char *what;
        const char *path;
    } inputs[] = {
        {"the event", arguments->event},
        {"the steps", arguments->steps},
        {"the props", arguments->props},
    };
    const char *reader = NULL;

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        if (inputs[i].path == NULL || strcmp(inputs[i].path, "-") != 0)
            continue;
        if (reader != NULL)
            return failure_set(failure, STATUS_USAGE, "standard input cannot be both %s and %s", reader,
                               inputs[i].what);
        reader = inputs[i].what;
    }
    for (size_t i = 0; reader != NULL && i < arguments->env_file.count; i++) {
        if (strcmp(arguments->env_files[i], "-") == 0)
            return failure_set(failure, STATUS_USAGE, "standard input cannot be both %s and an env file",
                               reader);
    }
    return STATUS_OK;
}

/* What is said of code is said with --code. */
static enum status code_check(const struct arguments *arguments, struct failure *failure)
{
    const struct {
        const char *name;
        const char *value;
    } of_code[] = {
        {"--event",  arguments->event   },
        {"--steps",  arguments->steps   },
        {"--props",  arguments->props   },
        {"--db",     arguments->database},
        {"--result", arguments->result  },
    };

    for (size_t i = 0; arguments->code == NULL && i < sizeof(of_code) / sizeof(of_code[0]); i++) {
        if (of_code[i].value != NULL)
            return failure_set(failure, STATUS_USAGE, "%s is said with --code only", of_code[i].name);
    }
    return stdin_check(arguments, failure);
}

/* Code reads its accounts from the document; a shell has them as variables, too, where nothing is said. */
static enum status code_settle(struct arguments *arguments, struct failure *failure)
{
    enum status status = code_check(arguments, failure);

    if (status != STATUS_OK || arguments->code == NULL)
        return status;
    status = language_find(arguments->code, failure, &arguments->language);
    if (status != STATUS_OK)
        return status;
    if (arguments->language->is_shell && (arguments->props != NULL || arguments->database != NULL))
        return failure_set(failure, STATUS_USAGE, "code in %s has no %s", arguments->language->runtime,
                           arguments->props != NULL ? "--props" : "--db");
    if (!arguments->deliver_auths && !arguments->deliver_env && !arguments->deliver_credentials)
        arguments->deliver_env = arguments->language->is_shell;
    arguments->deliver_auths = true;
    return STATUS_OK;
}

enum status arguments_parse(enum arguments_command command, int argc, char **argv, struct failure *failure,
                            struct arguments *ret_arguments)
{
    struct parser parser = {
        .command = command, .argc = argc, .argv = argv, .at = 2, .arguments = ret_arguments};
    enum status status;

    *ret_arguments = (struct arguments){.format = format_default()};
    ret_arguments->keep = calloc((size_t)argc, sizeof(*ret_arguments->keep));
    ret_arguments->env_files = calloc((size_t)argc, sizeof(*ret_arguments->env_files));
    ret_arguments->env_file.paths = ret_arguments->env_files;
    if (ret_arguments->keep == NULL || ret_arguments->env_files == NULL)
        return failure_set_no_memory(failure);
    status = words_read(&parser, failure);
    if (status != STATUS_OK || ret_arguments->help)
        return status;
    status = command_read(&parser, failure);
    if (status == STATUS_OK)
        status = code_settle(ret_arguments, failure);
    if (status != STATUS_OK)
        return status;
    if (ret_arguments->step == NULL)
        ret_arguments->step = usual_step();
    if (ret_arguments->step == NULL)
        return failure_set(failure, STATUS_USAGE, "%s needs the PATH of a step, or STEPVAULT_STEP",
                           command_name(command));
    return name_check_path(ret_arguments->step, failure);
}

void arguments_reset(struct arguments *arguments)
{
    free(arguments->keep);
    free(arguments->env_files);
    arguments->keep = NULL;
    arguments->env_files = NULL;
}
