/* Reading and verifying the log in slices. */
#include "agent/job.h"

#include "agent/call.h"
#include "agent/growth.h"
#include "agent/session.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/text.h"
#include "log.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define READ_SLICE 256u         /* leaves opened in one slice */
#define READ_PAGE_LEAVES 128u   /* leaves in one reply */
#define READ_PAGE_BYTES 262144u /* of one reply, about */
#define VERIFY_SLICE 256u
#define PROGRESS_MS 1000u

struct job {
    struct session *session;
    struct job *next; /* of session->jobs */
    bool borrows;
    bool cancelled;
    bool at_work;                /* within its own slice, which may cancel it */
    const struct job_work *work; /* NULL: one of the two below */
    void *context;
    struct log_verification *verification; /* NULL: a reading */
    char head[NOTE_MAX];                   /* that is verified */
    struct growth growth;                  /* from what; only where has_growth */
    bool has_growth;
    struct job_filter filter;
    char *texts[5]; /* what the filter's strings are copied to */
    uint64_t position;
    uint64_t total;
    uint64_t replied_at_ms;
};

static enum status job_make(struct session *session, bool borrows, struct failure *failure,
                            struct job **ret_job)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return failure_set_no_memory(failure);
    job->session = session;
    job->borrows = borrows;
    job->total = session->vault != NULL ? log_size(session->vault) : 0;
    job->replied_at_ms = clock_monotonic_ms();
    job->next = session->jobs;
    session->jobs = job;
    session->borrowers += borrows;
    *ret_job = job;
    return STATUS_OK;
}

static bool filter_copy(struct job *job, const struct job_filter *filter)
{
    const char **const members[] = {&job->filter.step, &job->filter.account, &job->filter.property,
                                    &job->filter.variable, &job->filter.outcome};

    job->filter = *filter;
    for (size_t at = 0; at < sizeof(members) / sizeof(members[0]); at++) {
        if (*members[at] == NULL)
            continue;
        job->texts[at] = strdup(*members[at]);
        *members[at] = job->texts[at];
        if (job->texts[at] == NULL)
            return false;
    }
    return true;
}

enum status job_start_reading(struct session *session, const struct job_filter *filter, bool borrows,
                              struct failure *failure, struct job **ret_job)
{
    CLEANUP(job_freep) struct job *job = NULL;
    enum status status = job_make(session, borrows, failure, &job);

    if (status != STATUS_OK)
        return status;
    if (!filter_copy(job, filter))
        return failure_set_no_memory(failure);
    *ret_job = TAKE(job);
    return STATUS_OK;
}

enum status job_start_verifying(struct session *session, const struct growth *growth, bool borrows,
                                struct failure *failure, struct job **ret_job)
{
    CLEANUP(job_freep) struct job *job = NULL;
    enum status status = job_make(session, borrows, failure, &job);

    if (status == STATUS_OK)
        status = log_verification_start(session->vault, failure, &job->verification);
    if (status == STATUS_OK && growth != NULL)
        status = log_verification_against(job->verification, &growth->checkpoint, failure);
    if (status != STATUS_OK)
        return status;
    memcpy(job->head, log_head(session->vault), sizeof(job->head));
    job->has_growth = growth != NULL;
    if (growth != NULL)
        job->growth = *growth;
    *ret_job = TAKE(job);
    return STATUS_OK;
}

enum status job_start(struct session *session, bool borrows, const struct job_work *work, void *context,
                      struct failure *failure, struct job **ret_job)
{
    enum status status = job_make(session, borrows, failure, ret_job);

    if (status != STATUS_OK)
        return status;
    (*ret_job)->work = work;
    (*ret_job)->context = context;
    return STATUS_OK;
}

size_t job_count(const struct session *session, const struct job_work *work)
{
    size_t count = 0;

    for (const struct job *job = session->jobs; job != NULL; job = job->next)
        count += job->work == work;
    return count;
}

void job_let_go_all(struct session *session)
{
    for (struct job *job = session->jobs; job != NULL; job = job->next) {
        if (job->work != NULL && job->work->let_go != NULL)
            job->work->let_go(job->context);
    }
}

