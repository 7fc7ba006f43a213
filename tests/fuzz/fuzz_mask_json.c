/* Any bytes as a JSON text that is scrubbed: what jansson reads is taken, what comes out is JSON in which
 * there is nothing to scrub any more, and what has nothing to scrub comes out as it went in. */
#include "base/cleanup.h"
#include "code/mask.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static struct mask *mask_make(void)
{
    static const char entries[] = "A=abab\0B=1212\0C=q\"u/\n\\t\0D=\303\251\303\251";
    CLEANUP(cleanup_close) int descriptor = memfd_create("values", MFD_CLOEXEC);
    struct failure failure;
    struct mask *mask = NULL;

    expect(write(descriptor, entries, sizeof(entries)) == (ssize_t)sizeof(entries));
    expect(lseek(descriptor, 0, SEEK_SET) == 0);
    expect(mask_load(descriptor, &failure, &mask) == STATUS_OK);
    return mask;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct mask *mask;
    CLEANUP(json_freep) struct json *json = NULL;
    CLEANUP(secret_reset) struct secret once = {0};
    CLEANUP(secret_reset) struct secret twice = {0};
    struct failure failure = {0};
    bool read;

    if (mask == NULL) {
        json_start();
        mask = mask_make();
    }
    read = json_parse(bytes, size, "input", &failure, &json) == STATUS_OK;
    if (mask_json(mask, bytes, size, &failure, &once) != STATUS_OK) {
        /* jansson skips a NUL where it looks one byte ahead. */
        expect((!read || memchr(bytes, 0, size) != NULL) && once.size == 0);
        return 0;
    }
    expect(mask_json(mask, once.bytes, once.size, &failure, &twice) == STATUS_OK);
    expect(once.size == twice.size && memcmp(once.bytes, twice.bytes, once.size) == 0);
    if (memmem(once.bytes, once.size, MASK_TEXT, strlen(MASK_TEXT)) == NULL)
        expect(once.size == size && memcmp(once.bytes, bytes, size) == 0);
    return 0;
}
