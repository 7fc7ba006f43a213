/* Passphrase to slot key. */
#include "crypto/kdf.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/seal.h"

#include <argon2.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_STEP_KIB 1024u

/* Whether the latest arena could be locked. Static, because libargon2's callbacks carry no pointer of ours.
 */
static bool arena_locked;

static int arena_allocate(uint8_t **memory, size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *memory = NULL;
    if (pages == MAP_FAILED)
        return ARGON2_MEMORY_ALLOCATION_ERROR;
    madvise(pages, size, MADV_DONTDUMP);
    madvise(pages, size, MADV_HUGEPAGE);
    arena_locked = mlock(pages, size) == 0;
    *memory = pages;
    return ARGON2_OK;
}

/* libargon2 has wiped it. */
static void arena_free(uint8_t *memory, size_t size)
{
    munmap(memory, size);
}

static void *gate_wait(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Whether `count` threads can run at once. When libargon2 (20171227) fails to start one of its threads it
 * frees what those it started still use; so we try before it does. The number changes nothing but the time.
 */
static bool threads_can_start(unsigned count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[KDF_LANES];
    unsigned started = 0;

    pthread_mutex_lock(&gate);
    while (started < count && pthread_create(&threads[started], NULL, gate_wait, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (unsigned at = 0; at < started; at++)
        pthread_join(threads[at], NULL);
    pthread_mutex_destroy(&gate);
    return started == count;
}

enum status kdf_check(const struct slot_kdf *kdf, struct failure *failure)
{
    if (slot_kdf_is_sound(kdf))
        return STATUS_OK;
    return failure_set(
        failure, STATUS_CORRUPT,
        "the slot asks for Argon2id with %u KiB, %u passes and %u lanes, which stepvault never uses",
        kdf->memory_kib, kdf->passes, kdf->lanes);
}

static int argon2_run(const void *passphrase, size_t size, const struct slot_kdf *kdf,
                      uint8_t key[SLOT_KEY_SIZE])
{
    uint8_t salt[SLOT_SALT_SIZE];
    argon2_context context = {
        .out = key,
        .outlen = SLOT_KEY_SIZE,
        .pwd = (uint8_t *)(uintptr_t)passphrase,
        .pwdlen = (uint32_t)size,
        .salt = salt,
        .saltlen = sizeof(salt),
        .t_cost = kdf->passes,
        .m_cost = kdf->memory_kib,
        .lanes = kdf->lanes,
        .threads = threads_can_start(KDF_LANES) ? KDF_LANES : 1,
        .version = ARGON2_VERSION_13,
        .allocate_cbk = arena_allocate,
        .free_cbk = arena_free,
        .flags = ARGON2_DEFAULT_FLAGS,
    };

    memcpy(salt, kdf->salt, sizeof(salt));
    return argon2id_ctx(&context);
}

static enum status kdf_run(const void *passphrase, size_t size, const struct slot_kdf *kdf,
                           struct failure *failure, uint8_t ret_key[SLOT_KEY_SIZE])
{
    CLEANUP(secret_reset) struct secret key = {0};
    int result;

    if (!secret_reserve(&key, SLOT_KEY_SIZE))
        return failure_set(failure, STATUS_NO_MEMORY, "out of memory for a slot key");
    result = argon2_run(passphrase, size, kdf, key.bytes);
    if (result == ARGON2_MEMORY_ALLOCATION_ERROR)
        return failure_set(failure, STATUS_NO_MEMORY, "there is no memory for Argon2id, which needs %u MiB",
                           kdf->memory_kib / 1024);
    if (result != ARGON2_OK)
        return failure_set(failure, STATUS_FAILED, "Argon2id failed: %s", argon2_error_message(result));
    memcpy(ret_key, key.bytes, SLOT_KEY_SIZE);
    return STATUS_OK;
}

/* Memory this process may hope for: the machine's, or less in a container (cgroup 2). */
static uint64_t memory_available_kib(void)
{
    CLEANUP(cleanup_close) int descriptor = open("/sys/fs/cgroup/memory.max", O_RDONLY | O_CLOEXEC);
    CLEANUP(secret_reset) struct secret line = {0};
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_size = sysconf(_SC_PAGESIZE);
    uint64_t available = pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size / 1024 : 0;
    struct failure ignored;
    uint64_t limit;

    if (descriptor >= 0 && file_read_line(descriptor, 32, "memory.max", &ignored, &line) == STATUS_OK &&
        text_to_number(secret_text(&line), UINT64_MAX, &limit) && limit / 1024 < available)
        available = limit / 1024;
    return available;
}

/* Given that `kdf` took `measured_ms`, makes it what takes about `target_ms`: memory first, as that costs an
 * attacker most, then passes. */
static void kdf_scale(struct slot_kdf *kdf, uint64_t measured_ms, uint64_t target_ms)
{
    const uint64_t work = (uint64_t)kdf->memory_kib * kdf->passes * target_ms / measured_ms;
    uint64_t most = memory_available_kib() / 4;
    uint64_t memory = work / KDF_PASSES_FLOOR;
    uint64_t passes;

    if (most > KDF_CALIBRATED_MOST_KIB)
        most = KDF_CALIBRATED_MOST_KIB;
    if (memory > most)
        memory = most;
    memory = memory / MEMORY_STEP_KIB * MEMORY_STEP_KIB;
    if (memory < KDF_MEMORY_FLOOR_KIB)
        memory = KDF_MEMORY_FLOOR_KIB;
    passes = work / memory;
    if (passes < KDF_PASSES_FLOOR)
        passes = KDF_PASSES_FLOOR;
    if (passes > KDF_PASSES_CEILING)
        passes = KDF_PASSES_CEILING;
    kdf->memory_kib = (uint32_t)memory;
    kdf->passes = (uint32_t)passes;
}

static enum status kdf_measure(const struct slot_kdf *kdf, struct failure *failure, uint64_t *ret_ms)
{
    static const char passphrase[] = "calibration";
    const uint64_t started = clock_monotonic_ms();
    uint8_t ignored[SLOT_KEY_SIZE];
    enum status status = kdf_run(passphrase, sizeof(passphrase), kdf, failure, ignored);
    uint64_t ended = clock_monotonic_ms();

    if (status == STATUS_OK)
        *ret_ms = ended > started ? ended - started : 1;
    return status;
}

enum status kdf_calibrate(unsigned target_ms, struct failure *failure, struct slot_kdf *ret_kdf)
{
    struct slot_kdf kdf = {
        .memory_kib = KDF_MEMORY_FLOOR_KIB, .passes = KDF_PASSES_FLOOR, .lanes = KDF_LANES};
    const struct slot_kdf least = kdf;
    enum status status;
    uint64_t took_ms;

    if (target_ms > 0) {
        status = kdf_measure(&kdf, failure, &took_ms);
        if (status != STATUS_OK)
            return status;
        /* Time grows faster than memory where caches end, so what is scaled up is measured again half way. */
        kdf_scale(&kdf, took_ms, target_ms / 2);
        if (kdf.memory_kib > least.memory_kib) {
            status = kdf_measure(&kdf, failure, &took_ms);
            if (status != STATUS_OK)
                return status;
        } else {
            kdf = least;
        }
        kdf_scale(&kdf, took_ms, target_ms);
    }
    seal_random(kdf.salt, sizeof(kdf.salt));
    *ret_kdf = kdf;
    return STATUS_OK;
}

enum status kdf_derive(const struct secret *passphrase, const struct slot_kdf *kdf, struct failure *failure,
                       uint8_t ret_key[SLOT_KEY_SIZE], bool *ret_locked)
{
    enum status status = kdf_check(kdf, failure);

    if (status != STATUS_OK)
        return status;
    if (passphrase->size == 0)
        return failure_set(failure, STATUS_INVALID, "the passphrase is empty");
    status = kdf_run(passphrase->bytes, passphrase->size, kdf, failure, ret_key);
    if (status == STATUS_OK && ret_locked != NULL)
        *ret_locked = arena_locked;
    return status;
}

bool kdf_can_lock(void)
{
    size_t size = (size_t)KDF_MEMORY_FLOOR_KIB * 1024;
    void *pages =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool locked;

    if (pages == MAP_FAILED)
        return false;
    locked = mlock2(pages, size, MLOCK_ONFAULT) == 0;
    munmap(pages, size);
    return locked;
}
