/* The request as the entry says, and what is read of its reply. */
#include "oauth/identity.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "catalog/path.h"
#include "oauth/http.h"
#include "oauth/message.h"
#include "oauth/reply.h"

#include <string.h>

static enum verdict make_body(struct message *message, const struct json *entry)
{
    const struct json *body = json_member(entry, "body");
    struct json_writer writer;

    if (body == NULL)
        return VERDICT_OK;
    json_writer_start(&writer, &message->body);
    json_add_value(&writer, NULL, body);
    message->http.content_type =
        message_has_header(json_member(entry, "headers"), "Content-Type") ? NULL : "application/json";
    message->http.body = &message->body;
    return writer.failed ? fault_set_no_memory(message->fault) : VERDICT_OK;
}

static enum verdict make_request(struct message *message, const struct json *entry)
{
    const struct json *own = json_member(entry, "headers");
    enum verdict verdict = message_set_url(message, json_member_text(entry, "url"));

    if (verdict == VERDICT_OK)
        verdict = message_add_credentials(message, own);
    if (verdict == VERDICT_OK)
        verdict = message_add_headers(message, own, NULL);
    return verdict == VERDICT_OK ? make_body(message, entry) : verdict;
}

/* ---- the reply ---- */

/* Something that is neither null, nor false, nor an empty text. */
static bool stands(const struct json *value)
{
    const char *text = json_text(value, NULL);
    bool flag = true;

    json_boolean(value, &flag);
    return value != NULL && flag && (text == NULL || text[0] != '\0');
}

static void take_line(const struct json *entry, const char *which, const struct json *document,
                      struct secret *line)
{
    const char *path = json_member_text(entry, which);
    const struct json *value = path != NULL ? path_find(document, path) : NULL;

    if (value == NULL || !reply_append_text(value, line) || line->size == 0 ||
        line->size > IDENTITY_TEXT_MAX) {
        secret_clear(line);
        return;
    }
    line->size = text_make_plain((char *)line->bytes);
}

static void read_reply(const struct json *entry, const struct http_reply *http, struct identity *identity)
{
    const char *expect = json_member_text(entry, "expect");

    identity->status = http->status;
    reply_parse(http->content_type, http->body.bytes, http->body.size, &identity->document);
    identity->works = http->status >= 200 && http->status <= 299 &&
                      (expect == NULL || stands(path_find(identity->document, expect)));
    if (!identity->works || identity->document == NULL)
        return;
    take_line(entry, "id", identity->document, &identity->id);
    take_line(entry, "name", identity->document, &identity->name);
}

enum verdict identity_ask(const struct provider *provider, const struct json *properties,
                          const struct json *entry, unsigned seconds, struct fault *fault,
                          struct identity *ret_identity)
{
    CLEANUP(message_reset) struct message message;
    CLEANUP(http_reply_reset) struct http_reply http = {0};
    enum verdict verdict;

    message_start(&message, provider, properties, fault);
    message.http.method = json_member_text(entry, "method");
    message.http.seconds = seconds;
    verdict = make_request(&message, entry);
    if (verdict == VERDICT_OK)
        verdict = http_send(&message.http, fault, &http);
    if (verdict == VERDICT_OK)
        read_reply(entry, &http, ret_identity);
    return verdict;
}

void identity_write(const struct identity *identity, struct json_writer *writer)
{
    if (identity->id.size + identity->name.size == 0)
        return;
    json_open_object(writer, "identity");
    if (identity->id.size > 0)
        json_add_text(writer, "id", secret_text(&identity->id));
    if (identity->name.size > 0)
        json_add_text(writer, "name", secret_text(&identity->name));
    json_close_object(writer);
}

void identity_reset(struct identity *identity)
{
    json_freep(&identity->document);
    secret_reset(&identity->id);
    secret_reset(&identity->name);
}
