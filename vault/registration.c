/* The user's own OAuth clients. */
#include "registration.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_CLIENT "oauth/client" /* of an account */

void registration_name(const struct record *registration, char destination[REGISTRATION_NAME_SIZE])
{
    snprintf(destination, REGISTRATION_NAME_SIZE, "%s:%s", registration->where, registration->name);
}

static void name_in_leaf(const char *app, const char *label, struct leaf *leaf)
{
    snprintf(leaf->app, sizeof leaf->app, "%s", app);
    snprintf(leaf->label, sizeof leaf->label, "%s", label);
}

/* ---- Who uses it ---- */

/* Names of accounts, as many as there is room for. */
struct users {
    const char *client; /* app:label */
    char names[FAILURE_SENTENCE_MAX];
    size_t size;
    struct json_writer *writer; /* or NULL */
};

static bool note_user(const struct record *account, void *context)
{
    struct users *users = context;
    const char *client = record_field(account, FIELD_CLIENT, NULL);
    char name[REGISTRATION_NAME_SIZE];

    if (client == NULL || strcmp(client, users->client) != 0)
        return true;
    snprintf(name, sizeof name, "%s:%s", account->where, account->name);
    if (users->writer != NULL)
        json_add_text(users->writer, NULL, name);
    if (users->size < sizeof users->names)
        users->size += (size_t)snprintf(users->names + users->size, sizeof users->names - users->size, "%s%s",
                                        users->size > 0 ? ", " : "", name);
    return true;
}

static enum status find_users(struct vault *vault, const struct record *registration, struct users *users,
                              struct failure *failure)
{
    char client[REGISTRATION_NAME_SIZE];

    registration_name(registration, client);
    users->client = client;
    enum status status = record_visit_accounts(vault, note_user, users, failure);
    users->client = NULL;
    return status;
}

/* ---- Writing ---- */

static enum status write_client(struct vault *vault, const struct record *registration, const char *key,
                                struct json_writer *writer, struct failure *failure)
{
    const char *redirect_uri = record_field(registration, REGISTRATION_FIELD_REDIRECT_URI, NULL);
    struct users users = {.writer = writer};
    char time[CLOCK_TEXT_SIZE];

    json_open_object(writer, key);
    json_add_text(writer, "app", registration->where);
    json_add_text(writer, "label", registration->name);
    json_add_text(writer, "client_id", record_field(registration, REGISTRATION_FIELD_ID, NULL));
    json_add_boolean(writer, "public", !record_has(registration, REGISTRATION_FIELD_SECRET));
    if (redirect_uri != NULL)
        json_add_text(writer, "redirect_uri", redirect_uri);
    clock_format(time, record_number(registration, "created"));
    json_add_text(writer, "created", time);
    clock_format(time, record_number(registration, "updated"));
    json_add_text(writer, "updated", time);
    json_open_array(writer, "accounts");
    enum status status = find_users(vault, registration, &users, failure);
    json_close_array(writer);
    json_close_object(writer);
    return status;
}

void registration_write_job(const struct record *registration, bool secret, struct json_writer *writer)
{
    size_t size;
    const char *value = record_field(registration, REGISTRATION_FIELD_SECRET, &size);

    json_open_object(writer, "client");
    json_add_text(writer, "id", record_field(registration, REGISTRATION_FIELD_ID, NULL));
    if (secret && value != NULL)
        json_add_bytes(writer, "secret", value, size);
    json_close_object(writer);
}

/* ---- Adding ---- */

