/* Reading of a test request. What is left out and what is encoded is as the helper has it when it tests an
 * account (vault/oauth/identity.c, provider.c). */
#include "starter.h"

#include "base/cleanup.h"
#include "base/name.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How a template is taken. */
struct manner {
    bool encoded;           /* all of it is percent-encoded */
    const char *host_end;   /* of an address: properties from here on are encoded; else NULL */
    const char *first_bare; /* the property that is a whole address, or NULL */
};

/* ---- texts ---- */

static bool add_part(struct starter_text *text, struct starter_part part)
{
    if (text->count == text->capacity) {
        size_t capacity = text->capacity > 0 ? 2 * text->capacity : 8;
        struct starter_part *parts = reallocarray(text->parts, capacity, sizeof(*parts));

        if (parts == NULL)
            return false;
        text->parts = parts;
        text->capacity = capacity;
    }
    text->parts[text->count++] = part;
    return true;
}

static void text_reset(struct starter_text *text)
{
    free(text->parts);
    *text = (struct starter_text){0};
}

static bool add_text(struct starter_text *text, const char *bytes, bool encoded)
{
    return add_part(text, (struct starter_part){.text = bytes, .size = strlen(bytes), .encoded = encoded});
}

static bool can_lack(const struct app_field *field)
{
    return !field->required && field->fallback == NULL;
}

static bool is_optional(const struct starter_text *text)
{
    for (size_t i = 0; i < text->count; i++) {
        if (text->parts[i].field != NULL && can_lack(text->parts[i].field))
            return true;
    }
    return false;
}

/* Adds what `{name}` stands for; `*ret_lacking` is a name of `caller` of which no example is known. */
static bool add_named(const struct app_method *method, struct starter_text *text, const char *name,
                      bool encoded, const char **ret_lacking)
{
    const struct json *caller = json_member(json_member(method->entry, "request"), "caller");
    const struct app_field *field = app_find_field(method, name);
    void *iterator = NULL;
    const struct json *entry;
    const char *known;

    if (field != NULL)
        return add_part(text, (struct starter_part){.field = field, .encoded = encoded});
    while (json_next(caller, &iterator, &known, &entry)) {
        const char *example = json_member_text(entry, "example");

        if (strcmp(known, name) != 0)
            continue;
        if (example != NULL)
            return add_text(text, example, encoded);
        *ret_lacking = known;
    }
    return true;
}

/* `template` was checked with its entry, so each brace has its other. False when memory is out. */
static bool add_template(const struct app_method *method, struct starter_text *text, const char *template,
                         struct manner manner, const char **ret_lacking)
{
    bool fits = true;

    for (const char *at = template; fits && *at != '\0';) {
        size_t plain = strcspn(at, "{");
        bool encoded = manner.encoded || (manner.host_end != NULL && at + plain >= manner.host_end &&
                                          at + plain != manner.first_bare);
        char name[NAME_PROPERTY_MAX + 1] = "";
        size_t length;

        if (plain > 0)
            fits =
                add_part(text, (struct starter_part){.text = at, .size = plain, .encoded = manner.encoded});
        at += plain;
        if (*at == '\0')
            break;
        length = strcspn(at + 1, "}");
        if (length <= NAME_PROPERTY_MAX)
            memcpy(name, at + 1, length);
        fits = fits && add_named(method, text, name, encoded, ret_lacking);
        at += length + 2;
    }
    return fits;
}

/* ---- the address ---- */

/* Nothing, where the address begins with a property that is a whole one. */
static const char *host_end(const char *address)
{
    const char *host = strstr(address, "://");

    return address[0] != '{' && host != NULL ? host + 3 + strcspn(host + 3, "/?") : address;
}

/* Some libraries take an address with a byte that belongs in none apart and encode it anew, and then a `%2F`
 * in it is a `/`. */
static bool append_address(struct secret *address, const char *text)
{
    bool fits = true;

    for (; fits && *text != '\0'; text++)
        fits = strchr("`^|", *text) != NULL ? secret_append_format(address, "%%%02X", (unsigned)*text)
                                            : secret_append_byte(address, (uint8_t)*text);
    return fits;
}

static enum status read_address(struct starter *starter, const struct json *request, const struct json *test,
                                struct failure *failure)
{
    const char *url = json_member_text(test, "url");
    bool relative = url == NULL || url[0] == '/';
    const char *lacking = NULL;
    const char *address;

