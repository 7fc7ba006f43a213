/* The forking of the agent's own processes. */
#include "agent/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum status child_start(const char *name, void (*run)(int channel), struct failure *failure, int *ret_channel)
{
    pid_t agent = getpid();
    int pair[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a socket pair");
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        prctl(PR_SET_NAME, name, 0, 0, 0);
        if (getppid() == agent)
            run(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    if (child < 0) {
        close(pair[0]);
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot start a process");
    }
    *ret_channel = pair[0];
    return STATUS_OK;
}
