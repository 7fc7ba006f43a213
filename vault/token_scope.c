/* Scopes that were asked for and not given. */
#include "token_interior.h"

#include "base/cleanup.h"
#include "base/words.h"

#include <string.h>
#include <strings.h>

#define SEPARATORS " ,"

/* What asks for a kind of reply, which providers name otherwise in what they give, or not at all. */
static bool is_of_protocol(const char *scope, size_t size)
{
    static const char *const words[] = {"openid", "offline_access", "offline", "profile", "email"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == size && strncmp(words[i], scope, size) == 0)
            return true;
    return false;
}

/* The same, or the longer one is the other behind an address (Microsoft, Google). */
static bool is_same(const char *one, size_t one_size, const char *other, size_t other_size)
{
    if (one_size < other_size)
        return is_same(other, other_size, one, one_size);
    return strncasecmp(one + one_size - other_size, other, other_size) == 0 &&
           (one_size == other_size || one[one_size - other_size - 1] == '/');
}

/* One that is given stands for what it begins (`user` for `user:email`). */
static bool covers(const char *given, size_t given_size, const char *scope, size_t size)
{
    return is_same(given, given_size, scope, size) ||
           (size > given_size && strncmp(given, scope, given_size) == 0 && scope[given_size] == ':');
}

static bool is_given(const char *granted, const char *scope, size_t size)
{
    const char *given;
    size_t given_size;

    while ((given = words_next(&granted, SEPARATORS, &given_size)) != NULL)
        if (covers(given, given_size, scope, size))
            return true;
    return is_of_protocol(scope, size);
}

/* A reply that says nothing of scopes means those that were asked for (RFC 6749, section 5.1). */
void token_write_missing(const struct token_fields *fields, struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret missing = {0};
    const char *requested = fields->requested;
    const char *scope;
    size_t size;

    if (fields->granted == NULL)
        return;
    while ((scope = words_next(&requested, SEPARATORS, &size)) != NULL)
        if (!is_given(fields->granted, scope, size) && !words_append(&missing, ' ', scope, size))
            return;
    if (missing.size > 0)
        json_add_bytes(writer, "missing_scopes", missing.bytes, missing.size);
}
