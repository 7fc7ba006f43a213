/* The table of methods: who answers a call, what it needs, which parameters it takes, what its leaf is
 * called. */
#ifndef STEPVAULT_AGENT_METHOD_H
#define STEPVAULT_AGENT_METHOD_H

#include "agent/call.h"
#include "base/status.h"
#include "leaf.h"
#include "rekey.h"
#include "vault.h"

#include <stdbool.h>

struct session;
struct job;
struct stage;
struct restoring;
struct connected;
struct parking;
struct request;

/* The text of io.stepvault.Agent.varlink, byte for byte; made by the Makefile. */
extern const char agent_interface_text[];

enum parameter_kind {
    PARAMETER_TEXT = 1,
    PARAMETER_NUMBER,
    PARAMETER_BOOLEAN,
    PARAMETER_OBJECT,
    PARAMETER_TEXTS,
    PARAMETER_SLOT_KEY,
    PARAMETER_NEW_SLOT,
    PARAMETER_NEW_SLOTS,
    PARAMETER_REKEY_SLOTS,
    PARAMETER_IMPORT_ACCOUNTS
};

struct parameter {
    const char *name;
    enum parameter_kind kind;
    bool optional;
};

/* What the vault must be for the method: nothing, a file, or open (a slot key in the call opens it for the
 * call). Only what needs nothing is served where the file is foreign (session.h). */
enum method_state { METHOD_ANY, METHOD_VAULT, METHOD_OPEN };

#define METHOD_FRESH_KEY 1u /* the slot key is required, open vault or not */
#define METHOD_ALONE 2u     /* never shares a turn, and opens, commits and logs by itself */
#define METHOD_MANY 4u      /* answers in many replies, by a job */
#define METHOD_SERVICE 8u   /* of org.varlink.service: knows neither vault nor key */
#define METHOD_NO_KEY 16u   /* takes no slot_key */
#define METHOD_CALL_KEY                                                                                      \
    32u /* a slot key opens a locked vault for it, although it does not need an open one */

#define METHOD_STAGES 64u  /* a call that fails spoils what its connection has staged */
#define METHOD_NO_USE 128u /* a key press, no use of the vault: does not put off the idle lock */

#define METHOD_PARAMETERS_MAX 13

struct method {
    const char *name;
    enum status (*serve)(struct session *session, struct request *request);
    const char *action; /* of its leaf; NULL: it is not logged */
    enum method_state state;
    unsigned flags;
    struct parameter parameters[METHOD_PARAMETERS_MAX]; /* besides vault and slot_key */
};

/* One call being served. It holds a key, so it lies in secret memory; nothing in it outlives the serving. */
struct request {
    const struct method *method;
    const struct json *parameters;
    bool has_key;
    struct vault_key key;
    struct leaf leaf;
    struct reply reply; /* members of the reply's parameters go to reply.writer */
    struct failure failure;
    struct job *job;               /* what answers; METHOD_MANY: in many replies */
    struct stage **stage;          /* METHOD_STAGES: of the call's connection, NULL in it before the first */
    struct restoring **restoring;  /* the same, of StageRestore and Restore */
    struct connected **connected;  /* the same, of Connect and KeepAccount */
    const struct parking *before;  /* of the last serving of this call, where it had to wait; else NULL */
    struct parking **parking;      /* with STATUS_WAITS: what the call waits for */
    const char *missing_interface; /* Varlink's own error instead of the failure */
};

enum method_lookup { METHOD_FOUND, METHOD_NO_INTERFACE, METHOD_NO_METHOD };

/* Finds `name` ("interface.Method"). For METHOD_NO_INTERFACE the interface's name is copied to `interface`
 * (cut if need be). */
enum method_lookup method_find(const char *name, const struct method **ret_method, char interface[256]);

/* The method of row `index`, and NULL past the last: for tests. */
const struct method *method_at(size_t index);

/* Checks names and kinds; NULL if all is well, else the name of the first parameter that is wrong, missing or
 * superfluous. */
const char *method_check(const struct method *method, const struct json *parameters);

/* Read a SlotKey, a NewSlot and what is claimed of a RekeySlot, which method_check let pass. STATUS_INVALID
 * says what breaks its form. */
enum status method_read_key(const struct json *slot_key, struct failure *failure, struct vault_key *ret_key);
enum status method_read_slot(const struct json *new_slot, struct failure *failure,
                             struct vault_new_slot *ret_slot);
enum status method_read_claim(const struct json *rekey_slot, struct failure *failure,
                              struct rekey_claim *ret_claim);

#endif
