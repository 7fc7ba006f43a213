/* What stepvault-oauth answers, read as from a stranger. */
#include "token_interior.h"

#include "account_interior.h"
#include "base/name.h"

#include <string.h>

#define PROVIDER_MAX 65536u
#define SCOPES_MAX 16384u
#define CODE_MAX 64u
#define TIME_MAX_MS UINT64_C(3155760000000) /* a hundred years */

static enum status wrong(const char *what, struct failure *failure)
{
    return failure_set(failure, STATUS_PROTOCOL, "stepvault-oauth did not answer in its form (%s)", what);
}

/* A member that need not be there; false where it is of another form. */
static bool read_time(const struct json *answer, const char *member, bool *ret_has, uint64_t *ret_ms)
{
    const struct json *value = json_member(answer, member);
    int64_t number;

    if (value == NULL)
        return true;
    if (!json_number(value, &number) || number < 0 || (uint64_t)number > TIME_MAX_MS)
        return false;
    *ret_has = true;
    *ret_ms = (uint64_t)number;
    return true;
}

static bool read_text(const struct json *object, const char *member, size_t most, const char **ret_text)
{
    const struct json *value = json_member(object, member);
    size_t size;

    if (value == NULL)
        return true;
    *ret_text = json_text(value, &size);
    return *ret_text != NULL && size <= most;
}

/* What came beside the tokens is a provider's, of any length, and no reason to lose them. */
static bool read_short_text(const struct json *object, const char *member, size_t most, const char **ret_text)
{
    if (!read_text(object, member, SIZE_MAX, ret_text))
        return false;
    if (*ret_text != NULL && strlen(*ret_text) > most)
        *ret_text = NULL;
    return true;
}

/* One line of text; an empty one is as good as none. */
static bool read_line(const struct json *object, const char *member, const char **ret_text)
{
    struct failure ignored;

    if (!read_text(object, member, NAME_NOTE_MAX, ret_text))
        return false;
    if (*ret_text != NULL && **ret_text == '\0')
        *ret_text = NULL;
    return *ret_text == NULL || name_check_note(*ret_text, &ignored) == STATUS_OK;
}

static bool code_is_sound(const char *code)
{
    size_t size = strlen(code);

    return size > 0 && size <= CODE_MAX && strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == size;
}

static bool properties_are_sound(const struct json *properties)
{
    const char *token = json_member_text(properties, TOKEN_ACCESS_PROPERTY);
    struct failure ignored;

    return json_kind(properties) == JSON_KIND_OBJECT && token != NULL && token[0] != '\0' &&
           json_count(properties) <= ACCOUNT_PROPERTIES_MAX &&
           account_check_properties(properties, &ignored) == STATUS_OK;
}

static enum status read_tokens(const struct json *answer, struct failure *failure,
                               struct token_result *result)
{
    const struct json *identity = json_member(answer, "identity");
    bool has_age = false;

    result->verdict = TOKEN_GIVEN;
    result->properties = json_member(answer, "properties");
    if (result->properties == NULL || !properties_are_sound(result->properties))
        return wrong("its properties", failure);
    if (!read_time(answer, "lifetime_ms", &result->has_lifetime, &result->lifetime_ms) ||
        !read_time(answer, "due_ms", &result->has_due, &result->due_ms) ||
        !read_time(answer, "age_ms", &has_age, &result->age_ms))
        return wrong("its times", failure);
    if (result->lifetime_ms == 0)
        result->has_lifetime = false;
    if (!read_short_text(answer, "scopes", SCOPES_MAX, &result->scopes))
        return wrong("its scopes", failure);
    result->has_requested = json_member(answer, "requested") != NULL;
    if (!read_short_text(answer, "requested", SCOPES_MAX, &result->requested))
        return wrong("its scopes", failure);
    if (result->requested != NULL && result->requested[0] == '\0')
        result->requested = NULL;
    if (!read_short_text(answer, "provider", PROVIDER_MAX, &result->provider))
        return wrong("its provider", failure);
    if (!read_line(identity, "id", &result->identity) || !read_line(identity, "name", &result->identity_name))
        return wrong("its identity", failure);
    return STATUS_OK;
}

static enum status read_failed(const struct json *answer, struct failure *failure,
                               struct token_result *result)
{
    static const struct {
        const char *word;
        enum token_verdict verdict;
    } verdicts[] = {
        {"dead",      TOKEN_INVALID  },
        {"refused",   TOKEN_REFUSED  },
        {"transient", TOKEN_TRANSIENT},
        {"cancelled", TOKEN_CANCELLED},
    };
    bool known = false;

    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (json_member_is(answer, "verdict", verdicts[i].word)) {
            result->verdict = verdicts[i].verdict;
            known = true;
        }
    if (!known)
        return wrong("its verdict", failure);
    if (!read_line(answer, "reason", &result->reason) || result->reason == NULL)
        return wrong("its reason", failure);
    if (!read_text(answer, "code", CODE_MAX, &result->code) ||
        (result->code != NULL && !code_is_sound(result->code)))
        return wrong("its code", failure);
    if (!read_time(answer, "retry_ms", &result->has_retry, &result->retry_ms))
        return wrong("its times", failure);
    result->sent = json_member_boolean(answer, "sent", true);
    return STATUS_OK;
}

enum status token_read_answer(const struct json *answer, struct failure *failure,
                              struct token_result *ret_result)
{
    struct token_result result = {.verdict = TOKEN_TRANSIENT};
    enum status status;

    if (json_member_is(answer, "answer", "tokens"))
        status = read_tokens(answer, failure, &result);
    else if (json_member_is(answer, "answer", "failed"))
        status = read_failed(answer, failure, &result);
    else
        status = wrong("its kind", failure);
    if (status == STATUS_OK)
        *ret_result = result;
    return status;
}

void token_make_failed(struct token_result *result, const char *reason)
{
    *result = (struct token_result){.verdict = TOKEN_TRANSIENT, .reason = reason, .sent = true};
}
