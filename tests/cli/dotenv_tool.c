/* Parses .env files for tests/peers/dotenv_readers.py. stdin: `DIALECT SIZE`, a newline and SIZE bytes, again
 * and again; stdout: a line for each, `ok` and NAME:HEX words, or `no` and the sentence. */
#include "base/cleanup.h"
#include "dotenv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void print_entries(const struct dotenv *dotenv)
{
    printf("ok");
    for (size_t i = 0; i < dotenv->count; i++) {
        const struct dotenv_entry *entry = &dotenv->entries[i];

        printf(" %s:", entry->name);
        for (size_t at = 0; at < entry->value_size; at++)
            printf("%02x", (unsigned char)entry->value[at]);
    }
    putchar('\n');
}

int main(void)
{
    char name[16];
    size_t size;

    while (scanf("%15s %zu", name, &size) == 2 && getchar() == '\n') {
        CLEANUP(dotenv_reset) struct dotenv dotenv = {0};
        CLEANUP(cleanup_free) uint8_t *bytes = malloc(size + 1);
        enum dotenv_dialect dialect;
        struct failure failure;

        if (bytes == NULL || fread(bytes, 1, size, stdin) != size ||
            dotenv_dialect_named(name, &failure, &dialect) != STATUS_OK)
            return 1;
        if (dotenv_parse(bytes, size, "f", dialect, NULL, &failure, &dotenv) == STATUS_OK)
            print_entries(&dotenv);
        else
            printf("no %s\n", failure.sentence);
        fflush(stdout);
    }
    return 0;
}
