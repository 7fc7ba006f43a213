/* The tolerant reader of replies. */
#include "oauth/reply.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/words.h"
#include "catalog/path.h"
#include "oauth/query.h"

#include <string.h>

#define FORM_PARAMETERS_MAX 64
#define NAME_MAX_BYTES 256
#define WHOLE_DIGITS_MAX 18 /* more may be too many for a number of ours */
#define DAY_MS (24ull * 3600 * 1000)
#define LIFETIME_MAX_MS (10 * 366 * DAY_MS) /* longer than that is no lifetime */
#define MILLISECONDS_FROM 100000000000ull   /* a time that is larger is not in seconds */

/* ---- bodies ---- */

/* Bytes of the JSON number at `text`; 0 if none begins here. */
static size_t number_size(const char *text, size_t size)
{
    size_t length = 0;

    while (length < size && text[length] != '\0' && strchr("+-.0123456789Ee", text[length]) != NULL)
        length++;
    return length > 0 && strchr("-0123456789", text[0]) != NULL ? length : 0;
}

static bool is_short_and_whole(const char *text, size_t size)
{
    size_t sign = text[0] == '-';

    for (size_t i = sign; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return size - sign <= WHOLE_DIGITS_MAX;
}

/* Appends the JSON with quotes around numbers that are not short and whole: one that is too large would spoil
 * all of it. */
static bool quote_numbers(const char *text, size_t size, struct secret *quoted)
{
    bool in_text = false;
    size_t from = 0;

    for (size_t at = 0; at < size; at++) {
        size_t length;

        if (in_text && text[at] == '\\') {
            at++;
            continue;
        }
        if (text[at] == '"')
            in_text = !in_text;
        length = in_text ? 0 : number_size(text + at, size - at);
        if (length == 0)
            continue;
        if (!is_short_and_whole(text + at, length)) {
            if (!secret_append(quoted, text + from, at - from) || !secret_append_byte(quoted, '"') ||
                !secret_append(quoted, text + at, length) || !secret_append_byte(quoted, '"'))
                return false;
            from = at + length;
        }
        at += length - 1;
    }
    return secret_append(quoted, text + from, size - from);
}

static bool parse_json(const char *text, size_t size, struct json **ret_document)
{
    CLEANUP(secret_reset) struct secret quoted = {0};
    struct failure failure;

    return quote_numbers(text, size, &quoted) &&
           json_parse_foreign(quoted.bytes, quoted.size, "the reply", &failure, ret_document) == STATUS_OK;
}

/* One parameter becomes a member, if its name is plain and it is there once. */
static void add_parameter(struct json_writer *writer, const char *form, size_t size, const char *at,
                          size_t name_size, struct secret *value)
{
    char name[NAME_MAX_BYTES];

    if (name_size == 0 || name_size >= sizeof(name) || memchr(at, '%', name_size) != NULL ||
        !text_is_utf8(at, name_size))
        return;
    memcpy(name, at, name_size);
    name[name_size] = '\0';
    if (query_find(form, size, name, value) == QUERY_FOUND && memchr(value->bytes, 0, value->size) == NULL)
        json_add_bytes(writer, name, value->bytes, value->size);
}

static bool parse_form(const char *form, size_t size, struct json **ret_document)
{
    CLEANUP(secret_reset) struct secret object = {0};
    CLEANUP(secret_reset) struct secret value = {0};
    struct json_writer writer;
    struct failure failure;
    size_t count = 0;

    if (memchr(form, '=', size) == NULL || memchr(form, '<', size) != NULL)
        return false;
    json_writer_start(&writer, &object);
    json_open_object(&writer, NULL);
    for (size_t at = 0; at < size && count < FORM_PARAMETERS_MAX; count++) {
        const char *separator = memchr(form + at, '&', size - at);
        size_t length = separator != NULL ? (size_t)(separator - form) - at : size - at;
        const char *equals = memchr(form + at, '=', length);

        add_parameter(&writer, form, size, form + at, equals != NULL ? (size_t)(equals - form) - at : length,
                      &value);
        at += length + 1;
    }
    json_close_object(&writer);
    return !writer.failed &&
           json_parse(object.bytes, object.size, "the reply", &failure, ret_document) == STATUS_OK;
}

static bool may_be_form(const char *content_type)
{
    return content_type[0] == '\0' || strcmp(content_type, "text/plain") == 0 ||
           strcmp(content_type, "application/x-www-form-urlencoded") == 0;
}

bool reply_parse(const char *content_type, const void *bytes, size_t size, struct json **ret_document)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *text = bytes;

    if (size >= 3 && memcmp(text, mark, 3) == 0) {
        text += 3;
        size -= 3;
    }
    while (size > 0 && strchr(" \t\r\n", *text) != NULL && *text != '\0') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] != '\0' && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    if (size == 0)
        return false;
    if (*text == '{' || *text == '[')
        return parse_json(text, size, ret_document);
    return may_be_form(content_type) && parse_form(text, size, ret_document);
}

