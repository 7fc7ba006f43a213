/* cli/import: what items of password managers become, and the plan they go into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/name.h"
#include "import/item.h"

static void domains_titles_and_the_catalogue_name_the_app(void **state)
{
    static const struct {
        const char *title;
        const char *urls[2];
        const char *name;
    } cases[] = {
        {"GitHub",             {NULL},                                             "github:u"  },
        {"my hub",             {"https://gist.github.com/x"},                      "github:u"  },
        {"my hub",             {"gist.github.com"},                                "github:u"  },
        {"zz",                 {"https://u:p@www.acme.co.uk:8443/a?b#c"},          "acme:u"    },
        {"zz",                 {"https://acme.io"},                                "acme:u"    },
        {"zz",                 {"https://t.co"},                                   "t:u"       },
        {"Some  box! ",        {"http://10.0.0.1/"},                               "some_box:u"},
        {"Some box",           {"http://localhost:3000"},                          "some_box:u"},
        {"Both",               {"https://a.example.com", "https://b.example.com"}, "example:u" },
        {"Both",               {"https://a.example.com", "https://b.other.com"},   "both:u"    },
        {"Slack",              {"https://sso.acme.com/login"},                     "slack:u"   },
        {"Slack",              {"https://github.com"},                             "github:u"  },
        {"Gr\xc3\xbc\xc3\x9f", {NULL},                                             "gr:u"      },
        {"zz",                 {"https:///"},                                      "zz:u"      },
        {"zz",                 {"https://.."},                                     "zz:u"      },
        {"zz",                 {"https://a@b@c.example.org/"},                     "example:u" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(plan_reset) struct plan plan = {0};
        struct item item = {.title = cases[i].title, .origin = "item 1", .user = "u"};
        struct failure failure;

        item_add_text(&item, "password", "p", true);
        for (size_t j = 0; j < 2; j++)
            item_add_url(&item, cases[i].urls[j]);
        item_plan(&item, &plan);
        assert_int_equal(plan_check(&plan, false, &failure), STATUS_OK);
        assert_int_equal(plan.count, 1);
        assert_int_equal(plan.rows[0].kind, PLAN_ACCOUNT);
        assert_string_equal(plan.rows[0].name, cases[i].name);
    }
}

static void labels_keep_what_a_label_can_hold(void **state)
{
    static const struct {
        const char *user;
        const char *label;
    } cases[] = {
        {"bob@example.com", "bob@example.com"},
        {"ACME\\bob",       "ACME-bob"       },
        {"  bob smith ",    "bob-smith"      },
        {"b\xc3\xb6"
         "b",      "b-b"            },
        {"...",             "T"              },
        {NULL,              "T"              },
        {"",                "T"              },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(plan_reset) struct plan plan = {0};
        struct item item = {.title = "T ", .origin = "item 1", .user = cases[i].user};
        struct failure failure;

        item_add_text(&item, "password", "p", true);
        item_plan(&item, &plan);
        assert_int_equal(plan_check(&plan, false, &failure), STATUS_OK);
        assert_string_equal(plan.rows[0].label, cases[i].label);
    }
}

static void properties_have_plain_names_and_whole_values(void **state)
{
    CLEANUP(plan_reset) struct plan plan = {0};
    struct item item = {.title = "t", .origin = "item 1", .note = "n\n", .note_size = 2};
    static const char *const names[] = {"api_key", "fa_code", "url", "url_2", "notes"};
    static const char *const values[] = {" $x ", "1", "https://a.b.org", "https://c.b.org", "n\n"};

    (void)state;
    item_add_text(&item, "API  Key", " $x ", true);
    item_add_text(&item, "2FA-code", "1", false);
    item_add_text(&item, "empty", "", true);
    item_add_url(&item, "https://a.b.org");
    item_add_url(&item, "https://c.b.org");
    item_plan(&item, &plan);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.rows[0].property_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(plan.rows[0].properties[i].name, names[i]);
        assert_string_equal(plan.rows[0].properties[i].bytes, values[i]);
    }
}

static void an_item_that_overflows_or_has_a_value_too_large_is_refused(void **state)
{
    CLEANUP(plan_reset) struct plan plan = {0};
    CLEANUP(secret_reset) struct secret large = {0};
    struct item many = {.title = "t", .origin = "item 1"};
    struct item big = {.title = "u", .origin = "item 2"};

    (void)state;
    for (size_t i = 0; i <= ITEM_FIELDS_MAX; i++)
        item_add_text(&many, "field", "v", true);
    item_plan(&many, &plan);
    for (size_t i = 0; i <= NAME_VALUE_MAX; i++)
        assert_true(secret_append_byte(&large, 'x'));
    item_add_text(&big, "password", secret_text(&large), true);
    item_plan(&big, &plan);
    assert_int_equal(plan_count(&plan, PLAN_REFUSED), 2);
    assert_string_equal(plan.rows[0].reason, "it has more fields or addresses than an account takes");
    assert_string_equal(plan.rows[1].reason, "password: its value is larger than 64 KiB");
}

static void rows_that_share_a_name_are_all_refused(void **state)
{
    CLEANUP(plan_reset) struct plan plan = {0};
    struct failure failure;

    (void)state;
    plan_add_variable(&plan, "A", "1", 1, "line 1", NULL);
    plan_add_variable(&plan, "B", "1", 1, "line 2", NULL);
    plan_add_variable(&plan, "A", "1", 1, "line 3", NULL);
    plan_add_variable(&plan, "LD_PRELOAD", "1", 1, "line 4", NULL);
    plan_add_variable(&plan, "NUL", "a\0b", 3, "line 5", NULL);
    assert_int_equal(plan_check(&plan, true, &failure), STATUS_OK);
    assert_int_equal(plan_count(&plan, PLAN_REFUSED), 3);
    assert_string_equal(plan.rows[0].reason, "line 3 is the same");
    assert_string_equal(plan.rows[2].reason, "line 1 is the same");
    assert_int_equal(plan.rows[3].kind, PLAN_VARIABLE);
    assert_string_equal(plan.rows[4].reason, "its value has a NUL byte in it");
    assert_int_equal(plan_check(&plan, false, &failure), STATUS_OK);
    assert_int_equal(plan.rows[3].kind, PLAN_REFUSED);
}

static void a_plan_is_bounded(void **state)
{
    CLEANUP(plan_reset) struct plan plan = {0};
    CLEANUP(secret_reset) struct secret large = {0};
    struct failure failure;

    (void)state;
    for (size_t i = 0; i < NAME_VALUE_MAX; i++)
        assert_true(secret_append_byte(&large, 'x'));
    for (size_t i = 0; i < PLAN_BYTES_MAX / NAME_VALUE_MAX + 1; i++)
        plan_add_variable(&plan, plan_format(&plan, "V_%zu", i), large.bytes, large.size, "a line", NULL);
    assert_int_equal(plan_check(&plan, false, &failure), STATUS_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_titles_and_the_catalogue_name_the_app),
        cmocka_unit_test(labels_keep_what_a_label_can_hold),
        cmocka_unit_test(properties_have_plain_names_and_whole_values),
        cmocka_unit_test(an_item_that_overflows_or_has_a_value_too_large_is_refused),
        cmocka_unit_test(rows_that_share_a_name_are_all_refused),
        cmocka_unit_test(a_plan_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
