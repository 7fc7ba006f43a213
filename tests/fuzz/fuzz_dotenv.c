/* Any bytes as a .env file, in the dialect that the first byte chooses: entries keep their bounds, values
 * come from the file and not from elsewhere, and what strict accepts, every reader with quotes accepts alike.
 */
#include "base/cleanup.h"
#include "base/name.h"
#include "dotenv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void check_entries(const struct dotenv *dotenv, size_t size)
{
    size_t line = 0, total = 0;

    for (size_t i = 0; i < dotenv->count; i++) {
        const struct dotenv_entry *entry = &dotenv->entries[i];
        size_t length = strlen(entry->name);

        expect(length > 0 && length <= NAME_VARIABLE_MAX && (entry->name[0] < '0' || entry->name[0] > '9'));
        expect(strspn(entry->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") ==
               length);
        expect(entry->value_size <= NAME_VALUE_MAX && strlen(entry->value) == entry->value_size);
        expect(entry->line > (dotenv->repeated == 0 ? line : 0));
        line = entry->line;
        total += length + 1 + entry->value_size;
    }
    expect(total <= size);
}

static bool same(const struct dotenv *a, const struct dotenv *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->entries[i].name, b->entries[i].name) != 0 ||
            strcmp(a->entries[i].value, b->entries[i].value) != 0 || a->entries[i].line != b->entries[i].line)
            return false;
    }
    return true;
}

static void count_refused(void *context, size_t line, const char *name, const char *reason)
{
    expect(line > 0 && strlen(name) < 256 && reason[0] != '\0');
    ++*(size_t *)context;
}

/* A file is taken as a whole where none of its lines is refused, and nowhere else. */
static void check_refusals(const uint8_t *text, size_t size, enum dotenv_dialect dialect,
                           const struct dotenv *whole)
{
    CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
    struct failure failure = {0};
    size_t refused = 0;
    const struct dotenv_refusals refusals = {count_refused, &refused};

    if (dotenv_parse(text, size, "f", dialect, &refusals, &failure, &dotenv) != STATUS_OK) {
        expect(whole == NULL && refused == 0);
        return;
    }
    check_entries(&dotenv, size);
    expect((refused == 0) == (whole != NULL));
    expect(whole == NULL || same(whole, &dotenv));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
    struct failure failure = {0};
    enum dotenv_dialect dialect;

    if (size == 0)
        return 0;
    dialect = bytes[0] % DOTENV_DIALECTS;
    /* A copy that ends where its allocation ends. */
    CLEANUP(cleanup_free) uint8_t *text = malloc(size);
    memcpy(text, bytes + 1, size - 1);
    if (dotenv_parse(text, size - 1, "f", dialect, NULL, &failure, &dotenv) != STATUS_OK) {
        expect(failure.status == STATUS_INVALID || failure.status == STATUS_TOO_LARGE);
        expect(strncmp(failure.sentence, "f, line ", 8) == 0);
        check_refusals(text, size - 1, dialect, NULL);
        return 0;
    }
    check_entries(&dotenv, size - 1);
    check_refusals(text, size - 1, dialect, &dotenv);
    for (enum dotenv_dialect i = DOTENV_NODE; dialect == DOTENV_STRICT && i <= DOTENV_SHELL; i++) {
        CLEANUP(dotenv_reset) struct dotenv other = {0};

        expect(dotenv_parse(text, size - 1, "f", i, NULL, &failure, &other) == STATUS_OK &&
               same(&dotenv, &other));
    }
    return 0;
}
