/* The spawner's end of its channel, where the test is the spawner. */
#ifndef STEPVAULT_TESTS_SPAWNED_H
#define STEPVAULT_TESTS_SPAWNED_H

#include <string.h>
#include <sys/socket.h>

/* The end of a helper that is to be started; -1 where there is none. */
static inline int spawned_take(int channel)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec content = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int descriptor;

    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1 || CMSG_FIRSTHDR(&message) == NULL)
        return -1;
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    return descriptor;
}

#endif
