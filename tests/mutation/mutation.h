/* What the parts of the mutation harness share: copies of a vault's file taken apart into their b-trees,
 * edits of rows, and the judging of a case. main.c has what the harness is for. */
#ifndef STEPVAULT_MUTATION_H
#define STEPVAULT_MUTATION_H

#include "vault.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096u
#define COLUMNS_MAX 10u
#define TREES_MAX 16u
#define INDICES_MAX 3u
#define LABEL_SIZE 96

/* ---- main.c: what ends the run because the harness itself is at fault ---- */

void expect(bool right, const char *what);
void *allocate(size_t size);

/* ---- image.c: files as bytes, and as rows ---- */

struct image {
    uint8_t *bytes;
    size_t size;
};

struct value {
    int type; /* as SQLite has it */
    int64_t number;
    double real;
    uint8_t *bytes; /* of a blob or a text */
    size_t size;
};

struct row {
    struct value values[COLUMNS_MAX];
    char label[LABEL_SIZE];
};

/* A table's b-tree, or an index's. */
struct tree {
    char name[32];
    char table[32]; /* of an index */
    int root;
    bool numbered; /* its first column is SQLite's own row number */
    bool is_index;
    bool is_schema;
    unsigned width;
    unsigned key; /* the column by which a row is known in another copy */
    char columns[COLUMNS_MAX][32];
    struct row *rows;
    size_t count;
    const struct tree *indices[INDICES_MAX]; /* of a table */
    unsigned looked_up[INDICES_MAX];         /* the column that each lists, beside the key */
    size_t index_count;
};

/* One state of the vault. */
struct copy {
    char name[64];
    struct image image;
    struct tree trees[TREES_MAX];
    size_t count;
};

struct image image_load(const char *path);
/* False if SQLite cannot read all of it. */
bool copy_read(struct copy *copy);
void copy_reset(struct copy *copy);
bool copies_equal(const struct copy *first, const struct copy *second);
bool values_equal(const struct value *first, const struct value *second);
bool rows_equal(const struct tree *tree, const struct row *first, const struct row *second);
/* NULL if there is none. */
const struct tree *copy_tree(const struct copy *copy, const char *name);
const struct row *tree_find(const struct tree *tree, const struct value *key);

/* A row that is taken out (or NULL) and one that is put in (or NULL). */
struct edit {
    const struct tree *tree;
    const struct row *old;
    const struct row *new;
};

/* The base's database in memory, in which edits are made without any rule of the schema. */
struct editor;
struct editor *editor_open(const struct copy *base);
void editor_close(struct editor *editor);
void editor_begin(struct editor *editor);
/* With `follow` the indices of a table get what its rows say. */
void editor_edit(struct editor *editor, const struct edit *edit, bool follow);
/* All rows out, and those of `source` (or none, NULL) in. */
void editor_fill(struct editor *editor, const struct tree *tree, const struct tree *source, bool follow);
/* The edited file. It holds until editor_reset, which takes everything back. */
struct image editor_end(struct editor *editor);
void editor_reset(struct editor *editor);

/* ---- judge.c: cases, their verdicts and totals ---- */

struct judge_options {
    const char *folder; /* in memory; the vault that is opened lies there */
    unsigned shard;     /* 1 to `shards` */
    unsigned shards;
    const char *point; /* a pattern for names of cases, or NULL */
    bool list;         /* name the cases and do not try them */
    bool show;         /* name those that change bytes of no cell */
    struct vault_key keys[2];
};
void judge_start(const struct judge_options *options, const struct copy *base);
/* The cases that follow are of this kind and tree. */
void judge_group(const char *kind, const char *tree);
/* Counts a case; true if it is one of this run's. */
bool judge_wants(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The case is this file instead of the base. With `raw`, bytes may differ that are no part of any row. */
void judge_image(struct image image, bool raw);
/* The pin of the vault's path is this head from now on; NULL: there is none. */
void judge_pin(const char *head);
/* The case is a whole older state, which the pin must refuse and nothing else does. */
void judge_older(const struct copy *copy);
/* Opens the file with the log and remembers its head, in order of time, the last as the pin; false if it does
 * not open. */
bool judge_add_head(struct image image, struct image log);
/* The case is a file with a write-ahead log beside it; `behind`: it differs behind the last commit only. */
void judge_log(struct image image, struct image log, bool behind);
/* Prints a line of totals for each group, tab-separated; false if anything was not noticed. */
bool judge_report(void);

/* A number that looks random and depends on the case alone. */
uint64_t judge_mix(uint64_t salt);

/* ---- rows.c and pages.c: the cases ---- */

void try_cells(const struct copy *base, const struct copy *older, size_t count, struct editor *editor);
void try_rows(const struct copy *base, const struct copy *older, size_t count, struct editor *editor);
void try_tables(const struct copy *base, const struct copy *older, size_t count, struct editor *editor);
void try_pages(const struct copy *base, const struct copy *older, size_t count);
void try_log(struct image image, struct image log);

#endif
