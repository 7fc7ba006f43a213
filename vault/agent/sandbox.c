/* Stages of the sandbox. Landlock by system calls, with the constants of its newer versions, which Debian
 * 12's headers lack. */
#include "agent/sandbox.h"

#include "agent/seccomp.h"
#include "base/cleanup.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FILE_WRITE (1ull << 1)
#define FILE_READ (1ull << 2)
#define FOLDER_READ (1ull << 3)
#define FILE_REMOVE (1ull << 5)
#define FILE_MAKE (1ull << 8)
#define FILE_TRUNCATE (1ull << 14)

/* What each version of Landlock handles: file rights 0 to 12, then refer, truncate, network, device ioctl,
 * scopes. */
struct landlock_version {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

static const struct landlock_version landlock_versions[] = {
    {(1ull << 13) - 1, 0, 0},
    {(1ull << 14) - 1, 0, 0},
    {(1ull << 15) - 1, 0, 0},
    {(1ull << 15) - 1, 3, 0},
    {(1ull << 16) - 1, 3, 0},
    {(1ull << 16) - 1, 3, 3},
};
#define LANDLOCK_VERSIONS (sizeof(landlock_versions) / sizeof(landlock_versions[0]))

/* As the kernel has it: older kernels take a prefix, whose rest must be zero. */
struct ruleset_attributes {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

struct path_rule {
    uint64_t rights;
    int32_t folder;
} __attribute__((packed));

static void stage_add(struct sandbox *sandbox, const char *name, bool held, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void stage_add(struct sandbox *sandbox, const char *name, bool held, const char *format, ...)
{
    struct protection *stage = &sandbox->stages[sandbox->count++];
    va_list arguments;

    stage->name = name;
    stage->held = held;
    va_start(arguments, format);
    vsnprintf(stage->detail, sizeof(stage->detail), format, arguments);
    va_end(arguments);
}

void sandbox_protect_memory(struct sandbox *sandbox)
{
    bool held = secret_protect_process(true);

    stage_add(sandbox, "core dumps off", held, "%s", held ? "" : "the kernel refused");
}

static void stage_no_new_privileges(struct sandbox *sandbox)
{
    bool held = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

    stage_add(sandbox, "no new privileges", held, "%s", held ? "" : "the kernel refused");
}

static bool landlock_allow(int ruleset, uint64_t handled, const char *folder, uint64_t rights)
{
    struct path_rule rule = {.rights = rights & handled, .folder = -1};
    CLEANUP(cleanup_close) int descriptor = -1;

    if (folder == NULL)
        return true;
    descriptor = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return errno == ENOENT || errno == ENOTDIR;
    rule.folder = descriptor;
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool landlock_restrict(const struct landlock_version *version, const struct sandbox_folders *folders)
{
    const struct ruleset_attributes attributes = {version->files, version->network, version->scopes};
    const size_t size = version->scopes != 0    ? sizeof(attributes)
                        : version->network != 0 ? offsetof(struct ruleset_attributes, scopes)
                                                : offsetof(struct ruleset_attributes, network);
    const uint64_t file_rights =
        FILE_READ | FILE_WRITE | FOLDER_READ | FILE_REMOVE | FILE_MAKE | FILE_TRUNCATE;
    const uint64_t socket_rights = FOLDER_READ | FILE_REMOVE;
    CLEANUP(cleanup_close) int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);

    return ruleset >= 0 && landlock_allow(ruleset, version->files, folders->vault, file_rights) &&
           landlock_allow(ruleset, version->files, folders->pins, file_rights) &&
           landlock_allow(ruleset, version->files, folders->socket, socket_rights) &&
           syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

static void stage_landlock(struct sandbox *sandbox, const struct sandbox_folders *folders)
{
    long found = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);
    size_t version = found < (long)LANDLOCK_VERSIONS ? (size_t)(found > 0 ? found : 0) : LANDLOCK_VERSIONS;

    if (version == 0)
        stage_add(sandbox, "landlock", false, "this kernel has no Landlock");
    else if (!landlock_restrict(&landlock_versions[version - 1], folders))
        stage_add(sandbox, "landlock", false, "the kernel refused: %s", strerror(errno));
    else
        stage_add(sandbox, "landlock", true, "version %zu: files%s%s%s", version,
                  version >= 3 ? ", truncating" : "", version >= 4 ? ", network" : "",
                  version >= 6 ? ", signals and abstract sockets" : "");
}

static void stage_system_calls(struct sandbox *sandbox)
{
    bool held = seccomp_confine(SECCOMP_AGENT);

    stage_add(sandbox, "system calls", held, "%s",
              held                           ? ""
              : seccomp_is_sanitizer_build() ? "off in a sanitizer build"
                                             : "the kernel refused the filter");
}

void sandbox_enter(struct sandbox *sandbox, const struct sandbox_folders *folders)
{
    stage_no_new_privileges(sandbox);
    stage_landlock(sandbox, folders);
    stage_system_calls(sandbox);
}

void sandbox_memory_locked(struct protection *ret_protection)
{
    size_t unlocked = secret_heap_unlocked();

    ret_protection->name = "memory locked";
    ret_protection->held = unlocked == 0;
    ret_protection->detail[0] = '\0';
    if (unlocked > 0)
        snprintf(ret_protection->detail, sizeof(ret_protection->detail),
                 "%zu of %zu KiB of secret memory are not locked: the limit of locked memory is too low",
                 unlocked / 1024, secret_heap_mapped() / 1024);
}
