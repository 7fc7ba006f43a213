/* Whether the files of an open vault still hold what the vault wrote there, and nothing else came in their
 * place. */
#include "interior.h"

#include <string.h>

/* The log's right edge, read again, must have the root that it had. */
static enum status verify_edge(struct vault *vault, struct failure *failure)
{
    uint8_t before[MERKLE_HASH_SIZE], found[MERKLE_HASH_SIZE];

    merkle_root(before, &vault->log.edge);
    vault->rolled_back = true; /* until the edge is whole again */
    enum status status = log_reload(vault, failure);
    if (status != STATUS_OK)
        return status;
    vault->rolled_back = false;
    merkle_root(found, &vault->log.edge);
    return memcmp(before, found, sizeof before) == 0
               ? STATUS_OK
               : failure_set(failure, STATUS_CORRUPT,
                             "the access log of the vault %s is not the one last written", vault->path);
}

static enum status verify_anew(struct vault *vault, struct failure *failure)
{
    enum status status = store_refresh(vault->store, failure);

    if (status == STATUS_OK)
        status = vault_verify_rows(vault, failure);
    return status == STATUS_OK ? verify_edge(vault, failure) : status;
}

static enum status look(struct vault *vault, bool always, struct failure *failure)
{
    bool touched;

    enum status status = store_look(vault->store, failure, &touched);
    if (status == STATUS_OK && !(touched || always))
        return STATUS_OK;
    if (status == STATUS_OK)
        status = verify_anew(vault, failure);
    if (status == STATUS_OK)
        store_accept(vault->store);
    else if (status == STATUS_FOREIGN || status == STATUS_CORRUPT)
        store_leave(vault->store);
    return status;
}

enum status vault_look(struct vault *vault, struct failure *failure)
{
    return look(vault, false, failure);
}

enum status vault_verify(struct vault *vault, struct failure *failure)
{
    return look(vault, true, failure);
}
