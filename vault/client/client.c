/* Finding, trusting and calling an agent. Starting one is in start.c. */
#include "client/client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "client/wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPLY_TIMEOUT_MS 65000
#define AGENT_END_MS 2000
#define READ_SIZE 8000 /* holds most replies, and makes the secret heap give a block of 8 KiB */

static const char service_prefix[] = "org.varlink.service.";

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* ---- connecting ---- */

static enum status socket_check(const char *path, struct failure *failure)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    struct stat facts;
    enum status status;

    if (lstat(path, &facts) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return failure_set(failure, STATUS_NO_AGENT, "no agent listens at %s", path);
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at the agent's socket %s", path);
    }
    memcpy(folder, slash == NULL ? "." : path, length);
    folder[length] = '\0';
    status = file_check_folder(folder, true, failure);
    if (status != STATUS_OK)
        return status;
    if (!S_ISSOCK(facts.st_mode))
        return failure_set(failure, STATUS_FOREIGN, "%s is not a socket", path);
    if (facts.st_uid != geteuid())
        return failure_set(failure, STATUS_FOREIGN, "the agent's socket %s belongs to another user", path);
    return STATUS_OK;
}

/* A full queue makes connect fail at once on a socket that does not block: there is nothing to poll for. */
static enum status socket_connect(int descriptor, const char *path, struct failure *failure)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const uint64_t deadline = clock_monotonic_ms() + CLIENT_CONNECT_MS;

    memcpy(address.sun_path, path, strlen(path) + 1);
    while (connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == ECONNREFUSED || errno == ENOENT)
            return failure_set(failure, STATUS_NO_AGENT, "no agent listens at %s", path);
        if (errno != EAGAIN && errno != EINTR)
            return failure_set_errno(failure, STATUS_FAILED, errno, "cannot connect to the agent at %s",
                                     path);
        if (clock_monotonic_ms() >= deadline)
            return failure_set(failure, STATUS_TIMEOUT, "the agent at %s takes no more connections", path);
        pause_ms(2);
    }
    return STATUS_OK;
}

/* Credentials are those of listen(): root's where the system's systemd listens for an agent. Nobody else can
 * listen in a folder of ours, and from root nothing is hidden anyway. */
static enum status peer_check(int descriptor, const char *path, struct failure *failure)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot tell who listens at %s", path);
    if (peer.uid != geteuid() && peer.uid != 0)
        return failure_set(failure, STATUS_FOREIGN, "what listens at %s belongs to another user", path);
    return STATUS_OK;
}

enum status client_connect(const char *vault, struct failure *failure, struct client **ret_client)
{
    CLEANUP(cleanup_close) int descriptor = -1;
    char path[PATH_MAX];
    struct client *client;
    enum status status = file_socket_path(vault, failure, path);

    if (status != STATUS_OK)
        return status;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return failure_set(failure, STATUS_INVALID, "the path of the agent's socket is too long");
    status = socket_check(path, failure);
    if (status != STATUS_OK)
        return status;
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a socket");
    status = socket_connect(descriptor, path, failure);
    if (status == STATUS_OK)
        status = peer_check(descriptor, path, failure);
    if (status != STATUS_OK)
        return status;
    client = client_of_descriptor(descriptor);
    if (client == NULL)
        return failure_set_no_memory(failure);
    cleanup_take_descriptor(&descriptor);
    *ret_client = client;
    return STATUS_OK;
}

struct client *client_of_descriptor(int descriptor)
{
    struct client *client = calloc(1, sizeof(*client));

    if (client != NULL) {
        client->descriptor = descriptor;
        client->timeout_ms = REPLY_TIMEOUT_MS;
    }
    return client;
}

/* Its own end is seen as the end of its socket; one that hangs must not hold up the command for ever. */
static void agent_reap(pid_t agent)
{
    const uint64_t deadline = clock_monotonic_ms() + AGENT_END_MS;
    long pause = 1;

    while (waitpid(agent, NULL, WNOHANG) == 0) {
        if (clock_monotonic_ms() >= deadline) {
            kill(agent, SIGKILL);
            while (waitpid(agent, NULL, 0) < 0 && errno == EINTR)
                continue;
            return;
        }
        pause_ms(pause);
        pause = pause < 20 ? pause * 2 : pause;
    }
}

