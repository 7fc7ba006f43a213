/* The user's own OAuth clients. The noun checks names and fills the leaf. */
#include "agent/serve.h"

#include "registration.h"

static const char *text(const struct request *request, const char *name)
{
    return json_member_text(request->parameters, name);
}

enum status serve_add_client(struct session *session, struct request *request)
{
    const struct registration_change change = {
        .app = text(request, "app"),
        .label = text(request, "label"),
        .client_id = text(request, "client_id"),
        .client_secret = text(request, "client_secret"),
        .redirect_uri = text(request, "redirect_uri"),
        .replace = json_member_boolean(request->parameters, "replace", false),
    };

    return registration_add(session->vault, &change, &request->leaf, &request->failure,
                            &request->reply.writer);
}

enum status serve_list_clients(struct session *session, struct request *request)
{
    return registration_list(session->vault, text(request, "app"), &request->failure, &request->reply.writer);
}

enum status serve_remove_client(struct session *session, struct request *request)
{
    return registration_remove(session->vault, text(request, "app"), text(request, "label"), &request->leaf,
                               &request->failure);
}
