/* Making, taking over, watching and removing the listening socket. */
#include "agent/listener.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_INHERITED 3
#define LISTEN_BACKLOG 4096
#define SOCKET_UMASK 0177

static enum status folder_prepare(const char *path, struct failure *failure)
{
    char folder[PATH_MAX];
    enum status status;

    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    if (folder[0] == '\0')
        return failure_set(failure, STATUS_FOREIGN, "the socket %s is not in a folder of its own", path);
    status = file_make_folder(folder, failure);
    return status == STATUS_OK ? file_check_folder(folder, true, failure) : status;
}

static enum status lock_take(const char *path, struct failure *failure, int *ret_lock)
{
    char name[PATH_MAX];
    CLEANUP(cleanup_close) int lock = -1;

    snprintf(name, sizeof(name), "%s.lock", path);
    lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot open %s", name);
    if (flock(lock, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? failure_set(failure, STATUS_BUSY, "another agent serves %s", path)
                   : failure_set_errno(failure, STATUS_FAILED, errno, "cannot lock %s", name);
    *ret_lock = cleanup_take_descriptor(&lock);
    return STATUS_OK;
}

/* Under our lock no agent of ours is alive there; but systemd, or something else, may be. */
static enum status place_clear(const struct sockaddr_un *address, struct failure *failure)
{
    struct stat found;
    CLEANUP(cleanup_close) int probe = -1;

    if (lstat(address->sun_path, &found) != 0)
        return errno == ENOENT
                   ? STATUS_OK
                   : failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at %s", address->sun_path);
    if (!S_ISSOCK(found.st_mode) || found.st_uid != getuid())
        return failure_set(failure, STATUS_FOREIGN, "%s is there already, and it is not a socket of ours",
                           address->sun_path);
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a socket");
    if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED)
        return failure_set(failure, STATUS_BUSY, "another process serves %s", address->sun_path);
    if (unlink(address->sun_path) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot remove the dead socket %s",
                                 address->sun_path);
    return STATUS_OK;
}

/* Set up before the sandbox; removing or replacing the socket, or its folder, ends the agent. */
static enum status place_watch(struct listener *listener, struct failure *failure)
{
    char folder[sizeof(listener->path)];
    struct stat made;

    if (lstat(listener->path, &made) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at %s", listener->path);
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    memcpy(folder, listener->path, sizeof(folder));
    *strrchr(folder, '/') = '\0';
    listener->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (listener->watch < 0 ||
        inotify_add_watch(listener->watch, folder,
                          IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR) < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot watch %s", folder);
    return STATUS_OK;
}

/* The socket's mode comes from the umask, for a chmod afterwards would leave a moment in between. */
static enum status socket_listen(const struct sockaddr_un *address, struct failure *failure, int *ret_socket)
{
    mode_t before;
    bool bound;
    CLEANUP(cleanup_close) int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (made < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a socket");
    before = umask(SOCKET_UMASK);
    bound = bind(made, (const struct sockaddr *)address, sizeof(*address)) == 0;
    umask(before);
    if (!bound || listen(made, LISTEN_BACKLOG) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot listen at %s", address->sun_path);
    *ret_socket = cleanup_take_descriptor(&made);
    return STATUS_OK;
}

static enum status listener_make(const struct sockaddr_un *address, struct failure *failure,
                                 struct listener *listener)
{
    enum status status = folder_prepare(address->sun_path, failure);

    if (status == STATUS_OK)
        status = lock_take(address->sun_path, failure, &listener->lock);
    if (status == STATUS_OK)
        status = place_clear(address, failure);
    if (status == STATUS_OK)
        status = socket_listen(address, failure, &listener->socket);
    if (status == STATUS_OK)
        status = place_watch(listener, failure);
    return status;
}

enum status listener_open(const char *path, struct failure *failure, struct listener *ret_listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct listener listener = LISTENER_NONE;
    enum status status;

    if (path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
        return failure_set(failure, STATUS_INVALID,
                           "the socket %s is not an absolute path of at most %zu bytes", path,
                           sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    memcpy(listener.path, address.sun_path, sizeof(listener.path));
    status = listener_make(&address, failure, &listener);
    if (status != STATUS_OK) {
        listener_close(&listener);
        return status;
    }
    *ret_listener = listener;
    return STATUS_OK;
}

static bool number_is(const char *name, uint64_t least, uint64_t most)
{
    const char *text = getenv(name);
    uint64_t number;

    return text != NULL && text_to_number(text, most, &number) && number >= least;
}

static enum status inherited_take(struct failure *failure, struct listener *listener, int *ret_connection)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);
    int accepting = 0;
    socklen_t option_size = sizeof(accepting);

    if (getsockname(FIRST_INHERITED, (struct sockaddr *)&address, &size) != 0 ||
        address.sun_family != AF_UNIX)
        return failure_set(failure, STATUS_FOREIGN, "the descriptor handed over is not a Unix socket");
    if (fcntl(FIRST_INHERITED, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(FIRST_INHERITED, F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
        getsockopt(FIRST_INHERITED, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &option_size) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot take over the socket");
    if (!accepting) {
        *ret_connection = FIRST_INHERITED;
        return STATUS_OK;
    }
    listener->socket = FIRST_INHERITED;
    if (size <= offsetof(struct sockaddr_un, sun_path) || address.sun_path[0] != '/')
        return failure_set(failure, STATUS_FOREIGN, "the socket handed over has no path");
    memcpy(listener->path, address.sun_path, sizeof(listener->path) - 1);
    return place_watch(listener, failure);
}

enum status listener_inherit(struct failure *failure, struct listener *ret_listener, int *ret_connection)
{
    struct listener listener = LISTENER_NONE;
    bool handed_over =
        number_is("LISTEN_PID", (uint64_t)getpid(), (uint64_t)getpid()) && getenv("LISTEN_FDS") != NULL;
    bool one = number_is("LISTEN_FDS", 1, 1);
    enum status status;

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!handed_over)
        return failure_set(failure, STATUS_NOT_FOUND, "no socket was handed over");
    if (!one)
        return failure_set(failure, STATUS_INVALID, "not exactly one socket was handed over");
    status = inherited_take(failure, &listener, ret_connection);
    if (status != STATUS_OK)
        listener_close(&listener);
    else
        *ret_listener = listener;
    return status;
}

static bool socket_is_ours(const struct listener *listener)
{
    struct stat found;

    return lstat(listener->path, &found) == 0 && found.st_dev == listener->device &&
           found.st_ino == listener->inode;
}

bool listener_is_gone(struct listener *listener)
{
    __attribute__((aligned(8))) char events[4096];

    while (read(listener->watch, events, sizeof(events)) > 0)
        continue;
    return !socket_is_ours(listener);
}

void listener_close(struct listener *listener)
{
    if (listener->lock >= 0 && listener->inode != 0 && socket_is_ours(listener))
        unlink(listener->path);
    cleanup_close(&listener->watch);
    cleanup_close(&listener->socket);
    cleanup_close(&listener->lock);
}
