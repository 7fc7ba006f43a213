/* app: what the catalogue has, and what each app's accounts hold. No vault is needed. */
#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "catalog/facts.h"
#include "command.h"
#include "intake.h"
#include "output.h"
#include "redirect.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

/* ---- list ---- */

struct listing {
    struct output_table table;
    struct json_writer *writer; /* NULL: the table is wanted */
};

static void list_app(void *context, const struct catalog_found *found)
{
    struct listing *listing = context;

    if (found->failure != NULL) {
        output_note("%s", found->failure->sentence);
        return;
    }
    if (listing->writer == NULL) {
        output_table_add(&listing->table, found->slug);
        output_table_add(&listing->table, found->title);
        output_table_add(&listing->table, found->methods);
        output_table_add(&listing->table, found->own ? "own" : "");
        return;
    }
    json_open_object(listing->writer, NULL);
    json_add_text(listing->writer, "slug", found->slug);
    json_add_text(listing->writer, "title", found->title);
    json_add_words(listing->writer, "methods", found->methods, ", ");
    json_add_boolean(listing->writer, "own", found->own);
    json_close_object(listing->writer);
}

static enum status print_json(struct json_writer *writer, struct failure *failure)
{
    if (writer->failed || !secret_append_byte(writer->destination, '\n'))
        return failure_set_no_memory(failure);
    return output_write(writer->destination->bytes, writer->destination->size, failure);
}

static enum status cmd_app_list(struct invocation *invocation, struct failure *failure)
{
    static const char *const headings[] = {"APP", "TITLE", "METHODS", "OWN"};
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    struct listing listing = {0};
    enum status status;

    if (option_flag(&invocation->options, "json")) {
        json_writer_start(&writer, &text);
        json_open_object(&writer, NULL);
        json_open_array(&writer, "apps");
        listing.writer = &writer;
        catalog_list(list_app, &listing);
        json_close_array(&writer);
        json_close_object(&writer);
        return print_json(&writer, failure);
    }
    output_table_start(&listing.table, 4, headings);
    catalog_list(list_app, &listing);
    status = output_table_print(&listing.table, failure);
    output_table_reset(&listing.table);
    return status;
}

/* ---- show ---- */

/* The values of a member: a text, numbers and booleans as they are, an array with commas, a map as `name:
 * value`. */
static bool append_value(struct secret *cell, const struct json *value)
{
    void *iterator = NULL;
    const struct json *element;
    const char *name;
    int64_t number = 0;
    bool boolean = false;
    bool fits = true;

    if (json_text(value, NULL) != NULL)
        return secret_append_text(cell, json_text(value, NULL));
    if (json_number(value, &number))
        return secret_append_format(cell, "%lld", (long long)number);
    if (json_boolean(value, &boolean))
        return secret_append_text(cell, boolean ? "yes" : "no");
    if (json_kind(value) == JSON_KIND_ARRAY) {
        for (size_t i = 0; fits && i < json_count(value); i++)
            fits = secret_append_text(cell, i > 0 ? ", " : "") && append_value(cell, json_at(value, i));
        return fits;
    }
    while (fits && json_next(value, &iterator, &name, &element))
        fits = secret_append_text(cell, cell->size > 0 ? ", " : "") && secret_append_text(cell, name) &&
               secret_append_text(cell, ": ") && append_value(cell, element);
    return fits;
}

/* One line `method  what  value`. */
static void add_row(struct output_table *table, const char *method, const char *what,
                    const struct json *value)
{
    CLEANUP(secret_reset) struct secret cell = {0};

    output_table_add(table, method);
    output_table_add(table, what);
    if (!append_value(&cell, value))
        table->failed = true;
    output_table_add(table, secret_text(&cell));
}

/* `subdomain: Subdomain; pattern [a-z]+; such as acme`, behind the name in brackets what is not as usual. */
static void add_field(struct output_table *table, const char *method, const struct app_field *field)
{
    static const char *const marks[] = {"", " (optional)", " (hidden)", " (hidden, optional)"};
    const struct {
        const char *words;
        const char *text;
    } parts[] = {
        {"; pattern ", field->pattern },
        {"; default ", field->fallback},
        {"; such as ", field->example }
    };
    CLEANUP(secret_reset) struct secret cell = {0};
    bool fits = secret_append_format(&cell, "%s%s: %s", field->name,
                                     marks[2 * field->hidden + !field->required], field->title);

    if (field->values != NULL)
        fits = fits && secret_append_text(&cell, "; one of ") && append_value(&cell, field->values);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].text != NULL)
            fits =
                fits && secret_append_text(&cell, parts[i].words) && secret_append_text(&cell, parts[i].text);
    }
    table->failed = table->failed || !fits;
    output_table_add(table, method);
    output_table_add(table, "property");
    output_table_add(table, secret_text(&cell));
}

