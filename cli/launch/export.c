/* stepvault export: print what a step receives. */
#include "base/cleanup.h"
#include "base/file.h"
#include "client/ask.h"
#include "client/received.h"
#include "launch/format.h"
#include "launch/launch.h"
#include "report.h"

#include <errno.h>
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
        !secret_append_text(&parameters, format_is_document(arguments->format) ? "auths" : "env") ||
        !secret_append_text(&parameters, "\"]") || !launch_append_text(&parameters, "purpose", "export") ||
        (arguments->own && !secret_append_text(&parameters, ",\"own\":true")) ||
        (arguments->reason != NULL && !launch_append_text(&parameters, "reason", arguments->reason)))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    status = launch_ask(launch, "Project", &parameters, true, failure, &reply);
    if (status != STATUS_OK)
        return status;
    return received_read(ask_parameters(&reply), format_is_document(arguments->format) ? RECEIVED_AUTHS : 0,
                         failure, ret_received);
}

static enum status print(const struct secret *text, struct failure *failure)
{
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
    status = format_write(arguments->format, &received, failure, &text);
    return status == STATUS_OK ? print(&text, failure) : status;
}

int export_main(int argc, char **argv)
{
    CLEANUP(arguments_reset) struct arguments arguments = {0};
    struct failure failure = {0};
    enum status status = export_step(&arguments, argc, argv, &failure);

    if (status != STATUS_OK)
        report_failure(&failure, "export");
    return status_exit(status);
}
