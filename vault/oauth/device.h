/* The flow for devices (RFC 8628): a person types a code, or opens an address that has it, wherever they have
 * a browser, and we ask the token endpoint until they are done. */
#ifndef STEPVAULT_OAUTH_DEVICE_H
#define STEPVAULT_OAUTH_DEVICE_H

#include "base/secret.h"
#include "oauth/errand.h"
#include "oauth/fault.h"
#include "oauth/input.h"
#include "oauth/reply.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_USER_CODE_MAX 64  /* bytes of the code that is typed */
#define DEVICE_INTERVAL_MS 5000u /* between two questions, where the provider does not say */
#define DEVICE_INTERVAL_MAX_MS 60000u
#define DEVICE_SLOWER_MS 5000u /* added by slow_down */
#define DEVICE_SECONDS 900u    /* that a code is good for, where the provider does not say */

/* What the device endpoint gave; the texts point into the reply. */
struct device_grant {
    const char *device_code;
    const char *user_code;
    const char *url;
    const char *complete_url; /* with the code in it; NULL: none */
    uint64_t interval_ms;
    uint64_t lifetime_ms;
};

/* Reads the reply of a device endpoint; `verification_url` is Google's word for `verification_uri`. An
 * address to be opened is https, or http on loopback where `loopback` says so. STATUS_INVALID: a member is
 * missing, or is not one that can be shown. */
enum status device_read(const struct json *reply, bool loopback, struct failure *failure,
                        struct device_grant *ret_grant);

/* How often we ask. */
struct device_pace {
    uint64_t interval_ms; /* the provider's */
    unsigned misses;      /* questions without an answer, one after the other */
};

/* How long to wait before the next question, after one that was answered so: the interval and a fifth,
 * because clocks of virtual machines run fast; more from each slow_down on; twice as long for each question
 * that the network or a busy provider swallowed. 0: there is nothing more to ask. `code` is the answer's
 * error, or empty; `busy`: it came with a status that says so, and then any that is not known passes. */
uint64_t device_pace_next(struct device_pace *pace, enum verdict verdict, const char *code, bool busy);

/* Shows the code by a notice, and asks until there is an answer, the code or the errand's time runs out, or
 * `input` ends. */
enum verdict device_connect(const struct errand *errand, struct input *input, struct fault *fault,
                            struct reply *ret_reply);

#endif
