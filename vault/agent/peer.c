/* Peer credentials, and the reader process. */
#include "agent/peer.h"

#include "agent/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "confine/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define READER_DEADLINE_MS 200
#define PROCESS_PATH_MAX 64

struct question {
    uint32_t number;
    pid_t pid;
};

/* Sent as far as the texts reach. */
struct answer {
    uint32_t number;
    pid_t parent_pid;
    uint32_t
        program_size; /* of texts: the program with its NUL; the rest is the parent's program with its NUL */
    char texts[2 * LEAF_PROGRAM_MAX];
};

struct peer_description {
    pid_t parent_pid;
    size_t program_size;
    size_t texts_size;
    char texts[];
};

bool peer_identify(int connection, struct peer *ret_peer)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
        size != sizeof(credentials))
        return false;
    *ret_peer = (struct peer){
        .uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid, .connection = connection};
    return true;
}

bool peer_is_owner(const struct peer *peer)
{
    return peer->uid == getuid();
}

/* The path of the program; empty if it cannot be read, or is longer than the log keeps. Its size with the
 * NUL. */
static size_t program_read(pid_t pid, char destination[LEAF_PROGRAM_MAX])
{
    char path[PROCESS_PATH_MAX];
    ssize_t length;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    length = readlink(path, destination, LEAF_PROGRAM_MAX - 1);
    if (length < 0 || length == LEAF_PROGRAM_MAX - 1)
        length = 0;
    destination[length] = '\0';
    return (size_t)length + 1;
}

/* The parent's process id from /proc/<pid>/stat; 0 if it cannot be read. */
static pid_t parent_read(pid_t pid)
{
    char path[PROCESS_PATH_MAX];
    char text[512];
    const char *after;
    ssize_t size;
    int descriptor;
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return 0;
    size = read(descriptor, text, sizeof(text) - 1);
    close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    /* The second field is the command's name, which may hold blanks and parentheses. */
    after = strrchr(text, ')');
    if (after == NULL || sscanf(after + 1, " %*c %d", &parent) != 1)
        return 0;
    return (pid_t)parent;
}

/* Returns the size of the answer. */
static size_t answer_make(pid_t pid, struct answer *answer)
{
    char *parent_program;
    size_t parent_size = 1;

    answer->program_size = (uint32_t)program_read(pid, answer->texts);
    answer->parent_pid = parent_read(pid);
    parent_program = answer->texts + answer->program_size;
    parent_program[0] = '\0';
    if (answer->parent_pid != 0)
        parent_size = program_read(answer->parent_pid, parent_program);
    /* The parent may have ended in between, and its id be another's. */
    if (parent_size > 1 && parent_read(pid) != answer->parent_pid) {
        parent_program[0] = '\0';
        parent_size = 1;
    }
    return offsetof(struct answer, texts) + answer->program_size + parent_size;
}

static void reader_loop(int channel)
{
    for (;;) {
        struct question question;
        struct answer answer;
        ssize_t size = recv(channel, &question, sizeof(question), 0);

        if (size < 0 && errno == EINTR)
            continue;
        if (size != (ssize_t)sizeof(question))
            _exit(0);
        answer.number = question.number;
        size = (ssize_t)answer_make(question.pid, &answer);
        if (send(channel, &answer, (size_t)size, MSG_NOSIGNAL) < 0)
            _exit(0);
    }
}

static void reader_run(int channel)
{
    /* The first connection is among the descriptors: held here too, its client would never see it end. */
    if (dup2(channel, 0) < 0)
        _exit(1);
    file_close_from(1);
    seccomp_confine(SECCOMP_READER);
    reader_loop(0);
}

enum status peer_reader_start(struct failure *failure, struct peer_reader *ret_reader)
{
    const struct timeval deadline = {.tv_usec = READER_DEADLINE_MS * 1000};
    enum status status;

