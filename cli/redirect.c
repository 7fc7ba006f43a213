/* Redirect URIs in words. */
#include "redirect.h"

#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "catalog/facts.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

/* `http://127.0.0.1:28710/callback, or with port 28711 or 28712` */
static void describe_loopback(const struct json *oauth, char destination[REDIRECT_TEXT_SIZE])
{
    uint16_t ports[FACTS_PORTS_MAX];
    size_t count = facts_ports(oauth, ports);
    char uri[FACTS_URI_MAX];
    size_t size;

    facts_redirect_uri(oauth, count > 0 ? ports[0] : 0, uri);
    size = (size_t)snprintf(destination, REDIRECT_TEXT_SIZE, "the redirect URI %s", uri);
    for (size_t i = 1; i < count && size < REDIRECT_TEXT_SIZE; i++)
        size += (size_t)snprintf(destination + size, REDIRECT_TEXT_SIZE - size, "%s %hu",
                                 i == 1 ? ", or with port" : " or", (unsigned short)ports[i]);
}

void redirect_describe(const struct json *oauth, char destination[REDIRECT_TEXT_SIZE])
{
    destination[0] = '\0';
    if (!facts_has_grant(oauth, "authorization_code"))
        return;
    switch (facts_redirect(oauth)) {
    case FACTS_REDIRECT_LOOPBACK:
        describe_loopback(oauth, destination);
        break;
    case FACTS_REDIRECT_HTTPS:
        snprintf(destination, REDIRECT_TEXT_SIZE, "an https:// redirect URI of yours");
        break;
    case FACTS_REDIRECT_NAME:
        snprintf(destination, REDIRECT_TEXT_SIZE, "a redirect URI of yours, of which it gives you the name");
        break;
    }
}

bool redirect_is_own(const struct json *oauth)
{
    return facts_has_grant(oauth, "authorization_code") && facts_redirect(oauth) != FACTS_REDIRECT_LOOPBACK;
}

void redirect_tell(const char *slug, const char *own)
{
    CLEANUP(app_freep) struct app *app = NULL;
    struct failure failure;
    char text[REDIRECT_TEXT_SIZE] = "";
    bool is_own = false;

    if (own != NULL) {
        output_note("register the client with the provider with the redirect URI %s", own);
        return;
    }
    if (catalog_find(slug, &failure, &app, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < app->method_count && text[0] == '\0'; i++) {
        CLEANUP(app_freep) struct app *other = NULL;
        const struct json *oauth = NULL;

        if (app->methods[i].kind != APP_OAUTH2 ||
            catalog_oauth(&app->methods[i], &failure, &other, &oauth) != STATUS_OK || oauth == NULL)
            continue;
        redirect_describe(oauth, text);
        is_own = redirect_is_own(oauth);
    }
    if (is_own)
        output_note("the provider wants %s; say it here, too, with --replace and --redirect-uri URL", text);
    else if (text[0] != '\0')
        output_note("register the client with the provider with %s", text);
}
