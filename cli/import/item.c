/* The mapping of items, rule by rule. */
#include "import/item.h"

#include "base/name.h"
#include "catalog/catalog.h"

#include <stdio.h>
#include <string.h>

#define APP_SIZE (NAME_APP_MAX + 1)
#define LABEL_SIZE (NAME_LABEL_MAX + 1)
#define PROPERTY_SIZE (NAME_PROPERTY_MAX + 1)

void item_add_field(struct item *item, const char *name, const char *value, size_t size, bool hidden)
{
    if (value == NULL || size == 0)
        return;
    if (item->field_count == ITEM_FIELDS_MAX)
        item->overfull = true;
    else
        item->fields[item->field_count++] =
            (struct item_field){.name = name, .value = value, .size = size, .hidden = hidden};
}

void item_add_text(struct item *item, const char *name, const char *value, bool hidden)
{
    item_add_field(item, name, value, value != NULL ? strlen(value) : 0, hidden);
}

void item_add_url(struct item *item, const char *url)
{
    if (url == NULL || url[0] == '\0')
        return;
    if (item->url_count == ITEM_URLS_MAX)
        item->overfull = true;
    else
        item->urls[item->url_count++] = url;
}

/* ---- names ---- */

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static char to_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool is_alphanumeric(char byte)
{
    return is_lower(to_lower(byte)) || is_digit(byte);
}

static bool is_variable_title(const char *title)
{
    struct failure failure;

    for (const char *byte = title; *byte != '\0'; byte++) {
        if (is_lower(*byte))
            return false;
    }
    return name_check_variable(title, &failure) != STATUS_INVALID;
}

/* Lower case; each run of what is neither letter nor digit becomes one `_`, none at the ends. False if that
 * leaves nothing, or more than fits. */
static bool make_slug(const char *text, char *destination, size_t size)
{
    size_t used = 0;
    bool gap = false;

    for (; *text != '\0'; text++) {
        char byte = to_lower(*text);

        if (!is_lower(byte) && !is_digit(byte)) {
            gap = true;
            continue;
        }
        if (used + 2 >= size)
            return false;
        if (gap && used > 0)
            destination[used++] = '_';
        gap = false;
        destination[used++] = byte;
    }
    destination[used] = '\0';
    return used > 0;
}

/* A property's name begins with a letter. */
static bool make_property(const char *text, char destination[PROPERTY_SIZE])
{
    while (*text != '\0' && !is_lower(to_lower(*text)))
        text++;
    return make_slug(text, destination, PROPERTY_SIZE);
}

static bool make_label(const char *text, char destination[LABEL_SIZE])
{
    size_t used = 0;

    while (*text != '\0' && !is_alphanumeric(*text))
        text++;
    for (; *text != '\0' && used < NAME_LABEL_MAX; text++) {
        bool fits = is_alphanumeric(*text) || strchr("@._+-", *text) != NULL;

        if (fits || (used > 0 && destination[used - 1] != '-'))
            destination[used++] = fits ? *text : '-';
    }
    while (used > 0 && destination[used - 1] == '-')
        used--;
    destination[used] = '\0';
    return used > 0 && *text == '\0';
}

/* The word of the host that its owner chose: `github` of gist.github.com, `acme` of www.acme.co.uk. Public
 * suffixes are not known here: a last word of two letters behind one of at most three is taken for such a
 * pair. False for numbers and for hosts of one word. */
static bool domain_of(const char *url, char destination[APP_SIZE])
{
    const char *start = strstr(url, "://");
    const char *words[3] = {NULL, NULL, NULL}; /* the last three, the very last first */
    size_t lengths[3] = {0, 0, 0};
    size_t wanted;
    char word[APP_SIZE];

    start = start != NULL ? start + 3 : url;
    if (strcspn(start, "@") < strcspn(start, "/?#"))
        start = strchr(start, '@') + 1;
    for (const char *end = start + strcspn(start, "/?#:"); start < end;) {
        size_t length = strcspn(start, ".");

        if (length > (size_t)(end - start))
            length = (size_t)(end - start);
        memmove(words + 1, words, 2 * sizeof(words[0]));
        memmove(lengths + 1, lengths, 2 * sizeof(lengths[0]));
        words[0] = start;
        lengths[0] = length;
        start += length + (start + length < end);
    }
    if (words[1] == NULL || lengths[0] == 0 || is_digit(words[0][0]))
        return false;
    wanted = lengths[0] == 2 && lengths[1] <= 3 && words[2] != NULL ? 2 : 1;
    if (lengths[wanted] == 0 || lengths[wanted] >= sizeof(word))
        return false;
    memcpy(word, words[wanted], lengths[wanted]);
    word[lengths[wanted]] = '\0';
    return make_slug(word, destination, APP_SIZE);
}

/* The name that one domain of all addresses gives; false if there is no such. */
static bool find_domain(const struct item *item, char destination[APP_SIZE])
{
    char other[APP_SIZE];
    bool same = item->url_count > 0 && domain_of(item->urls[0], destination);

    for (size_t i = 1; same && i < item->url_count; i++)
        same = domain_of(item->urls[i], other) && strcmp(destination, other) == 0;
    return same;
}

