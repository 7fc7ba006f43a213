/* What somebody may say of a request that goes out with an account's credentials: its method, its address and
 * its headers. Whatever could lead the credentials elsewhere, or take their place, is refused by name; what
 * is in values is never repeated. */
#ifndef STEPVAULT_BASE_OUTGOING_H
#define STEPVAULT_BASE_OUTGOING_H

#include "base/status.h"
#include "base/url.h"

#include <stdbool.h>
#include <stddef.h>

#define OUTGOING_METHOD_MAX 20         /* bytes */
#define OUTGOING_HEADERS_MAX 32        /* lines */
#define OUTGOING_HEADER_MAX 4096       /* bytes of one */
#define OUTGOING_BODY_MAX (128 * 1024) /* bytes */

/* Capital letters and `-`; not CONNECT, which is for proxies, nor TRACE, which has its headers sent back. */
enum status outgoing_check_method(const char *method, struct failure *failure);

/* A whole address, or what follows an app's base: it begins with `/` or `?`, or is empty. STATUS_INVALID for
 * a user, a fragment, a host that is not of ASCII letters, digits, `.` and `-`, and a path with `.` or `..`.
 */
enum status outgoing_check_url(const char *text, struct failure *failure);
bool outgoing_is_whole(const char *url);

/* A line `Name: value`. STATUS_INVALID for what is none, STATUS_REFUSED for a header that says who asks,
 * where the request goes or where it ends. */
enum status outgoing_check_header(const char *line, struct failure *failure);

/* Whether that is the line's header, in whatever case; and its value, without blanks before it. */
bool outgoing_header_is(const char *line, const char *name);
const char *outgoing_header_value(const char *line);

#endif
