/* The code, and the asking. */
#include "oauth/device.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/url.h"
#include "oauth/notice.h"
#include "oauth/scope.h"
#include "oauth/token_request.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"
#define PEER_SIZE 160
#define WAIT_MAX_MS 10000 /* poll's clock stands still while the machine sleeps */
#define NUMBER_MAX 86400
#define MISSED 0 /* of what passes, the row of a reply that says nothing */

/* ---- the reply ---- */

static uint64_t seconds_of(const struct json *reply, const char *name, uint64_t fallback)
{
    const struct json *value = json_member(reply, name);
    const char *text = json_text(value, NULL);
    int64_t number = 0;
    uint64_t written = 0;

    if (json_number(value, &number) && number > 0)
        return number < NUMBER_MAX ? (uint64_t)number : NUMBER_MAX;
    return text != NULL && text_to_number(text, NUMBER_MAX, &written) && written > 0 ? written : fallback;
}

/* The first of the members that is there. */
static const char *first_of(const struct json *reply, const char *name, const char *other)
{
    const char *text = json_member_text(reply, name);

    return text != NULL ? text : json_member_text(reply, other);
}

static bool can_be_typed(const char *code)
{
    size_t size = code != NULL ? strlen(code) : 0;

    if (size == 0 || size > DEVICE_USER_CODE_MAX)
        return false;
    for (; *code != '\0'; code++) {
        if (*code < ' ' || *code > '~')
            return false;
    }
    return true;
}

static bool can_be_opened(const char *text, bool loopback)
{
    struct failure ignored;
    struct url url;

    return text != NULL && url_parse(text, "it", &ignored, &url) == STATUS_OK &&
           (url.secure || (loopback && url_is_loopback(&url)));
}

enum status device_read(const struct json *reply, bool loopback, struct failure *failure,
                        struct device_grant *ret_grant)
{
    struct device_grant grant = {
        .device_code = json_member_text(reply, "device_code"),
        .user_code = json_member_text(reply, "user_code"),
        .url = first_of(reply, "verification_uri", "verification_url"),
        .complete_url = first_of(reply, "verification_uri_complete", "verification_url_complete"),
    };
    uint64_t interval = seconds_of(reply, "interval", DEVICE_INTERVAL_MS / 1000) * 1000;

    if (grant.device_code == NULL || grant.device_code[0] == '\0')
        return failure_set(failure, STATUS_INVALID, "the answer has no device code");
    if (!can_be_typed(grant.user_code))
        return failure_set(failure, STATUS_INVALID, "the answer has no code that a person can type");
    if (!can_be_opened(grant.url, loopback))
        return failure_set(failure, STATUS_INVALID, "the answer has no address that may be opened");
    if (!can_be_opened(grant.complete_url, loopback))
        grant.complete_url = NULL;
    grant.interval_ms = interval < DEVICE_INTERVAL_MAX_MS ? interval : DEVICE_INTERVAL_MAX_MS;
    grant.lifetime_ms = seconds_of(reply, "expires_in", DEVICE_SECONDS) * 1000;
    *ret_grant = grant;
    return STATUS_OK;
}

/* ---- asking ---- */

uint64_t device_pace_next(struct device_pace *pace, enum verdict verdict, const char *code, bool busy)
{
    static const struct {
        const char *code;
        uint64_t slower_ms;
        bool missed;
    } passing[] = {
        {"",                        0,                true },
        {"authorization_pending",   0,                false},
        {"slow_down",               DEVICE_SLOWER_MS, false},
        {"server_error",            0,                true },
        {"temporarily_unavailable", 0,                true },
    };
    size_t i = 0;
    uint64_t wait_ms;

    if (verdict != VERDICT_TRANSIENT)
        return 0;
    while (i < sizeof(passing) / sizeof(passing[0]) && strcmp(passing[i].code, code) != 0)
        i++;
    if (i == sizeof(passing) / sizeof(passing[0]) && !busy)
        return 0;
    if (i == sizeof(passing) / sizeof(passing[0]))
        i = MISSED;
    pace->misses = passing[i].missed ? pace->misses + 1 : 0;
    pace->interval_ms += passing[i].slower_ms;
    wait_ms = pace->interval_ms + pace->interval_ms / 5;
    for (unsigned miss = 0; miss < pace->misses && wait_ms < DEVICE_INTERVAL_MAX_MS; miss++)
        wait_ms *= 2;
    return wait_ms < DEVICE_INTERVAL_MAX_MS ? wait_ms : DEVICE_INTERVAL_MAX_MS;
}

