/* What a person is shown while an attempt to connect waits for their consent, and what they may type. */
#ifndef STEPVAULT_CLI_CONSENT_H
#define STEPVAULT_CLI_CONSENT_H

#include "base/status.h"
#include "command.h"
#include "exchange.h"

#include <stdbool.h>
#include <stdint.h>

#define CONSENT_SECONDS 600u       /* that a person may take where the provider sets no limit */
#define CONSENT_ADDRESS_MAX 16384u /* bytes of a pasted address, as the agent takes; fewer can be typed */

/* One attempt. */
struct consent {
    const struct invocation *invocation; /* says which agent is told of a pasted address */
    struct exchange *exchange;           /* Connect was asked on it */
    bool opens;                          /* a browser is opened, too */
    bool remote;                         /* whoever types here may have their browser elsewhere */
    bool pastes;                         /* an address may be pasted ... */
    bool listens;                        /* ... and need not be: the redirect comes to this machine */
    bool shown;                          /* set once there was something to show */
    char attempt[64];                    /* the rest is consent_wait's own */
    char host[64];
    uint64_t deadline_ms;
    bool input_given; /* a line of stdin */
    bool input_ended;
};

/* From the first reply on, in `answer`, shows what they say until the last one, which is then in `answer`.
 * Addresses and codes are printed on stderr before a browser is opened; what is pasted is read from the
 * terminal unseen, or, where there is none and nothing else would come, from stdin. */
enum status consent_wait(struct consent *consent, struct failure *failure, struct answer *answer);

#endif
