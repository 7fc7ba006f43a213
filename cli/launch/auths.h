/* The accounts' document in a sealed memfd (docs/DESIGN.md, section 3, Delivery). */
#ifndef STEPVAULT_LAUNCH_AUTHS_H
#define STEPVAULT_LAUNCH_AUTHS_H

#include "base/secret.h"
#include "base/status.h"
#include "launch/sealed.h"

#define AUTHS_VARIABLE "STEPVAULT_AUTHS"
#define AUTHS_MEMFD "stepvault-auths"

/* Puts the document where this process, and what it becomes, has it open; `ret_path` is /proc/<pid>/fd/<n>.
 */
enum status auths_deliver(const struct secret *document, struct failure *failure,
                          char ret_path[SEALED_PATH_SIZE]);

#endif
