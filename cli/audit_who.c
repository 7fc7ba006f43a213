/* audit who: which steps, users and programs had a variable, an account or a property, how, how often, from
 * when to when. The agent filters the log; here its entries are put together. */
#include "audit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/nameset.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One thing that the word of the command line may mean. Labels may have dots in them, and apps and variables
 * the same names, so that there can be several: all of them are looked for, and each row says what it is of.
 */
struct meaning {
    const char *variable; /* NULL: an account */
    char account[NAME_APP_MAX + NAME_LABEL_MAX + 2];
    char property[NAME_PROPERTY_MAX + 1]; /* empty: any */
};

#define MEANINGS_MAX 3

enum column { WHAT, HOW, STEP, UID, PROGRAM, COMMAND, KEY_COLUMNS };

static const char *const headings[] = {"WHAT",    "HOW",   "STEP",  "UID", "PROGRAM",
                                       "COMMAND", "TIMES", "FIRST", "LAST"};
static const char *const members[] = {"what", "how", "step", "uid", "program", "command"};

/* Entries that are alike in all of the columns of the key. */
struct row {
    char *key; /* the columns, each ended by a NUL */
    uint64_t times;
    int64_t last_index; /* of the last entry: one that names the same twice counts once */
    char first[CLOCK_TEXT_SIZE];
    char last[CLOCK_TEXT_SIZE];
};

struct who {
    const struct meaning *meaning; /* what is being asked for */
    struct row *rows;
    struct nameset keys; /* of the rows, in their order */
    struct output_progress progress;
    int64_t pruned;           /* entries before this one say nothing any more */
    const struct json *entry; /* at hand */
    const struct json *leaf;  /* its line */
};

static void who_reset(struct who *who)
{
    for (size_t i = 0; i < who->keys.count; i++)
        free(who->rows[i].key);
    free(who->rows);
    nameset_reset(&who->keys);
}

/* ---- what is meant ---- */

static bool account_is_named(const char *word)
{
    struct failure failure;
    char app[NAME_APP_MAX + 1];
    size_t size = strcspn(word, ":");

    if (size >= sizeof(app))
        return false;
    memcpy(app, word, size);
    app[size] = '\0';
    return name_check_app(app, &failure) == STATUS_OK &&
           (word[size] == '\0' || name_check_label(word + size + 1, &failure) == STATUS_OK);
}

static size_t find_meanings(const char *word, struct meaning meanings[MEANINGS_MAX])
{
    const char *dot = strrchr(word, '.');
    struct failure failure;
    size_t count = 0;

    memset(meanings, 0, MEANINGS_MAX * sizeof(*meanings));
    if (name_check_variable(word, &failure) == STATUS_OK)
        meanings[count++].variable = word;
    if (strlen(word) < sizeof(meanings->account) && account_is_named(word))
        memcpy(meanings[count++].account, word, strlen(word) + 1);
    if (dot != NULL && (size_t)(dot - word) < sizeof(meanings->account) &&
        name_check_property(dot + 1, &failure) == STATUS_OK) {
        struct meaning *meaning = &meanings[count];

        memcpy(meaning->account, word, (size_t)(dot - word));
        memcpy(meaning->property, dot + 1, strlen(dot));
        if (account_is_named(meaning->account))
            count++;
    }
    return count;
}

/* ---- rows ---- */

/* The row of the key, made where there is none. */
static struct row *find_row(struct who *who, const struct secret *key)
{
    size_t rows_before = who->keys.count;
    struct row *rows = reallocarray(who->rows, rows_before + 1, sizeof(*rows));
    char *copy = malloc(key->size);
    size_t number;

    if (rows != NULL)
        who->rows = rows;
    if (copy != NULL)
        memcpy(copy, key->bytes, key->size);
    if (rows == NULL || copy == NULL || !nameset_add(&who->keys, copy, key->size, &number)) {
        free(copy);
        return NULL;
    }
    if (who->keys.count > rows_before)
        rows[number] = (struct row){.key = copy, .last_index = -1};
    else
        free(copy);
    return &rows[number];
}

