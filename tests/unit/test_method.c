/* Finding methods, checking parameters, reading keys and slots. */
#include "agent/method.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SLOT                                                                                                 \
    "{\"id\":\"000102030405060708090a0b0c0d0e0f\",\"kind\":\"passphrase\",\"memory_kib\":65536,\"passes\":"  \
    "3,"                                                                                                     \
    "\"lanes\":4,\"salt\":\"ffffffffffffffffffffffffffffffff\",\"created\":\"1970-01-01T00:00:01Z\","        \
    "\"key\":\"" KEY "\"}"

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

static struct json *parsed(const char *text)
{
    struct json *json = NULL;
    struct failure failure;

    assert_int_equal(json_parse(text, strlen(text), "test", &failure, &json), STATUS_OK);
    return json;
}

static void methods_are_found_by_interface_and_name(void **state)
{
    const struct method *method = NULL;
    char interface[256];

    (void)state;
    assert_int_equal(method_find("io.stepvault.Agent.Project", &method, interface), METHOD_FOUND);
    assert_string_equal(method->name, "Project");
    assert_int_equal(method_find("org.varlink.service.GetInfo", &method, interface), METHOD_FOUND);
    assert_int_equal(method_find("io.stepvault.Agent.project", &method, interface), METHOD_NO_METHOD);
    assert_int_equal(method_find("io.stepvault.Agent.", &method, interface), METHOD_NO_METHOD);
    assert_int_equal(method_find("org.varlink.service.Project", &method, interface), METHOD_NO_METHOD);
    assert_int_equal(method_find("io.stepvault.Other.Project", &method, interface), METHOD_NO_INTERFACE);
    assert_string_equal(interface, "io.stepvault.Other");
    assert_int_equal(method_find("Project", &method, interface), METHOD_NO_INTERFACE);
    assert_int_equal(method_find("", &method, interface), METHOD_NO_INTERFACE);
}

static void an_over_long_interface_is_cut_between_characters(void **state)
{
    const struct method *method = NULL;
    char interface[256];
    char name[600];

    (void)state;
    for (size_t at = 0; at < 250; at++)
        memcpy(name + 2 * at, "\xc3\xa9", 2);
    memcpy(name + 500, ".B", 3);
    assert_int_equal(method_find(name, &method, interface), METHOD_NO_INTERFACE);
    assert_int_equal(strlen(interface), 254);
}

static void every_row_says_what_it_needs(void **state)
{
    size_t at = 0;

    (void)state;
    for (const struct method *method; (method = method_at(at)) != NULL; at++) {
        assert_non_null(method->serve);
        if (method->flags & METHOD_FRESH_KEY)
            assert_true(method->action != NULL && method->state == METHOD_OPEN);
    }
    assert_true(at > 30); /* tests/lint/protocol has the list */
}

static void the_first_parameter_that_is_wrong_is_named(void **state)
{
    static const struct {
        const char *method;
        const char *parameters;
        const char *wrong;
    } cases[] = {
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\"}",                                                   NULL         },
        {"Project",
         "{\"vault\":\"/v\",\"step\":\"a\",\"own\":null,\"deliver\":[],\"slot_key\":{\"key\":\"\"}}",          NULL         },
        {"Project",     "{\"vault\":\"/v\"}",                                                                  "step"       },
        {"Project",     "{\"vault\":\"/v\",\"step\":null}",                                                    "step"       },
        {"Project",     "{\"step\":\"a\"}",                                                                    "vault"      },
        {"Project",     "{\"vault\":1,\"step\":\"a\"}",                                                        "vault"      },
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\",\"deliver\":[null]}",                                "deliver"    },
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\",\"deliver\":\"env\"}",                               "deliver"    },
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\",\"own\":1}",                                         "own"        },
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\",\"more\":1}",                                        "more"       },
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\",\"slot_key\":{\"slot\":\"\"}}",                      "slot_key"   },
        {"Project",     "{\"vault\":\"/v\",\"step\":\"a\",\"slot_key\":{\"key\":\"\",\"kind\":\"\"}}",
         "slot_key"                                                                                                         },
        {"Unlock",      "{\"vault\":\"/v\",\"idle\":1.5}",                                                     "idle"       },
        {"Lock",        "{\"vault\":\"/v\",\"slot_key\":{\"key\":\"\"}}",                                      "slot_key"   },
        {"AddAccount",  "{\"vault\":\"/v\",\"app\":\"a\",\"properties\":[]}",                                  "properties" },
        {"Initialize",  "{\"vault\":\"/v\",\"slots\":[" SLOT "]}",                                             NULL         },
        {"Initialize",  "{\"vault\":\"/v\",\"slots\":[" SLOT ",{}]}",                                          "slots"      },
        {"Initialize",  "{\"vault\":\"/v\",\"slots\":{}}",                                                     "slots"      },
        {"AddSlot",     "{\"vault\":\"/v\",\"new_slot\":[]}",                                                  "new_slot"   },
        {"StageImport", "{\"vault\":\"/v\",\"path\":\"/\",\"environment\":\"QT0A\"}",                          NULL         },
        {"StageImport", "{\"vault\":\"/v\",\"environment\":{}}",                                               "environment"},
        {"StageImport", "{\"vault\":\"/v\",\"accounts\":[{\"app\":\"a\",\"label\":\"b\"}]}",                   "accounts"   },
        {"StageImport", "{\"vault\":\"/v\",\"accounts\":[{\"app\":\"a\",\"label\":\"b\",\"properties\":[]}]}",
         "accounts"                                                                                                         },
        {"Status",      "{\"vault\":\"/v\"}",                                                                  NULL         },
    };

    (void)state;
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        CLEANUP(json_freep) struct json *parameters = parsed(cases[at].parameters);
        const struct method *method = NULL;
        char interface[256];
        char name[64];
        const char *wrong;

        snprintf(name, sizeof(name), CALL_INTERFACE ".%s", cases[at].method);
        assert_int_equal(method_find(name, &method, interface), METHOD_FOUND);
        wrong = method_check(method, parameters);
        if ((wrong == NULL) != (cases[at].wrong == NULL) ||
            (wrong != NULL && strcmp(wrong, cases[at].wrong) != 0))
            fail_msg("%s %s: %s", name, cases[at].parameters, wrong == NULL ? "taken" : wrong);
    }
}

