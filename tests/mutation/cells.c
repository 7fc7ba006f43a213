/* Every cell of every table and index: each byte flipped, NULL, another type, another size, swapped, and as
 * it once was. */
#include "mutation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_SIBLINGS                                                                                         \
    64u /* rows that are all swapped with each other; of more, neighbours and so many others */

struct scope {
    const struct copy *base;
    struct editor *editor;
    const struct tree *tree;
    bool follow;
    char kind_end[16]; /* what the group's kind ends in */
};

static void group(const struct scope *scope, const char *kind)
{
    char name[48];

    snprintf(name, sizeof name, "%s%s", kind, scope->kind_end);
    judge_group(name, scope->tree->name);
}

static void judge_edits(const struct scope *scope, const struct edit *edits, size_t count)
{
    editor_begin(scope->editor);
    for (size_t i = 0; i < count; i++)
        editor_edit(scope->editor, &(struct edit){.tree = scope->tree, .old = edits[i].old}, scope->follow);
    for (size_t i = 0; i < count; i++)
        editor_edit(scope->editor, &(struct edit){.tree = scope->tree, .new = edits[i].new}, scope->follow);
    judge_image(editor_end(scope->editor), false);
    editor_reset(scope->editor);
}

/* The row with one cell changed. */
static void judge_cell(const struct scope *scope, const struct row *row, unsigned column,
                       const struct value *value)
{
    struct row changed = *row;

    changed.values[column] = *value;
    judge_edits(scope, &(struct edit){.old = row, .new = &changed}, 1);
}

static void flip_bytes(const struct scope *scope, const struct row *row, unsigned column)
{
    struct value value = row->values[column];
    bool is_number = value.type == SQLITE_INTEGER;
    size_t size = is_number ? sizeof value.number : value.size;

    value.bytes = allocate(value.size);
    if (value.size > 0)
        memcpy(value.bytes, row->values[column].bytes, value.size);
    for (size_t i = 0; i < size; i++) {
        if (!judge_wants("%s:%s:%zu", row->label, scope->tree->columns[column], i))
            continue;
        uint8_t mask = (uint8_t)(1u << judge_mix(2) % 8);
        if (is_number)
            value.number = (int64_t)((uint64_t)row->values[column].number ^ (uint64_t)mask << 8 * i);
        else
            value.bytes[i] ^= mask;
        judge_cell(scope, row, column, &value);
        if (!is_number)
            value.bytes[i] ^= mask;
    }
    free(value.bytes);
}

static void flip(const struct scope *scope)
{
    group(scope, "byte flipped");
    for (size_t i = 0; i < scope->tree->count; i++)
        for (unsigned column = 0; column < scope->tree->width; column++)
            flip_bytes(scope, &scope->tree->rows[i], column);
}

/* ---- Other values ---- */

static void replace(const struct scope *scope, const struct row *row, unsigned column, const char *what,
                    struct value value)
{
    if (!values_equal(&value, &row->values[column]) &&
        judge_wants("%s:%s:%s", row->label, scope->tree->columns[column], what))
        judge_cell(scope, row, column, &value);
}

static void replace_number(const struct scope *scope, const struct row *row, unsigned column)
{
    static const int64_t numbers[] = {0, 1, -1, INT64_MIN, INT64_MAX, UINT32_MAX, (int64_t)UINT32_MAX + 1};
    int64_t number = row->values[column].number;
    char what[32];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        snprintf(what, sizeof what, "number %lld", (long long)numbers[i]);
        replace(scope, row, column, what, (struct value){.type = SQLITE_INTEGER, .number = numbers[i]});
    }
    replace(scope, row, column, "one more", (struct value){.type = SQLITE_INTEGER, .number = number + 1});
    replace(scope, row, column, "one less", (struct value){.type = SQLITE_INTEGER, .number = number - 1});
    if (scope->tree->numbered && column == 0)
        return; /* SQLite's own row number: it is a number or there is no row */
    replace(scope, row, column, "null", (struct value){.type = SQLITE_NULL});
    if (scope->tree->is_schema)
        return; /* whose columns have SQLite make numbers of these again */
    replace(scope, row, column, "real", (struct value){.type = SQLITE_FLOAT, .real = (double)number});
    snprintf(what, sizeof what, "%lld", (long long)number);
    replace(scope, row, column, "text",
            (struct value){.type = SQLITE_TEXT, .bytes = (uint8_t *)what, .size = strlen(what)});
}

