/* What the confined helper cannot do (P8), and what it still must, tried from inside: each attempt in a child
 * of its own. */
#include "oauth/confinement.h"

#include "confine/seccomp.h"
#include "confined.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void confine(void)
{
    confinement_protect_memory();
    confinement_enter();
}

/* ---- what it must be able to do ---- */

static bool connects_to_itself(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return listening >= 0 && other >= 0 && bind(listening, (struct sockaddr *)&address, size) == 0 &&
           listen(listening, 1) == 0 && getsockname(listening, (struct sockaddr *)&address, &size) == 0 &&
           connect(other, (struct sockaddr *)&address, size) == 0 &&
           accept4(listening, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

static bool looks_up_a_host(void)
{
    struct addrinfo *found = NULL;

    return getaddrinfo("localhost", "443", NULL, &found) == 0 && found != NULL;
}

static void *be_a_thread(void *context)
{
    return context;
}

static bool starts_a_thread(void)
{
    pthread_t thread;
    int context = 0;
    void *result = NULL;

    return pthread_create(&thread, NULL, be_a_thread, &context) == 0 && pthread_join(thread, &result) == 0 &&
           result == &context;
}

static bool loads_a_library(void)
{
    int descriptor = open("/usr/bin/env", O_RDONLY | O_CLOEXEC);

    return descriptor >= 0 &&
           mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, descriptor, 0) != MAP_FAILED;
}

static bool reads_settings(void)
{
    return open("/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC) >= 0 &&
           open("/etc/ssl", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0;
}

static void it_still_reaches_the_network(void **state)
{
    (void)state;
    assert_done(connects_to_itself);
    /* A folder that debootstrap made has no /etc/hosts, and localhost is nobody there. */
    if (access("/etc/hosts", F_OK) == 0)
        assert_done(looks_up_a_host);
    assert_done(starts_a_thread);
    assert_done(loads_a_library);
    assert_done(reads_settings);
}

/* ---- what it cannot do ---- */

static bool reads_other_files(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ||
           open("/proc/self/environ", O_RDONLY | O_CLOEXEC) >= 0 ||
           open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0;
}

static bool writes_a_file(void)
{
    return open("/tmp/stepvault-helper-escaped", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 ||
           open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0;
}

static void it_writes_no_file_and_reads_none_but_settings(void **state)
{
    (void)state;
    if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 0) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_in_vain(reads_other_files);
    assert_in_vain(writes_a_file);
}

static void a_path_that_cannot_be_reached_takes_nothing_from_the_confinement(void **state)
{
    char name[PATH_MAX + 2];

    (void)state;
    if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 0) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(setenv("SSL_CERT_FILE", name, 1), 0);
    assert_in_vain(reads_other_files);
    assert_done(reads_settings);
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

static void it_leaves_no_core_and_nobody_may_trace_it(void **state)
{
    struct rlimit limit = {1, 1};
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        confinement_protect_memory();
        _exit(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 &&
                      limit.rlim_max == 0
                  ? DONE
                  : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), DONE);
}

#ifndef UNDER_SANITIZER
static bool runs_a_program(void)
{
    char name[] = "true";
    char *const words[] = {name, NULL};

    execve("/bin/true", words, words + 1);
    return true;
}

static bool makes_a_process(void)
{
    return fork() >= 0 || syscall(SYS_vfork) >= 0;
}

static bool traces_its_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool reads_its_parents_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&byte, 1};

    return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1;
}

static bool makes_memory_executable(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED || mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0 ||
           mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool maps_a_file_to_write_and_run(void)
{
    int descriptor = open("/usr/bin/env", O_RDONLY | O_CLOEXEC);

    return descriptor >= 0 &&
           mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, descriptor, 0) != MAP_FAILED;
}

static bool makes_a_file_of_memory(void)
{
    return memfd_create("code", MFD_CLOEXEC) >= 0;
}

/* The agent itself, the user's service manager and keyrings listen on those. */
static bool opens_a_unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}

static bool makes_a_pair_that_can_be_led_elsewhere(void)
{
    int pair[2];

    return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0 ||
           socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0;
}

static bool makes_a_pair_of_streams(void)
{
    int pair[2];

    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0;
}

static bool signals_its_parent(void)
{
    return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
}

static bool signals_itself(void)
{
    return syscall(SYS_tgkill, getpid(), getpid(), 0) == 0;
}

static bool limits_its_parent(void)
{
    struct rlimit limit;

    return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit) == 0;
}

/* As where the kernel has no Landlock. */
static bool writes_a_file_with_the_filter_alone(void)
{
    static const char path[] = "/tmp/stepvault-helper-escaped";

    return open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0 || open("/dev/null", O_RDWR | O_CLOEXEC) >= 0 ||
           open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || unlink(path) == 0;
}

static bool reads_a_file_with_the_filter_alone(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
}

static int try_with_the_filter_alone(bool (*attempt)(void))
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(seccomp_confine(SECCOMP_HELPER) && attempt() ? DONE : 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool opens_a_raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_VSOCK, SOCK_STREAM, 0) >= 0;
}

static void it_runs_no_program_and_makes_no_process(void **state)
{
    (void)state;
    assert_in_vain(runs_a_program);
    assert_in_vain(makes_a_process);
}

static void it_runs_no_code_but_that_of_files(void **state)
{
    (void)state;
    assert_in_vain(makes_memory_executable);
    assert_in_vain(maps_a_file_to_write_and_run);
    assert_in_vain(makes_a_file_of_memory);
}

static void it_looks_into_no_process_and_opens_no_other_socket(void **state)
{
    (void)state;
    assert_in_vain(traces_its_parent);
    assert_in_vain(reads_its_parents_memory);
    assert_in_vain(opens_a_raw_socket);
    assert_in_vain(opens_a_unix_socket);
    assert_in_vain(makes_a_pair_that_can_be_led_elsewhere);
    assert_done(makes_a_pair_of_streams);
}

static void it_signals_and_limits_nobody_else(void **state)
{
    (void)state;
    assert_in_vain(signals_its_parent);
    assert_in_vain(limits_its_parent);
    assert_done(signals_itself);
}

static void without_landlock_it_still_writes_no_file(void **state)
{
    (void)state;
    assert_int_equal(try_with_the_filter_alone(writes_a_file_with_the_filter_alone), 0);
    assert_int_equal(try_with_the_filter_alone(reads_a_file_with_the_filter_alone), DONE);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_still_reaches_the_network),
        cmocka_unit_test(it_writes_no_file_and_reads_none_but_settings),
        cmocka_unit_test(a_path_that_cannot_be_reached_takes_nothing_from_the_confinement),
        cmocka_unit_test(it_leaves_no_core_and_nobody_may_trace_it),
#ifndef UNDER_SANITIZER /* where there is no filter of system calls */
        cmocka_unit_test(it_runs_no_program_and_makes_no_process),
        cmocka_unit_test(it_runs_no_code_but_that_of_files),
        cmocka_unit_test(it_looks_into_no_process_and_opens_no_other_socket),
        cmocka_unit_test(it_signals_and_limits_nobody_else),
        cmocka_unit_test(without_landlock_it_still_writes_no_file),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
