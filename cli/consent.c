/* Notices come on one connection and are answered on another; the terminal is read meanwhile. */
#include "consent.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "browser.h"
#include "output.h"
#include "prompt.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_SHOWN 80 /* columns of the line that is written anew each second */
#define SECOND_MS 1000
#define PATIENCE_MS 120000u /* beyond the deadline, within which the agent itself ends an attempt */

static const char what_is_pasted[] = "the address";

/* ---- what is shown ---- */

/* One writing, so that the lines of others do not come in between. */
static enum status show(const struct secret *text, bool complete, struct failure *failure)
{
    if (!complete)
        return failure_set_no_memory(failure);
    /* There is nowhere left to say that stderr cannot be written. */
    (void)!file_write_all(STDERR_FILENO, text->bytes, text->size);
    return STATUS_OK;
}

static bool append_indented(struct secret *text, const char *line)
{
    return secret_append_text(text, "\n\n    ") && output_append_plain(text, line) &&
           secret_append_text(text, "\n\n");
}

/* How the answer gets from a browser at another machine to this one. */
static bool append_elsewhere(struct secret *text, const struct consent *consent, const char *redirect_uri,
                             int64_t port)
{
    char forward[BROWSER_FORWARD_SIZE];
    bool complete = true;

    if (consent->listens && port > 0 && port <= UINT16_MAX) {
        browser_write_forward((uint16_t)port, forward);
        complete = secret_append_text(text, "A browser at another machine needs this there first:") &&
                   append_indented(text, forward);
        if (complete && consent->pastes)
            complete =
                secret_append_text(text, "or paste here the address that it ended on, also of a page that it "
                                         "could not reach.\n");
    } else if (consent->pastes) {
        complete =
            secret_append_text(text, "Then paste here the address that it ended on, which begins with ") &&
            output_append_plain(text, redirect_uri) && secret_append_text(text, "\n");
    }
    return complete;
}

static void keep_host(struct consent *consent, const char *url)
{
    const char *host = strstr(url, "://");

    host = host != NULL ? host + 3 : url;
    snprintf(consent->host, sizeof(consent->host), "%.*s", (int)strcspn(host, "/?#"), host);
    text_make_plain(consent->host);
}

static void open_browser(const struct consent *consent, const char *url)
{
    if (consent->opens && !browser_open(url))
        output_note("no browser could be started here; open the address yourself");
}

static enum status show_address(struct consent *consent, const struct json *notice, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const char *url = json_member_text(notice, "url");
    const char *redirect_uri = json_member_text(notice, "redirect_uri");
    bool complete;
    enum status status;

    if (url == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's notice has no address to open");
    complete = secret_append_text(&text, "Open this address in a browser:") && append_indented(&text, url);
    if (complete && (consent->remote || !consent->listens))
        complete = append_elsewhere(&text, consent, redirect_uri != NULL ? redirect_uri : "http",
                                    json_member_number(notice, "port", 0));
    status = show(&text, complete, failure);
    if (status != STATUS_OK)
        return status;
    keep_host(consent, url);
    open_browser(consent, url);
    return STATUS_OK;
}

static enum status show_code(struct consent *consent, const struct json *notice, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const char *url = json_member_text(notice, "url");
    const char *whole = json_member_text(notice, "complete_url");
    const char *code = json_member_text(notice, "code");
    int64_t seconds = json_member_number(notice, "seconds", 0);
    bool complete;
    enum status status;

    if (url == NULL || code == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's notice has no code to type");
    complete = secret_append_text(&text, "Open this address in a browser, at any machine:") &&
               append_indented(&text, url) && secret_append_text(&text, "and type this code there:") &&
               append_indented(&text, code);
    if (complete && whole != NULL)
        complete = secret_append_text(&text, "or open this one, which has the code in it:") &&
                   append_indented(&text, whole);
    status = show(&text, complete, failure);
    if (status != STATUS_OK)
        return status;
    if (seconds > 0)
        consent->deadline_ms = clock_boot_ms() + (uint64_t)seconds * SECOND_MS;
    keep_host(consent, url);
    open_browser(consent, whole != NULL ? whole : url);
    return STATUS_OK;
}

static enum status show_refusal(struct consent *consent, const struct json *notice, struct failure *failure)
{
    const char *reason = json_member_text(notice, "reason");

    if (reason == NULL)
        return failure_set(failure, STATUS_PROTOCOL, "the agent's notice has no reason");
    if (consent->input_ended && !consent->listens)
        return failure_set(failure, STATUS_REFUSED, "%s", reason);
    output_note("%s", reason);
    return STATUS_OK;
}

static enum status take_notice(struct consent *consent, const struct json *notice, struct failure *failure)
{
    static const struct {
        const char *name;
        enum status (*show)(struct consent *consent, const struct json *notice, struct failure *failure);
    } notices[] = {
        {"open",    show_address},
        {"code",    show_code   },
        {"refused", show_refusal},
    };
    const char *attempt = json_member_text(notice, "attempt");

    if (attempt != NULL)
        snprintf(consent->attempt, sizeof(consent->attempt), "%s", attempt);
    for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
        if (json_member_is(notice, "notice", notices[i].name)) {
            consent->shown = true;
            return notices[i].show(consent, notice, failure);
        }
    }
    /* One of an agent that is newer than this program. */
    return STATUS_OK;
}

/* ---- waiting ---- */

/* Of one length for as long as one attempt takes, so that it covers what it is written over. */
static void show_waiting(void *context, int terminal)
{
    const struct consent *consent = context;
    uint64_t now_ms = clock_boot_ms();
    unsigned left =
        now_ms < consent->deadline_ms ? (unsigned)((consent->deadline_ms - now_ms) / SECOND_MS) : 0;
    char line[LINE_MAX_SHOWN];

    if (consent->pastes)
        snprintf(line, sizeof(line),
                 "\rWaiting, %2u:%02u left; or paste the address the browser ended on: ", left / 60,
                 left % 60);
    else
        snprintf(line, sizeof(line), "\rWaiting for you at %.40s, %2u:%02u left ", consent->host, left / 60,
                 left % 60);
    (void)!file_write_all(terminal, line, strlen(line));
}

/* Over a connection of its own: the agent answers the calls of one in order. One that was started for this
 * command has no other, and hears there what wants no reply. */
static enum status answer_attempt(const struct consent *consent, const char *address, size_t size,
                                  struct failure *failure)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status;

    exchange_question(&question, "AnswerConnect");
    json_add_text(&question.writer, "attempt", consent->attempt);
    json_add_bytes(&question.writer, "url", address, size);
    question.ask.oneway = consent->exchange->client->agent > 0;
    question.ask.without_key = true;
    if (question.ask.oneway)
        return exchange_ask_ahead(consent->exchange, &question, failure);
    status = exchange_start(consent->invocation, option_text(&consent->invocation->options, "key-file"),
                            failure, &exchange);
    return status == STATUS_OK ? exchange_ask(&exchange, &question, failure, &answer) : status;
}

