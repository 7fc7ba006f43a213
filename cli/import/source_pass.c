/* A password store as `pass` keeps it: a tree of files that gpg opens, one process for each. The first line
 * of an entry is its secret; lines `key: value` behind it are more of them. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "import/source.h"
#include "import/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define ENTRY_MAX (2u * NAME_VALUE_MAX)
#define SAID_MAX 200

bool source_is_pass(const char *path)
{
    char marker[PATH_MAX];
    struct stat facts;
    int length = snprintf(marker, sizeof(marker), "%s/.gpg-id", path);

    return length > 0 && (size_t)length < sizeof(marker) && stat(marker, &facts) == 0;
}

/* ---- gpg ---- */

/* Our environment, with the terminal that gpg-agent's pinentry is to ask on, as pass sets it. NULL: as it is.
 */
static char **make_environment(char terminal[PATH_MAX])
{
    char name[PATH_MAX - 16];
    char **made;
    size_t count = 0;

    if (getenv("GPG_TTY") != NULL || ttyname_r(STDIN_FILENO, name, sizeof(name)) != 0)
        return NULL;
    snprintf(terminal, PATH_MAX, "GPG_TTY=%s", name);
    while (environ[count] != NULL)
        count++;
    made = calloc(count + 2, sizeof(*made));
    if (made != NULL) {
        memcpy(made, environ, count * sizeof(*made));
        made[count] = terminal;
    }
    return made;
}