/* A row for each member; for an object in it, a row for each member of that. */
static void add_members(struct output_table *table, const char *method, const char *prefix,
                        const struct json *object)
{
    void *iterator = NULL;
    const struct json *value;
    const char *name;
    char what[128];

    while (json_next(object, &iterator, &name, &value)) {
        snprintf(what, sizeof(what), "%s%s", prefix, name);
        if (json_kind(value) == JSON_KIND_OBJECT)
            snprintf(what + strlen(what), sizeof(what) - strlen(what), " ");
        if (json_kind(value) == JSON_KIND_OBJECT)
            add_members(table, method, what, value);
        else
            add_row(table, method, what, value);
    }
}

/* What `connect` does with the grants of a method, in the order in which it tries them. */
static const struct {
    const char *grant;
    const char *words;
} connect_ways[] = {
    {"authorization_code", "a browser"                        },
    {"device_code",        "a code typed in on another device"},
    {"client_credentials", "the client's id and secret alone" },
};

static bool append_ways(struct secret *cell, const struct json *oauth)
{
    bool fits = true;

    for (size_t i = 0; i < sizeof(connect_ways) / sizeof(connect_ways[0]); i++) {
        if (facts_has_grant(oauth, connect_ways[i].grant))
            fits = fits && secret_append_text(cell, cell->size > 0 ? ", " : "") &&
                   secret_append_text(cell, connect_ways[i].words);
    }
    return fits && (cell->size > 0 || secret_append_text(cell, "nothing yet"));
}

static void add_connect(struct output_table *table, const char *method, const struct json *oauth)
{
    CLEANUP(secret_reset) struct secret ways = {0};
    char redirect[REDIRECT_TEXT_SIZE];

    if (!append_ways(&ways, oauth))
        table->failed = true;
    output_table_add(table, method);
    output_table_add(table, "connect by");
    output_table_add(table, secret_text(&ways));
    redirect_describe(oauth, redirect);
    if (redirect[0] == '\0')
        return;
    output_table_add(table, method);
    output_table_add(table, "register with");
    output_table_add(table, redirect);
}

static enum status add_method(struct output_table *table, const struct app_method *method,
                              struct failure *failure)
{
    static const char *const texts[] = {"kind", "title", "docs"};
    CLEANUP(app_freep) struct app *other = NULL;
    const struct json *oauth = NULL;
    enum status status = catalog_oauth(method, failure, &other, &oauth);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (json_member(method->entry, texts[i]) != NULL)
            add_row(table, method->name, texts[i], json_member(method->entry, texts[i]));
    }
    for (size_t i = 0; i < method->field_count; i++)
        add_field(table, method->name, &method->fields[i]);
    add_members(table, method->name, "request ", json_member(method->entry, "request"));
    add_members(table, method->name, "test ", json_member(method->entry, "test"));
    add_members(table, method->name, "whoami ", json_member(method->entry, "whoami"));
    if (oauth != NULL)
        add_connect(table, method->name, oauth);
    if (json_member(method->entry, "scopes") != NULL)
        add_row(table, method->name, "scopes", json_member(method->entry, "scopes"));
    add_members(table, method->name, "oauth ", oauth);
    for (size_t i = 0; i < json_count(json_member(method->entry, "notes")); i++)
        add_row(table, method->name, "note", json_at(json_member(method->entry, "notes"), i));
    return STATUS_OK;
}

static void write_optional(struct json_writer *writer, const char *key, const char *text)
{
    if (text != NULL)
        json_add_text(writer, key, text);
}

static void write_field(struct json_writer *writer, const struct app_field *field)
{
    json_open_object(writer, NULL);
    json_add_text(writer, "name", field->name);
    json_add_text(writer, "title", field->title);
    json_add_boolean(writer, "hidden", field->hidden);
    json_add_boolean(writer, "required", field->required);
    write_optional(writer, "pattern", field->pattern);
    if (field->values != NULL)
        json_add_value(writer, "values", field->values);
    write_optional(writer, "default", field->fallback);
    write_optional(writer, "example", field->example);
    write_optional(writer, "from", field->from);
    json_close_object(writer);
}

/* What the facts do not say goes without saying in them, and is said here. */
static void write_connect(struct json_writer *writer, const struct json *oauth)
{
    uint16_t ports[FACTS_PORTS_MAX];
    size_t count = facts_ports(oauth, ports);
    char uri[FACTS_URI_MAX];

    json_open_array(writer, "grants");
    for (size_t i = 0; i < sizeof(connect_ways) / sizeof(connect_ways[0]); i++) {
        if (facts_has_grant(oauth, connect_ways[i].grant))
            json_add_text(writer, NULL, connect_ways[i].grant);
    }
    json_close_array(writer);
    json_open_array(writer, "redirect_uris");
    for (size_t i = 0; facts_redirect(oauth) == FACTS_REDIRECT_LOOPBACK && i < (count > 0 ? count : 1); i++) {
        facts_redirect_uri(oauth, count > 0 ? ports[i] : 0, uri);
        json_add_text(writer, NULL, uri);
    }
    json_close_array(writer);
}

