/* Deciding by who the provider says it is. */
#include "identity.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "output.h"
#include "prompt.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define QUESTION_MAX 512
#define SHOWN_MAX 128 /* bytes of a name at the provider */

void identity_make_label(const char *base, char destination[NAME_LABEL_MAX + 1])
{
    size_t size = 0;

    for (; *base != '\0' && size < NAME_LABEL_MAX; base++) {
        bool fits = isascii((unsigned char)*base) &&
                    (isalnum((unsigned char)*base) || (size > 0 && strchr("@._+-", *base) != NULL));

        if (fits)
            destination[size++] = *base;
        else if (size > 0 && destination[size - 1] != '-')
            destination[size++] = '-';
    }
    while (size > 0 && !isalnum((unsigned char)destination[size - 1]))
        size--;
    destination[size] = '\0';
}

/* What the agent calls it in an account, too: the name, else the id. */
static const char *identity_of(const struct json *given)
{
    const struct json *identity = json_member(given, "identity");
    const char *name = json_member_text(identity, "name");

    return name != NULL ? name : json_member_text(identity, "id");
}

static const struct json *find_account(const struct attempt *attempt, const char *member, const char *value)
{
    const struct json *accounts = json_member(attempt->others.parameters, "accounts");

    for (size_t i = 0; value != NULL && i < json_count(accounts); i++) {
        if (json_member_is(json_at(accounts, i), member, value))
            return json_at(accounts, i);
    }
    return NULL;
}

static enum status check_label(const struct attempt *attempt, const char *label, struct failure *failure)
{
    if (find_account(attempt, "label", label) != NULL)
        return failure_set(failure, STATUS_EXISTS,
                           "there is an account %s:%.64s already; --reconnect %s:%.64s connects it anew",
                           attempt->intake.slug, label, attempt->intake.slug, label);
    return name_check_label(label, failure);
}

enum status identity_check_label(const struct attempt *attempt, struct failure *failure)
{
    const char *label = option_text(&attempt->invocation->options, "label");

    return label == NULL || attempt->account != NULL ? STATUS_OK : check_label(attempt, label, failure);
}

/* Asks until it is answered with nothing or a label that can be had: the tokens are there already, and would
 * be lost with a slip. */
static enum status ask_label(const struct attempt *attempt, const char *question, struct failure *failure,
                             struct secret *ret_line)
{
    for (;;) {
        enum status status = prompt_line(question, false, NAME_LABEL_MAX, "the label", failure, ret_line);

        if (status == STATUS_OK && ret_line->size > 0)
            status = check_label(attempt, secret_text(ret_line), failure);
        if (status != STATUS_INVALID && status != STATUS_EXISTS && status != STATUS_TOO_LARGE)
            return status;
        output_note("%s", failure->sentence);
    }
}

static enum status take_account(const struct json *account, struct failure *failure,
                                struct identity_place *place)
{
    const char *id = json_member_text(account, "id");

    if (id == NULL || strlen(id) >= sizeof(place->account))
        return failure_set(failure, STATUS_PROTOCOL, "the agent's reply has an account without an id");
    memcpy(place->account, id, strlen(id) + 1);
    return STATUS_OK;
}

/* An account that gets tokens anew. Somebody else's would change under its bindings. */
static enum status check_same(const struct attempt *attempt, const char *id, const char *identity,
                              struct failure *failure, struct identity_place *place)
{
    const char *before_id = json_member_text(attempt->account, "identity_id");
    const char *before = json_member_text(attempt->account, "identity");
    char name[ATTEMPT_CLIENT_SIZE];
    char question[QUESTION_MAX + 64];
    char refusal[QUESTION_MAX];
    enum status status = take_account(attempt->account, failure, place);

    if (status != STATUS_OK || before_id == NULL || before == NULL || id == NULL ||
        strcmp(before_id, id) == 0)
        return status;
    attempt_name(attempt->account, name);
    snprintf(refusal, sizeof(refusal), "%s is the account of %.*s, and this one is of %.*s", name, SHOWN_MAX,
             before, SHOWN_MAX, identity);
    if (!prompt_has_attention())
        return failure_set(failure, STATUS_REFUSED, "%s", refusal);
    snprintf(question, sizeof(question), "%s. Type yes to have it be theirs from now on: ", refusal);
    text_make_plain(question);
    place->other_identity = true;
    return prompt_confirm(question, refusal, failure);
}

