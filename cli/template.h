/* Templates: bytes with references between double braces, `{{ stepvault://slack/oauth_access_token }}`,
 * blanks and tabs beside the reference as one likes. Everything else passes byte for byte: other double
 * braces, which other template engines have, NUL bytes, and references without braces. */
#ifndef STEPVAULT_CLI_TEMPLATE_H
#define STEPVAULT_CLI_TEMPLATE_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_SIZE_MAX (16u * 1024u * 1024u) /* bytes of a template: it is held in locked memory */
#define TEMPLATE_REFERENCES_MAX 16384u          /* different ones */
#define TEMPLATE_OUTPUT_MAX (64u * 1024u * 1024u)

/* One reference, however often it stands in the template. */
struct template_reference {
    const char *text; /* in the template, not NUL-terminated */
    size_t size;
    struct secret value; /* the caller puts it there */
};

/* Bytes as they are, and the reference behind them. */
struct template_piece {
    const char *bytes;
    size_t size;
    size_t reference; /* its index; TEMPLATE_NO_REFERENCE behind the last bytes */
};
#define TEMPLATE_NO_REFERENCE SIZE_MAX

/* All zero is the valid empty value. */
struct template
{
    struct template_piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    struct template_reference *references;
    size_t reference_count;
    size_t reference_capacity;
    uint32_t *index;  /* open addressing over the references' texts; entry + 1, 0 is free */
    size_t bare;      /* references without braces, which pass as they are */
    size_t bare_line; /* of the first */
};

/* Takes the template apart; `bytes` must outlive the result. `what` names it in sentences. STATUS_INVALID
 * names the line of a reference that breaks its rule or lacks its `}}`, and repeats nothing of it;
 * STATUS_TOO_LARGE where there are too many. */
enum status template_parse(const void *bytes, size_t size, const char *what, struct failure *failure,
                           struct template *ret_template);

/* STATUS_TOO_LARGE where the result, with the values that are there, would be over TEMPLATE_OUTPUT_MAX. */
enum status template_check_size(const struct template *template, struct failure *failure);

/* Writes the result. False with errno set. */
bool template_write(const struct template *template, int descriptor);

void template_reset(struct template *template);

#endif
