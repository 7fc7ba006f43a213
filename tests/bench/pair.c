/* Times two commands in turn, A B A B ..., each from fork to exit, and prints the medians and the median of
 * the pairwise ratios: on a noisy machine both halves of a pair see the same noise.
 *
 *     pair COUNT A [ARG...] :: B [ARG...]
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP 20

extern char **environ;

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double run_us(char **command)
{
    double start = now_us();
    int status;
    pid_t child;
    int error = posix_spawnp(&child, command[0], NULL, NULL, command, environ);

    if (error != 0)
        errx(1, "%s: %s", command[0], strerror(error));
    if (waitpid(child, &status, 0) != child)
        err(1, "waitpid");
    if (status != 0)
        errx(1, "%s ended with status %d", command[0], status);
    return now_us() - start;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

int main(int argc, char *argv[])
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    char **first = argv + 2, **second = NULL;

    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "::") == 0) {
            argv[i] = NULL;
            second = argv + i + 1;
        }
    if (count == 0 || second == NULL || *first == NULL || *second == NULL)
        errx(2, "usage: pair COUNT A [ARG...] :: B [ARG...]");
    double *a = calloc(count, sizeof(*a)), *b = calloc(count, sizeof(*b)),
           *ratio = calloc(count, sizeof(*ratio));
    if (a == NULL || b == NULL || ratio == NULL)
        err(1, "calloc");
    for (size_t i = 0; i < WARM_UP; i++) {
        run_us(first);
        run_us(second);
    }
    for (size_t i = 0; i < count; i++) {
        a[i] = run_us(first);
        b[i] = run_us(second);
        ratio[i] = a[i] / b[i];
    }
    double middle = median(ratio, count);
    printf("ratio %.3f (quartiles %.3f to %.3f), medians %.0f and %.0f us, %zu pairs\n", middle,
           ratio[count / 4], ratio[3 * count / 4], median(a, count), median(b, count), count);
    return 0;
}
