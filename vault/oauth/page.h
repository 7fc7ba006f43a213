/* What a browser is shown: static pages without anything of the request, that load nothing. */
#ifndef STEPVAULT_OAUTH_PAGE_H
#define STEPVAULT_OAUTH_PAGE_H

#include <stdbool.h>

enum page {
    PAGE_NOT_FOUND, /* to whatever is not the answer */
    PAGE_GRANTED,   /* the tokens are there */
    PAGE_DENIED,    /* the provider said no */
    PAGE_FAILED     /* the answer was of no use, or the provider gave no tokens for it */
};

/* Sends the whole response into the empty buffer of `connection`, which does not block. False if it did not
 * fit, or nobody is there any more. */
bool page_send(enum page page, int connection);

#endif
