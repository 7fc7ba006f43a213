/* Appends COUNT entries to the access log of a vault that no agent holds, as projections leave them.
 *
 *     fill_log VAULT KEY_FILE COUNT
 *
 * They are committed in big turns, so that a million takes about half a minute and 0.7 GB. Prints how many
 * entries the log has then. */
#include "base/clock.h"
#include "base/secret.h"
#include "crypto/seal.h"
#include "log.h"
#include "vault.h"
#include "json/json.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN 5000u
#define ACCOUNT                                                                                              \
    "\"accounts\":[{\"id\":\"0123456789abcdef0123456789abcdef\",\"app\":\"slack\",\"label\":\"work\","       \
    "\"alias\":\"slack\","                                                                                   \
    "\"properties\":[\"oauth_access_token\"]}]"

static void expect(enum status status, const struct failure *failure)
{
    if (status != STATUS_OK)
        errx(1, "%s", failure->sentence);
}

static void read_key(const char *path, struct vault_key *key)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(key->key, 1, sizeof(key->key), file) != sizeof(key->key))
        err(1, "%s", path);
    (void)fclose(file);
}

static void append(struct vault *vault, const struct leaf_caller *caller, uint64_t number)
{
    char step[64];
    struct failure failure;
    struct leaf leaf = {.action = "project", .granted = true, .caller = caller, .step = step};

    (void)snprintf(step, sizeof(step), "fill/step-%" PRIu64, number % 100);
    if (!secret_append_format(&leaf.details, "%s", ACCOUNT))
        errx(1, "out of memory");
    expect(log_append(vault, &leaf, &failure), &failure);
    leaf_reset(&leaf);
}

int main(int argc, char *argv[])
{
    struct vault *vault = NULL;
    struct vault_key key = {0};
    struct failure failure;
    struct leaf_caller caller = {
        .uid = getuid(), .gid = getgid(), .pid = getpid(), .program = "/usr/bin/python3.11"};

    if (argc != 4)
        errx(2, "usage: fill_log VAULT KEY_FILE COUNT");
    read_key(argv[2], &key);
    json_start();
    expect(seal_start(&failure), &failure);
    expect(vault_open(argv[1], &key, 10000, &failure, &vault), &failure);
    const uint64_t count = strtoull(argv[3], NULL, 10);
    for (uint64_t done = 0; done < count;) {
        expect(vault_begin(vault, &failure), &failure);
        for (unsigned i = 0; i < TURN && done < count; i++, done++)
            append(vault, &caller, done);
        expect(vault_commit(vault, &failure), &failure);
    }
    printf("%" PRIu64 "\n", log_size(vault));
    vault_freep(&vault);
    return 0;
}
