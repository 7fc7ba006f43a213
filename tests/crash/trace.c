/* Runs a command line under ptrace, and kills stepvault's processes at a chosen system call, counts their
 * calls, or records what they change on the disk and send away.
 *
 *     trace count REPORT COMMAND...              in REPORT: `agent N` and `command N`, the calls that each
 * made trace kill REPORT ROLE NUMBER COMMAND...   kill -9 instead of that call; in REPORT: `killed CALL`, or
 * nothing trace record REPORT FOLDER COMMAND...      in REPORT a line for each change of a file in FOLDER
 * (below)
 *
 * A process that became `stepvault` or `stepvault-manage` is a command, until it becomes a step, and what it
 * forks is an agent. Calls are counted over all processes of a role, in the order in which they are made.
 * Exit status is the command line's. `kill` leaves running what outlives that; `count` and `record` wait for
 * it.
 *
 * Lines of a record; FILE is device:inode, which is used again once a file is gone:
 *
 *     open FILE MODE new|old PATH       with O_CREAT or O_TMPFILE
 *     write FILE OFFSET HEX             truncate FILE SIZE             sync FILE
 *     name FILE PATH                    rename FROM TO                 unname PATH
 *     folder FILE PATH                  send ROLE HEX                  exit ROLE STATUS
 *     unmodelled CALL                   a change that has no line here
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACEES_MAX 256
#define CALL_STOP (SIGTRAP | 0x80)
#define TEXT_MAX (PATH_MAX * 2)

enum role { ROLE_OTHER, ROLE_COMMAND, ROLE_AGENT, ROLE_READER, ROLE_COUNT };
enum mode { MODE_COUNT, MODE_KILL, MODE_RECORD };

static const char *const role_names[ROLE_COUNT] = {"other", "command", "agent", "reader"};

struct tracee {
    pid_t pid; /* 0: free */
    enum role role;
    struct __ptrace_syscall_info call;
    bool existed; /* before the call: what it opens */
};

static struct tracee tracees[TRACEES_MAX];
static enum mode mode;
static FILE *report;
static const char *folder; /* what is recorded */
static enum role victim;
static unsigned long victim_call;
static unsigned long counts[ROLE_COUNT];

/* ---- what a process has in its memory and its descriptors ---- */

static size_t read_memory(pid_t pid, uint64_t address, void *destination, size_t size)
{
    char path[64];
    size_t done = 0;

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    while (memory >= 0 && done < size) {
        ssize_t count = pread(memory, (char *)destination + done, size - done, (off_t)(address + done));
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    if (memory >= 0)
        close(memory);
    return done;
}

static void read_link(char destination[PATH_MAX], pid_t pid, const char *what, int number)
{
    char path[64];

    snprintf(path, sizeof(path), number >= 0 ? "/proc/%d/%s/%d" : "/proc/%d/%s", (int)pid, what, number);
    ssize_t size = readlink(path, destination, PATH_MAX - 1);
    destination[size < 0 ? 0 : size] = '\0';
}

/* The path that the call means by a folder's descriptor and a text in memory. */
static void read_path(char destination[TEXT_MAX], pid_t pid, int at, uint64_t address)
{
    char text[PATH_MAX] = "", base[PATH_MAX] = "";

    text[read_memory(pid, address, text, sizeof(text) - 1)] = '\0';
    if (text[0] != '/')
        read_link(base, pid, at == AT_FDCWD ? "cwd" : "fd", at == AT_FDCWD ? -1 : at);
    snprintf(destination, TEXT_MAX, "%s%s%s", base, base[0] != '\0' ? "/" : "", text);
}

static bool is_inside(const char *path)
{
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Whether the descriptor leads to a file or folder that is recorded; its facts. */
static bool find_file(pid_t pid, int descriptor, struct stat *facts)
{
    char path[64], target[PATH_MAX];

    read_link(target, pid, "fd", descriptor);
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, descriptor);
    return is_inside(target) && stat(path, facts) == 0;
}

static uint64_t file_position(pid_t pid, int descriptor)
{
    char path[64];
    uint64_t position = 0;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, descriptor);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "pos: %" SCNu64, &position) != 1)
        errx(2, "no position of descriptor %d", descriptor);
    fclose(file);
    return position;
}

/* ---- the record ---- */

static void say_file(const char *word, const struct stat *facts)
{
    fprintf(report, "%s %" PRIu64 ":%" PRIu64, word, (uint64_t)facts->st_dev, (uint64_t)facts->st_ino);
}

