/* Reading, comparing and writing pins. */
#include "pin.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "era.h"
#include "interior.h"
#include "log.h"
#include "json/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 32768u /* a path of which each byte is escaped, and a note */
#define ADDED_MAX 8192  /* bytes of a file to which a note is added */
#define NAME_SIZE sizeof("0123456789abcdef.pin")
#define PLACE_MAX (PATH_MAX + 1 + NAME_SIZE)
#define FOLDER_PINS_MAX 4096u /* of one folder that are looked at for a vault that was moved */
#define SIGNATURE_SIZE 68u    /* with the id of its key */
#define ORIGIN_START "stepvault/v1/"

static const char *const state_names[] = {
    [PIN_NONE] = "none",
    [PIN_HELD] = "held",
    [PIN_UNREADABLE] = "unreadable",
};

const char *pin_state_name(enum pin_state state)
{
    return state_names[state];
}

enum status pin_folder(struct failure *failure, char destination[PATH_MAX])
{
    if (file_state_path("pins", destination))
        return STATUS_OK;
    return failure_set(failure, STATUS_INVALID,
                       "there is no place for pins: neither XDG_STATE_HOME nor HOME is an absolute path");
}

static void pin_place(const char *folder, const char *path, char destination[PLACE_MAX])
{
    (void)snprintf(destination, PLACE_MAX, "%s/%016" PRIx64 ".pin", folder, text_fnv1a(path, strlen(path)));
}

/* ---- reading ---- */

static enum status refuse(const char *place, const char *why, struct failure *failure)
{
    return failure_set(failure, STATUS_INVALID, "the pin %s cannot be read: %s", place, why);
}

/* Copies one line of `*at` without its newline, and goes behind it. */
static bool take_line(const char **at, char *destination, size_t room)
{
    size_t size = strcspn(*at, "\n");

    if ((*at)[size] != '\n' || size >= room)
        return false;
    memcpy(destination, *at, size);
    destination[size] = '\0';
    *at += size + 1;
    return true;
}

static bool is_base64(const char *text, size_t size)
{
    CLEANUP(secret_reset) struct secret bytes = {0};

    return text_append_from_base64(&bytes, text, strlen(text)) && bytes.size == size;
}

/* The head in the note's text at `*at`, and one whole signature: whether it is good takes the vault's keys,
 * but what was cut off must not pass for the signature of a key that the vault does not have. Goes behind it.
 */
static bool take_note(const char **at, struct pin *pin)
{
    const char *start = *at;
    char size[24], nothing[1], signature[NOTE_MAX], signed_by[NOTE_ORIGIN_MAX + 8];
    size_t length;

    if (!take_line(at, pin->origin, sizeof pin->origin) || !take_line(at, size, sizeof size) ||
        !take_line(at, pin->root, sizeof pin->root) || !take_line(at, nothing, sizeof nothing) ||
        !take_line(at, signature, sizeof signature) || (size_t)(*at - start) >= sizeof pin->note)
        return false;
    length = (size_t)snprintf(signed_by, sizeof signed_by, "\xe2\x80\x94 %s ", pin->origin);
    memcpy(pin->note, start, (size_t)(*at - start));
    pin->note[*at - start] = '\0';
    return strncmp(pin->origin, ORIGIN_START, strlen(ORIGIN_START)) == 0 &&
           text_to_number(size, INT64_MAX, &pin->size) && is_base64(pin->root, MERKLE_HASH_SIZE) &&
           strncmp(signature, signed_by, length) == 0 && is_base64(signature + length, SIGNATURE_SIZE);
}

static bool parse_path(const char *line, size_t size, struct pin *pin)
{
    CLEANUP(secret_reset) struct secret list = {0};
    CLEANUP(json_freep) struct json *json = NULL;
    struct failure ignored;
    const char *path;
    size_t length;

    if (!secret_append_byte(&list, '[') || !secret_append(&list, line, size) ||
        !secret_append_byte(&list, ']') ||
        json_parse(list.bytes, list.size, "the pin", &ignored, &json) != STATUS_OK || json_count(json) != 1)
        return false;
    path = json_text(json_at(json, 0), &length);
    if (path == NULL || path[0] != '/' || length >= sizeof pin->path)
        return false;
    memcpy(pin->path, path, length + 1);
    return true;
}

