/* Copies of the vault's file, and edits of their rows.
 *
 * A copy is read and edited in memory through "imposters": tables without any rule that SQLite is told to see
 * in the b-tree of a real table or index, so that whatever can lie in the file can be written. */
#include "mutation.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct image image_load(const char *path)
{
    CLEANUP(cleanup_close) int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;

    if (descriptor < 0 || fstat(descriptor, &facts) != 0)
        return (struct image){0};
    struct image image = {.bytes = allocate((size_t)facts.st_size + 1), .size = (size_t)facts.st_size};
    expect(read(descriptor, image.bytes, image.size) == (ssize_t)image.size, path);
    return image;
}

/* SQLite's file in memory, which has no write-ahead log. */
static sqlite3 *open_in_memory(const struct image *image)
{
    sqlite3 *handle = NULL;
    uint8_t *bytes = sqlite3_malloc64(image->size);

    expect(bytes != NULL, "memory for a copy");
    memcpy(bytes, image->bytes, image->size);
    if (image->size > 19)
        bytes[18] = bytes[19] = 1;
    expect(sqlite3_open(":memory:", &handle) == SQLITE_OK, "a database in memory");
    expect(sqlite3_deserialize(handle, "main", bytes, (sqlite3_int64)image->size, (sqlite3_int64)image->size,
                               SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK,
           "a database in memory");
    return handle;
}

/* ---- Reading ---- */

static void value_read(sqlite3_stmt *statement, int column, struct value *value)
{
    *value = (struct value){.type = sqlite3_column_type(statement, column)};
    if (value->type == SQLITE_INTEGER)
        value->number = sqlite3_column_int64(statement, column);
    if (value->type == SQLITE_FLOAT)
        value->real = sqlite3_column_double(statement, column);
    if (value->type == SQLITE_BLOB || value->type == SQLITE_TEXT) {
        value->size = (size_t)sqlite3_column_bytes(statement, column);
        value->bytes = allocate(value->size + 1);
        if (value->size > 0)
            memcpy(value->bytes, sqlite3_column_blob(statement, column), value->size);
    }
}

static bool read_columns(sqlite3 *handle, struct tree *tree)
{
    sqlite3_stmt *statement = NULL;
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT name FROM %s('%s')",
             tree->is_index ? "pragma_index_xinfo" : "pragma_table_info", tree->name);
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return false;
    while (sqlite3_step(statement) == SQLITE_ROW && tree->width < COLUMNS_MAX)
        snprintf(tree->columns[tree->width++], sizeof tree->columns[0], "%s",
                 sqlite3_column_text(statement, 0));
    return sqlite3_finalize(statement) == SQLITE_OK && tree->width > 0;
}

/* What stands before the name of a tree in statements: of the schema SQLite lets nothing stand in the place.
 */
static const char *prefix(const struct tree *tree)
{
    return tree->is_schema ? "" : "i_";
}

/* Has SQLite see an imposter of the tree, called i_NAME. */
static bool make_imposter(sqlite3 *handle, const struct tree *tree)
{
    char columns[256] = "", sql[640];

    for (unsigned i = 0; i < tree->width; i++)
        snprintf(columns + strlen(columns), sizeof columns - strlen(columns), "%s%s", i > 0 ? ", " : "",
                 tree->columns[i]);
    if (tree->is_schema)
        return true;
    if (tree->numbered)
        snprintf(sql, sizeof sql, "CREATE TABLE i_%s (%s INTEGER PRIMARY KEY%s)", tree->name,
                 tree->columns[0], columns + strlen(tree->columns[0]));
    else
        snprintf(sql, sizeof sql, "CREATE TABLE i_%s (%s, PRIMARY KEY (%s)) WITHOUT ROWID", tree->name,
                 columns, columns);
    (void)sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, handle, "main", 1, tree->root);
    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    (void)sqlite3_test_control(SQLITE_TESTCTRL_IMPOSTER, handle, "main", 0, 0);
    return code == SQLITE_OK;
}

