/* Templates: what is a reference, what passes, and how both come together again. */
#include "template.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* Parses `bytes`, gives every reference the value `<its text>` and writes the result into `ret_output`. */
static void fill(const char *bytes, size_t size, char *ret_output, size_t capacity, ssize_t *ret_size)
{
    CLEANUP(template_reset) struct template template = {0};
    CLEANUP(cleanup_close) int descriptor = memfd_create("output", MFD_CLOEXEC);
    struct failure failure;

    if (template_parse(bytes, size, "it", &failure, &template) != STATUS_OK)
        fail_msg("%s", failure.sentence);
    for (size_t i = 0; i < template.reference_count; i++) {
        struct template_reference *reference = &template.references[i];

        assert_true(secret_append_text(&reference->value, "<"));
        assert_true(secret_append(&reference->value, reference->text + strlen("stepvault://"),
                                  reference->size - strlen("stepvault://")));
        assert_true(secret_append_text(&reference->value, ">"));
    }
    assert_true(template_write(&template, descriptor));
    *ret_size = pread(descriptor, ret_output, capacity, 0);
}

static void expect_filled(const char *template, const char *expected)
{
    char output[512];
    ssize_t size;

    fill(template, strlen(template), output, sizeof(output), &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(output, expected, (size_t)size);
}

static void references_in_braces_are_replaced(void **state)
{
    (void)state;
    expect_filled("{{ stepvault://slack/token }}", "<slack/token>");
    expect_filled("{{stepvault://slack:a@b/token}}", "<slack:a@b/token>");
    expect_filled("{{\t  stepvault://env/A\t}}\n", "<env/A>\n");
    expect_filled("a {{ stepvault://env/A }}{{ stepvault://env/B }} b {{ stepvault://env/A }}",
                  "a <env/A><env/B> b <env/A>");
    expect_filled("{{{ stepvault://env/A }}}", "{<env/A>}");
    expect_filled("{{ {{ stepvault://env/A }} }}", "{{ <env/A> }}");
    expect_filled("\"{{ stepvault://env/A }}\"", "\"<env/A>\"");
}

static void everything_else_passes_byte_for_byte(void **state)
{
    static const char binary[] = "\0\xff{{\0 {{ stepvault://env/A }}\r\n\0{{";
    static const char filled[] = "\0\xff{{\0 <env/A>\r\n\0{{";
    char output[128];
    ssize_t size;

    (void)state;
    expect_filled("", "");
    expect_filled("{{ .Values.image }} {{- if }} ${A} $(rm) `x` \\{{",
                  "{{ .Values.image }} {{- if }} ${A} $(rm) `x` \\{{");
    expect_filled("{ { stepvault://env/A }}", "{ { stepvault://env/A }}");
    expect_filled("{{\nstepvault://env/A }}", "{{\nstepvault://env/A }}");
    expect_filled("{{ Stepvault://env/A }}", "{{ Stepvault://env/A }}");
    expect_filled("{{ stepvault:/", "{{ stepvault:/");
    expect_filled("stepvault://slack/token", "stepvault://slack/token");
    fill(binary, sizeof(binary), output, sizeof(output), &size);
    assert_int_equal(size, sizeof(filled));
    assert_memory_equal(output, filled, sizeof(filled));
}

static void a_reference_that_is_broken_or_not_ended_is_refused_with_its_line(void **state)
{
    static const char *const templates[] = {
        "\n\n{{ stepvault://",
        "\n\n{{ stepvault://env/CANARY",
        "\n\n{{ stepvault://env/CANARY }",
        "\n\n{{ stepvault://env/CANARY\n}}",
        "\n\n{{ stepvault://env/CANARY x }}",
        "\n\n{{ stepvault://env/CANARY } }",
        "\n\n{{ stepvault://env/1CANARY }}",
        "\n\n{{ stepvault://env/CANARY/x }}",
        "\n\n{{ stepvault://canary }}",
        "\n\n{{ stepvault://slack/canary?x=y }}",
        "\n\n{{ stepvault:// }}",
        "\n\n{{ stepvault://env/{{ stepvault://env/CANARY }} }}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        CLEANUP(template_reset) struct template template = {0};
        struct failure failure;

        if (template_parse(templates[i], strlen(templates[i]), "it", &failure, &template) != STATUS_INVALID)
            fail_msg("%s is taken", templates[i]);
        if (strstr(failure.sentence, "it, line 3: ") == NULL ||
            strcasestr(failure.sentence, "canary") != NULL)
            fail_msg("%s: %s", templates[i], failure.sentence);
    }
}

static void a_nul_byte_or_no_end_in_a_reference_is_refused(void **state)
{
    static const char nul[] = "{{ stepvault://env/A\0B }}";
    CLEANUP(template_reset) struct template template = {0};
    char endless[2048];
    struct failure failure;

    (void)state;
    assert_int_equal(template_parse(nul, sizeof(nul) - 1, "it", &failure, &template), STATUS_INVALID);
    snprintf(endless, sizeof(endless), "{{ stepvault://env/%01900d }}", 1);
    assert_int_equal(template_parse(endless, strlen(endless), "it", &failure, &template), STATUS_INVALID);
}

static void each_reference_is_asked_for_once_and_bare_ones_are_counted(void **state)
{
    static const char text[] =
        "stepvault://env/A\n{{ stepvault://env/A }}\n{{stepvault://env/A}} {{ stepvault://env/B }}\n"
        "stepvault://stepvault://";
    CLEANUP(template_reset) struct template template = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(template_parse(text, sizeof(text) - 1, "it", &failure, &template), STATUS_OK);
    assert_int_equal(template.reference_count, 2);
    assert_int_equal(template.bare, 3);
    assert_int_equal(template.bare_line, 1);
}

static void too_many_references_and_too_large_a_result_are_refused(void **state)
{
    CLEANUP(secret_reset) struct secret text = {0};
    CLEANUP(secret_reset) struct secret repeated = {0};
    CLEANUP(template_reset) struct template template = {0};
    CLEANUP(template_reset) struct template large = {0};
    struct failure failure;

    (void)state;
    for (unsigned i = 0; i < TEMPLATE_REFERENCES_MAX; i++)
        assert_true(secret_append_format(&text, "{{stepvault://env/A%u}}", i));
    assert_int_equal(template_parse(text.bytes, text.size, "it", &failure, &template), STATUS_OK);
    assert_int_equal(template.reference_count, TEMPLATE_REFERENCES_MAX);
    template_reset(&template);
    assert_true(secret_append_text(&text, "{{stepvault://env/B}}"));
    assert_int_equal(template_parse(text.bytes, text.size, "it", &failure, &template), STATUS_TOO_LARGE);
    for (unsigned i = 0; i < TEMPLATE_OUTPUT_MAX / 65536; i++)
        assert_true(secret_append_text(&repeated, "{{stepvault://env/B}}"));
    assert_int_equal(template_parse(repeated.bytes, repeated.size, "it", &failure, &large), STATUS_OK);
    assert_int_equal(large.reference_count, 1);
    assert_true(secret_reserve(&large.references[0].value, 65537));
    large.references[0].value.size = 65536;
    assert_int_equal(template_check_size(&large, &failure), STATUS_OK);
    large.references[0].value.size = 65537;
    assert_int_equal(template_check_size(&large, &failure), STATUS_TOO_LARGE);
}

static void a_result_larger_than_the_buffer_is_written_whole(void **state)
{
    enum { SIZE = 200000 };
    static char text[3 * SIZE];
    static char output[3 * SIZE + 64];
    ssize_t size;

    (void)state;
    memset(text, 'x', SIZE);
    strcpy(text + SIZE, "{{ stepvault://env/A }}");
    for (size_t at = strlen(text), end = 2 * SIZE; at < end; at++)
        text[at] = (char)('a' + at % 26);
    fill(text, 2 * SIZE, output, sizeof(output), &size);
    assert_int_equal(size, 2 * SIZE - strlen("{{ stepvault://env/A }}") + strlen("<env/A>"));
    assert_memory_equal(output, text, SIZE);
    assert_memory_equal(output + SIZE, "<env/A>", 7);
    assert_memory_equal(output + SIZE + 7, text + SIZE + 23, SIZE - 23);
}

static void a_descriptor_that_takes_nothing_is_told(void **state)
{
    CLEANUP(template_reset) struct template template = {0};
    struct failure failure;

    (void)state;
    assert_int_equal(template_parse("x", 1, "it", &failure, &template), STATUS_OK);
    assert_false(template_write(&template, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_in_braces_are_replaced),
        cmocka_unit_test(everything_else_passes_byte_for_byte),
        cmocka_unit_test(a_reference_that_is_broken_or_not_ended_is_refused_with_its_line),
        cmocka_unit_test(a_nul_byte_or_no_end_in_a_reference_is_refused),
        cmocka_unit_test(each_reference_is_asked_for_once_and_bare_ones_are_counted),
        cmocka_unit_test(too_many_references_and_too_large_a_result_are_refused),
        cmocka_unit_test(a_result_larger_than_the_buffer_is_written_whole),
        cmocka_unit_test(a_descriptor_that_takes_nothing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
