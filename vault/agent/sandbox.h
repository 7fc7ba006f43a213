/* What the agent gives up, stage by stage (P5, P8). A stage that this machine does not allow is said in
 * Status, not fatal: a vault on an old kernel is still better than a file of passwords. */
#ifndef STEPVAULT_AGENT_SANDBOX_H
#define STEPVAULT_AGENT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct protection {
    const char *name;
    bool held;
    char detail[160]; /* why it does not hold, or how far it goes */
};

#define SANDBOX_STAGES_MAX 8

struct sandbox {
    struct protection stages[SANDBOX_STAGES_MAX];
    size_t count;
};

/* First of all: no core file, no tracer. */
void sandbox_protect_memory(struct sandbox *sandbox);

/* The folders that the sandbox leaves open; NULL or absent: none. */
struct sandbox_folders {
    const char *vault;  /* its files may be read, written, made and removed */
    const char *pins;   /* likewise */
    const char *socket; /* its files may be removed */
};

/* Last before the loop: no new privileges, no files but those of the folders, no network, few system calls.
 */
void sandbox_enter(struct sandbox *sandbox, const struct sandbox_folders *folders);

/* Whether all secret memory is locked right now. */
void sandbox_memory_locked(struct protection *ret_protection);

#endif
