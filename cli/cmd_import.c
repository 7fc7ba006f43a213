/* env import: many variables and accounts at once, from the files of other tools. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "command.h"
#include "import/plan.h"
#include "import/source.h"
#include "output.h"
#include "staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum format {
    FORMAT_DOTENV,
    FORMAT_JSON,
    FORMAT_FOLDER,
    FORMAT_PASS,
    FORMAT_BITWARDEN,
    FORMAT_1PASSWORD,
    FORMATS
};

static const char *const format_names[FORMATS] = {"dotenv", "json",      "folder",
                                                  "pass",   "bitwarden", "1password"};

/* An import under way. */
struct import_command {
    struct invocation *invocation;
    struct failure *failure;
    const char *source; /* as it was given */
    const char *name;   /* for sentences */
    bool is_folder;
    bool guessed;
    enum format format;
    enum dotenv_dialect dialect;
    size_t quoted_line; /* of struct dotenv */
    struct secret text; /* of a file */
    struct json *json;  /* its document, where it is one */
    struct plan plan;
    struct output_progress progress;
};

static void import_command_reset(struct import_command *import)
{
    secret_reset(&import->text);
    json_freep(&import->json);
    plan_reset(&import->plan);
    output_progress_end(&import->progress);
}

/* ---- the source ---- */

static enum status read_source(struct import_command *import)
{
    CLEANUP(cleanup_close) int opened = -1;
    struct stat facts;

    import->source = command_argument(import->invocation, 0);
    import->name = import->source;
    if (strcmp(import->source, "-") == 0) {
        import->name = "standard input";
        return file_read_all(STDIN_FILENO, SOURCE_SIZE_MAX, import->name, import->failure, &import->text);
    }
    opened = open(import->source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (opened == -1 || fstat(opened, &facts) != 0)
        return failure_set_errno(import->failure, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED, errno,
                                 "cannot open %s", import->source);
    import->is_folder = S_ISDIR(facts.st_mode);
    if (import->is_folder)
        return STATUS_OK;
    return file_read_all(opened, SOURCE_SIZE_MAX, import->name, import->failure, &import->text);
}

static bool begins_as_json(const struct secret *text)
{
    const char *start = secret_text(text);

    start += strspn(start, " \t\r\n");
    return *start == '{' || *start == '[';
}

static enum status parse_json(struct import_command *import)
{
    if (import->json != NULL)
        return STATUS_OK;
    return json_parse(import->text.bytes, import->text.size, import->name, import->failure, &import->json);
}

static struct source_text text_of(const struct import_command *import)
{
    return (struct source_text){
        .name = import->name, .bytes = secret_text(&import->text), .size = import->text.size};
}

static enum status named_format(struct import_command *import, const char *name)
{
    for (enum format format = 0; format < FORMATS; format++) {
        if (strcmp(format_names[format], name) != 0)
            continue;
        import->format = format;
        if ((format == FORMAT_FOLDER || format == FORMAT_PASS) == import->is_folder)
            return STATUS_OK;
        return failure_set(import->failure, STATUS_INVALID, "%s is %s, which --format %s does not read",
                           import->name, import->is_folder ? "a folder" : "no folder", name);
    }
    return failure_set(import->failure, STATUS_USAGE,
                       "--format wants dotenv, json, folder, pass, bitwarden or 1password");
}

/* What is in it says more than what it is called. */
static enum status guess_format(struct import_command *import)
{
    const struct source_text text = text_of(import);
    enum status status = STATUS_OK;

    import->guessed = true;
    if (import->is_folder) {
        import->format = source_is_pass(import->source) ? FORMAT_PASS : FORMAT_FOLDER;
        return STATUS_OK;
    }
    if (text.size >= 4 && memcmp(text.bytes, "PK\x03\x04", 4) == 0)
        return failure_set(
            import->failure, STATUS_INVALID,
            "%s is a zip archive; of a .1pux, `unzip -p FILE export.data` gives what can be imported",
            import->name);
    if (begins_as_json(&import->text)) {
        status = parse_json(import);
        import->format = source_is_bitwarden(import->json) ? FORMAT_BITWARDEN
                         : source_is_1pux(import->json)    ? FORMAT_1PASSWORD
                                                           : FORMAT_JSON;
    } else {
        import->format = source_is_1password_csv(&text) ? FORMAT_1PASSWORD : FORMAT_DOTENV;
    }
    return status;
}

static enum status choose_format(struct import_command *import)
{
    const struct option_values *options = &import->invocation->options;
    const char *format = option_text(options, "format");
    const char *dialect = option_text(options, "dialect");
    enum status status = format != NULL ? named_format(import, format) : guess_format(import);

