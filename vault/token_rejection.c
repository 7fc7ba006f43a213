/* What an API says of an access token: a renewal that time does not ask for, or a verdict. */
#include "token_interior.h"

#include "account_interior.h"
#include "base/cleanup.h"
#include "base/name.h"

#include <string.h>

enum status token_judge_rejection(struct vault *vault, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                                  struct failure *failure, enum token_rejection *ret_rejection)
{
    CLEANUP(record_reset) struct record account = {0};
    struct token_fields fields;

    enum status status = token_find_account_still(vault, id, failure, &account, &fields);
    if (status != STATUS_OK)
        return status;
    if (fields.generation != generation)
        *ret_rejection = TOKEN_REPLACED;
    else if (fields.state != NULL || fields.rejected == generation || !token_can_renew(&account, &fields))
        *ret_rejection = TOKEN_REJECTED;
    else
        *ret_rejection = TOKEN_RENEWABLE;
    return STATUS_OK;
}

/* False: it stands so already, or is nothing that a test could say. */
static bool note_rejection(struct token_fields *fields, const char *reason)
{
    struct failure ignored;

    if (fields->state != NULL || strcmp(fields->grant, TOKEN_CLIENT_CREDENTIALS) == 0)
        return false;
    fields->state = TOKEN_STATE_DEAD;
    fields->rejected = fields->generation;
    fields->error =
        name_check_note(reason, &ignored) == STATUS_OK ? reason : "its API does not take its token";
    return true;
}

static bool end_rejection(struct token_fields *fields)
{
    if (fields->rejected == 0 || token_is_final(fields))
        return false;
    if (fields->state != NULL)
        fields->error = NULL;
    fields->state = NULL;
    fields->rejected = 0;
    return true;
}

static bool describe(struct leaf *leaf, uint64_t generation)
{
    CLEANUP(secret_reset) struct secret object = {0};
    struct json_writer writer;

    leaf_open_details(&writer, &object);
    json_add_number(&writer, "generation", generation);
    return leaf_add_details(leaf, &writer);
}

enum status token_note_trial(struct vault *vault, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                             bool taken, const char *reason, struct leaf *leaf, struct failure *failure,
                             bool *ret_noted)
{
    CLEANUP(record_reset) struct record account = {0};
    struct token_fields fields;
    bool found;

    enum status status = token_find_account(vault, id, failure, &account, &fields, &found);
    if (status != STATUS_OK)
        return status;
    bool noted = found && fields.generation == generation &&
                 (taken ? end_rejection(&fields) : note_rejection(&fields, reason));
    if (noted) {
        account_name_in_leaf(&account, leaf);
        leaf->granted = taken;
        leaf->why = STATUS_NEEDS_RECONNECT;
        if (!describe(leaf, generation))
            return failure_set_no_memory(failure);
        status = token_write_grant(vault, &account, &fields, failure);
        if (status != STATUS_OK)
            return status;
    }
    *ret_noted = noted;
    return STATUS_OK;
}
