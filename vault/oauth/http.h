/* One HTTP request by libcurl, and nothing but one: no redirect is followed, no connection used twice,
 * nothing tried again. TLS only, but for loopback where the caller allows it. */
#ifndef STEPVAULT_OAUTH_HTTP_H
#define STEPVAULT_OAUTH_HTTP_H

#include "base/secret.h"
#include "oauth/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_BODY_MAX (1024 * 1024) /* bytes of a reply's body */
#define HTTP_HEADERS_MAX 64         /* of a request */
#define HTTP_TYPE_MAX 127           /* bytes of a reply's content type, without parameters */

#define HTTP_HEAD_MAX (64 * 1024) /* bytes of a reply's headers */
#define HTTP_LINES_MAX 512        /* of them, where they are asked for */

struct http_header {
    const char *name;
    const char *value; /* holds no control character */
};

/* Takes a reply while it comes; each is called with `context`, and ends the request by returning false. */
struct http_stream {
    /* Once, before the body. `head`: the lines of the last headers as they came, the first one's is that of
     * the status; each without its end and with a NUL behind it. */
    bool (*begin)(void *context, unsigned status, const struct secret *head);
    /* The next bytes of the body, which are decoded. */
    bool (*take)(void *context, const void *bytes, size_t size);
    /* Now and then. */
    bool (*goes_on)(void *context);
};

/* All texts are borrowed. */
struct http_request {
    const char *method;
    const char *url;
    const char *content_type;  /* of the body; NULL: there is none */
    const struct secret *body; /* NULL: none */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    unsigned seconds; /* that all of it may take; 0: the usual 30 */
    unsigned silence; /* seconds that may pass without a byte; 0: as many as all of it */
    bool loopback;    /* http to this machine is allowed */
    const char *peer; /* who is asked, for sentences: "the token endpoint of Slack" */
    /* NULL: the reply has it all. Else HTTP/2 is spoken where the server does, and the body may be sent
     * compressed. */
    const struct http_stream *stream;
    void *context;
};

/* All zero is the valid empty value. */
struct http_reply {
    unsigned status;
    char content_type[HTTP_TYPE_MAX + 1]; /* in lower case; empty: none, or too long a one */
    struct secret body;
    uint64_t sent_wall_ms; /* when the request was begun, by our clock */
    uint64_t sent_boot_ms; /* the same, by clock_boot_ms */
    uint64_t date_ms;      /* the server's clock; 0: not said */
    uint64_t retry_ms;     /* of Retry-After, at most FAULT_RETRY_MAX_MS; 0: not said */
};

/* Once, before the process is confined; false if libcurl does not start. Its memory is wiped when it is
 * freed. */
bool http_start(void);

/* Adds a header to a request; false if there are too many or the value holds a control character. */
bool http_add_header(struct http_request *request, const char *name, const char *value);

/* Sends and receives. Whatever HTTP status comes back is VERDICT_OK; all else is VERDICT_TRANSIENT, but for
 * an address that may not be used. `fault->sent` becomes true once bytes may have reached the server. */
enum verdict http_send(const struct http_request *request, struct fault *fault, struct http_reply *ret_reply);
void http_reply_reset(struct http_reply *reply);

#endif