/* The last whole note. What follows it was cut off, and is none. */
static enum status parse(const struct secret *content, const char *place, struct failure *failure,
                         struct pin *pin)
{
    const char *text = secret_text(content);
    const char *at = strchr(text, '\n');
    const char *behind;
    struct pin next;

    if (at == NULL || !parse_path(text, (size_t)(at - text), pin))
        return refuse(place, "it does not begin with a path", failure);
    at++;
    if (!take_note(&at, pin))
        return refuse(place, "it has no checkpoint", failure);
    behind = at;
    for (next = *pin; take_note(&at, &next); behind = at)
        *pin = next;
    pin->is_whole = behind == text + content->size;
    return STATUS_OK;
}

static enum status check_file(int descriptor, const char *place, struct failure *failure)
{
    struct stat facts;

    if (fstat(descriptor, &facts) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at the pin %s", place);
    if (!S_ISREG(facts.st_mode))
        return failure_set(failure, STATUS_FOREIGN, "the pin %s is not a regular file", place);
    if (facts.st_uid != geteuid())
        return failure_set(failure, STATUS_FOREIGN, "the pin %s belongs to uid %u", place,
                           (unsigned)facts.st_uid);
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return failure_set(failure, STATUS_FOREIGN, "the pin %s can be written by others (mode %04o)", place,
                           (unsigned)(facts.st_mode & 07777));
    return STATUS_OK;
}

static enum status read_place(const char *place, struct failure *failure, struct pin *pin)
{
    CLEANUP(cleanup_close)
    int descriptor = open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    CLEANUP(secret_reset) struct secret content = {0};
    enum status status;

    if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR))
        return failure_set(failure, STATUS_NOT_FOUND, "there is no pin %s", place);
    if (descriptor < 0 && errno == ELOOP)
        return failure_set(failure, STATUS_FOREIGN, "the pin %s is a symbolic link", place);
    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot open the pin %s", place);
    status = check_file(descriptor, place, failure);
    if (status == STATUS_OK)
        status = file_read_all(descriptor, FILE_MAX, place, failure, &content);
    return status == STATUS_OK ? parse(&content, place, failure, pin) : status;
}

/* In a folder that others may write, the pin can be anybody's. */
static enum status check_folder(const char *folder, struct failure *failure)
{
    struct stat facts;

    if (folder[0] == '\0' || (lstat(folder, &facts) != 0 && (errno == ENOENT || errno == ENOTDIR)))
        return failure_set(failure, STATUS_NOT_FOUND, "there is no folder of pins %s", folder);
    return file_check_folder(folder, false, failure);
}

enum status pin_read(const char *folder, const char *path, struct failure *failure, struct pin *ret_pin)
{
    char place[PLACE_MAX];
    struct pin pin;
    enum status status = check_folder(folder, failure);

    pin_place(folder, path, place);
    if (status == STATUS_OK)
        status = read_place(place, failure, &pin);
    if (status == STATUS_OK && strcmp(pin.path, path) != 0)
        status = refuse(place, "it is that of another path", failure);
    if (status == STATUS_OK)
        *ret_pin = pin;
    return status;
}

bool pin_vault_id(const struct pin *pin, char ret_id[PIN_VAULT_ID_SIZE])
{
    const char *id = pin->origin + strlen(ORIGIN_START);
    uint8_t bytes[SEAL_ID_SIZE];
    char text[PIN_VAULT_ID_SIZE];

    if (strncmp(pin->origin, ORIGIN_START, strlen(ORIGIN_START)) != 0 || strlen(id) < PIN_VAULT_ID_SIZE ||
        id[PIN_VAULT_ID_SIZE - 1] != '/')
        return false;
    memcpy(text, id, PIN_VAULT_ID_SIZE - 1);
    text[PIN_VAULT_ID_SIZE - 1] = '\0';
    if (!text_from_hex(bytes, sizeof bytes, text))
        return false;
    memcpy(ret_id, text, sizeof text);
    return true;
}