    if (status == STATUS_OK && dialect != NULL)
        status = dotenv_dialect_named(dialect, import->failure, &import->dialect);
    if (status == STATUS_OK && dialect != NULL && import->format != FORMAT_DOTENV)
        return failure_set(import->failure, STATUS_USAGE, "--dialect is for .env files, and %s is read as %s",
                           import->name, format_names[import->format]);
    return status;
}

/* Behind what could fail: a failure is one line. */
static void say_format(const struct import_command *import)
{
    if (import->guessed && import->format == FORMAT_DOTENV)
        output_note("%s is read as a .env file, --dialect %s", import->name,
                    dotenv_dialect_name(import->dialect));
    else if (import->guessed)
        output_note("%s is read as %s", import->name, format_names[import->format]);
    if (import->quoted_line > 0)
        output_note("%s has quoted values, the first in line %zu; docker's --env-file would keep the quotes",
                    import->name, import->quoted_line);
}

static void show_entries(void *context, size_t done, size_t total)
{
    output_progress_show(context, done, total);
}

static enum status read_json_format(struct import_command *import)
{
    enum status status = parse_json(import);

    if (status != STATUS_OK)
        return status;
    if (import->format == FORMAT_BITWARDEN)
        return source_read_bitwarden(import->json, import->name, &import->plan, import->failure);
    if (import->format == FORMAT_1PASSWORD)
        return source_read_1pux(import->json, import->name, &import->plan, import->failure);
    return source_read_json(import->json, import->name, &import->plan, import->failure);
}

static enum status fill_plan(struct import_command *import)
{
    const struct source_folder folder = {.path = import->source,
                                         .raw = option_flag(&import->invocation->options, "raw"),
                                         .follow = option_flag(&import->invocation->options, "follow"),
                                         .progress = show_entries,
                                         .context = &import->progress};
    const struct source_text text = text_of(import);
    size_t quoted_line = 0;
    enum status status;

    import->progress.what = "entries decrypted";
    if (import->format == FORMAT_FOLDER)
        status = source_read_folder(&folder, &import->plan, import->failure);
    else if (import->format == FORMAT_PASS)
        status = source_read_pass(&folder, &import->plan, import->failure);
    else if (import->format == FORMAT_DOTENV)
        status = source_read_dotenv(&text, import->dialect, &import->plan, import->failure, &quoted_line);
    else if (import->format == FORMAT_1PASSWORD && !begins_as_json(&import->text))
        status = source_read_1password_csv(&text, &import->plan, import->failure);
    else
        status = read_json_format(import);
    output_progress_end(&import->progress);
    if (status == STATUS_OK)
        status = plan_check(&import->plan, option_flag(&import->invocation->options, "allow-dangerous-name"),
                            import->failure);
    import->quoted_line = quoted_line;
    if (status == STATUS_OK && option_flag(&import->invocation->options, "skip-refused"))
        plan_skip_refused(&import->plan);
    return status;
}

/* ---- what a dry run prints ---- */

/* Without --replace another value is a refusal. */
static const char *outcome_of(const struct plan_row *row, bool replace)
{
    if (row->kind == PLAN_LEFT_OUT)
        return "left out";
    if (row->kind == PLAN_REFUSED)
        return "refused";
    return row->change == 'a' ? "new" : row->change == 'u' ? "unchanged" : replace ? "replaces" : "refused";
}

static const char *reason_of(const struct plan_row *row, bool replace)
{
    return row->change == 'r' && !replace ? "it is there with another value, and --replace was not given"
                                          : row->reason;
}

static const char *place_of(const struct plan_row *row, const char *path)
{
    return row->kind == PLAN_VARIABLE ? path : row->kind == PLAN_ACCOUNT ? "account" : "";
}

static enum status print_json(const struct plan *plan, const char *path, bool replace,
                              struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_open_array(&writer, "entries");
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_row *row = &plan->rows[i];

        json_open_object(&writer, NULL);
        json_add_text(&writer, "name", row->name);
        if (row->kind == PLAN_VARIABLE)
            json_add_text(&writer, "path", path);
        json_add_text(&writer, "outcome", outcome_of(row, replace));
        json_add_text(&writer, "origin", row->origin);
        if (reason_of(row, replace) != NULL)
            json_add_text(&writer, "reason", reason_of(row, replace));
        for (size_t j = 0; j < row->property_count; j++) {
            if (j == 0)
                json_open_array(&writer, "properties");
            json_add_text(&writer, NULL, row->properties[j].name);
            if (j + 1 == row->property_count)
                json_close_array(&writer);
        }
        json_close_object(&writer);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set_no_memory(failure);
    return output_write(text.bytes, text.size, failure);
}

static enum status print_table(struct plan *plan, const char *path, bool replace, struct failure *failure)
{
    static const char *const table_headings[] = {"NAME", "PLACE", "OUTCOME", "FROM", "WHY"};
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, 5, table_headings);
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_row *row = &plan->rows[i];

        output_table_add(&table, row->name);
        output_table_add(&table, place_of(row, path));
        output_table_add(&table, outcome_of(row, replace));
        output_table_add(&table, row->origin);
        output_table_add(&table, reason_of(row, replace));
    }
    return output_table_print(&table, failure);
}

static enum status print_plan(struct import_command *import, const char *path)
{
    const struct option_values *options = &import->invocation->options;
    bool replace = option_flag(options, "replace");
    struct plan *plan = &import->plan;
    enum status status = option_flag(options, "json") ? print_json(plan, path, replace, import->failure)
                                                      : print_table(plan, path, replace, import->failure);
    size_t refused = 0;

