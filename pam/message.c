/* Jobs and answers. All numbers are big-endian.
 *
 * A job: u32 size of what follows, u8 version, u8 action, u32 budget, then step, service, password, new
 * password and keys, each u16 size and bytes. An answer: u32 size of what follows, u8 reason, u32 skipped,
 * u32 count, then the block. Its first byte is 0, and no word about a turn. */
#include "message.h"

#include "base/name.h"

#include <string.h>

#define VERSION 1
#define SIZE_SIZE 4
#define JOB_HEAD (SIZE_SIZE + 2 + 4)

static const struct {
    const char *text;
    bool quiet;
} reasons[MESSAGE_REASONS] = {
    [MESSAGE_DONE] = {"done",                                                                             true },
    [MESSAGE_NO_VAULT] = {"the user has no vault",                                                            true },
    [MESSAGE_NO_HOME] = {"the user's home is not there",                                                     false},
    [MESSAGE_NO_AGENT] = {"no agent runs",                                                                    true },
    [MESSAGE_NO_SLOT] = {"the vault has no login slot",                                                      true },
    [MESSAGE_NO_RUNTIME] = {"the user has no runtime folder",                                                   false},
    [MESSAGE_LOCKED] = {"the vault is locked, and this session brought no password",                        true },
    [MESSAGE_WRONG] = {"the password does not open the vault",                                             false},
    [MESSAGE_NO_STEP] = {"the vault has no such step",                                                       false},
    [MESSAGE_NO_BOUNDARY] = {"the step is no boundary",                                                          false},
    [MESSAGE_TOO_MUCH] = {"the step has more than a session may be given",                                    false},
    [MESSAGE_NO_OLD] = {"the password was set without the old one; the vault opens with the old one still",
                      false                                                                                    },
    [MESSAGE_UNTRUSTED] = {"the agent's socket is not the user's",                                             false},
    [MESSAGE_FOREIGN] = {"what is in the vault's place is no vault of the user's alone",                     false},
    [MESSAGE_BUSY] = {"another process holds the vault",                                                  false},
    [MESSAGE_NO_TOKEN] = {"an account of the step has no token that holds",                                   false},
    [MESSAGE_UNWRITABLE] = {"the vault's log cannot be written",                                                false},
    [MESSAGE_DAMAGED] = {"the vault is not what it was",                                                     false},
    [MESSAGE_BROKEN_AGENT] = {"the agent broke off",                                                              false},
    [MESSAGE_CROWDED] = {"too many users log in at once for the vault to open in time",                      false},
    [MESSAGE_BAD_JOB] = {"the helper did not understand its job",                                            false},
    [MESSAGE_FAILED] = {"the helper failed",                                                                false},
};

/* For who reads the journal: the user, or who looks after the machine. */
static const char *const hints[MESSAGE_REASONS] = {
    [MESSAGE_NO_HOME] = "what makes or mounts it belongs in a line above",
    [MESSAGE_NO_RUNTIME] = "pam_systemd makes it, in a line above",
    [MESSAGE_WRONG] = "if root has set it, enrol it with: stepvault slot add --login --replace",
    [MESSAGE_NO_STEP] = "make it with: stepvault step add STEP --no-inherit",
    [MESSAGE_NO_BOUNDARY] = "make it one with: stepvault step add STEP --no-inherit",
    [MESSAGE_TOO_MUCH] = "see what it has with: stepvault step show STEP",
    [MESSAGE_NO_OLD] = "enrol the new one with: stepvault slot add --login --replace",
    [MESSAGE_UNTRUSTED] = "see whose it is with: ls -la $XDG_RUNTIME_DIR/stepvault",
    [MESSAGE_FOREIGN] = "see what it is with: stepvault unlock",
    [MESSAGE_BUSY] = "wait until it ends, or end it with: stepvault lock",
    [MESSAGE_NO_TOKEN] = "see which with: stepvault account list",
    [MESSAGE_UNWRITABLE] = "free some space or make the folder writable",
    [MESSAGE_DAMAGED] = "keep the file as it is, and see what holds with: stepvault check",
    [MESSAGE_BROKEN_AGENT] = "if it is of another version, end it with: stepvault lock",
    [MESSAGE_CROWDED] = "the next login opens it, or: stepvault unlock",
    [MESSAGE_BAD_JOB] = "see that it and the module are of one version",
    [MESSAGE_FAILED] = "see what fails with: stepvault unlock",
};

const char *message_reason_text(unsigned reason)
{
    return reason < MESSAGE_REASONS ? reasons[reason].text : NULL;
}

const char *message_reason_hint(unsigned reason)
{
    return reason < MESSAGE_REASONS ? hints[reason] : NULL;
}

bool message_reason_is_quiet(unsigned reason)
{
    return reason < MESSAGE_REASONS && reasons[reason].quiet;
}

static void put_u32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool action_is_known(unsigned action)
{
    return action >= MESSAGE_UNLOCK && action <= MESSAGE_DERIVE;
}

static bool text_is_sound(const struct message_text *text)
{
    return text->size <= MESSAGE_TEXT_MAX &&
           (text->size == 0 || memchr(text->bytes, '\0', text->size) == NULL);
}