/* ---- comparing ---- */

static enum status rolled_back(struct vault *vault, const struct pin *pin, const char *what,
                               struct failure *failure)
{
    CLEANUP(secret_reset) struct secret bytes = {0};
    uint8_t root[MERKLE_HASH_SIZE];
    char seen[2 * MERKLE_HASH_SIZE + 1], found[2 * MERKLE_HASH_SIZE + 1];

    merkle_root(root, &vault->log.edge);
    if (!text_append_from_base64(&bytes, pin->root, strlen(pin->root)) || bytes.size != sizeof root)
        return failure_set_no_memory(failure);
    text_to_hex(seen, bytes.bytes, bytes.size);
    text_to_hex(found, root, sizeof root);
    return failure_set(failure, STATUS_ROLLED_BACK,
                       "%s: last seen with %" PRIu64 " log entries and root %s, found with %" PRIu64
                       " and root %s, at %s",
                       what, pin->size, seen, log_size(vault), found, vault->path);
}

static bool is_of_vault(const struct vault *vault, const struct pin *pin)
{
    char start[sizeof(ORIGIN_START) + 2 * SEAL_ID_SIZE + 1];
    size_t length = strlen(ORIGIN_START) + 2 * SEAL_ID_SIZE;

    memcpy(start, ORIGIN_START, strlen(ORIGIN_START));
    text_to_hex(start + strlen(ORIGIN_START), vault->id, SEAL_ID_SIZE);
    memcpy(start + length, "/", 2);
    return strncmp(pin->origin, start, length + 1) == 0;
}

/* Bytes of what a note says: its text up to the blank line before the signatures. */
static size_t note_text_size(const char *note)
{
    const char *end = strstr(note, "\n\n");

    return end == NULL ? 0 : (size_t)(end - note) + 1;
}

/* A restore that was interrupted before it wrote the pin: the vault itself says that this head was given up.
 */
static bool was_abandoned(const struct vault *vault, const struct pin *pin)
{
    size_t size = note_text_size(pin->note);
    size_t count;
    const struct log_era *eras = log_eras(vault, &count);

    for (size_t at = 0; at < count; at++) {
        if (size > 0 && note_text_size(eras[at].abandoned) == size &&
            memcmp(eras[at].abandoned, pin->note, size) == 0)
            return true;
    }
    return false;
}

static enum status check_growth(struct vault *vault, const struct pin *pin, const uint8_t *seen,
                                struct failure *failure)
{
    struct merkle_proof proof;
    uint8_t root[MERKLE_HASH_SIZE];
    enum status status = log_prove_consistency(vault, pin->size, log_size(vault), failure, &proof);

    if (status != STATUS_OK)
        return status;
    merkle_root(root, &vault->log.edge);
    if (merkle_verify_consistency(pin->size, log_size(vault),
                                  (const uint8_t(*)[MERKLE_HASH_SIZE])proof.hashes, proof.count, seen, root))
        return STATUS_OK;
    return rolled_back(vault, pin, "the vault is on another branch than this machine last saw", failure);
}

enum status pin_compare(struct vault *vault, const struct pin *pin, struct failure *failure)
{
    struct note_checkpoint seen;
    enum status status;
    size_t era;

    if (strcmp(pin->note, log_head(vault)) == 0)
        return STATUS_OK;
    if (!is_of_vault(vault, pin))
        return rolled_back(vault, pin, "this is another vault than this machine last saw here", failure);
    if (was_abandoned(vault, pin))
        return STATUS_OK;
    status = log_verify_note(vault, pin->note, failure, &seen, &era);
    switch (status) {
    case STATUS_OK:
        return check_growth(vault, pin, seen.root, failure);
    case STATUS_CORRUPT:
        return failure_set(failure, STATUS_INVALID, "the pin of %s has a broken signature", pin->path);
    case STATUS_NOT_FOUND: /* a later key's, which is on a branch that this vault does not have */
    case STATUS_ROLLED_BACK:
        return rolled_back(vault, pin,
                           pin->size > log_size(vault)
                               ? "the vault is behind what this machine last saw of it"
                               : "the vault is on another branch than this machine last saw",
                           failure);
    default:
        return status;
    }
}

