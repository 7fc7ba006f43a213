/* The table of hints, and the one line on stderr that a failure becomes. */
#include "report.h"

#include "base/file.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Every status but OK has a row: advice, or NULL where there is none to give, and why. */
static const char *const hints[STATUS_COUNT] = {
    [STATUS_FAILED] = NULL, /* the sentence has the system's own words */
    [STATUS_NO_MEMORY] = "see how much memory a process may have and lock: ulimit -a",
    [STATUS_USAGE] = "see: stepvault help",
    [STATUS_INVALID] = NULL,   /* the sentence states the rule */
    [STATUS_TOO_LARGE] = NULL, /* the sentence states the limit */
    [STATUS_REFUSED] = NULL,   /* the sentence names the option that allows it, where there is one */
    [STATUS_DENIED] = "only the user whose agent it is may ask",
    [STATUS_LOCKED] = "unlock it with: stepvault unlock",
    [STATUS_KEY_REQUIRED] = "run it on a terminal, or name a key with --key-file or --passphrase-fd",
    [STATUS_WRONG_KEY] = "if it is lost, see what else opens it with: stepvault slot list",
    [STATUS_NOT_FOUND] = NULL, /* the sentence says where it is, or what is near it */
    [STATUS_EXISTS] = NULL,    /* the sentence names what is there and what replaces it */
    [STATUS_AMBIGUOUS] = "say which one is meant",
    [STATUS_IN_USE] = NULL, /* the sentence lists what uses it */
    [STATUS_NO_VAULT] = "make one with: stepvault init, or put a backup there with: stepvault restore FILE",
    [STATUS_FOREIGN] =
        "see what it is with: ls -l, and end an agent whose vault was touched with: stepvault lock",
    [STATUS_CORRUPT] = "keep the file as it is, and see what holds with: stepvault check",
    [STATUS_ROLLED_BACK] =
        "put back the one last seen, or go on from another, be it the one found: stepvault restore FILE",
    [STATUS_FORMAT] = "use the version of stepvault that wrote it, or a newer one",
    [STATUS_BUSY] = "wait until it ends, or end it with: stepvault lock",
    [STATUS_LOG_UNWRITABLE] = "free some space or make the folder writable, then try again",
    [STATUS_OTHER_VAULT] = "set STEPVAULT_VAULT to the vault that is meant, or unset STEPVAULT_SOCKET",
    [STATUS_NO_AGENT] = "set XDG_RUNTIME_DIR to a private folder of yours, or give each command a --key-file",
    [STATUS_AGENT_ENDED] = "try the command again",
    [STATUS_PROTOCOL] = "if the agent is of another version, end it with: stepvault lock",
    [STATUS_TIMEOUT] = "see what the agent does with: stepvault status",
    [STATUS_NEEDS_RECONNECT] = "connect it anew with: stepvault connect --reconnect ACCOUNT",
    [STATUS_TOKEN_UNAVAILABLE] = "see how it stands with: stepvault account list",
    [STATUS_WAITS] = NULL, /* no caller meets it */
};

const char *report_hint(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? hints[status] : NULL;
}

void report_failure(const struct failure *failure, const char *command)
{
    bool helps = failure->status == STATUS_USAGE && command != NULL;
    const char *sentence =
        failure->sentence[0] != '\0' ? failure->sentence : status_sentence(failure->status);
    const char *hint = report_hint(failure->status);
    char line[FAILURE_SENTENCE_MAX + 256];
    int length = snprintf(line, sizeof(line), "stepvault: %s%s%s%s%s\n", sentence, hint != NULL ? "; " : "",
                          hint != NULL ? hint : "", helps ? " " : "", helps ? command : "");

    /* There is nowhere left to say that stderr cannot be written. */
    if (length > 0)
        (void)!file_write_all(STDERR_FILENO, line, (size_t)length);
}
