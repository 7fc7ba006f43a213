/* Quoting for a shell. */
#include "launch/quote.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct line {
    char *text;
    size_t size;
    bool full;
};

static void append(struct line *line, const char *text, size_t size)
{
    /* Four bytes are kept for the dots. */
    if (line->full || line->size + size + sizeof(" ...") > QUOTE_LINE_MAX) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
    line->text[line->size] = '\0';
}

/* A word that a terminal or a sentence would not show as it is: only $'...' says it in printable bytes. */
static bool word_is_printable(const char *word)
{
    for (const char *at = word; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    }
    return text_is_utf8(word, strlen(word));
}

static void append_escaped(struct line *line, const char *word)
{
    append(line, "$'", 2);
    for (; *word != '\0'; word++) {
        char escape[5];
        int length;

        if (*word == '\'' || *word == '\\')
            length = snprintf(escape, sizeof(escape), "\\%c", *word);
        else if (*word == '\n')
            length = snprintf(escape, sizeof(escape), "\\n");
        else if ((unsigned char)*word < 0x20 || (unsigned char)*word >= 0x7f)
            length = snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)*word);
        else
            length = snprintf(escape, sizeof(escape), "%c", *word);
        append(line, escape, (size_t)length);
    }
    append(line, "'", 1);
}

bool quote_append_shell(struct secret *destination, const char *text)
{
    bool done = secret_append_byte(destination, '\'');

    while (done && *text != '\0') {
        const size_t plain = strcspn(text, "'");

        done = secret_append(destination, text, plain) &&
               (text[plain] == '\0' || secret_append_text(destination, "'\\''"));
        text += plain + (text[plain] != '\0');
    }
    return done && secret_append_byte(destination, '\'');
}

static void append_quoted(struct line *line, const char *word)
{
    CLEANUP(secret_reset) struct secret quoted = {0};

    if (quote_append_shell(&quoted, word))
        append(line, secret_text(&quoted), quoted.size);
    else
        line->full = true;
}

static void append_word(struct line *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    const size_t before = line->size;

    append(line, " ", before > 0 ? 1 : 0);
    if (!word_is_printable(word))
        append_escaped(line, word);
    else if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        append(line, word, strlen(word));
    else
        append_quoted(line, word);
    if (line->full)
        line->size = before;
}

/* A value where none belongs is not repeated, whatever it was meant for. */
static bool word_is_assignment(const char *word)
{
    size_t name = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return name > 0 && word[name] == '=';
}

static void append_name(struct line *line, const char *assignment)
{
    append(line, " ", 1);
    append(line, assignment, strcspn(assignment, "=") + 1);
    append(line, "...", 3);
}

void quote_line(char *const argv[], int separator, char destination[QUOTE_LINE_MAX])
{
    struct line line = {.text = destination};

    append_word(&line, "stepvault");
    for (int i = 1; argv[i] != NULL && !line.full; i++) {
        if (i == separator)
            append_word(&line, "--");
        if (i < separator && word_is_assignment(argv[i]))
            append_name(&line, argv[i]);
        else
            append_word(&line, argv[i]);
    }
    if (line.full)
        memcpy(line.text + line.size, " ...", sizeof(" ..."));
}
