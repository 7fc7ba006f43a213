/* The one table of outcomes: what can happen, its name on the wire, its exit status, its sentence.
 *
 * Every function that can fail for a reason a user should hear returns an enum status and fills a
 * struct failure with one sentence: what failed, on what. Advice on what to do next is not part of
 * it: the command line adds that (cli/report.c, report_hint), so that it stands in one place.
 * A sentence never contains a secret value. */
#ifndef STEPVAULT_BASE_STATUS_H
#define STEPVAULT_BASE_STATUS_H

#include <stddef.h>

enum status {
    STATUS_OK = 0,
    STATUS_FAILED,            /* an operating-system call or our own logic failed */
    STATUS_NO_MEMORY,         /* out of memory, or out of the bounded secret memory */
    STATUS_USAGE,             /* the command line is not one we understand */
    STATUS_INVALID,           /* a name, value or parameter breaks its rule */
    STATUS_TOO_LARGE,         /* a value, frame, document or projection is over its limit */
    STATUS_REFUSED,           /* allowed to nobody in this state: reserved names, bound accounts, ... */
    STATUS_DENIED,            /* this caller may not */
    STATUS_LOCKED,            /* the vault is locked */
    STATUS_KEY_REQUIRED,      /* the call needs a fresh slot key, open vault or not */
    STATUS_WRONG_KEY,         /* the passphrase, recovery code or key file does not open the slot */
    STATUS_NOT_FOUND,         /* no such step, variable, account, binding or slot */
    STATUS_EXISTS,            /* there is one already */
    STATUS_AMBIGUOUS,         /* several match; the sentence lists them */
    STATUS_IN_USE,            /* still used by something; the sentence lists what */
    STATUS_NO_VAULT,          /* there is no vault file */
    STATUS_FOREIGN,           /* a file, folder or socket is not the vault's, or not ours to trust */
    STATUS_CORRUPT,           /* the store was changed by something else, or is damaged */
    STATUS_ROLLED_BACK,       /* the vault is an older state, or another branch, than was seen before */
    STATUS_FORMAT,            /* a format older or newer than this program reads */
    STATUS_BUSY,              /* another agent holds the vault */
    STATUS_LOG_UNWRITABLE,    /* the access log, and so anything, cannot be written: full or read-only disk */
    STATUS_OTHER_VAULT,       /* the agent holds another vault than the call names */
    STATUS_NO_AGENT,          /* no agent listens */
    STATUS_AGENT_ENDED,       /* one did, and ended before it read the request, which may be made again */
    STATUS_PROTOCOL,          /* a peer broke the protocol */
    STATUS_TIMEOUT,           /* a deadline passed */
    STATUS_NEEDS_RECONNECT,   /* an account's grant has ended; only a person can give another */
    STATUS_TOKEN_UNAVAILABLE, /* an account's token has ended and could not be renewed yet */
    STATUS_WAITS, /* within the agent: the call is to be served again when its task is done; never sent */
    STATUS_COUNT
};

#define FAILURE_SENTENCE_MAX 640

/* Why something failed. Set by failure_set; the sentence has no final newline. */
struct failure {
    enum status status;
    char sentence[FAILURE_SENTENCE_MAX];
};

/* Name of `status` as the last word of a Varlink error (`Locked` of io.stepvault.Agent.Locked). Static. */
const char *status_wire_name(enum status status);

/* The status whose wire name is `name` (no interface prefix); STATUS_FAILED where there is none. */
enum status status_from_wire_name(const char *name);

/* Exit status of a command that ends with `status`: 0, 1 failed or refused, 2 usage, 3 locked, 4 not found.
 */
int status_exit(enum status status);

/* A general sentence for `status`, for when nothing more is known. Static, no final newline. */
const char *status_sentence(enum status status);

/* Fills `failure` (never NULL) and returns `status`, so that `return failure_set(...)` is the idiom.
 * An over-long sentence is cut and ends in "...". Bytes that could steer a terminal are replaced. */
enum status failure_set(struct failure *failure, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As failure_set for a failed system call: appends ": " and the text of errno `error`. */
enum status failure_set_errno(struct failure *failure, enum status status, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* failure_set for memory that is out where there is nothing to say of what it was for. */
enum status failure_set_no_memory(struct failure *failure);

#endif
