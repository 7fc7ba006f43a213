/* Running the helper out of a process that is not ours.
 *
 * A child between is made that tells nobody of its end (clone without a signal): a caller that waits for any
 * child of its own does not see it, and one that ignores SIGCHLD does not lose it. It starts the helper as a
 * child of its own, kills it at the deadline, and ends. Where the caller is root it is root altogether, also
 * where a user called su, so that no user can stop or trace it; only the helper becomes the user. From the
 * clone on there are only system calls: the caller may have threads, and they are not there to let go of any
 * lock. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 65536
#define GRACE_MS 100 /* for the child between to reap what it killed */
#define KERNEL_SIGNAL_BYTES 8

#ifdef SYS_setresuid32
#define SYS_BECOME_USER SYS_setresuid32
#define SYS_BECOME_GROUP SYS_setresgid32
#define SYS_BECOME_GROUPS SYS_setgroups32
#else
#define SYS_BECOME_USER SYS_setresuid
#define SYS_BECOME_GROUP SYS_setresgid
#define SYS_BECOME_GROUPS SYS_setgroups
#endif

/* All that the child needs, made before it. */
struct plan {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    int group_count;
    bool becomes; /* we are root, and the helper is not to be */
    char home[PATH_MAX + 8];
    char user[256];
    char logname[256];
    char *environment[6];
    int socket; /* the helper's end */
    int alive;
    uint64_t deadline;
};

uint64_t shim_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- in the child, by system calls alone ---- */

static void leave(int status) __attribute__((noreturn));
static void leave(int status)
{
    for (;;)
        syscall(SYS_exit_group, status);
}

/* Handlers of the caller must not run here, and an ignored SIGCHLD would hide the helper's end. Zero is the
 * default action, whatever the kernel's structure looks like in detail. */
static void reset_signals(void)
{
    static const unsigned char action[64];

    for (int number = 1; number <= 64; number++)
        syscall(SYS_rt_sigaction, number, action, NULL, KERNEL_SIGNAL_BYTES);
}

static void close_but(int kept)
{
    if (kept > 0)
        syscall(SYS_close_range, 0u, (unsigned)kept - 1, 0u);
    syscall(SYS_close_range, (unsigned)kept + 1, ~0u, 0u);
}

static void become_helper(const struct plan *plan, long between) __attribute__((noreturn));
static void become_helper(const struct plan *plan, long between)
{
    static const char program[] = SHIM_PROGRAM;
    static char name[] = "stepvault-login";
    static char *const arguments[] = {name, NULL};
    static const unsigned char no_signals[KERNEL_SIGNAL_BYTES];
    const struct rlimit no_core = {0, 0};
    int null;

    syscall(SYS_setsid);
    if (syscall(SYS_dup3, plan->socket, STDIN_FILENO, 0) < 0 ||
        syscall(SYS_dup3, plan->socket, STDOUT_FILENO, 0) < 0)
        leave(1);
    /* Without close-on-exec: it may be stderr already, where the caller has none. */
    null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
    if (null < 0 || (null != STDERR_FILENO && syscall(SYS_dup3, null, STDERR_FILENO, 0) < 0) ||
        syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        leave(1);
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, NULL);
    if ((plan->becomes && syscall(SYS_BECOME_GROUPS, plan->group_count, plan->groups) != 0) ||
        syscall(SYS_BECOME_GROUP, plan->gid, plan->gid, plan->gid) != 0 ||
        syscall(SYS_BECOME_USER, plan->uid, plan->uid, plan->uid) != 0)
        leave(1);
    /* In memory is still the caller's, with the password; fs.suid_dumpable may have it dumped, by a signal of
     * the user's. */
    syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* Nobody would end it at the deadline if the child between were killed. Becoming the user clears this. */
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || syscall(SYS_getppid) != between)
        leave(1);
    syscall(SYS_umask, 077);
    if (syscall(SYS_chdir, "/") != 0)
        leave(1);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, no_signals, NULL, KERNEL_SIGNAL_BYTES);
    syscall(SYS_execve, program, arguments, plan->environment);
    leave(127);
}

/* True when the helper ended before the deadline. All signals are blocked here, so its end is waited for by
 * taking SIGCHLD. */
