/* A launcher of its own, in C: asks the agent for a step's accounts and one variable through libstepvault,
 * and says what it got without showing a value. Usage: library_step PATH VARIABLE. */
#include <client/stepvault.h>
#include <err.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        errx(2, "usage: library_step PATH VARIABLE");
    }
    struct stepvault_request request = {
        .step = argv[1], .reason = "library_step", .deliver_env = 1, .deliver_auths = 1};
    struct stepvault_projection *projection;
    char error[STEPVAULT_ERROR_MAX];
    int status = stepvault_project(&request, &projection, error);
    if (status != 0) {
        errx(status, "%s", error);
    }
    const char *value = stepvault_variable(projection, argv[2]);
    const char *auths = stepvault_auths(projection);
    size_t count = 0;
    while (stepvault_entry(projection, count) != NULL) {
        count++;
    }
    printf("library: %s %s, %zu variables, auths document of %zu bytes\n", argv[2],
           value ? "is given" : "is not given", count, auths ? strlen(auths) : 0);
    stepvault_free(projection);
    return value ? 0 : 1;
}
