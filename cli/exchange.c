/* Questions as documents, for client/ask.h. */
#include "exchange.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "output.h"

#include <poll.h>
#include <string.h>

#define AGENT_END_MS 2000

enum status exchange_start(const struct invocation *invocation, const char *key_option,
                           struct failure *failure, struct exchange *ret_exchange)
{
    enum status status =
        file_vault_path(option_text(&invocation->options, "vault"), failure, ret_exchange->vault);

    if (status != STATUS_OK)
        return status;
    if (!text_is_utf8(ret_exchange->vault, strlen(ret_exchange->vault)))
        return failure_set(failure, STATUS_INVALID,
                           "the vault's path is not UTF-8 text, so no call can name it");
    ret_exchange->has_key_file = file_key_path(key_option, ret_exchange->key_file);
    ret_exchange->client = NULL;
    ret_exchange->started = false;
    command_words(invocation->command, ret_exchange->words);
    return STATUS_OK;
}

void exchange_reset(struct exchange *exchange)
{
    client_freep(&exchange->client);
    exchange->started = false;
}

enum status exchange_connect(struct exchange *exchange, struct failure *failure)
{
    return client_connect(exchange->vault, failure, &exchange->client);
}

enum status exchange_start_agent(struct exchange *exchange, bool stays, struct failure *failure)
{
    char socket[PATH_MAX];
    const struct client_agent agent = {.vault = exchange->vault, .socket = stays ? socket : NULL};
    enum status status = stays ? file_socket_path(exchange->vault, failure, socket) : STATUS_OK;

    if (status == STATUS_OK)
        status = client_start_agent(&agent, failure, &exchange->client);
    exchange->started = exchange->started || status == STATUS_OK;
    return status;
}

enum status exchange_open(struct exchange *exchange, struct failure *failure)
{
    enum status status = exchange_connect(exchange, failure);

    if (status != STATUS_NO_AGENT)
        return status;
    status = ask_check_vault(exchange->vault, failure);
    return status == STATUS_OK ? exchange_start_agent(exchange, false, failure) : status;
}

/* The agent reads /proc/<pid>/exe of who asks, which the kernel shows of dumpable processes only, and this
 * program is undumpable from its first line on. */
static void complete(struct ask *ask, const struct exchange *exchange)
{
    ask->vault = exchange->vault;
    ask->key_file = exchange->has_key_file ? exchange->key_file : NULL;
    ask->purpose = exchange->words;
    ask->undumpable = true;
    ask->hidden = true;
}

enum status exchange_ready(struct exchange *exchange, struct failure *failure)
{
    CLEANUP(client_freep) struct client *client = NULL;
    struct ask ask = {0};

    complete(&ask, exchange);
    return ask_connect(&ask, failure, &client);
}

void exchange_question(struct question *question, const char *method)
{
    *question = (struct question){.ask = {.method = method}};
    json_writer_start(&question->writer, &question->members);
    json_open_object(&question->writer, NULL);
}

static void add_list(struct question *question, const struct command_member *member,
                     const struct option_values *options)
{
    size_t position = 0;
    const char *text;

    if (!option_flag(options, member->option))
        return;
    json_open_array(&question->writer, member->name);
    while ((text = option_next(options, member->option, &position)) != NULL)
        json_add_text(&question->writer, NULL, text);
    json_close_array(&question->writer);
}

static enum status add_number(struct question *question, const struct command_member *member,
                              const struct option_values *options, struct failure *failure)
{
    uint64_t number = 0;
    enum status status = option_number(options, member->option, INT64_MAX, 0, failure, &number);

    if (status == STATUS_OK && number == 0)
        status = failure_set(failure, STATUS_USAGE, "--%s is counted from 1 on", member->option);
    if (status == STATUS_OK)
        json_add_number(&question->writer, member->name, number);
    return status;
}

/* The agent reads no durations: what is from now on is so by the clock of who says it. */
static enum status add_expiry(struct question *question, const struct command_member *member,
                              const char *text, struct failure *failure)
{
    char time[CLOCK_TEXT_SIZE] = "";
    uint64_t expires_ms;

    if (strcmp(text, "none") != 0) {
        if (!clock_parse_ahead(text, clock_wall_ms(), &expires_ms))
            return failure_set(failure, STATUS_USAGE,
                               "--%s wants a date such as 2027-03-31, a time such as 2027-03-31T12:00Z, a "
                               "duration such as 90d, or none",
                               member->option);
        clock_format(time, expires_ms);
    }
    json_add_text(&question->writer, member->name, time);
    return STATUS_OK;
}

enum status exchange_add_members(struct question *question, const struct invocation *invocation,
                                 struct failure *failure)
{
    const struct command_member *member = invocation->command->members;
    const struct option_values *options = &invocation->options;
    enum status status = STATUS_OK;

    for (; status == STATUS_OK && member != NULL && member->name != NULL; member++) {
        const char *text = member->source == MEMBER_ARGUMENT ? command_argument(invocation, member->argument)
                                                             : option_text(options, member->option);

        if (text == NULL && member->source == MEMBER_PLACE)
            text = "/";
        if (text == NULL)
            continue;
        if (member->source == MEMBER_FLAG)
            json_add_boolean(&question->writer, member->name, true);
        else if (member->source == MEMBER_LIST)
            add_list(question, member, options);
        else if (member->source == MEMBER_NUMBER)
            status = add_number(question, member, options, failure);
        else if (member->source == MEMBER_EXPIRY)
            status = add_expiry(question, member, text, failure);
        else
            json_add_text(&question->writer, member->name, text);
    }
    return status;
}