static enum status write_method(struct json_writer *writer, const struct app_method *method,
                                struct failure *failure)
{
    static const char *const members[] = {"docs", "request", "test", "whoami", "scopes", "notes", "sources"};
    CLEANUP(app_freep) struct app *other = NULL;
    const struct json *oauth = NULL;
    enum status status = catalog_oauth(method, failure, &other, &oauth);

    if (status != STATUS_OK)
        return status;
    json_open_object(writer, NULL);
    json_add_text(writer, "name", method->name);
    json_add_text(writer, "kind", app_kind_name(method->kind));
    json_add_text(writer, "title", method->title);
    json_open_array(writer, "properties");
    for (size_t i = 0; i < method->field_count; i++)
        write_field(writer, &method->fields[i]);
    json_close_array(writer);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (json_member(method->entry, members[i]) != NULL)
            json_add_value(writer, members[i], json_member(method->entry, members[i]));
    }
    if (oauth != NULL) {
        write_connect(writer, oauth);
        json_add_value(writer, "oauth", oauth);
    }
    json_close_object(writer);
    return STATUS_OK;
}

static enum status show_json(const struct app *app, bool own, const char *wanted, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;
    enum status status = STATUS_OK;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_open_object(&writer, "app");
    json_add_text(&writer, "slug", app->slug);
    json_add_text(&writer, "title", app->title);
    json_add_boolean(&writer, "own", own);
    if (json_member(app->document, "also") != NULL)
        json_add_value(&writer, "also", json_member(app->document, "also"));
    json_open_array(&writer, "methods");
    for (size_t i = 0; status == STATUS_OK && i < app->method_count; i++) {
        if (wanted == NULL || strcmp(app->methods[i].name, wanted) == 0)
            status = write_method(&writer, &app->methods[i], failure);
    }
    json_close_array(&writer);
    json_close_object(&writer);
    json_close_object(&writer);
    return status == STATUS_OK ? print_json(&writer, failure) : status;
}

static enum status show_table(const struct app *app, bool own, const char *wanted, struct failure *failure)
{
    static const char *const headings[] = {"METHOD", "WHAT", "IT IS"};
    CLEANUP(output_table_reset) struct output_table table;
    enum status status = STATUS_OK;

    output_table_start(&table, 3, headings);
    add_row(&table, "", "app", json_member(app->document, "slug"));
    add_row(&table, "", "title", json_member(app->document, "title"));
    if (json_member(app->document, "also") != NULL)
        add_row(&table, "", "also", json_member(app->document, "also"));
    if (own) {
        output_table_add(&table, "");
        output_table_add(&table, "of");
        output_table_add(&table, "your own apps");
    }
    for (size_t i = 0; status == STATUS_OK && i < app->method_count; i++) {
        if (wanted == NULL || strcmp(app->methods[i].name, wanted) == 0)
            status = add_method(&table, &app->methods[i], failure);
    }
    return status == STATUS_OK ? output_table_print(&table, failure) : status;
}

static enum status cmd_app_show(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(app_freep) struct app *app = NULL;
    const char *method = option_text(&invocation->options, "method");
    const struct app_method *found = NULL;
    char slug[NAME_APP_MAX + 1];
    bool own = false;
    enum status status = catalog_slug(command_argument(invocation, 0), failure, slug);

    if (status == STATUS_OK)
        status = catalog_find(slug, failure, &app, &own);
    if (status != STATUS_OK)
        return status;
    if (method != NULL)
        status = intake_find_method(app, slug, method, failure, &found);
    if (status != STATUS_OK)
        return status;
    return option_flag(&invocation->options, "json") ? show_json(app, own, method, failure)
                                                     : show_table(app, own, method, failure);
}

/* ---- the commands ---- */

static const struct option_rule app_show_options[] = {
    {"method", "M", false, "Only this one of its methods."},
    OPTION_JSON,
    {0  },
};

/* clang-format off */
const struct command cmd_app_commands[] = {
    {
        .name = "app", .subcommand = "list", .run = cmd_app_list, .options = command_json_options,
        .usage = "[--json]",
        .summary = "list the apps of the catalogue",
        .help = "Prints the apps that the catalogue knows, with their methods: the ways to make an account. Your own "
                "in $XDG_CONFIG_HOME/stepvault/apps/ are among them.",
    },
    {
        .name = "app", .subcommand = "show", .run = cmd_app_show, .options = app_show_options,
        .least = 1, .most = 1,
        .arguments = {"APP"},
        .usage = "APP [--method M] [--json]",
        .summary = "show one",
        .help = "Prints, for each method, the properties that an account has, how a request is made with them, and "
                "what is known of its OAuth.",
    },
    {0},
};
/* clang-format on */
