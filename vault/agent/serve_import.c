/* StageImport: many calls of one connection, and one turn that puts all they brought into the vault. */
#include "agent/serve.h"

#include "agent/stage.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "import.h"

#include <string.h>

static bool flag(const struct request *request, const char *name)
{
    return json_member_boolean(request->parameters, name, false);
}

/* NAME=value entries, each ended by a NUL: the `=` of each becomes the end of its name. */
static enum status stage_entries(struct session *session, struct request *request, struct secret *entries)
{
    struct variable_change change = {.path = json_member_text(request->parameters, "path"),
                                     .allow_dangerous_name = flag(request, "allow_dangerous_name")};
    char *at = (char *)entries->bytes;
    const char *end = at + entries->size;
    enum status status = STATUS_OK;

    if (change.path == NULL)
        change.path = "/";
    while (status == STATUS_OK && at < end) {
        char *stop = memchr(at, '\0', (size_t)(end - at));
        char *equals = stop == NULL ? NULL : memchr(at, '=', (size_t)(stop - at));
        if (equals == NULL)
            return failure_set(&request->failure, STATUS_INVALID,
                               "environment is not NAME=value entries each ended by a NUL");
        *equals = '\0';
        change.name = at;
        change.value = equals + 1;
        change.size = (size_t)(stop - equals - 1);
        status =
            import_stage_variable(stage_import(*request->stage), session->vault, &change, &request->failure);
        at = stop + 1;
    }
    return status;
}

static enum status stage_variables(struct session *session, struct request *request)
{
    CLEANUP(secret_reset) struct secret entries = {0};
    size_t size;
    const char *base64 = json_text(json_member(request->parameters, "environment"), &size);

    if (base64 == NULL)
        return STATUS_OK;
    if (!text_append_from_base64(&entries, base64, size))
        return failure_set(&request->failure, STATUS_INVALID, "environment is not canonical base64");
    return stage_entries(session, request, &entries);
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
    const struct json *accounts = json_member(request->parameters, "accounts");
    enum status status = stage_variables(session, request);

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
        status = failure_set(&request->failure, STATUS_LOCKED,
                             "the vault was locked, or given a new key, during the import");
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