static void job_release(struct job *job)
{
    struct session *session = job->session;

    if (job->work != NULL && !job->at_work) {
        job->work->release(job->context);
        job->work = NULL;
    }
    log_verification_freep(&job->verification);
    for (struct job **link = &session->jobs; *link != NULL; link = &(*link)->next) {
        if (*link == job) {
            *link = job->next;
            break;
        }
    }
    session->borrowers -= job->borrows;
    job->borrows = false;
}

void job_freep(struct job **job)
{
    if (*job == NULL)
        return;
    if (!(*job)->cancelled) {
        job_release(*job);
        session_close((*job)->session);
    }
    for (size_t at = 0; at < sizeof((*job)->texts) / sizeof((*job)->texts[0]); at++)
        free((*job)->texts[at]);
    free(*job);
    *job = NULL;
}

bool job_waits(const struct job *job)
{
    return !job->cancelled && job->work != NULL && job->work->waits != NULL && job->work->waits(job->context);
}

bool job_hears(const struct job *job)
{
    return !job->cancelled && job->work != NULL && job->work->hears;
}

void job_cancel_all(struct session *session)
{
    while (session->jobs != NULL) {
        struct job *job = session->jobs;

        job_release(job);
        job->cancelled = true;
    }
}

/* `object` is a leaf or one of its accounts: both name id, app and label; the id is `account` in the one and
 * `id` in the other. */
static bool account_is(const struct json *object, const char *wanted)
{
    const char *colon = strchr(wanted, ':');
    const char *app = json_member_text(object, "app");

    if (app == NULL || !name_app_is(app, wanted, colon != NULL ? (size_t)(colon - wanted) : strlen(wanted)))
        return colon == NULL &&
               (json_member_is(object, "account", wanted) || json_member_is(object, "id", wanted));
    return colon == NULL || json_member_is(object, "label", colon + 1);
}

/* `object` is a leaf, or what it has of references. */
static bool accounts_have(const struct json *object, const struct job_filter *filter)
{
    const struct json *accounts = json_member(object, "accounts");
    bool found = false;

    for (size_t at = 0; !found && at < json_count(accounts); at++) {
        const struct json *account = json_at(accounts, at);

        found =
            (filter->account == NULL || account_is(account, filter->account)) &&
            (filter->property == NULL || json_has_text(json_member(account, "properties"), filter->property));
    }
    return found;
}

/* A leaf of one account lists the properties that went to the helper, or came from it; what only names an
 * account handed out no property of it. */
static bool leaf_has(const struct json *leaf, const struct job_filter *filter)
{
    return (filter->account == NULL || account_is(leaf, filter->account)) &&
           (filter->property == NULL || json_has_text(json_member(leaf, "properties"), filter->property));
}

static bool accounts_pass(const struct json *leaf, const struct job_filter *filter)
{
    return leaf_has(leaf, filter) || accounts_have(leaf, filter) ||
           accounts_have(json_member(leaf, "references"), filter);
}

static bool variables_pass(const struct json *leaf, const char *wanted)
{
    const struct json *accounts = json_member(leaf, "accounts");
    const struct json *imported = json_member(leaf, "imported");
    bool found = json_member_is(leaf, "variable", wanted) ||
                 json_has_text(json_member(leaf, "variables"), wanted) ||
                 json_has_text(json_member(json_member(leaf, "references"), "variables"), wanted);

    for (size_t at = 0; !found && at < json_count(accounts); at++)
        found = json_has_text(json_member(json_at(accounts, at), "names"), wanted);
    for (size_t at = 0; !found && at < json_count(imported); at++) {
        const struct json *names = json_at(imported, at);

        found = json_has_text(json_member(names, "added"), wanted) ||
                json_has_text(json_member(names, "replaced"), wanted) ||
                json_has_text(json_member(names, "unchanged"), wanted);
    }
    return found;
}

