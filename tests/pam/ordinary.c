/* ordinary SERVICE USER OPERATIONS [ANSWER...]: the module under libpamtest, as whoever runs it. OPERATIONS
 * are letters: a authenticate, s setcred, r the same to reinitialise, o open, c close, p change the password,
 * b run $BETWEEN. Prints the environment that PAM has at the end; exits with PAM's first status that is no
 * success. */
#include <libpamtest.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    char letter;
    enum pamtest_ops operation;
    int flags;
} operations[] = {
    {'a', PAMTEST_AUTHENTICATE,  0                    },
    {'s', PAMTEST_SETCRED,       PAM_ESTABLISH_CRED   },
    {'r', PAMTEST_SETCRED,       PAM_REINITIALIZE_CRED},
    {'o', PAMTEST_OPEN_SESSION,  0                    },
    {'c', PAMTEST_CLOSE_SESSION, 0                    },
    {'p', PAMTEST_CHAUTHTOK,     0                    },
};

static void run_between(void)
{
    pid_t child = fork();

    if (child == 0) {
        execl("/bin/sh", "sh", "-c", getenv("BETWEEN"), NULL);
        _exit(127);
    }
    waitpid(child, NULL, 0);
}

/* One operation on the handle; what libpamtest thinks of its result does not matter here. */
static int run(char letter, const char *service, const char *user, const char **answers,
               pam_handle_t **handle)
{
    struct pamtest_conv_data conversation = {.in_echo_off = answers};
    struct pam_testcase cases[] = {
        pam_test(PAMTEST_AUTHENTICATE, PAM_SUCCESS),
        pam_test(PAMTEST_KEEPHANDLE, PAM_SUCCESS),
    };

    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (operations[i].letter == letter) {
            cases[0].pam_operation = operations[i].operation;
            cases[0].flags = operations[i].flags;
        }
    }
    if (run_pamtest(service, user, &conversation, cases, *handle) == PAMTEST_ERR_CASE)
        return cases[0].op_rv;
    *handle = cases[1].case_out.ph;
    return PAM_SUCCESS;
}

int main(int argc, char **argv)
{
    const char **answers = (const char **)(uintptr_t)(argv + 4);
    pam_handle_t *handle = NULL;
    char **environment;

    if (argc < 4)
        return 125;
    for (const char *letter = argv[3]; *letter != '\0'; letter++) {
        int status;

        if (*letter == 'b') {
            run_between();
            continue;
        }
        status = run(*letter, argv[1], argv[2], answers, &handle);
        if (status != PAM_SUCCESS)
            return status;
    }
    environment = pam_getenvlist(handle);
    for (char **entry = environment; entry != NULL && *entry != NULL; entry++)
        puts(*entry);
    pamtest_free_env(environment);
    pam_end(handle, PAM_SUCCESS);
    return 0;
}
