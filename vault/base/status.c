/* The table of outcomes, and the making of failure sentences. */
#include "base/status.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct outcome {
    const char *wire_name;
    int exit_status;
    const char *sentence;
};

static const struct outcome outcomes[STATUS_COUNT] = {
    [STATUS_OK] = {"Ok",               0, "done"                                                            },
    [STATUS_FAILED] = {"Failed",           1, "the operation failed"                                            },
    [STATUS_NO_MEMORY] = {"NoMemory",         1, "out of memory"                                                   },
    [STATUS_USAGE] = {"Usage",            2, "the command line is not one stepvault understands"               },
    [STATUS_INVALID] = {"Invalid",          1, "a name, value or parameter breaks its rule"                      },
    [STATUS_TOO_LARGE] = {"TooLarge",         1, "something is over its size limit"                                },
    [STATUS_REFUSED] = {"Refused",          1, "the vault does not allow this now"                               },
    [STATUS_DENIED] = {"Denied",           1, "this caller may not do that"                                     },
    [STATUS_LOCKED] = {"Locked",           3, "the vault is locked"                                             },
    [STATUS_KEY_REQUIRED] = {"KeyRequired",      1, "this needs the passphrase or another slot key anew"              },
    [STATUS_WRONG_KEY] = {"WrongKey",         1, "the passphrase, recovery code or key file does not open the slot"},
    [STATUS_NOT_FOUND] = {"NotFound",         4, "there is no such thing in the vault"                             },
    [STATUS_EXISTS] = {"Exists",           1, "there is one already"                                            },
    [STATUS_AMBIGUOUS] = {"Ambiguous",        1, "several match"                                                   },
    [STATUS_IN_USE] = {"InUse",            1, "it is still in use"                                              },
    [STATUS_NO_VAULT] = {"NoVault",          4, "there is no vault"                                               },
    [STATUS_FOREIGN] = {"Foreign",          1, "a file, folder or socket is not ours to trust"                   },
    [STATUS_CORRUPT] = {"Corrupt",          1, "the vault was changed by something else, or is damaged"          },
    [STATUS_ROLLED_BACK] = {"RolledBack",       1, "the vault is older than it was when this machine saw it last"    },
    [STATUS_FORMAT] = {"Format",           1, "the vault has a format that this program does not read"          },
    [STATUS_BUSY] = {"Busy",             1, "another process holds the vault"                                 },
    [STATUS_LOG_UNWRITABLE] = {"LogUnwritable",    1, "the access log cannot be written"                                },
    [STATUS_OTHER_VAULT] = {"OtherVault",       1, "the agent holds another vault"                                   },
    [STATUS_NO_AGENT] = {"NoAgent",          1, "no agent is running"                                             },
    [STATUS_AGENT_ENDED] = {"AgentEnded",       1, "the agent ended before it read the request"                      },
    [STATUS_PROTOCOL] = {"Protocol",         1, "the other side broke the protocol"                               },
    [STATUS_TIMEOUT] = {"Timeout",          1, "it took too long"                                                },
    [STATUS_NEEDS_RECONNECT] = {"NeedsReconnect",   1, "the account must be connected anew"                              },
    [STATUS_TOKEN_UNAVAILABLE] = {"TokenUnavailable", 1, "the account has no token that holds"                             },
    [STATUS_WAITS] = {"Waits",            1, "it waits for something else to end first"                        },
};

static const struct outcome *outcome_of(enum status status)
{
    return &outcomes[(unsigned)status < STATUS_COUNT ? status : STATUS_FAILED];
}

const char *status_wire_name(enum status status)
{
    return outcome_of(status)->wire_name;
}

enum status status_from_wire_name(const char *name)
{
    for (unsigned status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        if (strcmp(outcomes[status].wire_name, name) == 0)
            return (enum status)status;
    }
    return STATUS_FAILED;
}

int status_exit(enum status status)
{
    return outcome_of(status)->exit_status;
}

const char *status_sentence(enum status status)
{
    return outcome_of(status)->sentence;
}

/* Copies the sentence, cutting between characters. */
static void sentence_copy(char destination[FAILURE_SENTENCE_MAX], const char *plain, size_t size, bool cut)
{
    static const char ellipsis[] = "...";
    const size_t room = FAILURE_SENTENCE_MAX - sizeof(ellipsis);

    if (size > room) {
        cut = true;
        for (size = room; ((uint8_t)plain[size] & 0xc0) == 0x80; size--)
            continue;
    }
    memcpy(destination, plain, size);
    memcpy(destination + size, cut ? ellipsis : "", cut ? sizeof(ellipsis) : 1);
}

static void sentence_make(struct failure *failure, int error, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void sentence_make(struct failure *failure, int error, const char *format, va_list arguments)
{
    /* Not in place: the arguments may point to the sentence that is being replaced. */
    char raw[2 * FAILURE_SENTENCE_MAX];
    int length = vsnprintf(raw, sizeof(raw), format, arguments);
    size_t size;

    if (length < 0) {
        raw[0] = '\0';
        length = 0;
    }
    size = (size_t)length < sizeof(raw) ? (size_t)length : sizeof(raw) - 1;
    if (error != 0 && size == (size_t)length) {
        int added = snprintf(raw + size, sizeof(raw) - size, ": %s", strerror(error));

        size += added > 0 ? strlen(raw + size) : 0;
    }
    sentence_copy(failure->sentence, raw, text_make_plain(raw), size < (size_t)length);
}

enum status failure_set(struct failure *failure, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    sentence_make(failure, 0, format, arguments);
    va_end(arguments);
    failure->status = status;
    return status;
}

enum status failure_set_errno(struct failure *failure, enum status status, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    sentence_make(failure, error, format, arguments);
    va_end(arguments);
    failure->status = status;
    return status;
}

enum status failure_set_no_memory(struct failure *failure)
{
    return failure_set(failure, STATUS_NO_MEMORY, "%s", status_sentence(STATUS_NO_MEMORY));
}
