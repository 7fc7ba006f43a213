/* Pseudo-terminals. Changing modes from the background would stop us: SIGTTOU is blocked meanwhile. */
#include "code/terminal.h"

#include "base/cleanup.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool modes_set(int descriptor, const struct termios *modes)
{
    sigset_t output, before;
    int result;

    sigemptyset(&output);
    sigaddset(&output, SIGTTOU);
    sigprocmask(SIG_BLOCK, &output, &before);
    do {
        result = tcsetattr(descriptor, TCSADRAIN, modes);
    } while (result != 0 && errno == EINTR);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result == 0;
}

enum status terminal_open(int outer, bool whole, struct failure *failure, int *ret_master, int *ret_slave)
{
    CLEANUP(cleanup_close) int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP(cleanup_close) int slave = -1;
    struct termios modes;

    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no terminal could be made");
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || tcgetattr(outer, &modes) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no terminal could be made");
    if (!whole)
        modes.c_oflag &= (tcflag_t)~OPOST;
    if (!modes_set(slave, &modes))
        return failure_set_errno(failure, STATUS_FAILED, errno, "no terminal could be made");
    terminal_resize(outer, master);
    *ret_master = cleanup_take_descriptor(&master);
    *ret_slave = cleanup_take_descriptor(&slave);
    return STATUS_OK;
}

bool terminal_is_foreground(int outer)
{
    const pid_t group = tcgetpgrp(outer);

    return group < 0 ? errno == ENOTTY && isatty(outer) : group == getpgrp();
}

void terminal_resize(int outer, int master)
{
    struct winsize size;

    if (ioctl(outer, TIOCGWINSZ, &size) == 0)
        ioctl(master, TIOCSWINSZ, &size);
}

void terminal_take(struct terminal *terminal)
{
    struct termios raw;

    if (terminal->raw || terminal->master < 0 || !terminal_is_foreground(terminal->outer) ||
        tcgetattr(terminal->outer, &terminal->modes) != 0)
        return;
    raw = terminal->modes;
    cfmakeraw(&raw);
    terminal->raw = modes_set(terminal->outer, &raw);
    terminal_resize(terminal->outer, terminal->master);
}

void terminal_give_back(struct terminal *terminal)
{
    /* In the background the modes are somebody else's by now. */
    if (terminal->raw && terminal_is_foreground(terminal->outer))
        modes_set(terminal->outer, &terminal->modes);
    terminal->raw = false;
}

void terminal_leave(struct terminal *terminal)
{
    struct termios modes;

    terminal_give_back(terminal);
    if (terminal->master >= 0 && tcgetattr(terminal->master, &modes) == 0) {
        modes.c_oflag &= (tcflag_t)~OPOST;
        modes_set(terminal->master, &modes);
    }
}

void terminal_poll(const struct terminal *terminal, struct pollfd ret_polled[TERMINAL_POLLED])
{
    const bool waits = terminal->typed_size > 0;

    ret_polled[0] = (struct pollfd){
        .fd = terminal->raw && terminal->master >= 0 && !waits ? terminal->outer : -1, .events = POLLIN};
    ret_polled[1] = (struct pollfd){.fd = waits ? terminal->master : -1, .events = POLLOUT};
}

static void keyboard_read(struct terminal *terminal)
{
    const ssize_t size = read(terminal->outer, terminal->typed, sizeof(terminal->typed));

    if (size > 0)
        terminal->typed_size = (size_t)size;
    else if (size == 0 || (errno != EINTR && errno != EAGAIN))
        cleanup_close(&terminal->master); /* hung up */
}

void terminal_move(struct terminal *terminal, const struct pollfd polled[TERMINAL_POLLED])
{
    ssize_t size;

    if (polled[0].fd >= 0 && polled[0].revents != 0)
        keyboard_read(terminal);
    if (terminal->typed_size == 0 || terminal->master < 0)
        return;
    size = write(terminal->master, terminal->typed, terminal->typed_size);
    if (size > 0) {
        terminal->typed_size -= (size_t)size;
        memmove(terminal->typed, terminal->typed + size, terminal->typed_size);
        /* It may have been a passphrase. */
        secret_wipe(terminal->typed + terminal->typed_size, (size_t)size);
    } else if (errno != EAGAIN && errno != EINTR) {
        terminal->typed_size = 0;
    }
}
