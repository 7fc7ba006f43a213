/* A reader of what is allowed in front of the C library's regular expressions. */
#include "catalog/pattern.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

/* What stands after `[` up to behind its `]`; NULL if it does not end, or uses what we do not. */
static const char *skip_class(const char *at)
{
    if (*at == '^')
        at++;
    if (*at == ']')
        at++;
    for (; *at != ']'; at++) {
        if (*at == '\0' || *at == '\\' || *at == '[')
            return NULL;
    }
    return at + 1;
}

/* A number up to PATTERN_REPEAT_MAX; returns what follows it, NULL if there is none. */
static const char *skip_number(const char *at, unsigned *ret_number)
{
    unsigned number = 0;

    if (*at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (unsigned)(*at - '0');
        if (number > PATTERN_REPEAT_MAX)
            return NULL;
    }
    *ret_number = number;
    return at;
}

/* `{n}`, `{n,}` or `{n,m}`, from behind the brace up to behind the other; NULL if it is none of them. */
static const char *skip_bound(const char *at)
{
    unsigned least = 0;
    unsigned most;

    at = skip_number(at, &least);
    if (at == NULL || *at == '}')
        return at != NULL ? at + 1 : NULL;
    if (*at++ != ',')
        return NULL;
    most = PATTERN_REPEAT_MAX;
    if (*at != '}')
        at = skip_number(at, &most);
    return at != NULL && *at == '}' && least <= most ? at + 1 : NULL;
}

static const char *syntax_fault(const char *pattern)
{
    bool repeatable = false; /* what stands before may be repeated */

    for (const char *at = pattern; *at != '\0';) {
        if (*at < ' ' || *at > '~')
            return "it holds a byte that is not printable ASCII";
        if (strchr("()\\^$", *at) != NULL)
            return "it has a group, an anchor or a backslash";
        if (strchr("*+?{", *at) != NULL && !repeatable)
            return "it repeats what cannot be repeated";
        repeatable = strchr("*+?{|", *at) == NULL;
        if (*at == '[')
            at = skip_class(at + 1);
        else if (*at == '{')
            at = skip_bound(at + 1);
        else
            at++;
        if (at == NULL)
            return "a class or a bound in it is not one we read";
    }
    return NULL;
}

static bool compile(const char *pattern, regex_t *ret_expression)
{
    char whole[PATTERN_SIZE_MAX + 5];

    snprintf(whole, sizeof(whole), "^(%s)$", pattern);
    return regcomp(ret_expression, whole, REG_EXTENDED | REG_NOSUB) == 0;
}

const char *pattern_fault(const char *pattern)
{
    regex_t expression;
    const char *fault;

    if (pattern[0] == '\0' || strlen(pattern) > PATTERN_SIZE_MAX)
        return "it is empty or over 128 bytes";
    fault = syntax_fault(pattern);
    if (fault != NULL)
        return fault;
    if (!compile(pattern, &expression))
        return "it is no regular expression";
    regfree(&expression);
    return NULL;
}

/* In the C locale, which we never leave, the C library reads the text where it stands and copies none of it.
 * But each byte may make a state of its own: 64 KiB for `.*a.{64}` took 19 s. */
bool pattern_fits(const char *pattern, const char *text)
{
    regex_t expression;
    bool fits;

    if (strlen(text) > PATTERN_TEXT_MAX || !compile(pattern, &expression))
        return false;
    fits = regexec(&expression, text, 0, NULL, 0) == 0;
    regfree(&expression);
    return fits;
}
