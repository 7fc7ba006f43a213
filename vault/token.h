/* Tokens of connected accounts: when one is due to be renewed, whether it may still be handed out, and the
 * two halves of a renewal, which stand in the account's record before anything is sent and before anybody
 * sees what came back: one request for each generation, and never an old token over a new one. Knows no
 * network: agent/renewal.c has the requests made, by stepvault-oauth.
 *
 * The grant of an account is its fields `oauth/...` (docs/FORMAT.md, section 5). An account without them has
 * no grant: it is never due, and handed out as it is. All times are of the wall clock, in milliseconds. */
#ifndef STEPVAULT_TOKEN_H
#define STEPVAULT_TOKEN_H

#include "leaf.h"
#include "record.h"
#include "vault.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a request may be under way: as long as the agent lets its helper run, and the commit of what came.
 * Nobody else begins one of the same account before. */
#define TOKEN_LEASE_MS UINT64_C(70000)

#define TOKEN_BACKOFF_MAX_MS UINT64_C(900000) /* between two tries after failures */
#define TOKEN_RETRY_MAX_MS UINT64_C(3600000)  /* that a provider may ask us to wait */
#define TOKEN_REFUSALS_MAX 5u                 /* refused so often, over an hour: it needs a person */
#define TOKEN_REFUSALS_OVER_MS UINT64_C(3600000)

/* The property that holds the access token. */
#define TOKEN_ACCESS_PROPERTY "oauth_access_token"

/* True for a property that is a refresh token (`oauth_refresh_token`, or ends in `_refresh_token`: a second
 * grant's), or may be any token (ends in `_token`). */
bool token_is_refresh_token(const char *property);
bool token_is_token(const char *property);

/* True if the account was connected by OAuth. */
bool token_has_grant(const struct record *account);

/* True for a property of a connected account that came with its grant: tokens, and whose they are. No old
 * revision has such a one, because none is ever put back: a refresh token that was used is taken for
 * stolen. */
bool token_is_of_grant(const struct record *account, const char *property);

/* The scopes that its grant was asked for, separated by blanks; NULL: none are known. `user`: those of the
 * second parameter. */
const char *token_requested(const struct record *account, bool user);

/* The catalogue's method that it was connected by; NULL: not known. */
const char *token_method(const struct record *account);

/* Which tokens it has: another number for each that took the place of others. 0 without a grant. */
uint64_t token_generation(const struct record *account);

/* The provider document that it was connected by (catalog/provider.h); NULL without a grant. */
const char *token_provider(const struct record *account);

/* True if it has a refresh token, of which its issuer may have given a newer one since a copy of the vault
 * was made. */
bool token_may_be_old(const struct record *account);

/* True if the token should be renewed before it is handed out. Cheap: one walk of the record's fields. False
 * while the time of the next try lies ahead, and where only a person can help. True also while another's
 * request may be under way; token_begin tells. */
bool token_is_due(const struct record *account, uint64_t now_ms);

enum token_health {
    TOKEN_NONE, /* no grant */
    TOKEN_HEALTHY,
    TOKEN_FAILING,  /* the last renewals failed, and will be tried again */
    TOKEN_IN_DOUBT, /* a request was sent and nobody knows what came of it; or the vault was restored */
    TOKEN_DEAD      /* it needs to be connected anew, or has ended and cannot be renewed */
};
enum token_health token_health(const struct record *account, uint64_t now_ms);

/* STATUS_OK if the token may be handed out: it has not ended, as far as anybody knows; so it is where the
 * last renewal failed. Else STATUS_TOKEN_UNAVAILABLE (later it may be), or STATUS_NEEDS_RECONNECT, with the
 * account and the reason. */
enum status token_check_deliverable(const struct record *account, uint64_t now_ms, struct failure *failure);

/* Writes the members of the Account object that say how it stands: method, client, health, reason,
 * token_expires, refreshed, scopes, missing_scopes, identity, identity_id, app_method. Nothing for an account
 * without a grant. */
void token_write(const struct record *account, uint64_t now_ms, struct json_writer *writer);

/* ---- Jobs for the helper ---- */

