/* Cases and their verdicts: each is a file that the vault is opened from and checked whole. */
#include "mutation.h"

#include "base/cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 256u
#define CASE_SECONDS 30u
#define SHOWN_MAX 12u
#define HEADS_MAX 64u

struct group {
    char kind[48];
    char tree[32];
    uint64_t tried;
    uint64_t noticed;
    uint64_t unread;   /* only bytes differ that are no part of any row */
    uint64_t unpinned; /* it is an older state, whole: what only a pin tells */
    uint64_t skipped;  /* cannot be made */
    uint64_t of_status[STATUS_COUNT];
};

static struct {
    struct judge_options options;
    const struct copy *base;
    char path[128];
    char log_path[136];
    int descriptor;
    struct group groups[GROUPS_MAX];
    size_t count;
    struct group *group;
    uint64_t number;
    char name[256];
    uint64_t missed;
    char heads[HEADS_MAX][NOTE_MAX]; /* of the states that a write-ahead log had */
    size_t head_count;
} judge;

uint64_t judge_mix(uint64_t salt)
{
    uint64_t mixed = judge.number * 0x9e3779b97f4a7c15u + salt;

    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

/* A case that never ends, or ends the process, is named as what it is. */
static void die(int signal_number)
{
    static const char hung[] = "# a case does not end: ", crashed[] = "# a case crashes: ";
    bool late = signal_number == SIGALRM;
    ssize_t ignored = write(STDOUT_FILENO, late ? hung : crashed, (late ? sizeof hung : sizeof crashed) - 1);

    ignored = write(STDOUT_FILENO, judge.name, strlen(judge.name));
    ignored = write(STDOUT_FILENO, "\n", 1);
    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number == SIGALRM ? SIGKILL : signal_number);
}

static void write_at(size_t at, const uint8_t *bytes, size_t size)
{
    expect(pwrite(judge.descriptor, bytes, size, (off_t)at) == (ssize_t)size, "writing the case");
}

void judge_start(const struct judge_options *options, const struct copy *base)
{
    static const int deaths[] = {SIGALRM, SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};

    judge.options = *options;
    judge.base = base;
    snprintf(judge.path, sizeof judge.path, "%s/vault.db", options->folder);
    snprintf(judge.log_path, sizeof judge.log_path, "%s-wal", judge.path);
    judge.descriptor = open(judge.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect(judge.descriptor >= 0, "the file of the cases");
    write_at(0, base->image.bytes, base->image.size);
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++)
        signal(deaths[i], die);
}

void judge_group(const char *kind, const char *tree)
{
    for (judge.group = judge.groups; judge.group < judge.groups + judge.count; judge.group++)
        if (strcmp(judge.group->kind, kind) == 0 && strcmp(judge.group->tree, tree) == 0)
            return;
    expect(judge.count < GROUPS_MAX, "room for one more kind of case");
    judge.count++;
    snprintf(judge.group->kind, sizeof judge.group->kind, "%s", kind);
    snprintf(judge.group->tree, sizeof judge.group->tree, "%s", tree);
}

bool judge_wants(const char *format, ...)
{
    va_list arguments;

    judge.number++;
    if (judge.options.point == NULL && judge_mix(1) % judge.options.shards != judge.options.shard - 1)
        return false;
    int length = snprintf(judge.name, sizeof judge.name, "%s:%s:", judge.group->kind, judge.group->tree);
    va_start(arguments, format);
    vsnprintf(judge.name + length, sizeof judge.name - (size_t)length, format, arguments);
    va_end(arguments);
    if (judge.options.point != NULL && fnmatch(judge.options.point, judge.name, FNM_EXTMATCH) != 0)
        return false;
    judge.group->tried++;
    if (judge.options.list)
        printf("# %s\n", judge.name);
    return !judge.options.list;
}

void judge_skip(void)
{
    judge.group->tried--;
    judge.group->skipped++;
}

/* ---- One opening ---- */

static bool is_verdict(enum status status)
{
    return status == STATUS_CORRUPT || status == STATUS_FOREIGN || status == STATUS_FORMAT ||
           status == STATUS_WRONG_KEY;
}

static enum status check_whole(struct vault *vault, struct failure *failure)
{
    CLEANUP(log_verification_freep) struct log_verification *verification = NULL;
    bool done = false;

    enum status status = log_verification_start(vault, failure, &verification);
    while (status == STATUS_OK && !done)
        status = log_verification_continue(verification, 4096, failure, &done);
    return status;
}

/* Opens the vault with the key and checks all of it; `ret_head`, of NOTE_MAX bytes or NULL, is its signed
 * head. */
static enum status open_and_check(const struct vault_key *key, struct failure *failure, char *ret_head)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;

    enum status status = vault_open(judge.path, key, 0, failure, &vault);
    if (status == STATUS_OK)
        status = check_whole(vault, failure);
    if (status == STATUS_OK && ret_head != NULL)
        snprintf(ret_head, NOTE_MAX, "%s", log_head(vault));
    return status;
}

/* Where one key is refused, the other must be, too: a case that spoils one slot must not pass by another. */
static enum status open_with_keys(struct failure *failure, char *ret_head)
{
    enum status status = open_and_check(&judge.options.keys[0], failure, ret_head);

    return status == STATUS_WRONG_KEY ? open_and_check(&judge.options.keys[1], failure, ret_head) : status;
}

static void miss(const char *what, const char *why)
{
    judge.missed++;
    if (judge.missed <= SHOWN_MAX)
        printf("# %s: %s%s%s\n", what, judge.name, *why == '\0' ? "" : ": ", why);
}

