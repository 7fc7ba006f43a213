/* inject: a template with the values that its references stand for. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "base/text.h"
#include "command.h"
#include "exchange.h"
#include "output.h"
#include "replacement.h"
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* References of one call. Values of 64 KiB may be so many that a projection holds only SURE of them. */
#define BATCH 256u
#define SURE 15u
#define KEY_SIZE 24

static enum status find_step(const struct invocation *invocation, struct failure *failure,
                             const char **ret_step)
{
    const char *step = command_argument(invocation, 0);

    if (step == NULL)
        step = getenv("STEPVAULT_STEP");
    if (step == NULL || step[0] == '\0')
        return failure_set(failure, STATUS_USAGE, "inject needs the PATH of a step, or STEPVAULT_STEP");
    *ret_step = step;
    return name_check_path(step, failure);
}

/* NULL where the option is not given, or means the standard stream. */
static const char *file_option(const struct invocation *invocation, const char *name)
{
    const char *path = option_text(&invocation->options, name);

    return path == NULL || strcmp(path, "-") == 0 ? NULL : path;
}

static enum status read_template(const char *path, struct failure *failure, struct secret *bytes)
{
    CLEANUP(cleanup_close) int descriptor = -1;

    if (path == NULL)
        return file_read_all(STDIN_FILENO, TEMPLATE_SIZE_MAX, "the template", failure, bytes);
    descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor == -1)
        return failure_set_errno(failure, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED, errno,
                                 "cannot read the template %s", path);
    return file_read_all(descriptor, TEMPLATE_SIZE_MAX, path, failure, bytes);
}

/* ---- the question ---- */

static void write_question(const struct invocation *invocation, const char *step,
                           const struct template *template, size_t first, size_t count,
                           struct question *question)
{
    const char *reason = option_text(&invocation->options, "reason");

    exchange_question(question, invocation->command->method);
    json_add_text(&question->writer, "step", step);
    json_open_array(&question->writer, "deliver");
    json_close_array(&question->writer);
    json_add_text(&question->writer, "purpose", "inject");
    if (reason != NULL)
        json_add_text(&question->writer, "reason", reason);
    json_open_object(&question->writer, "references");
    for (size_t i = 0; i < count; i++) {
        const struct template_reference *reference = &template->references[first + i];
        char key[KEY_SIZE];

        snprintf(key, sizeof(key), "%zu", i);
        json_add_bytes(&question->writer, key, reference->text, reference->size);
    }
    json_close_object(&question->writer);
}

static enum status take_value(const struct json *parameters, size_t which, struct failure *failure,
                              struct secret *value)
{
    char key[KEY_SIZE];
    const struct json *encoded;
    const char *bytes;
    size_t size;

    snprintf(key, sizeof(key), "%zu", which);
    bytes = json_text(json_member(json_member(parameters, "resolved"), key), &size);
    if (bytes != NULL)
        return secret_append(value, bytes, size)
                   ? STATUS_OK
                   : failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the values");
    encoded = json_member(json_member(parameters, "resolved_base64"), key);
    bytes = json_text(encoded, &size);
    if (bytes == NULL || !text_append_from_base64(value, bytes, size))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply lacks the value of a reference");
    return STATUS_OK;
}

/* Asks for `count` references from `first` on. */
static enum status resolve_some(const struct invocation *invocation, const char *step, size_t first,
                                size_t count, struct failure *failure, struct template *template)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    if (status != STATUS_OK)
        return status;
    write_question(invocation, step, template, first, count, &question);
    status = exchange_ask(&exchange, &question, failure, &answer);
    for (size_t i = 0; status == STATUS_OK && i < count; i++)
        status = take_value(answer.parameters, i, failure, &template->references[first + i].value);
    return status;
}

static enum status resolve(const struct invocation *invocation, const char *step, struct failure *failure,
                           struct template *template)
{
    size_t most = BATCH;
    size_t done = 0;

    while (done < template->reference_count) {
        size_t left = template->reference_count - done;
        size_t count = left < most ? left : most;
        enum status status = resolve_some(invocation, step, done, count, failure, template);

        if (status == STATUS_TOO_LARGE && count > SURE) {
            most = SURE;
            continue;
        }
        if (status == STATUS_OK)
            status = template_check_size(template, failure);
        if (status != STATUS_OK)
            return status;
        done += count;
    }
    return STATUS_OK;
}

/* ---- the result ---- */

static enum status write_result(const struct template *template, const char *output,
                                struct replacement *replacement, struct failure *failure)
{
    enum status status;

    if (output == NULL) {
        if (!template_write(template, STDOUT_FILENO))
            return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write to standard output");
        return STATUS_OK;
    }
    status = replacement_open(replacement, failure);
    if (status == STATUS_OK && !template_write(template, replacement->descriptor))
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write %s", output);
    return status == STATUS_OK ? replacement_finish(replacement, failure) : status;
}

static void note_bare(const struct template *template)
{
    if (template->bare > 0)
        output_note("%zu of the template's stepvault:// stand outside {{ }} and are left as they are, the "
                    "first on line %zu",
                    template->bare, template->bare_line);
}

static enum status cmd_inject(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret bytes = {0};
    CLEANUP(template_reset) struct template template = {0};
    CLEANUP(replacement_reset) struct replacement replacement = REPLACEMENT_NONE;
    const char *input = file_option(invocation, "in-file");
    const char *output = file_option(invocation, "out-file");
    const char *step = NULL;
    enum status status = find_step(invocation, failure, &step);

    if (status == STATUS_OK && output != NULL)
        status = replacement_prepare(output, failure, &replacement);
    if (status == STATUS_OK)
        status = read_template(input, failure, &bytes);
    if (status == STATUS_OK)
        status = template_parse(bytes.bytes, bytes.size, input != NULL ? input : "the template", failure,
                                &template);
    if (status == STATUS_OK)
        status = resolve(invocation, step, failure, &template);
    if (status == STATUS_OK)
        status = write_result(&template, output, &replacement, failure);
    if (status == STATUS_OK)
        note_bare(&template);
    return status;
}

/* ---- the commands ---- */

static const struct option_rule inject_options[] = {
    {"in-file", "FILE|-", false, "The template; default stdin. Or -i."},
    {"out-file",    "FILE|-", false,
     "Takes the file's place when all is there, mode 0600; default stdout. Or -o."},
    {"reason",         "TEXT", false, "Stands in the log, as a claim."},
    {0},
};

/* clang-format off */
const struct command cmd_inject_commands[] = {
    {
        .name = "inject", .run = cmd_inject, .method = "Project", .options = inject_options, .most = 1,
        .arguments = {"PATH"},
        .usage = "[PATH] [-i FILE] [-o FILE] [--reason TEXT]",
        .summary = "fill a template",
        .help = "Writes the template with {{ stepvault://APP[:LABEL]/PROPERTY }} and {{ stepvault://env/NAME }} "
                "replaced by the values that the step PATH (or $STEPVAULT_STEP) gets. Everything else passes byte for "
                "byte. Nothing is written unless every reference finds its value. Logged like run.",
    },
    {0},
};
/* clang-format on */