static void say_bytes(pid_t pid, uint64_t address, uint64_t size)
{
    uint8_t *bytes = malloc(size + 1);

    if (bytes == NULL || read_memory(pid, address, bytes, size) != size)
        errx(2, "cannot read %" PRIu64 " bytes of process %d", size, (int)pid);
    for (uint64_t i = 0; i < size; i++)
        fprintf(report, "%02x", bytes[i]);
    free(bytes);
}

static void say_vector(pid_t pid, uint64_t address, uint64_t count)
{
    struct iovec parts[64];

    if (count > 64 || read_memory(pid, address, parts, count * sizeof(*parts)) != count * sizeof(*parts))
        errx(2, "cannot read what process %d sends", (int)pid);
    for (uint64_t i = 0; i < count; i++)
        say_bytes(pid, (uintptr_t)parts[i].iov_base, parts[i].iov_len);
}

static void record_open(const struct tracee *tracee, const uint64_t *arguments, int64_t result)
{
    char path[TEXT_MAX];
    struct stat facts;
    int flags = (int)arguments[2];

    if ((flags & (O_CREAT | O_TMPFILE | O_TRUNC)) == 0 || !find_file(tracee->pid, (int)result, &facts) ||
        S_ISDIR(facts.st_mode))
        return;
    bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    read_path(path, tracee->pid, (int)arguments[0], arguments[1]);
    say_file("open", &facts);
    fprintf(report, " %o %s %s\n", facts.st_mode & 0777, unnamed || !tracee->existed ? "new" : "old",
            unnamed ? "" : path);
    if ((flags & O_TRUNC) != 0 && tracee->existed) {
        say_file("truncate", &facts);
        fputs(" 0\n", report);
    }
}

static void record_write(const struct tracee *tracee, const uint64_t *arguments, int64_t result, bool placed)
{
    struct stat facts;

    if (!find_file(tracee->pid, (int)arguments[0], &facts))
        return;
    uint64_t offset =
        placed ? arguments[3] : file_position(tracee->pid, (int)arguments[0]) - (uint64_t)result;
    say_file("write", &facts);
    fprintf(report, " %" PRIu64 " ", offset);
    say_bytes(tracee->pid, arguments[1], (uint64_t)result);
    fputc('\n', report);
}

static void record_two(const struct tracee *tracee, const uint64_t *arguments, bool links)
{
    char from[TEXT_MAX], to[TEXT_MAX];
    struct stat facts;

    read_path(from, tracee->pid, (int)arguments[0], arguments[1]);
    read_path(to, tracee->pid, (int)arguments[2], arguments[3]);
    if (!is_inside(to))
        return;
    if (!links) {
        fprintf(report, "rename %s %s\n", from, to);
    } else if (lstat(to, &facts) == 0) {
        say_file("name", &facts);
        fprintf(report, " %s\n", to);
    }
}

static void record_path(const struct tracee *tracee, const uint64_t *arguments, bool made)
{
    char path[TEXT_MAX];
    struct stat facts;

    read_path(path, tracee->pid, (int)arguments[0], arguments[1]);
    if (!is_inside(path))
        return;
    if (!made) {
        fprintf(report, "unname %s\n", path);
    } else if (lstat(path, &facts) == 0) {
        say_file("folder", &facts);
        fprintf(report, " %s\n", path);
    }
}

static void record_file(const struct tracee *tracee, const char *word, int descriptor, int64_t number)
{
    struct stat facts;

    if (!find_file(tracee->pid, descriptor, &facts))
        return;
    say_file(word, &facts);
    if (number >= 0)
        fprintf(report, " %" PRId64, number);
    fputc('\n', report);
}

/* Before the call, since what it sends may arrive before it is over. */
static void record_send(const struct tracee *tracee, const struct __ptrace_syscall_info *call)
{
    const uint64_t *arguments = call->entry.args;
    char target[PATH_MAX];
    struct msghdr message;

    read_link(target, tracee->pid, "fd", (int)arguments[0]);
    if (target[0] == '/')
        return;
    fprintf(report, "send %s ", role_names[tracee->role]);
    if (call->entry.nr == SYS_writev)
        say_vector(tracee->pid, arguments[1], arguments[2]);
    else if (call->entry.nr != SYS_sendmsg)
        say_bytes(tracee->pid, arguments[1], arguments[2]);
    else if (read_memory(tracee->pid, arguments[1], &message, sizeof(message)) == sizeof(message))
        say_vector(tracee->pid, (uintptr_t)message.msg_iov, message.msg_iovlen);
    fputc('\n', report);
}

