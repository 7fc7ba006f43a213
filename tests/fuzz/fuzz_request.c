/* An entry, an account's value, an address and headers, one a line: what is judged good leads to the base's
 * host over https, or to this machine where the entry says so, and can take neither the place of the
 * credentials nor end a header. */
#include "base/cleanup.h"
#include "base/name.h"
#include "base/outgoing.h"
#include "catalog/destination.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const char *value(const void *context, const char *name)
{
    return name[0] != '\0' ? context : NULL;
}

static char *next_line(char **rest)
{
    char *line = *rest;
    char *end = strchr(line, '\n');

    *rest = end != NULL ? end + 1 : line + strlen(line);
    if (end != NULL)
        *end = '\0';
    return line;
}

static void check_url(const struct destination *destination, const char *origin, const char *text)
{
    CLEANUP(secret_reset) struct secret whole = {0};
    struct failure failure;
    struct url base, url;

    if (outgoing_check_url(text, &failure) != STATUS_OK ||
        destination_check_url(destination, origin, text, &failure) != STATUS_OK) {
        require(name_check_note(failure.sentence, &failure) == STATUS_OK);
        return;
    }
    require(outgoing_is_whole(text) || secret_append_text(&whole, origin));
    require(secret_append_text(&whole, text));
    require(url_parse(origin, "it", &failure, &base) == STATUS_OK);
    require(url_parse(secret_text(&whole), "it", &failure, &url) == STATUS_OK);
    require(url_is_same_origin(&base, &url) && !url_steps_up(&url));
    require(base.secure || (destination->loopback && url_is_loopback(&base)));
}

static void check_header(const struct destination *destination, const char *line)
{
    struct failure failure;

    if (outgoing_check_header(line, &failure) != STATUS_OK ||
        destination_check_header(destination, line, &failure) != STATUS_OK) {
        require(failure.sentence[0] != '\0');
        return;
    }
    require(strpbrk(line, "\r\n") == NULL && !outgoing_header_is(line, "authorization") &&
            !outgoing_header_is(line, "HOST") && strchr(line, ':') != NULL);
    require(outgoing_header_value(line) <= line + strlen(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    CLEANUP(destination_reset) struct destination destination = {0};
    CLEANUP(secret_reset) struct secret origin = {0};
    char *text = malloc(size + 1);
    char *rest = text;
    struct failure failure;

    if (!started)
        json_start();
    started = true;
    require(text != NULL);
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (destination_open(next_line(&rest), &failure, &destination) == STATUS_OK &&
        destination_origin(&destination, value, next_line(&rest), &failure, &origin) == STATUS_OK) {
        check_url(&destination, secret_text(&origin), next_line(&rest));
        while (*rest != '\0')
            check_header(&destination, next_line(&rest));
    } else {
        (void)outgoing_check_url(text, &failure);
        (void)outgoing_check_header(text, &failure);
        (void)outgoing_check_method(text, &failure);
    }
    free(text);
    return 0;
}
