/* stepvault-agent: the process that holds the open vault of one user.
 *
 * Order matters: memory is made private first; the peer reader and the spawner are forked while there is
 * nothing to keep from them; sockets, signals and timers are made; then the sandbox closes, and only then may
 * a key arrive. */
#include "agent/call.h"
#include "agent/journal.h"
#include "agent/listener.h"
#include "agent/peer.h"
#include "agent/sandbox.h"
#include "agent/server.h"
#include "agent/session.h"
#include "agent/spawner.h"
#include "agent/task.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_ALONE_MS 60000u   /* for another command's agent to let go of the vault */
#define WAIT_SERVING_MS 10000u /* with other clients, whom a locked vault is of no use to */
#define WAIT_MAX_SECONDS 3600
#define VERIFY_MS 60000u
#define VERIFY_MAX_MS 86400000u
#define DESCRIPTORS_WANTED 8192

struct options {
    const char *vault;
    const char *socket;
    int connection;
    unsigned wait_ms;
    bool has_wait;
    uint64_t verify_ms;
};

static const char usage[] =
    "usage: stepvault-agent --vault PATH [--socket PATH] [--connection FD] [--wait SECONDS] "
    "[--verify MILLISECONDS]\n";

/* False: the command line is wrong, or was answered with help. */
static bool read_options(int argc, char *argv[], struct options *options, int *ret_exit)
{
    static const struct option known[] = {
        {"vault",      required_argument, NULL, 'v'},
        {"socket",     required_argument, NULL, 's'},
        {"connection", required_argument, NULL, 'c'},
        {"wait",       required_argument, NULL, 'w'},
        {"verify",     required_argument, NULL, 'r'},
        {"help",       no_argument,       NULL, 'h'},
        {"version",    no_argument,       NULL, 'V'},
        {NULL,         0,                 NULL, 0  },
    };
    uint64_t number = 0;
    bool sound = true;
    int option;

    *options = (struct options){.connection = -1, .verify_ms = VERIFY_MS};
    *ret_exit = 2;
    while (sound && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'v':
            options->vault = optarg;
            break;
        case 's':
            options->socket = optarg;
            break;
        case 'c':
            sound = text_to_number(optarg, 65535, &number);
            options->connection = (int)number;
            break;
        case 'w':
            sound = text_to_number(optarg, WAIT_MAX_SECONDS, &number);
            options->wait_ms = (unsigned)number * 1000;
            options->has_wait = true;
            break;
        case 'r':
            sound = text_to_number(optarg, VERIFY_MAX_MS, &options->verify_ms);
            break;
        case 'h':
        case 'V':
            fputs(option == 'h' ? usage : "stepvault-agent " STEPVAULT_VERSION "\n", stdout);
            *ret_exit = 0;
            return false;
        default:
            return false;
        }
    }
    if (!sound || optind != argc || options->vault == NULL || options->vault[0] != '/' ||
        strlen(options->vault) >= PATH_MAX) {
        fputs(usage, stderr);
        return false;
    }
    return true;
}

static void settle_process(struct sandbox *sandbox)
{
    struct rlimit descriptors;

    sandbox_protect_memory(sandbox);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a disk that is full, not the end */
    signal(SIGCHLD, SIG_IGN);
    umask(077);
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur < DESCRIPTORS_WANTED) {
        descriptors.rlim_cur =
            descriptors.rlim_max < DESCRIPTORS_WANTED ? descriptors.rlim_max : DESCRIPTORS_WANTED;
        setrlimit(RLIMIT_NOFILE, &descriptors);
    }
}

/* Standard input and output are nobody's; the first connection may be one of them only by mistake. */
static enum status settle_descriptors(const struct options *options, struct server *server,
                                      struct failure *failure)
{
    int flags;

