/* The method table, and the check of a call's parameters against it. */
#include "agent/method.h"

#include "agent/serve.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <string.h>

#define TEXT PARAMETER_TEXT
#define NUMBER PARAMETER_NUMBER
#define BOOLEAN PARAMETER_BOOLEAN
#define OBJECT PARAMETER_OBJECT
#define TEXTS PARAMETER_TEXTS

#define REQUIRED false
#define OPTIONAL true

/* In the order of the interface file. */
static const struct method methods[] = {
    {"Status",                serve_status,         NULL,                 METHOD_ANY,   METHOD_CALL_KEY,                              {{0}}                                                },
    {"ListSlots",             serve_list_slots,     NULL,                 METHOD_VAULT, 0,                                            {{0}}                                                },
    {"Check",                 serve_check,          NULL,                 METHOD_VAULT, METHOD_ALONE | METHOD_MANY,                   {{0}}                                                },
    {"Initialize",
     serve_initialize,                              "initialize",
     METHOD_ANY,                                                                        METHOD_ALONE | METHOD_NO_KEY,
     {{"slots", PARAMETER_NEW_SLOTS, REQUIRED}}                                                                                                                                            },
    {"Unlock",
     serve_unlock,                                  "unlock",
     METHOD_VAULT,                                                                      METHOD_ALONE,
     {{"lifetime", NUMBER, OPTIONAL}, {"idle", NUMBER, OPTIONAL}}                                                                                                                          },
    {"Lock",                  serve_lock,           "lock",               METHOD_ANY,   METHOD_ALONE | METHOD_NO_KEY,                 {{0}}                                                },
    {"AddSlot",
     serve_add_slot,                                "add-slot",
     METHOD_OPEN,                                                                       METHOD_FRESH_KEY,
     {{"new_slot", PARAMETER_NEW_SLOT, REQUIRED}, {"replace", BOOLEAN, OPTIONAL}}                                                                                                          },
    {"RemoveSlot",
     serve_remove_slot,                             "remove-slot",
     METHOD_OPEN,                                                                       METHOD_FRESH_KEY,
     {{"slot", TEXT, REQUIRED}}                                                                                                                                                            },
    {"ReplacePassphrase",
     serve_replace_passphrase,                      "replace-passphrase",
     METHOD_OPEN,                                                                       METHOD_FRESH_KEY,
     {{"new_slot", PARAMETER_NEW_SLOT, REQUIRED}}                                                                                                                                          },
    {"Rekey",
     serve_rekey,                                   "rekey",
     METHOD_OPEN,                                                                       METHOD_ALONE | METHOD_FRESH_KEY,
     {{"slots", PARAMETER_REKEY_SLOTS, REQUIRED}, {"dry_run", BOOLEAN, OPTIONAL}}                                                                                                          },
    {"AddAccount",
     serve_add_account,                             "add-account",
     METHOD_OPEN,                                                                       0,
     {{"app", TEXT, REQUIRED},
      {"label", TEXT, OPTIONAL},
      {"properties", OBJECT, REQUIRED},
      {"note", TEXT, OPTIONAL},
      {"expires", TEXT, OPTIONAL}}                                                                                                                                                         },
    {"ListAccounts",
     serve_list_accounts,                           NULL,
     METHOD_OPEN,                                                                       0,
     {{"app", TEXT, OPTIONAL}, {"stale", BOOLEAN, OPTIONAL}, {"expiring", BOOLEAN, OPTIONAL}}                                                                                              },
    {"ShowAccount",           serve_show_account,   NULL,                 METHOD_OPEN,  0,                                            {{"account", TEXT, REQUIRED}}                        },
    {"SetAccount",
     serve_set_account,                             "set-account",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED},
      {"properties", OBJECT, REQUIRED},
      {"unset", TEXTS, OPTIONAL},
      {"note", TEXT, OPTIONAL},
      {"expires", TEXT, OPTIONAL}}                                                                                                                                                         },
    {"AnnotateAccount",
     serve_annotate_account,                        "annotate-account",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}, {"note", TEXT, OPTIONAL}, {"expires", TEXT, OPTIONAL}}                                                                                                  },
    {"ListAccountRevisions",
     serve_list_account_revisions,                  NULL,
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}}                                                                                                                                                         },
    {"RestoreAccount",
     serve_restore_account,                         "restore-account",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}, {"revision", NUMBER, OPTIONAL}}                                                                                                                         },
    {"ForgetAccount",
     serve_forget_account,                          "forget-account",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}, {"revision", NUMBER, OPTIONAL}}                                                                                                                         },
    {"RenameAccount",
     serve_rename_account,                          "rename-account",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}, {"label", TEXT, REQUIRED}}                                                                                                                              },
    {"RemoveAccount",         serve_remove_account, "remove-account",     METHOD_OPEN,  0,                                            {{"account", TEXT, REQUIRED}}                        },
    {"AddClient",
     serve_add_client,                              "add-client",
     METHOD_OPEN,                                                                       0,
     {{"app", TEXT, REQUIRED},
      {"label", TEXT, OPTIONAL},
      {"client_id", TEXT, REQUIRED},
      {"client_secret", TEXT, OPTIONAL},
      {"redirect_uri", TEXT, OPTIONAL},
      {"replace", BOOLEAN, OPTIONAL}}                                                                                                                                                      },
    {"ListClients",           serve_list_clients,   NULL,                 METHOD_OPEN,  0,                                            {{"app", TEXT, OPTIONAL}}                            },
    {"RemoveClient",
     serve_remove_client,                           "remove-client",
     METHOD_OPEN,                                                                       0,
     {{"app", TEXT, REQUIRED}, {"label", TEXT, OPTIONAL}}                                                                                                                                  },
    {"Connect",
     serve_connect,                                 "authorize",
     METHOD_OPEN,                                                                       METHOD_MANY,
     {{"app", TEXT, REQUIRED},
      {"provider", TEXT, REQUIRED},
      {"flow", TEXT, REQUIRED},
      {"method", TEXT, OPTIONAL},
      {"client", TEXT, OPTIONAL},
      {"account", TEXT, OPTIONAL},
      {"properties", OBJECT, OPTIONAL},
      {"scopes", TEXTS, OPTIONAL},
      {"user_scopes", TEXTS, OPTIONAL},
      {"redirect_uri", TEXT, OPTIONAL},
      {"port", NUMBER, OPTIONAL},
      {"seconds", NUMBER, OPTIONAL}}                                                                                                                                                       },
    {"AnswerConnect",
     serve_answer_connect,                          NULL,
     METHOD_ANY,                                                                        METHOD_NO_KEY,
     {{"attempt", TEXT, REQUIRED}, {"url", TEXT, REQUIRED}}                                                                                                                                },
    {"KeepAccount",
     serve_keep_account,                            "connect",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, OPTIONAL},
      {"label", TEXT, OPTIONAL},
      {"other_identity", BOOLEAN, OPTIONAL},
      {"note", TEXT, OPTIONAL},
      {"expires", TEXT, OPTIONAL}}                                                                                                                                                         },
    {"RefreshAccount",
     serve_refresh_account,                         "refresh-account",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}}                                                                                                                                                         },
    {"TestAccount",           serve_test_account,   "test",               METHOD_OPEN,  0,                                            {{"account", TEXT, REQUIRED}}                        },
    {"DisconnectAccount",
     serve_disconnect_account,                      "disconnect",
     METHOD_OPEN,                                                                       0,
     {{"account", TEXT, REQUIRED}}                                                                                                                                                         },
    {"Request",
     serve_request,                                 "request",
     METHOD_OPEN,                                                                       METHOD_MANY,
     {{"account", TEXT, REQUIRED},
      {"url", TEXT, REQUIRED},
      {"method", TEXT, OPTIONAL},
      {"headers", TEXTS, OPTIONAL},
      {"body_base64", TEXT, OPTIONAL},
      {"provider", TEXT, OPTIONAL}}                                                                                                                                                        },
    {"SetVariable",
     serve_set_variable,                            "set-variable",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED},
      {"name", TEXT, REQUIRED},
      {"value", TEXT, OPTIONAL},
      {"value_base64", TEXT, OPTIONAL},
      {"allow_dangerous_name", BOOLEAN, OPTIONAL},
      {"note", TEXT, OPTIONAL},
      {"expires", TEXT, OPTIONAL}}                                                                                                                                                         },
    {"GetVariable",
     serve_get_variable,                            "get",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"name", TEXT, REQUIRED}, {"revision", NUMBER, OPTIONAL}}                                                                                                  },
    {"ListVariables",
     serve_list_variables,                          NULL,
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, OPTIONAL}, {"stale", BOOLEAN, OPTIONAL}, {"expiring", BOOLEAN, OPTIONAL}}                                                                                             },
    {"UnsetVariable",
     serve_unset_variable,                          "unset-variable",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"name", TEXT, REQUIRED}}                                                                                                                                  },
    {"BlockVariable",
     serve_block_variable,                          "block-variable",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"name", TEXT, REQUIRED}}                                                                                                                                  },
    {"StageImport",
     serve_stage_import,                            "import",
     METHOD_OPEN,                                                                       METHOD_ALONE | METHOD_STAGES,
     {{"path", TEXT, OPTIONAL},
      {"environment", TEXT, OPTIONAL},
      {"accounts", PARAMETER_IMPORT_ACCOUNTS, OPTIONAL},
      {"replace", BOOLEAN, OPTIONAL},
      {"allow_dangerous_name", BOOLEAN, OPTIONAL},
      {"dry_run", BOOLEAN, OPTIONAL},
      {"commit", BOOLEAN, OPTIONAL}}                                                                                                                                                       },
    {"AnnotateVariable",
     serve_annotate_variable,                       "annotate-variable",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED},
      {"name", TEXT, REQUIRED},
      {"note", TEXT, OPTIONAL},
      {"expires", TEXT, OPTIONAL}}                                                                                                                                                         },
    {"ListVariableRevisions",
     serve_list_variable_revisions,                 NULL,
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"name", TEXT, OPTIONAL}}                                                                                                                                  },
    {"RestoreVariable",
     serve_restore_variable,                        "restore-variable",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED},
      {"name", TEXT, REQUIRED},
      {"revision", NUMBER, OPTIONAL},
      {"allow_dangerous_name", BOOLEAN, OPTIONAL}}                                                                                                                                         },
    {"ForgetVariable",
     serve_forget_variable,                         "forget-variable",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"name", TEXT, REQUIRED}, {"revision", NUMBER, OPTIONAL}}                                                                                                  },
    {"Bind",
     serve_bind,                                    "bind",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED},
      {"account", TEXT, REQUIRED},
      {"alias", TEXT, OPTIONAL},
      {"only", TEXTS, OPTIONAL},
      {"environment", OBJECT, OPTIONAL},
      {"replace", BOOLEAN, OPTIONAL},
      {"allow_dangerous_name", BOOLEAN, OPTIONAL}}                                                                                                                                         },
    {"Unbind",                serve_unbind,         "unbind",             METHOD_OPEN,  0,                                            {{"path", TEXT, REQUIRED}, {"alias", TEXT, REQUIRED}}},
    {"AddStep",
     serve_add_step,                                "add-step",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"no_inherit", BOOLEAN, OPTIONAL}, {"note", TEXT, OPTIONAL}}                                                                                               },
    {"ListSteps",             serve_list_steps,     NULL,                 METHOD_OPEN,  0,                                            {{"under", TEXT, OPTIONAL}}                          },
    {"ShowStep",              serve_show_step,      NULL,                 METHOD_OPEN,  0,                                            {{"path", TEXT, REQUIRED}}                           },
    {"AnnotateStep",
     serve_annotate_step,                           "annotate-step",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"note", TEXT, OPTIONAL}}                                                                                                                                  },
    {"MoveStep",
     serve_move_step,                               "move-step",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"to", TEXT, REQUIRED}, {"dry_run", BOOLEAN, OPTIONAL}}                                                                                                    },
    {"RemoveStep",
     serve_remove_step,                             "remove-step",
     METHOD_OPEN,                                                                       0,
     {{"path", TEXT, REQUIRED}, {"force", BOOLEAN, OPTIONAL}}                                                                                                                              },
    {"ListNames",
     serve_list_names,                              NULL,
     METHOD_OPEN,                                                                       METHOD_NO_USE,
     {{"kind", TEXT, REQUIRED},
      {"prefix", TEXT, OPTIONAL},
      {"path", TEXT, OPTIONAL},
      {"account", TEXT, OPTIONAL}}                                                                                                                                                         },
    {"Project",
     serve_project,                                 "project",
     METHOD_OPEN,                                                                       0,
     {{"step", TEXT, REQUIRED},
      {"deliver", TEXTS, OPTIONAL},
      {"form", TEXT, OPTIONAL},
      {"inherited", TEXTS, OPTIONAL},
      {"keep", TEXTS, OPTIONAL},
      {"own", BOOLEAN, OPTIONAL},
      {"purpose", TEXT, OPTIONAL},
      {"reason", TEXT, OPTIONAL},
      {"command", TEXT, OPTIONAL},
      {"references", OBJECT, OPTIONAL},
      {"empty_auths", BOOLEAN, OPTIONAL}}                                                                                                                                                  },
    {"ReadLog",
     serve_read_log,                                NULL,
     METHOD_OPEN,                                                                       METHOD_MANY,
     {{"step", TEXT, OPTIONAL},
      {"account", TEXT, OPTIONAL},
      {"property", TEXT, OPTIONAL},
      {"variable", TEXT, OPTIONAL},
      {"uid", NUMBER, OPTIONAL},
      {"outcome", TEXT, OPTIONAL},
      {"since", TEXT, OPTIONAL},
      {"pruned", BOOLEAN, OPTIONAL}}                                                                                                                                                       },
    {"VerifyLog",             serve_verify_log,     NULL,                 METHOD_OPEN,  METHOD_MANY,                                  {{"against", TEXT, OPTIONAL}}                        },
    {"ProveLeaf",
     serve_prove_leaf,                              NULL,
     METHOD_OPEN,                                                                       METHOD_ALONE,
     {{"index", NUMBER, REQUIRED}, {"size", NUMBER, OPTIONAL}}                                                                                                                             },
    {"PruneLog",              serve_prune_log,      "prune",              METHOD_OPEN,  METHOD_FRESH_KEY,                             {{"before", TEXT, REQUIRED}}                         },
    {"Checkpoint",            serve_checkpoint,     "checkpoint",         METHOD_OPEN,  METHOD_ALONE,                                 {{0}}                                                },
    {"LogKey",                serve_log_key,        NULL,                 METHOD_OPEN,  0,                                            {{0}}                                                },
    {"Backup",                serve_backup,         "backup",             METHOD_OPEN,  METHOD_MANY,                                  {{0}}                                                },
    {"StageRestore",
     serve_stage_restore,                           NULL,
     METHOD_ANY,                                                                        METHOD_ALONE | METHOD_NO_KEY | METHOD_STAGES,
     {{"data", TEXT, REQUIRED}, {"last", BOOLEAN, OPTIONAL}}                                                                                                                               },
    {"Restore",
     serve_restore,                                 "restore",
     METHOD_ANY,                                                                        METHOD_ALONE | METHOD_MANY,
     {{"commit", BOOLEAN, OPTIONAL}}                                                                                                                                                       },
    {NULL,                    NULL,                 NULL,                 METHOD_ANY,   0,                                            {{0}}                                                },
};

