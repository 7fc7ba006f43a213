/* pam_stepvault.so: the vault opens at login, and the session gets its variables. Whatever happens, it admits
 * nobody and refuses nobody (P9): every call is answered with PAM_IGNORE. */
#include "shim.h"

#include <security/pam_ext.h>
#include <security/pam_modutil.h>
#include <string.h>
#include <syslog.h>

#define EXPORTED __attribute__((visibility("default")))

/* What a call is about. */
struct call {
    pam_handle_t *pamh;
    struct shim_options options;
    const struct passwd *user;
    const char *service;
};

/* No sessions of a person: those of sudo, doas and pkexec are another user's, and what cron and the user
 * manager start is not to have the variables of a login. */
static const char *const left_alone[] = {"sudo", "sudo-i", "doas", "polkit-1",
                                         "cron", "crond",  "atd",  "systemd-user"};

static bool is_left_alone(const char *service)
{
    for (size_t i = 0; i < sizeof(left_alone) / sizeof(left_alone[0]); i++)
        if (strcmp(service, left_alone[i]) == 0)
            return true;
    return false;
}

static const char *item(pam_handle_t *pamh, int type)
{
    const void *value = NULL;

    return pam_get_item(pamh, type, &value) == PAM_SUCCESS ? value : NULL;
}

/* False where there is nothing to do. */
static bool call_start(pam_handle_t *pamh, int argc, const char **argv, struct call *ret_call)
{
    struct call call = {.pamh = pamh};
    const char *name = item(pamh, PAM_USER);

    if (!shim_options_read(pamh, argc, argv, &call.options))
        return false;
    call.service = item(pamh, PAM_SERVICE);
    if (name == NULL || call.service == NULL || is_left_alone(call.service))
        return false;
    call.user = pam_modutil_getpwnam(pamh, name);
    /* A locker of the screen runs as the user, and has nothing to do with any other. */
    if (call.user == NULL || !shim_child_is_possible(call.user))
        return false;
    *ret_call = call;
    return true;
}

static struct message_text text_of(const char *text)
{
    return (struct message_text){.bytes = (const uint8_t *)text, .size = text != NULL ? strlen(text) : 0};
}

/* Why nothing came of it, for the journal: no name and no value. */
static void note(const struct call *call, const struct message_answer *answer)
{
    const char *hint = message_reason_hint(answer->reason);

    if (answer->reason != MESSAGE_DONE && (call->options.debug || !message_reason_is_quiet(answer->reason)))
        pam_syslog(call->pamh, LOG_NOTICE, "uid %lu: %s%s%s", (unsigned long)call->user->pw_uid,
                   message_reason_text(answer->reason), hint != NULL ? "; " : "", hint != NULL ? hint : "");
}

static void deliver(const struct call *call, const struct message_answer *answer)
{
    const char *entry = (const char *)answer->block;
    struct shim_room room = shim_room_find(call->pamh);
    unsigned long left_out = answer->skipped;
    unsigned long given = 0;

    for (uint32_t i = 0; i < answer->count; i++, entry += strlen(entry) + 1) {
        if (!shim_room_take(&room, entry))
            left_out++;
        else
            given += pam_putenv(call->pamh, entry) == PAM_SUCCESS;
    }
    if (left_out > 0)
        pam_syslog(call->pamh, LOG_NOTICE,
                   "uid %lu: variables left out that a session may not have: %lu; see pam_stepvault(8)",
                   (unsigned long)call->user->pw_uid, left_out);
    if (given > 0 || call->options.debug)
        pam_syslog(call->pamh, LOG_INFO, "uid %lu: variables set for the session: %lu",
                   (unsigned long)call->user->pw_uid, given);
}

/* What a job is done with; each may be missing. */
struct secrets {
    const char *password;
    const char *new_password;
    struct message_text keys;
};

static void use_answer(const struct call *call, enum message_action action,
                       const struct message_answer *answer)
{
    note(call, answer);
    if (answer->reason != MESSAGE_DONE)
        return;
    if (action == MESSAGE_SESSION)
        deliver(call, answer);
    if (action == MESSAGE_DERIVE && answer->block_size > 0 &&
        !shim_bridge_put(call->pamh, call->user->pw_uid, answer->block, answer->block_size - 1))
        pam_syslog(call->pamh, LOG_ERR,
                   "uid %lu: the keys cannot be kept for the session; see that root's alone is " SHIM_FOLDER,
                   (unsigned long)call->user->pw_uid);
}

/* Has the helper do the job within that time, and uses what it answers. */
static enum message_reason call_within(const struct call *call, enum message_action action,
                                       const struct secrets *secrets, unsigned left_ms)
{
    const struct message_job job = {.action = action,
                                    .budget_ms = left_ms,
                                    .step = text_of(call->options.step),
                                    .service = text_of(call->service),
                                    .password = text_of(secrets->password),
                                    .new_password = text_of(secrets->new_password),
                                    .keys = secrets->keys};
    uint8_t *buffer = shim_memory_allocate(MESSAGE_ANSWER_MAX);
    struct message_answer answer = {.reason = MESSAGE_FAILED};
    struct shim_child child;
    bool late = false;

    if (buffer == NULL || !shim_child_start(call->user, left_ms, &child)) {
        pam_syslog(call->pamh, LOG_ERR, "uid %lu: cannot start the helper: %m",
                   (unsigned long)call->user->pw_uid);
        shim_memory_free(buffer, MESSAGE_ANSWER_MAX);
        return MESSAGE_FAILED;
    }
    if (shim_exchange(&child, &job, buffer, &answer, &late))
        use_answer(call, action, &answer);
    else
        pam_syslog(
            call->pamh, LOG_NOTICE, "uid %lu: %s", (unsigned long)call->user->pw_uid,
            late ? "the vault took too long, and the session goes on without it; see what the agent does "
                   "with: stepvault status"
                 : "the helper ended without an answer; see that it is there: " SHIM_PROGRAM);
    shim_child_end(&child);
    shim_memory_free(buffer, MESSAGE_ANSWER_MAX);
    return answer.reason;
}

