/* Any text as the answer of stepvault-oauth, or (after a `#`) as an intent: what is taken fits into a record
 * that check_form holds to be one, and what is refused is not repeated. */
#include "../../vault/token_interior.h"

#include "base/cleanup.h"
#include "check_form.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

static void try_intent(const char *text)
{
    struct token_intent intent;
    char written[TOKEN_INTENT_SIZE];

    if (!token_intent_parse(text, &intent))
        return;
    token_intent_format(&intent, written);
    expect(strcmp(written, text) == 0);
}

/* The account that was connected with such an answer. */
static void connect(const struct token_result *result)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    const struct token_grant grant = {
        .provider = "{}", .client = "app:default", .grant = "import", .obtained_ms = UINT64_C(1800000000000)};
    const struct json *value;
    struct failure failure;
    void *iterator = NULL;
    const char *name;
    size_t size;

    record_draft_start(&draft, RECORD_ACCOUNT, "app", "default", "app", NULL);
    while (json_next(result->properties, &iterator, &name, &value)) {
        char field[256];
        const char *text = json_text(value, &size);
        snprintf(field, sizeof field, "property/%s", name);
        record_draft_add(&draft, field, text, size);
    }
    token_add_grant(&draft, &grant, result, NULL);
    expect(!draft.failed);
    const struct record account = record_draft_preview(&draft);
    expect(check_form(&account, &failure) == STATUS_OK);
    expect(token_has_grant(&account));
    expect(token_check_deliverable(&account, grant.obtained_ms, &failure) == STATUS_OK);
    (void)token_is_due(&account, grant.obtained_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool started;
    CLEANUP(json_freep) struct json *json = NULL;
    struct token_result result;
    struct failure failure = {.sentence = ""};

    if (!started)
        json_start();
    started = true;
    if (size > 0 && bytes[0] == '#') {
        char *text = strndup((const char *)bytes + 1, size - 1);
        try_intent(text);
        free(text);
        return 0;
    }
    if (json_parse(bytes, size, "the answer", &failure, &json) != STATUS_OK)
        return 0;
    enum status status = token_read_answer(json, &failure, &result);
    expect(status == STATUS_OK || (status == STATUS_PROTOCOL && strlen(failure.sentence) < 100));
    if (status == STATUS_OK && result.verdict == TOKEN_GIVEN)
        connect(&result);
    else if (status == STATUS_OK)
        expect(result.reason != NULL && strlen(result.reason) <= NAME_NOTE_MAX);
    return 0;
}