static bool helper_ends(int helper, uint64_t deadline)
{
    unsigned char child[KERNEL_SIGNAL_BYTES] = {0};

    child[(SIGCHLD - 1) / 8] = (unsigned char)(1u << ((SIGCHLD - 1) % 8));
    for (;;) {
        const uint64_t now = shim_clock_ms();
        const uint64_t left = now < deadline ? deadline - now : 0;
        const struct timespec wait = {.tv_sec = (time_t)(left / 1000),
                                      .tv_nsec = (long)(left % 1000) * 1000000};

        if (syscall(SYS_wait4, helper, NULL, WNOHANG, NULL) != 0)
            return true;
        if (left == 0)
            return false;
        syscall(SYS_rt_sigtimedwait, child, NULL, &wait, KERNEL_SIGNAL_BYTES);
    }
}

static void stand_between(const struct plan *plan) __attribute__((noreturn));
static void stand_between(const struct plan *plan)
{
    const long between = syscall(SYS_getpid);
    int helper;

    reset_signals();
    syscall(SYS_setsid);
    /* Who called a setuid program may stop and kill what has his real user. */
    if (plan->becomes)
        syscall(SYS_BECOME_USER, 0, 0, 0);
    helper = (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (helper == 0)
        become_helper(plan, between);
    close_but(plan->alive);
    if (helper > 0 && !helper_ends(helper, plan->deadline)) {
        syscall(SYS_kill, -helper, SIGKILL);
        syscall(SYS_kill, helper, SIGKILL);
        while (syscall(SYS_wait4, helper, NULL, 0, NULL) < 0 && errno == EINTR)
            continue;
    }
    leave(0);
}

/* ---- in the caller ---- */

static bool plan_groups(const struct passwd *user, struct plan *plan)
{
    int count = 64;

    for (;;) {
        gid_t *groups = realloc(plan->groups, (size_t)count * sizeof(*groups));
        int found = count;

        if (groups == NULL)
            return false;
        plan->groups = groups;
        if (getgrouplist(user->pw_name, user->pw_gid, groups, &found) >= 0) {
            plan->group_count = found;
            return true;
        }
        if (found <= count)
            found = count * 2;
        if (found > GROUPS_MAX) {
            errno = ERANGE;
            return false;
        }
        count = found;
    }
}

/* Nothing of the caller's environment: with su it is the choice of whoever called it. */
static bool plan_environment(const struct passwd *user, struct plan *plan)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    static char language[] = "LANG=C.UTF-8";

    if (user->pw_dir == NULL ||
        (size_t)snprintf(plan->home, sizeof(plan->home), "HOME=%s", user->pw_dir) >= sizeof(plan->home) ||
        (size_t)snprintf(plan->user, sizeof(plan->user), "USER=%s", user->pw_name) >= sizeof(plan->user) ||
        (size_t)snprintf(plan->logname, sizeof(plan->logname), "LOGNAME=%s", user->pw_name) >=
            sizeof(plan->logname)) {
        errno = EINVAL;
        return false;
    }
    plan->environment[0] = plan->home;
    plan->environment[1] = plan->user;
    plan->environment[2] = plan->logname;
    plan->environment[3] = path;
    plan->environment[4] = language;
    plan->environment[5] = NULL;
    return true;
}

bool shim_child_is_possible(const struct passwd *user)
{
    return geteuid() == 0 || (geteuid() == user->pw_uid && getuid() == user->pw_uid);
}

static bool plan_make(const struct passwd *user, struct plan *plan)
{
    plan->uid = user->pw_uid;
    plan->becomes = geteuid() == 0;
    /* A locker may be setgid, for the sake of /etc/shadow: the user's agent is not to have that. */
    plan->gid = plan->becomes ? user->pw_gid : getgid();
    return plan_environment(user, plan) && (!plan->becomes || plan_groups(user, plan));
}

/* Above the standard descriptors, which the caller may have closed. */
static bool lift(int *descriptor)
{
    int high = fcntl(*descriptor, F_DUPFD_CLOEXEC, 3);

    if (high < 0)
        return false;
    close(*descriptor);
    *descriptor = high;
    return true;
}

static void close_all(int descriptors[4])
{
    for (int i = 0; i < 4; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
}

/* Its socket, the helper's, and both ends of the pipe that ends with the child. */
static bool open_all(int descriptors[4])
{
    for (int i = 0; i < 4; i++)
        descriptors[i] = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors) != 0 ||
        pipe2(descriptors + 2, O_CLOEXEC) != 0)
        return false;
    for (int i = 0; i < 4; i++)
        if (!lift(&descriptors[i]))
            return false;
    return true;
}

