/* A load of projections: keeps CONNECTIONS calls in flight for SECONDS, from one thread, and prints how many
 * a second were answered. Every reply is looked at: an error ends the run.
 *
 *     load SOCKET VAULT STEP CONNECTIONS SECONDS keep|reconnect
 *
 * `keep` keeps the connections open, one call in flight on each; `reconnect` makes a new connection for each
 * call. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define REPLY_MAX (1u << 20)
#define REQUEST_MAX 8192

struct load {
    struct sockaddr_un address;
    char request[REQUEST_MAX];
    size_t request_size;
    bool reconnect;
    int poll;
    uint64_t answered;
    uint64_t slowest_us;
};

struct caller {
    int descriptor;
    char *reply;
    size_t size;
    uint64_t asked_us;
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void ask(const struct load *load, struct caller *caller)
{
    caller->size = 0;
    caller->asked_us = now_us();
    if (send(caller->descriptor, load->request, load->request_size, MSG_NOSIGNAL) !=
        (ssize_t)load->request_size)
        err(1, "send");
}

static void join(const struct load *load, struct caller *caller)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = caller};

    caller->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (caller->descriptor < 0 ||
        connect(caller->descriptor, (const struct sockaddr *)&load->address, sizeof(load->address)) != 0)
        err(1, "%s", load->address.sun_path);
    if (epoll_ctl(load->poll, EPOLL_CTL_ADD, caller->descriptor, &event) != 0)
        err(1, "epoll_ctl");
    ask(load, caller);
}

static void answer(struct load *load, struct caller *caller)
{
    static const char granted[] = "{\"parameters\":";
    uint64_t took_us = now_us() - caller->asked_us;

    if (caller->size < sizeof(granted) - 1 || memcmp(caller->reply, granted, sizeof(granted) - 1) != 0)
        errx(1, "%.*s", (int)caller->size, caller->reply);
    load->answered++;
    load->slowest_us = took_us > load->slowest_us ? took_us : load->slowest_us;
    if (!load->reconnect) {
        ask(load, caller);
        return;
    }
    close(caller->descriptor);
    join(load, caller);
}

static void receive(struct load *load, struct caller *caller)
{
    ssize_t size =
        recv(caller->descriptor, caller->reply + caller->size, REPLY_MAX - caller->size, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        errx(1, "the agent closed a connection");
    caller->size += (size_t)size;
    if (caller->reply[caller->size - 1] == '\0')
        answer(load, caller);
    else if (caller->size == REPLY_MAX)
        errx(1, "a reply is over %u bytes", REPLY_MAX);
}

static void run(struct load *load, unsigned connections, unsigned seconds)
{
    static struct caller callers[CONNECTIONS_MAX];
    struct epoll_event events[256];
    uint64_t start = now_us();
    uint64_t end = start + (uint64_t)seconds * 1000000;

    for (unsigned at = 0; at < connections; at++) {
        callers[at].reply = malloc(REPLY_MAX);
        if (callers[at].reply == NULL)
            err(1, "malloc");
        join(load, &callers[at]);
    }
    while (now_us() < end) {
        int count = epoll_wait(load->poll, events, 256, 1000);

        for (int at = 0; at < count; at++)
            receive(load, events[at].data.ptr);
    }
    printf("%.0f projections/s (%" PRIu64 " in %u s, %u connections, slowest %.1f ms)\n",
           (double)load->answered * 1e6 / (double)(now_us() - start), load->answered, seconds, connections,
           (double)load->slowest_us / 1000);
}

static unsigned number(const char *text, unsigned maximum)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end != '\0' || value == 0 || value > maximum)
        errx(2, "not a number from 1 to %u: %s", maximum, text);
    return (unsigned)value;
}

int main(int argc, char *argv[])
{
    static struct load load;
    int length;

    if (argc != 7 || (strcmp(argv[6], "keep") != 0 && strcmp(argv[6], "reconnect") != 0))
        errx(2, "usage: load SOCKET VAULT STEP CONNECTIONS SECONDS keep|reconnect");
    load.reconnect = strcmp(argv[6], "reconnect") == 0;
    load.address.sun_family = AF_UNIX;
    if (strlen(argv[1]) >= sizeof(load.address.sun_path))
        errx(2, "the socket's path is too long");
    memcpy(load.address.sun_path, argv[1], strlen(argv[1]) + 1);
    length = snprintf(
        load.request, sizeof(load.request),
        "{\"method\":\"io.stepvault.Agent.Project\",\"parameters\":{\"vault\":\"%s\",\"step\":\"%s\","
        "\"deliver\":[\"env\"],\"form\":\"environment\",\"purpose\":\"run\"}}",
        argv[2], argv[3]);
    if (length < 0 || (size_t)length >= sizeof(load.request))
        errx(2, "the vault's path or the step is too long");
    load.request_size = (size_t)length + 1;
    load.poll = epoll_create1(EPOLL_CLOEXEC);
    if (load.poll < 0)
        err(1, "epoll_create1");
    run(&load, number(argv[4], CONNECTIONS_MAX), number(argv[5], 3600));
    return 0;
}
