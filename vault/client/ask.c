/* The order in which a command looks for someone to ask. */
#include "client/ask.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "client/client.h"
#include "client/journal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static void key_freep(uint8_t **key)
{
    secret_free(*key);
    *key = NULL;
}

static bool request_write(const struct ask *ask, const uint8_t *key, struct secret *request)
{
    const struct secret *parameters = ask->parameters;

    secret_clear(request);
    return secret_append_text(request, "{\"method\":\"io.stepvault.Agent.") &&
           secret_append_text(request, ask->method) &&
           secret_append_text(request, "\",\"parameters\":{\"vault\":") &&
           text_append_json(request, ask->vault, strlen(ask->vault)) &&
           (parameters->size == 0 || (secret_append_byte(request, ',') &&
                                      secret_append(request, parameters->bytes, parameters->size))) &&
           (key == NULL ||
            (secret_append_text(request, ",\"slot_key\":{\"key\":\"") &&
             text_append_base64(request, key, FILE_KEY_SIZE) && secret_append_text(request, "\"}"))) &&
           secret_append_text(request, "}}");
}

static enum status ask_once(const struct ask *ask, struct client *client, const uint8_t *key,
                            struct failure *failure, struct secret *ret_reply)
{
    CLEANUP(secret_reset) struct secret request = {0};
    enum status status;

    if (!request_write(ask, key, &request))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    client->undumpable = ask->undumpable;
    status = client_call(client, &request, failure, ret_reply);
    return status == STATUS_OK ? client_reply_status(ret_reply, failure) : status;
}

static enum status key_read(const struct ask *ask, struct failure *failure, uint8_t **ret_key)
{
    CLEANUP(key_freep) uint8_t *key = secret_allocate(FILE_KEY_SIZE);
    enum status status;

    if (key == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the key");
    status = file_read_key(ask->key_file, failure, key);
    if (status == STATUS_OK)
        *ret_key = TAKE(key);
    return status;
}

static enum status vault_check(const char *vault, struct failure *failure)
{
    struct stat facts;

    if (stat(vault, &facts) == 0)
        return STATUS_OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return failure_set(failure, STATUS_NO_VAULT, "there is no vault at %s", vault);
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at the vault %s", vault);
}

/* Nobody listens, and there is no key: where there is not even a place to listen, unlocking would not help.
 */
static enum status refuse(const struct ask *ask, struct failure *failure)
{
    char path[PATH_MAX];
    enum status status = file_socket_path(ask->vault, failure, path);

    journal_note_refusal(ask->purpose);
    if (status != STATUS_OK)
        return status;
    return failure_set(failure, STATUS_LOCKED, "the vault %s is locked", ask->vault);
}

static enum status ask_new_agent(const struct ask *ask, struct failure *failure, struct secret *ret_reply)
{
    CLEANUP(client_freep) struct client *client = NULL;
    CLEANUP(key_freep) uint8_t *key = NULL;
    char program[PATH_MAX];
    struct client_agent agent = {.program = program, .vault = ask->vault};
    enum status status = vault_check(ask->vault, failure);

    if (status != STATUS_OK)
        return status;
    if (ask->key_file == NULL)
        return refuse(ask, failure);
    status = key_read(ask, failure, &key);
    if (status == STATUS_OK)
        status = client_find_program("stepvault-agent", failure, program);
    if (status == STATUS_OK)
        status = client_start_agent(&agent, failure, &client);
    return status == STATUS_OK ? ask_once(ask, client, key, failure, ret_reply) : status;
}

static enum status ask_listening(const struct ask *ask, struct client *client, struct failure *failure,
                                 struct secret *ret_reply)
{
    CLEANUP(key_freep) uint8_t *key = NULL;
    enum status status = ask_once(ask, client, NULL, failure, ret_reply);

    if (status != STATUS_LOCKED || ask->key_file == NULL)
        return status;
    status = key_read(ask, failure, &key);
    return status == STATUS_OK ? ask_once(ask, client, key, failure, ret_reply) : status;
}

enum status ask_agent(const struct ask *ask, struct failure *failure, struct secret *ret_reply)
{
    CLEANUP(client_freep) struct client *client = NULL;
    CLEANUP(secret_reset) struct secret reply = {0};
    enum status status;

    if (!text_is_utf8(ask->vault, strlen(ask->vault)))
        return failure_set(failure, STATUS_INVALID, "the path of the vault is not UTF-8 text");
    status = client_connect(ask->vault, failure, &client);
    if (status == STATUS_NO_AGENT)
        status = ask_new_agent(ask, failure, &reply);
    else if (status == STATUS_OK)
        status = ask_listening(ask, client, failure, &reply);
    if (status != STATUS_OK)
        return status;
    secret_reset(ret_reply);
    *ret_reply = reply;
    reply = (struct secret){0};
    return STATUS_OK;
}

struct wire_value ask_parameters(const struct secret *reply)
{
    const struct wire_value root = {(const char *)reply->bytes, reply->size};
    struct wire_value parameters;

    if (!wire_member(root, "parameters", &parameters) || !wire_is_object(parameters))
        return (struct wire_value){"{}", 2};
    return parameters;
}
