/* Stages, their list and their bounds. */
#include "agent/stage.h"

#include "agent/session.h"
#include "base/cleanup.h"

#include <stdlib.h>

struct stage {
    struct session *session;
    struct stage *next; /* of session->stages */
    struct import *import;
    bool borrows;
};

enum status stage_start(struct session *session, struct failure *failure, struct stage **ret_stage)
{
    CLEANUP(import_freep) struct import *import = NULL;
    struct stage *stage = calloc(1, sizeof(*stage));
    enum status status = stage == NULL ? failure_set_no_memory(failure) : import_start(failure, &import);

    if (status != STATUS_OK) {
        free(stage);
        return status;
    }
    *stage = (struct stage){
        .session = session, .next = session->stages, .import = TAKE(import), .borrows = !session->unlocked};
    session->stages = stage;
    session->borrowers += stage->borrows;
    *ret_stage = stage;
    return STATUS_OK;
}

struct import *stage_import(const struct stage *stage)
{
    return stage->import;
}

static void stage_release(struct stage *stage)
{
    for (struct stage **link = &stage->session->stages; *link != NULL; link = &(*link)->next) {
        if (*link == stage) {
            *link = stage->next;
            break;
        }
    }
    import_freep(&stage->import);
    stage->session->borrowers -= stage->borrows;
    stage->borrows = false;
}

void stage_end(struct stage **stage)
{
    if (*stage != NULL && (*stage)->import != NULL)
        stage_release(*stage);
    free(*stage);
    *stage = NULL;
}

void stage_freep(struct stage **stage)
{
    struct session *session = *stage == NULL ? NULL : (*stage)->session;

    stage_end(stage);
    if (session != NULL)
        session_close(session);
}

enum status stage_check(const struct stage *stage, struct failure *failure)
{
    size_t count = 0;
    size_t bytes = 0;

    for (const struct stage *at = stage->session->stages; at != NULL; at = at->next) {
        count += import_count(at->import);
        bytes += import_bytes(at->import);
    }
    if (count <= STAGE_COUNT_MAX && bytes <= STAGE_BYTES_MAX)
        return STATUS_OK;
    return failure_set(failure, STATUS_TOO_LARGE,
                       "an import has at most %u names and %u MiB, all that are under way together",
                       STAGE_COUNT_MAX, STAGE_BYTES_MAX >> 20);
}

void stage_drop_all(struct session *session)
{
    while (session->stages != NULL)
        stage_release(session->stages);
}