static void replace_bytes(const struct scope *scope, const struct row *row, unsigned column)
{
    struct value value = row->values[column], longer = value, zeros = value;

    longer.bytes = allocate(2 * value.size + 16);
    memcpy(longer.bytes, value.bytes, value.size);
    memcpy(longer.bytes + value.size, value.bytes, value.size);
    zeros.bytes = allocate(value.size + 1);
    memset(zeros.bytes, 0, value.size + 1);
    replace(scope, row, column, "null", (struct value){.type = SQLITE_NULL});
    replace(scope, row, column, "number", (struct value){.type = SQLITE_INTEGER, .number = 1});
    replace(scope, row, column, "zeros", zeros);
    value.type = value.type == SQLITE_BLOB ? SQLITE_TEXT : SQLITE_BLOB;
    replace(scope, row, column, "other type", value);
    value.type = row->values[column].type;
    const size_t sizes[] = {
        0, value.size - 1, value.size + 1, value.size + 16, 2 * value.size, value.size / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char what[32];
        if (sizes[i] > 2 * value.size + 16)
            continue;
        longer.size = sizes[i];
        snprintf(what, sizeof what, "size %zu", sizes[i]);
        replace(scope, row, column, what, longer);
    }
    free(longer.bytes);
    free(zeros.bytes);
}

static void replace_values(const struct scope *scope)
{
    group(scope, "NULL or another form");
    for (size_t i = 0; i < scope->tree->count; i++) {
        for (unsigned column = 0; column < scope->tree->width; column++) {
            const struct row *row = &scope->tree->rows[i];
            if (row->values[column].type == SQLITE_INTEGER)
                replace_number(scope, row, column);
            else
                replace_bytes(scope, row, column);
        }
    }
}

/* ---- Swaps ---- */

static void swap_cells(const struct scope *scope, const struct row *one, const struct row *other,
                       unsigned column)
{
    struct row changed[2] = {*one, *other};

    changed[0].values[column] = other->values[column];
    changed[1].values[column] = one->values[column];
    /* Where nothing else differs, the two rows only change places. */
    if (values_equal(&one->values[column], &other->values[column]) ||
        rows_equal(scope->tree, &changed[0], other) ||
        !judge_wants("%s:%s:%s", one->label, scope->tree->columns[column], other->label))
        return;
    judge_edits(scope,
                (struct edit[]){
                    {.old = one,   .new = &changed[0]},
                    {.old = other, .new = &changed[1]}
    },
                2);
}

static void swap_siblings(const struct scope *scope)
{
    const struct tree *tree = scope->tree;
    size_t step = tree->count <= ALL_SIBLINGS ? 1 : tree->count / ALL_SIBLINGS;

    group(scope, "swapped with a sibling");
    for (size_t i = 0; i < tree->count; i++)
        for (size_t j = i + 1; j < tree->count; j++)
            for (unsigned column = 0; column < tree->width; column++)
                if (j == i + 1 || (j - i) % step == 0)
                    swap_cells(scope, &tree->rows[i], &tree->rows[j], column);
}

static void swap_columns(const struct scope *scope)
{
    group(scope, "two columns swapped");
    for (size_t i = 0; i < scope->tree->count; i++) {
        const struct row *row = &scope->tree->rows[i];
        for (unsigned a = 0; a < scope->tree->width; a++) {
            for (unsigned b = a + 1; b < scope->tree->width; b++) {
                struct row changed = *row;
                if (values_equal(&row->values[a], &row->values[b]) ||
                    (scope->tree->numbered && a == 0 && row->values[b].type != SQLITE_INTEGER) ||
                    !judge_wants("%s:%s:%s", row->label, scope->tree->columns[a], scope->tree->columns[b]))
                    continue;
                changed.values[a] = row->values[b];
                changed.values[b] = row->values[a];
                judge_edits(scope, &(struct edit){.old = row, .new = &changed}, 1);
            }
        }
    }
}

/* ---- The past ---- */

static void replay_cells(const struct scope *scope, const struct copy *older)
{
    const struct tree *then = copy_tree(older, scope->tree->name);

    if (then == NULL || then->width != scope->tree->width)
        return;
    group(scope, "older value");
    for (size_t i = 0; i < scope->tree->count; i++) {
        const struct row *row = &scope->tree->rows[i];
        const struct row *was = tree_find(then, &row->values[scope->tree->key]);
        for (unsigned column = 0; was != NULL && column < scope->tree->width; column++)
            replace(scope, row, column, older->name, was->values[column]);
    }
}

static void try_tree(const struct scope *scope, const struct copy *older, size_t count)
{
    flip(scope);
    replace_values(scope);
    swap_siblings(scope);
    swap_columns(scope);
    for (size_t i = 0; i < count; i++)
        replay_cells(scope, &older[i]);
}

void try_cells(const struct copy *base, const struct copy *older, size_t count, struct editor *editor)
{
    for (size_t i = 0; i < base->count; i++) {
        struct scope scope = {.base = base, .editor = editor, .tree = &base->trees[i]};
        try_tree(&scope, older, count);
        if (base->trees[i].index_count == 0)
            continue;
        scope.follow = true;
        snprintf(scope.kind_end, sizeof scope.kind_end, ", with indices");
        try_tree(&scope, older, count);
    }
}
