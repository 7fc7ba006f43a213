/* The stages of the helper's sandbox. */
#include "oauth/confinement.h"

#include "base/secret.h"
#include "confine/landlock.h"
#include "confine/seccomp.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Certificates, libraries (name services are loaded late), the resolver's settings. A file may be a symbolic
 * link to elsewhere, so it is named itself. */
static const char *const readable[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/var/lib/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
};
#define READABLE (sizeof(readable) / sizeof(readable[0]))

void confinement_protect_memory(void)
{
    struct rlimit limit;

    secret_protect_process(true);
    /* Under a limit, whatever came after what it allows could not be had at all. */
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
        mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

void confinement_enter(void)
{
    struct landlock_grant grants[READABLE + 2];

    for (size_t i = 0; i < READABLE; i++)
        grants[i] = (struct landlock_grant){readable[i], LANDLOCK_READ | LANDLOCK_LIST};
    grants[READABLE] = (struct landlock_grant){getenv("SSL_CERT_FILE"), LANDLOCK_READ};
    grants[READABLE + 1] = (struct landlock_grant){getenv("SSL_CERT_DIR"), LANDLOCK_READ | LANDLOCK_LIST};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return;
    landlock_confine(grants, READABLE + 2, LANDLOCK_NETWORK);
    seccomp_confine(SECCOMP_HELPER);
}
