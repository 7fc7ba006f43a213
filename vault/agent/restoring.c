/* What is staged to be restored, and the session's list of it. */
#include "agent/restoring.h"

#include "agent/session.h"

#include <stdlib.h>

struct restoring {
    struct session *session;
    struct restoring *next; /* of session->restorings */
    struct restoration *restoration;
};

enum status restoring_start(struct session *session, struct failure *failure,
                            struct restoring **ret_restoring)
{
    struct restoring *restoring = calloc(1, sizeof(*restoring));
    enum status status = restoring == NULL
                             ? failure_set_no_memory(failure)
                             : restoration_start(session->path, failure, &restoring->restoration);

    if (status != STATUS_OK) {
        free(restoring);
        return status;
    }
    restoring->session = session;
    restoring->next = session->restorings;
    session->restorings = restoring;
    *ret_restoring = restoring;
    return STATUS_OK;
}

struct restoration *restoring_staged(const struct restoring *restoring)
{
    return restoring->restoration;
}

static void restoring_release(struct restoring *restoring)
{
    for (struct restoring **link = &restoring->session->restorings; *link != NULL; link = &(*link)->next) {
        if (*link == restoring) {
            *link = restoring->next;
            break;
        }
    }
    restoration_freep(&restoring->restoration);
}

void restoring_freep(struct restoring **restoring)
{
    if (*restoring != NULL && (*restoring)->restoration != NULL)
        restoring_release(*restoring);
    free(*restoring);
    *restoring = NULL;
}

void restoring_drop_all(struct session *session)
{
    while (session->restorings != NULL)
        restoring_release(session->restorings);
}
