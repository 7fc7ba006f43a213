/* The release functions that CLEANUP() names. */
#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void cleanup_close(int *descriptor)
{
    int saved = errno;

    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
    errno = saved;
}

int cleanup_take_descriptor(int *descriptor)
{
    int taken = *descriptor;

    *descriptor = -1;
    return taken;
}

void cleanup_free(void *pointer)
{
    void **variable = pointer;

    free(*variable);
    *variable = NULL;
}

void cleanup_fclose(FILE **stream)
{
    if (*stream != NULL)
        fclose(*stream);
    *stream = NULL;
}
