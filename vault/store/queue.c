/* A place in the queue is an open file description with a lock on one byte. */
#include "store/queue.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/* Bytes that nothing will ever be written to; SQLite's locks lie at 2^30. */
#define HEAD_BYTE ((off_t)1 << 62)
#define STAYS_BYTE (HEAD_BYTE + 1)

#define PAUSE_FIRST_NS 1000000L
#define PAUSE_LAST_NS 16000000L

static int lock_byte(int place, int command, off_t byte, short *type)
{
    struct flock lock = {.l_type = *type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int result = fcntl(place, command, &lock);
    *type = lock.l_type;
    return result;
}

/* 0, or the errno of trying once. */
static int try_head(int place)
{
    short type = F_WRLCK;
    return lock_byte(place, F_OFD_SETLK, HEAD_BYTE, &type) == 0 ? 0 : errno;
}

static bool holder_stays(int place)
{
    short type = F_WRLCK;
    return lock_byte(place, F_OFD_GETLK, STAYS_BYTE, &type) == 0 && type != F_UNLCK;
}

/* Longer each time, and never just as long as another waits. */
static void pause_before_next_try(long *pause)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)nanosleep(&(struct timespec){.tv_nsec = *pause + now.tv_nsec % *pause}, NULL);
    *pause = *pause < PAUSE_LAST_NS ? *pause * 2 : *pause;
}

/* The errno with which the waiting ended. */
static int wait_for_head(int place, unsigned wait_ms)
{
    const uint64_t deadline = clock_monotonic_ms() + wait_ms;
    uint64_t stays_since = 0;
    long pause = PAUSE_FIRST_NS;
    int error;
    while ((error = try_head(place)) == EAGAIN || error == EACCES) {
        const uint64_t now = clock_monotonic_ms();
        if (!holder_stays(place))
            stays_since = 0;
        else if (stays_since == 0)
            stays_since = now;
        if (now >= deadline || (stays_since != 0 && now - stays_since >= QUEUE_STAYS_MS))
            break;
        pause_before_next_try(&pause);
    }
    return error;
}

enum status queue_enter(const char *path, unsigned wait_ms, struct failure *failure, int *ret_place)
{
    CLEANUP(cleanup_close) int place = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (place < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "the vault %s cannot be opened", path);
    int error = wait_for_head(place, wait_ms);
    if (error == EAGAIN || error == EACCES)
        return failure_set(failure, STATUS_BUSY, "the vault %s is held by another process", path);
    *ret_place = error == 0 ? cleanup_take_descriptor(&place) : QUEUE_NONE;
    return STATUS_OK;
}

void queue_stay(int place)
{
    short type = F_WRLCK;
    if (place != QUEUE_NONE)
        (void)lock_byte(place, F_OFD_SETLK, STAYS_BYTE, &type);
}

void queue_leave(int *place)
{
    cleanup_close(place);
}
