/* Any bytes as the document of a record that is sealed as it should be: as its fields (first byte even) or as
 * the whole padded text with its length (odd). It is opened or refused as another reader of the fields says,
 * and walking it ends where they do. */
#include "../../vault/record.c"

#include "past.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct field {
    size_t name, name_size, value, value_size;
};

static void expect(bool right)
{
    if (!right)
        abort();
}

/* The fields by FORMAT.md, section 5, read from the sizes alone; SIZE_MAX where they are none. */
static size_t reference(const uint8_t *bytes, size_t size, struct field *fields, size_t most)
{
    size_t count = 0, at = 0;

    while (at < size) {
        struct field field = {.name = at + 2};
        if (at + 2 > size)
            return SIZE_MAX;
        field.name_size = bytes[at] * 256u + bytes[at + 1];
        at += 2 + field.name_size + 1;
        if (at + 4 > size || field.name_size == 0 || bytes[at - 1] != 0 ||
            strlen((const char *)bytes + field.name) != field.name_size)
            return SIZE_MAX;
        field.value_size =
            (size_t)bytes[at] * 16777216u + bytes[at + 1] * 65536u + bytes[at + 2] * 256u + bytes[at + 3];
        field.value = at + 4;
        at += 4 + field.value_size + 1;
        if (at > size || bytes[at - 1] != 0)
            return SIZE_MAX;
        if (count < most)
            fields[count] = field;
        count++;
    }
    return count;
}

static const char *reference_value(const uint8_t *bytes, const struct field *fields, size_t count,
                                   const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp((const char *)bytes + fields[i].name, name) == 0)
            return (const char *)bytes + fields[i].value;
    return NULL;
}

static void check_walk(const struct record *record, const uint8_t *bytes, const struct field *fields,
                       size_t count)
{
    const char *rest, *value;
    size_t position = 0, size, seen = 0;

    while (record_next(record, "", &position, &rest, &value, &size)) {
        expect(seen < count);
        expect(strcmp(rest, (const char *)bytes + fields[seen].name) == 0);
        expect(size == fields[seen].value_size && memcmp(value, bytes + fields[seen].value, size) == 0);
        expect(record_has(record, rest) && value[size] == '\0');
        seen++;
    }
    expect(seen == count && position == record->size);
    position = 0;
    for (seen = 0; record_next(record, "property/", &position, &rest, &value, &size); seen++)
        expect(strncmp(rest - 9, "property/", 9) == 0);
    (void)record_number(record, "created");
}

/* Old values are walked to their end, whatever stands between them. */
static void check_past(const struct record *record)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct past_owner owner = {.kind = record->kind, .where = record->where, .subject = record->name};
    struct json_writer writer;
    struct failure failure;
    uint64_t number = 0;

    json_writer_start(&writer, &text);
    json_open_array(&writer, NULL);
    past_write(record, record, record->where, record->name, &writer);
    json_close_array(&writer);
    if (past_choose(record, &owner, 0, &failure, &number) == STATUS_OK)
        expect(past_choose(record, &owner, number, &failure, &number) == STATUS_OK || number == 0);
    (void)past_current(record);
}

static struct vault *the_vault(void)
{
    static struct vault vault;
    struct failure failure;

    if (vault.keys == NULL) {
        expect(seal_start(&failure) == STATUS_OK);
        vault.keys = secret_allocate(sizeof *vault.keys);
        expect(vault.keys != NULL);
        memset(vault.keys, 5, sizeof *vault.keys);
        vault.epoch = 1;
    }
    return &vault;
}

/* Seals `plain` into a row that the state remembers, named as the document would have it. */
static void seal_row(struct vault *vault, const uint8_t *plain, size_t size, struct store_record *row,
                     struct secret *body)
{
    CLEANUP(associated_reset) struct associated associated = {0};
    uint8_t term[SEAL_HASH_SIZE];

