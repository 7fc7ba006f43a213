/* Not syslog(3), which blocks while the journal's socket is full. */
#include "agent/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static int journal_socket = -1;

void journal_open(void)
{
    journal_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A program's path is the kernel's word, but its owner chose it: no byte of it may end the line. */
static void program_copy(char destination[256], const char *program)
{
    size_t at = 0;

    for (; program[at] != '\0' && at < 255; at++)
        destination[at] = program[at] < 0x20 || program[at] == 0x7f ? '?' : program[at];
    destination[at] = '\0';
}

void journal_refusal(const char *action, const struct leaf_caller *caller, enum status why, uint64_t count)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char program[256];
    char line[512];
    int length;

    program_copy(program, caller->program);
    length = snprintf(line, sizeof(line),
                      "<%d>stepvault-agent[%d]: refused %s to uid %u, pid %d (%s): %s, %" PRIu64 " times",
                      LOG_AUTHPRIV | LOG_NOTICE, (int)getpid(), action, (unsigned)caller->uid,
                      (int)caller->pid, program, status_wire_name(why), count);
    if (journal_socket < 0 || length < 0)
        return;
    /* Unconnected, so that a journal which started or restarted after us gets the line. */
    sendto(journal_socket, line, strnlen(line, sizeof(line)), MSG_DONTWAIT | MSG_NOSIGNAL,
           (const struct sockaddr *)&address, sizeof(address));
}
