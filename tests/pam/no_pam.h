/* What the module's files call of PAM, for programs without PAM: it knows no variable and takes none. The
 * journal, pam_syslog, is each program's own. */
#ifndef STEPVAULT_TESTS_NO_PAM_H
#define STEPVAULT_TESTS_NO_PAM_H

#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stddef.h>

const char *pam_getenv(pam_handle_t *pamh, const char *name)
{
    (void)pamh;
    (void)name;
    return NULL;
}

int pam_putenv(pam_handle_t *pamh, const char *entry)
{
    (void)pamh;
    (void)entry;
    return PAM_BUF_ERR;
}

#endif
