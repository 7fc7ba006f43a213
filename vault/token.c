/* A grant's fields, and what they say of its token. */
#include "token.h"

#include "account_interior.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "token_interior.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define REFRESH_SUFFIX "_refresh_token"
#define ACCESS_SUFFIX "access_token"
#define REFRESH_PROPERTY "oauth_refresh_token"

/* The wall clock is put right by so much without anybody's having set it. */
#define SLACK_MS UINT64_C(60000)

static const char *const grants[] = {"authorization_code", "device_code", TOKEN_CLIENT_CREDENTIALS, "import"};

static const struct {
    const char *name;
    size_t offset;
    bool always; /* also where it is 0 */
} numbers[] = {
    {"generation", offsetof(struct token_fields, generation), true },
    {"obtained",   offsetof(struct token_fields, obtained),   true },
    {"lifetime",   offsetof(struct token_fields, lifetime),   false},
    {"expires",    offsetof(struct token_fields, expires),    false},
    {"due",        offsetof(struct token_fields, due),        false},
    {"refreshed",  offsetof(struct token_fields, refreshed),  false},
    {"failures",   offsetof(struct token_fields, failures),   false},
    {"retry",      offsetof(struct token_fields, retry),      false},
    {"wait",       offsetof(struct token_fields, wait),       false},
    {"refusals",   offsetof(struct token_fields, refusals),   false},
    {"refused",    offsetof(struct token_fields, refused),    false},
    {"doubt",      offsetof(struct token_fields, doubt),      false},
    {"unanswered", offsetof(struct token_fields, unanswered), false},
    {"rejected",   offsetof(struct token_fields, rejected),   false},
};
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"provider",       offsetof(struct token_fields, provider)      },
    {"client",         offsetof(struct token_fields, client)        },
    {"grant",          offsetof(struct token_fields, grant)         },
    {"method",         offsetof(struct token_fields, method)        },
    {"requested",      offsetof(struct token_fields, requested)     },
    {"requested_user", offsetof(struct token_fields, requested_user)},
    {"granted",        offsetof(struct token_fields, granted)       },
    {"identity",       offsetof(struct token_fields, identity)      },
    {"identity_name",  offsetof(struct token_fields, identity_name) },
    {"state",          offsetof(struct token_fields, state)         },
    {"error",          offsetof(struct token_fields, error)         },
    {"intent",         offsetof(struct token_fields, intent)        },
};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

static uint64_t *number_at(struct token_fields *fields, size_t i)
{
    return (uint64_t *)(void *)((char *)fields + numbers[i].offset);
}

static const char **text_at(struct token_fields *fields, size_t i)
{
    return (const char **)(void *)((char *)fields + texts[i].offset);
}

bool token_grant_is_known(const char *grant)
{
    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++)
        if (strcmp(grants[i], grant) == 0)
            return true;
    return false;
}

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

bool token_is_refresh_token(const char *property)
{
    return strcmp(property, REFRESH_PROPERTY) == 0 || ends_in(property, REFRESH_SUFFIX);
}

bool token_is_token(const char *property)
{
    return ends_in(property, "_token");
}

/* What is surely one: a person may have named anything else so. */
static bool is_surely_token(const char *property)
{
    return token_is_refresh_token(property) || ends_in(property, ACCESS_SUFFIX);
}

bool token_has_grant(const struct record *account)
{
    return record_has(account, TOKEN_FIELD_PREFIX "grant");
}

bool token_is_of_grant(const struct record *account, const char *property)
{
    bool named = is_surely_token(property) || strcmp(property, "oauth_client_id") == 0 ||
                 strcmp(property, "oauth_uid") == 0;

    return named && token_has_grant(account);
}

bool token_fields_read(const struct record *account, struct token_fields *ret_fields)
{
    struct token_fields fields = {0};
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(account, TOKEN_FIELD_PREFIX, &position, &name, &value, &size)) {
        for (size_t i = 0; i < NUMBER_COUNT; i++)
            if (strcmp(name, numbers[i].name) == 0)
                (void)text_to_number(value, UINT64_MAX, number_at(&fields, i));
        for (size_t i = 0; i < TEXT_COUNT; i++)
            if (strcmp(name, texts[i].name) == 0)
                *text_at(&fields, i) = value;
    }
    *ret_fields = fields;
    return fields.grant != NULL && fields.provider != NULL && fields.client != NULL;
}

