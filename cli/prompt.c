/* The terminal, with echo off while a secret is typed and put back whatever happens. */
#include "prompt.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* A terminal's line holds 4095 bytes and silently drops the rest, so a line that long may be a cut one. */
#define TERMINAL_LINE_MAX 4094
#define QUESTION_MAX 512
#define CONFIRMATION_MAX 64

static const int watched_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU};
#define WATCHED_COUNT (sizeof(watched_signals) / sizeof(watched_signals[0]))

static volatile sig_atomic_t caught[NSIG];

static void catch_signal(int number)
{
    caught[number] = 1;
}

static bool signal_caught(void)
{
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        if (caught[watched_signals[i]])
            return true;
    }
    return false;
}

/* How signals were treated before. */
struct watch {
    struct sigaction actions[WATCHED_COUNT];
    sigset_t mask;
};

/* What others send is held back but while we wait for a key: a signal that came between a look at `caught`
 * and the wait would be forgotten. What our own reading and setting raises must not be held back, or they
 * fail. */
static void watch_signals(struct watch *saved)
{
    struct sigaction action = {.sa_handler = catch_signal};
    sigset_t sent;

    memset((void *)caught, 0, sizeof(caught));
    sigemptyset(&action.sa_mask);
    sigemptyset(&sent);
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        int number = watched_signals[i];

        if (number != SIGTTIN && number != SIGTTOU)
            sigaddset(&sent, number);
        sigaction(number, NULL, &saved->actions[i]);
        if (saved->actions[i].sa_handler != SIG_IGN)
            sigaction(number, &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &sent, &saved->mask);
}

/* Puts the handlers back and lets the signals do what they would have done. True if we were stopped and go
 * on. */
static bool deliver_signals(const struct watch *saved)
{
    bool stopped = false;

    for (size_t i = 0; i < WATCHED_COUNT; i++)
        sigaction(watched_signals[i], &saved->actions[i], NULL);
    sigprocmask(SIG_SETMASK, &saved->mask, NULL);
    for (size_t i = 0; i < WATCHED_COUNT; i++) {
        int number = watched_signals[i];

        if (!caught[number])
            continue;
        kill(getpid(), number);
        stopped = stopped || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
    }
    return stopped;
}

/* What is asked for, and how. */
struct request {
    const char *question;
    bool hidden;
    size_t maximum;
    const char *what;
    const struct prompt_event *event; /* NULL: only a line is waited for; else it writes the question */
};

enum line_end { LINE_WHOLE, LINE_LONG, LINE_END, LINE_INTERRUPTED, LINE_EVENT };

/* Waits for a key or the event. 1 where a key can be read, 0 where the event happened, -1 with errno set. */
static int wait_for_key(int terminal, const sigset_t *mask, const struct prompt_event *event)
{
    const struct timespec second = {.tv_sec = 1};
    struct pollfd waiting[] = {
        {.fd = terminal,                               .events = POLLIN},
        {.fd = event != NULL ? event->descriptor : -1, .events = POLLIN},
    };
    int ready;

    while ((ready = ppoll(waiting, 2, event != NULL ? &second : NULL, mask)) == 0)
        event->show(event->context, terminal);
    if (ready == -1)
        return -1;
    return waiting[1].revents != 0 ? 0 : 1;
}

/* Reads up to the newline, so that nothing of a long line is left for whoever reads the terminal next. */
static enum line_end read_terminal(int terminal, const sigset_t *mask, const struct request *request,
                                   struct secret *line)
{
    bool fits = true;

    for (;;) {
        uint8_t *place = line->bytes + line->size; /* room for maximum + 1 was reserved */
        int ready = wait_for_key(terminal, mask, request->event);
        ssize_t got = ready == 1 ? read(terminal, place, 1) : -1;

        if (ready == 0)
            return LINE_EVENT;
        if (got == -1 && errno == EINTR && !signal_caught())
            continue;
        if (got == -1)
            return signal_caught() ? LINE_INTERRUPTED : LINE_END;
        if (got == 0)
            return LINE_END;
        if (*place == '\n' || *place == '\r')
            break;
        if (line->size < request->maximum)
            line->size++;
        else
            fits = false;
    }
    line->bytes[line->size] = '\0';
    return fits ? LINE_WHOLE : LINE_LONG;
}

