/* Asking the user's systemd to listen for the agent. systemctl and systemd-run are asked, so that nothing is
 * linked that speaks D-Bus. They get no descriptor and no variable but the one that says where the manager
 * is. */
#include "helper/manager.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool prepare(posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions)
{
    sigset_t all;
    bool fits = true;

    sigfillset(&all);
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        fits = fits && posix_spawn_file_actions_addopen(actions, descriptor, "/dev/null", O_RDWR, 0) == 0;
    return fits && posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF) == 0;
}

/* 0 if it could not be started. */
static pid_t start(const char *const words[], char *runtime)
{
    char *const environment[] = {runtime, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t process = 0;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return 0;
    if (posix_spawnattr_init(&attributes) == 0) {
        if (!prepare(&attributes, &actions) ||
            posix_spawnp(&process, words[0], &actions, &attributes, (char *const *)words, environment) != 0)
            process = 0;
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return process;
}

/* True if it ended well by the deadline; it is over then in any case. */
static bool ends_well(pid_t process, uint64_t deadline)
{
    CLEANUP(cleanup_close) int handle = (int)syscall(SYS_pidfd_open, process, 0u);
    struct pollfd waiting = {.fd = handle, .events = POLLIN};
    int status = -1;
    int ready = -1;

    while (handle >= 0 && ready < 0) {
        const uint64_t now = clock_monotonic_ms();

        ready = poll(&waiting, 1, now < deadline ? (int)(deadline - now) : 0);
        if (ready < 0 && errno != EINTR)
            break;
    }
    if (ready <= 0)
        kill(process, SIGKILL);
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run(const char *const words[], char *runtime, uint64_t deadline)
{
    pid_t process = start(words, runtime);

    return process > 0 && ends_well(process, deadline);
}

/* What vault/agent/systemd/user has, for this vault and the programs beside this one. */
static bool run_transient(const char *vault, char *runtime, uint64_t deadline)
{
    char program[PATH_MAX];
    char socket[PATH_MAX];
    char listen[PATH_MAX + 64];
    struct failure ignored;
    const char *const words[] = {"systemd-run",
                                 "--user",
                                 "--quiet",
                                 "--no-ask-password",
                                 "--collect",
                                 "--unit=stepvault-agent",
                                 "--description=stepvault agent",
                                 listen,
                                 "--socket-property=SocketMode=0600",
                                 "--socket-property=DirectoryMode=0700",
                                 "--property=NoNewPrivileges=yes",
                                 "--property=LimitCORE=0",
                                 "--property=MemorySwapMax=0",
                                 "--property=RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
                                 "--property=KillMode=mixed",
                                 "--",
                                 program,
                                 "--vault",
                                 vault,
                                 NULL};

    /* The manager would put variables in. */
    if (strchr(vault, '$') != NULL ||
        client_find_program("stepvault-agent", &ignored, program) != STATUS_OK ||
        file_socket_path(vault, &ignored, socket) != STATUS_OK)
        return false;
    snprintf(listen, sizeof(listen), "--socket-property=ListenStream=%s", socket);
    return run(words, runtime, deadline);
}

bool manager_listen(const char *vault, int patience_ms)
{
    static const char *const installed[] = {
        "systemctl", "--user", "--quiet", "--no-ask-password", "start", "stepvault-agent.socket", NULL};
    const uint64_t deadline = clock_monotonic_ms() + (uint64_t)patience_ms;
    char folder[PATH_MAX];
    char runtime[PATH_MAX + sizeof("XDG_RUNTIME_DIR=")];
    char manager[PATH_MAX + sizeof("/systemd/private")];

    if (!file_runtime_folder(folder))
        return false;
    snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s", folder);
    snprintf(manager, sizeof(manager), "%s/systemd/private", folder);
    return access(manager, F_OK) == 0 &&
           (run(installed, runtime, deadline) || run_transient(vault, runtime, deadline));
}