static const struct method service_methods[] = {
    {"GetInfo",                 serve_info, NULL, METHOD_ANY, METHOD_SERVICE | METHOD_NO_KEY, {{0}}},
    {"GetInterfaceDescription",
     serve_description,                     NULL,
     METHOD_ANY,                                              METHOD_SERVICE | METHOD_NO_KEY,
     {{"interface", TEXT, REQUIRED}}                                                               },
    {NULL,                      NULL,       NULL, METHOD_ANY, 0,                              {{0}}},
};

static const struct parameter vault_parameter = {"vault", TEXT, REQUIRED};
/* A missing key is a matter of the method's state (Locked, KeyRequired), not of its form. */
static const struct parameter key_parameter = {"slot_key", PARAMETER_SLOT_KEY, OPTIONAL};

static const struct parameter slot_key_members[] = {
    {"slot", TEXT, OPTIONAL},
    {"key",  TEXT, REQUIRED},
    {NULL,   0,    false   }
};
static const struct parameter new_slot_members[] = {
    {"id",         TEXT,   REQUIRED},
    {"kind",       TEXT,   REQUIRED},
    {"memory_kib", NUMBER, REQUIRED},
    {"passes",     NUMBER, REQUIRED},
    {"lanes",      NUMBER, REQUIRED},
    {"salt",       TEXT,   REQUIRED},
    {"created",    TEXT,   REQUIRED},
    {"key",        TEXT,   REQUIRED},
    {NULL,         0,      false   }
};

