/* The same step in C: the token from the auths document by jansson, the rest from the environment. It speaks
 * just enough HTTP for the tests' server on the loopback interface. */
#include <arpa/inet.h>
#include <err.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A stream to the server of http://127.0.0.1:PORT/. */
static FILE *connect_to(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned port;
    if (url == NULL || sscanf(url, "http://127.0.0.1:%5u/", &port) != 1) {
        errx(1, "SLACK_API_URL is not on the loopback interface");
    }
    address.sin_port = htons((uint16_t)port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
        err(1, "%s", url);
    }
    FILE *stream = fdopen(descriptor, "r+");
    if (stream == NULL) {
        err(1, "fdopen");
    }
    return stream;
}

/* What follows the headers of the answer, as JSON. */
static json_t *read_answer(FILE *stream)
{
    char line[1024];
    do {
        if (fgets(line, sizeof(line), stream) == NULL) {
            errx(1, "the answer ends in its headers");
        }
    } while (strcmp(line, "\r\n") != 0);
    size_t size = fread(line, 1, sizeof(line) - 1, stream);
    line[size] = '\0';
    const char *start = strchr(line, '{');
    json_t *answer = start ? json_loads(start, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (answer == NULL) {
        errx(1, "the answer is not JSON");
    }
    return answer;
}

int main(void)
{
    const char *document = getenv("STEPVAULT_AUTHS");
    const char *channel = getenv("BILLING_CHANNEL");
    if (document == NULL || channel == NULL) {
        errx(1, "not started by stepvault run --deliver auths");
    }
    json_error_t problem;
    json_t *auths = json_load_file(document, 0, &problem);
    if (auths == NULL) {
        errx(1, "%s: %s", document, problem.text);
    }
    const char *token =
        json_string_value(json_object_get(json_object_get(auths, "slack"), "oauth_access_token"));
    if (token == NULL) {
        errx(1, "no token for slack");
    }

    FILE *stream = connect_to(getenv("SLACK_API_URL"));
    json_t *message = json_pack("{s:s, s:s}", "channel", channel, "text", "paid, says C");
    char *body = json_dumps(message, JSON_COMPACT);
    fprintf(stream,
            "POST /api/chat.postMessage HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%s",
            token, strlen(body), body);
    fflush(stream);

    json_t *answer = read_answer(stream);
    if (!json_is_true(json_object_get(answer, "ok"))) {
        errx(1, "Slack says %s", json_string_value(json_object_get(answer, "error")));
    }
    printf("c: posted to %s\n", json_string_value(json_object_get(answer, "channel")));
    fclose(stream);
    free(body);
    json_decref(message);
    json_decref(answer);
    json_decref(auths);
    return 0;
}
