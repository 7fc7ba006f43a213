/* Why an errand failed, and what that means for the account (research/oauth.md 3.3): a sentence of our own,
 * in which nothing stands that a provider wrote but an error's code. */
#ifndef STEPVAULT_OAUTH_FAULT_H
#define STEPVAULT_OAUTH_FAULT_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define FAULT_CODE_MAX 64                  /* bytes of an error's code */
#define FAULT_RETRY_MAX_MS (3600u * 1000u) /* longer than that nobody is told to wait */

enum verdict {
    VERDICT_OK = 0,
    VERDICT_DEAD,      /* the grant is no more: the account must be connected anew */
    VERDICT_REFUSED,   /* an error of OAuth that trying again does not change */
    VERDICT_TRANSIENT, /* all else */
    VERDICT_CANCELLED  /* whoever asked has gone, or the person took too long */
};

struct fault {
    enum verdict verdict;
    char reason[FAILURE_SENTENCE_MAX];
    char code[FAULT_CODE_MAX + 1]; /* empty: there is none that can be repeated */
    uint64_t retry_ms;             /* not before; 0: nothing is said */
    bool busy;                     /* it was said with a status that means so, whatever the code (5xx, 429) */
    bool sent; /* bytes of a request that uses something up may have reached the provider */
};

/* The word of the answer: `dead`, `refused`, `transient`, `cancelled`. Static. */
const char *fault_word(enum verdict verdict);

/* Fills in verdict and reason, keeps what else is there, and returns `verdict`. */
enum verdict fault_set(struct fault *fault, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the sentence of a failure. */
enum verdict fault_take(struct fault *fault, enum verdict verdict, const struct failure *failure);

enum verdict fault_set_no_memory(struct fault *fault);

/* What a failure of our own means: memory may be there later, all else is wrong for good. */
enum verdict fault_of(struct fault *fault, const struct failure *failure);

/* Keeps `code`, if it is of [a-z0-9_.-] and not too long; else there is none. */
void fault_set_code(struct fault *fault, const char *code);

#endif
