/* libstepvault: ask the stepvault agent for what a step receives. See stepvault(7) for the model.
 *
 *     struct stepvault_request request = { .step = "billing/notify" };
 *     struct stepvault_projection *projection;
 *     char error[STEPVAULT_ERROR_MAX];
 *     if (stepvault_project(&request, &projection, error) != 0)
 *         errx(1, "%s", error);
 *     const char *key = stepvault_variable(projection, "STRIPE_KEY");
 *     ...
 *     stepvault_free(projection);
 *
 * Depends on libc only. Every call is logged by the agent before it answers. Not thread-safe within one
 * projection; calls from several threads on projections of their own are not supported either: the library
 * keeps secrets in one locked heap. */
#ifndef STEPVAULT_H
#define STEPVAULT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STEPVAULT_API __attribute__((visibility("default")))
#define STEPVAULT_ERROR_MAX 640

/* What to ask for. Zero every member that is not used. */
struct stepvault_request {
    const char *vault;    /* path of the vault file; NULL: $STEPVAULT_VAULT or the default */
    const char *step;     /* path of the step; NULL: $STEPVAULT_STEP */
    const char *reason;   /* stands in the log as a claim; NULL for none */
    const char *key_file; /* opens a locked vault for this call; NULL: $STEPVAULT_KEY_FILE or a systemd
                             credential, if any */
    int deliver_env;      /* account properties as <ALIAS>_<PROPERTY> variables; both zero means this one */
    int deliver_auths;    /* account properties as one JSON document */
};

struct stepvault_projection; /* in locked memory; wiped by stepvault_free */

/* 0, or the exit status of the stepvault command for this failure (1 failed or refused, 2 usage, 3 locked, 4
 * not found) with one sentence in `error` and *ret_projection untouched. */
STEPVAULT_API int stepvault_project(const struct stepvault_request *request,
                                    struct stepvault_projection **ret_projection,
                                    char error[STEPVAULT_ERROR_MAX]);

/* The value of a variable, NUL-terminated; NULL if the step has none of that name. Valid until
 * stepvault_free. */
STEPVAULT_API const char *stepvault_variable(const struct stepvault_projection *projection, const char *name);

/* The index-th variable as `NAME=value`; NULL past the last. Valid until stepvault_free. */
STEPVAULT_API const char *stepvault_entry(const struct stepvault_projection *projection, size_t index);

/* The accounts as JSON text `{"alias":{"property":"value"}}`; NULL if deliver_auths was not asked for. Valid
 * until stepvault_free. */
STEPVAULT_API const char *stepvault_auths(const struct stepvault_projection *projection);

/* Wipes and frees; NULL does nothing. */
STEPVAULT_API void stepvault_free(struct stepvault_projection *projection);

#ifdef __cplusplus
}
#endif
#endif
