/* help: the texts of the command table, folded to 80 columns. */
#include "base/cleanup.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 79
#define INDENT 4
#define SUBJECT_COLUMN 14
#define WORDS_COLUMN 20
#define SUMMARY_COLUMN (2 + sizeof("stepvault") + WORDS_COLUMN)
#define OPTION_COLUMN_MAX 28 /* a longer option has its text in the next line */
#define HEAD_MAX 64

/* Length of the next piece that is not broken: a word, or `[an option with its value]` as a whole. */
static size_t piece_length(const char *text)
{
    size_t length = 0;
    int depth = 0;

    for (; text[length] != '\0' && text[length] != '\n'; length++) {
        if (text[length] == '[')
            depth++;
        else if (text[length] == ']')
            depth--;
        else if (text[length] == ' ' && depth <= 0)
            break;
    }
    return length;
}

/* Appends `text` folded at WIDTH; lines behind the first begin at `indent`. `column` is where the first one
 * stands. A newline in the text begins a new line; a line of it that begins with blanks is left as it is. */
static bool append_folded(struct secret *page, const char *text, size_t column, size_t indent)
{
    bool fits = true;
    bool first = true;

    while (*text != '\0' && fits) {
        size_t length = piece_length(text);

        if (*text == '\n') {
            fits =
                secret_append_format(page, "\n%*s", text[1] == '\n' || text[1] == '\0' ? 0 : (int)indent, "");
            column = indent;
            first = true;
            text++;
            continue;
        }
        if (!first && column + 1 + length > WIDTH) {
            fits = secret_append_format(page, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fits = secret_append_byte(page, ' ');
            column++;
        }
        fits = fits && secret_append(page, text, length);
        column += length;
        text += length;
        first = false;
        if (*text == ' ')
            text++;
    }
    return fits && secret_append_byte(page, '\n');
}

/* `--name VALUE` and its length. */
static size_t option_head(const struct option_rule *rule, char destination[HEAD_MAX])
{
    bool has_value = rule->value != NULL;

    snprintf(destination, HEAD_MAX, "--%s%s%s", rule->name, has_value ? " " : "",
             has_value ? rule->value : "");
    return strlen(destination);
}

static bool append_options(struct secret *page, const struct option_rule *rules)
{
    char head[HEAD_MAX];
    size_t column = 0;
    bool fits = true;

    for (const struct option_rule *rule = rules; rule != NULL && rule->name != NULL; rule++) {
        size_t end = 2 + option_head(rule, head) + 2;

        if (end > column && end <= OPTION_COLUMN_MAX)
            column = end;
    }
    column = column > 0 ? column : 2 * INDENT;
    for (; fits && rules != NULL && rules->name != NULL; rules++) {
        size_t length = option_head(rules, head);

        fits = 2 + length + 2 <= column ? secret_append_format(page, "  %-*s", (int)column - 2, head)
                                        : secret_append_format(page, "  %s\n%*s", head, (int)column, "");
        fits = fits && append_folded(page, rules->help, column, column);
    }
    return fits;
}

static bool append_usage(struct secret *page, const struct command *command)
{
    char words[COMMAND_WORDS_SIZE];
    size_t start = page->size;
    bool blank = command->usage[0] != '\0';

    if (!secret_append_format(page, "  stepvault %s%s", command_words(command, words), blank ? " " : ""))
        return false;
    return append_folded(page, command->usage, page->size - start, 2 * INDENT);
}

static bool append_command(struct secret *page, const struct command *command)
{
    return append_usage(page, command) && secret_append_byte(page, '\n') &&
           append_folded(page, command->help, 0, 0) && secret_append_byte(page, '\n') &&
           append_options(page, command->options) &&
           secret_append_text(page, "Also --vault FILE, --key-file FILE, --help: see stepvault help.\n");
}

static bool append_group(struct secret *page, const char *name)
{
    struct command_walk walk = {0};
    char words[COMMAND_WORDS_SIZE];
    bool fits = true;

    for (const struct command *command = command_next(&walk); fits && command != NULL;
         command = command_next(&walk)) {
        if (strcmp(command->name, name) == 0)
            fits =
                secret_append_format(page, "  stepvault %-*s", WORDS_COLUMN, command_words(command, words)) &&
                append_folded(page, command->summary, SUMMARY_COLUMN, SUMMARY_COLUMN);
    }
    return fits && secret_append_format(page, "\nMore: stepvault help %s SUBCOMMAND\n", name);
}

/* `env set | get | list`: a command with all its subcommands that stand under the subject. */
static bool append_name(struct secret *names, const char *subject, const struct command *first)
{
    struct command_walk walk = {0};
    const char *before = " ";
    bool fits = secret_append_format(names, "%s%s", names->size > 0 ? ", " : "", first->name);

    for (const struct command *command = command_next(&walk); fits && command != NULL;
         command = command_next(&walk)) {
        if (command->subcommand == NULL || strcmp(command->name, first->name) != 0 ||
            strcmp(walk.subject, subject) != 0)
            continue;
        fits = secret_append_format(names, "%s%s", before, command->subcommand);
        before = " | ";
    }
    return fits;
}

/* The row before which no row of its subject has its name. */
static bool is_first(const struct command *command, const char *subject)
{
    struct command_walk walk = {0};
    const struct command *other = command_next(&walk);

    while (other != NULL && (strcmp(other->name, command->name) != 0 || strcmp(walk.subject, subject) != 0))
        other = command_next(&walk);
    return other == command;
}

static bool append_subjects(struct secret *page)
{
    CLEANUP(secret_reset) struct secret names = {0};
    struct command_walk walk = {0};
    const struct command *command = command_next(&walk);
    bool fits = true;

    while (fits && command != NULL) {
        const char *subject = walk.subject;

        secret_clear(&names);
        for (; fits && command != NULL && strcmp(walk.subject, subject) == 0; command = command_next(&walk))
            fits = !is_first(command, subject) || append_name(&names, subject, command);
        fits = fits && secret_append_format(page, "  %-*s", SUBJECT_COLUMN - 2, subject) &&
               append_folded(page, secret_text(&names), SUBJECT_COLUMN, SUBJECT_COLUMN);
    }
    return fits;
}

static bool append_overview(struct secret *page)
{
    return secret_append_text(page,
                              "stepvault keeps secrets in one vault and gives each step exactly its own.\n"
                              "\n"
                              "  stepvault COMMAND [OPTION...] [ARGUMENT...]\n"
                              "\n") &&
           append_subjects(page) && secret_append_byte(page, '\n') &&
           append_options(page, command_common_options) &&
           secret_append_text(page, "More: stepvault help COMMAND, stepvault(1) and stepvault(7).\n");
}

enum status cmd_help_print(const char *name, const char *subcommand, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret page = {0};
    const struct command *command = name != NULL ? command_find(name, subcommand) : NULL;
    bool fits;

    if (name == NULL)
        fits = append_overview(&page);
    else if (command != NULL)
        fits = append_command(&page, command);
    else if (command_is_group(name) && subcommand == NULL)
        fits = append_group(&page, name);
    else
        return command_unknown(name, subcommand, failure);
    if (!fits)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the help text");
    return output_write(page.bytes, page.size, failure);
}

static enum status cmd_help(struct invocation *invocation, struct failure *failure)
{
    return cmd_help_print(command_argument(invocation, 0), command_argument(invocation, 1), failure);
}

/* ---- the commands ---- */

/* clang-format off */
const struct command cmd_help_commands[] = {
    {
        .name = "help", .run = cmd_help, .most = 2,
        .arguments = {"COMMAND", "SUBCOMMAND"},
        .usage = "[COMMAND [SUBCOMMAND]]",
        .summary = "explain a command",
        .help = "Prints what there is to know of a command.",
    },
    {0},
};
/* clang-format on */