static bool append_key(struct secret *key, const char *what, const char *how, const char *step,
                       const struct json *leaf)
{
    const struct json *who = json_member(leaf, "who");
    char uid[24];
    const char *texts[KEY_COLUMNS] = {
        [WHAT] = what,
        [HOW] = how,
        [STEP] = step,
        [UID] = uid,
        [PROGRAM] = json_member_text(who, "exe"),
        [COMMAND] = json_member_text(json_member(leaf, "claimed"), "command"),
    };

    snprintf(uid, sizeof(uid), "%" PRId64, json_member_number(who, "uid", -1));
    for (size_t i = 0; i < KEY_COLUMNS; i++) {
        if (!output_append_plain(key, texts[i] != NULL ? texts[i] : "-") || !secret_append_byte(key, '\0'))
            return false;
    }
    return true;
}

/* Counts the entry at hand: `what` was had in the way `how` at `step` (NULL: none). */
static bool count(struct who *who, const char *what, const char *how, const char *step)
{
    CLEANUP(secret_reset) struct secret key = {0};
    const char *time = json_member_text(who->leaf, "time");
    int64_t index = json_member_number(who->entry, "index", 0);
    struct row *row;

    if (!append_key(&key, what, how, step, who->leaf) || (row = find_row(who, &key)) == NULL)
        return false;
    if (row->last_index == index)
        return true;
    row->last_index = index;
    snprintf(row->last, sizeof(row->last), "%s", time != NULL ? time : "-");
    if (row->times++ == 0)
        memcpy(row->first, row->last, sizeof(row->first));
    return true;
}

/* ---- variables ---- */

static bool has_derived(const struct json *accounts, const char *name)
{
    for (size_t i = 0; i < json_count(accounts); i++) {
        if (json_has_text(json_member(json_at(accounts, i), "names"), name))
            return true;
    }
    return false;
}

static bool count_imported(struct who *who, const char *name)
{
    static const char *const changes[] = {"added", "replaced", "unchanged"};
    const struct json *imported = json_member(who->leaf, "imported");
    bool fits = true;

    for (size_t i = 0; i < json_count(imported); i++) {
        const struct json *part = json_at(imported, i);

        for (size_t j = 0; j < sizeof(changes) / sizeof(changes[0]); j++) {
            if (json_has_text(json_member(part, changes[j]), name))
                fits = fits && count(who, name, "import", json_member_text(part, "path"));
        }
    }
    return fits;
}

static bool count_variable(struct who *who, const char *name)
{
    const struct json *leaf = who->leaf;
    const char *step = json_member_text(leaf, "step");
    bool fits = true;

    if (json_has_text(json_member(leaf, "variables"), name) ||
        has_derived(json_member(leaf, "accounts"), name))
        fits = count(who, name, "projection", step);
    if (json_has_text(json_member(json_member(leaf, "references"), "variables"), name))
        fits = fits && count(who, name, "reference", step);
    if (json_member_is(leaf, "variable", name) && json_member_is(leaf, "action", "get"))
        fits = fits && count(who, name, "get", json_member_text(leaf, "path"));
    if (json_member_is(leaf, "variable", name) && json_member_is(leaf, "action", "set-variable"))
        fits = fits && count(who, name, "set", json_member_text(leaf, "path"));
    return fits && count_imported(who, name);
}

/* ---- accounts ---- */

/* `account` is a leaf, which names an id `account`, or an entry of its lists, which names it `id`. */
static bool account_matches(const struct json *account, const char *wanted)
{
    const char *colon = strchr(wanted, ':');
    const char *app = json_member_text(account, "app");

    if (app != NULL && name_app_is(app, wanted, strcspn(wanted, ":")))
        return colon == NULL || json_member_is(account, "label", colon + 1);
    return json_member_is(account, "id", wanted) || json_member_is(account, "account", wanted);
}