static bool read_rows(sqlite3 *handle, struct tree *tree)
{
    sqlite3_stmt *statement = NULL;
    char sql[64];
    size_t room = 0;
    int code;

    snprintf(sql, sizeof sql, "SELECT * FROM %s%s", prefix(tree), tree->name);
    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return false;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && tree->count < 100000) {
        if (tree->count == room) {
            room = room == 0 ? 64 : room * 2;
            tree->rows = reallocarray(tree->rows, room, sizeof *tree->rows);
            expect(tree->rows != NULL, "memory for rows");
        }
        struct row *row = &tree->rows[tree->count++];
        memset(row, 0, sizeof *row);
        for (unsigned i = 0; i < tree->width; i++)
            value_read(statement, (int)i, &row->values[i]);
    }
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

static bool read_trees(sqlite3 *handle, struct copy *copy)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(handle,
                           "SELECT 'sqlite_schema', 1, 'table', '', '' UNION ALL"
                           " SELECT name, rootpage, type, sql, tbl_name FROM sqlite_schema",
                           -1, &statement, NULL) != SQLITE_OK)
        return false;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && copy->count < TREES_MAX) {
        struct tree *tree = &copy->trees[copy->count++];
        const char *sql = (const char *)sqlite3_column_text(statement, 3);
        snprintf(tree->name, sizeof tree->name, "%s", sqlite3_column_text(statement, 0));
        snprintf(tree->table, sizeof tree->table, "%s", sqlite3_column_text(statement, 4));
        tree->root = sqlite3_column_int(statement, 1);
        tree->is_index = strcmp((const char *)sqlite3_column_text(statement, 2), "index") == 0;
        tree->is_schema = tree->root == 1;
        tree->numbered =
            !tree->is_index && !tree->is_schema && sql != NULL && strstr(sql, "WITHOUT ROWID") == NULL;
    }
    (void)sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

/* What each index lists, of its table. */
static void connect_indices(struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        struct tree *tree = &copy->trees[i];
        tree->key = tree->is_schema ? 1 : tree->is_index ? tree->width - 1 : 0;
        if (!tree->is_index)
            continue;
        struct tree *table = (struct tree *)copy_tree(copy, tree->table);
        expect(table != NULL && table->index_count < INDICES_MAX && tree->width == 2,
               "an index of one column and the key");
        for (unsigned j = 0; j < table->width; j++)
            if (strcmp(table->columns[j], tree->columns[0]) == 0)
                table->looked_up[table->index_count] = j;
        table->indices[table->index_count++] = tree;
    }
}

bool copy_read(struct copy *copy)
{
    sqlite3 *handle = open_in_memory(&copy->image);

    bool good = read_trees(handle, copy);
    for (size_t i = 0; i < copy->count && good; i++)
        good = read_columns(handle, &copy->trees[i]);
    for (size_t i = 0; i < copy->count && good; i++)
        good = make_imposter(handle, &copy->trees[i]);
    for (size_t i = 0; i < copy->count && good; i++)
        good = read_rows(handle, &copy->trees[i]);
    (void)sqlite3_close(handle);
    if (good)
        connect_indices(copy);
    return good;
}

void copy_reset(struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        for (size_t j = 0; j < copy->trees[i].count; j++)
            for (unsigned k = 0; k < copy->trees[i].width; k++)
                free(copy->trees[i].rows[j].values[k].bytes);
        free(copy->trees[i].rows);
    }
    free(copy->image.bytes);
    memset(copy, 0, sizeof *copy);
}

bool values_equal(const struct value *first, const struct value *second)
{
    return first->type == second->type && first->number == second->number && first->real == second->real &&
           first->size == second->size &&
           (first->size == 0 || memcmp(first->bytes, second->bytes, first->size) == 0);
}

bool rows_equal(const struct tree *tree, const struct row *first, const struct row *second)
{
    for (unsigned i = 0; i < tree->width; i++)
        if (!values_equal(&first->values[i], &second->values[i]))
            return false;
    return true;
}