/* Calls that change a file by a descriptor (the argument's index) in a way that has no line of its own. */
static const struct {
    long number;
    int descriptor;
    const char *name;
} unmodelled[] = {
    {SYS_pwritev,         0, "pwritev"        },
    {SYS_writev,          0, "writev"         },
    {SYS_fallocate,       0, "fallocate"      },
    {SYS_copy_file_range, 2, "copy_file_range"},
    {SYS_sendfile,        0, "sendfile"       },
    {SYS_splice,          2, "splice"         },
    {SYS_sync_file_range, 0, "sync_file_range"},
};

static void record_unmodelled(const struct tracee *tracee, long number, const uint64_t *arguments)
{
    struct stat facts;

    for (size_t i = 0; i < sizeof(unmodelled) / sizeof(unmodelled[0]); i++) {
        if (unmodelled[i].number == number &&
            find_file(tracee->pid, (int)arguments[unmodelled[i].descriptor], &facts))
            fprintf(report, "unmodelled %s\n", unmodelled[i].name);
    }
    if (number == SYS_mmap && (arguments[2] & PROT_WRITE) != 0 && (arguments[3] & MAP_SHARED) != 0 &&
        find_file(tracee->pid, (int)arguments[4], &facts))
        fputs("unmodelled mmap\n", report);
    if (number == SYS_sync || number == SYS_syncfs || number == SYS_truncate || number == SYS_symlinkat ||
        number == SYS_mknodat)
        fprintf(report, "unmodelled call %ld\n", number);
}

/* The calls without a folder's descriptor in the form of those with one; false: it is none of them. */
static bool modernize(struct __ptrace_syscall_info *call)
{
#ifdef SYS_open
    static const struct {
        long old, modern;
        bool pair;
    } forms[] = {
        {SYS_open,   SYS_openat,    false},
        {SYS_mkdir,  SYS_mkdirat,   false},
        {SYS_unlink, SYS_unlinkat,  false},
        {SYS_rmdir,  SYS_unlinkat,  false},
        {SYS_link,   SYS_linkat,    true },
        {SYS_rename, SYS_renameat2, true },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if ((long)call->entry.nr == forms[i].old) {
            uint64_t *arguments = call->entry.args;
            uint64_t second = arguments[1];
            arguments[1] = arguments[0];
            arguments[0] = (uint64_t)AT_FDCWD;
            arguments[3] = forms[i].pair ? second : arguments[2];
            arguments[2] = forms[i].pair ? (uint64_t)AT_FDCWD : second;
            call->entry.nr = (uint64_t)forms[i].modern;
            return true;
        }
    }
#else
    (void)call;
#endif
    return false;
}

static void record_exit(const struct tracee *tracee, int64_t result)
{
    const uint64_t *arguments = tracee->call.entry.args;
    long number = (long)tracee->call.entry.nr;

    if (result < 0)
        return;
    if (number == SYS_openat)
        record_open(tracee, arguments, result);
    else if (number == SYS_pwrite64 || number == SYS_write)
        record_write(tracee, arguments, result, number == SYS_pwrite64);
    else if (number == SYS_ftruncate)
        record_file(tracee, "truncate", (int)arguments[0], (int64_t)arguments[1]);
    else if (number == SYS_fsync || number == SYS_fdatasync)
        record_file(tracee, "sync", (int)arguments[0], -1);
    else if (number == SYS_renameat2 || number == SYS_renameat || number == SYS_linkat)
        record_two(tracee, arguments, number == SYS_linkat);
    else if (number == SYS_mkdirat || number == SYS_unlinkat)
        record_path(tracee, arguments, number == SYS_mkdirat);
    else
        record_unmodelled(tracee, number, arguments);
}

static void record_entry(struct tracee *tracee)
{
    const struct __ptrace_syscall_info *call = &tracee->call;
    char path[TEXT_MAX];
    struct stat facts;

    (void)modernize(&tracee->call);
    switch (call->entry.nr) {
    case SYS_openat:
        read_path(path, tracee->pid, (int)call->entry.args[0], call->entry.args[1]);
        tracee->existed = lstat(path, &facts) == 0;
        break;
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
        record_send(tracee, call);
        break;
    case SYS_exit_group:
        fprintf(report, "exit %s %d\n", role_names[tracee->role], (int)call->entry.args[0] & 255);
        break;
    default:
        break;
    }
}

/* ---- tracing ---- */

static struct tracee *find_tracee(pid_t pid)
{
    struct tracee *found = NULL;

    for (size_t i = 0; i < TRACEES_MAX; i++) {
        if (tracees[i].pid == pid)
            return &tracees[i];
        if (tracees[i].pid == 0 && found == NULL)
            found = &tracees[i];
    }
    if (found == NULL)
        errx(2, "too many processes");
    *found = (struct tracee){.pid = pid};
    return found;
}

