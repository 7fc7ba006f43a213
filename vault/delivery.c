/* Choosing what a step gets, and rendering it. */
#include "delivery.h"

#include "account.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "binding.h"
#include "borrow.h"
#include "form.h"
#include "interior.h"

#include <stdlib.h>
#include <string.h>

#define PROPERTY_PREFIX "property/"

/* What `run --pristine` keeps of the caller's environment is never taken out of it, whatever the vault knows.
 */
static const char *const basic_names[] = {"PATH", "HOME", "USER", "SHELL", "TERM", "LANG", "TZ", "PWD"};
#define BASIC_PREFIX "LC_"

/* Room for the longest of <alias>.<property> and <VARIABLE>. */
#define CREDENTIAL_NAME_SIZE (NAME_VARIABLE_MAX + 1u)
#define KEY_CREDENTIAL "stepvault.key" /* where file_key_path looks for a key */

void delivery_freep(struct delivery **delivery)
{
    if (*delivery == NULL)
        return;
    for (size_t i = 0; i < (*delivery)->count; i++)
        free((*delivery)->variables[i].name);
    free((*delivery)->accounts);
    free((*delivery)->variables);
    free((*delivery)->index);
    free(*delivery);
    *delivery = NULL;
}

static uint32_t *index_find(const struct delivery *delivery, const char *name)
{
    size_t mask = delivery->index_capacity - 1;
    size_t place = text_fnv1a(name, strlen(name)) & mask;

    while (delivery->index[place] != 0 &&
           strcmp(delivery->variables[delivery->index[place] - 1].name, name) != 0)
        place = (place + 1) & mask;
    return &delivery->index[place];
}

static struct delivery_variable *find(const struct delivery *delivery, const char *name)
{
    if (delivery->index_capacity == 0)
        return NULL;
    uint32_t entry = *index_find(delivery, name);
    return entry == 0 ? NULL : &delivery->variables[entry - 1];
}

/* Room for one more variable and its index entry; the index stays at most half full. */
static bool make_room(struct delivery *delivery)
{
    if (delivery->count < delivery->capacity)
        return true;
    size_t capacity = delivery->capacity == 0 ? 32 : delivery->capacity * 2;
    struct delivery_variable *variables = reallocarray(delivery->variables, capacity, sizeof *variables);
    if (variables == NULL)
        return false;
    delivery->variables = variables;
    uint32_t *index = calloc(2 * capacity, sizeof *index);
    if (index == NULL)
        return false;
    free(delivery->index);
    delivery->index = index;
    delivery->index_capacity = 2 * capacity;
    delivery->capacity = capacity;
    for (size_t i = 0; i < delivery->count; i++)
        *index_find(delivery, variables[i].name) = (uint32_t)i + 1;
    return true;
}

static enum status add(struct delivery *delivery, const struct delivery_variable *variable,
                       struct failure *failure)
{
    char *name = strdup(variable->name);

    if (name == NULL || !make_room(delivery)) {
        free(name);
        return failure_set_no_memory(failure);
    }
    delivery->variables[delivery->count] = *variable;
    delivery->variables[delivery->count].name = name;
    *index_find(delivery, name) = (uint32_t)delivery->count + 1;
    delivery->count++;
    return STATUS_OK;
}

/* What is being chosen, so that each step of it takes one argument. */
struct choice {
    struct vault *vault;
    struct delivery *delivery;
    unsigned level;
    delivery_observe *observe;
    void *context;
    struct failure *failure;
};

static void tell(const struct choice *choice, struct delivery_note note)
{
    if (choice->observe != NULL)
        choice->observe(&note, choice->context);
}

/* `record` may say that its dangerous names are allowed: a look that few names need. */
static enum status check_dangerous(const struct choice *choice, const char *name, const struct record *record)
{
    if (choice->observe != NULL)
        return STATUS_OK;
    if (name_is_reserved(name))
        return failure_set(choice->failure, STATUS_REFUSED,
                           "the step would get %s, which is reserved for stepvault", name);
    if (!name_is_dangerous(name) || record_has(record, "allowed"))
        return STATUS_OK;
    return failure_set(
        choice->failure, STATUS_REFUSED,
        "the step would get %s, which steers the loader, a shell or an interpreter, and nobody allowed it",
        name);
}

