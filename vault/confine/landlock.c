/* Landlock by system calls, with the constants of its newer versions, which Debian 12's headers lack. */
#include "confine/landlock.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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

/* What each version handles: file rights 0 to 12, then refer, truncate, network, device ioctl, scopes. */
struct version {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

static const struct version versions[] = {
    {(1ull << 13) - 1, 0, 0},
    {(1ull << 14) - 1, 0, 0},
    {(1ull << 15) - 1, 0, 0},
    {(1ull << 15) - 1, 3, 0},
    {(1ull << 16) - 1, 3, 0},
    {(1ull << 16) - 1, 3, 3},
};
#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static const struct {
    unsigned right;
    uint64_t of_files;
    uint64_t of_folders;
} right_table[] = {
    {LANDLOCK_READ,   FILE_READ,                  FILE_READ                 },
    {LANDLOCK_WRITE,  FILE_WRITE | FILE_TRUNCATE, FILE_WRITE | FILE_TRUNCATE},
    {LANDLOCK_LIST,   0,                          FOLDER_READ               },
    {LANDLOCK_MAKE,   0,                          FILE_MAKE                 },
    {LANDLOCK_REMOVE, 0,                          FILE_REMOVE               },
};

/* As the kernel has it: older kernels take a prefix, whose rest must be zero. */
struct ruleset_attributes {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};

struct path_rule {
    uint64_t rights;
    int32_t descriptor;
} __attribute__((packed));

static uint64_t kernel_rights(unsigned rights, bool folder)
{
    uint64_t found = 0;

    for (size_t i = 0; i < sizeof(right_table) / sizeof(right_table[0]); i++) {
        if ((rights & right_table[i].right) != 0)
            found |= folder ? right_table[i].of_folders : right_table[i].of_files;
    }
    return found;
}

static bool allow(int ruleset, uint64_t handled, const struct landlock_grant *grant)
{
    struct path_rule rule;
    struct stat found;
    CLEANUP(cleanup_close) int descriptor = -1;

    if (grant->path == NULL)
        return true;
    descriptor = open(grant->path, O_PATH | O_CLOEXEC);
    if (descriptor < 0)
        return true;
    if (fstat(descriptor, &found) != 0)
        return false;
    rule.rights = kernel_rights(grant->rights, S_ISDIR(found.st_mode)) & handled;
    rule.descriptor = descriptor;
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
}

size_t landlock_version(void)
{
    long found = syscall(SYS_landlock_create_ruleset, NULL, 0, RULESET_VERSION);

    return found < (long)VERSIONS ? (size_t)(found > 0 ? found : 0) : VERSIONS;
}

bool landlock_confine(const struct landlock_grant *grants, size_t count, enum landlock_network network)
{
    const size_t number = landlock_version();
    const struct version *version = &versions[number > 0 ? number - 1 : 0];
    const struct ruleset_attributes attributes = {
        version->files, network == LANDLOCK_NO_NETWORK ? version->network : 0, version->scopes};
    const size_t size = version->scopes != 0    ? sizeof(attributes)
                        : version->network != 0 ? offsetof(struct ruleset_attributes, scopes)
                                                : offsetof(struct ruleset_attributes, network);
    CLEANUP(cleanup_close) int ruleset = -1;
    bool allowed;

    if (number == 0) {
        errno = ENOSYS;
        return false;
    }
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    allowed = ruleset >= 0;
    for (size_t i = 0; allowed && i < count; i++)
        allowed = allow(ruleset, version->files, &grants[i]);
    return allowed && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}
