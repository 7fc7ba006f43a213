/* 1Password's exports: `export.data` of a .1pux archive (accounts, vaults, items; documented at
 * https://support.1password.com/1pux-format/), and CSV (Title, Url, Username, Password, OTPAuth, Favorite,
 * Archived, Tags, Notes). */
#include "base/cleanup.h"
#include "base/text.h"
#include "import/csv.h"
#include "import/item.h"
#include "import/source.h"

#include <string.h>
#include <strings.h>

/* ---- 1PUX ---- */

/* Categories whose items are accounts or secrets of programs. */
static const char *const categories[] = {
    "001", /* login */
    "003", /* secure note */
    "005", /* password */
    "102", /* database */
    "110", /* server */
    "111", /* e-mail account */
    "112", /* API credential */
    "114", /* SSH key */
};

bool source_is_1pux(const struct json *document)
{
    const struct json *accounts = json_member(document, "accounts");

    return accounts != NULL && json_kind(accounts) == JSON_KIND_ARRAY &&
           json_member(json_at(accounts, 0), "vaults") != NULL;
}

static bool is_wanted(const char *category)
{
    for (size_t i = 0; category != NULL && i < sizeof(categories) / sizeof(categories[0]); i++) {
        if (strcmp(categories[i], category) == 0)
            return true;
    }
    return false;
}

static void add_login_fields(const struct json *fields, struct item *item)
{
    for (size_t i = 0; i < json_count(fields); i++) {
        const struct json *field = json_at(fields, i);
        const char *designation = json_member_text(field, "designation");
        const char *type = json_member_text(field, "fieldType");
        const char *name = json_member_text(field, "name");
        const char *value = json_member_text(field, "value");
        bool hidden = type != NULL && strcmp(type, "P") == 0;

        if (designation != NULL && strcmp(designation, "username") == 0)
            item->user = value;
        if (designation != NULL && designation[0] != '\0')
            item_add_text(item, designation, value, strcmp(designation, "password") == 0 || hidden);
        /* What else a form had: its buttons and boxes are no fields of an account. */
        else if (type != NULL && strchr("TEUNPA", type[0]) != NULL && type[1] == '\0')
            item_add_text(item, name != NULL ? name : "", value, hidden);
    }
}

/* A section's field has one member in `value`, called after its type. */
static void add_section_field(const struct json *field, struct item *item)
{
    const char *title = json_member_text(field, "title");
    const char *id = json_member_text(field, "id");
    const char *name = title != NULL && title[0] != '\0' ? title : id != NULL ? id : "";
    const struct json *value = json_member(field, "value");
    static const struct {
        const char *type;
        bool hidden;
    } texts[] = {
        {"concealed", true },
        {"totp",      true },
        {"string",    false},
        {"email",     false},
        {"url",       false},
        {"phone",     false},
        {"menu",      false},
    };

    if (json_member(value, "totp") != NULL && strcmp(name, "one-time password") == 0)
        name = "totp";
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        item_add_text(item, name, json_member_text(value, texts[i].type), texts[i].hidden);
    item_add_text(item, name, json_member_text(json_member(value, "email"), "email_address"), false);
    item_add_text(item, name, json_member_text(json_member(value, "sshKey"), "privateKey"), true);
    if (id != NULL && strcmp(id, "username") == 0 && item->user == NULL)
        item->user = json_member_text(value, "string");
}

static void add_details(const struct json *details, struct item *item)
{
    const struct json *sections = json_member(details, "sections");
    const char *note = json_member_text(details, "notesPlain");

    add_login_fields(json_member(details, "loginFields"), item);
    item_add_text(item, "password", json_member_text(details, "password"), true);
    for (size_t i = 0; i < json_count(sections); i++) {
        const struct json *fields = json_member(json_at(sections, i), "fields");

        for (size_t j = 0; j < json_count(fields); j++)
            add_section_field(json_at(fields, j), item);
    }
    if (note != NULL && note[0] != '\0') {
        item->note = note;
        item->note_size = strlen(note);
    }
}

static void add_urls(const struct json *overview, struct item *item)
{
    const struct json *urls = json_member(overview, "urls");

    for (size_t i = 0; i < json_count(urls); i++)
        item_add_url(item, json_member_text(json_at(urls, i), "url"));
    if (json_count(urls) == 0)
        item_add_url(item, json_member_text(overview, "url"));
}

static bool is_put_away(const struct json *json)
{
    const char *state = json_member_text(json, "state");

    return json_member_boolean(json, "trashed", false) || (state != NULL && strcmp(state, "active") != 0);
}

static void read_item(const struct json *json, size_t number, struct plan *plan)
{
    const struct json *overview;
    const char *title;

    /* Older exports have each item in an object of its own. */
    if (json_member(json, "item") != NULL)
        json = json_member(json, "item");
    overview = json_member(json, "overview");
    title = json_member_text(overview, "title");
    struct item item = {.title = title != NULL ? title : "", .origin = plan_format(plan, "item %zu", number)};

    if (is_put_away(json)) {
        plan_leave_out(plan, item.title, item.origin, "it is archived or in the trash");
        return;
    }
    if (!is_wanted(json_member_text(json, "categoryUuid"))) {
        plan_leave_out(plan, item.title, item.origin,
                       "of a category that holds no account or secret of a program");
        return;
    }
    add_details(json_member(json, "details"), &item);
    add_urls(overview, &item);
    item_plan(&item, plan);
}

