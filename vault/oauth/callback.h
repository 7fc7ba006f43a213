/* The answer of an authorization endpoint as the browser brings it back (RFC 6749, 4.1.2; RFC 9207): in a
 * request to our loopback, or in an address that a person pastes. Any page that is open in the browser can
 * send requests to loopback, so they are judged in this order: method, Host, what kind of request the browser
 * says it is, path, state, issuer, error, code. Up to and with the state, whatever is wrong is a stray: it
 * gets no answer and ends nothing. From there on it is the answer to this attempt, and the end of it. */
#ifndef STEPVAULT_OAUTH_CALLBACK_H
#define STEPVAULT_OAUTH_CALLBACK_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define CALLBACK_ERROR_MAX 64 /* bytes of an error's code */

/* What the answer to one attempt must have. All texts are borrowed. */
struct callback_rules {
    const char *host;   /* as Host must say it: 127.0.0.1:4711; NULL where nothing listens */
    const char *path;   /* the whole of it, as it was sent out; NULL where nothing listens */
    const char *state;  /* of this attempt */
    const char *issuer; /* the provider's; NULL: not known, and what the answer says of it is not looked at */
    bool issuer_always; /* the provider is known to say it in every answer */
    const char *code;   /* what the parameter `code` is called here; NULL: code */
};

enum callback_kind {
    CALLBACK_STRAY,  /* not the answer to this attempt */
    CALLBACK_FORGED, /* an answer to it, of another issuer or of none */
    CALLBACK_ERROR,  /* the provider says no */
    CALLBACK_EMPTY,  /* it says neither yes nor no; so does the address that was to be opened, if that is
                        pasted */
    CALLBACK_CODE
};

/* All zero is the valid empty value. */
struct callback {
    enum callback_kind kind;
    const char *reason; /* of a stray, a forged or an empty one: how a sentence about it ends. Static */
    char error[CALLBACK_ERROR_MAX + 1]; /* of an error: its code; empty where that is none we repeat */
    struct secret code;
    struct secret query; /* all parameters, as they came; of a code only */
};

/* Judges a whole request, up to and with the empty line behind its head. What follows is not looked at. */
void callback_read_request(const struct callback_rules *rules, const char *request, size_t size,
                           struct callback *ret_callback);

/* Judges what a person pasted: an address with its parameters, or these alone, with blanks around them. What
 * stands before the parameters is not looked at: state says whose answer it is. */
void callback_read_pasted(const struct callback_rules *rules, const char *text,
                          struct callback *ret_callback);

/* Bytes of the request's head with its empty line, if all of it is among `size` bytes; else 0. */
size_t callback_head_size(const char *request, size_t size);

void callback_reset(struct callback *callback);

#endif