void exchange_question_reset(struct question *question)
{
    secret_reset(&question->members);
}

void exchange_answer_reset(struct answer *answer)
{
    json_freep(&answer->document);
    *answer = (struct answer){0};
}

static enum status read_reply(const struct secret *text, struct failure *failure, struct answer *ret_answer)
{
    enum status status;

    exchange_answer_reset(ret_answer);
    status = json_parse(text->bytes, text->size, "the agent's reply", failure, &ret_answer->document);
    if (status == STATUS_INVALID)
        failure->status = status = STATUS_PROTOCOL;
    if (status != STATUS_OK)
        return status;
    ret_answer->parameters = json_member(ret_answer->document, "parameters");
    ret_answer->continues = json_member_boolean(ret_answer->document, "continues", false);
    return STATUS_OK;
}

/* Ends the members, which stand in the request without their own braces. */
static enum status finish_question(struct question *question, const struct exchange *exchange,
                                   struct failure *failure)
{
    if (question->writer.depth > 0)
        json_close_object(&question->writer);
    if (question->writer.failed)
        return failure_set(failure, STATUS_INVALID,
                           "the call cannot be written: an argument is not UTF-8 text, or memory is out");
    question->parameters =
        (struct secret){.bytes = question->members.bytes + 1, .size = question->members.size - 2};
    question->ask.parameters = &question->parameters;
    complete(&question->ask, exchange);
    return STATUS_OK;
}

enum status exchange_send(struct exchange *exchange, struct question *question, const struct key *key,
                          struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(secret_reset) struct secret text = {0};
    const struct ask_key slot_key = {.slot = key != NULL ? key->slot : "",
                                     .bytes = key != NULL ? key->bytes.bytes : NULL};
    enum status status = finish_question(question, exchange, failure);

    if (status == STATUS_OK)
        status = ask_client(&question->ask, exchange->client, key != NULL ? &slot_key : NULL, failure, &text);
    return status == STATUS_OK ? read_reply(&text, failure, ret_answer) : status;
}

enum status exchange_ask(struct exchange *exchange, struct question *question, struct failure *failure,
                         struct answer *ret_answer)
{
    CLEANUP(secret_reset) struct secret text = {0};
    enum status status = finish_question(question, exchange, failure);

    if (status == STATUS_OK)
        status = ask_agent_on(&question->ask, failure, &exchange->client, &text);
    return status == STATUS_OK ? read_reply(&text, failure, ret_answer) : status;
}

enum status exchange_ask_ahead(struct exchange *exchange, struct question *question, struct failure *failure)
{
    enum status status = finish_question(question, exchange, failure);

    return status == STATUS_OK ? ask_ahead(&question->ask, exchange->client, failure) : status;
}

enum status exchange_next(struct exchange *exchange, struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(secret_reset) struct secret text = {0};
    enum status status = client_next_reply(exchange->client, failure, &text);

    if (status == STATUS_OK)
        status = client_reply_status(&text, failure);
    return status == STATUS_OK ? read_reply(&text, failure, ret_answer) : status;
}

enum status exchange_list_slots(struct exchange *exchange, struct failure *failure,
                                struct key_headers *ret_headers)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status;

    exchange_question(&question, "ListSlots");
    status = exchange_send(exchange, &question, NULL, failure, &answer);
    return status == STATUS_OK ? key_read_headers(answer.parameters, failure, ret_headers) : status;
}

enum status exchange_lock(struct exchange *exchange, struct failure *failure, bool *ret_was_open)
{
    CLEANUP(exchange_question_reset) struct question question = {0};
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    struct pollfd ended = {.events = POLLIN};
    enum status status;

    exchange_question(&question, "Lock");
    status = exchange_send(exchange, &question, NULL, failure, &answer);
    if (status != STATUS_OK)
        return status;
    /* Whoever unlocks next must not meet the agent that is about to end. */
    ended.fd = exchange->client->descriptor;
    (void)poll(&ended, 1, AGENT_END_MS);
    if (ret_was_open != NULL)
        *ret_was_open = json_member_boolean(answer.parameters, "was_open", false);
    return STATUS_OK;
}

enum status exchange_begin(const struct invocation *invocation, struct failure *failure,
                           struct exchange *ret_exchange, struct question *ret_question)
{
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, ret_exchange);

    if (status != STATUS_OK)
        return status;
    exchange_question(ret_question, invocation->command->method);
    return exchange_add_members(ret_question, invocation, failure);
}

enum status exchange_command(struct invocation *invocation, struct failure *failure,
                             struct answer *ret_answer)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status = exchange_begin(invocation, failure, &exchange, &question);

    return status == STATUS_OK ? exchange_ask(&exchange, &question, failure, ret_answer) : status;
}

enum status command_call(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};

    return exchange_command(invocation, failure, &answer);
}

enum status command_print(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};
    enum status status = exchange_command(invocation, failure, &answer);

    if (status != STATUS_OK)
        return status;
    if (option_flag(&invocation->options, "json"))
        return output_document(answer.parameters, failure);
    return invocation->command->print(invocation, answer.parameters, failure);
}