/* What goes into an address as it is: visible ASCII. */
bool registration_text_is_sound(const char *text)
{
    size_t size = strlen(text);

    if (size == 0 || size > REGISTRATION_TEXT_MAX)
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

bool registration_redirect_is_sound(const char *redirect_uri)
{
    size_t scheme = strspn(redirect_uri, "abcdefghijklmnopqrstuvwxyz0123456789+.-");

    return registration_text_is_sound(redirect_uri) && scheme > 0 && redirect_uri[scheme] == ':' &&
           strchr(redirect_uri, '#') == NULL;
}

static enum status check_change(const struct registration_change *change, const char *label,
                                struct failure *failure)
{
    enum status status = name_check_app(change->app, failure);

    if (status == STATUS_OK)
        status = name_check_label(label, failure);
    if (status != STATUS_OK)
        return status;
    if (!registration_text_is_sound(change->client_id))
        return failure_set(failure, STATUS_INVALID,
                           "a client id is from 1 to %u visible characters of ASCII, without blanks",
                           REGISTRATION_TEXT_MAX);
    if (change->client_secret != NULL &&
        (change->client_secret[0] == '\0' || strlen(change->client_secret) > NAME_VALUE_MAX))
        return failure_set(failure, STATUS_INVALID, "a client secret has from 1 to %u bytes", NAME_VALUE_MAX);
    if (change->redirect_uri != NULL && !registration_redirect_is_sound(change->redirect_uri))
        return failure_set(failure, STATUS_INVALID,
                           "the redirect address is no URI such as http://127.0.0.1:8080/callback");
    return STATUS_OK;
}

/* Refresh tokens are good for the client that they were given to. */
static enum status check_replaced(struct vault *vault, const struct record *previous,
                                  const struct registration_change *change, struct failure *failure)
{
    struct users users = {.size = 0};

    if (!change->replace)
        return failure_set(failure, STATUS_EXISTS, "there is a client %s:%s already (--replace replaces it)",
                           previous->where, previous->name);
    if (strcmp(record_field(previous, REGISTRATION_FIELD_ID, NULL), change->client_id) == 0)
        return STATUS_OK;
    enum status status = find_users(vault, previous, &users, failure);
    if (status != STATUS_OK || users.size == 0)
        return status;
    return failure_set(failure, STATUS_IN_USE,
                       "the client %s:%s has another client id, by which these were connected: %s",
                       previous->where, previous->name, users.names);
}

enum status registration_add(struct vault *vault, const struct registration_change *change, struct leaf *leaf,
                             struct failure *failure, struct json_writer *writer)
{
    CLEANUP(record_reset) struct record previous = {0};
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const char *label = change->label != NULL ? change->label : REGISTRATION_LABEL;
    bool found = false;

    enum status status = check_change(change, label, failure);
    if (status != STATUS_OK)
        return status;
    name_in_leaf(change->app, label, leaf);
    status = record_find(vault, RECORD_CLIENT, change->app, label, failure, &previous, &found);
    if (status == STATUS_OK && found)
        status = check_replaced(vault, &previous, change, failure);
    if (status != STATUS_OK)
        return status;
    record_draft_start(&draft, RECORD_CLIENT, change->app, label, change->app, found ? &previous : NULL);
    record_draft_add_text(&draft, REGISTRATION_FIELD_ID, change->client_id);
    if (change->client_secret != NULL)
        record_draft_add_text(&draft, REGISTRATION_FIELD_SECRET, change->client_secret);
    if (change->redirect_uri != NULL)
        record_draft_add_text(&draft, REGISTRATION_FIELD_REDIRECT_URI, change->redirect_uri);
    status = record_write(vault, &draft, failure, NULL);
    if (status != STATUS_OK)
        return status;
    const struct record registration = record_draft_preview(&draft);
    json_add_boolean(writer, "replaced", found);
    return write_client(vault, &registration, "client", writer, failure);
}

/* ---- Finding ---- */

static enum status missing(const char *app, const char *label, struct failure *failure)
{
    return failure_set(failure, STATUS_NOT_FOUND, "there is no OAuth client %s:%s", app, label);
}

static enum status resolve_label(struct vault *vault, const char *app, const char *label,
                                 struct failure *failure, struct record *ret_registration)
{
    bool found = false;

    enum status status = name_check_app(app, failure);
    if (status == STATUS_OK)
        status = name_check_label(label, failure);
    if (status == STATUS_OK)
        status = record_find(vault, RECORD_CLIENT, app, label, failure, ret_registration, &found);
    return status != STATUS_OK || found ? status : missing(app, label, failure);
}

static enum status ambiguous(const char *app, const struct records *clients, struct failure *failure)
{
    char choices[FAILURE_SENTENCE_MAX];

    records_name(clients, choices);
    return failure_set(failure, STATUS_AMBIGUOUS, "%s has %zu OAuth clients: %s", app, clients->count,
                       choices);
}

/* The default of an app, or else its only one. */
static enum status resolve_any(struct vault *vault, const char *app, struct failure *failure,
                               struct record *ret_registration)
{
    CLEANUP(records_reset) struct records clients = {0};
    size_t chosen = 0;

    enum status status = name_check_app(app, failure);
    if (status == STATUS_OK)
        status = record_list_linked(vault, RECORD_LINK_CLIENT, app, failure, &clients);
    if (status != STATUS_OK)
        return status;
    if (clients.count == 0)
        return failure_set(failure, STATUS_NOT_FOUND, "there is no OAuth client of %s", app);
    while (chosen < clients.count && strcmp(clients.items[chosen].name, REGISTRATION_LABEL) != 0)
        chosen++;
    if (chosen == clients.count && clients.count > 1)
        return ambiguous(app, &clients, failure);
    chosen = chosen < clients.count ? chosen : 0;
    *ret_registration = clients.items[chosen];
    memset(&clients.items[chosen], 0, sizeof clients.items[chosen]);
    return STATUS_OK;
}

enum status registration_resolve(struct vault *vault, const char *app, const char *client,
                                 struct failure *failure, struct record *ret_registration)
{
    const char *colon = client == NULL ? NULL : strchr(client, ':');
    char other[NAME_APP_MAX + 1];

    if (client == NULL)
        return resolve_any(vault, app, failure, ret_registration);
    if (colon == NULL)
        return resolve_label(vault, app, client, failure, ret_registration);
    if ((size_t)(colon - client) > NAME_APP_MAX)
        return failure_set(failure, STATUS_INVALID, "the app's name before the colon is over %u bytes",
                           NAME_APP_MAX);
    memcpy(other, client, (size_t)(colon - client));
    other[colon - client] = '\0';
    return resolve_label(vault, other, colon + 1, failure, ret_registration);
}

/* ---- Listing and removing ---- */

static int compare_clients(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order = strcmp(a->where, b->where);

    return order != 0 ? order : strcmp(a->name, b->name);
}

enum status registration_list(struct vault *vault, const char *app, struct failure *failure,
                              struct json_writer *writer)
{
    CLEANUP(records_reset) struct records clients = {0};

    enum status status = app == NULL ? STATUS_OK : name_check_app(app, failure);
    if (status == STATUS_OK)
        status = app == NULL ? record_list_clients(vault, failure, &clients)
                             : record_list_linked(vault, RECORD_LINK_CLIENT, app, failure, &clients);
    if (status != STATUS_OK)
        return status;
    if (clients.count > 1)
        qsort(clients.items, clients.count, sizeof clients.items[0], compare_clients);
    json_open_array(writer, "clients");
    for (size_t i = 0; status == STATUS_OK && i < clients.count; i++)
        status = write_client(vault, &clients.items[i], NULL, writer, failure);
    json_close_array(writer);
    return status;
}

enum status registration_remove(struct vault *vault, const char *app, const char *label, struct leaf *leaf,
                                struct failure *failure)
{
    CLEANUP(record_reset) struct record registration = {0};
    struct users users = {.size = 0};

    enum status status = registration_resolve(vault, app, label, failure, &registration);
    if (status != STATUS_OK)
        return status;
    name_in_leaf(registration.where, registration.name, leaf);
    status = find_users(vault, &registration, &users, failure);
    if (status != STATUS_OK)
        return status;
    if (users.size > 0)
        return failure_set(failure, STATUS_IN_USE, "the client %s:%s is used by %s", registration.where,
                           registration.name, users.names);
    return record_remove(vault, &registration, failure);
}
