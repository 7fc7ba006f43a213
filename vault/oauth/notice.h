/* What goes out on the standard output: notices while a person has something to do, then the one answer; a
 * line of JSON each. What nobody reads any more is dropped. */
#ifndef STEPVAULT_OAUTH_NOTICE_H
#define STEPVAULT_OAUTH_NOTICE_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The address that a person is to open in a browser; port 0: nothing listens. */
void notice_open(const char *url, const char *redirect_uri, uint16_t port);

/* The code that a person is to type at `url` within `seconds`; `complete_url` has it in it, or is NULL. */
void notice_code(const char *url, const char *complete_url, const char *code, uint64_t seconds);

/* A pasted address was of no use; another may follow. */
void notice_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a request is answered with: the status line and the headers, each with a NUL behind it; then the next
 * bytes of the body. False if nobody reads any more. */
bool notice_reply(unsigned status, const struct secret *head);
bool notice_body(const void *bytes, size_t size);

/* Writes a line as it stands, with its end: the answer. False if nobody reads any more. */
bool notice_write(struct secret *line);

#endif
