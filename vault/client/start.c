/* Starting an agent, and finding the programs that belong together. */
#include "base/cleanup.h"
#include "base/file.h"
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTION 3 /* the descriptor of an agent's first connection */
#define REPORT 4     /* where a child says why it could not become the agent */

/* ---- where programs are ---- */

/* Where to look: in the running program's folder where it ends in `suffix`, followed by `relative`. Installed
 * trees may be moved as a whole. */
static const struct {
    const char *suffix;
    const char *relative;
} places[] = {
    {"",                   ""                     },
    {"/bin",               "/../libexec/stepvault"},
    {"/libexec/stepvault", "/../../bin"           },
};

/* Only what belongs to root, to us or to whoever owns the running program: a folder above ours may be
 * anybody's. */
static bool program_usable(const char *path, uid_t owner)
{
    struct stat facts;

    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode) &&
           (facts.st_uid == 0 || facts.st_uid == geteuid() || facts.st_uid == owner) &&
           access(path, X_OK) == 0;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text);
    size_t wanted = strlen(suffix);

    return length >= wanted && strcmp(text + length - wanted, suffix) == 0;
}

static bool program_near(const char *name, char destination[PATH_MAX])
{
    char folder[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    struct stat self;

    if (size <= 0 || stat("/proc/self/exe", &self) != 0)
        return false;
    folder[size] = '\0';
    *strrchr(folder, '/') = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (ends_in(folder, places[i].suffix)) {
            int length = snprintf(destination, PATH_MAX, "%s%s/%s", folder, places[i].relative, name);

            if (length > 0 && length < PATH_MAX && program_usable(destination, self.st_uid))
                return true;
        }
    }
    return false;
}

enum status client_find_program(const char *name, struct failure *failure, char destination[PATH_MAX])
{
    char found[PATH_MAX];

    if (!program_near(name, found)) {
        snprintf(found, sizeof(found), "%s/%s", STEPVAULT_LIBEXEC, name);
        if (!program_usable(found, geteuid()))
            return failure_set(failure, STATUS_FAILED, "the program %s is neither beside this one nor in %s",
                               name, STEPVAULT_LIBEXEC);
    }
    memcpy(destination, found, strlen(found) + 1);
    return STATUS_OK;
}

/* ---- starting ---- */

/* What an agent may know of our environment, the ways to the network for its helpers included; a name that
 * ends in `_` stands for all that begin so. */
static const char *const agent_variables[] = {
    "PATH",        "HOME",      "XDG_",      "LANG",     "TZ",       "http_proxy", "https_proxy",
    "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_",
};

static bool agent_may_know(const char *entry)
{
    for (size_t i = 0; i < sizeof(agent_variables) / sizeof(agent_variables[0]); i++) {
        size_t length = strlen(agent_variables[i]);

        if (strncmp(entry, agent_variables[i], length) == 0 &&
            (agent_variables[i][length - 1] == '_' || entry[length] == '='))
            return true;
    }
    return false;
}

static char **agent_environment(void)
{
    size_t count = 0;
    char **environment;

    while (environ != NULL && environ[count] != NULL)
        count++;
    environment = calloc(count + 1, sizeof(*environment));
    if (environment == NULL)
        return NULL;
    for (size_t from = 0, to = 0; from < count; from++) {
        if (agent_may_know(environ[from]))
            environment[to++] = environ[from];
    }
    return environment;
}

/* What the caller left closed, or what we opened in its place, must not become the agent's stderr. */
static bool stderr_is_ours(void)
{
    int flags = fcntl(STDERR_FILENO, F_GETFD);

    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

/* The child's descriptors: nothing of the caller's but stderr, or a pipe of the caller would stay open as
 * long as the agent lives. */
static bool child_descriptors(int connection, int report)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int high_null = null >= 0 ? fcntl(null, F_DUPFD_CLOEXEC, 10) : -1;
    int high_connection = fcntl(connection, F_DUPFD_CLOEXEC, 10);
    int high_report = fcntl(report, F_DUPFD_CLOEXEC, 10);

    if (high_null < 0 || high_connection < 0 || high_report < 0 || dup2(high_null, STDIN_FILENO) < 0 ||
        dup2(high_null, STDOUT_FILENO) < 0 || (!stderr_is_ours() && dup2(high_null, STDERR_FILENO) < 0) ||
        dup2(high_connection, CONNECTION) < 0 || dup3(high_report, REPORT, O_CLOEXEC) < 0)
        return false;
    file_close_from(REPORT + 1);
    return true;
}

/* Only system calls: the host of the library may have threads. */
static void child_exec(const struct client_agent *agent, char *const argv[], char *const environment[],
                       int connection, int report)
{
    int error;

    if (child_descriptors(connection, report)) {
        report = REPORT;
        if (agent->socket != NULL)
            setsid();
        execve(agent->program, argv, environment);
    }
    error = errno;
    (void)!write(report, &error, sizeof(error));
    _exit(127);
}

/* 0 once the child has become the agent, else the errno that it died of. */
static int child_report(int report)
{
    int error = 0;
    ssize_t count;

    do {
        count = read(report, &error, sizeof(error));
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof(error) ? error : 0;
}

static enum status agent_spawn(const struct client_agent *agent, struct client *client, int connection,
                               struct failure *failure)
{
    CLEANUP(cleanup_close) int report_read = -1;
    CLEANUP(cleanup_close) int report_write = -1;
    char connection_text[] = {'0' + CONNECTION, '\0'};
    const char *const argv[] = {"stepvault-agent", "--vault",
                                agent->vault,      "--connection",
                                connection_text,   agent->socket != NULL ? "--socket" : NULL,
                                agent->socket,     NULL};
    char **environment = agent_environment();
    int ends[2];
    int error;
    pid_t child;

    if (environment == NULL)
        return failure_set_no_memory(failure);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        error = errno;
        free(environment);
        return failure_set_errno(failure, STATUS_FAILED, error, "cannot make a pipe");
    }
    report_read = ends[0];
    report_write = ends[1];
    child = fork();
    if (child == 0)
        child_exec(agent, (char *const *)argv, environment, connection, report_write);
    error = errno;
    free(environment);
    if (child < 0)
        return failure_set_errno(failure, STATUS_FAILED, error, "cannot start a process for the agent");
    client->agent = child;
    cleanup_close(&report_write);
    error = child_report(report_read);
    if (error != 0)
        return failure_set_errno(failure, STATUS_FAILED, error, "cannot start %s", agent->program);
    if (agent->socket != NULL)
        client->agent = 0;
    return STATUS_OK;
}

enum status client_start_agent(const struct client_agent *agent, struct failure *failure,
                               struct client **ret_client)
{
    CLEANUP(client_freep) struct client *client = NULL;
    CLEANUP(cleanup_close) int connection = -1;
    struct client_agent found = *agent;
    char program[PATH_MAX];
    enum status status = STATUS_OK;
    int ends[2];

    if (agent->program == NULL) {
        status = client_find_program("stepvault-agent", failure, program);
        found.program = program;
    }
    if (status != STATUS_OK)
        return status;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a pair of sockets");
    connection = ends[1];
    client = client_of_descriptor(ends[0]);
    if (client == NULL) {
        close(ends[0]);
        return failure_set_no_memory(failure);
    }
    status = agent_spawn(&found, client, connection, failure);
    if (status != STATUS_OK)
        return status;
    *ret_client = TAKE(client);
    return STATUS_OK;
}
