/* The order in which a command looks for someone to ask, and the request it sends. */
#include "client/ask.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 60000u /* as long as an agent of one command waits for the vault */

static void key_freep(uint8_t **key)
{
    secret_free(*key);
    *key = NULL;
}

/* ---- the question ---- */

static bool member_begin(struct secret *request, const char *key)
{
    const bool first = request->bytes[request->size - 1] == '{';

    return secret_append_text(request, first ? "\"" : ",\"") && secret_append_text(request, key) &&
           secret_append_text(request, "\":");
}

static bool method_write(const char *method, struct secret *request)
{
    CLEANUP(secret_reset) struct secret full = {0};

    return secret_append_text(&full, strchr(method, '.') == NULL ? CLIENT_INTERFACE : "") &&
           secret_append_text(&full, method) && text_append_json(request, full.bytes, full.size);
}

static bool parameters_write(const struct secret *parameters, struct secret *request)
{
    const bool first = request->bytes[request->size - 1] == '{';

    return parameters->size == 0 || ((first || secret_append_byte(request, ',')) &&
                                     secret_append(request, parameters->bytes, parameters->size));
}

static bool key_write(const struct ask_key *key, struct secret *request)
{
    return member_begin(request, "slot_key") && secret_append_byte(request, '{') &&
           (key->slot[0] == '\0' ||
            (member_begin(request, "slot") && text_append_json(request, key->slot, strlen(key->slot)))) &&
           member_begin(request, "key") && secret_append_byte(request, '"') &&
           text_append_base64(request, key->bytes, FILE_KEY_SIZE) && secret_append_text(request, "\"}");
}

static bool request_write(const struct ask *ask, const struct ask_key *key, struct secret *request)
{
    return secret_append_text(request, "{\"method\":") && method_write(ask->method, request) &&
           (!ask->more || secret_append_text(request, ",\"more\":true")) &&
           (!ask->oneway || secret_append_text(request, ",\"oneway\":true")) &&
           secret_append_text(request, ",\"parameters\":{") &&
           (ask->without_vault ||
            (member_begin(request, "vault") && text_append_json(request, ask->vault, strlen(ask->vault)))) &&
           parameters_write(ask->parameters, request) &&
           (ask->without_key || key == NULL || key_write(key, request)) && secret_append_text(request, "}}");
}

/* What a method that is none, or a wrong parameter, is called in org.varlink.service's errors. */
static enum status explain_error(const struct secret *reply, struct failure *failure)
{
    static const char *const members[] = {"method", "parameter", "interface"};
    const struct wire_value root = {(const char *)reply->bytes, reply->size};
    CLEANUP(secret_reset) struct secret error = {0};
    CLEANUP(secret_reset) struct secret name = {0};
    struct wire_value value;

    if (!wire_member(root, "error", &value) || !wire_text(value, &error))
        return failure->status;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && name.size == 0; i++) {
        if (wire_member(ask_parameters(reply), members[i], &value) && !wire_text(value, &name))
            return failure->status;
    }
    return failure_set(failure, STATUS_INVALID, "the agent answered %s: %s", secret_text(&error),
                       secret_text(&name));
}

static enum status ask_send(const struct ask *ask, struct client *client, const struct ask_key *key,
                            struct failure *failure)
{
    CLEANUP(secret_reset) struct secret request = {0};

    if (!text_is_utf8(ask->method, strlen(ask->method)))
        return failure_set(failure, STATUS_INVALID, "the name of the method is not UTF-8 text");
    if (!request_write(ask, key, &request))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the request");
    client->undumpable = ask->undumpable;
    client->hidden = client->hidden || ask->hidden;
    return client_send(client, &request, failure);
}

enum status ask_client(const struct ask *ask, struct client *client, const struct ask_key *key,
                       struct failure *failure, struct secret *ret_reply)
{
    enum status status = ask_send(ask, client, key, failure);

    if (status == STATUS_OK)
        status = client_next_reply(client, failure, ret_reply);
    if (status != STATUS_OK)
        return status;
    status = client_reply_status(ret_reply, failure);
    return status == STATUS_PROTOCOL && ask->by_person ? explain_error(ret_reply, failure) : status;
}

/* ---- whom to ask ---- */

enum status ask_check_vault(const char *vault, struct failure *failure)
{
    struct stat facts;

    if (lstat(vault, &facts) == 0)
        return STATUS_OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return failure_set(failure, STATUS_NO_VAULT, "there is no vault at %s", vault);
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at the vault %s", vault);
}

