/* The envelope of a Varlink call, and the frames of its replies (docs/PROTOCOL.md, sections 2 and 3). */
#ifndef STEPVAULT_AGENT_CALL_H
#define STEPVAULT_AGENT_CALL_H

#include "base/secret.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

#define CALL_INTERFACE "io.stepvault.Agent"
#define CALL_SERVICE "org.varlink.service"
#define CALL_REQUEST_MAX (256u * 1024u)     /* bytes of a request with its NUL */
#define CALL_REPLY_MAX (8u * 1024u * 1024u) /* bytes of a reply with its NUL */

/* One call as it came; the pointers hold until call_reset. */
struct call {
    struct json *document;
    const char *method;            /* with its interface */
    const struct json *parameters; /* an object; NULL for none */
    bool oneway;
    bool more;
    bool upgrade;
};

/* Reads the frame without its NUL. STATUS_INVALID if it is no call: the caller then closes the connection, as
 * Varlink has it. */
enum status call_parse(struct call *call, const void *bytes, size_t size, struct failure *failure);
void call_reset(struct call *call);

/* One reply in the making, at the end of `destination`; the handler writes its members through `writer`. */
struct reply {
    struct secret *destination;
    size_t start;
    struct json_writer writer;
};
void reply_open(struct reply *reply, struct secret *destination);
/* Ends the frame. On failure (memory, text that is not UTF-8, over CALL_REPLY_MAX) nothing of it is left. */
enum status reply_close(struct reply *reply, bool continues, struct failure *failure);
/* Wipes what was written since reply_open. */
void reply_drop(struct reply *reply);

/* Append a whole error frame: of our interface with its message; of org.varlink.service with at most one
 * member. */
void reply_failure(struct secret *destination, const struct failure *failure);
void reply_service_error(struct secret *destination, const char *error, const char *member, const char *text);

#endif
