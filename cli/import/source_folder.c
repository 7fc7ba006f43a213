/* A folder of files, as Kubernetes and Docker mount secrets and as envdir reads them. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "import/source.h"
#include "import/tree.h"

static void read_file(const struct tree *tree, const char *name, bool raw, struct plan *plan)
{
    CLEANUP(cleanup_close) int descriptor = -1;
    CLEANUP(secret_reset) struct secret content = {0};
    const char *origin = plan_format(plan, "the file %s", name);
    enum tree_kind kind = TREE_NEITHER;
    struct failure failure;
    const char *fault = tree_open_entry(tree, name, &descriptor, &kind);

    if (fault == NULL && kind != TREE_FILE)
        fault = kind == TREE_FOLDER ? "it is a folder" : "it is no regular file";
    /* One byte more than a value has: its last newline. */
    if (fault == NULL && file_read_all(descriptor, NAME_VALUE_MAX + 1, name, &failure, &content) != STATUS_OK)
        fault = plan_format(plan, "%s", failure.sentence);
    if (fault != NULL) {
        plan_refuse(plan, name, origin, fault);
        return;
    }
    if (!raw && content.size > 0 && content.bytes[content.size - 1] == '\n')
        content.size--;
    plan_add_variable(plan, name, content.bytes, content.size, origin, NULL);
}

enum status source_read_folder(const struct source_folder *folder, struct plan *plan, struct failure *failure)
{
    CLEANUP(tree_close) struct tree tree = {.descriptor = -1};
    CLEANUP(tree_names_reset) struct tree_names names = {0};
    enum status status = tree_open(folder->path, folder->follow, failure, &tree);

    if (status == STATUS_OK)
        status = tree_list(&tree, ".", failure, &names);
    for (size_t i = 0; status == STATUS_OK && i < names.count; i++)
        read_file(&tree, names.names[i], folder->raw, plan);
    return status;
}
