/* The order in which a command looks for someone to ask, and the frames it sends. */
#include "exchange.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "client/journal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define INTERFACE "io.stepvault.Agent."
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
    enum status status = client_connect(exchange->vault, failure, &exchange->client);

    if (status == STATUS_OK)
        exchange->client->undumpable = true;
    return status;
}

enum status exchange_start_agent(struct exchange *exchange, bool stays, struct failure *failure)
{
    char program[PATH_MAX];
    char socket[PATH_MAX];
    struct client_agent agent = {
        .program = program, .vault = exchange->vault, .socket = stays ? socket : NULL};
    enum status status = client_find_program("stepvault-agent", failure, program);

    if (status == STATUS_OK && stays)
        status = file_socket_path(exchange->vault, failure, socket);
    if (status == STATUS_OK)
        status = client_start_agent(&agent, failure, &exchange->client);
    if (status != STATUS_OK)
        return status;
    exchange->client->undumpable = true;
    exchange->started = true;
    return STATUS_OK;
}

enum status exchange_open(struct exchange *exchange, struct failure *failure)
{
    enum status status = exchange_connect(exchange, failure);

    if (status != STATUS_NO_AGENT)
        return status;
    status = exchange_check_vault(exchange, failure);
    return status == STATUS_OK ? exchange_start_agent(exchange, false, failure) : status;
}

enum status exchange_check_vault(const struct exchange *exchange, struct failure *failure)
{
    struct stat facts;

    if (lstat(exchange->vault, &facts) == 0)
        return STATUS_OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return failure_set(failure, STATUS_NO_VAULT, "there is no vault at %s", exchange->vault);
    return failure_set_errno(failure, STATUS_FAILED, errno, "cannot look at the vault %s", exchange->vault);
}

