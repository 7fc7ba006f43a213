/* Any bytes as the pin of a path: it is refused with a sentence, or gives the path and a head in the form
 * that pin.h promises, out of those bytes and no others. */
#include "base/cleanup.h"
#include "base/text.h"
#include "pin.h"
#include "json/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define VAULT "/vault.db"

static char folder[64], place[128];

static void expect(bool right)
{
    if (!right)
        abort();
}

static void stop(void)
{
    unlink(place);
    rmdir(folder);
}

static void start(void)
{
    json_start();
    strcpy(folder, "/dev/shm/stepvault-fuzz-XXXXXX");
    expect(mkdtemp(folder) != NULL);
    snprintf(place, sizeof place, "%s/%016" PRIx64 ".pin", folder, text_fnv1a(VAULT, strlen(VAULT)));
    atexit(stop);
}

static void save(const uint8_t *bytes, size_t size)
{
    CLEANUP(cleanup_close) int descriptor = open(place, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    expect(descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size);
}

static void check(const struct pin *pin, const uint8_t *bytes, size_t size)
{
    size_t note = strlen(pin->note);
    char head[sizeof pin->origin + sizeof pin->root + 32];
    int length = snprintf(head, sizeof head, "%s\n%" PRIu64 "\n%s\n\n", pin->origin, pin->size, pin->root);

    expect(strcmp(pin->path, VAULT) == 0);
    /* What is behind the last whole note is what a power cut left of the next one. */
    const uint8_t *at = memmem(bytes, size, pin->note, note);
    expect(at != NULL && at > bytes && at[-1] == '\n' && note > (size_t)length);
    expect(!pin->is_whole || memcmp(bytes + size - note, pin->note, note) == 0);
    expect(strncmp(pin->note, head, (size_t)length) == 0 && strlen(pin->root) == 44);
    expect(pin->size <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct failure failure = {.sentence = ""};
    struct pin pin;

    if (folder[0] == '\0')
        start();
    save(bytes, size);
    enum status status = pin_read(folder, VAULT, &failure, &pin);
    if (status == STATUS_OK)
        check(&pin, bytes, size);
    else
        expect(failure.status == status && failure.sentence[0] != '\0' && status != STATUS_NOT_FOUND);
    return 0;
}
