/* Cases and their verdicts: each is a file that the vault is opened from and checked whole. */
#include "mutation.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "check.h"
#include "log.h"
#include "pin.h"

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
#define CHECK_EVERY 8u /* of the cases that need not be asked twice */

/* What noticed a case first. */
enum noticed { NOTICED_UNLOCK, NOTICED_CHECK, NOTICED_PIN, NOTICED_COUNT };

struct group {
    char kind[48];
    char tree[32];
    uint64_t tried;
    uint64_t by[NOTICED_COUNT];
    uint64_t checked; /* of those noticed at unlocking, how many were checked as well */
    uint64_t unread;  /* only bytes differ that are no part of any row */
    uint64_t of_status[STATUS_COUNT];
};

static struct {
    struct judge_options options;
    const struct copy *base;
    char path[128];
    char log_path[136];
    char pins[PATH_MAX];
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

    struct failure failure;

    judge.options = *options;
    judge.base = base;
    expect(setenv("XDG_STATE_HOME", options->folder, 1) == 0 &&
               pin_folder(&failure, judge.pins) == STATUS_OK &&
               file_make_folder(judge.pins, &failure) == STATUS_OK,
           "a folder for pins");
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

/* ---- One opening ---- */

static bool is_verdict(enum status status)
{
    return status == STATUS_CORRUPT || status == STATUS_FOREIGN || status == STATUS_FORMAT ||
           status == STATUS_WRONG_KEY || status == STATUS_ROLLED_BACK;
}

static enum status verify_log(struct vault *vault, struct failure *failure)
{
    CLEANUP(log_verification_freep) struct log_verification *verification = NULL;
    bool done = false;

    enum status status = log_verification_start(vault, failure, &verification);
    while (status == STATUS_OK && !done)
        status = log_verification_continue(verification, 4096, failure, &done);
    return status;
}

/* What an opening found. */
struct opening {
    enum status status;
    struct failure failure;
    enum status verified; /* the whole log, of what opens, every so often: the check reads it, too */
    char head[NOTE_MAX];
    enum status pinned; /* by the pin, of what opens */
};

static void open_with(const struct vault_key *key, struct opening *opening)
{
    CLEANUP(vault_freep) struct vault *vault = NULL;
    struct pin_finding finding;
    struct failure failure;

    *opening = (struct opening){.status = STATUS_OK};
    opening->status = vault_open(judge.path, key, 0, &opening->failure, &vault);
    if (opening->status != STATUS_OK)
        return;
    if (judge_mix(6) % CHECK_EVERY == 0)
        opening->verified = verify_log(vault, &failure);
    snprintf(opening->head, sizeof opening->head, "%s", log_head(vault));
    opening->pinned = pin_check(vault, judge.pins, &failure, &finding);
}

/* Where one key is refused, the other must be, too: a case that spoils one slot must not pass by another. */
static void open_vault(struct opening *opening)
{
    open_with(&judge.options.keys[0], opening);
    if (opening->status == STATUS_WRONG_KEY)
        open_with(&judge.options.keys[1], opening);
}

static enum status check_vault(const char *pins, struct failure *failure)
{
    const struct vault_key *keys = judge.options.keys;
    const char *part;
    enum status status = check_file(judge.path, &keys[0], pins, failure, &part);

