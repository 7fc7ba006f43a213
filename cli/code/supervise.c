/* One loop over signals, the command's changes, its terminal and its output. */
#include "code/supervise.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "code/leader.h"
#include "code/outlet.h"
#include "launch/program.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 250 /* how often a terminal in whose background we are is looked at */

/* Not taken: what is our own fault, and what stops those who touch a terminal from its background. */
static const int LEFT_ALONE[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

struct supervisor {
    const struct supervision *supervision;
    const struct finder *finder; /* of the mask, whose own memory a fork wipes */
    struct outlets outlets;
    int signals;
    pid_t command; /* 0 where it has a leader */
    int leader;    /* -1: it is our child */
    int report;    /* in the child: where it says why it could not start */
    bool resumed;  /* the next SIGCONT has been passed on */
    bool ended;
    int wait_status;
    sigset_t taken;
    sigset_t before;
    struct sigaction children_before;
};

/* ---- the command ---- */

/* Why it could not be started, from another process. */
struct refusal {
    struct failure failure;
    int exit_status;
};

/* What waited while it was blocked is not inherited by a fork. */
static void pending_hand_on(const sigset_t *pending, const sigset_t *blocked)
{
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGCHLD && sigismember(pending, number) == 1 && sigismember(blocked, number) == 1)
            kill(getpid(), number);
    }
}

/* In the child: becomes the command, or says why not. */
static void command_become(void *context)
{
    const struct supervisor *supervisor = context;
    const struct supervision *supervision = supervisor->supervision;
    struct refusal refusal = {.exit_status = PROGRAM_NOT_EXECUTABLE};

    for (int i = 0; i < 3; i++) {
        if (supervisor->outlets.inner[i] >= 0)
            dup2(supervisor->outlets.inner[i], i);
    }
    sigaction(SIGCHLD, &supervisor->children_before, NULL);
    sigprocmask(SIG_SETMASK, &supervisor->before, NULL);
    program_exec(supervision->program, supervision->arguments, supervision->environment, &refusal.failure);
    (void)!write(supervisor->report, &refusal, sizeof(refusal));
    _exit(PROGRAM_NOT_EXECUTABLE);
}

static enum status fork_failed(struct failure *failure, int number)
{
    return failure_set_errno(failure, STATUS_FAILED, number, "no process could be made");
}

/* In the leader: there is no child. */
static void command_fail(void *context, int number)
{
    const struct supervisor *supervisor = context;
    struct refusal refusal = {.exit_status = PROGRAM_RUN_FAILED};

    fork_failed(&refusal.failure, number);
    (void)!write(supervisor->report, &refusal, sizeof(refusal));
}

static bool command_fork(struct supervisor *supervisor)
{
    sigset_t pending;

    if (supervisor->outlets.session >= 0) {
        supervisor->leader =
            leader_start(supervisor->outlets.session, command_become, command_fail, supervisor);
        return supervisor->leader >= 0;
    }
    sigpending(&pending);
    supervisor->command = fork();
    if (supervisor->command == 0) {
        pending_hand_on(&pending, &supervisor->before);
        command_become(supervisor);
    }
    return supervisor->command > 0;
}

static enum status command_start(struct supervisor *supervisor, struct failure *failure, int *ret_exit)
{
    CLEANUP(cleanup_close) int reading = -1;
    CLEANUP(cleanup_close) int writing = -1;
    struct refusal refusal;
    int report[2];