static enum status choose_variable(const struct choice *choice, const struct record *record)
{
    bool blocked = record_has(record, "blocked");
    const struct delivery_variable *nearer = find(choice->delivery, record->name);
    struct delivery_variable variable = {
        .name = (char *)record->name, .level = choice->level, .source = record, .blocked = blocked};

    tell(choice, (struct delivery_note){.name = record->name,
                                        .kind = "variable",
                                        .record = record,
                                        .state = nearer != NULL ? "hidden"
                                                 : blocked      ? "blocked"
                                                                : "given",
                                        .by = nearer != NULL ? nearer->source->where : ""});
    if (nearer != NULL)
        return STATUS_OK;
    variable.value = record_field(record, "value", &variable.size);
    if (!blocked && variable.value == NULL)
        return failure_set(choice->failure, STATUS_CORRUPT, "the variable %s has no value", record->name);
    enum status status = blocked ? STATUS_OK : check_dangerous(choice, record->name, record);
    return status == STATUS_OK ? add(choice->delivery, &variable, choice->failure) : status;
}

static const struct delivery_account *find_alias(const struct delivery *delivery, const char *alias)
{
    for (size_t i = 0; i < delivery->account_count; i++)
        if (strcmp(delivery->accounts[i].binding->name, alias) == 0)
            return &delivery->accounts[i];
    return NULL;
}

static bool make_account_room(struct delivery *delivery)
{
    if (delivery->account_count < delivery->account_capacity)
        return true;
    size_t capacity = delivery->account_capacity == 0 ? 8 : delivery->account_capacity * 2;
    struct delivery_account *accounts = reallocarray(delivery->accounts, capacity, sizeof *accounts);
    if (accounts == NULL)
        return false;
    memset(accounts + delivery->account_capacity, 0,
           (capacity - delivery->account_capacity) * sizeof *accounts);
    delivery->accounts = accounts;
    delivery->account_capacity = capacity;
    return true;
}

static enum status choose_binding(const struct choice *choice, const struct record *binding)
{
    struct delivery *delivery = choice->delivery;
    const struct delivery_account *nearer = find_alias(delivery, binding->name);
    const struct record *record = NULL;
    uint8_t id[STORE_ID_SIZE];

    tell(choice, (struct delivery_note){.name = binding->name,
                                        .kind = "account",
                                        .record = binding,
                                        .state = nearer != NULL ? "hidden" : "given",
                                        .by = nearer != NULL ? nearer->binding->where : ""});
    if (nearer != NULL)
        return STATUS_OK;
    if (!make_account_room(delivery))
        return failure_set_no_memory(choice->failure);
    struct delivery_account *account = &delivery->accounts[delivery->account_count];
    enum status status = binding_account_id(binding, id)
                             ? borrow_by_id(choice->vault, id, choice->failure, &record)
                             : STATUS_OK;
    if (status == STATUS_OK && (record == NULL || record->kind != RECORD_ACCOUNT))
        status = failure_set(choice->failure, STATUS_CORRUPT, "the account bound as %s at %s is gone",
                             binding->name, binding->where);
    if (status != STATUS_OK)
        return status;
    account->account = record;
    account->binding = binding;
    account->level = choice->level;
    delivery->account_count++;
    return STATUS_OK;
}

static enum status conflict(const struct choice *choice, const struct binding_walk *walk,
                            const struct delivery_variable *other)
{
    if (choice->observe != NULL)
        return STATUS_OK;
    return failure_set(choice->failure, STATUS_REFUSED,
                       "%s would come from both %s.%s and %s.%s at %s; rename one with bind --env",
                       walk->name, other->source->name, other->property, walk->binding->name, walk->property,
                       walk->binding->where);
}

static enum status choose_derived(const struct choice *choice, const struct delivery_account *account)
{
    struct binding_walk walk = {.binding = account->binding, .account = account->account};