static void count_unread(void)
{
    judge.group->unread++;
    if (judge.options.show)
        printf("# in no cell: %s\n", judge.name);
}

static bool reads_as_base(void)
{
    struct copy found = {.image = image_load(judge.path)};
    bool same = copy_read(&found) && copies_equal(&found, judge.base);

    copy_reset(&found);
    return same;
}

static void judge_file(bool raw)
{
    struct failure failure = {0};

    alarm(CASE_SECONDS);
    enum status status = open_with_keys(&failure, NULL);
    judge.group->of_status[status]++;
    if (is_verdict(status))
        judge.group->noticed++;
    else if (status != STATUS_OK)
        miss("refused, but not for what it is", failure.sentence);
    else if (raw && reads_as_base())
        count_unread();
    else
        miss("not noticed", "");
    alarm(0);
}

/* ---- Cases ---- */

static const uint8_t *base_page(size_t at)
{
    return at + PAGE_SIZE <= judge.base->image.size ? judge.base->image.bytes + at : NULL;
}

void judge_image(struct image image, bool raw)
{
    const struct image *base = &judge.base->image;

    for (size_t at = 0; at < image.size; at += PAGE_SIZE) {
        size_t size = image.size - at < PAGE_SIZE ? image.size - at : PAGE_SIZE;
        if (base_page(at) == NULL || memcmp(image.bytes + at, base_page(at), size) != 0)
            write_at(at, image.bytes + at, size);
    }
    if (image.size != base->size)
        expect(ftruncate(judge.descriptor, (off_t)image.size) == 0, "cutting the case");
    judge_file(raw);
    (void)unlink(judge.log_path);
    if (image.size > base->size)
        expect(ftruncate(judge.descriptor, (off_t)base->size) == 0, "cutting the case");
    for (size_t at = 0; at < base->size; at += PAGE_SIZE)
        if (at + PAGE_SIZE > image.size || memcmp(image.bytes + at, base->bytes + at, PAGE_SIZE) != 0)
            write_at(at, base->bytes + at, PAGE_SIZE);
}

static void write_whole(const struct image *image, const struct image *log)
{
    expect(ftruncate(judge.descriptor, (off_t)image->size) == 0, "cutting the case");
    write_at(0, image->bytes, image->size);
    (void)unlink(judge.log_path);
    if (log == NULL)
        return;
    CLEANUP(cleanup_close)
    int descriptor = open(judge.log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect(descriptor >= 0 && write(descriptor, log->bytes, log->size) == (ssize_t)log->size,
           "writing the log");
}

/* Whether the signed head is one that the write-ahead log had before its last commit. */
static bool is_older_head(const char *head)
{
    for (size_t i = 0; i + 1 < judge.head_count; i++)
        if (strcmp(judge.heads[i], head) == 0)
            return true;
    return false;
}

void judge_older(const struct copy *copy)
{
    struct failure failure = {0};

    write_whole(&copy->image, NULL);
    alarm(CASE_SECONDS);
    enum status status = open_with_keys(&failure, NULL);
    judge.group->of_status[status]++;
    if (status == STATUS_OK)
        judge.group->unpinned++;
    else
        miss("an older state does not open", failure.sentence);
    alarm(0);
    write_whole(&judge.base->image, NULL);
}

bool judge_add_head(struct image image, struct image log)
{
    struct failure failure = {0};

    write_whole(&image, &log);
    expect(judge.head_count < HEADS_MAX, "room for one more head");
    bool good = open_with_keys(&failure, judge.heads[judge.head_count]) == STATUS_OK;
    if (good && (judge.head_count == 0 ||
                 strcmp(judge.heads[judge.head_count], judge.heads[judge.head_count - 1]) != 0))
        judge.head_count++;
    write_whole(&judge.base->image, NULL);
    return good;
}

void judge_log(struct image image, struct image log, bool behind)
{
    struct failure failure = {0};
    char head[NOTE_MAX];

    write_whole(&image, &log);
    alarm(CASE_SECONDS);
    enum status status = open_with_keys(&failure, head);
    judge.group->of_status[status]++;
    if (is_verdict(status))
        judge.group->noticed++;
    else if (status != STATUS_OK)
        miss("refused, but not for what it is", failure.sentence);
    else if (is_older_head(head))
        judge.group->unpinned++;
    else if (behind && strcmp(head, judge.heads[judge.head_count - 1]) == 0)
        count_unread();
    else
        miss("not noticed", "");
    alarm(0);
    write_whole(&judge.base->image, NULL);
}

bool judge_report(void)
{
    for (size_t i = 0; i < judge.count; i++) {
        const struct group *group = &judge.groups[i];
        printf("%s\t%s\t%llu\t%llu\t%llu\t%llu\t%llu\t", group->kind, group->tree,
               (unsigned long long)group->tried, (unsigned long long)group->noticed,
               (unsigned long long)group->unread, (unsigned long long)group->unpinned,
               (unsigned long long)group->skipped);
        for (int status = 0; status < STATUS_COUNT; status++)
            if (group->of_status[status] > 0)
                printf("%s=%llu ", status == STATUS_OK ? "read" : status_wire_name((enum status)status),
                       (unsigned long long)group->of_status[status]);
        printf("\n");
    }
    if (judge.missed > SHOWN_MAX)
        printf("# and %llu more like these\n", (unsigned long long)(judge.missed - SHOWN_MAX));
    return judge.missed == 0;
}
