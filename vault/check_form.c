/* The fields of each kind of document, as a table, and what cannot be said in one. */
#include "check_form.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/note.h"
#include "past.h"
#include "remark.h"

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
    CONTENT_ANY       /* looked at elsewhere */
};

/* What follows a field's name. */
enum suffix { SUFFIX_NONE, SUFFIX_PROPERTY, SUFFIX_VARIABLE };

struct field {
    const char *name; /* NULL ends a table */
    enum content content;
    enum suffix suffix;
    bool required;
};

#define REQUIRED true
#define OPTIONAL false

static const struct field common_fields[] = {
    {"kind",       CONTENT_ANY, SUFFIX_NONE, REQUIRED},
    {"where", CONTENT_ANY, SUFFIX_NONE, REQUIRED},
    {"name",            CONTENT_ANY, SUFFIX_NONE, REQUIRED},
    {"created", CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {"updated",    CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {0      },
};
static const struct field path_fields[] = {
    {"step",         CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {"boundary",   CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_NOTE,              CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {0},
};
static const struct field variable_fields[] = {
    {"value",        CONTENT_BYTES, SUFFIX_NONE, OPTIONAL},
    {"blocked",   CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {"allowed",              CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_NOTE,CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_EXPIRES,      CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0     },
};
static const struct field binding_fields[] = {
    {"account",      CONTENT_ID, SUFFIX_NONE, REQUIRED},
    {"only/",   CONTENT_EMPTY, SUFFIX_PROPERTY, OPTIONAL},
    {"environment/",              CONTENT_PROPERTY, SUFFIX_VARIABLE, OPTIONAL},
    {"allowed",CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {0     },
};
static const struct field account_fields[] = {
    {"property/",      CONTENT_TEXT, SUFFIX_PROPERTY, REQUIRED},
    {"restored", CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_NOTE,                CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_EXPIRES,  CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0       },
};
/* Of one revision, behind its number. */
static const struct field past_variable_fields[] = {
    {"value",         CONTENT_BYTES, SUFFIX_NONE, REQUIRED},
    {"updated",    CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {"replaced",               CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {"unset",CONTENT_EMPTY, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_NOTE,       CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_EXPIRES,      CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0   },
};
static const struct field past_account_fields[] = {
    {"property/",      CONTENT_TEXT, SUFFIX_PROPERTY, REQUIRED},
    {"updated", CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {"replaced",                CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {REMARK_FIELD_NOTE,  CONTENT_LINE, SUFFIX_NONE, OPTIONAL},
    {REMARK_FIELD_EXPIRES,        CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {0      },
};
static const struct field past_fields[] = {
    {"last",       CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {0},
};
static const struct field reading_fields[] = {
    {"key",        CONTENT_KEY, SUFFIX_NONE, REQUIRED},
    {0},
};
static const struct field signing_fields[] = {
    {"key",             CONTENT_KEY, SUFFIX_NONE, REQUIRED},
    {"instance",      CONTENT_INSTANCE, SUFFIX_NONE, REQUIRED},
    {"first",                 CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {"epoch",CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {"abandoned",         CONTENT_NOTE, SUFFIX_NONE, OPTIONAL},
    {0          },
};
static const struct field era_fields[] = {
    {"verifier",        CONTENT_NOTE, SUFFIX_NONE, REQUIRED},
    {"instance",      CONTENT_INSTANCE, SUFFIX_NONE, REQUIRED},
    {"first",                 CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {"epoch",CONTENT_NUMBER, SUFFIX_NONE, OPTIONAL},
    {"abandoned",         CONTENT_NOTE, SUFFIX_NONE, OPTIONAL},
    {0          },
};
static const struct field pruned_fields[] = {
    {"first",      CONTENT_NUMBER, SUFFIX_NONE, REQUIRED},
    {0},
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
};

const char *check_form_subject(const struct record *record, char buffer[CHECK_FORM_SUBJECT])
{
    const char *noun = kinds[record->kind].noun;

    if (record->kind == RECORD_PATH)
        snprintf(buffer, CHECK_FORM_SUBJECT, "the %s %s", noun, record->where);
    else if (record->kind == RECORD_ACCOUNT)
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

/* The row for a field's name, or NULL; `*seen` has a bit for each row that was met. */
static const struct field *field_find(const struct field *fields, const char *name, unsigned *seen)
{
    for (size_t i = 0; fields[i].name != NULL; i++) {
        size_t size = strlen(fields[i].name);

        if (strncmp(name, fields[i].name, size) == 0 && suffix_fits(fields[i].suffix, name + size)) {
            *seen |= 1u << i;
            return &fields[i];
        }
    }
    return NULL;
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
    return field_find(revisions->fields, slash + 1, &revisions->seen);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Every name once. Most documents have few fields. */
#define FEW_FIELDS 16u
static bool names_differ(const char **names, size_t count)
{
    if (count > FEW_FIELDS) {
        qsort(names, count, sizeof *names, compare_names);
        for (size_t i = 1; i < count; i++)
            if (strcmp(names[i - 1], names[i]) == 0)
                return false;
        return true;
    }
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (names[i][0] == names[j][0] && strcmp(names[i], names[j]) == 0)
                return false;
    return true;
}

static enum status check_uniqueness(const struct record *record, size_t count, struct failure *failure)
{
    CLEANUP(cleanup_free) const char **many = NULL;
    const char *few[FEW_FIELDS], **names = few, *name, *value;
    size_t position = 0, size;

    if (count > FEW_FIELDS) {
        many = calloc(count, sizeof *many);
        names = many;
    }
    if (names == NULL)
        return failure_set_no_memory(failure);
    for (size_t i = 0; i < count && record_next(record, "", &position, &name, &value, &size); i++)
        names[i] = name;
    return names_differ(names, count) ? STATUS_OK : wrong(record, "a field twice", "", failure);
}

/* The fields that a document has besides those that all have. */
static const struct field *fields_of(const struct record *record, struct failure *failure)
{
    if (record->kind == RECORD_PAST_VARIABLE || record->kind == RECORD_PAST_ACCOUNT)
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

static enum status check_fields(const struct record *record, const struct field *fields,
                                struct failure *failure)
{
    struct revisions revisions = {.fields = fields == past_fields ? kinds[record->kind].fields : NULL,
                                  .last = record_number(record, "last")};
    const char *name, *value, *missing;
    size_t position = 0, size, count = 0;
    unsigned common = 0, seen = 0;

    for (; record_next(record, "", &position, &name, &value, &size); count++) {
        const struct field *field = field_find(common_fields, name, &common);
        if (field == NULL)
            field = field_find(fields, name, &seen);
        if (field == NULL && revisions.fields != NULL)
            field = revision_find(&revisions, name);
        if (field == NULL)
            return wrong(record, "a field that it cannot have", name, failure);
        if (!content_fits(field->content, value, size))
            return wrong(record, "the form of a field", name, failure);
    }
    missing = field_missing(common_fields, common);
    if (missing == NULL)
        missing = field_missing(fields, seen);
    if (missing != NULL)
        return wrong(record, "a field is missing", missing, failure);
    if (!revision_is_whole(&revisions))
        return wrong(record, "an old value that is not whole", "", failure);
    return check_uniqueness(record, count, failure);
}

/* What no table says. */
static enum status check_rest(const struct record *record, struct failure *failure)
{
    bool has_value = record_has(record, "value");

    if (record->kind == RECORD_VARIABLE && has_value == record_has(record, "blocked"))
        return wrong(record, "it has not either a value or a block", "", failure);
    if (record->kind == RECORD_ACCOUNT && record->finals_size / STORE_LOOKUP_SIZE > ACCOUNT_PROPERTIES_MAX)
        return wrong(record, "too many properties", "", failure);
    if (kinds[record->kind].fields == past_variable_fields ||
        kinds[record->kind].fields == past_account_fields) {
        if (record->size + sizeof(uint32_t) > PAST_BYTES_MAX)
            return wrong(record, "its size", "", failure);
    }
    return STATUS_OK;
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
    enum status status = check_fields(record, fields, failure);
    return status == STATUS_OK ? check_rest(record, failure) : status;
}