    return status == STATUS_WRONG_KEY ? check_file(judge.path, &keys[1], pins, failure, &part) : status;
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

/* Counts a case that was noticed at unlocking; every so often the check must say the same. */
static void count_refused(const struct opening *opening)
{
    struct failure failure;

    if (!is_verdict(opening->status))
        miss("refused, but not for what it is", opening->failure.sentence);
    else
        judge.group->by[NOTICED_UNLOCK]++;
    if (judge_mix(5) % CHECK_EVERY != 0 && judge.options.point == NULL)
        return;
    judge.group->checked++;
    enum status status = check_vault(judge.pins, &failure);
    if (!is_verdict(status))
        miss("unlocking notices and the check does not", status == STATUS_OK ? "" : failure.sentence);
}

static void judge_file(bool raw)
{
    struct opening opening;
    struct failure failure;

    alarm(CASE_SECONDS);
    open_vault(&opening);
    judge.group->of_status[opening.status]++;
    if (opening.status != STATUS_OK) {
        count_refused(&opening);
    } else {
        enum status status = check_vault(judge.pins, &failure);
        if (opening.verified != STATUS_OK && status == STATUS_OK)
            miss("verifying the log notices and the check does not", "");
        else if (is_verdict(status))
            judge.group->by[NOTICED_CHECK]++;
        else if (status != STATUS_OK)
            miss("refused, but not for what it is", failure.sentence);
        else if (raw && reads_as_base())
            count_unread();
        else
            miss("not noticed", "");
    }
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

void judge_pin(const char *head)
{
    struct failure failure;

    pin_remove(judge.pins, judge.path);
    if (head != NULL && pin_write(judge.pins, judge.path, head, false, &failure) != STATUS_OK)
        expect(false, failure.sentence);
}

/* It opens, whole and by every rule, as a state that the vault had; only the pin knows of a later one. */
static void judge_state(const struct opening *opening)
{
    struct failure failure;
    bool asked = judge_mix(7) % CHECK_EVERY == 0 || judge.options.point != NULL;

    judge.group->of_status[opening->status]++;
    if (opening->status != STATUS_OK || opening->verified != STATUS_OK ||
        (asked && check_vault(NULL, &failure) != STATUS_OK))
        miss("an older state does not open", opening->failure.sentence);
    else if (opening->pinned != STATUS_ROLLED_BACK ||
             (asked && check_vault(judge.pins, &failure) != STATUS_ROLLED_BACK))
        miss("not noticed by the pin", "");
    else
        judge.group->by[NOTICED_PIN]++;
}

void judge_older(const struct copy *copy)
{
    struct opening opening;

    write_whole(&copy->image, NULL);
    alarm(CASE_SECONDS);
    open_vault(&opening);
    judge_state(&opening);
    alarm(0);
    write_whole(&judge.base->image, NULL);
}

bool judge_add_head(struct image image, struct image log)
{
    struct opening opening;
    char(*heads)[NOTE_MAX] = judge.heads;
    size_t count = judge.head_count;

    expect(count < HEADS_MAX, "room for one more head");
    write_whole(&image, &log);
    open_vault(&opening);
    write_whole(&judge.base->image, NULL);
    if (opening.status != STATUS_OK || opening.verified != STATUS_OK)
        return false;
    if (count == 0 || strcmp(opening.head, heads[count - 1]) != 0)
        snprintf(heads[judge.head_count++], NOTE_MAX, "%s", opening.head);
    judge_pin(opening.head);
    return true;
}

/* The place among the heads that the write-ahead log had, from 1; 0 if it is none of them. */
static size_t find_head(const char *head)
{
    size_t place = judge.head_count;

    while (place > 0 && strcmp(judge.heads[place - 1], head) != 0)
        place--;
    return place;
}

void judge_log(struct image image, struct image log, bool behind)
{
    struct opening opening;

    write_whole(&image, &log);
    alarm(CASE_SECONDS);
    open_vault(&opening);
    size_t place = opening.status == STATUS_OK ? find_head(opening.head) : 0;
    if (opening.status != STATUS_OK)
        count_refused(&opening);
    else if (behind && place == judge.head_count)
        count_unread();
    else if (place == 0)
        miss("it opens as a state that never was", "");
    else
        judge_state(&opening);
    alarm(0);
    write_whole(&judge.base->image, NULL);
}

bool judge_report(void)
{
    for (size_t i = 0; i < judge.count; i++) {
        const struct group *group = &judge.groups[i];
        const uint64_t counts[] = {group->tried,
                                   group->by[NOTICED_UNLOCK],
                                   group->by[NOTICED_CHECK],
                                   group->by[NOTICED_PIN],
                                   group->unread,
                                   group->checked};
        printf("%s\t%s", group->kind, group->tree);
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++)
            printf("\t%llu", (unsigned long long)counts[j]);
        for (int status = 0; status < STATUS_COUNT; status++)
            if (group->of_status[status] > 0)
                printf("\t%s=%llu", status == STATUS_OK ? "opens" : status_wire_name((enum status)status),
                       (unsigned long long)group->of_status[status]);
        printf("\n");
    }
    if (judge.missed > SHOWN_MAX)
        printf("# and %llu more like these\n", (unsigned long long)(judge.missed - SHOWN_MAX));
    return judge.missed == 0;
}
