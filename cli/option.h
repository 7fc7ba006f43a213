/* Options of a command line, declared as a table and parsed into values. */
#ifndef STEPVAULT_CLI_OPTION_H
#define STEPVAULT_CLI_OPTION_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One option. A table of them ends with a row of zeros. */
struct option_rule {
    const char *name;  /* without its dashes */
    const char *value; /* what its value is called in help; NULL: it has none */
    bool repeatable;
    const char *help;
};

struct option_given {
    const struct option_rule *rule;
    const char *text; /* NULL without a value */
};

/* What was given. Texts and arguments are those of the parsed argv. All zero is the valid empty value. */
struct option_values {
    struct option_given *given;
    size_t given_count;
    char **arguments; /* what is no option, in order */
    size_t argument_count;
};

/* Parses `argv` (count words, the command's own words not among them) by `rules` and `common`: `--name
 * value`,
 * `--name=value`, before or after the arguments, up to `--`, behind which everything is an argument.
 * STATUS_USAGE names the option that is wrong, never its value, and the nearest one that exists. */
enum status option_parse(const struct option_rule *rules, const struct option_rule *common, size_t count,
                         char *const argv[], struct failure *failure, struct option_values *ret_values);
void option_values_reset(struct option_values *values);

/* The rule that `word` (`--name`, `--name=value`) spells in one of the tables, or NULL. */
const struct option_rule *option_find(const struct option_rule *rules, const struct option_rule *common,
                                      const char *word);

/* `--help` of `-h`, and so for the few letters that people know from elsewhere; any other word as it is. */
const char *option_spell_out(const char *word);

/* The value of an option, NULL if it was not given. */
const char *option_text(const struct option_values *values, const char *name);
bool option_flag(const struct option_values *values, const char *name);

/* The values of a repeatable option in order: `*position` starts at 0; NULL at the end. */
const char *option_next(const struct option_values *values, const char *name, size_t *position);

/* The open descriptor that `--name N` gives; -1 if it was not given. STATUS_USAGE if it is none. */
enum status option_descriptor(const struct option_values *values, const char *name, struct failure *failure,
                              int *ret_descriptor);

/* The whole number that `--name N` gives; `fallback` if it was not given. STATUS_USAGE if it is none up to
 * `maximum`. */
enum status option_number(const struct option_values *values, const char *name, uint64_t maximum,
                          uint64_t fallback, struct failure *failure, uint64_t *ret_number);

/* Names for a spelling suggestion; ends with NULL. */
struct option_nearest {
    const char *wanted;
    const char *name; /* the best so far, or NULL */
    unsigned distance;
};

/* Takes `name` if it is nearer to what is wanted than what was best so far, and near at all. */
void option_consider(struct option_nearest *nearest, const char *name);

#endif
