/* Admission of a call, its serving, its leaf, and the commit of a turn. */
#include "agent/turn.h"

#include "agent/connecting.h"
#include "agent/job.h"
#include "agent/parking.h"
#include "agent/restoring.h"
#include "agent/stage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "log.h"

#include <string.h>

#define TURN_LONGEST_MS 20u       /* callers wait no longer for others of their turn */
#define TURN_BYTES_MAX (4u << 20) /* nor does memory hold more of their replies */

enum status turn_start(struct turn *turn, struct session *session,
                       const struct leaf_caller *(*identify)(struct exchange *exchange),
                       struct failure *failure)
{
    *turn = (struct turn){.session = session, .identify = identify};
    turn->last = &turn->first;
    turn->request = secret_allocate(sizeof(*turn->request));
    if (turn->request == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory to serve calls");
    return STATUS_OK;
}

void turn_end(struct turn *turn)
{
    secret_free(turn->request);
    turn->request = NULL;
}

static bool call_brings_key(const struct call *call)
{
    return json_member(call->parameters, "slot_key") != NULL;
}

bool turn_needs_own(const struct turn *turn, const struct call *call)
{
    const struct method *method;
    char interface[256];

    if (method_find(call->method, &method, interface) != METHOD_FOUND)
        return false;
    return (method->flags & (METHOD_ALONE | METHOD_MANY)) ||
           (!turn->session->unlocked && call_brings_key(call));
}

static void output_drop(struct exchange *exchange)
{
    struct secret *output = exchange->output;

    if (output->size > exchange->start)
        secret_wipe(output->bytes + exchange->start, output->size - exchange->start);
    output->size = exchange->start;
}

/* Errors of the envelope and of form, which concern no vault and are not logged. False if one was answered.
 */
static bool call_is_sound(struct turn *turn, struct exchange *exchange, const struct call *call)
{
    const struct method *method;
    const char *parameter;
    char interface[256];

    switch (method_find(call->method, &method, interface)) {
    case METHOD_NO_INTERFACE:
        reply_service_error(exchange->output, "InterfaceNotFound", "interface", interface);
        return false;
    case METHOD_NO_METHOD:
        reply_service_error(exchange->output, "MethodNotFound", "method", call->method);
        return false;
    case METHOD_FOUND:
        break;
    }
    exchange->method = method;
    parameter = method_check(method, call->parameters);
    if (call->upgrade)
        reply_service_error(exchange->output, "MethodNotImplemented", "method", call->method);
    else if (parameter != NULL)
        reply_service_error(exchange->output, "InvalidParameter", "parameter", parameter);
    else if ((method->flags & METHOD_MANY) && !call->more)
        reply_service_error(exchange->output, "ExpectedMore", NULL, NULL);
    if (exchange->output->size != exchange->start)
        return false;
    *turn->request = (struct request){.method = method,
                                      .parameters = call->parameters,
                                      .stage = &exchange->stage,
                                      .restoring = &exchange->restoring,
                                      .connected = &exchange->connected,
                                      .parking = &exchange->parking};
    return true;
}

static enum status read_key(struct request *request)
{
    const struct json *slot_key = json_member(request->parameters, "slot_key");
    enum status status;

    if (slot_key == NULL)
        return STATUS_OK;
    status = method_read_key(slot_key, &request->failure, &request->key);
    request->has_key = status == STATUS_OK;
    return status;
}

/* What the method needs: the right vault, its state, a key. A locked vault is opened here, for this call, by
 * its key. */
static enum status admit(struct session *session, struct request *request)
{
    const struct method *method = request->method;
    struct failure *failure = &request->failure;
    enum status status;

