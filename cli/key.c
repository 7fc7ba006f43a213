/* Slot keys and slots to be made. */
#include "key.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/kdf.h"
#include "crypto/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(FILE_KEY_SIZE == SLOT_KEY_SIZE, "a key file holds a slot key");

void key_reset(struct key *key)
{
    secret_reset(&key->bytes);
    key->slot[0] = '\0';
}

void key_slot_reset(struct key_slot *slot)
{
    key_reset(&slot->key);
}

/* Room for a key's bytes, which the caller then fills. */
static enum status key_begin(struct key *key, struct failure *failure)
{
    static const uint8_t none[SLOT_KEY_SIZE];

    key_reset(key);
    if (!secret_append(&key->bytes, none, sizeof(none)))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for a key");
    return STATUS_OK;
}

/* Gives up a key that was begun. */
static enum status key_fail(struct key *key, enum status status)
{
    key_reset(key);
    return status;
}

enum status key_read_file(const char *path, struct failure *failure, struct key *ret_key)
{
    enum status status = key_begin(ret_key, failure);

    if (status == STATUS_OK)
        status = file_read_key(path, failure, ret_key->bytes.bytes);
    return status == STATUS_OK ? status : key_fail(ret_key, status);
}

/* The name of a new file is durable once its folder is. */
static bool sync_folder_of(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    CLEANUP(cleanup_close) int descriptor = -1;

    if (slash != NULL)
        snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return descriptor != -1 && fsync(descriptor) == 0;
}

static bool write_new(const char *path, const struct secret *bytes)
{
    CLEANUP(cleanup_close)
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    return descriptor != -1 && file_write_all(descriptor, bytes->bytes, bytes->size) &&
           fsync(descriptor) == 0;
}

/* Never replaces a file; not every file system can rename so. */
static bool give_name(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 ||
           (errno == EINVAL && link(from, to) == 0);
}

/* The file gets its name when it is whole: half a key would be in the way of a second try. */
enum status key_make_file(const char *path, struct failure *failure, struct key *ret_key)
{
    char draft[PATH_MAX];
    struct stat facts;
    int error;
    enum status status;

    if (lstat(path, &facts) == 0)
        return key_read_file(path, failure, ret_key);
    if (snprintf(draft, sizeof(draft), "%s.%ld.new", path, (long)getpid()) >= (int)sizeof(draft))
        return failure_set(failure, STATUS_INVALID, "the path of the key file is too long");
    status = key_begin(ret_key, failure);
    if (status != STATUS_OK)
        return status;
    seal_random(ret_key->bytes.bytes, ret_key->bytes.size);
    if (write_new(draft, &ret_key->bytes) && give_name(draft, path) && sync_folder_of(path)) {
        unlink(draft);
        return STATUS_OK;
    }
    error = errno;
    unlink(draft);
    if (error == EEXIST)
        return key_read_file(path, failure, ret_key);
    return key_fail(ret_key,
                    failure_set_errno(failure, STATUS_FAILED, error, "cannot make the key file %s", path));
}

enum status key_from_passphrase(const struct secret *passphrase, const struct slot_header *header,
                                struct failure *failure, struct key *ret_key)
{
    enum status status = key_begin(ret_key, failure);

    if (status == STATUS_OK)
        status = kdf_derive(passphrase, &header->kdf, failure, ret_key->bytes.bytes, NULL);
    if (status != STATUS_OK)
        return key_fail(ret_key, status);
    text_to_hex(ret_key->slot, header->id, SLOT_ID_SIZE);
    return STATUS_OK;
}

enum status key_from_code(const struct secret *code, const struct slot_header *header,
                          struct failure *failure, struct key *ret_key)
{
    enum status status = key_begin(ret_key, failure);

    if (status == STATUS_OK)
        status = slot_code_to_key(secret_text(code), header, failure, ret_key->bytes.bytes);
    if (status != STATUS_OK)
        return key_fail(ret_key, status);
    text_to_hex(ret_key->slot, header->id, SLOT_ID_SIZE);
    return STATUS_OK;
}

static struct slot_header new_header(enum slot_kind kind)
{
    struct slot_header header = {.kind = kind, .created_ms = clock_wall_ms()};

    seal_random(header.id, sizeof(header.id));
    seal_random(header.kdf.salt, sizeof(header.kdf.salt));
    return header;
}

enum status key_new_passphrase(enum slot_kind kind, const struct secret *passphrase, unsigned target_ms,
                               struct failure *failure, struct key_slot *ret_slot)
{
    enum status status;

    ret_slot->header = new_header(kind);
    status = kdf_calibrate(target_ms, failure, &ret_slot->header.kdf);
    return status == STATUS_OK ? key_from_passphrase(passphrase, &ret_slot->header, failure, &ret_slot->key)
                               : status;
}

enum status key_new_recovery(struct failure *failure, struct key_slot *ret_slot, struct secret *ret_code)
{
    secret_clear(ret_code);
    if (!secret_reserve(ret_code, SLOT_CODE_SIZE))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the recovery code");
    slot_code_generate((char *)ret_code->bytes);
    ret_code->size = strlen((const char *)ret_code->bytes);
    ret_slot->header = new_header(SLOT_RECOVERY);
    return key_from_code(ret_code, &ret_slot->header, failure, &ret_slot->key);
}

enum status key_new_machine(const char *path, struct failure *failure, struct key_slot *ret_slot)
{
    ret_slot->header = new_header(SLOT_MACHINE);
    return key_make_file(path, failure, &ret_slot->key);
}

