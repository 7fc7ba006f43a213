/* Jobs: calls with many replies (ReadLog, VerifyLog, Check, Backup), or that wait for a helper (Connect,
 * TestAccount), done in slices so that the agent serves others meanwhile. */
#ifndef STEPVAULT_AGENT_JOB_H
#define STEPVAULT_AGENT_JOB_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reply;
struct session;
struct job;

/* Each filter that is set must hold for a leaf; NULL and has_uid false are not set. */
struct job_filter {
    const char *step;
    const char *account;  /* id, app, or app:label */
    const char *property; /* handed out; of `account` where both are set */
    const char *variable;
    const char *outcome;
    bool has_uid;
    uid_t uid;
    uint64_t since_ms; /* wall clock; 0: all */
    bool pruned;       /* what was pruned passes, too, whatever the others say: by its hash alone */
};

struct growth;

/* Start a job on the session's open vault; the filter's strings are copied. A job of a caller who brought a
 * key for a locked vault borrows it (`borrows`): the vault stays open until the job is freed. */
enum status job_start_reading(struct session *session, const struct job_filter *filter, bool borrows,
                              struct failure *failure, struct job **ret_job);
/* `growth`, unless it is NULL, is copied, too. */
enum status job_start_verifying(struct session *session, const struct growth *growth, bool borrows,
                                struct failure *failure, struct job **ret_job);

/* A kind of job that has a file of its own. */
struct job_work {
    /* One slice. It may write members of one reply, which is sent if `*ret_due` is set, and is the last one
     * if `*ret_last` is; both are false before. */
    enum status (*slice)(void *context, struct reply *reply, struct failure *failure, bool *ret_last,
                         bool *ret_due);
    /* Frees the context, once, while the vault is still open; behind the slice, if that cancels its own job.
     */
    void (*release)(void *context);
    /* NULL where it has the file of a locked vault never open. Else it closes that, having done all its work.
     */
    void (*let_go)(void *context);
    /* NULL, or true while there is nothing to do before something else has happened. */
    bool (*waits)(const void *context);
    /* What comes on its connection without wanting a reply may be for it. */
    bool hears;
};
/* `context` is the job's once it has started. */
enum status job_start(struct session *session, bool borrows, const struct job_work *work, void *context,
                      struct failure *failure, struct job **ret_job);

/* How many jobs of that kind are under way. */
size_t job_count(const struct session *session, const struct job_work *work);

/* Before the file of a locked vault is opened by another. */
void job_let_go_all(struct session *session);

/* Does one slice, between turns, and appends at most one reply frame to `output`. True when that was the last
 * one. */
bool job_continue(struct job *job, struct secret *output);

/* True if a slice now would be for nothing. */
bool job_waits(const struct job *job);
bool job_hears(const struct job *job);

void job_freep(struct job **job);

/* Before the vault is closed: each job's next slice answers Locked. */
void job_cancel_all(struct session *session);

/* Whether the line of a leaf passes the filter: for tests. */
bool job_filter_passes(const struct job_filter *filter, const char *line, size_t size);

#endif