static enum message_reason call_do(const struct call *call, enum message_action action,
                                   const struct secrets *secrets)
{
    const unsigned left_ms = shim_time_left(call->pamh, call->options.deadline_ms);
    const uint64_t started = shim_clock_ms();
    enum message_reason reason;

    /* That it was spent in vain is said already. */
    if (left_ms == 0)
        return MESSAGE_FAILED;
    reason = call_within(call, action, secrets, left_ms);
    shim_time_spend(call->pamh, shim_clock_ms() - started);
    return reason;
}

/* Whether the session may still have use for the password. */
static bool is_settled(enum message_reason reason)
{
    return reason == MESSAGE_DONE || reason == MESSAGE_NO_SLOT || reason == MESSAGE_WRONG;
}

EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct call call;
    const char *password = item(pamh, PAM_AUTHTOK);
    bool crosses;
    bool settled;

    (void)flags;
    shim_stash_drop(pamh);
    shim_time_reset(pamh);
    if (password == NULL || password[0] == '\0' || strlen(password) > MESSAGE_TEXT_MAX ||
        !call_start(pamh, argc, argv, &call))
        return PAM_IGNORE;
    crosses = shim_bridge_is_needed(call.service);
    settled = is_settled(call_do(&call, MESSAGE_UNLOCK, &(const struct secrets){.password = password}));
    if (!settled && crosses)
        (void)call_do(&call, MESSAGE_DERIVE, &(const struct secrets){.password = password});
    else if (!settled)
        shim_stash_put(pamh, call.user->pw_uid, password);
    if (crosses)
        shim_time_hand_over(pamh);
    return PAM_IGNORE;
}

/* Lockers of the screen that open no session. */
EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct call call;
    const char *password;

    if ((flags & PAM_DELETE_CRED) != 0)
        shim_stash_drop(pamh);
    if ((flags & (PAM_REINITIALIZE_CRED | PAM_REFRESH_CRED)) == 0 || !call_start(pamh, argc, argv, &call))
        return PAM_IGNORE;
    password = shim_stash_get(pamh, call.user->pw_uid);
    if (password != NULL &&
        is_settled(call_do(&call, MESSAGE_UNLOCK, &(const struct secrets){.password = password})))
        shim_stash_drop(pamh);
    return PAM_IGNORE;
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct secrets secrets = {.password = NULL};
    struct call call;
    bool started = call_start(pamh, argc, argv, &call);
    uid_t uid = started ? call.user->pw_uid : (uid_t)-1;
    uint8_t *keys = shim_memory_allocate(MESSAGE_TEXT_MAX);

    (void)flags;
    /* Whatever comes of it, what was to cross the bridge does not stay in the environment. */
    secrets.keys = (struct message_text){.bytes = keys, .size = shim_bridge_take(pamh, uid, keys)};
    secrets.password = shim_stash_get(pamh, uid);
    shim_time_take_over(pamh);
    if (started)
        (void)call_do(&call, MESSAGE_SESSION, &secrets);
    shim_memory_free(keys, MESSAGE_TEXT_MAX);
    shim_stash_drop(pamh);
    return PAM_IGNORE;
}

EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    (void)argc;
    (void)argv;
    shim_time_reset(pamh);
    shim_stash_drop(pamh);
    return PAM_IGNORE;
}

/* Both passwords are there only if who changes it had to give the old one. */
EXPORTED int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    struct call call;
    const char *old = item(pamh, PAM_OLDAUTHTOK);
    const char *renewed = item(pamh, PAM_AUTHTOK);
    enum message_reason reason;

    if ((flags & PAM_UPDATE_AUTHTOK) == 0 || renewed == NULL || renewed[0] == '\0' ||
        strlen(renewed) > MESSAGE_TEXT_MAX || (old != NULL && strlen(old) > MESSAGE_TEXT_MAX) ||
        !call_start(pamh, argc, argv, &call))
        return PAM_IGNORE;
    /* Somebody typed before it, and the session that may follow has a deadline of its own. */
    shim_time_reset(pamh);
    reason =
        call_do(&call, MESSAGE_PASSWORD, &(const struct secrets){.password = old, .new_password = renewed});
    shim_time_reset(pamh);
    /* A login goes on after the change of an expired password. Where the vault could not follow, it still
     * opens with the old one. */
    if (shim_stash_get(pamh, call.user->pw_uid) != NULL || (flags & PAM_CHANGE_EXPIRED_AUTHTOK) != 0)
        shim_stash_put(pamh, call.user->pw_uid, is_settled(reason) || old == NULL ? renewed : old);
    return PAM_IGNORE;
}