static bool count_account(struct who *who, const struct json *account, const char *how, const char *step)
{
    CLEANUP(secret_reset) struct secret what = {0};
    const char *property = who->meaning->property;
    const char *app = json_member_text(account, "app");
    const char *label = json_member_text(account, "label");

    return secret_append_format(&what, "%s:%s%s%s", app != NULL ? app : "?", label != NULL ? label : "?",
                                *property != '\0' ? "." : "", property) &&
           count(who, secret_text(&what), how, step);
}

/* Of a leaf, or of its references: what was handed out of the accounts that are meant. */
static bool count_handed_out(struct who *who, const struct json *object, const char *how)
{
    const struct json *accounts = json_member(object, "accounts");
    const struct meaning *meaning = who->meaning;
    bool fits = true;

    for (size_t i = 0; i < json_count(accounts); i++) {
        const struct json *account = json_at(accounts, i);
        const struct json *properties = json_member(account, "properties");

        if (account_matches(account, meaning->account) && json_count(properties) > 0 &&
            (*meaning->property == '\0' || json_has_text(properties, meaning->property)))
            fits = fits && count_account(who, account, how, json_member_text(who->leaf, "step"));
    }
    return fits;
}

/* A leaf of one account that was connected: its properties went to the helper, or came from it. */
static bool count_connected(struct who *who)
{
    static const struct {
        const char *action;
        const char *how;
    } ways[] = {
        {"authorize",  "helper"},
        {"refresh",    "helper"},
        {"test",       "helper"},
        {"disconnect", "helper"},
        {"request",    "helper"},
        {"connect",    "set"   },
        {"refreshed",  "set"   },
    };
    const struct meaning *meaning = who->meaning;
    const struct json *properties = json_member(who->leaf, "properties");
    bool fits = true;

    if (!account_matches(who->leaf, meaning->account) || json_count(properties) == 0 ||
        (*meaning->property != '\0' && !json_has_text(properties, meaning->property)))
        return true;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (json_member_is(who->leaf, "action", ways[i].action))
            fits = fits && count_account(who, who->leaf, ways[i].how, NULL);
    }
    return fits;
}

static bool count_accounts(struct who *who)
{
    const struct json *leaf = who->leaf;
    const struct json *accounts = json_member(leaf, "accounts");
    const char *wanted = who->meaning->account;
    bool fits = count_handed_out(who, leaf, "projection") &&
                count_handed_out(who, json_member(leaf, "references"), "reference") && count_connected(who);

    /* The log does not say of which properties these were. */
    if (*who->meaning->property != '\0')
        return fits;
    if (account_matches(leaf, wanted) &&
        (json_member_is(leaf, "action", "add-account") || json_member_is(leaf, "action", "set-account")))
        fits = fits && count_account(who, leaf, "set", NULL);
    for (size_t i = 0; json_member_is(leaf, "action", "import") && i < json_count(accounts); i++) {
        if (account_matches(json_at(accounts, i), wanted))
            fits = fits && count_account(who, json_at(accounts, i), "import", NULL);
    }
    return fits;
}

/* ---- the answer ---- */

static enum status count_leaves(void *context, const struct json *parameters, struct failure *failure,
                                bool *ret_enough)
{
    struct who *who = context;
    const struct json *leaves = json_member(parameters, "leaves");

    (void)ret_enough;
    who->pruned = json_member_number(parameters, "pruned", 0);
    for (size_t i = 0; i < json_count(leaves); i++) {
        CLEANUP(json_freep) struct json *leaf = NULL;
        size_t size = 0;
        const char *line = json_text(json_member(json_at(leaves, i), "line"), &size);
        enum status status = line != NULL ? json_parse(line, size, "a log entry", failure, &leaf)
                                          : failure_set(failure, STATUS_PROTOCOL,
                                                        "the agent sent a log entry without its line");

        if (status != STATUS_OK)
            return status;
        who->entry = json_at(leaves, i);
        who->leaf = leaf;
        if (!(who->meaning->variable != NULL ? count_variable(who, who->meaning->variable)
                                             : count_accounts(who)))
            return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for what the log says");
    }
    output_progress_show(&who->progress, (uint64_t)json_member_number(parameters, "done", 0),
                         (uint64_t)json_member_number(parameters, "total", 0));
    return STATUS_OK;
}

