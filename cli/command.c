/* The table of commands. A row's help is folded when it is printed; its options stand in a table of their
 * own. */
#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

const struct option_rule command_common_options[] = {
    {"vault",                                 "FILE", false, "The vault; else $STEPVAULT_VAULT, else $XDG_DATA_HOME/stepvault/vault.db."},
    {"key-file",                                  "FILE", false,
     "Opens a locked vault for this command; else $STEPVAULT_KEY_FILE, else "
     "$CREDENTIALS_DIRECTORY/stepvault.key."},
    {"help",                                       NULL, false, "Prints this and does nothing."},
    {"version",NULL, false, "Prints the version and does nothing."},
    {0},
};

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
#define OPTION_KDF_TIME                                                                                      \
    {                                                                                                        \
        "kdf-time", "MS", false,                                                                             \
            "How long deriving a key from the passphrase shall take here; default 1000. 0 is the least "     \
            "that "                                                                                          \
            "stepvault accepts, 64 MiB and 3 passes."                                                        \
    }
#define OPTION_RAW                                                                                           \
    {                                                                                                        \
        "raw", NULL, false, "Keeps a newline at the end of what stdin gives."                                \
    }

static const struct option_rule init_options[] = {
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY_FD,
    {"no-recovery", NULL, false, "Makes no recovery code."},
    OPTION_KDF_TIME,
    {0       },
};
static const struct option_rule unlock_options[] = {
    OPTION_PASSPHRASE_FD,
    {"recovery",                                              NULL, false, "Asks for the recovery code instead of the passphrase."},
    {"recovery-code-fd",                                                  "N", false, "Reads the recovery code as one line of descriptor N."},
    {"for",                                                       "DURATION", false, "Locks the vault after 90s, 15m, 8h, 2d; 0 removes what was set."},
    {"idle",   "DURATION", false, "Locks the vault when it was not used for so long; 0 removes it."},
    {0},
};
static const struct option_rule passwd_options[] = {
    OPTION_PASSPHRASE_FD,
    OPTION_NEW_PASSPHRASE_FD,
    OPTION_KDF_TIME,
    {0},
};
static const struct option_rule slot_add_options[] = {
    {"passphrase", NULL, false, "Adds the passphrase slot, where the vault has none."},
    {"recovery",       NULL, false, "Adds the recovery slot, where the vault has none."},
    OPTION_PASSPHRASE_FD,
    OPTION_NEW_PASSPHRASE_FD,
    OPTION_RECOVERY_FD,
    OPTION_KDF_TIME,
    {0           },
};
static const struct option_rule slot_remove_options[] = {OPTION_PASSPHRASE_FD, {0}};
static const struct option_rule json_options[] = {OPTION_JSON, {0}};
static const struct option_rule account_add_options[] = {
    {"label", "LABEL", false, "Tells accounts of one app apart; the first one is `default`."},
    OPTION_JSON,
    {0 },
};
static const struct option_rule account_set_options[] = {
    OPTION_RAW,
    {"unset", "PROPERTY", true, "Removes a property instead of setting any."},
    {0  },
};
static const struct option_rule env_set_options[] = {OPTION_AT, OPTION_RAW, OPTION_DANGEROUS, {0}};
static const struct option_rule env_at_options[] = {OPTION_AT, {0}};
static const struct option_rule env_list_options[] = {
    OPTION_AT,
    {"all",  NULL, false, "Lists the variables of every path."},
    OPTION_JSON,
    {0},
};
static const struct option_rule bind_options[] = {
    {"as",                            "ALIAS", false, "The name the step knows the account by; default the app's."},
    {"only",                          "PROPERTY", true, "Gives only these properties."},
    {"env",                               "NAME=PROPERTY", true, "Calls the variable of a property NAME instead of ALIAS_PROPERTY."},
    {"replace",NULL, false, "Changes what the alias has at this path: account, properties, names."},
    OPTION_DANGEROUS,
    {0},
};
static const struct option_rule step_add_options[] = {
    {"no-inherit", NULL, false, "Makes the path a boundary: steps at or below it get nothing from above it."},
    {0      },
};
static const struct option_rule step_remove_options[] = {
    {"force", NULL, false, "Removes also what is placed exactly there."},
    {0 },
};
static const struct option_rule audit_log_options[] = {
    {"step",                                   "PATH", false, "Entries of this step."},
    {"account",                                   "ACCOUNT", false, "Entries that this account is part of."},
    {"variable",                                        "NAME", false, "Entries that this variable is part of."},
    {"uid","UID", false, "Entries of calls by this user."},
    {"outcome", "OUTCOME", false, "`granted` or `refused`."},
    {"since",                               "TIME", false, "Entries from 2026-11-22, 2026-11-22T09:31Z, or the last 90m or 7d on."},
    {"json",                                   NULL, false, "Prints each entry as the line of JSON that was hashed."},
    {0                                       },
};
static const struct option_rule run_options[] = {
    {"deliver",                                                                   "FORM", true, "How accounts are handed over, `env` (default) or `auths`; repeatable."},
    {"pristine",                                                                       NULL, false, "Starts with PATH, HOME, USER, SHELL, TERM, LANG, LC_*, TZ and PWD alone."},
    {"keep",                                                                           "NAME", true,
     "Keeps an inherited variable that would be taken out, because the vault knows it."},
    {"reason", "TEXT", false, "Stands in the log, as a claim."},
    {0},
};
static const struct option_rule export_options[] = {
    {"format", "FORM", false,
     "`auths` (default), the document of the accounts; or `json`, names and values."},
    {"own",   NULL, false, "Only what is placed exactly at PATH."},
    {"reason",        "TEXT", false, "Stands in the log, as a claim."},
    {0 },
};

