/* The table of hints, and the one line on stderr that a failure becomes. */
#include "report.h"

#include "base/file.h"

#include <stdio.h>
#include <unistd.h>

static const char *const hints[STATUS_COUNT] = {
    [STATUS_USAGE] = "see: stepvault help",
    [STATUS_LOCKED] = "unlock it with: stepvault unlock",
    [STATUS_KEY_REQUIRED] = "run it on a terminal, or name a key with --key-file or --passphrase-fd",
    [STATUS_NO_VAULT] = "make one with: stepvault init",
    [STATUS_CORRUPT] = "keep the file as it is, and look further with: stepvault audit verify",
    [STATUS_BUSY] = "wait until it ends, or end it with: stepvault lock",
    [STATUS_LOG_UNWRITABLE] = "free some space or make the folder writable, then try again",
    [STATUS_OTHER_VAULT] = "set STEPVAULT_VAULT to the vault that is meant, or unset STEPVAULT_SOCKET",
    [STATUS_NO_AGENT] = "set XDG_RUNTIME_DIR to a private folder of yours, or use --key-file",
    [STATUS_PROTOCOL] = "if the agent is of another version, end it with: stepvault lock",
    [STATUS_TIMEOUT] = "see what the agent does with: stepvault status",
};

const char *report_hint(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? hints[status] : NULL;
}

void report_failure(const struct failure *failure)
{
    const char *sentence =
        failure->sentence[0] != '\0' ? failure->sentence : status_sentence(failure->status);
    const char *hint = report_hint(failure->status);
    char line[FAILURE_SENTENCE_MAX + 256];
    int length = snprintf(line, sizeof(line), "stepvault: %s%s%s\n", sentence, hint != NULL ? "; " : "",
                          hint != NULL ? hint : "");

    /* There is nowhere left to say that stderr cannot be written. */
    if (length > 0)
        (void)!file_write_all(STDERR_FILENO, line, (size_t)length);
}
