/* Deciding on the address, and opening the listener there. */
#include "oauth/redirect.h"

#include "base/cleanup.h"
#include "base/url.h"
#include "catalog/facts.h"

#include <stdio.h>
#include <string.h>

#define HTTP_PORT 80
#define PASTED_PORT 28710 /* where nobody listens, of an address that only a person reads */

static enum loopback_host loopback_host_of(const struct errand *errand, const char *host)
{
    static const struct {
        const char *name;
        enum loopback_host where;
    } hosts[] = {
        {"127.0.0.1", LOOPBACK_IPV4     },
        {"[::1]",     LOOPBACK_IPV6     },
        {"localhost", LOOPBACK_LOCALHOST},
    };
    size_t i = 0;

    if (errand->flow != ERRAND_BROWSER)
        return LOOPBACK_NOWHERE;
    while (strcmp(hosts[i].name, host) != 0)
        i++;
    return hosts[i].where;
}

/* An address without a port gets this one. A browser leaves out of Host the port that goes without saying,
 * and asks for the path that does. */
static enum status settle(const struct url *url, uint16_t port, struct redirect *redirect,
                          struct failure *failure)
{
    snprintf(redirect->host, sizeof(redirect->host), port == HTTP_PORT ? "%s" : "%s:%u", url->host,
             (unsigned)port);
    if (!secret_append_format(&redirect->uri, "http://%s:%u", url->host, (unsigned)port) ||
        !secret_append_text(&redirect->uri, url->path) ||
        !secret_append(&redirect->path, url->path, url->path_size) ||
        (url->path_size == 0 && !secret_append_byte(&redirect->path, '/')))
        return failure_set_no_memory(failure);
    return STATUS_OK;
}

/* Takes the first of the ports that is free; without any: whichever is. */
static enum status open_loopback(const struct errand *errand, const struct url *url, const uint16_t *ports,
                                 size_t count, struct redirect *redirect, struct failure *failure)
{
    const enum loopback_host where = loopback_host_of(errand, url->host);
    uint16_t port = count > 0 ? ports[0] : PASTED_PORT;
    enum status status = STATUS_IN_USE;

    for (size_t i = 0; status == STATUS_IN_USE && i < (count > 0 ? count : 1); i++)
        status = loopback_open(where, count > 0 ? ports[i] : 0, failure, &redirect->loopback);
    if (status == STATUS_IN_USE && count > 1)
        return failure_set(failure, STATUS_IN_USE,
                           "each of the %zu ports that %s can send people back to is used by another program",
                           count, provider_title(errand->provider));
    if (status != STATUS_OK)
        return status;
    if (where != LOOPBACK_NOWHERE)
        port = loopback_port(redirect->loopback);
    return settle(url, port, redirect, failure);
}

/* An address that is not on loopback, or no address at all but a name for one: it is sent as it is. */
static enum status open_elsewhere(const struct errand *errand, struct redirect *redirect,
                                  struct failure *failure)
{
    if (!secret_append_text(&redirect->uri, errand->redirect_uri))
        return failure_set_no_memory(failure);
    return loopback_open(LOOPBACK_NOWHERE, 0, failure, &redirect->loopback);
}

static enum status open_registered(const struct errand *errand, struct redirect *redirect,
                                   struct failure *failure)
{
    struct failure ignored;
    struct url url;
    uint16_t port;

    if (url_parse(errand->redirect_uri, "the registered address", &ignored, &url) != STATUS_OK ||
        url.secure || !url_is_loopback(&url))
        return open_elsewhere(errand, redirect, failure);
    if (url.port != 0 && errand->port != 0 && url.port != errand->port)
        return failure_set(failure, STATUS_INVALID, "the registered address has port %u, not %u",
                           (unsigned)url.port, (unsigned)errand->port);
    port = url.port != 0 ? url.port : errand->port;
    return open_loopback(errand, &url, &port, port != 0, redirect, failure);
}

static enum status open_by_facts(const struct errand *errand, struct redirect *redirect,
                                 struct failure *failure)
{
    const struct json *oauth = errand->provider->oauth;
    uint16_t ports[FACTS_PORTS_MAX];
    size_t count = facts_ports(oauth, ports);
    char uri[FACTS_URI_MAX];
    struct url url;
    enum status status;

    if (facts_redirect(oauth) != FACTS_REDIRECT_LOOPBACK)
        return failure_set(failure, STATUS_INVALID,
                           "%s sends people back to a registered address only, and the client has none",
                           provider_title(errand->provider));
    if (errand->port != 0) {
        ports[0] = errand->port;
        count = 1;
    }
    facts_redirect_uri(oauth, 0, uri);
    status = url_parse(uri, "the address of the provider's facts", failure, &url);
    return status == STATUS_OK ? open_loopback(errand, &url, ports, count, redirect, failure) : status;
}

enum status redirect_open(const struct errand *errand, struct failure *failure, struct redirect *ret_redirect)
{
    CLEANUP(redirect_reset) struct redirect redirect = {0};
    enum status status = errand->redirect_uri != NULL ? open_registered(errand, &redirect, failure)
                                                      : open_by_facts(errand, &redirect, failure);

    if (status != STATUS_OK)
        return status;
    *ret_redirect = redirect;
    redirect = (struct redirect){0};
    return STATUS_OK;
}

void redirect_reset(struct redirect *redirect)
{
    secret_reset(&redirect->uri);
    secret_reset(&redirect->path);
    loopback_freep(&redirect->loopback);
    *redirect = (struct redirect){0};
}