void client_freep(struct client **client)
{
    struct client *freed = *client;

    if (freed == NULL)
        return;
    *client = NULL;
    cleanup_close(&freed->descriptor);
    secret_reset(&freed->pending);
    if (freed->agent > 0)
        agent_reap(freed->agent);
    free(freed);
}

/* ---- calling ---- */

static void process_hide(struct client *client)
{
    if (client->undumpable && !client->hidden && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1)
        client->hidden = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static void process_show(struct client *client)
{
    if (client->hidden && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0)
        client->hidden = false;
}

/* After a failure nothing on the connection can be trusted to belong to what. */
static enum status call_failed(struct client *client, enum status status)
{
    process_hide(client);
    cleanup_close(&client->descriptor);
    secret_reset(&client->pending);
    return status;
}

static enum status wait_ready(const struct client *client, short events, uint64_t deadline,
                              struct failure *failure)
{
    struct pollfd waiting = {.fd = client->descriptor, .events = events};

    for (;;) {
        uint64_t now = clock_monotonic_ms();
        int ready = now < deadline ? poll(&waiting, 1, (int)(deadline - now)) : 0;

        if (ready > 0)
            return STATUS_OK;
        if (ready == 0)
            return failure_set(failure, STATUS_TIMEOUT, "the agent did not answer within %d seconds",
                               client->timeout_ms / 1000);
        if (errno != EINTR)
            return failure_set_errno(failure, STATUS_FAILED, errno, "cannot wait for the agent");
    }
}

static enum status request_send(struct client *client, const struct secret *request, uint64_t deadline,
                                struct failure *failure)
{
    const char *frame = secret_text(request);
    const size_t size = request->size + 1;
    size_t sent = 0;

    while (sent < size) {
        ssize_t count = send(client->descriptor, frame + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        enum status status;

        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return failure_set(failure, STATUS_AGENT_ENDED, "%s", status_sentence(STATUS_AGENT_ENDED));
        status = wait_ready(client, POLLOUT, deadline, failure);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status pending_read(struct client *client, uint64_t deadline, struct failure *failure)
{
    struct secret *pending = &client->pending;
    ssize_t count;

    if (pending->size > CLIENT_REPLY_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the agent's reply is larger than %u bytes",
                           CLIENT_REPLY_MAX);
    do {
        enum status status = wait_ready(client, POLLIN, deadline, failure);

        if (status != STATUS_OK)
            return status;
        process_hide(client);
        if (!secret_reserve(pending, pending->size == 0 ? READ_SIZE : 1))
            return failure_set(failure, STATUS_NO_MEMORY, "out of memory for the agent's reply");
        count = recv(client->descriptor, pending->bytes + pending->size, pending->capacity - pending->size,
                     MSG_DONTWAIT);
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    /* A reset says that it closed without having read the request, which may be asked again. */
    if (count < 0 && errno == ECONNRESET && pending->size == 0)
        return failure_set(failure, STATUS_AGENT_ENDED, "%s", status_sentence(STATUS_AGENT_ENDED));
    if (count <= 0)
        return failure_set(failure, STATUS_PROTOCOL, "the agent closed the connection before it answered");
    pending->size += (size_t)count;
    return STATUS_OK;
}

/* Gives the frame of `size` bytes at the head of what was read; what follows its NUL stays. */
static bool frame_take(struct client *client, size_t size, struct secret *ret_reply)
{
    struct secret *pending = &client->pending;
    const size_t rest = pending->size - size - 1;

    if (rest == 0) {
        secret_reset(ret_reply);
        *ret_reply = *pending;
        ret_reply->size = size;
        *pending = (struct secret){0};
        return true;
    }
    secret_clear(ret_reply);
    if (!secret_append(ret_reply, pending->bytes, size))
        return false;
    memmove(pending->bytes, pending->bytes + size + 1, rest);
    secret_wipe(pending->bytes + rest, size + 1);
    pending->size = rest;
    return true;
}

enum status client_next_reply(struct client *client, struct failure *failure, struct secret *ret_reply)
{
    const uint64_t deadline = clock_monotonic_ms() + (uint64_t)client->timeout_ms;
    size_t scanned = 0;
    size_t size;

    if (client->descriptor < 0)
        return failure_set(failure, STATUS_PROTOCOL, "the connection to the agent is closed");
    for (;;) {
        const struct secret *pending = &client->pending;
        const uint8_t *end =
            pending->size > scanned ? memchr(pending->bytes + scanned, '\0', pending->size - scanned) : NULL;
        enum status status;

        if (end != NULL) {
            size = (size_t)(end - pending->bytes);
            break;
        }
        scanned = pending->size;
        status = pending_read(client, deadline, failure);
        if (status != STATUS_OK)
            return call_failed(client, status);
    }
    if (!wire_check((const char *)client->pending.bytes, size)) {
        failure_set(failure, STATUS_PROTOCOL, "the agent's reply is not a JSON object");
        return call_failed(client, STATUS_PROTOCOL);
    }
    if (!frame_take(client, size, ret_reply)) {
        failure_set(failure, STATUS_NO_MEMORY, "out of memory for the agent's reply");
        return call_failed(client, STATUS_NO_MEMORY);
    }
    client->unanswered -= client->unanswered > 0;
    return STATUS_OK;
}

bool client_has_reply(const struct client *client)
{
    return client->descriptor < 0 ||
           (client->pending.size > 0 && memchr(client->pending.bytes, '\0', client->pending.size) != NULL);
}

enum status client_send(struct client *client, const struct secret *request, struct failure *failure)
{
    enum status status;

    if (client->descriptor < 0)
        return failure_set(failure, STATUS_PROTOCOL, "the connection to the agent is closed");
    if (request->size >= CLIENT_REQUEST_MAX)
        return failure_set(failure, STATUS_TOO_LARGE,
                           "the request is %zu bytes larger than the %u bytes it may have",
                           request->size + 1 - CLIENT_REQUEST_MAX, CLIENT_REQUEST_MAX);
    process_show(client);
    status = request_send(client, request, clock_monotonic_ms() + (uint64_t)client->timeout_ms, failure);
    /* Why it ended may stand in a reply that is still to be read. */
    if (status == STATUS_AGENT_ENDED && client->unanswered > 0)
        status = STATUS_OK;
    if (status != STATUS_OK)
        return call_failed(client, status);
    client->unanswered++;
    return STATUS_OK;
}

enum status client_call(struct client *client, const struct secret *request, struct failure *failure,
                        struct secret *ret_reply)
{
    enum status status = client_send(client, request, failure);

    return status == STATUS_OK ? client_next_reply(client, failure, ret_reply) : status;
}

/* ---- replies ---- */

static enum status error_status(const char *name, const struct secret *reply, struct failure *failure)
{
    const struct wire_value root = {(const char *)reply->bytes, reply->size};
    CLEANUP(secret_reset) struct secret message = {0};
    struct wire_value parameters;
    struct wire_value text;
    enum status status;

    if (strncmp(name, service_prefix, strlen(service_prefix)) == 0)
        return failure_set(failure, STATUS_PROTOCOL, "the agent is older than this program, it answered %s",
                           name);
    if (strncmp(name, CLIENT_INTERFACE, strlen(CLIENT_INTERFACE)) != 0)
        return failure_set(failure, STATUS_PROTOCOL, "the agent answered with the unknown error %s", name);
    status = status_from_wire_name(name + strlen(CLIENT_INTERFACE));
    if (wire_member(root, "parameters", &parameters) && wire_member(parameters, "message", &text) &&
        wire_text(text, &message) && message.size > 0)
        return failure_set(failure, status, "%s", secret_text(&message));
    return failure_set(failure, status, "%s", status_sentence(status));
}

enum status client_reply_status(const struct secret *reply, struct failure *failure)
{
    const struct wire_value root = {(const char *)reply->bytes, reply->size};
    CLEANUP(secret_reset) struct secret name = {0};
    struct wire_value error;

    if (!wire_member(root, "error", &error))
        return STATUS_OK;
    if (!wire_text(error, &name))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has an error that is no text");
    return error_status(secret_text(&name), reply, failure);
}
