/* Ownership by scope (docs/DESIGN.md 9.4): a variable declared with CLEANUP(foo_freep) is freed when
 * its scope ends, and TAKE() hands it over so that it is not. */
#ifndef STEPVAULT_BASE_CLEANUP_H
#define STEPVAULT_BASE_CLEANUP_H

#include <stdio.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* The value of `pointer`, which becomes NULL: the caller of TAKE is the owner now. */
#define TAKE(pointer)                                                                                        \
    __extension__({                                                                                          \
        __typeof__(pointer) *take_from = &(pointer);                                                         \
        __typeof__(pointer) take_value = *take_from;                                                         \
        *take_from = NULL;                                                                                   \
        take_value;                                                                                          \
    })

/* Closes *descriptor if it is not -1 and sets it to -1; errno is kept. */
void cleanup_close(int *descriptor);

/* Hands a descriptor over, leaving -1. */
int cleanup_take_descriptor(int *descriptor);

/* free() for plain memory that never held a secret; takes the address of any pointer. */
void cleanup_free(void *pointer);

/* fclose() unless NULL. */
void cleanup_fclose(FILE **stream);

#endif