/* ---- a vault that was moved ---- */

/* What the recorded path of a pin leads to now. */
enum leads_to { LEADS_HERE, LEADS_NOWHERE, LEADS_ELSEWHERE };

static enum leads_to find_lead(const struct pin *pin, const struct stat *vault_file)
{
    struct stat facts;

    if (stat(pin->path, &facts) == 0)
        return facts.st_dev == vault_file->st_dev && facts.st_ino == vault_file->st_ino ? LEADS_HERE
                                                                                        : LEADS_ELSEWHERE;
    /* What cannot be looked at may well be there. */
    return errno == ENOENT || errno == ENOTDIR ? LEADS_NOWHERE : LEADS_ELSEWHERE;
}

/* Over the pins of this vault under other paths. Those whose path leads to this very file must hold. Of those
 * whose path leads to nothing one must: the others may be left of copies that are gone. If none does, and
 * another path has the vault, this file is a copy that goes its own way from here on. */
struct search {
    struct vault *vault;
    struct stat file;
    bool drops; /* removes the pins that hold */
    bool holds;
    bool is_copy;
    uint64_t behind_size; /* of the largest pin that does not hold */
    struct failure behind;
};

static enum status visit(struct search *search, const char *place, const struct pin *pin,
                         struct failure *failure)
{
    enum leads_to lead = find_lead(pin, &search->file);
    enum status status;

    search->is_copy = search->is_copy || lead == LEADS_ELSEWHERE;
    if (lead == LEADS_ELSEWHERE)
        return STATUS_OK;
    status = pin_compare(search->vault, pin, failure);
    if (status == STATUS_OK) {
        search->holds = true;
        if (search->drops)
            (void)unlink(place);
    }
    if (status == STATUS_ROLLED_BACK && lead == LEADS_NOWHERE) {
        if (search->behind.status == STATUS_OK || pin->size > search->behind_size)
            search->behind = *failure;
        search->behind_size = pin->size > search->behind_size ? pin->size : search->behind_size;
        return STATUS_OK;
    }
    return status == STATUS_INVALID ? STATUS_OK : status;
}

static void close_folder(DIR **folder)
{
    if (*folder != NULL)
        closedir(*folder);
}

static bool has_pin_name(const char *name)
{
    return strlen(name) == NAME_SIZE - 1 && strcmp(name + NAME_SIZE - sizeof(".pin"), ".pin") == 0;
}

static enum status search_folder(struct search *search, const char *folder, struct failure *failure)
{
    CLEANUP(close_folder) DIR *list = opendir(folder);
    const struct dirent *entry;
    enum status status = STATUS_OK;
    unsigned count = 0;

    if (list == NULL || stat(search->vault->path, &search->file) != 0)
        return STATUS_OK;
    while (status == STATUS_OK && count < FOLDER_PINS_MAX && (entry = readdir(list)) != NULL) {
        char place[PLACE_MAX];
        struct failure ignored;
        struct pin pin;

        if (!has_pin_name(entry->d_name))
            continue;
        count++;
        (void)snprintf(place, sizeof place, "%s/%.*s", folder, (int)NAME_SIZE, entry->d_name);
        if (read_place(place, &ignored, &pin) == STATUS_OK && is_of_vault(search->vault, &pin) &&
            strcmp(pin.path, search->vault->path) != 0)
            status = visit(search, place, &pin, failure);
    }
    return status;
}

static enum status check_moved(struct vault *vault, const char *folder, struct failure *failure,
                               struct pin_finding *finding)
{
    struct search search = {.vault = vault};
    enum status status = search_folder(&search, folder, failure);