bool copies_equal(const struct copy *first, const struct copy *second)
{
    if (first->count != second->count)
        return false;
    for (size_t i = 0; i < first->count; i++) {
        const struct tree *one = &first->trees[i], *other = copy_tree(second, one->name);
        if (other == NULL || one->count != other->count || one->width != other->width)
            return false;
        for (size_t j = 0; j < one->count; j++) {
            const struct row *same = tree_find(other, &one->rows[j].values[one->key]);
            if (same == NULL || !rows_equal(one, &one->rows[j], same))
                return false;
        }
    }
    return true;
}

const struct tree *copy_tree(const struct copy *copy, const char *name)
{
    for (size_t i = 0; i < copy->count; i++)
        if (strcmp(copy->trees[i].name, name) == 0)
            return &copy->trees[i];
    return NULL;
}

const struct row *tree_find(const struct tree *tree, const struct value *key)
{
    for (size_t i = 0; i < tree->count; i++)
        if (values_equal(&tree->rows[i].values[tree->key], key))
            return &tree->rows[i];
    return NULL;
}

/* ---- Editing ---- */

struct editor {
    const struct copy *base;
    sqlite3 *handle;
    sqlite3_stmt *put[TREES_MAX];
    sqlite3_stmt *take[TREES_MAX];
};

static void exec(struct editor *editor, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(editor->handle, sql, NULL, NULL, &error) != SQLITE_OK)
        expect(false, error == NULL ? sql : error);
}

static void prepare(struct editor *editor, size_t place)
{
    const struct tree *tree = &editor->base->trees[place];
    char put[160], take[512];

    snprintf(put, sizeof put, "INSERT OR REPLACE INTO %s%s VALUES (?1", prefix(tree), tree->name);
    snprintf(take, sizeof take, "DELETE FROM %s%s WHERE %s IS ?1", prefix(tree), tree->name,
             tree->columns[0]);
    for (unsigned i = 1; i < tree->width; i++) {
        snprintf(put + strlen(put), sizeof put - strlen(put), ", ?%u", i + 1);
        if (!tree->numbered)
            snprintf(take + strlen(take), sizeof take - strlen(take), " AND %s IS ?%u", tree->columns[i],
                     i + 1);
    }
    snprintf(put + strlen(put), sizeof put - strlen(put), ")");
    expect(sqlite3_prepare_v2(editor->handle, put, -1, &editor->put[place], NULL) == SQLITE_OK, put);
    expect(sqlite3_prepare_v2(editor->handle, take, -1, &editor->take[place], NULL) == SQLITE_OK, take);
}

static void start_editing(struct editor *editor)
{
    editor->handle = open_in_memory(&editor->base->image);
    exec(editor, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;"
                 "PRAGMA writable_schema = ON");
    for (size_t i = 0; i < editor->base->count; i++)
        expect(make_imposter(editor->handle, &editor->base->trees[i]), "an imposter");
    for (size_t i = 0; i < editor->base->count; i++)
        prepare(editor, i);
}

static void stop_editing(struct editor *editor)
{
    for (size_t i = 0; i < editor->base->count; i++) {
        (void)sqlite3_finalize(editor->put[i]);
        (void)sqlite3_finalize(editor->take[i]);
    }
    expect(sqlite3_close(editor->handle) == SQLITE_OK, "the end of editing");
}

struct editor *editor_open(const struct copy *base)
{
    struct editor *editor = allocate(sizeof *editor);

    *editor = (struct editor){.base = base};
    start_editing(editor);
    return editor;
}

void editor_close(struct editor *editor)
{
    stop_editing(editor);
    free(editor);
}

void editor_begin(struct editor *editor)
{
    exec(editor, "BEGIN");
}

