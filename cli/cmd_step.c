/* step: paths that are run, and what each of their names comes from. */
#include "base/cleanup.h"
#include "command.h"
#include "due.h"
#include "output.h"
#include "json/json.h"

static void add_step(struct output_table *table, const struct json *step)
{
    bool is_step = json_member_boolean(step, "step", false);

    output_table_add(table, json_member_text(step, "path"));
    output_table_add(table, is_step ? "step" : "folder");
    output_table_add(table, json_member_boolean(step, "inherits", true) ? "inherits" : "no-inherit");
    output_table_add(table, json_member_text(step, "note"));
}

static enum status print_step_list(struct invocation *invocation, const struct json *reply,
                                   struct failure *failure)
{
    static const char *const headings[] = {"PATH", "KIND", "INHERITANCE", "NOTE"};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *steps;

    (void)invocation;
    output_table_start(&table, 4, headings);
    steps = json_member(reply, "steps");
    for (size_t i = 0; i < json_count(steps); i++)
        add_step(&table, json_at(steps, i));
    return output_table_print(&table, failure);
}

/* Why a name is there, or is not. */
static void add_explanation(struct output_table *table, const struct json *name)
{
    static const char *const members[] = {"name", "kind", "path", "source", "state", "by"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        output_table_add(table, json_member_text(name, members[i]));
    due_add_state(table, name, "");
}

static enum status print_step_show(struct invocation *invocation, const struct json *reply,
                                   struct failure *failure)
{
    static const char *const headings[] = {"NAME", "KIND", "PLACED AT", "SOURCE", "STATE", "BY", "DUE"};
    CLEANUP(output_table_reset) struct output_table table;
    const struct json *names;
    const char *note;

    (void)invocation;
    output_table_start(&table, sizeof(headings) / sizeof(headings[0]), headings);
    if (!json_member_boolean(json_member(reply, "step"), "inherits", true))
        output_note("this path is a boundary (--no-inherit): it takes only what is placed at or below it");
    note = json_member_text(json_member(reply, "step"), "note");
    if (note != NULL)
        output_note("note: %s", note);
    names = json_member(reply, "names");
    for (size_t i = 0; i < json_count(names); i++)
        add_explanation(&table, json_at(names, i));
    return output_table_print(&table, failure);
}

static void note_names(const struct json *names, const char *sentence)
{
    CLEANUP(secret_reset) struct secret list = {0};

    for (size_t i = 0; i < json_count(names); i++)
        if (!secret_append_format(&list, "%s%s", i > 0 ? ", " : "", json_text(json_at(names, i), NULL)))
            return;
    if (list.size > 0)
        output_note("%s: %s", sentence, secret_text(&list));
}

static enum status print_step_move(struct invocation *invocation, const struct json *reply,
                                   struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;

    (void)invocation;
    output_table_start(&table, 2, NULL);
    note_names(json_member(reply, "lost"), "no longer inherited");
    note_names(json_member(reply, "gained"), "newly inherited");
    note_names(json_member(reply, "changed"), "inherited from another place, so maybe with another value");
    output_table_add(&table, "paths");
    output_table_add_format(&table, "%lld", (long long)json_member_number(reply, "paths", 0));
    output_table_add(&table, "variables");
    output_table_add_format(&table, "%lld", (long long)json_member_number(reply, "variables", 0));
    output_table_add(&table, "accounts");
    output_table_add_format(&table, "%lld", (long long)json_member_number(reply, "accounts", 0));
    return output_table_print(&table, failure);
}

/* ---- the commands ---- */

static const struct option_rule step_add_options[] = {
    {"no-inherit", NULL, false, "Makes the path a boundary: steps at or below it get nothing from above it."},
    OPTION_NOTE,
    {0      },
};
static const struct option_rule step_annotate_options[] = {OPTION_NOTE, {0}};
static const struct option_rule step_move_options[] = {
    {"dry-run", NULL, false, "Says what would be moved, and moves nothing."},
    OPTION_JSON,
    {0   },
};
static const struct option_rule step_remove_options[] = {
    {"force", NULL, false, "Removes also what is placed exactly there."},
    {0 },
};
static const struct command_member step_add_members[] = {
    {"path",       MEMBER_ARGUMENT, 0, NULL},
    {"no_inherit",           MEMBER_FLAG, 0, "no-inherit"},
    {"note",            MEMBER_TEXT, 0, "note"},
    {0},
};
static const struct command_member step_annotate_members[] = {
    {"path", MEMBER_ARGUMENT, 0, NULL},
    {"note",     MEMBER_TEXT, 0, "note"},
    {0     },
};
static const struct command_member step_move_members[] = {
    {"path",           MEMBER_ARGUMENT, 0, NULL},
    {"to",               MEMBER_ARGUMENT, 1, NULL},
    {"dry_run",                MEMBER_FLAG, 0, "dry-run"},
    {0},
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

/* clang-format off */
const struct command cmd_step_commands[] = {
    {
        .name = "step", .subcommand = "add", .run = command_call, .method = "AddStep",
        .members = step_add_members, .options = step_add_options, .least = 1, .most = 1,
        .arguments = {"PATH"},
        .usage = "PATH [--no-inherit] [--note TEXT]",
        .summary = "declare a step",
        .help = "Makes PATH a step that can be run, although nothing is placed there.",
    },
    {
        .name = "step", .subcommand = "annotate", .run = command_call, .method = "AnnotateStep",
        .members = step_annotate_members, .options = step_annotate_options, .least = 1, .most = 1,
        .arguments = {"PATH"},
        .usage = "PATH --note TEXT",
        .summary = "change a path's note",
        .help = "Changes the note of a path in use.",
    },
    {
        .name = "step", .subcommand = "list", .run = command_print, .print = print_step_list,
        .method = "ListSteps", .members = under_members, .options = command_json_options, .most = 1,
        .arguments = {"PATH"},
        .usage = "[PATH] [--json]",
        .summary = "list paths in use",
        .help = "Prints the paths at or under PATH: whether each is a step, and whether it inherits from above.",
    },
    {
        .name = "step", .subcommand = "show", .run = command_print, .print = print_step_show,
        .method = "ShowStep", .members = path_members, .options = command_json_options, .least = 1, .most = 1,
        .arguments = {"PATH"},
        .usage = "PATH [--json]",
        .summary = "explain what a step gets",
        .help = "Prints each name that the step gets, or would get if nothing nearer hid it: where it is placed, what it "
                "comes from, and what hides it.",
    },
    {
        .name = "step", .subcommand = "move", .run = command_print, .print = print_step_move,
        .method = "MoveStep", .members = step_move_members, .options = step_move_options, .least = 2, .most = 2,
        .arguments = {"PATH", "PATH"},
        .usage = "PATH NEW-PATH [--dry-run] [--json]",
        .summary = "move a path and all below it",
        .help = "Moves what is placed at PATH and below it, with blocks, boundaries, notes and history, to a path that is "
                "not in use, and prints how many paths, variables and bound accounts that are. Notes say which names it "
                "inherits otherwise there. At most 10 000 things at once. The log keeps the old path.",
    },
    {
        .name = "step", .subcommand = "remove", .run = command_call, .method = "RemoveStep",
        .members = step_remove_members, .options = step_remove_options, .least = 1, .most = 1,
        .arguments = {"PATH"},
        .usage = "PATH [--force]",
        .summary = "make a path no step any more",
        .help = "Refused while something is placed exactly at PATH, unless --force removes it as well. The old values of "
                "variables there go with it.",
    },
    {0},
};
/* clang-format on */