/* ---- values ---- */

bool reply_append_text(const struct json *value, struct secret *text)
{
    int64_t number;
    bool boolean;
    size_t size;
    const char *found = json_text(value, &size);

    if (found != NULL)
        return secret_append(text, found, size);
    if (json_number(value, &number))
        return secret_append_format(text, "%lld", (long long)number);
    return json_boolean(value, &boolean) && secret_append_text(text, boolean ? "true" : "false");
}

/* A number, or a text that begins with one that is whole or has a fraction; 0 if it is neither, or not over
 * 0.
 */
static uint64_t number_of(const struct json *value)
{
    const char *text = json_text(value, NULL);
    char whole[WHOLE_DIGITS_MAX + 1];
    int64_t number = 0;
    uint64_t found = 0;
    size_t size;

    if (json_number(value, &number))
        return number > 0 ? (uint64_t)number : 0;
    if (text == NULL)
        return 0;
    size = strspn(text, "0123456789");
    if (size > WHOLE_DIGITS_MAX ||
        (text[size] == '.' ? text[size + 1 + strspn(text + size + 1, "0123456789")] : text[size]) != '\0')
        return 0;
    memcpy(whole, text, size);
    whole[size] = '\0';
    return text_to_number(whole, INT64_MAX, &found) ? found : 0;
}

/* ---- errors ---- */

/* What means invalid_grant in any mouth; providers' own words are in the catalogue. */
static const char *const dead_codes[] = {
    "invalid_grant", "bad_refresh_token", "invalid_refresh_token", "bad_verification_code",
    "token_expired", "token_revoked",     "Token is not active",   NULL};

/* What trying again does not change: RFC 6749, 8628, 8707 and OpenID Connect, then Microsoft, GitHub, Google
 * and Slack.
 */
static const char *const refused_codes[] = {
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
    "invalid_scope",
    "invalid_target",
    "access_denied",
    "authorization_declined",
    "expired_token",
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
    "device_flow_disabled",
    "incorrect_client_credentials",
    "redirect_uri_mismatch",
    "admin_policy_enforced",
    "org_internal",
    "deleted_client",
    "disabled_client",
    "invalid_client_id",
    "bad_client_secret",
    "bad_redirect_uri",
    "invalid_code",
    "code_already_used",
    "invalid_grant_type",
    "account_inactive",
    NULL,
};

static bool is_among(const char *const *codes, const char *code)
{
    for (; *codes != NULL; codes++) {
        if (strcmp(*codes, code) == 0)
            return true;
    }
    return false;
}

/* True if `error` says that something is wrong, whatever its form. */
static bool is_error(const struct json *error)
{
    int64_t number = 0;
    bool flag = false;

    if (error == NULL)
        return false;
    if (json_kind(error) == JSON_KIND_OBJECT)
        return json_count(error) > 0 && json_text(json_member(error, "code"), NULL) == NULL;
    return (json_number(error, &number) && number != 0) || (json_boolean(error, &flag) && flag);
}

