/* Fuzzes what the PAM module and its helper read of each other: what is taken for a job or an answer keeps
 * its bounds. */
#include "helper/keys.h"
#include "message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_job(const uint8_t *bytes, size_t size)
{
    uint8_t again[MESSAGE_JOB_MAX];
    struct message_job job;

    if (!message_job_read(bytes, size, &job))
        return;
    /* One job has one spelling. */
    if (message_job_write(&job, again) != size || memcmp(bytes, again, size) != 0)
        abort();
}

static void check_answer(const uint8_t *bytes, size_t size)
{
    struct message_answer answer;
    const char *entry;

    if (!message_answer_read(bytes, size, &answer))
        return;
    entry = (const char *)answer.block;
    for (uint32_t i = 0; i < answer.count; i++, entry += strlen(entry) + 1) {
        if (strchr(entry, '=') == NULL || strncmp(entry, "LD_", 3) == 0 || strlen(entry) > MESSAGE_ENTRY_MAX)
            abort();
    }
    if (answer.count > MESSAGE_COUNT_MAX || entry != (const char *)answer.block + answer.block_size)
        abort();
}

static void check_keys(const uint8_t *bytes, size_t size)
{
    struct secret entry = {0};
    struct secret again = {0};
    struct keys keys = {.count = 0};

    /* One list of keys has one spelling. */
    if (secret_append(&entry, bytes, size) && keys_read(&entry, &keys) &&
        (!keys_write(&keys, &again) || again.size != size + 1 || memcmp(again.bytes, bytes, size) != 0))
        abort();
    keys_reset(&keys);
    secret_reset(&entry);
    secret_reset(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Memory of exactly this size: one byte too far is seen. */
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    check_job(copy, size);
    check_answer(copy, size);
    check_keys(copy, size);
    free(copy);
    return 0;
}
