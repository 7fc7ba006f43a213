/* Finding, starting and calling the user's agent. */
#include "helper/contact.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "client/ask.h"
#include "client/wire.h"
#include "helper/manager.h"
#include "json/json.h"

#include <string.h>
#include <sys/prctl.h>

enum status contact_find(struct contact *contact, struct failure *failure)
{
    enum status status = file_vault_path(NULL, failure, contact->vault);

    return status == STATUS_OK ? ask_check_vault(contact->vault, failure) : status;
}

enum status contact_connect(struct contact *contact, struct failure *failure)
{
    enum status status;

    /* The agent looks when it accepts. The client hides this process again when the first reply comes. */
    if (contact->shown)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    status = client_connect(contact->vault, failure, &contact->client);
    if (status == STATUS_OK)
        contact->client->timeout_ms = contact->timeout_ms;
    return status;
}

enum status contact_start_agent(struct contact *contact, bool stays, struct failure *failure)
{
    char socket[PATH_MAX];
    const struct client_agent agent = {.vault = contact->vault, .socket = stays ? socket : NULL};
    enum status status;

    /* Half of the time is kept for doing without the manager. */
    if (stays && manager_listen(contact->vault, contact->timeout_ms / 2) &&
        contact_connect(contact, failure) == STATUS_OK) {
        contact->stays = true;
        return STATUS_OK;
    }
    status = stays ? file_socket_path(contact->vault, failure, socket) : STATUS_OK;
    if (status == STATUS_OK)
        status = client_start_agent(&agent, failure, &contact->client);
    if (status != STATUS_OK)
        return status;
    contact->client->timeout_ms = contact->timeout_ms;
    contact->stays = stays;
    return STATUS_OK;
}

enum status contact_show(struct contact *contact, struct failure *failure)
{
    contact->shown = true;
    contact_reset(contact);
    return contact_connect(contact, failure);
}

enum status contact_call(struct contact *contact, const char *method, const struct secret *members,
                         const struct key *key, struct failure *failure, struct secret *ret_reply)
{
    const struct secret none = {0};
    const struct ask ask = {
        .vault = contact->vault,
        .method = method,
        .parameters = members != NULL ? members : &none,
        .undumpable = contact->shown,
        .hidden = contact->shown,
    };
    const struct ask_key slot_key = {.slot = key != NULL ? key->slot : "",
                                     .bytes = key != NULL ? key->bytes.bytes : NULL};

    return ask_client(&ask, contact->client, key != NULL ? &slot_key : NULL, failure, ret_reply);
}

enum status contact_ask_state(struct contact *contact, struct failure *failure, bool *ret_open)
{
    CLEANUP(secret_reset) struct secret reply = {0};
    CLEANUP(secret_reset) struct secret state = {0};
    struct wire_value value;
    enum status status = contact_call(contact, "Status", NULL, NULL, failure, &reply);

    if (status != STATUS_OK)
        return status;
    if (!wire_member(ask_parameters(&reply), "state", &value) || !wire_text(value, &state))
        return failure_set(failure, STATUS_PROTOCOL, "the agent does not say whether the vault is open");
    *ret_open = strcmp(secret_text(&state), "open") == 0;
    return STATUS_OK;
}

enum status contact_list_slots(struct contact *contact, struct failure *failure,
                               struct key_headers *ret_headers)
{
    CLEANUP(secret_reset) struct secret reply = {0};
    CLEANUP(json_freep) struct json *json = NULL;
    enum status status = contact_call(contact, "ListSlots", NULL, NULL, failure, &reply);

    if (status == STATUS_OK)
        status = json_parse(reply.bytes, reply.size, "the agent's reply", failure, &json);
    return status == STATUS_OK ? key_read_headers(json_member(json, "parameters"), failure, ret_headers)
                               : status;
}

void contact_give_up(struct contact *contact)
{
    CLEANUP(secret_reset) struct secret reply = {0};
    struct failure ignored;

    if (contact->stays && contact->client != NULL)
        (void)contact_call(contact, "Lock", NULL, NULL, &ignored, &reply);
    contact_reset(contact);
}

void contact_reset(struct contact *contact)
{
    client_freep(&contact->client);
    contact->stays = false;
}
