/* One datagram to /dev/log, as syslog() would send it. */
#include "base/journal.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

int journal_open_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void journal_note(int descriptor, const char *program, const char *format, ...)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    char line[JOURNAL_LINE_MAX];
    int head =
        snprintf(line, sizeof(line), "<%d>%s[%ld]: ", LOG_AUTHPRIV | LOG_NOTICE, program, (long)getpid());
    va_list arguments;
    int length;

    if (head < 0 || (size_t)head >= sizeof(line))
        return;
    va_start(arguments, format);
    length = vsnprintf(line + head, sizeof(line) - (size_t)head, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    /* Unconnected, so that a journal which started or restarted after us gets the line. */
    (void)!sendto(descriptor, line, text_make_plain(line), MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&address, sizeof(address));
}
