/* What the sandboxed agent cannot do (P8), tried from inside: each attempt in a child of its own. */
#include "agent/sandbox.h"
#include "agent/spawner.h"
#include "confined.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char pins[64];

static int start(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/stepvault-sandbox-XXXXXX");
    snprintf(pins, sizeof(pins), "/tmp/stepvault-sandbox-XXXXXX");
    return mkdtemp(folder) == NULL || mkdtemp(pins) == NULL ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    return rmdir(pins) == 0 ? rmdir(folder) : -1;
}

static void confine(void)
{
    struct sandbox sandbox = {0};

    sandbox_protect_memory(&sandbox);
    sandbox_enter(&sandbox, &(struct sandbox_folders){.vault = folder, .pins = pins, .socket = folder});
}

static bool connects_to_the_network(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ||
           socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || socket(AF_PACKET, SOCK_RAW, 0) >= 0 ||
           socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}) == 0 || errno != EPERM;
}

static bool runs_a_program(void)
{
    char name[] = "true";
    char *const words[] = {name, NULL};

    execve("/bin/true", words, words + 1);
    return true;
}

static bool reads_a_file_elsewhere(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool writes_a_file_elsewhere(void)
{
    return open("/tmp/stepvault-sandbox-escaped", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

static bool traces_its_parent(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool reads_its_parents_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {folder, 1};

    return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1;
}

static bool makes_memory_executable(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}

static bool mounts(void)
{
    return syscall(SYS_mount, "none", folder, "tmpfs", 0, NULL) == 0;
}

/* As it does for each helper. */
static bool hands_a_socket_on(void)
{
    struct spawner spawner;
    struct failure failure;
    int channel[2], near;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
        return false;
    spawner.channel = channel[0];
    return spawner_spawn(&spawner, &failure, &near) == STATUS_OK;
}

static bool works_in_its_folder(void)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/file", folder);
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return descriptor >= 0 && write(descriptor, "x", 1) == 1 && fdatasync(descriptor) == 0 &&
           unlink(path) == 0;
}

static bool works_in_the_folder_of_pins(void)
{
    char draft[96], path[96];

    snprintf(draft, sizeof(draft), "%s/pin.new", pins);
    snprintf(path, sizeof(path), "%s/pin", pins);
    int descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    DIR *list = opendir(pins);
    return descriptor >= 0 && write(descriptor, "x", 1) == 1 && rename(draft, path) == 0 && list != NULL &&
           readdir(list) != NULL && open(path, O_RDONLY | O_CLOEXEC) >= 0 && unlink(path) == 0;
}

static bool opens_a_local_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static void it_still_reads_writes_and_syncs_in_its_own_folder(void **state)
{
    (void)state;
    assert_done(works_in_its_folder);
    assert_done(works_in_the_folder_of_pins);
    assert_done(opens_a_local_socket);
    assert_done(hands_a_socket_on);
}

#ifndef UNDER_SANITIZER
static void it_opens_no_network_socket(void **state)
{
    (void)state;
    assert_in_vain(connects_to_the_network);
}

static void it_runs_no_program(void **state)
{
    (void)state;
    assert_in_vain(runs_a_program);
}

static void it_traces_nobody_and_reads_nobodys_memory(void **state)
{
    (void)state;
    assert_in_vain(traces_its_parent);
    assert_in_vain(reads_its_parents_memory);
}

static void it_mounts_nothing_and_makes_no_memory_executable(void **state)
{
    (void)state;
    assert_in_vain(mounts);
    assert_in_vain(makes_memory_executable);
}
#endif

static void it_touches_no_file_outside_its_folder(void **state)
{
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    assert_in_vain(reads_a_file_elsewhere);
    assert_in_vain(writes_a_file_elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_still_reads_writes_and_syncs_in_its_own_folder),
        cmocka_unit_test(it_touches_no_file_outside_its_folder),
#ifndef UNDER_SANITIZER /* where there is no filter of system calls */
        cmocka_unit_test(it_opens_no_network_socket),
        cmocka_unit_test(it_runs_no_program),
        cmocka_unit_test(it_traces_nobody_and_reads_nobodys_memory),
        cmocka_unit_test(it_mounts_nothing_and_makes_no_memory_executable),
#endif
    };

    return cmocka_run_group_tests(tests, start, stop);
}
