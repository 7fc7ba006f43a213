/* The password on its way from auth to session: PAM forgets it in between. */
#include "shim.h"

#include <security/pam_ext.h>
#include <string.h>
#include <unistd.h>

#define NAME "stepvault_password"

struct stash {
    uid_t uid;
    pid_t pid;
    char password[MESSAGE_TEXT_MAX + 1];
};

/* Also in a forked child (PAM_DATA_SILENT), where the memory is zero: what it does is within this process
 * alone. */
static void forget(pam_handle_t *pamh, void *data, int status)
{
    (void)pamh;
    (void)status;
    shim_memory_free(data, sizeof(struct stash));
}

void shim_stash_put(pam_handle_t *pamh, uid_t uid, const char *password)
{
    struct stash *stash;

    if (password[0] == '\0' || strlen(password) > MESSAGE_TEXT_MAX)
        return;
    stash = shim_memory_allocate(sizeof(*stash));
    if (stash == NULL)
        return;
    stash->uid = uid;
    stash->pid = getpid();
    memcpy(stash->password, password, strlen(password) + 1);
    if (pam_set_data(pamh, NAME, stash, forget) != PAM_SUCCESS)
        shim_memory_free(stash, sizeof(*stash));
}

/* Another user: sudo gives its session to root. Another process: the memory there is zero. */
const char *shim_stash_get(pam_handle_t *pamh, uid_t uid)
{
    const void *data = NULL;
    const struct stash *stash;

    if (pam_get_data(pamh, NAME, &data) != PAM_SUCCESS || data == NULL)
        return NULL;
    stash = data;
    return stash->pid == getpid() && stash->uid == uid && stash->password[0] != '\0' ? stash->password : NULL;
}

void shim_stash_drop(pam_handle_t *pamh)
{
    (void)pam_set_data(pamh, NAME, NULL, NULL);
}
