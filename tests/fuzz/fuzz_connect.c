/* Any text as what connecting an account gets from elsewhere: an address for a browser, what somebody is
 * called, a file of preferences. */
#include "base/name.h"
#include "browser.h"
#include "identity.h"
#include "preference.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void try_address(const char *text)
{
    if (!browser_takes(text))
        return;
    expect(strncmp(text, "http", 4) == 0 && strstr(text, "://") != NULL);
    for (; *text != '\0'; text++)
        expect(isgraph((unsigned char)*text) && strchr("\"'`\\<>|^{}", *text) == NULL);
}

static void try_label(const char *text)
{
    struct failure failure;
    char label[NAME_LABEL_MAX + 1];

    identity_make_label(text, label);
    expect(label[0] == '\0' || name_check_label(label, &failure) == STATUS_OK);
    if (name_check_label(text, &failure) == STATUS_OK && isalnum((unsigned char)text[strlen(text) - 1]))
        expect(strcmp(text, label) == 0);
}

/* The same by taking the words out of the text. */
static void try_preference(const char *text)
{
    static const char blanks[] = " \t\r\n";
    struct failure failure;
    struct preference preference = {0};
    bool known = true;

    for (const char *at = text + strspn(text, blanks); *at != '\0'; at += strspn(at, blanks)) {
        char word[16] = "";
        size_t length = strcspn(at, blanks);

        memcpy(word, at, length < sizeof(word) ? length : sizeof(word) - 1);
        known = known && (strcmp(word, "no-browser") == 0 || strcmp(word, "device") == 0 ||
                          strcmp(word, "paste") == 0);
        at += length;
    }
    expect((preference_parse(text, "it", &failure, &preference) == STATUS_OK) == known);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[512];

    if (size >= sizeof(text))
        return 0;
    memcpy(text, bytes, size);
    text[size] = '\0';
    try_address(text);
    try_label(text);
    try_preference(text);
    return 0;
}