enum status key_renew_passphrase(const struct secret *passphrase, const struct slot_header *header,
                                 struct failure *failure, struct key_slot *ret_slot)
{
    ret_slot->header = *header;
    seal_random(ret_slot->header.kdf.salt, sizeof(ret_slot->header.kdf.salt));
    return key_from_passphrase(passphrase, &ret_slot->header, failure, &ret_slot->key);
}

enum status key_renew_code(const struct secret *code, const struct slot_header *header,
                           struct failure *failure, struct key_slot *ret_slot)
{
    ret_slot->header = *header;
    seal_random(ret_slot->header.kdf.salt, sizeof(ret_slot->header.kdf.salt));
    return key_from_code(code, &ret_slot->header, failure, &ret_slot->key);
}

enum status key_renew_machine(const char *path, struct failure *failure, struct key_slot *ret_slot)
{
    ret_slot->header = new_header(SLOT_MACHINE);
    return key_read_file(path, failure, &ret_slot->key);
}

void key_slot_write(struct json_writer *writer, const char *name, const struct key_slot *slot,
                    const struct key *old_key)
{
    const struct slot_header *header = &slot->header;
    char created[CLOCK_TEXT_SIZE];

    clock_format(created, header->created_ms);
    json_open_object(writer, name);
    json_add_hex(writer, "id", header->id, sizeof(header->id));
    json_add_text(writer, "kind", slot_kind_name(header->kind));
    json_add_number(writer, "memory_kib", header->kdf.memory_kib);
    json_add_number(writer, "passes", header->kdf.passes);
    json_add_number(writer, "lanes", header->kdf.lanes);
    json_add_hex(writer, "salt", header->kdf.salt, sizeof(header->kdf.salt));
    json_add_text(writer, "created", created);
    json_add_base64(writer, "key", slot->key.bytes.bytes, slot->key.bytes.size);
    if (old_key != NULL)
        json_add_base64(writer, "old_key", old_key->bytes.bytes, old_key->bytes.size);
    json_close_object(writer);
}

static bool read_u32(const struct json *object, const char *name, uint32_t *ret_number)
{
    int64_t number = json_member_number(object, name, -1);

    if (number < 0 || number > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool read_header(const struct json *slot, struct slot_header *ret_header)
{
    const char *id = json_member_text(slot, "id");
    const char *kind = json_member_text(slot, "kind");
    const char *salt = json_member_text(slot, "salt");
    const char *created = json_member_text(slot, "created");

    return id != NULL && kind != NULL && salt != NULL && created != NULL &&
           text_from_hex(ret_header->id, sizeof(ret_header->id), id) &&
           slot_kind_from_name(kind, &ret_header->kind) &&
           text_from_hex(ret_header->kdf.salt, sizeof(ret_header->kdf.salt), salt) &&
           clock_parse(created, clock_wall_ms(), &ret_header->created_ms) &&
           read_u32(slot, "memory_kib", &ret_header->kdf.memory_kib) &&
           read_u32(slot, "passes", &ret_header->kdf.passes) &&
           read_u32(slot, "lanes", &ret_header->kdf.lanes);
}

enum status key_read_headers(const struct json *parameters, struct failure *failure,
                             struct key_headers *ret_headers)
{
    const struct json *slots = json_member(parameters, "slots");
    size_t count = json_count(slots);

    if (count > KEY_SLOTS_MAX)
        return failure_set(failure, STATUS_PROTOCOL, "the agent lists %zu slots, more than a vault has",
                           count);
    for (size_t i = 0; i < count; i++) {
        if (!read_header(json_at(slots, i), &ret_headers->headers[i]))
            return failure_set(failure, STATUS_PROTOCOL,
                               "the agent lists a slot that this program does not understand");
    }
    ret_headers->count = count;
    return STATUS_OK;
}

enum status key_find_header(const struct key_headers *headers, enum slot_kind kind, struct failure *failure,
                            const struct slot_header **ret_header)
{
    char kinds[256] = "none";
    size_t size = 0;

    for (size_t i = 0; i < headers->count; i++) {
        const char *name = slot_kind_name(headers->headers[i].kind);

        if (headers->headers[i].kind == kind) {
            *ret_header = &headers->headers[i];
            return STATUS_OK;
        }
        if (size + strlen(name) + 3 < sizeof(kinds))
            size += (size_t)snprintf(kinds + size, sizeof(kinds) - size, "%s%s", size > 0 ? ", " : "", name);
    }
    return failure_set(failure, STATUS_NOT_FOUND, "the vault has no %s slot; it has: %s",
                       slot_kind_name(kind), kinds);
}

void key_slot_follow(struct key_slot *slot, const struct key_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->headers[i].kind == slot->header.kind &&
            headers->headers[i].created_ms >= slot->header.created_ms)
            slot->header.created_ms = headers->headers[i].created_ms + 1;
}

/* True if `slot` is to be tried before `other`. */
static bool goes_before(const struct slot_header *slot, const struct slot_header *other)
{
    if (slot->kind != other->kind)
        return slot->kind == SLOT_PASSPHRASE;
    return slot->created_ms > other->created_ms;
}

size_t key_find_typed(const struct key_headers *headers, const struct slot_header *ret_found[KEY_TYPED_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < headers->count && count < KEY_TYPED_MAX; i++) {
        const struct slot_header *header = &headers->headers[i];
        const bool has_passphrase = count > 0 && ret_found[0]->kind == SLOT_PASSPHRASE;
        size_t at = count;

        if (header->kind != SLOT_LOGIN && (header->kind != SLOT_PASSPHRASE || has_passphrase))
            continue;
        for (; at > 0 && goes_before(header, ret_found[at - 1]); at--)
            ret_found[at] = ret_found[at - 1];
        ret_found[at] = header;
        count++;
    }
    return count;
}
