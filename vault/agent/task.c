/* Buffers, lines and deadlines of the helpers. */
#include "agent/task.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define RECEIVE 32768u
#define JOB_MAX (256u * 1024u) /* of one line to a helper */

struct task {
    struct tasks *tasks;
    struct task *next;
    struct task *previous;
    int descriptor; /* -1: ended, to be freed */
    bool person;
    bool unsent; /* the job is not all written yet */
    bool held;
    bool resumed;         /* lines that came before may wait in `input` */
    struct secret output; /* that is still to be written */
    size_t written;
    struct secret input;
    size_t searched; /* no newline before this */
    size_t notices;
    uint64_t deadline_ms;
    const struct task_listener *listener;
    void *context;
};

enum status tasks_start(struct tasks *tasks, const struct spawner *spawner, struct failure *failure)
{
    *tasks = (struct tasks){.spawner = spawner, .poll = epoll_create1(EPOLL_CLOEXEC)};
    if (tasks->poll < 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot start the loop of the helpers");
    return STATUS_OK;
}

static void tasks_reap(struct tasks *tasks)
{
    while (tasks->ended != NULL && !tasks->serving) {
        struct task *task = tasks->ended;

        tasks->ended = task->next;
        free(task);
    }
}

/* The memory goes when no event can name it. */
static void task_close(struct task *task)
{
    struct tasks *tasks = task->tasks;

    secret_reset(&task->output);
    secret_reset(&task->input);
    cleanup_close(&task->descriptor);
    if (task->next != NULL)
        task->next->previous = task->previous;
    if (task->previous != NULL)
        task->previous->next = task->next;
    else
        tasks->first = task->next;
    tasks->count--;
    tasks->people -= task->person;
    task->next = tasks->ended;
    tasks->ended = task;
}

void tasks_end(struct tasks *tasks)
{
    while (tasks->first != NULL)
        task_close(tasks->first);
    tasks_reap(tasks);
    if (tasks->poll >= 0)
        cleanup_close(&tasks->poll);
}

static void task_finish(struct task *task, enum task_outcome outcome, struct json *answer)
{
    const struct task_listener *listener = task->listener;
    void *context = task->context;

    if (outcome == TASK_LOST && task->unsent)
        outcome = TASK_UNSENT;
    task_close(task);
    if (listener != NULL)
        listener->end(context, outcome, answer);
}

bool tasks_have_room(const struct tasks *tasks, bool person)
{
    return tasks->count < TASKS_MAX && (!person || tasks->people < TASKS_PEOPLE_MAX);
}

static void watch(const struct task *task, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (task->output.size > 0 ? EPOLLOUT : 0u),
                                .data.ptr = (void *)task};

    epoll_ctl(task->tasks->poll, operation, task->descriptor, &event);
}

void task_hold(struct task *task)
{
    if (task->held)
        return;
    task->held = true;
    /* Not merely unwatched: that it hung up would be said again and again. */
    epoll_ctl(task->tasks->poll, EPOLL_CTL_DEL, task->descriptor, NULL);
}

void task_resume(struct task *task)
{
    if (!task->held)
        return;
    task->held = false;
    task->resumed = true;
    watch(task, EPOLL_CTL_ADD);
}

void task_cancel(struct task **task)
{
    struct task *cancelled = TAKE(*task);
    uint64_t latest_ms = clock_monotonic_ms() + TASK_LIMIT_MS;

    if (cancelled == NULL)
        return;
    task_resume(cancelled);
    cancelled->listener = NULL;
    secret_reset(&cancelled->output);
    secret_reset(&cancelled->input);
    cancelled->searched = 0;
    if (cancelled->deadline_ms > latest_ms)
        cancelled->deadline_ms = latest_ms;
    shutdown(cancelled->descriptor, SHUT_WR);
    watch(cancelled, EPOLL_CTL_MOD);
}

enum status task_start(struct tasks *tasks, struct secret *line, bool person, uint64_t limit_ms,
                       const struct task_listener *listener, void *context, struct failure *failure,
                       struct task **ret_task)
{
    CLEANUP(secret_reset) struct secret job = *line;
    struct task *task;
    enum status status;
    int descriptor;

    *line = (struct secret){0};
    if (!tasks_have_room(tasks, person))
        return failure_set(failure, STATUS_BUSY, "as many helpers run already as may run at once");
    if (job.size >= JOB_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the job for the helper is over %u KiB",
                           JOB_MAX / 1024);
    task = calloc(1, sizeof(*task));
    if (task == NULL || !secret_append_byte(&job, '\n')) {
        free(task);
        return failure_set_no_memory(failure);
    }
    status = spawner_spawn(tasks->spawner, failure, &descriptor);
    if (status != STATUS_OK) {
        free(task);
        return status;
    }
    *task = (struct task){.tasks = tasks,
                          .next = tasks->first,
                          .descriptor = descriptor,
                          .person = person,
                          .unsent = true,
                          .output = job,
                          .deadline_ms = clock_monotonic_ms() + limit_ms,
                          .listener = listener,
                          .context = context};
    job = (struct secret){0};
    if (task->next != NULL)
        task->next->previous = task;
    tasks->first = task;
    tasks->count++;
    tasks->people += person;
    watch(task, EPOLL_CTL_ADD);
    *ret_task = task;
    return STATUS_OK;
}

