/* What goes out with a request, as --data and --header say it. */
#ifndef STEPVAULT_CLI_PAYLOAD_H
#define STEPVAULT_CLI_PAYLOAD_H

#include "base/secret.h"
#include "base/status.h"
#include "option.h"
#include "json/json.h"

#include <stdbool.h>

/* All zero is one without a body. */
struct payload {
    struct secret body;
    bool has_body;
    const char *content_type; /* of the body, where no header says it; static */
};

/* Puts the body together: text, `@FILE` or `-` for stdin. STATUS_USAGE for several that are no form's. */
enum status payload_read(const struct option_values *options, struct failure *failure,
                         struct payload *ret_payload);
void payload_reset(struct payload *payload);

/* Writes the members `headers` and `body_base64` of Request. */
void payload_write(const struct payload *payload, const struct option_values *options,
                   struct json_writer *writer);

#endif
