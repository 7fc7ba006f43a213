/* Counting what a parked call waits for. */
#include "agent/parking.h"

#include "agent/session.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <stdlib.h>

enum status parking_begin(struct session *session, const struct parking *before, struct failure *failure,
                          struct parking **parking)
{
    struct parking *made;

    if (*parking != NULL)
        return STATUS_OK;
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return failure_set_no_memory(failure);
    *made = (struct parking){.session = session,
                             .held = true,
                             .borrows = !session->unlocked,
                             .rounds = before != NULL ? before->rounds + (before->pending == 0) : 0,
                             .since_ms = before != NULL ? before->since_ms : clock_monotonic_ms()};
    session->borrowers += made->borrows;
    *parking = made;
    return STATUS_OK;
}

void parking_end(struct parking **parking)
{
    struct parking *ended = TAKE(*parking);

    if (ended == NULL)
        return;
    ended->session->borrowers -= ended->borrows;
    ended->borrows = false;
    ended->held = false;
    if (ended->pending == 0)
        free(ended);
}

void parking_freep(struct parking **parking)
{
    struct session *session = *parking == NULL ? NULL : (*parking)->session;

    parking_end(parking);
    if (session != NULL)
        session_close(session);
}

void parking_await(struct parking *parking)
{
    parking->pending++;
}

void parking_done(struct parking *parking, const struct failure *failure)
{
    if (failure != NULL && parking->failure.status == STATUS_OK)
        parking->failure = *failure;
    parking->pending--;
    if (parking->pending == 0 && !parking->held)
        free(parking);
}

bool parking_is_over(const struct parking *parking, uint64_t now_ms)
{
    return (parking->pending == 0 && !parking->drains) ||
           (parking->until_ms != 0 && parking->until_ms <= now_ms);
}