    /* A standard stream that was closed gets /dev/null, too, or a socket would take its number. */
    do {
        server->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (server->null >= 0 && server->null <= STDERR_FILENO);
    if (server->null < 0 || dup2(server->null, STDIN_FILENO) < 0 || dup2(server->null, STDOUT_FILENO) < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot open /dev/null");
    if (options->connection < 0 || options->socket == NULL)
        cleanup_close(&server->null);
    if (options->connection < 0)
        return STATUS_OK;
    flags = options->connection > STDERR_FILENO ? fcntl(options->connection, F_GETFL) : -1;
    if (flags < 0 || fcntl(options->connection, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(options->connection, F_SETFD, FD_CLOEXEC) != 0)
        return failure_set(failure, STATUS_INVALID, "descriptor %d is not a connection", options->connection);
    return STATUS_OK;
}

static enum status find_clients(const struct options *options, struct server *server, struct failure *failure)
{
    enum status status;

    server->first_connection = options->connection;
    if (options->socket != NULL)
        return listener_open(options->socket, failure, server->listener);
    status = listener_inherit(failure, server->listener, &server->first_connection);
    if (status == STATUS_NOT_FOUND && server->first_connection >= 0)
        return STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        return failure_set(failure, STATUS_USAGE,
                           "nobody to serve: give --socket or --connection, or a socket by systemd");
    return status;
}

static void parent_folder(const char *path, char destination[PATH_MAX])
{
    snprintf(destination, PATH_MAX, "%s", path);
    *strrchr(destination, '/') = '\0';
    if (destination[0] == '\0')
        memcpy(destination, "/", 2);
}

/* The folders must exist before the sandbox names them; a single command's agent makes none for a mistyped
 * path. */
static enum status confine(const struct server *server, struct session *session, struct failure *failure)
{
    char vault_folder[PATH_MAX];
    char socket_folder[PATH_MAX];
    bool has_socket = server->listener->lock >= 0;
    bool stays = server->listener->socket >= 0;
    enum status status = STATUS_OK;

    parent_folder(session->path, vault_folder);
    parent_folder(has_socket ? server->listener->path : "/", socket_folder);
    if (stays)
        status = file_make_folder(vault_folder, failure);
    pinner_start(&session->pinner, stays || access(session->path, F_OK) == 0);
    if (status == STATUS_OK && chdir("/") != 0)
        status = failure_set_errno(failure, STATUS_FAILED, errno, "cannot change to /");
    if (status == STATUS_OK)
        sandbox_enter(&session->sandbox,
                      &(struct sandbox_folders){
                          .vault = vault_folder,
                          .pins = session->pinner.folder[0] != '\0' ? session->pinner.folder : NULL,
                          .socket = has_socket ? socket_folder : NULL,
                      });
    return status;
}

static enum status prepare(const struct options *options, struct server *server, struct failure *failure)
{
    struct session *session = server->session;
    struct failure reader_failure;
    struct failure spawner_failure;
    enum status status = settle_descriptors(options, server, failure);

    if (status == STATUS_OK)
        status = file_vault_path(options->vault, failure, session->path);
    if (status != STATUS_OK)
        return status;
    peer_describe_self(&session->self);
    if (spawner_start(&spawner_failure, server->spawner) != STATUS_OK)
        server->spawner->channel = -1;
    session->peer_reader_runs = peer_reader_start(&reader_failure, server->reader) == STATUS_OK;
    journal_open();
    status = find_clients(options, server, failure);
    if (status != STATUS_OK)
        return status;
    session->wait_ms = server->listener->socket >= 0 ? WAIT_SERVING_MS : WAIT_ALONE_MS;
    if (options->has_wait)
        session->wait_ms = options->wait_ms;
    session->alone = server->listener->socket < 0;
    session->verify_ms = options->verify_ms;
    json_start();
    status = seal_start(failure);
    if (status == STATUS_OK)
        status = tasks_start(session->tasks, server->spawner, failure);
    if (status == STATUS_OK)
        status = server_prepare(server, failure);
    return status == STATUS_OK ? confine(server, session, failure) : status;
}

/* Whoever started us waits at the connection, and has a better place to say it than our stderr. */
static void say_failure(const struct options *options, const struct failure *failure)
{
    CLEANUP(secret_reset) struct secret reply = {0};

    if (options->connection >= 0) {
        reply_failure(&reply, failure);
        if (send(options->connection, reply.bytes, reply.size, MSG_DONTWAIT | MSG_NOSIGNAL) ==
            (ssize_t)reply.size)
            return;
    }
    fprintf(stderr, "stepvault-agent: %s\n", failure->sentence);
}

int main(int argc, char *argv[])
{
    static struct session session;
    struct listener listener = LISTENER_NONE;
    struct peer_reader reader = {.channel = -1};
    struct spawner spawner = {.channel = -1};
    struct tasks tasks = {.poll = -1};
    struct server server = {
        .session = &session, .listener = &listener, .reader = &reader, .spawner = &spawner, .null = -1};
    struct options options;
    struct failure failure;
    enum status status;
    int exit_status;

    if (!read_options(argc, argv, &options, &exit_status))
        return exit_status;
    session.tasks = &tasks;
    settle_process(&session.sandbox);
    status = prepare(&options, &server, &failure);
    if (status == STATUS_OK)
        status = server_run(&server, &failure);
    else
        listener_close(&listener);
    if (status != STATUS_OK)
        say_failure(&options, &failure);
    return status == STATUS_OK ? 0 : status_exit(status);
}
