/* Accounts and where they are bound. The nouns check names and fill the leaf. */
#include "agent/serve.h"

#include "account.h"
#include "base/name.h"
#include "base/text.h"
#include "binding.h"

#include <inttypes.h>

static const char *text(const struct request *request, const char *name)
{
    return json_member_text(request->parameters, name);
}

enum status serve_read_remark(struct request *request, struct remark *ret_remark)
{
    return remark_read(text(request, "note"), text(request, "expires"), &request->failure, ret_remark);
}

enum status serve_read_annotation(struct request *request, struct remark *ret_remark)
{
    if (text(request, "note") == NULL && text(request, "expires") == NULL)
        return failure_set(&request->failure, STATUS_INVALID,
                           "there is nothing to change: neither a note nor an expiry is given");
    return serve_read_remark(request, ret_remark);
}

enum status serve_read_revision(struct request *request, uint64_t *ret_revision)
{
    const struct json *revision = json_member(request->parameters, "revision");
    int64_t number = 0;

    if (revision != NULL && (!json_number(revision, &number) || number < 1))
        return failure_set(&request->failure, STATUS_INVALID, "revisions are numbered from 1 on");
    *ret_revision = (uint64_t)number;
    return STATUS_OK;
}

enum status serve_describe_revision(struct request *request, uint64_t revision)
{
    if (revision != 0 && !secret_append_format(&request->leaf.details, "\"revision\":%" PRIu64, revision))
        return failure_set_no_memory(&request->failure);
    return STATUS_OK;
}

struct remark_filter serve_read_filter(const struct request *request)
{
    return (struct remark_filter){
        .stale = json_member_boolean(request->parameters, "stale", false),
        .expiring = json_member_boolean(request->parameters, "expiring", false),
    };
}

enum status serve_add_account(struct session *session, struct request *request)
{
    struct remark remark;
    enum status status = serve_read_remark(request, &remark);

    if (status != STATUS_OK)
        return status;
    return account_add(session->vault, text(request, "app"), text(request, "label"),
                       json_member(request->parameters, "properties"), &remark, &request->leaf,
                       &request->failure, &request->reply.writer);
}

enum status serve_list_accounts(struct session *session, struct request *request)
{
    const struct remark_filter filter = serve_read_filter(request);

    return account_list(session->vault, text(request, "app"), &filter, &request->failure,
                        &request->reply.writer);
}

enum status serve_show_account(struct session *session, struct request *request)
{
    return account_show(session->vault, text(request, "account"), &request->failure, &request->reply.writer);
}

enum status serve_set_account(struct session *session, struct request *request)
{
    struct remark remark;
    enum status status = serve_read_remark(request, &remark);

    if (status != STATUS_OK)
        return status;
    return account_set(session->vault, text(request, "account"),
                       json_member(request->parameters, "properties"),
                       json_member(request->parameters, "unset"), &remark, &request->leaf, &request->failure,
                       &request->reply.writer);
}

enum status serve_annotate_account(struct session *session, struct request *request)
{
    struct remark remark;
    enum status status = serve_read_annotation(request, &remark);

    if (status != STATUS_OK)
        return status;
    return account_annotate(session->vault, text(request, "account"), &remark, &request->leaf,
                            &request->failure, &request->reply.writer);
}

enum status serve_list_account_revisions(struct session *session, struct request *request)
{
    return account_history(session->vault, text(request, "account"), &request->failure,
                           &request->reply.writer);
}

enum status serve_restore_account(struct session *session, struct request *request)
{
    uint64_t revision;
    enum status status = serve_read_revision(request, &revision);

    if (status == STATUS_OK)
        status = account_restore(session->vault, text(request, "account"), revision, &request->leaf,
                                 &request->failure, &request->reply.writer, &revision);
    if (status == STATUS_OK)
        status = serve_describe_revision(request, revision);
    if (status == STATUS_OK)
        json_add_number(&request->reply.writer, "revision", revision);
    return status;
}

enum status serve_forget_account(struct session *session, struct request *request)
{
    uint64_t revision, count;
    enum status status = serve_read_revision(request, &revision);

    if (status == STATUS_OK)
        status = serve_describe_revision(request, revision);
    if (status == STATUS_OK)
        status = account_forget(session->vault, text(request, "account"), revision, &request->leaf,
                                &request->failure, &count);
    if (status == STATUS_OK)
        json_add_number(&request->reply.writer, "forgotten", count);
    return status;
}

enum status serve_rename_account(struct session *session, struct request *request)
{
    return account_rename(session->vault, text(request, "account"), text(request, "label"), &request->leaf,
                          &request->failure, &request->reply.writer);
}

enum status serve_remove_account(struct session *session, struct request *request)
{
    return account_remove(session->vault, text(request, "account"), &request->leaf, &request->failure);
}

enum status serve_bind(struct session *session, struct request *request)
{
    const struct json *parameters = request->parameters;
    const struct binding_change change = {
        .path = text(request, "path"),
        .account = text(request, "account"),
        .alias = text(request, "alias"),
        .only = json_member(parameters, "only"),
        .environment = json_member(parameters, "environment"),
        .replace = json_member_boolean(parameters, "replace", false),
        .allow_dangerous_name = json_member_boolean(parameters, "allow_dangerous_name", false),
    };
    enum status status = name_check_path(change.path, &request->failure);

    if (status != STATUS_OK)
        return status;
    request->leaf.path = change.path;
    return binding_bind(session->vault, &change, &request->leaf, &request->failure, &request->reply.writer);
}

enum status serve_unbind(struct session *session, struct request *request)
{
    const char *path = text(request, "path");
    enum status status = name_check_path(path, &request->failure);

    if (status != STATUS_OK)
        return status;
    request->leaf.path = path;
    return binding_unbind(session->vault, path, text(request, "alias"), &request->leaf, &request->failure);
}
