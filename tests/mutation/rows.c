/* Rows deleted, duplicated, inserted and as they once were; tables emptied, replaced and mixed of several
 * states. */
#include "mutation.h"

#include "crypto/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 16u

static void judge_row(struct editor *editor, const struct tree *tree, const struct row *old,
                      const struct row *new, bool follow)
{
    editor_begin(editor);
    editor_edit(editor, &(struct edit){.tree = tree, .old = old, .new = new}, follow);
    judge_image(editor_end(editor), false);
    editor_reset(editor);
}

/* A table's indices follow its rows: what they do alone is in the cases of the indices. */
static bool follows(const struct tree *tree)
{
    return tree->index_count > 0;
}

static void delete_rows(const struct tree *tree, struct editor *editor)
{
    judge_group("row deleted", tree->name);
    for (size_t i = 0; i < tree->count; i++)
        if (judge_wants("%s", tree->rows[i].label))
            judge_row(editor, tree, &tree->rows[i], NULL, follows(tree));
}

static void random_bytes(struct value *value)
{
    value->bytes = allocate(value->size + 1);
    seal_random(value->bytes, value->size);
}

/* Where a table of numbers has room, and where it never has. */
static size_t free_numbers(const struct tree *tree, int64_t numbers[32])
{
    static const int64_t tries[] = {0,
                                    1,
                                    2,
                                    3,
                                    255,
                                    256,
                                    257,
                                    512,
                                    1000000,
                                    -1,
                                    INT64_MIN,
                                    INT64_MAX,
                                    (int64_t)1 << 56,
                                    ((int64_t)1 << 56) + 1,
                                    ((int64_t)1 << 56) + 2,
                                    (int64_t)2 << 56,
                                    (int64_t)5 << 56,
                                    (int64_t)6 << 56,
                                    (int64_t)7 << 56};
    int64_t last = tree->rows[tree->count - 1].values[0].number;
    size_t count = 0;

    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        if (tree_find(tree, &(struct value){.type = SQLITE_INTEGER, .number = tries[i]}) == NULL)
            numbers[count++] = tries[i];
    for (int64_t i = 1; i <= 3; i++)
        if (tree_find(tree, &(struct value){.type = SQLITE_INTEGER, .number = last + i}) == NULL)
            numbers[count++] = last + i;
    return count;
}

/* The row once more, under a number, id or look-up that is free. */
static void duplicate_numbered(const struct tree *tree, const struct row *row, struct editor *editor,
                               bool fresh)
{
    int64_t numbers[32];
    size_t count = free_numbers(tree, numbers);

    for (size_t i = 0; i < count; i++) {
        struct row copy = *row;
        copy.values[0].number = numbers[i];
        if (!judge_wants("%s:%lld", row->label, (long long)numbers[i]))
            continue;
        for (unsigned column = 1; fresh && column < tree->width; column++)
            if (row->values[column].type == SQLITE_BLOB)
                random_bytes(&copy.values[column]);
        judge_row(editor, tree, NULL, &copy, follows(tree));
        for (unsigned column = 1; fresh && column < tree->width; column++)
            if (row->values[column].type == SQLITE_BLOB)
                free(copy.values[column].bytes);
    }
}

/* One copy with each blob column fresh, or (`all`) with all of them fresh. */
static void duplicate_keyed(const struct tree *tree, const struct row *row, struct editor *editor, bool all)
{
    for (unsigned fresh = 0; fresh < (all ? 1 : tree->width); fresh++) {
        struct row copy = *row;
        if ((!all && row->values[fresh].type != SQLITE_BLOB) || (!all && row->values[fresh].size == 0) ||
            !judge_wants("%s:%s", row->label, all ? "all new" : tree->columns[fresh]))
            continue;
        for (unsigned column = 0; column < tree->width; column++)
            if (row->values[column].type == SQLITE_BLOB && (all || column == fresh))
                random_bytes(&copy.values[column]);
        judge_row(editor, tree, NULL, &copy, follows(tree));
        for (unsigned column = 0; column < tree->width; column++)
            if (row->values[column].type == SQLITE_BLOB && (all || column == fresh))
                free(copy.values[column].bytes);
    }
}

static void duplicate_schema(const struct tree *tree, const struct row *row, struct editor *editor)
{
    struct row copy = *row;
    struct value *name = &copy.values[tree->key];

    if (judge_wants("%s:the same", row->label))
        judge_row(editor, tree, NULL, row, false);
    if (!judge_wants("%s:another name", row->label))
        return;
    name->bytes = allocate(name->size + 1);
    memcpy(name->bytes, row->values[tree->key].bytes, name->size);
    name->bytes[0] ^= 1;
    judge_row(editor, tree, NULL, &copy, false);
    free(name->bytes);
}

static void duplicate_rows(const struct tree *tree, struct editor *editor)
{
    judge_group("row duplicated", tree->name);
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->is_schema)
            duplicate_schema(tree, &tree->rows[i], editor);
        else if (tree->numbered)
            duplicate_numbered(tree, &tree->rows[i], editor, false);
        else
            duplicate_keyed(tree, &tree->rows[i], editor, false);
    }
}

static void insert_rows(const struct tree *tree, struct editor *editor)
{
    if (tree->is_schema)
        return;
    judge_group("row inserted", tree->name);
    for (size_t i = 0; i<tree->count; i += tree->count> 64 ? tree->count / 64 : 1) {
        if (tree->numbered)
            duplicate_numbered(tree, &tree->rows[i], editor, true);
        else
            duplicate_keyed(tree, &tree->rows[i], editor, true);
    }
}