    if (pipe2(report, O_CLOEXEC) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no pipe could be made");
    reading = report[0];
    writing = report[1];
    supervisor->report = writing;
    if (!command_fork(supervisor))
        return fork_failed(failure, errno);
    cleanup_close(&writing);
    outlets_close_inner(&supervisor->outlets, false);
    if (read(reading, &refusal, sizeof(refusal)) == (ssize_t)sizeof(refusal)) {
        if (supervisor->command > 0)
            waitpid(supervisor->command, NULL, 0);
        *failure = refusal.failure;
        *ret_exit = refusal.exit_status;
        return failure->status;
    }
    return STATUS_OK;
}

static void command_signal(const struct supervisor *supervisor, int number, bool group)
{
    if (supervisor->ended)
        return;
    if (supervisor->leader >= 0)
        leader_signal(supervisor->leader, number, group);
    else
        kill(supervisor->command, number);
}

/* As waitpid with WNOHANG, whoever the parent is. A leader that is gone took the terminal with it. */
static bool command_changed(struct supervisor *supervisor, int *ret_wait_status)
{
    int change;

    if (supervisor->ended)
        return false;
    if (supervisor->leader < 0)
        return waitpid(supervisor->command, ret_wait_status, WNOHANG | WUNTRACED | WCONTINUED) > 0;
    change = leader_read(supervisor->leader, ret_wait_status);
    if (change < 0) {
        *ret_wait_status = SIGHUP;
        return true;
    }
    return change > 0;
}

/* ---- output ---- */

static bool output_moves(struct supervisor *supervisor, const struct pollfd *polled)
{
    bool moved = false;

    for (size_t i = 0; i < supervisor->outlets.count; i++)
        moved = pump_move(supervisor->outlets.of[i].pump, polled + i * PUMP_POLLED) || moved;
    return moved;
}

static bool output_waits(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->outlets.count; i++) {
        if (!pump_is_written(supervisor->outlets.of[i].pump))
            return true;
    }
    return false;
}

static bool output_ends(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->outlets.count; i++) {
        if (!pump_is_done(supervisor->outlets.of[i].pump))
            return false;
    }
    return true;
}

static uint64_t output_poll(const struct supervisor *supervisor, struct pollfd *polled)
{
    uint64_t nearest = 0;

    for (size_t i = 0; i < supervisor->outlets.count; i++) {
        uint64_t deadline;

        pump_poll(supervisor->outlets.of[i].pump, polled + i * PUMP_POLLED, &deadline);
        if (deadline != 0 && (nearest == 0 || deadline < nearest))
            nearest = deadline;
    }
    return nearest;
}

/* What is there already, as far as it can be written at once. */
static void output_settle(struct supervisor *supervisor)
{
    struct pollfd polled[2 * PUMP_POLLED];

    do {
        output_poll(supervisor, polled);
    } while (poll(polled, supervisor->outlets.count * PUMP_POLLED, 0) > 0 &&
             output_moves(supervisor, polled));
}

/* ---- stopping ---- */

/* Stops us as the command was stopped; returns when we are to go on. */
static void stop_self(struct supervisor *supervisor, int number)
{
    sigset_t one;

    signal(number, SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    sigprocmask(SIG_BLOCK, &supervisor->taken, NULL);
}

/* Other than that it was stopped. */
static void change_take(struct supervisor *supervisor, int wait_status)
{
    if (WIFCONTINUED(wait_status))
        return;
    supervisor->wait_status = wait_status;
    supervisor->ended = true;
}

static void stop_along(struct supervisor *supervisor, int number)
{
    int wait_status;

    output_settle(supervisor);
    terminal_give_back(&supervisor->outlets.keyboard);
    stop_self(supervisor, number);
    terminal_take(&supervisor->outlets.keyboard);
    outlets_resize(&supervisor->outlets);
    supervisor->resumed = true;
    /* A shell lets the whole group go on, and the command is in ours unless it has a leader. */
    if (supervisor->leader < 0 && waitpid(supervisor->command, &wait_status, WNOHANG | WCONTINUED) > 0)
        change_take(supervisor, wait_status);
    else
        command_signal(supervisor, SIGCONT, true);
}

static void changes_take(struct supervisor *supervisor)
{
    int wait_status;

    while (!supervisor->ended && command_changed(supervisor, &wait_status)) {
        if (WIFSTOPPED(wait_status))
            stop_along(supervisor, WSTOPSIG(wait_status));
        else
            change_take(supervisor, wait_status);
    }
}

/* ---- signals ---- */

/* What the kernel sent because of our terminal reached the whole group, and with it a command that is in it.
 */
static void signal_pass(struct supervisor *supervisor, int number, bool from_kernel)
{
    if (number == SIGWINCH && supervisor->leader >= 0) {
        terminal_resize(supervisor->outlets.keyboard.outer, supervisor->outlets.keyboard.master);
    } else if (number == SIGWINCH && outlets_resize(&supervisor->outlets)) {
        command_signal(supervisor, number, false);
    } else if (number == SIGCONT && supervisor->resumed) {
        supervisor->resumed = false;
    } else if (supervisor->leader >= 0 || !from_kernel) {
        /* Who stopped us without our knowing may have set the terminal's modes meanwhile, as shells do: it is
         * taken anew. */
        if (number == SIGCONT)
            terminal_give_back(&supervisor->outlets.keyboard);
        command_signal(supervisor, number, from_kernel);
    }
}

static void signals_take(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;

    while (read(supervisor->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        const bool ours = info.ssi_code == SI_USER && info.ssi_pid == (uint32_t)getpid();

        if (info.ssi_signo != SIGCHLD && !ours)
            signal_pass(supervisor, (int)info.ssi_signo, info.ssi_code == SI_KERNEL);
    }
}

static enum status signals_block(struct supervisor *supervisor, struct failure *failure)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};

    sigfillset(&supervisor->taken);
    for (size_t i = 0; i < sizeof(LEFT_ALONE) / sizeof(LEFT_ALONE[0]); i++)
        sigdelset(&supervisor->taken, LEFT_ALONE[i]);
    sigprocmask(SIG_BLOCK, &supervisor->taken, &supervisor->before);
    /* Where it is ignored there would be no status to wait for. */
    sigaction(SIGCHLD, &usual, &supervisor->children_before);
    supervisor->signals = signalfd(-1, &supervisor->taken, SFD_NONBLOCK | SFD_CLOEXEC);
    if (supervisor->signals < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "signals could not be awaited");
    return STATUS_OK;
}