    expect(associate_all(vault, row, &associated) && secret_reserve(body, size + SEAL_OVERHEAD));
    seal_close(body->bytes, vault->keys->record, plain, size, associated.bytes, associated.size);
    row->body = body->bytes;
    row->body_size = size + SEAL_OVERHEAD;
    state_term_record(vault->keys->accumulator, row, term);
    expect(state_change(&vault->state, row->id, term));
    state_keep(&vault->state);
}

static void try_plain(const uint8_t *plain, size_t size)
{
    static struct field fields[4096];
    struct vault *vault = the_vault();
    CLEANUP(secret_reset) struct secret body = {0};
    struct store_record row = {.id = {1}, .version = 1, .epoch = 1, .finals = (const uint8_t *)""};
    struct record record = {0};
    struct failure failure;
    enum record_kind kind;
    size_t length =
        size < 4 ? 0 : (size_t)plain[0] << 24 | (size_t)plain[1] << 16 | (size_t)plain[2] << 8 | plain[3];
    bool good = size >= 4 && length <= size - 4;
    size_t count = good ? reference(plain + 4, length, fields, sizeof fields / sizeof fields[0]) : SIZE_MAX;

    good = good && count <= sizeof fields / sizeof fields[0];
    if (good) {
        const char *where = reference_value(plain + 4, fields, count, "where");
        const char *name = reference_value(plain + 4, fields, count, "name");
        good = where != NULL && name != NULL && strlen(where) <= 255 && strlen(name) <= 255 &&
               kind_from_word(reference_value(plain + 4, fields, count, "kind"), &kind);
        if (good)
            look_up_name(vault, kind, where, name, row.name);
    }
    seal_row(vault, plain, size, &row, &body);
    enum status status = record_open(vault, &row, &failure, &record);
    expect(status == (good ? STATUS_OK : STATUS_CORRUPT));
    if (!good)
        return;
    check_walk(&record, plain + 4, fields, count);
    check_past(&record);
    record_reset(&record);
    /* The same document under another name. */
    row.name[0] ^= 1;
    seal_row(vault, plain, size, &row, &body);
    expect(record_open(vault, &row, &failure, &record) == STATUS_CORRUPT);
}

/* Fields written by a draft are found as they were given: the input is cut into names and values. */
static void try_draft(const uint8_t *bytes, size_t size)
{
    CLEANUP(record_draft_reset) struct record_draft draft = {0};
    uint8_t head[4];
    CLEANUP(secret_reset) struct secret plain = {0};

    record_draft_start(&draft, RECORD_ACCOUNT, "app", "label", "app", NULL);
    while (size > 2) {
        char name[32] = "";
        size_t name_size = bytes[0] % sizeof name, value_size = bytes[1];
        bytes += 2;
        size -= 2;
        name_size = name_size < size ? name_size : size;
        memcpy(name, bytes, name_size == sizeof name ? name_size - 1 : name_size);
        bytes += name_size;
        size -= name_size;
        value_size = value_size < size ? value_size : size;
        if (name[0] != '\0')
            record_draft_add(&draft, name, bytes, value_size);
        bytes += value_size;
        size -= value_size;
    }
    expect(!draft.failed);
    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(draft.fields.size >> (24 - 8 * i));
    expect(secret_append(&plain, head, sizeof head) &&
           secret_append(&plain, draft.fields.bytes, draft.fields.size));
    try_plain(plain.bytes, plain.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    CLEANUP(cleanup_free) uint8_t *plain = NULL;

    (void)the_vault();
    if (size == 0 || size > 60000)
        return 0;
    if (bytes[0] % 3 == 0) {
        try_draft(bytes + 1, size - 1);
        return 0;
    }
    plain = malloc(size + 3);
    memcpy(plain + 4, bytes + 1, size - 1);
    for (unsigned i = 0; i < 4; i++)
        plain[i] = (uint8_t)((size - 1) >> (24 - 8 * i));
    if (bytes[0] % 3 == 1)
        try_plain(plain, size + 3);
    else
        try_plain(plain + 4, size - 1);
    return 0;
}
