/* Stands in for stepvault-oauth in a copied build: becomes the Python script beside it, because a script
 * cannot be started by its descriptor alone. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    char path[PATH_MAX], script[PATH_MAX + 4];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);

    if (size <= 0)
        return 126;
    path[size] = '\0';
    snprintf(script, sizeof script, "%s.py", path);
    execl("/usr/bin/python3", "python3", "-I", "-S", script, (char *)NULL);
    return 126;
}
