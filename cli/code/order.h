/* What stepvault-code is told: its command line, which `stepvault run` writes and no person.
 *
 *   stepvault-code [--code FILE --step PATH [--event F] [--steps F] [--props F] [--db F] [--result F|FD]]
 *                  [--mask FD] -- ARG...
 *
 * ARGs are the code's; without --code they are a command and its arguments. */
#ifndef STEPVAULT_CODE_ORDER_H
#define STEPVAULT_CODE_ORDER_H

#include "base/status.h"

/* Texts are borrowed from argv; NULL where nothing was said. */
struct order {
    const char *code;
    const char *step;
    const char *event; /* `-` is standard input, here or in one of the next two */
    const char *steps;
    const char *props;
    const char *database;
    const char *result;
    int mask; /* a descriptor; -1 for none */
    char **words;
};

/* STATUS_USAGE where it is none that `run` writes. */
enum status order_parse(char **argv, struct failure *failure, struct order *ret_order);

#endif
