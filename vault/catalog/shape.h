/* The shape of an entry of the catalogue. */
#ifndef STEPVAULT_CATALOG_SHAPE_H
#define STEPVAULT_CATALOG_SHAPE_H

#include "catalog/schema.h"

#define SHAPE_REDIRECT_PATH_MAX 128 /* bytes of a `redirect_path` */

extern const struct schema_member shape_app[];

/* The choices of a method's `kind`, in the order of enum app_kind; ended by NULL. */
extern const char *const shape_kinds[];

#endif
