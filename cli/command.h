/* The one table of commands: what each is called, takes, calls and says of itself. */
#ifndef STEPVAULT_CLI_COMMAND_H
#define STEPVAULT_CLI_COMMAND_H

#include "base/status.h"
#include "option.h"

#include <stddef.h>
#include <stdint.h>

struct command;
struct intake;
struct json;

/* One use of a command. */
struct invocation {
    const struct command *command;
    struct option_values options;
    char **words;    /* all of argv behind the program's name, for what is passed on as it is */
    int exit_status; /* what to exit with although nothing failed; 0 at first */
};

/* Where a member of a call's parameters comes from. */
enum member_source {
    MEMBER_ARGUMENT, /* the argument at `argument`; left out where there is none */
    MEMBER_TEXT,     /* the value of option `option`; left out where it was not given */
    MEMBER_PLACE,    /* the same for a path; `/` where it was not given */
    MEMBER_FLAG,     /* true where the option was given, else left out */
    MEMBER_NUMBER,   /* the whole number, 1 at least, that an option has; left out where it was not given */
    MEMBER_EXPIRY,   /* its date, time, duration from now on, or `none`; left out where it was not given */
    MEMBER_LIST      /* the values of a repeatable option; left out where there are none */
};

struct command_member {
    const char *name; /* NULL ends a table */
    enum member_source source;
    size_t argument;
    const char *option;
};

#define COMMAND_ARGUMENTS_MAX 3

typedef enum status command_print_reply(struct invocation *invocation, const struct json *reply,
                                        struct failure *failure);

struct command {
    const char *name;
    const char *subcommand; /* NULL: the command is one word */
    enum status (*run)(struct invocation *invocation, struct failure *failure);
    command_print_reply *print;           /* for command_print */
    const char *method;                   /* the agent's method, where the command is a call of one */
    const struct command_member *members; /* its parameters that come straight from the command line */
    const struct option_rule *options;
    const char *arguments[COMMAND_ARGUMENTS_MAX]; /* what each is called, of the names in value.c */
    size_t least;                                 /* arguments */
    size_t most;
    const char *usage;   /* what follows the command's words; may have several lines */
    const char *summary; /* for the list of commands */
    const char *help;    /* paragraphs */
};

/* Walks the rows of all groups, in the order in which help lists them: `walk` starts at zero. NULL at the
 * end. */
struct command_walk {
    size_t group;
    size_t row;
    const char *subject; /* of the row: what the overview files it under */
};
const struct command *command_next(struct command_walk *walk);

/* Of arguments: the handler says what is wrong, without a word of what may be a value. */
#define COMMAND_ANY_NUMBER SIZE_MAX

/* Options that several commands take. */
#define OPTION_JSON                                                                                          \
    {                                                                                                        \
        "json", NULL, false, "Prints one JSON document."                                                     \
    }
#define OPTION_AT                                                                                            \
    {                                                                                                        \
        "at", "PATH", false, "Where it is placed; default /."                                                \
    }
#define OPTION_DANGEROUS                                                                                     \
    {                                                                                                        \
        "allow-dangerous-name", NULL, false,                                                                 \
            "Lets names pass that steer the loader, a shell or an interpreter (LD_PRELOAD, PATH, ...)."      \
    }
#define OPTION_PASSPHRASE_FD                                                                                 \
    {                                                                                                        \
        "passphrase-fd", "N", false, "Reads the passphrase as one line of descriptor N, instead of asking."  \
    }
#define OPTION_NEW_PASSPHRASE_FD                                                                             \
    {                                                                                                        \
        "new-passphrase-fd", "N", false, "The same for the new passphrase."                                  \
    }
#define OPTION_RECOVERY_FD                                                                                   \
    {                                                                                                        \
        "recovery-fd", "N", false, "Writes the recovery code to descriptor N, instead of the terminal."      \
    }
#define OPTION_RECOVERY                                                                                      \
    {                                                                                                        \
        "recovery", NULL, false, "Asks for the recovery code instead of the passphrase."                     \
    }
#define OPTION_RECOVERY_CODE_FD                                                                              \
    {                                                                                                        \
        "recovery-code-fd", "N", false, "Reads the recovery code as one line of descriptor N."               \
    }
