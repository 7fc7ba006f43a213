/* The pages. The head forbids the browser to load anything, to keep the page, to show it in a frame, and to
 * tell anybody else its address, which has the code. */
#include "oauth/page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RESPONSE_MAX 2048

static const struct {
    const char *status;
    const char *title;
    const char *text;
} pages[] = {
    [PAGE_NOT_FOUND] = {"404 Not Found", "Not found",            "There is nothing here."},
    [PAGE_GRANTED] =
        {"200 OK",        "Access was given",
                        "stepvault has got access. Your terminal says which account it is and where it is kept; "
         "this window can be closed."                                                    },
    [PAGE_DENIED] =
        {"200 OK",        "Access was not given",
                        "The provider refused, or you did. Nothing was connected; your terminal says more, and this "
         "window can be closed."                                                         },
    [PAGE_FAILED] =
        {"200 OK",        "Connecting failed",
                        "The provider answered, but stepvault got no access with it. Nothing was connected; your "
         "terminal says why, and this window can be closed."                             },
};

static const char head[] =
    "HTTP/1.1 %s\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Content-Length: %d\r\n"
    "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "Cache-Control: no-store\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Connection: close\r\n"
    "\r\n";
static const char body[] = "<!DOCTYPE html>\n"
                           "<html lang=\"en\">\n"
                           "<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n"
                           "<title>stepvault: %s</title>\n"
                           "<h1>%s</h1>\n"
                           "<p>%s</p>\n"
                           "</html>\n";

bool page_send(enum page page, int connection)
{
    char text[RESPONSE_MAX / 2];
    char response[RESPONSE_MAX];
    int size = snprintf(text, sizeof(text), body, pages[page].title, pages[page].title, pages[page].text);
    int head_size = snprintf(response, sizeof(response), head, pages[page].status, size);
    ssize_t sent;

    memcpy(response + head_size, text, (size_t)size);
    size += head_size;
    do {
        sent = send(connection, response, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent == size;
}
