/* Turns at deriving keys, which the module gives. */
#ifndef STEPVAULT_HELPER_MODULE_H
#define STEPVAULT_HELPER_MODULE_H

#include <stdbool.h>

/* Waits for one; once in a job. False where none comes in time. */
bool module_wait_turn(void);
void module_end_turn(void);

#endif
