/* What the parts of an import share: import.c, which stages, decides and puts, and import_leaf.c. */
#ifndef STEPVAULT_IMPORT_INTERIOR_H
#define STEPVAULT_IMPORT_INTERIOR_H

#include "import.h"
#include "record.h"

enum import_outcome { IMPORT_ADDED, IMPORT_REPLACED, IMPORT_UNCHANGED, IMPORT_OUTCOMES };
extern const char *const import_outcome_words[IMPORT_OUTCOMES];

struct import_item {
    enum record_kind kind;
    enum import_outcome outcome;
    const char *where; /* the path, or the app */
    const char *name;
    uint32_t group;            /* the number of the first item of its path */
    uint8_t id[STORE_ID_SIZE]; /* that its record has, or will have */
    struct record_sealed sealed;
};

/* An order of the items. */
struct import_rank {
    uint64_t key;
    struct import_item *item;
};

/* Appends the leaves of a decided import; `ranks` has variables before accounts, and those of one path
 * together. */
enum status import_append_leaves(const struct import_rank *ranks, size_t count,
                                 const struct import_counts *counts, struct vault *vault, bool dry_run,
                                 struct leaf *leaf, struct failure *failure);

#endif
