/* Variables, steps, and what a step receives. */
#include "agent/serve.h"

#include "agent/renewal.h"
#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"
#include "move.h"
#include "names.h"
#include "placement.h"
#include "projection.h"

#include <limits.h>
#include <string.h>

#define REASON_MAX 1024u

static const char *text(const struct request *request, const char *name)
{
    return json_member_text(request->parameters, name);
}

static bool flag(const struct request *request, const char *name)
{
    return json_member_boolean(request->parameters, name, false);
}

/* Path and name of a variable, into the leaf once they are sound. */
static enum status read_place(struct request *request, const char **ret_path, const char **ret_name)
{
    const char *path = text(request, "path");
    const char *name = text(request, "name");
    enum status status = name_check_path(path, &request->failure);

    if (status == STATUS_OK)
        status = name_check_variable(name, &request->failure);
    if (status != STATUS_OK)
        return status;
    request->leaf.path = path;
    request->leaf.variable = name;
    *ret_path = path;
    *ret_name = name;
    return STATUS_OK;
}

/* Exactly one of value and value_base64; the bytes of the latter are decoded into `decoded`. */
static enum status read_value(struct request *request, struct secret *decoded, struct variable_change *change)
{
    const struct json *value = json_member(request->parameters, "value");
    const struct json *encoded = json_member(request->parameters, "value_base64");
    const char *base64;
    size_t size;

    if ((value == NULL) == (encoded == NULL))
        return failure_set(&request->failure, STATUS_INVALID,
                           "a variable is set with either value or value_base64");
    if (value != NULL) {
        change->value = json_text(value, &change->size);
        return STATUS_OK;
    }
    base64 = json_text(encoded, &size);
    if (!text_append_from_base64(decoded, base64, size))
        return failure_set(&request->failure, STATUS_INVALID, "value_base64 is not canonical base64");
    change->value = secret_text(decoded);
    change->size = decoded->size;
    return STATUS_OK;
}

enum status serve_set_variable(struct session *session, struct request *request)
{
    CLEANUP(secret_reset) struct secret decoded = {0};
    struct variable_change change = {.allow_dangerous_name = flag(request, "allow_dangerous_name")};
    bool replaced;
    enum status status = read_place(request, &change.path, &change.name);

    if (status == STATUS_OK)
        status = read_value(request, &decoded, &change);
    if (status == STATUS_OK)
        status = serve_read_remark(request, &change.remark);
    if (status == STATUS_OK)
        status = variable_set(session->vault, &change, &request->failure, &replaced);
    if (status == STATUS_OK)
        json_add_boolean(&request->reply.writer, "replaced", replaced);
    return status;
}

/* The same of one of its values: 0 where no revision was named. */
static enum status read_revision(struct request *request, const char **ret_path, const char **ret_name,
                                 uint64_t *ret_revision)
{
    enum status status = read_place(request, ret_path, ret_name);

    return status == STATUS_OK ? serve_read_revision(request, ret_revision) : status;
}

enum status serve_get_variable(struct session *session, struct request *request)
{
    const char *path;
    const char *name;
    uint64_t revision;
    enum status status = read_revision(request, &path, &name, &revision);

    if (status == STATUS_OK)
        status = serve_describe_revision(request, revision);
    if (status != STATUS_OK)
        return status;
    return projection_get_variable(session->vault, path, name, revision, &request->leaf, &request->failure,
                                   &request->reply.writer);
}

enum status serve_list_variables(struct session *session, struct request *request)
{
    const struct remark_filter filter = serve_read_filter(request);

    return variable_list(session->vault, text(request, "path"), &filter, &request->failure,
                         &request->reply.writer);
}

enum status serve_unset_variable(struct session *session, struct request *request)
{
    const char *path;
    const char *name;
    enum status status = read_place(request, &path, &name);

    return status == STATUS_OK ? variable_unset(session->vault, path, name, &request->failure) : status;
}

enum status serve_block_variable(struct session *session, struct request *request)
{
    const char *path;
    const char *name;
    enum status status = read_place(request, &path, &name);