static int spawn_gpg(int entry, int output, int said, pid_t *ret_process)
{
    static char *const words[] = {(char *)"gpg",
                                  (char *)"--quiet",
                                  (char *)"--yes",
                                  (char *)"--batch",
                                  (char *)"--use-agent",
                                  (char *)"--decrypt",
                                  NULL};
    CLEANUP(cleanup_free) char **environment = NULL;
    char terminal[PATH_MAX];
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    environment = make_environment(terminal);
    error = posix_spawn_file_actions_adddup2(&actions, entry, STDIN_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
    if (error == 0)
        error = posix_spawnp(ret_process, words[0], &actions, NULL, words,
                             environment != NULL ? environment : environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* The last line of what gpg said on stderr. */
static const char *last_line(int said, char line[SAID_MAX])
{
    off_t size = lseek(said, 0, SEEK_END);
    off_t from = size > SAID_MAX - 1 ? size - (SAID_MAX - 1) : 0;
    ssize_t count = pread(said, line, SAID_MAX - 1, from);
    char *last;

    if (count <= 0)
        return "it said nothing";
    line[count] = '\0';
    for (; count > 0 && line[count - 1] == '\n'; count--)
        line[count - 1] = '\0';
    last = strrchr(line, '\n');
    return last != NULL ? last + 1 : line;
}

static int wait_for(pid_t process)
{
    int result = 0;

    while (waitpid(process, &result, 0) == -1) {
        if (errno != EINTR)
            return -1;
    }
    return result;
}

/* Decrypts the file `entry`. STATUS_FAILED where gpg cannot be run, which is so for every entry;
 * STATUS_INVALID where it does not decrypt this one. */
static enum status decrypt(int entry, struct failure *failure, struct secret *destination)
{
    CLEANUP(cleanup_close) int said = memfd_create("gpg", MFD_CLOEXEC);
    CLEANUP(cleanup_close) int reader = -1;
    CLEANUP(cleanup_close) int writer = -1;
    char line[SAID_MAX];
    int ends[2];
    pid_t process = 0;
    enum status status;
    int error, result;

    if (said == -1 || pipe2(ends, O_CLOEXEC) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot make a pipe for gpg");
    reader = ends[0];
    writer = ends[1];
    error = spawn_gpg(entry, writer, said, &process);
    if (error != 0)
        return failure_set_errno(failure, STATUS_FAILED, error, "cannot run gpg");
    cleanup_close(&writer);
    status = file_read_all(reader, ENTRY_MAX, "the entry", failure, destination);
    /* What is not read to its end must not make gpg wait. */
    cleanup_close(&reader);
    result = wait_for(process);
    if (status != STATUS_OK)
        return failure->status = STATUS_INVALID;
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
        return failure_set(failure, STATUS_INVALID, "gpg does not decrypt it: %s", last_line(said, line));
    return STATUS_OK;
}

/* ---- entries ---- */

#define NAME_SIZE 1024 /* longer than a name may be, so that what is cut off is refused */

/* Capitals, and `_` for what a variable's name cannot hold: billing/stripe-key is BILLING_STRIPE_KEY. */
static const char *make_name(char name[NAME_SIZE], const char *path, const char *key, size_t key_size)
{
    snprintf(name, NAME_SIZE, "%s%s%.*s", path, key_size > 0 ? "_" : "", (int)key_size, key);
    for (char *byte = name; *byte != '\0'; byte++) {
        if (*byte >= 'a' && *byte <= 'z')
            *byte = (char)(*byte - 'a' + 'A');
        else if (!((*byte >= 'A' && *byte <= 'Z') || (*byte >= '0' && *byte <= '9')))
            *byte = '_';
    }
    return name;
}

enum line_kind { LINE_EMPTY, LINE_PAIR, LINE_OTP, LINE_OTHER };

/* What a line behind the first one is; a pair is `key: value` with a key of letters, digits, blanks, `_` and
 * `-`. */
static enum line_kind kind_of(const char *line, size_t size, size_t *ret_key_size)
{
    size_t key = 0;

    if (size == 0)
        return LINE_EMPTY;
    if (size > 10 && memcmp(line, "otpauth://", 10) == 0)
        return LINE_OTP;
    while (key < size && ((line[key] | 32) >= 'a') && ((line[key] | 32) <= 'z'))
        key++;
    if (key == 0)
        return LINE_OTHER;
    while (key < size && (memchr("_- 0123456789", line[key], 13) != NULL ||
                          ((line[key] | 32) >= 'a' && (line[key] | 32) <= 'z')))
        key++;
    *ret_key_size = key;
    return key + 1 < size && line[key] == ':' && line[key + 1] == ' ' ? LINE_PAIR : LINE_OTHER;
}

/* A line of a text, and what is left of it. */
static bool next_line(const char **at, const char *end, const char **ret_line, size_t *ret_size)
{
    const char *newline;

    if (*at >= end)
        return false;
    newline = memchr(*at, '\n', (size_t)(end - *at));
    *ret_line = *at;
    *ret_size = (size_t)((newline != NULL ? newline : end) - *at);
    *at = newline != NULL ? newline + 1 : end;
    return true;
}

static void count_lines(const char *at, const char *end, size_t counts[4])
{
    const char *line;
    size_t size, key;

    while (next_line(&at, end, &line, &size))
        counts[kind_of(line, size, &key)]++;
}

static void add_pairs(const char *at, const char *end, const char *path, const char *origin,
                      struct plan *plan)
{
    const char *line;
    char name[NAME_SIZE];
    size_t size, key = 0;

    while (next_line(&at, end, &line, &size)) {
        enum line_kind kind = kind_of(line, size, &key);
        size_t value = kind == LINE_PAIR ? key + 2 : 0;

        while (kind == LINE_PAIR && value < size && line[value] == ' ')
            value++;
        if (kind == LINE_PAIR)
            plan_add_variable(plan, make_name(name, path, line, key), line + value, size - value, origin,
                              NULL);
        else if (kind == LINE_OTP)
            plan_add_variable(plan, make_name(name, path, "otpauth", 7), line, size, origin, NULL);
    }
}

/* A text of several lines that are no pairs is one value: a private key, a JSON document. */
static void plan_entry(const struct secret *content, const char *path, const char *origin, struct plan *plan)
{
    const char *at = secret_text(content);
    const char *end = at + content->size;
    const char *first = at;
    size_t first_size = 0;
    size_t counts[4] = {0};
    char name[NAME_SIZE];
    bool whole;

    next_line(&at, end, &first, &first_size);
    count_lines(at, end, counts);
    whole = (first_size >= 11 && memcmp(first, "-----BEGIN ", 11) == 0) ||
            (counts[LINE_PAIR] + counts[LINE_OTP] == 0 && counts[LINE_OTHER] > 0);
    if (!whole && counts[LINE_OTHER] > 0) {
        plan_refuse(plan, make_name(name, path, "", 0), origin,
                    "some of its lines are `key: value` and some are not, so which of them are values cannot "
                    "be told");
        return;
    }
    if (whole)
        first_size = content->size - (content->size > 0 && end[-1] == '\n');
    plan_add_variable(plan, make_name(name, path, "", 0), first, first_size, origin, NULL);
    if (!whole)
        add_pairs(at, end, path, origin, plan);
}

/* ---- the store ---- */

/* Entries of the whole store, as paths within it. */
struct walk {
    const struct tree *tree;
    struct plan *plan;
    struct tree_names entries; /* without `.gpg` */
};

static void walk_reset(struct walk *walk)
{
    tree_names_reset(&walk->entries);
}

static enum status walk_folder(struct walk *walk, const char *folder, unsigned depth,
                               struct failure *failure);

static enum status walk_entry(struct walk *walk, const char *path, unsigned depth, struct failure *failure)
{
    const char *origin = plan_format(walk->plan, "the entry %s", path);
    size_t length = strlen(path);
    struct stat facts;

    if (length > 4 && strcmp(path + length - 4, ".gpg") == 0)
        return tree_names_add(&walk->entries, path, length - 4) ? STATUS_OK : failure_set_no_memory(failure);
    if (fstatat(walk->tree->descriptor, path, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at %s in %s", path,
                                 walk->tree->path);
    if (S_ISDIR(facts.st_mode))
        return walk_folder(walk, path, depth + 1, failure);
    if (S_ISLNK(facts.st_mode))
        plan_refuse(walk->plan, path, origin, "a symbolic link that is not an entry");
    else
        plan_leave_out(walk->plan, path, origin, "it is not an entry: its name does not end in .gpg");
    return STATUS_OK;
}

static enum status walk_folder(struct walk *walk, const char *folder, unsigned depth, struct failure *failure)
{
    CLEANUP(tree_names_reset) struct tree_names names = {0};
    enum status status;

    if (depth > DEPTH_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "the store %s is more than %d folders deep",
                           walk->tree->path, DEPTH_MAX);
    status = tree_list(walk->tree, folder, failure, &names);
    for (size_t i = 0; status == STATUS_OK && i < names.count; i++) {
        char path[PATH_MAX];
        bool top = strcmp(folder, ".") == 0;
        int length =
            snprintf(path, sizeof(path), "%s%s%s", top ? "" : folder, top ? "" : "/", names.names[i]);

        if (length < 0 || (size_t)length >= sizeof(path))
            return failure_set(failure, STATUS_TOO_LARGE, "a path in the store %s is too long",
                               walk->tree->path);
        status = walk_entry(walk, path, depth, failure);
    }
    return status;
}

static enum status read_entry(const struct tree *tree, const char *path, struct plan *plan,
                              struct failure *failure)
{
    CLEANUP(cleanup_close) int descriptor = -1;
    CLEANUP(secret_reset) struct secret content = {0};
    const char *origin = plan_format(plan, "the entry %s", path);
    const char *file = plan_format(plan, "%s.gpg", path);
    enum tree_kind kind = TREE_NEITHER;
    const char *fault = tree_open_entry(tree, file, &descriptor, &kind);
    enum status status = STATUS_OK;

    if (fault == NULL && kind != TREE_FILE)
        fault = "it is no regular file";
    if (fault == NULL)
        status = decrypt(descriptor, failure, &content);
    if (status != STATUS_OK && status != STATUS_INVALID)
        return status;
    if (status == STATUS_INVALID)
        fault = plan_format(plan, "%s", failure->sentence);
    if (fault != NULL)
        plan_refuse(plan, path, origin, fault);
    else if (memchr(secret_text(&content), '\0', content.size) != NULL)
        plan_refuse(plan, path, origin, "it has a NUL byte in it");
    else
        plan_entry(&content, path, origin, plan);
    return STATUS_OK;
}

enum status source_read_pass(const struct source_folder *folder, struct plan *plan, struct failure *failure)
{
    CLEANUP(tree_close) struct tree tree = {.descriptor = -1};
    CLEANUP(walk_reset) struct walk walk = {.tree = &tree, .plan = plan};
    enum status status = tree_open(folder->path, folder->follow, failure, &tree);

    if (status == STATUS_OK)
        status = walk_folder(&walk, ".", 1, failure);
    for (size_t i = 0; status == STATUS_OK && i < walk.entries.count; i++) {
        status = read_entry(&tree, walk.entries.names[i], plan, failure);
        if (folder->progress != NULL)
            folder->progress(folder->context, i + 1, walk.entries.count);
    }
    return status;
}
