/* Verdicts and their sentences. */
#include "oauth/fault.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fault_word(enum verdict verdict)
{
    static const char *const words[] = {[VERDICT_OK] = "ok",
                                        [VERDICT_DEAD] = "dead",
                                        [VERDICT_REFUSED] = "refused",
                                        [VERDICT_TRANSIENT] = "transient",
                                        [VERDICT_CANCELLED] = "cancelled"};

    return words[verdict];
}

enum verdict fault_set(struct fault *fault, enum verdict verdict, const char *format, ...)
{
    va_list arguments;

    fault->verdict = verdict;
    va_start(arguments, format);
    vsnprintf(fault->reason, sizeof(fault->reason), format, arguments);
    va_end(arguments);
    text_make_plain(fault->reason);
    return verdict;
}

enum verdict fault_take(struct fault *fault, enum verdict verdict, const struct failure *failure)
{
    return fault_set(fault, verdict, "%s", failure->sentence);
}

enum verdict fault_set_no_memory(struct fault *fault)
{
    struct failure failure;

    failure_set_no_memory(&failure);
    return fault_take(fault, VERDICT_TRANSIENT, &failure);
}

enum verdict fault_of(struct fault *fault, const struct failure *failure)
{
    return fault_take(fault, failure->status == STATUS_NO_MEMORY ? VERDICT_TRANSIENT : VERDICT_REFUSED,
                      failure);
}

void fault_set_code(struct fault *fault, const char *code)
{
    size_t size = code != NULL ? strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789_.-") : 0;

    fault->code[0] = '\0';
    if (size > 0 && size <= FAULT_CODE_MAX && code[size] == '\0')
        memcpy(fault->code, code, size + 1);
}
