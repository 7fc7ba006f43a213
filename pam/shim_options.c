/* The module's arguments. */
#include "shim.h"

#include "base/name.h"
#include "base/text.h"

#include <security/pam_ext.h>
#include <string.h>
#include <syslog.h>

#define DEFAULT_STEP "login"

static const char *value_of(const char *argument, const char *name)
{
    size_t length = strlen(name);

    return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static bool read_one(const char *argument, struct shim_options *options)
{
    const char *step = value_of(argument, "step");
    const char *deadline = value_of(argument, "deadline");
    struct failure ignored;
    uint64_t number;

    if (step != NULL) {
        options->step = step;
        return name_check_path(step, &ignored) == STATUS_OK;
    }
    if (deadline != NULL) {
        if (!text_to_number(deadline, SHIM_DEADLINE_MAX_MS, &number) || number == 0)
            return false;
        options->deadline_ms = (unsigned)number;
        return true;
    }
    options->debug = strcmp(argument, "debug") == 0;
    return options->debug;
}

bool shim_options_read(pam_handle_t *pamh, int argc, const char **argv, struct shim_options *ret_options)
{
    struct shim_options options = {.step = DEFAULT_STEP, .deadline_ms = SHIM_DEADLINE_MS};
    bool debug = false;

    for (int i = 0; i < argc; i++) {
        if (!read_one(argv[i], &options)) {
            pam_syslog(pamh, LOG_ERR,
                       "does nothing: it does not understand the option %s; see pam_stepvault(8)", argv[i]);
            return false;
        }
        debug = debug || options.debug;
    }
    options.debug = debug;
    *ret_options = options;
    return true;
}