/* One question and its line; the terminal is as before when this returns. */
static enum line_end ask_once(int terminal, const struct request *request, struct secret *line,
                              bool *ret_again)
{
    struct watch watch;
    struct termios saved, quiet;
    bool silenced = false;
    /* What is typed between two waits of one question is for the second. */
    int typed_before = request->event != NULL ? TCSADRAIN : TCSAFLUSH;
    enum line_end end;

    watch_signals(&watch);
    if (request->hidden && tcgetattr(terminal, &saved) == 0) {
        quiet = saved;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        silenced = tcsetattr(terminal, typed_before, &quiet) == 0;
    }
    if (request->hidden && !silenced) {
        end = signal_caught() ? LINE_INTERRUPTED : LINE_END;
    } else {
        if (request->event != NULL)
            request->event->show(request->event->context, terminal);
        else
            (void)file_write_all(terminal, request->question, strlen(request->question));
        end = read_terminal(terminal, &watch.mask, request, line);
    }
    if (silenced) {
        (void)file_write_all(terminal, "\n", 1);
        while (tcsetattr(terminal, end == LINE_EVENT ? TCSAFLUSH : typed_before, &saved) == -1 &&
               errno == EINTR && !caught[SIGTTOU])
            continue;
    }
    *ret_again = deliver_signals(&watch);
    return end;
}

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* `ret_end` is LINE_WHOLE or LINE_EVENT. */
static enum status ask(const struct request *request, struct failure *failure, struct secret *ret_line,
                       enum line_end *ret_end)
{
    CLEANUP(cleanup_close) int terminal = open_terminal();
    enum line_end end;
    bool again;

    if (terminal == -1)
        return failure_set(failure, STATUS_KEY_REQUIRED, "there is no terminal to ask for %s on",
                           request->what);
    do {
        secret_clear(ret_line);
        if (!secret_reserve(ret_line, request->maximum + 1))
            return failure_set(failure, STATUS_NO_MEMORY, "not enough memory to read %s", request->what);
        end = ask_once(terminal, request, ret_line, &again);
    } while (end == LINE_INTERRUPTED && again);
    if (end == LINE_LONG)
        return failure_set(failure, STATUS_TOO_LARGE, "%s is longer than the %zu bytes that can be typed",
                           request->what, request->maximum);
    if (end == LINE_END || end == LINE_INTERRUPTED)
        return failure_set(failure, STATUS_FAILED, "%s was not typed", request->what);
    *ret_end = end;
    return STATUS_OK;
}

static size_t limit_line(size_t maximum)
{
    return maximum < TERMINAL_LINE_MAX ? maximum : TERMINAL_LINE_MAX;
}

enum status prompt_line(const char *question, bool hidden, size_t maximum, const char *what,
                        struct failure *failure, struct secret *ret_line)
{
    const struct request request = {
        .question = question, .hidden = hidden, .maximum = limit_line(maximum), .what = what};
    enum line_end end;

    return ask(&request, failure, ret_line, &end);
}

enum status prompt_line_or_event(const struct prompt_event *event, size_t maximum, const char *what,
                                 struct failure *failure, struct secret *ret_line, bool *ret_happened)
{
    const struct request request = {
        .hidden = true, .maximum = limit_line(maximum), .what = what, .event = event};
    enum line_end end;
    enum status status = ask(&request, failure, ret_line, &end);

    if (status == STATUS_OK)
        *ret_happened = end == LINE_EVENT;
    return status;
}

enum status prompt_passphrase(int descriptor, const char *question, struct failure *failure,
                              struct secret *ret_passphrase)
{
    enum status status;

    if (descriptor == -1) {
        status =
            prompt_line(question, true, PROMPT_PASSPHRASE_MAX, "the passphrase", failure, ret_passphrase);
    } else {
        secret_clear(ret_passphrase);
        status = file_read_line(descriptor, PROMPT_PASSPHRASE_MAX, "the passphrase", failure, ret_passphrase);
    }
    if (status == STATUS_OK && ret_passphrase->size == 0)
        return failure_set(failure, STATUS_INVALID, "the passphrase is empty");
    return status;
}

/* What is asked for twice, because nothing says whether it was mistyped. */
struct repeated {
    const char *question;
    const char *again;
    const char *differ;
};

static enum status ask_twice(const struct repeated *words, int descriptor, struct failure *failure,
                             struct secret *ret_text)
{
    CLEANUP(secret_reset) struct secret again = {0};
    enum status status = prompt_passphrase(descriptor, words->question, failure, ret_text);

