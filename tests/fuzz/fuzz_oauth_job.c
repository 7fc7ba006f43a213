/* Any bytes as a job: it is refused in a sentence, or its provider's endpoints are filled in with its
 * properties, and lead nowhere but over https, or to this machine where the provider says so. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/url.h"
#include "oauth/errand.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_url(const struct provider *provider, const char *text)
{
    struct failure failure;
    struct url url;

    require(url_parse(text, "it", &failure, &url) == STATUS_OK);
    require(url.secure || (provider->loopback && url_is_loopback(&url)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const endpoints[] = {"token_url", "refresh_url", "revoke_url", "device_url",
                                            "authorize_url"};
    static bool started;
    CLEANUP(errand_freep) struct errand *errand = NULL;
    CLEANUP(secret_reset) struct secret url = {0};
    struct failure failure;

    if (!started)
        json_start();
    started = true;
    if (errand_read(bytes, size, &failure, &errand) != STATUS_OK) {
        require(name_check_note(failure.sentence, &failure) == STATUS_OK);
        return 0;
    }
    require(errand->seconds > 0 && provider_title(errand->provider) != NULL);
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        if (provider_endpoint(errand->provider, errand->properties, endpoints[i], &failure, &url) ==
            STATUS_OK)
            check_url(errand->provider, secret_text(&url));
    }
    return 0;
}