/* The error's code as a reply has it; NULL if it has none. `*ret_failed`: it says that something is wrong. */
static const char *error_code(const struct provider *provider, const struct json *document, bool *ret_failed)
{
    const char *const places[] = {provider_fact(provider, "error_path", "error"),
                                  "error",
                                  "error.code",
                                  "error.type",
                                  "error.error",
                                  "error_code",
                                  "errorCode"};
    const char *code = NULL;
    bool fine = true;

    for (size_t i = 0; code == NULL && i < sizeof(places) / sizeof(places[0]); i++)
        code = json_text(path_find(document, places[i]), NULL);
    if (code != NULL && (code[0] == '\0' || strcmp(code, "ok") == 0))
        code = NULL;
    json_boolean(path_find(document, provider_fact(provider, "ok_path", "ok")), &fine);
    *ret_failed = code != NULL || !fine || is_error(json_member(document, "error"));
    return code;
}

static bool is_busy(unsigned status)
{
    return status >= 500 || status == 429 || status == 408;
}

static enum verdict verdict_of(const struct provider *provider, unsigned status, const char *code)
{
    if (code == NULL || is_busy(status))
        return VERDICT_TRANSIENT;
    if (is_among(dead_codes, code) || json_has_text(json_member(provider->oauth, "error_synonyms"), code))
        return VERDICT_DEAD;
    return is_among(refused_codes, code) ? VERDICT_REFUSED : VERDICT_TRANSIENT;
}

static enum verdict error_fault(const struct provider *provider, const struct http_reply *http,
                                const char *peer, const char *code, struct fault *fault)
{
    enum verdict verdict = verdict_of(provider, http->status, code);

    fault->busy = is_busy(http->status);
    fault_set_code(fault, code);
    if (fault->code[0] == '\0')
        return fault_set(fault, verdict, "%s answers with status %u and an error", peer, http->status);
    return fault_set(fault, verdict, "%s answers with the error %s", peer, fault->code);
}

/* `*ret_document` stays NULL if the body is no object. */
static enum verdict judge(const struct provider *provider, const struct http_reply *http, const char *peer,
                          struct fault *fault, struct json **ret_document)
{
    CLEANUP(json_freep) struct json *document = NULL;
    const char *code = NULL;
    bool failed = false;

    fault->retry_ms = http->retry_ms;
    if (reply_parse(http->content_type, http->body.bytes, http->body.size, &document) &&
        json_kind(document) == JSON_KIND_OBJECT)
        code = error_code(provider, document, &failed);
    else
        json_freep(&document);
    if (failed)
        return error_fault(provider, http, peer, code, fault);
    if (http->status < 200 || http->status > 299)
        return fault_set(fault, VERDICT_TRANSIENT, "%s answers with status %u and no error of OAuth", peer,
                         http->status);
    *ret_document = TAKE(document);
    return VERDICT_OK;
}

enum verdict reply_read(const struct provider *provider, const struct http_reply *http, const char *peer,
                        struct fault *fault, struct json **ret_document)
{
    CLEANUP(json_freep) struct json *document = NULL;
    enum verdict verdict = judge(provider, http, peer, fault, &document);

    if (verdict == VERDICT_OK && document == NULL)
        return fault_set(fault, VERDICT_TRANSIENT, "%s answers with something that is not OAuth", peer);
    if (verdict == VERDICT_OK)
        *ret_document = TAKE(document);
    return verdict;
}

enum verdict reply_read_done(const struct provider *provider, const struct http_reply *http, const char *peer,
                             struct fault *fault)
{
    CLEANUP(json_freep) struct json *document = NULL;

    return judge(provider, http, peer, fault, &document);
}

/* ---- tokens ---- */

static const char usual_path[] = "access_token";

