/* host HABIT SERVICE USER PASSWORD [TIMES]: calls PAM as a program that has habits of its own, and says on
 * stdout, as `name value`, what the calls took and what they left changed of it. With TIMES it logs in and
 * out that often, as a display manager does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *password;
static volatile sig_atomic_t children_seen;
/* What a habit took away, to be given back at the end: leaks are looked for by a thread. */
static struct {
    int resource;
    struct rlimit limit;
} before_habit = {.resource = -1};

static void count_child(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        children_seen++;
}

static int answer(int count, const struct pam_message **messages, struct pam_response **ret_responses,
                  void *data)
{
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

    (void)data;
    for (int i = 0; i < count; i++)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            responses[i].resp = strdup(password);
    *ret_responses = responses;
    return PAM_SUCCESS;
}

static unsigned long count_entries(const char *path)
{
    DIR *list = opendir(path);
    unsigned long count = 0;

    if (list == NULL)
        return 0;
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count;
}

/* A number of /proc/self/status. */
static unsigned long status_number(const char *name)
{
    FILE *file = fopen("/proc/self/status", "re");
    unsigned long number = 0;
    char line[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            number = strtoul(line + strlen(name), NULL, 10);
    if (file != NULL)
        fclose(file);
    return number;
}

static unsigned long count_mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    unsigned long count = 0;
    int byte;

    while (file != NULL && (byte = fgetc(file)) != EOF)
        count += byte == '\n';
    if (file != NULL)
        fclose(file);
    return count;
}

