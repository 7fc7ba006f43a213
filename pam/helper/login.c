/* Unlocking at login, projecting the session's step, and following changes of the password. */
#include "helper/login.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/name.h"
#include "base/text.h"
#include "client/ask.h"
#include "client/received.h"
#include "crypto/seal.h"
#include "helper/contact.h"
#include "helper/keys.h"
#include "helper/module.h"
#include "key.h"
#include "json/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static const struct {
    enum status status;
    enum message_reason reason;
} reasons[] = {
    {STATUS_OK,                MESSAGE_DONE        },
    {STATUS_NO_VAULT,          MESSAGE_NO_VAULT    },
    {STATUS_NO_AGENT,          MESSAGE_NO_AGENT    },
    {STATUS_LOCKED,            MESSAGE_LOCKED      },
    {STATUS_WRONG_KEY,         MESSAGE_WRONG       },
    {STATUS_NOT_FOUND,         MESSAGE_NO_STEP     },
    {STATUS_FOREIGN,           MESSAGE_FOREIGN     },
    {STATUS_BUSY,              MESSAGE_BUSY        },
    {STATUS_NEEDS_RECONNECT,   MESSAGE_NO_TOKEN    },
    {STATUS_TOKEN_UNAVAILABLE, MESSAGE_NO_TOKEN    },
    {STATUS_LOG_UNWRITABLE,    MESSAGE_UNWRITABLE  },
    {STATUS_CORRUPT,           MESSAGE_DAMAGED     },
    {STATUS_ROLLED_BACK,       MESSAGE_DAMAGED     },
    {STATUS_FORMAT,            MESSAGE_DAMAGED     },
    {STATUS_AGENT_ENDED,       MESSAGE_BROKEN_AGENT},
    {STATUS_PROTOCOL,          MESSAGE_BROKEN_AGENT},
    {STATUS_TIMEOUT,           MESSAGE_BROKEN_AGENT},
    {STATUS_TOO_LARGE,         MESSAGE_BROKEN_AGENT},
};

static enum message_reason reason_of(enum status status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return MESSAGE_FAILED;
}

/* Of the socket and its folder, before there is an agent to say it of the vault. */
static enum message_reason reason_of_place(enum status status)
{
    return status == STATUS_FOREIGN ? MESSAGE_UNTRUSTED : reason_of(status);
}

void login_reset(struct login *login)
{
    secret_reset(&login->block);
}

/* ---- unlocking ---- */

/* One derivation of a user at a time: whoever comes second finds the vault open. The shim's deadline ends the
 * wait. */
static enum status lock_derivations(struct failure *failure, int *ret_descriptor)
{
    CLEANUP(cleanup_close) int descriptor = -1;
    char runtime[PATH_MAX];
    char folder[PATH_MAX + sizeof("/stepvault")];
    char path[sizeof(folder) + sizeof("/login.lock")];
    enum status status;

    if (!file_runtime_folder(runtime))
        return failure_set(failure, STATUS_NO_AGENT, "there is no runtime folder");
    snprintf(folder, sizeof(folder), "%s/stepvault", runtime);
    snprintf(path, sizeof(path), "%s/login.lock", folder);
    status = file_make_folder(folder, failure);
    if (status == STATUS_OK)
        status = file_check_folder(folder, true, failure);
    if (status != STATUS_OK)
        return status;
    descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot open %s", path);
    while (flock(descriptor, LOCK_EX) != 0)
        if (errno != EINTR)
            return failure_set_errno(failure, STATUS_FAILED, errno, "cannot lock %s", path);
    *ret_descriptor = cleanup_take_descriptor(&descriptor);
    return STATUS_OK;
}

static bool has_login_slot(const struct key_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->headers[i].kind == SLOT_LOGIN)
            return true;
    return false;
}

static enum status remove_slot(struct contact *contact, const struct slot_header *header,
                               const struct key *key, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret members = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    char id[2 * SLOT_ID_SIZE + 1];

    text_to_hex(id, header->id, SLOT_ID_SIZE);
    if (!secret_append_format(&members, "\"slot\":\"%s\"", id))
        return failure_set_no_memory(failure);
    return contact_call(contact, "RemoveSlot", &members, key, failure, &reply);
}

