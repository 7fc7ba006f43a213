/* Lists of words. */
#include "base/words.h"

#include <string.h>

const char *words_next(const char **text, const char *separators, size_t *ret_size)
{
    const char *word = *text;

    if (word == NULL)
        return NULL;
    word += strspn(word, separators);
    if (*word == '\0')
        return NULL;
    *ret_size = strcspn(word, separators);
    *text = word + *ret_size;
    return word;
}

bool words_has(const char *text, const char *separators, const char *word, size_t size)
{
    const char *other;
    size_t other_size;

    while ((other = words_next(&text, separators, &other_size)) != NULL) {
        if (other_size == size && memcmp(other, word, size) == 0)
            return true;
    }
    return false;
}

bool words_append(struct secret *words, char separator, const char *word, size_t size)
{
    return (words->size == 0 || secret_append_byte(words, (uint8_t)separator)) &&
           secret_append(words, word, size);
}
