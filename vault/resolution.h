/* Resolution: the values that references (base/reference.h) stand for, out of what one step gets and nothing
 * else. */
#ifndef STEPVAULT_RESOLUTION_H
#define STEPVAULT_RESOLUTION_H

#include "delivery.h"
#include "leaf.h"
#include "vault.h"
#include "json/json.h"

#define RESOLUTION_MAX 1024u    /* references of one call */
#define RESOLUTION_KEY_MAX 255u /* bytes of the key that an answer has */

/* One reference and its value; everything is borrowed from the references and the records. */
struct resolved {
    const char *key;
    const char *value;
    size_t size;
    const char *name;                    /* of the variable or property */
    const struct delivery_account *from; /* NULL: a variable */
};

/* All zero is the valid empty value. */
struct resolution {
    struct delivery *own;   /* what was chosen for the references alone; NULL */
    struct resolved *items; /* in order of alias and name, variables first */
    size_t count;
};
void resolution_reset(struct resolution *resolution);

/* Resolves an object of key to reference, all or nothing, out of `delivery`: what delivery_choose gave for
 * `levels`, derived names included. Where that is NULL, because the step is not delivered so, it is chosen
 * here. Both must outlive the result. A variable is what the delivery `env` would put into the environment
 * under that name; a property is what the delivery `auths` would put into the document, of the account bound
 * under whatever alias. STATUS_NOT_FOUND says that the step gets no such thing, in the same words whether
 * there is one elsewhere in the vault or not, and leaves what was asked for in `leaf`; STATUS_AMBIGUOUS names
 * two accounts of the app. */
enum status resolution_make(struct vault *vault, const char *step, const struct delivery_levels *levels,
                            const struct delivery *delivery, const struct json *references, struct leaf *leaf,
                            struct failure *failure, struct resolution *ret_resolution);

/* Bytes of all keys and values, for the bound on a projection. */
size_t resolution_size(const struct resolution *resolution);

/* Walks the accounts of which a reference stands for a token: `*position` starts at 0; NULL at the end. */
const struct record *resolution_next_token(const struct resolution *resolution, size_t *position);

/* Members of a reply, or of the leaf. */
void resolution_write_json(const struct resolution *resolution,
                           struct json_writer *writer); /* resolved, resolved_base64 */
void resolution_write_block(const struct resolution *resolution,
                            struct json_writer *writer); /* resolved_entries */
void resolution_write_leaf(const struct resolution *resolution, struct json_writer *writer); /* references */

#endif
