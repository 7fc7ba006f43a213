/* The fields of each kind of document, as a table, and what cannot be said in one. */
#include "check_form.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/note.h"
#include "past.h"
#include "registration.h"
#include "remark.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

/* What a value must be. */
enum content {
    CONTENT_EMPTY,    /* the name alone says it */
    CONTENT_NUMBER,   /* decimal */
    CONTENT_BYTES,    /* a variable's value: no NUL */
    CONTENT_TEXT,     /* a property's value: UTF-8 */
    CONTENT_LINE,     /* a note */
    CONTENT_ID,       /* 16 bytes in hexadecimal */
    CONTENT_INSTANCE, /* 8 of them */
    CONTENT_PROPERTY, /* a property's name */
    CONTENT_KEY,      /* 32 bytes */
    CONTENT_NOTE,     /* a signed note or a verifier key, which the log reads itself */
    CONTENT_GRANT,    /* how an account was connected */
    CONTENT_CLIENT,   /* app:label of a client */
    CONTENT_INTENT,   /* of a renewal */
    CONTENT_STATE,    /* the one that there is */
    CONTENT_VISIBLE,  /* a client's id */
    CONTENT_REDIRECT, /* a client's address */
    CONTENT_ANY       /* looked at elsewhere */
};

/* What follows a field's name. */
enum suffix { SUFFIX_NONE, SUFFIX_PROPERTY, SUFFIX_VARIABLE };

struct field {
    const char *name; /* NULL ends a table */
    size_t size;
    enum content content;
    enum suffix suffix;
    bool required;
};

#define NAMED(name) (name), sizeof(name) - 1
#define REQUIRED true
#define OPTIONAL false