static const struct command_member account_add_members[] = {
    {"app", MEMBER_ARGUMENT, 0, NULL},
    {"label",    MEMBER_TEXT, 0, "label"},
    {0    },
};
static const struct command_member app_members[] = {
    {"app", MEMBER_ARGUMENT, 0, NULL},
    {0   },
};
static const struct command_member account_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {0       },
};
static const struct command_member account_set_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {"unset",        MEMBER_LIST, 0, "unset"},
    {0        },
};
static const struct command_member rename_members[] = {
    {"account", MEMBER_ARGUMENT, 0, NULL},
    {"label",        MEMBER_ARGUMENT, 1, NULL},
    {0        },
};
static const struct command_member env_set_members[] = {
    {"path",           MEMBER_PLACE, 0, "at"},
    {"name",               MEMBER_ARGUMENT, 0, NULL},
    {"allow_dangerous_name",                MEMBER_FLAG, 0, "allow-dangerous-name"},
    {0},
};
static const struct command_member env_members[] = {
    {"path", MEMBER_PLACE, 0, "at"},
    {"name",     MEMBER_ARGUMENT, 0, NULL},
    {0     },
};
static const struct command_member bind_members[] = {
    {"path",           MEMBER_ARGUMENT, 0, NULL},
    {"account",               MEMBER_ARGUMENT, 1, NULL},
    {"alias",                MEMBER_TEXT, 0, "as"},
    {"only",MEMBER_LIST, 0, "only"},
    {"replace",            MEMBER_FLAG, 0, "replace"},
    {"allow_dangerous_name",          MEMBER_FLAG, 0, "allow-dangerous-name"},
    {0              },
};
static const struct command_member unbind_members[] = {
    {"path", MEMBER_ARGUMENT, 0, NULL},
    {"alias",     MEMBER_ARGUMENT, 1, NULL},
    {0     },
};
static const struct command_member step_add_members[] = {
    {"path", MEMBER_ARGUMENT, 0, NULL},
    {"no_inherit",     MEMBER_FLAG, 0, "no-inherit"},
    {0     },
};
static const struct command_member under_members[] = {
    {"under", MEMBER_ARGUMENT, 0, NULL},
    {0     },
};
static const struct command_member path_members[] = {
    {"path", MEMBER_ARGUMENT, 0, NULL},
    {0    },
};
static const struct command_member step_remove_members[] = {
    {"path", MEMBER_ARGUMENT, 0, NULL},
    {"force",     MEMBER_FLAG, 0, "force"},
    {0     },
};
static const struct command_member audit_log_members[] = {
    {"step",       MEMBER_TEXT, 0, "step"},
    {"account",           MEMBER_TEXT, 0, "account"},
    {"variable",            MEMBER_TEXT, 0, "variable"},
    {"outcome",MEMBER_TEXT, 0, "outcome"},
    {0  },
};

