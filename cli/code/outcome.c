/* Writing the result. */
#include "code/outcome.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "code/exports.h"
#include "json/syntax.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum status outcome_prepare(const char *target, struct failure *failure, struct outcome *outcome)
{
    uint64_t number;

    if (target[strspn(target, "0123456789")] != '\0')
        return replacement_prepare(target, failure, &outcome->file);
    if (!text_to_number(target, INT_MAX, &number) || fcntl((int)number, F_GETFD) < 0)
        return failure_set(failure, STATUS_FAILED, "the descriptor %s of --result is not open", target);
    /* What the code leaves running must not keep a pipe of the result open. */
    if (number > STDERR_FILENO)
        fcntl((int)number, F_SETFD, FD_CLOEXEC);
    outcome->descriptor = (int)number;
    return STATUS_OK;
}

/* The descriptor is the caller's, who may have made it one that does not block. */
static bool result_write(int descriptor, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        struct pollfd room = {.fd = descriptor, .events = POLLOUT};
        const ssize_t written = write(descriptor, bytes, size);

        if (written < 0 && errno == EAGAIN)
            poll(&room, 1, -1);
        else if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* The launcher's text, or in bash an object of what was exported. */
static enum status result_put(struct outcome *outcome, const void *text, size_t size, struct failure *failure)
{
    enum status status = STATUS_OK;
    int descriptor = outcome->descriptor;

    /* Who reads it may have gone: that is an error like others. */
    signal(SIGPIPE, SIG_IGN);

    if (descriptor < 0) {
        status = replacement_open(&outcome->file, failure);
        descriptor = outcome->file.descriptor;
    }
    if (status == STATUS_OK &&
        !(result_write(descriptor, text, size) && result_write(descriptor, (const uint8_t *)"\n", 1)))
        status = failure_set_errno(failure, STATUS_FAILED, errno, "cannot write the result");
    if (status == STATUS_OK && outcome->descriptor < 0)
        status = replacement_finish(&outcome->file, failure);
    return status;
}

static enum status result_make(struct outcome *outcome, const char *left, size_t size,
                               const struct language *language, const struct mask *mask,
                               struct failure *failure)
{
    CLEANUP(secret_reset) struct secret object = {0};
    CLEANUP(secret_reset) struct secret scrubbed = {0};
    struct syntax syntax = {0};
    const void *text = left;
    enum status status = STATUS_OK;

    if (language->is_shell) {
        status = exports_write(left, size, failure, &object);
        text = object.bytes;
        size = object.size;
    } else if (!syntax_check(left, size, "", &syntax) || !syntax.is_object) {
        return failure_set(failure, STATUS_INVALID, "the result of the code is not a JSON object");
    }
    if (status == STATUS_OK && mask != NULL) {
        status = mask_json(mask, text, size, failure, &scrubbed);
        text = scrubbed.bytes;
        size = scrubbed.size;
    }
    return status == STATUS_OK ? result_put(outcome, text, size, failure) : status;
}

/* What the code left running may have it open, and reading what somebody truncates is death. Against what it
 * has mapped writable there is the smaller seal only. */
static bool result_freeze(int descriptor)
{
    return fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0 ||
           fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0;
}

enum status outcome_write(struct outcome *outcome, const struct given *given, const struct language *language,
                          const struct mask *mask, struct failure *failure)
{
    struct stat facts;
    char *left;
    enum status status;

    if (!result_freeze(given->result) || fstat(given->result, &facts) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the result of the code");
    if (facts.st_size == 0)
        return language->is_shell
                   ? result_make(outcome, "", 0, language, mask, failure)
                   : failure_set(failure, STATUS_NOT_FOUND, "the code has ended without leaving a result");
    if (facts.st_size > (off_t)GIVEN_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the result of the code is larger than 64 MiB");
    left = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, given->result, 0);
    if (left == MAP_FAILED)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot read the result of the code");
    status = result_make(outcome, left, (size_t)facts.st_size, language, mask, failure);
    munmap(left, (size_t)facts.st_size);
    return status;
}

void outcome_reset(struct outcome *outcome)
{
    replacement_reset(&outcome->file);
}