static const struct field common_fields[] = {
    {NAMED("kind"), CONTENT_ANY, SUFFIX_NONE, REQUIRED},
    {NAMED("where"),  CONTENT_ANY, SUFFIX_NONE, REQUIRED},
    {NAMED("name"),             CONTENT_ANY, SUFFIX_NONE, REQUIRED},
    {NAMED("created"), CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {NAMED("updated"),     CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {0},
};
static const struct field path_fields[] = {
    {NAMED("step"),  CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {NAMED("boundary"),   CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_NOTE),              CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {0},
};
enum { VARIABLE_VALUE, VARIABLE_BLOCKED }; /* the rows that stand first */
static const struct field variable_fields[] = {
    {NAMED("value"),   CONTENT_BYTES, SUFFIX_NONE, OPTIONAL},
    {NAMED("blocked"),     CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {NAMED("allowed"),                CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_NOTE),CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_EXPIRES),        CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0},
};
static const struct field binding_fields[] = {
    {NAMED("account"), CONTENT_ID, SUFFIX_NONE, REQUIRED},
    {NAMED("only/"),     CONTENT_EMPTY, SUFFIX_PROPERTY, OPTIONAL},
    {NAMED("environment/"),                CONTENT_PROPERTY, SUFFIX_VARIABLE, OPTIONAL},
    {NAMED("allowed"),CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {0       },
};
/* Of a grant all of the first rows are there, or nothing is. */
enum { ACCOUNT_GRANT_ROWS = 5, ACCOUNT_GRANT_ALL = (1u << ACCOUNT_GRANT_ROWS) - 1, ACCOUNT_GRANT_END = 23 };
static const struct field account_fields[] = {
    {NAMED("oauth/provider"),       CONTENT_TEXT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/client"),                  CONTENT_CLIENT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/grant"),                             CONTENT_GRANT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/generation"),CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/obtained"),                     CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/requested"),          CONTENT_TEXT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/requested_user"),                  CONTENT_TEXT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/method"),                             CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/granted"),                  CONTENT_TEXT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/identity"),                     CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/identity_name"),       CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/state"),                  CONTENT_STATE, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/error"),                             CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/intent"),        CONTENT_INTENT, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/lifetime"),                     CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/expires"), CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/due"),                  CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/refreshed"),                             CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/failures"),CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/retry"),                     CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/wait"),        CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/refusals"),                  CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/refused"),                             CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/doubt"),CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/rejected"),                     CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("oauth/unanswered"),  CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("property/"),                  CONTENT_TEXT, SUFFIX_PROPERTY, REQUIRED},
    {NAMED("restored"),                             CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_NOTE),CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_EXPIRES),                     CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0         },
};
/* Of one revision, behind its number. */
static const struct field past_variable_fields[] = {
    {NAMED("value"),    CONTENT_BYTES, SUFFIX_NONE, REQUIRED},
    {NAMED("updated"),      CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {NAMED("replaced"),                 CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {NAMED("unset"),CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_NOTE),         CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_EXPIRES), CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0     },
};
static const struct field past_account_fields[] = {
    {NAMED("property/"), CONTENT_TEXT, SUFFIX_PROPERTY, REQUIRED},
    {NAMED("updated"),   CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {NAMED("replaced"),                  CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {NAMED(REMARK_FIELD_NOTE),  CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {NAMED(REMARK_FIELD_EXPIRES),          CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0 },
};
static const struct field client_fields[] = {
    {NAMED(REGISTRATION_FIELD_ID), CONTENT_VISIBLE, SUFFIX_NONE, REQUIRED},
    {NAMED(REGISTRATION_FIELD_SECRET),                 CONTENT_TEXT, SUFFIX_NONE, OPTIONAL},
    {NAMED(REGISTRATION_FIELD_REDIRECT_URI),                            CONTENT_REDIRECT, SUFFIX_NONE, OPTIONAL},
    {0},
};
static const struct field past_fields[] = {
    {NAMED("last"), CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {0 },
};
static const struct field reading_fields[] = {
    {NAMED("key"), CONTENT_KEY, SUFFIX_NONE, REQUIRED},
    {0},
};
static const struct field signing_fields[] = {
    {NAMED("key"),      CONTENT_KEY, SUFFIX_NONE, REQUIRED},
    {NAMED("instance"),      CONTENT_INSTANCE, SUFFIX_NONE, REQUIRED},
    {NAMED("first"),                 CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("epoch"),CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("abandoned"),         CONTENT_NOTE, SUFFIX_NONE, OPTIONAL},
    {0   },
};
static const struct field era_fields[] = {
    {NAMED("verifier"), CONTENT_NOTE, SUFFIX_NONE, REQUIRED},
    {NAMED("instance"),      CONTENT_INSTANCE, SUFFIX_NONE, REQUIRED},
    {NAMED("first"),                 CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("epoch"),CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {NAMED("abandoned"),         CONTENT_NOTE, SUFFIX_NONE, OPTIONAL},
    {0   },
};
static const struct field pruned_fields[] = {
    {NAMED("first"), CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {0  },
};

/* The keys of a vault, by name. */
static const struct {
    const char *name;
    bool numbered; /* a number follows */
    const struct field *fields;
} keys[] = {
    {"log-reading", false, reading_fields},
    {"log-signing", false, signing_fields},
    {"log-era-",    true,  era_fields    },
    {"log-pruned",  false, pruned_fields },
};

static enum status accept(const char *name, struct failure *failure)
{
    (void)name;
    (void)failure;
    return STATUS_OK;
}

static enum status check_nothing(const char *name, struct failure *failure)
{
    return name[0] == '\0' ? STATUS_OK : failure_set(failure, STATUS_INVALID, "%s is no name", name);
}

static enum status check_id(const char *name, struct failure *failure)
{
    uint8_t id[STORE_ID_SIZE];

    return text_from_hex(id, sizeof id, name) ? STATUS_OK
                                              : failure_set(failure, STATUS_INVALID, "%s is no id", name);
}

/* What is said of a record, how it is named, and its fields; a past's are those of each of its revisions. */
static const struct {
    const char *noun;
    enum status (*check_where)(const char *where, struct failure *failure);
    enum status (*check_name)(const char *name, struct failure *failure);
    const struct field *fields;
} kinds[RECORD_KIND_COUNT] = {
    [RECORD_PATH] = {"step",     name_check_path, check_nothing,       path_fields         },
    [RECORD_VARIABLE] = {"variable", name_check_path, name_check_variable, variable_fields     },
    [RECORD_BINDING] = {"binding",  name_check_path, name_check_alias,    binding_fields      },
    [RECORD_ACCOUNT] = {"account",  name_check_app,  name_check_label,    account_fields      },
    [RECORD_KEY] = {"key",      check_nothing,   accept,              NULL                },
    [RECORD_PAST_VARIABLE] = {"past of",  name_check_path, name_check_variable, past_variable_fields},
    [RECORD_PAST_ACCOUNT] = {"past of",  check_nothing,   check_id,            past_account_fields },
    [RECORD_CLIENT] = {"client",   name_check_app,  name_check_label,    client_fields       },
};

const char *check_form_subject(const struct record *record, char buffer[CHECK_FORM_SUBJECT])
{
    const char *noun = kinds[record->kind].noun;

    if (record->kind == RECORD_PATH)
        snprintf(buffer, CHECK_FORM_SUBJECT, "the %s %s", noun, record->where);
    else if (record->kind == RECORD_ACCOUNT || record->kind == RECORD_CLIENT)
        snprintf(buffer, CHECK_FORM_SUBJECT, "the %s %s:%s", noun, record->where, record->name);
    else
        snprintf(buffer, CHECK_FORM_SUBJECT, "the %s %s%s%s", noun, record->name,
                 record->where[0] != '\0' ? " at " : "", record->where);
    return buffer;
}

static enum status wrong(const struct record *record, const char *what, const char *field,
                         struct failure *failure)
{
    char subject[CHECK_FORM_SUBJECT];

    return failure_set(failure, STATUS_CORRUPT, "%s is not what a vault writes (%s%s%.64s)",
                       check_form_subject(record, subject), what, field[0] != '\0' ? ": " : "", field);
}

static bool is_number(const char *value)
{
    uint64_t number;

    return text_to_number(value, UINT64_MAX, &number);
}

/* The app and the label of a client, as an account names it. */
static bool client_fits(const char *name)
{
    const char *colon = strchr(name, ':');
    char app[NAME_APP_MAX + 1];
    struct failure ignored;

    if (colon == NULL || (size_t)(colon - name) >= sizeof app)
        return false;
    memcpy(app, name, (size_t)(colon - name));
    app[colon - name] = '\0';
    return name_check_app(app, &ignored) == STATUS_OK && name_check_label(colon + 1, &ignored) == STATUS_OK;
}

static bool content_fits(enum content content, const char *value, size_t size)
{
    struct failure ignored;
    uint8_t id[STORE_ID_SIZE];
    bool is_text = memchr(value, 0, size) == NULL;

    switch (content) {
    case CONTENT_EMPTY:
        return size == 0;
    case CONTENT_NUMBER:
        return is_text && is_number(value);
    case CONTENT_BYTES:
        return is_text && size <= NAME_VALUE_MAX;
    case CONTENT_TEXT:
        return size <= NAME_VALUE_MAX && text_is_utf8(value, size);
    case CONTENT_LINE:
        return is_text && size > 0 && name_check_note(value, &ignored) == STATUS_OK;
    case CONTENT_ID:
        return is_text && text_from_hex(id, STORE_ID_SIZE, value);
    case CONTENT_INSTANCE:
        return is_text && text_from_hex(id, 8, value);
    case CONTENT_PROPERTY:
        return is_text && name_check_property(value, &ignored) == STATUS_OK;
    case CONTENT_KEY:
        return size == SEAL_KEY_SIZE;
    case CONTENT_NOTE:
        return size > 0 && size < NOTE_MAX && text_is_utf8(value, size);
    case CONTENT_GRANT:
        return is_text && token_grant_is_known(value);
    case CONTENT_CLIENT:
        return is_text && client_fits(value);
    case CONTENT_INTENT:
        return is_text && token_intent_is_sound(value);
    case CONTENT_STATE:
        return is_text && strcmp(value, "needs_reconnect") == 0;
    case CONTENT_VISIBLE:
        return is_text && registration_text_is_sound(value);
    case CONTENT_REDIRECT:
        return is_text && registration_redirect_is_sound(value);
    case CONTENT_ANY:
        return is_text;
    }
    return false;
}

static bool suffix_fits(enum suffix suffix, const char *rest)
{
    struct failure ignored;

    switch (suffix) {
    case SUFFIX_NONE:
        return rest[0] == '\0';
    case SUFFIX_PROPERTY:
        return name_check_property(rest, &ignored) == STATUS_OK;
    case SUFFIX_VARIABLE:
        return name_check_variable(rest, &ignored) == STATUS_OK;
    }
    return false;
}

static bool field_is(const struct field *field, const char *name, size_t size)
{
    return size >= field->size && memcmp(name, field->name, field->size) == 0 &&
           suffix_fits(field->suffix, name + field->size);
}

/* The row for a field's name, or NULL; `*seen` has a bit for each row that was met. Most documents have their
 * fields in the order of the table, so the row behind the last one that was met is looked at first. */
static const struct field *field_find(const struct field *fields, const char *name, size_t size,
                                      unsigned *seen)
{
    size_t behind = *seen == 0 ? 0 : (size_t)(32 - __builtin_clz(*seen));
    size_t at = behind;

    while (fields[at].name != NULL && !field_is(&fields[at], name, size))
        at++;
    if (fields[at].name == NULL)
        for (at = 0; at < behind && !field_is(&fields[at], name, size);)
            at++;
    if (at == behind && (fields[at].name == NULL || !field_is(&fields[at], name, size)))
        return NULL;
    *seen |= 1u << at;
    return &fields[at];
}

static const char *field_missing(const struct field *fields, unsigned seen)
{
    for (size_t i = 0; fields[i].name != NULL; i++)
        if (fields[i].required && (seen >> i & 1) == 0)
            return fields[i].name;
    return NULL;
}

/* The revisions of a past, one after the other. */
struct revisions {
    const struct field *fields;
    uint64_t last;
    uint64_t number; /* of the one at hand; 0: none yet */
    unsigned count;
    unsigned seen;
};

static bool revision_is_whole(const struct revisions *revisions)
{
    return revisions->count == 0 || field_missing(revisions->fields, revisions->seen) == NULL;
}

static const struct field *revision_find(struct revisions *revisions, const char *name)
{
    const char *slash = strchr(name, '/');
    char digits[24];
    uint64_t number;

    if (slash == NULL || (size_t)(slash - name) >= sizeof digits)
        return NULL;
    memcpy(digits, name, (size_t)(slash - name));
    digits[slash - name] = '\0';
    if (!text_to_number(digits, revisions->last, &number) || number < revisions->number || number == 0)
        return NULL;
    if (number > revisions->number) {
        if (!revision_is_whole(revisions) || ++revisions->count > PAST_REVISIONS_MAX)
            return NULL;
        revisions->number = number;
        revisions->seen = 0;
    }
    return field_find(revisions->fields, slash + 1, strlen(slash + 1), &revisions->seen);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The names of a document's fields, each of which it is to have once. Most documents have few. */
struct names {
    const char *few[16];
    const char **many;
    size_t count;
    size_t capacity;
};

static void names_reset(struct names *names)
{
    free(names->many);
}

static bool names_add(struct names *names, const char *name)
{
    const size_t few = sizeof names->few / sizeof names->few[0];

    if (names->count < few) {
        names->few[names->count++] = name;
        return true;
    }
    if (names->count >= names->capacity) {
        size_t capacity = names->capacity == 0 ? 8 * few : 2 * names->capacity;
        const char **larger = reallocarray(names->many, capacity, sizeof *larger);
        if (larger == NULL)
            return false;
        if (names->many == NULL)
            memcpy(larger, names->few, sizeof names->few);
        names->many = larger;
        names->capacity = capacity;
    }
    names->many[names->count++] = name;
    return true;
}

static bool names_differ(struct names *names)
{
    if (names->many != NULL) {
        qsort(names->many, names->count, sizeof *names->many, compare_names);
        for (size_t i = 1; i < names->count; i++)
            if (strcmp(names->many[i - 1], names->many[i]) == 0)
                return false;
        return true;
    }
    for (size_t i = 1; i < names->count; i++)
        for (size_t j = 0; j < i; j++)
            if (names->few[i][0] == names->few[j][0] && strcmp(names->few[i], names->few[j]) == 0)
                return false;
    return true;
}

static bool is_past(const struct record *record)
{
    return record->kind == RECORD_PAST_VARIABLE || record->kind == RECORD_PAST_ACCOUNT;
}

/* The fields that a document has besides those that all have. */
static const struct field *fields_of(const struct record *record, struct failure *failure)
{
    if (is_past(record))
        return past_fields;
    if (record->kind != RECORD_KEY)
        return kinds[record->kind].fields;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t size = strlen(keys[i].name);
        if (strncmp(record->name, keys[i].name, size) == 0 &&
            (keys[i].numbered ? is_number(record->name + size) : record->name[size] == '\0'))
            return keys[i].fields;
    }
    (void)wrong(record, "no vault has such a key", "", failure);
    return NULL;
}

/* What no table says; `seen` are the rows of the kind's table that were met. */
static enum status check_rest(const struct record *record, unsigned seen, struct failure *failure)
{
    bool has_value = (seen & 1u << VARIABLE_VALUE) != 0;
    bool has_block = (seen & 1u << VARIABLE_BLOCKED) != 0;

    if (record->kind == RECORD_VARIABLE && has_value == has_block)
        return wrong(record, "it has not either a value or a block", "", failure);
    if (record->kind == RECORD_ACCOUNT && record->finals_size / STORE_LOOKUP_SIZE > ACCOUNT_PROPERTIES_MAX)
        return wrong(record, "too many properties", "", failure);
    unsigned grant = seen & ((1u << ACCOUNT_GRANT_END) - 1);
    if (record->kind == RECORD_ACCOUNT && grant != 0 && (grant & ACCOUNT_GRANT_ALL) != ACCOUNT_GRANT_ALL)
        return wrong(record, "a grant that is not whole", "", failure);
    if (is_past(record) && record->size + sizeof(uint32_t) > PAST_BYTES_MAX)
        return wrong(record, "its size", "", failure);
    return STATUS_OK;
}

static enum status check_fields(const struct record *record, const struct field *fields,
                                struct failure *failure)
{
    CLEANUP(names_reset) struct names names = {.count = 0};
    struct revisions revisions = {.fields = NULL};
    const char *name, *value, *missing;
    size_t position = 0, size;
    unsigned common = 0, seen = 0;

    if (is_past(record))
        revisions =
            (struct revisions){.fields = kinds[record->kind].fields, .last = record_number(record, "last")};
    while (record_next(record, "", &position, &name, &value, &size)) {
        size_t name_size = strlen(name);
        const struct field *field = field_find(common_fields, name, name_size, &common);
        if (field == NULL)
            field = field_find(fields, name, name_size, &seen);
        if (field == NULL && revisions.fields != NULL)
            field = revision_find(&revisions, name);
        if (field == NULL)
            return wrong(record, "a field that it cannot have", name, failure);
        if (!content_fits(field->content, value, size))
            return wrong(record, "the form of a field", name, failure);
        if (!names_add(&names, name))
            return failure_set_no_memory(failure);
    }
    if (position != record->size)
        return wrong(record, "what is no field", "", failure);
    missing = field_missing(common_fields, common);
    if (missing == NULL)
        missing = field_missing(fields, seen);
    if (missing != NULL)
        return wrong(record, "a field is missing", missing, failure);
    if (!revision_is_whole(&revisions))
        return wrong(record, "an old value that is not whole", "", failure);
    if (!names_differ(&names))
        return wrong(record, "a field twice", "", failure);
    return check_rest(record, seen, failure);
}

enum status check_form(const struct record *record, struct failure *failure)
{
    struct failure ignored;
    const struct field *fields = fields_of(record, failure);

    if (fields == NULL)
        return STATUS_CORRUPT;
    if (kinds[record->kind].check_where(record->where, &ignored) != STATUS_OK ||
        kinds[record->kind].check_name(record->name, &ignored) != STATUS_OK)
        return wrong(record, "its name", "", failure);
    return check_fields(record, fields, failure);
}
