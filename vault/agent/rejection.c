/* A renewal that a rejected token asks for, and what came of it. */
#include "agent/rejection.h"

#include "agent/parking.h"
#include "agent/renewal.h"
#include "agent/session.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

struct rejection {
    struct session *session;
    uint8_t id[STORE_ID_SIZE];
    uint64_t generation;
    struct parking *parking; /* NULL: there was nothing to wait for */
};

static enum status begin(struct rejection *rejection, struct failure *failure)
{
    struct session *session = rejection->session;
    enum token_rejection found;
    enum status status =
        token_judge_rejection(session->vault, rejection->id, rejection->generation, failure, &found);

    if (status != STATUS_OK || found != TOKEN_RENEWABLE)
        return status;
    if (session->draining)
        return failure_set(failure, STATUS_LOCKED, "the vault %s is being locked", session->path);
    status = parking_begin(session, NULL, failure, &rejection->parking);
    if (status == STATUS_OK)
        status =
            renewal_ask_instead(session, rejection->id, rejection->generation, rejection->parking, failure);
    return status;
}

enum status rejection_start(struct session *session, const uint8_t id[STORE_ID_SIZE], uint64_t generation,
                            struct failure *failure, struct rejection **ret_rejection)
{
    struct rejection *rejection = calloc(1, sizeof(*rejection));
    enum status status;

    if (rejection == NULL)
        return failure_set_no_memory(failure);
    *rejection = (struct rejection){.session = session, .generation = generation};
    memcpy(rejection->id, id, STORE_ID_SIZE);
    status = begin(rejection, failure);
    if (status == STATUS_OK)
        *ret_rejection = rejection;
    else
        rejection_freep(&rejection);
    return status;
}

bool rejection_is_pending(const struct rejection *rejection)
{
    return rejection->parking != NULL && rejection->parking->pending > 0;
}

enum rejection_outcome rejection_find_outcome(const struct rejection *rejection, struct failure *ret_why)
{
    const struct parking *parking = rejection->parking;
    enum token_rejection found;
    enum status status = token_judge_rejection(rejection->session->vault, rejection->id,
                                               rejection->generation, ret_why, &found);

    if (status != STATUS_OK)
        return REJECTION_UNKNOWN;
    ret_why->status = STATUS_OK;
    if (found == TOKEN_REPLACED)
        return REJECTION_RETRY;
    if (parking != NULL && parking->failure.status != STATUS_OK)
        *ret_why = parking->failure;
    return found == TOKEN_REJECTED ? REJECTION_FINAL : REJECTION_UNKNOWN;
}

/* The vault is closed by whoever frees the job. */
void rejection_freep(struct rejection **rejection)
{
    if (*rejection == NULL)
        return;
    parking_end(&(*rejection)->parking);
    free(*rejection);
    *rejection = NULL;
}
