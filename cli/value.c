/* The names of arguments and values, as a table. */
#include "value.h"

#include <string.h>

static const struct {
    const char *name;
    enum value_kind kind;
} names[] = {
    {"PATH",                    VALUE_PATH    },
    {"NAME",                    VALUE_VARIABLE},
    {"ACCOUNT",                 VALUE_ACCOUNT },
    {"NAME|ACCOUNT[.PROPERTY]", VALUE_NAMED   },
    {"APP",                     VALUE_APP     },
    {"ALIAS",                   VALUE_ALIAS   },
    {"PROPERTY",                VALUE_PROPERTY},
    {"ID|KIND",                 VALUE_SLOT    },
    {"METHOD",                  VALUE_TEXT    },
    {"COMMAND",                 VALUE_TOPIC   },
    {"SUBCOMMAND",              VALUE_SUBTOPIC},
    {"CMD",                     VALUE_COMMAND },
    {"FILE",                    VALUE_FILE    },
    {"FILE|-",                  VALUE_FILE    },
    {"FILE|FD",                 VALUE_FILE    },
    {"FOLDER",                  VALUE_FOLDER  },
    {"LABEL",                   VALUE_TEXT    },
    {"M",                       VALUE_WAY     },
    {"NAME=PROPERTY",           VALUE_TEXT    },
    {"JSON|-",                  VALUE_TEXT    },
    {"NAME=VALUE",              VALUE_TEXT    },
    {"CLIENT",                  VALUE_CLIENT  },
    {"ID",                      VALUE_TEXT    },
    {"SCOPE",                   VALUE_TEXT    },
    {"URL",                     VALUE_TEXT    },
    {"TEXT",                    VALUE_TEXT    },
    {"HEADER",                  VALUE_TEXT    },
    {"DATA",                    VALUE_TEXT    },
    {"LEAF",                    VALUE_TEXT    },
    {"N",                       VALUE_TEXT    },
    {"MS",                      VALUE_TEXT    },
    {"UID",                     VALUE_TEXT    },
    {"DURATION",                VALUE_TEXT    },
    {"TIME",                    VALUE_TEXT    },
    {"DATE",                    VALUE_TEXT    },
};

enum value_kind value_kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, name) == 0)
            return names[i].kind;
    }
    return strchr(name, '|') != NULL ? VALUE_CHOICE : VALUE_UNKNOWN;
}

bool value_next_choice(const char *choices, size_t *position, const char **ret_word, size_t *ret_length)
{
    const char *word = choices + *position;

    if (*word == '\0')
        return false;
    *ret_word = word;
    *ret_length = strcspn(word, "|");
    *position += *ret_length + (word[*ret_length] == '|' ? 1 : 0);
    return true;
}
