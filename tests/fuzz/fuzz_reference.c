/* Any text into the parser of references: what it takes agrees with one regular expression and is put
 * together again to the same text; what it refuses is not repeated. */
#include "base/reference.h"

#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void try_text(const char *text)
{
    static regex_t account, variable;
    static bool started;
    char again[REFERENCE_MAX + 8];
    struct reference reference;
    struct failure failure = {.sentence = ""};

    if (!started) {
        expect(regcomp(&account,
                       "^stepvault://[a-z0-9][a-z0-9_-]{0,63}(:[A-Za-z0-9][A-Za-z0-9@._+-]{0,63})?/"
                       "[A-Za-z][A-Za-z0-9_-]{0,127}$",
                       REG_EXTENDED | REG_NOSUB) == 0);
        expect(regcomp(&variable, "^stepvault://env/[A-Za-z_][A-Za-z0-9_]{0,254}$",
                       REG_EXTENDED | REG_NOSUB) == 0);
        started = true;
    }
    const bool of_env =
        strncmp(text, "stepvault://env/", 16) == 0 || strncmp(text, "stepvault://env:", 16) == 0;
    const bool right =
        of_env ? regexec(&variable, text, 0, NULL, 0) == 0 && strncmp(text + 16, "STEPVAULT_", 10) != 0
               : regexec(&account, text, 0, NULL, 0) == 0;
    const enum status status = reference_parse(text, &failure, &reference);
    expect(status == (right ? STATUS_OK : STATUS_INVALID));
    if (!right) {
        expect(failure.sentence[0] != '\0');
        return;
    }
    expect(strlen(text) <= REFERENCE_MAX && reference_begins(text) && reference_is_within(text));
    snprintf(again, sizeof again, "stepvault://%s%s%s/%s", of_env ? "env" : reference.app,
             reference.label[0] != '\0' ? ":" : "", reference.label, reference.name);
    expect(strcmp(again, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);

    memcpy(text, bytes, size);
    text[size] = '\0';
    try_text(text);
    free(text);
    return 0;
}