    if (status != STATUS_OK)
        return status;
    if (!search.holds && !search.is_copy && search.behind.status != STATUS_OK) {
        *failure = search.behind;
        return failure->status;
    }
    finding->state = search.holds ? PIN_HELD : PIN_NONE;
    finding->moved = search.holds;
    return STATUS_OK;
}

void pin_drop_moved(struct vault *vault, const char *folder)
{
    struct search search = {.vault = vault, .drops = true};
    struct failure ignored;

    if (check_folder(folder, &ignored) == STATUS_OK)
        (void)search_folder(&search, folder, &ignored);
}

enum status pin_check(struct vault *vault, const char *folder, struct failure *failure,
                      struct pin_finding *ret_finding)
{
    struct pin_finding finding = {.state = PIN_HELD};
    struct pin pin;
    enum status status = check_folder(folder, failure);

    if (status == STATUS_OK)
        status = pin_read(folder, vault->path, failure, &pin);
    if (status == STATUS_OK) {
        status = pin_compare(vault, &pin, failure);
        if (status != STATUS_OK && status != STATUS_INVALID)
            return status;
    } else if (status == STATUS_NOT_FOUND) {
        finding.state = PIN_NONE;
        status = check_moved(vault, folder, failure, &finding);
        if (status != STATUS_OK)
            return status;
    }
    if (status != STATUS_OK) {
        finding.state = PIN_UNREADABLE;
        finding.failure = *failure;
    }
    *ret_finding = finding;
    return STATUS_OK;
}

/* ---- writing ---- */

static enum status write_file(const char *place, const char *path, const char *note, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret content = {0};
    CLEANUP(cleanup_close) int descriptor = -1;

    if (!text_append_json(&content, path, strlen(path)) || !secret_append_byte(&content, '\n') ||
        !secret_append_text(&content, note))
        return failure_set_no_memory(failure);
    /* Left of an agent that was killed: nobody else makes this name, for we hold the vault. */
    (void)unlink(place);
    descriptor = open(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0 || !file_write_all(descriptor, content.bytes, content.size) ||
        fdatasync(descriptor) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot write the pin %s", place);
    return STATUS_OK;
}

/* Behind what was synced once, and so beyond the reach of a power cut. False: it wants a file of its own. */
static bool add_note(const char *place, const char *path, const char *note)
{
    struct failure ignored;
    struct stat facts;
    struct pin pin;

    if (read_place(place, &ignored, &pin) != STATUS_OK || strcmp(pin.path, path) != 0 || !pin.is_whole)
        return false;
    CLEANUP(cleanup_close)
    int descriptor = open(place, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return descriptor >= 0 && check_file(descriptor, place, &ignored) == STATUS_OK &&
           fstat(descriptor, &facts) == 0 && facts.st_size < ADDED_MAX &&
           file_write_all(descriptor, note, strlen(note));
}

/* The folder is not synced: after a power cut the pin is the old one or the new one, and both are true. */
enum status pin_write(const char *folder, const char *path, const char *note, bool durable,
                      struct failure *failure)
{
    char place[PLACE_MAX], draft[PLACE_MAX + sizeof(".new")];
    enum status status = check_folder(folder, failure);

    if (status != STATUS_OK)
        return status;
    pin_place(folder, path, place);
    if (!durable && add_note(place, path, note))
        return STATUS_OK;
    (void)snprintf(draft, sizeof draft, "%s.new", place);
    status = write_file(draft, path, note, failure);
    if (status == STATUS_OK && rename(draft, place) != 0)
        status = failure_set_errno(failure, STATUS_FAILED, errno, "cannot replace the pin %s", place);
    if (status != STATUS_OK)
        (void)unlink(draft);
    return status;
}

void pin_sync(const char *folder)
{
    CLEANUP(cleanup_close) int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (descriptor >= 0)
        (void)fsync(descriptor);
}

void pin_remove(const char *folder, const char *path)
{
    char place[PLACE_MAX];

    pin_place(folder, path, place);
    (void)unlink(place);
}