    if (method->flags & METHOD_SERVICE)
        return STATUS_OK;
    if (strcmp(json_member_text(request->parameters, "vault"), session->path) != 0)
        return failure_set(failure, STATUS_OTHER_VAULT,
                           "this agent serves %s, and the call means another vault", session->path);
    status = session_look(session, failure);
    if (status != STATUS_OK)
        return method->state == METHOD_ANY ? read_key(request) : status;
    status = read_key(request);
    if (status != STATUS_OK)
        return status;
    if (!session->unlocked && method->state != METHOD_ANY && strcmp(session_state(session), "absent") == 0)
        return failure_set(failure, STATUS_NO_VAULT, "there is no vault at %s", session->path);
    if (session->draining && method->state != METHOD_ANY && request->before == NULL)
        return failure_set(failure, STATUS_LOCKED, "the vault %s is being locked", session->path);
    if (method->state != METHOD_OPEN && !(method->flags & METHOD_CALL_KEY))
        return STATUS_OK;
    if (!session->unlocked && request->has_key && strcmp(session_state(session), "absent") != 0)
        return session_open(session, &request->key, failure);
    if (method->state != METHOD_OPEN)
        return STATUS_OK;
    if (!session->unlocked)
        return failure_set(failure, STATUS_LOCKED, "the vault %s is locked", session->path);
    if (!(method->flags & METHOD_NO_USE))
        session->used_at_ms = clock_boot_ms();
    if (!(method->flags & METHOD_FRESH_KEY))
        return STATUS_OK;
    if (!request->has_key)
        return failure_set(failure, STATUS_KEY_REQUIRED, "%s needs a slot key on the call", method->name);
    return vault_check_key(session->vault, &request->key, failure);
}

/* Granted: the method's work and its leaf. A change without its leaf is none, so a failing leaf breaks the
 * turn. */
static enum status serve(struct session *session, struct request *request, bool *ret_broken)
{
    const struct method *method = request->method;
    bool logged = method->action != NULL && !(method->flags & METHOD_ALONE);
    struct vault_mark mark = {0};
    enum status status = STATUS_OK;

