/* Writing of provider documents; each is read again before it is given out. */
#include "catalog/provider.h"

#include "base/cleanup.h"

#include <string.h>

static enum status check(const struct secret *text, const struct json_writer *writer, struct failure *failure)
{
    CLEANUP(app_freep) struct app *app = NULL;

    if (writer->failed)
        return failure_set(failure, STATUS_INVALID,
                           "what is known of the provider is no text, or memory is out");
    return app_parse(text->bytes, text->size, "the provider", failure, &app);
}

static void hand_over(struct secret *text, struct secret *ret_text)
{
    *ret_text = *text;
    *text = (struct secret){0};
}

static void open_method(struct json_writer *writer, const char *slug, const char *title, const char *method)
{
    json_open_object(writer, NULL);
    json_add_text(writer, "slug", slug);
    json_add_text(writer, "title", title);
    json_open_object(writer, "methods");
    json_open_object(writer, method);
}

static void close_method(struct json_writer *writer)
{
    json_close_object(writer);
    json_close_object(writer);
    json_close_object(writer);
}

enum status provider_write(const struct app *app, const struct app_method *method, const struct json *oauth,
                           struct failure *failure, struct secret *ret_text)
{
    if (oauth == NULL)
        return failure_set(failure, STATUS_INVALID, "the method %s of %s has no OAuth", method->name,
                           app->slug);
    return provider_write_any(app, method, oauth, failure, ret_text);
}

enum status provider_write_any(const struct app *app, const struct app_method *method,
                               const struct json *oauth, struct failure *failure, struct secret *ret_text)
{
    static const char *const members[] = {"fields", "request", "test", "whoami", "scopes"};
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    enum status status;

    json_writer_start(&writer, &text);
    open_method(&writer, app->slug, app->title, method->name);
    json_add_text(&writer, "kind", app_kind_name(method->kind));
    json_add_text(&writer, "title", method->title);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (json_member(method->entry, members[i]) != NULL)
            json_add_value(&writer, members[i], json_member(method->entry, members[i]));
    }
    if (oauth != NULL)
        json_add_value(&writer, "oauth", oauth);
    close_method(&writer);
    status = check(&text, &writer, failure);
    if (status == STATUS_OK)
        hand_over(&text, ret_text);
    return status;
}

enum status provider_write_issuer(const char *slug, const char *issuer, struct failure *failure,
                                  struct secret *ret_text)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    enum status status;

    json_writer_start(&writer, &text);
    open_method(&writer, slug, slug, "oauth");
    json_add_text(&writer, "kind", "oauth2");
    json_add_text(&writer, "title", "OAuth");
    json_open_object(&writer, "request");
    json_open_object(&writer, "headers");
    json_add_text(&writer, "Authorization", "Bearer {oauth_access_token}");
    json_close_object(&writer);
    json_close_object(&writer);
    json_open_object(&writer, "oauth");
    json_add_text(&writer, "issuer", issuer);
    /* Whoever says http:// to this machine means it; to another it is refused all the same. */
    if (strncmp(issuer, "http://", 7) == 0)
        json_add_boolean(&writer, "loopback", true);
    json_close_object(&writer);
    close_method(&writer);
    status = check(&text, &writer, failure);
    if (status == STATUS_OK)
        hand_over(&text, ret_text);
    return status;
}
