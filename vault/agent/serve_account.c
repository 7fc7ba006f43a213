/* Accounts and where they are bound. The nouns check names and fill the leaf. */
#include "agent/serve.h"

#include "account.h"
#include "base/name.h"
#include "binding.h"

static const char *text(const struct request *request, const char *name)
{
    return json_member_text(request->parameters, name);
}

enum status serve_add_account(struct session *session, struct request *request)
{
    return account_add(session->vault, text(request, "app"), text(request, "label"),
                       json_member(request->parameters, "properties"), &request->leaf, &request->failure,
                       &request->reply.writer);
}

enum status serve_list_accounts(struct session *session, struct request *request)
{
    return account_list(session->vault, text(request, "app"), &request->failure, &request->reply.writer);
}

enum status serve_show_account(struct session *session, struct request *request)
{
    return account_show(session->vault, text(request, "account"), &request->failure, &request->reply.writer);
}

enum status serve_set_account(struct session *session, struct request *request)
{
    return account_set(
        session->vault, text(request, "account"), json_member(request->parameters, "properties"),
        json_member(request->parameters, "unset"), &request->leaf, &request->failure, &request->reply.writer);
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