enum token_purpose { TOKEN_REFRESH, TOKEN_TEST, TOKEN_REVOKE };

/* Writes one job (docs/DESIGN.md, section 4) as a line of JSON without its newline: the provider's document,
 * the client (of TOKEN_TEST the id alone), and of the properties what the job is for: no access token where
 * it renews, no refresh token where it tests. A client that acts for itself
 * (`client_credentials`) has no refresh token and asks for a token as it did at first. Adds `properties`, the
 * names of what goes out, and `client` to the leaf's details, which must be durable before the line is
 * written to the helper (P2). STATUS_NOT_FOUND where the client is gone; STATUS_REFUSED for an account
 * without a grant. */
enum status token_write_job(struct vault *vault, const struct record *account, enum token_purpose purpose,
                            struct leaf *leaf, struct failure *failure, struct secret *ret_line);

/* What a job is about. */
struct token_job {
    uint8_t id[STORE_ID_SIZE];
    uint64_t generation; /* for token_settle */
    uint64_t sent_ms;    /* for token_settle: the times of an answer count from here */
    bool rejected;       /* for token_settle: an API had refused the access token that was still good */
    char digest[65];     /* for token_settle: of the refresh tokens that it is sent with, in hexadecimal */
    struct secret line;  /* of token_write_job */
};
void token_job_reset(struct token_job *job);

enum token_begun {
    TOKEN_BEGUN,   /* the intent is written: commit, then send */
    TOKEN_NOT_DUE, /* nothing to do: it was renewed meanwhile, or the next try lies ahead */
    TOKEN_LEASED   /* another's request may be under way, until `*ret_until_ms` */
};
/* The first half of a renewal, within a turn: reads the account anew, writes the intent, fills the leaf
 * (`refresh`: account, app, label, generation, `again` where it is in doubt) and the job. Of the outcomes
 * other than TOKEN_BEGUN nothing was written and the leaf is not to be appended.
 *
 * `force`: a person asked for it, so it is begun although it is not due, the last tries failed, or refusals
 * have ended it; but not one whose refresh token is dead, and not before the time until which the provider
 * itself asked us to wait (STATUS_TOKEN_UNAVAILABLE).
 *
 * An intent without a result whose lease has run out is in doubt: the provider may have given a newer refresh
 * token that nobody kept. The old one is tried once more, and after that only by force.
 *
 * STATUS_NOT_FOUND: there is no such account any more. STATUS_NEEDS_RECONNECT, with `force` only: it cannot
 * be renewed. */
enum status token_begin(struct vault *vault, const uint8_t id[STORE_ID_SIZE], uint64_t now_ms, bool force,
                        struct leaf *leaf, struct failure *failure, enum token_begun *ret_begun,
                        uint64_t *ret_until_ms, struct token_job *ret_job);

/* ---- Answers of the helper ---- */

enum token_verdict {
    TOKEN_GIVEN,     /* tokens */
    TOKEN_TRANSIENT, /* network, provider down: later it may work */
    TOKEN_REFUSED,   /* a permanent error that may be the client's, not the token's */
    TOKEN_INVALID,   /* dead: invalid_grant, or a synonym */
    TOKEN_CANCELLED
};

/* An answer `tokens` or `failed`; what is a pointer is borrowed from it, and NULL where it was not there. */
struct token_result {
    enum token_verdict verdict;
    const struct json *properties; /* names and texts, all checked; the access token is among them */
    bool has_lifetime;
    uint64_t lifetime_ms;
    bool has_due;
    uint64_t due_ms;
    uint64_t age_ms; /* since the request was sent, when it answered; 0: not said */
    const char *scopes;
    bool has_requested;
    const char *requested; /* what was asked for with the provider's own; NULL: nothing */
    const char *identity;
    const char *identity_name;
    const char *provider; /* the document with what discovery filled in */
    const char *reason;   /* one sentence */
    const char *code;     /* [a-z0-9_.-] */
    bool has_retry;
    uint64_t retry_ms;
    bool sent; /* bytes of a request may have reached the provider */
};

/* Reads an answer that is `tokens` or `failed`. The helper talks to the network and is not trusted further
 * than this: STATUS_PROTOCOL for whatever breaks its form, and never with its content. */
