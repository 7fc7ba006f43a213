/* Registrations: the user's own OAuth clients. Each is what a provider gave for an app that the user
 * registered there: a client id, and a secret unless the client is public. An account that was connected
 * names the one by which it was, because its refresh token is good for that client alone. */
#ifndef STEPVAULT_REGISTRATION_H
#define STEPVAULT_REGISTRATION_H

#include "leaf.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#include <stdbool.h>

#define REGISTRATION_LABEL "default" /* where none is given */
#define REGISTRATION_TEXT_MAX 2048u  /* bytes of a client id or a redirect address */
#define REGISTRATION_NAME_SIZE (NAME_APP_MAX + 1 + NAME_LABEL_MAX + 1) /* app:label and a NUL */

/* Fields of its record. */
#define REGISTRATION_FIELD_ID "client_id"
#define REGISTRATION_FIELD_SECRET "client_secret"      /* not of a public client */
#define REGISTRATION_FIELD_REDIRECT_URI "redirect_uri" /* that is registered, where it must be that one */

struct registration_change {
    const char *app;
    const char *label; /* NULL: REGISTRATION_LABEL */
    const char *client_id;
    const char *client_secret; /* NULL: a public client */
    const char *redirect_uri;  /* NULL: none */
    bool replace;
};

/* Each fills app and label of the leaf as soon as they are known. Client objects are those of the interface:
 * never the secret. */

/* STATUS_EXISTS where there is one and `replace` is not set; STATUS_IN_USE where accounts were connected by
 * the client id that it would replace. */
enum status registration_add(struct vault *vault, const struct registration_change *change, struct leaf *leaf,
                             struct failure *failure, struct json_writer *writer);
/* Writes an array member `clients`, in order; `app` NULL: all. */
enum status registration_list(struct vault *vault, const char *app, struct failure *failure,
                              struct json_writer *writer);
/* STATUS_IN_USE names the accounts that were connected by it. `label` as `client` of registration_resolve. */
enum status registration_remove(struct vault *vault, const char *app, const char *label, struct leaf *leaf,
                                struct failure *failure);

/* The one that `client` means for an account of `app`: a label of that app's, `app:label` of another's (apps
 * of one provider share a client), or, for NULL, the app's default, or else its only one. STATUS_NOT_FOUND,
 * STATUS_AMBIGUOUS. */
enum status registration_resolve(struct vault *vault, const char *app, const char *client,
                                 struct failure *failure, struct record *ret_registration);

/* For check_form.c: whether a client id, or a redirect address, may be one. */
bool registration_text_is_sound(const char *text);
bool registration_redirect_is_sound(const char *redirect_uri);

/* `app:label`, as an account's record names it. */
void registration_name(const struct record *registration, char destination[REGISTRATION_NAME_SIZE]);

/* Writes the member `client` of a job (docs/DESIGN.md, section 4): its id, and with `secret` the secret, if
 * it has one. */
void registration_write_job(const struct record *registration, bool secret, struct json_writer *writer);

#endif
