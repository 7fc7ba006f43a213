/* __complete: what the word that is being typed could become. The files in completion/ ask it for each shell;
 * it is in no list of commands.
 *
 * It answers a person's key press: nothing is said when something is wrong, no agent is started, no key is
 * used, and only the agent that holds the vault open is asked for names. */
#include "base/cleanup.h"
#include "catalog/catalog.h"
#include "command.h"
#include "exchange.h"
#include "output.h"
#include "value.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_MS 300
#define SLOT_KINDS "passphrase|login|recovery|machine"

/* The words of the command line so far. */
struct typed {
    const char *name;
    const char *subcommand;
    struct invocation invocation;      /* its command is NULL where the words name none */
    const struct option_rule *pending; /* the last word is this option's value */
    bool separated;                    /* behind `--` */
    const char *last;                  /* the word that is being typed */
    struct secret lines;               /* the answer */
    bool failed;
};

static void typed_reset(struct typed *typed)
{
    option_values_reset(&typed->invocation.options);
    secret_reset(&typed->lines);
}

/* ---- reading ---- */

static bool is_option(const char *word)
{
    return strncmp(word, "--", 2) == 0 && word[2] != '\0';
}

static const struct option_rule *find_rule(const struct typed *typed, const char *word)
{
    const struct command *command = typed->invocation.command;
    const char *whole = option_spell_out(word);

    return is_option(whole)
               ? option_find(command != NULL ? command->options : NULL, command_common_options, whole)
               : NULL;
}

static void take_word(struct typed *typed, char *word)
{
    struct option_values *options = &typed->invocation.options;

    if (typed->name == NULL) {
        typed->name = word;
        typed->invocation.command = command_find(word, NULL);
    } else if (typed->subcommand == NULL && command_is_group(typed->name)) {
        typed->subcommand = word;
        typed->invocation.command = command_find(typed->name, word);
    } else {
        options->arguments[options->argument_count++] = word;
    }
}

/* The words before the last one. An option that is none is passed over. */
static void read_words(struct typed *typed, char *const words[], size_t count)
{
    struct option_values *options = &typed->invocation.options;

    for (size_t i = 0; i < count; i++) {
        const struct option_rule *rule;
        const char *text;

        if (!typed->separated && strcmp(words[i], "--") == 0) {
            typed->separated = true;
        } else if (typed->separated || words[i][0] != '-') {
            take_word(typed, words[i]);
        } else if ((rule = find_rule(typed, words[i])) != NULL) {
            text = strchr(words[i], '=');
            text = text != NULL ? text + 1 : NULL;
            if (rule->value != NULL && text == NULL && i + 1 == count)
                typed->pending = rule;
            else if (rule->value != NULL && text == NULL)
                text = words[++i];
            options->given[options->given_count++] = (struct option_given){.rule = rule, .text = text};
        }
    }
}

/* ---- the answer ---- */

static void begin_answer(struct typed *typed, const char *directive)
{
    typed->failed = typed->failed || !secret_append_format(&typed->lines, ":%s\n", directive);
}

/* True if `front` and `name` together begin as what was typed. */
static bool fits(const struct typed *typed, const char *front, const char *name)
{
    size_t front_size = strlen(front);
    size_t size = strlen(typed->last);

    return strncmp(typed->last, front, size < front_size ? size : front_size) == 0 &&
           (size <= front_size || strncmp(typed->last + front_size, name, size - front_size) == 0);
}

/* One candidate, `front` and `name` together, if it begins as what was typed; `detail` up to its first
 * sentence. */
static void offer(struct typed *typed, const char *front, const char *name, const char *detail)
{
    if (!fits(typed, front, name))
        return;
    if (!secret_append_text(&typed->lines, front) || !output_append_plain(&typed->lines, name) ||
        !secret_append_byte(&typed->lines, '\t') ||
        !secret_append(&typed->lines, detail, strcspn(detail, ".;(\n")) ||
        !secret_append_byte(&typed->lines, '\n'))
        typed->failed = true;
}

static void offer_choices(struct typed *typed, const char *front, const char *choices)
{
    const char *word;
    size_t length;
    size_t position = 0;

    while (value_next_choice(choices, &position, &word, &length)) {
        char name[64];

        if (length < sizeof(name)) {
            memcpy(name, word, length);
            name[length] = '\0';
            offer(typed, front, name, "");
        }
    }
}

static void offer_options(struct typed *typed, const struct option_rule *rules)
{
    for (; rules != NULL && rules->name != NULL; rules++) {
        if (rules->repeatable || !option_flag(&typed->invocation.options, rules->name))
            offer(typed, "--", rules->name, rules->help);
    }
}

static void offer_commands(struct typed *typed)
{
    struct command_walk walk = {0};
    const char *previous = "";

    for (const struct command *command = command_next(&walk); command != NULL;
         previous = command->name, command = command_next(&walk)) {
        if (strcmp(command->name, previous) != 0)
            offer(typed, "", command->name, command->subcommand != NULL ? walk.subject : command->summary);
    }
}

