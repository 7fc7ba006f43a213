/* The table of commands: each cmd_*.c has its rows beside what they call. */
#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

const struct option_rule command_common_options[] = {
    {"vault",                                 "FILE", false, "The vault; else $STEPVAULT_VAULT, else $XDG_DATA_HOME's."},
    {"key-file",                                  "FILE", false,
     "Opens a locked vault; else $STEPVAULT_KEY_FILE, else "
     "$CREDENTIALS_DIRECTORY/stepvault.key."},
    {"help",                                       NULL, false, "Prints this and does nothing."},
    {"version",NULL, false, "Prints the version and does nothing."},
    {0},
};

const struct option_rule command_json_options[] = {OPTION_JSON, {0}};

/* In the order in which help lists them; those of one subject stand together. */
static const struct {
    const char *subject;
    const struct command *rows;
} groups[] = {
    {"the vault",  cmd_init_commands   },
    {"the vault",  cmd_unlock_commands },
    {"the vault",  cmd_status_commands },
    {"the vault",  cmd_backup_commands },
    {"the vault",  cmd_check_commands  },
    {"the vault",  cmd_restore_commands},
    {"unlocking",  cmd_slot_commands   },
    {"unlocking",  cmd_rekey_commands  },
    {"accounts",   cmd_account_commands},
    {"accounts",   cmd_connect_commands},
    {"accounts",   cmd_token_commands  },
    {"apps",       cmd_app_commands    },
    {"apps",       cmd_client_commands },
    {"apps",       cmd_code_commands   },
    {"apps",       cmd_request_commands},
    {"variables",  cmd_env_commands    },
    {"variables",  cmd_import_commands },
    {"bindings",   cmd_bind_commands   },
    {"steps",      cmd_step_commands   },
    {"running",    cmd_launch_commands },
    {"running",    cmd_inject_commands },
    {"access log", cmd_audit_commands  },
    {"more",       cmd_call_commands   },
    {"more",       cmd_help_commands   },
};

const struct command *command_next(struct command_walk *walk)
{
    while (walk->group < sizeof groups / sizeof groups[0]) {
        const struct command *command = &groups[walk->group].rows[walk->row++];
        walk->subject = groups[walk->group].subject;
        if (command->name != NULL)
            return command;
        *walk = (struct command_walk){.group = walk->group + 1};
    }
    return NULL;
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

const struct command *command_find(const char *name, const char *subcommand)
{
    struct command_walk walk = {0};

    if (same(cmd_complete_command.name, name))
        return &cmd_complete_command;
    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        if (same(command->name, name) && same(command->subcommand, subcommand))
            return command;
    }
    return NULL;
}

bool command_is_group(const char *name)
{
    struct command_walk walk = {0};

    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        if (strcmp(command->name, name) == 0)
            return command->subcommand != NULL;
    }
    return false;
}

static enum status unknown_subcommand(const char *name, const char *subcommand, struct failure *failure)
{
    struct command_walk walk = {0};
    struct option_nearest nearest = {.wanted = subcommand};
    char choices[256] = "";
    size_t size = 0;

    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        if (strcmp(command->name, name) != 0)
            continue;
        if (size < sizeof(choices))
            size += (size_t)snprintf(choices + size, sizeof(choices) - size, "%s%s", size > 0 ? ", " : "",
                                     command->subcommand);
        if (subcommand != NULL)
            option_consider(&nearest, command->subcommand);
    }
    if (nearest.name != NULL)
        return failure_set(failure, STATUS_USAGE, "there is no command %s %s; did you mean %s %s?", name,
                           subcommand, name, nearest.name);
    return failure_set(failure, STATUS_USAGE, "%s is followed by one of %s", name, choices);
}

enum status command_unknown(const char *name, const char *subcommand, struct failure *failure)
{
    struct command_walk walk = {0};
    struct option_nearest nearest = {.wanted = name};

    if (command_is_group(name))
        return unknown_subcommand(name, subcommand, failure);
    if (subcommand != NULL && command_find(name, NULL) != NULL)
        return failure_set(failure, STATUS_USAGE, "the command %s has no subcommands", name);
    for (const struct command *command = command_next(&walk); command != NULL; command = command_next(&walk))
        option_consider(&nearest, command->name);
    if (nearest.name != NULL)
        return failure_set(failure, STATUS_USAGE, "there is no command %s; did you mean %s?", name,
                           nearest.name);
    return failure_set(failure, STATUS_USAGE, "there is no command %s", name);
}

const char *command_words(const struct command *command, char destination[COMMAND_WORDS_SIZE])
{
    snprintf(destination, COMMAND_WORDS_SIZE, "%s%s%s", command->name, command->subcommand != NULL ? " " : "",
             command->subcommand != NULL ? command->subcommand : "");
    return destination;
}

const char *command_argument(const struct invocation *invocation, size_t index)
{
    return index < invocation->options.argument_count ? invocation->options.arguments[index] : NULL;
}
