/* Looking at 0, 1 and 2, and making what stands for them. */
#include "code/outlet.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool same_file(int a, int b)
{
    struct stat left, right;

    return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino && (left.st_mode & S_IFMT) == (right.st_mode & S_IFMT);
}

static bool is_wanted(int sink)
{
    const int flags = fcntl(sink, F_GETFL);
    struct pollfd asked = {.fd = sink};
    struct stat facts;

    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0 || fstat(sink, &facts) != 0)
        return false;
    if (S_ISCHR(facts.st_mode) && facts.st_rdev == makedev(1, 3))
        return false;
    return poll(&asked, 1, 0) <= 0 || (asked.revents & (POLLERR | POLLHUP)) == 0;
}

static enum status pipe_open(struct failure *failure, int *ret_source, struct outlet *outlet)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no pipe could be made");
    *ret_source = ends[0];
    outlet->inner = ends[1];
    return STATUS_OK;
}

static enum status outlet_source(struct outlets *outlets, struct outlet *outlet, bool whole,
                                 struct failure *failure, int *ret_source)
{
    CLEANUP(cleanup_close) int master = -1;
    enum status status;

    outlet->terminal = isatty(outlet->sink);
    if (!outlet->terminal)
        return pipe_open(failure, ret_source, outlet);
    status = terminal_open(outlet->sink, whole, failure, &master, &outlet->inner);
    if (status != STATUS_OK)
        return status;
    *ret_source = fcntl(master, F_DUPFD_CLOEXEC, 0);
    if (*ret_source < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "no terminal could be made");
    if (whole) {
        outlets->session = outlet->inner;
        outlets->keyboard.master = cleanup_take_descriptor(&master);
    } else {
        outlet->master = cleanup_take_descriptor(&master);
    }
    return STATUS_OK;
}

static enum status outlet_open(const struct finder *finder, struct outlets *outlets, int sink, bool whole,
                               struct failure *failure)
{
    struct outlet *outlet = &outlets->of[outlets->count];
    int source = -1;
    enum status status;

    *outlet = (struct outlet){.sink = sink, .inner = -1, .master = -1};
    status = outlet_source(outlets, outlet, whole, failure, &source);
    outlets->count++;
    if (status != STATUS_OK)
        return status;
    outlet->pump = pump_make(finder, source, sink);
    if (outlet->pump == NULL)
        return failure_set_no_memory(failure);
    outlets->inner[sink] = outlet->inner;
    return STATUS_OK;
}

enum status outlets_open(const struct finder *finder, struct failure *failure, struct outlets *ret_outlets)
{
    struct outlets *const outlets = ret_outlets;
    const bool whole = is_wanted(1) && isatty(0) && same_file(0, 1) && terminal_is_foreground(0);
    enum status status = STATUS_OK;

    *outlets = (struct outlets){
        .inner = {-1, -1,       -1},
          .session = -1, .keyboard = {.outer = 0,  .master = -1}
    };
    if (is_wanted(1))
        status = outlet_open(finder, outlets, 1, whole, failure);
    if (status == STATUS_OK && is_wanted(2)) {
        if (outlets->count > 0 && same_file(1, 2))
            outlets->inner[2] = outlets->inner[1];
        else
            status = outlet_open(finder, outlets, 2, false, failure);
    }
    if (whole)
        outlets->inner[0] = outlets->inner[1];
    return status;
}

void outlets_reset(struct outlets *outlets)
{
    outlets_close_inner(outlets, true);
    for (size_t i = 0; i < outlets->count; i++) {
        pump_freep(&outlets->of[i].pump);
        cleanup_close(&outlets->of[i].master);
    }
    cleanup_close(&outlets->keyboard.master);
    outlets->count = 0;
}

void outlets_close_inner(struct outlets *outlets, bool all)
{
    for (size_t i = 0; i < outlets->count; i++) {
        if (all || !outlets->of[i].terminal)
            cleanup_close(&outlets->of[i].inner);
    }
}

bool outlets_resize(const struct outlets *outlets)
{
    bool any = false;

    for (size_t i = 0; i < outlets->count; i++) {
        if (outlets->of[i].master >= 0) {
            terminal_resize(outlets->of[i].sink, outlets->of[i].master);
            any = true;
        }
    }
    return any;
}