/* Waits; false if `input` ends meanwhile. What else comes in is for no one: there is nothing to paste. */
static bool wait_until(uint64_t moment_ms, struct input *input)
{
    for (;;) {
        CLEANUP(secret_reset) struct secret line = {0};
        struct pollfd polled = {.fd = input->descriptor, .events = POLLIN};
        uint64_t now_ms = clock_boot_ms();
        uint64_t left_ms = moment_ms > now_ms ? moment_ms - now_ms : 0;

        if (left_ms == 0)
            return true;
        if (poll(&polled, 1, (int)(left_ms < WAIT_MAX_MS ? left_ms : WAIT_MAX_MS)) <= 0)
            continue;
        input_read(input);
        while (input_take_line(input, &line))
            continue;
        if (input->ended)
            return false;
    }
}

static enum verdict begin(const struct errand *errand, struct fault *fault, struct json **ret_document,
                          struct device_grant *ret_grant)
{
    const struct provider *provider = errand->provider;
    CLEANUP(http_reply_reset) struct http_reply http = {0};
    CLEANUP(secret_reset) struct secret scopes = {0};
    struct token_request request = {.endpoint = "device_url", .fixed = "device_params"};
    struct failure failure;
    enum verdict verdict;
    char peer[PEER_SIZE];

    snprintf(peer, sizeof(peer), "the device endpoint of %s", provider_title(provider));
    if (!scope_join(provider, errand->scopes, &scopes))
        return fault_set_no_memory(fault);
    token_request_set(&request, "scope", scopes.size > 0 ? secret_text(&scopes) : NULL);
    verdict = token_request_send(errand, &request, peer, fault, &http);
    if (verdict == VERDICT_OK)
        verdict = reply_read(provider, &http, peer, fault, ret_document);
    if (verdict == VERDICT_OK &&
        device_read(*ret_document, provider->loopback, &failure, ret_grant) != STATUS_OK)
        return fault_set(fault, VERDICT_TRANSIENT, "%s cannot be used: %s", peer, failure.sentence);
    return verdict;
}

static enum verdict ask(const struct errand *errand, const struct device_grant *grant,
                        struct fault *ret_fault, struct reply *ret_reply)
{
    struct token_request request = {0};

    *ret_fault = (struct fault){0};
    token_request_set(&request, "grant_type", GRANT_TYPE);
    token_request_set(&request, "device_code", grant->device_code);
    return token_request_exchange(errand, &request, ret_fault, ret_reply);
}

static enum verdict await(const struct errand *errand, const struct device_grant *grant, uint64_t deadline_ms,
                          struct input *input, struct fault *fault, struct reply *ret_reply)
{
    struct device_pace pace = {.interval_ms = grant->interval_ms};
    uint64_t wait_ms = device_pace_next(&pace, VERDICT_TRANSIENT, "authorization_pending", false);

    for (;;) {
        uint64_t next_ms = clock_boot_ms() + wait_ms;
        enum verdict verdict;

        if (!wait_until(next_ms < deadline_ms ? next_ms : deadline_ms, input))
            return fault_set(fault, VERDICT_CANCELLED, "connecting was given up");
        if (next_ms >= deadline_ms)
            return fault_set(fault, VERDICT_CANCELLED, "the code for %s was not used in time",
                             provider_title(errand->provider));
        verdict = ask(errand, grant, fault, ret_reply);
        wait_ms = device_pace_next(&pace, verdict, fault->code, fault->busy);
        if (wait_ms == 0)
            return verdict;
        if (fault->retry_ms > wait_ms)
            wait_ms = fault->retry_ms;
    }
}

enum verdict device_connect(const struct errand *errand, struct input *input, struct fault *fault,
                            struct reply *ret_reply)
{
    CLEANUP(json_freep) struct json *document = NULL;
    struct device_grant grant;
    const uint64_t started_ms = clock_boot_ms();
    enum verdict verdict = begin(errand, fault, &document, &grant);

    if (verdict != VERDICT_OK)
        return verdict;
    if (grant.lifetime_ms > errand->seconds * 1000)
        grant.lifetime_ms = errand->seconds * 1000;
    notice_code(grant.url, grant.complete_url, grant.user_code, grant.lifetime_ms / 1000);
    return await(errand, &grant, started_ms + grant.lifetime_ms, input, fault, ret_reply);
}
