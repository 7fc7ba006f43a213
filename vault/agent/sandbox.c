/* Stages of the sandbox. */
#include "agent/sandbox.h"

#include "base/secret.h"
#include "confine/landlock.h"
#include "confine/seccomp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

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

static void stage_landlock(struct sandbox *sandbox, const struct sandbox_folders *folders)
{
    const uint64_t file_rights =
        LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_LIST | LANDLOCK_MAKE | LANDLOCK_REMOVE;
    const struct landlock_grant grants[] = {
        {folders->vault,  file_rights                    },
        {folders->pins,   file_rights                    },
        {folders->socket, LANDLOCK_LIST | LANDLOCK_REMOVE}
    };
    size_t version = landlock_version();

    if (version == 0)
        stage_add(sandbox, "landlock", false, "this kernel has no Landlock");
    else if (!landlock_confine(grants, sizeof(grants) / sizeof(grants[0]), LANDLOCK_NO_NETWORK))
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
