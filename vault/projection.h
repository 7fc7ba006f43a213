/* The way of a secret out of the vault. Nothing else hands one out (docs/DESIGN.md, section 4). */
#ifndef STEPVAULT_PROJECTION_H
#define STEPVAULT_PROJECTION_H

#include "leaf.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#define PROJECTION_MAX (1024u * 1024u) /* bytes of all that one projection hands out */
#define PROJECTION_INHERITED_MAX 8192u /* names that a caller may ask about */
#define PROJECTION_KEEP_MAX 256u

struct projection_request {
    const char *step;
    bool deliver_env;
    bool deliver_auths;
    bool deliver_credentials;
    bool block_form;              /* the form `environment`; else `json` */
    bool empty_auths;             /* the document may be one of no account */
    bool own;                     /* only what is placed exactly at the step */
    bool references_only;         /* nothing but what `references` ask for */
    const struct json *inherited; /* arrays of names, or NULL */
    const struct json *keep;
    const struct json *references; /* object of key to reference, or NULL */
    /* Called with `context` for each account of which a token would be handed out that should be renewed
     * before, or has ended; `usable`: it may be handed out all the same. STATUS_OK: it is then, if it is
     * usable; STATUS_WAITS: it is being renewed, and the projection is to be made anew; others refuse it. */
    enum status (*renew)(void *context, const struct record *account, bool usable, struct failure *failure);
    void *context;
};

/* Collects, renders into `writer` (members of the reply's parameters) and appends the leaf to the turn, in
 * this order: who asks is in the leaf; a failure appends nothing and leaves the writer's output unusable. The
 * reply may be sent only after vault_commit. STATUS_WAITS once `renew` was asked for all accounts. */
enum status projection_project(struct vault *vault, const struct projection_request *request,
                               struct leaf *leaf, struct failure *failure, struct json_writer *writer);

/* The value of one variable placed exactly at the path, likewise: `value` or `value_base64`. `revision` 0 is
 * the one in force, others those of past.h. */
enum status projection_get_variable(struct vault *vault, const char *path, const char *name,
                                    uint64_t revision, struct leaf *leaf, struct failure *failure,
                                    struct json_writer *writer);

/* Writes `step` and `names` of ShowStep: each name, where it is placed, what hides it. No values, no leaf. */
enum status projection_explain(struct vault *vault, const char *path, struct failure *failure,
                               struct json_writer *writer);

#endif