/* What is wrong with an address is told, and another may be pasted. */
static void send_address(const struct consent *consent, const struct secret *line)
{
    const char *address = secret_text(line) + strspn(secret_text(line), " \t");
    size_t size = strcspn(address, " \t\r");
    struct failure failure = {0};

    if (size == 0)
        return;
    if (!text_is_utf8(address, size))
        output_note("what was pasted is no address");
    else if (answer_attempt(consent, address, size, &failure) != STATUS_OK)
        output_note("%s", failure.sentence);
}

/* Until a line was typed or a reply is there. */
static enum status wait_typing(struct consent *consent, struct failure *failure)
{
    const struct prompt_event event = {
        .descriptor = consent->exchange->client->descriptor, .show = show_waiting, .context = consent};
    CLEANUP(secret_reset) struct secret line = {0};
    bool happened = false;
    enum status status =
        prompt_line_or_event(&event, CONSENT_ADDRESS_MAX, what_is_pasted, failure, &line, &happened);

    if (status == STATUS_TOO_LARGE) {
        output_note("%s", failure->sentence);
        return STATUS_OK;
    }
    if (status == STATUS_OK && !happened)
        send_address(consent, &line);
    return status;
}

static enum status read_input(struct consent *consent, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    enum status status = file_read_line(STDIN_FILENO, CONSENT_ADDRESS_MAX, what_is_pasted, failure, &line);

    consent->input_ended = status == STATUS_INVALID;
    if (consent->input_ended && !consent->input_given)
        return failure_set(failure, STATUS_REFUSED,
                           "stdin ended before the address was pasted that is waited for");
    if (consent->input_ended)
        return STATUS_OK;
    consent->input_given = true;
    if (status == STATUS_OK)
        send_address(consent, &line);
    return status;
}

/* Until a line of stdin was read, where that is wanted, or a reply is there; shows how long there is left. */
static enum status wait_watching(struct consent *consent, struct failure *failure)
{
    const bool reads = consent->pastes && consent->shown && !consent->listens && !consent->input_ended;
    const bool shows = !consent->pastes && isatty(STDERR_FILENO) && consent->host[0] != '\0';
    struct pollfd waiting[] = {
        {.fd = consent->exchange->client->descriptor, .events = POLLIN},
        {.fd = reads ? STDIN_FILENO : -1,             .events = POLLIN},
    };
    bool shown = false;

    while (poll(waiting, 2, SECOND_MS) <= 0) {
        if (clock_boot_ms() > consent->deadline_ms + PATIENCE_MS)
            return failure_set(failure, STATUS_TIMEOUT,
                               "the agent did not end the attempt to connect in time");
        if (shows)
            show_waiting(consent, STDERR_FILENO);
        shown = shows;
    }
    if (shown)
        (void)!file_write_all(STDERR_FILENO, "\n", 1);
    return waiting[1].revents != 0 && waiting[0].revents == 0 ? read_input(consent, failure) : STATUS_OK;
}

static enum status wait_for_reply(struct consent *consent, struct failure *failure)
{
    const struct client *client = consent->exchange->client;
    struct pollfd reply = {.fd = client->descriptor, .events = POLLIN};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !client_has_reply(client) && poll(&reply, 1, 0) == 0) {
        if (consent->pastes && consent->shown && prompt_has_attention())
            status = wait_typing(consent, failure);
        else
            status = wait_watching(consent, failure);
    }
    return status;
}

enum status consent_wait(struct consent *consent, struct failure *failure, struct answer *answer)
{
    enum status status = STATUS_OK;

    consent->deadline_ms = clock_boot_ms() + CONSENT_SECONDS * SECOND_MS;
    while (status == STATUS_OK && answer->continues) {
        status = take_notice(consent, answer->parameters, failure);
        if (status == STATUS_OK)
            status = wait_for_reply(consent, failure);
        if (status == STATUS_OK)
            status = exchange_next(consent->exchange, failure, answer);
    }
    return status;
}
