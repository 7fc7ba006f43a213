/* The helper's dealings with the agent of its user. */
#ifndef STEPVAULT_HELPER_CONTACT_H
#define STEPVAULT_HELPER_CONTACT_H

#include "base/secret.h"
#include "base/status.h"
#include "client/client.h"
#include "key.h"

#include <limits.h>
#include <stdbool.h>

/* All zero but for its timeout is the valid empty value. */
struct contact {
    char vault[PATH_MAX]; /* canonical; by contact_find */
    struct client *client;
    bool stays; /* we started it, and it is to stay */
    int timeout_ms;
    bool shown; /* contact_show */
};

/* Finds the user's vault. STATUS_NO_VAULT where there is none. */
enum status contact_find(struct contact *contact, struct failure *failure);

/* Connects to the agent that listens: STATUS_NO_AGENT if none does. */
enum status contact_connect(struct contact *contact, struct failure *failure);

/* Starts one, which stays, by the user's systemd if that does it; or which ends with the contact. */
enum status contact_start_agent(struct contact *contact, bool stays, struct failure *failure);

/* No password is in memory any more, so the agent may look at who asks, while it is asked. It looks when it
 * accepts a connection, so this makes a new one where it listens. */
enum status contact_show(struct contact *contact, struct failure *failure);

/* Calls, with the members besides vault and slot key (NULL: none) and with `key` unless it is NULL. */
enum status contact_call(struct contact *contact, const char *method, const struct secret *members,
                         const struct key *key, struct failure *failure, struct secret *ret_reply);

/* Whether the vault is open. */
enum status contact_ask_state(struct contact *contact, struct failure *failure, bool *ret_open);

enum status contact_list_slots(struct contact *contact, struct failure *failure,
                               struct key_headers *ret_headers);

/* Ends the agent that we started for nothing. */
void contact_give_up(struct contact *contact);

void contact_reset(struct contact *contact);

#endif
