/* Parsing by table. Values of options and arguments may be secrets typed in the wrong place, so no sentence
 * quotes them. */
#include "option.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_ENOUGH 2
#define NAME_SHOWN_MAX 40

void option_consider(struct option_nearest *nearest, const char *name)
{
    unsigned limit = nearest->name != NULL ? nearest->distance - 1 : NEAR_ENOUGH;
    unsigned distance = text_distance(nearest->wanted, name, limit);

    /* Two changes make any short word into any other. */
    if (distance <= limit && distance < strlen(name)) {
        nearest->name = name;
        nearest->distance = distance;
    }
}

static size_t name_length(const char *word)
{
    return strcspn(word + 2, "=");
}

static const struct option_rule *find_in(const struct option_rule *rules, const char *word)
{
    for (; rules != NULL && rules->name != NULL; rules++) {
        if (strlen(rules->name) == name_length(word) &&
            strncmp(rules->name, word + 2, name_length(word)) == 0)
            return rules;
    }
    return NULL;
}

const struct option_rule *option_find(const struct option_rule *rules, const struct option_rule *common,
                                      const char *word)
{
    const struct option_rule *found = find_in(rules, word);

    return found != NULL ? found : find_in(common, word);
}

static enum status unknown_option(const struct option_rule *rules, const struct option_rule *common,
                                  const char *word, struct failure *failure)
{
    char name[NAME_SHOWN_MAX + 1] = "";
    struct option_nearest nearest = {.wanted = name};

    if (strncmp(word, "--", 2) != 0)
        return failure_set(failure, STATUS_USAGE,
                           "there is no option -%c; options are whole words after two dashes", word[1]);
    strncat(name, word + 2, name_length(word) < NAME_SHOWN_MAX ? name_length(word) : NAME_SHOWN_MAX);
    for (const struct option_rule *rule = rules; rule != NULL && rule->name != NULL; rule++)
        option_consider(&nearest, rule->name);
    for (const struct option_rule *rule = common; rule != NULL && rule->name != NULL; rule++)
        option_consider(&nearest, rule->name);
    if (nearest.name != NULL)
        return failure_set(failure, STATUS_USAGE, "there is no option --%s here; did you mean --%s?", name,
                           nearest.name);
    return failure_set(failure, STATUS_USAGE, "there is no option --%s here", name);
}

const char *option_spell_out(const char *word)
{
    static const char *const letters[][2] = {
        {"-d", "--data"    },
        {"-h", "--help"    },
        {"-H", "--header"  },
        {"-i", "--in-file" },
        {"-o", "--out-file"}
    };

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (strcmp(word, letters[i][0]) == 0)
            return letters[i][1];
    }
    return word;
}

/* The value is not quoted: it may be a secret. */
static enum status check_choice(const struct option_rule *rule, const char *text, struct failure *failure)
{
    char word_shown[NAME_SHOWN_MAX + 1];
    char nearest_word[NAME_SHOWN_MAX + 1] = "";
    struct option_nearest nearest = {.wanted = text};
    size_t position = 0;
    size_t length;
    const char *word;

    while (value_next_choice(rule->value, &position, &word, &length)) {
        if (strlen(text) == length && memcmp(text, word, length) == 0)
            return STATUS_OK;
        snprintf(word_shown, sizeof(word_shown), "%.*s", (int)length, word);
        nearest.name = NULL;
        option_consider(&nearest, word_shown);
        if (nearest.name != NULL)
            memcpy(nearest_word, word_shown, sizeof(nearest_word));
    }
    if (nearest_word[0] != '\0')
        return failure_set(failure, STATUS_USAGE, "--%s is one of %s; did you mean %s?", rule->name,
                           rule->value, nearest_word);
    return failure_set(failure, STATUS_USAGE, "--%s is one of %s", rule->name, rule->value);
}