    *ret_broken = false;
    if (logged)
        status = session_begin(session, &request->failure);
    if (session->turn)
        mark = vault_set_mark(session->vault);
    if (status == STATUS_OK)
        status = method->serve(session, request);
    *ret_broken = session->turn && (vault_is_broken(session->vault) ||
                                    (status != STATUS_OK && vault_has_moved(session->vault, &mark)));
    if (status != STATUS_OK || !logged || request->leaf.appended)
        return status;
    request->leaf.granted = true;
    status = log_append(session->vault, &request->leaf, &request->failure);
    *ret_broken = status != STATUS_OK;
    return status;
}

/* The turn cannot be saved: whoever was part of it gets the failure, and refusals wait for the log. */
static void turn_fail(struct turn *turn, const struct failure *failure)
{
    for (struct exchange *exchange = turn->first; exchange != NULL; exchange = exchange->next) {
        if (!exchange->in_turn)
            continue;
        if (exchange->action != NULL)
            session_refuse(turn->session, exchange->action, turn->identify(exchange),
                           exchange->granted ? failure->status : exchange->why);
        exchange->in_turn = false;
        if (!exchange->granted)
            continue;
        exchange->granted = false;
        exchange->why = failure->status;
        job_freep(&exchange->job);
        output_drop(exchange);
        if (!exchange->oneway)
            reply_failure(exchange->output, failure);
    }
}

/* The others of the turn are told of what concerns them: the log, or that it was not their fault. */
static void turn_abort(struct turn *turn, const struct failure *failure)
{
    struct failure others = *failure;

    if (failure->status != STATUS_LOG_UNWRITABLE)
        failure_set(&others, STATUS_FAILED,
                    "another call of the same moment failed halfway, so nothing of this one happened");
    session_rollback(turn->session);
    turn_fail(turn, &others);
}

/* A refused call gets its leaf in the turn if the vault is open to it and can be written, else it waits. A
 * wrong key is a refusal worth a leaf with any method. */
static void log_refusal(struct turn *turn, struct exchange *exchange)
{
    struct session *session = turn->session;
    struct leaf *leaf = &turn->request->leaf;
    struct failure failure;

    if (exchange->action == NULL && exchange->why == STATUS_WRONG_KEY)
        exchange->action = "open";
    if (exchange->action == NULL)
        return;
    leaf->action = exchange->action;
    leaf->caller = turn->identify(exchange);
    leaf->granted = false;
    leaf->why = exchange->why;
    if (session->vault != NULL && exchange->why != STATUS_LOG_UNWRITABLE &&
        session_begin(session, &failure) == STATUS_OK) {
        if (log_append(session->vault, leaf, &failure) == STATUS_OK)
            return;
        if (vault_is_broken(session->vault))
            turn_abort(turn, &failure);
    }
    session_refuse(session, exchange->action, turn->identify(exchange), exchange->why);
}

static const struct leaf_caller *find_caller(void *context)
{
    struct turn *turn = context;

    return turn->identify(turn->current);
}

static void answer(struct turn *turn, struct exchange *exchange)
{
    struct session *session = turn->session;
    struct request *request = turn->request;
    bool broken = false;
    enum status status;

    exchange->action = exchange->method->action;
    if (exchange->action != NULL) {
        request->leaf.action = exchange->action;
        turn->current = exchange;
        request->leaf.find_caller = find_caller;
        request->leaf.context = turn;
    }
    reply_open(&request->reply, exchange->output);
    status = exchange->stage_spoilt && (exchange->method->flags & METHOD_STAGES)
                 ? failure_set(&request->failure, STATUS_FAILED,
                               "an earlier call of this import failed, so nothing of it is imported; the "
                               "same of a restore")
                 : admit(session, request);
    if (status == STATUS_OK)
        status = serve(session, request, &broken);
    if (status == STATUS_OK && request->job == NULL) {
        status = reply_close(&request->reply, false, &request->failure);
        /* What cannot be said must not have happened. */
        broken = status != STATUS_OK && session->turn;
    } else {
        reply_drop(&request->reply);
    }
    if (status == STATUS_WAITS && broken)
        status = failure_set(&request->failure, STATUS_FAILED, "a call that must wait had changed something");
    if (broken)
        turn_abort(turn, &request->failure);
    if (status == STATUS_WAITS)
        return;
    parking_end(&exchange->parking);
    exchange->granted = status == STATUS_OK;
    exchange->why = status;
    session->suspect = session->suspect || (status == STATUS_CORRUPT && session->vault != NULL);
    if (status == STATUS_OK) {
        exchange->job = request->job;
    } else {
        job_freep(&request->job);
        log_refusal(turn, exchange);
    }
    /* Whoever read what is not committed yet is part of the turn, too. */
    exchange->in_turn = session->turn;
    if (request->missing_interface != NULL)
        reply_service_error(exchange->output, "InterfaceNotFound", "interface", request->missing_interface);
    else if (status != STATUS_OK)
        reply_failure(exchange->output, &request->failure);
}

void turn_serve(struct turn *turn, struct exchange *exchange, const struct call *call)
{
    struct parking *before = TAKE(exchange->parking);

    connected_settle(&exchange->connected, exchange->granted);
    exchange->start = exchange->output->size;
    exchange->next = NULL;
    exchange->job = NULL;
    exchange->method = NULL;
    exchange->in_turn = false;
    exchange->granted = false;
    exchange->oneway = call->oneway;
    if (turn->first == NULL)
        turn->since_ms = clock_monotonic_ms();
    *turn->last = exchange;
    turn->last = &exchange->next;
    if (!exchange->owner) {
        session_refuse(turn->session, "call", turn->identify(exchange), STATUS_DENIED);
        reply_service_error(exchange->output, "PermissionDenied", NULL, NULL);
    } else if (call_is_sound(turn, exchange, call)) {
        turn->request->before = before;
        answer(turn, exchange);
        leaf_reset(&turn->request->leaf);
        secret_wipe(&turn->request->key, sizeof(turn->request->key));
    }
    if (exchange->method != NULL && (exchange->method->flags & METHOD_STAGES) && !exchange->granted) {
        exchange->stage_spoilt = true;
        stage_end(&exchange->stage);
        restoring_freep(&exchange->restoring);
    }
    if (exchange->oneway)
        output_drop(exchange);
    turn->bytes += exchange->output->size - exchange->start;
    parking_end(&before);
}

bool turn_is_long(const struct turn *turn)
{
    return turn->first != NULL &&
           (turn->bytes > TURN_BYTES_MAX || clock_monotonic_ms() - turn->since_ms > TURN_LONGEST_MS);
}

/* A call that was part of a turn which is no more must not get its reply: nothing made it durable (P2). */
static bool turn_is_lost(const struct turn *turn)
{
    for (const struct exchange *exchange = turn->first; exchange != NULL; exchange = exchange->next)
        if (exchange->in_turn)
            return !turn->session->turn;
    return false;
}

struct exchange *turn_finish(struct turn *turn)
{
    struct exchange *first = turn->first;
    struct failure failure;

    if (turn_is_lost(turn)) {
        failure_set(&failure, STATUS_FAILED, "the agent dropped the turn of this call");
        turn_fail(turn, &failure);
    } else if (session_commit(turn->session, &failure) != STATUS_OK) {
        turn_fail(turn, &failure);
    }
    session_close(turn->session);
    turn->first = NULL;
    turn->last = &turn->first;
    turn->bytes = 0;
    return first;
}
