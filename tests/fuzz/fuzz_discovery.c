/* Any bytes as an issuer's document. Whatever provider comes of it is one that a helper opens, has the issuer
 * that was asked, and leads only to addresses of https. */
#include "oauth/discovery.h"

#include "base/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define ISSUER "https://as.example"

static const char job[] =
    "{\"job\":\"connect\",\"flow\":\"browser\",\"client\":{\"id\":\"i\",\"secret\":\"s\"},\"scopes\":["
    "\"openid\"],"
    "\"provider\":\"{\\\"slug\\\":\\\"it\\\",\\\"title\\\":\\\"It\\\",\\\"methods\\\":{\\\"oauth\\\":{"
    "\\\"kind\\\":\\\"oauth2\\\",\\\"title\\\":\\\"OAuth\\\",\\\"request\\\":{\\\"headers\\\":{"
    "\\\"Authorization\\\":\\\"Bearer {oauth_access_token}\\\"}},\\\"oauth\\\":{\\\"issuer\\\":\\\"" ISSUER
    "\\\"}}}}\"}";

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check(const char *text)
{
    static const char *const facts[] = {"authorize_url", "token_url", "device_url", "revoke_url"};
    struct provider *provider = NULL;
    struct failure failure;
    struct url url;

    /* An address may still be too long for a fact; nothing else may be wrong. */
    if (provider_open(text, &failure, &provider) != STATUS_OK) {
        expect(strstr(failure.sentence, "is longer than") != NULL);
        return;
    }
    expect(strcmp(provider_fact(provider, "issuer", ""), ISSUER) == 0);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const char *address = provider_fact(provider, facts[i], NULL);

        expect(address == NULL || (url_parse(address, "it", &failure, &url) == STATUS_OK && url.secure));
    }
    provider_freep(&provider);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct errand *errand;
    struct json *document = NULL;
    struct secret text = {0};
    struct failure failure;

    if (errand == NULL) {
        json_start();
        expect(errand_read(job, strlen(job), &failure, &errand) == STATUS_OK);
    }
    if (json_parse(bytes, size, "it", &failure, &document) == STATUS_OK) {
        if (discovery_fill(errand, ISSUER, document, &failure, &text) == STATUS_OK)
            check(secret_text(&text));
        secret_reset(&text);
        json_freep(&document);
    }
    return 0;
}