/* Takes the option at argv[*position] and leaves *position at its last word. */
static enum status take_option(const struct option_rule *rule, size_t count, char *const argv[],
                               size_t *position, struct failure *failure, struct option_values *values)
{
    const char *word = argv[*position];
    const char *equals = strchr(word, '=');
    const char *text = equals == NULL ? NULL : equals + 1;

    if (rule->value == NULL && text != NULL)
        return failure_set(failure, STATUS_USAGE, "--%s takes no value", rule->name);
    if (rule->value != NULL && text == NULL) {
        if (*position + 1 == count)
            return failure_set(failure, STATUS_USAGE, "--%s wants %s after it", rule->name, rule->value);
        text = argv[++*position];
    }
    if (rule->value != NULL && value_kind_of(rule->value) == VALUE_CHOICE) {
        enum status status = check_choice(rule, text, failure);

        if (status != STATUS_OK)
            return status;
    }
    if (!rule->repeatable && rule->value != NULL && option_text(values, rule->name) != NULL)
        return failure_set(failure, STATUS_USAGE, "--%s is given twice", rule->name);
    values->given[values->given_count++] = (struct option_given){.rule = rule, .text = text};
    return STATUS_OK;
}

enum status option_parse(const struct option_rule *rules, const struct option_rule *common, size_t count,
                         char *const argv[], struct failure *failure, struct option_values *ret_values)
{
    CLEANUP(option_values_reset) struct option_values values = {0};
    bool options_end = false;

    values.given = calloc(count + 1, sizeof(*values.given));
    values.arguments = calloc(count + 1, sizeof(*values.arguments));
    if (values.given == NULL || values.arguments == NULL)
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the command line");
    for (size_t i = 0; i < count; i++) {
        const char *word = argv[i];
        const struct option_rule *rule;
        enum status status;

        if (options_end || word[0] != '-' || word[1] == '\0') {
            values.arguments[values.argument_count++] = argv[i];
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options_end = true;
            continue;
        }
        word = option_spell_out(word);
        rule = strncmp(word, "--", 2) == 0 ? option_find(rules, common, word) : NULL;
        if (rule == NULL)
            return unknown_option(rules, common, argv[i], failure);
        status = take_option(rule, count, argv, &i, failure, &values);
        if (status != STATUS_OK)
            return status;
    }
    *ret_values = values;
    values = (struct option_values){0};
    return STATUS_OK;
}

void option_values_reset(struct option_values *values)
{
    free(values->given);
    free(values->arguments);
    *values = (struct option_values){0};
}

const char *option_next(const struct option_values *values, const char *name, size_t *position)
{
    while (*position < values->given_count) {
        const struct option_given *given = &values->given[(*position)++];

        if (strcmp(given->rule->name, name) == 0)
            return given->text != NULL ? given->text : "";
    }
    return NULL;
}

const char *option_text(const struct option_values *values, const char *name)
{
    size_t position = 0;

    return option_next(values, name, &position);
}

bool option_flag(const struct option_values *values, const char *name)
{
    return option_text(values, name) != NULL;
}

enum status option_number(const struct option_values *values, const char *name, uint64_t maximum,
                          uint64_t fallback, struct failure *failure, uint64_t *ret_number)
{
    const char *text = option_text(values, name);

    *ret_number = fallback;
    if (text != NULL && !text_to_number(text, maximum, ret_number))
        return failure_set(failure, STATUS_USAGE, "--%s wants a whole number up to %llu", name,
                           (unsigned long long)maximum);
    return STATUS_OK;
}

enum status option_descriptor(const struct option_values *values, const char *name, struct failure *failure,
                              int *ret_descriptor)
{
    uint64_t number = 0;
    enum status status;

    *ret_descriptor = -1;
    if (option_text(values, name) == NULL)
        return STATUS_OK;
    status = option_number(values, name, INT_MAX, 0, failure, &number);
    if (status != STATUS_OK)
        return status;
    if (fcntl((int)number, F_GETFD) == -1)
        return failure_set_errno(failure, STATUS_USAGE, errno, "--%s %d is no open descriptor", name,
                                 (int)number);
    *ret_descriptor = (int)number;
    return STATUS_OK;
}
