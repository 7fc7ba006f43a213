/* cli/output.c: tables, and text of others that must not steer a terminal. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "output.h"

/* Runs `print` with stdout as a pipe, and gives what was written to it. */
static size_t captured(enum status (*print)(struct failure *failure), char *text, size_t size)
{
    struct failure failure;
    int ends[2];
    int saved = dup(STDOUT_FILENO);
    ssize_t length;

    fflush(stdout);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    close(ends[1]);
    assert_int_equal(print(&failure), STATUS_OK);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    length = read(ends[0], text, size - 1);
    close(ends[0]);
    assert_true(length >= 0);
    text[length] = '\0';
    return (size_t)length;
}

static enum status print_table(struct failure *failure)
{
    static const char *const headings[] = {"A", "B"};
    CLEANUP(output_table_reset) struct output_table table;
    CLEANUP(json_freep) struct json *texts = NULL;

    assert_int_equal(json_parse("[\"x\",\"y\"]", 9, "", failure, &texts), STATUS_OK);
    output_table_start(&table, 2, headings);
    output_table_add(&table, "one\ttwo\n");
    output_table_add(&table, NULL);
    output_table_add_format(&table, "%d", 3);
    output_table_add_list(&table, texts);
    return output_table_print(&table, failure);
}

static enum status print_nothing(struct failure *failure)
{
    CLEANUP(output_table_reset) struct output_table table;

    output_table_start(&table, 2, NULL);
    return output_table_print(&table, failure);
}

static enum status print_documents(struct failure *failure)
{
    CLEANUP(json_freep) struct json *document = NULL;
    enum status status = json_parse("{ \"a\" : [ 1 ] }", 15, "", failure, &document);

    if (status == STATUS_OK)
        status = output_document(document, failure);
    return status == STATUS_OK ? output_document(NULL, failure) : status;
}

static void a_table_in_a_pipe_has_tabs_and_no_headings(void **state)
{
    char text[256];

    (void)state;
    captured(print_table, text, sizeof(text));
    assert_string_equal(text, "one?two?\t\n3\tx,y\n");
}

static void an_empty_table_prints_nothing(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(captured(print_nothing, text, sizeof(text)), 0);
}

static void a_document_is_one_line(void **state)
{
    char text[256];

    (void)state;
    captured(print_documents, text, sizeof(text));
    assert_string_equal(text, "{\"a\":[1]}\n{}\n");
}

static void what_steers_a_terminal_is_replaced(void **state)
{
    static const struct {
        const char *text;
        const char *plain;
    } cases[] = {
        {"plain text, gr\xc3\xbc\xc3\x9f"
         "e",       "plain text, gr\xc3\xbc\xc3\x9f"
         "e"             },
        {"a\x1b[2Jb\x7f",    "a?[2Jb?"         },
        {"a\xc2\x9b"
         "2Jb",     "a?2Jb"           },
        {"a\xe2\x80\xae"
         "b",       "a?b"             },
        {"a\xe2\x81\xa6"
         "b",       "a?b"             },
        {"a\xff\xc3",        "a??"             },
        {"\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(secret_reset) struct secret plain = {0};

        assert_true(output_append_plain(&plain, cases[i].text));
        assert_string_equal(secret_text(&plain), cases[i].plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_in_a_pipe_has_tabs_and_no_headings),
        cmocka_unit_test(an_empty_table_prints_nothing),
        cmocka_unit_test(a_document_is_one_line),
        cmocka_unit_test(what_steers_a_terminal_is_replaced),
    };

    json_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