    if (!append_address(&starter->address, relative ? json_member_text(request, "base") : "") ||
        !append_address(&starter->address, url != NULL ? url : ""))
        return failure_set_no_memory(failure);
    address = secret_text(&starter->address);
    if (!add_template(
            starter->method, &starter->url, address,
            (struct manner){.host_end = host_end(address), .first_bare = address[0] == '{' ? address : NULL},
            &lacking))
        return failure_set_no_memory(failure);
    if (lacking != NULL)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "the test request of %s needs %s, which only the calling code knows",
                           starter->app->title, lacking);
    return STATUS_OK;
}

/* ---- the query ---- */

/* Reads `name=value` behind `joint`. False when memory is out. */
static bool read_parameter(const struct starter *starter, const char *joint, const char *name,
                           const struct json *template, struct starter_text *ret_text, bool *ret_filled)
{
    const char *lacking = NULL;
    bool fits = add_text(ret_text, joint, false) && add_text(ret_text, name, true) &&
                add_text(ret_text, "=", false) &&
                add_template(starter->method, ret_text, json_text(template, NULL),
                             (struct manner){.encoded = true}, &lacking);

    *ret_filled = lacking == NULL;
    return fits;
}

static bool add_parts(struct starter_text *text, const struct starter_text *more)
{
    bool fits = true;

    for (size_t i = 0; fits && i < more->count; i++)
        fits = add_part(text, more->parts[i]);
    return fits;
}

/* What is there in any case stands in the url; what the account can lack is added to it at run time, so the
 * url has a `?` before that. */
static bool read_query(struct starter *starter, const struct json *query)
{
    bool asks = memchr(starter->address.bytes, '?', starter->address.size) != NULL;
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    starter->parameters = calloc(json_count(query) + 1, sizeof(*starter->parameters));
    if (starter->parameters == NULL)
        return false;
    while (json_next(query, &iterator, &name, &template)) {
        CLEANUP(text_reset) struct starter_text text = {0};
        bool filled;

        if (!read_parameter(starter, "&", name, template, &text, &filled))
            return false;
        if (filled && is_optional(&text)) {
            starter->parameters[starter->parameter_count++] =
                (struct starter_member){.name = name, .text = text, .optional = true};
            text = (struct starter_text){0};
        } else if (filled) {
            text.parts[0].text = asks ? "&" : "?";
            asks = true;
            if (!add_parts(&starter->url, &text))
                return false;
        }
    }
    if (starter->parameter_count == 1 && !asks)
        starter->parameters[0].text.parts[0].text = "?";
    return asks || starter->parameter_count < 2 || add_text(&starter->url, "?", false);
}

/* ---- headers and body ---- */

static bool has_header(const struct json *headers, const char *name)
{
    void *iterator = NULL;
    const struct json *value;
    const char *other;

    while (json_next(headers, &iterator, &other, &value)) {
        if (strcasecmp(other, name) == 0)
            return true;
    }
    return false;
}

static struct starter_member *add_header(struct starter *starter, const char *name)
{
    struct starter_member *header = &starter->headers[starter->header_count++];

    header->name = name;
    return header;
}

static void finish_header(struct starter *starter, struct starter_member *header, const char *lacking)
{
    header->optional = is_optional(&header->text);
    if (lacking == NULL)
        return;
    text_reset(&header->text);
    starter->header_count--;
}

/* Those of `headers` that `instead` does not have. */
static bool read_headers(struct starter *starter, const struct json *headers, const struct json *instead)
{
    void *iterator = NULL;
    const struct json *template;
    const char *name;

    while (json_next(headers, &iterator, &name, &template)) {
        struct starter_member *header;
        const char *lacking = NULL;

        if (has_header(instead, name))
            continue;
        header = add_header(starter, name);
        if (!add_template(starter->method, &header->text, json_text(template, NULL), (struct manner){0},
                          &lacking))
            return false;
        finish_header(starter, header, lacking);
    }
    return true;
}

static bool read_basic(struct starter *starter, const struct json *basic)
{
    const char *lacking = NULL;
    struct starter_member *header;

    if (basic == NULL)
        return true;
    header = add_header(starter, "Authorization");
    header->basic = true;
    if (!add_template(starter->method, &header->text, json_member_text(basic, "user"), (struct manner){0},
                      &lacking) ||
        !add_text(&header->text, ":", false) ||
        !add_template(starter->method, &header->text, json_member_text(basic, "password"), (struct manner){0},
                      &lacking))
        return false;
    finish_header(starter, header, lacking);
    return true;
}

