/* The job `request`: judged once more, sent, and passed on. */
#include "oauth/relay.h"

#include "base/cleanup.h"
#include "base/outgoing.h"
#include "base/text.h"
#include "base/url.h"
#include "oauth/message.h"
#include "oauth/notice.h"

#include <poll.h>
#include <string.h>

struct relay {
    struct message message;
    const struct errand *errand;
    struct input *input;
    struct fault *fault;
    size_t passed; /* bytes of the body */
};

static void relay_reset(struct relay *relay)
{
    message_reset(&relay->message);
}

/* ---- what is sent ---- */

static enum verdict check_origin(struct relay *relay, const char *text)
{
    struct failure failure;
    struct url wanted, url;

    if (url_parse(relay->errand->origin, "the origin of the job", &failure, &wanted) != STATUS_OK ||
        url_parse(text, "the address", &failure, &url) != STATUS_OK)
        return fault_of(relay->fault, &failure);
    if (!url_is_same_origin(&wanted, &url))
        return fault_set(relay->fault, VERDICT_REFUSED, "the address does not lead to %s",
                         relay->errand->origin);
    return VERDICT_OK;
}

/* What of the base's template makes its origin: what stands behind it may need what only callers know. */
static size_t origin_size(const char *base)
{
    const char *host = strstr(base, "://");

    if (base[0] == '{')
        return strcspn(base, "}") + 1;
    return host != NULL ? (size_t)(host + 3 - base) + strcspn(host + 3, "/?") : strlen(base);
}

/* The agent read where the base is with less of the entry's rules, and its log has what it read. */
static enum verdict check_base(struct relay *relay)
{
    CLEANUP(secret_reset) struct secret base = {0};
    CLEANUP(secret_reset) struct secret origin = {0};
    const struct provider *provider = relay->errand->provider;
    const char *template = json_member_text(provider->request, "base");
    struct failure failure;

    if (template == NULL || json_member(provider->request, "signature") != NULL)
        return fault_set(relay->fault, VERDICT_REFUSED, "no request to %s can be made of what is known of it",
                         provider_title(provider));
    if (!secret_append(&origin, template, origin_size(template)))
        return fault_set_no_memory(relay->fault);
    if (provider_fill_url(provider, relay->errand->properties, secret_text(&origin), &failure, &base) !=
        STATUS_OK)
        return fault_of(relay->fault, &failure);
    return check_origin(relay, secret_text(&base));
}

static enum verdict set_url(struct relay *relay)
{
    struct failure failure;
    enum verdict verdict = check_base(relay);

    if (verdict == VERDICT_OK && outgoing_check_url(relay->errand->url, &failure) != STATUS_OK)
        verdict = fault_of(relay->fault, &failure);
    if (verdict == VERDICT_OK)
        verdict = message_set_url(&relay->message, relay->errand->url);
    return verdict == VERDICT_OK ? check_origin(relay, secret_text(&relay->message.url)) : verdict;
}

static enum verdict add_lines(struct relay *relay)
{
    const struct json *lines = relay->errand->headers;
    enum verdict verdict = VERDICT_OK;
    struct failure failure;

    for (size_t i = 0; verdict == VERDICT_OK && i < json_count(lines); i++) {
        const char *line = json_text(json_at(lines, i), NULL);

        verdict = outgoing_check_header(line, &failure) == STATUS_OK ? message_add_line(&relay->message, line)
                                                                     : fault_of(relay->fault, &failure);
    }
    return verdict;
}

static enum verdict set_body(struct relay *relay)
{
    const char *text = relay->errand->body;
    struct message *message = &relay->message;

    if (text == NULL)
        return VERDICT_OK;
    if (!text_append_from_base64(&message->body, text, strlen(text)))
        return fault_set(relay->fault, VERDICT_REFUSED, "the body of the request is not base64");
    message->http.body = &message->body;
    return VERDICT_OK;
}

static enum verdict make_request(struct relay *relay)
{
    struct message *message = &relay->message;
    struct failure failure;
    enum verdict verdict = VERDICT_OK;

    if (outgoing_check_method(relay->errand->method, &failure) != STATUS_OK)
        return fault_of(relay->fault, &failure);
    message->http.method = relay->errand->method;
    verdict = set_url(relay);
    if (verdict == VERDICT_OK)
        verdict = message_add_credentials(message, relay->errand->headers);
    if (verdict == VERDICT_OK && message->secrets == 0)
        return fault_set(relay->fault, VERDICT_REFUSED,
                         "the account has nothing with which requests to %s are authorised",
                         provider_title(relay->errand->provider));
    if (verdict == VERDICT_OK)
        verdict = add_lines(relay);
    return verdict == VERDICT_OK ? set_body(relay) : verdict;
}

/* ---- what comes back ---- */

static bool pass_head(void *context, unsigned status, const struct secret *head)
{
    (void)context;
    return notice_reply(status, head);
}

static bool pass_body(void *context, const void *bytes, size_t size)
{
    struct relay *relay = context;

    if (size > RELAY_BODY_MAX - relay->passed) {
        fault_set(relay->fault, VERDICT_REFUSED, "%s sent more than %u MiB", relay->message.http.peer,
                  RELAY_BODY_MAX / 1024 / 1024);
        return false;
    }
    relay->passed += size;
    return notice_body(bytes, size);
}

/* The input ends when nobody wants the reply any more. */
static bool is_wanted(void *context)
{
    struct relay *relay = context;
    struct pollfd ended = {.fd = relay->input->descriptor, .events = POLLIN};

    return poll(&ended, 1, 0) <= 0;
}

static const struct http_stream stream = {.begin = pass_head, .take = pass_body, .goes_on = is_wanted};

enum verdict relay_run(struct errand *errand, struct input *input, struct fault *fault,
                       struct secret *ret_line)
{
    CLEANUP(relay_reset) struct relay relay = {.errand = errand, .input = input, .fault = fault};
    CLEANUP(http_reply_reset) struct http_reply reply = {0};
    struct json_writer writer;
    enum verdict verdict;

    message_start(&relay.message, errand->provider, errand->properties, fault);
    relay.message.http.seconds = RELAY_SECONDS;
    relay.message.http.silence = RELAY_SILENCE_SECONDS;
    relay.message.http.stream = &stream;
    relay.message.http.context = &relay;
    verdict = make_request(&relay);
    if (verdict == VERDICT_OK)
        verdict = http_send(&relay.message.http, fault, &reply);
    if (verdict != VERDICT_OK)
        return verdict;
    json_writer_start(&writer, ret_line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "answer", "requested");
    json_add_number(&writer, "status", reply.status);
    json_close_object(&writer);
    return writer.failed ? fault_set_no_memory(fault) : VERDICT_OK;
}