    *ret_reader = (struct peer_reader){.channel = -1};
    status = child_start("stepvault-peer", reader_run, failure, &ret_reader->channel);
    if (status == STATUS_OK)
        setsockopt(ret_reader->channel, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    return status;
}

/* Before Linux 6.5 the kernel cannot say; the answer is taken as it is then. */
static bool peer_has_ended(const struct peer *peer)
{
    struct pollfd watched = {.fd = -1, .events = POLLIN};
    socklen_t size = sizeof(watched.fd);
    bool ended;

    if (getsockopt(peer->connection, SOL_SOCKET, SO_PEERPIDFD, &watched.fd, &size) != 0)
        return errno == ESRCH;
    ended = poll(&watched, 1, 0) == 1;
    close(watched.fd);
    return ended;
}

static void peer_take(struct peer *peer, const struct answer *answer, size_t size)
{
    size_t texts_size = size - offsetof(struct answer, texts);

    peer->answered = true;
    if (peer_has_ended(peer))
        return;
    peer->description = malloc(sizeof(*peer->description) + texts_size);
    if (peer->description == NULL)
        return;
    peer->description->parent_pid = answer->parent_pid;
    peer->description->program_size = answer->program_size;
    peer->description->texts_size = texts_size;
    memcpy(peer->description->texts, answer->texts, texts_size);
}

static void reader_give_up(struct peer_reader *reader)
{
    cleanup_close(&reader->channel);
    reader->answered = reader->asked;
}

/* The reader looks at what others chose; it is not believed beyond that. */
static bool answer_is_sound(const struct answer *answer, ssize_t size, uint32_t number)
{
    size_t texts_size = (size_t)size - offsetof(struct answer, texts);

    return size >= (ssize_t)offsetof(struct answer, texts) + 2 && answer->number == number &&
           answer->program_size >= 1 && answer->program_size < texts_size &&
           answer->program_size <= LEAF_PROGRAM_MAX &&
           texts_size - answer->program_size <= LEAF_PROGRAM_MAX &&
           answer->texts[answer->program_size - 1] == '\0' && answer->texts[texts_size - 1] == '\0';
}

/* Takes the next answer; false if there is none. A reader that is slow once is given up: it must not hold up
 * the agent again and again. */
static bool reader_collect(struct peer_reader *reader, int flags)
{
    struct answer answer;
    struct peer *peer;
    ssize_t size;

    if (reader->channel < 0 || reader->answered == reader->asked)
        return false;
    size = recv(reader->channel, &answer, sizeof(answer), flags);
    if (size < 0 && (flags & MSG_DONTWAIT) && errno == EAGAIN)
        return false;
    if (!answer_is_sound(&answer, size, reader->answered + 1)) {
        reader_give_up(reader);
        return false;
    }
    reader->answered++;
    peer = reader->peers[answer.number % PEER_QUESTIONS_MAX];
    if (peer != NULL)
        peer_take(peer, &answer, (size_t)size);
    return true;
}

void peer_ask(struct peer_reader *reader, struct peer *peer)
{
    const struct question question = {.number = reader->asked + 1, .pid = peer->pid};

    while (reader_collect(reader, MSG_DONTWAIT))
        continue;
    if (reader->channel < 0 || peer->question != 0 ||
        reader->asked - reader->answered == PEER_QUESTIONS_MAX ||
        send(reader->channel, &question, sizeof(question), MSG_DONTWAIT | MSG_NOSIGNAL) !=
            (ssize_t)sizeof(question))
        return;
    reader->asked++;
    reader->peers[question.number % PEER_QUESTIONS_MAX] = peer;
    peer->question = question.number;
}

static void programs_copy(struct leaf_caller *caller, const char *texts, size_t program_size,
                          size_t texts_size)
{
    memcpy(caller->program, texts, program_size);
    memcpy(caller->parent_program, texts + program_size, texts_size - program_size);
}

void peer_describe(struct peer_reader *reader, struct peer *peer, struct leaf_caller *ret_caller)
{
    const struct peer_description *description;

    if (peer->question == 0)
        peer_ask(reader, peer);
    while (!peer->answered && reader_collect(reader, 0)) {
        if (peer->question == 0)
            peer_ask(reader, peer);
    }
    peer->answered = true;
    ret_caller->uid = peer->uid;
    ret_caller->gid = peer->gid;
    ret_caller->pid = peer->pid;
    ret_caller->parent_pid = 0;
    ret_caller->program[0] = '\0';
    ret_caller->parent_program[0] = '\0';
    description = peer->description;
    if (description == NULL)
        return;
    ret_caller->parent_pid = description->parent_pid;
    programs_copy(ret_caller, description->texts, description->program_size, description->texts_size);
}

void peer_forget(struct peer_reader *reader, struct peer *peer)
{
    struct peer **place = &reader->peers[peer->question % PEER_QUESTIONS_MAX];

    if (*place == peer)
        *place = NULL;
    free(peer->description);
    peer->description = NULL;
}

void peer_describe_self(struct leaf_caller *ret_caller)
{
    struct answer answer;
    size_t size = answer_make(getpid(), &answer) - offsetof(struct answer, texts);

    *ret_caller = (struct leaf_caller){
        .uid = getuid(), .gid = getgid(), .pid = getpid(), .parent_pid = answer.parent_pid};
    programs_copy(ret_caller, answer.texts, answer.program_size, size);
}
