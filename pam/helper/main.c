/* stepvault-login: what pam_stepvault has done as the user. Reads one job from the socket that is its stdin,
 * does it, and answers there. It has no options and takes nothing from its environment that the module did
 * not put there. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/secret.h"
#include "crypto/seal.h"
#include "helper/login.h"
#include "json/json.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Nobody of the same user looks at this process from now on; who did before would still see everything. */
static bool process_is_private(void)
{
    char status[8192];
    CLEANUP(cleanup_fclose) FILE *file = NULL;
    const char *tracer;
    size_t size;

    if (!secret_protect_process(true))
        return false;
    file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return true;
    size = fread(status, 1, sizeof(status) - 1, file);
    status[size] = '\0';
    tracer = strstr(status, "\nTracerPid:\t");
    return tracer == NULL || strncmp(tracer + strlen("\nTracerPid:\t"), "0\n", 2) == 0;
}

static bool read_exactly(uint8_t *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = read(STDIN_FILENO, bytes + done, size - done);

        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

/* The whole record, in secret memory. */
static bool read_record(struct secret *record)
{
    size_t size;

    if (!secret_reserve(record, MESSAGE_JOB_MAX) || !read_exactly(record->bytes, 4))
        return false;
    size = message_job_size(record->bytes);
    if (size == 0 || !read_exactly(record->bytes + 4, size - 4))
        return false;
    record->size = size;
    return true;
}

/* Moves a secret out of the record. */
static bool take_secret(const struct message_text *text, struct secret *ret_secret)
{
    bool taken = secret_append(ret_secret, text->bytes, text->size);

    secret_wipe((void *)(uintptr_t)text->bytes, text->size);
    return taken;
}

static enum message_reason do_job(struct login *login)
{
    CLEANUP(secret_reset) struct secret record = {0};
    CLEANUP(login_secrets_reset) struct login_secrets secrets = {0};
    struct message_job job;

    if (!read_record(&record) || !message_job_read(record.bytes, record.size, &job))
        return MESSAGE_BAD_JOB;
    if (!take_secret(&job.password, &secrets.password) ||
        !take_secret(&job.new_password, &secrets.new_password) || !take_secret(&job.keys, &secrets.keys))
        return MESSAGE_FAILED;
    return login_do(&job, &secrets, login);
}

static bool send_answer(enum message_reason reason, const struct login *login)
{
    const struct message_answer answer = {
        .reason = reason, .skipped = login->skipped, .count = login->count, .block_size = login->block.size};
    uint8_t head[MESSAGE_ANSWER_HEAD];

    message_answer_write(&answer, head);
    return file_write_all(STDOUT_FILENO, head, sizeof(head)) &&
           file_write_all(STDOUT_FILENO, login->block.bytes, login->block.size);
}

int main(void)
{
    CLEANUP(login_reset) struct login login = {0};
    const char ready = MESSAGE_READY;
    struct failure failure;
    enum message_reason reason;

    signal(SIGPIPE, SIG_IGN);
    json_start();
    if (!process_is_private() || seal_start(&failure) != STATUS_OK ||
        !file_write_all(STDOUT_FILENO, &ready, 1))
        return 1;
    reason = do_job(&login);
    if (reason != MESSAGE_DONE) {
        login_reset(&login);
        login = (struct login){0};
    }
    return send_answer(reason, &login) ? 0 : 1;
}
