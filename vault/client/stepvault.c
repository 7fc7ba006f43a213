/* The public library: one question, one projection. */
#include "client/stepvault.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "base/text.h"
#include "client/ask.h"
#include "client/received.h"

#include <stdlib.h>
#include <string.h>

struct stepvault_projection {
    struct received received;
    int has_auths;
};

static void projection_freep(struct stepvault_projection **projection)
{
    stepvault_free(*projection);
    *projection = NULL;
}

static bool parameters_write(const struct stepvault_request *request, const char *step,
                             struct secret *parameters)
{
    const bool env = request->deliver_env || !request->deliver_auths;

    return secret_append_text(parameters, "\"step\":") && text_append_json(parameters, step, strlen(step)) &&
           secret_append_text(parameters, ",\"form\":\"environment\",\"deliver\":[") &&
           secret_append_text(parameters, env ? "\"env\"" : "") &&
           secret_append_text(parameters, env && request->deliver_auths ? "," : "") &&
           secret_append_text(parameters, request->deliver_auths ? "\"auths\"" : "") &&
           secret_append_text(parameters, "]") &&
           (request->reason == NULL ||
            (secret_append_text(parameters, ",\"reason\":") &&
             text_append_json(parameters, request->reason, strlen(request->reason))));
}

static enum status request_check(const struct stepvault_request *request, struct failure *failure,
                                 const char **ret_step)
{
    const char *step = request->step != NULL ? request->step : getenv("STEPVAULT_STEP");
    enum status status;

    if (step == NULL)
        return failure_set(failure, STATUS_USAGE, "no step is named, and STEPVAULT_STEP is not set");
    if (request->reason != NULL && !text_is_utf8(request->reason, strlen(request->reason)))
        return failure_set(failure, STATUS_INVALID, "the reason is not UTF-8 text");
    status = name_check_path(step, failure);
    if (status == STATUS_OK)
        *ret_step = step;
    return status;
}

static enum status project(const struct stepvault_request *request, struct failure *failure,
                           struct received *ret_received)
{
    CLEANUP(secret_reset) struct secret parameters = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    char vault[PATH_MAX];
    char key_file[PATH_MAX];
    struct ask ask = {
        .vault = vault, .method = "Project", .parameters = &parameters, .purpose = "projection"};
    const char *step = NULL;
    enum status status = request_check(request, failure, &step);

    if (status == STATUS_OK)
        status = file_vault_path(request->vault, failure, vault);
    if (status != STATUS_OK)
        return status;
    if (!parameters_write(request, step, &parameters))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    if (file_key_path(request->key_file, key_file))
        ask.key_file = key_file;
    status = ask_agent(&ask, failure, &reply);
    if (status != STATUS_OK)
        return status;
    return received_read(ask_parameters(&reply), request->deliver_auths ? RECEIVED_AUTHS : 0, failure,
                         ret_received);
}

int stepvault_project(const struct stepvault_request *request, struct stepvault_projection **ret_projection,
                      char error[STEPVAULT_ERROR_MAX])
{
    CLEANUP(projection_freep)
    struct stepvault_projection *projection = secret_allocate(sizeof(*projection));
    struct failure failure = {0};
    enum status status;

    _Static_assert(STEPVAULT_ERROR_MAX >= FAILURE_SENTENCE_MAX, "a sentence fits into an error");
    if (projection == NULL)
        status = failure_set(&failure, STATUS_NO_MEMORY, "out of memory for the projection");
    else
        status = project(request, &failure, &projection->received);
    if (status != STATUS_OK) {
        memcpy(error, failure.sentence, strlen(failure.sentence) + 1);
        return status_exit(status);
    }
    projection->has_auths = request->deliver_auths;
    *ret_projection = TAKE(projection);
    return 0;
}

const char *stepvault_variable(const struct stepvault_projection *projection, const char *name)
{
    return received_variable(&projection->received, name);
}

const char *stepvault_entry(const struct stepvault_projection *projection, size_t index)
{
    return index < projection->received.count ? projection->received.entries[index] : NULL;
}

const char *stepvault_auths(const struct stepvault_projection *projection)
{
    return projection->has_auths ? secret_text(&projection->received.auths) : NULL;
}

void stepvault_free(struct stepvault_projection *projection)
{
    if (projection == NULL)
        return;
    received_reset(&projection->received);
    secret_free(projection);
}
