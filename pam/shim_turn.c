/* The table of turns in a file of root's. It is locked for a moment at a time, and nobody waits for the lock:
 * who stopped a program of root's right then must not stop other logins. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME ".turns" /* not of those that shim_bridge.c sweeps */
#define PAUSE_MS 10
#define REFUSALS_MAX 10
#define LOCK_TRIES 10 /* a millisecond apart */

int shim_folder_open(bool makes)
{
    struct stat facts;
    int folder;

    if (geteuid() != 0)
        return -1;
    if (makes)
        (void)mkdir(SHIM_FOLDER, 0700);
    folder = open(SHIM_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0 && fstat(folder, &facts) == 0 && facts.st_uid == 0 && (facts.st_mode & 077) == 0)
        return folder;
    if (folder >= 0)
        close(folder);
    return -1;
}

/* A caller that may not write so much would be killed by the attempt. */
static bool may_write(size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size);
}

static int open_table(void)
{
    int folder = may_write(sizeof(struct turns_place[TURNS_PLACES])) ? shim_folder_open(true) : -1;
    int file = folder >= 0 ? openat(folder, NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;

    if (folder >= 0)
        close(folder);
    return file;
}

static bool lock_table(int file)
{
    for (int left = LOCK_TRIES; left > 0; left--) {
        if (flock(file, LOCK_EX | LOCK_NB) == 0)
            return true;
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static unsigned count_turns(void)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors > (long)TURNS_PROCESSORS ? (unsigned)processors / TURNS_PROCESSORS : 1;
}

enum attempt { ATTEMPT_REFUSED, ATTEMPT_WAITS, ATTEMPT_BEGINS, ATTEMPT_FAILED };

static enum attempt attempt(struct shim_turn *turn, unsigned count)
{
    struct turns_place places[TURNS_PLACES] = {{0}};
    enum attempt result = ATTEMPT_WAITS;
    off_t at;

    if (!lock_table(turn->file))
        return ATTEMPT_REFUSED;
    if (pread(turn->file, places, sizeof(places), 0) < 0)
        result = ATTEMPT_FAILED;
    else if (turns_try(&turn->turn, places, count, shim_clock_ms()))
        result = ATTEMPT_BEGINS;
    at = (off_t)turn->turn.place * (off_t)sizeof(places[0]);
    if (result != ATTEMPT_FAILED && at >= 0 &&
        pwrite(turn->file, &places[turn->turn.place], sizeof(places[0]), at) != (ssize_t)sizeof(places[0]))
        result = ATTEMPT_FAILED;
    flock(turn->file, LOCK_UN);
    return result;
}

/* True when something came in before the pause was over. */
static bool pause_and_hear(int socket)
{
    struct pollfd waiting = {.fd = socket, .events = POLLIN};

    return poll(&waiting, 1, PAUSE_MS) > 0;
}

bool shim_turn_wait(struct shim_turn *turn, uid_t uid, int socket, uint64_t deadline)
{
    const unsigned count = count_turns();
    int refusals = 0;

    turn->turn = (struct turn){.came = shim_clock_ms(), .uid = uid, .place = -1};
    turn->file = open_table();
    while (turn->file >= 0) {
        const enum attempt result = attempt(turn, count);

        if (result == ATTEMPT_BEGINS)
            return true;
        refusals = result == ATTEMPT_REFUSED ? refusals + 1 : 0;
        if (result == ATTEMPT_FAILED || refusals == REFUSALS_MAX)
            return true;
        if (shim_clock_ms() + TURNS_MS >= deadline || pause_and_hear(socket))
            return false;
    }
    return true;
}

void shim_turn_end(struct shim_turn *turn)
{
    static const struct turns_place nobody;
    struct turns_place places[TURNS_PLACES] = {{0}};

    if (turn->file < 0)
        return;
    /* Where the lock is not to be had, the turn ends by itself. */
    if (turn->turn.place >= 0 && lock_table(turn->file) &&
        pread(turn->file, places, sizeof(places), 0) >= 0 && turns_has_place(&turn->turn, places))
        (void)!pwrite(turn->file, &nobody, sizeof(nobody), (off_t)turn->turn.place * (off_t)sizeof(nobody));
    close(turn->file);
    turn->file = -1;
}
