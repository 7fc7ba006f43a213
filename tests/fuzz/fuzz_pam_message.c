/* Fuzzes what the PAM module and its helper read of each other, and what the module reads besides: what is
 * taken for a job or an answer keeps its bounds, and what is taken at all has one spelling. */
#include "../pam/no_pam.h"
#include "base/name.h"
#include "base/text.h"
#include "helper/keys.h"
#include "shim.h"

#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The journal is no business of a fuzzer. */
void pam_syslog(const pam_handle_t *pamh, int priority, const char *format, ...)
{
    (void)pamh;
    (void)priority;
    (void)format;
}

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

static void check_bridge(const char *text)
{
    char name[SHIM_BRIDGE_DIGITS + 1];
    uint8_t random[MESSAGE_TEXT_MAX];
    char digits[2 * MESSAGE_TEXT_MAX + 1];
    size_t count = shim_bridge_read(text, name, random);

    if (count == 0)
        return;
    text_to_hex(digits, random, count);
    if (strlen(text) != SHIM_BRIDGE_DIGITS + 1 + 2 * count || strlen(name) != SHIM_BRIDGE_DIGITS ||
        strspn(name, "0123456789abcdef") != SHIM_BRIDGE_DIGITS ||
        strncmp(text, name, SHIM_BRIDGE_DIGITS) != 0 || strcmp(text + SHIM_BRIDGE_DIGITS + 1, digits) != 0)
        abort();
}

/* Each line is an argument. */
static void check_options(char *text)
{
    const char *arguments[ARGUMENTS_MAX];
    struct shim_options options;
    struct failure ignored;
    int count = 0;

    for (char *line = strsep(&text, "\n"); line != NULL && count < ARGUMENTS_MAX; line = strsep(&text, "\n"))
        arguments[count++] = line;
    if (shim_options_read(NULL, count, arguments, &options) &&
        (name_check_path(options.step, &ignored) != STATUS_OK || options.deadline_ms == 0 ||
         options.deadline_ms > SHIM_DEADLINE_MAX_MS))
        abort();
}

/* What is a C string for the module. */
static void check_texts(const uint8_t *bytes, size_t size)
{
    char *text = strndup((const char *)bytes, size);

    if (text == NULL)
        return;
    check_bridge(text);
    check_options(text);
    free(text);
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
    if (shim_title_asks((const char *)copy, size) && memmem(copy, size, "[pam]", 5) == NULL)
        abort();
    if (size > 0)
        check_texts(copy, size);
    free(copy);
    return 0;
}
