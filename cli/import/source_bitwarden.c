/* Bitwarden's unencrypted JSON export: { "encrypted": false, "folders": [...], "items": [...] }, the item's
 * `type` 1 login, 2 note, 3 card, 4 identity, 5 SSH key; a custom field's `type` 0 text, 1 hidden, 2 boolean,
 * 3 linked. Its field names are those of https://bitwarden.com/help/condition-bitwarden-import/ and of the
 * export in bitwarden/clients. */
#include "import/item.h"
#include "import/source.h"

#include <string.h>

enum { LOGIN = 1, NOTE = 2, CARD = 3, IDENTITY = 4, SSH_KEY = 5 };
enum { FIELD_HIDDEN = 1, FIELD_LINKED = 3 };

bool source_is_bitwarden(const struct json *document)
{
    const struct json *items = json_member(document, "items");

    return json_member_boolean(document, "encrypted", false) ||
           (items != NULL && json_kind(items) == JSON_KIND_ARRAY &&
            (json_member(document, "encrypted") != NULL || json_member(document, "folders") != NULL ||
             json_member(document, "collections") != NULL));
}

static void add_login(const struct json *login, struct item *item)
{
    const struct json *uris = json_member(login, "uris");

    item->user = json_member_text(login, "username");
    item_add_text(item, "username", item->user, false);
    item_add_text(item, "password", json_member_text(login, "password"), true);
    item_add_text(item, "totp", json_member_text(login, "totp"), true);
    for (size_t i = 0; i < json_count(uris); i++)
        item_add_url(item, json_member_text(json_at(uris, i), "uri"));
}

static void add_key(const struct json *key, struct item *item)
{
    item_add_text(item, "private_key", json_member_text(key, "privateKey"), true);
    item_add_text(item, "public_key", json_member_text(key, "publicKey"), false);
    item_add_text(item, "fingerprint", json_member_text(key, "keyFingerprint"), false);
}

static void add_fields(const struct json *fields, struct item *item)
{
    for (size_t i = 0; i < json_count(fields); i++) {
        const struct json *field = json_at(fields, i);
        const char *name = json_member_text(field, "name");
        int64_t type = json_member_number(field, "type", 0);

        /* A linked field shows another field of the item. */
        if (type != FIELD_LINKED)
            item_add_text(item, name != NULL ? name : "", json_member_text(field, "value"),
                          type == FIELD_HIDDEN);
    }
}

static void read_item(const struct json *json, size_t number, struct plan *plan)
{
    const char *title = json_member_text(json, "name");
    const char *note = json_member_text(json, "notes");
    int64_t type = json_member_number(json, "type", 0);
    struct item item = {.title = title != NULL ? title : "", .origin = plan_format(plan, "item %zu", number)};

    if (json_member(json, "deletedDate") != NULL) {
        plan_leave_out(plan, item.title, item.origin, "it is in the trash");
        return;
    }
    if (type != LOGIN && type != NOTE && type != SSH_KEY) {
        plan_leave_out(plan, item.title, item.origin,
                       type == CARD || type == IDENTITY ? "a card or an identity"
                                                        : "an item of an unknown type");
        return;
    }
    add_login(json_member(json, "login"), &item);
    add_key(json_member(json, "sshKey"), &item);
    add_fields(json_member(json, "fields"), &item);
    if (note != NULL && note[0] != '\0') {
        item.note = note;
        item.note_size = strlen(note);
    }
    item_plan(&item, plan);
}

enum status source_read_bitwarden(const struct json *document, const char *name, struct plan *plan,
                                  struct failure *failure)
{
    const struct json *items = json_member(document, "items");

    if (json_member_boolean(document, "encrypted", false))
        return failure_set(
            failure, STATUS_INVALID,
            "%s is an encrypted export, which Bitwarden alone can read: it has to be exported as "
            ".json, not as .json (Encrypted)",
            name);
    if (items == NULL || json_kind(items) != JSON_KIND_ARRAY)
        return failure_set(failure, STATUS_INVALID, "%s has no array `items`, as Bitwarden's export has",
                           name);
    for (size_t i = 0; i < json_count(items); i++)
        read_item(json_at(items, i), i + 1, plan);
    return STATUS_OK;
}
