/* Files of a folder that others may have filled: names in order, and opens that do not lead out of it. */
#ifndef STEPVAULT_IMPORT_TREE_H
#define STEPVAULT_IMPORT_TREE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* A folder that is open. */
struct tree {
    const char *path; /* for sentences */
    int descriptor;
    bool follow; /* symbolic links that lead out of it, too */
};
enum status tree_open(const char *path, bool follow, struct failure *failure, struct tree *ret_tree);
void tree_close(struct tree *tree);

/* Names in a folder of the tree ("." for itself), by bytes, without those that begin with a dot. */
struct tree_names {
    char **names;
    size_t count;
    size_t capacity;
};
/* Adds a copy of `length` bytes of `name`; false when memory is out. */
bool tree_names_add(struct tree_names *names, const char *name, size_t length);
enum status tree_list(const struct tree *tree, const char *folder, struct failure *failure,
                      struct tree_names *ret_names);
void tree_names_reset(struct tree_names *names);

enum tree_kind { TREE_FILE, TREE_FOLDER, TREE_NEITHER };

/* Opens what `name` stands for, within the tree whatever links are on the way (unless `follow`), without
 * waiting for the other end of a pipe. NULL and `*ret_descriptor`, or a clause that says why not; static. */
const char *tree_open_entry(const struct tree *tree, const char *name, int *ret_descriptor,
                            enum tree_kind *ret_kind);

#endif
