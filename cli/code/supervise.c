/* One child, its signals and its end. */
#include "code/supervise.h"

#include "base/cleanup.h"
#include "launch/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const int FORWARDED[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};

/* In the child: becomes the command, or says through the pipe why not. */
static void command_become(const struct supervision *supervision, const sigset_t *signals, int report)
{
    struct failure failure = {0};

    sigprocmask(SIG_SETMASK, signals, NULL);
    program_exec(supervision->program, supervision->arguments, supervision->environment, &failure);
    if (write(report, &failure, sizeof(failure)) < 0)
        _exit(PROGRAM_NOT_EXECUTABLE);
    _exit(PROGRAM_NOT_EXECUTABLE);
}

static int command_await(pid_t child, const sigset_t *waited)
{
    int wait_status = 0;

    while (waitpid(child, &wait_status, WNOHANG) == 0) {
        siginfo_t signal;
        int number = sigwaitinfo(waited, &signal);

        /* What the terminal sent reached the whole group. */
        if (number > 0 && number != SIGCHLD && signal.si_code != SI_KERNEL)
            kill(child, number);
    }
    return wait_status;
}

enum status supervise(const struct supervision *supervision, struct failure *failure, int *ret_wait_status)
{
    CLEANUP(cleanup_close) int reading = -1;
    CLEANUP(cleanup_close) int writing = -1;
    sigset_t waited;
    sigset_t before;
    int report[2];
    pid_t child;

    if (pipe2(report, O_CLOEXEC) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no pipe could be made");
    reading = report[0];
    writing = report[1];
    sigemptyset(&waited);
    for (size_t i = 0; i < sizeof(FORWARDED) / sizeof(FORWARDED[0]); i++)
        sigaddset(&waited, FORWARDED[i]);
    sigprocmask(SIG_BLOCK, &waited, &before);
    child = fork();
    if (child < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no process could be made");
    if (child == 0)
        command_become(supervision, &before, report[1]);
    cleanup_close(&writing);
    if (read(reading, failure, sizeof(*failure)) == (ssize_t)sizeof(*failure)) {
        waitpid(child, NULL, 0);
        return failure->status;
    }
    *ret_wait_status = command_await(child, &waited);
    return STATUS_OK;
}

void supervise_end_like(int wait_status)
{
    const struct rlimit none = {0, 0};
    sigset_t signal_set;

    if (!WIFSIGNALED(wait_status))
        exit(WEXITSTATUS(wait_status));
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(wait_status), SIG_DFL);
    sigemptyset(&signal_set);
    sigaddset(&signal_set, WTERMSIG(wait_status));
    sigprocmask(SIG_UNBLOCK, &signal_set, NULL);
    raise(WTERMSIG(wait_status));
    _exit(128 + WTERMSIG(wait_status));
}
