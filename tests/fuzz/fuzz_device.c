/* Any bytes as the reply of a device endpoint. What is shown of it are addresses of https and a code that can
 * be typed; what is waited for is bounded. */
#include "oauth/device.h"

#include "base/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check_address(const char *text)
{
    struct failure failure;
    struct url url;

    expect(url_parse(text, "it", &failure, &url) == STATUS_OK && url.secure);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct json *reply = NULL;
    struct device_grant grant;
    struct failure failure = {.sentence = ""};
    static bool started;

    if (!started)
        json_start();
    started = true;
    if (json_parse(bytes, size, "it", &failure, &reply) != STATUS_OK)
        return 0;
    if (device_read(reply, false, &failure, &grant) == STATUS_OK) {
        expect(grant.device_code[0] != '\0');
        check_address(grant.url);
        if (grant.complete_url != NULL)
            check_address(grant.complete_url);
        expect(strlen(grant.user_code) <= DEVICE_USER_CODE_MAX);
        for (const char *at = grant.user_code; *at != '\0'; at++)
            expect(*at >= ' ' && *at <= '~');
        expect(grant.interval_ms > 0 && grant.interval_ms <= DEVICE_INTERVAL_MAX_MS && grant.lifetime_ms > 0);
    } else {
        expect(failure.sentence[0] != '\0');
    }
    json_freep(&reply);
    return 0;
}
