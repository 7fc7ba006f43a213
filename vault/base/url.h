/* Addresses: taken apart and checked, and built with an encoder of our own. An address that comes from a
 * provider is opened in a browser or gets a secret, so what may stand in one is a short list, and none of it
 * means anything to a shell or a terminal. */
#ifndef STEPVAULT_BASE_URL_H
#define STEPVAULT_BASE_URL_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_SIZE_MAX 8192 /* bytes of an address */
#define URL_HOST_MAX 255

/* `path`, `query` and `authority` point into the text that was taken apart. */
struct url {
    bool secure;                 /* https; else http */
    char host[URL_HOST_MAX + 1]; /* in lower case; an IPv6 address in its brackets */
    uint16_t port;               /* 0: none is said */
    const char *authority;       /* host and port as they are written */
    size_t authority_size;
    const char *path; /* empty, or begins with `/` */
    size_t path_size;
    const char *query; /* behind the `?`; NULL: there is none */
};

/* Takes an http or https address apart: no user, no fragment, a host of letters, digits, `.` and `-` (or an
 * IPv6 address in brackets), and only the bytes that an address has. STATUS_INVALID says what is wrong with
 * `what`, and never quotes it. */
enum status url_parse(const char *text, const char *what, struct failure *failure, struct url *ret_url);

/* The host is 127.0.0.1, [::1] or localhost. */
bool url_is_loopback(const struct url *url);

/* The path has a part that is `.` or `..`, be its dots encoded or not. */
bool url_steps_up(const struct url *url);

/* The same scheme, host and port, be the usual port said or not. */
bool url_is_same_origin(const struct url *one, const struct url *other);

/* url_parse for what we talk to or send a person to: https, or http on loopback. */
enum status url_check(const char *text, const char *what, struct failure *failure);

/* Appends `text` with every byte that RFC 3986 does not call unreserved as %XX. False when memory is out. */
bool url_append_encoded(struct secret *destination, const char *text);

/* Appends `name=value`, both encoded, with a `?`, or a `&` where there is a `?` already. False when memory is
 * out. */
bool url_append_parameter(struct secret *url, const char *name, const char *value);

/* The next byte of what is encoded from `*at`, which is stepped over, to `end` (not itself); -1 if it is
 * wrongly encoded. A `+` is a blank. */
int url_decode_byte(const char **at, const char *end);

/* What is encoded from `at` to `end` is this name. */
bool url_part_is(const char *at, const char *end, const char *name);

#endif