static enum status ask_meaning(const struct invocation *invocation, struct who *who, struct failure *failure)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    const struct meaning *meaning = who->meaning;
    enum status status;

    exchange_question(&question, invocation->command->method);
    if (meaning->variable != NULL)
        json_add_text(&question.writer, "variable", meaning->variable);
    else
        json_add_text(&question.writer, "account", meaning->account);
    if (*meaning->property != '\0')
        json_add_text(&question.writer, "property", meaning->property);
    json_add_text(&question.writer, "outcome", "granted");
    status = audit_add_since(invocation, &question, failure);
    if (status == STATUS_OK)
        status = audit_read(invocation, &question, count_leaves, who, failure);
    output_progress_end(&who->progress);
    return status;
}

static int compare_rows(const void *first, const void *second)
{
    const char *one = ((const struct row *)first)->key;
    const char *other = ((const struct row *)second)->key;
    int order = 0;

    for (size_t i = 0; i < KEY_COLUMNS && order == 0; i++) {
        order = strcmp(one, other);
        one += strlen(one) + 1;
        other += strlen(other) + 1;
    }
    return order;
}

static enum status print_rows(const struct who *who, struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < who->keys.count; i++) {
        const struct row *row = &who->rows[i];
        const char *text = row->key;

        for (size_t j = 0; j < KEY_COLUMNS; j++, text += strlen(text) + 1)
            output_table_add(&table, text);
        output_table_add_format(&table, "%" PRIu64, row->times);
        output_table_add(&table, row->first);
        output_table_add(&table, row->last);
    }
    return output_table_print(&table, failure);
}

static void write_row(struct json_writer *writer, const struct row *row)
{
    const char *text = row->key;

    json_open_object(writer, NULL);
    for (size_t i = 0; i < KEY_COLUMNS; i++, text += strlen(text) + 1) {
        if (i == UID)
            json_add_raw(writer, members[i], text, strlen(text));
        else if (strcmp(text, "-") != 0)
            json_add_text(writer, members[i], text);
    }
    json_add_number(writer, "times", row->times);
    json_add_text(writer, "first", row->first);
    json_add_text(writer, "last", row->last);
    json_close_object(writer);
}

static enum status write_rows(const struct who *who, struct failure *failure)
{
    CLEANUP(secret_reset) struct secret text = {0};
    struct json_writer writer;

    json_writer_start(&writer, &text);
    json_open_object(&writer, NULL);
    json_open_array(&writer, "who");
    for (size_t i = 0; i < who->keys.count; i++)
        write_row(&writer, &who->rows[i]);
    json_close_array(&writer);
    json_add_number(&writer, "pruned", (uint64_t)who->pruned);
    json_close_object(&writer);
    if (writer.failed || !secret_append_byte(&text, '\n'))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the document");
    return output_write(text.bytes, text.size, failure);
}

enum status audit_who(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(who_reset) struct who who = {.progress = {.what = "entries read"}};
    struct meaning meanings[MEANINGS_MAX];
    size_t meaning_count = find_meanings(command_argument(invocation, 0), meanings);
    enum status status = STATUS_OK;

    if (meaning_count == 0)
        return failure_set(failure, STATUS_USAGE,
                           "audit who wants a variable (STRIPE_KEY), an account (slack, slack:work) or a "
                           "property of one (slack.oauth_access_token)");
    for (size_t i = 0; i < meaning_count && status == STATUS_OK; i++) {
        who.meaning = &meanings[i];
        status = ask_meaning(invocation, &who, failure);
    }
    if (status != STATUS_OK)
        return status;
    audit_note_pruned(who.pruned);
    if (who.keys.count == 0)
        output_note("the log has no entry by which anybody had that; names are those of the time");
    if (who.keys.count > 1)
        qsort(who.rows, who.keys.count, sizeof(*who.rows), compare_rows);
    return option_flag(&invocation->options, "json") ? write_rows(&who, failure) : print_rows(&who, failure);
}
