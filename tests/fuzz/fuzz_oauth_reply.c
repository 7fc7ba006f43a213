/* Any bytes as the reply of a token endpoint. The first byte chooses status, content type and provider.
 * Whatever comes, there is a verdict with a sentence that has no more than an error's code of it, or there
 * are tokens that can be stored and sent, in an answer that the agent takes. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/text.h"
#include "oauth/reply.h"
#include "oauth/tokens.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define DOCUMENT(facts)                                                                                      \
    "{\"slug\":\"x\",\"title\":\"X\",\"methods\":{\"oauth\":{\"kind\":\"oauth2\",\"title\":\"O\","           \
    "\"fields\":{"                                                                                           \
    "\"instance_url\":{\"title\":\"I\",\"pattern\":\"https://[a-z.]+\",\"from\":\"token\"},"                 \
    "\"user_token\":{\"title\":\"U\",\"optional\":true},\"user_refresh_token\":{\"title\":\"R\","            \
    "\"from\":\"token\"},"                                                                                   \
    "\"team\":{\"title\":\"T\",\"from\":\"token\",\"as\":\"team.0.id\"}},\"request\":{},\"oauth\":{"         \
    "\"authorize_url\":\"https://x.example/a\",\"token_url\":\"https://x.example/t\"" facts "}}}}"

static const char *const documents[] = {
    DOCUMENT(""),
    DOCUMENT(",\"expires\":\"at\",\"error_synonyms\":[\"gone\"],\"keep_alive_days\":1"),
    DOCUMENT(",\"expires\":\"ms\",\"ok_path\":\"ok\",\"error_path\":\"a.b\",\"lifetime_seconds\":60"),
    DOCUMENT(
        ",\"token_paths\":[\"access_token\",\"user.access_token\"],\"second_token\":{\"path\":"
        "\"user.access_token\",\"property\":\"user_token\",\"refresh_property\":\"user_refresh_token\"}"),
};
static const char *const types[] = {"application/json", "application/x-www-form-urlencoded", "text/html", ""};
static const unsigned statuses[] = {200, 400, 429, 500};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_fault(const struct fault *fault)
{
    struct failure failure;

    require(fault->verdict != VERDICT_OK && fault->reason[0] != '\0');
    require(name_check_note(fault->reason, &failure) == STATUS_OK);
    require(fault->code[0] == '\0' || strstr(fault->reason, fault->code) != NULL);
}

static void check_tokens(struct provider *provider, const struct reply *reply)
{
    struct errand errand = {.provider = provider, .client_id = "i"};
    struct tokens tokens = {.errand = &errand, .reply = reply};
    CLEANUP(secret_reset) struct secret line = {0};
    CLEANUP(json_freep) struct json *answer = NULL;
    const struct json *properties;
    struct token_result result;
    struct failure failure;

    require(reply->access_token[0] != '\0' && strlen(reply->access_token) <= REPLY_TOKEN_MAX);
    require(strpbrk(reply->access_token, "\r\n") == NULL);
    require(reply->lifetime_ms == 0 || reply->due_ms == 0 || reply->due_ms <= 366 * UINT64_C(864000000));
    require(tokens_write_answer(&tokens, &line));
    require(json_parse(line.bytes, line.size, "the answer", &failure, &answer) == STATUS_OK);
    properties = json_member(answer, "properties");
    require(strcmp(json_member_text(properties, "oauth_access_token"), reply->access_token) == 0);
    require(token_read_answer(answer, &failure, &result) == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct provider *providers[4];
    struct http_reply http = {.sent_wall_ms = UINT64_C(1760000000000)};
    CLEANUP(reply_reset) struct reply reply = {0};
    struct fault fault = {0};
    struct failure failure;
    uint8_t choice;

    if (providers[0] == NULL) {
        json_start();
        for (size_t i = 0; i < 4; i++)
            require(provider_open(documents[i], &failure, &providers[i]) == STATUS_OK);
    }
    if (size == 0)
        return 0;
    choice = bytes[0];
    http.status = statuses[choice & 3];
    strncpy(http.content_type, types[choice >> 2 & 3], HTTP_TYPE_MAX);
    require(secret_append(&http.body, bytes + 1, size - 1));
    if (reply_read_tokens(providers[choice >> 4 & 3], &http, "it", (enum reply_purpose)((choice >> 6) % 3),
                          &fault, &reply) == VERDICT_OK)
        check_tokens(providers[choice >> 4 & 3], &reply);
    else
        check_fault(&fault);
    http_reply_reset(&http);
    return 0;
}
