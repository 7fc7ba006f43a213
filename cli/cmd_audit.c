/* audit: the signed head of the access log, the keys that sign it, and the rows of what is done in audit_*.c.
 */
#include "audit.h"
#include "base/cleanup.h"
#include "command.h"
#include "output.h"
#include "json/json.h"

#include <inttypes.h>
#include <stdio.h>

static enum status print_audit_checkpoint(struct invocation *invocation, const struct json *reply,
                                          struct failure *failure)
{
    const char *note;

    (void)invocation;
    note = json_member_text(reply, "note");
    if (note == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no checkpoint");
    if (!json_member_boolean(reply, "kept", true))
        output_note("the vault could not keep a copy of this checkpoint");
    return output_text(note, failure);
}

/* Which key signs from which entry on. */
static enum status print_keys(const struct json *eras, struct failure *failure)
{
    static const char *const headings[] = {"ERA", "FIRST", "EPOCH", "KEY"};
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, 4, headings);
    for (size_t i = 0; i < json_count(eras); i++) {
        const struct json *era = json_at(eras, i);

        output_table_add_format(&table, "%zu", i);
        output_table_add_format(&table, "%" PRId64, json_member_number(era, "first", 0));
        output_table_add_format(&table, "%" PRId64, json_member_number(era, "epoch", 0));
        output_table_add(&table, json_member_text(era, "key"));
    }
    return output_table_print(&table, failure);
}