void token_fields_add(struct record_draft *draft, const struct token_fields *fields)
{
    struct token_fields copy = *fields;
    char field[sizeof TOKEN_FIELD_PREFIX + 16];

    for (size_t i = 0; i < TEXT_COUNT; i++) {
        snprintf(field, sizeof field, TOKEN_FIELD_PREFIX "%s", texts[i].name);
        if (*text_at(&copy, i) != NULL)
            record_draft_add_text(draft, field, *text_at(&copy, i));
    }
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        snprintf(field, sizeof field, TOKEN_FIELD_PREFIX "%s", numbers[i].name);
        if (numbers[i].always || *number_at(&copy, i) != 0)
            record_draft_add_number(draft, field, *number_at(&copy, i));
    }
}

bool token_intent_parse(const char *text, struct token_intent *ret_intent)
{
    struct token_intent intent;
    uint64_t *const parts[] = {&intent.generation, NULL, &intent.sent_ms, &intent.lease_ms};
    uint8_t digest[32];

    for (size_t i = 0; i < 4; i++) {
        char part[TOKEN_DIGEST_HEX];
        size_t size = strcspn(text, " ");
        if (size >= sizeof part || text[size] != (i < 3 ? ' ' : '\0'))
            return false;
        memcpy(part, text, size);
        part[size] = '\0';
        text += size + (i < 3);
        if (parts[i] != NULL ? !text_to_number(part, UINT64_MAX, parts[i])
                             : !text_from_hex(digest, sizeof digest, part))
            return false;
        if (parts[i] == NULL)
            memcpy(intent.digest, part, sizeof intent.digest);
    }
    *ret_intent = intent;
    return true;
}

void token_intent_format(const struct token_intent *intent, char destination[TOKEN_INTENT_SIZE])
{
    snprintf(destination, TOKEN_INTENT_SIZE, "%" PRIu64 " %s %" PRIu64 " %" PRIu64, intent->generation,
             intent->digest, intent->sent_ms, intent->lease_ms);
}

bool token_intent_is_sound(const char *text)
{
    struct token_intent intent;

    return token_intent_parse(text, &intent);
}

bool token_digest(const struct record *account, char ret_digest[TOKEN_DIGEST_HEX])
{
    CLEANUP(secret_reset) struct secret tokens = {0};
    uint8_t digest[SEAL_HASH_SIZE];
    const char *name, *value;
    size_t position = 0, size;
    bool found = false, held = true;

    while (record_next(account, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size)) {
        if (!token_is_refresh_token(name) || size == 0)
            continue;
        found = true;
        held =
            held && secret_append(&tokens, name, strlen(name) + 1) && secret_append(&tokens, value, size + 1);
    }
    seal_digest(digest, tokens.bytes, held ? tokens.size : 0);
    text_to_hex(ret_digest, digest, sizeof digest);
    return found;
}

