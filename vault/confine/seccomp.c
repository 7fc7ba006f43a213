/* The lists of system calls, and the filter program made of them. */
#include "confine/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#else
#define MACHINE 0 /* 32-bit machines have other calls: no list of ours fits them */
#endif

#define INSTRUCTIONS_MAX 400
#define LIST_END (-1)
#define SOCKET_TYPE 0xfu /* of the argument that has flags, too */

/* Old calls are missing on newer machines, and new ones in older headers: those lines stand under #ifdef. */
static const int agent_calls[] = {
    /* The loop, most frequent first. */
    SYS_recvfrom, SYS_sendto, SYS_epoll_pwait, SYS_epoll_ctl, SYS_read, SYS_write, SYS_accept4, SYS_close,
    SYS_getsockopt, SYS_setsockopt, SYS_getsockname, SYS_recvmsg, SYS_sendmsg, SYS_ppoll, SYS_timerfd_settime,
    SYS_shutdown, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    /* SQLite and the files of the vault and the socket. */
    SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_fallocate, SYS_fcntl,
    SYS_flock, SYS_openat, SYS_fstat, SYS_statx, SYS_fstatfs, SYS_statfs, SYS_faccessat, SYS_readlinkat,
    SYS_unlinkat, SYS_renameat2, SYS_mkdirat, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_dup3, SYS_getcwd,
    SYS_umask, SYS_getdents64,
    /* Memory, threads of nobody, identity, signals, the end. */
    SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_futex,
    SYS_getrandom, SYS_sched_yield, SYS_set_robust_list, SYS_prlimit64, SYS_sysinfo, SYS_getrusage,
    SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_tgkill, SYS_exit,
    SYS_exit_group,
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
#ifdef SYS_renameat
    SYS_renameat,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_open
    SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_unlink, SYS_rename, SYS_mkdir, SYS_chmod,
    SYS_dup2, SYS_time,
#endif
    LIST_END};

static const int reader_calls[] = {SYS_recvfrom,   SYS_sendto,       SYS_readlinkat,
                                   SYS_openat,     SYS_read,         SYS_close,
                                   SYS_exit_group, SYS_rt_sigreturn, SYS_restart_syscall,
#ifdef SYS_open
                                   SYS_open,       SYS_readlink,
#endif
                                   LIST_END};

static const int helper_calls[] = {
    /* libcurl, TLS and the look-up of hosts, which has a thread of its own. */
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_sendto,
    SYS_sendmsg, SYS_sendmmsg, SYS_connect, SYS_bind, SYS_listen, SYS_accept4, SYS_getsockopt, SYS_setsockopt,
    SYS_getsockname, SYS_getpeername, SYS_shutdown, SYS_ppoll, SYS_pselect6, SYS_close, SYS_fcntl, SYS_ioctl,
    SYS_pipe2, SYS_eventfd2, SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
    SYS_futex, SYS_set_robust_list, SYS_sched_yield, SYS_sched_getaffinity,
    /* Files that are read: certificates, libraries, the resolver's settings. */
    SYS_fstat, SYS_statx, SYS_fstatfs, SYS_statfs, SYS_lseek, SYS_pread64, SYS_faccessat, SYS_readlinkat,
    SYS_getdents64, SYS_getcwd, SYS_uname,
    /* Memory, identity, signals, the end. */
    SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_getrandom,
    SYS_sysinfo, SYS_getrusage, SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid,
    SYS_getegid, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
    SYS_exit, SYS_exit_group,
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
#ifdef SYS_poll
    SYS_poll, SYS_select,
#endif
#ifdef SYS_open
    SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_pipe, SYS_time, SYS_alarm,
#endif
    LIST_END};

static const int deadly_calls[] = {SYS_execve,
                                   SYS_execveat,
                                   SYS_ptrace,
                                   SYS_process_vm_readv,
                                   SYS_process_vm_writev,
                                   SYS_bpf,
                                   SYS_kexec_load,
                                   SYS_init_module,
                                   SYS_finit_module,
                                   SYS_delete_module,
                                   SYS_mount,
                                   SYS_umount2,
                                   SYS_pivot_root,
                                   SYS_setns,
                                   SYS_unshare,
#ifdef SYS_kexec_file_load
                                   SYS_kexec_file_load,
#endif
                                   LIST_END};

struct program {
    struct sock_filter instructions[INSTRUCTIONS_MAX];
    unsigned short size;
};

static void add(struct program *program, uint16_t code, uint32_t operand, uint8_t if_true, uint8_t if_false)
{
    if (program->size < INSTRUCTIONS_MAX)
        program->instructions[program->size++] =
            (struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = operand};
}

static void add_load(struct program *program, size_t offset)
{
    add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void add_return(struct program *program, uint32_t action)
{
    add(program, BPF_RET | BPF_K, action, 0, 0);
}

/* The low half of an argument, which on every machine in our list is little-endian. */
static size_t argument_offset(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + 8 * argument;
}

static void add_list(struct program *program, const int *calls, uint32_t action)
{
    for (; *calls != LIST_END; calls++) {
        add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)*calls, 0, 1);
        add_return(program, action);
    }
}