static enum status print_audit_key(struct invocation *invocation, const struct json *reply,
                                   struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    const char *key;

    if (option_flag(&invocation->options, "all"))
        return print_keys(json_member(reply, "eras"), failure);
    key = json_member_text(reply, "key");
    if (key == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has no key");
    if (!output_append_plain(&line, key) || !secret_append_byte(&line, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the key");
    return output_write(line.bytes, line.size, failure);
}

/* ---- the commands ---- */

#define OPTION_SINCE                                                                                         \
    {                                                                                                        \
        "since", "TIME", false, "Entries from 2026-11-22, 2026-11-22T09:31Z, or the last 90m or 7d on."      \
    }

static const struct option_rule audit_log_options[] = {
    {"step",                                   "PATH", false, "Entries of this step."},
    {"account",                                   "ACCOUNT", false, "Entries that this account is part of."},
    {"property",                                        "PROPERTY", false, "Entries that handed out this property, of the account if one is given."},
    {"variable","NAME", false, "Entries that this variable is part of."},
    {"uid", "UID", false, "Entries of calls by this user."},
    {"outcome",                               "granted|refused", false, "Entries that ended so."},
    OPTION_SINCE,
    {"json",                                   NULL, false, "Prints each entry as the line of JSON that was hashed."},
    {0                                       },
};
static const struct option_rule audit_verify_options[] = {
    {"against", "FILE|-", false, "A checkpoint that was kept, from which the log must have grown."},
    OPTION_JSON,
    {0   }
};
static const struct option_rule audit_prove_options[] = {
    {"size", "N", false, "Against the kept checkpoint of N entries, instead of the head."},
    OPTION_JSON, {0}
};
static const struct option_rule audit_prune_options[] = {
    {"before", "TIME", false, "Only entries older than 2026-11-22, or 365d."},
    OPTION_PASSPHRASE_FD,
    OPTION_RECOVERY,
    OPTION_RECOVERY_CODE_FD,
    {0  }
};
static const struct option_rule audit_key_options[] = {
    {"all",  NULL, false, "Prints the keys of all eras, and from which entry on each signs."},
    OPTION_JSON,
    {0}
};
static const struct command_member audit_prove_members[] = {
    {"size", MEMBER_NUMBER, 0, "size"},
    {0    }
};
static const struct option_rule audit_who_options[] = {OPTION_SINCE, OPTION_JSON, {0}};
static const struct command_member audit_log_members[] = {
    {"step",       MEMBER_TEXT, 0, "step"},
    {"account",           MEMBER_TEXT, 0, "account"},
    {"property",            MEMBER_TEXT, 0, "property"},
    {"variable",MEMBER_TEXT, 0, "variable"},
    {"outcome",   MEMBER_TEXT, 0, "outcome"},
    {0  },
};

/* clang-format off */
const struct command cmd_audit_commands[] = {
    {
        .name = "audit", .subcommand = "log", .run = audit_log, .method = "ReadLog",
        .members = audit_log_members, .options = audit_log_options,
        .usage = "[--step PATH] [--account ACCOUNT] [--property PROPERTY] [--variable NAME] [--uid UID] "
                 "[--outcome granted|refused] [--since TIME] [--json]",
        .summary = "print the access log",
        .help = "Prints the entries that all the filters let pass, oldest first, one a line: time, outcome, action, what "
                "it was about, executable, uid, the command that the caller claimed to run, and why it was refused. In a "
                "pipe the columns are separated by tabs, and `-` stands for nothing.",
    },
    {
        .name = "audit", .subcommand = "who", .run = audit_who, .method = "ReadLog", .options = audit_who_options,
        .least = 1, .most = 1, .arguments = {"NAME|ACCOUNT[.PROPERTY]"},
        .usage = "NAME|ACCOUNT[.PROPERTY] [--since TIME] [--json]",
        .summary = "tell who had a variable, an account or a property",
        .help = "Prints a line for each step, user and program that had it: what it was, how it was had, the step (or the "
                "path), uid, executable, the command that the caller claimed to run, how often, and the first and last "
                "time. How is projection (a step was given it), get, reference (--env-file, inject), import, or set. With "
                "a property only what was handed out is told: of a change the log does not say which properties it was. "
                "Refusals are not listed; `audit log --outcome refused` has them.\n"
                "\n"
                "Names are those of the time: an account that was renamed is found under both names by its id.",
    },
    {
        .name = "audit", .subcommand = "export", .run = audit_export,
        .usage = "",
        .summary = "print all entries as they were hashed",
        .help = "Prints the whole log as JSON Lines, each entry byte for byte as it was hashed. The hash of an entry is "
                "SHA-256 of a zero byte and its line without the newline, and RFC 6962 over the first N of them gives the "
                "root of a checkpoint of size N.",
    },
    {
        .name = "audit", .subcommand = "verify", .run = audit_verify, .method = "VerifyLog",
        .options = audit_verify_options,
        .usage = "[--against FILE|-] [--json]",
        .summary = "verify the access log",
        .help = "Reads every entry, recomputes the Merkle tree and compares it with the signed head and every kept "
                "checkpoint, and all rows of the vault with their sum. Prints size and root, and how many entries were "
                "verified with their text, and how many by their hash only, since they were pruned. Exits 0 only if all "
                "of it holds.\n"
                "\n"
                "--against names a checkpoint that was kept elsewhere: the log must have grown from it, over whatever was "
                "rekeyed and restored since. Its size and era are printed, too; with --json also the proof (RFC 6962), "
                "and the signed head that it leads to, so that anybody can check it.",
    },
    {
        .name = "audit", .subcommand = "prove", .run = audit_prove, .method = "ProveLeaf",
        .members = audit_prove_members, .options = audit_prove_options,
        .least = 1, .most = 1, .arguments = {"LEAF"},
        .usage = "LEAF [--size N] [--json]",
        .summary = "print a receipt for one entry",
        .help = "Prints a receipt (C2SP tlog-proof; save it as a .tlog-proof file) that entry LEAF, counted from 0, is in "
                "the log: the entry, the hashes that lead from it to the root, and the signed head. --size takes the "
                "checkpoint of N entries that the vault keeps, instead of the head. What is in the entry is shown to "
                "whoever gets the receipt.",
    },
    {
        .name = "audit", .subcommand = "prune", .run = audit_prune, .method = "PruneLog", .options = audit_prune_options,
        .usage = "--before TIME [--passphrase-fd N | --recovery | --key-file FILE]",
        .summary = "remove old entries, keep their hashes",
        .help = "Removes what old entries say, in blocks of 256 whose entries are all older than TIME, from the oldest on, "
                "and keeps their hashes: checkpoints and receipts hold as before, and the log verifies. Entries that "
                "announce a new signing key stay. There is no way back. Needs the passphrase, the recovery code or a key "
                "file anew; is logged.",
    },
    {
        .name = "audit", .subcommand = "checkpoint", .run = command_print, .print = print_audit_checkpoint,
        .method = "Checkpoint", .options = command_json_options,
        .usage = "[--json]",
        .summary = "print the signed head of the log",
        .help = "Prints the head as a signed note (C2SP tlog-checkpoint). Keep it elsewhere: whoever has it can tell "
                "later that the log was not rewritten since.",
    },
    {
        .name = "audit", .subcommand = "key", .run = command_print, .print = print_audit_key,
        .method = "LogKey", .options = audit_key_options,
        .usage = "[--all] [--json]",
        .summary = "print the key that verifies it",
        .help = "Prints the verifier key of the log's signatures (C2SP signed-note). With --all those of all eras: a rekey "
                "and a restore begin one, with an entry in which the key before vouches for the key after. A checkpoint "
                "of N entries is signed by the key of the last era whose first entry is below N.",
    },
    {0},
};
/* clang-format on */
