/* The search that execvp does, done before the agent is asked: what is not there must not cost a projection.
 */
#include "launch/program.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum found { FOUND_NOTHING, FOUND_UNUSABLE, FOUND_PROGRAM };

static enum found candidate_check(const char *path)
{
    struct stat facts;

    if (stat(path, &facts) != 0)
        return errno == EACCES ? FOUND_UNUSABLE : FOUND_NOTHING;
    return S_ISREG(facts.st_mode) && access(path, X_OK) == 0 ? FOUND_PROGRAM : FOUND_UNUSABLE;
}

/* Joins a folder of PATH (empty: the working folder) and the name. */
static bool candidate_make(const char *folder, size_t length, const char *name, char destination[PATH_MAX])
{
    const size_t size = strlen(name);

    if (length + 1 + size >= PATH_MAX)
        return false;
    memcpy(destination, folder, length);
    if (length > 0)
        destination[length++] = '/';
    memcpy(destination + length, name, size + 1);
    return true;
}

static enum found path_search(const char *name, const char *path_list, char destination[PATH_MAX])
{
    enum found best = FOUND_NOTHING;
    char candidate[PATH_MAX];
    const char *folder = path_list;

    for (;;) {
        const size_t length = strcspn(folder, ":");

        if (candidate_make(folder, length, name, candidate)) {
            enum found found = candidate_check(candidate);

            if (found > best) {
                best = found;
                memcpy(destination, candidate, strlen(candidate) + 1);
            }
            if (best == FOUND_PROGRAM)
                return best;
        }
        if (folder[length] == '\0')
            return best;
        folder += length + 1;
    }
}

enum status program_find(const char *name, const char *path_list, struct failure *failure,
                         char destination[PATH_MAX])
{
    enum found found = FOUND_NOTHING;
    char path[PATH_MAX];

    if (strchr(name, '/') == NULL) {
        if (name[0] != '\0')
            found = path_search(name, path_list, path);
    } else if (strlen(name) < sizeof(path)) {
        memcpy(path, name, strlen(name) + 1);
        found = candidate_check(path);
    }
    if (found == FOUND_NOTHING)
        return failure_set(failure, STATUS_NOT_FOUND, "the command \"%s\" is not found", name);
    if (found == FOUND_UNUSABLE)
        return failure_set(failure, STATUS_FAILED, "%s cannot be executed", path);
    memcpy(destination, path, strlen(path) + 1);
    return STATUS_OK;
}

void program_absolute(const char *program, char destination[PATH_MAX])
{
    char folder[PATH_MAX];

    if (program[0] == '/' || getcwd(folder, sizeof(folder)) == NULL ||
        !candidate_make(folder, strlen(folder), program, destination))
        memcpy(destination, program, strlen(program) + 1);
}

enum status program_exec(const char *program, char *const argv[], char *const environment[],
                         struct failure *failure)
{
    execve(program, argv, environment);
    if (errno == ENOEXEC)
        return failure_set(failure, STATUS_FAILED, "%s is neither a program nor a script that begins with #!",
                           program);
    /* The file itself was there a moment ago. */
    if (errno == ENOENT)
        return failure_set(failure, STATUS_FAILED, "%s cannot be executed, its interpreter is not found",
                           program);
    return failure_set_errno(failure, STATUS_FAILED, errno, "%s cannot be executed", program);
}

int program_exit(enum status status)
{
    return status == STATUS_NOT_FOUND ? PROGRAM_NOT_FOUND : PROGRAM_NOT_EXECUTABLE;
}