static void offer_subcommands(struct typed *typed, const char *name)
{
    struct command_walk walk = {0};

    for (const struct command *command = command_next(&walk); command != NULL;
         command = command_next(&walk)) {
        if (strcmp(command->name, name) == 0 && command->subcommand != NULL)
            offer(typed, "", command->subcommand, command->summary);
    }
}

/* ---- names of the vault ---- */

/* The argument of this kind that stands before the last word, or NULL. */
static const char *argument_of(const struct typed *typed, enum value_kind kind)
{
    const struct command *command = typed->invocation.command;

    for (size_t i = 0; i < COMMAND_ARGUMENTS_MAX && command->arguments[i] != NULL; i++) {
        if (value_kind_of(command->arguments[i]) == kind)
            return command_argument(&typed->invocation, i);
    }
    return NULL;
}

/* Where a name that is typed is placed. */
static const char *place_of(const struct typed *typed)
{
    static const char *const options[] = {"at", "step"};
    const char *argument = argument_of(typed, VALUE_PATH);

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *path = option_text(&typed->invocation.options, options[i]);

        if (path != NULL && path[0] != '\0')
            return path;
    }
    return argument != NULL ? argument : "/";
}

static void end_quietly(int number)
{
    (void)number;
    _exit(0);
}

/* An agent that is busy, or hangs, is not waited for. */
static void limit_patience(void)
{
    const struct itimerval patience = {.it_value = {.tv_usec = PATIENCE_MS * 1000}};

    signal(SIGALRM, end_quietly);
    setitimer(ITIMER_REAL, &patience, NULL);
}

static enum status ask_names(const struct typed *typed, struct question *question, struct answer *ret_answer)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    struct failure failure;
    enum status status = exchange_start(&typed->invocation, NULL, &failure, &exchange);

    if (status == STATUS_OK)
        status = exchange_connect(&exchange, &failure);
    return status == STATUS_OK ? exchange_send(&exchange, question, NULL, &failure, ret_answer) : status;
}

static void offer_names(struct typed *typed, const char *front, const char *kind)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    const char *account = argument_of(typed, VALUE_ACCOUNT);
    const struct json *names;

    limit_patience();
    exchange_question(&question, "ListNames");
    json_add_text(&question.writer, "kind", kind);
    json_add_text(&question.writer, "prefix", typed->last + strlen(front));
    json_add_text(&question.writer, "path", place_of(typed));
    if (account != NULL)
        json_add_text(&question.writer, "account", account);
    if (ask_names(typed, &question, &answer) != STATUS_OK)
        return;
    names = json_member(answer.parameters, "names");
    for (size_t i = 0; i < json_count(names); i++) {
        const char *name = json_member_text(json_at(names, i), "name");
        const char *detail = json_member_text(json_at(names, i), "detail");

        if (name != NULL && detail != NULL)
            offer(typed, front, name, detail);
    }
}

/* ---- names of the catalogue ---- */

struct catalog_offer {
    struct typed *typed;
    const char *front;
};

static void offer_found(void *context, const struct catalog_found *found)
{
    const struct catalog_offer *offered = context;

    if (found->failure == NULL)
        offer(offered->typed, offered->front, found->slug, found->title);
}

static void offer_ways(struct typed *typed, const char *front)
{
    CLEANUP(app_freep) struct app *app = NULL;
    const char *name = argument_of(typed, VALUE_APP);
    struct failure failure;
    char slug[NAME_APP_MAX + 1];

    if (name == NULL || catalog_slug(name, &failure, slug) != STATUS_OK ||
        catalog_find(slug, &failure, &app, NULL) != STATUS_OK)
        return;
    for (size_t i = 0; i < app->method_count; i++)
        offer(typed, front, app->methods[i].name, app->methods[i].title);
}

/* Of which accounts are made; the others are those of which there are accounts. */
static bool is_of_catalog(const struct typed *typed)
{
    const char *method = typed->invocation.command != NULL ? typed->invocation.command->method : NULL;

    return method == NULL || strcmp(method, "AddAccount") == 0 || strcmp(method, "AddClient") == 0;
}

/* ---- names of either ---- */

static const char *variable_sort(const struct typed *typed)
{
    static const struct {
        const char *method;
        const char *sort;
    } others[] = {
        {"BlockVariable",         "inherited"},
        {"ListVariableRevisions", "past"     },
        {"RestoreVariable",       "past"     },
        {"ForgetVariable",        "past"     },
    };
    const char *method = typed->invocation.command->method;

    for (size_t i = 0; method != NULL && i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(method, others[i].method) == 0)
            return others[i].sort;
    }
    return "variable";
}

static void offer_named(struct typed *typed, const char *front)
{
    offer_names(typed, front, "variable");
    offer_names(typed, front, "account");
}

