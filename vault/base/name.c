/* The grammar of names, and the names that need care. */
#include "base/name.h"

#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum letters { LOWER = 1, UPPER = 2, DIGIT = 4, UNDERSCORE = 8, DASH = 16, DOT = 32, AT = 64, PLUS = 128 };

/* What a kind of name is made of: the first byte, and those after it. */
struct grammar {
    unsigned first;
    unsigned rest;
    size_t maximum;
    const char *noun;
    const char *rule;
};

static const struct grammar variable_grammar = {
    LOWER | UPPER | UNDERSCORE, LOWER | UPPER | DIGIT | UNDERSCORE, NAME_VARIABLE_MAX, "variable name",
    "letters, digits and _, not beginning with a digit"};
static const struct grammar alias_grammar = {LOWER | UNDERSCORE, LOWER | DIGIT | UNDERSCORE, NAME_ALIAS_MAX,
                                             "alias",
                                             "lower-case letters, digits and _, not beginning with a digit"};
static const struct grammar app_grammar = {
    LOWER | DIGIT, LOWER | DIGIT | UNDERSCORE | DASH, NAME_APP_MAX, "app name",
    "lower-case letters, digits, _ and -, beginning with a letter or digit"};
static const struct grammar label_grammar = {
    LOWER | UPPER | DIGIT, LOWER | UPPER | DIGIT | UNDERSCORE | DASH | DOT | AT | PLUS, NAME_LABEL_MAX,
    "label", "letters, digits and @ . _ + -, beginning with a letter or digit"};
static const struct grammar property_grammar = {LOWER | UPPER, LOWER | UPPER | DIGIT | UNDERSCORE | DASH,
                                                NAME_PROPERTY_MAX, "property name",
                                                "letters, digits, _ and -, beginning with a letter"};
static const struct grammar word_grammar = {LOWER | DIGIT, LOWER | DIGIT | UNDERSCORE | DASH | DOT,
                                            NAME_PATH_MAX, "path",
                                            "words of lower-case letters, digits and . _ -, each beginning "
                                            "with a letter or digit, with single slashes "
                                            "between them, at most 8; or / alone"};

/* Enough of a name to know it by; behind `=` and in a JSON object stand values. */
#define QUOTE_SIZE 84

static void name_quote(char destination[QUOTE_SIZE], const char *name)
{
    size_t length = strcspn(name, "={");
    const char *end = name[length] == '=' ? "=..." : name[length] == '{' ? "{..." : "";

    if (length > 64) {
        length = 64;
        end = "...";
    }
    snprintf(destination, QUOTE_SIZE, "\"%.*s%s\"", (int)length, name, end);
}

/* By hand, not by isalpha(): no locale may change the grammar. */
static unsigned letter_of(char byte)
{
    if (byte >= 'a' && byte <= 'z')
        return LOWER;
    if (byte >= 'A' && byte <= 'Z')
        return UPPER;
    if (byte >= '0' && byte <= '9')
        return DIGIT;
    switch (byte) {
    case '_':
        return UNDERSCORE;
    case '-':
        return DASH;
    case '.':
        return DOT;
    case '@':
        return AT;
    case '+':
        return PLUS;
    default:
        return 0;
    }
}

static bool grammar_fits(const struct grammar *grammar, const char *name, size_t length)
{
    if (length == 0 || length > grammar->maximum || (letter_of(name[0]) & grammar->first) == 0)
        return false;
    for (size_t at = 1; at < length; at++) {
        if ((letter_of(name[at]) & grammar->rest) == 0)
            return false;
    }
    return true;
}

static enum status grammar_refuse(const struct grammar *grammar, const char *name, struct failure *failure)
{
    char quoted[QUOTE_SIZE];

    name_quote(quoted, name);
    return failure_set(failure, STATUS_INVALID, "%s is not a valid %s: %s, at most %zu bytes", quoted,
                       grammar->noun, grammar->rule, grammar->maximum);
}

static enum status grammar_check(const struct grammar *grammar, const char *name, struct failure *failure)
{
    if (grammar_fits(grammar, name, strlen(name)))
        return STATUS_OK;
    return grammar_refuse(grammar, name, failure);
}

enum status name_check_path(const char *path, struct failure *failure)
{
    const char *word = path;
    unsigned words = 0;

    if (strcmp(path, "/") == 0)
        return STATUS_OK;
    if (strlen(path) > NAME_PATH_MAX)
        return grammar_refuse(&word_grammar, path, failure);
    for (;;) {
        size_t length = strcspn(word, "/");

        if (++words > NAME_PATH_WORDS_MAX || !grammar_fits(&word_grammar, word, length))
            return grammar_refuse(&word_grammar, path, failure);
        if (word[length] == '\0')
            return STATUS_OK;
        word += length + 1;
    }
}

enum status name_check_variable(const char *name, struct failure *failure)
{
    enum status status = grammar_check(&variable_grammar, name, failure);

    if (status == STATUS_OK && name_is_reserved(name))
        return failure_set(failure, STATUS_REFUSED,
                           "\"%.64s\" is reserved: STEPVAULT_ begins stepvault's own variables", name);
    return status;
}

enum status name_check_alias(const char *alias, struct failure *failure)
{
    return grammar_check(&alias_grammar, alias, failure);
}

enum status name_check_app(const char *app, struct failure *failure)
{
    return grammar_check(&app_grammar, app, failure);
}

enum status name_check_label(const char *label, struct failure *failure)
{
    return grammar_check(&label_grammar, label, failure);
}

enum status name_check_property(const char *property, struct failure *failure)
{
    return grammar_check(&property_grammar, property, failure);
}

