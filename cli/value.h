/* What a word of a command line stands for. Rows of the command table name their arguments and the values of
 * their options in capitals, as help shows them; the same name means the same thing everywhere, so completion
 * knows from it what to offer. */
#ifndef STEPVAULT_CLI_VALUE_H
#define STEPVAULT_CLI_VALUE_H

#include <stdbool.h>
#include <stddef.h>

enum value_kind {
    VALUE_UNKNOWN, /* a name that value.c does not have: a mistake in a row */
    VALUE_TEXT,    /* only the person knows it */
    VALUE_CHOICE,  /* one of the words of the name itself, `env|auths` */
    VALUE_FILE,
    VALUE_FOLDER,
    VALUE_COMMAND, /* the first of the words of a program to be run */
    VALUE_PATH,
    VALUE_VARIABLE,
    VALUE_ACCOUNT,
    VALUE_CLIENT,
    VALUE_APP,
    VALUE_WAY, /* one of an app's methods */
    VALUE_ALIAS,
    VALUE_PROPERTY,
    VALUE_NAMED, /* a variable or an account */
    VALUE_SLOT,
    VALUE_TOPIC,   /* a command of ours */
    VALUE_SUBTOPIC /* and its subcommand */
};

/* What `name` ("PATH", "env|auths") stands for. */
enum value_kind value_kind_of(const char *name);

/* The next of the words that stand in `choices` with `|` between them: `*position` starts at 0. The word is
 * not NUL-terminated. False at the end. */
bool value_next_choice(const char *choices, size_t *position, const char **ret_word, size_t *ret_length);

#endif