/* Turns another name of an app into its own. True if the catalogue has the app. */
static bool is_known(char slug[APP_SIZE])
{
    struct failure failure;
    char own[APP_SIZE];

    if (catalog_slug(slug, &failure, own) == STATUS_OK)
        memcpy(slug, own, APP_SIZE);
    for (const struct catalog_entry *entry = catalog_entries; entry->slug != NULL; entry++) {
        if (strcmp(entry->slug, slug) == 0)
            return true;
    }
    return false;
}

static bool find_app(const struct item *item, char destination[APP_SIZE])
{
    char title[APP_SIZE];
    bool domain = find_domain(item, destination);
    bool titled = make_slug(item->title, title, APP_SIZE);

    if (domain && (is_known(destination) || !titled || !is_known(title)))
        return true;
    if (titled) {
        is_known(title);
        memcpy(destination, title, APP_SIZE);
    }
    return titled;
}

/* ---- variables ---- */

static void plan_variable(const struct item *item, struct plan *plan)
{
    const struct item_field *field = NULL;
    size_t hidden = 0;
    bool beside;

    for (size_t i = 0; i < item->field_count; i++) {
        if (item->fields[i].hidden && hidden++ == 0)
            field = &item->fields[i];
    }
    if (hidden > 1) {
        plan_refuse(plan, item->title, item->origin,
                    "its title names a variable, and it has several hidden fields: which one is the value "
                    "cannot be told");
        return;
    }
    if (field == NULL && item->note == NULL) {
        plan_leave_out(plan, item->title, item->origin, "it holds no secret");
        return;
    }
    beside = item->field_count > hidden || item->url_count > 0 || (field != NULL && item->note != NULL);
    plan_add_variable(plan, item->title, field != NULL ? field->value : item->note,
                      field != NULL ? field->size : item->note_size, item->origin,
                      beside ? "its other fields, addresses and notes are left out" : NULL);
}

/* ---- accounts ---- */

static void refuse_field(const struct item *item, const char *field, const char *reason, struct plan *plan)
{
    plan_refuse(plan, item->title, item->origin, plan_format(plan, "its field %s %s", field, reason));
}

/* The fields as properties; false if one of them was refused. `names` holds what they are called. */
static bool list_fields(const struct item *item, struct plan *plan, char names[][PROPERTY_SIZE],
                        struct plan_value *properties)
{
    for (size_t i = 0; i < item->field_count; i++) {
        const struct item_field *field = &item->fields[i];

        if (!make_property(field->name, names[i])) {
            refuse_field(item, field->name, "gives no name for a property", plan);
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0) {
                refuse_field(item, names[i], "is there twice", plan);
                return false;
            }
        }
        properties[i] = (struct plan_value){.name = names[i], .bytes = field->value, .size = field->size};
    }
    return true;
}

static bool has_property(const struct plan_value *properties, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(properties[i].name, name) == 0)
            return true;
    }
    return false;
}

static void plan_account(const struct item *item, struct plan *plan)
{
    static char names[ITEM_FIELDS_MAX][PROPERTY_SIZE];
    char url_names[ITEM_URLS_MAX][16];
    struct plan_value properties[ITEM_FIELDS_MAX + ITEM_URLS_MAX + 1];
    size_t count = item->field_count;
    char app[APP_SIZE], label[LABEL_SIZE];

    if (!find_app(item, app) ||
        (!(item->user != NULL && make_label(item->user, label)) && !make_label(item->title, label))) {
        plan_refuse(plan, item->title, item->origin, "its title gives no name for an app or a label");
        return;
    }
    if (!list_fields(item, plan, names, properties))
        return;
    for (size_t i = 0; i < item->url_count; i++) {
        snprintf(url_names[i], sizeof(url_names[i]), i == 0 ? "url" : "url_%zu", i + 1);
        if (!has_property(properties, count, url_names[i]))
            properties[count++] = (struct plan_value){
                .name = url_names[i], .bytes = item->urls[i], .size = strlen(item->urls[i])};
    }
    if (item->note != NULL && !has_property(properties, count, "notes"))
        properties[count++] =
            (struct plan_value){.name = "notes", .bytes = item->note, .size = item->note_size};
    plan_add_account(plan, app, label, properties, count, item->origin, NULL);
}

void item_plan(const struct item *item, struct plan *plan)
{
    bool hidden = false;

    for (size_t i = 0; i < item->field_count; i++)
        hidden = hidden || item->fields[i].hidden;
    if (item->overfull)
        plan_refuse(plan, item->title, item->origin, "it has more fields or addresses than an account takes");
    else if (is_variable_title(item->title))
        plan_variable(item, plan);
    else if (hidden)
        plan_account(item, plan);
    else
        plan_leave_out(plan, item->title, item->origin,
                       item->note != NULL ? "a note whose title is not a variable's name in capitals"
                                          : "it holds no secret");
}