/* The refusal that no agent could log. */
static void note_refusal(const char *purpose)
{
    CLEANUP(cleanup_close) int journal = journal_open_socket();
    char executable[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", executable, sizeof(executable) - 1);

    executable[size > 0 ? size : 0] = '\0';
    journal_note(journal, "stepvault", "refused %s while locked: uid %lu pid %ld exe %s", purpose,
                 (unsigned long)getuid(), (long)getpid(), executable);
}

/* Nobody listens, and there is no key: where there is not even a place to listen, unlocking would not help.
 */
static enum status refuse(const struct ask *ask, struct failure *failure)
{
    char path[PATH_MAX];
    enum status status = file_socket_path(ask->vault, failure, path);

    note_refusal(ask->purpose);
    if (status != STATUS_OK)
        return status;
    return failure_set(failure, STATUS_LOCKED, "the vault %s is locked", ask->vault);
}

enum status ask_connect(const struct ask *ask, struct failure *failure, struct client **ret_client)
{
    enum status status;

    if (!text_is_utf8(ask->vault, strlen(ask->vault)))
        return failure_set(failure, STATUS_INVALID, "the path of the vault is not UTF-8 text");
    status = client_connect(ask->vault, failure, ret_client);
    if (status != STATUS_NO_AGENT)
        return status;
    status = ask_check_vault(ask->vault, failure);
    return status == STATUS_OK && ask->key_file == NULL ? refuse(ask, failure) : status;
}

static enum status read_key(const struct ask *ask, struct failure *failure, uint8_t **ret_bytes)
{
    CLEANUP(key_freep) uint8_t *bytes = secret_allocate(FILE_KEY_SIZE);
    enum status status;

    if (bytes == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the key");
    status = file_read_key(ask->key_file, failure, bytes);
    if (status == STATUS_OK)
        *ret_bytes = TAKE(bytes);
    return status;
}

/* With the key file's key: of `*client`, or of an agent that is started now. */
static enum status ask_with_key_file(const struct ask *ask, struct client **client, struct failure *failure,
                                     struct secret *ret_reply)
{
    CLEANUP(key_freep) uint8_t *bytes = NULL;
    const struct client_agent agent = {.vault = ask->vault};
    enum status status = read_key(ask, failure, &bytes);

    if (status == STATUS_OK && *client == NULL)
        status = client_start_agent(&agent, failure, client);
    if (status == STATUS_OK)
        status =
            ask_client(ask, *client, &(const struct ask_key){.slot = "", .bytes = bytes}, failure, ret_reply);
    if (status == STATUS_OK)
        (*client)->keyed = true;
    return status;
}

enum status ask_ahead(const struct ask *ask, struct client *client, struct failure *failure)
{
    CLEANUP(key_freep) uint8_t *bytes = NULL;
    enum status status = client->keyed ? read_key(ask, failure, &bytes) : STATUS_OK;
    const struct ask_key key = {.slot = "", .bytes = bytes};

    if (status == STATUS_OK)
        status = ask_send(ask, client, client->keyed ? &key : NULL, failure);
    if (status == STATUS_OK && ask->oneway)
        client->unanswered--;
    return status;
}

/* Asks the agent that listens. `*ret_client` stays NULL where none does and a key file is at hand. */
static enum status ask_listening(const struct ask *ask, struct failure *failure, struct client **ret_client,
                                 struct secret *ret_reply)
{
    enum status status = ask_connect(ask, failure, ret_client);

    return status == STATUS_OK && *ret_client != NULL ? ask_client(ask, *ret_client, NULL, failure, ret_reply)
                                                      : status;
}

/* `*ret_client` may be set on failure, too. */
static enum status ask_once(const struct ask *ask, struct failure *failure, struct client **ret_client,
                            struct secret *ret_reply)
{
    CLEANUP(client_freep) struct client *client = NULL;
    enum status status = ask_listening(ask, failure, &client, ret_reply);
    bool with_key = status == STATUS_OK && client == NULL;

    /* It was ending when we connected; now nobody listens, or the next one does. */
    if (status == STATUS_AGENT_ENDED) {
        client_freep(&client);
        status = ask_listening(ask, failure, &client, ret_reply);
        with_key = status == STATUS_OK && client == NULL;
    }
    /* On a connection of its own: of calls that belong together (StageImport) a refused one spoils the rest.
     */
    if (client != NULL && status == STATUS_LOCKED && ask->key_file != NULL && !ask->without_key) {
        client_freep(&client);
        status = ask_connect(ask, failure, &client);
        with_key = status == STATUS_OK;
    }
    if (with_key)
        status = ask_with_key_file(ask, &client, failure, ret_reply);
    if (status == STATUS_AGENT_ENDED)
        status = failure_set(failure, STATUS_PROTOCOL, "the agent closed the connection before it answered");
    *ret_client = TAKE(client);
    return status;
}

enum status ask_agent_on(const struct ask *ask, struct failure *failure, struct client **ret_client,
                         struct secret *ret_reply)
{
    CLEANUP(client_freep) struct client *client = NULL;
    CLEANUP(secret_reset) struct secret reply = {0};
    const uint64_t deadline = clock_monotonic_ms() + BUSY_MS;
    enum status status = ask_once(ask, failure, &client, &reply);

    /* The agent that we started waited for one that was unlocked meanwhile, and stays: that one is to be
     * asked.
     */
    while (status == STATUS_BUSY && client != NULL && client->agent > 0 && clock_monotonic_ms() < deadline) {
        client_freep(&client);
        status = ask_once(ask, failure, &client, &reply);
    }
    if (status != STATUS_OK)
        return status;
    secret_reset(ret_reply);
    *ret_reply = reply;
    reply = (struct secret){0};
    *ret_client = TAKE(client);
    return STATUS_OK;
}

enum status ask_agent(const struct ask *ask, struct failure *failure, struct secret *ret_reply)
{
    CLEANUP(client_freep) struct client *client = NULL;

    return ask_agent_on(ask, failure, &client, ret_reply);
}

struct wire_value ask_parameters(const struct secret *reply)
{
    const struct wire_value root = {(const char *)reply->bytes, reply->size};
    struct wire_value parameters;

    if (!wire_member(root, "parameters", &parameters) || !wire_is_object(parameters))
        return (struct wire_value){"{}", 2};
    return parameters;
}