static enum role role_of_program(pid_t pid)
{
    char path[PATH_MAX];

    read_link(path, pid, "exe", -1);
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    if (strcmp(name, "stepvault") == 0 || strcmp(name, "stepvault-manage") == 0)
        return ROLE_COMMAND;
    return strcmp(name, "stepvault-agent") == 0 ? ROLE_AGENT : ROLE_OTHER;
}

static void call_stopped(struct tracee *tracee)
{
    struct __ptrace_syscall_info info = {0};

    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof(info), &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        tracee->call = info;
        counts[tracee->role]++;
        if (mode == MODE_RECORD)
            record_entry(tracee);
        if (mode == MODE_KILL && tracee->role == victim && counts[victim] == victim_call) {
            kill(tracee->pid, SIGKILL);
            fprintf(report, "killed %" PRIu64 "\n", (uint64_t)info.entry.nr);
        }
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && mode == MODE_RECORD &&
               tracee->call.op == PTRACE_SYSCALL_INFO_ENTRY) {
        record_exit(tracee, info.exit.rval);
    }
}

/* The signal to hand on. */
static int stopped(struct tracee *tracee, int status)
{
    static const enum role children[ROLE_COUNT] = {ROLE_OTHER, ROLE_AGENT, ROLE_READER, ROLE_READER};
    int event = status >> 16;
    unsigned long child;

    if (WSTOPSIG(status) == CALL_STOP) {
        call_stopped(tracee);
        return 0;
    }
    if (event == PTRACE_EVENT_EXEC) {
        tracee->role = role_of_program(tracee->pid);
        return 0;
    }
    if (event != 0 && event != PTRACE_EVENT_STOP && ptrace(PTRACE_GETEVENTMSG, tracee->pid, 0, &child) == 0)
        find_tracee((pid_t)child)->role = children[tracee->role];
    if (event != 0)
        return 0;
    return WSTOPSIG(status);
}

static bool is_watched(const struct tracee *tracee)
{
    if (mode == MODE_KILL)
        return tracee->role == victim && counts[victim] < victim_call;
    return tracee->role != ROLE_OTHER && (mode == MODE_RECORD || tracee->role != ROLE_READER);
}

static int trace(pid_t child)
{
    int status, ended = 255;
    pid_t pid;

    while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (pid < 0)
            continue;
        struct tracee *tracee = find_tracee(pid);
        if (!WIFSTOPPED(status)) {
            tracee->pid = 0;
            if (pid != child)
                continue;
            ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            if (mode == MODE_KILL)
                break;
            continue;
        }
        int signal = stopped(tracee, status);
        /* Fails where the process was killed meanwhile, which waitpid will say. */
        ptrace(is_watched(tracee) ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, signal);
    }
    return ended;
}

/* Seized, not attached: what outlives us must not keep a stop that was meant for us. */
static pid_t start(char *const command[])
{
    int status;
    pid_t child = fork();

    if (child < 0)
        err(2, "fork");
    if (child == 0) {
        raise(SIGSTOP);
        execvp(command[0], command);
        _exit(127);
    }
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SEIZE, child, 0,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_TRACEEXEC) != 0)
        err(2, "ptrace");
    kill(child, SIGCONT);
    return child;
}

int main(int argc, char *argv[])
{
    static const char *const modes[] = {"count", "kill", "record"};
    static const int before_command[] = {3, 5, 4};

    while (argc > 1 && mode < MODE_RECORD && strcmp(argv[1], modes[mode]) != 0)
        mode++;
    if (argc <= before_command[mode] || strcmp(argv[1], modes[mode]) != 0)
        errx(2, "usage: trace count REPORT COMMAND... | kill REPORT ROLE NUMBER COMMAND... | "
                "record REPORT FOLDER COMMAND...");
    report = fopen(argv[2], "we");
    if (report == NULL)
        err(2, "%s", argv[2]);
    if (mode == MODE_KILL) {
        victim = strcmp(argv[3], role_names[ROLE_AGENT]) == 0 ? ROLE_AGENT : ROLE_COMMAND;
        victim_call = strtoul(argv[4], NULL, 10);
    }
    folder = argv[3];
    int ended = trace(start(argv + before_command[mode]));
    if (mode == MODE_COUNT)
        fprintf(report, "agent %lu\ncommand %lu\n", counts[ROLE_AGENT], counts[ROLE_COMMAND]);
    return fclose(report) == 0 ? ended : 2;
}