void exchange_question(struct question *question, const char *method)
{
    *question = (struct question){.method = method};
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

void exchange_add_members(struct question *question, const struct invocation *invocation)
{
    const struct command_member *member = invocation->command->members;

    for (; member != NULL && member->name != NULL; member++) {
        const char *text = member->source == MEMBER_ARGUMENT
                               ? command_argument(invocation, member->argument)
                               : option_text(&invocation->options, member->option);

        if (text == NULL && member->source == MEMBER_PLACE)
            text = "/";
        if (text == NULL)
            continue;
        if (member->source == MEMBER_FLAG)
            json_add_boolean(&question->writer, member->name, true);
        else if (member->source == MEMBER_LIST)
            add_list(question, member, &invocation->options);
        else
            json_add_text(&question->writer, member->name, text);
    }
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

/* The frame: the members stand behind `vault` and `slot_key` in one object, without their own braces. */
static bool write_request(const struct exchange *exchange, const struct question *question,
                          const struct key *key, struct secret *request)
{
    struct json_writer writer;
    char full[256] = INTERFACE;
    size_t before;
    bool joined;

    if (strchr(question->method, '.') != NULL)
        full[0] = '\0';
    strncat(full, question->method, sizeof(full) - sizeof(INTERFACE) - 1);
    json_writer_start(&writer, request);
    json_open_object(&writer, NULL);
    json_add_text(&writer, "method", full);
    if (question->more)
        json_add_boolean(&writer, "more", true);
    json_open_object(&writer, "parameters");
    before = request->size;
    if (!question->without_vault)
        json_add_text(&writer, "vault", exchange->vault);
    if (!question->without_key && key != NULL)
        key_write(&writer, "slot_key", key);
    joined = request->size > before && question->members.size > 2;
    return !writer.failed && (!joined || secret_append_byte(request, ',')) &&
           secret_append(request, question->members.bytes + 1, question->members.size - 2) &&
           secret_append_text(request, "}}");
}

static enum status read_reply(const struct secret *text, struct failure *failure, struct answer *ret_answer)
{
    enum status status = client_reply_status(text, failure);

    if (status != STATUS_OK)
        return status;
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

/* The agent reads /proc/<pid>/exe of who asks, which the kernel shows of dumpable processes only. */
static enum status exchange_frames(struct exchange *exchange, const struct secret *request,
                                   struct failure *failure, struct secret *ret_text)
{
    enum status status;

    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    status = client_call(exchange->client, request, failure, ret_text);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return status;
}

/* What a method that is none, or a wrong parameter, is called in org.varlink.service's errors. */
static enum status explain_service_error(const struct secret *text, struct failure *failure)
{
    static const char *const members[] = {"method", "parameter", "interface"};
    CLEANUP(json_freep) struct json *document = NULL;
    const char *error, *name = NULL;
    enum status status = json_parse(text->bytes, text->size, "the agent's reply", failure, &document);

    if (status != STATUS_OK)
        return status;
    error = json_member_text(document, "error");
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && name == NULL; i++)
        name = json_member_text(json_member(document, "parameters"), members[i]);
    return failure_set(failure, STATUS_INVALID, "the agent answered %s: %s",
                       error != NULL ? error : "an error", name != NULL ? name : "");
}

enum status exchange_send(struct exchange *exchange, struct question *question, const struct key *key,
                          struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(secret_reset) struct secret request = {0};
    CLEANUP(secret_reset) struct secret text = {0};
    enum status status;

    if (question->writer.depth > 0)
        json_close_object(&question->writer);
    if (question->writer.failed)
        return failure_set(failure, STATUS_INVALID,
                           "the call cannot be written: an argument is not UTF-8 text, or memory is out");
    if (!write_request(exchange, question, key, &request))
        return failure_set(failure, STATUS_NO_MEMORY, "not enough memory for the call");
    status = exchange_frames(exchange, &request, failure, &text);
    if (status != STATUS_OK)
        return status;
    status = read_reply(&text, failure, ret_answer);
    return status == STATUS_PROTOCOL && question->by_person ? explain_service_error(&text, failure) : status;
}

enum status exchange_next(struct exchange *exchange, struct failure *failure, struct answer *ret_answer)
{
    CLEANUP(secret_reset) struct secret text = {0};
    enum status status = client_next_reply(exchange->client, failure, &text);

    return status == STATUS_OK ? read_reply(&text, failure, ret_answer) : status;
}

/* Nobody listens, and no key is at hand. Where there is no place for a socket, unlocking would not help. */
static enum status refuse(const struct exchange *exchange, struct failure *failure)
{
    char path[PATH_MAX];
    enum status status = file_socket_path(exchange->vault, failure, path);

    journal_refusal(exchange->words);
    if (status != STATUS_OK)
        return status;
    return failure_set(failure, STATUS_LOCKED, "the vault %s is locked", exchange->vault);
}

enum status exchange_ready(struct exchange *exchange, struct failure *failure)
{
    enum status status = exchange->client == NULL ? exchange_connect(exchange, failure) : STATUS_OK;

    if (status != STATUS_NO_AGENT)
        return status;
    status = exchange_check_vault(exchange, failure);
    return status == STATUS_OK && !exchange->has_key_file ? refuse(exchange, failure) : status;
}

enum status exchange_ask(struct exchange *exchange, struct question *question, struct failure *failure,
                         struct answer *ret_answer)
{
    CLEANUP(key_reset) struct key key = {0};
    enum status status = exchange_ready(exchange, failure);

    if (status == STATUS_OK && exchange->client != NULL) {
        status = exchange_send(exchange, question, NULL, failure, ret_answer);
        if (status != STATUS_LOCKED || !exchange->has_key_file || question->without_key)
            return status;
        status = key_read_file(exchange->key_file, failure, &key);
    } else if (status == STATUS_OK) {
        status = key_read_file(exchange->key_file, failure, &key);
        if (status == STATUS_OK)
            status = exchange_start_agent(exchange, false, failure);
    }
    return status == STATUS_OK ? exchange_send(exchange, question, &key, failure, ret_answer) : status;
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

enum status exchange_command(struct invocation *invocation, struct failure *failure,
                             struct answer *ret_answer)
{
    CLEANUP(exchange_reset) struct exchange exchange = {0};
    CLEANUP(exchange_question_reset) struct question question = {0};
    enum status status =
        exchange_start(invocation, option_text(&invocation->options, "key-file"), failure, &exchange);

    if (status != STATUS_OK)
        return status;
    exchange_question(&question, invocation->command->method);
    exchange_add_members(&question, invocation);
    return exchange_ask(&exchange, &question, failure, ret_answer);
}

enum status command_call(struct invocation *invocation, struct failure *failure)
{
    CLEANUP(exchange_answer_reset) struct answer answer = {0};

    return exchange_command(invocation, failure, &answer);
}