    for (size_t i = 0; i < plan->count; i++)
        refused += strcmp(outcome_of(&plan->rows[i], replace), "refused") == 0;
    if (status == STATUS_OK && refused > 0) {
        output_note("%zu of %zu entries are refused, so nothing would be imported", refused, plan->count);
        import->invocation->exit_status = 1;
    }
    return status;
}

/* ---- the command ---- */

static enum status refuse_rows(const struct import_command *import)
{
    const struct plan *plan = &import->plan;
    char more[128] = "";
    size_t refused = plan_count(plan, PLAN_REFUSED);
    const struct plan_row *row = plan->rows;

    while (row->kind != PLAN_REFUSED)
        row++;
    if (refused > 1)
        snprintf(more, sizeof(more),
                 "; and %zu more, which --dry-run lists (--skip-refused leaves all of them out)",
                 refused - 1);
    if (import->format == FORMAT_DOTENV)
        return failure_set(import->failure, STATUS_INVALID, "%s, %s: %s%s%s%s", import->name, row->origin,
                           row->name, row->name[0] != '\0' ? ": " : "", row->reason, more);
    return failure_set(import->failure, STATUS_INVALID,
                       "nothing is imported of %s, read as %s: %s (%s): %s%s", import->name,
                       format_names[import->format], row->name, row->origin, row->reason, more);
}

static enum status print_counts(const struct import_command *import, const struct staging_counts *counts)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    size_t left_out = plan_count(&import->plan, PLAN_LEFT_OUT);

    if (left_out > 0)
        output_note("%zu entries are left out; --dry-run lists them with the reason", left_out);
    if (!option_flag(&import->invocation->options, "json")) {
        output_note("%zu added, %zu replaced, %zu unchanged", counts->added, counts->replaced,
                    counts->unchanged);
        return STATUS_OK;
    }
    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_add_number(&writer, "added", counts->added);
    json_add_number(&writer, "replaced", counts->replaced);
    json_add_number(&writer, "unchanged", counts->unchanged);
    json_add_number(&writer, "left_out", left_out);
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set_no_memory(import->failure);
    return output_write(text.bytes, text.size, import->failure);
}

static enum status cmd_env_import(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(import_command_reset)
    struct import_command import = {.invocation = invocation, .failure = failure};
    const char *at = option_text(&invocation->options, "at");
    const char *path = at != NULL ? at : "/";
    bool dry_run = option_flag(&invocation->options, "dry-run");
    struct staging_counts counts = {0};
    enum status status = name_check_path(path, failure);

    if (status == STATUS_OK)
        status = read_source(&import);
    if (status == STATUS_OK)
        status = choose_format(&import);
    if (status == STATUS_OK)
        status = fill_plan(&import);
    if (status == STATUS_OK && !dry_run && plan_count(&import.plan, PLAN_REFUSED) > 0)
        return refuse_rows(&import);
    if (status == STATUS_OK)
        status = staging_send(invocation, &import.plan, path, failure, &counts);
    if (status != STATUS_OK)
        return status;
    say_format(&import);
    return dry_run ? print_plan(&import, path) : print_counts(&import, &counts);
}

static const struct option_rule import_options[] = {
    OPTION_AT,
    {"format",                                                                    "dotenv|json|folder|pass|bitwarden|1password", false, "What FILE is; else its content says."},
    {"dialect",                                                                      "strict|node|python|shell|docker", false,
      "Whose reading of a .env file counts; default strict, what all read alike."},
    {"dry-run",                                                                           NULL, false, "Prints what would be imported, never values, and changes nothing."},
    {"replace",NULL, false, "Replaces what is there with another value."},
    {"skip-refused", NULL, false, "Leaves out what is refused, and imports the rest."},
    {"raw",                                                                   NULL, false, "folder: keeps a newline at the end of a file."},
    {"follow",                                                                      NULL, false, "folder, pass: follows links that lead out of the folder."},
    OPTION_DANGEROUS,
    OPTION_JSON,
    {0                                                                          },
};
static const struct command_member import_members[] = {
    {"replace",    MEMBER_FLAG, 0, "replace"},
    {"dry_run",           MEMBER_FLAG, 0, "dry-run"},
    {"allow_dangerous_name",            MEMBER_FLAG, 0, "allow-dangerous-name"},
    {0},
};

/* clang-format off */
const struct command cmd_import_commands[] = {
    {
        .name = "env", .subcommand = "import", .run = cmd_env_import, .method = "StageImport",
        .members = import_members, .options = import_options, .least = 1, .most = 1,
        .arguments = {"FILE|-"},
        .usage = "FILE|- [--at PATH] [--format F] [--dialect D] [--dry-run] [--replace] [--skip-refused] [--json]",
        .summary = "place many at once",
        .help = "Imports a .env file, a JSON object, a folder of files, a pass store, or an export of Bitwarden or "
                "1Password: all of it in one step, or nothing. Logins become accounts; --dry-run shows what becomes of "
                "each entry.",
    },
    {0},
};
/* clang-format on */