#define OPTION_KDF_TIME                                                                                      \
    {                                                                                                        \
        "kdf-time", "MS", false,                                                                             \
            "How long deriving the key shall take here; default 1000. 0 is the least, 64 MiB and 3 passes."  \
    }
#define OPTION_NOTE                                                                                          \
    {                                                                                                        \
        "note", "TEXT", false, "One line about it, shown in lists; '' takes it away. Nothing secret."        \
    }
#define OPTION_EXPIRES                                                                                       \
    {                                                                                                        \
        "expires", "DATE", false,                                                                            \
            "Until when the value is good: 2027-03-31, 2027-03-31T12:00Z, 90d from now, or none."            \
    }
#define OPTION_REVISION                                                                                      \
    {                                                                                                        \
        "revision", "N", false, "The old value that has this number in its history."                         \
    }
#define OPTION_STALE                                                                                         \
    {                                                                                                        \
        "stale", NULL, false, "Lists only values that were not changed for a year."                          \
    }
#define OPTION_EXPIRING                                                                                      \
    {                                                                                                        \
        "expiring", NULL, false, "Lists only what has expired, or expires within 30 days."                   \
    }
#define OPTION_RAW                                                                                           \
    {                                                                                                        \
        "raw", NULL, false, "Keeps a newline at the end of what stdin gives."                                \
    }

/* Options that every command takes. */
extern const struct option_rule command_common_options[];

/* Of a command that takes --json and no other. */
extern const struct option_rule command_json_options[];

/* The row of `name` and `subcommand` (NULL: none given); NULL if there is none. */
const struct command *command_find(const char *name, const char *subcommand);

/* Says which command `name` and `subcommand` may have meant. Always STATUS_USAGE. */
enum status command_unknown(const char *name, const char *subcommand, struct failure *failure);

/* True if there is a command that begins with `name` and has subcommands. */
bool command_is_group(const char *name);

#define COMMAND_WORDS_SIZE 48
/* "env set" of a command. */
const char *command_words(const struct command *command, char destination[COMMAND_WORDS_SIZE]);

/* The argument at `index`, NULL if there are not so many. */
const char *command_argument(const struct invocation *invocation, size_t index);

/* Calls the command's method with its members, and prints nothing. */
enum status command_call(struct invocation *invocation, struct failure *failure);

/* The same, and has the reply printed by the command's `print`; with --json as it came. */
enum status command_print(struct invocation *invocation, struct failure *failure);

/* The rows of each cmd_*.c, ended by one whose name is NULL. */
extern const struct command cmd_init_commands[];
extern const struct command cmd_unlock_commands[];
extern const struct command cmd_status_commands[];
extern const struct command cmd_backup_commands[];
extern const struct command cmd_check_commands[];
extern const struct command cmd_restore_commands[];
extern const struct command cmd_slot_commands[];
extern const struct command cmd_rekey_commands[];
extern const struct command cmd_account_commands[];
extern const struct command cmd_token_commands[];
extern const struct command cmd_connect_commands[];
extern const struct command cmd_request_commands[];
extern const struct command cmd_client_commands[];
extern const struct command cmd_app_commands[];
extern const struct command cmd_code_commands[];
extern const struct command cmd_env_commands[];
extern const struct command cmd_import_commands[];
extern const struct command cmd_bind_commands[];
extern const struct command cmd_step_commands[];
extern const struct command cmd_launch_commands[];
extern const struct command cmd_inject_commands[];
extern const struct command cmd_audit_commands[];
extern const struct command cmd_call_commands[];
extern const struct command cmd_help_commands[];

/* Found by command_find, and in no list. */
extern const struct command cmd_complete_command;

/* run and export: passes the words on to the launcher. */
enum status cmd_launch(struct invocation *invocation, struct failure *failure);

/* Adds an account whose properties are asked for or stand on stdin: account add, and connect where nothing is
 * to be fetched. */
enum status cmd_account_add_filled(struct invocation *invocation, struct intake *intake,
                                   struct failure *failure);

/* Prints the help of a command, of a group (`subcommand` NULL), or of all (`name` NULL). */
enum status cmd_help_print(const char *name, const char *subcommand, struct failure *failure);

#endif
