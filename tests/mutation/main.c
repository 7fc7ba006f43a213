/* Exhaustive mutation of a vault: whatever is changed in the file, cell by cell, row by row and byte by byte,
 * the vault must be refused or its check must say so. tests/mutation/mutation.sh makes the vault and runs
 * this.
 *
 *   mutate --vault FOLDER --in MEMORY [--shard I/N] [--point PATTERN] [--list | --show]
 *
 * FOLDER has vault.db, key, key2, older states as older-*.db, and open.db with open.db-wal as an agent had
 * them. Prints a line for each kind of case, tab-separated (kind, where, tried, noticed, no part of any row,
 * older state, not possible, statuses), and `#` lines that name what was missed. Exit status 0 if nothing
 * was. */
#include "mutation.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/seal.h"
#include "log.h"
#include "record.h"
#include "json/json.h"

#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLDER_MAX 16u

static struct copy base, older[OLDER_MAX];
static size_t older_count;

void expect(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "mutate: %s\n", what);
    exit(2);
}

void *allocate(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);

    expect(memory != NULL, "out of memory");
    return memory;
}

static void load_key(const char *folder, const char *name, struct vault_key *key)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct image image = image_load(path);
    expect(image.size == SLOT_KEY_SIZE, path);
    memcpy(key->key, image.bytes, SLOT_KEY_SIZE);
    free(image.bytes);
}

static void load_copy(const char *path, struct copy *copy)
{
    const char *name = strrchr(path, '/') + 1;

    copy->image = image_load(path);
    snprintf(copy->name, sizeof copy->name, "%.*s", (int)strcspn(name, "."), name);
    expect(copy->image.size > 0 && copy->image.size % PAGE_SIZE == 0 && copy_read(copy), path);
}

static void load_older(const char *folder)
{
    char pattern[256];
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/older-*.db", folder);
    expect(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc <= OLDER_MAX, "the older states");
    for (size_t i = 0; i < found.gl_pathc; i++)
        load_copy(found.gl_pathv[i], &older[older_count++]);
    globfree(&found);
}

/* ---- Names of rows that are the same in every run, though ids are not ---- */

static void label_record(struct vault *vault, struct row *row)
{
    CLEANUP(record_reset) struct record record = {0};
    struct failure failure;
    bool found = false;

    if (vault == NULL ||
        record_find_by_id(vault, row->values[0].bytes, &failure, &record, &found) != STATUS_OK || !found)
        return;
    /* A past of an account is known by an id, which differs from run to run: its fellows are told apart by
     * size. */
    if (record.kind == RECORD_PAST_ACCOUNT)
        snprintf(row->label, sizeof row->label, "%s of %zu", record_kind_word(record.kind), record.size);
    else
        snprintf(row->label, sizeof row->label, "%s %s %s", record_kind_word(record.kind), record.where,
                 record.name);
}

static void label_row(struct vault *vault, const struct copy *copy, const struct tree *tree, struct row *row,
                      size_t place)
{
    const struct value *key = &row->values[tree->key];

    snprintf(row->label, sizeof row->label, "%zu", place);
    if (tree->is_schema)
        snprintf(row->label, sizeof row->label, "%.*s", (int)key->size, (const char *)key->bytes);
    else if (tree->numbered)
        snprintf(row->label, sizeof row->label, "%lld", (long long)key->number);
    else if (strcmp(tree->name, "slots") == 0)
        snprintf(row->label, sizeof row->label, "kind %lld of %lld", (long long)row->values[1].number,
                 (long long)(row->values[6].number % 1000000));
    else if (tree->is_index) {
        const struct row *record = tree_find(copy_tree(copy, "records"), key);
        snprintf(row->label, sizeof row->label, "%s", record == NULL ? "?" : record->label);
    } else
        label_record(vault, row);
}

static int compare_labels(const void *one, const void *other)
{
    return strcmp(((const struct row *)one)->label, ((const struct row *)other)->label);
}

/* Tables come before their indices, which take their labels from them. */
static void label_rows(struct vault *vault, struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        struct tree *tree = &copy->trees[i];
        for (size_t j = 0; j < tree->count; j++)
            label_row(vault, copy, tree, &tree->rows[j], j);
        if (!tree->numbered && !tree->is_schema)
            qsort(tree->rows, tree->count, sizeof *tree->rows, compare_labels);
    }
}

/* Hands out the signed head. */
static void label_base(const char *folder, const struct judge_options *options, char head[NOTE_MAX])
{
    CLEANUP(vault_freep) struct vault *vault = NULL;
    struct failure failure;
    char path[256];

    snprintf(path, sizeof path, "%s/vault.db", folder);
    if (vault_open(path, &options->keys[0], 60000, &failure, &vault) != STATUS_OK)
        expect(false, failure.sentence);
    label_rows(vault, &base);
    snprintf(head, NOTE_MAX, "%s", log_head(vault));
    for (size_t i = 0; i < older_count; i++)
        label_rows(NULL, &older[i]);
}

static void run(const char *folder, const struct judge_options *options)
{
    char path[256], log_path[264], head[NOTE_MAX];

    label_base(folder, options, head);
    judge_start(options, &base);
    judge_pin(head);
    struct editor *editor = editor_open(&base);
    try_cells(&base, older, older_count, editor);
    try_rows(&base, older, older_count, editor);
    try_tables(&base, older, older_count, editor);
    try_pages(&base, older, older_count);
    snprintf(path, sizeof path, "%s/open.db", folder);
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    struct image image = image_load(path), log = image_load(log_path);
    try_log(image, log);
    free(image.bytes);
    free(log.bytes);
    editor_close(editor);
}

int main(int count, char **words)
{
    static const struct option options[] = {
        {"vault", required_argument, NULL, 'v'},
        {"in",    required_argument, NULL, 'i'},
        {"shard", required_argument, NULL, 's'},
        {"point", required_argument, NULL, 'p'},
        {"list",  no_argument,       NULL, 'l'},
        {"show",  no_argument,       NULL, 'n'},
        {NULL,    0,                 NULL, 0  },
    };
    struct judge_options judged = {.shard = 1, .shards = 1};
    const char *folder = NULL;
    struct failure failure;
    int option;

    while ((option = getopt_long(count, words, "", options, NULL)) != -1) {
        folder = option == 'v' ? optarg : folder;
        judged.folder = option == 'i' ? optarg : judged.folder;
        judged.point = option == 'p' ? optarg : judged.point;
        judged.list = judged.list || option == 'l';
        judged.show = judged.show || option == 'n';
        expect(option != '?', "see main.c for the options");
        expect(option != 's' || sscanf(optarg, "%u/%u", &judged.shard, &judged.shards) == 2, "--shard I/N");
    }
    expect(folder != NULL && judged.folder != NULL && judged.shard >= 1 && judged.shard <= judged.shards,
           "see main.c for the options");
    setlinebuf(stdout);
    json_start();
    expect(seal_start(&failure) == STATUS_OK, "libsodium");
    load_key(folder, "key", &judged.keys[0]);
    load_key(folder, "key2", &judged.keys[1]);
    char path[256];
    snprintf(path, sizeof path, "%s/vault.db", folder);
    load_copy(path, &base);
    load_older(folder);
    run(folder, &judged);
    copy_reset(&base);
    for (size_t i = 0; i < older_count; i++)
        copy_reset(&older[i]);
    return judge_report() ? 0 : 1;
}