/* Sockets, or pairs of them, of these families only. */
static void add_socket(struct program *program, int call, const int *families)
{
    uint8_t count = 0;

    while (families[count] != LIST_END)
        count++;
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, (uint8_t)(2 * count + 2));
    add_load(program, argument_offset(0));
    add_list(program, families, SECCOMP_RET_ALLOW);
    add_return(program, SECCOMP_RET_ERRNO | EPERM);
}

/* Memory, but none that can be run. */
static void add_mapping(struct program *program, int call)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4);
    add_load(program, argument_offset(2));
    add(program, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    add_return(program, SECCOMP_RET_ALLOW);
    add_return(program, SECCOMP_RET_ERRNO | EPERM);
}

/* Memory that can be run only as a file has it: a name service is a library that the C library loads late. */
static void add_library_mapping(struct program *program)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 7);
    add_load(program, argument_offset(2));
    add(program, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 3);
    add(program, BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 3, 0);
    add_load(program, argument_offset(3));
    add(program, BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 1, 0);
    add_return(program, SECCOMP_RET_ALLOW);
    add_return(program, SECCOMP_RET_ERRNO | EPERM);
}

/* Threads, and no other processes. What clone3 is asked for lies in memory, where a filter cannot look; the C
 * library takes clone where there is no clone3. */
static void add_threads(struct program *program)
{
#ifdef SYS_clone3
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    add_return(program, SECCOMP_RET_ERRNO | ENOSYS);
#endif
    add(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    add_load(program, argument_offset(0));
    add(program, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
    add_return(program, SECCOMP_RET_ALLOW);
    add_return(program, SECCOMP_RET_ERRNO | EPERM);
}

/* A call for which all bits of `mask` in this argument are as in `value`. */
static void add_argument(struct program *program, int call, unsigned argument, uint32_t mask, uint32_t value)
{
    add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 5);
    add_load(program, argument_offset(argument));
    add(program, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
    add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    add_return(program, SECCOMP_RET_ALLOW);
    add_return(program, SECCOMP_RET_ERRNO | EPERM);
}

/* Files that are read and never written, where there is no Landlock, too; this process's own signals and
 * limits; and pairs of streams, because a pair of datagram sockets can be led to any other. */
static void add_own(struct program *program)
{
    const uint32_t writing = O_ACCMODE | O_CREAT | O_TRUNC;

    add_argument(program, SYS_openat, 2, writing, O_RDONLY);
#ifdef SYS_open
    add_argument(program, SYS_open, 1, writing, O_RDONLY);
#endif
    add_argument(program, SYS_tgkill, 0, UINT32_MAX, (uint32_t)getpid());
    add_argument(program, SYS_prlimit64, 0, UINT32_MAX, 0);
    add_argument(program, SYS_socketpair, 1, SOCKET_TYPE, SOCK_STREAM);
}

static const int *const role_calls[] = {
    [SECCOMP_AGENT] = agent_calls, [SECCOMP_READER] = reader_calls, [SECCOMP_HELPER] = helper_calls};

/* For the journal, and for a helper. */
static const int agent_families[] = {AF_UNIX, LIST_END};
/* Which addresses this machine has is asked over netlink. Unix sockets would be the way to the agent itself,
 * to service managers and to keyrings; a name service that has one goes without, and DNS is asked. */
static const int helper_families[] = {AF_INET, AF_INET6, AF_NETLINK, LIST_END};

static void program_make(struct program *program, enum seccomp_role role)
{
    add_load(program, offsetof(struct seccomp_data, arch));
    add(program, BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0);
    add_return(program, SECCOMP_RET_KILL_PROCESS);
    add_load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    /* The x32 calls are the same ones under other numbers. */
    add(program, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
    add_return(program, SECCOMP_RET_KILL_PROCESS);
#endif
    add_list(program, role_calls[role], SECCOMP_RET_ALLOW);
    add_list(program, deadly_calls, SECCOMP_RET_KILL_PROCESS);
    if (role == SECCOMP_AGENT) {
        add_socket(program, SYS_socket, agent_families);
        add_socket(program, SYS_socketpair, agent_families);
        add_mapping(program, SYS_mprotect);
        add_mapping(program, SYS_mmap);
    } else if (role == SECCOMP_HELPER) {
        add_socket(program, SYS_socket, helper_families);
        add_mapping(program, SYS_mprotect);
        add_library_mapping(program);
        add_threads(program);
        add_own(program);
    }
    add_return(program, SECCOMP_RET_ERRNO | EPERM);
}

bool seccomp_is_sanitizer_build(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

bool seccomp_confine(enum seccomp_role role)
{
    struct program program = {.size = 0};
    struct sock_fprog wrapped;

    if (MACHINE == 0 || seccomp_is_sanitizer_build())
        return false;
    program_make(&program, role);
    wrapped = (struct sock_fprog){.len = program.size, .filter = program.instructions};
    return program.size < INSTRUCTIONS_MAX && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &wrapped) == 0;
}
