/* A file of words. */
#include "preference.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/words.h"

#include <string.h>

#define TEXT_MAX 1024
static const char blanks[] = " \t\r\n";

enum status preference_parse(const char *text, const char *what, struct failure *failure,
                             struct preference *ret_preference)
{
    struct preference preference = {0};
    const struct {
        const char *word;
        bool *chosen;
    } words[] = {
        {"no-browser", &preference.no_browser},
        {"device",     &preference.device    },
        {"paste",      &preference.paste     },
    };
    const char *word;
    size_t size;

    while ((word = words_next(&text, blanks, &size)) != NULL) {
        size_t i = 0;

        while (i < sizeof(words) / sizeof(words[0]) &&
               (strlen(words[i].word) != size || strncmp(words[i].word, word, size) != 0))
            i++;
        if (i == sizeof(words) / sizeof(words[0]))
            return failure_set(failure, STATUS_INVALID,
                               "%s has a word that is not no-browser, device or paste", what);
        *words[i].chosen = true;
    }
    *ret_preference = preference;
    return STATUS_OK;
}

enum status preference_read(struct failure *failure, struct preference *ret_preference)
{
    CLEANUP(secret_reset) struct secret text = {0};
    char path[PATH_MAX];
    enum status status = STATUS_NOT_FOUND;

    if (file_settings_path("connect", path))
        status = file_read_settings(path, TEXT_MAX, failure, &text);
    if (status == STATUS_OK)
        return preference_parse(secret_text(&text), path, failure, ret_preference);
    if (status != STATUS_NOT_FOUND)
        return status;
    *ret_preference = (struct preference){0};
    return STATUS_OK;
}