enum status token_read_answer(const struct json *answer, struct failure *failure,
                              struct token_result *ret_result);
/* What stands for the answer of a helper that gave none: ended, was silent until its deadline, broke the
 * form. `reason` is borrowed. */
void token_make_failed(struct token_result *result, const char *reason);

enum token_settled {
    TOKEN_RENEWED,
    TOKEN_FAILED,    /* the record says why, and until when not to try again */
    TOKEN_SUPERSEDED /* another generation by now, or no such account: nothing was written, but for new
                        refresh tokens where the account has those still that were sent */
};
/* The second half, within a turn: what the answer says of `job`, at `now_ms`. Renewed: the properties without
 * an old revision, the next generation, no intent, no failures. What the answer lacks stays as it was: the
 * refresh token, lifetime, scopes, identity. New properties that a binding's rules or an account's bounds
 * forbid are left out rather than the new tokens lost. Failed: the reason, and the time of the next try:
 * what the provider asked for, or 5 s doubled by each failure up to a quarter of an hour, with jitter;
 * refused five times over an hour, or once dead, it needs to be connected anew, and nothing is deleted.
 *
 * Fills the leaf (`refreshed`: account, app, label, generation, `result`, and the `verdict` and `code` of a
 * failure, or the names of the `properties` that were set), granted or refused; to be appended as it is. */
enum status token_settle(struct vault *vault, const struct token_job *job, const struct token_result *result,
                         uint64_t now_ms, struct leaf *leaf, struct failure *failure,
                         enum token_settled *ret_settled);

/* ---- What an API says of an access token ---- */

enum token_rejection {
    TOKEN_REPLACED,  /* the account has other tokens by now: try those */
    TOKEN_RENEWABLE, /* have them renewed, once, and try what comes */
    TOKEN_REJECTED   /* nothing is left to be tried */
};
/* What is to be done about an API that answered 401 to the access token of `generation`, which had not ended:
 * one renewal, unless that generation came of such a one, or cannot be renewed. The renewal's job is marked
 * `rejected` for it. STATUS_NOT_FOUND: there is no such account any more. */
enum status token_judge_rejection(struct vault *vault, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                                  struct failure *failure, enum token_rejection *ret_rejection);

/* Within a turn: notes what the app's test request said of the tokens of `generation`. Not `taken`, which is
 * for TOKEN_REJECTED only: the account needs to be connected anew, because of `reason`, one line; but it is
 * renewed on by time, and handed out. Taken: that is over; what a provider said of its grant is not. Fills
 * the leaf (`tested`: account, app, label, generation), to be appended only where something was `noted`: not
 * for other tokens by now, for what stands there already, and of a client that acts for itself, which has no
 * grant that a person could give anew. */
enum status token_note_trial(struct vault *vault, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                             bool taken, const char *reason, struct leaf *leaf, struct failure *failure,
                             bool *ret_noted);

/* ---- For account.c and its like ---- */

/* What a grant begins with. Texts are borrowed. */
struct token_grant {
    const char *provider;       /* the document */
    const char *client;         /* app:label of the registration */
    const char *grant;          /* authorization_code, device_code, client_credentials, import */
    const char *method;         /* the catalogue's name of it, or NULL */
    const char *requested;      /* scopes, separated by blanks; NULL: none */
    const char *requested_user; /* of the second parameter, where a provider has two */
    uint64_t obtained_ms;       /* when the request was sent */
};
/* Adds the fields of a new grant to the draft of an account, in place of those of `previous` (NULL: none). */
void token_add_grant(struct record_draft *draft, const struct token_grant *grant,
                     const struct token_result *result, const struct record *previous);

/* For check_form.c. */
bool token_grant_is_known(const char *grant);
bool token_intent_is_sound(const char *text);

/* Adds the fields of `previous` to a draft that has all its properties. Where a token is another one than it
 * was, somebody set it by hand: the next generation begins, of which nothing is known; with a refresh token
 * and no access token beside it, it is due at once. */
void token_carry(struct record_draft *draft, const struct record *previous, uint64_t now_ms);

#endif