/* All that a module could leave changed, as text to compare. */
static void describe(char *text, size_t size)
{
    sigset_t blocked;
    int length;

    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    length = snprintf(text, size, "fds %lu threads %lu euid %d", count_entries("/proc/self/fd"),
                      count_entries("/proc/self/task"), (int)geteuid());
    for (int number = 1; number < 65; number++) {
        struct sigaction action;

        if (sigaction(number, NULL, &action) == 0)
            length += snprintf(text + length, size - (size_t)length, "%c%c",
                               action.sa_handler == SIG_DFL   ? 'd'
                               : action.sa_handler == SIG_IGN ? 'i'
                                                              : 'h',
                               sigismember(&blocked, number) ? 'b' : '-');
    }
    snprintf(text + length, size - (size_t)length, " environ %s", getenv("HOST_PROBE"));
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *spin(void *stop)
{
    while (!*(volatile int *)stop) {
        free(malloc(1000));
        usleep(100);
    }
    return NULL;
}

static void limit(int resource, rlim_t number)
{
    struct rlimit limit;

    getrlimit(resource, &limit);
    if (before_habit.resource < 0) {
        before_habit.resource = resource;
        before_habit.limit = limit;
    }
    limit.rlim_cur = number;
    setrlimit(resource, &limit);
}

static void give_back(void)
{
    if (before_habit.resource >= 0)
        setrlimit((__rlimit_resource_t)before_habit.resource, &before_habit.limit);
}

static void take_habits(const char *habit)
{
    if (strcmp(habit, "ignores-children") == 0)
        signal(SIGCHLD, SIG_IGN);
    if (strcmp(habit, "reaps-children") == 0)
        signal(SIGCHLD, count_child);
    if (strcmp(habit, "few-descriptors") == 0)
        limit(RLIMIT_NOFILE, 10);
    if (strcmp(habit, "few-processes") == 0)
        limit(RLIMIT_NPROC, 1);
    if (strcmp(habit, "no-locked-memory") == 0)
        limit(RLIMIT_MEMLOCK, 0);
    if (strcmp(habit, "blocks-signals") == 0) {
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
    }
    if (strcmp(habit, "no-standard-descriptors") == 0)
        for (int descriptor = 0; descriptor < 3; descriptor += 2)
            close(descriptor);
}

/* What would stop PAM itself before. */
static void take_late_habits(const char *habit)
{
    const unsigned long size = status_number("VmSize:") * 1024;

    if (strcmp(habit, "little-memory") == 0)
        limit(RLIMIT_AS, size + 8 * 1024 * 1024);
    if (strcmp(habit, "no-memory") == 0)
        limit(RLIMIT_AS, size);
    if (strncmp(habit, "descriptors-left-", strlen("descriptors-left-")) == 0)
        limit(RLIMIT_NOFILE,
              count_entries("/proc/self/fd") - 3 + strtoul(habit + strlen("descriptors-left-"), NULL, 10));
}

static bool log_in(const char *service, const char *user, const struct pam_conv *conversation)
{
    pam_handle_t *pamh = NULL;
    bool given;
    int status;

    if (pam_start(service, user, conversation, &pamh) != PAM_SUCCESS)
        return false;
    status = pam_authenticate(pamh, 0);
    if (status == PAM_SUCCESS)
        status = pam_open_session(pamh, 0);
    given = status == PAM_SUCCESS && pam_getenv(pamh, "SESSION_KEY") != NULL;
    pam_close_session(pamh, 0);
    pam_end(pamh, status);
    return given;
}

static int log_in_often(const char *service, const char *user, const struct pam_conv *conversation,
                        unsigned long times)
{
    static char texts[2][4096];
    struct {
        long mappings, locked, bytes;
    } memory[2];
    unsigned long given = 0;

    /* The first ones load what stays. */
    for (int i = 0; i < 3; i++)
        log_in(service, user, conversation);
    for (int i = 0; i < 2; i++) {
        describe(texts[i], sizeof(texts[i]));
        memory[i].mappings = (long)count_mappings();
        memory[i].locked = (long)status_number("VmLck:");
        memory[i].bytes = (long)mallinfo2().uordblks;
        for (unsigned long done = 0; i == 0 && done < times; done++)
            given += log_in(service, user, conversation);
    }
    printf("given %lu\nchanged %s\n", given, strcmp(texts[0], texts[1]) == 0 ? "nothing" : texts[1]);
    printf("grown %ld mappings, %ld KiB locked, %ld bytes\n", memory[1].mappings - memory[0].mappings,
           memory[1].locked - memory[0].locked, memory[1].bytes - memory[0].bytes);
    printf("waited %s\n", waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD ? "none" : "some");
    return 0;
}

int main(int argc, char **argv)
{
    const struct pam_conv conversation = {.conv = answer};
    static char before[4096], after[4096];
    static volatile int stop;
    pthread_t threads[4];
    pam_handle_t *pamh = NULL;
    double started, opened, ended;
    int status;

    if (argc < 5)
        return 2;
    password = argv[4];
    setenv("HOST_PROBE", "kept", 1);
    take_habits(argv[1]);
    if (strcmp(argv[1], "threads") == 0)
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, spin, (void *)&stop);
    /* The socket to the journal is opened by the first line, whoever writes it, and stays. */
    syslog(LOG_AUTHPRIV | LOG_DEBUG, "the test begins");
    if (argc > 5)
        return log_in_often(argv[2], argv[3], &conversation, strtoul(argv[5], NULL, 10));
    if (pam_start(argv[2], argv[3], &conversation, &pamh) != PAM_SUCCESS)
        return 2;
    /* What other modules open for good is open then. */
    status = pam_authenticate(pamh, 0);
    /* As xrdp does: the session is opened in another process. */
    if (strcmp(argv[1], "forks-between") == 0 && fork() != 0) {
        status = wait(NULL) > 0 ? 0 : 2;
        pam_end(pamh, PAM_DATA_SILENT);
        return status;
    }
    /* sshd's other process has more to hand over than there is memory for. */
    if (strcmp(argv[1], "no-memory") == 0)
        pam_putenv(pamh, "STEPVAULT_BRIDGE=rest");
    describe(before, sizeof(before));
    take_late_habits(argv[1]);
    started = now_ms();
    status = status == PAM_SUCCESS ? pam_open_session(pamh, 0) : status;
    opened = now_ms();
    give_back();
    describe(after, sizeof(after));
    printf("status %d\nvariable %s\nbridge %s\n", status, pam_getenv(pamh, "SESSION_KEY"),
           pam_getenv(pamh, "STEPVAULT_BRIDGE"));
    printf("changed %s\nchildren %d\n", strcmp(before, after) == 0 ? "nothing" : after, (int)children_seen);
    printf("waited %s\n", waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD ? "none" : "some");
    if (strcmp(before, after) != 0)
        printf("before %s\n", before);
    pam_close_session(pamh, 0);
    ended = now_ms();
    printf("open %.0f\nclose %.0f\n", opened - started, ended - opened);
    stop = 1;
    if (strcmp(argv[1], "threads") == 0)
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    pam_end(pamh, status);
    return 0;
}