    return status == STATUS_OK ? variable_block(session->vault, path, name, &request->failure) : status;
}

enum status serve_annotate_variable(struct session *session, struct request *request)
{
    const char *path;
    const char *name;
    struct remark remark;
    enum status status = read_place(request, &path, &name);

    if (status == STATUS_OK)
        status = serve_read_annotation(request, &remark);
    return status == STATUS_OK ? variable_annotate(session->vault, path, name, &remark, &request->failure)
                               : status;
}

enum status serve_list_variable_revisions(struct session *session, struct request *request)
{
    return variable_history(session->vault, text(request, "path"), text(request, "name"), &request->failure,
                            &request->reply.writer);
}

enum status serve_restore_variable(struct session *session, struct request *request)
{
    const char *path;
    const char *name;
    uint64_t revision;
    enum status status = read_revision(request, &path, &name, &revision);

    if (status == STATUS_OK)
        status = variable_restore(session->vault, path, name, revision, flag(request, "allow_dangerous_name"),
                                  &request->failure, &revision);
    if (status == STATUS_OK)
        status = serve_describe_revision(request, revision);
    if (status == STATUS_OK)
        json_add_number(&request->reply.writer, "revision", revision);
    return status;
}

enum status serve_forget_variable(struct session *session, struct request *request)
{
    const char *path;
    const char *name;
    uint64_t revision, count;
    enum status status = read_revision(request, &path, &name, &revision);

    if (status == STATUS_OK)
        status = serve_describe_revision(request, revision);
    if (status == STATUS_OK)
        status = variable_forget(session->vault, path, name, revision, &request->failure, &count);
    if (status == STATUS_OK)
        json_add_number(&request->reply.writer, "forgotten", count);
    return status;
}

static enum status read_path(struct request *request, const char **ret_path)
{
    const char *path = text(request, "path");
    enum status status = name_check_path(path, &request->failure);

    if (status != STATUS_OK)
        return status;
    request->leaf.path = path;
    *ret_path = path;
    return STATUS_OK;
}

enum status serve_add_step(struct session *session, struct request *request)
{
    const char *path;
    struct remark remark;
    bool changed;
    enum status status = read_path(request, &path);

    if (status == STATUS_OK)
        status = serve_read_remark(request, &remark);
    if (status == STATUS_OK)
        status = placement_add_step(session->vault, path, flag(request, "no_inherit"), &remark,
                                    &request->failure, &changed);
    if (status == STATUS_OK)
        json_add_boolean(&request->reply.writer, "changed", changed);
    return status;
}

enum status serve_list_steps(struct session *session, struct request *request)
{
    const char *under = text(request, "under");

    return placement_list_steps(session->vault, under == NULL ? "/" : under, &request->failure,
                                &request->reply.writer);
}

enum status serve_show_step(struct session *session, struct request *request)
{
    return projection_explain(session->vault, text(request, "path"), &request->failure,
                              &request->reply.writer);
}

enum status serve_annotate_step(struct session *session, struct request *request)
{
    const char *path;
    struct remark remark;
    enum status status = read_path(request, &path);

    if (status == STATUS_OK)
        status = serve_read_annotation(request, &remark);
    return status == STATUS_OK ? placement_annotate(session->vault, path, &remark, &request->failure)
                               : status;
}

static enum status describe_move(struct request *request, const struct move_change *change)
{
    if (!secret_append_format(&request->leaf.details, "\"to\":\"%s\"%s", change->to,
                              change->dry_run ? ",\"dry_run\":true" : ""))
        return failure_set_no_memory(&request->failure);
    return STATUS_OK;
}

enum status serve_move_step(struct session *session, struct request *request)
{
    struct move_change change = {.to = text(request, "to"), .dry_run = flag(request, "dry_run")};
    enum status status = read_path(request, &change.path);

    if (status == STATUS_OK)
        status = name_check_path(change.to, &request->failure);
    if (status == STATUS_OK)
        status = describe_move(request, &change);
    return status == STATUS_OK ? move_path(session->vault, &change, &request->failure, &request->reply.writer)
                               : status;
}

