/* Secret bytes (P5): the only type that holds them.
 *
 * All secret memory comes from one heap of mapped chunks that are locked (mlock), left out of core
 * files (MADV_DONTDUMP) and zero in a forked child (MADV_WIPEONFORK); what is freed is wiped first.
 * Where the machine does not let us lock (RLIMIT_MEMLOCK), the heap goes on unlocked and
 * secret_heap_unlocked says how much, for `status`. Not thread-safe: our processes have one thread. */
#ifndef STEPVAULT_BASE_SECRET_H
#define STEPVAULT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable run of secret bytes. All zero is the valid empty value. The bytes at [size, capacity) are
 * undefined. A terminating NUL always follows the bytes and is not counted, so `text` functions may be
 * used on it when the content has no NUL; it is there only once something was appended or reserved. */
struct secret {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

/* `size` bytes of zeroed secret memory, aligned to 16; NULL when memory is out or size is over 64 MiB.
 * The caller owns them and frees them with secret_free. */
void *secret_allocate(size_t size);

/* Wipes and frees what secret_allocate gave; NULL does nothing. */
void secret_free(void *memory);

/* For a process whose child goes on with a secret of its own: from now on a forked child finds this memory
 * (of secret_allocate, and what shares its pages) as it is instead of zero. False where the kernel does not
 * do it. */
bool secret_keep_in_child(const void *memory);

/* In that child: locks the memory again, which a fork does not hand on. */
void secret_kept(const void *memory);

/* Bytes of the heap that are mapped, and of those the bytes that could not be locked. */
size_t secret_heap_mapped(void);
size_t secret_heap_unlocked(void);

/* Wipes `size` bytes of any memory in a way the compiler does not remove. */
void secret_wipe(void *memory, size_t size);

/* Wipes, frees and empties; safe on an empty one, and twice. */
void secret_reset(struct secret *secret);

/* Wipes the content and keeps the memory: size becomes 0. */
void secret_clear(struct secret *secret);

/* Room for `extra` more bytes after size (and a NUL). False when memory is out; the content is unchanged.
 * The old place is wiped when it moves. */
bool secret_reserve(struct secret *secret, size_t extra);

/* Append. False when memory is out; the content is unchanged. */
bool secret_append(struct secret *secret, const void *bytes, size_t size);
bool secret_append_text(struct secret *secret, const char *text);
bool secret_append_byte(struct secret *secret, uint8_t byte);

/* As printf, for what surrounds secrets: the C library may leave copies of the arguments on the stack. */
bool secret_append_format(struct secret *secret, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The content as text (NUL-terminated, "" when empty); valid until the secret changes. */
const char *secret_text(const struct secret *secret);

/* Equality in time that depends on `size` only. */
bool secret_equal(const void *a, const void *b, size_t size);

/* Makes this process's memory private: no core file (RLIMIT_CORE 0, hard and soft) and, if `undumpable`,
 * PR_SET_DUMPABLE 0, after which another process of the same user can neither attach nor read
 * /proc/<pid>/mem, exe or fd. Returns false if either was not possible. */
bool secret_protect_process(bool undumpable);

#endif
