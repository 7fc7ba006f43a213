/* The spawner's process, and the passing of descriptors to it. */
#include "agent/spawner.h"

#include "agent/child.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAM "stepvault-oauth"
#define CHANNEL 3
#define PROGRAM_DESCRIPTOR 4

/* All that a helper may know of the agent's environment: the ways to the network, and whose certificates to
 * believe. */
static const char *const variables[] = {
    "PATH",      "LANG",     "http_proxy", "https_proxy",  "HTTPS_PROXY",   "all_proxy",
    "ALL_PROXY", "no_proxy", "NO_PROXY",   "SSL_CERT_DIR", "SSL_CERT_FILE",
};
#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

/* What the agent reads where there is no helper to say anything: nothing has reached a provider. */
static const char not_started[] =
    "{\"answer\":\"failed\",\"verdict\":\"transient\",\"reason\":\"the program " PROGRAM
    " cannot be started\",\"sent\":false}\n";

/* ---- in the spawner ---- */

static void make_environment(char *environment[VARIABLES + 1])
{
    size_t count = 0;

    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        for (size_t at = 0; at < VARIABLES && count < VARIABLES; at++) {
            size_t length = strlen(variables[at]);

            if (strncmp(*entry, variables[at], length) == 0 && (*entry)[length] == '=')
                environment[count++] = *entry;
        }
    }
    environment[count] = NULL;
}

/* Only what belongs to root, to us or to whoever owns the agent. */
static bool is_usable(int descriptor, uid_t owner)
{
    struct stat facts;

    return fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (facts.st_uid == 0 || facts.st_uid == geteuid() || facts.st_uid == owner);
}

static int open_in(const char *folder, uid_t owner)
{
    CLEANUP(cleanup_close) int descriptor = -1;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/" PROGRAM, folder);

    if (length < 0 || length >= (int)sizeof(path))
        return -1;
    descriptor = open(path, O_PATH | O_CLOEXEC);
    return descriptor >= 0 && is_usable(descriptor, owner) ? cleanup_take_descriptor(&descriptor) : -1;
}

static int open_program(void)
{
    char folder[PATH_MAX] = "";
    ssize_t size = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    struct stat self;
    int descriptor = -1;

    if (size > 0 && stat("/proc/self/exe", &self) == 0) {
        folder[size] = '\0';
        *strrchr(folder, '/') = '\0';
        descriptor = open_in(folder, self.st_uid);
    }
    return descriptor >= 0 ? descriptor : open_in(STEPVAULT_LIBEXEC, geteuid());
}

static void say_not_started(int descriptor)
{
    (void)!send(descriptor, not_started, sizeof(not_started) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A session of its own: what a terminal sends to the agent does not end a refresh that is under way. */
static void become_helper(int descriptor, char *environment[])
{
    char name[] = PROGRAM;
    char *arguments[] = {name, NULL};
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    if (dup2(descriptor, STDIN_FILENO) >= 0 && dup2(descriptor, STDOUT_FILENO) >= 0)
        syscall(SYS_execveat, PROGRAM_DESCRIPTOR, "", arguments, environment, AT_EMPTY_PATH);
    say_not_started(descriptor);
    _exit(126);
}

/* Takes the next descriptor; -1 where a message had none. The process ends with the channel. */
static int receive_descriptor(void)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec content = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    const struct cmsghdr *part;
    int descriptor = -1;
    ssize_t size = recvmsg(CHANNEL, &message, MSG_CMSG_CLOEXEC);

    if (size < 0 && errno == EINTR)
        return -1;
    if (size <= 0)
        _exit(0);
    part = CMSG_FIRSTHDR(&message);
    if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
        part->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&descriptor, CMSG_DATA(part), sizeof(descriptor));
    return descriptor;
}

static void spawner_loop(void)
{
    char *environment[VARIABLES + 1];

    make_environment(environment);
    for (;;) {
        int descriptor = receive_descriptor();
        pid_t child;

        if (descriptor < 0)
            continue;
        child = fork();
        if (child == 0)
            become_helper(descriptor, environment);
        if (child < 0)
            say_not_started(descriptor);
        close(descriptor);
    }
}

/* The channel and the program, both closed by exec, and nothing else: whatever is open here would be open in
 * each helper. Without a program the spawner says so each time. */
static bool settle_descriptors(int channel)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high_null = null >= 0 ? fcntl(null, F_DUPFD_CLOEXEC, 10) : -1;
    int high_channel = fcntl(channel, F_DUPFD_CLOEXEC, 10);
    int program = open_program();
    int high_program = program >= 0 ? fcntl(program, F_DUPFD_CLOEXEC, 10) : -1;

    if (high_null < 0 || high_channel < 0 || dup2(high_null, STDIN_FILENO) < 0 ||
        dup2(high_null, STDOUT_FILENO) < 0 || dup2(high_null, STDERR_FILENO) < 0 ||
        dup3(high_channel, CHANNEL, O_CLOEXEC) < 0)
        return false;
    if (high_program < 0)
        close(PROGRAM_DESCRIPTOR);
    else if (dup3(high_program, PROGRAM_DESCRIPTOR, O_CLOEXEC) < 0)
        return false;
    file_close_from(PROGRAM_DESCRIPTOR + 1);
    return true;
}

/* Helpers are nobody's to wait for: SIGCHLD is ignored, as the agent has set it. */
static void spawner_run(int channel)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGCHLD, SIG_IGN);
    if (settle_descriptors(channel) && chdir("/") == 0)
        spawner_loop();
}

/* ---- in the agent ---- */

enum status spawner_start(struct failure *failure, struct spawner *ret_spawner)
{
    *ret_spawner = (struct spawner){.channel = -1};
    return child_start("stepvault-spawn", spawner_run, failure, &ret_spawner->channel);
}

static bool send_descriptor(int channel, int descriptor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    char byte = 0;
    struct iovec content = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);

    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &descriptor, sizeof(descriptor));
    return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

enum status spawner_spawn(const struct spawner *spawner, struct failure *failure, int *ret_descriptor)
{
    CLEANUP(cleanup_close) int near = -1;
    CLEANUP(cleanup_close) int far = -1;
    int pair[2];
    int flags;

    if (spawner->channel < 0)
        return failure_set(failure, STATUS_FAILED, "the process that starts helpers does not run");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a socket pair");
    near = pair[0];
    far = pair[1];
    /* Each end has flags of its own: the helper's blocks. */
    flags = fcntl(near, F_GETFL);
    if (flags < 0 || fcntl(near, F_SETFL, flags | O_NONBLOCK) != 0 || !send_descriptor(spawner->channel, far))
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot start a helper");
    *ret_descriptor = cleanup_take_descriptor(&near);
    return STATUS_OK;
}