static const struct parameter rekey_slot_members[] = {
    {"id",         TEXT,   REQUIRED},
    {"kind",       TEXT,   REQUIRED},
    {"memory_kib", NUMBER, REQUIRED},
    {"passes",     NUMBER, REQUIRED},
    {"lanes",      NUMBER, REQUIRED},
    {"salt",       TEXT,   REQUIRED},
    {"created",    TEXT,   REQUIRED},
    {"key",        TEXT,   REQUIRED},
    {"old_key",    TEXT,   OPTIONAL},
    {NULL,         0,      false   }
};

static const struct parameter import_account_members[] = {
    {"app",        TEXT,   REQUIRED},
    {"label",      TEXT,   REQUIRED},
    {"properties", OBJECT, REQUIRED},
    {"note",       TEXT,   OPTIONAL},
    {NULL,         0,      false   }
};

const struct method *method_at(size_t index)
{
    return index < sizeof(methods) / sizeof(methods[0]) - 1 ? &methods[index] : NULL;
}

enum method_lookup method_find(const char *name, const struct method **ret_method, char interface[256])
{
    const char *dot = strrchr(name, '.');
    size_t length = dot == NULL ? strlen(name) : (size_t)(dot - name);
    const struct method *row;

    length = length < 255 ? length : 255;
    while (length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    memcpy(interface, name, length);
    interface[length] = '\0';
    if (dot == NULL)
        return METHOD_NO_INTERFACE;
    if (strcmp(interface, CALL_INTERFACE) == 0)
        row = methods;
    else if (strcmp(interface, CALL_SERVICE) == 0)
        row = service_methods;
    else
        return METHOD_NO_INTERFACE;
    for (; row->name != NULL; row++) {
        if (strcmp(row->name, dot + 1) == 0) {
            *ret_method = row;
            return METHOD_FOUND;
        }
    }
    return METHOD_NO_METHOD;
}

static bool members_fit(const struct json *object, const struct parameter *members);

static bool texts_fit(const struct json *value)
{
    if (json_kind(value) != JSON_KIND_ARRAY)
        return false;
    for (size_t at = 0; at < json_count(value); at++) {
        if (json_text(json_at(value, at), NULL) == NULL)
            return false;
    }
    return true;
}

static bool list_fits(const struct json *value, const struct parameter *members)
{
    if (json_kind(value) != JSON_KIND_ARRAY)
        return false;
    for (size_t at = 0; at < json_count(value); at++) {
        if (!members_fit(json_at(value, at), members))
            return false;
    }
    return true;
}

static bool value_fits(const struct json *value, enum parameter_kind kind)
{
    int64_t number;
    bool boolean;

    switch (kind) {
    case PARAMETER_TEXT:
        return json_text(value, NULL) != NULL;
    case PARAMETER_NUMBER:
        return json_number(value, &number);
    case PARAMETER_BOOLEAN:
        return json_boolean(value, &boolean);
    case PARAMETER_OBJECT:
        return json_kind(value) == JSON_KIND_OBJECT;
    case PARAMETER_TEXTS:
        return texts_fit(value);
    case PARAMETER_SLOT_KEY:
        return members_fit(value, slot_key_members);
    case PARAMETER_NEW_SLOT:
        return members_fit(value, new_slot_members);
    case PARAMETER_NEW_SLOTS:
        return list_fits(value, new_slot_members);
    case PARAMETER_REKEY_SLOTS:
        return list_fits(value, rekey_slot_members);
    case PARAMETER_IMPORT_ACCOUNTS:
        return list_fits(value, import_account_members);
    }
    return false;
}

static const struct parameter *parameter_find(const struct parameter *parameters, const char *name)
{
    for (; parameters->name != NULL; parameters++) {
        if (strcmp(parameters->name, name) == 0)
            return parameters;
    }
    return NULL;
}

/* null stands for a member that is not there, as Varlink has it. */
static bool member_fits(const struct json *value, const struct parameter *parameter)
{
    return parameter != NULL && (json_kind(value) == JSON_KIND_NULL || value_fits(value, parameter->kind));
}

static bool members_fit(const struct json *object, const struct parameter *members)
{
    void *iterator = NULL;
    const struct json *value;
    const char *key;

    if (json_kind(object) != JSON_KIND_OBJECT)
        return false;
    while (json_next(object, &iterator, &key, &value)) {
        if (!member_fits(value, parameter_find(members, key)))
            return false;
    }
    for (; members->name != NULL; members++) {
        if (!members->optional && json_member(object, members->name) == NULL)
            return false;
    }
    return true;
}

static const struct parameter *method_parameter(const struct method *method, const char *name)
{
    if (strcmp(name, vault_parameter.name) == 0 && !(method->flags & METHOD_SERVICE))
        return &vault_parameter;
    if (strcmp(name, key_parameter.name) == 0 && !(method->flags & METHOD_NO_KEY))
        return &key_parameter;
    return parameter_find(method->parameters, name);
}

const char *method_check(const struct method *method, const struct json *parameters)
{
    void *iterator = NULL;
    const struct json *value;
    const char *key;

    while (parameters != NULL && json_next(parameters, &iterator, &key, &value)) {
        if (!member_fits(value, method_parameter(method, key)))
            return key;
    }
    if (!(method->flags & METHOD_SERVICE) && json_member(parameters, vault_parameter.name) == NULL)
        return vault_parameter.name;
    for (const struct parameter *row = method->parameters; row->name != NULL; row++) {
        if (!row->optional && json_member(parameters, row->name) == NULL)
            return row->name;
    }
    return NULL;
}

/* Base64 of exactly 32 bytes. */
static bool key_read(const struct json *object, const char *member, uint8_t destination[SLOT_KEY_SIZE])
{
    CLEANUP(secret_reset) struct secret key = {0};
    size_t length;
    const char *base64 = json_text(json_member(object, member), &length);

    if (!text_append_from_base64(&key, base64, length) || key.size != SLOT_KEY_SIZE)
        return false;
    memcpy(destination, key.bytes, SLOT_KEY_SIZE);
    return true;
}

enum status method_read_key(const struct json *slot_key, struct failure *failure, struct vault_key *ret_key)
{
    const char *slot = json_member_text(slot_key, "slot");