bool token_may_be_old(const struct record *account)
{
    const char *name, *value;
    size_t position = 0, size;
    bool connected = token_has_grant(account);

    while (record_next(account, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (connected ? token_is_refresh_token(name) : strcmp(name, REFRESH_PROPERTY) == 0)
            return true;
    return false;
}

bool token_can_renew(const struct record *account, const struct token_fields *fields)
{
    const char *name, *value;
    size_t position = 0, size;

    if (strcmp(fields->grant, TOKEN_CLIENT_CREDENTIALS) == 0)
        return true;
    while (record_next(account, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (token_is_refresh_token(name) && size > 0)
            return true;
    return false;
}

/* A clock that was set back says nothing of how long ago the request was sent. */
static bool lease_holds(const struct token_intent *intent, uint64_t now_ms)
{
    return intent->sent_ms <= now_ms + SLACK_MS && now_ms < intent->lease_ms;
}

enum token_flight token_find_flight(const struct record *account, const struct token_fields *fields,
                                    uint64_t now_ms, uint64_t *ret_lease_ms)
{
    struct token_intent intent;
    char digest[TOKEN_DIGEST_HEX];

    *ret_lease_ms = 0;
    if (fields->intent == NULL || !token_intent_parse(fields->intent, &intent) ||
        intent.generation != fields->generation)
        return TOKEN_ON_GROUND;
    bool rotates = token_digest(account, digest);
    if (strcmp(digest, intent.digest) != 0)
        return TOKEN_ON_GROUND;
    if (lease_holds(&intent, now_ms)) {
        *ret_lease_ms = intent.lease_ms;
        return TOKEN_IN_FLIGHT;
    }
    /* A client of its own has nothing that a lost reply could have taken along. */
    if (!rotates)
        return TOKEN_ON_GROUND;
    return fields->doubt == fields->generation ? TOKEN_MISSING_TWO : TOKEN_MISSING;
}

bool token_is_final(const struct token_fields *fields)
{
    return fields->state != NULL && fields->rejected != fields->generation;
}

const char *token_provider(const struct record *account)
{
    return record_field(account, TOKEN_FIELD_PREFIX "provider", NULL);
}

uint64_t token_generation(const struct record *account)
{
    return record_number(account, TOKEN_FIELD_PREFIX "generation");
}

const char *token_requested(const struct record *account, bool user)
{
    return record_field(account, user ? TOKEN_FIELD_PREFIX "requested_user" : TOKEN_FIELD_PREFIX "requested",
                        NULL);
}

const char *token_method(const struct record *account)
{
    return record_field(account, TOKEN_FIELD_PREFIX "method", NULL);
}

/* What is too far ahead is of a clock that was set back since. */
static bool lies_ahead(uint64_t time_ms, uint64_t now_ms)
{
    return time_ms > now_ms && time_ms - now_ms <= TOKEN_RETRY_MAX_MS;
}

bool token_must_wait(const struct token_fields *fields, uint64_t now_ms)
{
    return lies_ahead(fields->wait, now_ms);
}

/* What each projection asks of each account: by three of the fields. Who was not told when a token is due
 * renews it when it has ended. */
static bool is_fresh(const struct record *account, uint64_t now_ms)
{
    uint64_t due = 0, expires = 0, obtained = 0;
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(account, TOKEN_FIELD_PREFIX, &position, &name, &value, &size)) {
        uint64_t *number = strcmp(name, "due") == 0        ? &due
                           : strcmp(name, "expires") == 0  ? &expires
                           : strcmp(name, "obtained") == 0 ? &obtained
                                                           : NULL;
        if (number != NULL)
            (void)text_to_number(value, UINT64_MAX, number);
    }
    if (due == 0)
        due = expires;
    return due == 0 || (due > now_ms && obtained <= now_ms + SLACK_MS);
}

bool token_is_due(const struct record *account, uint64_t now_ms)
{
    struct token_fields fields;
    uint64_t lease_ms;

    if (is_fresh(account, now_ms) || !token_fields_read(account, &fields) || token_is_final(&fields))
        return false;
    if (lies_ahead(fields.retry, now_ms) || token_must_wait(&fields, now_ms))
        return false;
    return token_can_renew(account, &fields) &&
           token_find_flight(account, &fields, now_ms, &lease_ms) != TOKEN_MISSING_TWO;
}

static bool has_ended(const struct token_fields *fields, uint64_t now_ms)
{
    return fields->expires != 0 && fields->expires <= now_ms;
}

enum token_health token_health(const struct record *account, uint64_t now_ms)
{
    struct token_fields fields;
    uint64_t lease_ms;

    if (!token_fields_read(account, &fields))
        return TOKEN_NONE;
    bool renews = token_can_renew(account, &fields);
    if (fields.state != NULL || (!renews && has_ended(&fields, now_ms)))
        return TOKEN_DEAD;
    enum token_flight flight = token_find_flight(account, &fields, now_ms, &lease_ms);
    if (flight == TOKEN_MISSING || flight == TOKEN_MISSING_TWO ||
        (renews && record_has(account, ACCOUNT_FIELD_RESTORED)))
        return TOKEN_IN_DOUBT;
    return fields.failures + fields.refusals > 0 ? TOKEN_FAILING : TOKEN_HEALTHY;
}

/* Why it is not healthy, in a clause; NULL where that is not known. */
static const char *find_reason(const struct record *account, const struct token_fields *fields,
                               uint64_t now_ms)
{
    switch (token_health(account, now_ms)) {
    case TOKEN_DEAD:
        return fields->error != NULL ? fields->error : "it has ended and there is no refresh token";
    case TOKEN_IN_DOUBT:
        return record_has(account, ACCOUNT_FIELD_RESTORED)
                   ? "it came back with a restored copy of the vault, and its refresh token may be an old one"
                   : "the reply to a renewal was lost, and its refresh token may be an old one";
    case TOKEN_FAILING:
        return fields->error;
    default:
        return NULL;
    }
}

enum status token_check_deliverable(const struct record *account, uint64_t now_ms, struct failure *failure)
{
    struct token_fields fields;
    uint64_t lease_ms;

    uint64_t expires = record_number(account, TOKEN_FIELD_PREFIX "expires");
    if (expires == 0 || expires > now_ms || !token_fields_read(account, &fields))
        return STATUS_OK;
    const char *reason = find_reason(account, &fields, now_ms);
    enum token_flight flight = token_find_flight(account, &fields, now_ms, &lease_ms);
    bool over = token_is_final(&fields) || !token_can_renew(account, &fields) || flight == TOKEN_MISSING_TWO;
    if (over)
        return failure_set(failure, STATUS_NEEDS_RECONNECT,
                           "the token of %s:%s has ended and cannot be renewed: %s", account->where,
                           account->name, reason);
    if (flight == TOKEN_IN_FLIGHT)
        reason = "a request for a new one may still be under way";
    else if (fields.error != NULL)
        reason = fields.error;
    return failure_set(failure, STATUS_TOKEN_UNAVAILABLE,
                       "the token of %s:%s has ended and could not be renewed yet%s%s", account->where,
                       account->name, reason != NULL ? ": " : "", reason != NULL ? reason : "");
}

static void write_time(struct json_writer *writer, const char *member, uint64_t time_ms)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format(time, time_ms);
    if (time_ms != 0)
        json_add_text(writer, member, time);
}

static void write_text(struct json_writer *writer, const char *member, const char *text)
{
    if (text != NULL)
        json_add_text(writer, member, text);
}

void token_write(const struct record *account, uint64_t now_ms, struct json_writer *writer)
{
    static const char *const words[] = {[TOKEN_HEALTHY] = "healthy",
                                        [TOKEN_FAILING] = "failing",
                                        [TOKEN_IN_DOUBT] = "in_doubt",
                                        [TOKEN_DEAD] = "needs_reconnect"};
    struct token_fields fields;

    if (!token_fields_read(account, &fields))
        return;
    json_add_text(writer, "method", fields.grant);
    write_text(writer, "app_method", fields.method);
    json_add_text(writer, "client", fields.client);
    json_add_text(writer, "health", words[token_health(account, now_ms)]);
    write_text(writer, "reason", find_reason(account, &fields, now_ms));
    write_time(writer, "token_expires", fields.expires);
    write_time(writer, "refreshed", fields.refreshed);
    write_text(writer, "scopes", fields.granted != NULL ? fields.granted : fields.requested);
    token_write_missing(&fields, writer);
    write_text(writer, "identity", fields.identity_name != NULL ? fields.identity_name : fields.identity);
    write_text(writer, "identity_id", fields.identity);
}

void token_add_grant(struct record_draft *draft, const struct token_grant *grant,
                     const struct token_result *result, const struct record *previous)
{
    struct token_fields before = {0};
    struct token_fields fields = {
        .provider = result->provider != NULL ? result->provider : grant->provider,
        .client = grant->client,
        .grant = grant->grant,
        .method = grant->method,
        .requested = result->has_requested ? result->requested : grant->requested,
        .requested_user = grant->requested_user,
        .granted = result->scopes,
        .identity = result->identity,
        .identity_name = result->identity_name,
        .obtained = grant->obtained_ms,
        .lifetime = result->lifetime_ms,
        .expires = result->has_lifetime ? grant->obtained_ms + result->lifetime_ms : 0,
        .due = result->has_due ? grant->obtained_ms + result->due_ms : 0,
    };

    if (previous != NULL)
        (void)token_fields_read(previous, &before);
    fields.generation = before.generation + 1;
    token_fields_add(draft, &fields);
}

static bool token_differs(const struct record *one, const struct record *other, bool refresh)
{
    const char *name, *value;
    size_t position = 0, size;

    while (record_next(one, ACCOUNT_PROPERTY_PREFIX, &position, &name, &value, &size))
        if (is_surely_token(name) && token_is_refresh_token(name) == refresh &&
            !account_field_is(other, name - strlen(ACCOUNT_PROPERTY_PREFIX), value, size))
            return true;
    return false;
}

void token_carry(struct record_draft *draft, const struct record *previous, uint64_t now_ms)
{
    const struct record next = record_draft_preview(draft);
    struct token_fields fields;

    if (!token_fields_read(previous, &fields))
        return;
    bool given = token_differs(&next, previous, true);
    bool renewed = given || token_differs(previous, &next, true);
    bool replaced = token_differs(&next, previous, false) || token_differs(previous, &next, false);
    bool marked = record_has(&next, ACCOUNT_FIELD_RESTORED);
    if (!renewed && !replaced) {
        token_fields_add(draft, &fields);
        if (!marked)
            record_draft_copy(draft, previous, ACCOUNT_FIELD_RESTORED);
        return;
    }
    struct token_fields after = {
        .provider = fields.provider,
        .client = fields.client,
        .grant = fields.grant,
        .method = fields.method,
        .requested = fields.requested,
        .requested_user = fields.requested_user,
        .generation = fields.generation + 1,
        .obtained = now_ms,
        .due = given && !replaced ? now_ms : 0,
    };
    token_fields_add(draft, &after);
}