static void bind(sqlite3_stmt *statement, int position, const struct value *value)
{
    int code = SQLITE_OK;

    switch (value->type) {
    case SQLITE_INTEGER:
        code = sqlite3_bind_int64(statement, position, value->number);
        break;
    case SQLITE_FLOAT:
        code = sqlite3_bind_double(statement, position, value->real);
        break;
    case SQLITE_BLOB:
        code = sqlite3_bind_blob64(statement, position, value->size == 0 ? "" : (const char *)value->bytes,
                                   value->size, SQLITE_STATIC);
        break;
    case SQLITE_TEXT:
        code = sqlite3_bind_text(statement, position, value->size == 0 ? "" : (const char *)value->bytes,
                                 (int)value->size, SQLITE_STATIC);
        break;
    default:
        code = sqlite3_bind_null(statement, position);
    }
    expect(code == SQLITE_OK, "a bound value");
}

static void step(struct editor *editor, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        expect(false, sqlite3_errmsg(editor->handle));
    (void)sqlite3_reset(statement);
}

/* Puts in or takes out one row of the tree at `place`. */
static void change(struct editor *editor, const struct tree *tree, sqlite3_stmt *const statements[TREES_MAX],
                   const struct value *const *values)
{
    size_t place = (size_t)(copy_tree(editor->base, tree->name) - editor->base->trees);
    sqlite3_stmt *statement = statements[place];
    unsigned count = (unsigned)sqlite3_bind_parameter_count(statement);

    for (unsigned i = 0; i < count; i++)
        bind(statement, (int)i + 1, values[i]);
    step(editor, statement);
}

static void change_row(struct editor *editor, const struct tree *tree,
                       sqlite3_stmt *const statements[TREES_MAX], const struct row *row, bool follow)
{
    const struct value *values[COLUMNS_MAX];

    for (unsigned i = 0; i < tree->width; i++)
        values[i] = &row->values[i];
    change(editor, tree, statements, values);
    for (size_t i = 0; follow && i < tree->index_count; i++) {
        const struct value *entry[] = {&row->values[tree->looked_up[i]], &row->values[tree->key]};
        change(editor, tree->indices[i], statements, entry);
    }
}

void editor_edit(struct editor *editor, const struct edit *edit, bool follow)
{
    if (edit->old != NULL)
        change_row(editor, edit->tree, editor->take, edit->old, follow);
    if (edit->new != NULL)
        change_row(editor, edit->tree, editor->put, edit->new, follow);
}

void editor_fill(struct editor *editor, const struct tree *tree, const struct tree *source, bool follow)
{
    char sql[64];

    snprintf(sql, sizeof sql, "DELETE FROM %s%s", prefix(tree), tree->name);
    exec(editor, sql);
    for (size_t i = 0; follow && i < tree->index_count; i++) {
        snprintf(sql, sizeof sql, "DELETE FROM i_%s", tree->indices[i]->name);
        exec(editor, sql);
    }
    for (size_t i = 0; source != NULL && i < source->count; i++)
        change_row(editor, tree, editor->put, &source->rows[i], follow);
}

struct image editor_end(struct editor *editor)
{
    sqlite3_int64 size = 0;

    exec(editor, "COMMIT");
    uint8_t *bytes = sqlite3_serialize(editor->handle, "main", &size, SQLITE_SERIALIZE_NOCOPY);
    expect(bytes != NULL, "the edited file");
    /* What SQLite counts of its own: an edit of the rows alone. */
    memcpy(bytes + 18, editor->base->image.bytes + 18, 2);
    memcpy(bytes + 24, editor->base->image.bytes + 24, 4);
    memcpy(bytes + 92, editor->base->image.bytes + 92, 8);
    return (struct image){.bytes = bytes, .size = (size_t)size};
}

void editor_reset(struct editor *editor)
{
    sqlite3_int64 size = 0;
    uint8_t *bytes = sqlite3_serialize(editor->handle, "main", &size, SQLITE_SERIALIZE_NOCOPY);
    const struct image *base = &editor->base->image;

    if ((size_t)size != base->size) {
        stop_editing(editor);
        start_editing(editor);
        return;
    }
    for (size_t at = 0; at < base->size; at += PAGE_SIZE)
        if (memcmp(bytes + at, base->bytes + at, PAGE_SIZE) != 0)
            memcpy(bytes + at, base->bytes + at, PAGE_SIZE);
    bytes[18] = bytes[19] = 1;
}
