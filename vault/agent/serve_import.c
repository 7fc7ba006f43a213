/* StageImport: many calls of one connection, and one turn that puts all they brought into the vault. */
#include "agent/serve.h"

#include "agent/stage.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "import.h"

static bool flag(const struct request *request, const char *name)
{
    return json_member_boolean(request->parameters, name, false);
}

static enum status stage_variable(struct session *session, struct request *request,
                                  const struct json *variable, struct secret *decoded)
{
    struct variable_change change = {.path = json_member_text(variable, "path"),
                                     .name = json_member_text(variable, "name"),
                                     .allow_dangerous_name = flag(request, "allow_dangerous_name")};
    enum status status = serve_read_value(variable, decoded, &change, &request->failure);

    if (status == STATUS_OK)
        status = remark_read(json_member_text(variable, "note"), NULL, &request->failure, &change.remark);
    if (status != STATUS_OK)
        return status;
    return import_stage_variable(stage_import(*request->stage), session->vault, &change, &request->failure);
}

static enum status stage_account(struct session *session, struct request *request, const struct json *account)
{
    struct remark remark;
    enum status status = remark_read(json_member_text(account, "note"), NULL, &request->failure, &remark);

    if (status != STATUS_OK)
        return status;
    return import_stage_account(stage_import(*request->stage), session->vault,
                                json_member_text(account, "app"), json_member_text(account, "label"),
                                json_member(account, "properties"), &remark, &request->failure);
}

static enum status stage_all(struct session *session, struct request *request)
{
    CLEANUP(secret_reset) struct secret decoded = {0};
    const struct json *variables = json_member(request->parameters, "variables");
    const struct json *accounts = json_member(request->parameters, "accounts");
    enum status status = STATUS_OK;

    for (size_t at = 0; status == STATUS_OK && at < json_count(variables); at++)
        status = stage_variable(session, request, json_at(variables, at), &decoded);
    for (size_t at = 0; status == STATUS_OK && at < json_count(accounts); at++)
        status = stage_account(session, request, json_at(accounts, at));
    import_rest(stage_import(*request->stage));
    return status == STATUS_OK ? stage_check(*request->stage, &request->failure) : status;
}

static enum status commit(struct session *session, struct request *request, struct import_counts *ret_counts)
{
    const struct import_options options = {.replace = flag(request, "replace"),
                                           .dry_run = flag(request, "dry_run")};
    enum status status = session_begin(session, &request->failure);

    if (status == STATUS_OK)
        status = import_commit(stage_import(*request->stage), session->vault, &options, &request->leaf,
                               &request->failure, ret_counts);
    if (status == STATUS_OK)
        return session_commit(session, &request->failure);
    session_rollback(session);
    return status;
}

/* Told of a dry run only: who asks for it wants to know of each what the counts say of all. */
static enum status add_changes(struct request *request)
{
    CLEANUP(secret_reset) struct secret changes = {0};

    if (!flag(request, "dry_run"))
        return STATUS_OK;
    if (!import_list_changes(stage_import(*request->stage), &changes))
        return failure_set_no_memory(&request->failure);
    json_add_text(&request->reply.writer, "changes", secret_text(&changes));
    return STATUS_OK;
}

enum status serve_stage_import(struct session *session, struct request *request)
{
    struct import_counts counts = {0};
    size_t staged;
    enum status status = STATUS_OK;

    if (*request->stage == NULL)
        status = stage_start(session, &request->failure, request->stage);
    else if (stage_import(*request->stage) == NULL)
        status = failure_set(&request->failure, STATUS_LOCKED, "the vault was locked during the import");
    if (status == STATUS_OK)
        status = stage_all(session, request);
    if (status != STATUS_OK)
        return status;
    staged = import_count(stage_import(*request->stage));
    if (flag(request, "commit")) {
        status = commit(session, request, &counts);
        if (status == STATUS_OK)
            status = add_changes(request);
        stage_end(request->stage);
    }
    if (status != STATUS_OK)
        return status;
    json_add_number(&request->reply.writer, "staged", staged);
    json_add_number(&request->reply.writer, "added", counts.added);
    json_add_number(&request->reply.writer, "replaced", counts.replaced);
    json_add_number(&request->reply.writer, "unchanged", counts.unchanged);
    return STATUS_OK;
}
