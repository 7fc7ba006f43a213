/* stepvault: runs and exports; every other command is stepvault-manage's. It stays small because it stands in
 * front of every step (P10). */
#include "launch/launch.h"
#include "report.h"

#include <string.h>

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"run",    run_main   },
    {"export", export_main},
};

int main(int argc, char **argv)
{
    struct failure failure = {0};

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc, argv);
    }
    launch_manage(argv, &failure);
    report_failure(&failure, NULL);
    return status_exit(failure.status);
}