static bool read_body(struct starter *starter, const struct json *test)
{
    const struct json *body = json_member(test, "body");
    struct json_writer writer;

    if (body == NULL)
        return true;
    json_writer_start(&writer, &starter->body);
    json_add_value(&writer, NULL, body);
    if (writer.failed)
        return false;
    return has_header(json_member(test, "headers"), "Content-Type") ||
           add_text(&add_header(starter, "Content-Type")->text, "application/json", false);
}

static bool read_all_headers(struct starter *starter, const struct json *request, const struct json *test)
{
    const struct json *common = json_member(request, "headers");
    const struct json *own = json_member(test, "headers");

    /* Two more: Authorization and Content-Type. */
    starter->headers = calloc(json_count(common) + json_count(own) + 2, sizeof(*starter->headers));
    return starter->headers != NULL && read_headers(starter, common, own) &&
           read_headers(starter, own, NULL) && read_basic(starter, json_member(request, "basic")) &&
           read_body(starter, test);
}

/* ---- traits ---- */

static unsigned text_traits(const struct starter_text *text, bool address)
{
    unsigned traits = 0;

    for (size_t i = 0; i < text->count; i++) {
        const struct app_field *field = text->parts[i].field;

        if (field == NULL)
            continue;
        traits |= text->parts[i].encoded ? STARTER_ENCODES | STARTER_NEEDS_BASH : 0;
        traits |= field->fallback != NULL ? STARTER_DEFAULTS : 0;
        traits |= address && field->hidden ? STARTER_SECRET_URL | STARTER_NEEDS_BASH : 0;
    }
    return traits;
}

static unsigned find_traits(const struct starter *starter)
{
    unsigned traits = text_traits(&starter->url, true);

    for (size_t i = 0; i < starter->parameter_count; i++)
        traits |= text_traits(&starter->parameters[i].text, true) | STARTER_PARAMETERS;
    for (size_t i = 0; i < starter->header_count; i++) {
        const struct starter_member *header = &starter->headers[i];

        traits |= text_traits(&header->text, false) | STARTER_HEADERS;
        traits |= header->basic ? STARTER_BASIC : 0;
        traits |= strcasecmp(header->name, "Content-Type") == 0 ? STARTER_TYPED : 0;
    }
    if (starter->body.size > 0)
        traits |= STARTER_BODY;
    else if (strcmp(starter->verb, "POST") == 0)
        traits |= STARTER_EMPTY_POST;
    return traits | (starter->expect != NULL ? STARTER_EXPECTS : 0);
}

/* ---- all of it ---- */

static enum status read_request(struct starter *starter, const struct json *test, struct failure *failure)
{
    const struct json *request = json_member(starter->method->entry, "request");
    enum status status = read_address(starter, request, test, failure);

    if (status != STATUS_OK)
        return status;
    starter->verb = json_member_text(test, "method");
    starter->expect = json_member_text(test, "expect");
    if (!read_query(starter, json_member(request, "query")) || !read_all_headers(starter, request, test))
        return failure_set_no_memory(failure);
    starter->traits = find_traits(starter);
    return STATUS_OK;
}

enum status starter_read(const struct app *app, const struct app_method *method, struct failure *failure,
                         struct starter **ret_starter)
{
    CLEANUP(starter_freep) struct starter *starter = calloc(1, sizeof(*starter));
    const char *signature = json_member_text(json_member(method->entry, "request"), "signature");
    const struct json *test = json_member(method->entry, "test");
    enum status status;

    if (starter == NULL)
        return failure_set_no_memory(failure);
    if (test == NULL)
        test = json_member(method->entry, "whoami");
    if (signature != NULL)
        return failure_set(failure, STATUS_REFUSED,
                           "requests by %s of %s are signed (%s), which takes more than the catalogue says",
                           method->name, app->title, signature);
    if (test == NULL)
        return failure_set(failure, STATUS_NOT_FOUND,
                           "the catalogue knows no request that tests an account made by %s of %s",
                           method->name, app->title);
    starter->app = app;
    starter->method = method;
    status = read_request(starter, test, failure);
    if (status == STATUS_OK)
        *ret_starter = TAKE(starter);
    return status;
}

static void free_members(struct starter_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_reset(&members[i].text);
    free(members);
}

void starter_freep(struct starter **starter)
{
    if (*starter == NULL)
        return;
    secret_reset(&(*starter)->address);
    secret_reset(&(*starter)->body);
    text_reset(&(*starter)->url);
    free_members((*starter)->headers, (*starter)->header_count);
    free_members((*starter)->parameters, (*starter)->parameter_count);
    free(*starter);
    *starter = NULL;
}