size_t message_job_write(const struct message_job *job, uint8_t destination[MESSAGE_JOB_MAX])
{
    const struct message_text *const texts[MESSAGE_JOB_TEXTS] = {&job->step, &job->service, &job->password,
                                                                 &job->new_password, &job->keys};
    size_t size = JOB_HEAD;

    for (size_t i = 0; i < MESSAGE_JOB_TEXTS; i++)
        if (!text_is_sound(texts[i]))
            return 0;
    if (!action_is_known(job->action))
        return 0;
    destination[4] = VERSION;
    destination[5] = (uint8_t)job->action;
    put_u32(destination + 6, job->budget_ms);
    for (size_t i = 0; i < MESSAGE_JOB_TEXTS; i++) {
        destination[size++] = (uint8_t)(texts[i]->size >> 8);
        destination[size++] = (uint8_t)texts[i]->size;
        if (texts[i]->size > 0)
            memcpy(destination + size, texts[i]->bytes, texts[i]->size);
        size += texts[i]->size;
    }
    put_u32(destination, (uint32_t)(size - SIZE_SIZE));
    return size;
}

size_t message_job_size(const uint8_t bytes[4])
{
    const uint32_t rest = get_u32(bytes);

    return rest < JOB_HEAD - SIZE_SIZE + MESSAGE_JOB_TEXTS * 2 || rest > MESSAGE_JOB_MAX - SIZE_SIZE
               ? 0
               : SIZE_SIZE + (size_t)rest;
}

bool message_job_read(const uint8_t *bytes, size_t size, struct message_job *ret_job)
{
    struct message_job job = {0};
    struct message_text *const texts[MESSAGE_JOB_TEXTS] = {&job.step, &job.service, &job.password,
                                                           &job.new_password, &job.keys};
    size_t at = JOB_HEAD;

    if (size < JOB_HEAD || message_job_size(bytes) != size || bytes[4] != VERSION ||
        !action_is_known(bytes[5]))
        return false;
    job.action = (enum message_action)bytes[5];
    job.budget_ms = get_u32(bytes + 6);
    for (size_t i = 0; i < MESSAGE_JOB_TEXTS; i++) {
        if (size - at < 2)
            return false;
        texts[i]->size = (size_t)bytes[at] << 8 | bytes[at + 1];
        texts[i]->bytes = bytes + at + 2;
        at += 2;
        if (size - at < texts[i]->size || !text_is_sound(texts[i]))
            return false;
        at += texts[i]->size;
    }
    if (at != size)
        return false;
    *ret_job = job;
    return true;
}

void message_answer_write(const struct message_answer *answer, uint8_t destination[MESSAGE_ANSWER_HEAD])
{
    put_u32(destination, (uint32_t)(MESSAGE_ANSWER_HEAD - SIZE_SIZE + answer->block_size));
    destination[4] = (uint8_t)answer->reason;
    put_u32(destination + 5, answer->skipped);
    put_u32(destination + 9, answer->count);
}

/* What makes programs run or load something else, beside what name_is_dangerous has for all deliveries: a
 * module behind ours may hand PAM's environment to a program that runs as root (pam_exec). */
static const char *const steering[] = {
    "AWKLIBPATH",
    "AWKPATH",
    "BASH_LOADABLES_PATH",
    "CURL_HOME",
    "CVS_RSH",
    "EXINIT",
    "GIO_MODULE_DIR",
    "GNUPGHOME",
    "GIO_EXTRA_MODULES",
    "GTK_PATH",
    "GTK_MODULES",
    "INPUTRC",
    "LESSKEY",
    "LESSKEYIN",
    "LESSKEY_CONTENT",
    "LESSKEY_SYSTEM",
    "MAILRC",
    "MAKEFILES",
    "MAKEFLAGS",
    "PYTHONPYCACHEPREFIX",
    "QT_PLUGIN_PATH",
    "RSYNC_RSH",
    "TAR_OPTIONS",
    "TCLLIBPATH",
    "TEMP",
    "TEMPDIR",
    "TMP",
    "VIMINIT",
    "WGETRC",
};

static bool steers(const char *name)
{
    for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
        if (strcmp(name, steering[i]) == 0)
            return true;
    return false;
}

bool message_entry_is_allowed(const char *entry, size_t size)
{
    const char *equals = memchr(entry, '=', size);
    char name[NAME_VARIABLE_MAX + 1];
    struct failure ignored;

    if (equals == NULL || (size_t)(equals - entry) > NAME_VARIABLE_MAX || size > MESSAGE_ENTRY_MAX)
        return false;
    memcpy(name, entry, (size_t)(equals - entry));
    name[equals - entry] = '\0';
    /* What a shell would take for a function. */
    if (size - (size_t)(equals - entry) > 2 && memcmp(equals + 1, "()", 2) == 0)
        return false;
    return name_check_variable(name, &ignored) == STATUS_OK && !name_is_dangerous(name) && !steers(name);
}

bool message_answer_read(const uint8_t *bytes, size_t size, struct message_answer *ret_answer)
{
    struct message_answer answer = {0};
    uint32_t found = 0;

    if (size < MESSAGE_ANSWER_HEAD || size > MESSAGE_ANSWER_MAX || get_u32(bytes) != size - SIZE_SIZE ||
        bytes[4] >= MESSAGE_REASONS)
        return false;
    answer.reason = (enum message_reason)bytes[4];
    answer.skipped = get_u32(bytes + 5);
    answer.count = get_u32(bytes + 9);
    answer.block = bytes + MESSAGE_ANSWER_HEAD;
    answer.block_size = size - MESSAGE_ANSWER_HEAD;
    for (size_t at = 0; at < answer.block_size; found++) {
        const uint8_t *end = memchr(answer.block + at, '\0', answer.block_size - at);

        if (end == NULL ||
            !message_entry_is_allowed((const char *)answer.block + at, (size_t)(end - answer.block) - at))
            return false;
        at = (size_t)(end - answer.block) + 1;
    }
    if (found != answer.count || found > MESSAGE_COUNT_MAX)
        return false;
    *ret_answer = answer;
    return true;
}
