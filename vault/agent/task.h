/* Tasks: the helpers that run, seen by the agent's loop. Each has one job written to it, may say notices, and
 * ends with one answer (docs/DESIGN.md, section 4). It is bounded in number, bytes and time (P7); what it
 * says lies in secret memory. */
#ifndef STEPVAULT_AGENT_TASK_H
#define STEPVAULT_AGENT_TASK_H

#include "agent/spawner.h"
#include "base/secret.h"
#include "base/status.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TASKS_MAX 32u /* at once */
#define TASKS_PEOPLE_MAX                                                                                     \
    8u /* of them those that wait for a person, so that tokens are renewed all the same */
#define TASK_LIMIT_MS 60000u          /* for one that waits for nobody */
#define TASK_LINE_MAX (1024u * 1024u) /* of what a helper says, its newline included */
#define TASK_NOTICES_MAX 256u

struct task;

struct tasks {
    const struct spawner *spawner;
    int poll;           /* readable when a task has something to do; -1: there are none */
    struct task *first; /* that run */
    struct task *ended; /* to be freed when no event can name them */
    size_t count;
    size_t people;
    bool serving;
};

enum task_outcome {
    TASK_ANSWERED,
    TASK_UNSENT, /* it ended before it had the whole job, so it did nothing */
    TASK_LOST    /* it ended, broke its form or passed its deadline without an answer */
};

struct task_listener {
    /* One notice; NULL: it is no use, and breaks the form. */
    void (*hear)(void *context, const struct json *notice);
    /* Once, at the end, unless the task is cancelled; it is no more then. `answer` is the listener's to free;
     * NULL unless TASK_ANSWERED. */
    void (*end)(void *context, enum task_outcome outcome, struct json *answer);
    size_t notices_max; /* 0: TASK_NOTICES_MAX */
};

/* Before the sandbox. */
enum status tasks_start(struct tasks *tasks, const struct spawner *spawner, struct failure *failure);
/* Cancels all. */
void tasks_end(struct tasks *tasks);

/* Reads and writes what can be, and ends what is overdue. Listeners are called from here, and must neither
 * touch the vault nor serve anybody. */
void tasks_serve(struct tasks *tasks);
/* clock_monotonic_ms of the next deadline; 0: none. */
uint64_t tasks_deadline(const struct tasks *tasks);

/* True if one more may be started; `person`: one that waits for a person. */
bool tasks_have_room(const struct tasks *tasks, bool person);

/* Starts one with the job `line`, which has no newline and is taken (emptied), whatever the outcome. */
enum status task_start(struct tasks *tasks, struct secret *line, bool person, uint64_t limit_ms,
                       const struct task_listener *listener, void *context, struct failure *failure,
                       struct task **ret_task);

/* One more line for it. */
enum status task_write(struct task *task, const struct secret *line, struct failure *failure);

/* Between these two nothing more is read of it, nor heard: a helper that says more than can be passed on has
 * to wait until it can. Its deadline goes on. */
void task_hold(struct task *task);
void task_resume(struct task *task);

/* Nobody listens any more, and the helper's standard input ends: one that waits for a person ends, any other
 * goes on. Until it has ended, or its time is over, it is one of those that run. */
void task_cancel(struct task **task);

#endif