bool shim_child_start(const struct passwd *user, unsigned deadline_ms, struct shim_child *ret_child)
{
    struct plan plan = {.deadline = shim_clock_ms() + deadline_ms};
    int descriptors[4] = {-1, -1, -1, -1};
    sigset_t all;
    sigset_t before;
    int process = -1;
    int error;

    if (plan_make(user, &plan) && open_all(descriptors)) {
        plan.socket = descriptors[1];
        plan.alive = descriptors[3];
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        process = (int)syscall(SYS_clone, 0, 0, 0, 0, 0);
        if (process == 0)
            stand_between(&plan);
        error = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        errno = error;
    }
    error = errno;
    free(plan.groups);
    if (process < 0) {
        close_all(descriptors);
        errno = error;
        return false;
    }
    close(descriptors[1]);
    close(descriptors[3]);
    *ret_child = (struct shim_child){
        .socket = descriptors[0],
        .alive = descriptors[2],
        .process = process,
        .uid = plan.uid,
        .deadline = plan.deadline,
    };
    return true;
}

/* True when `descriptor` can be read before the moment. */
static bool wait_until(int descriptor, short events, uint64_t moment)
{
    struct pollfd waiting = {.fd = descriptor, .events = events};

    for (;;) {
        const uint64_t now = shim_clock_ms();
        int ready = poll(&waiting, 1, now < moment ? (int)(moment - now) : 0);

        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

void shim_child_end(struct shim_child *child)
{
    int status;

    close(child->socket);
    /* It ends by itself, unless somebody stopped it. */
    if (!wait_until(child->alive, POLLIN, child->deadline + GRACE_MS))
        kill(child->process, SIGKILL);
    while (waitpid(child->process, &status, __WALL) < 0 && errno == EINTR)
        continue;
    close(child->alive);
}

static bool send_job(const struct shim_child *child, const struct message_job *job)
{
    uint8_t *bytes = shim_memory_allocate(MESSAGE_JOB_MAX);
    size_t size = bytes != NULL ? message_job_write(job, bytes) : 0;
    /* Smaller than the room of any socket, so it is sent whole or not at all. */
    bool sent = size > 0 && send(child->socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;

    shim_memory_free(bytes, MESSAGE_JOB_MAX);
    return sent;
}

/* Reads to the end, or to `maximum`. False at the deadline. */
static bool read_until_end(const struct shim_child *child, uint8_t *buffer, size_t maximum, size_t *ret_size)
{
    size_t size = 0;

    while (size < maximum) {
        ssize_t count;

        if (!wait_until(child->socket, POLLIN, child->deadline))
            return false;
        count = recv(child->socket, buffer + size, maximum - size, MSG_DONTWAIT);
        if (count == 0)
            break;
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            break;
        size += count > 0 ? (size_t)count : 0;
    }
    *ret_size = size;
    return true;
}

/* What stands next on the socket, 0 at its end. It stays there. */
static uint8_t look_ahead(const struct shim_child *child)
{
    uint8_t byte = 0;

    return wait_until(child->socket, POLLIN, child->deadline) &&
                   recv(child->socket, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1
               ? byte
               : 0;
}

static bool hear(const struct shim_child *child, uint8_t word)
{
    uint8_t heard;

    return look_ahead(child) == word && recv(child->socket, &heard, 1, MSG_DONTWAIT) == 1;
}

/* Once, and before the answer, a helper may ask for a turn, and say that it is over. */
static bool give_turn(const struct shim_child *child)
{
    struct shim_turn turn;
    uint8_t word;
    bool said;

    if (!hear(child, MESSAGE_TURN))
        return true;
    word = shim_turn_wait(&turn, child->uid, child->socket, child->deadline) ? MESSAGE_GO : MESSAGE_LATE;
    said = send(child->socket, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    if (said && word == MESSAGE_GO)
        (void)hear(child, MESSAGE_DERIVED);
    shim_turn_end(&turn);
    return said;
}

static bool exchange(const struct shim_child *child, const struct message_job *job, uint8_t *buffer,
                     struct message_answer *ret_answer)
{
    size_t size = 0;

    return wait_until(child->socket, POLLIN, child->deadline) &&
           recv(child->socket, buffer, 1, MSG_DONTWAIT) == 1 && buffer[0] == MESSAGE_READY &&
           send_job(child, job) && give_turn(child) &&
           read_until_end(child, buffer, MESSAGE_ANSWER_MAX, &size) &&
           message_answer_read(buffer, size, ret_answer);
}

bool shim_exchange(const struct shim_child *child, const struct message_job *job, uint8_t *buffer,
                   struct message_answer *ret_answer, bool *ret_late)
{
    bool answered = exchange(child, job, buffer, ret_answer);

    /* At the deadline the helper is killed, which may be seen before it. */
    *ret_late = !answered && shim_clock_ms() >= child->deadline;
    return answered;
}