static bool time_passes(const struct json *leaf, uint64_t since_ms)
{
    const char *time = json_member_text(leaf, "time");
    uint64_t at_ms;

    return time != NULL && clock_parse(time, clock_wall_ms(), &at_ms) && at_ms >= since_ms;
}

static bool filter_is_empty(const struct job_filter *filter)
{
    return filter->step == NULL && filter->account == NULL && filter->property == NULL &&
           filter->variable == NULL && filter->outcome == NULL && !filter->has_uid && filter->since_ms == 0;
}

static bool line_has(const char *line, size_t size, const char *wanted)
{
    return wanted == NULL || memmem(line, size, wanted, strlen(wanted)) != NULL;
}

/* Parsing a line takes ten times as long as opening it, and few lines have what is looked for: such names
 * stand in a line as they are, because none of their characters is escaped. An account is not among them,
 * since its app may be written in two ways. */
static bool line_may_pass(const struct job_filter *filter, const char *line, size_t size)
{
    return line_has(line, size, filter->step) && line_has(line, size, filter->property) &&
           line_has(line, size, filter->variable) && line_has(line, size, filter->outcome);
}

bool job_filter_passes(const struct job_filter *filter, const char *line, size_t size)
{
    CLEANUP(json_freep) struct json *leaf = NULL;
    struct failure failure;

    if (filter_is_empty(filter))
        return true;
    if (!line_may_pass(filter, line, size) ||
        json_parse(line, size, "a log entry", &failure, &leaf) != STATUS_OK)
        return false;
    return (filter->step == NULL || json_member_is(leaf, "step", filter->step)) &&
           (filter->outcome == NULL || json_member_is(leaf, "outcome", filter->outcome)) &&
           (!filter->has_uid || json_member_number(json_member(leaf, "who"), "uid", -1) == filter->uid) &&
           (filter->since_ms == 0 || time_passes(leaf, filter->since_ms)) &&
           ((filter->account == NULL && filter->property == NULL) || accounts_pass(leaf, filter)) &&
           (filter->variable == NULL || variables_pass(leaf, filter->variable));
}

/* `line` is NULL where it was pruned. */
static void write_leaf(struct json_writer *writer, uint64_t index, const struct secret *line,
                       const uint8_t hash[MERKLE_HASH_SIZE])
{
    json_open_object(writer, NULL);
    json_add_number(writer, "index", index);
    json_add_hex(writer, "hash", hash, MERKLE_HASH_SIZE);
    if (line != NULL)
        json_add_bytes(writer, "line", line->bytes, line->size);
    json_close_object(writer);
}

/* Writes the leaf at the position, if it passes. */
static enum status read_leaf(const struct job *job, struct secret *line, struct reply *reply,
                             struct failure *failure, size_t *leaves)
{
    struct vault *vault = job->session->vault;
    bool pruned = log_is_pruned(vault, job->position);
    uint8_t hash[MERKLE_HASH_SIZE];
    enum status status = pruned ? log_read_hash(vault, job->position, failure, hash)
                                : log_read(vault, job->position, failure, line, hash);

    if (status == STATUS_OK && (pruned || job_filter_passes(&job->filter, secret_text(line), line->size))) {
        write_leaf(&reply->writer, job->position, pruned ? NULL : line, hash);
        (*leaves)++;
    }
    return status;
}

/* Writes the leaves of one page. It is over when a bound of the page or of the slice is reached. */
static enum status read_page(struct job *job, struct reply *reply, struct failure *failure,
                             size_t *ret_leaves)
{
    CLEANUP(secret_reset) struct secret line = {0};
    struct secret *output = reply->destination;

    *ret_leaves = 0;
    if (!job->filter.pruned)
        job->position = log_skip_pruned(job->session->vault, job->position);
    /* The log may have been pruned beyond what it was when the job began. */
    if (job->position > job->total)
        job->position = job->total;
    uint64_t end = job->total - job->position > READ_SLICE ? job->position + READ_SLICE : job->total;
    json_open_array(&reply->writer, "leaves");
    while (job->position < end && *ret_leaves < READ_PAGE_LEAVES &&
           output->size - reply->start < READ_PAGE_BYTES) {
        if (job->filter.pruned || !log_is_pruned(job->session->vault, job->position)) {
            enum status status = read_leaf(job, &line, reply, failure, ret_leaves);

            if (status != STATUS_OK)
                return status;
        }
        job->position++;
    }
    json_close_array(&reply->writer);
    return STATUS_OK;
}

