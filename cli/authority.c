/* Reading what authorises, and making a key of it. */
#include "authority.h"

#include "prompt.h"

void authority_reset(struct authority *authority)
{
    secret_reset(&authority->text);
}

enum status authority_read(const struct exchange *exchange, const struct option_values *options,
                           bool asks_code, struct failure *failure, struct authority *ret_authority)
{
    int passphrase, code;
    enum status status = option_descriptor(options, "passphrase-fd", failure, &passphrase);

    if (status == STATUS_OK)
        status = option_descriptor(options, "recovery-code-fd", failure, &code);
    if (status != STATUS_OK)
        return status;
    asks_code = asks_code || code != -1;
    if (asks_code && passphrase != -1)
        return failure_set(failure, STATUS_USAGE, "a passphrase and a recovery code exclude each other");
    if (asks_code) {
        ret_authority->kind = SLOT_RECOVERY;
        return prompt_code(code, failure, &ret_authority->text);
    }
    ret_authority->kind = passphrase == -1 && exchange->has_key_file ? SLOT_MACHINE : SLOT_PASSPHRASE;
    return ret_authority->kind == SLOT_MACHINE
               ? STATUS_OK
               : prompt_passphrase(passphrase, "Passphrase: ", failure, &ret_authority->text);
}

enum status authority_derive(const struct exchange *exchange, const struct authority *authority,
                             const struct key_headers *headers, struct failure *failure, struct key *ret_key)
{
    const struct slot_header *header = NULL;
    enum status status;

    if (authority->kind == SLOT_MACHINE)
        return key_read_file(exchange->key_file, failure, ret_key);
    status = key_find_header(headers, authority->kind, failure, &header);
    if (status != STATUS_OK)
        return status;
    return authority->kind == SLOT_RECOVERY ? key_from_code(&authority->text, header, failure, ret_key)
                                            : key_from_passphrase(&authority->text, header, failure, ret_key);
}

enum status authority_open(struct exchange *exchange, const struct authority *authority,
                           struct failure *failure, struct key_headers *ret_headers, struct key *ret_key)
{
    enum status status = exchange_open(exchange, failure);

    if (status == STATUS_OK)
        status = exchange_list_slots(exchange, failure, ret_headers);
    return status == STATUS_OK ? authority_derive(exchange, authority, ret_headers, failure, ret_key)
                               : status;
}

enum status authority_judge(const struct authority *authority, enum status status, struct failure *failure)
{
    if (status != STATUS_WRONG_KEY || authority->kind == SLOT_MACHINE)
        return status;
    return failure_set(failure, STATUS_WRONG_KEY, "the %s does not open the vault",
                       authority->kind == SLOT_RECOVERY ? "recovery code" : "passphrase");
}
