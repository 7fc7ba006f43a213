/* One request, and its outcome in words. */
#include "oauth/trial.h"

#include "base/cleanup.h"
#include "oauth/identity.h"

static void write_reason(const struct errand *errand, const struct identity *identity,
                         struct json_writer *writer)
{
    bool taken = identity->status >= 200 && identity->status <= 299;
    struct fault reason;

    if (taken)
        fault_set(&reason, VERDICT_OK, "the API of %s answers, and not as it does when the account works",
                  provider_title(errand->provider));
    else
        fault_set(&reason, VERDICT_OK, "the API of %s answers with status %u",
                  provider_title(errand->provider), identity->status);
    json_add_text(writer, "reason", reason.reason);
}

enum verdict trial_run(struct errand *errand, struct input *input, struct fault *fault,
                       struct secret *ret_line)
{
    const struct provider *provider = errand->provider;
    const struct json *entry = provider->test;
    CLEANUP(identity_reset) struct identity identity = {0};
    struct json_writer writer;
    enum verdict verdict;

    (void)input;
    if (entry == NULL)
        entry = json_member(provider->method->entry, "whoami");
    if (entry == NULL)
        return fault_set(fault, VERDICT_REFUSED, "of %s no request is known that tests an account",
                         provider_title(provider));
    verdict = identity_ask(provider, errand->properties, entry, 0, fault, &identity);
    if (verdict != VERDICT_OK)
        return verdict;
    json_writer_start(&writer, ret_line);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "answer", "tested");
    json_add_boolean(&writer, "works", identity.works);
    json_add_number(&writer, "status", identity.status);
    identity_write(&identity, &writer);
    if (!identity.works)
        write_reason(errand, &identity, &writer);
    json_close_object(&writer);
    return writer.failed ? fault_set_no_memory(fault) : VERDICT_OK;
}