/* ---- the loop ---- */

enum { POLLED_SIGNALS, POLLED_LEADER, POLLED_KEYBOARD, POLLED_OUTPUT = POLLED_KEYBOARD + TERMINAL_POLLED };
#define POLLED (POLLED_OUTPUT + 2 * PUMP_POLLED)

static int time_until(const struct supervisor *supervisor, uint64_t deadline)
{
    const uint64_t now = clock_monotonic_ms();
    const bool looks = supervisor->outlets.keyboard.master >= 0 && !supervisor->outlets.keyboard.raw;

    if (supervisor->ended && !output_waits(supervisor))
        return 0;
    if (deadline == 0)
        return looks ? LOOK_MS : -1;
    return deadline > now ? (int)(deadline - now) : 0;
}

/* One turn. False when the command has ended and what it had printed is written. */
static bool take_turn(struct supervisor *supervisor)
{
    struct pollfd polled[POLLED];
    const size_t count = POLLED_OUTPUT + supervisor->outlets.count * PUMP_POLLED;
    const bool ended = supervisor->ended;
    uint64_t deadline;
    bool moved;

    terminal_take(&supervisor->outlets.keyboard);
    polled[POLLED_SIGNALS] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
    polled[POLLED_LEADER] = (struct pollfd){.fd = ended ? -1 : supervisor->leader, .events = POLLIN};
    terminal_poll(&supervisor->outlets.keyboard, polled + POLLED_KEYBOARD);
    deadline = output_poll(supervisor, polled + POLLED_OUTPUT);
    if (poll(polled, count, time_until(supervisor, deadline)) < 0)
        return true;
    terminal_move(&supervisor->outlets.keyboard, polled + POLLED_KEYBOARD);
    moved = output_moves(supervisor, polled + POLLED_OUTPUT);
    if (polled[POLLED_SIGNALS].revents != 0)
        signals_take(supervisor);
    changes_take(supervisor);
    if (supervisor->ended && !ended) {
        outlets_close_inner(&supervisor->outlets, true);
        return true;
    }
    return !ended || moved || output_waits(supervisor);
}

/* ---- what outlives the command ---- */

static void close_between(const int *kept, size_t count)
{
    unsigned next = 0;

    for (;;) {
        unsigned nearest = UINT_MAX;

        for (size_t i = 0; i < count; i++) {
            if (kept[i] >= 0 && (unsigned)kept[i] >= next && (unsigned)kept[i] < nearest)
                nearest = (unsigned)kept[i];
        }
        if (nearest > next)
            close_range(next, nearest - 1, 0);
        if (nearest == UINT_MAX)
            return;
        next = nearest + 1;
    }
}