    if (status != STATUS_OK || descriptor != -1)
        return status;
    status = prompt_line(words->again, true, PROMPT_PASSPHRASE_MAX, "the passphrase", failure, &again);
    if (status != STATUS_OK)
        return status;
    if (again.size != ret_text->size || !secret_equal(again.bytes, ret_text->bytes, again.size))
        return failure_set(failure, STATUS_INVALID, "%s", words->differ);
    return STATUS_OK;
}

enum status prompt_new_passphrase(int descriptor, struct failure *failure, struct secret *ret_passphrase)
{
    static const struct repeated words = {
        "New passphrase: ", "New passphrase, again: ", "the two passphrases differ"};

    return ask_twice(&words, descriptor, failure, ret_passphrase);
}

enum status prompt_login_password(int descriptor, struct failure *failure, struct secret *ret_password)
{
    static const struct repeated words = {
        "Login password: ", "Login password, again: ", "the two login passwords differ"};

    return ask_twice(&words, descriptor, failure, ret_password);
}

enum status prompt_code(int descriptor, struct failure *failure, struct secret *ret_code)
{
    static const char what[] = "the recovery code";

    if (descriptor == -1)
        return prompt_line("Recovery code: ", true, PROMPT_PASSPHRASE_MAX, what, failure, ret_code);
    secret_clear(ret_code);
    return file_read_line(descriptor, PROMPT_PASSPHRASE_MAX, what, failure, ret_code);
}

enum status prompt_agreement(const char *question, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret answer = {0};
    enum status status = prompt_line(question, false, PROMPT_PASSPHRASE_MAX, "an answer", failure, &answer);

    if (status != STATUS_OK)
        return status;
    if (strcasecmp(secret_text(&answer), "y") == 0 || strcasecmp(secret_text(&answer), "yes") == 0)
        return STATUS_OK;
    return failure_set(failure, STATUS_REFUSED, "nothing was changed");
}

static enum status read_value(const char *name, bool raw, struct failure *failure, struct secret *value)
{
    char what[QUESTION_MAX];
    enum status status;

    snprintf(what, sizeof(what), "the value of %s", name);
    secret_clear(value);
    /* One byte more than a value has, for the newline after it. */
    status = file_read_all(STDIN_FILENO, NAME_VALUE_MAX + 1, what, failure, value);
    if (status == STATUS_OK && !raw && value->size > 0 && value->bytes[value->size - 1] == '\n')
        value->bytes[--value->size] = '\0';
    if (status == STATUS_TOO_LARGE || (status == STATUS_OK && value->size > NAME_VALUE_MAX))
        return failure_set(failure, STATUS_TOO_LARGE, "%s is larger than 64 KiB (%d bytes)", what,
                           NAME_VALUE_MAX);
    return status;
}

enum status prompt_value(const char *name, bool raw, struct failure *failure, struct secret *ret_value)
{
    char question[QUESTION_MAX];
    enum status status;

    if (!isatty(STDIN_FILENO)) {
        status = read_value(name, raw, failure, ret_value);
    } else {
        snprintf(question, sizeof(question), "Value of %s: ", name);
        status = prompt_line(question, true, NAME_VALUE_MAX, "the value", failure, ret_value);
        if (status == STATUS_OK && ret_value->size == 0)
            return failure_set(failure, STATUS_INVALID,
                               "nothing was typed; an empty value is given on stdin");
    }
    if (status != STATUS_OK)
        return status;
    if (ret_value->size > 0 && memchr(ret_value->bytes, '\0', ret_value->size) != NULL)
        return failure_set(failure, STATUS_INVALID, "the value of %s holds a NUL byte", name);
    return STATUS_OK;
}

enum status prompt_refuse_argument(const char *word, struct failure *failure)
{
    return failure_set(failure, STATUS_USAGE,
                       "the value of %.*s does not go on the command line, which every process can read: "
                       "it is read from stdin, or asked for on a terminal",
                       (int)strcspn(word, "="), word);
}

bool prompt_has_terminal(void)
{
    CLEANUP(cleanup_close) int terminal = open_terminal();

    return terminal != -1;
}

bool prompt_has_attention(void)
{
    CLEANUP(cleanup_close) int terminal = open_terminal();

    return terminal != -1 && tcgetpgrp(terminal) == getpgrp();
}

enum status prompt_confirm(const char *question, const char *refusal, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret line = {0};
    enum status status = prompt_line(question, false, CONFIRMATION_MAX, "the confirmation", failure, &line);

    if (status == STATUS_OK && strcmp(secret_text(&line), "yes") != 0)
        status = failure_set(failure, STATUS_REFUSED, "%s", refusal);
    return status;
}
