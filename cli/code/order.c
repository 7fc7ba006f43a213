/* Reading the command line that `stepvault run` wrote. */
#include "code/order.h"

#include "base/text.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t place; /* of a text in struct order */
} texts[] = {
    {"--code",   offsetof(struct order, code)    },
    {"--step",   offsetof(struct order, step)    },
    {"--event",  offsetof(struct order, event)   },
    {"--steps",  offsetof(struct order, steps)   },
    {"--props",  offsetof(struct order, props)   },
    {"--db",     offsetof(struct order, database)},
    {"--result", offsetof(struct order, result)  },
};

static bool option_set(struct order *order, const char *name, const char *value)
{
    uint64_t number;

    if (strcmp(name, "--mask") == 0) {
        if (!text_to_number(value, INT_MAX, &number))
            return false;
        order->mask = (int)number;
        return true;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(texts[i].name, name) == 0) {
            memcpy((char *)order + texts[i].place, &value, sizeof(value));
            return true;
        }
    }
    return false;
}

enum status order_parse(char **argv, struct failure *failure, struct order *ret_order)
{
    struct order order = {.mask = -1};
    char **at = argv + 1;

    if (argv[0] == NULL)
        return failure_set(failure, STATUS_USAGE, "stepvault-code is started by \"stepvault run\" only");
    for (; at[0] != NULL && strcmp(at[0], "--") != 0; at += 2) {
        if (at[1] == NULL || !option_set(&order, at[0], at[1]))
            break;
    }
    if (at[0] == NULL || strcmp(at[0], "--") != 0 || (order.code == NULL && at[1] == NULL) ||
        (order.code != NULL && order.step == NULL))
        return failure_set(failure, STATUS_USAGE, "stepvault-code is started by \"stepvault run\" only");
    order.words = at + 1;
    *ret_order = order;
    return STATUS_OK;
}
