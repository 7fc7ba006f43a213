/* calls SERVICE USER OPERATIONS [PASSWORD...]: calls PAM in the order of some program. OPERATIONS are
 * letters: a authenticate, m account, e r f d setcred (establish, reinitialise, refresh, delete), o open, c
 * close the session; `(` and `)` around what a child does, for which the caller waits; S everything from here
 * on silent; U the user becomes root, as sudo and doas have it; T four threads; H a handler that reaps
 * whatever child ends; P the sandbox of polkit's helper; and v w l, which say what there is: the session's
 * variable, who is missing a parent, the locked memory. Each question takes the next password, and the last
 * one is for all that follow.
 *
 * Says `LETTER STATUS` of each call, and at the end what there was to read for the user. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **passwords;
static unsigned texts;
static volatile sig_atomic_t reaped;

static int answer(int count, const struct pam_message **messages, struct pam_response **ret_responses,
                  void *data)
{
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

    (void)data;
    for (int i = 0; i < count; i++) {
        const int style = messages[i]->msg_style;

        texts += style == PAM_TEXT_INFO || style == PAM_ERROR_MSG;
        if (style != PAM_PROMPT_ECHO_OFF || *passwords == NULL)
            continue;
        responses[i].resp = strdup(*passwords);
        passwords += passwords[1] != NULL;
    }
    *ret_responses = responses;
    return PAM_SUCCESS;
}

static void reap(int number)
{
    const int before = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
    errno = before;
}

static void *spin(void *unused)
{
    (void)unused;
    for (;;) {
        free(malloc(1000));
        usleep(100);
    }
    return NULL;
}

/* ProtectHome, PrivateDevices, LimitMEMLOCK=0, NoNewPrivileges, and no address family at all. */
static void enter_sandbox(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof(program) / sizeof(program[0]), .filter = program};
    const struct rlimit none = {0, 0};

    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("hidden", "/home", "tmpfs", 0, "mode=0") != 0 ||
        mount("hidden", "/run/user", "tmpfs", 0, "mode=0") != 0 || setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0) {
        perror("sandbox");
        exit(2);
    }
}

/* Mappings that are locked, left out of core files, and zero in a forked child. */
static unsigned count_secret_memory(void)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned count = 0;

    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        count += strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " lo ") != NULL &&
                 strstr(line, " dd ") != NULL && strstr(line, " wf ") != NULL;
    if (maps != NULL)
        fclose(maps);
    return count;
}

static void block_children(sigset_t *ret_before)
{
    sigset_t children;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &children, ret_before);
}

/* The handler runs in the first thread alone, which is the one that can do without it. */
static void start_threads(void)
{
    sigset_t before;
    pthread_t thread;

    block_children(&before);
    for (int i = 0; i < 4; i++)
        pthread_create(&thread, NULL, spin, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* True in the child. The caller waits for it by itself: it is none of those that the handler counts. */
static bool in_child(void)
{
    sigset_t before;
    pid_t child;

    block_children(&before);
    child = fork();
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return child == 0;
}

static void take_habit(char letter, pam_handle_t *pamh)
{
    const char *variable = pam_getenv(pamh, "SESSION_KEY");

    if (letter == 'T')
        start_threads();
    if (letter == 'H')
        signal(SIGCHLD, reap);
    if (letter == 'P')
        enter_sandbox();
    if (letter == 'U')
        pam_set_item(pamh, PAM_USER, "root");
    if (letter == 'v')
        printf("variable %s\n", variable != NULL ? variable : "none");
    if (letter == 'w')
        printf("reaped %d\nleft %s\n", (int)reaped,
               waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD ? "none" : "some");
    if (letter == 'l')
        printf("locked %u\n", count_secret_memory());
}

static const struct call {
    char letter;
    int (*function)(pam_handle_t *pamh, int flags);
    int flags;
} calls[] = {
    {'a', pam_authenticate,  0                    },
    {'m', pam_acct_mgmt,     0                    },
    {'e', pam_setcred,       PAM_ESTABLISH_CRED   },
    {'r', pam_setcred,       PAM_REINITIALIZE_CRED},
    {'f', pam_setcred,       PAM_REFRESH_CRED     },
    {'d', pam_setcred,       PAM_DELETE_CRED      },
    {'o', pam_open_session,  0                    },
    {'c', pam_close_session, 0                    },
};

static const struct call *find_call(char letter)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (calls[i].letter == letter)
            return &calls[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct pam_conv conversation = {.conv = answer};
    pam_handle_t *pamh = NULL;
    int flags = 0;
    int status = PAM_SUCCESS;

    if (argc < 4 || pam_start(argv[1], argv[2], &conversation, &pamh) != PAM_SUCCESS)
        return 2;
    passwords = argv + 4;
    setvbuf(stdout, NULL, _IONBF, 0);
    for (const char *letter = argv[3]; *letter != '\0'; letter++) {
        const struct call *call = find_call(*letter);

        if (call != NULL) {
            status = call->function(pamh, call->flags | flags);
            printf("%c %d\n", *letter, status);
        } else if (*letter == 'S') {
            flags |= PAM_SILENT;
        } else if (*letter == '(') {
            if (in_child())
                continue;
            letter = strchr(letter, ')');
        } else if (*letter == ')') {
            pam_end(pamh, status | PAM_DATA_SILENT);
            _exit(0);
        } else {
            take_habit(*letter, pamh);
        }
    }
    pam_end(pamh, status);
    printf("texts %u\n", texts);
    return 0;
}
