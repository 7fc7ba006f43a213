/* One deadline for a login, however many calls of the module it is made of: what authentication waited for in
 * vain the session does not wait for again. */
#include "shim.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME "stepvault_time"
#define VARIABLE "STEPVAULT_SPENT"

static void forget(pam_handle_t *pamh, void *data, int status)
{
    (void)pamh;
    (void)status;
    free(data);
}

static unsigned spent(pam_handle_t *pamh)
{
    const void *data = NULL;

    return pam_get_data(pamh, NAME, &data) == PAM_SUCCESS && data != NULL ? *(const unsigned *)data : 0;
}

unsigned shim_time_left(pam_handle_t *pamh, unsigned deadline_ms)
{
    const unsigned gone = spent(pamh);

    return gone < deadline_ms ? deadline_ms - gone : 0;
}

void shim_time_spend(pam_handle_t *pamh, uint64_t ms)
{
    unsigned *gone = malloc(sizeof(*gone));

    if (gone == NULL)
        return;
    *gone = spent(pamh) + (ms < SHIM_DEADLINE_MAX_MS ? (unsigned)ms : SHIM_DEADLINE_MAX_MS);
    if (pam_set_data(pamh, NAME, gone, forget) != PAM_SUCCESS)
        free(gone);
}

void shim_time_reset(pam_handle_t *pamh)
{
    (void)pam_set_data(pamh, NAME, NULL, NULL);
}

void shim_time_hand_over(pam_handle_t *pamh)
{
    char text[sizeof(VARIABLE) + 16];

    snprintf(text, sizeof(text), VARIABLE "=%u", spent(pamh));
    (void)pam_putenv(pamh, text);
}

void shim_time_take_over(pam_handle_t *pamh)
{
    const char *text = pam_getenv(pamh, VARIABLE);
    uint64_t ms;

    if (text == NULL)
        return;
    if (text_to_number(text, SHIM_DEADLINE_MAX_MS, &ms))
        shim_time_spend(pamh, ms);
    (void)pam_putenv(pamh, VARIABLE);
}