static enum status try_keys(struct contact *contact, const struct keys *keys, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret reply = {0};
    struct failure ignored;
    enum status status = STATUS_WRONG_KEY;
    size_t at = 0;

    for (size_t i = 0; status == STATUS_WRONG_KEY && i < keys->count; i++) {
        at = i;
        status = contact_call(contact, "Unlock", NULL, &keys->keys[i], failure, &reply);
        /* Its slot was removed since the key was derived. */
        if (status == STATUS_NOT_FOUND)
            status = STATUS_WRONG_KEY;
    }
    /* The new password is in use, so the one before it is over. */
    if (status == STATUS_OK && at == 0 && keys->count == KEYS_MAX)
        (void)remove_slot(contact, &keys->headers[1], &keys->keys[0], &ignored);
    return status;
}

/* On a connection to an agent: the keys of what was typed, which is gone then, or those that came with the
 * job. */
static enum message_reason find_keys(struct contact *contact, struct login_secrets *secrets,
                                     struct keys *keys)
{
    struct key_headers headers = {.count = 0};
    struct failure failure;
    enum status status;

    if (secrets->keys.size > 0)
        return keys_read(&secrets->keys, keys) ? MESSAGE_DONE : MESSAGE_BAD_JOB;
    status = contact_list_slots(contact, &failure, &headers);
    if (status == STATUS_OK && !has_login_slot(&headers))
        return MESSAGE_NO_SLOT;
    if (status != STATUS_OK)
        return reason_of(status);
    if (!module_wait_turn())
        return MESSAGE_CROWDED;
    status = keys_derive(&headers, &secrets->password, &failure, keys);
    secret_reset(&secrets->password);
    module_end_turn();
    return reason_of(status);
}

/* On a connection to an agent that is locked. */
static enum message_reason unlock(struct contact *contact, struct login_secrets *secrets)
{
    CLEANUP(keys_reset) struct keys keys = {.count = 0};
    struct failure failure;
    enum message_reason reason = find_keys(contact, secrets, &keys);

    contact->shown = true;
    return reason == MESSAGE_DONE ? reason_of(try_keys(contact, &keys, &failure)) : reason;
}

/* Connects, starting an agent where there is none if `starts`, and says whether the vault is open. */
static enum message_reason reach(struct contact *contact, bool starts, bool *ret_open)
{
    struct failure failure;
    enum status status = contact_connect(contact, &failure);
    char path[PATH_MAX];

    if (status == STATUS_NO_AGENT && !file_runtime_folder(path))
        return MESSAGE_NO_RUNTIME;
    if (status != STATUS_OK && (status != STATUS_NO_AGENT || !starts))
        return reason_of_place(status);
    if (status == STATUS_NO_AGENT)
        status = contact_start_agent(contact, true, &failure);
    if (status == STATUS_OK)
        status = contact_ask_state(contact, &failure, ret_open);
    return reason_of(status);
}

/* Leaves the contact connected to an agent that has the vault open. */
static enum message_reason open_vault(struct contact *contact, bool starts, struct login_secrets *secrets)
{
    CLEANUP(cleanup_close) int lock = -1;
    struct failure failure;
    bool open = false;
    enum message_reason reason = reach(contact, false, &open);

    if (reason == MESSAGE_DONE && open)
        return MESSAGE_DONE;
    /* Where the session's opening makes the folder, its absence before is none. */
    if (reason == MESSAGE_NO_RUNTIME && !starts)
        return MESSAGE_NO_AGENT;
    if (reason != MESSAGE_DONE && (reason != MESSAGE_NO_AGENT || !starts))
        return reason;
    if (secrets->password.size == 0 && secrets->keys.size == 0)
        return MESSAGE_LOCKED;
    contact_reset(contact);
    if (lock_derivations(&failure, &lock) != STATUS_OK)
        return reason_of_place(failure.status);
    reason = reach(contact, starts, &open);
    if (reason == MESSAGE_DONE && !open)
        reason = unlock(contact, secrets);
    if (reason != MESSAGE_DONE)
        contact_give_up(contact);
    return reason;
}

/* ---- the session's variables ---- */

static enum message_reason check_boundary(struct contact *contact, const char *step)
{
    CLEANUP(secret_reset) struct secret members = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    struct failure failure;
    struct wire_value value;
    struct wire_value member;
    bool inherits = true;
    bool is_step = false;
    enum status status = secret_append_format(&members, "\"path\":\"%s\"", step)
                             ? contact_call(contact, "ShowStep", &members, NULL, &failure, &reply)
                             : STATUS_NO_MEMORY;

    if (status != STATUS_OK)
        return reason_of(status);
    if (!wire_member(ask_parameters(&reply), "step", &value))
        return MESSAGE_BROKEN_AGENT;
    if (!wire_member(value, "inherits", &member) || !wire_boolean(member, &inherits) ||
        !wire_member(value, "step", &member) || !wire_boolean(member, &is_step))
        return MESSAGE_BROKEN_AGENT;
    if (!is_step)
        return MESSAGE_NO_STEP;
    return inherits ? MESSAGE_NO_BOUNDARY : MESSAGE_DONE;
}

