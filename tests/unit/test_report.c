/* cli/report.c: advice for every outcome, or a reason to give none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report.h"

/* Their sentences say what to do, or there is nothing to do. */
static const enum status without_advice[] = {
    STATUS_OK,        STATUS_FAILED, STATUS_INVALID, STATUS_TOO_LARGE, STATUS_REFUSED,
    STATUS_NOT_FOUND, STATUS_EXISTS, STATUS_IN_USE,  STATUS_WAITS,
};

static void every_outcome_has_advice_or_a_reason_to_have_none(void **state)
{
    (void)state;
    for (enum status status = STATUS_OK; status < STATUS_COUNT; status++) {
        bool expected = true;

        for (size_t i = 0; i < sizeof(without_advice) / sizeof(without_advice[0]); i++)
            expected = expected && without_advice[i] != status;
        if ((report_hint(status) != NULL) != expected)
            fail_msg("%s: %s", status_wire_name(status),
                     expected ? "no hint" : "a hint that is not expected");
    }
}

static void advice_is_a_clause_that_follows_a_semicolon(void **state)
{
    (void)state;
    for (enum status status = STATUS_OK; status < STATUS_COUNT; status++) {
        const char *hint = report_hint(status);

        if (hint == NULL)
            continue;
        assert_true(hint[0] >= 'a' && hint[0] <= 'z');
        assert_null(strchr(hint, '\n'));
        assert_true(hint[strlen(hint) - 1] != '.');
        assert_true(strlen(hint) < 100);
    }
}

static void an_outcome_that_is_none_has_no_advice(void **state)
{
    (void)state;
    assert_null(report_hint(STATUS_COUNT));
    assert_null(report_hint((enum status) - 1));
}

static void an_agent_that_ended_is_no_matter_of_folders(void **state)
{
    (void)state;
    assert_null(strstr(report_hint(STATUS_AGENT_ENDED), "XDG_RUNTIME_DIR"));
    assert_non_null(strstr(report_hint(STATUS_NO_AGENT), "XDG_RUNTIME_DIR"));
}

static void who_has_no_vault_may_have_a_backup(void **state)
{
    (void)state;
    assert_non_null(strstr(report_hint(STATUS_NO_VAULT), "stepvault init"));
    assert_non_null(strstr(report_hint(STATUS_NO_VAULT), "stepvault restore FILE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_outcome_has_advice_or_a_reason_to_have_none),
        cmocka_unit_test(advice_is_a_clause_that_follows_a_semicolon),
        cmocka_unit_test(an_outcome_that_is_none_has_no_advice),
        cmocka_unit_test(an_agent_that_ended_is_no_matter_of_folders),
        cmocka_unit_test(who_has_no_vault_may_have_a_backup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