static void no_parameters_at_all_lack_the_vault(void **state)
{
    const struct method *method = NULL;
    char interface[256];

    (void)state;
    method_find("io.stepvault.Agent.Status", &method, interface);
    assert_string_equal(method_check(method, NULL), "vault");
    method_find("org.varlink.service.GetInfo", &method, interface);
    assert_null(method_check(method, NULL));
}

static void a_slot_key_is_read_or_refused(void **state)
{
    CLEANUP(json_freep)
    struct json *named = parsed("{\"slot\":\"000102030405060708090a0b0c0d0e0f\",\"key\":\"" KEY "\"}");
    CLEANUP(json_freep) struct json *unnamed = parsed("{\"slot\":null,\"key\":\"" KEY "\"}");
    CLEANUP(json_freep) struct json *bad_slot = parsed("{\"slot\":\"0001\",\"key\":\"" KEY "\"}");
    CLEANUP(json_freep) struct json *short_key = parsed("{\"key\":\"AAEC\"}");
    CLEANUP(json_freep) struct json *no_key = parsed("{\"key\":\"!\"}");
    struct vault_key key = {.has_slot = false};
    struct failure failure;

    (void)state;
    assert_int_equal(method_read_key(named, &failure, &key), STATUS_OK);
    assert_true(key.has_slot && key.slot[15] == 15 && key.key[31] == 31);
    assert_int_equal(method_read_key(unnamed, &failure, &key), STATUS_OK);
    assert_false(key.has_slot);
    assert_int_equal(method_read_key(bad_slot, &failure, &key), STATUS_INVALID);
    assert_int_equal(method_read_key(short_key, &failure, &key), STATUS_INVALID);
    assert_int_equal(method_read_key(no_key, &failure, &key), STATUS_INVALID);
}

static void a_new_slot_is_read(void **state)
{
    CLEANUP(json_freep) struct json *json = parsed(SLOT);
    struct vault_new_slot slot;
    struct failure failure;

    (void)state;
    assert_int_equal(method_read_slot(json, &failure, &slot), STATUS_OK);
    assert_int_equal(slot.header.kind, SLOT_PASSPHRASE);
    assert_int_equal(slot.header.kdf.memory_kib, 65536);
    assert_int_equal(slot.header.kdf.passes, 3);
    assert_int_equal(slot.header.kdf.lanes, 4);
    assert_int_equal(slot.header.kdf.salt[0], 0xff);
    assert_int_equal(slot.header.created_ms, 1000);
    assert_int_equal(slot.key[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_found_by_interface_and_name),
        cmocka_unit_test(an_over_long_interface_is_cut_between_characters),
        cmocka_unit_test(every_row_says_what_it_needs),
        cmocka_unit_test(the_first_parameter_that_is_wrong_is_named),
        cmocka_unit_test(no_parameters_at_all_lack_the_vault),
        cmocka_unit_test(a_slot_key_is_read_or_refused),
        cmocka_unit_test(a_new_slot_is_read),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