#define ANY_NUMBER                                                                                           \
    SIZE_MAX /* of arguments: the handler says what is wrong, without a word of what may be a value */

/* clang-format off */
const struct command command_table[] = {
    {
        .name = "init", .run = cmd_init, .options = init_options,
        .usage = "[--passphrase-fd N | --key-file FILE] [--recovery-fd N | --no-recovery]",
        .summary = "make a vault",
        .help = "Makes a vault and leaves it open, with its agent running. It is unlocked by a passphrase, which is "
                "asked for twice on the terminal, or by the key file, which is made with 32 random bytes (mode 0600) if "
                "there is none; with both options by either.\n"
                "\n"
                "A recovery code opens the vault when the passphrase is lost. It is printed once, alone on standard "
                "output if that is a terminal; elsewhere --recovery-fd or --no-recovery is required. There is a vault "
                "only after the code was written out.",
    },
    {
        .name = "unlock", .run = cmd_unlock, .options = unlock_options,
        .usage = "[--passphrase-fd N | --key-file FILE | --recovery] [--for DURATION] [--idle DURATION]",
        .summary = "open the vault",
        .help = "Starts the agent, which holds the open vault until `stepvault lock`. On an open vault nothing is asked "
                "for, and only --for and --idle apply.",
    },
    {
        .name = "lock", .run = cmd_lock,
        .usage = "",
        .summary = "close the vault",
        .help = "Wipes the keys, closes the file and ends the agent. Nothing open is no error.",
    },
    {
        .name = "status", .run = cmd_status, .options = json_options,
        .usage = "[--json]",
        .summary = "say whether the vault is open",
        .help = "Prints the vault, its state (open, locked, absent) and the agent with what protects it, as far as the "
                "machine lets it. Starts no agent. Exits 0 if the vault is open, 3 if it is locked, 4 if there is none.",
    },
    {
        .name = "passwd", .run = cmd_passwd, .method = "ReplacePassphrase", .options = passwd_options,
        .usage = "[--passphrase-fd N | --key-file FILE] [--new-passphrase-fd N]",
        .summary = "replace the passphrase",
        .help = "Asks for the passphrase (or takes the key file), then for the new one, twice. Works on a locked vault "
                "too. Copies of the vault file made before still open with the old passphrase.",
    },
    {
        .name = "slot", .subcommand = "list", .run = cmd_slot_list, .method = "ListSlots", .options = json_options,
        .usage = "[--json]",
        .summary = "list the ways to unlock the vault",
        .help = "Prints kind, id, time of making and key derivation of each slot. Kinds are passphrase, login, recovery "
                "and machine (a key file).",
    },
    {
        .name = "slot", .subcommand = "add", .run = cmd_slot_add, .method = "AddSlot", .options = slot_add_options,
        .usage = "--key-file FILE | --passphrase [--new-passphrase-fd N] | --recovery [--recovery-fd N]",
        .summary = "add a way to unlock the vault",
        .help = "Adds a slot: for a key file, which is made with 32 random bytes (mode 0600) if there is none; for a "
                "passphrase; or for a recovery code, which goes where that of `stepvault init` goes.\n"
                "\n"
                "This needs the passphrase anew: it is asked for, or read by --passphrase-fd. A key file does too: with "
                "--passphrase or --recovery the one that --key-file names; else, since --key-file names the new one, "
                "that of $STEPVAULT_KEY_FILE or $CREDENTIALS_DIRECTORY. Works on a locked vault too.",
    },
    {
        .name = "slot", .subcommand = "remove", .run = cmd_slot_remove, .method = "RemoveSlot",
        .options = slot_remove_options, .least = 1, .most = 1,
        .usage = "ID|KIND [--passphrase-fd N | --key-file FILE]",
        .summary = "remove one",
        .help = "Removes the slot whose id begins with ID (4 digits at least), or the only one of KIND. Needs the "
                "passphrase or a key file anew. The last slot stays. Works on a locked vault too. Copies of the vault "
                "file made before still open with what the slot was for.",
    },
    {
        .name = "account", .subcommand = "add", .run = cmd_account_add, .method = "AddAccount",
        .members = account_add_members, .options = account_add_options, .least = 1, .most = 1,
        .usage = "APP [--label LABEL]",
        .summary = "add an account of an app",
        .help = "Reads its properties, such as an access token, from stdin as a JSON object of strings; on a terminal "
                "asks for them one by one. Prints the account's name, APP:LABEL. The first account of an app is "
                "labelled `default`; a second one needs --label.",
    },
    {
        .name = "account", .subcommand = "list", .run = cmd_account_list, .method = "ListAccounts",
        .members = app_members, .options = json_options, .most = 1,
        .usage = "[APP] [--json]",
        .summary = "list accounts",
        .help = "Prints each account with its id, the names of its properties and where it is bound.",
    },
    {
        .name = "account", .subcommand = "show", .run = cmd_account_show, .method = "ShowAccount",
        .members = account_members, .options = json_options, .least = 1, .most = 1,
        .usage = "ACCOUNT [--json]",
        .summary = "show one",
        .help = "Prints the account (APP, APP:LABEL or its id) with the names of its properties, never their values.",
    },
    {
        .name = "account", .subcommand = "set", .run = cmd_account_set, .method = "SetAccount",
        .members = account_set_members, .options = account_set_options, .least = 1, .most = ANY_NUMBER,
        .usage = "ACCOUNT [PROPERTY] [--raw] [--unset PROPERTY]...",
        .summary = "set properties",
        .help = "Sets one property, its value read from stdin without one newline at its end, or asked for on a "
                "terminal. Without PROPERTY sets all those of a JSON object of strings on stdin. Others stay.",
    },
    {
        .name = "account", .subcommand = "rename", .run = command_call, .method = "RenameAccount",
        .members = rename_members, .least = 2, .most = 2,
        .usage = "ACCOUNT LABEL",
        .summary = "give one another label",
        .help = "Gives an account another label. Its bindings stay.",
    },
    {
        .name = "account", .subcommand = "remove", .run = command_call, .method = "RemoveAccount",
        .members = account_members, .least = 1, .most = 1,
        .usage = "ACCOUNT",
        .summary = "remove one",
        .help = "Removes an account that is bound nowhere; else says where it is bound.",
    },
    {
        .name = "env", .subcommand = "set", .run = cmd_env_set, .method = "SetVariable",
        .members = env_set_members, .options = env_set_options, .least = 1, .most = ANY_NUMBER,
        .usage = "NAME [--at PATH] [--raw]",
        .summary = "place a variable",
        .help = "Places a variable at a path: every step at or below it gets it. The value is read from stdin, without "
                "one newline at its end, or asked for on a terminal; it may be any bytes without NUL, at most 64 KiB. "
                "It never goes on the command line.",
    },
    {
        .name = "env", .subcommand = "get", .run = cmd_env_get, .method = "GetVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .usage = "NAME [--at PATH]",
        .summary = "print one",
        .help = "Prints the exact bytes of the variable placed exactly at the path, and a newline only on a terminal.",
    },
    {
        .name = "env", .subcommand = "list", .run = cmd_env_list, .method = "ListVariables",
        .options = env_list_options,
        .usage = "[--at PATH | --all] [--json]",
        .summary = "list variables",
        .help = "Prints the names of the variables placed exactly at the path, never their values.",
    },
    {
        .name = "env", .subcommand = "unset", .run = command_call, .method = "UnsetVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .usage = "NAME [--at PATH]",
        .summary = "take one away",
        .help = "Removes the variable, or the block, placed exactly at the path.",
    },
    {
        .name = "env", .subcommand = "block", .run = command_call, .method = "BlockVariable",
        .members = env_members, .options = env_at_options, .least = 1, .most = 1,
        .usage = "NAME [--at PATH]",
        .summary = "hide an inherited one",
        .help = "Steps at or below the path no longer get NAME from above it.",
    },
    {
        .name = "bind", .run = cmd_bind, .method = "Bind",
        .members = bind_members, .options = bind_options, .least = 2, .most = 2,
        .usage = "PATH ACCOUNT [--as ALIAS] [--only PROPERTY]... [--env NAME=PROPERTY]... [--replace] "
                 "[--allow-dangerous-name]",
        .summary = "place an account at a path",
        .help = "Every step at or below PATH gets the account's properties under the alias: as variables "
                "ALIAS_PROPERTY, or in the document of `stepvault run --deliver auths`. The same again is no error; "
                "another account, other properties or other names under an alias that is taken need --replace.",
    },
    {
        .name = "unbind", .run = command_call, .method = "Unbind",
        .members = unbind_members, .least = 2, .most = 2,
        .usage = "PATH ALIAS",
        .summary = "take one away",
        .help = "Removes the binding of an alias placed exactly at PATH. The account stays.",
    },
    {
        .name = "step", .subcommand = "add", .run = command_call, .method = "AddStep",
        .members = step_add_members, .options = step_add_options, .least = 1, .most = 1,
        .usage = "PATH [--no-inherit]",
        .summary = "declare a step",
        .help = "Makes PATH a step that can be run, although nothing is placed there.",
    },
    {
        .name = "step", .subcommand = "list", .run = cmd_step_list, .method = "ListSteps",
        .members = under_members, .options = json_options, .most = 1,
        .usage = "[PATH] [--json]",
        .summary = "list paths in use",
        .help = "Prints the paths at or under PATH: whether each is a step, and whether it inherits from above.",
    },
    {
        .name = "step", .subcommand = "show", .run = cmd_step_show, .method = "ShowStep",
        .members = path_members, .options = json_options, .least = 1, .most = 1,
        .usage = "PATH [--json]",
        .summary = "explain what a step gets",
        .help = "Prints each name that the step gets, or would get if nothing nearer hid it: where it is placed, what it "
                "comes from, and what hides it.",
    },
    {
        .name = "step", .subcommand = "remove", .run = command_call, .method = "RemoveStep",
        .members = step_remove_members, .options = step_remove_options, .least = 1, .most = 1,
        .usage = "PATH [--force]",
        .summary = "make a path no step any more",
        .help = "Refused while something is placed exactly at PATH, unless --force removes it as well.",
    },
    {
        .name = "run", .run = cmd_launch, .options = run_options,
        .usage = "[PATH] [--deliver FORM]... [--pristine] [--keep NAME]... [--reason TEXT] -- CMD [ARG...]",
        .summary = "run a step",
        .help = "Becomes CMD with what the step PATH (or $STEPVAULT_STEP) gets: variables in the environment, accounts as "
                "variables ALIAS_PROPERTY, or with --deliver auths as a JSON document whose path is in "
                "$STEPVAULT_AUTHS. What the vault knows and this step does not get is taken out of the inherited "
                "environment. Logged before CMD starts.\n"
                "\n"
                "Exits as CMD does; 125 if stepvault fails, 126 if CMD cannot be executed, 127 if it is not found.",
    },
    {
        .name = "export", .run = cmd_launch, .options = export_options,
        .usage = "[PATH] [--format auths|json] [--own] [--reason TEXT]",
        .summary = "print what a step gets",
        .help = "Prints one JSON document with what the step PATH (or $STEPVAULT_STEP) gets. Logged like run.",
    },
    {
        .name = "audit", .subcommand = "log", .run = cmd_audit_log, .method = "ReadLog",
        .members = audit_log_members, .options = audit_log_options,
        .usage = "[--step PATH] [--account ACCOUNT] [--variable NAME] [--uid UID] [--outcome OUTCOME] [--since TIME] "
                 "[--json]",
        .summary = "print the access log",
        .help = "Prints the entries that all the filters let pass, oldest first, one a line: time, outcome, action, what "
                "it was about, executable, uid, the command that the caller claimed to run, and why it was refused. In a "
                "pipe the columns are separated by tabs, and `-` stands for nothing.",
    },
    {
        .name = "audit", .subcommand = "verify", .run = cmd_audit_verify, .method = "VerifyLog",
        .options = json_options,
        .usage = "[--json]",
        .summary = "verify the access log",
        .help = "Reads every entry, recomputes the Merkle tree and compares it with the signed head and every kept "
                "checkpoint, and all rows of the vault with their sum. Prints size and root. Exits 0 only if all of it "
                "holds.",
    },
    {
        .name = "audit", .subcommand = "checkpoint", .run = cmd_audit_checkpoint, .method = "Checkpoint",
        .usage = "",
        .summary = "print the signed head of the log",
        .help = "Prints the head as a signed note (C2SP tlog-checkpoint). Keep it elsewhere: whoever has it can tell "
                "later that the log was not rewritten since.",
    },
    {
        .name = "audit", .subcommand = "key", .run = cmd_audit_key, .method = "LogKey",
        .usage = "",
        .summary = "print the key that verifies it",
        .help = "Prints the verifier key of the log's signatures (C2SP signed-note).",
    },
    {
        .name = "call", .run = cmd_call, .options = NULL, .least = 1, .most = 2,
        .usage = "METHOD [JSON|-]",
        .summary = "call a method of the agent",
        .help = "Calls METHOD of io.stepvault.Agent (docs/PROTOCOL.md) with the parameters in JSON, or on stdin for -, and "
                "prints those of the reply as one JSON document, or one a line where there are several. `vault` is "
                "filled in. Parameters that hold secrets are taken from stdin only.",
    },
    {
        .name = "help", .run = cmd_help, .most = 2,
        .usage = "[COMMAND [SUBCOMMAND]]",
        .summary = "explain a command",
        .help = "Prints what there is to know of a command.",
    },
    {0},
};
/* clang-format on */

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

const struct command *command_find(const char *name, const char *subcommand)
{
    for (const struct command *command = command_table; command->name != NULL; command++) {
        if (same(command->name, name) && same(command->subcommand, subcommand))
            return command;
    }
    return NULL;
}

bool command_is_group(const char *name)
{
    for (const struct command *command = command_table; command->name != NULL; command++) {
        if (strcmp(command->name, name) == 0)
            return command->subcommand != NULL;
    }
    return false;
}

static enum status unknown_subcommand(const char *name, const char *subcommand, struct failure *failure)
{
    struct option_nearest nearest = {.wanted = subcommand};
    char choices[128] = "";
    size_t size = 0;

    for (const struct command *command = command_table; command->name != NULL; command++) {
        if (strcmp(command->name, name) != 0)
            continue;
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
    struct option_nearest nearest = {.wanted = name};

    if (command_is_group(name))
        return unknown_subcommand(name, subcommand, failure);
    if (subcommand != NULL && command_find(name, NULL) != NULL)
        return failure_set(failure, STATUS_USAGE, "the command %s has no subcommands", name);
    for (const struct command *command = command_table; command->name != NULL; command++)
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