static void write_progress(struct json_writer *writer, uint64_t done, uint64_t total)
{
    json_add_number(writer, "done", done);
    json_add_number(writer, "total", total);
}

/* True if something is to be said: an outcome, leaves, or that we are still at it. */
static bool job_is_due(struct job *job, bool last, size_t leaves)
{
    uint64_t now = clock_monotonic_ms();

    if (!last && leaves == 0 && now - job->replied_at_ms < PROGRESS_MS)
        return false;
    job->replied_at_ms = now;
    return true;
}

static enum status read_slice(struct job *job, struct reply *reply, struct failure *failure, bool *ret_last,
                              bool *ret_due)
{
    size_t leaves;
    enum status status = read_page(job, reply, failure, &leaves);

    if (status != STATUS_OK)
        return status;
    write_progress(&reply->writer, job->position, job->total);
    json_add_number(&reply->writer, "pruned", log_pruned(job->session->vault));
    *ret_last = job->position == job->total;
    *ret_due = job_is_due(job, *ret_last, leaves);
    return STATUS_OK;
}

static enum status verify_slice(struct job *job, struct reply *reply, struct failure *failure, bool *ret_last,
                                bool *ret_due)
{
    const struct log_verification *verification = job->verification;
    uint8_t root[MERKLE_HASH_SIZE];
    char hex[2 * MERKLE_HASH_SIZE + 1] = "";
    enum status status = log_verification_continue(job->verification, VERIFY_SLICE, failure, ret_last);

    /* Not the vault is behind, as far as anybody knows, but it is another than the note's. */
    if (status == STATUS_ROLLED_BACK)
        failure->status = status = STATUS_FAILED;
    if (status != STATUS_OK)
        return status;
    if (*ret_last) {
        log_verification_root(verification, root);
        text_to_hex(hex, root, sizeof(root));
    }
    write_progress(&reply->writer, log_verification_position(verification),
                   log_verification_total(verification));
    json_add_text(&reply->writer, "root", hex);
    json_add_number(&reply->writer, "by_hash", log_verification_pruned(verification));
    json_add_number(&reply->writer, "checkpoints",
                    *ret_last ? log_verification_checkpoints(verification) : 0);
    *ret_due = job_is_due(job, *ret_last, 0);
    if (!*ret_last)
        return STATUS_OK;
    json_add_text(&reply->writer, "note", job->head);
    return job->has_growth ? growth_write(job->session->vault, &job->growth,
                                          log_verification_total(verification), failure, &reply->writer)
                           : STATUS_OK;
}

static enum status work_slice(struct job *job, struct reply *reply, struct failure *failure, bool *ret_last,
                              bool *ret_due)
{
    enum status status;

    job->at_work = true;
    status = job->work->slice(job->context, reply, failure, ret_last, ret_due);
    job->at_work = false;
    if (job->cancelled) {
        job->work->release(job->context);
        job->work = NULL;
    }
    return status;
}

bool job_continue(struct job *job, struct secret *output)
{
    struct failure failure;
    struct reply reply;
    bool last = false;
    bool due = false;
    enum status status;

    reply_open(&reply, output);
    if (job->cancelled)
        status = failure_set(&failure, STATUS_LOCKED, "the vault was locked meanwhile");
    else if (job->work != NULL)
        status = work_slice(job, &reply, &failure, &last, &due);
    else if (job->verification != NULL)
        status = verify_slice(job, &reply, &failure, &last, &due);
    else
        status = read_slice(job, &reply, &failure, &last, &due);
    if (status == STATUS_OK && due)
        status = reply_close(&reply, !last, &failure);
    else
        reply_drop(&reply);
    if (status != STATUS_OK)
        reply_failure(output, &failure);
    return last || status != STATUS_OK;
}
