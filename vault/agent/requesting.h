/* A request in an account's name (Request): a job whose helper puts the account's credentials into it, sends
 * it, and passes on what comes back, which are replies while it comes. Nothing more is read of the helper
 * while the caller has not taken the last reply; one who hangs up ends it. */
#ifndef STEPVAULT_AGENT_REQUESTING_H
#define STEPVAULT_AGENT_REQUESTING_H

#include "base/secret.h"
#include "base/status.h"
#include "leaf.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#define REQUESTING_AT_ONCE                                                                                   \
    16u /* helpers; further ones wait until one has ended, so that tokens are renewed */
#define REQUESTING_LIMIT_MS 310000u
#define REQUESTING_BODY_MAX (64u * 1024 * 1024) /* bytes of a reply */

struct job;
struct session;

/* Judges the parameters of Request. STATUS_REFUSED for an address of another host, a header or parameter that
 * is the credential's, an app of which nothing is known or whose requests are signed; STATUS_INVALID for what
 * is not of its form, or brings an entry for an account that has its own. */
enum status requesting_check(const struct record *account, const struct json *parameters,
                             struct failure *failure);

/* The same, and writes the helper's job, and into the leaf's details the method, the host, and the names of
 * the properties that leave. */
enum status requesting_write(const struct record *account, const struct json *parameters, struct leaf *leaf,
                             struct failure *failure, struct secret *ret_line);

/* `line` is taken, `parameters` copied. Of an account that was connected, a 401 has its token renewed
 * (rejection.h), and the request made once more, with a leaf in the name of `caller`. */
enum status requesting_start(struct session *session, struct secret *line, const struct record *account,
                             const struct json *parameters, const struct leaf_caller *caller,
                             struct failure *failure, struct job **ret_job);

#endif