    while (binding_next(&walk)) {
        const struct delivery_variable *other = find(choice->delivery, walk.name);
        bool clash = other != NULL && other->level == choice->level && other->property != NULL;
        struct delivery_variable variable = {.name = walk.name,
                                             .value = walk.value,
                                             .size = walk.value_size,
                                             .level = choice->level,
                                             .source = walk.binding,
                                             .property = walk.property};
        tell(choice, (struct delivery_note){.name = walk.name,
                                            .kind = "derived",
                                            .record = walk.binding,
                                            .property = walk.property,
                                            .state = clash           ? "conflict"
                                                     : other != NULL ? "hidden"
                                                                     : "given",
                                            .by = other == NULL ? ""
                                                  : clash       ? other->source->name
                                                                : other->source->where});
        enum status status = clash ? conflict(choice, &walk, other) : STATUS_OK;
        if (status == STATUS_OK && other == NULL) {
            status = check_dangerous(choice, walk.name, walk.binding);
            if (status == STATUS_OK)
                status = add(choice->delivery, &variable, choice->failure);
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status choose_level(const struct choice *choice, const struct records *placed, bool derive)
{
    size_t first_account = choice->delivery->account_count;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < placed->count; i++)
        if (placed->items[i].kind == RECORD_VARIABLE)
            status = choose_variable(choice, &placed->items[i]);
    for (size_t i = 0; status == STATUS_OK && i < placed->count; i++)
        if (placed->items[i].kind == RECORD_BINDING)
            status = choose_binding(choice, &placed->items[i]);
    for (size_t i = first_account; derive && status == STATUS_OK && i < choice->delivery->account_count; i++)
        status = choose_derived(choice, &choice->delivery->accounts[i]);
    return status;
}

static int compare_variables(const void *left, const void *right)
{
    return strcmp(((const struct delivery_variable *)left)->name,
                  ((const struct delivery_variable *)right)->name);
}

static int compare_accounts(const void *left, const void *right)
{
    return strcmp(((const struct delivery_account *)left)->binding->name,
                  ((const struct delivery_account *)right)->binding->name);
}

/* In order of name, so that the same step renders the same bytes; the index is of no use after it. */
static void sort(struct delivery *delivery)
{
    if (delivery->count > 1)
        qsort(delivery->variables, delivery->count, sizeof delivery->variables[0], compare_variables);
    if (delivery->account_count > 1)
        qsort(delivery->accounts, delivery->account_count, sizeof delivery->accounts[0], compare_accounts);
    free(delivery->index);
    delivery->index = NULL;
    delivery->index_capacity = 0;
}

enum status delivery_choose(struct vault *vault, const struct delivery_levels *levels, bool derive,
                            delivery_observe *observe, void *context, struct failure *failure,
                            struct delivery **ret_delivery)
{
    CLEANUP(delivery_freep) struct delivery *delivery = calloc(1, sizeof *delivery);
    enum status status = STATUS_OK;

    if (delivery == NULL)
        return failure_set_no_memory(failure);
    struct choice choice = {
        .vault = vault, .delivery = delivery, .observe = observe, .context = context, .failure = failure};
    for (unsigned level = 0; status == STATUS_OK && level < levels->count; level++) {
        choice.level = level;
        status = choose_level(&choice, levels->placed[level], derive);
    }
    if (status != STATUS_OK)
        return status;
    sort(delivery);
    *ret_delivery = TAKE(delivery);
    return STATUS_OK;
}

/* Walks the properties an account gives. */
static bool next_property(const struct delivery_account *account, size_t *position, const char **ret_name,
                          const char **ret_value, size_t *ret_size)
{
    while (record_next(account->account, PROPERTY_PREFIX, position, ret_name, ret_value, ret_size))
        if (binding_gives_property(account->binding, account->account, *ret_name))
            return true;
    return false;
}

/* A file of the folder of credentials. */
struct credential {
    size_t variable; /* where the walk stands */
    size_t account;
    size_t position;
    char name[CREDENTIAL_NAME_SIZE];
    const char *value;
    size_t size;
};

/* Walks the folder's files: with `alone` the variables under their names, then <alias>.<property>. A dot is
 * in neither, so no two have one name. */
static bool next_credential(const struct delivery *delivery, bool alone, struct credential *credential)
{
    while (alone && credential->variable < delivery->count) {
        const struct delivery_variable *variable = &delivery->variables[credential->variable++];
        if (variable->blocked)
            continue;
        snprintf(credential->name, sizeof credential->name, "%s", variable->name);
        credential->value = variable->value;
        credential->size = variable->size;
        return true;
    }
    for (; credential->account < delivery->account_count; credential->account++, credential->position = 0) {
        const struct delivery_account *account = &delivery->accounts[credential->account];
        const char *name;
        if (!next_property(account, &credential->position, &name, &credential->value, &credential->size))
            continue;
        snprintf(credential->name, sizeof credential->name, "%s.%s", account->binding->name, name);
        return true;
    }
    return false;
}

size_t delivery_size(const struct delivery *delivery, bool auths, bool credentials)
{
    struct credential credential = {0};
    const char *name, *value;
    size_t total = 0, size;

    for (size_t i = 0; i < delivery->count; i++)
        if (!delivery->variables[i].blocked)
            total += strlen(delivery->variables[i].name) + delivery->variables[i].size + 2;
    for (size_t i = 0; auths && i < delivery->account_count; i++) {
        size_t position = 0;
        total += strlen(delivery->accounts[i].binding->name) + 6;
        while (next_property(&delivery->accounts[i], &position, &name, &value, &size))
            total += strlen(name) + size + 6;
    }
    while (credentials && next_credential(delivery, false, &credential))
        total += strlen(credential.name) + credential.size + 2;
    return total;
}

enum status delivery_check_credentials(const struct delivery *delivery, const char *step, bool alone,
                                       struct failure *failure)
{
    struct credential credential = {0};
    bool any = false;

    while (next_credential(delivery, alone, &credential)) {
        any = true;
        if (strcmp(credential.name, KEY_CREDENTIAL) == 0)
            return failure_set(failure, STATUS_REFUSED,
                               "the step %s would get the credential " KEY_CREDENTIAL
                               ", which stepvault itself takes for the key of a vault",
                               step);
    }
    if (any)
        return STATUS_OK;
    return failure_set(failure, STATUS_NOT_FOUND,
                       "no %s at %s or above it, so there are no credentials to deliver "
                       "(stepvault bind %s ACCOUNT binds an account)",
                       alone ? "variable is placed and no account bound" : "account is bound", step, step);
}

static void write_values(const struct delivery *delivery, bool text, struct json_writer *writer)
{
    for (size_t i = 0; i < delivery->count; i++) {
        const struct delivery_variable *variable = &delivery->variables[i];
        if (!variable->blocked)
            form_write(writer, text, variable->name, variable->value, variable->size);
    }
}

void delivery_write_json(const struct delivery *delivery, struct json_writer *writer)
{
    json_open_object(writer, "variables");
    write_values(delivery, true, writer);
    json_close_object(writer);
    json_open_object(writer, "variables_base64");
    write_values(delivery, false, writer);
    json_close_object(writer);
}

void delivery_write_auths(const struct delivery *delivery, const char *key, struct json_writer *writer)
{
    const char *name, *value;
    size_t size;

    json_open_object(writer, key);
    for (size_t i = 0; i < delivery->account_count; i++) {
        size_t position = 0;
        json_open_object(writer, delivery->accounts[i].binding->name);
        while (next_property(&delivery->accounts[i], &position, &name, &value, &size))
            json_add_bytes(writer, name, value, size);
        json_close_object(writer);
    }
    json_close_object(writer);
}

void delivery_write_block(const struct delivery *delivery, struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret block = {0};

    for (size_t i = 0; i < delivery->count; i++) {
        const struct delivery_variable *variable = &delivery->variables[i];
        if (!variable->blocked)
            form_append(writer, &block, variable->name, variable->value, variable->size);
    }
    json_add_base64(writer, "environment", block.bytes, block.size);
}

static void write_credentials(const struct delivery *delivery, bool alone, bool text,
                              struct json_writer *writer)
{
    struct credential credential = {0};

    while (next_credential(delivery, alone, &credential))
        form_write(writer, text, credential.name, credential.value, credential.size);
}

void delivery_write_credentials(const struct delivery *delivery, bool alone, struct json_writer *writer)
{
    json_open_object(writer, "credentials");
    write_credentials(delivery, alone, true, writer);
    json_close_object(writer);
    json_open_object(writer, "credentials_base64");
    write_credentials(delivery, alone, false, writer);
    json_close_object(writer);
}

void delivery_write_entries(const struct delivery *delivery, bool alone, struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret block = {0};
    struct credential credential = {0};

    while (next_credential(delivery, alone, &credential))
        form_append(writer, &block, credential.name, credential.value, credential.size);
    json_add_base64(writer, "credentials_entries", block.bytes, block.size);
}

void delivery_write_document(const struct delivery *delivery, struct json_writer *writer)
{
    CLEANUP(secret_reset) struct secret document = {0};
    struct json_writer inner;

    json_writer_start(&inner, &document);
    delivery_write_auths(delivery, NULL, &inner);
    writer->failed = writer->failed || inner.failed;
    json_add_base64(writer, "auths_base64", document.bytes, document.size);
}

const struct delivery_variable *delivery_find(const struct delivery *delivery, const char *name)
{
    struct delivery_variable wanted = {.name = (char *)name};
    const struct delivery_variable *found =
        delivery->count == 0
            ? NULL
            : bsearch(&wanted, delivery->variables, delivery->count, sizeof wanted, compare_variables);

    return found != NULL && !found->blocked ? found : NULL;
}

static bool is_basic(const char *name)
{
    for (size_t i = 0; i < sizeof basic_names / sizeof basic_names[0]; i++)
        if (strcmp(name, basic_names[i]) == 0)
            return true;
    return strncmp(name, BASIC_PREFIX, sizeof BASIC_PREFIX - 1) == 0;
}

static bool is_in(const struct json *names, const char *name)
{
    for (size_t i = 0; names != NULL && i < json_count(names); i++) {
        const char *element = json_text(json_at(names, i), NULL);
        if (element != NULL && strcmp(element, name) == 0)
            return true;
    }
    return false;
}

void delivery_write_drop(const struct vault *vault, const struct delivery *delivery,
                         const struct json *inherited, const struct json *keep, struct json_writer *writer)
{
    uint8_t hash[STORE_LOOKUP_SIZE];

    json_open_array(writer, "drop");
    for (size_t i = 0; inherited != NULL && i < json_count(inherited); i++) {
        const char *name = json_text(json_at(inherited, i), NULL);
        if (name == NULL || strlen(name) > NAME_VARIABLE_MAX || is_basic(name))
            continue;
        record_hash_final(vault, name, hash);
        if (state_knows_name(&vault->state, hash) && delivery_find(delivery, name) == NULL &&
            !is_in(keep, name))
            json_add_text(writer, NULL, name);
    }
    json_close_array(writer);
}

void delivery_write_account(const struct delivery_account *account, struct json_writer *writer)
{
    char id[33];

    account_id(account->account, id);
    json_add_text(writer, "alias", account->binding->name);
    json_add_text(writer, "id", id);
    json_add_text(writer, "app", account->account->where);
    json_add_text(writer, "label", account->account->name);
}

static void write_leaf_account(const struct delivery *delivery, const struct delivery_account *account,
                               bool env, struct json_writer *writer)
{
    const char *name, *value;
    size_t position = 0, size;

    json_open_object(writer, NULL);
    delivery_write_account(account, writer);
    json_open_array(writer, "properties");
    while (next_property(account, &position, &name, &value, &size))
        json_add_text(writer, NULL, name);
    json_close_array(writer);
    if (env) {
        json_open_array(writer, "names");
        for (size_t i = 0; i < delivery->count; i++)
            if (delivery->variables[i].source == account->binding)
                json_add_text(writer, NULL, delivery->variables[i].name);
        json_close_array(writer);
    }
    json_close_object(writer);
}

void delivery_write_leaf(const struct delivery *delivery, bool env, bool auths, bool credentials,
                         struct json_writer *writer)
{
    json_open_array(writer, "deliver");
    if (env)
        json_add_text(writer, NULL, "env");
    if (auths)
        json_add_text(writer, NULL, "auths");
    if (credentials)
        json_add_text(writer, NULL, "credentials");
    json_close_array(writer);
    json_open_array(writer, "variables");
    for (size_t i = 0; i < delivery->count; i++)
        if (delivery->variables[i].property == NULL && !delivery->variables[i].blocked)
            json_add_text(writer, NULL, delivery->variables[i].name);
    json_close_array(writer);
    json_open_array(writer, "accounts");
    for (size_t i = 0; i < delivery->account_count; i++)
        write_leaf_account(delivery, &delivery->accounts[i], env, writer);
    json_close_array(writer);
}