/* The same identity under another label is more often a slip than wanted. */
static enum status ask_again(const struct attempt *attempt, const struct json *twin, const char *identity,
                             struct failure *failure, struct identity_place *place)
{
    CLEANUP(secret_reset) struct secret line = {0};
    char name[ATTEMPT_CLIENT_SIZE];
    char question[QUESTION_MAX];
    enum status status;

    attempt_name(twin, name);
    if (!prompt_has_attention())
        return failure_set(
            failure, STATUS_EXISTS,
            "%.*s is connected as %s already; --reconnect %s connects that one anew, and --label adds "
            "another of the same",
            SHOWN_MAX, identity, name, name);
    snprintf(question, sizeof(question),
             "%.*s is connected as %s already. Enter connects that one anew, a label adds another: ",
             SHOWN_MAX, identity, name);
    text_make_plain(question);
    status = ask_label(attempt, question, failure, &line);
    if (status != STATUS_OK)
        return status;
    if (line.size == 0)
        return take_account(twin, failure, place);
    memcpy(place->label, secret_text(&line), line.size + 1);
    return STATUS_OK;
}

/* Of a second account: what it is called at the provider, or the first number that is free. */
static void derive_label(const struct attempt *attempt, const char *identity, char label[NAME_LABEL_MAX + 1])
{
    identity_make_label(identity != NULL ? identity : "", label);
    for (unsigned number = 2; label[0] == '\0' || find_account(attempt, "label", label) != NULL; number++)
        snprintf(label, NAME_LABEL_MAX + 1, "%u", number);
}

static enum status choose_label(const struct attempt *attempt, const char *identity, struct failure *failure,
                                struct identity_place *place)
{
    CLEANUP(secret_reset) struct secret line = {0};
    char question[QUESTION_MAX];
    enum status status;

    if (json_count(json_member(attempt->others.parameters, "accounts")) == 0)
        return STATUS_OK;
    derive_label(attempt, identity, place->label);
    if (!prompt_has_attention())
        return STATUS_OK;
    snprintf(question, sizeof(question), "Label of this account of %s [%s]: ", attempt->intake.slug,
             place->label);
    status = ask_label(attempt, question, failure, &line);
    if (status == STATUS_OK && line.size > 0)
        memcpy(place->label, secret_text(&line), line.size + 1);
    return status;
}

enum status identity_choose_place(const struct attempt *attempt, const struct json *given,
                                  struct failure *failure, struct identity_place *ret_place)
{
    const char *label = option_text(&attempt->invocation->options, "label");
    const char *identity = identity_of(given);
    const char *id = json_member_text(json_member(given, "identity"), "id");
    const struct json *twin = find_account(attempt, "identity_id", id);
    /* A token that was imported is used up, and gone if what came for it is not kept. */
    bool must_be_kept = option_flag(&attempt->invocation->options, "import") && !prompt_has_attention();
    struct identity_place place = {0};
    enum status status = STATUS_OK;

    if (attempt->account != NULL)
        status = check_same(attempt, id, identity, failure, &place);
    else if (label != NULL)
        snprintf(place.label, sizeof(place.label), "%s", label);
    else if (twin != NULL && !must_be_kept)
        status = ask_again(attempt, twin, identity, failure, &place);
    else
        status = choose_label(attempt, identity, failure, &place);
    if (status == STATUS_OK)
        *ret_place = place;
    return status;
}

/* Some providers give a refresh token only once, or only to who asks in their own way. */
static void tell_end(const struct json *account, const char *name)
{
    const char *expires = json_member_text(account, "token_expires");

    if (expires != NULL && !json_has_text(json_member(account, "properties"), "oauth_refresh_token") &&
        !json_member_is(account, "method", "client_credentials"))
        output_note("no refresh token came, so that %s can only be connected anew when its token ends, at %s",
                    name, expires);
}

void identity_tell(const struct json *given, const struct json *kept)
{
    const char *identity = identity_of(given);
    const char *scopes = json_member_text(given, "scopes");
    const char *missing = json_member_text(json_member(kept, "account"), "missing_scopes");
    const char *twin = json_member_text(kept, "twin");
    char name[ATTEMPT_CLIENT_SIZE];

    attempt_name(json_member(kept, "account"), name);
    output_note(
        "connected %s%s%s%s%s", name, identity != NULL ? " as " : "", identity != NULL ? identity : "",
        scopes != NULL && scopes[0] != '\0' ? ", with the scopes " : "", scopes != NULL ? scopes : "");
    if (missing != NULL)
        output_note("%s was not given %s, which it was asked for", name, missing);
    tell_end(json_member(kept, "account"), name);
    if (twin != NULL)
        output_note(
            "%s is of the same identity; some providers end the tokens of one when another is connected",
            twin);
}
