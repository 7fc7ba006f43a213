/* What a confined process cannot do, tried from inside: each attempt in a child of its own. */
#ifndef STEPVAULT_TESTS_CONFINED_H
#define STEPVAULT_TESTS_CONFINED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

#define DONE 42 /* the attempt succeeded */

/* Confines the process; each test's own. */
static void confine(void);

/* The child's wait status after `attempt`, confined; an attempt returns true if it succeeded. */
static int try(bool (*attempt)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        confine();
        _exit(attempt() ? DONE : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_in_vain(bool (*attempt)(void))
{
    int status = try(attempt);

    assert_true(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

static void assert_done(bool (*attempt)(void))
{
    int status = try(attempt);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), DONE);
}

#endif
