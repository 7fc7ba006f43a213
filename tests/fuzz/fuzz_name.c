/* Any text into the checks of names: each agrees with its regular expression, and no refusal says more than
 * it may. */
#include "base/name.h"

#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define WORD "[a-z0-9][a-z0-9._-]*"

static const struct {
    enum status (*check)(const char *name, struct failure *failure);
    const char *grammar;
    size_t maximum;
} kinds[] = {
    {name_check_path,     "^(/|" WORD "(/" WORD "){0,7})$", 255},
    {name_check_variable, "^[A-Za-z_][A-Za-z0-9_]*$",       255},
    {name_check_alias,    "^[a-z_][a-z0-9_]*$",             64 },
    {name_check_app,      "^[a-z0-9][a-z0-9_-]*$",          64 },
    {name_check_label,    "^[A-Za-z0-9][A-Za-z0-9@._+-]*$", 64 },
    {name_check_property, "^[A-Za-z][A-Za-z0-9_-]*$",       128},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check_sentence(const char *name, const struct failure *failure)
{
    const char *equals = strchr(name, '=');

    for (const char *at = failure->sentence; *at != '\0'; at++)
        expect((unsigned char)*at >= 0x20 && *at != 0x7f);
    /* What follows the sign may be a value. */
    if (equals != NULL && strlen(equals) > 8)
        expect(strstr(failure->sentence, equals) == NULL);
}

static void try_path(const char *path)
{
    char parent[NAME_PATH_MAX + 1];
    struct failure failure;
    unsigned words = 0;

    for (const char *at = path; strcmp(path, "/") != 0 && at != NULL; at = strchr(at + 1, '/'))
        words++;
    expect(name_path_depth(path) == words);
    expect(name_path_is_under(path, "/") && name_path_is_under(path, path));
    expect(name_path_parent(parent, path) == (words > 0));
    if (words == 0)
        return;
    expect(name_check_path(parent, &failure) == STATUS_OK);
    expect(name_path_depth(parent) == words - 1);
    expect(name_path_is_under(path, parent) && !name_path_is_under(parent, path));
}

static void try_derived(const char *alias, const char *property)
{
    char name[NAME_DERIVED_SIZE];
    struct failure failure;

    name_derive_variable(name, alias, property);
    enum status status = name_check_variable(name, &failure);
    expect(status == (name_is_reserved(name) ? STATUS_REFUSED : STATUS_OK));
    expect(strlen(name) == strlen(alias) + 1 + strlen(property));
    expect(strpbrk(name, "abcdefghijklmnopqrstuvwxyz-") == NULL);
}

static void try_name(const char *name)
{
    static regex_t compiled[KINDS];
    static bool started;
    char alias[NAME_ALIAS_MAX + 2];
    bool good[KINDS];

    for (size_t i = 0; !started && i < KINDS; i++)
        expect(regcomp(&compiled[i], kinds[i].grammar, REG_EXTENDED | REG_NOSUB) == 0);
    started = true;
    for (size_t i = 0; i < KINDS; i++) {
        struct failure failure;
        enum status status = kinds[i].check(name, &failure);
        good[i] = strlen(name) <= kinds[i].maximum && regexec(&compiled[i], name, 0, NULL, 0) == 0;
        if (status == STATUS_REFUSED)
            expect(good[i] && kinds[i].check == name_check_variable && strncmp(name, "STEPVAULT_", 10) == 0);
        else
            expect((status == STATUS_OK) == good[i]);
        if (status != STATUS_OK)
            check_sentence(name, &failure);
    }
    (void)name_is_dangerous(name);
    if (good[0])
        try_path(name);
    if (good[3]) {
        struct failure failure;
        name_default_alias(alias, name);
        expect(name_check_alias(alias, &failure) == STATUS_OK);
    }
    if (good[2])
        try_derived(name, "oauth_access-token");
    if (good[5])
        try_derived("stepvault", name);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *name = malloc(size + 1);

    memcpy(name, bytes, size);
    name[size] = '\0';
    try_name(name);
    free(name);
    return 0;
}
