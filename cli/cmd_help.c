/* help: the texts of the command table, folded to 80 columns. */
#include "base/cleanup.h"
#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 79
#define INDENT 4
#define SUMMARY_COLUMN 22

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

static bool append_options(struct secret *page, const struct option_rule *rules)
{
    bool fits = true;

    for (; fits && rules != NULL && rules->name != NULL; rules++) {
        fits = secret_append_format(page, "  --%s%s%s\n%*s", rules->name, rules->value != NULL ? " " : "",
                                    rules->value != NULL ? rules->value : "", 2 * INDENT, "") &&
               append_folded(page, rules->help, 2 * INDENT, 2 * INDENT);
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
           append_folded(page, command->help, 0, 0) &&
           (command->options == NULL || command->options->name == NULL ||
            (secret_append_text(page, "\nOptions:\n") && append_options(page, command->options))) &&
           secret_append_text(page, "\nOptions of every command:\n") &&
           append_options(page, command_common_options);
}

static bool append_summary(struct secret *page, const struct command *command)
{
    char words[COMMAND_WORDS_SIZE];

    return secret_append_format(page, "  %-*s", SUMMARY_COLUMN - 2, command_words(command, words)) &&
           append_folded(page, command->summary, SUMMARY_COLUMN, SUMMARY_COLUMN);
}

static bool append_group(struct secret *page, const char *name)
{
    struct command_walk walk = {0};
    bool fits = true;

    for (const struct command *command = command_next(&walk); fits && command != NULL;
         command = command_next(&walk)) {
        if (strcmp(command->name, name) == 0)
            fits = append_usage(page, command) && secret_append_format(page, "%*s", 2 * INDENT, "") &&
                   append_folded(page, command->summary, 2 * INDENT, 2 * INDENT);
    }
    return fits && secret_append_format(page, "\nMore: stepvault help %s SUBCOMMAND\n", name);
}

static bool append_overview(struct secret *page)
{
    struct command_walk walk = {0};
    bool fits =
        append_folded(page,
                      "stepvault keeps secrets in one encrypted vault and gives each step exactly its own.",
                      0, 0) &&
        secret_append_text(page, "\n  stepvault COMMAND [OPTION...] [ARGUMENT...]\n\n");

    for (const struct command *command = command_next(&walk); fits && command != NULL;
         command = command_next(&walk))
        fits = append_summary(page, command);
    return fits && secret_append_text(page, "\nOptions of every command:\n") &&
           append_options(page, command_common_options) && secret_append_byte(page, '\n') &&
           append_folded(page,
                         "More: stepvault help COMMAND, and the manual pages stepvault(1) and stepvault(7).",
                         0, 0);
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
        .usage = "[COMMAND [SUBCOMMAND]]",
        .summary = "explain a command",
        .help = "Prints what there is to know of a command.",
    },
    {0},
};
/* clang-format on */
