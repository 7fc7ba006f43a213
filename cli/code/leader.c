/* A process that waits for one child and for one socket. */
#include "code/leader.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without what it inherited: a pipe that it held open would not end for its reader. */
static void close_others(int kept)
{
    if (kept > 0)
        close_range(0, (unsigned)kept - 1, 0);
    close_range((unsigned)kept + 1, UINT_MAX, 0);
}

/* False when the command has ended. */
static bool changes_report(int socket, pid_t command)
{
    int wait_status;

    while (waitpid(command, &wait_status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
        send(socket, &wait_status, sizeof(wait_status), MSG_NOSIGNAL);
        if (!WIFSTOPPED(wait_status) && !WIFCONTINUED(wait_status))
            return false;
    }
    return true;
}

static void leader_serve(int socket, pid_t command)
{
    struct pollfd polled[2] = {
        {.fd = socket, .events = POLLIN},
        {.events = POLLIN           }
    };
    struct signalfd_siginfo signal;
    bool runs = true;
    sigset_t children;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    polled[1].fd = signalfd(-1, &children, SFD_NONBLOCK);
    while (poll(polled, 2, -1) > 0 || errno == EINTR) {
        if (polled[1].revents != 0 && read(polled[1].fd, &signal, sizeof(signal)) > 0 && runs)
            runs = changes_report(socket, command);
        if (polled[0].revents != 0) {
            int number;

            if (recv(socket, &number, sizeof(number), 0) != (ssize_t)sizeof(number))
                return;
            if (runs)
                kill(number < 0 ? -command : command, abs(number));
        }
    }
}

static void leader_become(int slave, int socket, void (*become)(void *context),
                          void (*fail)(void *context, int number), void *context)
{
    sigset_t output;
    pid_t command;

    /* The command takes the foreground from the background. */
    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    sigprocmask(SIG_BLOCK, &output, NULL);
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    command = fork();
    if (command == 0) {
        close(socket);
        setpgid(0, 0);
        tcsetpgrp(slave, getpid());
        become(context);
    }
    if (command < 0)
        fail(context, errno);
    close_others(socket);
    if (command > 0)
        leader_serve(socket, command);
    _exit(0);
}

int leader_start(int slave, void (*become)(void *context), void (*fail)(void *context, int number),
                 void *context)
{
    CLEANUP(cleanup_close) int ours = -1;
    CLEANUP(cleanup_close) int theirs = -1;
    int pair[2];
    pid_t leader;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    ours = pair[0];
    theirs = pair[1];
    leader = fork();
    if (leader < 0)
        return -1;
    if (leader == 0) {
        close(ours);
        leader_become(slave, theirs, become, fail, context);
    }
    return cleanup_take_descriptor(&ours);
}

void leader_signal(int socket, int number, bool group)
{
    const int sent = group ? -number : number;

    send(socket, &sent, sizeof(sent), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int leader_read(int socket, int *ret_wait_status)
{
    int wait_status;
    const ssize_t size = recv(socket, &wait_status, sizeof(wait_status), MSG_DONTWAIT);

    if (size == (ssize_t)sizeof(wait_status)) {
        *ret_wait_status = wait_status;
        return 1;
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}