enum status task_write(struct task *task, const struct secret *line, struct failure *failure)
{
    if (line->size >= JOB_MAX || task->output.size - task->written + line->size >= 2 * JOB_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the line for the helper is too long");
    if (!secret_reserve(&task->output, line->size + 1) ||
        !secret_append(&task->output, line->bytes, line->size) || !secret_append_byte(&task->output, '\n'))
        return failure_set_no_memory(failure);
    watch(task, EPOLL_CTL_MOD);
    return STATUS_OK;
}

/* A helper that reads no further may still have said why. */
static void send_lines(struct task *task)
{
    while (task->written < task->output.size) {
        ssize_t sent = send(task->descriptor, task->output.bytes + task->written,
                            task->output.size - task->written, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (sent < 0)
            break;
        task->written += (size_t)sent;
    }
    task->unsent = task->unsent && task->written < task->output.size;
    task->written = 0;
    secret_reset(&task->output);
    watch(task, EPOLL_CTL_MOD);
}

/* False: the task is over. */
static bool take_line(struct task *task, const uint8_t *bytes, size_t size)
{
    CLEANUP(json_freep) struct json *line = NULL;
    const size_t notices_max =
        task->listener->notices_max != 0 ? task->listener->notices_max : TASK_NOTICES_MAX;
    struct failure ignored;

    if (json_parse(bytes, size, "a helper's line", &ignored, &line) != STATUS_OK) {
        task_finish(task, TASK_LOST, NULL);
        return false;
    }
    if (json_member_text(line, "answer") != NULL) {
        task_finish(task, TASK_ANSWERED, TAKE(line));
        return false;
    }
    if (json_member_text(line, "notice") == NULL || task->listener->hear == NULL ||
        ++task->notices > notices_max) {
        task_finish(task, TASK_LOST, NULL);
        return false;
    }
    task->listener->hear(task->context, line);
    return task->listener != NULL;
}

/* False: the task is over. */
static bool take_lines(struct task *task)
{
    struct secret *input = &task->input;
    size_t start = 0;

    while (!task->held && input->size > 0) {
        const uint8_t *from = input->bytes + task->searched;
        const uint8_t *end = memchr(from, '\n', input->size - task->searched);

        if (end == NULL)
            break;
        if (!take_line(task, input->bytes + start, (size_t)(end - input->bytes) - start))
            return false;
        start = (size_t)(end - input->bytes) + 1;
        task->searched = start;
    }
    if (start > 0) {
        memmove(input->bytes, input->bytes + start, input->size - start);
        secret_wipe(input->bytes + input->size - start, start);
        input->size -= start;
    }
    task->searched = task->held ? 0 : input->size;
    if (task->held || input->size < TASK_LINE_MAX)
        return true;
    task_finish(task, TASK_LOST, NULL);
    return false;
}

/* What a helper says that nobody listens to. */
static void drop_lines(struct task *task, size_t size)
{
    secret_reset(&task->input);
    task->searched += size;
    if (task->searched >= TASK_LINE_MAX)
        task_finish(task, TASK_LOST, NULL);
}

static void receive_lines(struct task *task)
{
    ssize_t size = -1;

    if (secret_reserve(&task->input, RECEIVE))
        size = recv(task->descriptor, task->input.bytes + task->input.size, RECEIVE, MSG_DONTWAIT);
    else
        errno = ENOMEM;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (size <= 0) {
        task_finish(task, TASK_LOST, NULL);
        return;
    }
    task->input.size += (size_t)size;
    if (task->listener == NULL)
        drop_lines(task, (size_t)size);
    else
        (void)take_lines(task);
}

static void task_event(struct task *task, uint32_t events)
{
    if (task->descriptor >= 0 && (events & EPOLLOUT) && task->output.size > 0)
        send_lines(task);
    if (task->descriptor >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        receive_lines(task);
}

/* Hears what had come before it was held. The list is looked at from its beginning after each, as below. */
static void hear_resumed(struct tasks *tasks)
{
    struct task *task = tasks->first;

    while (task != NULL) {
        bool hears = task->resumed && task->listener != NULL;

        task->resumed = false;
        if (hears)
            (void)take_lines(task);
        task = hears ? tasks->first : task->next;
    }
}

/* What a listener does may end others: the list is looked at from its beginning after each. */
static void end_overdue(struct tasks *tasks)
{
    uint64_t now = clock_monotonic_ms();
    struct task *task = tasks->first;

    while (task != NULL) {
        if (task->deadline_ms > now) {
            task = task->next;
            continue;
        }
        task_finish(task, TASK_LOST, NULL);
        task = tasks->first;
    }
}

void tasks_serve(struct tasks *tasks)
{
    struct epoll_event events[EVENTS_MAX];
    int count;

    if (tasks->first == NULL)
        return;
    tasks->serving = true;
    hear_resumed(tasks);
    count = epoll_wait(tasks->poll, events, EVENTS_MAX, 0);
    for (int at = 0; at < count; at++)
        task_event(events[at].data.ptr, events[at].events);
    end_overdue(tasks);
    tasks->serving = false;
    tasks_reap(tasks);
}

uint64_t tasks_deadline(const struct tasks *tasks)
{
    uint64_t earliest = 0;

    for (const struct task *task = tasks->first; task != NULL; task = task->next) {
        if (task->resumed && task->input.size > 0)
            return 1;
        if (earliest == 0 || task->deadline_ms < earliest)
            earliest = task->deadline_ms;
    }
    return earliest;
}