static bool is_token(const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;

    if (size == 0 || size > REPLY_TOKEN_MAX)
        return false;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    }
    return true;
}

/* What stands beside the token that is at `path`: `authed_user.refresh_token` for `authed_user.access_token`;
 * else what stands at the top, unless that is another token's: a refresh token is good for its own alone. */
static const struct json *find_beside(const struct json *document, const char *path, const char *name)
{
    const struct json *found = json_member(path_find_around(document, path), name);

    return found != NULL || json_member(document, usual_path) != NULL ? found : json_member(document, name);
}

static bool take_token(struct reply *reply, const char *path)
{
    const char *token = json_text(path_find(reply->document, path), NULL);

    if (!is_token(token))
        return false;
    reply->access_token = token;
    return true;
}

/* The path at which it is; NULL if there is none. */
static const char *find_access_token(const struct provider *provider, enum reply_purpose purpose,
                                     struct reply *reply)
{
    const struct json *paths = json_member(provider->oauth, "token_paths");

    for (size_t i = 0; i < json_count(paths); i++) {
        const char *path = json_text(json_at(paths, i), NULL);

        if (take_token(reply, path))
            return path;
    }
    return (paths == NULL || purpose == REPLY_RENEWAL) && take_token(reply, usual_path) ? usual_path : NULL;
}

/* A moment as a number of seconds or milliseconds, or as a date; 0 if it is none. */
static uint64_t moment_of(const struct json *value)
{
    const char *text = json_text(value, NULL);
    uint64_t number = number_of(value);
    uint64_t moment = 0;

    if (number > 0)
        return number < MILLISECONDS_FROM ? number * 1000 : number;
    return text != NULL && clock_parse_date(text, &moment) ? moment : 0;
}

/* By the server's clock, if it says what that shows: ours may be wrong. */
static uint64_t lifetime_until(uint64_t moment, const struct http_reply *http)
{
    uint64_t now = http->date_ms != 0 ? http->date_ms : http->sent_wall_ms;

    return moment > now ? moment - now : 0;
}

/* 0: the reply does not say it. */
static uint64_t said_lifetime(const struct provider *provider, const struct http_reply *http,
                              const struct json *document, const char *path)
{
    const char *way = provider_fact(provider, "expires", "in");
    uint64_t number = number_of(find_beside(document, path, "expires_in"));
    uint64_t lifetime = 0;

    if (strcmp(way, "at") == 0)
        lifetime = lifetime_until(moment_of(find_beside(document, path, "expires_at")), http);
    if (lifetime == 0 && number > 0 && number <= LIFETIME_MAX_MS)
        lifetime = strcmp(way, "ms") == 0 ? number : number * 1000;
    if (lifetime == 0 && strcmp(way, "at") != 0)
        lifetime = lifetime_until(moment_of(find_beside(document, path, "expires_at")), http);
    return lifetime <= LIFETIME_MAX_MS ? lifetime : 0;
}

static uint64_t due_after(const struct provider *provider, uint64_t lifetime_ms)
{
    bool late = json_member_boolean(provider->oauth, "refresh_kills_access", false);
    uint64_t margin = (uint64_t)json_member_number(provider->oauth, "margin_seconds",
                                                   late ? REPLY_LATE_MARGIN_S : REPLY_MARGIN_S) *
                      1000;

    return lifetime_ms - (margin < lifetime_ms / 4 ? margin : lifetime_ms / 4);
}

static uint64_t fact_ms(const struct provider *provider, const char *name, uint64_t usual_ms,
                        uint64_t unit_ms)
{
    uint64_t number = (uint64_t)json_member_number(provider->oauth, name, 0);

    if (number == 0)
        return usual_ms;
    return number < LIFETIME_MAX_MS / unit_ms ? number * unit_ms : LIFETIME_MAX_MS;
}

/* A token of which nothing is said ends some time if it can be renewed, so it is renewed by a guess; but what
 * is only guessed ends nothing. One that cannot be renewed is good until it is not. */