static void offer_value(struct typed *typed, const char *front, const char *value)
{
    static const char *const sorts[] = {
        [VALUE_PATH] = "path",     [VALUE_ACCOUNT] = "account", [VALUE_APP] = "app",
        [VALUE_CLIENT] = "client", [VALUE_ALIAS] = "alias",     [VALUE_PROPERTY] = "property",
    };
    struct catalog_offer offered = {.typed = typed, .front = front};
    enum value_kind kind = value_kind_of(value);

    if (kind == VALUE_FILE || kind == VALUE_FOLDER) {
        begin_answer(typed, kind == VALUE_FILE ? "files" : "folders");
        return;
    }
    begin_answer(typed, "words");
    if (kind == VALUE_CHOICE)
        offer_choices(typed, front, value);
    else if (kind == VALUE_SLOT)
        offer_choices(typed, front, SLOT_KINDS);
    else if (kind == VALUE_TOPIC)
        offer_commands(typed);
    else if (kind == VALUE_SUBTOPIC)
        offer_subcommands(typed, command_argument(&typed->invocation, 0));
    else if (kind == VALUE_COMMAND)
        offer(typed, "", "--", "before the command");
    else if (kind == VALUE_WAY)
        offer_ways(typed, front);
    else if (kind == VALUE_APP && is_of_catalog(typed))
        catalog_list(offer_found, &offered);
    else if (kind == VALUE_VARIABLE)
        offer_names(typed, front, variable_sort(typed));
    else if (kind == VALUE_NAMED)
        offer_named(typed, front);
    else if (kind < sizeof(sorts) / sizeof(sorts[0]) && sorts[kind] != NULL)
        offer_names(typed, front, sorts[kind]);
}

/* ---- the last word ---- */

static void complete_option(struct typed *typed)
{
    const char *equals = strchr(typed->last, '=');
    const struct option_rule *rule = equals != NULL ? find_rule(typed, typed->last) : NULL;
    char front[64];

    if (rule != NULL && rule->value != NULL && (size_t)(equals - typed->last) + 2 <= sizeof(front)) {
        memcpy(front, typed->last, (size_t)(equals - typed->last) + 1);
        front[equals - typed->last + 1] = '\0';
        offer_value(typed, front, rule->value);
    } else if (equals == NULL) {
        begin_answer(typed, "words");
        if (typed->invocation.command != NULL)
            offer_options(typed, typed->invocation.command->options);
        offer_options(typed, command_common_options);
    }
}

/* Behind the `--` of run stands a command, which the shell completes as it does elsewhere. */
static bool is_of_command(const struct typed *typed)
{
    const struct command *command = typed->invocation.command;

    for (size_t i = 0; typed->separated && command != NULL && i < COMMAND_ARGUMENTS_MAX; i++) {
        if (command->arguments[i] != NULL && value_kind_of(command->arguments[i]) == VALUE_COMMAND)
            return true;
    }
    return false;
}

static void complete(struct typed *typed)
{
    const struct command *command = typed->invocation.command;
    size_t index = typed->invocation.options.argument_count;

    if (is_of_command(typed)) {
        begin_answer(typed, "command");
    } else if (typed->pending != NULL) {
        offer_value(typed, "", typed->pending->value);
    } else if (typed->last[0] == '-' && !typed->separated) {
        complete_option(typed);
    } else if (typed->name == NULL) {
        begin_answer(typed, "words");
        offer_commands(typed);
    } else if (command == NULL && typed->subcommand == NULL) {
        begin_answer(typed, "words");
        offer_subcommands(typed, typed->name);
    } else if (command != NULL && index < COMMAND_ARGUMENTS_MAX && command->arguments[index] != NULL) {
        offer_value(typed, "", command->arguments[index]);
    }
}

static enum status cmd_complete(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(typed_reset) struct typed typed = {.last = ""};
    struct option_values *options = &typed.invocation.options;
    size_t count = invocation->options.argument_count;

    options->given = calloc(count + 1, sizeof(*options->given));
    options->arguments = calloc(count + 1, sizeof(*options->arguments));
    if (options->given == NULL || options->arguments == NULL)
        return STATUS_OK;
    if (count > 0) {
        read_words(&typed, invocation->options.arguments, count - 1);
        typed.last = invocation->options.arguments[count - 1];
    }
    complete(&typed);
    if (!typed.failed)
        (void)output_write(typed.lines.bytes, typed.lines.size, failure);
    return STATUS_OK;
}

/* ---- the command ---- */

/* clang-format off */
const struct command cmd_complete_command = {
    .name = "__complete", .run = cmd_complete, .most = COMMAND_ANY_NUMBER,
    .usage = "-- [WORD...]",
    .summary = "complete a command line",
    .help = "Prints how the shell is to complete the last WORD (:words, :files, :folders or :command), and the words it "
            "could become, each with a tab and what it is.",
};
/* clang-format on */
