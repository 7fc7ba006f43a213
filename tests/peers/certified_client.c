/* Goes through org.varlink.certification with our own client (vault/client), as a client of somebody else's
 * server: the reply to each call is the parameter of the next. Test11 is left out, because it wants a call
 * without a reply, and ours always wait for one.
 *
 * usage: certified_client, with the server's socket in STEPVAULT_SOCKET; says what the server says at the
 * end. */
#include "base/cleanup.h"
#include "client/client.h"
#include "client/wire.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define REPLIES 10 /* of Test10 */

static struct wire_value whole(const struct secret *reply)
{
    return (struct wire_value){.start = secret_text(reply), .size = reply->size};
}

/* Sends `members`, the inside of a JSON object, and leaves the reply in `reply`. */
static void call(struct client *client, const char *method, const struct secret *id,
                 struct wire_value members, bool more, struct secret *reply)
{
    CLEANUP(secret_reset) struct secret request = {0};
    struct failure failure;

    if (!secret_append_format(&request, "{\"method\":\"org.varlink.certification.%s\",%s\"parameters\":{",
                              method, more ? "\"more\":true," : "") ||
        !secret_append(&request, id->bytes, id->size) ||
        !secret_append_format(&request, "%s%.*s}}", id->size > 0 && members.size > 0 ? "," : "",
                              (int)members.size, members.start))
        errx(1, "not enough memory");
    if (client_call(client, &request, &failure, reply) != STATUS_OK ||
        client_reply_status(reply, &failure) != STATUS_OK)
        errx(1, "%s: %s", method, failure.sentence);
}

/* The inside of the reply's `parameters`. */
static struct wire_value inside(const struct secret *reply)
{
    struct wire_value parameters;

    if (!wire_member(whole(reply), "parameters", &parameters) || parameters.size < 2)
        return (struct wire_value){.start = "", .size = 0};
    return (struct wire_value){.start = parameters.start + 1, .size = parameters.size - 2};
}

static unsigned count_replies(struct client *client, struct secret *reply)
{
    struct failure failure;
    struct wire_value continues;
    unsigned count = 1;

    while (wire_member(whole(reply), "continues", &continues)) {
        if (client_next_reply(client, &failure, reply) != STATUS_OK)
            errx(1, "Test10: %s", failure.sentence);
        count++;
    }
    return count;
}

int main(void)
{
    CLEANUP(client_freep) struct client *client = NULL;
    CLEANUP(secret_reset) struct secret id = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    const struct wire_value nothing = {.start = "", .size = 0};
    struct failure failure;
    char method[] = "Test00";

    if (client_connect("/", &failure, &client) != STATUS_OK)
        errx(1, "%s", failure.sentence);
    call(client, "Start", &id, nothing, false, &reply);
    if (!secret_append(&id, inside(&reply).start, inside(&reply).size))
        errx(1, "not enough memory");
    for (unsigned test = 1; test <= 10; test++) {
        CLEANUP(secret_reset) struct secret last = reply;

        reply = (struct secret){0};
        snprintf(method, sizeof(method), "Test%02u", test);
        call(client, method, &id, test == 1 ? nothing : inside(&last), test == 10, &reply);
    }
    if (count_replies(client, &reply) != REPLIES)
        errx(1, "Test10 did not answer %d times", REPLIES);
    call(client, "End", &id, nothing, false, &reply);
    printf("End: %.*s\n", (int)inside(&reply).size, inside(&reply).start);
    return 0;
}
