/* Connects an account in a closed vault as if a provider had answered, and leaves the intent of a renewal
 * behind, as a killed agent does: for vaults that have all kinds of records, without a provider.
 *
 *   connected_tool VAULT KEY-FILE APP TEXT      by the default client of APP; TEXT is in all that is secret
 */
#include "account.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/seal.h"
#include "log.h"
#include "token.h"
#include "vault.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct failure failure;

static void expect(enum status status)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "connected_tool: %s\n", failure.sentence);
    exit(1);
}

static void read_key(const char *path, struct vault_key *ret_key)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || fread(ret_key->key, sizeof ret_key->key, 1, file) != 1) {
        perror(path);
        exit(1);
    }
    fclose(file);
}

static void append(struct vault *vault, struct leaf *leaf)
{
    leaf->granted = true;
    expect(log_append(vault, leaf, &failure));
    leaf_reset(leaf);
}

static void start_leaf(struct leaf *leaf, const char *action)
{
    static const struct leaf_caller caller = {.program = "/usr/bin/tester"};

    *leaf = (struct leaf){.action = action, .caller = &caller};
}

static void make_answer(const char *text, struct secret *answer)
{
    struct json_writer writer;

    json_writer_start(&writer, answer);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "answer", "tokens");
    json_open_object(&writer, "properties");
    json_add_text(&writer, "oauth_access_token", text);
    json_add_text(&writer, "oauth_refresh_token", text);
    json_add_text(&writer, "authed_user_refresh_token", text);
    json_add_text(&writer, "oauth_uid", text);
    json_close_object(&writer);
    json_add_number(&writer, "lifetime_ms", 3600000);
    json_add_number(&writer, "due_ms", 0);
    json_add_text(&writer, "scopes", "chat read");
    json_open_object(&writer, "identity");
    json_add_text(&writer, "id", "U1");
    json_add_text(&writer, "name", "Ann");
    json_close_object(&writer);
    json_close_object(&writer);
}

static void connect(struct vault *vault, const char *app, const struct json *answer)
{
    CLEANUP(secret_reset) struct secret reply = {0};
    struct account_connection connection = {.app = app};
    struct token_result result;
    struct json_writer writer;
    struct leaf leaf;

    expect(token_read_answer(answer, &failure, &result));
    connection.grant = (struct token_grant){.provider = "{\"slug\":\"tool\"}",
                                            .grant = "authorization_code",
                                            .requested = "chat read write",
                                            .obtained_ms = clock_wall_ms()};
    connection.result = &result;
    json_writer_start(&writer, &reply);
    json_open_object(&writer, NULL);
    start_leaf(&leaf, "connect");
    expect(account_connect(vault, &connection, &leaf, &failure, &writer));
    append(vault, &leaf);
}

static void begin(struct vault *vault, const char *app)
{
    CLEANUP(record_reset) struct record account = {0};
    CLEANUP(token_job_reset) struct token_job job = {.generation = 0};
    enum token_begun begun;
    struct leaf leaf;
    uint64_t until_ms;

    start_leaf(&leaf, "refresh");
    expect(account_resolve(vault, app, &failure, &account));
    expect(token_begin(vault, account.id, clock_wall_ms(), true, &leaf, &failure, &begun, &until_ms, &job));
    append(vault, &leaf);
}

int main(int count, char **words)
{
    CLEANUP(json_freep) struct json *json = NULL;
    CLEANUP(secret_reset) struct secret answer = {0};
    CLEANUP(vault_freep) struct vault *vault = NULL;
    struct vault_key key = {.has_slot = false};

    if (count != 5)
        return 2;
    expect(seal_start(&failure));
    json_start();
    read_key(words[2], &key);
    make_answer(words[4], &answer);
    expect(json_parse(answer.bytes, answer.size, "the answer", &failure, &json));
    expect(vault_open(words[1], &key, 10000, &failure, &vault));
    expect(vault_begin(vault, &failure));
    connect(vault, words[3], json);
    begin(vault, words[3]);
    expect(vault_commit(vault, &failure));
    return 0;
}