enum status source_read_1pux(const struct json *document, const char *name, struct plan *plan,
                             struct failure *failure)
{
    const struct json *accounts = json_member(document, "accounts");
    size_t number = 0;

    if (!source_is_1pux(document))
        return failure_set(failure, STATUS_INVALID,
                           "%s has no accounts with vaults, as 1Password's export.data has", name);
    for (size_t i = 0; i < json_count(accounts); i++) {
        const struct json *vaults = json_member(json_at(accounts, i), "vaults");

        for (size_t j = 0; j < json_count(vaults); j++) {
            const struct json *items = json_member(json_at(vaults, j), "items");

            for (size_t k = 0; k < json_count(items); k++)
                read_item(json_at(items, k), ++number, plan);
        }
    }
    return STATUS_OK;
}

/* ---- CSV ---- */

enum column { TITLE, URL, USERNAME, PASSWORD, TOTP, NOTES, ARCHIVED, IGNORED, OTHER };

static const struct {
    const char *heading;
    enum column column;
} headings[] = {
    {"Title",    TITLE   },
    {"Url",      URL     },
    {"URL",      URL     },
    {"Website",  URL     },
    {"Username", USERNAME},
    {"Password", PASSWORD},
    {"OTPAuth",  TOTP    },
    {"Notes",    NOTES   },
    {"Archived", ARCHIVED},
    {"Favorite", IGNORED },
    {"Tags",     IGNORED },
    {"Type",     IGNORED },
};

struct columns {
    enum column columns[CSV_FIELDS_MAX];
    const char *names[CSV_FIELDS_MAX]; /* of the plan */
    size_t count;
};

static enum column column_of(const char *heading)
{
    for (size_t i = 0; i < sizeof(headings) / sizeof(headings[0]); i++) {
        if (strcasecmp(headings[i].heading, heading) == 0)
            return headings[i].column;
    }
    return OTHER;
}

static void read_headings(const struct csv *csv, struct plan *plan, struct columns *columns)
{
    columns->count = csv->count;
    for (size_t i = 0; i < csv->count; i++) {
        size_t size = 0;
        const char *heading = csv_field(csv, i, &size);

        columns->columns[i] = column_of(heading);
        columns->names[i] = plan_keep(plan, heading, size);
    }
}

static bool has_column(const struct columns *columns, enum column column)
{
    for (size_t i = 0; i < columns->count; i++) {
        if (columns->columns[i] == column)
            return true;
    }
    return false;
}

static void read_record(const struct csv *csv, const struct columns *columns, struct plan *plan)
{
    struct item item = {.title = "", .origin = plan_format(plan, "line %zu", csv->line)};
    bool archived = false;

    for (size_t i = 0; i < columns->count; i++) {
        size_t size = 0;
        const char *value = csv_field(csv, i, &size);

        if (value == NULL || size == 0)
            continue;
        switch (columns->columns[i]) {
        case TITLE:
            item.title = value;
            break;
        case URL:
            item_add_url(&item, value);
            break;
        case NOTES:
            item.note = value;
            item.note_size = size;
            break;
        case ARCHIVED:
            archived = strcasecmp(value, "true") == 0;
            break;
        case IGNORED:
            break;
        case USERNAME:
            item.user = value;
            item_add_field(&item, "username", value, size, false);
            break;
        case PASSWORD:
        case TOTP:
            item_add_field(&item, columns->columns[i] == TOTP ? "totp" : "password", value, size, true);
            break;
        case OTHER:
            item_add_field(&item, columns->names[i], value, size, false);
            break;
        }
    }
    if (archived)
        plan_leave_out(plan, item.title, item.origin, "it is archived");
    else
        item_plan(&item, plan);
}

bool source_is_1password_csv(const struct source_text *text)
{
    CLEANUP(csv_reset) struct csv csv = {.count = 0};
    struct failure failure;
    bool found = false, title = false, password = false;

    csv_start(&csv, text->bytes, text->size, text->name);
    if (csv_next(&csv, &failure, &found) != STATUS_OK)
        return false;
    for (size_t i = 0; i < csv.count; i++) {
        title = title || column_of(csv_field(&csv, i, NULL)) == TITLE;
        password = password || column_of(csv_field(&csv, i, NULL)) == PASSWORD;
    }
    return title && password;
}

enum status source_read_1password_csv(const struct source_text *text, struct plan *plan,
                                      struct failure *failure)
{
    CLEANUP(csv_reset) struct csv csv = {.count = 0};
    struct columns columns = {.count = 0};
    bool found = false;
    enum status status;

    if (!text_is_utf8(text->bytes, text->size))
        return failure_set(failure, STATUS_INVALID, "%s is not UTF-8 text", text->name);
    csv_start(&csv, text->bytes, text->size, text->name);
    status = csv_next(&csv, failure, &found);
    if (status != STATUS_OK)
        return status;
    read_headings(&csv, plan, &columns);
    if (!has_column(&columns, TITLE) || !has_column(&columns, PASSWORD))
        return failure_set(failure, STATUS_INVALID,
                           "%s has no headings Title and Password, as 1Password's CSV has", text->name);
    while ((status = csv_next(&csv, failure, &found)) == STATUS_OK && found) {
        if (csv.count != columns.count)
            return failure_set(failure, STATUS_INVALID,
                               "%s, the record of line %zu: %zu fields under %zu headings", text->name,
                               csv.line, csv.count, columns.count);
        read_record(&csv, &columns, plan);
    }
    return status;
}