static bool keep_entries(const struct received *received, struct login *login)
{
    for (size_t i = 0; i < received->count; i++) {
        const size_t size = strlen(received->entries[i]);

        if (login->count == MESSAGE_COUNT_MAX || login->block.size + size + 1 > MESSAGE_BLOCK_MAX ||
            !message_entry_is_allowed(received->entries[i], size))
            login->skipped++;
        else if (secret_append(&login->block, received->entries[i], size + 1))
            login->count++;
        else
            return false;
    }
    return true;
}

/* The log says for which service it was. */
static bool write_question(const char *step, const struct message_text *service, struct secret *members)
{
    return secret_append_format(members, "\"step\":\"%s\"", step) &&
           secret_append_text(members, ",\"form\":\"environment\",\"inherited\":[],\"purpose\":\"login\"") &&
           (!text_is_utf8(service->bytes, service->size) ||
            (secret_append_text(members, ",\"reason\":") &&
             text_append_json(members, service->bytes, service->size)));
}

static enum message_reason project(struct contact *contact, const char *step,
                                   const struct message_text *service, struct login *login)
{
    CLEANUP(secret_reset) struct secret members = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    CLEANUP(received_reset) struct received received = {0};
    struct failure failure;
    enum message_reason reason = check_boundary(contact, step);
    enum status status;

    if (reason != MESSAGE_DONE)
        return reason;
    if (!write_question(step, service, &members))
        return MESSAGE_FAILED;
    status = contact_call(contact, "Project", &members, NULL, &failure, &reply);
    if (status == STATUS_TOO_LARGE)
        return MESSAGE_TOO_MUCH;
    if (status == STATUS_OK)
        status = received_read(ask_parameters(&reply), 0, &failure, &received);
    if (status != STATUS_OK)
        return reason_of(status);
    return keep_entries(&received, login) ? MESSAGE_DONE : MESSAGE_FAILED;
}

static enum message_reason do_session(const struct message_job *job, struct contact *contact,
                                      struct login_secrets *secrets, struct login *login)
{
    const bool hidden = secrets->password.size > 0;
    char step[NAME_PATH_MAX + 1] = "";
    struct failure failure;
    enum message_reason reason;

    if (job->step.size >= sizeof(step))
        return MESSAGE_BAD_JOB;
    memcpy(step, job->step.bytes, job->step.size);
    if (name_check_path(step, &failure) != STATUS_OK)
        return MESSAGE_BAD_JOB;
    contact->shown = !hidden;
    reason = open_vault(contact, true, secrets);
    login_secrets_reset(secrets);
    if (reason == MESSAGE_DONE && hidden)
        reason = reason_of_place(contact_show(contact, &failure));
    /* It was there a moment ago. */
    if (reason == MESSAGE_NO_AGENT)
        reason = MESSAGE_BROKEN_AGENT;
    return reason == MESSAGE_DONE ? project(contact, step, &job->service, login) : reason;
}

/* ---- another password ---- */

/* The agent that listens, or one for this alone. */
static enum message_reason reach_any(struct contact *contact)
{
    struct failure failure;
    enum status status = contact_connect(contact, &failure);

    return status == STATUS_NO_AGENT ? reason_of(contact_start_agent(contact, false, &failure))
                                     : reason_of_place(status);
}

static enum status add_slot(struct contact *contact, const struct key_slot *slot, const struct key *key,
                            struct failure *failure)
{
    CLEANUP(secret_reset) struct secret document = {0};
    CLEANUP(secret_reset) struct secret members = {0};
    CLEANUP(secret_reset) struct secret reply = {0};
    struct json_writer writer;

    json_writer_start(&writer, &document);
    json_open_object(&writer, NULL);
    key_slot_write(&writer, "new_slot", slot, NULL);
    json_close_object(&writer);
    if (writer.failed || !secret_append(&members, document.bytes + 1, document.size - 2))
        return failure_set_no_memory(failure);
    return contact_call(contact, "AddSlot", &members, key, failure, &reply);
}

/* A slot for the new password that costs what the latest does: there is no time to calibrate. */
static enum status make_slot(const struct slot_header *latest, const struct secret *password,
                             struct failure *failure, struct key_slot *ret_slot)
{
    ret_slot->header =
        (struct slot_header){.kind = SLOT_LOGIN, .kdf = latest->kdf, .created_ms = clock_wall_ms()};
    seal_random(ret_slot->header.id, sizeof(ret_slot->header.id));
    seal_random(ret_slot->header.kdf.salt, sizeof(ret_slot->header.kdf.salt));
    return key_from_passphrase(password, &ret_slot->header, failure, &ret_slot->key);
}

