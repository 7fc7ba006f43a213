/* stepvault export: print what a step receives. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "client/ask.h"
#include "client/received.h"
#include "launch/launch.h"
#include "report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum status project(const struct arguments *arguments, const struct launch *launch,
                           struct failure *failure, struct received *ret_received)
{
    CLEANUP(secret_reset) struct secret parameters = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    enum status status;

    if (!secret_append_text(&parameters, "\"step\":\"") ||
        !secret_append_text(&parameters, arguments->step) ||
        !secret_append_text(&parameters, "\",\"form\":\"environment\",\"deliver\":[\"") ||
        !secret_append_text(&parameters, arguments->format_json ? "env" : "auths") ||
        !secret_append_text(&parameters, "\"]") || !launch_append_text(&parameters, "purpose", "export") ||
        (arguments->own && !secret_append_text(&parameters, ",\"own\":true")) ||
        (arguments->reason != NULL && !launch_append_text(&parameters, "reason", arguments->reason)))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    status = launch_ask(launch, "Project", &parameters, true, failure, &reply);
    if (status != STATUS_OK)
        return status;
    return received_read(ask_parameters(&reply), arguments->format_json ? 0 : RECEIVED_AUTHS, failure,
                         ret_received);
}

/* A JSON string is Unicode text: a value that is not has no form here, and leaving it out would be a lie. */
static enum status json_write(const struct received *received, struct failure *failure, struct secret *text)
{
    bool done = secret_append_byte(text, '{');

    for (size_t i = 0; done && i < received->count; i++) {
        const char *name = received->entries[i];
        const char *value = strchr(name, '=') + 1;
        const size_t name_size = (size_t)(value - 1 - name);

        if (!text_is_utf8(value, strlen(value)))
            return failure_set(failure, STATUS_INVALID,
                               "the value of %.*s is not UTF-8 text, which JSON requires", (int)name_size,
                               name);
        done = secret_append_text(text, i > 0 ? "," : "") && text_append_json(text, name, name_size) &&
               secret_append_byte(text, ':') && text_append_json(text, value, strlen(value));
    }
    if (!done || !secret_append_text(text, "}"))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the document");
    return STATUS_OK;
}

static enum status print(struct secret *text, struct failure *failure)
{
    if (!secret_append_byte(text, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the document");
    if (!file_write_all(STDOUT_FILENO, text->bytes, text->size))
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write the document");
    return STATUS_OK;
}

static enum status export_step(struct arguments *arguments, int argc, char **argv, struct failure *failure)
{
    CLEANUP(received_reset) struct received received = {0};
    CLEANUP(secret_reset) struct secret text = {0};
    char command[] = "export";
    char help[] = "help";
    char *const help_argv[] = {argv[0], help, command, NULL};
    struct launch launch;
    enum status status = arguments_parse(ARGUMENTS_EXPORT, argc, argv, failure, arguments);

    if (status == STATUS_OK && arguments->help)
        return launch_manage(help_argv, failure);
    if (status == STATUS_OK)
        status = launch_prepare("export", arguments, argv, failure, &launch);
    if (status == STATUS_OK)
        status = project(arguments, &launch, failure, &received);
    if (status != STATUS_OK)
        return status;
    if (!arguments->format_json)
        return print(&received.auths, failure);
    status = json_write(&received, failure, &text);
    return status == STATUS_OK ? print(&text, failure) : status;
}

int export_main(int argc, char **argv)
{
    CLEANUP(arguments_reset) struct arguments arguments = {0};
    struct failure failure = {0};
    enum status status = export_step(&arguments, argc, argv, &failure);

    if (status != STATUS_OK)
        report_failure(&failure);
    return status_exit(status);
}
