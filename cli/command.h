/* The one table of commands: what each is called, takes, calls and says of itself. */
#ifndef STEPVAULT_CLI_COMMAND_H
#define STEPVAULT_CLI_COMMAND_H

#include "base/status.h"
#include "option.h"

#include <stddef.h>

struct command;

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
    MEMBER_LIST      /* the values of a repeatable option; left out where there are none */
};

struct command_member {
    const char *name; /* NULL ends a table */
    enum member_source source;
    size_t argument;
    const char *option;
};

struct command {
    const char *name;
    const char *subcommand; /* NULL: the command is one word */
    enum status (*run)(struct invocation *invocation, struct failure *failure);
    const char *method;                   /* the agent's method, where the command is a call of one */
    const struct command_member *members; /* its parameters that come straight from the command line */
    const struct option_rule *options;
    size_t least; /* arguments */
    size_t most;
    const char *usage;   /* what follows the command's words; may have several lines */
    const char *summary; /* for the list of commands */
    const char *help;    /* paragraphs */
};

/* Ends with a row whose name is NULL. */
extern const struct command command_table[];

/* Options that every command takes. */
extern const struct option_rule command_common_options[];

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

/* Handlers, in cmd_*.c. */
enum status cmd_init(struct invocation *invocation, struct failure *failure);
enum status cmd_unlock(struct invocation *invocation, struct failure *failure);
enum status cmd_lock(struct invocation *invocation, struct failure *failure);
enum status cmd_status(struct invocation *invocation, struct failure *failure);
enum status cmd_passwd(struct invocation *invocation, struct failure *failure);
enum status cmd_slot_list(struct invocation *invocation, struct failure *failure);
enum status cmd_slot_add(struct invocation *invocation, struct failure *failure);
enum status cmd_slot_remove(struct invocation *invocation, struct failure *failure);
enum status cmd_account_add(struct invocation *invocation, struct failure *failure);
enum status cmd_account_list(struct invocation *invocation, struct failure *failure);
enum status cmd_account_show(struct invocation *invocation, struct failure *failure);
enum status cmd_account_set(struct invocation *invocation, struct failure *failure);
enum status cmd_env_set(struct invocation *invocation, struct failure *failure);
enum status cmd_env_get(struct invocation *invocation, struct failure *failure);
enum status cmd_env_list(struct invocation *invocation, struct failure *failure);
enum status cmd_bind(struct invocation *invocation, struct failure *failure);
enum status cmd_step_list(struct invocation *invocation, struct failure *failure);
enum status cmd_step_show(struct invocation *invocation, struct failure *failure);
enum status cmd_audit_log(struct invocation *invocation, struct failure *failure);
enum status cmd_audit_verify(struct invocation *invocation, struct failure *failure);
enum status cmd_audit_checkpoint(struct invocation *invocation, struct failure *failure);
enum status cmd_audit_key(struct invocation *invocation, struct failure *failure);
enum status cmd_call(struct invocation *invocation, struct failure *failure);
enum status cmd_launch(struct invocation *invocation, struct failure *failure); /* run and export */
enum status cmd_help(struct invocation *invocation, struct failure *failure);

/* Prints the help of a command, of a group (`subcommand` NULL), or of all (`name` NULL). */
enum status cmd_help_print(const char *name, const char *subcommand, struct failure *failure);

#endif