/* The row once more under the id of a row of another table, whose place it could take where rows are
 * remembered by id; or under what stands for a number there (vault/state.c). */
static void borrow_ids(const struct copy *base, const struct tree *tree, struct editor *editor)
{
    static const uint8_t tables[] = {3, 4};

    judge_group("row inserted with an id of another table", tree->name);
    for (size_t i = 0; i < base->count; i++) {
        const struct tree *other = &base->trees[i];
        for (size_t j = 0; j < other->count && other != tree && !other->is_index && !other->is_schema; j++) {
            const struct value *key = &other->rows[j].values[0];
            uint8_t number[16] = {0};
            struct row copy = tree->rows[0];
            for (unsigned k = 0; k < 8; k++)
                number[15 - k] = (uint8_t)((uint64_t)key->number >> 8 * k);
            for (size_t k = 0; k < (key->type == SQLITE_BLOB ? 1 : sizeof tables); k++) {
                number[3] = tables[k];
                copy.values[0] =
                    key->type == SQLITE_BLOB
                        ? *key
                        : (struct value){.type = SQLITE_BLOB, .bytes = number, .size = sizeof number};
                if (judge_wants("%s:%s:%zu", other->name, other->rows[j].label, k))
                    judge_row(editor, tree, NULL, &copy, follows(tree));
            }
        }
    }
}

/* A row of an older state: in the place of what it became, beside it, or where it is no more. */
static void replay_rows(const struct tree *tree, const struct copy *older, struct editor *editor)
{
    const struct tree *then = copy_tree(older, tree->name);

    for (size_t i = 0; then != NULL && i < then->count; i++) {
        const struct row *was = &then->rows[i];
        const struct row *now = tree_find(tree, &was->values[tree->key]);
        if (now != NULL && rows_equal(tree, now, was))
            continue;
        judge_group(now == NULL ? "removed row put back" : "older row", tree->name);
        if (judge_wants("%s:%s", was->label, older->name))
            judge_row(editor, tree, now, was, follows(tree));
        if (now == NULL || tree->numbered)
            continue;
        judge_group("older row beside the new one", tree->name);
        if (judge_wants("%s:%s", was->label, older->name))
            judge_row(editor, tree, NULL, was, follows(tree));
    }
}

void try_rows(const struct copy *base, const struct copy *older, size_t count, struct editor *editor)
{
    for (size_t i = 0; i < base->count; i++) {
        delete_rows(&base->trees[i], editor);
        duplicate_rows(&base->trees[i], editor);
        insert_rows(&base->trees[i], editor);
        if (base->trees[i].width > 2 && !base->trees[i].numbered && !base->trees[i].is_schema)
            borrow_ids(base, &base->trees[i], editor);
        for (size_t j = 0; j < count; j++)
            replay_rows(&base->trees[i], &older[j], editor);
    }
}

/* ---- Tables ---- */

static void judge_fill(struct editor *editor, const struct tree *tree, const struct tree *source, bool follow)
{
    editor_begin(editor);
    editor_fill(editor, tree, source, follow);
    judge_image(editor_end(editor), false);
    editor_reset(editor);
}

static bool trees_equal(const struct tree *one, const struct tree *other)
{
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count; i++)
        if (!rows_equal(one, &one->rows[i], &other->rows[i]))
            return false;
    return true;
}

static void empty_and_replace(const struct tree *tree, const struct copy *older, size_t count,
                              struct editor *editor)
{
    judge_group("table emptied", tree->name);
    if (judge_wants("alone"))
        judge_fill(editor, tree, NULL, false);
    if (follows(tree) && judge_wants("with its indices"))
        judge_fill(editor, tree, NULL, true);
    if (tree->is_schema)
        return;
    judge_group("table as it was", tree->name);
    for (size_t i = 0; i < count; i++) {
        const struct tree *then = copy_tree(&older[i], tree->name);
        if (then == NULL || trees_equal(tree, then))
            continue;
        if (judge_wants("%s:alone", older[i].name))
            judge_fill(editor, tree, then, false);
        if (follows(tree) && judge_wants("%s:with its indices", older[i].name))
            judge_fill(editor, tree, then, true);
    }
}

/* Some tables of the older state and the others as they are: every choice of tables that is neither state. */
static void mix_tables(const struct copy *base, const struct copy *older, struct editor *editor)
{
    const struct tree *differing[TABLES_MAX];
    unsigned count = 0;

    for (size_t i = 0; i < base->count; i++) {
        const struct tree *tree = &base->trees[i], *then = copy_tree(older, tree->name);
        if (!tree->is_index && !tree->is_schema && then != NULL && !trees_equal(tree, then))
            differing[count++] = tree;
    }
    judge_group("tables of two states", "all");
    for (unsigned choice = 1; count > 0 && choice + 1 < 1u << count; choice++) {
        char names[160] = "";
        for (unsigned i = 0; i < count; i++)
            if ((choice >> i & 1) != 0)
                snprintf(names + strlen(names), sizeof names - strlen(names), "+%s", differing[i]->name);
        if (!judge_wants("%s:%s", older->name, names))
            continue;
        editor_begin(editor);
        for (unsigned i = 0; i < count; i++)
            if ((choice >> i & 1) != 0)
                editor_fill(editor, differing[i], copy_tree(older, differing[i]->name), true);
        judge_image(editor_end(editor), false);
        editor_reset(editor);
    }
}

void try_tables(const struct copy *base, const struct copy *older, size_t count, struct editor *editor)
{
    for (size_t i = 0; i < base->count; i++)
        empty_and_replace(&base->trees[i], older, count, editor);
    for (size_t i = 0; i < count; i++)
        mix_tables(base, &older[i], editor);
}
