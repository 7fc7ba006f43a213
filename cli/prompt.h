/* Asking a person on the terminal (/dev/tty, never stdin), and reading secrets from descriptors. */
#ifndef STEPVAULT_CLI_PROMPT_H
#define STEPVAULT_CLI_PROMPT_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define PROMPT_PASSPHRASE_MAX 1024 /* bytes */

/* Asks `question` (printed as it stands) and reads one line without its newline into `ret_line` (cleared
 * first); nothing is echoed if `hidden`. Signals that end or stop the process find the terminal as it was.
 * STATUS_KEY_REQUIRED without a terminal to ask for `what` on, STATUS_TOO_LARGE over `maximum` or what a
 * terminal's line holds, STATUS_FAILED at its end. */
enum status prompt_line(const char *question, bool hidden, size_t maximum, const char *what,
                        struct failure *failure, struct secret *ret_line);

/* Something else that is waited for while a line is typed. */
struct prompt_event {
    int descriptor; /* it happened when this can be read */
    /* Writes the question to the terminal: at first, and then anew in its line once a second. */
    void (*show)(void *context, int terminal);
    void *context;
};

/* As prompt_line with nothing echoed, until a line was typed or the event happened, which `ret_happened` says
 * and which loses what was typed of a line. */
enum status prompt_line_or_event(const struct prompt_event *event, size_t maximum, const char *what,
                                 struct failure *failure, struct secret *ret_line, bool *ret_happened);

/* A passphrase: one line of `descriptor`, or asked for where that is -1. STATUS_INVALID when it is empty. */
enum status prompt_passphrase(int descriptor, const char *question, struct failure *failure,
                              struct secret *ret_passphrase);

/* As prompt_passphrase, asked for twice; STATUS_INVALID when the two differ. */
enum status prompt_new_passphrase(int descriptor, struct failure *failure, struct secret *ret_passphrase);

/* The same of the password that the user logs in with. Whether it is that is not asked of anybody. */
enum status prompt_login_password(int descriptor, struct failure *failure, struct secret *ret_password);

/* As prompt_passphrase, for the recovery code. */
enum status prompt_code(int descriptor, struct failure *failure, struct secret *ret_code);

/* Asks for a word of agreement. STATUS_REFUSED for any other answer, STATUS_KEY_REQUIRED without a terminal.
 */
enum status prompt_agreement(const char *question, struct failure *failure);

/* A value for `name`: typed hidden where stdin is a terminal, else stdin to its end, without one trailing
 * newline unless `raw`. STATUS_TOO_LARGE over 64 KiB, STATUS_INVALID with a NUL in it. */
enum status prompt_value(const char *name, bool raw, struct failure *failure, struct secret *ret_value);

/* Whether there is a terminal to ask on. */
bool prompt_has_terminal(void);

/* The same, and we are in its foreground, so that asking on it does not stop us. */
bool prompt_has_attention(void);

/* Asks `question` and goes on only for `yes`: STATUS_REFUSED otherwise, with `refusal` as the sentence. */
enum status prompt_confirm(const char *question, const char *refusal, struct failure *failure);

/* For a value typed where only a name belongs. STATUS_USAGE; of `word` it quotes what stands before `=`. */
enum status prompt_refuse_argument(const char *word, struct failure *failure);

#endif
