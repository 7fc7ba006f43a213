/* openat2 does what a look before the open cannot: the kernel itself refuses to leave the folder. */
#include "import/tree.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT_MAX 200000u

enum status tree_open(const char *path, bool follow, struct failure *failure, struct tree *ret_tree)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (descriptor == -1)
        return failure_set_errno(failure, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED, errno,
                                 "cannot open the folder %s", path);
    *ret_tree = (struct tree){.path = path, .descriptor = descriptor, .follow = follow};
    return STATUS_OK;
}

void tree_close(struct tree *tree)
{
    cleanup_close(&tree->descriptor);
}

static void folder_closep(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void tree_names_reset(struct tree_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct tree_names){0};
}

bool tree_names_add(struct tree_names *names, const char *name, size_t length)
{
    size_t capacity = names->capacity > 0 ? 2 * names->capacity : 64;
    char **larger;

    if (names->count == names->capacity) {
        larger = reallocarray(names->names, capacity, sizeof(*larger));
        if (larger == NULL)
            return false;
        names->names = larger;
        names->capacity = capacity;
    }
    names->names[names->count] = strndup(name, length);
    return names->names[names->count] != NULL && ++names->count > 0;
}

enum status tree_list(const struct tree *tree, const char *folder, struct failure *failure,
                      struct tree_names *ret_names)
{
    CLEANUP(tree_names_reset) struct tree_names names = {0};
    CLEANUP(folder_closep) DIR *stream = NULL;
    const struct dirent *entry;
    int descriptor = openat(tree->descriptor, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    stream = descriptor != -1 ? fdopendir(descriptor) : NULL;
    if (stream == NULL)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the folder %s", tree->path);
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (names.count == COUNT_MAX)
            return failure_set(failure, STATUS_TOO_LARGE, "the folder %s has more than %u entries",
                               tree->path, COUNT_MAX);
        if (!tree_names_add(&names, entry->d_name, strlen(entry->d_name)))
            return failure_set_no_memory(failure);
    }
    if (errno != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the folder %s", tree->path);
    if (names.count > 0)
        qsort(names.names, names.count, sizeof(*names.names), by_bytes);
    *ret_names = names;
    names = (struct tree_names){0};
    return STATUS_OK;
}

static const char *fault_of(int error)
{
    switch (error) {
    case EXDEV:
        return "a symbolic link leads out of the folder";
    case ELOOP:
        return "symbolic links lead in a circle, or cannot be followed safely here";
    case ENOENT:
        return "a symbolic link leads to nothing";
    case EACCES:
        return "it may not be read";
    default:
        return "it cannot be opened";
    }
}

static int open_within(const struct tree *tree, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int descriptor;

    if (tree->follow)
        return openat(tree->descriptor, name, (int)how.flags);
    descriptor = (int)syscall(SYS_openat2, tree->descriptor, name, &how, sizeof(how));
    /* A kernel before 5.6, or a filter that does not know the call. */
    if (descriptor == -1 && (errno == ENOSYS || errno == EPERM))
        descriptor = openat(tree->descriptor, name, (int)how.flags | O_NOFOLLOW);
    return descriptor;
}

const char *tree_open_entry(const struct tree *tree, const char *name, int *ret_descriptor,
                            enum tree_kind *ret_kind)
{
    CLEANUP(cleanup_close) int descriptor = open_within(tree, name);
    struct stat facts;

    if (descriptor == -1 || fstat(descriptor, &facts) != 0)
        return fault_of(errno);
    *ret_kind = S_ISREG(facts.st_mode) ? TREE_FILE : S_ISDIR(facts.st_mode) ? TREE_FOLDER : TREE_NEITHER;
    *ret_descriptor = cleanup_take_descriptor(&descriptor);
    return NULL;
}
