/* Any bytes as a path, a newline and a provider's reply: the path is refused, or leads to something in the
 * reply or to nothing, and what it leads to stands in what is around it. */
#include "base/cleanup.h"
#include "catalog/path.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    struct failure failure;
    CLEANUP(json_freep) struct json *reply = NULL;
    const uint8_t *newline = size > 0 ? memchr(bytes, '\n', size) : NULL;
    char path[2 * PATH_SIZE_MAX];
    const char *last;

    if (!started)
        json_start();
    started = true;
    if (newline == NULL || (size_t)(newline - bytes) >= sizeof(path))
        return 0;
    memcpy(path, bytes, (size_t)(newline - bytes));
    path[newline - bytes] = '\0';
    if (path_fault(path) != NULL)
        return 0;
    require(strlen(path) <= PATH_SIZE_MAX);
    if (json_parse(newline + 1, size - (size_t)(newline + 1 - bytes), "reply", &failure, &reply) != STATUS_OK)
        return 0;
    last = strrchr(path, '.');
    last = last != NULL ? last + 1 : path;
    if (path_find(reply, path) != NULL)
        require(path_find(path_find_around(reply, path), last) == path_find(reply, path));
    return 0;
}
