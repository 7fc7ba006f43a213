/* The systemd that manages the user's services, where there is one. */
#ifndef STEPVAULT_HELPER_MANAGER_H
#define STEPVAULT_HELPER_MANAGER_H

#include <stdbool.h>

/* Has it listen for the agent of the canonical `vault`, which then is no process of the session that is being
 * opened: by the installed socket unit, else by a unit of the same name that is made up. True once it
 * listens; false where no manager runs, or it did not within `patience_ms`. */
bool manager_listen(const char *vault, int patience_ms);

#endif