    ret_key->has_slot = slot != NULL;
    if (slot != NULL && !text_from_hex(ret_key->slot, SLOT_ID_SIZE, slot))
        return failure_set(failure, STATUS_INVALID,
                           "the slot of the slot key is not an id of 32 hexadecimal digits");
    if (!key_read(slot_key, "key", ret_key->key))
        return failure_set(failure, STATUS_INVALID, "the slot key is not base64 of 32 bytes");
    return STATUS_OK;
}

static bool number_read(const struct json *object, const char *name, uint32_t *ret_number)
{
    int64_t number = json_member_number(object, name, -1);

    if (number < 0 || number > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

enum status method_read_slot(const struct json *new_slot, struct failure *failure,
                             struct vault_new_slot *ret_slot)
{
    struct slot_header *header = &ret_slot->header;

    if (!text_from_hex(header->id, SLOT_ID_SIZE, json_member_text(new_slot, "id")))
        return failure_set(failure, STATUS_INVALID, "a new slot's id is not 32 hexadecimal digits");
    if (!slot_kind_from_name(json_member_text(new_slot, "kind"), &header->kind))
        return failure_set(failure, STATUS_INVALID,
                           "a new slot's kind is none of passphrase, login, recovery and machine");
    if (!number_read(new_slot, "memory_kib", &header->kdf.memory_kib) ||
        !number_read(new_slot, "passes", &header->kdf.passes) ||
        !number_read(new_slot, "lanes", &header->kdf.lanes))
        return failure_set(failure, STATUS_INVALID, "a new slot's Argon2id parameters are out of range");
    if (!text_from_hex(header->kdf.salt, SLOT_SALT_SIZE, json_member_text(new_slot, "salt")))
        return failure_set(failure, STATUS_INVALID, "a new slot's salt is not 32 hexadecimal digits");
    if (!clock_parse(json_member_text(new_slot, "created"), clock_wall_ms(), &header->created_ms))
        return failure_set(failure, STATUS_INVALID, "a new slot's time of creation is not RFC 3339");
    if (!key_read(new_slot, "key", ret_slot->key))
        return failure_set(failure, STATUS_INVALID, "a new slot's key is not base64 of 32 bytes");
    return STATUS_OK;
}

enum status method_read_claim(const struct json *rekey_slot, struct failure *failure,
                              struct rekey_claim *ret_claim)
{
    ret_claim->continues = json_member(rekey_slot, "old_key") != NULL;
    if (ret_claim->continues && !key_read(rekey_slot, "old_key", ret_claim->old_key))
        return failure_set(failure, STATUS_INVALID, "the old key of a slot is not base64 of 32 bytes");
    return STATUS_OK;
}
