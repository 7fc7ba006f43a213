/* Placement: the paths in use, which of them are steps, and where inheriting stops. */
#ifndef STEPVAULT_PLACEMENT_H
#define STEPVAULT_PLACEMENT_H

#include "record.h"
#include "remark.h"
#include "vault.h"
#include "json/json.h"

/* Declares a step; `*ret_changed` is false if it was one with the same inheriting and note. */
enum status placement_add_step(struct vault *vault, const char *path, bool no_inherit,
                               const struct remark *remark, struct failure *failure, bool *ret_changed);

/* Changes the note of a path in use. */
enum status placement_annotate(struct vault *vault, const char *path, const struct remark *remark,
                               struct failure *failure);

/* Makes the path no step any more. STATUS_IN_USE lists what is placed exactly there, unless `force`, which
 * removes it. The old values of variables there go with it. */
enum status placement_remove_step(struct vault *vault, const char *path, bool force, struct failure *failure);

/* Writes an array member `steps` of paths in use at or under `under`. */
enum status placement_list_steps(struct vault *vault, const char *under, struct failure *failure,
                                 struct json_writer *writer);

/* For the other nouns: the path becomes a step if it is not one, because something is placed exactly there.
 */
enum status placement_use(struct vault *vault, const char *path, struct failure *failure);

/* Visits every path in use at or under `under`, parents before children, in order. */
typedef enum status placement_visit(struct vault *vault, const struct record *path, void *context,
                                    struct failure *failure);
enum status placement_walk(struct vault *vault, const char *under, placement_visit *visit, void *context,
                           struct failure *failure);

/* Names what is placed at a path: `variable A, account b`. Empty if nothing is. */
void placement_name_placed(const struct records *placed, char *destination, size_t size);

/* The paths above `path` are in use with it, though no steps by that. */
enum status placement_use_ancestors(struct vault *vault, const char *path, struct failure *failure);

/* Removes the record of a path that nothing uses any more, and then those above it that it alone kept. */
enum status placement_prune(struct vault *vault, const char *path, struct failure *failure);

/* STATUS_NOT_FOUND with what a mistyped path may have meant. */
enum status placement_missing(struct vault *vault, const char *path, struct failure *failure);

bool placement_is_step(const struct record *path);
bool placement_is_boundary(const struct record *path);

/* Writes one Step object. */
void placement_write(const struct record *path, const char *key, struct json_writer *writer);

#endif
