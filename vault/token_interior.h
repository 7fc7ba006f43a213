/* What the parts of the token share: token.c, which reads and judges a grant, token_job.c, token_answer.c and
 * token_renewal.c. */
#ifndef STEPVAULT_TOKEN_INTERIOR_H
#define STEPVAULT_TOKEN_INTERIOR_H

#include "token.h"

#define TOKEN_FIELD_PREFIX "oauth/"
#define TOKEN_CLIENT_CREDENTIALS "client_credentials"
#define TOKEN_STATE_DEAD "needs_reconnect"

#define TOKEN_DIGEST_HEX 65u /* with its NUL */
#define TOKEN_INTENT_SIZE 144u

/* The fields `oauth/...` of an account (docs/FORMAT.md, section 5). Texts are borrowed, NULL where there is
 * none; so is 0 of a number. */
struct token_fields {
    const char *provider;
    const char *client;
    const char *grant;
    const char *method; /* the catalogue's name of the way in which it was connected */
    const char *requested;
    const char *requested_user; /* scopes of the second parameter */
    const char *granted;
    const char *identity;
    const char *identity_name;
    const char *state;
    const char *error;
    const char *intent;
    uint64_t generation;
    uint64_t obtained;
    uint64_t lifetime;
    uint64_t expires;
    uint64_t due;
    uint64_t refreshed;
    uint64_t failures;
    uint64_t retry;    /* not before, by itself */
    uint64_t wait;     /* not before, whoever asks: the provider said so */
    uint64_t refusals; /* how often, and since when */
    uint64_t refused;
    uint64_t doubt;      /* the generation that is tried again because an intent of it was found */
    uint64_t unanswered; /* the generation of which a request was sent that got no usable answer */
    uint64_t
        rejected; /* the generation that came of an API's refusing the one before, or was refused itself */
};
/* In one walk. False for an account without a grant. */
bool token_fields_read(const struct record *account, struct token_fields *ret_fields);
void token_fields_add(struct record_draft *draft, const struct token_fields *fields);

/* What says that a request was sent. */
struct token_intent {
    uint64_t generation;
    char digest[TOKEN_DIGEST_HEX]; /* of the refresh tokens that it was sent with */
    uint64_t sent_ms;
    uint64_t lease_ms; /* until then it may be under way */
};
bool token_intent_parse(const char *text, struct token_intent *ret_intent);
void token_intent_format(const struct token_intent *intent, char destination[TOKEN_INTENT_SIZE]);

/* SHA-256 over the account's refresh tokens, each as its name, a NUL, its value and a NUL. False if it has
 * none; `ret_digest` is of nothing then. */
bool token_digest(const struct record *account, char ret_digest[TOKEN_DIGEST_HEX]);

/* What of an intent is known now. */
enum token_flight {
    TOKEN_ON_GROUND,  /* none, or its tokens are no more */
    TOKEN_IN_FLIGHT,  /* a request may be under way */
    TOKEN_MISSING,    /* it ended and nobody knows how */
    TOKEN_MISSING_TWO /* and so did the second try */
};
enum token_flight token_find_flight(const struct record *account, const struct token_fields *fields,
                                    uint64_t now_ms, uint64_t *ret_lease_ms);

/* True if it has what a renewal needs. */
bool token_can_renew(const struct record *account, const struct token_fields *fields);

/* True where only a person can help: what an API said of an access token (token_note_trial) does not end its
 * renewals, because no API is asked in the name of all. */
bool token_is_final(const struct token_fields *fields);

/* Writes the account with its grant as `fields` has it, and nothing else changed. */
enum status token_write_grant(struct vault *vault, const struct record *previous,
                              const struct token_fields *fields, struct failure *failure);

/* Reads an account that may be gone, or have no grant any more: then it is not `found`. */
enum status token_find_account(struct vault *vault, const uint8_t id[STORE_ID_SIZE], struct failure *failure,
                               struct record *ret_account, struct token_fields *ret_fields, bool *ret_found);
/* The same where there is nothing to be done without it: STATUS_NOT_FOUND. */
enum status token_find_account_still(struct vault *vault, const uint8_t id[STORE_ID_SIZE],
                                     struct failure *failure, struct record *ret_account,
                                     struct token_fields *ret_fields);

/* The member `missing_scopes`: those that were asked for and not given, as far as that can be told. */
void token_write_missing(const struct token_fields *fields, struct json_writer *writer);

/* True before the time until which the provider asked us to wait. */
bool token_must_wait(const struct token_fields *fields, uint64_t now_ms);

#endif
