/* One datagram to /dev/log, as syslog() would send it. syslog() itself waits while the journal's queue is
 * full, and its settings belong to the host of the library. */
#include "client/journal.h"

#include "base/cleanup.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* A path in a line of text: what could steer a terminal or begin another line is replaced. */
static void path_make_plain(char *path)
{
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path < 0x20 || *path == 0x7f)
            *path = '?';
    }
}

void journal_note_refusal(const char *purpose)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    CLEANUP(cleanup_close) int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char executable[PATH_MAX];
    char line[PATH_MAX + 256];
    ssize_t size = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
    int length;

    if (descriptor < 0 || connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return;
    executable[size > 0 ? size : 0] = '\0';
    path_make_plain(executable);
    length =
        snprintf(line, sizeof(line), "<%d>stepvault[%ld]: refused %s while locked: uid %lu pid %ld exe %s",
                 LOG_AUTHPRIV | LOG_NOTICE, (long)getpid(), purpose, (unsigned long)getuid(), (long)getpid(),
                 executable);
    if (length > 0 && (size_t)length < sizeof(line))
        (void)!send(descriptor, line, (size_t)length, MSG_NOSIGNAL);
}