/* Adds it by the key of the slot that the old password opens. Where there are two slots already, the other
 * one is of a password that is over, or never came to be. */
static enum status renew(struct contact *contact, const struct keys *old, const struct key_slot *slot,
                         struct failure *failure)
{
    enum status status = STATUS_WRONG_KEY;

    for (size_t i = 0; status == STATUS_WRONG_KEY && i < old->count; i++) {
        status = STATUS_OK;
        if (old->count == KEYS_MAX)
            status = remove_slot(contact, &old->headers[1 - i], &old->keys[i], failure);
        if (status == STATUS_OK)
            status = add_slot(contact, slot, &old->keys[i], failure);
    }
    return status;
}

static enum message_reason do_password(struct contact *contact, struct login_secrets *secrets)
{
    CLEANUP(keys_reset) struct keys old = {.count = 0};
    CLEANUP(key_slot_reset) struct key_slot slot = {0};
    CLEANUP(cleanup_close) int lock = -1;
    const struct secret *password = &secrets->password;
    struct key_headers headers = {.count = 0};
    struct failure failure;
    enum message_reason reason = reach_any(contact);
    enum status status;

    if (reason != MESSAGE_DONE)
        return reason;
    status = contact_list_slots(contact, &failure, &headers);
    if (status == STATUS_OK && !has_login_slot(&headers))
        return MESSAGE_NO_SLOT;
    if (status == STATUS_OK && password->size == 0)
        return MESSAGE_NO_OLD;
    if (status == STATUS_OK && password->size == secrets->new_password.size &&
        secret_equal(password->bytes, secrets->new_password.bytes, password->size))
        return MESSAGE_DONE;
    /* Where there is no place for the lock, there is no login that derives, either. */
    (void)lock_derivations(&failure, &lock);
    if (status == STATUS_OK)
        status = keys_derive(&headers, password, &failure, &old);
    if (status == STATUS_OK)
        status = make_slot(&old.headers[0], &secrets->new_password, &failure, &slot);
    login_secrets_reset(secrets);
    key_slot_follow(&slot, &headers);
    contact->shown = true;
    return reason_of(status == STATUS_OK ? renew(contact, &old, &slot, &failure) : status);
}

/* ---- a session that another process opens ---- */

static enum message_reason do_derive(struct contact *contact, struct login_secrets *secrets,
                                     struct login *login)
{
    CLEANUP(keys_reset) struct keys keys = {.count = 0};
    CLEANUP(cleanup_close) int lock = -1;
    struct failure failure;
    enum message_reason reason = reach_any(contact);

    if (reason != MESSAGE_DONE)
        return reason;
    (void)lock_derivations(&failure, &lock);
    reason = find_keys(contact, secrets, &keys);
    if (reason == MESSAGE_DONE && !keys_write(&keys, &login->block))
        return MESSAGE_FAILED;
    login->count = reason == MESSAGE_DONE;
    return reason;
}

/* The module says where it is, of which nothing is known but that it stands in the user's entry. */
static bool has_home(void)
{
    const char *home = getenv("HOME");
    struct stat facts;

    return home != NULL && home[0] == '/' && stat(home, &facts) == 0 && S_ISDIR(facts.st_mode);
}

void login_secrets_reset(struct login_secrets *secrets)
{
    secret_reset(&secrets->password);
    secret_reset(&secrets->new_password);
    secret_reset(&secrets->keys);
}

enum message_reason login_do(const struct message_job *job, struct login_secrets *secrets,
                             struct login *ret_login)
{
    CLEANUP(contact_reset) struct contact contact = {.timeout_ms = (int)(job->budget_ms & 0xffffff)};
    struct failure failure;
    enum status status;

    /* Before the session it may still be made or mounted. */
    if (!has_home())
        return job->action == MESSAGE_SESSION ? MESSAGE_NO_HOME : MESSAGE_NO_VAULT;
    status = contact_find(&contact, &failure);
    if (status != STATUS_OK)
        return reason_of(status);
    if (job->action == MESSAGE_UNLOCK)
        return open_vault(&contact, false, secrets);
    if (job->action == MESSAGE_SESSION)
        return do_session(job, &contact, secrets, ret_login);
    return job->action == MESSAGE_PASSWORD ? do_password(&contact, secrets)
                                           : do_derive(&contact, secrets, ret_login);
}