enum status serve_remove_step(struct session *session, struct request *request)
{
    const char *path;
    enum status status = read_path(request, &path);

    if (status != STATUS_OK)
        return status;
    return placement_remove_step(session->vault, path, flag(request, "force"), &request->failure);
}

enum status serve_list_names(struct session *session, struct request *request)
{
    const char *prefix = text(request, "prefix");
    const struct names_request names = {
        .kind = text(request, "kind"),
        .prefix = prefix != NULL ? prefix : "",
        .path = text(request, "path"),
        .account = text(request, "account"),
    };

    return names_list(session->vault, &names, &request->failure, &request->reply.writer);
}

/* With references, nothing else need be delivered. */
static enum status read_forms(struct request *request, struct projection_request *projection)
{
    const struct json *deliver = json_member(request->parameters, "deliver");
    const char *form = text(request, "form");

    projection->deliver_env = deliver == NULL;
    for (size_t at = 0; at < json_count(deliver); at++) {
        const char *name = json_text(json_at(deliver, at), NULL);

        if (strcmp(name, "env") == 0)
            projection->deliver_env = true;
        else if (strcmp(name, "auths") == 0)
            projection->deliver_auths = true;
        else if (strcmp(name, "credentials") == 0)
            projection->deliver_credentials = true;
        else
            return failure_set(&request->failure, STATUS_INVALID,
                               "deliver knows env, auths and credentials only");
    }
    projection->references_only = deliver != NULL && json_count(deliver) == 0;
    if (projection->references_only && json_count(projection->references) == 0)
        return failure_set(&request->failure, STATUS_INVALID, "deliver names no form of delivery");
    projection->block_form = form != NULL && strcmp(form, "environment") == 0;
    if (form != NULL && !projection->block_form && strcmp(form, "json") != 0)
        return failure_set(&request->failure, STATUS_INVALID, "form is json or environment");
    return STATUS_OK;
}

static enum status read_claims(struct request *request)
{
    const char *purpose = text(request, "purpose");
    const char *reason = text(request, "reason");
    const char *command = text(request, "command");

    if (purpose != NULL && strcmp(purpose, "run") != 0 && strcmp(purpose, "export") != 0 &&
        strcmp(purpose, "inject") != 0 && strcmp(purpose, "login") != 0)
        return failure_set(&request->failure, STATUS_INVALID, "purpose is run, export, inject or login");
    if (reason != NULL && strlen(reason) > REASON_MAX)
        return failure_set(&request->failure, STATUS_TOO_LARGE, "the reason is over %u bytes", REASON_MAX);
    if (command != NULL && strlen(command) > PATH_MAX)
        return failure_set(&request->failure, STATUS_TOO_LARGE, "the command is over %d bytes", PATH_MAX);
    request->leaf.purpose = purpose;
    request->leaf.reason = reason;
    request->leaf.command = command;
    return STATUS_OK;
}

/* What a projection is told of tokens that should be renewed. */
struct renewing {
    struct session *session;
    struct request *request;
};

static enum status renew(void *context, const struct record *account, bool usable, struct failure *failure)
{
    const struct renewing *renewing = context;
    const struct request *request = renewing->request;

    return renewal_wait(renewing->session, account->id, usable, request->before, failure, request->parking);
}

enum status serve_project(struct session *session, struct request *request)
{
    struct renewing renewing = {.session = session, .request = request};
    struct projection_request projection = {
        .renew = renew,
        .context = &renewing,
        .step = text(request, "step"),
        .own = flag(request, "own"),
        .empty_auths = flag(request, "empty_auths"),
        .inherited = json_member(request->parameters, "inherited"),
        .keep = json_member(request->parameters, "keep"),
        .references = json_member(request->parameters, "references"),
    };
    enum status status = name_check_path(projection.step, &request->failure);

    if (status != STATUS_OK)
        return status;
    request->leaf.step = projection.step;
    status = read_claims(request);
    if (status == STATUS_OK)
        status = read_forms(request, &projection);
    if (status != STATUS_OK)
        return status;
    return projection_project(session->vault, &projection, &request->leaf, &request->failure,
                              &request->reply.writer);
}