static void drainer_become(struct supervisor *supervisor)
{
    int kept[5] = {supervisor->leader, -1, -1, -1, -1};

    finder_kept(supervisor->finder);
    for (size_t i = 0; i < supervisor->outlets.count; i++) {
        pump_kept(supervisor->outlets.of[i].pump);
        if (!pump_is_done(supervisor->outlets.of[i].pump))
            pump_descriptors(supervisor->outlets.of[i].pump, kept + 1 + 2 * i);
    }
    close_between(kept, sizeof(kept) / sizeof(kept[0]));
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_SETMASK, &supervisor->before, NULL);
    while (!output_ends(supervisor)) {
        struct pollfd polled[2 * PUMP_POLLED];
        const uint64_t deadline = output_poll(supervisor, polled);
        const uint64_t now = clock_monotonic_ms();
        const int timeout = deadline == 0 ? -1 : deadline > now ? (int)(deadline - now) : 0;

        if (poll(polled, supervisor->outlets.count * PUMP_POLLED, timeout) >= 0)
            output_moves(supervisor, polled);
    }
    _exit(0);
}

/* The command's own, unless it ended well and believes that all that it printed was written. */
static int status_told(const struct supervisor *supervisor)
{
    bool failed = false;

    for (size_t i = 0; i < supervisor->outlets.count; i++)
        failed = failed || pump_has_failed(supervisor->outlets.of[i].pump);
    return failed && supervisor->wait_status == 0 ? W_EXITCODE(PROGRAM_RUN_FAILED, 0)
                                                  : supervisor->wait_status;
}

/* Somebody whom the command started still holds its output: that is scrubbed on without us. Where no process
 * can be made for that, who prints is told that nobody reads. */
static void drainer_start(struct supervisor *supervisor)
{
    bool kept = finder_keep_in_child(supervisor->finder);

    for (size_t i = 0; i < supervisor->outlets.count; i++)
        kept = pump_keep_in_child(supervisor->outlets.of[i].pump) && kept;
    if (kept && fork() == 0)
        drainer_become(supervisor);
}

/* ---- the whole ---- */

static void supervisor_reset(struct supervisor *supervisor)
{
    terminal_give_back(&supervisor->outlets.keyboard);
    if (supervisor->signals >= 0)
        signals_take(supervisor);
    outlets_reset(&supervisor->outlets);
    cleanup_close(&supervisor->leader);
    cleanup_close(&supervisor->signals);
    sigprocmask(SIG_SETMASK, &supervisor->before, NULL);
}

/* So that nothing that is opened becomes a standard stream; closed in the command. */
static void places_fill(void)
{
    int descriptor;

    do {
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (descriptor >= 0 && descriptor < 3);
    cleanup_close(&descriptor);
}

static void short_names_say(const struct mask *mask)
{
    struct failure failure;
    const char *name;

    for (size_t i = 0; (name = mask_short_name(mask, i)) != NULL; i++) {
        failure_set(&failure, STATUS_INVALID, "%s has fewer than %u bytes and is not masked", name,
                    MASK_VALUE_MIN);
        report_failure(&failure, "run");
    }
}

enum status supervise(const struct supervision *supervision, struct failure *failure, int *ret_exit,
                      int *ret_wait_status)
{
    struct supervisor supervisor = {
        .supervision = supervision,
        .outlets = {.inner = {-1, -1, -1}, .session = -1, .keyboard.master = -1},
        .signals = -1,
        .leader = -1
    };
    enum status status;

    *ret_exit = PROGRAM_RUN_FAILED;
    places_fill();
    if (supervision->mask != NULL) {
        supervisor.finder = mask_finder(supervision->mask);
        short_names_say(supervision->mask);
    }
    status = signals_block(&supervisor, failure);
    if (status == STATUS_OK && supervisor.finder != NULL)
        status = outlets_open(supervisor.finder, failure, &supervisor.outlets);
    if (status == STATUS_OK)
        status = command_start(&supervisor, failure, ret_exit);
    if (status == STATUS_OK) {
        /* Not undumpable: what the command was given is read through our descriptors in /proc. */
        secret_protect_process(false);
        while (take_turn(&supervisor))
            ;
        terminal_leave(&supervisor.outlets.keyboard);
        if (!output_ends(&supervisor))
            drainer_start(&supervisor);
        *ret_wait_status = status_told(&supervisor);
    }
    supervisor_reset(&supervisor);
    return status;
}

void supervise_end_like(int wait_status)
{
    const struct rlimit none = {0, 0};
    sigset_t one;

    if (!WIFSIGNALED(wait_status))
        exit(WEXITSTATUS(wait_status));
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(wait_status), SIG_DFL);
    sigemptyset(&one);
    sigaddset(&one, WTERMSIG(wait_status));
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(WTERMSIG(wait_status));
    _exit(128 + WTERMSIG(wait_status));
}