/* A `*` at the end stands for any rest, the empty one included. */
static const char *const dangerous_names[] = {
    /* The dynamic loader and the C library. */
    "LD_*", "_RLD*", "DYLD_*", "LDR_*", "LIBPATH", "SHLIB_PATH", "GLIBC_TUNABLES", "MALLOC_*", "GCONV_PATH",
    "GETCONF_DIR", "LOCPATH", "NLSPATH", "PATH_LOCALE", "TZDIR", "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES",
    "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "SSLKEYLOGFILE",
    /* Shells. */
    "PATH", "IFS", "CDPATH", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS", "BASH_FUNC_*", "PROMPT_COMMAND",
    "PS4", "GLOBIGNORE", "FPATH", "NULLCMD", "READNULLCMD", "ZDOTDIR", "TMPPREFIX",
    /* Interpreters and virtual machines. */
    "NODE_OPTIONS", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE", "BUN_OPTIONS", "PERL*", "PYTHONHOME",
    "PYTHONPATH", "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONSTARTUP", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE",
    "PYTHONBREAKPOINT", "PYTHONWARNINGS", "RUBYLIB", "RUBYOPT", "GEM_HOME", "GEM_PATH", "BUNDLE_GEMFILE",
    "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "PHPRC", "PHP_INI_SCAN_DIR",
    "LUA_INIT*", "LUA_PATH*", "LUA_CPATH*", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER*",
    "CORECLR_ENABLE_PROFILING", "COR_PROFILER*", "ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "R_PROFILE*",
    "R_ENVIRON*",
    /* Commands that other programs run because a variable says so. */
    "GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "GIT_CONFIG", "GIT_CONFIG_*", "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF", "GIT_ASKPASS", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR", "GIT_PAGER", "GIT_TEMPLATE_DIR",
    "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE",
    /* Terminals and Kerberos, from sudo's table. */
    "TERMINFO*", "TERMPATH", "TERMCAP", "AUTHSTATE", "KRB5_CONFIG*", "KRB5_KTNAME", "KRB5CCNAME", "VAR_ACE",
    "USR_ACE", "DLC_ACE",
    /* What a login session and PAM's modules read. */
    "HOME", "SHELL", "USER", "LOGNAME", "MAIL", "TMPDIR", "XDG_*", "DBUS_*", "SSH_*", "GNOME_KEYRING_*",
    "PAM_*", "SUDO_*", "SELINUX_*", "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "SYSTEMD_*", "LISTEN_*",
    "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"};

/* Character by character: this is asked for each variable of each projection. */
static bool pattern_matches(const char *pattern, const char *name)
{
    while (*pattern != '\0' && *pattern != '*' && *pattern == *name) {
        pattern++;
        name++;
    }
    return *pattern == '*' || (*pattern == '\0' && *name == '\0');
}

bool name_is_dangerous(const char *name)
{
    for (size_t at = 0; at < sizeof(dangerous_names) / sizeof(dangerous_names[0]); at++) {
        if (pattern_matches(dangerous_names[at], name))
            return true;
    }
    return false;
}

bool name_is_reserved(const char *name)
{
    static const char prefix[] = "STEPVAULT_";

    return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

bool name_app_is(const char *app, const char *written, size_t size)
{
    size_t at = 0;

    while (at < size && (app[at] == written[at] || (app[at] == '_' && written[at] == '-')))
        at++;
    return at == size && app[at] == '\0';
}

void name_default_alias(char *destination, const char *app)
{
    size_t length = 0;

    if (letter_of(app[0]) == DIGIT)
        destination[length++] = '_';
    for (; *app != '\0' && length < NAME_ALIAS_MAX; app++)
        destination[length++] = *app == '-' ? '_' : *app;
    destination[length] = '\0';
}

static size_t derive_append(char *destination, size_t length, const char *part, size_t maximum)
{
    for (size_t at = 0; at < maximum && part[at] != '\0'; at++) {
        unsigned letter = letter_of(part[at]);

        if (letter == LOWER)
            destination[length++] = (char)(part[at] - 'a' + 'A');
        else
            destination[length++] = (letter & (UPPER | DIGIT)) != 0 ? part[at] : '_';
    }
    return length;
}

void name_derive_variable(char *destination, const char *alias, const char *property)
{
    size_t length = derive_append(destination, 0, alias, NAME_ALIAS_MAX);

    destination[length++] = '_';
    length = derive_append(destination, length, property, NAME_PROPERTY_MAX);
    destination[length] = '\0';
}

bool name_path_parent(char *destination, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);

    if (strcmp(path, "/") == 0 || length > NAME_PATH_MAX)
        return false;
    if (length == 0) {
        memcpy(destination, "/", 2);
        return true;
    }
    memcpy(destination, path, length);
    destination[length] = '\0';
    return true;
}

unsigned name_path_depth(const char *path)
{
    unsigned words = 1;

    if (strcmp(path, "/") == 0)
        return 0;
    for (; *path != '\0'; path++)
        words += *path == '/';
    return words;
}

bool name_path_is_under(const char *path, const char *ancestor)
{
    size_t length = strlen(ancestor);

    if (strcmp(ancestor, "/") == 0)
        return true;
    return strncmp(path, ancestor, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

enum status name_check_note(const char *note, struct failure *failure)
{
    char plain[NAME_NOTE_MAX + 1];
    size_t size = strlen(note);

    if (size > NAME_NOTE_MAX)
        return failure_set(failure, STATUS_TOO_LARGE, "a note has at most %u bytes", NAME_NOTE_MAX);
    memcpy(plain, note, size + 1);
    if (text_make_plain(plain) != size || memcmp(plain, note, size) != 0)
        return failure_set(
            failure, STATUS_INVALID,
            "a note is one line of UTF-8 text, without control characters or marks that hide text");
    return STATUS_OK;
}