static void set_times(const struct provider *provider, const struct http_reply *http, const char *path,
                      bool renewable, struct reply *reply)
{
    uint64_t keep_alive = fact_ms(provider, "keep_alive_days", 0, DAY_MS);

    reply->lifetime_ms = said_lifetime(provider, http, reply->document, path);
    if (reply->lifetime_ms == 0)
        reply->lifetime_ms = fact_ms(provider, "lifetime_seconds", 0, 1000);
    if (!renewable)
        return;
    if (reply->lifetime_ms > 0)
        reply->due_ms = due_after(provider, reply->lifetime_ms);
    else if (strcmp(provider_fact(provider, "expires", "in"), "none") != 0)
        reply->due_ms = due_after(provider, REPLY_USUAL_MS);
    if (keep_alive > 0 && (reply->due_ms == 0 || keep_alive < reply->due_ms))
        reply->due_ms = keep_alive;
}

/* Some that are asked with blanks answer with commas. */
static bool append_scopes(struct secret *scopes, const struct json *value)
{
    const char *text = json_text(value, NULL);
    const char *scope;
    size_t size;

    while ((scope = words_next(&text, ", ", &size)) != NULL) {
        if (!words_append(scopes, ' ', scope, size))
            return false;
    }
    return true;
}

static bool read_scopes(const char *path, struct reply *reply)
{
    const struct json *value = find_beside(reply->document, path, "scope");
    bool read = true;

    if (value == NULL || json_kind(value) != JSON_KIND_ARRAY)
        return append_scopes(&reply->scopes, value);
    for (size_t i = 0; read && i < json_count(value); i++)
        read = append_scopes(&reply->scopes, json_at(value, i));
    return read;
}

enum verdict reply_read_tokens(const struct provider *provider, const struct http_reply *http,
                               const char *peer, enum reply_purpose purpose, struct fault *fault,
                               struct reply *ret_reply)
{
    CLEANUP(reply_reset) struct reply reply = {0};
    enum verdict verdict = reply_read(provider, http, peer, fault, &reply.document);
    const char *refresh_token;
    const char *path;

    if (verdict != VERDICT_OK)
        return verdict;
    path = find_access_token(provider, purpose, &reply);
    if (path == NULL)
        return fault_set(fault, VERDICT_TRANSIENT, "%s answers without an access token that can be used",
                         peer);
    refresh_token = json_text(find_beside(reply.document, path, "refresh_token"), NULL);
    reply.refresh_token = is_token(refresh_token) ? refresh_token : NULL;
    reply.sent_boot_ms = http->sent_boot_ms;
    set_times(provider, http, path, purpose != REPLY_FIRST || reply.refresh_token != NULL, &reply);
    if (!read_scopes(path, &reply))
        return fault_set_no_memory(fault);
    if (reply.scopes.size > REPLY_SCOPES_MAX)
        secret_clear(&reply.scopes);
    *ret_reply = reply;
    reply = (struct reply){0};
    return VERDICT_OK;
}

bool reply_second_token(const struct provider *provider, const struct reply *reply, const char **ret_token,
                        const char **ret_refresh_token)
{
    const char *path = json_member_text(json_member(provider->oauth, "second_token"), "path");
    const char *token = path != NULL ? json_text(path_find(reply->document, path), NULL) : NULL;
    const char *refresh_token;

    if (!is_token(token) || token == reply->access_token)
        return false;
    refresh_token = json_text(json_member(path_find_around(reply->document, path), "refresh_token"), NULL);
    *ret_token = token;
    *ret_refresh_token = is_token(refresh_token) ? refresh_token : NULL;
    return true;
}

void reply_reset(struct reply *reply)
{
    json_freep(&reply->document);
    secret_reset(&reply->scopes);
    secret_reset(&reply->redirect);
    *reply = (struct reply){0};
}
