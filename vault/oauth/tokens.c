/* From replies to properties. */
#include "oauth/tokens.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "catalog/path.h"
#include "oauth/query.h"

#include <string.h>

#define VALUE_MAX 65536

/* ---- fields ---- */

typedef bool take_value(const struct tokens *tokens, const char *path, struct secret *value);

static bool take_from_token(const struct tokens *tokens, const char *path, struct secret *value)
{
    return reply_append_text(path_find(tokens->reply->document, path), value);
}

static bool take_from_redirect(const struct tokens *tokens, const char *name, struct secret *value)
{
    const struct secret *query = &tokens->reply->redirect;

    return query->size > 0 && query_find((const char *)query->bytes, query->size, name, value) == QUERY_FOUND;
}

static bool take_from_userinfo(const struct tokens *tokens, const char *path, struct secret *value)
{
    if (tokens->identity == NULL || !tokens->identity->works)
        return false;
    return reply_append_text(path_find(tokens->identity->document, path), value);
}

static const struct {
    const char *from;
    take_value *take;
} sources[] = {
    {"token",    take_from_token   },
    {"redirect", take_from_redirect},
    {"userinfo", take_from_userinfo},
};

static bool fits(const struct app_field *field, const struct secret *value)
{
    struct failure ignored;

    return value->size > 0 && value->size <= VALUE_MAX && memchr(value->bytes, '\0', value->size) == NULL &&
           app_check_value(field, secret_text(value), &ignored) == STATUS_OK;
}

/* Those that every method has are written elsewhere, unless the entry says where they are; so are those of
 * the second token. */
static bool is_elsewhere(const struct provider *provider, const struct app_field *field)
{
    const struct json *second = json_member(provider->oauth, "second_token");

    return json_member_is(second, "property", field->name) ||
           json_member_is(second, "refresh_property", field->name) ||
           (field->as == NULL && strncmp(field->name, "oauth_", 6) == 0);
}

static void write_field(const struct tokens *tokens, const struct app_field *field,
                        struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret value = {0};

    if (field->from == NULL || is_elsewhere(tokens->errand->provider, field))
        return;
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        if (strcmp(sources[i].from, field->from) != 0)
            continue;
        if (sources[i].take(tokens, field->as != NULL ? field->as : field->name, &value) &&
            fits(field, &value))
            json_add_bytes(writer, field->name, value.bytes, value.size);
    }
}

/* ---- tokens ---- */

static void write_text(struct json_writer *writer, const char *name, const char *text)
{
    if (name != NULL && text != NULL && text[0] != '\0')
        json_add_text(writer, name, text);
}

static void write_second(const struct tokens *tokens, struct json_writer *writer)
{
    const struct provider *provider = tokens->errand->provider;
    const struct json *second = json_member(provider->oauth, "second_token");
    const char *token = NULL;
    const char *refresh_token = NULL;

    if (tokens->second != NULL) {
        token = tokens->second->access_token;
        refresh_token = tokens->second->refresh_token;
    } else if (!reply_second_token(provider, tokens->reply, &token, &refresh_token)) {
        return;
    }
    write_text(writer, json_member_text(second, "property"), token);
    write_text(writer, json_member_text(second, "refresh_property"), refresh_token);
}

/* The entry may say itself where a user's id is; then it is written with its other fields. */
static bool says_uid(const struct provider *provider)
{
    const struct app_field *field = app_find_field(provider->method, "oauth_uid");

    return field != NULL && !is_elsewhere(provider, field);
}

bool tokens_write_properties(const struct tokens *tokens, struct json_writer *writer, const char *key)
{
    const struct errand *errand = tokens->errand;
    const struct app_method *method = errand->provider->method;

    json_open_object(writer, key);
    json_add_text(writer, "oauth_access_token", tokens->reply->access_token);
    write_text(writer, "oauth_refresh_token", tokens->reply->refresh_token);
    write_second(tokens, writer);
    write_text(writer, "oauth_client_id", errand->client_id);
    if (tokens->identity != NULL && !says_uid(errand->provider))
        write_text(writer, "oauth_uid", secret_text(&tokens->identity->id));
    for (size_t i = 0; i < method->field_count; i++)
        write_field(tokens, &method->fields[i], writer);
    json_close_object(writer);
    return !writer->failed;
}

/* ---- the answer ---- */

static uint64_t soonest(uint64_t one, uint64_t other)
{
    if (one == 0 || other == 0)
        return one + other;
    return one < other ? one : other;
}

static void write_times(const struct tokens *tokens, struct json_writer *writer)
{
    uint64_t due = soonest(tokens->reply->due_ms, tokens->soonest_ms);

    if (tokens->second != NULL)
        due = soonest(due, tokens->second->due_ms);
    if (tokens->reply->lifetime_ms > 0)
        json_add_number(writer, "lifetime_ms", tokens->reply->lifetime_ms);
    if (due > 0)
        json_add_number(writer, "due_ms", due);
    json_add_number(writer, "age_ms", clock_boot_ms() - tokens->reply->sent_boot_ms);
}

bool tokens_write_answer(const struct tokens *tokens, struct secret *line)
{
    struct json_writer writer;

    json_writer_start(&writer, line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "answer", "tokens");
    tokens_write_properties(tokens, &writer, "properties");
    write_times(tokens, &writer);
    write_text(&writer, "scopes", secret_text(&tokens->reply->scopes));
    if (tokens->requested != NULL)
        json_add_text(&writer, "requested", tokens->requested);
    if (tokens->identity != NULL)
        identity_write(tokens->identity, &writer);
    if (tokens->errand->provider_is_new)
        json_add_text(&writer, "provider", secret_text(&tokens->errand->provider->text));
    json_close_object(&writer);
    return !writer.failed;
}
