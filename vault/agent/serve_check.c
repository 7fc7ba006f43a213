/* Check: one part of the vault after the other, of an open one between turns. */
#include "agent/serve.h"

#include "agent/job.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "check.h"

#include <stdlib.h>

#define PROGRESS_MS 1000u

struct checking {
    struct check *check;
    unsigned told; /* parts */
    uint64_t replied_at_ms;
};

static void checking_freep(struct checking **checking)
{
    if (*checking == NULL)
        return;
    check_freep(&(*checking)->check);
    free(*checking);
    *checking = NULL;
}

static void check_release(void *context)
{
    struct checking *checking = context;

    checking_freep(&checking);
}

/* A check that is done has closed what it opened. */
static void check_let_go(void *context)
{
    struct checking *checking = context;

    while (!check_continue(checking->check))
        continue;
}

/* What is known of the next part, or how far the one at hand is. */
static enum status check_slice(void *context, struct reply *reply, struct failure *failure, bool *ret_last,
                               bool *ret_due)
{
    struct checking *checking = context;
    struct json_writer *writer = &reply->writer;
    const struct check_finding *finding = check_finding(checking->check, (enum check_part)checking->told);
    const uint64_t now_ms = clock_monotonic_ms();
    uint64_t done, total;
    enum check_part part;
    bool known;

    (void)failure;
    if (finding->verdict == CHECK_OPEN)
        (void)check_continue(checking->check);
    known = finding->verdict != CHECK_OPEN;
    part = check_progress(checking->check, &done, &total);
    if (known)
        part = (enum check_part)checking->told++;
    *ret_due = known || now_ms - checking->replied_at_ms >= PROGRESS_MS;
    *ret_last = checking->told == CHECK_PART_COUNT;
    if (*ret_due)
        checking->replied_at_ms = now_ms;
    json_add_text(writer, "part", check_part_name(part));
    if (known) {
        json_add_text(writer, "verdict", check_verdict_word(finding->verdict));
        json_add_text(writer, "detail", finding->detail);
    }
    json_add_number(writer, "done", known ? 0 : done);
    json_add_number(writer, "total", known ? 0 : total);
    return STATUS_OK;
}

static const struct job_work check_work = {
    .slice = check_slice, .release = check_release, .let_go = check_let_go};

/* On the vault as it is: a locked one's file is opened for the check alone, and not only if it is sound. */
static enum status start(struct session *session, struct request *request, struct checking *checking)
{
    const char *pins = session->pinner.folder[0] != '\0' ? session->pinner.folder : NULL;
    struct failure *failure = &request->failure;
    enum status status;

    if (!session->unlocked && !request->has_key)
        return failure_set(failure, STATUS_KEY_REQUIRED, "a slot key is needed to check a locked vault");
    if (session->vault == NULL) {
        job_let_go_all(session);
        return check_open(session->path, &request->key, session->wait_ms, pins, failure, &checking->check);
    }
    status = session->unlocked ? STATUS_OK : vault_check_key(session->vault, &request->key, failure);
    return status == STATUS_OK ? check_start(session->vault, pins, failure, &checking->check) : status;
}

enum status serve_check(struct session *session, struct request *request)
{
    CLEANUP(checking_freep) struct checking *checking = calloc(1, sizeof(*checking));
    enum status status;

    if (checking == NULL)
        return failure_set_no_memory(&request->failure);
    checking->replied_at_ms = clock_monotonic_ms();
    status = start(session, request, checking);
    if (status == STATUS_OK)
        status = job_start(session, session->vault != NULL && !session->unlocked, &check_work, checking,
                           &request->failure, &request->job);
    if (status == STATUS_OK)
        (void)TAKE(checking);
    return status;
}
